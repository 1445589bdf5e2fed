//! One finding: what it is, where it sits, what proves it, what follows, what helps and at what risk.

use oarlock_causes::{Cause, Layer};

use super::markup::Markup;
use super::timeline::{self, Whole};
use super::words::{counted, headline};
use crate::finding::{Evidence, Finding, Remedy, Report};
use crate::report::remedy_risk::RemedyRisk;

/// The article of a finding.
pub(super) fn article(report: &Report, whole: &Whole, number: usize, finding: &Finding, page: &mut Markup) {
    page.raw("<article class=\"finding\" id=\"finding-").words(format_args!("{number}"));
    page.raw("\" aria-labelledby=\"head-").words(format_args!("{number}")).raw("\">");
    page.raw("<h3 id=\"head-").words(format_args!("{number}")).raw("\"><span class=\"count\">");
    page.words(format_args!("{number}.")).raw("</span> ").text(&headline(finding)).raw("</h3>");
    facts(finding, page);
    walk(finding, page);
    page.raw("<div class=\"halves\"><div class=\"told\"><h4>What these lines show</h4>");
    page.sentences("<p>", &finding.because, "</p>").element(
        "<h4>What that is</h4><p>",
        &finding.explanation,
        "</p>",
    );
    page.sentences("<h4>What follows from it</h4><p>", &finding.consequence, "</p>");
    remedies(finding, page);
    list("<h4>What to collect next</h4><ul>", &finding.collect_next, page);
    aside(finding, page);
    page.raw("</div><div class=\"proof\"><h4>Proof</h4><ol>");
    finding.evidence.iter().for_each(|evidence| quote(evidence, page));
    page.raw("</ol></div></div>");
    timeline::of_finding(report, whole, finding, page);
    page.raw("</article>");
}

/// What it is, in a list of terms.
fn facts(finding: &Finding, page: &mut Markup) {
    page.raw("<dl class=\"facts\">");
    let mut term = |name: &'static str, text: &str| {
        page.raw("<div><dt>").raw(name).raw("</dt>").element("<dd>", text, "</dd></div>");
    };
    term("Cause", &finding.cause);
    term("Layer", &finding.layer);
    term("Confidence", confidence(finding));
    if !finding.also.is_empty() {
        term("With it", &finding.also.join(", "));
    }
    if !finding.hosts.is_empty() {
        term("Seen by", &some_of(&finding.hosts));
    }
    if !finding.devices.is_empty() {
        term("Device", &some_of(&finding.devices));
    }
    if let Some(volume) = &finding.volume {
        term("Volume", volume);
    }
    for (name, text) in times(finding) {
        term(name, &text);
    }
    term("How often", &counted(finding.events, "event"));
    page.raw("</dl>");
}

fn confidence(finding: &Finding) -> &str {
    if finding.cause == Cause::CannotTell.name() { "not enough to tell" } else { &finding.confidence }
}

/// The names of many hosts or devices would hide everything else.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// First and last time in UTC, and in the log's own zone.
fn times(finding: &Finding) -> Vec<(&'static str, String)> {
    let (first, last) = match (&finding.first, &finding.last) {
        (Some(first), Some(last)) => (first.clone(), last.clone()),
        _ => return vec![("When", "at a time that the lines do not tell".to_owned())],
    };
    let own = finding.span.and_then(|(first, last)| Some((first.in_own_zone()?, last.in_own_zone()?)));
    let (own_first, own_last) = own.map_or((String::new(), String::new()), |(first, last)| {
        (format!(" (log: {first})"), format!(" (log: {last})"))
    });
    if first == last {
        return vec![("When", first + &own_first)];
    }
    vec![("First", first + &own_first), ("Last", last + &own_last)]
}

/// The layers from the file system down to the medium, with the cause's own marked.
fn walk(finding: &Finding, page: &mut Markup) {
    page.raw("<ol class=\"walk\" aria-label=\"Layers, from the file system down to the medium\">");
    for layer in Layer::ALL {
        let also = finding.also.iter().filter_map(|name| Cause::from_name(name));
        let touched = also.into_iter().any(|cause| cause.entry().layer.name() == layer.name());
        page.raw(match layer.name() == finding.layer {
            true => "<li class=\"here\" aria-current=\"true\">",
            false if touched => "<li class=\"touched\">",
            false => "<li>",
        });
        page.text(layer.name());
        page.raw(match layer.name() == finding.layer {
            true => "<span class=\"note\">: the cause</span></li>",
            false if touched => "<span class=\"note\">: also</span></li>",
            false => "</li>",
        });
    }
    page.raw("</ol>");
}

fn remedies(finding: &Finding, page: &mut Markup) {
    if finding.remedy.is_empty() {
        return;
    }
    page.raw("<h4>What helps, the best first</h4><ol class=\"remedies\">");
    for Remedy { text, source } in &finding.remedy {
        page.sentences("<li><p>", text, "</p><p class=\"source\"><span class=\"risk\">Risk: ");
        page.text(RemedyRisk::of(text).sentence()).raw("</span> Source: ");
        linked(source, page);
        page.raw("</p></li>");
    }
    page.raw("</ol>");
}

/// A source with its address as a link, where it has one: nothing is loaded from there unless a person follows it.
fn linked(source: &str, page: &mut Markup) {
    let Some(start) = source.find("https://") else {
        page.text(source);
        return;
    };
    let (front, rest) = source.split_at(start);
    let end = rest.find([' ', ')', ']', '"', '<', '>']).unwrap_or(rest.len());
    let (address, back) = rest.split_at(end);
    page.text(front).raw("<a rel=\"noreferrer\"").attribute("href", address).raw(">");
    page.text(address).raw("</a>").text(back);
}

fn aside(finding: &Finding, page: &mut Markup) {
    if finding.considered.is_empty() {
        return;
    }
    page.raw("<h4>What was put aside, and why</h4><dl class=\"aside\">");
    for other in &finding.considered {
        page.element("<dt>", &other.cause, "</dt>").sentences("<dd>", &other.why, "</dd>");
    }
    page.raw("</dl>");
}

/// A list of texts below its heading; nothing where there are none.
pub(super) fn list(open: &'static str, texts: &[String], page: &mut Markup) {
    if texts.is_empty() {
        return;
    }
    page.raw(open);
    for text in texts {
        page.sentences("<li>", text, "</li>");
    }
    page.raw("</ul>");
}

/// A quoted line with its place.
fn quote(evidence: &Evidence, page: &mut Markup) {
    page.raw("<li><p class=\"place\"><span class=\"file\">").text(&evidence.file);
    page.words(format_args!(":{}", evidence.line)).raw("</span>");
    if let Some(host) = &evidence.host {
        page.element(" <span>on ", host, "</span>");
    }
    if let Some(time) = &evidence.time {
        page.element(" <span class=\"time\">", time, "</span>");
    }
    if let Some(time) = &evidence.local_time {
        page.element(" <span class=\"time\">log: ", time, "</span>");
    }
    if evidence.count > 1 {
        page.raw(" <span>").text(&counted(evidence.count, "time")).raw("</span>");
    }
    page.element("</p><pre dir=\"ltr\"><code>", &evidence.text, "</code></pre></li>");
}
