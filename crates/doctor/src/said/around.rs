//! What stands around a message that has no time: a program writes its topic before it, or nothing. A label, a mark of a list, a tag, a
//! separator, a link, a question or a remark is of whoever wrote about the message, and may have seen it or not.

use super::words::{HEADS, LABELS, OF_FIXES, OF_RELEASES, QUESTIONS, REMARKS, SETTINGS, TITLES, is_speaker};
use super::{Manner, any, begins_as_a_log};
use crate::prefix::is_a_programs_name;

/// A title has no more words.
const TITLE_WORDS_MAX: usize = 6;

/// A number that counts lines or sections has no more digits and points.
const NUMBER_BYTES_MAX: usize = 6;

/// A message that nobody dated, and what stands before and behind its key words.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    pub body: &'a str,
    pub front: &'a str,
    pub behind: &'a str,
}

/// What the surroundings make of a message; `Logged` where it stands alone.
pub fn of(around: Around<'_>) -> Manner {
    let of_a_document = is_from_a_document(around.body);
    let around = Around { body: behind_a_file(around.body), front: behind_a_file(around.front), ..around };
    let bare = without_list_mark(around.body);
    let front = without_list_mark(around.front);
    let label = label(front);
    let is_a_list = bare.len() < around.body.trim_start().len() && !begins_as_a_log(bare);
    if is_within_a_link(around.front)
        || is_in_an_element_that_waits(around)
        || is_an_entry(front)
        || label.is_some_and(|label| any(label, &OF_FIXES))
        || is_a_list && label.is_some_and(|label| any(label, &OF_RELEASES))
    {
        return Manner::Cited;
    }
    let told = is_a_list
        || of_a_document
        || is_ticketed(bare)
        || label.is_some_and(is_title)
        || is_tagged(bare)
        || is_a_row(around)
        || asks(around.body)
        || is_remarked(around.behind);
    if told { Manner::Told } else { Manner::Logged }
}

/// The same of a message behind a time: dashes, commas and numbers are of the log's form then, and name nobody who wrote about it.
pub fn of_dated(around: Around<'_>) -> Manner {
    let body = without_severity(around.body);
    let label = label(without_severity(around.front));
    if is_within_a_link(around.front) || label.is_some_and(|label| any(label, &OF_FIXES)) {
        return Manner::Cited;
    }
    let told = label.is_some_and(is_title) || is_tagged(body) || asks(body) || is_remarked(around.behind);
    if told { Manner::Told } else { Manner::Logged }
}

/// The same of a message in a line that prints a time somewhere: whatever form that is, a question is asked by a person.
pub fn of_printed(around: Around<'_>) -> Manner {
    if asks(around.body) { Manner::Told } else { Manner::Logged }
}

/// A line without how grave it is, in brackets or not: `[INFO] `, `ERROR - `.
fn without_severity(line: &str) -> &str {
    let line = line.trim_start_matches([' ', '-', ',', ';', '|', '\t']);
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    if is_speaker(first.trim_matches(['[', ']', ':'])) { rest.trim_start_matches([' ', '-']) } else { line }
}

/// The line of a file that grep found, without the file's name and the line's number: `README.md:12:`, `var/log/dmesg:`.
fn behind_a_file(line: &str) -> &str {
    let Some((_, rest)) = file_of_grep(line) else { return line };
    let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    behind.strip_prefix([':', '-']).filter(|_| behind.len() < rest.len()).unwrap_or(rest)
}

/// Whether grep found a line in a file that is no log by its name.
fn is_from_a_document(line: &str) -> bool {
    const LOGS: [&str; 8] = ["log", "messages", "vmk", "dmesg", "kern", "journal", "vobd", "console"];
    file_of_grep(line)
        .is_some_and(|(file, _)| !LOGS.iter().any(|log| file.to_ascii_lowercase().contains(log)))
}

