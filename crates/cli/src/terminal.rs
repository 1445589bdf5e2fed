//! The terminal: whether there is one, how wide it is, and whether it wants colours.

use std::ffi::OsStr;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Lines are never wrapped wider than this: longer ones are hard to read.
const WIDTH_MAX: usize = 100;
/// What is taken for the width where nothing tells it.
const WIDTH_DEFAULT: usize = 80;
/// What stands below the line that it belongs to is indented so.
const BELOW: &str = "    ";
/// Nothing is wrapped narrower than this.
const WIDTH_MIN: usize = 30;

/// Standard output, as far as its look goes.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns that a line may have.
    pub width: usize,
    terminal: bool,
    colours: bool,
}

impl Look {
    /// The look of standard output: colours only on a terminal, and not where `NO_COLOR` is set.
    #[must_use]
    pub fn of_output() -> Look {
        let terminal = std::io::stdout().is_terminal();
        let columns = terminal.then(|| console::Term::stdout().size_checked()).flatten();
        let width = columns.map_or(WIDTH_DEFAULT, |(_, columns)| usize::from(columns));
        Look { width: width.clamp(WIDTH_MIN, WIDTH_MAX), terminal, colours: terminal && colours_wanted() }
    }

    /// Whether there may be colours.
    #[must_use]
    pub fn colours(self) -> bool {
        self.colours
    }

    /// A heading.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        console::Style::new().bold().force_styling(self.colours).apply_to(text).to_string()
    }

    /// What stands back.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        console::Style::new().dim().force_styling(self.colours).apply_to(text).to_string()
    }

    /// A text wrapped to the width, each line behind `indent`.
    #[must_use]
    pub fn wrapped(self, text: &str, indent: &str) -> String {
        wrap(text, self.width, indent, indent)
    }

    /// One entry of a list: wrapped on a terminal, its further lines behind [`BELOW`]. Elsewhere it stays one line, which a
    /// script can search.
    #[cfg(feature = "datastore")]
    #[must_use]
    pub fn entry(self, text: &str) -> String {
        if self.terminal { wrap(text, self.width, "", BELOW) } else { text.to_owned() }
    }

    /// The same with a mark before the first line; the others stand below the text.
    #[must_use]
    pub fn item(self, mark: &str, text: &str, indent: &str) -> String {
        let first = format!("{indent}{mark}");
        let rest = " ".repeat(console::measure_text_width(&first));
        wrap(text, self.width, &first, &rest)
    }
}

/// Wraps at spaces alone: a path, an address or an option that is broken in two is none any more.
#[must_use]
pub fn wrap(text: &str, width: usize, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options.break_words(false))
}

/// Whether the environment lets a terminal have colours (no-color.org: any value but the empty one forbids; a terminal that calls itself
/// `dumb`, as in an editor, shows their codes as letters).
#[must_use]
pub fn colours_wanted() -> bool {
    may_have_colours(std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref())
}

fn may_have_colours(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

/// A progress bar on standard error: hidden where that is no terminal.
#[must_use]
pub fn progress_bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}%");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// Rows as columns, each as wide as its widest cell; the first row is the heading. On a terminal a last cell that would not
/// fit is wrapped below itself, or, where one of its words alone is too long for that, below its row.
#[must_use]
pub fn table(look: Look, rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| console::measure_text_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let Some((last, others)) = row.split_last() else { continue };
        let mut line = String::new();
        for (cell, width) in others.iter().zip(&widths) {
            let padding = width - console::measure_text_width(cell);
            line.push_str(cell);
            line.push_str(&" ".repeat(padding + 2));
        }
        let line = last_cell(look, line, last);
        let line = line.trim_end();
        text.push_str(&if index == 0 { look.bold(line) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

/// A row with its last cell.
fn last_cell(look: Look, line: String, last: &str) -> String {
    let before = console::measure_text_width(&line);
    let longest = last.split(' ').map(console::measure_text_width).max().unwrap_or(0);
    if !look.terminal {
        return line + last;
    }
    // The wrapping of nothing is nothing, whatever stands before it.
    if last.is_empty() {
        return line;
    }
    if before + longest > look.width {
        return format!("{}\n{}", line.trim_end(), wrap(last, look.width, BELOW, BELOW));
    }
    wrap(last, look.width, &line, &" ".repeat(before))
}

/// A time in five letters or so: `0`, `85us`, `1.2ms`, `500ms`, `2.1s`.
#[cfg(any(feature = "datastore", test))]
#[must_use]
pub fn short(microseconds: Option<u64>) -> String {
    let Some(us) = microseconds else { return "-".to_owned() };
    match us {
        0 => "0".to_owned(),
        1..1_000 => format!("{us}us"),
        1_000..10_000 => format!("{}.{}ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        _ => format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_know_them() {
        let may = |no_color: Option<&str>, term: Option<&str>| {
            may_have_colours(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(may(None, Some("xterm")) && may(Some(""), None));
        assert!(!may(None, Some("dumb")) && !may(Some("1"), Some("xterm")));
    }

    #[test]
    fn a_time_is_short_in_its_own_unit() {
        let cases = [(0, "0"), (999, "999us"), (1_250, "1.2ms"), (12_500, "12ms"), (2_150_000, "2.1s")];
        for (us, text) in cases {
            assert_eq!(short(Some(us)), text);
        }
        assert_eq!(short(None), "-");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let look = Look { width: 80, terminal: true, colours: false };
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(look, &[row(["NAME", "SLOT"]), row(["größer", "1"])]);
        assert_eq!(text, "NAME    SLOT\ngrößer  1\n");
    }

    #[test]
    fn a_last_column_that_does_not_fit_goes_on_below_itself() {
        let look = Look { width: 14, terminal: true, colours: false };
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(look, &[row(["NAME", "WHAT"]), row(["a", "one two three"]), row(["b", ""])]);
        assert_eq!(text, "NAME  WHAT\na     one two\n      three\nb\n");
        let text = table(look, &[row(["NAME", "WHAT"]), row(["a", "file:0123"]), row(["b", "two"])]);
        assert_eq!(text, "NAME  WHAT\na\n    file:0123\nb     two\n", "a long word goes below its row");
    }

    #[test]
    fn where_no_terminal_is_a_row_is_one_line() {
        let look = Look { width: 14, terminal: false, colours: false };
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(look, &[row(["NAME", "WHAT"]), row(["a", "one two three"])]);
        assert_eq!(text, "NAME  WHAT\na     one two three\n");
    }

    #[cfg(feature = "datastore")]
    #[test]
    fn where_no_terminal_is_an_entry_is_one_line() {
        let look = Look { width: 14, terminal: false, colours: false };
        assert_eq!(look.entry("one two three four"), "one two three four");
        let terminal = Look { terminal: true, ..look };
        assert_eq!(terminal.entry("one two three four"), "one two three\n    four");
    }

    #[test]
    fn a_text_is_wrapped_behind_its_indent() {
        let look = Look { width: 12, terminal: true, colours: false };
        assert_eq!(look.wrapped("one two three", "  "), "  one two\n  three");
        assert_eq!(look.item("1. ", "one two three", " "), " 1. one two\n    three");
    }

    #[test]
    fn what_is_typed_or_opened_is_never_broken() {
        let look = Look { width: 12, terminal: true, colours: false };
        assert_eq!(look.wrapped("set -o /Some/Long-Option now", ""), "set -o\n/Some/Long-Option\nnow");
    }
}
