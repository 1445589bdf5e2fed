//! Guests at work on an attached disk whose host loses its power at any command: what they flushed is there, what they read
//! was written, and each cluster is owned once. Compared with a naive disk, from a seed.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use oarlock_block::{Device, Lba};
use oarlock_engine::layer::Root;
use oarlock_engine::path::{Request, RequestKind};
use oarlock_format::GroupNumber;
use oarlock_sim::disks::{Naive, SECRET, tag_of, tagged};

use crate::company::{beside, join};
use crate::guest::{Bench, Found, root_of, serving};
use crate::ledger::{superblock, taken_over_by};
use crate::machine::{self, BLOCK, Disk, Machine};
use crate::power::{Power, mixed};

/// One kind of run.
#[derive(Clone, Copy)]
struct Kind {
    cluster: u64,
    /// Of the disk, in clusters.
    clusters: u64,
    trims: bool,
}

/// A run under way: the device, the guests' disk, and what they may read.
struct Run {
    kind: Kind,
    seed: u64,
    power: Rc<Power>,
    naive: RefCell<Naive>,
}

impl Kind {
    fn size(self) -> u64 {
        self.cluster * self.clusters
    }

    fn sectors(self) -> u64 {
        self.size() / BLOCK as u64
    }
}

/// A datastore every free sector of which shows the secret.
fn prepared(kind: Kind) -> Machine {
    let machine = Machine::new(machine::SMALL);
    machine.format_clusters(kind.cluster);
    let space = superblock(&machine).space();
    let secret = tagged(SECRET);
    for group in (0..space.groups()).map(GroupNumber) {
        let first = space.record(group).0 + u64::from(space.head()) * space.cluster_blocks().0;
        // As much as the guests will ever touch: a sparse disk stays small.
        let clusters = u64::from(space.clusters_of(group) - space.head()).min(kind.clusters * 4);
        (0..clusters * space.cluster_blocks().0)
            .for_each(|block| machine.disk.put(Lba(first + block), &secret));
    }
    machine
}

/// Attaches the disk to a new host, and lets `story` happen.
fn on_disk(
    machine: &Machine,
    power: &Rc<Power>,
    (name, size, root): (&str, u64, Option<Root>),
    story: impl AsyncFnOnce(&Bench),
) {
    let device = Rc::clone(power) as Rc<dyn Device>;
    let host = join(machine, machine.process_on(Rc::clone(&device)).0, name);
    let swapped = {
        let power = Rc::clone(power);
        Rc::new(move |lba| power.note_durable_swap(lba)) as Rc<dyn Fn(Lba)>
    };
    let bench = Bench::attach(machine, &device, &host, (size, root), &swapped);
    beside(machine, &host, serving(&bench, story(&bench)));
}

impl Run {
    fn random(&self, bench: &Bench) -> Request {
        let sectors = self.kind.sectors();
        let per_cluster = self.kind.cluster / BLOCK as u64;
        let trim = RequestKind::Trim { durable: bench.below(3) == 0 };
        let zeroes = RequestKind::WriteZeroes { durable: false, keep: bench.below(2) == 0, fast: false };
        let write = RequestKind::Write { durable: bench.below(8) == 0 };
        let kind = match bench.below(12) {
            0..3 => RequestKind::Read,
            3..8 => write,
            8 | 9 if self.kind.trims => [trim, zeroes][usize::try_from(bench.below(2)).unwrap()],
            8 | 9 => write,
            _ => return Request::FLUSH,
        };
        let unit = [1, 8, per_cluster][usize::try_from(bench.below(3)).unwrap()];
        let most = [8, per_cluster, 3 * per_cluster][usize::try_from(bench.below(3)).unwrap()];
        let first = bench.below(sectors) / unit * unit;
        let count = (bench.below(most) + 1).next_multiple_of(unit).min(sectors - first);
        Request { kind, offset: first * BLOCK as u64, length: count * BLOCK as u64 }
    }

