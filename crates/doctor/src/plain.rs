//! Makes a line plain: typographic quotes, a multiplication sign for x, hard spaces and broken encodings, as they come
//! from web pages, mails and tickets.

use std::borrow::Cow;

use memchr::memchr;

/// The line as text with plain quotes, signs and blanks.
#[must_use]
pub fn plain(line: &[u8]) -> Cow<'_, str> {
    made_plain(line, Tabs::Blanks)
}

/// The same of a row of a table, whose cells tabs may part.
#[must_use]
pub fn plain_row(line: &[u8]) -> Cow<'_, str> {
    made_plain(line, Tabs::Kept)
}

/// What becomes of tabs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tabs {
    Blanks,
    Kept,
}

fn made_plain(line: &[u8], tabs: Tabs) -> Cow<'_, str> {
    // Control letters: a carriage return, colours of a terminal, a tab, a backspace. `^M` is how some programs print the first.
    // Every byte is looked at, whatever is found: so the processor takes many at a time.
    let clean = line.iter().fold(true, |clean, &byte| clean & (0x20..0x7f).contains(&byte));
    let text = match std::str::from_utf8(line) {
        Ok(text) if clean => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(replaced(text, tabs)),
        Err(_) => Cow::Owned(replaced(&latin(line), tabs)),
    };
    let text = if memchr(b'&', text.as_bytes()).is_some() { without_entities(text) } else { text };
    if memchr(b'^', text.as_bytes()).is_some() && (text.starts_with("^M") || text.contains(" ^M")) {
        Cow::Owned(text.replace("^M", ""))
    } else {
        text
    }
}

/// Quotes and brackets that a page or an export wrote as entities: what they enclose is a name, and they are no part of it.
fn without_entities(text: Cow<'_, str>) -> Cow<'_, str> {
    const ENTITIES: [(&str, &str); 8] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&apos;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    let found = ENTITIES.iter().filter(|(entity, _)| text.contains(entity));
    let plain = found.fold(None, |plain: Option<String>, (entity, sign)| {
        Some(plain.as_deref().unwrap_or(&text).replace(entity, sign))
    });
    plain.map_or(text, Cow::Owned)
}

/// Bytes that are no UTF-8: the valid stretches as they are, each other byte as Windows-1252 has it, as far as it matters.
fn latin(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for part in line.utf8_chunks() {
        text.push_str(part.valid());
        text.extend(part.invalid().iter().map(|&byte| match byte {
            0x82 | 0x91 | 0x92 | 0xb4 => '\'',
            0x84 | 0x93 | 0x94 => '"',
            0x96 | 0x97 => '-',
            0xa0 => ' ',
            0xd7 => 'x',
            other => char::from(other),
        }));
    }
    text
}

fn replaced(text: &str, tabs: Tabs) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A sequence that colours a terminal: ESC [ numbers letter.
            '\u{1b}' if letters.peek() == Some(&'[') => {
                letters.by_ref().skip(1).take(16).find(char::is_ascii_alphabetic);
            }
            '„' | '“' | '”' | '‟' | '″' | '«' | '»' | '＂' => plain.push('"'),
            '‘' | '’' | '‚' | '‛' | '′' | '´' => plain.push('\''),
            '×' | '✕' | '⨯' => plain.push('x'),
            '–' | '—' | '‐' | '‑' | '−' => plain.push('-'),
            '…' => plain.push_str("..."),
            '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' | '\u{2060}' => {}
            '\t' if tabs == Tabs::Kept => plain.push('\t'),
            letter if letter.is_whitespace() => plain.push(' '),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_web_page_made_of_a_line_is_undone() {
        assert_eq!(plain("dev „naa.5“ H:0×0\u{a0}D:0×2\r".as_bytes()), "dev \"naa.5\" H:0x0 D:0x2 ");
        assert_eq!(plain(b"dev \x93naa.5\x94 H:0\xd70"), "dev \"naa.5\" H:0x0");
        assert_eq!(plain(b"vol &#39;a b&#39; dev &quot;naa.5&quot;"), "vol 'a b' dev \"naa.5\"");
        assert_eq!(plain(b"\x1b[31mred\x1b[0m"), "red");
        assert!(matches!(plain(b"plain"), Cow::Borrowed("plain")));
        assert_eq!((&*plain(b"a\tb"), &*plain_row(b"a\tb\r")), ("a b", "a\tb "));
    }
}
