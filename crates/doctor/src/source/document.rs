//! Documents: tickets, articles, runbooks, in which blocks of log lines stand under sentences that say what they are: what was seen, or what
//! would be seen, was seen elsewhere, or is an example.
//!
//! ```text
//!  Expected output:          <- introduces
//!
//!  2026-01-01T00:00:00Z ...  <- is of that manner, until a sentence, a blank line, or the end of the fence
//! ```
//! A log has no sentences between its lines, and is read as it stands.

use memchr::{memchr, memchr_iter, memmem};

use super::origin::{host_of, is_a_file, is_usual, names_a_host};
use super::shell::{asks_several, behind_prompt, host_of_command, host_of_prompt};
use super::unread::{self, Parted};
use crate::plain::plain;
use crate::prefix;
use crate::said::{Manner, SETTINGS, begins_as_a_log, of_words, plain_words};
use crate::seams::{Jump, Seams};
use crate::stamp::Stamp;
use crate::text::after;

/// `[1] 02:15:05 [SUCCESS] esx1`: what pssh writes before what a host answered.
const PSSH: [&str; 2] = ["[SUCCESS] ", "[FAILURE] "];
/// Bytes of a sentence that are looked at.
const SENTENCE_BYTES_MAX: usize = 600;
/// Lines before the title of a document.
const TITLE_WITHIN: usize = 3;
/// What a document calls itself whose lines are nobody's.
const TITLES: [&str; 9] = [
    "release notes",
    "changelog",
    "runbook",
    "test plan",
    "test case",
    "known issues",
    "cheat sheet",
    "faq",
    "knowledge base",
];
/// Headings of an article that is written for everybody.
const HEADINGS: [&str; 7] =
    ["symptoms", "cause", "resolution", "purpose", "workaround", "related information", "solution"];
/// So many of them make one.
const HEADINGS_MIN: usize = 3;
/// Lines of a short input, in which a sentence may stand right behind a line of a log.
const SHORT_LINES: usize = 300;
/// Sections of an input that is read as a stream.
const SECTIONS_MAX: usize = 10_000;
/// Jumps of the times of one input that are looked at.
const JUMPS_MAX: usize = 1_000;
/// Words that make a sentence.
const PLAIN_WORDS_MIN: usize = 4;
/// Dated lines for each sentence in a document; a log has more.
const DATED_FOR_EACH_MAX: usize = 20;

/// How the lines of a short input are said, by what stands around them.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// One for each line; empty where all are said by programs.
    manners: Vec<Manner>,
    /// Where another section begins, and whose it is.
    sections: Vec<Section>,
}

/// The lines from one on, until the next section.
#[derive(Clone, Debug)]
struct Section {
    from: u64,
    /// From 1; that of the one before, where a line that seemed to begin it turned out to be of a record.
    number: u32,
    whose: Whose,
    /// Whether nobody knows what the line that begins it is: what follows may be another's.
    is_unread: bool,
}

/// Whose a section is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// That host's.
    Host(String),
    /// One host's, which nobody names.
    Nobody,
    /// Of several hosts that answered to one command: each line may be another's.
    Each,
}

/// What is open while the lines are gone through.
#[derive(Default)]
struct Open {
    /// Of the block of log lines, where a sentence tells.
    said: Option<Manner>,
    /// Whether log lines of the block were met: a blank line ends it then.
    begun: bool,
    /// Whether the last line was a log's, or one that goes on with it, as those of a stack's trace do.
    goes_on: bool,
    /// Whether the input is short.
    is_short: bool,
    /// A fence, in which blank lines end nothing.
    fenced: bool,
    /// The line that ends a fence of a script.
    until: Option<String>,
    /// Whether the last sentence has no end: it goes on with the indented block behind the next blank line.
    unfinished: bool,
    /// Whether that blank line was passed.
    parted: bool,
    /// Whether the last sentence announces what follows also over a blank line.
    announces: bool,
}

