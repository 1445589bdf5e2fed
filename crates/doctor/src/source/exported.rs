//! Records that a log server, a journal or a container's runtime exported by their fields: JSON, the journal's own form, rows of a table. Each is
//! made the line that its program wrote: time, host, program, message; for whose host it is, only the fields tell.

use std::cell::OnceCell;

use memchr::{memchr, memchr2, memmem, memrchr};

use crate::bounds::RECORD_LINES_MAX;
use crate::machine_line::utc;
use crate::plain::plain;
use crate::prefix;
use crate::source::names_a_host;

/// Fields of one record that are looked at.
const FIELDS_MAX: usize = 256;
/// Bytes on either side of a line that may be of its record.
const AROUND_BYTES: usize = 4 << 10;

const MESSAGES: [&str; 10] =
    ["MESSAGE", "message", "msg", "short_message", "log", "_raw", "line", "text", "Message", "SyslogMessage"];
const HOSTS: [&str; 11] = [
    "_HOSTNAME",
    "hostname",
    "host",
    "host.name",
    "host.hostname",
    "HOSTNAME",
    "logsource",
    "syslog_hostname",
    "computer",
    "Computer",
    "source_host",
];
const TIMES: [&str; 8] = [
    "TimeGenerated",
    "__REALTIME_TIMESTAMP",
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "date",
    "_SOURCE_REALTIME_TIMESTAMP",
];
const PROGRAMS: [&str; 9] = [
    "ProcessName",
    "SYSLOG_IDENTIFIER",
    "appname",
    "app_name",
    "program",
    "process.name",
    "ident",
    "tag",
    "app",
];

/// The line that a program wrote, of a line that is a record of an export, or the message of one; `None` where it is none.
/// `before` and `behind` are what stands around it.
pub(super) fn line_of(line: &str, before: &[u8], behind: &[u8]) -> Option<String> {
    let start = line.trim_start();
    match start.as_bytes().first()? {
        // Oarlock's own events are read by their fields.
        b'{' if start.contains("\"cause\"") && start.contains("\"kind\"") => None,
        b'{' => Fields::of_json(start)?.line(),
        b'"' if MESSAGES.iter().any(|key| is_key(start, key)) => {
            Fields::of_json(&object(line, before, behind)?)?.line()
        }
        b'M' if start.starts_with("MESSAGE=") => Fields::of_journal(start, before, behind).line(),
        b'"' | b'0'..=b'9' => row(start).or_else(|| row_behind_its_line(start)).or_else(|| tagged(start)),
        _ => None,
    }
}

/// `2026-01-31 12:00:00 +0000 esx.log: {"message": ...}`: a time and a tag before the fields, as Fluentd writes a record.
fn tagged(line: &str) -> Option<String> {
    const FRONT_BYTES_MAX: usize = 80;
    let brace = memchr(b'{', &line.as_bytes()[..line.len().min(FRONT_BYTES_MAX)])?;
    let begin = line[..brace].strip_suffix(": ").filter(|_| line[brace..].starts_with("{\""))?.len();
    let (time, tag) = line[..begin].rsplit_once(' ')?;
    let mut fields = Fields::of_json(&line[begin + 2..])?;
    fields.add(&[], TIMES[0], time.to_owned());
    // `esx.esx1`
    if let Some(host) = tag.rsplit('.').find(|part| names_a_host(part)) {
        fields.add(&[], "tagged_host", host.to_owned());
    }
    fields.line()
}

/// What stands behind a record of an export: made lines once, where a record may go on there.
#[derive(Debug)]
pub struct ExportedAhead<'a> {
    /// The record's own line, as it was exported.
    line: &'a str,
    behind: &'a [u8],
    made: OnceCell<Vec<u8>>,
}

impl<'a> ExportedAhead<'a> {
    pub(super) fn of(line: &'a str, behind: &'a [u8]) -> ExportedAhead<'a> {
        ExportedAhead { line, behind, made: OnceCell::new() }
    }

    /// The lines that follow, each as its program wrote it.
    pub fn lines(&self) -> &[u8] {
        self.made.get_or_init(|| behind_of(self.line, self.behind))
    }
}

