//! The page for a terminal. Its first screen is for a person in a hurry; the proof follows, layer by layer.

use oarlock_causes::{Cause, Layer};

use super::advice::{at_risk, not_now, nothing_found};
use super::alike::{alike, times_and_places, titled};
use super::some::some_of;
use crate::bounds::FINDINGS_MAX;
use crate::explain::Explanation;
use crate::finding::{Evidence, Finding, Report};
use crate::suggestion::Suggestion;

/// How the page may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Columns that a line may have.
    pub width: usize,
    /// Whether it may have colours.
    pub colours: bool,
}

/// Lines quoted below are never cut: they are wrapped, for somebody will search for them.
const INDENT: &str = "    ";
/// Findings on the first screen.
const FIRST_SCREEN_MAX: usize = 5;

impl Page {
    /// The page of a report.
    #[must_use]
    pub fn report(self, report: &Report) -> String {
        let mut page = String::new();
        self.summary(report, &mut page);
        self.notes(report, &mut page);
        for (index, finding) in report.incidents.iter().enumerate() {
            self.finding(index + 1, finding, &mut page);
        }
        self.machine(report, &mut page);
        self.strangers(report, &mut page);
        page
    }

    /// The page of one decoded line.
    #[must_use]
    pub fn explanation(self, explanation: &Explanation) -> String {
        let width = explanation.fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
        let mut page = String::new();
        for field in &explanation.fields {
            let head = format!("{:width$}  {}", field.name, field.value);
            page.push_str(&self.bold(&head));
            page.push('\n');
            page.push_str(&self.wrapped(&field.meaning, INDENT));
            page.push('\n');
        }
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(&self.wrapped(&explanation.summary, ""));
        page.push('\n');
        page
    }

    fn summary(self, report: &Report, page: &mut String) {
        let read = format!(
            "{} file(s), {} lines, {} understood; {} with a key word that were not",
            report.files, report.lines, report.understood, report.strange
        );
        page.push_str(&self.dim(&self.wrapped(&read, "")));
        page.push('\n');
        let notes = notes(report);
        let Some(first) = report.incidents.first() else {
            // Nothing else is to be seen: what was not read may be the reason.
            notes.iter().for_each(|note| self.line(note, "", page));
            self.line(nothing_found(report), "", page);
            return;
        };
        if !notes.is_empty() {
            let kinds = kinds_of_notes(report);
            self.line(&format!("Below the first screen: {kinds}."), "", page);
        }
        page.push('\n');
        self.head("What happened", page);
        let alike = alike(&report.incidents);
        for (number, findings) in alike.iter().take(FIRST_SCREEN_MAX) {
            self.line(&format!("{number}. {}", headline_of_all(findings)), INDENT, page);
        }
        let more: usize = alike.iter().skip(FIRST_SCREEN_MAX).map(|(_, findings)| findings.len()).sum();
        if more > 0 {
            self.line(&format!("... and {more} more, below"), INDENT, page);
        }
        let causes: Vec<Cause> =
            report.incidents.iter().filter_map(|finding| Cause::from_name(&finding.cause)).collect();
        self.head("Is data at risk now?", page);
        if let Some((_, sentence)) = at_risk(report) {
            self.line(sentence, INDENT, page);
        }
        self.head("What to do now", page);
        for step in first.steps_now() {
            self.line(&format!("- {step}"), INDENT, page);
        }
        self.head("What not to do", page);
        for step in causes.first().map_or(&[][..], |&cause| not_now(cause)) {
            self.line(&format!("- {step}"), INDENT, page);
        }
    }

    /// What was not read, and what differs from the lines: behind the first screen, for it says nothing of what to do.
    fn notes(self, report: &Report, page: &mut String) {
        let notes = notes(report);
        if report.incidents.is_empty() || notes.is_empty() {
            return;
        }
        page.push('\n');
        self.head("What was read, and how", page);
        notes.iter().for_each(|note| self.line(note, INDENT, page));
    }