impl Document {
    /// Goes through all lines of an input.
    pub(super) fn of(text: &[u8]) -> Document {
        let mut said = Vec::new();
        let mut open = Open::default();
        let (mut headings, mut seen) = (0, 0);
        let (mut nobodys, mut teaches) = (false, false);
        let (mut dated, mut sentences) = (0, 0);
        let mut sections: Vec<Section> = Vec::new();
        let mut above = String::new();
        let mut rules = None;
        let (mut seams, mut jumps) = (Seams::default(), Vec::new());
        let short = memchr_iter(b'\n', text).nth(SHORT_LINES).is_none();
        for (number_of_line, line) in (1..).zip(lines(text)) {
            let of_pssh = PSSH.iter().any(|mark| memmem::find(line, mark.as_bytes()).is_some());
            if !of_pssh && let Some(when) = dated_at(line) {
                dated += 1;
                let jump = when.and_then(|when| seams.meet(when)).filter(|_| jumps.len() < JUMPS_MAX);
                jumps.extend(jump.map(|jump| (number_of_line, jump)));
                said.push(open.of_a_log(line));
                continue;
            }
            // A blank line says nothing; inputs have thousands of them.
            if line.trim_ascii().is_empty() {
                said.push(if nobodys { Some(Manner::Cited) } else { open.said });
                open.is_short = short;
                open.pass("", "");
                above.clear();
                continue;
            }
            let line = plain(&line[..line.len().min(SENTENCE_BYTES_MAX)]);
            // An object of JSON, and a line of a kernel without its time, introduce nothing.
            if line.trim_start().starts_with('{') && line.contains("\":") || begins_as_a_log(&line) {
                said.push(open.of_a_log(line.as_bytes()));
                continue;
            }
            let sentence = without_markup(&line);
            seen += usize::from(!sentence.is_empty());
            let bare = sentence.trim_matches(|letter: char| !letter.is_alphanumeric());
            nobodys |= seen <= TITLE_WITHIN && is_title(bare);
            rules = rules.filter(|&sign| line.contains(sign)).or_else(|| sign_of_rules(&line));
            headings += usize::from(HEADINGS.iter().any(|heading| bare.eq_ignore_ascii_case(heading)));
            let is_cited = nobodys || rules.is_some();
            said.push(if is_cited { Some(Manner::Cited) } else { open.said });
            open.is_short = short;
            open.pass(&line, &sentence);
            sentences += usize::from(plain_words(&sentence) >= PLAIN_WORDS_MIN);
            let told = of_words(&sentence);
            teaches |= is_heading(&line) && told.is_some_and(|manner| manner != Manner::Logged)
                || told == Some(Manner::Told);
            let underlined =
                is_rule(&line).then(|| std::mem::take(&mut above)).filter(|above| !above.is_empty());
            let found = match &underlined {
                Some(above) => section(&format!("# {above}"), above),
                None => section(&line, &sentence),
            };
            // The titles of a table's columns are nobody's name.
            if unread::is_under_columns(&line) {
                sections.pop_if(|last| last.is_unread && last.from + 1 == number_of_line);
            }
            let answers = unread::asks_the_name(behind_prompt(&above)) && is_a_name_alone(&line);
            let found = if answers { Some(Whose::Host(line.trim().to_owned())) } else { found };
            let parted = if found.is_none() { unread::parts(&line, &sentence, short) } else { None };
            let unread = || Some(unread::whose(sections.last().map(|last| &last.whose), parted?));
            if let Some(whose) = found.or_else(unread) {
                let number = u32::try_from(sections.len() + 1).unwrap_or(u32::MAX);
                let is_unread = parted.is_some_and(|parted| parted != Parted::Introduced);
                sections.push(Section { from: number_of_line, number, whose, is_unread });
            }
            above = sentence;
        }
        sew(&mut sections, &jumps, seams);
        let teaches = (teaches || nobodys) && sentences * DATED_FOR_EACH_MAX >= dated;
        Document { manners: manners(said, teaches, headings >= HEADINGS_MIN), sections }
    }

    /// How the line of that number, from 1, is said.
    pub(super) fn manner(&self, line: u64) -> Manner {
        let at = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.manners.get(at).copied().unwrap_or_default()
    }
}

