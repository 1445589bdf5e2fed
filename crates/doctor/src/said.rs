//! How a message is said: by a program into its log, by a person who saw it, or in prose that only speaks of it: a ticket that denies having
//! seen it, an article, a test plan, the source of the program that prints it.
//!
//! The words are looked for outside of what is quoted, and before the message: what a log itself says is no word about logs.

mod around;
mod dated;
mod general;
mod words;

use around::Around;
use general::{shows_a_kind, speaks_in_general};
use memchr::{memchr_iter, memchr3};
pub use words::SETTINGS;
use words::{COMMANDS, DENIES, EXEMPLIFIES, OF_SENTENCES, PLACES, SUPPOSES, WITNESSES};

use crate::dialect::esxtop_table;
use crate::record::Record;
use crate::sieve::Sieve;
use crate::source::behind_prompt;
use crate::text::{between, has, holds, position};
use crate::unread_time;

/// How a message is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// By a program, into its log.
    #[default]
    Logged,
    /// By somebody who saw it, or may have: it is worth a question, and proves nothing.
    Told,
    /// By nobody: it was not seen, or is an example.
    Cited,
}

/// How a record's message is said.
#[must_use]
pub fn of(record: &Record<'_>) -> Manner {
    // Names of hosts, guests and counters stand behind backslashes there, as patterns have them: `\\web3\Split Commands/sec`.
    if esxtop_table::is_header(record.line) {
        return Manner::Logged;
    }
    // Whoever puts `<volume name>` into a line may have taken a name out of a real one, or never had one.
    let least = if asks_for_a_name(record.line) { Manner::Told } else { Manner::Logged };
    of_message(record).max(least)
}

/// The same, whatever names the message has.
fn of_message(record: &Record<'_>) -> Manner {
    let line = record.line;
    if is_a_template(line) {
        return Manner::Cited;
    }
    // An alarm is called after the message that it waits for.
    if has(line, "larm '")
        && key_words(record)
            .iter()
            .any(|word| between(line, "larm '", "'").is_some_and(|name| has(name, word)))
    {
        return Manner::Cited;
    }
    let body = record.body();
    let begins = record.prefix.begins && !is_speech(body);
    if begins || record.prefix.process.is_some() {
        return if is_a_kernels(record) { Manner::Logged } else { of_dated(record) };
    }
    if is_a_command(body) {
        return Manner::Cited;
    }
    // A row of a table, whose cells explain one another.
    if line.trim_start().starts_with('|') && line.trim_end().ends_with('|') && line.matches(" | ").count() > 0
    {
        return Manner::Told;
    }
    let words = key_words(record);
    let parts = Parts::of(body, &words);
    if is_exported(body) {
        let waits = !body.starts_with('{') && dated::is_in_a_field_that_waits(around(body, &words).front);
        return if waits { Manner::Cited } else { Manner::Logged };
    }
    if parts.denied || orders(&parts.outside) && parts.quotes || is_code(body, &parts) {
        return Manner::Cited;
    }
    let around = around(body, &words);
    // Whatever is put before a line that has a time, the line is of a log.
    let is_dated =
        record.prefix.when.is_some() || unread_time::stands_before(body) || unread_time::stands_within(body);
    let set = if is_dated { around::of_printed(around) } else { around::of(around) };
    if !parts.quotes {
        // Without quotes only what stands before the message speaks of it.
        return if begins_as_a_log(body) { Manner::Logged } else { of_front(around).max(set) };
    }
    let outside = parts.outside.as_str();
    let asks = outside.trim_end().ends_with('?') && !any(outside, &WITNESSES);
    match of_words(outside) {
        // What is quoted within a sentence proves nothing, whoever saw it.
        Some(manner) => manner.max(Manner::Told),
        None if asks => Manner::Cited,
        // A message in quotes and little else was put into them by whoever copied it.
        None if outside.split_whitespace().count() <= 2 && outside.is_ascii() => set,
        None => set.max(Manner::Told),
    }
}