/// The lines that follow one that was exported, each as its program wrote it: a record may be told over several.
fn behind_of(line: &str, behind: &[u8]) -> Vec<u8> {
    let mut lines = String::new();
    if line.starts_with("MESSAGE=") {
        let mut rest = behind.get(end_of_block(behind).1..).unwrap_or_default();
        for _ in 0..RECORD_LINES_MAX {
            let end = memmem::find(rest, b"\n\n").map_or(rest.len(), |end| end + 2);
            let (block, later) = rest.split_at(end);
            let fields = Fields::of_journal("", b"", &block[..block.len().saturating_sub(2)]);
            lines.push_str(&fields.line().unwrap_or_default());
            lines.push('\n');
            rest = later;
        }
    } else {
        for line in behind.split(|&byte| byte == b'\n').take(RECORD_LINES_MAX) {
            let line = plain(line);
            lines.push_str(line_of(&line, b"", b"").as_deref().unwrap_or(&line));
            lines.push('\n');
        }
    }
    lines.into_bytes()
}

/// Where the fields of a record end, and where the next begins.
fn end_of_block(behind: &[u8]) -> (usize, usize) {
    if behind.starts_with(b"\n") {
        return (0, 1);
    }
    memmem::find(behind, b"\n\n").map_or((behind.len(), behind.len()), |end| (end, end + 2))
}

/// Whether a line of JSON that is spread over lines begins with that key.
fn is_key(line: &str, key: &str) -> bool {
    let rest = line.strip_prefix('"').and_then(|rest| rest.strip_prefix(key));
    rest.and_then(|rest| rest.strip_prefix('"')).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// The whole object that a line of JSON stands in, where both its ends are near.
fn object(line: &str, before: &[u8], behind: &[u8]) -> Option<String> {
    let before = &before[before.len().saturating_sub(AROUND_BYTES)..];
    let behind = &behind[..behind.len().min(AROUND_BYTES)];
    let begin = memmem::rfind(before, b"{\n")?;
    let lines = behind.split_inclusive(|&byte| byte == b'\n');
    let ends = lines.scan(0, |at, line| {
        *at += line.len();
        Some((*at, line.trim_ascii_start().starts_with(b"}")))
    });
    let end = ends.into_iter().find(|(_, ends)| *ends).map(|(at, _)| at)?;
    Some(format!(
        "{}{line}\n{}",
        String::from_utf8_lossy(&before[begin..]),
        String::from_utf8_lossy(&behind[..end])
    ))
}

/// What the fields of a record say.
#[derive(Default)]
struct Fields {
    named: Vec<(String, String)>,
}

impl Fields {
    /// The fields of an object of JSON, those within others by both names.
    fn of_json(text: &str) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut within: Vec<String> = Vec::new();
        let mut key: Option<String> = None;
        let mut rest = text.strip_prefix('{')?;
        while let Some(letter) = rest.chars().next() {
            let mut skip = letter.len_utf8();
            match letter {
                '"' => {
                    let (value, length) = string(rest)?;
                    skip = length;
                    if key.is_none() && rest[length..].trim_start().starts_with(':') {
                        key = Some(value);
                    } else if let Some(key) = key.take() {
                        fields.add(&within, &key, value);
                    }
                }
                '0'..='9' | '-' => {
                    skip = rest.find([',', '}', ']', ' ', '\n']).unwrap_or(rest.len());
                    if let Some(key) = key.take() {
                        fields.add(&within, &key, rest[..skip].to_owned());
                    }
                }
                '{' => within.push(key.take().unwrap_or_default()),
                '}' if within.pop().is_none() => break,
                't' | 'f' | 'n' => key = None,
                _ => {}
            }
            rest = &rest[skip..];
        }
        Some(fields)
    }

    /// The fields of a record as `journalctl -o export` writes it: one a line, and a blank line behind the last.
    fn of_journal(line: &str, before: &[u8], behind: &[u8]) -> Fields {
        let mut fields = Fields::default();
        let before = &before[before.len().saturating_sub(AROUND_BYTES)..];
        let begin = memmem::rfind(before, b"\n\n").map_or(0, |end| end + 2);
        let behind = &behind[..behind.len().min(AROUND_BYTES)];
        let (end, _) = end_of_block(behind);
        let around =
            before[begin..].split(|&byte| byte == b'\n').chain(behind[..end].split(|&byte| byte == b'\n'));
        let around = around.map(String::from_utf8_lossy);
        for field in std::iter::once(line.into()).chain(around) {
            if let Some((key, value)) = field.split_once('=') {
                fields.add(&[], key, value.to_owned());
            }
        }
        fields
    }

    fn add(&mut self, within: &[String], key: &str, value: String) {
        if self.named.len() < FIELDS_MAX {
            let key = within.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".");
            self.named.push((key, value));
        }
    }

    fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| {
            let named = self.named.iter().find(|(name, value)| name == key && !value.is_empty());
            named.map(|(_, value)| value.trim())
        })
    }

    /// What a field says whose name nobody agreed on, where it names whoever spoke: `node`, `instance`, `pod_name`.
    fn speaker(&self) -> Option<&str> {
        const NAMES: [&str; 10] =
            ["host", "node", "server", "instance", "machine", "pod", "device", "origin", "sender", "source"];
        let speaks = |(name, value): &&(String, String)| {
            let name = name.to_ascii_lowercase();
            NAMES.iter().any(|speaker| name.contains(speaker))
                && prefix::is_host(value)
                && !prefix::is_program(value)
        };
        self.named.iter().find(speaks).map(|(_, value)| value.trim())
    }

    /// The line; `None` where no field is a message.
    fn line(&self) -> Option<String> {
        let message = self.first(&MESSAGES)?;
        let time = self.first(&TIMES).and_then(time).unwrap_or_default();
        let host = self
            .first(&HOSTS)
            .or_else(|| self.speaker())
            // One that runs is one machine's, whoever that is.
            .or_else(|| self.first(&["_BOOT_ID"]))
            .filter(|host| !time.is_empty() && prefix::is_host(host));
        Some(written(&time, host, self.first(&PROGRAMS), message))
    }
}

