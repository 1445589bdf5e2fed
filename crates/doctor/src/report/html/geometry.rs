//! Where things lie on a time line: pure functions from times to columns, bars, bands and ticks.
//!
//! Across, a time line is measured in percent of its width, whatever that is; its bars stand in [`COLUMNS`] columns.

use crate::civil::{self, DAY_US};
use crate::series::Moment;
use crate::stamp::Axis;

/// Columns of a time line: what falls into one is drawn as one bar.
pub(super) const COLUMNS: usize = 160;
/// Nothing shorter is drawn: a moment alone stands in the middle of it.
const LENGTH_US_MIN: i64 = 10_000_000;
/// Ticks of a time line; on a narrow page every second is left out.
const TICKS_MAX: i64 = 8;
/// The height of the lowest bar in thousandths of its row: a single event is not overlooked.
const LOWEST: u32 = 350;
/// Numbers of incidents nearer than this many percent would lie upon one another.
const LABEL_PERCENT: f64 = 5.0;

/// The stretch of time that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its beginning, in microseconds on the axis.
    pub(super) from_us: i64,
    /// Its end; later than the beginning.
    pub(super) to_us: i64,
    /// What its times count from.
    pub(super) axis: Axis,
}

impl Window {
    /// The window from one time to another, with a margin on either side.
    pub(super) fn around(axis: Axis, from_us: i64, to_us: i64) -> Window {
        let length = to_us.saturating_sub(from_us).max(0);
        let margin = (length / 50).max((LENGTH_US_MIN - length).max(0) / 2 + 1);
        Window {
            from_us: from_us.saturating_sub(margin),
            to_us: to_us.max(from_us).saturating_add(margin),
            axis,
        }
    }

    /// Its length in microseconds, at least 1.
    pub(super) fn length_us(self) -> i64 {
        self.to_us.saturating_sub(self.from_us).max(1)
    }

    /// The length of one column in microseconds, at least 1.
    pub(super) fn column_us(self) -> i64 {
        (self.length_us() / as_i64(COLUMNS)).max(1)
    }

    /// Where a time lies, in percent of the width; outside of it the nearer edge.
    pub(super) fn percent(self, micros: i64) -> f64 {
        let part = i128::from(micros) - i128::from(self.from_us);
        let hundredths = part * 10_000 / i128::from(self.length_us());
        f64::from(i32::try_from(hundredths.clamp(0, 10_000)).unwrap_or(0)) / 100.0
    }

    /// Whether any of that stretch is inside.
    pub(super) fn meets(self, from_us: i64, to_us: i64) -> bool {
        from_us <= self.to_us && to_us >= self.from_us
    }

    fn column(self, micros: i64) -> usize {
        let part = i128::from(micros) - i128::from(self.from_us);
        let column = part * i128::from(as_i64(COLUMNS)) / i128::from(self.length_us());
        usize::try_from(column.clamp(0, i128::from(as_i64(COLUMNS - 1)))).unwrap_or(0)
    }
}

fn as_i64(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// How much there is in each column: the highest figure, or the sum. A sum that covers several columns is shared out
/// among them, for nobody knows any more where in that time its parts were.
pub(super) fn columns(window: Window, moments: impl Iterator<Item = Moment>, peak: bool) -> Vec<u64> {
    let mut columns = vec![0_u64; COLUMNS];
    for moment in moments.filter(|moment| window.meets(moment.from_us, moment.to_us)) {
        let (first, last) = (window.column(moment.from_us), window.column(moment.to_us));
        let width = (last - first + 1) as u64;
        for (place, column) in columns[first..=last].iter_mut().enumerate() {
            if peak {
                *column = (*column).max(moment.amount);
            } else {
                let rest = u64::from((place as u64) < moment.amount % width);
                *column = column.saturating_add(moment.amount / width + rest);
            }
        }
    }
    columns
}

/// A bar, in columns from the left and in thousandths of the height of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    /// The first column.
    pub(super) column: usize,
    /// How many columns it covers.
    pub(super) width: usize,
    /// Its height, 1 to 1,000.
    pub(super) height: u32,
}

/// The bars of a row: heights by `scale`; neighbours of one height are one bar.
pub(super) fn bars(columns: &[u64], scale: impl Fn(u64) -> u32) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (column, _) in columns.iter().enumerate().filter(|(_, amount)| **amount > 0) {
        let height = scale(columns[column]).clamp(1, 1_000);
        match bars.last_mut().filter(|bar| bar.column + bar.width == column && bar.height == height) {
            Some(bar) => bar.width += 1,
            None => bars.push(Bar { column, width: 1, height }),
        }
    }
    bars
}

