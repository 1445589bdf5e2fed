//! Runs of blanks within a sentence of a log: a wrap left them there, and phrases have one blank between their words.

use memchr::memmem;

use super::wrapped::{begins_a_record, is_a_row};

/// A wider gap parts columns.
const RUN_MAX: usize = 3;

/// The text with one blank between the words of its records; `None` where that is so. Tables, dumps and what is indented stay as they are.
pub(super) fn evened(text: &[u8]) -> Option<Vec<u8>> {
    memmem::find(text, b"  ")?;
    let mut even = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if has_a_run(line) && begins_a_record(line) && !is_a_row(line) {
            even_line(line, &mut even);
        } else {
            even.extend_from_slice(line);
        }
    }
    (even.len() < text.len()).then_some(even)
}

fn has_a_run(line: &[u8]) -> bool {
    line.windows(3).any(|letters| letters[0].is_ascii_alphabetic() && &letters[1..] == b"  ")
}

fn even_line(line: &[u8], even: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        even.push(byte);
        at += 1;
        if byte != b' ' || at < 2 || !line[at - 2].is_ascii_alphabetic() {
            continue;
        }
        let more = line[at..].iter().take_while(|&&next| next == b' ').count();
        if more < RUN_MAX && line.get(at + more).is_some_and(u8::is_ascii_alphabetic) {
            at += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_record_are_parted_by_one_blank_and_columns_stay_where_they_are() {
        let evened = |text: &str| evened(text.as_bytes()).map(|even| String::from_utf8(even).unwrap());
        let log = "2026-01-01T00:00:00Z cpu1:2)Res3: 3155: Resource cluster  metadata   corruption\n";
        assert_eq!(evened(log).unwrap(), log.replace("   ", " ").replace("  ", " "));
        for text in [
            "Mount Point  Volume Name  UUID\n",
            "2026-01-01T00:00:00Z cpu1:2)  [HB state abcdef02 offset 512\n",
            "2026-01-01T00:00:00Z esx1 Name          Value\n",
            "2026-01-01T00:00:00Z one two\n",
        ] {
            assert_eq!(evened(text), None, "{text}");
        }
    }
}
