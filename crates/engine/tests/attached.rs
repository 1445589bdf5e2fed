//! An attached disk on one host: what requests cost on the device, what is on it after a clean end, and how groups come and go.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use oarlock_block::{Clock, CommandKind, Device, Lba, Recorded};
use oarlock_engine::allocate::Wish;
use oarlock_engine::layer::{Reclaim, Reclaimed};
use oarlock_engine::path::{Extent, Next, Operation, PathError, Request, RequestKind, Status};
use oarlock_format::GroupNumber;

use crate::company::{beside, join};
use crate::guest::{Bench, Found, serving};
use crate::ledger::superblock;
use crate::machine::{Machine, SMALL};
use crate::{company, guest};

const KIB: u64 = 1 << 10;
const CLUSTER: u64 = 64 * KIB;
const WRITE: RequestKind = RequestKind::Write { durable: false };

struct Stage {
    bench: Bench,
    recorded: Rc<Recorded>,
}

/// A disk of that size, attached to host `a` for the first time.
fn on_stage<T>(bytes: u64, cluster: u64, size: u64, story: impl AsyncFnOnce(&Stage) -> T) -> (Machine, T) {
    let machine = Machine::new(bytes);
    machine.format_clusters(cluster);
    let clock = Rc::clone(&machine.time) as Rc<dyn Clock>;
    let recorded = Rc::new(Recorded::new(Rc::clone(&machine.disk) as Rc<dyn Device>, clock));
    let device = Rc::clone(&recorded) as Rc<dyn Device>;
    let host = join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let nothing: Rc<dyn Fn(Lba)> = Rc::new(|_| {});
    let bench = Bench::attach(&machine, &device, &host, (size, None), &nothing);
    let stage = Stage { bench, recorded };
    let value = beside(&machine, &host, serving(&stage.bench, story(&stage)));
    (machine, value)
}

impl Stage {
    /// The commands of a request, beats apart: what, and how many blocks.
    async fn cost(&self, kind: RequestKind, offset: u64, length: u64) -> Vec<(CommandKind, u64)> {
        drop(self.recorded.take());
        let data = vec![0x55; usize::try_from(length).unwrap()];
        self.bench.run(Request { kind, offset, length }, data).await.0.unwrap();
        let slots = self.bench.machine.layout().slots;
        let commands = self.recorded.take().into_iter().filter(|command| !slots.contains(command.lba));
        commands.map(|command| (command.kind, command.blocks.0)).collect()
    }

    async fn write(&self, offset: u64, length: u64) -> Result<(), PathError> {
        let data = vec![0x55; usize::try_from(length).unwrap()];
        self.bench.run(Request { kind: WRITE, offset, length }, data).await.0
    }

    async fn flush(&self) {
        self.bench.run(Request::FLUSH, Vec::new()).await.0.unwrap();
    }
}

#[test]
fn a_write_costs_one_command_one_to_a_new_place_two_and_a_flush_of_new_places_three() {
    use CommandKind::{Flush, Read, Write};
    on_stage(SMALL, CLUSTER, 4 << 20, async |stage| {
        // The first write of all: a group's bitmap, the root, and what begins the life of the journal.
        let first = stage.cost(WRITE, 0, 4 * KIB).await;
        let journal = [(Read, 1), (CommandKind::Ats, 1), (Flush, 0), (Write, 16), (Flush, 0)];
        // And its note: the image of the leaf's page, which changed for the first time.
        let expected = [[(Read, 8), (Write, 128)].as_slice(), &journal, &[(Write, 8), (Write, 16)]].concat();
        assert_eq!(first, expected);
        // Into a place that it has, and into a new one: a note of a few bytes.
        assert_eq!(stage.cost(WRITE, 0, 4 * KIB).await, [(Write, 8)]);
        assert_eq!(stage.cost(WRITE, CLUSTER, 4 * KIB).await, [(Write, 8), (Write, 8)]);
        assert_eq!(stage.cost(RequestKind::Read, CLUSTER, 4 * KIB).await, [(Read, 8)]);
        // A commit that says no more than that the notes before it are durable.
        assert_eq!(stage.cost(RequestKind::Flush, 0, 0).await, [(Flush, 0), (Write, 8), (Flush, 0)]);
        assert_eq!(stage.cost(WRITE, 2 * CLUSTER, 64 * KIB).await, [(Write, 128), (Write, 8)]);
        assert_eq!(stage.cost(RequestKind::Flush, 0, 0).await, [(Flush, 0), (Write, 8), (Flush, 0)]);
        // Nothing new: one flush.
        stage.cost(WRITE, 0, 4 * KIB).await;
        assert_eq!(stage.cost(RequestKind::Flush, 0, 0).await, [(Flush, 0)]);
    });
}

