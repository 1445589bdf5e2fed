//! Time lines: which hosts and devices are drawn, over which time, with the incidents laid on them; and the same in
//! figures, for those who cannot see the picture.

use super::geometry::{Window, bands, tick_label, ticks};
use super::markup::Markup;
use super::rows::{amount, channels, draw, total};
use super::words::{axis_name, counted, duration, moment, zone};
use crate::finding::{Finding, Report};
use crate::series::{Channel, Chronicle, Track};
use crate::stamp::Axis;

/// Hosts and devices drawn in the overview.
const TRACKS_MAX: usize = 12;
/// Hosts and devices drawn for one finding.
const TRACKS_OF_FINDING_MAX: usize = 4;
/// A finding has a time line of its own where it covers less than this part of the overview.
const PART_OF_OVERVIEW: i64 = 4;
/// What came before a finding, and after it, is drawn with it for so long, in microseconds.
const BEFORE_US: i64 = 15_000_000;
/// Height of the numbers of incidents, in pixels.
const NUMBERS_PX: u32 = 18;
/// Height of one line of the axis, in pixels.
const AXIS_PX: u32 = 16;
/// Every axis, those that say most first.
const AXES: [Axis; 4] = [Axis::Wall, Axis::Yearless, Axis::Day, Axis::Boot];

/// The time that the overview covers, for each axis.
#[derive(Debug)]
pub(super) struct Whole(Vec<Window>);

impl Whole {
    /// The time that a chronicle covers.
    pub(super) fn of(chronicle: &Chronicle) -> Whole {
        Whole(AXES.into_iter().filter_map(|axis| extent(chronicle, axis)).collect())
    }

    fn of_axis(&self, axis: Axis) -> Option<Window> {
        self.0.iter().copied().find(|window| window.axis == axis)
    }
}

/// The time lines of all that was read.
pub(super) fn overview(report: &Report, whole: &Whole, page: &mut Markup) {
    let chronicle = &report.chronicle;
    page.raw("<section aria-labelledby=\"course\"><h2 id=\"course\">What happened when</h2>");
    if chronicle.is_empty() {
        page.raw("<p>No line tells a time: there is nothing to draw.</p></section>");
        return;
    }
    page.raw(
        "<p class=\"hint\">A picture for each host and device. Bars are taller where more happened, by powers of ten. \
         Shaded and numbered: the findings below.</p>",
    );
    for &window in &whole.0 {
        let tracks = ranked(chronicle, window.axis, |_| true);
        let shown = &tracks[..tracks.len().min(TRACKS_MAX)];
        explain(chronicle, window, tracks.len() - shown.len(), page);
        for &track in shown {
            picture(report, track, window, page);
        }
        figures(chronicle, shown, window, page);
    }
    omissions(chronicle, page);
    page.raw("</section>");
}

/// The time line of one finding, nearer than the overview shows it; none where that shows it well enough.
pub(super) fn of_finding(report: &Report, whole: &Whole, finding: &Finding, page: &mut Markup) {
    let chronicle = &report.chronicle;
    let Some((first, last)) = finding.span else { return };
    let axis = first.axis;
    let (from, to) = (first.micros.saturating_sub(BEFORE_US), last.micros.saturating_add(BEFORE_US));
    let window = Window::around(axis, from, to);
    let wide =
        whole.of_axis(axis).is_some_and(|whole| whole.length_us() / PART_OF_OVERVIEW <= window.length_us());
    let tracks = ranked(chronicle, axis, |track| concerns(finding, track));
    let shown: Vec<usize> = tracks
        .into_iter()
        .filter(|&track| channels().any(|(channel, _)| total(chronicle, track, channel, window).is_some()))
        .take(TRACKS_OF_FINDING_MAX)
        .collect();
    if wide || shown.is_empty() {
        return;
    }
    page.raw("<h4>Seen closely</h4>");
    explain(chronicle, window, 0, page);
    for &track in &shown {
        picture(report, track, window, page);
    }
    page.raw("<div class=\"closely\">");
    figures(chronicle, &shown, window, page);
    page.raw("</div>");
}

/// Whether a finding is about a track.
fn concerns(finding: &Finding, track: &Track) -> bool {
    let host =
        track.host.as_ref().is_none_or(|host| finding.hosts.is_empty() || finding.hosts.contains(host));
    let subject = track
        .subject
        .as_ref()
        .is_none_or(|subject| finding.devices.contains(subject) || finding.volume.as_ref() == Some(subject));
    host && subject
}

