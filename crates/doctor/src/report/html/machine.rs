//! A running machine on the page: what its settings and counters call for, and the parts that told them.

use super::markup::Markup;
use crate::finding::Report;

/// Parts in the table; JSON has them all.
const PARTS_MAX: usize = 500;

/// Two tables; nothing where only logs were read.
pub(super) fn section(report: &Report, page: &mut Markup) {
    if report.machine.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=\"machine\"><h2 id=\"machine\">This machine, as it was read; nothing was changed</h2>");
    if report.suggestions.is_empty() {
        page.raw("<p>Its settings and counters call for nothing that the catalogue has a word for.</p>");
    } else {
        suggestions(report, page);
    }
    parts(report, page);
    page.raw("</section>");
}

fn suggestions(report: &Report, page: &mut Markup) {
    page.raw("<h3>What its settings and counters call for</h3>");
    page.raw(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Suggestions\"><table><thead><tr>",
    );
    page.raw("<th scope=\"col\">Part</th><th scope=\"col\">Found</th><th scope=\"col\">What helps</th><th scope=\"col\">Source</th></tr></thead><tbody>");
    for suggestion in &report.suggestions {
        page.raw("<tr>").element("<th scope=\"row\">", &suggestion.subject, "</th>");
        page.element("<td>", &suggestion.found, "");
        page.element(" <span class=\"note\">", &suggestion.cause, "</span></td>");
        page.sentences("<td>", &suggestion.text, "</td>");
        page.element("<td>", &suggestion.source, "</td></tr>");
    }
    page.raw("</tbody></table></div>");
}

fn parts(report: &Report, page: &mut Markup) {
    page.raw("<h3>Its parts</h3>");
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Parts\"><table><thead><tr>");
    page.raw("<th scope=\"col\">Part</th><th scope=\"col\">Name</th><th scope=\"col\">Values</th></tr></thead><tbody>");
    for part in report.machine.iter().take(PARTS_MAX) {
        let values = part.values.iter().map(|(name, value)| format!("{name}={value}"));
        page.element("<tr><td>", part.part, "</td>").element("<th scope=\"row\">", &part.name, "</th>");
        page.element("<td><code>", &values.collect::<Vec<_>>().join("  "), "</code></td></tr>");
    }
    page.raw("</tbody></table></div>");
    if report.machine.len() > PARTS_MAX {
        page.raw("<p class=\"hint\">There are more; <code>--json</code> has them all.</p>");
    }
}
