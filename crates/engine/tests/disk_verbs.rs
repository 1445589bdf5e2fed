//! The verbs of disks on two hosts, compared with a naive estate at every step, from a seed; and what is on the device in the end.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future;
use oarlock_block::{ByteCount, Clock, Device, Lba};
use oarlock_engine::path::{Action, Next, Operation, PathError, Request, RequestKind, Segment};
use oarlock_engine::{Attachment, DiskError, Ended};

use crate::estate::{Estate, Image, Worker, apply, in_use_by_a, named, target, zeros};
use crate::machine::{BLOCK, Machine};
use crate::pair::{beside_two, beside_two_on};
use crate::power::mixed;
use crate::{company, ledger, machine};

async fn write(worker: &Worker, attachment: &Attachment, image: &mut Image, at: (u64, u64), tag: u64) {
    let (offset, length) = (at.0 * BLOCK as u64, at.1 * BLOCK as u64);
    let request = Request { kind: RequestKind::Write { durable: false }, offset, length };
    let data = apply(&mut image.now, &request, tag);
    worker.run(attachment, request, data).await;
}

const CLUSTER: u64 = 64 << 10;
const SECTORS: u64 = 2 << 11;

#[test]
fn what_one_host_wrote_and_detached_another_attaches_and_reads() {
    let survey = beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("a", SECTORS).await.unwrap();
        let here = first.attach("a").await.unwrap();
        write(first, &here, &mut image, (3, 500), 1).await;
        let there = second.host.attach_disk(&target("a", None), false, second.machine.time.now()).await;
        let in_use = in_use_by_a();
        assert_eq!(there.map(|_| ()), Err(in_use));
        here.detach().await.unwrap();
        let there = second.attach("a").await.unwrap();
        assert_eq!(second.contents(&there).await, image.now);
        write(second, &there, &mut image, (0, 5), 2).await;
        // One that is dropped is detached all the same.
        drop(there);
        assert_eq!(first.look("a", None).await.unwrap(), image.now);
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (1, 0));
}

#[test]
fn a_snapshot_keeps_what_a_disk_showed_while_its_guest_goes_on() {
    let survey = beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("a", SECTORS).await.unwrap();
        let here = first.attach("a").await.unwrap();
        write(first, &here, &mut image, (0, 700), 1).await;
        first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await.unwrap();
        let then = image.now.clone();
        write(first, &here, &mut image, (10, 1), 2).await;
        write(first, &here, &mut image, (600, 300), 3).await;
        assert_eq!(first.contents(&here).await, image.now);
        assert_eq!(second.look("a", Some("s")).await.unwrap(), then);
        let again = first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await;
        assert_eq!(again, Err(DiskError::SnapshotExists { disk: named("a"), snapshot: named("s") }));
        here.detach().await.unwrap();
        second.host.clone_disk(&target("a", Some("s")), &named("b"), second.soon()).await.unwrap();
        assert_eq!(first.look("b", None).await.unwrap(), then);
        second.host.revert_disk(&named("a"), &named("s"), second.soon()).await.unwrap();
        assert_eq!(first.look("a", None).await.unwrap(), then);
        let refused = first.host.delete_disk(&named("a"), first.soon()).await;
        assert_eq!(refused, Err(DiskError::HasSnapshots { name: named("a"), count: 1 }));
    });
    assert_eq!((survey.layers.len(), survey.left_over(), survey.leaked()), (3, vec![], 0));
}

