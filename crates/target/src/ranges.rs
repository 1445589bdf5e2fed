//! Which blocks of a unit are in whose hands: what overlaps is one after the other, what does not goes on side by side.
//!
//! Whoever writes has its blocks alone; readers share. In the order of asking: a reader behind a waiting writer of the same
//! blocks waits too, so nobody starves. This is what makes a COMPARE AND WRITE one act against everything else (SBC-4,
//! COMPARE AND WRITE command), whichever session and portal the others come from.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// How blocks are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// With other readers.
    Shared,
    /// Alone.
    Alone,
}

/// The blocks that are held or waited for, in the order of asking.
#[derive(Default)]
pub(crate) struct Ranges {
    entries: RefCell<Vec<Entry>>,
    next: std::cell::Cell<u64>,
}

struct Entry {
    number: u64,
    blocks: Range<u64>,
    hold: Hold,
    is_granted: bool,
    waker: Option<Waker>,
}

impl Entry {
    fn is_in_the_way_of(&self, blocks: &Range<u64>, hold: Hold) -> bool {
        let overlaps = self.blocks.start < blocks.end && blocks.start < self.blocks.end;
        overlaps && (self.hold == Hold::Alone || hold == Hold::Alone)
    }
}

/// Blocks in one's hands, until it is dropped.
pub(crate) struct Held {
    ranges: Rc<Ranges>,
    number: u64,
}

impl Ranges {
    /// Waits until nobody who asked before holds or wants any of `blocks`, as far as `hold` minds.
    pub(crate) async fn hold(self: &Rc<Ranges>, blocks: Range<u64>, hold: Hold) -> Held {
        let number = self.next.get();
        self.next.set(number + 1);
        let is_granted = {
            let mut entries = self.entries.borrow_mut();
            let is_granted = !entries.iter().any(|entry| entry.is_in_the_way_of(&blocks, hold));
            entries.push(Entry { number, blocks, hold, is_granted, waker: None });
            is_granted
        };
        let held = Held { ranges: Rc::clone(self), number };
        if !is_granted {
            poll_fn(|context| self.poll(number, context.waker())).await;
        }
        held
    }

    fn poll(&self, number: u64, waker: &Waker) -> Poll<()> {
        let mut entries = self.entries.borrow_mut();
        match entries.iter_mut().find(|entry| entry.number == number) {
            Some(entry) if !entry.is_granted => {
                entry.waker = Some(waker.clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn leave(&self, number: u64) {
        let mut entries = self.entries.borrow_mut();
        let Some(place) = entries.iter().position(|entry| entry.number == number) else { return };
        let left = entries.remove(place);
        // Who came before cannot have waited for it.
        for later in place..entries.len() {
            let entry = &entries[later];
            if entry.is_granted || !left.is_in_the_way_of(&entry.blocks, entry.hold) {
                continue;
            }
            let is_free =
                !entries[..later].iter().any(|earlier| earlier.is_in_the_way_of(&entry.blocks, entry.hold));
            if is_free {
                entries[later].is_granted = true;
                if let Some(waker) = entries[later].waker.take() {
                    waker.wake();
                }
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ranges.leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn ask(ranges: &Rc<Ranges>, blocks: Range<u64>, hold: Hold) -> impl Future<Output = Held> + use<> {
        let ranges = Rc::clone(ranges);
        async move { ranges.hold(blocks, hold).await }
    }

    fn now(future: impl Future<Output = Held>) -> Option<Held> {
        Box::pin(future).now_or_never()
    }

    #[test]
    fn what_overlaps_is_one_after_the_other_and_what_does_not_side_by_side() {
        let ranges = Rc::new(Ranges::default());
        let first = now(ask(&ranges, 0..8, Hold::Alone)).unwrap();
        let beside = now(ask(&ranges, 8..16, Hold::Alone)).unwrap();
        assert!(now(ask(&ranges, 7..9, Hold::Shared)).is_none());
        drop(first);
        assert!(now(ask(&ranges, 7..9, Hold::Shared)).is_none(), "the other one is still there");
        drop(beside);
        assert!(now(ask(&ranges, 7..9, Hold::Shared)).is_some());
    }

    #[test]
    fn readers_share_and_a_reader_behind_a_waiting_writer_waits_too() {
        let ranges = Rc::new(Ranges::default());
        let reader = now(ask(&ranges, 0..8, Hold::Shared)).unwrap();
        let second = now(ask(&ranges, 4..8, Hold::Shared)).unwrap();
        let mut writer = Box::pin(ask(&ranges, 6..7, Hold::Alone));
        assert!((&mut writer).now_or_never().is_none());
        let mut late = Box::pin(ask(&ranges, 0..8, Hold::Shared));
        assert!((&mut late).now_or_never().is_none(), "the writer is not starved");
        drop(reader);
        assert!((&mut writer).now_or_never().is_none());
        drop(second);
        let held = (&mut writer).now_or_never().unwrap();
        assert!((&mut late).now_or_never().is_none());
        drop(held);
        assert!((&mut late).now_or_never().is_some());
    }

    #[test]
    fn who_stops_waiting_keeps_nobody_waiting() {
        let ranges = Rc::new(Ranges::default());
        let reader = now(ask(&ranges, 0..8, Hold::Shared)).unwrap();
        let mut writer = Box::pin(ask(&ranges, 0..8, Hold::Alone));
        assert!((&mut writer).now_or_never().is_none());
        let mut late = Box::pin(ask(&ranges, 0..8, Hold::Shared));
        assert!((&mut late).now_or_never().is_none());
        drop(writer);
        assert!((&mut late).now_or_never().is_some());
        drop(reader);
        assert!(ranges.entries.borrow().len() <= 1);
    }
}