/// The line of a message, behind what its fields say of it. The message may be the whole line of a log: then it has its own time and program, and its own
/// host, for a field of that name may be of whoever gathered it.
fn written(time: &str, host: Option<&str>, program: Option<&str>, message: &str) -> String {
    let own = prefix::split(message);
    // Every machine that nobody named calls itself so.
    let is_nobodys = own.host.is_some_and(|own| own.starts_with("localhost"));
    if let (true, Some(host), Some(process)) = (is_nobodys, host, own.process) {
        return format!("{time} {host} {process}: {}", own.body);
    }
    let program = match program.filter(|_| !own.begins && own.process.is_none()) {
        // RFC 5424, 6.2.4, has a sign for a host that is not known: behind it another program's tag is told from a topic of the kernel.
        Some(program) if host.is_none() && !time.is_empty() && !prefix::is_a_programs_name(program) => {
            format!("- {program}:")
        }
        Some(program) => format!("{program}:"),
        // So that the host is known as one.
        None if !own.begins && own.process.is_none() && host.is_some() => "message:".to_owned(),
        None => String::new(),
    };
    let words = [time, host.unwrap_or_default(), &*program, message];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A string of JSON at the start of a text, and how many bytes it takes.
fn string(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut at = 1;
    loop {
        // Up to the next sign that means something, all is as it stands.
        let sign = at + memchr2(b'"', b'\\', text.as_bytes().get(at..)?)?;
        value.push_str(&text[at..sign]);
        if text.as_bytes()[sign] == b'"' {
            return Some((value, sign + 1));
        }
        let mut letters = text[sign + 1..].chars();
        match letters.next()? {
            'n' | 'r' | 't' => value.push(' '),
            'u' => {
                let digits: String = letters.by_ref().take(4).collect();
                let letter = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                value.push(letter.unwrap_or('\u{fffd}'));
            }
            other => value.push(other),
        }
        at = text.len() - letters.as_str().len();
    }
}

/// A time as lines have it: as it stands, or from a number of seconds, milliseconds or microseconds since 1970.
fn time(text: &str) -> Option<String> {
    let whole = text.split('.').next().unwrap_or(text);
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return prefix::split(text).begins.then(|| text.to_owned());
    }
    let number: i64 = whole.parse().ok()?;
    let micros = match whole.len() {
        9..=10 => number.checked_mul(1_000_000)?.checked_add(fraction(text))?,
        12..=13 => number.checked_mul(1_000)?,
        15..=16 => number,
        _ => return None,
    };
    Some(utc(micros))
}

