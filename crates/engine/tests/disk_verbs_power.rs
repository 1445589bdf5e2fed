//! The verbs of disks on a host that loses its power at any command: another host takes over, brings to an end what was begun, and
//! finds what a naive estate showed before the verb under way, or after it.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::future::{self, Either, select};
use oarlock_block::{ByteCount, Device, Lba, UnknownCause};
use oarlock_engine::path::{PathError, Request, RequestKind};
use oarlock_engine::{Attachment, DiskError, Ended};
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterRun, DescriptorNumber, DescriptorRecord, Epoch, GroupNumber, HostName,
    JournalSequence, Layer, LayerId, LayerState, Place,
};
use oarlock_sim::disks::{SECRET, tagged};

use crate::estate::{Estate, Image, Worker, apply, named, target, zeros};
use crate::machine::{BLOCK, Disk, Machine};
use crate::power::{Mishap, MishapOf, Power, mixed};
use crate::{company, ledger, machine};

const SECTOR: u64 = BLOCK as u64;

/// What there was after each step, and how many commands there had been by then.
struct History {
    power: Rc<Power>,
    steps: RefCell<Vec<(usize, Estate)>>,
    now: RefCell<Estate>,
}

impl History {
    /// A step is over: what it made of the estate is there to stay.
    fn over(&self, change: impl FnOnce(&mut Estate)) {
        change(&mut self.now.borrow_mut());
        self.steps.borrow_mut().push((self.power.commands(), self.now.borrow().clone()));
    }

    /// What may be found where the power went before that command: the estate after the last step that was over, or after the
    /// next one.
    fn may_be(&self, cut: usize) -> Vec<Estate> {
        let steps = self.steps.borrow();
        let over = steps.iter().filter(|(commands, _)| *commands <= cut).count();
        steps.iter().skip(over.saturating_sub(1)).take(2).map(|(_, estate)| estate.clone()).collect()
    }
}

/// A host at work over a device whose power may go, and its history.
struct Story<'a> {
    worker: &'a Worker,
    history: &'a History,
}

impl Story<'_> {
    /// A durable write.
    async fn write(&self, attachment: &Attachment, name: &str, at: (u64, u64), tag: u64) {
        let request = Request {
            kind: RequestKind::Write { durable: true },
            offset: at.0 * SECTOR,
            length: at.1 * SECTOR,
        };
        let mut image = self.history.now.borrow()[name].clone();
        let data = apply(&mut image.now, &request, tag);
        self.worker.run(attachment, request, data).await;
        self.history.over(|estate| {
            estate.insert(name.to_owned(), image);
        });
    }

    async fn create(&self, name: &str, sectors: u64) {
        self.worker.create(name, sectors).await.unwrap();
        let image = Image { now: zeros(sectors), ..Image::default() };
        self.history.over(|estate| drop(estate.insert(name.to_owned(), image)));
    }

    async fn create_thick(&self, name: &str, sectors: u64) {
        let Worker { host, .. } = self.worker;
        host.create_thick_disk(&named(name), ByteCount(sectors * SECTOR), self.worker.soon()).await.unwrap();
        let image = Image { now: zeros(sectors), ..Image::default() };
        self.history.over(|estate| drop(estate.insert(name.to_owned(), image)));
    }

    async fn snapshot(&self, disk: &str, name: &str) {
        let Worker { host, .. } = self.worker;
        host.snapshot_disk(&named(disk), &named(name), self.worker.soon()).await.unwrap();
        self.history.over(|estate| {
            let image = estate.get_mut(disk).unwrap();
            image.snapshots.insert(name.to_owned(), image.now.clone());
        });
    }

    async fn delete_snapshot(&self, disk: &str, name: &str) {
        let Worker { host, .. } = self.worker;
        host.delete_snapshot(&named(disk), &named(name), self.worker.soon()).await.unwrap();
        self.history.over(|estate| drop(estate.get_mut(disk).unwrap().snapshots.remove(name)));
        // What becomes of the layer goes on in the background; at its end nothing else is under way.
        self.worker.host.tend_layers().await.unwrap();
        self.history.over(|_| ());
    }

    async fn clone(&self, disk: &str, snapshot: Option<&str>, new: &str) {
        let Worker { host, .. } = self.worker;
        host.clone_disk(&target(disk, snapshot), &named(new), self.worker.soon()).await.unwrap();
        self.history.over(|estate| {
            let image = &estate[disk];
            let now = snapshot.map_or(&image.now, |snapshot| &image.snapshots[snapshot]).clone();
            estate.insert(new.to_owned(), Image { now, ..Image::default() });
        });
    }

    async fn revert(&self, disk: &str, snapshot: &str) {
        let Worker { host, .. } = self.worker;
        host.revert_disk(&named(disk), &named(snapshot), self.worker.soon()).await.unwrap();
        self.history.over(|estate| {
            let image = estate.get_mut(disk).unwrap();
            image.now.clone_from(&image.snapshots[snapshot]);
        });
        self.worker.host.tend_layers().await.unwrap();
        self.history.over(|_| ());
    }

    async fn resize(&self, disk: &str, sectors: u64) {
        let Worker { host, .. } = self.worker;
        host.resize_disk(&named(disk), ByteCount(sectors * SECTOR), self.worker.soon()).await.unwrap();
        self.history.over(|estate| {
            estate.get_mut(disk).unwrap().now.resize(usize::try_from(sectors).unwrap(), 0);
        });
    }

    async fn flatten(&self, disk: &str) {
        self.worker.host.flatten_disk(&named(disk), self.worker.soon()).await.unwrap();
        self.worker.host.tend_layers().await.unwrap();
        self.history.over(|_| ());
    }

    async fn delete(&self, disk: &str) {
        self.worker.host.delete_disk(&named(disk), self.worker.soon()).await.unwrap();
        self.history.over(|estate| drop(estate.remove(disk)));
        self.worker.host.tend_layers().await.unwrap();
        self.history.over(|_| ());
    }
}