/// Whether a line is a message as a program or an article holds it ready, with places to be filled in: `Lost access to volume {2} ({1})`; or says which
/// event is made of which.
fn is_a_template(line: &str) -> bool {
    let bytes = line.as_bytes();
    // Nearly no line has one of these signs, which is seen at one look.
    if memchr3(b'<', b'>', b'{', bytes).is_none() {
        return false;
    }
    // `NVME-FC{0}:` is a controller's number, and `Originator={PL}` what a driver found.
    let is_filled_in = |at: usize| ["NVME-FC", "Originator="].iter().any(|name| line[..at].ends_with(name));
    let is_numbered = |at: usize| matches!(bytes.get(at + 1..at + 3), Some([b'0'..=b'9', b'}']));
    // `{TIME} In(14) vobd[2098148]:`, as a generator of logs holds it.
    let is_named = |at: usize| {
        let inner = line[at + 1..].split_once('}').map_or("", |(inner, _)| inner);
        inner.len() > 1 && inner.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_')
    };
    PLACES.iter().any(|place| has(line, place))
        || memchr_iter(b'{', bytes).any(|at| (is_numbered(at) || is_named(at)) && !is_filled_in(at))
        || has(line, " -> esx.")
}

/// Whether a line has words in the place of a name: `<datastore name>`, `<host_id>`.
fn asks_for_a_name(line: &str) -> bool {
    const PLACE_BYTES_MAX: usize = 40;
    const NAMES: [&str; 5] = ["name", "id", "uuid", "label", "address"];
    memchr_iter(b'<', line.as_bytes()).any(|at| {
        let inner = line[at + 1..].split_once('>').map_or("", |(inner, _)| inner);
        let words: Vec<&str> = inner.split([' ', '_', '-']).take(PLACE_BYTES_MAX).collect();
        let lettered = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let names = |word: &str| NAMES.iter().any(|name| word.eq_ignore_ascii_case(name));
        inner.len() <= PLACE_BYTES_MAX
            && words.len() > 1
            && words.iter().all(lettered)
            && words.last().is_some_and(|word| names(word))
    })
}

/// Whether a line behind a time, or a program's name, is what such a program says itself: not what was told to a host's service, and kept by it.
fn is_a_kernels(record: &Record<'_>) -> bool {
    /// They write what people typed, and `message` is whoever wrote into an export.
    const KEEPERS: [&str; 5] = ["hostd", "Hostd", "vpxa", "Vpxa", "message"];
    match record.prefix.process {
        Some(process) => !KEEPERS.contains(&process) || begins_as_a_log(record.body()),
        None => begins_as_a_log(record.body()),
    }
}

/// How a line is said that begins with a time.
fn of_dated(record: &Record<'_>) -> Manner {
    let words = key_words(record);
    let body = record.body();
    dated::of(around(body, &words), &Parts::of(body, &words))
}

/// A message with what stands before its first key word and behind its last.
fn around<'a>(body: &'a str, words: &[&str]) -> Around<'a> {
    /// Shorter ones stand within other words, as `mpt` in `Symptom`.
    const WORD_BYTES_MIN: usize = 6;
    let is_long = words.iter().any(|word| word.len() >= WORD_BYTES_MIN);
    let least = if is_long { WORD_BYTES_MIN } else { 0 };
    let words = || words.iter().filter(|word| word.len() >= least);
    let places = || words().filter_map(|word| position(body, word).map(|at| (at, at + word.len())));
    let front = places().map(|(start, _)| start).min().map_or("", |at| &body[..at]);
    let behind = places().map(|(_, end)| end).max().map_or("", |at| &body[at..]);
    Around { body, front, behind }
}

