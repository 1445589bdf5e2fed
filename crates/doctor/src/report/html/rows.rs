//! The rows of a time line, and how one is drawn: bars that stand up from a line, and where there are two sorts, bars
//! that hang down from it.

use super::geometry::{COLUMNS, Window, bars, columns, decades, logarithmic, outages};
use super::markup::Markup;
use super::words::{duration, grouped, rate};
use crate::series::{Channel, Chronicle, Moment};

/// Height of a row's words, in pixels.
const WORDS_PX: u32 = 17;
/// Height of the bars of one sort, in pixels.
const BARS_PX: u32 = 18;
/// Height of a row of latencies, in pixels.
const LATENCY_PX: u32 = 64;
/// Space below a row, in pixels.
const GAP_PX: u32 = 7;
/// Latencies up to here are a line on the ground, in microseconds.
const LATENCY_LOW_US: u64 = 500;

/// A row.
#[derive(Debug)]
pub(super) struct Row {
    /// What stands up.
    up: Channel,
    /// What hangs down.
    down: Option<Channel>,
    /// What it says of the first.
    words: &'static str,
    /// What it says of the second.
    words_down: &'static str,
    /// The look of the bars.
    class: &'static str,
}

/// Every row, the first on top.
const ROWS: [Row; 11] = [
    row(Channel::DeviceLatency, "Latency of the device", "bar latency"),
    row(Channel::HostLatency, "Latency in the host's queue", "bar queue"),
    pair(Channel::AtsRate, "ATS", Channel::FalseAtsRate, "false", "bar ats"),
    row(Channel::FalseAts, "False ATS", "bar false"),
    row(Channel::FailedAts, "ATS without an answer, or refused", "bar open"),
    row(Channel::Lock, "Locks not got at once", "bar other"),
    pair(Channel::Abort, "Aborts \u{25b2}", Channel::Reset, "resets \u{25bc}", "bar open"),
    row(Channel::Failure, "Other failures", "bar other"),
    pair(Channel::PathLost, "Paths lost \u{25b2}", Channel::PathBack, "back \u{25bc}", "bar path"),
    row(Channel::Fabric, "The fabric speaks", "bar path"),
    pair(Channel::BeatLost, "Heartbeats lost \u{25b2}", Channel::BeatBack, "back \u{25bc}", "bar beat"),
];

const fn row(up: Channel, words: &'static str, class: &'static str) -> Row {
    Row { up, down: None, words, words_down: "", class }
}

const fn pair(
    up: Channel,
    words: &'static str,
    down: Channel,
    words_down: &'static str,
    class: &'static str,
) -> Row {
    Row { up, down: Some(down), words, words_down, class }
}

/// What happened of one sort in the window: how often, or how much at most; and from when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Total {
    /// The sum, or the highest figure.
    pub(super) amount: u64,
    /// The first time.
    pub(super) from_us: i64,
    /// The last.
    pub(super) to_us: i64,
}

/// The total of a channel; `None` where nothing happened.
pub(super) fn total(chronicle: &Chronicle, track: usize, channel: Channel, window: Window) -> Option<Total> {
    let inside =
        chronicle.moments(track, channel).filter(|moment| window.meets(moment.from_us, moment.to_us));
    inside.fold(None, |total: Option<Total>, moment| {
        let Some(known) = total else {
            return Some(Total { amount: moment.amount, from_us: moment.from_us, to_us: moment.to_us });
        };
        let amount = if channel.is_peak() {
            known.amount.max(moment.amount)
        } else {
            known.amount.saturating_add(moment.amount)
        };
        Some(Total {
            amount,
            from_us: known.from_us.min(moment.from_us),
            to_us: known.to_us.max(moment.to_us),
        })
    })
}

/// The channels of all rows, each with its words for a table.
pub(super) fn channels() -> impl Iterator<Item = (Channel, &'static str)> {
    [
        (Channel::DeviceLatency, "Latency of the device, highest"),
        (Channel::HostLatency, "Latency in the host's queue, highest"),
        (Channel::AtsRate, "ATS a second, highest"),
        (Channel::FalseAtsRate, "False ATS a second, highest"),
        (Channel::FalseAts, "False ATS"),
        (Channel::FailedAts, "ATS without an answer, or refused"),
        (Channel::Lock, "Locks not got at once"),
        (Channel::Abort, "Aborts"),
        (Channel::Reset, "Resets, and commands lost to them"),
        (Channel::Failure, "Other failures"),
        (Channel::PathLost, "Paths, links or sessions lost"),
        (Channel::PathBack, "Paths, links or sessions back"),
        (Channel::Fabric, "Events of the fabric"),
        (Channel::BeatLost, "Heartbeats late, lost or false"),
        (Channel::BeatBack, "Heartbeats back"),
    ]
    .into_iter()
}

/// An amount with its unit.
pub(super) fn amount(channel: Channel, amount: u64) -> String {
    match channel {
        Channel::DeviceLatency | Channel::HostLatency => duration(amount),
        Channel::AtsRate | Channel::FalseAtsRate => rate(amount),
        _ => grouped(amount),
    }
}

