//! Which blocks of a unit are in whose hands: what overlaps is one after the other, what does not goes on side by side.
//!
//! Whoever writes has its blocks alone; readers share. In the order of asking: a reader behind a waiting writer of the same
//! blocks waits too, so nobody starves. This is what makes a COMPARE AND WRITE one act against everything else (SBC-4,
//! COMPARE AND WRITE command), whichever session and portal the others come from.

use std::cell::{Cell, RefCell};
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
    queue: RefCell<Queue>,
    next: Cell<u64>,
}

#[derive(Default)]
struct Queue {
    /// By their numbers.
    entries: Vec<Entry>,
    /// Those that want some blocks alone. Where there are none nobody is in a reader's way, and nothing needs to be looked through.
    alone: usize,
    /// Those that were not granted.
    waiting: usize,
}

struct Entry {
    number: u64,
    wanted: Wanted,
    is_granted: bool,
    waker: Option<Waker>,
}

/// One run of blocks, or two that are had together or not at all.
struct Wanted {
    first: Run,
    second: Option<Run>,
}

/// Blocks, and how they are held.
pub(crate) type Run = (Range<u64>, Hold);

impl Wanted {
    fn runs(&self) -> impl Iterator<Item = &Run> {
        std::iter::once(&self.first).chain(&self.second)
    }

    fn is_in_the_way_of(&self, other: &Wanted) -> bool {
        // Most want one run.
        if self.second.is_none() && other.second.is_none() {
            return excludes(&self.first, &other.first);
        }
        self.runs().any(|run| other.runs().any(|others| excludes(run, others)))
    }

    fn is_alone(&self) -> bool {
        self.runs().any(|(_, hold)| *hold == Hold::Alone)
    }
}

fn excludes((blocks, hold): &Run, (others, others_hold): &Run) -> bool {
    let overlaps = blocks.start < others.end && others.start < blocks.end;
    overlaps && (*hold == Hold::Alone || *others_hold == Hold::Alone)
}

impl Queue {
    /// The place of an entry. They are in the order of their numbers.
    fn place(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |entry| entry.number).ok()
    }

    /// Takes its place behind all others; whether it is granted at once.
    fn enter(&mut self, number: u64, wanted: Wanted) -> bool {
        let is_alone = wanted.is_alone();
        let may_wait = is_alone || self.alone > 0;
        let is_granted =
            !may_wait || !self.entries.iter().any(|entry| entry.wanted.is_in_the_way_of(&wanted));
        self.alone += usize::from(is_alone);
        self.waiting += usize::from(!is_granted);
        self.entries.push(Entry { number, wanted, is_granted, waker: None });
        is_granted
    }

    fn leave(&mut self, number: u64) {
        let Some(place) = self.place(number) else { return };
        let left = self.entries.remove(place);
        self.alone -= usize::from(left.wanted.is_alone());
        self.waiting -= usize::from(!left.is_granted);
        if self.waiting == 0 {
            return;
        }
        // Who came before cannot have waited for it.
        for later in place..self.entries.len() {
            let entry = &self.entries[later];
            if entry.is_granted || !left.wanted.is_in_the_way_of(&entry.wanted) {
                continue;
            }
            let mut earlier = self.entries[..later].iter();
            if !earlier.any(|earlier| earlier.wanted.is_in_the_way_of(&entry.wanted)) {
                self.grant(later);
            }
        }
    }

    fn grant(&mut self, place: usize) {
        self.waiting -= 1;
        let entry = &mut self.entries[place];
        entry.is_granted = true;
        if let Some(waker) = entry.waker.take() {
            waker.wake();
        }
    }
}

/// Blocks in one's hands, until it is dropped.
pub(crate) struct Held {
    ranges: Rc<Ranges>,
    number: u64,
    is_granted: Cell<bool>,
}

impl Held {
    /// Whether the blocks are in its hands.
    pub(crate) fn is_granted(&self) -> bool {
        self.is_granted.get()
    }

    /// Waits until they are.
    pub(crate) async fn granted(&self) {
        if !self.is_granted() {
            poll_fn(|context| self.ranges.poll(self.number, context.waker())).await;
            self.is_granted.set(true);
        }
    }
}

impl Ranges {
    /// Waits until nobody who asked before holds or wants any of `blocks`, as far as `hold` minds.
    pub(crate) async fn hold(self: &Rc<Ranges>, blocks: Range<u64>, hold: Hold) -> Held {
        let held = self.ask(blocks, hold);
        held.granted().await;
        held
    }

    /// Takes its place among those who ask for blocks, which it has as soon as that [is granted](Held::is_granted).
    pub(crate) fn ask(self: &Rc<Ranges>, blocks: Range<u64>, hold: Hold) -> Held {
        self.enter(Wanted { first: (blocks, hold), second: None })
    }

    /// The same for two runs at once. Whoever asked for them one after the other could wait for somebody who wants both and waits for the
    /// first of them.
    pub(crate) async fn hold_both(self: &Rc<Ranges>, first: Run, second: Run) -> Held {
        let held = self.enter(Wanted { first, second: Some(second) });
        held.granted().await;
        held
    }

    fn enter(self: &Rc<Ranges>, wanted: Wanted) -> Held {
        let number = self.next.get();
        self.next.set(number + 1);
        let is_granted = Cell::new(self.queue.borrow_mut().enter(number, wanted));
        Held { ranges: Rc::clone(self), number, is_granted }
    }

    fn poll(&self, number: u64, waker: &Waker) -> Poll<()> {
        let mut queue = self.queue.borrow_mut();
        let Some(place) = queue.place(number) else { return Poll::Ready(()) };
        let entry = &mut queue.entries[place];
        if entry.is_granted {
            return Poll::Ready(());
        }
        entry.waker = Some(waker.clone());
        Poll::Pending
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ranges.queue.borrow_mut().leave(self.number);
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

    /// A copy from 0 to 9, and an unmap of all of it that came while somebody had block 0.
    #[test]
    fn who_wants_two_runs_does_not_wait_for_somebody_who_waits_for_one_of_them() {
        let ranges = Rc::new(Ranges::default());
        let first = now(ask(&ranges, 0..1, Hold::Alone)).unwrap();
        let both = Rc::clone(&ranges);
        let mut copy =
            Box::pin(async move { both.hold_both((0..1, Hold::Shared), (9..10, Hold::Alone)).await });
        assert!((&mut copy).now_or_never().is_none());
        let mut unmap = Box::pin(ask(&ranges, 0..10, Hold::Alone));
        assert!((&mut unmap).now_or_never().is_none());
        assert!(now(ask(&ranges, 9..10, Hold::Shared)).is_none(), "the copy's, too");
        drop(first);
        let held = (&mut copy).now_or_never().expect("the copy came before the unmap");
        assert!((&mut unmap).now_or_never().is_none());
        drop(held);
        assert!((&mut unmap).now_or_never().is_some());
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
        let queue = ranges.queue.borrow();
        assert!(queue.entries.len() <= 1 && queue.waiting == 0 && queue.alone == 0);
    }
}
