//! Markup and text, kept apart by their types: only the program's own words can become markup, and every other text is
//! escaped on its way in. Log lines are hostile input.

use std::fmt::{self, Write};

/// A page that grows.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup. It is part of the program's text, so that nothing that was read can ever come in here.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Markup {
        self.0.push_str(markup);
        self
    }

    /// Adds a text, escaped: between tags, or in a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Markup {
        for letter in text.chars() {
            self.letter(letter);
        }
        self
    }

    /// Adds a text, escaped, in which what stands between two backticks is code.
    pub(super) fn prose(&mut self, text: &str) -> &mut Markup {
        let mut parts = text.split('`').peekable();
        let mut is_code = false;
        while let Some(part) = parts.next() {
            // A last backtick without a partner is an ordinary sign.
            match (is_code, parts.peek().is_some()) {
                (true, true) => self.element("<code>", part, "</code>"),
                (true, false) => self.raw("`").text(part),
                (false, _) => self.text(part),
            };
            is_code = !is_code;
        }
        self
    }

    /// Adds an element that holds prose.
    pub(super) fn sentences(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Markup {
        self.raw(open).prose(text).raw(close)
    }

    /// Adds a text made of parts, escaped.
    pub(super) fn words(&mut self, words: fmt::Arguments<'_>) -> &mut Markup {
        // Writing to a string cannot fail.
        let _ = Escaped(self).write_fmt(words);
        self
    }

    /// Adds an attribute in pixels.
    pub(super) fn pixels(&mut self, name: &'static str, pixels: u32) -> &mut Markup {
        self.raw(" ").raw(name).raw("=\"").words(format_args!("{pixels}")).raw("\"")
    }

    /// Adds an attribute in percent.
    pub(super) fn percent(&mut self, name: &'static str, percent: f64) -> &mut Markup {
        self.raw(" ").raw(name).raw("=\"").words(format_args!("{percent:.2}%")).raw("\"")
    }

    /// Adds an attribute whose value is a text, escaped.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) -> &mut Markup {
        self.raw(" ").raw(name).raw("=\"").text(value).raw("\"")
    }

    /// Adds what was built apart.
    pub(super) fn part(&mut self, part: &Markup) -> &mut Markup {
        self.0.push_str(&part.0);
        self
    }

    /// Adds an element that holds nothing but a text.
    pub(super) fn element(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Markup {
        self.raw(open).text(text).raw(close)
    }

    /// The finished page.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '&' => self.0.push_str("&amp;"),
            '<' => self.0.push_str("&lt;"),
            '>' => self.0.push_str("&gt;"),
            '"' => self.0.push_str("&quot;"),
            '\'' => self.0.push_str("&#39;"),
            '\n' => self.0.push('\n'),
            letter if is_deceptive(letter) => {
                // Shown by its number: who reads the page sees what the line holds, and the line cannot rearrange it.
                let _ = write!(self.0, "\u{27e8}U+{:04X}\u{27e9}", u32::from(letter));
            }
            letter => self.0.push(letter),
        }
    }
}

/// Letters that have no shape of their own and change how others are shown: control letters, and those that turn the
/// direction of a text (Unicode, UAX 9).
fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes what a format writes.
struct Escaped<'a>(&'a mut Markup);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.text(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut markup = Markup::default();
        markup.text(text);
        markup.into_string()
    }

    #[test]
    fn no_text_can_open_a_tag_leave_an_attribute_or_begin_an_entity() {
        let hostile = "</pre><script>alert('1')</script>\" onload=\"x&lt;";
        let page = shown(hostile);
        assert!(!page.contains(['<', '>', '"', '\'']), "{page}");
        assert_eq!(shown("a&lt;b"), "a&amp;lt;b");
        let mut markup = Markup::default();
        markup.words(format_args!("{}-{}", "<b>", 7));
        assert_eq!(markup.into_string(), "&lt;b&gt;-7");
    }

    #[test]
    fn what_stands_between_backticks_is_code_and_still_escaped() {
        let prose = |text: &str| {
            let mut markup = Markup::default();
            markup.prose(text);
            markup.into_string()
        };
        assert_eq!(prose("run `a <b`, then"), "run <code>a &lt;b</code>, then");
        assert_eq!(prose("one ` alone"), "one ` alone");
        assert_eq!(prose("`a` and `b"), "<code>a</code> and `b");
    }

    #[test]
    fn letters_that_deceive_the_eye_are_shown_by_their_numbers() {
        assert_eq!(shown("a\u{202e}b\0\u{1b}"), "a⟨U+202E⟩b⟨U+0000⟩⟨U+001B⟩");
        assert_eq!(shown("größer\n"), "größer\n");
    }
}