impl Document {
    /// The section that a line stands in, 0 for none, and whose it is. A line that nobody knows begins one for those behind it alone.
    pub(super) fn section(&self, line: u64) -> (u32, Option<&str>) {
        let begun = self.sections.partition_point(|section| section.from <= line);
        let at = begun.checked_sub(1).and_then(|last| {
            let begins_here = self.sections.get(last).is_some_and(|own| own.is_unread && own.from == line);
            if begins_here { last.checked_sub(1) } else { Some(last) }
        });
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        match at.and_then(|at| self.sections.get(at)) {
            // A section of its own: their numbers begin at the other end.
            Some(Section { whose: Whose::Each, .. }) => (u32::MAX - number(line), None),
            Some(Section { whose: Whose::Host(host), number, .. }) => (*number, Some(host)),
            Some(Section { whose: Whose::Nobody, number, .. }) => (*number, None),
            None => (0, None),
        }
    }

    /// Begins a section in an input that is too large to be gone through before it is read.
    pub(super) fn begin(&mut self, line: u64, whose: Whose) {
        let number = u32::try_from(self.sections.len() + 1).unwrap_or(u32::MAX);
        if self.sections.len() < SECTIONS_MAX {
            self.sections.push(Section { from: line, number, whose, is_unread: false });
        }
    }

    /// Whether a heading says whose the lines are that are read now.
    pub(super) fn is_named(&self) -> bool {
        matches!(self.sections.last(), Some(Section { whose: Whose::Host(_) | Whose::Each, .. }))
    }

    /// Notes that the lines from `first` to `last` are of a record: what seemed to begin a section among them begins none.
    pub(super) fn own(&mut self, first: u64, last: u64) {
        let begin = self.sections.partition_point(|section| section.from < first);
        let end = self.sections.partition_point(|section| section.from <= last);
        for at in begin..end {
            let (before, rest) = self.sections.split_at_mut(at);
            let Some(section) = rest.first_mut().filter(|section| section.is_unread) else { continue };
            let known = before.last().map(|known| (known.number, known.whose.clone()));
            (section.number, section.whose) = known.unwrap_or((0, Whose::Nobody));
        }
    }
}

impl Open {
    /// Meets a line of a log: how it is said. Only what announces it can tell.
    fn of_a_log(&mut self, line: &[u8]) -> Option<Manner> {
        (self.begun, self.goes_on) = (true, true);
        let goes_on = self.unfinished && self.parted && line.starts_with(b"  ");
        self.said.filter(|_| self.announces || self.fenced || goes_on)
    }

    /// Passes a line that is not dated: a sentence, a fence, a blank line, or a piece of a log without a time.
    fn pass(&mut self, line: &str, sentence: &str) {
        // What a script writes into a file of its own.
        if let Some((_, end)) = line.split_once("<<") {
            let end = end.trim_matches(['-', ' ', '\'', '"']).split(' ').next().unwrap_or("");
            if end.len() > 1 && end.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                *self = Open {
                    said: Some(Manner::Cited),
                    fenced: true,
                    until: Some(end.to_owned()),
                    ..Open::default()
                };
                return;
            }
        }
        if let Some(end) = &self.until {
            if line.trim() == end {
                *self = Open::default();
            }
            return;
        }
        let quotes = ["\"\"\"", "'\'\'"].contains(&line.trim());
        if quotes && !self.fenced {
            *self = Open { said: Some(Manner::Cited), fenced: true, ..Open::default() };
            return;
        }
        if quotes || is_fence(line) {
            let title = title_of_a_fence(line);
            let closes = self.fenced && title.is_none() && !line.to_ascii_lowercase().contains("<pre>");
            let said = title.and_then(of_words);
            *self = if closes {
                Open::default()
            } else {
                let before = std::mem::take(self);
                Open { fenced: true, announces: true, said: said.or(before.said), ..before }
            };
            return;
        }
        if sentence.is_empty() {
            if !self.fenced && (self.begun || !(self.announces || self.unfinished)) {
                *self = Open::default();
            }
            self.parted = true;
            return;
        }
        // What stands in a fence introduces nothing.
        if self.fenced {
            self.begun = true;
            // What a change says of itself, and of the lines that it prints.
            if is_a_commit(line) {
                self.said = Some(Manner::Cited);
            }
            return;
        }
        let heading = is_heading(line);
        // A sentence without an end goes on with the block.
        let ends = sentence.ends_with(['.', '!', '?', ',']);
        // Who says that he made something up speaks of what stands there, whatever ends the sentence.
        let announces = heading || sentence.ends_with([':', '>']) || is_made_up(sentence);
        let goes_on = self.goes_on && !heading && !self.is_short;
        match of_words(last_sentence(sentence)) {
            // What a program writes over several lines has any words, and speaks of no line that follows.
            Some(manner) if goes_on && manner != Manner::Logged => {}
            Some(manner) => {
                *self = Open { said: Some(manner), announces, unfinished: !ends, ..Open::default() }
            }
            // A new section, or the next sentence behind a block, speaks of something else.
            None if announces || self.begun => {
                *self = Open { announces, goes_on: self.goes_on && !heading, ..Open::default() };
            }
            None => self.announces |= announces,
        }
    }
}

