//! Measuring: so many operations in flight for so long, and the figures of it.

use std::cell::RefCell;
use std::time::Duration;

use futures::future::try_join_all;
use oarlock_block::{Clock, CommandKind, Histogram, Metered};
use serde::Serialize;

use crate::failure::Failure;

/// One kind of operation, with what it keeps from one to the next.
pub trait Operation {
    /// Does it once.
    ///
    /// # Errors
    /// Why the bench must stop.
    async fn once(&mut self) -> Result<(), Failure>;
}

/// What was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    operations_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    ios_per_operation: f64,
}

/// Keeps every one of `operations` going, one after another, for `length`; counts the commands that `device` gets.
/// Each is done once beforehand, uncounted: the first of its kind pays for what the others find ready.
///
/// # Errors
/// The first operation's that fails.
pub async fn measure<O: Operation>(
    clock: &dyn Clock,
    device: &Metered,
    operations: &mut [O],
    length: Duration,
) -> Result<Figures, Failure> {
    try_join_all(operations.iter_mut().map(Operation::once)).await?;
    let latency = RefCell::new(Histogram::default());
    let commands_before = commands(device);
    let begin = clock.now();
    let end = begin.plus(length);
    try_join_all(operations.iter_mut().map(async |operation| {
        let mut sent = clock.now();
        while sent < end {
            operation.once().await?;
            let answered = clock.now();
            latency.borrow_mut().record(answered.since(sent));
            sent = answered;
        }
        Ok::<(), Failure>(())
    }))
    .await?;
    let elapsed = clock.now().since(begin);
    Ok(Figures::of(&latency.borrow(), elapsed, commands(device) - commands_before))
}

fn commands(device: &Metered) -> u64 {
    CommandKind::ALL.into_iter().map(|kind| device.meter(kind).issued).sum()
}

impl Figures {
    fn of(latency: &Histogram, elapsed: Duration, commands: u64) -> Figures {
        let operations = latency.count() as f64;
        let microseconds = |duration: Duration| tenths(duration.as_secs_f64() * 1e6);
        let thousandths = |number: f64| (number * 1000.0).round() / 1000.0;
        Figures {
            operations_per_second: tenths(operations / elapsed.as_secs_f64()),
            p50_us: microseconds(latency.p50()),
            p99_us: microseconds(latency.p99()),
            max_us: microseconds(latency.max()),
            ios_per_operation: thousandths(commands as f64 / operations.max(1.0)),
        }
    }

    /// The figures for people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{:.0} operations a second; commands an operation: {}\nlatency p50 {} us, p99 {} us, longest {} us\n",
            self.operations_per_second, self.ios_per_operation, self.p50_us, self.p99_us, self.max_us
        )
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_rates_and_quotients_of_what_was_counted() {
        let mut latency = Histogram::default();
        for _ in 0..10 {
            latency.record(Duration::from_micros(100));
        }
        let figures = Figures::of(&latency, Duration::from_secs(2), 21);
        assert_eq!((figures.operations_per_second, figures.ios_per_operation), (5.0, 2.1));
        assert_eq!((figures.p50_us, figures.max_us), (100.0, 100.0));
    }
}