    /// One request, and what it must have come to.
    async fn request(&self, bench: &Bench, request: Request) {
        let commands = self.power.commands();
        let (number, data) = self.naive.borrow_mut().begin(&request, commands);
        let (result, data) = bench.run(request, data).await;
        assert_eq!(result, Ok(()), "seed {}: {request:?}", self.seed);
        let ended = self.naive.borrow_mut().end(&request, number, &data, self.power.commands());
        ended.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn guest(&self, bench: &Bench, requests: usize) {
        for _ in 0..requests {
            let request = self.random(bench);
            self.request(bench, request).await;
        }
    }

    /// What is found on a disk after the power went before command `cut`, and the journal was replayed.
    fn judge(&self, cut: usize, disk: Disk) {
        self.judge_by(cut, disk, "a");
    }

    fn judge_by(&self, cut: usize, disk: Disk, name: &str) {
        let machine = Machine::with_disk(disk);
        let about = format!("seed {}, cut {cut}", self.seed);
        taken_over_by(&machine, "b", name).unwrap_or_else(|error| panic!("{about}: {error}"));
        let found = Found::read(&machine).unwrap_or_else(|error| panic!("{about}: {error}"));
        let naive = self.naive.borrow();
        for sector in 0..self.kind.sectors() {
            let tag = tag_of(&found.sector(&machine, sector)).unwrap();
            naive.check_after(sector, tag, cut).unwrap_or_else(|error| panic!("{about}: {error}"));
        }
        // A cluster that was given up may keep its bit (`check` frees it); nothing else may.
        assert!(self.kind.trims || found.leaked() == 0, "{about}: {} clusters leaked", found.leaked());
    }
}

/// Three guests at work, the power going at some of the commands.
fn run(seed: u64, kind: Kind, requests: usize, cuts: u64) -> Run {
    let machine = prepared(kind);
    let power = Power::new(Rc::clone(&machine.disk));
    let naive = RefCell::new(Naive::default());
    let run = Run { kind, seed, power: Rc::clone(&power), naive };
    on_disk(&machine, &power, ("a", kind.size(), None), async |bench| {
        bench.seed(seed);
        // The root is there; its making is judged elsewhere.
        let first = Request { kind: RequestKind::Write { durable: true }, offset: 0, length: 4096 };
        run.request(bench, first).await;
        power.begin();
        run.naive.borrow_mut().all_is_durable();
        power.slow_down(&machine.time, Duration::from_micros(300));
        bench.slow.set(Some(Duration::from_millis(2)));
        let guests = (0..3).map(|_| run.guest(bench, requests));
        let checkpoints = async {
            for _ in 0..requests / 12 {
                bench.pause(Duration::from_millis(20 + bench.below(40))).await;
                bench.checkpoint().await;
            }
        };
        futures::join!(join_all(guests), checkpoints);
    });
    let commands = power.commands();
    for sample in 0..cuts {
        let cut = usize::try_from(mixed(seed << 16 | sample) % (commands as u64 + 1)).unwrap();
        for disk in power.disks_lost(cut, 1).into_iter().rev().take(3) {
            run.judge(cut, disk);
        }
    }
    run.judge(commands, power.lost(commands, |_, _| true));
    run
}

const BIG: Kind = Kind { cluster: 64 << 10, clusters: 24, trims: false };
const SMALL: Kind = Kind { cluster: 4 << 10, clusters: 700, trims: false };
const MIDDLE: Kind = Kind { cluster: 16 << 10, clusters: 40, trims: false };

#[test]
fn what_was_flushed_is_there_after_any_loss_of_power_and_no_cluster_leaks() {
    for (seed, kind) in (1..).zip([BIG, SMALL, MIDDLE]) {
        run(seed, kind, 60, 25);
    }
}

#[test]
fn trims_and_zeroes_give_clusters_to_others_only_when_nobody_can_come_back_to_them() {
    for (seed, kind) in (11..).zip([BIG, SMALL, MIDDLE]) {
        run(seed, Kind { trims: true, ..kind }, 60, 25);
    }
}

#[test]
fn the_making_of_a_first_root_survives_the_loss_of_power_at_any_command() {
    let kind = Kind { clusters: 3, ..BIG };
    let machine = prepared(kind);
    let power = Power::new(Rc::clone(&machine.disk));
    let run = Run { kind, seed: 0, power: Rc::clone(&power), naive: RefCell::new(Naive::default()) };
    on_disk(&machine, &power, ("a", kind.size(), None), async |bench| {
        power.begin();
        run.request(bench, Request { kind: RequestKind::Write { durable: true }, offset: 0, length: 4096 })
            .await;
    });
    for cut in 0..=power.commands() {
        for disk in power.disks_lost(cut, 2) {
            let machine = Machine::with_disk(disk);
            taken_over_by(&machine, "b", "a").unwrap_or_else(|error| panic!("cut {cut}: {error}"));
            let found = Found::read(&machine).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
            let leaked = found.leaked();
            assert!(leaked <= 1, "cut {cut}: {leaked} clusters leaked");
            assert!(
                leaked == 0 || root_of(&machine).cluster.is_none(),
                "cut {cut}: only a root that was never named"
            );
            let tag = tag_of(&found.sector(&machine, 0)).unwrap();
            run.naive.borrow().check_after(0, tag, cut).unwrap_or_else(|error| panic!("cut {cut}: {error}"));
        }
    }
}

#[test]
fn another_host_goes_on_where_the_power_went_and_so_does_the_next() {
    for (seed, kind) in (21..).zip([BIG, SMALL]) {
        let first = run(seed, Kind { trims: true, ..kind }, 40, 0);
        let commands = first.power.commands();
        let cut = commands / 2;
        let machine = Machine::with_disk(
            first.power.lost(cut, |number, sector| mixed((number + sector) as u64).is_multiple_of(2)),
        );
        taken_over_by(&machine, "b", "a").unwrap();
        let found = Found::read(&machine).unwrap();
        let tags = (0..kind.sectors()).map(|sector| tag_of(&found.sector(&machine, sector)).unwrap());
        let power = Power::new(Rc::clone(&machine.disk));
        let second = Run {
            kind: Kind { trims: true, ..kind },
            seed,
            power: Rc::clone(&power),
            naive: RefCell::new(Naive::of(tags)),
        };
        on_disk(&machine, &power, ("c", kind.size(), Some(root_of(&machine))), async |bench| {
            bench.seed(seed + 100);
            bench.slow.set(Some(Duration::from_millis(2)));
            let guests = (0..3).map(|_| second.guest(bench, 40));
            join_all(guests).await;
        });
        let end = power.commands();
        second.judge_by(end, power.lost(end, |_, _| true), "c");
    }
}

#[test]
#[ignore = "minutes: more seeds of everything"]
fn many_seeds() {
    let first = std::env::var("OARLOCK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_000);
    for seed in first..first + 60 {
        let kind = [BIG, SMALL, MIDDLE][usize::try_from(seed % 3).unwrap()];
        println!("seed {seed}");
        run(seed, Kind { trims: seed % 2 == 0, ..kind }, 100, 60);
    }
}