/// `commit 1a2b3c4d5e6f`: how git begins to show a change.
fn is_a_commit(line: &str) -> bool {
    const HEX_MIN: usize = 7;
    let name = line.trim().strip_prefix("commit ");
    name.is_some_and(|name| name.len() >= HEX_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_made_up(sentence: &str) -> bool {
    let lower = sentence.to_ascii_lowercase();
    ["made up", "made-up", "fictitious"].iter().any(|words| lower.contains(words))
}

/// What stands last in a line speaks of what follows it.
fn last_sentence(line: &str) -> &str {
    let ends = [". ", "! ", "? "].iter().filter_map(|end| line.rfind(end)).max();
    ends.map_or(line, |end| &line[end + 2..])
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = &rest[(end + 1).min(rest.len())..];
        Some(line)
    })
}

/// How each line is said; empty where all are said by programs. An article, or a document that teaches: what it shows was seen by nobody in particular, unless it says
/// who saw it. A log with a strange line in it is none.
fn manners(said: Vec<Option<Manner>>, teaches: bool, is_an_article: bool) -> Vec<Manner> {
    let usual = if teaches { Manner::Told } else { Manner::Logged };
    let least = if is_an_article { Manner::Told } else { Manner::Logged };
    let mut manners: Vec<Manner> = said.into_iter().map(|said| said.unwrap_or(usual).max(least)).collect();
    if manners.iter().all(|manner| *manner == Manner::Logged) {
        manners.clear();
    }
    manners
}

/// Parts what stands before a seam from what stands behind it, where no heading says whose that is.
fn sew(sections: &mut Vec<Section>, jumps: &[(u64, Jump)], seams: Seams) {
    for &(line, _) in jumps.iter().filter(|(_, jump)| seams.is_seam(*jump)) {
        let at = sections.partition_point(|section| section.from <= line);
        if !matches!(
            at.checked_sub(1).and_then(|last| sections.get(last)),
            Some(Section { whose: Whose::Host(_) | Whose::Each, .. })
        ) {
            sections.insert(at, Section { from: line, number: 0, whose: Whose::Nobody, is_unread: false });
        }
    }
    for (section, number) in sections.iter_mut().zip(1..) {
        section.number = number;
    }
}

/// Whether a line begins with a time.
pub(super) fn is_dated(line: &[u8]) -> bool {
    dated_at(line).is_some()
}

/// The time that a line begins with, as far as it can be read: known by its first letter, before it is looked at.
fn dated_at(line: &[u8]) -> Option<Option<Stamp>> {
    let line = line.trim_ascii_start();
    let may = line.first().is_some_and(|&letter| {
        letter.is_ascii_digit() || b"[<>|".contains(&letter) || b"JFMASOND".contains(&letter)
    });
    const PREFIX_BYTES: usize = 80;
    if !may {
        return None;
    }
    let line = plain(&line[..line.len().min(PREFIX_BYTES)]);
    let prefix = prefix::split(&line);
    prefix.begins.then_some(prefix.when)
}

/// A sentence without the marks of web pages, of markdown, and of quoted mails.
fn without_markup(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((front, tag)) = rest.split_once('<') {
        text.push_str(front);
        match tag.split_once('>').filter(|(tag, _)| {
            tag.len() <= 20 && tag.starts_with(|letter: char| letter == '/' || letter.is_ascii_lowercase())
        }) {
            Some((_, behind)) => rest = behind,
            None => {
                text.push('<');
                rest = tag;
            }
        }
    }
    text.push_str(rest);
    text.trim_matches([' ', '\t', '>', '*', '#', '|', '_']).to_owned()
}