/// Draws every row in which something happened, from `top` pixels down; the answer is where the next would begin.
pub(super) fn draw(chronicle: &Chronicle, track: usize, window: Window, top: u32, page: &mut Markup) -> u32 {
    let mut top = top;
    for row in &ROWS {
        let above = total(chronicle, track, row.up, window);
        let below = row.down.and_then(|down| total(chronicle, track, down, window));
        if above.is_none() && below.is_none() {
            continue;
        }
        row.caption(above, below, top, page);
        top += WORDS_PX;
        let height = row.height();
        if row.up == Channel::BeatLost {
            outage(chronicle, track, window, top, page);
        }
        if matches!(row.up, Channel::DeviceLatency | Channel::HostLatency) {
            latency(chronicle, track, row, window, top, page);
        } else {
            let sides = [(Some(row.up), above, false), (row.down, below, true)];
            for (channel, total, hangs) in sides {
                if let (Some(channel), Some(total)) = (channel, total) {
                    let side = Side { channel, high: total.amount, hangs, top, class: row.class };
                    side.draw(chronicle, track, window, page);
                }
            }
        }
        let ground = top + if row.down.is_some() { BARS_PX } else { height };
        page.raw("<line class=\"ground\" x1=\"0\" x2=\"100%\"")
            .pixels("y1", ground)
            .pixels("y2", ground)
            .raw("/>");
        top += height + GAP_PX;
    }
    top
}

impl Row {
    fn height(&self) -> u32 {
        match self.up {
            Channel::DeviceLatency | Channel::HostLatency => LATENCY_PX,
            _ if self.down.is_some() => 2 * BARS_PX,
            _ => BARS_PX,
        }
    }

    fn caption(&self, above: Option<Total>, below: Option<Total>, top: u32, page: &mut Markup) {
        let told = |channel, total: Option<Total>| amount(channel, total.map_or(0, |total| total.amount));
        let most = match self.down {
            _ if self.up.is_peak() => ", at most",
            Some(_) => "",
            None => ":",
        };
        page.raw("<text class=\"words\" x=\"0\"").pixels("y", top + 12).raw(">");
        page.words(format_args!("{}{most} {}", self.words, told(self.up, above)));
        if let Some(down) = self.down {
            page.words(format_args!(", {} {}", self.words_down, told(down, below)));
        }
        page.raw("</text>");
    }
}

/// Bars of one sort.
struct Side {
    channel: Channel,
    high: u64,
    hangs: bool,
    top: u32,
    class: &'static str,
}

impl Side {
    fn draw(&self, chronicle: &Chronicle, track: usize, window: Window, page: &mut Markup) {
        let found = columns(window, chronicle.moments(track, self.channel), self.channel.is_peak());
        let highest = found.iter().copied().max().unwrap_or(self.high);
        let top = if self.hangs { self.top + BARS_PX } else { self.top };
        open(top, BARS_PX, page);
        path(self.class, &found, logarithmic(1, highest.max(8)), self.hangs, page);
    }
}

/// Latencies by decades, with a line for each decade.
fn latency(chronicle: &Chronicle, track: usize, row: &Row, window: Window, top: u32, page: &mut Markup) {
    let found = columns(window, chronicle.moments(track, row.up), true);
    let high = found.iter().copied().max().unwrap_or(0).max(LATENCY_LOW_US * 10);
    let scale = logarithmic(LATENCY_LOW_US, high);
    for decade in decades(LATENCY_LOW_US, high) {
        let y = top + LATENCY_PX - scale(decade) * LATENCY_PX / 1_000;
        page.raw("<line class=\"decade\" x1=\"0\" x2=\"100%\"").pixels("y1", y).pixels("y2", y).raw("/>");
        page.raw("<text class=\"decade\" x=\"100%\"").pixels("y", y + 3).raw(" text-anchor=\"end\">");
        page.text(&duration(decade)).raw("</text>");
    }
    open(top, LATENCY_PX, page);
    path(row.class, &found, scale, false, page);
}

/// Opens a picture within the picture: it is as wide as the page lets it be, and its bars with it.
fn open(top: u32, height: u32, page: &mut Markup) {
    page.raw("<svg x=\"0\" width=\"100%\" preserveAspectRatio=\"none\"");
    page.pixels("y", top).pixels("height", height);
    page.raw(" viewBox=\"0 0 ").words(format_args!("{COLUMNS}")).raw(" 1000\">");
}

/// The bars as one path, and the end of the picture.
fn path(class: &'static str, found: &[u64], scale: impl Fn(u64) -> u32, hangs: bool, page: &mut Markup) {
    page.raw("<path class=\"").raw(class).raw(if hangs { " down" } else { "" }).raw("\" d=\"");
    for bar in bars(found, scale) {
        let (ground, rise) = if hangs { (0, i64::from(bar.height)) } else { (1_000, -i64::from(bar.height)) };
        page.words(format_args!("M{} {ground}v{rise}h{}v{}z", bar.column, bar.width, -rise));
    }
    page.raw("\"/></svg>");
}

/// From the loss of a heartbeat to its return.
fn outage(chronicle: &Chronicle, track: usize, window: Window, top: u32, page: &mut Markup) {
    let lost: Vec<Moment> = chronicle.moments(track, Channel::BeatLost).collect();
    let back: Vec<Moment> = chronicle.moments(track, Channel::BeatBack).collect();
    for (left, width) in outages(window, &lost, &back).into_iter().take(COLUMNS) {
        page.raw("<rect class=\"outage\"").percent("x", left).percent("width", width);
        page.pixels("y", top + BARS_PX / 2).pixels("height", BARS_PX).raw("/>");
    }
}