/// The key words of a record: those that the sieve found, or, where the line was made plain since, finds now.
fn key_words(record: &Record<'_>) -> Vec<&'static str> {
    if !record.words.is_empty() {
        return record.words.to_vec();
    }
    let mut hits = Vec::new();
    if let Some(sieve) = Sieve::of_all() {
        sieve.search(record.line.as_bytes(), &mut hits);
    }
    hits.iter().map(|hit| hit.word).collect()
}

/// What the words about messages make of them; `None` where there are none.
#[must_use]
pub fn of_words(text: &str) -> Option<Manner> {
    let witness = any(text, &WITNESSES);
    let cites = cites_an_article(text);
    if any(text, &DENIES) {
        return Some(Manner::Cited);
    }
    match (witness, cites || any(text, &SUPPOSES) || is_conditional(text)) {
        (false, true) => Some(Manner::Cited),
        (true, true) => Some(Manner::Told),
        (true, false) => {
            let is_example = any(text, &EXEMPLIFIES) || shows_a_kind(text);
            Some(if is_example { Manner::Told } else { Manner::Logged })
        }
        (false, false) => {
            let is_example = any(text, &EXEMPLIFIES) || shows_a_look(text) || speaks_in_general(text);
            is_example.then_some(Manner::Told)
        }
    }
}

/// The same of what stands before a message: a log has none of these words there, and no sentence either; a denial may be as short as `no`.
fn of_front(Around { body, front, .. }: Around<'_>) -> Manner {
    const PLAIN_WORDS_MIN: usize = 3;
    if ends_with_a_denial(front) || looks_for(front) || orders(front) {
        return Manner::Cited;
    }
    let said = of_words(front).filter(|manner| *manner != Manner::Logged);
    let speaks = plain_words(front) >= PLAIN_WORDS_MIN && any(front, &OF_SENTENCES) || front.contains(" | ");
    // Where a sentence began before the message, what it ends with is its own, too.
    let supposed = || any(body, &SUPPOSES) && !any(body, &WITNESSES);
    said.unwrap_or_else(|| match speaks {
        true if supposed() => Manner::Cited,
        true => Manner::Told,
        false => Manner::Logged,
    })
}

/// `failregex = `: the name of a setting that waits for messages.
fn looks_for(front: &str) -> bool {
    let name = front.trim_end().strip_suffix(['=', ':', '^']).map(str::trim);
    name.is_some_and(|name| !name.contains(' ') && SETTINGS.iter().any(|setting| holds(name, setting)))
}

/// Words of a sentence: of letters alone, with a sign behind them at most.
pub fn plain_words(text: &str) -> usize {
    let plain = |word: &&str| {
        let word = word.trim_end_matches([',', '.', ';', ':', '!', '?', ')']);
        let lower = word.bytes().any(|byte| byte.is_ascii_lowercase()) || !word.is_ascii();
        word.len() > 1 && lower && word.chars().all(char::is_alphabetic)
    };
    text.split_whitespace().filter(plain).count()
}

/// Whether a line without a time begins as those of a kernel do: with its processor, a position on a bus, or a topic and a number.
pub fn begins_as_a_log(body: &str) -> bool {
    let digit = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
    let mut words = body.split(' ');
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let processor = first.strip_prefix("cpu").is_some_and(|rest| digit(rest) || rest.starts_with(['X', '#']));
    let bus = ["sd", "scsi", "nvme"].contains(&first) && second.ends_with(':');
    let topic = first.ends_with(':') && first.len() > 2 && digit(second) && second.ends_with(':');
    processor || bus || topic || first.starts_with("[HB") || first == "WARNING:"
}

/// `if`, `when`: of nobody in particular.
fn is_conditional(text: &str) -> bool {
    let start = text.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic());
    ["if ", "when ", "whenever ", "after a ", "wenn ", "had the "]
        .iter()
        .any(|word| start.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)))
        || [" whenever a ", " if it ", " if the ", " when the ", " when it "]
            .iter()
            .any(|words| holds(text, words))
}

/// `What a late answer looks like:`
fn shows_a_look(text: &str) -> bool {
    let text = text.trim_end_matches([':', '.', ' ']);
    text.ends_with(" look like") || text.ends_with(" looks like")
}