/// The tracks of an axis, those with most to show first: false answers and lost heartbeats before all else.
fn ranked(chronicle: &Chronicle, axis: Axis, chosen: impl Fn(&Track) -> bool) -> Vec<usize> {
    const GRAVE: [Channel; 3] = [Channel::FalseAts, Channel::FailedAts, Channel::BeatLost];
    let sum = |track: usize, channels: &mut dyn Iterator<Item = Channel>| {
        let amounts =
            channels.flat_map(|channel| chronicle.moments(track, channel)).map(|moment| moment.amount);
        amounts.fold(0, u64::saturating_add)
    };
    let mut found: Vec<(u64, u64, usize)> = chronicle
        .tracks()
        .iter()
        .enumerate()
        .filter(|(_, track)| track.axis == axis && chosen(track))
        .map(|(index, _)| {
            let grave = sum(index, &mut GRAVE.into_iter());
            (grave, sum(index, &mut channels().map(|(channel, _)| channel)), index)
        })
        .collect();
    found.sort_by_key(|&(grave, all, index)| (std::cmp::Reverse((grave, all)), index));
    found.into_iter().map(|(_, _, index)| index).collect()
}

/// The time that the tracks of an axis cover.
fn extent(chronicle: &Chronicle, axis: Axis) -> Option<Window> {
    let tracks = chronicle.tracks().iter().enumerate().filter(|(_, track)| track.axis == axis);
    let all = tracks.flat_map(|(track, _)| channels().map(move |(channel, _)| (track, channel)));
    let moments = all.flat_map(|(track, channel)| chronicle.moments(track, channel));
    let ends = moments.fold(None, |ends: Option<(i64, i64)>, moment| {
        let (from, to) = ends.unwrap_or((moment.from_us, moment.to_us));
        Some((from.min(moment.from_us), to.max(moment.to_us)))
    });
    ends.map(|(from, to)| Window::around(axis, from, to))
}

/// What time is shown, and what is counted together.
fn explain(chronicle: &Chronicle, window: Window, not_drawn: usize, page: &mut Markup) {
    let micros = |time: i64| u64::try_from(time).unwrap_or(0);
    let (from, to) = (moment(window.axis, window.from_us), moment(window.axis, window.to_us));
    page.raw("<p class=\"hint\">");
    page.words(format_args!("From {from} to {to} ({}", axis_name(window.axis)));
    page.words(format_args!("). Each bar covers {}", duration(micros(window.column_us()))));
    page.words(format_args!(
        "; events within {} are counted together",
        duration(micros(chronicle.grain_us()))
    ));
    if not_drawn > 0 {
        page.words(format_args!("; {} more with less to show are not drawn", not_drawn));
    }
    page.raw(".</p>");
}

/// One track.
fn picture(report: &Report, track: usize, window: Window, page: &mut Markup) {
    let chronicle = &report.chronicle;
    let Some(about) = chronicle.tracks().get(track) else { return };
    let mut rows = Markup::default();
    let bottom = draw(chronicle, track, window, NUMBERS_PX, &mut rows);
    let own_zone = about.zone_minutes().filter(|_| window.axis == Axis::Wall);
    let height = bottom + AXIS_PX * if own_zone.is_some() { 2 } else { 1 } + 4;
    page.raw("<figure class=\"track\"><figcaption>");
    name(about, page);
    if let Some(minutes) = own_zone {
        page.raw(" <span class=\"zone\">")
            .words(format_args!("UTC, and below it the log's own zone, {}", zone(minutes)));
        page.raw("</span>");
    }
    page.raw("</figcaption><svg class=\"line\" role=\"img\" width=\"100%\"").pixels("height", height);
    page.raw(" aria-label=\"");
    in_words(report, track, window, page);
    page.raw("\">");
    incidents(report, about, window, bottom, page);
    page.part(&rows);
    axis(window, own_zone, bottom, page);
    page.raw("</svg></figure>");
}

fn name(track: &Track, page: &mut Markup) {
    page.element(
        "<span class=\"host\">",
        track.host.as_deref().unwrap_or("a host that no line tells"),
        "</span> ",
    );
    match &track.subject {
        Some(subject) => page.element("<span class=\"subject\">", subject, "</span>"),
        None => page.raw("<span class=\"subject\">the host itself, its adapters and the fabric</span>"),
    };
}