/// Runs `story` while that host lives.
fn beside<T>(worker: &Worker, story: impl Future<Output = T>) -> T {
    company::beside(&worker.machine, &worker.host, story)
}

/// A datastore every free sector of whose first clusters shows the secret.
fn prepared(cluster: u64) -> Machine {
    let machine = Machine::new(machine::SMALL);
    machine.format_clusters(cluster);
    let space = ledger::superblock(&machine).space();
    let first = space.record(GroupNumber(0)).0 + u64::from(space.head()) * space.cluster_blocks().0;
    let secret = tagged(SECRET);
    (0..64 * space.cluster_blocks().0).for_each(|block| machine.disk.put(Lba(first + block), &secret));
    machine
}

/// Tells the story on a device whose power may go, and judges what is left at every command, or at so many of them.
fn judged(cluster: u64, cuts: Option<u64>, story: impl AsyncFnOnce(&Story)) {
    let machine = prepared(cluster);
    let power = Power::new(Rc::clone(&machine.disk));
    let device = Rc::clone(&power) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let worker = Worker { machine: machine.clone(), device, host };
    power.begin();
    let history = History { power: Rc::clone(&power), steps: RefCell::default(), now: RefCell::default() };
    history.over(|_| ());
    beside(&worker, story(&Story { worker: &worker, history: &history }));
    let commands = power.commands();
    let all: Vec<usize> = match cuts {
        None => (0..=commands).collect(),
        Some(cuts) => {
            (0..cuts).map(|cut| usize::try_from(mixed(cut)).unwrap_or(0) % (commands + 1)).collect()
        }
    };
    for cut in all {
        for disk in power.disks_lost(cut, 1) {
            let about = format!("cut {cut} of {commands}");
            // What was begun is brought to its end before anybody uses the disks, or while they are used.
            judge(disk, &history.may_be(cut), cut % 2 == 0, &about);
        }
    }
}

/// All but so many clusters of the first group are somebody's.
fn leave_free(machine: &Machine, count: u16) {
    let (space, group) = (ledger::superblock(machine).space(), GroupNumber(0));
    let lba = ledger::bitmap_page(machine);
    let place = Place { format_id: company::format_id(machine), lba };
    let mut page = BitmapPage::decode(&ledger::page_bytes(machine, lba), &place).unwrap();
    let first = u16::try_from(space.head()).unwrap() + count;
    let taken = u16::try_from(space.clusters_of(group)).unwrap() - first;
    page.mark(ClusterRun { first: ClusterIndex(first), count: taken }, true);
    for (sector, block) in page.seal(Epoch(0), JournalSequence(0)).chunks(BLOCK).enumerate() {
        machine.disk.put(Lba(lba.0 + sector as u64), block);
    }
}