    fn finding(self, number: usize, finding: &Finding, page: &mut String) {
        page.push('\n');
        let rule = "-".repeat(self.width.min(72));
        page.push_str(&self.dim(&rule));
        page.push('\n');
        self.head(&format!("{number}. {}", headline(finding)), page);
        self.line(&circumstances(finding), INDENT, page);
        page.push('\n');
        self.line(&finding.because, INDENT, page);
        self.line(&finding.explanation, INDENT, page);
        page.push('\n');
        self.line(&layers(finding), INDENT, page);
        self.head("  Proof", page);
        for evidence in &finding.evidence {
            self.evidence(evidence, page);
        }
        self.head("  What follows", page);
        self.line(&finding.consequence, INDENT, page);
        if !finding.considered.is_empty() {
            self.head("  Also considered", page);
            for other in &finding.considered {
                self.line(&format!("- {}: {}", other.cause, other.why), INDENT, page);
            }
        }
        self.head("  What helps, the best first", page);
        for remedy in &finding.remedy {
            self.line(
                &format!("- {} Risk: {} [{}]", remedy.text, remedy.cost(), remedy.source),
                INDENT,
                page,
            );
        }
        if !finding.collect_next.is_empty() {
            self.head("  What to collect next", page);
            for step in &finding.collect_next {
                self.line(&format!("- {step}"), INDENT, page);
            }
        }
    }

    fn evidence(self, evidence: &Evidence, page: &mut String) {
        let local = evidence.local_time.as_ref().map_or_else(String::new, |time| format!(" ({time})"));
        let time = evidence.time.as_ref().map_or_else(String::new, |time| format!("  {time}{local}"));
        let count = if evidence.count > 1 { format!("  {} times", evidence.count) } else { String::new() };
        let place = format!("{INDENT}{}:{}{time}{count}", evidence.file, evidence.line);
        page.push_str(&self.dim(&place));
        page.push('\n');
        self.line(&evidence.text, "      ", page);
    }

    /// What a running machine told of its parts, and what that calls for.
    fn machine(self, report: &Report, page: &mut String) {
        if report.machine.is_empty() {
            return;
        }
        page.push('\n');
        self.head("What this machine's settings and counters call for", page);
        if report.suggestions.is_empty() {
            self.line("Nothing that the catalogue has a word for.", INDENT, page);
        }
        for suggestion in &report.suggestions {
            let Suggestion { subject, found, cause, text, source } = suggestion;
            self.line(&format!("- {subject}: {found} ({cause}). {text} [{source}]"), INDENT, page);
        }
        page.push('\n');
        self.head("This machine, as it was read; nothing was changed", page);
        for part in &report.machine {
            let values = part.values.iter().map(|(name, value)| format!("{name}={value}"));
            let values = values.collect::<Vec<_>>().join("  ");
            self.line(&format!("{} {}  {values}", part.part, part.name), INDENT, page);
        }
    }

    fn strangers(self, report: &Report, page: &mut String) {
        if report.strangers.is_empty() {
            return;
        }
        page.push('\n');
        self.head("Lines that were not understood", page);
        for stranger in &report.strangers {
            page.push_str(&self.dim(&format!("{INDENT}{}:{}", stranger.file, stranger.line)));
            page.push('\n');
            self.line(&stranger.text, "      ", page);
        }
    }

    fn head(self, text: &str, page: &mut String) {
        page.push_str(&self.bold(&self.wrapped(text, "")));
        page.push('\n');
    }

    fn line(self, text: &str, indent: &str, page: &mut String) {
        page.push_str(&self.wrapped(text, indent));
        page.push('\n');
    }

    fn wrapped(self, text: &str, indent: &str) -> String {
        let below = if text.starts_with("- ") { format!("{indent}  ") } else { indent.to_owned() };
        // What is typed, opened or searched for stays in one piece: a terminal wraps it better than a break within it.
        let options = textwrap::Options::new(self.width.max(20))
            .initial_indent(indent)
            .subsequent_indent(&below)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        textwrap::fill(text, options)
    }