/// A logarithmic scale from `low` to `high`: both to be seen, whatever lies between them. A single event is a bar too.
pub(super) fn logarithmic(low: u64, high: u64) -> impl Fn(u64) -> u32 {
    let (low, high) = (low.max(1), high.max(low.max(1) + 1));
    #[expect(clippy::cast_precision_loss)]
    let log = |amount: u64| (amount.max(1) as f64).ln();
    let length = log(high) - log(low);
    move |amount| {
        let part = ((log(amount.clamp(low, high)) - log(low)) / length).clamp(0.0, 1.0);
        let lowest = f64::from(LOWEST);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let height = (lowest + (1_000.0 - lowest) * part).round() as u32;
        height
    }
}

/// The decades between two latencies in microseconds, with where they lie, for lines across a row.
pub(super) fn decades(low_us: u64, high_us: u64) -> Vec<u64> {
    const DECADES_MAX: u32 = 12;
    let all = (0..DECADES_MAX).map(|power| 10_u64.pow(power));
    all.filter(|&decade| decade > low_us && decade < high_us).collect()
}

/// Times of loss, each until the next time that all was well again, or to the end of the window: in percent.
pub(super) fn outages(window: Window, lost: &[Moment], back: &[Moment]) -> Vec<(f64, f64)> {
    let mut outages: Vec<(f64, f64)> = Vec::new();
    let mut until = i64::MIN;
    for loss in lost {
        if loss.from_us < until {
            continue;
        }
        let end = back.iter().map(|back| back.from_us).find(|&end| end >= loss.from_us);
        until = end.unwrap_or(i64::MAX);
        let shown_end = end.unwrap_or(window.to_us);
        if window.meets(loss.from_us, shown_end) {
            let (from, to) = (window.percent(loss.from_us), window.percent(shown_end));
            outages.push((from, (to - from).max(0.0)));
        }
    }
    outages.dedup();
    outages
}

/// An incident on a time line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    /// Its number in the report.
    pub(super) number: usize,
    /// Where it begins, in percent.
    pub(super) left: f64,
    /// How wide it is, in percent.
    pub(super) width: f64,
    /// Whether there is room for its number.
    pub(super) labelled: bool,
}

/// The bands of incidents, given as number, first and last time: each wide enough to be seen, numbers where they fit.
pub(super) fn bands(window: Window, incidents: impl Iterator<Item = (usize, i64, i64)>) -> Vec<Band> {
    const WIDTH_MIN: f64 = 0.6;
    let mut bands: Vec<Band> = incidents
        .filter(|&(_, from, to)| window.meets(from, to))
        .map(|(number, from, to)| {
            let left = window.percent(from).min(100.0 - WIDTH_MIN);
            let width = (window.percent(to) - left).max(WIDTH_MIN);
            Band { number, left, width, labelled: false }
        })
        .collect();
    bands.sort_by(|one, other| one.left.total_cmp(&other.left).then(one.number.cmp(&other.number)));
    let mut free_from = 0.0;
    for band in &mut bands {
        if band.left >= free_from {
            band.labelled = true;
            free_from = band.left + LABEL_PERCENT;
        }
    }
    bands
}

/// A tick of the axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Where it stands, in percent.
    pub(super) at: f64,
    /// Its time.
    pub(super) micros: i64,
    /// Whether a narrow page leaves out its label.
    pub(super) wide_only: bool,
}

/// Ticks at round times, [`TICKS_MAX`] at most; and the seconds between two of them.
pub(super) fn ticks(window: Window) -> (Vec<Tick>, i64) {
    const STEPS_SECONDS: [i64; 25] = [
        1,
        2,
        5,
        10,
        15,
        30,
        60,
        120,
        300,
        600,
        900,
        1_800,
        3_600,
        7_200,
        10_800,
        21_600,
        43_200,
        86_400,
        172_800,
        604_800,
        1_209_600,
        2_592_000,
        7_776_000,
        31_536_000,
        315_360_000,
    ];
    let fits = |step: &&i64| window.length_us() / (**step * 1_000_000) < TICKS_MAX;
    let step = STEPS_SECONDS.iter().find(fits).copied().unwrap_or(window.length_us() / 1_000_000 / 4 + 1);
    let step_us = step * 1_000_000;
    let first = window.from_us.div_euclid(step_us) + i64::from(window.from_us.rem_euclid(step_us) > 0);
    let times = (0..TICKS_MAX).map(|number| (first + number).saturating_mul(step_us));
    let ticks = times.take_while(|&micros| micros <= window.to_us).enumerate().map(|(place, micros)| Tick {
        at: window.percent(micros),
        micros,
        wide_only: place % 2 == 1,
    });
    (ticks.collect(), step)
}