/// Another host comes, takes over, and looks at everything.
fn judge(disk: Disk, may_be: &[Estate], tends_first: bool, about: &str) {
    let machine = Machine::with_disk(disk);
    // What a host died over is half done, and its journal owes the rest: none of it is damage.
    let report = machine.check();
    assert!(report.clean && report.not_judged.is_empty(), "{about}: {report:?}");
    let device = Rc::clone(&machine.disk) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process().0, "b");
    let worker = Worker { machine: machine.clone(), device, host };
    let found = machine.time.run(async {
        let run = worker.host.run();
        let story = async {
            let name = HostName::new("a").unwrap();
            // It may have been buried by the join already.
            let _ = worker.host.evict(&name, false, worker.soon()).await;
            if tends_first {
                worker.host.tend_layers().await.unwrap_or_else(|error| panic!("{about}: {error}"));
            }
            let found = worker.estate().await.unwrap_or_else(|error| panic!("{about}: {error}"));
            // What is there can be written on.
            for name in found.keys() {
                let attachment = worker.attach(name).await.unwrap_or_else(|error| panic!("{about}: {error}"));
                let request =
                    Request { kind: RequestKind::Write { durable: false }, offset: 0, length: SECTOR };
                worker.run(&attachment, request, tagged(7)).await;
                attachment.detach().await.unwrap();
            }
            worker.host.tend_layers().await.unwrap_or_else(|error| panic!("{about}: {error}"));
            worker.pause(Duration::from_secs(10)).await;
            let left = worker.host.leave(worker.soon()).await;
            assert_eq!(left, Ended::Left, "{about}");
            found
        };
        futures::pin_mut!(run, story);
        match select(story, run).await {
            Either::Left((found, _)) => found,
            Either::Right((_, story)) => story.await,
        }
    });
    assert!(may_be.contains(&found), "{about}: another estate: {}", difference(&found, may_be));
    let survey = ledger::survey(&machine).unwrap_or_else(|error| panic!("{about}: {error}"));
    assert_eq!(survey.left_over(), vec![], "{about}: {:?}", survey.layers);
    // A root that no descriptor names yet, or any more, and a cluster that was given up: bits that `check` frees.
    assert!(survey.leaked() <= 3, "{about}: {} clusters leaked", survey.leaked());
    let repaired = machine.repair();
    let is_repaired = repaired.findings.iter().all(|finding| finding.repaired.is_some());
    assert!(is_repaired && repaired.findings.is_empty() == (survey.leaked() == 0), "{about}: {repaired:?}");
    let report = machine.check();
    assert!(report.findings.is_empty() && report.not_judged.is_empty(), "{about}: {report:?}");
    assert_eq!(ledger::survey(&machine).unwrap().leaked(), 0, "{about}");
}

/// Where an estate is none of those.
fn difference(found: &Estate, may_be: &[Estate]) -> String {
    let names = |estate: &Estate| -> Vec<String> {
        let of = |(name, image): (&String, &Image)| format!("{name}{:?}", image.snapshots.keys());
        estate.iter().map(of).collect()
    };
    let mut words = format!("{:?}, and may be", names(found));
    for estate in may_be {
        words += &format!(" {:?}", names(estate));
        for (name, image) in found {
            let Some(other) = estate.get(name) else { continue };
            let at = image.now.iter().zip(&other.now).position(|(left, right)| left != right);
            words +=
                &format!(" {name} differs at {at:?}, lengths {} and {};", image.now.len(), other.now.len());
        }
    }
    words
}

/// Disks, snapshots and clones that come and go.
async fn life(story: &Story<'_>, cluster: u64) {
    let sectors = cluster / SECTOR;
    let piece = (sectors / 16).max(8);
    story.create("d", sectors * 6).await;
    let attached = story.worker.attach("d").await.unwrap();
    story.write(&attached, "d", (0, sectors * 3), 1).await;
    story.snapshot("d", "s").await;
    story.write(&attached, "d", (sectors, piece), 2).await;
    story.snapshot("d", "t").await;
    story.write(&attached, "d", (0, piece / 2), 3).await;
    story.resize("d", sectors * 7).await;
    story.write(&attached, "d", (sectors * 6, 3), 4).await;
    story.delete_snapshot("d", "s").await;
    // Roots that change hands: neither the upper snapshot nor the disk has one of its own.
    story.snapshot("d", "u").await;
    story.snapshot("d", "v").await;
    story.delete_snapshot("d", "u").await;
    story.delete_snapshot("d", "v").await;
    attached.detach().await.unwrap();
    story.history.over(|_| ());
    story.clone("d", Some("t"), "e").await;
    story.revert("d", "t").await;
    story.delete("e").await;
    story.clone("d", None, "f").await;
    let attached = story.worker.attach("f").await.unwrap();
    story.write(&attached, "f", (2 * sectors, sectors), 5).await;
    attached.detach().await.unwrap();
    story.history.over(|_| ());
    story.flatten("d").await;
    story.delete_snapshot("d", "t").await;
    story.delete("d").await;
}