/// The file that a line begins with, and what stands behind its colon without a blank. An address of numbers is none.
fn file_of_grep(line: &str) -> Option<(&str, &str)> {
    let (file, rest) = line.split_once(':')?;
    let lettered = file.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_file = lettered && is_a_path(file) && !file.contains(['[', '"', '(', '<', '=']);
    (is_file && !file.trim_end().contains(' ') && !rest.starts_with([' ', '/'])).then_some((file, rest))
}

/// A folder with a file, or a name with an ending. The id of a device has more behind its point.
fn is_a_path(file: &str) -> bool {
    const ENDING_BYTES_MAX: usize = 5;
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    file.contains('/')
        || (1..=ENDING_BYTES_MAX).contains(&ending.len())
            && ending.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

/// A number of a ticket, or how soon it is to be looked at, before a message: `TASK0077 `, `P2 `. ESX in capitals is a host.
fn is_ticketed(body: &str) -> bool {
    let Some((first, _)) = body.split_once(' ') else { return false };
    let number = first.trim_start_matches(|letter: char| letter.is_ascii_uppercase() || letter == '-');
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits && number.len() < first.len() && !first.contains("ESX")
}

/// A line without what begins an item of a list or a heading, or counts lines: `- `, `* `, `## `, `12. `, `3.4 `, `[12] `, `12: `.
fn without_list_mark(line: &str) -> &str {
    let line = line.trim_start();
    let behind = line.trim_start_matches(['-', '*', '+', '#', '•', '–', '~', '_']);
    let marked = behind.len() < line.len() && (behind.starts_with(' ') || line.starts_with("**"));
    if marked {
        return behind.trim_start();
    }
    let open = line.strip_prefix('[').unwrap_or(line);
    let numbered = open.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let number = &open[..open.len() - numbered.len()];
    let counts =
        number.starts_with(|letter: char| letter.is_ascii_digit()) && number.len() <= NUMBER_BYTES_MAX;
    let signed = numbered.strip_prefix([')', ':', ']']);
    let behind = signed.unwrap_or(numbered);
    let next = behind.split_whitespace().next().unwrap_or("");
    // tcmu-runner writes `813 [WARN]`, an array `7 Debug`: a number of their own.
    let own = signed.is_none() && (next.starts_with('[') || is_speaker(next));
    let item = counts && !next.is_empty() && behind.starts_with([' ', '\t']) && !own;
    if item { behind.trim_start() } else { line }
}

/// `Subject` of `Subject: ...`: what stands before the first colon, in front of the message.
fn label(front: &str) -> Option<&str> {
    let (label, behind) = front.split_once(':')?;
    let topic = behind.trim_start().starts_with(|letter: char| letter.is_ascii_digit());
    // `Vol3: 871: `: a topic and the line of its source.
    let numbered = topic && behind.trim_start().split(' ').next().is_some_and(|word| word.ends_with(':'));
    (behind.starts_with(' ') && !numbered).then(|| label.trim())
}

/// Whether a label is of words, and not the topic of a program: `Scenario 4`, `Betreff`, `query`.
fn is_title(label: &str) -> bool {
    let words: Vec<&str> = label.split_whitespace().collect();
    let lettered = |word: &str| word.chars().all(|letter| letter.is_alphabetic() || letter == '-');
    let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit() || b"#.".contains(&byte));
    match words.as_slice() {
        [word] => lettered(word) && !is_a_topic(word),
        [first, rest @ ..] => {
            words.len() <= TITLE_WORDS_MAX
                && lettered(first)
                && rest.iter().all(|word| lettered(word) || number(word))
                && !HEADS.iter().any(|head| words.iter().any(|word| word.eq_ignore_ascii_case(head)))
        }
        [] => false,
    }
}

/// Whether a word is what programs begin their messages with: a name of one, or letters in an order that no sentence has.
fn is_a_topic(word: &str) -> bool {
    let capitals = !word.chars().any(char::is_lowercase);
    let inner = word.chars().skip(1).any(char::is_uppercase) && !capitals;
    // Programs and modules are named in small letters, and any word may be one's name.
    let small = !word.chars().any(char::is_uppercase);
    let named = is_speaker(word) || is_a_programs_name(word);
    match (capitals, small) {
        (true, _) => !TITLES.contains(&word),
        (false, true) => !LABELS.contains(&word),
        (false, false) => inner || named,
    }
}