/// ```text
///   guest: write in place, no answer ......... EIO ........................................... lands
///   snapshot: the cluster is the frozen layer's from now on                                      the snapshot has changed
/// ```
/// Found by reading: whoever made a disk quiet asked for operations that are under way, and not for what failed without an answer.
#[test]
fn a_write_without_an_answer_holds_snapshots_and_detaching_up_for_a_lease_and_no_guest() {
    let survey = beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("a", SECTORS).await.unwrap();
        let here = first.attach("a").await.unwrap();
        write(first, &here, &mut image, (0, 64), 1).await;
        let waker = std::task::Waker::noop();
        let now = || first.machine.time.now();
        let write_in_place = Request { kind: RequestKind::Write { durable: false }, offset: 0, length: 512 };
        let mut hanging = Operation::new(write_in_place);
        let Next::Submit([Segment { action: Action::Write { to_byte, .. }, .. }]) =
            hanging.next(here.path(), now(), waker)
        else {
            panic!("it writes in place");
        };
        let lands_at = Lba(to_byte / BLOCK as u64);
        let snapshot =
            async || first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await.map(drop);
        let began = now();
        let unanswered = |under_way, quarantined| Err(DiskError::Unanswered { under_way, quarantined });
        assert_eq!(snapshot().await, unanswered(1, 0));
        let took = now().since(began);
        assert!(took < first.host.timing().lease * 2, "{took:?}");
        write(first, &here, &mut image, (100, 3), 2).await;
        hanging.give_up(here.path());
        assert_eq!(hanging.next(here.path(), now(), waker), Next::Done(Err(PathError::Io)));
        let began = now();
        assert_eq!(snapshot().await, unanswered(0, 1));
        assert_eq!(here.detach().await, unanswered(0, 1));
        assert!(now().since(began) < Duration::from_secs(1), "there is nothing to wait for");
        here.path().unpause();
        write(first, &here, &mut image, (200, 3), 3).await;
        // At last it lands, and whoever sent it hears that it has ended.
        let data = apply(&mut image.now, &write_in_place, 4);
        first.device.write(lands_at, &data).await.unwrap();
        here.path().close(hanging.quarantine().unwrap());
        snapshot().await.unwrap();
        assert_eq!(first.contents(&here).await, image.now);
        here.detach().await.unwrap();
        assert_eq!(second.look("a", Some("s")).await.unwrap(), image.now);
    });
    assert_eq!((survey.left_over(), survey.leaked()), (vec![], 0));
}

#[test]
fn a_disk_grows_while_its_guest_works_and_does_not_shrink() {
    beside_two(4 << 10, async |first, second| {
        let mut image = Image { now: zeros(8), ..Image::default() };
        first.create("a", 8).await.unwrap();
        let here = first.attach("a").await.unwrap();
        write(first, &here, &mut image, (0, 8), 1).await;
        let size = 6_000;
        first.host.resize_disk(&named("a"), ByteCount(size * BLOCK as u64), first.soon()).await.unwrap();
        image.now.resize(usize::try_from(size).unwrap(), 0);
        write(first, &here, &mut image, (size - 9, 9), 2).await;
        assert_eq!(first.contents(&here).await, image.now);
        here.detach().await.unwrap();
        assert_eq!(second.look("a", None).await.unwrap(), image.now);
        let shrunk = second.host.resize_disk(&named("a"), ByteCount(512), second.soon()).await;
        assert!(matches!(shrunk, Err(DiskError::Shrink { .. })), "{shrunk:?}");
    });
}

#[test]
fn a_snapshot_that_another_host_deletes_is_absorbed_by_who_has_the_disk() {
    let survey = beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("a", SECTORS).await.unwrap();
        let here = first.attach("a").await.unwrap();
        write(first, &here, &mut image, (0, 700), 1).await;
        first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await.unwrap();
        write(first, &here, &mut image, (10, 1), 2).await;
        second.host.delete_snapshot(&named("a"), &named("s"), second.soon()).await.unwrap();
        second.pause(Duration::from_secs(10)).await;
        let descriptors = first.machine.layout().descriptor_count();
        let used = (0..descriptors).map(oarlock_format::DescriptorNumber).filter(|number| {
            let lba = first.machine.layout().descriptor(*number);
            company::read::<oarlock_format::DescriptorRecord>(&first.machine, lba).layer.is_some()
        });
        assert_eq!(used.count(), 1, "only the disk is left, though it is attached all the time");
        assert_eq!(first.contents(&here).await, image.now);
        here.detach().await.unwrap();
        assert_eq!(second.look("a", None).await.unwrap(), image.now);
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (1, 0));
}

