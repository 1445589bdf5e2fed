//! The page for a terminal. Its first screen is for a person in a hurry; the proof follows, layer by layer.

use oarlock_causes::{Cause, Layer};

use super::advice::not_now;
use crate::explain::Explanation;
use crate::finding::{Evidence, Finding, Report};
use crate::gravity::risk_of;
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
        page.push_str(&self.dim(&read));
        page.push('\n');
        for problem in &report.problems {
            self.line(&format!("Not read: {problem}"), "", page);
        }
        if report.incidents_unjudged > 0 {
            let more = format!(
                "{} further incidents were not judged: give fewer logs, or fewer hours of them.",
                report.incidents_unjudged
            );
            self.line(&more, "", page);
        }
        for offset in &report.clock_offsets {
            let side = if offset.ahead_s < 0 { "behind" } else { "ahead of" };
            let text = format!(
                "The clock of {} is {} s {side} the others': its times are shifted here, but not in the quoted lines.",
                offset.host,
                offset.ahead_s.unsigned_abs()
            );
            self.line(&text, "", page);
        }
        let Some(first) = report.incidents.first() else {
            self.line("No incident was found in these lines.", "", page);
            return;
        };
        page.push('\n');
        self.head("What happened", page);
        for (index, finding) in report.incidents.iter().take(FIRST_SCREEN_MAX).enumerate() {
            self.line(&format!("{}. {}", index + 1, headline(finding)), INDENT, page);
        }
        if report.incidents.len() > FIRST_SCREEN_MAX {
            self.line(
                &format!("... and {} more, below", report.incidents.len() - FIRST_SCREEN_MAX),
                INDENT,
                page,
            );
        }
        let causes: Vec<Cause> =
            report.incidents.iter().filter_map(|finding| Cause::from_name(&finding.cause)).collect();
        self.head("Is data at risk now?", page);
        if let Some(worst) = report.incidents.iter().map(risk_of).max() {
            self.line(worst.sentence(), INDENT, page);
        }
        self.head("What to do now", page);
        let steps = first.remedy.iter().take(2).map(|remedy| remedy.text.as_str());
        let steps: Vec<&str> = if first.cause == Cause::CannotTell.name() {
            first.collect_next.iter().take(3).map(String::as_str).collect()
        } else {
            steps.collect()
        };
        for step in steps {
            self.line(&format!("- {step}"), INDENT, page);
        }
        self.head("What not to do", page);
        for step in causes.first().map_or(&[][..], |&cause| not_now(cause)) {
            self.line(&format!("- {step}"), INDENT, page);
        }
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
            self.line(&format!("- {} [{}]", remedy.text, remedy.source), INDENT, page);
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
        let options =
            textwrap::Options::new(self.width.max(20)).initial_indent(indent).subsequent_indent(indent);
        textwrap::fill(text, options)
    }

    fn bold(self, text: &str) -> String {
        if self.colours { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(self, text: &str) -> String {
        if self.colours { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn headline(finding: &Finding) -> String {
    let title = Cause::from_name(&finding.cause).map_or("", |cause| cause.entry().title);
    let place = finding.volume.as_ref().or(finding.device.as_ref());
    let place = place.map_or_else(String::new, |place| format!(", on {place}"));
    let more = finding.devices.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more device(s)") } else { String::new() };
    let sure = if finding.cause == Cause::CannotTell.name() {
        String::new()
    } else {
        format!(", {}", finding.confidence)
    };
    format!("{title} ({}{sure}){place}{more}", finding.cause)
}

fn circumstances(finding: &Finding) -> String {
    let mut parts = Vec::new();
    if !finding.hosts.is_empty() {
        parts.push(format!("seen by {}", finding.hosts.join(", ")));
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