/// `KB 2113956`
fn cites_an_article(text: &str) -> bool {
    let is_number = |rest: &str| {
        rest.trim_start_matches([' ', '#']).starts_with(|letter: char| letter.is_ascii_digit())
            || rest.starts_with(" says")
    };
    text.match_indices("KB").any(|(at, _)| !continues(text, at) && is_number(&text[at + 2..]))
}

/// Whether a text orders a search, or a message to be written.
fn orders(text: &str) -> bool {
    any(text, &COMMANDS) || holds(text, "mark --message")
}

/// Whether a text holds one of these phrases, as whole words in letters of either case.
fn any(text: &str, phrases: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    phrases.iter().any(|phrase| {
        lower.match_indices(phrase).any(|(at, _)| {
            // `n't see` begins within a word.
            let begins = phrase.starts_with("n't") || !continues(&lower, at);
            let end = at + phrase.len();
            let ends = phrase.ends_with('.')
                || !lower[end..].starts_with(|letter: char| letter.is_ascii_alphabetic())
                || *phrase == "kein";
            // `example.com`
            let ends = ends
                && !lower[end..]
                    .strip_prefix('.')
                    .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_alphabetic()));
            begins && ends
        })
    })
}

/// Whether a word goes on where `at` is.
fn continues(text: &str, at: usize) -> bool {
    text[..at].ends_with(|letter: char| letter.is_ascii_alphanumeric() || "-_./@".contains(letter))
}

/// Whether somebody speaks in a dated line: `anna: did you see ...`. Programs write topics in capitals, or another topic behind the first.
fn is_speech(body: &str) -> bool {
    let mut words = body.split(' ');
    let name = words.next().and_then(|word| word.strip_suffix(':')).unwrap_or("");
    let named = (2..=24).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.')
        && name.bytes().any(|byte| byte.is_ascii_lowercase());
    let speaks = || of_words(body).is_some() || body.trim_end().ends_with('?') || has(body, " no \"");
    named && !words.next().unwrap_or("").contains([':', '=', '[']) && speaks()
}

/// Whether a line is one of a log that was exported by its fields: JSON, or `ts=... msg="..."`.
fn is_exported(body: &str) -> bool {
    const DATES: [&str; 8] =
        ["imestamp\"", "TIMESTAMP\"", "time\"", "\"ts\"", "\"date\"", "ts=", "time=", "timestamp="];
    const MESSAGES: [&str; 9] =
        ["MESSAGE\"", "essage\"", "\"msg\"", "\"log\"", "\"line\"", "\"text\"", "_raw\"", "msg=", "message="];
    let dated = || DATES.iter().any(|mark| has(body, mark));
    let object = body.trim_start().starts_with('{');
    let message = MESSAGES.iter().any(|mark| has(body, mark));
    object && dated() || message && (object || body.trim_start().starts_with('"') || dated())
}

/// Whether a line is of a program's source, of a rule that looks for messages, or a comment.
fn is_code(body: &str, parts: &Parts) -> bool {
    let start = body.trim_start();
    let command = is_a_command(start);
    let comment = ["//", "/*", "<!--", "; ", "-- ", "REM "].iter().any(|mark| start.starts_with(mark));
    let prints = [
        "(\"", "(r\"", "\\n\"", "\\n'", "(\'", "== \"", "= \"", "=> \"", "|= \"", "|~ \"", " LIKE '", "~ \"",
        "('",
    ]
    .iter()
    .any(|mark| has(body, mark))
        && parts.quotes;
    // `<match message="...">`, `subject="..."`
    let attribute = parts.quotes && has(body, "=\"");
    let pattern = ["\\n\"", "{{ ", ".*", "\\S", "\\w", "\\d", "\\[", "[^"].iter().any(|mark| has(body, mark));
    const STATEMENTS: [&str; 13] = [
        "let ", "const ", "var ", "return ", "assert", "static ", "private ", "def ", "case \"", "throw ",
        "raise ", "log.", "x = ",
    ];
    let statement =
        parts.quotes && STATEMENTS.iter().any(|word| start.starts_with(word)) || has(body, "r#\"");
    // `"lost": "Lost access to volume",`
    let entry = parts.quotes && (has(body, "\": \"") || has(body, "\":\""));
    // PowerShell: `$type = Get-EventId | Where-Object { $_.EventTypeId -eq '...' }`
    let of_a_shell = parts.quotes
        && [" -eq '", " -eq \"", " -match '", " -match \"", " -like '", " -like \""]
            .iter()
            .any(|sign| has(body, sign));
    comment
        || of_a_shell
        || prints
        || attribute
        || pattern
        || entry
        || statement
        || command
        || has_a_format(body)
}