/// A thick disk that comes, grows, is branched, made full again, and goes.
async fn thick_life(story: &Story<'_>, cluster: u64) {
    let sectors = cluster / SECTOR;
    story.create_thick("d", sectors * 9 + 3).await;
    let attached = story.worker.attach("d").await.unwrap();
    story.write(&attached, "d", (1, sectors * 2), 1).await;
    story.resize("d", sectors * 12).await;
    story.write(&attached, "d", (sectors * 11, sectors), 2).await;
    story.snapshot("d", "s").await;
    story.write(&attached, "d", (sectors * 3, 5), 3).await;
    attached.detach().await.unwrap();
    story.history.over(|_| ());
    story.flatten("d").await;
    story.delete_snapshot("d", "s").await;
    story.create_thick("e", sectors * 2).await;
    story.delete("d").await;
}

#[test]
fn a_thick_disk_is_there_whole_or_not_at_all_whenever_the_power_goes() {
    for cluster in [64 << 10, 4 << 10] {
        judged(cluster, Some(60), async |story| thick_life(story, cluster).await);
    }
}

#[test]
fn each_verb_is_done_or_undone_whenever_the_power_goes() {
    judged(64 << 10, Some(120), async |story| life(story, 64 << 10).await);
}

#[test]
fn each_verb_is_done_or_undone_with_small_clusters_too() {
    judged(4 << 10, Some(120), async |story| life(story, 4 << 10).await);
}

/// What the disk shows once another host has taken over.
fn shown(disk: Disk) -> Vec<u64> {
    let machine = Machine::with_disk(disk);
    let device = Rc::clone(&machine.disk) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process().0, "b");
    let worker = Worker { machine: machine.clone(), device, host };
    beside(&worker, async {
        let _ = worker.host.evict(&HostName::new("a").unwrap(), false, worker.soon()).await;
        worker.look("d", None).await.unwrap()
    })
}

/// A trim above a snapshot is not durable yet when the snapshot is deleted and absorbed. What only the snapshot named then comes free,
/// and a guest who waits for space writes to it at once: had the power gone before the trim was durable, the disk would show
/// that guest's data in the place that was trimmed (found by a seed of the simulator).
#[test]
fn what_an_absorbing_layer_names_no_more_is_durably_so_before_it_is_given_out() {
    let (cluster, sectors) = (64 << 10, (64 << 10) / SECTOR);
    let machine = prepared(cluster);
    // The snapshot's root, the disk's, and one cluster of data.
    leave_free(&machine, 3);
    let power = Power::new(Rc::clone(&machine.disk));
    let device = Rc::clone(&power) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let worker = Worker { machine: machine.clone(), device, host };
    let mut contents = zeros(sectors * 2);
    let request = |kind, first: u64| Request { kind, offset: first * SECTOR, length: cluster };
    beside(&worker, async {
        worker.create("d", sectors * 2).await.unwrap();
        let attached = worker.attach("d").await.unwrap();
        let old = request(RequestKind::Write { durable: true }, 0);
        worker.run(&attached, old, apply(&mut contents, &old, 1)).await;
        worker.host.snapshot_disk(&named("d"), &named("s"), worker.soon()).await.unwrap();
        worker.run(&attached, request(RequestKind::Trim { durable: false }, 0), Vec::new()).await;
        power.begin();
        power.slow_down(&machine.time, Duration::from_millis(5));
        let is_absorbed = Cell::new(false);
        let absorbing = async {
            worker.host.delete_snapshot(&named("d"), &named("s"), worker.soon()).await.unwrap();
            worker.host.tend_layers().await.unwrap();
            is_absorbed.set(true);
        };
        let new = request(RequestKind::Write { durable: false }, sectors);
        let data = apply(&mut contents, &new, 2);
        let waiting = async {
            while worker.try_run(&attached, new, data.clone()).await.0 == Err(PathError::NoSpace) {
                worker.pause(Duration::from_millis(1)).await;
            }
            assert!(!is_absorbed.get(), "the guest had what was absorbed before the absorbing was over");
        };
        future::join(absorbing, waiting).await;
    });
    let first = usize::try_from(sectors).unwrap();
    for cut in 0..=power.commands() {
        for disk in power.disks_lost(cut, 4) {
            let shown = shown(disk);
            for (sector, tag) in shown.iter().enumerate() {
                let may_be = [0, contents[sector]].contains(tag);
                assert!(may_be, "cut {cut}: sector {sector} of {first} shows {tag:x}");
            }
        }
    }
}