/// Where a block begins or ends, in markdown, on web pages and in trackers.
fn is_fence(line: &str) -> bool {
    let start = line.trim_start_matches([' ', '>']);
    ["```", "~~~", "{code", "{noformat", "<pre", "</pre", "[code", "[/code"]
        .iter()
        .any(|mark| start.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark)))
}

/// What a block is called on its fence: ```` ```text title="Expected output" ```` (MkDocs, Docusaurus), `{code:title=Expected output|...}` (Confluence).
fn title_of_a_fence(line: &str) -> Option<&str> {
    const NAMES: [&str; 4] = ["title=", "caption=", "name=", "label="];
    let rest = NAMES.iter().find_map(|name| after(line, name))?;
    let quote = rest.chars().next().filter(|sign| ['"', '\''].contains(sign));
    let title = match quote {
        Some(quote) => rest[1..].split(quote).next(),
        None => rest.split(['|', '}', ']', '>']).next(),
    };
    title.filter(|title| !title.trim().is_empty())
}

/// The sign that parts the columns of a table of rules, where a line is its header: `id;pattern;severity`. What stands below waits for messages.
fn sign_of_rules(line: &str) -> Option<char> {
    const COLUMN_BYTES_MAX: usize = 24;
    const COLUMNS_MIN: usize = 3;
    let waits = |column: &str| SETTINGS.iter().any(|setting| column.eq_ignore_ascii_case(setting));
    // What happened has a time, whatever else its columns are called.
    let dates = |column: &str| ["time", "date"].iter().any(|word| column.to_ascii_lowercase().contains(word));
    let plain = |column: &str| {
        (1..=COLUMN_BYTES_MAX).contains(&column.len())
            && column.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte))
    };
    [';', ',', '\t'].into_iter().find(|&sign| {
        let columns = || line.trim().split(sign).map(|column| column.trim_matches(['"', ' ']));
        columns().count() >= COLUMNS_MIN
            && columns().all(plain)
            && columns().any(waits)
            && !columns().any(dates)
    })
}

fn is_heading(line: &str) -> bool {
    let start = line.trim_start();
    let tracker = start.strip_prefix('h').is_some_and(|rest| {
        rest.starts_with(|letter: char| letter.is_ascii_digit()) && rest[1..].starts_with(". ")
    });
    // A block's title in AsciiDoc.
    let block = start
        .strip_prefix('.')
        .is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()));
    start.starts_with('#') || block || tracker || start.starts_with("<h")
}