/// The label of a tick: days where ticks are days apart, else hours and minutes, seconds only where they differ.
pub(super) fn tick_label(axis: Axis, micros: i64, step_seconds: i64) -> String {
    let day = micros.div_euclid(DAY_US);
    if step_seconds >= 86_400 {
        let (year, month, number) = civil::date(day);
        return match axis {
            Axis::Wall => format!("{year:04}-{month:02}-{number:02}"),
            Axis::Yearless => format!("{month:02}-{number:02}"),
            Axis::Day | Axis::Boot => format!("day {day}"),
        };
    }
    let seconds = micros.rem_euclid(DAY_US) / 1_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let time = if step_seconds % 60 == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    };
    if axis == Axis::Boot && day > 0 { format!("{day}d {time}") } else { time }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn window(from: i64, to: i64) -> Window {
        Window { from_us: from * SECOND, to_us: to * SECOND, axis: Axis::Wall }
    }

    fn moment(from: i64, to: i64, amount: u64) -> Moment {
        Moment { from_us: from * SECOND, to_us: to * SECOND, amount }
    }

    #[test]
    fn a_moment_alone_stands_in_the_middle_of_its_window() {
        let window = Window::around(Axis::Wall, 50 * SECOND, 50 * SECOND);
        assert!(window.length_us() >= LENGTH_US_MIN);
        assert!((window.percent(50 * SECOND) - 50.0).abs() < 0.1);
    }

    #[test]
    fn times_beyond_all_reason_stay_within_the_edges() {
        let window = Window::around(Axis::Wall, i64::MIN, i64::MAX);
        for micros in [i64::MIN, 0, i64::MAX] {
            assert!((0.0..=100.0).contains(&window.percent(micros)));
            assert!(window.column(micros) < COLUMNS);
        }
        assert!(ticks(window).0.len() <= 8);
    }

    #[test]
    fn a_sum_is_shared_out_and_nothing_of_it_is_lost() {
        let window = window(0, 160);
        let found = columns(window, [moment(10, 14, 7), moment(12, 12, 1)].into_iter(), false);
        assert_eq!(found[10..=14], [2, 2, 2, 1, 1]);
        assert_eq!(found.iter().sum::<u64>(), 8);
    }

    #[test]
    fn of_peaks_the_highest_stays_and_what_is_outside_is_not_drawn() {
        let moments = [moment(3, 3, 5), moment(3, 3, 9), moment(200, 201, 99)];
        let found = columns(window(0, 160), moments.into_iter(), true);
        assert_eq!((found[3], found.iter().max()), (9, Some(&9)));
    }

    #[test]
    fn neighbours_of_one_height_are_one_bar() {
        let bar = |column, width, height| Bar { column, width, height };
        let found = bars(&[0, 4, 4, 9, 0, 4], |amount| u32::try_from(amount * 100).unwrap());
        assert_eq!(found, [bar(1, 2, 400), bar(3, 1, 900), bar(5, 1, 400)]);
    }

    #[test]
    fn the_lowest_bar_is_seen_and_the_highest_fills_its_row() {
        let scale = logarithmic(1, 1_000);
        assert_eq!((scale(1), scale(1_000), scale(u64::MAX)), (LOWEST, 1_000, 1_000));
        assert!(scale(10) > scale(9));
        assert_eq!(logarithmic(7, 7)(7), LOWEST);
        assert_eq!(decades(500, 2_000_000), [1_000, 10_000, 100_000, 1_000_000]);
    }

    #[test]
    fn an_outage_lasts_until_it_is_over_or_to_the_end() {
        let lost = [moment(10, 10, 1), moment(12, 12, 1), moment(80, 80, 1)];
        let back = [moment(20, 20, 1)];
        assert_eq!(outages(window(0, 100), &lost, &back), [(10.0, 10.0), (80.0, 20.0)]);
        assert_eq!(outages(window(30, 70), &lost, &back), []);
    }

    #[test]
    fn numbers_of_incidents_do_not_lie_upon_one_another() {
        let incidents =
            [(2, 51 * SECOND, 52 * SECOND), (1, 50 * SECOND, 50 * SECOND), (3, 90 * SECOND, 99 * SECOND)];
        let found = bands(window(0, 100), incidents.into_iter());
        let labels: Vec<_> = found.iter().map(|band| (band.number, band.labelled)).collect();
        assert_eq!(labels, [(1, true), (2, false), (3, true)]);
        assert!(found.iter().all(|band| band.width > 0.5 && band.left + band.width <= 100.5));
    }

    #[test]
    fn ticks_stand_at_round_times_and_say_no_more_than_they_need() {
        let (found, step) = ticks(window(5, 65));
        let labels: Vec<_> = found.iter().map(|tick| tick_label(Axis::Wall, tick.micros, step)).collect();
        assert_eq!(labels, ["00:00:10", "00:00:20", "00:00:30", "00:00:40", "00:00:50", "00:01:00"]);
        assert_eq!(tick_label(Axis::Wall, 3_600 * SECOND, 600), "01:00");
        assert_eq!(tick_label(Axis::Wall, 20_541 * DAY_US, 86_400), "2026-03-29");
        assert_eq!(tick_label(Axis::Boot, DAY_US, 60), "1d 00:00");
    }
}
