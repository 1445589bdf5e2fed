//! Seams: where the log of one host ends and that of another begins, with nothing between them but a clock that jumps back.
//!
//! `grep -h` and `cat` put the logs of several hosts one behind the other, and no line says where. Within one log time goes on, or, in an export that stands
//! newest first, back; what goes the other way by more than a clock is ever set begins another log, or a part of the same: nobody knows.

use crate::civil::DAY_US;
use crate::stamp::{Axis, Stamp};

/// Lines of several processors come out of their order by seconds, and people paste a few lines as they find them.
const SLACK_US: i64 = 120_000_000;
const BOOT_SLACK_US: i64 = 5_000_000;
/// A clock without a zone goes back by an hour when summer ends.
const SUMMER_US: i64 = 3_600_000_000 + SLACK_US;
/// A year that is not printed begins anew, or a day.
const YEAR_TURNS_US: i64 = 300 * DAY_US;
const DAY_TURNS_US: i64 = DAY_US / 2;

/// Which way the times of an input go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seams {
    last: Option<Stamp>,
    rises: u32,
    falls: u32,
}

/// A jump of the times between two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    Back,
    Forth,
}

impl Seams {
    /// Meets the time of the next line: the jump from the one before it, where it is one.
    pub fn meet(&mut self, when: Stamp) -> Option<Jump> {
        let apart = self.last.replace(when).and_then(|last| when.since(&last))?;
        self.rises = self.rises.saturating_add(u32::from(apart > 0));
        self.falls = self.falls.saturating_add(u32::from(apart < 0));
        let slack = match (when.axis, when.zone_minutes) {
            // A kernel counts from its own start alone.
            (Axis::Boot, _) => BOOT_SLACK_US,
            (_, Some(_)) => SLACK_US,
            (_, None) => SUMMER_US,
        };
        let turns = match when.axis {
            Axis::Yearless => YEAR_TURNS_US,
            Axis::Day => DAY_TURNS_US,
            Axis::Wall | Axis::Boot => i64::MAX,
        };
        match apart {
            _ if apart.saturating_abs() <= slack || apart.saturating_abs() >= turns => None,
            back if back < 0 => Some(Jump::Back),
            _ => Some(Jump::Forth),
        }
    }

    /// Whether a jump is against the way that times go here.
    pub fn is_seam(&self, jump: Jump) -> bool {
        if self.falls > self.rises { jump == Jump::Forth } else { jump == Jump::Back }
    }
}
