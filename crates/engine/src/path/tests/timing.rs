//! What a request costs in time, as a ratio to copying 4 KiB. Run by hand, in release.

use std::sync::{Arc, RwLock};
use std::task::Waker;
use std::time::{Duration, Instant as Clock};

use oarlock_block::{BlockSize, ByteCount, Instant};
use oarlock_format::{ClusterNumber, LeafEntry, MapShape, Mapped, PieceMask};

use super::supplier::TestSupplier;
use crate::path::*;

/// A map as a page cache has it: an entry behind a lock of its page.
struct Pages(Vec<RwLock<Vec<LeafEntry>>>);

const PER_PAGE: usize = 252;

impl DiskMap for Pages {
    fn look_up(&self, index: u64) -> Looked {
        let index = usize::try_from(index).unwrap();
        let entry = self.0[index / PER_PAGE].read().unwrap()[index % PER_PAGE];
        Looked::Entry { entry, leaf_is_own: true }
    }

    fn publish(&self, _: &Publication) -> Published {
        Published::NotNow
    }

    fn durable(&self) -> ChangeNumber {
        ChangeNumber(0)
    }

    fn noted(&self) -> ChangeNumber {
        ChangeNumber(0)
    }
}

fn nanoseconds(rounds: u32, mut work: impl FnMut(u64)) -> f64 {
    let best = (0..5).map(|_| {
        let start = Clock::now();
        (0..u64::from(rounds)).for_each(&mut work);
        start.elapsed()
    });
    best.min().unwrap_or_default().as_secs_f64() * 1e9 / f64::from(rounds)
}

#[test]
#[ignore = "a measurement"]
fn a_request_costs_less_than_a_few_copies_of_its_data() {
    let pages = 64;
    let entry = |number: usize| LeafEntry {
        own: Some(Mapped { cluster: ClusterNumber(number as u64 + 1), mask: PieceMask::first(16) }),
        owned: true,
        ..LeafEntry::default()
    };
    let page = |page: usize| RwLock::new((0..PER_PAGE).map(|at| entry(page * PER_PAGE + at)).collect());
    let map = Pages((0..pages).map(page).collect());
    let size = (pages * PER_PAGE) as u64 * (64 << 10);
    let ground = Ground::at(0, BlockSize::B512, MapShape::new(ByteCount(64 << 10)));
    let path =
        DataPath::new(ground, PathMode::default(), size, Arc::new(map), Arc::new(TestSupplier::default()));
    let now = Instant::from_zero(Duration::from_secs(1));
    path.extend(Instant::from_zero(Duration::from_secs(2)));
    let waker = Waker::noop();
    let mut operation = Operation::new(Request::FLUSH);
    let mut run = |kind, offset, length| {
        if operation.segments_out() == 0 && offset > 0 {
            operation.reuse(Request { kind, offset, length });
        }
        loop {
            match operation.next(&path, now, waker) {
                Next::Submit(segments) => {
                    let count = segments.len();
                    (0..count).for_each(|index| operation.answered(SegmentIndex(index), Ok(())));
                }
                Next::Done(result) => return result.unwrap(),
                other => panic!("{other:?}"),
            }
        }
    };
    run(RequestKind::Flush, 0, 0);
    let source = vec![1_u8; 1 << 20];
    let mut target = vec![0_u8; 1 << 20];
    let copy = nanoseconds(100_000, |round| {
        let at = usize::try_from(round % 200).unwrap() * 4096;
        target[at..at + 4096].copy_from_slice(&source[at..at + 4096]);
        std::hint::black_box(&target);
    });
    let offset = |round: u64| (round * 7_919 * 4096) % (size - (1 << 20)) / 4096 * 4096 + 4096;
    let read = nanoseconds(100_000, |round| run(RequestKind::Read, offset(round), 4096));
    let write = nanoseconds(100_000, |round| run(RequestKind::Write { durable: false }, offset(round), 4096));
    let long = nanoseconds(10_000, |round| run(RequestKind::Read, offset(round), 1 << 20));
    println!(
        "copy of 4 KiB {copy:.0} ns; read of 4 KiB {read:.0} ns, {:.1}; write {write:.0} ns, {:.1}; read of 1 MiB {long:.0} ns, {:.1}",
        read / copy,
        write / copy,
        long / copy
    );
    assert!(read < 50.0 * copy && write < 50.0 * copy);
}
