//! Sentences about what messages are like, or may be: they announce an example, whatever words they are made of. A log is announced by what somebody saw.
//!
//! ```text
//!  the kernel log might contain errors like this:     may or can, and what a log does
//!  what such an error looks like:                     a message, and its look
//!  errors of this kind:                               a message, and its kind
//! ```

use super::any;

/// What a message is called by those who write about it.
const MESSAGES: [&str; 14] = [
    "error", "errors", "message", "messages", "line", "lines", "entry", "entries", "event", "events",
    "warning", "warnings", "failure", "failures",
];

/// Whether a sentence says what may be logged, what messages look like, or of which kind they are. Who tells what a log shows speaks of that log.
pub(super) fn speaks_in_general(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '\''))
        .filter(|word| !word.is_empty())
        .collect();
    may_be_logged(&words) || looks_like(&words) || is_of_a_kind(&words) && !shows_it(text)
}

/// The same of a sentence of a witness: `here is what such an error looks like`. What a log looks like is what is in it.
pub(super) fn shows_a_kind(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    any(text, &["such a", "such an"]) && (lower.contains(" look") || lower.contains(" appear"))
}

/// `might contain`, `can also be logged`: what may happen to anybody's log. Who begins with that asks for something.
fn may_be_logged(words: &[&str]) -> bool {
    const MODALS: [&str; 4] = ["may", "might", "can", "could"];
    const LOGS: [&str; 18] = [
        "contain", "include", "report", "reported", "log", "logged", "print", "printed", "show", "appear",
        "emit", "emitted", "write", "written", "produce", "return", "occur", "raise",
    ];
    /// Words between the two: `not`, `also be`.
    const BETWEEN_MAX: usize = 2;
    let modals = words.iter().enumerate().skip(1).filter(|(_, word)| MODALS.contains(word));
    modals.into_iter().any(|(at, _)| {
        let is_speaker = matches!(words[at - 1], "i" | "we" | "you");
        !is_speaker && words[at + 1..].iter().take(BETWEEN_MAX + 1).any(|word| LOGS.contains(word))
    })
}

/// `an error looks like`, `messages look like this`
fn looks_like(words: &[&str]) -> bool {
    words.windows(3).any(|three| {
        MESSAGES.contains(&three[0])
            && ["look", "looks"].contains(&three[1])
            && ["like", "as"].contains(&three[2])
    })
}

/// `errors like this`, `a line like these`, `entries of this kind`
fn is_of_a_kind(words: &[&str]) -> bool {
    let kinds = words.windows(3).any(|three| {
        MESSAGES.contains(&three[0])
            && three[1] == "like"
            && ["this", "these", "those", "that"].contains(&three[2])
    });
    kinds
        || words.windows(4).any(|four| {
            MESSAGES.contains(&four[0]) && four[1] == "of" && matches!(four[3], "kind" | "sort" | "type")
        })
}

/// Whether a sentence tells what a log holds, by a verb in the indicative.
fn shows_it(text: &str) -> bool {
    const VERBS: [&str; 18] = [
        "shows",
        "showed",
        "showing",
        "has",
        "had",
        "there are",
        "there were",
        "is full of",
        "filled with",
        "flooded with",
        "gives",
        "gave",
        "logs",
        "logged",
        "logging",
        "reports",
        "started",
        "keeps",
    ];
    any(text, &VERBS)
}
