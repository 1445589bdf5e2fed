//! The page for a browser: one file that needs nothing else, no network, no script. Its first screen is for a person in a
//! hurry; time lines and proof follow.

mod finding;
mod geometry;
mod machine;
mod markup;
mod rows;
mod timeline;
mod words;

use oarlock_causes::Cause;

use self::finding::{article, list};
use self::markup::Markup;
use self::timeline::Whole;
use self::words::{counted, grouped, headline};
use super::advice::{self, Risk, at_risk, not_now};
use super::alike::{alike, times_and_places};
use crate::finding::{Coverage, Finding, Report};

/// Findings on the first screen.
const FIRST_SCREEN_MAX: usize = 3;
/// Findings that are told in full; later ones, which are less grave, are rows of a table. JSON has them all in full.
const ARTICLES_MAX: usize = 60;
/// Clocks that differ and are named.
const OFFSETS_MAX: usize = 8;
/// Inputs that could not be read and are named.
const PROBLEMS_MAX: usize = 50;

/// What a report of this program holds near its beginning: by it, a file is known to be one.
pub const MARK: &str = "<meta name=\"generator\" content=\"oarlock doctor\">";

/// The policy forbids what the page does not need: even a line that found a way past the escaping could load and run
/// nothing.
const HEAD: &str = concat!(
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
    "<meta name=\"generator\" content=\"oarlock doctor\">\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n",
    "<title>Oarlock doctor: report</title>\n<style>\n",
    include_str!("style.css"),
    "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#findings\">To the findings</a>\n"
);

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut page = Markup::default();
    page.raw(HEAD);
    header(report, &mut page);
    page.raw("<main>");
    if report.incidents.is_empty() {
        no_incident(report, &mut page);
    } else {
        first_screen(report, &mut page);
    }
    let whole = Whole::of(&report.chronicle);
    timeline::overview(report, &whole, &mut page);
    findings(report, &whole, &mut page);
    machine::section(report, &mut page);
    strangers(report, &mut page);
    page.raw("</main>\n<footer><p>Made by <code>oarlock doctor</code>. Log lines are quoted ");
    page.raw(if report.redacted {
        "with stand-ins for names; a comment is not quoted"
    } else {
        "as they were read"
    });
    page.raw("; what they cannot prove is said to be unproved.</p></footer>\n</body>\n</html>\n");
    page.into_string()
}

/// What is said where nothing was found: only where all was read it is calm.
fn no_incident(report: &Report, page: &mut Markup) {
    let calm = report.coverage == Coverage::Whole && !advice::knows_none(report);
    page.raw(if calm { "<section class=\"card calm\"><h2>" } else { "<section class=\"card doubt\"><h2>" });
    page.raw(match report.coverage {
        Coverage::Whole if !calm => "None of these lines is of a kind that is known here",
        Coverage::Whole => "No incident was found in these lines",
        Coverage::Part => "No incident was found in what could be read",
        Coverage::Nothing => "Nothing could be read",
    });
    page.raw("</h2><p>That is no proof of health: lines that are not here cannot be read.</p></section>");
}

fn header(report: &Report, page: &mut Markup) {
    page.raw("<header><h1>Oarlock doctor</h1><p>");
    page.words(format_args!(
        "{} read, {}: {} understood, {} with a key word that were not.",
        counted(report.files, "file"),
        counted(report.lines, "line"),
        grouped(report.understood),
        grouped(report.strange)
    ));
    if report.incidents_unjudged > 0 {
        let more = counted(report.incidents_unjudged, "further incident");
        page.words(format_args!(" {more} not judged: give fewer logs, or fewer hours of them."));
    }
    for offset in report.clock_offsets.iter().take(OFFSETS_MAX) {
        page.words(format_args!(" {}", offset.sentence()));
    }
    for question in &report.clock_questions {
        page.words(format_args!(" {}", question.sentence()));
    }
    page.raw("</p>");
    for passed in &report.passed_over {
        page.element("<p>", &passed.sentence(), "</p>");
    }
    page.raw("</header>");
    if report.problems.is_empty() {
        return;
    }
    page.raw("<section class=\"card unread\"><h2>Not read</h2>");
    list("<ul>", &report.problems[..report.problems.len().min(PROBLEMS_MAX)], page);
    let more = report.problems.len().saturating_sub(PROBLEMS_MAX);
    if more > 0 {
        page.raw("<p>").words(format_args!("… and {} more.", grouped(more as u64))).raw("</p>");
    }
    page.raw("</section>");
}