/// A host trims what stands in another's group, and is told to leave before that is free: it asks for the group once more, for nobody else
/// knows of those clusters any more.
#[test]
fn a_host_that_leaves_frees_what_it_gave_up_in_the_group_of_another() {
    let machine = Machine::new(160 << 20);
    machine.format_clusters(CLUSTER);
    let worker = |name| Worker {
        machine: machine.clone(),
        device: Rc::clone(&machine.disk) as Rc<dyn Device>,
        host: company::join(&machine, machine.process().0, name),
    };
    let (owner, leaver) = (worker("a"), worker("b"));
    machine.time.run(async {
        let story = async {
            let mut image = Image { now: zeros(SECTORS), ..Image::default() };
            owner.create("d", SECTORS).await.unwrap();
            let here = owner.attach("d").await.unwrap();
            write(&owner, &here, &mut image, (0, SECTORS), 1).await;
            here.detach().await.unwrap();
            let there = leaver.attach("d").await.unwrap();
            let length = SECTORS * BLOCK as u64;
            let trim = Request { kind: RequestKind::Trim { durable: false }, offset: 0, length };
            leaver.run(&there, trim, Vec::new()).await;
            let ends = future::join(leaver.host.leave(leaver.soon()), there.detach());
            assert_eq!(ends.await, (Ended::Left, Ok(())));
            assert_eq!(leaver.host.uncleared(), 0);
            assert_eq!(owner.host.leave(owner.soon()).await, Ended::Left);
        };
        future::join3(owner.host.run(), leaver.host.run(), story).await
    });
    let survey = ledger::survey(&machine).unwrap();
    assert_eq!((survey.layers.len(), survey.held, survey.leaked()), (1, 0, 0));
}