/// Whether a line orders a search, or a message to be written, whatever counts or prompts before it.
fn is_a_command(body: &str) -> bool {
    let ordered = |text: &str| {
        let lettered = text.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic());
        COMMANDS
            .iter()
            .any(|command| lettered.strip_prefix(command).is_some_and(|rest| rest.starts_with(' ')))
    };
    ordered(body) || ordered(behind_prompt(body))
}

/// `%s`, `%d`, `%llu`, `%p`: places that a program fills in when it prints.
fn has_a_format(body: &str) -> bool {
    body.match_indices('%').any(|(at, _)| {
        let rest = body[at + 1..].trim_start_matches(|letter: char| "0123456789.-*lhz".contains(letter));
        let mut letters = rest.chars();
        letters.next().is_some_and(|letter| "sdupxXi".contains(letter))
            && letters.next().is_none_or(|next| !next.is_ascii_alphanumeric() || next == 'u')
    })
}

/// A line, parted into what is quoted at length and what is not.
struct Parts {
    /// Whether a message is quoted, and not only a name.
    quotes: bool,
    /// Whether the word before it denies it: `no "..."`.
    denied: bool,
    outside: String,
}

impl Parts {
    /// `words` are the key words of the line, where they are known.
    fn of(body: &str, words: &[&str]) -> Parts {
        const WORDS_MIN: usize = 3;
        let mut parts = Parts { quotes: false, denied: false, outside: String::new() };
        let mut rest = body;
        while let Some(start) = rest.find(['"', '`', '\'']) {
            let Some(quote) = rest[start..].chars().next() else { break };
            let inner = &rest[start + 1..];
            // An apostrophe stands within a word.
            let apostrophe =
                quote == '\'' && rest[..start].ends_with(|letter: char| letter.is_alphanumeric());
            let end = if apostrophe { None } else { end_of(inner, quote) };
            let Some(end) = end else {
                parts.outside.push_str(&rest[..=start]);
                rest = inner;
                continue;
            };
            let quoted = &inner[..end];
            let is_message = match words {
                [] => quoted.split_whitespace().count() >= WORDS_MIN,
                words => words.iter().any(|word| has(quoted, word.trim())),
            };
            parts.quotes |= is_message;
            parts.denied |= is_message && ends_with_a_denial(&rest[..start]);
            parts.outside.push_str(&rest[..start]);
            parts.outside.push(' ');
            rest = &inner[end + 1..];
        }
        parts.outside.push_str(rest);
        parts
    }
}

/// Whether the last word denies what follows it.
fn ends_with_a_denial(front: &str) -> bool {
    let last = front.trim_end().rsplit(' ').next().unwrap_or("").to_ascii_lowercase();
    ["no", "not", "without", "any", "kein", "keine", "nor", "or no"].contains(&&*last)
}

/// Where a quotation ends: at the last quote that no word follows, for what is quoted has names in quotes of its own.
fn end_of(inner: &str, quote: char) -> Option<usize> {
    let ends = inner.match_indices(quote).filter(|(at, _)| {
        inner[at + 1..].chars().next().is_none_or(|next| !next.is_alphanumeric())
            // An escaped quote is of the text within.
            && !inner[..*at].ends_with([' ', '(', '\\'])
    });
    ends.map(|(at, _)| at).next()
}