/// A disk of two levels is taken down while a guest waits for space. Had he been given a node's cluster before that was unlinked for good, the
/// node would be gone after a loss of power, and its disk be there for ever: nobody could go on with it (found by a seed of the simulator).
#[test]
fn a_node_comes_free_only_once_no_pointer_leads_to_it_for_good() {
    let (cluster, sectors) = (4 << 10, (4 << 10) / SECTOR);
    let machine = prepared(cluster);
    let two_levels = ledger::superblock(&machine).map_shape().entries_per_node() + 1;
    // Root, leaf and one cluster of data of the one, the root of the other.
    leave_free(&machine, 4);
    let power = Power::new(Rc::clone(&machine.disk));
    let device = Rc::clone(&power) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let worker = Worker { machine: machine.clone(), device, host };
    let write = |first: u64| Request {
        kind: RequestKind::Write { durable: false },
        offset: first * cluster,
        length: cluster,
    };
    beside(&worker, async {
        worker.create("e", two_levels * sectors).await.unwrap();
        let attached = worker.attach("e").await.unwrap();
        worker.run(&attached, write(0), apply(&mut zeros(sectors), &write(0), 1)).await;
        attached.detach().await.unwrap();
        worker.create("d", 4 * sectors).await.unwrap();
        let attached = worker.attach("d").await.unwrap();
        power.begin();
        power.slow_down(&machine.time, Duration::from_millis(5));
        let deleting = async {
            worker.host.delete_disk(&named("e"), worker.soon()).await.unwrap();
            worker.host.tend_layers().await.unwrap();
        };
        let waiting = async {
            for first in 0..3 {
                let (request, data) = (write(first), apply(&mut zeros(4 * sectors), &write(first), 2));
                while worker.try_run(&attached, request, data.clone()).await.0 == Err(PathError::NoSpace) {
                    worker.pause(Duration::from_millis(1)).await;
                }
            }
        };
        future::join(deleting, waiting).await;
    });
    for cut in 0..=power.commands() {
        for disk in power.disks_lost(cut, 2) {
            let left = tended(disk);
            assert_eq!(left, Ok(Vec::new()), "cut {cut} of {}", power.commands());
        }
    }
}

/// Another host takes over and tends to all layers: those that are left over.
fn tended(disk: Disk) -> Result<Vec<LayerId>, String> {
    let machine = Machine::with_disk(disk);
    let device = Rc::clone(&machine.disk) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process().0, "b");
    let worker = Worker { machine: machine.clone(), device, host };
    let tended = beside(&worker, async {
        let _ = worker.host.evict(&HostName::new("a").unwrap(), false, worker.soon()).await;
        worker.host.tend_layers().await
    });
    tended.map_err(|error| error.to_string())?;
    ledger::survey(&machine).map(|survey| survey.left_over())
}

