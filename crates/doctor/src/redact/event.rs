//! Oarlock's own events as JSON: the names of their fields are everybody's, and so is what some of them hold; the others hold names.

use std::ops::Range;

use oarlock_causes::Cause;

use super::Sort;
use crate::text::after;

/// Fields of an event that tell what happened and nothing of whom it happened to.
const PLAIN: [&str; 6] = ["time", "kind", "cause", "layer", "action", "mode"];

/// What stands in quotes in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It stays as it is: the name of a field, and what a plain field holds.
    Plain(Range<usize>),
    /// It is a name.
    Name(Range<usize>, Sort),
    /// It may hold a name among everybody's words.
    Words(Range<usize>),
}

/// Whether a line is an event of Oarlock: it names a cause of the catalogue, and nothing stands outside its quotes but numbers and signs. Any
/// other program's JSON may have fields of these names, with anybody's names in them.
pub(super) fn is_event(text: &str) -> bool {
    let text = text.trim();
    if !text.starts_with('{') || !text.contains("\"kind\"") {
        return false;
    }
    let cause = after(text, "\"cause\"").and_then(|rest| rest.trim_start().strip_prefix(':'));
    let cause =
        cause.and_then(|rest| rest.trim_start().strip_prefix('"')).and_then(|rest| rest.split_once('"'));
    let is_known = cause.is_some_and(|(cause, _)| Cause::from_name(cause).is_some());
    is_known && is_bare(text)
}

/// Whether nothing that could name somebody stands outside the quotes.
fn is_bare(text: &str) -> bool {
    let mut done = 0;
    let bare = |between: &str| {
        let words = between.split(|letter: char| letter.is_ascii_whitespace() || "{}[]:,\"".contains(letter));
        words.into_iter().all(|word| {
            matches!(word, "" | "null" | "true" | "false") || word.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    for part in parts(text) {
        let (Part::Plain(range) | Part::Name(range, _) | Part::Words(range)) = part;
        if !bare(&text[done..range.start]) {
            return false;
        }
        done = range.end;
    }
    bare(&text[done..])
}

/// What stands in quotes, in its order. A quote that was cut ends where the text does.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut field = "";
    let mut from = 0;
    while let Some(open) = text[from..].find('"').map(|at| from + at + 1) {
        let end = closing(text, open);
        let inside = &text[open..end];
        from = (end + 1).min(text.len());
        if text[from..].trim_start().starts_with(':') {
            // A field that no host of Oarlock writes may be anybody's.
            let is_known = inside.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            parts.push(if is_known { Part::Plain(open..end) } else { Part::Name(open..end, Sort::Name) });
            field = inside;
            continue;
        }
        parts.push(match field {
            field if PLAIN.contains(&field) && is_plain(inside) => Part::Plain(open..end),
            "path" | "device" => Part::Name(open..end, Sort::Device),
            "host" => Part::Name(open..end, Sort::Host),
            "record" => Part::Words(open..end),
            _ => Part::Name(open..end, Sort::Name),
        });
    }
    parts
}

/// Whether a text is a time or one of a program's own words.
fn is_plain(text: &str) -> bool {
    text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_:.+TZ".contains(&byte))
}

/// Where the quote that is open at `from` ends: a sign of its own may stand behind a backslash.
fn closing(text: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'"' if !escaped => return at,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stay_and_what_names_somebody_goes() {
        let text = r#"{"time":"2026-05-03T01:10:02Z","kind":"miscompare","path":"/dev/x\"y","record":"lock pay","by":{"host":"otter"},"Odd":1,"action":"ad"#;
        let shown: Vec<(char, &str)> = parts(text)
            .into_iter()
            .map(|part| match part {
                Part::Plain(range) => ('p', &text[range]),
                Part::Name(range, _) => ('n', &text[range]),
                Part::Words(range) => ('w', &text[range]),
            })
            .collect();
        let names: Vec<&str> = shown.iter().filter(|(kind, _)| *kind == 'n').map(|(_, text)| *text).collect();
        assert_eq!(names, ["/dev/x\\\"y", "otter", "Odd"]);
        assert!(shown.contains(&('w', "lock pay")) && shown.contains(&('p', "ad")), "{shown:?}");
        assert!(is_event(r#"{"kind":"path","cause":"path-fault"}"#) && !is_event("{}"));
        for others in [
            r#"{"kind":"Pod","cause":"otter timed out"}"#,
            r#"{"kind":"path","cause":"path-fault"} on otter"#,
            r#"{"kind":"path","cause":"path-fault","by":otter}"#,
            r#"{"kind":"path","cause":"path-fault","lba":0x5f"#,
        ] {
            assert!(!is_event(others), "{others}");
        }
        assert!(!is_plain("Otter Bank"));
    }
}