#[test]
fn a_full_datastore_is_told_to_the_guest_and_what_another_host_deletes_makes_room() {
    let survey = beside_two_on(machine::SMALL, CLUSTER, async |first, second| {
        let cluster = CLUSTER / BLOCK as u64;
        let mut old = Image { now: zeros(SECTORS), ..Image::default() };
        second.create("old", SECTORS).await.unwrap();
        let there = second.attach("old").await.unwrap();
        write(second, &there, &mut old, (0, SECTORS), 1).await;
        second.host.snapshot_disk(&named("old"), &named("s"), second.soon()).await.unwrap();
        write(second, &there, &mut old, (0, cluster / 2), 2).await;
        there.detach().await.unwrap();
        let mut image = Image { now: zeros(SECTORS * 30), ..Image::default() };
        first.create("big", SECTORS * 30).await.unwrap();
        let here = first.attach("big").await.unwrap();
        let mut written = 0;
        let full = loop {
            let (offset, length) = (written * CLUSTER, CLUSTER);
            let request = Request { kind: RequestKind::Write { durable: false }, offset, length };
            let data = apply(&mut image.now, &request, 3);
            match first.try_run(&here, request, data).await.0 {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full, PathError::NoSpace);
        assert!(written * CLUSTER > machine::SMALL / 3, "{written} clusters were written");
        second.host.delete_snapshot(&named("old"), &named("s"), second.soon()).await.unwrap();
        second.host.delete_disk(&named("old"), second.soon()).await.unwrap();
        second.pause(Duration::from_secs(60)).await;
        write(first, &here, &mut image, (written * cluster, 20 * cluster), 4).await;
        assert_eq!(first.contents(&here).await[..1000], image.now[..1000]);
        here.detach().await.unwrap();
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (1, 0));
}

/// A run from a seed: two hosts, whatever they may do, and the model.
struct Run {
    seed: u64,
    dice: Cell<u64>,
    sectors: u64,
    /// Of the names of its disks.
    prefix: &'static str,
}

impl Run {
    fn below(&self, bound: u64) -> u64 {
        self.dice.set(self.dice.get() + 1);
        mixed(self.seed << 32 | self.dice.get()) % bound.max(1)
    }

    fn pick<'a>(&self, from: impl ExactSizeIterator<Item = &'a String>) -> Option<String> {
        let (count, mut from) = (from.len() as u64, from);
        from.nth(usize::try_from(self.below(count)).unwrap()).cloned()
    }

    fn fresh(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.below(6))
    }

    fn request(&self, sectors: u64) -> Request {
        let kind = match self.below(8) {
            0 => RequestKind::Trim { durable: false },
            1 => RequestKind::WriteZeroes { durable: false, keep: self.below(2) == 0, fast: false },
            _ => RequestKind::Write { durable: self.below(4) == 0 },
        };
        let first = self.below(sectors);
        let count =
            (1 + self.below([4, 40, 300][usize::try_from(self.below(3)).unwrap()])).min(sectors - first);
        Request { kind, offset: first * BLOCK as u64, length: count * BLOCK as u64 }
    }

    /// Some requests on a disk that is attached.
    async fn work(&self, worker: &Worker, attachment: &Attachment, image: &mut Image) {
        for _ in 0..self.below(6) {
            let request = self.request(image.now.len() as u64);
            let data = apply(&mut image.now, &request, self.dice.get());
            worker.run(attachment, request, data).await;
        }
    }

    /// One verb on a disk of the model, by a host; what it must come to is in the model then.
    async fn verb(&self, worker: &Worker, estate: &mut Estate, attached: bool, name: &str) {
        let Worker { host, .. } = worker;
        let image = estate.get_mut(name).unwrap();
        let snapshot = self.pick(image.snapshots.keys());
        let about = format!("seed {}, {name}@{snapshot:?}", self.seed);
        match (self.below(9), snapshot) {
            (0..2, _) => {
                let new = self.fresh("s");
                let made = host.snapshot_disk(&named(name), &named(&new), worker.soon()).await;
                let exists = image.snapshots.contains_key(&new);
                assert_eq!(made.is_ok(), !exists, "{about}: {made:?}");
                if !exists {
                    image.snapshots.insert(new, image.now.clone());
                }
            }
            (2..4, Some(snapshot)) => {
                host.delete_snapshot(&named(name), &named(&snapshot), worker.soon())
                    .await
                    .unwrap_or_else(|error| panic!("{about}: {error}"));
                image.snapshots.remove(&snapshot);
            }
            (4, Some(snapshot)) if !attached => {
                host.revert_disk(&named(name), &named(&snapshot), worker.soon())
                    .await
                    .unwrap_or_else(|error| panic!("{about}: {error}"));
                image.now.clone_from(&image.snapshots[&snapshot]);
            }
            (5, snapshot) => {
                let snapshot = snapshot.filter(|_| self.below(3) > 0);
                let new = self.fresh(self.prefix);
                let from = target(name, snapshot.as_deref());
                let made = host.clone_disk(&from, &named(&new), worker.soon()).await;
                let now = snapshot.map_or(image.now.clone(), |snapshot| image.snapshots[&snapshot].clone());
                assert_eq!(made.is_ok(), !estate.contains_key(&new), "{about}: {made:?}");
                estate.entry(new).or_insert(Image { now, ..Image::default() });
            }
            (6, _) => {
                let sectors = image.now.len() as u64 + self.below(400);
                let size = ByteCount(sectors * BLOCK as u64);
                host.resize_disk(&named(name), size, worker.soon())
                    .await
                    .unwrap_or_else(|error| panic!("{about}: {error}"));
                image.now.resize(usize::try_from(sectors).unwrap(), 0);
            }
            (8, _) => host
                .flatten_disk(&named(name), worker.soon())
                .await
                .unwrap_or_else(|error| panic!("{about}: {error}")),
            (7, _) if !attached => {
                let deleted = host.delete_disk(&named(name), worker.soon()).await;
                assert_eq!(deleted.is_ok(), image.snapshots.is_empty(), "{about}: {deleted:?}");
                if deleted.is_ok() {
                    estate.remove(name);
                }
            }
            _ => {}
        }
    }

    /// A while with one disk, attached or not.
    async fn turn(&self, worker: &Worker, estate: &mut Estate) {
        let Some(name) = self.pick(estate.keys()) else {
            let name = self.fresh(self.prefix);
            worker.create(&name, self.sectors).await.unwrap();
            estate.insert(name, Image { now: zeros(self.sectors), ..Image::default() });
            return;
        };
        if self.below(4) == 0 {
            return self.verb(worker, estate, false, &name).await;
        }
        let attachment = worker.attach(&name).await.unwrap();
        for _ in 0..1 + self.below(3) {
            self.work(worker, &attachment, estate.get_mut(&name).unwrap()).await;
            self.verb(worker, estate, true, &name).await;
            let image = &estate[&name];
            assert!(worker.contents(&attachment).await == image.now, "seed {}: {name} differs", self.seed);
        }
        if self.below(5) == 0 {
            drop(attachment);
        } else {
            attachment.detach().await.unwrap();
        }
    }
}