#[test]
fn a_disk_that_was_detached_is_home_and_owns_what_its_bits_say() {
    let (machine, ()) = on_stage(SMALL, 16 * KIB, 8 << 20, async |stage| {
        for place in 0..40 {
            stage.write(place * 200 * KIB, 20 * KIB).await.unwrap();
        }
        let trim = RequestKind::Trim { durable: false };
        let trimmed = Request { kind: trim, offset: 0, length: 2 << 20 };
        stage.bench.run(trimmed, Vec::new()).await.0.unwrap();
        stage.bench.disk.detach().await.unwrap();
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
    });
    let found = Found::read(&machine).unwrap();
    assert_eq!(found.leaked(), 0);
    assert_eq!(found.sector(&machine, (39 * 200 * KIB) / 512), vec![0x55; 512]);
    assert_eq!(found.sector(&machine, 0), vec![0; 512]);
    let free = company::read::<oarlock_format::GroupRecord>(
        &machine,
        superblock(&machine).space().record(GroupNumber(0)),
    );
    let all = u32::try_from(superblock(&machine).space().clusters()).unwrap();
    assert_eq!(free.free, all - u32::try_from(found.bits.len()).unwrap());
}

/// A bit that is cleared with its entry says to this host alone that the cluster is not everybody's yet.
#[test]
fn a_group_goes_with_the_bits_set_of_what_may_still_be_known() {
    let (machine, ()) = on_stage(SMALL, CLUSTER, 8 << 20, async |stage| {
        stage.write(0, 4 * CLUSTER).await.unwrap();
        stage.flush().await;
        let trim = RequestKind::Trim { durable: false };
        stage.bench.run(Request { kind: trim, offset: 0, length: 3 * CLUSTER }, Vec::new()).await.0.unwrap();
        assert_eq!(stage.bench.disk.path().waiting_to_be_free(), 3, "its unmapping is not durable");
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
        assert_eq!(
            Found::read(&stage.bench.machine).unwrap().bits.len(),
            5,
            "the root, and all that was written"
        );
        stage.write(4 * CLUSTER, CLUSTER).await.unwrap();
        stage.bench.disk.detach().await.unwrap();
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
    });
    assert_eq!(Found::read(&machine).unwrap().leaked(), 0);
}

#[test]
fn a_layer_is_reclaimed_to_the_last_cluster_but_its_root() {
    // Clusters of 4 KiB: a leaf of one page maps a mebibyte, so that there are three levels.
    let size = 300 << 20;
    let (machine, ()) = on_stage(64 << 20, 4 * KIB, size, async |stage| {
        for place in 0..120 {
            stage.write(place * (5 << 19), 8 * KIB).await.unwrap();
        }
        stage.bench.disk.detach().await.unwrap();
        let bench = &stage.bench;
        let journal = bench.layer_again();
        let mut reclaim = Reclaim::new(&journal);
        let mut steps = 0;
        while reclaim.step().await.unwrap() == Reclaimed::More {
            steps += 1;
            assert!(steps < 10_000);
        }
        assert!(journal.close().await.unwrap());
        for group in 0..superblock(&bench.machine).space().groups() {
            assert!(bench.source.give_up(GroupNumber(group)).await.unwrap());
        }
    });
    let found = Found::read(&machine).unwrap();
    let root = guest::root_of(&machine).cluster.unwrap();
    assert_eq!(found.bits.into_iter().collect::<Vec<_>>(), [root]);
    assert!(found.entries.is_empty());
}

#[test]
fn a_disk_that_grows_has_a_root_above_its_root_and_reads_what_it_read() {
    let (machine, ()) = on_stage(SMALL, 4 * KIB, 1 << 20, async |stage| {
        stage.write(8 * KIB, 4 * KIB).await.unwrap();
        let size = 100 << 20;
        stage.bench.layer.raise(guest::levels(&stage.bench.machine, size)).await.unwrap();
        stage.bench.disk.path().resize(size);
        stage.write(size - 4 * KIB, 4 * KIB).await.unwrap();
        let read = Request { kind: RequestKind::Read, offset: 8 * KIB, length: 4 * KIB };
        let (result, data) = stage.bench.run(read, vec![0; 4096]).await;
        assert_eq!((result, data), (Ok(()), vec![0x55; 4096]));
        stage.bench.disk.detach().await.unwrap();
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
    });
    let found = Found::read(&machine).unwrap();
    assert_eq!((found.entries.len(), found.leaked()), (2, 0));
}