/// The microseconds behind the point.
fn fraction(text: &str) -> i64 {
    let digits = text.split_once('.').map_or("", |(_, digits)| digits);
    let padded: String = digits.bytes().chain(std::iter::repeat(b'0')).take(6).map(char::from).collect();
    padded.parse().unwrap_or(0)
}

/// Cells that a row has at least.
const CELLS_MIN: usize = 3;

/// A row of a table: a time, then a host, a program and a message, each in a cell of its own, in any order.
fn row(line: &str) -> Option<String> {
    const TIME_BYTES_MAX: usize = 48;
    let separator = memchr2(b',', b';', &line.as_bytes()[..line.len().min(TIME_BYTES_MAX)])?;
    // `2024-06-01 02:00:00,123`: a fraction of a second.
    if line[separator + 1..].starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    let cells = cells(line, char::from(line.as_bytes()[separator]))?;
    let (time, cells) = cells.split_first().filter(|(_, rest)| rest.len() + 1 >= CELLS_MIN)?;
    if !is_a_time(time) {
        return None;
    }
    let (at, message) = cells.iter().enumerate().max_by_key(|(_, cell)| cell.len())?;
    let others: Vec<&str> =
        cells.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, cell)| cell.as_str()).collect();
    Some(of_cells(time, &others, message))
}

/// A row whose first cell is the whole line of a log, with its own time; its time once more, its host and its program stand behind it.
fn row_behind_its_line(line: &str) -> Option<String> {
    let line = line.trim_end();
    // Every dated line is asked; a name in the last cell has no blank, and what stands behind the last comma of a sentence has.
    let last = memrchr(b',', line.as_bytes())?;
    if memchr(b' ', &line.as_bytes()[last..]).is_some() {
        return None;
    }
    let cells = cells(line, ',')?;
    let (message, others) = cells.split_first().filter(|(_, rest)| rest.len() + 1 >= CELLS_MIN)?;
    let time = others.iter().find(|cell| is_a_time(cell))?;
    let others: Vec<&str> = others.iter().map(String::as_str).filter(|cell| *cell != time).collect();
    prefix::split(message).begins.then(|| of_cells(time, &others, message))
}

/// Whether a cell is a time and nothing else.
fn is_a_time(cell: &str) -> bool {
    let dated = prefix::split(cell);
    dated.begins && dated.body.is_empty()
}

/// The line of a message beside other cells, of which one may be its program and one its host. Names of hosts have no `_` (RFC 1123), and those of kinds
/// of events have.
fn of_cells(time: &str, others: &[&str], message: &str) -> String {
    let program = others.iter().copied().find(|cell| prefix::is_program(cell));
    let lettered = |cell: &str| cell.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let mut hosts = others
        .iter()
        .copied()
        .filter(|cell| prefix::is_host(cell) && lettered(cell) && Some(*cell) != program);
    let host = hosts.clone().find(|cell| !cell.contains('_')).or_else(|| hosts.next());
    written(time, host, program, message)
}