/// Whether one of the first lines says what a document is.
fn is_title(bare: &str) -> bool {
    const TITLE_BYTES_MAX: usize = 80;
    let lower = bare.to_ascii_lowercase();
    let commit = lower
        .strip_prefix("commit ")
        .is_some_and(|id| id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if commit || lower.starts_with("diff --git") {
        return true;
    }
    bare.len() <= TITLE_BYTES_MAX
        && (TITLES.iter().any(|title| lower.starts_with(title) || lower.ends_with(title))
            || lower.ends_with("manual") && lower.contains('('))
}

/// Whether a line begins a section of its own, and whose: `==> esx1/vmkernel.log <==`, `esx1 | CHANGED | rc=0 >>`, `esx1:`, `# Host esx1`. A section
/// that is named after a log alone is nobody else's.
pub(super) fn section(line: &str, sentence: &str) -> Option<Whose> {
    const WORDS_MAX: usize = 12;
    const TITLE_WORDS_MAX: usize = 3;
    let line = line.trim();
    if let Some(path) = line.strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <==")) {
        return new_voice(path);
    }
    let mut parts = line.split(" | ");
    if let (Some(name), Some("CHANGED" | "SUCCESS" | "FAILED" | "UNREACHABLE!" | "FAILED!")) =
        (parts.next(), parts.next())
    {
        return new_voice(name);
    }
    let command = behind_prompt(line);
    if asks_several(command) {
        return Some(Whose::Each);
    }
    let is_named = |host: &&str| *host != "localhost";
    if let Some(host) = host_of_command(command).or_else(|| host_of_prompt(line)).filter(is_named) {
        return new_voice(host);
    }
    if let Some(host) = unread::named(line) {
        return new_voice(host);
    }
    if let Some((_, host)) = PSSH.iter().find_map(|mark| line.split_once(mark)) {
        return new_voice(host.split(' ').next().unwrap_or(host));
    }
    if lets_time_pass(sentence) {
        return Some(Whose::Nobody);
    }
    let bracketed = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let sentence = bracketed.unwrap_or(sentence);
    let bold = line.len() > 4 && line.starts_with("**") && line.ends_with("**");
    let ruled = line.starts_with("---") || line.starts_with("===");
    let words: Vec<&str> = sentence.trim_matches([':', '-', '=', ' ']).split(' ').collect();
    let announces = is_heading(line) || bold || ruled || bracketed.is_some() || sentence.ends_with(':');
    if !announces || words.len() > WORDS_MAX {
        return is_a_name_alone(line).then_some(Whose::Nobody);
    }
    if let [name] = words[..] {
        let named = names_a_host(name) || is_a_file(name);
        // `[snip]`
        let usual = name.is_empty() || prefix::is_program(name) || is_usual(name) || bracketed.is_some();
        return if named { new_voice(name) } else { (!usual).then_some(Whose::Nobody) };
    }
    // `Log of esx-02`, `on esx1`, `host esx1`; `gw-1 dmesg`
    let behind = words.windows(2).filter(|pair| {
        ["of", "from", "on", "host", "node", "server"].iter().any(|word| pair[0].eq_ignore_ascii_case(word))
    });
    let title = words.iter().copied().filter(|_| words.len() <= TITLE_WORDS_MAX);
    let named = behind
        .map(|pair| pair[1])
        .chain(title)
        .map(|word| word.trim_matches([',', '(', ')', '`', '"', ':']))
        .find(|name| names_a_host(name));
    let speaks_of_another = ["other", "another", "second", "third", "next", "peer", "host", "node"]
        .iter()
        .any(|word| words.iter().any(|said| said.eq_ignore_ascii_case(word)));
    let and_of_this = words.windows(2).any(|pair| pair == ["this", "one"]);
    match named {
        Some(name) => Some(Whose::Host(name.to_owned())),
        None => (speaks_of_another || and_of_this).then_some(Whose::Nobody),
    }
}

/// `esx1`, `2) esx1`, `esx1 ->`, `<esx1>`: nothing but what may be a host's name.
fn is_a_name_alone(line: &str) -> bool {
    const LINE_BYTES_MAX: usize = 80;
    let is_mark = |letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter);
    let numbered =
        |word: &&str| !word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let mut words = line.split(is_mark).filter(|word| !word.is_empty()).filter(numbered);
    line.len() <= LINE_BYTES_MAX && words.next().is_some_and(names_a_host) && words.next().is_none()
}

/// Whether a line is a rule, which makes a title of the line above it.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && (line.bytes().all(|byte| byte == b'-') || line.bytes().all(|byte| byte == b'='))
}

/// `two days later`, `2d14h later:`, `the next morning`: what follows is of another time, also where no line tells one.
fn lets_time_pass(sentence: &str) -> bool {
    const WORDS_MAX: usize = 8;
    const SPANS: [&str; 12] = [
        "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months", "morning", "year",
        "years",
    ];
    let words: Vec<String> = sentence
        .split([' ', ',', ':'])
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let is_span = |word: &String| {
        let counted =
            word.starts_with(|letter: char| letter.is_ascii_digit()) && word.ends_with(['m', 'h', 'd']);
        counted || SPANS.contains(&word.as_str())
    };
    words.len() <= WORDS_MAX
        && words.iter().any(is_span)
        && words.iter().any(|word| ["later", "next"].contains(&word.as_str()))
}

/// The host of a section that is named so; nothing where that is the name that a log has on every host.
fn new_voice(name: &str) -> Option<Whose> {
    if is_a_file(name) {
        let host = host_of(name).map(|host| Whose::Host(host.to_owned()));
        return if host.is_none() && is_usual(name) { None } else { Some(host.unwrap_or(Whose::Nobody)) };
    }
    Some(if prefix::is_host(name) { Whose::Host(name.to_owned()) } else { Whose::Nobody })
}