#[test]
fn a_full_datastore_says_so_after_one_pass_and_takes_writes_again_once_something_is_freed() {
    on_stage(SMALL, CLUSTER, 64 << 20, async |stage| {
        let mut written = 0;
        let full = loop {
            match stage.write(written * CLUSTER, CLUSTER).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full, PathError::NoSpace);
        let all = superblock(&stage.bench.machine).space().clusters();
        assert_eq!(written, all - 1, "all but the root");
        // What there is can be written, and nothing is said of a group that this host owns.
        stage.write(0, CLUSTER).await.unwrap();
        let asked = stage.bench.locks.asked.borrow().clone();
        assert_eq!(asked, [(0, Wish::Idle)]);
        let trim = Request { kind: RequestKind::Trim { durable: false }, offset: 0, length: 3 * CLUSTER };
        stage.bench.run(trim, Vec::new()).await.0.unwrap();
        stage.write(written * CLUSTER, CLUSTER).await.unwrap();
        stage.flush().await;
    });
}

#[test]
fn a_group_is_kept_while_anybody_may_use_a_cluster_of_it_and_taken_anew_after_it_was_given_up() {
    on_stage(SMALL, CLUSTER, 4 << 20, async |stage| {
        stage.write(0, CLUSTER).await.unwrap();
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
        assert_eq!(stage.bench.source.owned_groups(), 0);
        assert_eq!(
            stage.bench.disk.path().wanted(),
            oarlock_engine::path::RESERVOIR_MAX,
            "all were called back"
        );
        stage.write(0, CLUSTER).await.unwrap();
        assert_eq!(stage.bench.source.owned_groups(), 0, "in place, no group is needed");
        stage.write(CLUSTER, CLUSTER).await.unwrap();
        assert_eq!(stage.bench.locks.asked.borrow().len(), 2);
        let kept = stage.bench.source.clusters(1, None).await.unwrap();
        assert!(!stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
        stage.bench.source.give_back(kept);
        assert!(stage.bench.source.give_up(GroupNumber(0)).await.unwrap());
    });
}

#[test]
fn an_operation_beyond_what_the_host_can_have_is_refused_and_others_go_on() {
    on_stage(SMALL, CLUSTER, 4 << 20, async |stage| {
        stage.bench.locks.refused.borrow_mut().insert(0);
        assert_eq!(stage.write(0, CLUSTER).await, Err(PathError::NoSpace));
        let read = Request { kind: RequestKind::Read, offset: 0, length: CLUSTER };
        let (result, data) = stage.bench.run(read, vec![0xEE; 65_536]).await;
        assert_eq!((result, data), (Ok(()), vec![0; 65_536]));
        stage.bench.locks.refused.borrow_mut().clear();
        stage.bench.pause(superblock(&stage.bench.machine).timing.beat).await;
        stage.write(0, CLUSTER).await.unwrap();
    });
}

/// What is said of a disk from its beginning to its end: the places of data, and how often was asked.
async fn data_of(stage: &Stage, size: u64) -> (Vec<(u64, u64)>, u32) {
    let (path, clock) = (stage.bench.disk.path(), Rc::clone(&stage.bench.machine.time));
    let (mut data, mut at, mut asked) = (Vec::new(), 0, 0);
    while at < size {
        let mut operation =
            Operation::new(Request { kind: RequestKind::BlockStatus, offset: at, length: size - at });
        let done = poll_fn(|context| match operation.next(path, clock.now(), context.waker()) {
            Next::Done(result) => Poll::Ready(result),
            Next::Wait(_) | Next::Hold => Poll::Pending,
            Next::Submit(_) => panic!("block status reads pages, which the engine brings"),
        });
        done.await.unwrap();
        for Extent { length, status } in operation.extents() {
            match status {
                Status::Here => data.push((at, *length)),
                Status::Zero => {}
                status => panic!("{status:?} at {at}"),
            }
            at += length;
        }
        asked += 1;
    }
    (data, asked)
}

/// An import of a sparse image of 15 TiB took 43 s: each of its clusters was looked up.
#[test]
fn block_status_of_a_large_disk_tells_each_place_of_data_and_passes_over_what_has_no_leaf() {
    const TIB: u64 = 1 << 40;
    let places = [0, CLUSTER, 3 * CLUSTER, (5 << 30) + CLUSTER, TIB - CLUSTER, TIB, 16 * TIB - CLUSTER];
    on_stage(SMALL, CLUSTER, 16 * TIB, async |stage| {
        assert_eq!(data_of(stage, 16 * TIB).await, (Vec::new(), 1));
        for place in places {
            stage.write(place, CLUSTER).await.unwrap();
        }
        let runs = [
            (0, 2 * CLUSTER),
            (3 * CLUSTER, CLUSTER),
            ((5 << 30) + CLUSTER, CLUSTER),
            (TIB - CLUSTER, 2 * CLUSTER),
            (16 * TIB - CLUSTER, CLUSTER),
        ];
        let (data, asked) = data_of(stage, 16 * TIB).await;
        assert_eq!(data, runs);
        assert!(asked < 10, "asked {asked} times");
    });
}
