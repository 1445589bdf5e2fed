//! Repeats: the same refusal of one block at each beat is one event per lease, with how many more there were.
//!
//! ```text
//!   refused  refused  refused ...  | a lease later: refused ...  | another, or a beat is confirmed, or the end
//!      |         +--------+--------> counted                     |
//!      +-> told                       told with the count        +-> the count is told
//! ```

use std::cell::RefCell;
use std::time::Duration;

use oarlock_block::Instant;

use crate::event::Event;

/// What was told of the host's own slot at last, and how often it came again.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    last: RefCell<Option<Repeat>>,
}

#[derive(Debug)]
struct Repeat {
    event: Event,
    told: Instant,
    more: u64,
}

impl Repeat {
    fn is_told_by(&self, event: &Event) -> bool {
        let what = |event: &Event| (event.kind, event.cause, event.lba, event.action);
        what(&self.event) == what(event) && self.event.detail == event.detail
    }

    /// The count, as an event like the one that was told; `None` where there was but one.
    fn counted(self, now: Instant) -> Option<Event> {
        let Repeat { event, told, more } = self;
        let seconds = now.since(told).as_secs_f64();
        let detail = format!("{}; {more} times more within {seconds:.1} s", event.detail);
        (more > 0).then_some(Event { detail, ..event })
    }
}

impl Repeats {
    /// The events to tell now that this one came: none, where the same was told less than a lease ago.
    pub(crate) fn take(&self, event: Event, now: Instant, lease: Duration) -> Vec<Event> {
        let mut last = self.last.borrow_mut();
        if let Some(repeat) = last.as_mut().filter(|repeat| repeat.is_told_by(&event)) {
            repeat.more += 1;
            if now.since(repeat.told) < lease {
                return Vec::new();
            }
            let counted = Repeat { event: event.clone(), ..*repeat }.counted(now);
            *last = Some(Repeat { event, told: now, more: 0 });
            return counted.into_iter().collect();
        }
        let before = last.replace(Repeat { event: event.clone(), told: now, more: 0 });
        before.and_then(|repeat| repeat.counted(now)).into_iter().chain([event]).collect()
    }

    /// It is over: the count that was not told.
    pub(crate) fn end(&self, now: Instant) -> Option<Event> {
        self.last.take().and_then(|repeat| repeat.counted(now))
    }
}