/// A guest's write has no answer. Were a snapshot made then, the write could land in it at any later time, and the snapshot would show
/// another thing than before (found by a seed of the simulator).
#[test]
fn no_layer_is_put_below_a_disk_while_a_write_to_it_may_still_land() {
    let machine = prepared(4 << 10);
    let power = Power::new(Rc::clone(&machine.disk));
    let device = Rc::clone(&power) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let worker = Worker { machine: machine.clone(), device, host };
    let request = Request { kind: RequestKind::Write { durable: false }, offset: 0, length: SECTOR };
    beside(&worker, async {
        worker.create("d", 16).await.unwrap();
        let attached = worker.attach("d").await.unwrap();
        worker.run(&attached, request, tagged(1)).await;
        power.strike(MishapOf::Write, &Mishap::Unknown(UnknownCause::TimedOut), 1);
        assert_eq!(worker.try_run(&attached, request, tagged(2)).await.0, Err(PathError::Io));
        let snapshot = async || worker.host.snapshot_disk(&named("d"), &named("s"), worker.soon()).await;
        let unanswered = DiskError::Unanswered { under_way: 0, quarantined: 1 };
        assert_eq!(snapshot().await, Err(unanswered.clone()));
        let clone = worker.host.clone_disk(&target("d", None), &named("e"), worker.soon()).await;
        assert_eq!(clone, Err(unanswered));
        assert_eq!(worker.host.snapshots(&named("d")).await, Ok(Vec::new()));
        // Whoever drives its commands says that it has ended.
        attached.path().quarantines().into_iter().for_each(|quarantine| attached.path().close(quarantine));
        snapshot().await.unwrap();
    });
}

/// Whether a layer that has given up its root stands above one that nothing else stands above.
fn stands_between(disk: &Disk) -> bool {
    let machine = Machine::with_disk(disk.copy());
    let layout = machine.layout();
    let numbers = (0..layout.descriptor_count()).map(DescriptorNumber);
    let layers: Vec<Layer> = numbers
        .filter_map(|number| company::read::<DescriptorRecord>(&machine, layout.descriptor(number)).layer)
        .collect();
    let above = |id| layers.iter().filter(|layer| layer.parent == Some(id)).count();
    let gone = |layer: &Layer| layer.state == LayerState::Doomed && layer.root.is_none();
    layers.iter().any(|layer| gone(layer) && layer.parent.is_some_and(|parent| above(parent) == 1))
}

/// Two snapshots are deleted, one above the other, and the host dies when the upper one has given its root to the disk and stands between
/// the two still. Had the lower one been absorbed into that, which names nothing any more, all that the disk reads of it would have
/// come free (found by a seed of the simulator).
#[test]
fn what_stands_below_a_layer_on_its_way_out_is_not_absorbed_into_it() {
    let (cluster, sectors) = (64 << 10, (64 << 10) / SECTOR);
    let machine = prepared(cluster);
    let power = Power::new(Rc::clone(&machine.disk));
    let device = Rc::clone(&power) as Rc<dyn Device>;
    let host = company::join(&machine, machine.process_on(Rc::clone(&device)).0, "a");
    let worker = Worker { machine: machine.clone(), device, host };
    let history = History { power: Rc::clone(&power), steps: RefCell::default(), now: RefCell::default() };
    let story = Story { worker: &worker, history: &history };
    beside(&worker, async {
        story.create("d", sectors * 2).await;
        let attached = worker.attach("d").await.unwrap();
        story.write(&attached, "d", (0, sectors * 2), 1).await;
        story.snapshot("d", "s").await;
        story.write(&attached, "d", (sectors, sectors), 2).await;
        story.snapshot("d", "t").await;
        attached.detach().await.unwrap();
        story.clone("d", Some("s"), "e").await;
        // It stays, without a name: two layers stand above it.
        story.delete_snapshot("d", "s").await;
        power.begin();
        power.slow_down(&machine.time, Duration::from_millis(1));
        let other = async {
            worker.host.delete_disk(&named("e"), worker.soon()).await.unwrap();
        };
        let upper = async {
            worker.host.delete_snapshot(&named("d"), &named("t"), worker.soon()).await.unwrap();
            worker.host.tend_layers().await.unwrap();
        };
        future::join(other, upper).await;
    });
    let now = history.now.borrow()["d"].now.clone();
    let may_be = Estate::from([("d".to_owned(), Image { now, ..Image::default() })]);
    let cuts = (0..=power.commands()).map(|cut| (cut, power.lost(cut, |_, _| true)));
    let between: Vec<(usize, Disk)> = cuts.filter(|(_, disk)| stands_between(disk)).collect();
    assert!(!between.is_empty(), "the host dies between the two");
    for (cut, disk) in between {
        judge(disk, std::slice::from_ref(&may_be), true, &format!("cut {cut}"));
    }
}

#[test]
#[ignore = "minutes: the power goes at every command"]
fn at_every_command() {
    for cluster in [64 << 10, 4 << 10, 16 << 10] {
        judged(cluster, None, async |story| life(story, cluster).await);
        judged(cluster, None, async |story| thick_life(story, cluster).await);
    }
}
