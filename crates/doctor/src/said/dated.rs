//! What stands around a message behind a time that no program's name follows. Kernels write so where a tool took their name off; so do applications about
//! what they were told to look for, and people in a chat.

use super::around::{self, Around};
use super::words::{LABELS, SETTINGS};
use super::{Manner, Parts, is_a_command, of_front, of_words, orders, plain_words};
use crate::prefix::is_a_programs_name;

/// How grave applications call their lines; kernels and VMkernels have other words for it, or none.
const SEVERITIES: [&str; 8] = ["INFO", "DEBUG", "TRACE", "WARN", "WARNING", "ERROR", "NOTICE", "FATAL"];
/// Ends of the names of sources that no kernel and no target is written in.
const SOURCES: [&str; 9] = [".go:", ".py:", ".java:", ".js:", ".ts:", ".rb:", ".rs:", ".cs:", ".php:"];
/// Fields that hold what was logged.
const LOGGED: [&str; 11] =
    ["msg", "message", "log", "line", "text", "error", "err", "event", "output", "stdout", "stderr"];

/// How a dated message is said; `parts` are those of its body.
pub fn of(around: Around<'_>, parts: &Parts) -> Manner {
    let Around { body, front, .. } = around;
    if is_a_command(body) || parts.quotes && (parts.denied || orders(&parts.outside)) {
        return Manner::Cited;
    }
    let of_an_application = is_of_an_application(body);
    if !parts.quotes {
        let set = around::of_dated(around).max(of_front(around));
        return if of_an_application { set.max(Manner::Told) } else { set };
    }
    match field(front) {
        Some(name) if LOGGED.contains(&name) => return Manner::Logged,
        Some(_) if is_in_a_field_that_waits(front) => return Manner::Cited,
        _ => {}
    }
    match of_words(&parts.outside) {
        Some(manner) => manner.max(Manner::Told),
        // Whoever quotes a message among words of its own speaks of it.
        None if of_an_application => Manner::Cited,
        None if plain_words(&parts.outside) > 1 => Manner::Told,
        None => Manner::Logged,
    }
}

/// Whether a message is the value of a field that holds what is waited for, and none that was logged: `pattern="...`.
pub fn is_in_a_field_that_waits(front: &str) -> bool {
    field(front)
        .is_some_and(|name| !LOGGED.contains(&name) && (LABELS.contains(&name) || SETTINGS.contains(&name)))
}

/// The name of the field that a message stands in: `rule` of `level=info rule="switching pool to`.
fn field(front: &str) -> Option<&str> {
    let opened = front.rfind(['"', '\'']).map(|at| front[..at].trim_end())?;
    let named = opened.strip_suffix(['=', ':'])?.trim_end_matches(['"', '\'']);
    named.rsplit([' ', '{', ',', '"', '\'']).next().filter(|name| !name.is_empty())
}

/// Whether an application's own logger wrote the line: with a place in a source, a class or a channel behind how grave it is.
fn is_of_an_application(body: &str) -> bool {
    const WORDS_MAX: usize = 6;
    let words: Vec<&str> = body.split_whitespace().take(WORDS_MAX).collect();
    let lettered = |text: &str| text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let in_a_source = |word: &&str| {
        SOURCES.iter().any(|end| {
            word.split_once(end)
                .is_some_and(|(_, line)| line.starts_with(|digit: char| digit.is_ascii_digit()))
        })
    };
    // `org.example.Book`, of two points at least: a host's name stands before how grave it is, and not behind. Who runs machines tells of its storage.
    let class = |word: &&str| {
        let name = word.trim_matches(['[', ']', ':']);
        let runs_machines = name.split('.').any(|part| part == "kvm" || is_a_programs_name(part));
        !runs_machines && name.matches('.').count() >= 2 && lettered(name) && name.split('.').all(lettered)
    };
    // `production.INFO:`
    let channel = |word: &&str| {
        word.strip_suffix(':')
            .and_then(|word| word.split_once('.'))
            .is_some_and(|(name, grave)| lettered(name) && SEVERITIES.contains(&grave))
    };
    let grave = words.iter().position(|word| SEVERITIES.contains(&word.trim_matches(['[', ']', ':'])));
    let behind = |at: usize| words.iter().skip(at + 1).take(2).any(class);
    words.iter().any(in_a_source) || words.first().is_some_and(channel) || grave.is_some_and(behind)
}