/// What happened, is data at risk, what to do, what not to do.
fn first_screen(report: &Report, page: &mut Markup) {
    let causes: Vec<Cause> =
        report.incidents.iter().filter_map(|finding| Cause::from_name(&finding.cause)).collect();
    page.raw("<div class=\"first\"><section class=\"card\"><h2>What happened</h2><ol>");
    let groups = alike(&report.incidents);
    for (number, findings) in groups.iter().take(FIRST_SCREEN_MAX) {
        let Some(first) = findings.first() else { continue };
        // A finding without an article of its own is a row of the table behind them.
        let anchor = (*number <= ARTICLES_MAX).then(|| format!("finding-{number}"));
        page.raw("<li><a href=\"#").text(anchor.as_deref().unwrap_or("findings")).raw("\">");
        match findings.as_slice() {
            [one] => page.text(&headline(one)),
            _ => page.text(first.title().unwrap_or(&first.cause)).text(&times_and_places(findings)),
        };
        page.raw("</a> ").raw("<span class=\"note\">").text(&circumstances(first)).raw("</span></li>");
    }
    page.raw("</ol>");
    let more: usize = groups.iter().skip(FIRST_SCREEN_MAX).map(|(_, findings)| findings.len()).sum();
    if more > 0 {
        page.raw("<p><a href=\"#findings\">")
            .words(format_args!("… and {}", counted(more as u64, "more finding")));
        page.raw("</a></p>");
    }
    page.raw("</section>");
    let Some((worst, sentence)) = at_risk(report) else { return };
    page.raw(match worst {
        Risk::Low => "<section class=\"card calm\"><h2>Is data at risk now?</h2><p class=\"verdict\">No</p>",
        Risk::Unknown => {
            "<section class=\"card doubt\"><h2>Is data at risk now?</h2><p class=\"verdict\">In doubt</p>"
        }
        Risk::High => {
            "<section class=\"card danger\"><h2>Is data at risk now?</h2><p class=\"verdict\">Yes</p>"
        }
    });
    page.element("<p>", sentence, "</p></section>");
    if let Some(first) = report.incidents.first() {
        page.raw("<section class=\"card\"><h2>What to do now</h2><ol>");
        for step in first.steps_now() {
            page.sentences("<li>", step, "</li>");
        }
        page.raw("</ol></section>");
    }
    page.raw("<section class=\"card\"><h2>What not to do</h2><ul class=\"never\">");
    for step in causes.first().map_or(&[][..], |&cause| not_now(cause)) {
        page.sentences("<li>", step, "</li>");
    }
    page.raw("</ul></section></div>");
}

fn circumstances(finding: &Finding) -> String {
    let sure = if finding.cause == Cause::CannotTell.name() { "" } else { &finding.confidence };
    let hosts = match finding.hosts.as_slice() {
        [] => String::new(),
        [host] => format!("on {host}"),
        [first, second] => format!("on {first} and {second}"),
        hosts => format!("on {} hosts", hosts.len()),
    };
    let when = finding.first.clone().unwrap_or_default();
    let parts = [sure.to_owned(), hosts, when, counted(finding.events, "event")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn findings(report: &Report, whole: &Whole, page: &mut Markup) {
    if report.incidents.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=\"findings\"><h2 id=\"findings\">Findings, layer by layer</h2>");
    for (index, finding) in report.incidents.iter().take(ARTICLES_MAX).enumerate() {
        article(report, whole, index + 1, finding, page);
    }
    if report.incidents.len() > ARTICLES_MAX {
        page.raw("<h3>More findings</h3><p class=\"hint\">Less grave than those above; <code>--json</code> has them in full.</p>");
        page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"More findings\"><table><thead><tr>");
        page.raw("<th scope=\"col\">No.</th><th scope=\"col\">What</th><th scope=\"col\">Cause</th><th scope=\"col\">Circumstances</th></tr></thead><tbody>");
        for (index, finding) in report.incidents.iter().enumerate().skip(ARTICLES_MAX) {
            page.raw("<tr><td>").words(format_args!("{}", index + 1)).raw("</td>");
            page.element("<th scope=\"row\">", &headline(finding), "</th>");
            page.element("<td>", &finding.cause, "</td>").element(
                "<td>",
                &circumstances(finding),
                "</td></tr>",
            );
        }
        page.raw("</tbody></table></div>");
    }
    page.raw("</section>");
}

/// Lines that were not understood, where they were asked for.
fn strangers(report: &Report, page: &mut Markup) {
    if report.strangers.is_empty() {
        return;
    }
    page.raw("<section><h2>Lines that were not understood</h2><ol class=\"strangers\">");
    for stranger in &report.strangers {
        page.raw("<li><p class=\"place\"><span class=\"file\">").text(&stranger.file);
        page.words(format_args!(":{}", stranger.line));
        page.element("</span></p><pre dir=\"ltr\"><code>", &stranger.text, "</code></pre></li>");
    }
    page.raw("</ol></section>");
}

#[cfg(test)]
mod tests;