    fn bold(self, text: &str) -> String {
        if self.colours { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(self, text: &str) -> String {
        if self.colours { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What was not read or not judged, and whose clock was shifted.
fn notes(report: &Report) -> Vec<String> {
    let mut notes: Vec<String> =
        report.problems.iter().map(|problem| format!("Not read: {problem}")).collect();
    if report.incidents_unjudged > 0 {
        notes.push(format!(
            "{} further incidents were not judged: only the {FINDINGS_MAX} gravest are. Give fewer logs, or fewer hours of them.",
            report.incidents_unjudged
        ));
    }
    notes.extend(report.clock_offsets.iter().map(crate::ClockOffset::sentence));
    notes.extend(report.clock_questions.iter().map(crate::ClockQuestion::sentence));
    notes.extend(report.passed_over.iter().map(crate::PassedKind::sentence));
    notes
}

/// The notes in one line.
fn kinds_of_notes(report: &Report) -> String {
    let kinds = [
        (report.problems.len(), "not read"),
        (usize::from(report.incidents_unjudged > 0), "incidents not judged"),
        (report.clock_offsets.len(), "clock(s) that differ"),
        (report.clock_questions.len(), "clock(s) that may differ"),
        (report.passed_over.len(), "passed over"),
    ];
    let told = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}"));
    told.collect::<Vec<_>>().join(", ")
}

/// The headline of one finding, or of several that differ in place and time alone.
fn headline_of_all(findings: &[&Finding]) -> String {
    match findings {
        [first, _, ..] => format!("{}{}", titled(first), times_and_places(findings)),
        [one] => headline(one),
        [] => String::new(),
    }
}

fn headline(finding: &Finding) -> String {
    let place = finding.volume.as_ref().or(finding.device.as_ref());
    let place = place.map_or_else(String::new, |place| format!(", on {place}"));
    let more = finding.devices.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more device(s)") } else { String::new() };
    format!("{}{place}{more}", titled(finding))
}

fn circumstances(finding: &Finding) -> String {
    let mut parts = Vec::new();
    if !finding.hosts.is_empty() {
        parts.push(format!("seen by {}", some_of(&finding.hosts)));
    }
    if !finding.also_called.is_empty() {
        parts.push(format!("also called {}", some_of(&finding.also_called)));
    }
    match (&finding.first, &finding.last) {
        (Some(first), Some(last)) if first != last => parts.push(format!("from {first} to {last}")),
        (Some(first), _) => parts.push(format!("at {first}")),
        _ => parts.push("at a time that the lines do not tell".to_owned()),
    }
    parts.push(format!("{} event(s)", finding.events));
    if !finding.also.is_empty() {
        parts.push(format!("with it: {}", finding.also.join(", ")));
    }
    parts.join("; ")
}

/// The walk through the layers, with the cause's own marked.
fn layers(finding: &Finding) -> String {
    let also = |layer: &Layer| {
        finding
            .also
            .iter()
            .filter_map(|name| Cause::from_name(name))
            .any(|cause| cause.entry().layer == *layer)
    };
    let mark = |layer: &Layer| match layer.name() {
        name if name == finding.layer => format!("[{name}]"),
        name if also(layer) => format!("({name})"),
        name => name.to_owned(),
    };
    Layer::ALL.iter().map(mark).collect::<Vec<_>>().join(" > ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Doctor;

    const PAGE: Page = Page { width: 80, colours: false };

    fn cascade(hour: u32, device: u32) -> String {
        let line = |second: u32, host: &str| {
            format!(
                "2026-05-05T{hour:02}:00:{second:02}.000Z cpu1:2097)ScsiDeviceIO: 4161: Cmd(0x45d9) 0x89, CmdSN 0x{second}f from world 2097 \
                 to dev \"naa.600601601234567890abcdef0000000{device}\" failed {host}\n"
            )
        };
        line(1, "H:0x5 D:0x0 P:0x0") + &line(9, "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.")
    }

    /// Five findings in the same words pushed what to do off the first screen.
    #[test]
    fn findings_of_the_same_words_are_one_line_of_the_first_screen() {
        let log: String = (0..5).map(|hour| cascade(hour, hour % 2)).collect();
        let mut doctor = Doctor::new();
        doctor.read("esx1-vmkernel.log", &mut log.as_bytes(), &mut |_| {});
        doctor.read("logs.zip", &mut &b"PK\x03\x04"[..], &mut |_| {});
        let report = doctor.judge();
        assert_eq!(report.incidents.len(), 5, "an hour lies between them");
        let page = PAGE.report(&report);
        let screen: Vec<&str> = page.lines().take(24).collect();
        let told = screen.join("\n");
        assert_eq!(told.matches("delayed-own-write").count(), 1, "{told}");
        assert!(told.contains("5 times"), "{told}");
        for head in ["What to do now", "What not to do"] {
            assert!(screen.contains(&head), "{head} is not on the first screen: {told}");
        }
        let (note, head) = (page.find("is a zip archive").unwrap(), page.find("What not to do").unwrap());
        assert!(
            note > head && told.contains("1 not read"),
            "what was not read is no reason to scroll: {told}"
        );
        for number in 1..=5 {
            assert!(page.contains(&format!("\n{number}. ")), "finding {number} is told in full below");
        }
    }
}
