//! The teller: says on standard error what happens while it happens, one line each, with the time since the start.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use console::Style;

use crate::report;
use crate::terminal::{colours_wanted, wrap};

/// Columns where the terminal does not tell, or there is none.
const WIDTH_DEFAULT: usize = 80;
/// Lines are neither wider nor narrower than this.
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 100;
/// What continues a line stands below its text.
const INDENT: &str = "            ";

/// Tells a person what the demonstration does.
pub struct Teller {
    start: Instant,
    width: usize,
    colours: bool,
    steps: usize,
}

impl Teller {
    /// Begins; times count from now.
    pub fn begin() -> Teller {
        let terminal = std::io::stderr().is_terminal();
        let columns = terminal.then(|| console::Term::stderr().size_checked()).flatten();
        let width = columns.map_or(WIDTH_DEFAULT, |(_, columns)| usize::from(columns));
        Teller {
            start: Instant::now(),
            width: width.clamp(WIDTH_MIN, WIDTH_MAX),
            colours: terminal && colours_wanted(),
            steps: 0,
        }
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A paragraph.
    pub fn say(&self, text: &str) {
        report::say(&self.wrapped(text, ""));
    }

    /// A step begins.
    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        let heading = format!("{}. {title}", self.steps);
        report::say(&format!("\n{}", self.styled(Style::new().bold(), &heading)));
    }

    /// Something happened.
    pub fn tell(&self, text: &str) {
        let time = format!("{:8.2} s  ", self.elapsed().as_secs_f64());
        let wrapped = self.wrapped(text, INDENT);
        let time = self.styled(Style::new().dim(), &time);
        report::say(&wrapped.replacen(INDENT, &time, 1));
    }

    /// A step has ended.
    pub fn ended(&self, ok: bool, detail: &str) {
        let (mark, style) =
            if ok { ("✓", Style::new().green().bold()) } else { ("✗", Style::new().red().bold()) };
        let wrapped = self.wrapped(detail, "    ");
        let mark = format!("  {} ", self.styled(style, mark));
        report::say(&wrapped.replacen("    ", &mark, 1));
    }

    /// Nothing is broken at its hyphens: names of causes and faults have some.
    fn wrapped(&self, text: &str, indent: &str) -> String {
        wrap(text, self.width, indent, indent)
    }

    fn styled(&self, style: Style, text: &str) -> String {
        style.force_styling(self.colours).apply_to(text).to_string()
    }
}