/// Two hosts by turns, each verb on whichever disk; all that there is compared again and again.
fn random(seed: u64, cluster: u64, turns: u64) {
    let run = Run { seed, dice: Cell::new(0), sectors: cluster / BLOCK as u64 * 9, prefix: "d" };
    let survey = beside_two(cluster, async |first, second| {
        let mut estate = Estate::new();
        for turn in 0..turns {
            let worker = if run.below(3) == 0 { second } else { first };
            run.turn(worker, &mut estate).await;
            if turn % 4 == 3 {
                let worker = if run.below(2) == 0 { second } else { first };
                worker.pause(Duration::from_millis(run.below(3_000))).await;
                let found = worker.estate().await.unwrap();
                assert!(found == estate, "seed {seed}, turn {turn}: another estate");
            }
        }
    });
    assert_eq!((survey.left_over(), survey.leaked()), (vec![], 0), "seed {seed}: {:?}", survey.layers);
}

#[test]
fn whatever_two_hosts_do_with_disks_by_turns_is_what_a_naive_estate_does() {
    for (seed, cluster) in [(1, 64 << 10), (2, 16 << 10), (3, 4 << 10), (4, 64 << 10)] {
        random(seed, cluster, 24);
    }
}

/// Two hosts at once, each with disks of its own, which share groups of clusters and nothing else.
fn side_by_side(seed: u64, cluster: u64, turns: u64) {
    let survey = beside_two(cluster, async |first, second| {
        let work = async |worker: &Worker, prefix: &'static str, seed: u64| {
            let run = Run { seed, dice: Cell::new(0), sectors: cluster / BLOCK as u64 * 9, prefix };
            let mut estate = Estate::new();
            for _ in 0..turns {
                run.turn(worker, &mut estate).await;
                worker.pause(Duration::from_millis(run.below(300))).await;
            }
            estate
        };
        let (mut estate, others) = future::join(work(first, "a", seed), work(second, "b", seed + 1)).await;
        estate.extend(others);
        let found = first.estate().await.unwrap();
        assert!(found == estate, "seed {seed}: another estate");
    });
    assert_eq!((survey.left_over(), survey.leaked()), (vec![], 0), "seed {seed}: {:?}", survey.layers);
}

#[test]
fn two_hosts_at_work_side_by_side_give_each_other_groups_and_take_nothing_from_each_other() {
    for (seed, cluster) in [(101, 64 << 10), (103, 4 << 10)] {
        side_by_side(seed, cluster, 12);
    }
}

#[test]
#[ignore = "minutes: more seeds"]
fn many_seeds() {
    let first = std::env::var("OARLOCK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_000);
    for seed in first..first + 60 {
        println!("seed {seed}");
        let cluster = [4 << 10, 16 << 10, 64 << 10][usize::try_from(seed % 3).unwrap()];
        random(seed, cluster, 40);
        side_by_side(seed * 2, cluster, 20);
    }
}