/// The picture in a sentence.
fn in_words(report: &Report, track: usize, window: Window, page: &mut Markup) {
    page.raw("Time line of this host and device. ");
    for (channel, words) in channels() {
        if let Some(total) = total(&report.chronicle, track, channel, window) {
            page.words(format_args!("{words}: {}. ", amount(channel, total.amount)));
        }
    }
    page.raw("The table below has the times.");
}

/// The incidents of a track, behind its rows.
fn incidents(report: &Report, about: &Track, window: Window, bottom: u32, page: &mut Markup) {
    let spans = report.incidents.iter().enumerate().filter(|(_, finding)| concerns(finding, about));
    let spans = spans.filter_map(|(index, finding)| {
        let (first, last) =
            finding.span.filter(|(first, last)| (first.axis, last.axis) == (window.axis, window.axis))?;
        Some((index + 1, first.micros, last.micros))
    });
    for band in bands(window, spans) {
        page.raw("<rect class=\"band\" y=\"0\"").percent("x", band.left).percent("width", band.width);
        page.pixels("height", bottom).raw("/>");
        if band.labelled {
            let middle = (band.left + band.width / 2.0).clamp(1.5, 98.5);
            page.raw("<text class=\"number\" y=\"13\" text-anchor=\"middle\"").percent("x", middle).raw(">");
            page.words(format_args!("{}", band.number)).raw("</text>");
        }
    }
}

/// The axis: ticks with their times in UTC, and below in the log's own zone.
fn axis(window: Window, own_zone: Option<i16>, top: u32, page: &mut Markup) {
    let (ticks, step) = ticks(window);
    for tick in ticks {
        page.raw(if tick.wide_only { "<g class=\"tick wide\">" } else { "<g class=\"tick\">" });
        page.raw("<line")
            .percent("x1", tick.at)
            .percent("x2", tick.at)
            .pixels("y1", top)
            .pixels("y2", top + 4)
            .raw("/>");
        let anchor = match tick.at {
            at if at < 9.0 => " text-anchor=\"start\"",
            at if at > 91.0 => " text-anchor=\"end\"",
            _ => " text-anchor=\"middle\"",
        };
        let own = own_zone.map(|minutes| tick.micros.saturating_add(i64::from(minutes) * 60_000_000));
        for (line, micros) in [Some(tick.micros), own].into_iter().flatten().enumerate() {
            let y = top + AXIS_PX * if line == 0 { 1 } else { 2 };
            page.raw("<text").percent("x", tick.at).pixels("y", y).raw(anchor).raw(">");
            page.text(&tick_label(window.axis, micros, step)).raw("</text>");
        }
        page.raw("</g>");
    }
}

/// The pictures as a table.
fn figures(chronicle: &Chronicle, tracks: &[usize], window: Window, page: &mut Markup) {
    page.raw(
        "<details><summary>The same in figures</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures\">\
         <table><thead><tr><th scope=\"col\">Host</th><th scope=\"col\">Device</th><th scope=\"col\">What</th>\
         <th scope=\"col\" class=\"figure\">How many, how much</th><th scope=\"col\">First</th><th scope=\"col\">Last</th></tr></thead><tbody>",
    );
    for &track in tracks {
        let Some(about) = chronicle.tracks().get(track) else { continue };
        for (channel, words) in channels() {
            let Some(total) = total(chronicle, track, channel, window) else { continue };
            page.element("<tr><td>", about.host.as_deref().unwrap_or("\u{2013}"), "</td>");
            page.element("<td>", about.subject.as_deref().unwrap_or("\u{2013}"), "</td>");
            page.element("<th scope=\"row\">", words, "</th>");
            page.element("<td class=\"figure\">", &amount(channel, total.amount), "</td>");
            page.element("<td>", &moment(window.axis, total.from_us), "</td>");
            page.element("<td>", &moment(window.axis, total.to_us), "</td></tr>");
        }
    }
    page.raw("</tbody></table></div></details>");
}

/// What no picture shows.
fn omissions(chronicle: &Chronicle, page: &mut Markup) {
    if chronicle.untimed() > 0 {
        let events = counted(chronicle.untimed(), "event");
        page.raw("<p class=\"hint\">")
            .words(format_args!("Not drawn: {events} at a time that no line tells."))
            .raw("</p>");
    }
    if chronicle.turned_away() > 0 {
        let events = counted(chronicle.turned_away(), "event");
        page.raw("<p class=\"hint\">");
        page.words(format_args!("Not drawn: {events} of more hosts and devices than are told apart."))
            .raw("</p>");
    }
}
