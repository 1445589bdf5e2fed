//! The event queue: what will happen, in the order of true time, and of pushing where times are equal.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::slab::Key;
use crate::{FaultKind, HostIndex, TrueTime};

/// Dead entries that are let lie before the queue is swept.
const DEAD_MAX: usize = 1024;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A sleeper's time has come.
    Timer(Key),
    /// A task that was slow to wake is ready.
    Ready(Key),
    /// The device comes to a command.
    Execute { command: Key, repeated: bool },
    /// The reply to a command arrives.
    Reply(Key),
    /// A stopped host goes on.
    Resume { host: HostIndex, pause: u64 },
    /// A fault that comes by itself.
    Fault { kind: FaultKind, host: Option<HostIndex> },
    /// The disk remembers its content, for a rollback.
    Remember,
}

/// An event in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) at: TrueTime,
    sequence: u64,
    pub(crate) event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// The queue. Timers whose sleepers are gone are left in it, counted, and swept out when they are many: a host sets a
/// deadline for each command and drops nearly all of them.
pub(crate) struct EventQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    dead: usize,
}

impl EventQueue {
    pub(crate) fn new() -> EventQueue {
        EventQueue { heap: BinaryHeap::new(), sequence: 0, dead: 0 }
    }

    pub(crate) fn push(&mut self, at: TrueTime, event: Event) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, event }));
    }

    /// Puts an entry back in the place from which it was taken.
    pub(crate) fn put_back(&mut self, entry: Entry) {
        self.heap.push(Reverse(entry));
    }

    pub(crate) fn next_time(&self) -> Option<TrueTime> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// A timer's sleeper is gone; `is_alive` tells which events still mean something.
    pub(crate) fn bury(&mut self, is_alive: impl Fn(&Event) -> bool) {
        self.dead += 1;
        if self.dead > DEAD_MAX && self.dead * 2 > self.heap.len() {
            self.heap.retain(|Reverse(entry)| is_alive(&entry.event));
            self.dead = 0;
        }
    }

    /// A dead timer was popped.
    pub(crate) fn exhume(&mut self) {
        self.dead = self.dead.saturating_sub(1);
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_pushing() {
        let mut queue = EventQueue::new();
        let fault = |number| Event::Fault { kind: FaultKind::Crash, host: Some(HostIndex(number)) };
        for (at, number) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            queue.push(TrueTime::from_nanoseconds(at), fault(number));
        }
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.event).collect();
        assert_eq!(order, [1, 3, 0, 2].map(fault));
    }

    #[test]
    fn dropped_timers_do_not_pile_up() {
        let mut queue = EventQueue::new();
        let mut slab = crate::slab::Slab::new();
        for time in 0..100_000 {
            let key = slab.insert(());
            queue.push(TrueTime::from_nanoseconds(time), Event::Timer(key));
            slab.remove(key);
            queue.bury(|event| matches!(event, Event::Timer(key) if slab.get(*key).is_some()));
        }
        assert!(queue.heap.len() <= 2 * DEAD_MAX, "{}", queue.heap.len());
    }
}