/// `<title>...`, `[SOLVED] ...`, `[Bug 1234] ...`: marks of a page or of a tracker.
fn is_tagged(body: &str) -> bool {
    let element = body.strip_prefix('<').is_some_and(|rest| {
        rest.trim_start_matches('/').starts_with(|letter: char| letter.is_ascii_alphabetic())
    });
    let bracket = body.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner.trim());
    element || bracket.is_some_and(is_a_trackers_mark)
}

fn is_a_trackers_mark(inner: &str) -> bool {
    let worded = inner.split_whitespace().all(|word| word.chars().all(char::is_alphanumeric));
    let several = inner.contains(' ') && inner.chars().any(char::is_lowercase);
    worded && several || TITLES.contains(&inner.to_uppercase().as_str())
}

/// A row of a table whose cells are parted by a sign without a blank: one cell before the message at least, and one behind it.
fn is_a_row(around: Around<'_>) -> bool {
    const CELL_BYTES_MAX: usize = 40;
    [';', ',', '\t'].iter().any(|&sign| {
        let first = around.front.find(sign).filter(|&at| (1..=CELL_BYTES_MAX).contains(&at));
        let cell = first.map(|at| &around.front[..at]);
        let is_plain = cell.is_some_and(|cell| {
            cell.chars().all(|letter| letter.is_alphanumeric() || "-_. \"".contains(letter))
        });
        let tight = |text: &str, at: usize| !text[at + 1..].starts_with(' ');
        let goes_on = first.is_some_and(|at| tight(around.front, at));
        let behind = around.behind.rfind(sign).is_some_and(|at| tight(around.behind, at));
        is_plain && goes_on && behind
    })
}

/// A message whose words are part of an address of the web: what was searched for.
fn is_within_a_link(front: &str) -> bool {
    front.rsplit(' ').next().is_some_and(|word| word.contains("://"))
        || front.rsplit("://").next().is_some_and(|rest| rest.len() < front.len() && rest.contains("?q="))
}

/// `<key>log[/var/log/vmkernel.log,"...`: an element whose name says that it waits for messages.
fn is_in_an_element_that_waits(around: Around<'_>) -> bool {
    let waits = |element: &str| {
        let name = element.split(['>', ' ']).next().unwrap_or("").to_ascii_lowercase();
        element.contains('>')
            && (["key", "name"].contains(&&*name) || SETTINGS.iter().any(|setting| name.contains(setting)))
    };
    around.body.split('<').skip(1).any(waits)
}

/// `description: "..."`: a name and its value in a file of settings, as `"description": "..."` is. Fields that hold what was logged are none.
fn is_an_entry(front: &str) -> bool {
    const LOGGED: [&str; 8] = ["msg", "message", "log", "line", "text", "error", "event", "output"];
    let Some((name, value)) = front.split_once(": ") else { return false };
    let named =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    let quoted = value.starts_with(['"', '\'']);
    named && quoted && !LOGGED.contains(&name) && (LABELS.contains(&name) || name.contains('_'))
}

/// Whether the line is a question, with its sign or without, or begins as a line about a message does.
fn asks(body: &str) -> bool {
    let first = body.split_whitespace().next().unwrap_or("");
    body.trim_end().ends_with('?') || QUESTIONS.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Whether a remark stands behind the message: `(fixed in 8.0U3)`, `- was fixed by P05`, `[SOLVED]`.
fn is_remarked(behind: &str) -> bool {
    let tracked = behind.trim_end().strip_suffix(']').and_then(|text| text.rsplit_once('['));
    any(behind, &REMARKS) || tracked.is_some_and(|(_, inner)| is_a_trackers_mark(inner))
}