/// The cells of a row.
fn cells(line: &str, separator: char) -> Option<Vec<String>> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let more = cells.len() < FIELDS_MAX;
        let cell = cells.last_mut()?;
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            other if other == separator && !quoted && more => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_made_the_line_that_its_program_wrote() {
        let line = |text: &str| line_of(text, b"", b"");
        let cases = [
            (
                r#"{"__REALTIME_TIMESTAMP":"1717207200000001","_HOSTNAME":"gw-1","SYSLOG_IDENTIFIER":"kernel","PRIORITY":"6","MESSAGE":"sd \"a\" \u00e9\n"}"#,
                "2024-06-01T02:00:00.000001Z gw-1 kernel: sd \"a\" é",
            ),
            (
                r#"{"@timestamp":"2024-06-01T02:00:00.1Z","tags":["a","b"],"host":{"name":"esx1","up":true},"message":"2024-06-01T02:00:00Z cpu1:2)x"}"#,
                "2024-06-01T02:00:00.1Z esx1 2024-06-01T02:00:00Z cpu1:2)x",
            ),
            (
                r#"{"version":"1.1","host":"esx1","short_message":"x","timestamp":1717207200.25}"#,
                "2024-06-01T02:00:00.250000Z esx1 message: x",
            ),
            (
                "2024-06-01T02:00:00Z,esx1,vmkernel,\"dev \"\"naa.5\"\", failed\"",
                "2024-06-01T02:00:00Z esx1 vmkernel: dev \"naa.5\", failed",
            ),
            (
                "\"2024-06-01T02:00:00Z\",\"syslog1\",\"/logs/all\",\"2024-06-01T02:00:00Z esx1 vmkernel: cpu1:2)x, \"\"y\"\"\"",
                "2024-06-01T02:00:00Z syslog1 2024-06-01T02:00:00Z esx1 vmkernel: cpu1:2)x, \"y\"",
            ),
            (
                "\"2024-06-01T02:00:00.1Z cpu1:2)dev \"\"naa.5\"\", failed\",2024-06-01T02:00:00.1Z,10.0.0.1,v1_ab,esx1.lab,vmkernel",
                "2024-06-01T02:00:00.1Z esx1.lab 2024-06-01T02:00:00.1Z cpu1:2)dev \"naa.5\", failed",
            ),
            (
                r#"{"@timestamp":"2024-06-01T02:00:00.1Z","host":"esx1","message":"<13>Jun  1 02:00:00 localhost vmkernel: cpu1:2)x"}"#,
                "2024-06-01T02:00:00.1Z esx1 vmkernel: cpu1:2)x",
            ),
            (
                r#"{"time":"2024-06-01T02:00:00Z","program":"dashboard","message":"x"}"#,
                "2024-06-01T02:00:00Z - dashboard: x",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text).as_deref(), Some(expected), "{text}");
        }
        for other in
            ["{", "{\"a\":1}", "2024-06-01 02:00:00,123 INFO x", "\"naa.5\" failed", "12,13", "{\"message\""]
        {
            assert_eq!(line(other), None, "{other}");
        }
    }

    #[test]
    fn a_field_of_the_journal_is_read_with_those_around_it() {
        let before =
            b"_HOSTNAME=gw-9\nMESSAGE=other\n\n__REALTIME_TIMESTAMP=1717207200000000\n_HOSTNAME=gw-1\n";
        let behind = b"SYSLOG_IDENTIFIER=kernel\n\n_HOSTNAME=gw-8\n";
        let line = line_of("MESSAGE=sd a=b", before, behind);
        assert_eq!(line.as_deref(), Some("2024-06-01T02:00:00.000000Z gw-1 kernel: sd a=b"));
        let line = line_of(
            "  \"MESSAGE\" : \"sd\",",
            b"{\n \"_HOSTNAME\" : \"a1\",\n",
            b"  \"__REALTIME_TIMESTAMP\" : \"1717207200000000\"\n}\n",
        );
        assert_eq!(line.as_deref(), Some("2024-06-01T02:00:00.000000Z a1 message: sd"));
    }

    #[test]
    fn nothing_that_is_cut_anywhere_makes_it_fall() {
        let text = r#"{"a":{"b":[1,{"c":"\u00e9\""}]},"message":"é","time":-1.5e3}"#;
        for (end, _) in text.char_indices() {
            let _ = line_of(&text[..end], &text.as_bytes()[end..], text.as_bytes());
        }
    }
}
