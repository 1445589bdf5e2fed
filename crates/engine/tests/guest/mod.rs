//! A guest on an attached disk: locks that a test keeps by hand, a driver of operations, and what is on the disk in the end.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use oarlock_block::{ByteCount, Clock, Device, Lba, LocalFuture};
use oarlock_engine::allocate::{GroupLocks, OwnedLock, Source, SpaceError, Wish};
use oarlock_engine::attached::AttachedDisk;
use oarlock_engine::layer::{Layer, Root, RootKeeper};
use oarlock_engine::path::{PathError, PathMode, Request};
use oarlock_engine::{Host, HostJournal};
use oarlock_format::{
    BitmapPage, ClusterNumber, DescriptorNumber, DescriptorRecord, DiskUid, Epoch, Generation, GroupNumber,
    GroupRecord, LayerFlags, LayerId, LayerKind, LayerLevels, LayerState, LeafEntry, LockMode, LockState,
    MapPage, NameHash, Owner, PAGE_LENGTH, Place, Writer,
};
use oarlock_sim::disks::Driver;

use crate::company::{format_id, put_by, read};
use crate::ledger::{page_bytes, superblock};
use crate::machine::{BLOCK, Machine};

pub const NUMBER: DescriptorNumber = DescriptorNumber(0);

/// Every record that a test writes is newer than those before.
fn later() -> u64 {
    thread_local!(static LATER: Cell<u64> = const { Cell::new(1_000) });
    LATER.with(|later| {
        later.set(later.get() + 1);
        later.get()
    })
}

fn held_by(owner: Option<Owner>, epoch: Epoch) -> LockState {
    let mode = if owner.is_some() { LockMode::Exclusive } else { LockMode::Free };
    LockState { mode, owner, epoch, ..LockState::NEVER_HELD }
}

/// The locks of groups, kept by whoever writes the records.
pub struct ByHand {
    machine: Machine,
    owner: Owner,
    on_swap: Rc<dyn Fn(Lba)>,
    /// Groups that their owners need.
    pub refused: RefCell<BTreeSet<u32>>,
    /// What was asked for.
    pub asked: RefCell<Vec<(u32, Wish)>>,
}

impl GroupLocks for ByHand {
    fn groups(&self) -> u32 {
        superblock(&self.machine).space().groups()
    }

    fn take(&self, group: GroupNumber, wish: Wish) -> LocalFuture<'_, Result<Option<OwnedLock>, SpaceError>> {
        self.asked.borrow_mut().push((group.0, wish));
        let lba = superblock(&self.machine).space().record(group);
        let record: GroupRecord = read(&self.machine, lba);
        let refused = self.refused.borrow().contains(&group.0);
        let empty = wish == Wish::Idle && record.free == 0;
        let taken = (!refused && !empty).then(|| {
            let epoch = Epoch(record.lock.epoch.0 + 1);
            let clusters = record.clusters;
            let record = GroupRecord { lock: held_by(Some(self.owner), epoch), ..record };
            put_by(&self.machine, lba, &record, Writer::Tool, later());
            (self.on_swap)(lba);
            OwnedLock { epoch, clusters }
        });
        async move { Ok(taken) }.boxed_local()
    }

    fn release(&self, group: GroupNumber, free: u32) -> LocalFuture<'_, ()> {
        let lba = superblock(&self.machine).space().record(group);
        let record: GroupRecord = read(&self.machine, lba);
        let lock = held_by(None, record.lock.epoch);
        put_by(&self.machine, lba, &GroupRecord { lock, free, ..record }, Writer::Tool, later());
        (self.on_swap)(lba);
        async {}.boxed_local()
    }
}

/// The descriptor of the one disk, kept in the same way.
pub struct Keeper {
    machine: Machine,
    size: u64,
    lock: LockState,
    on_swap: Rc<dyn Fn(Lba)>,
    pub swaps: Cell<usize>,
}

impl Keeper {
    fn put(&self, root: Root) {
        let layer = oarlock_format::Layer {
            state: LayerState::Ready,
            kind: LayerKind::Disk,
            flags: LayerFlags { root_owned: root.owned, ..LayerFlags::default() },
            levels: root.levels,
            parent: None,
            size: ByteCount(self.size),
            root: root.cluster,
            disk: LayerId { descriptor: NUMBER, uid: DiskUid(1) },
            hash: Some(NameHash(7)),
            other_hash: None,
            name_generation: Generation(1),
            created_wall_ms: 0,
            allocated: 0,
            server: None,
        };
        let record = DescriptorRecord { lock: self.lock, uid: DiskUid(1), layer: Some(layer) };
        let lba = self.machine.layout().descriptor(NUMBER);
        put_by(&self.machine, lba, &record, Writer::Tool, later());
        (self.on_swap)(lba);
        self.swaps.set(self.swaps.get() + 1);
    }
}

impl RootKeeper for Keeper {
    fn set_root(&self, root: Root) -> LocalFuture<'_, Result<(), SpaceError>> {
        self.put(root);
        async { Ok(()) }.boxed_local()
    }
}

/// The root of the disk, as its descriptor says.
pub fn root_of(machine: &Machine) -> Root {
    let record: DescriptorRecord = read(machine, machine.layout().descriptor(NUMBER));
    let layer = record.layer.unwrap();
    Root { cluster: layer.root, owned: layer.flags.root_owned, levels: layer.levels }
}

/// An attached disk, and everything that stands behind it.
pub struct Bench {
    pub machine: Machine,
    pub device: Rc<dyn Device>,
    pub locks: Rc<ByHand>,
    pub keeper: Rc<Keeper>,
    journal: HostJournal,
    pub source: Rc<Source>,
    pub layer: Rc<Layer>,
    pub disk: Rc<AttachedDisk>,
    /// Each command of the guest's waits so long at most before it is sent, where the bench is slow.
    pub slow: Cell<Option<Duration>>,
    dice: Cell<u64>,
}

impl Bench {
    /// Attaches the disk to a host: one that is new, or one that `root` says all about.
    pub fn attach(
        machine: &Machine,
        device: &Rc<dyn Device>,
        host: &Host,
        (size, root): (u64, Option<Root>),
        on_swap: &Rc<dyn Fn(Lba)>,
    ) -> Bench {
        let shape = superblock(machine).map_shape();
        let before: DescriptorRecord = read(machine, machine.layout().descriptor(NUMBER));
        let epoch = Epoch(before.lock.epoch.0 + 1);
        let owner = host.status().owner;
        let keeper = Rc::new(Keeper {
            machine: machine.clone(),
            size,
            lock: held_by(Some(owner), epoch),
            on_swap: Rc::clone(on_swap),
            swaps: Cell::new(0),
        });
        let new = Root { cluster: None, owned: false, levels: shape.levels_for(ByteCount(size)) };
        let root = root.unwrap_or(new);
        keeper.put(root);
        let locks = Rc::new(ByHand {
            machine: machine.clone(),
            owner,
            on_swap: Rc::clone(on_swap),
            refused: RefCell::default(),
            asked: RefCell::default(),
        });
        let source = Source::new(&host.journal().unwrap(), Rc::clone(&locks) as Rc<dyn GroupLocks>);
        let layer = Layer::open(&source, Rc::clone(&keeper) as Rc<dyn RootKeeper>, (NUMBER, epoch), root);
        let disk = Rc::new(AttachedDisk::attach(&layer, size, PathMode::default()));
        let (machine, device) = (machine.clone(), Rc::clone(device));
        let journal = host.journal().unwrap();
        Bench {
            machine,
            device,
            locks,
            keeper,
            journal,
            source,
            layer,
            disk,
            slow: Cell::new(None),
            dice: Cell::new(1),
        }
    }

    /// Runs a request to its end: what it came to, and the bytes that it read.
    pub async fn run(&self, request: Request, data: Vec<u8>) -> (Result<(), PathError>, Vec<u8>) {
        let pause = || {
            let slow = self.slow.get()?;
            Some(Duration::from_micros(self.below(u64::try_from(slow.as_micros()).unwrap())))
        };
        let driver = Driver {
            clock: &*self.machine.time,
            device: &*self.device,
            path: self.disk.path(),
            pause: &pause,
            patience: None,
        };
        driver.run(request, data).await
    }

    pub async fn checkpoint(&self) {
        self.journal.checkpoint().await.unwrap();
    }

    pub async fn pause(&self, pause: Duration) {
        self.machine.time.sleep_until(self.machine.time.now().plus(pause)).await;
    }

    /// A random number below a bound.
    pub fn below(&self, bound: u64) -> u64 {
        self.dice.set(self.dice.get() + 1);
        crate::power::mixed(self.dice.get()) % bound.max(1)
    }

    pub fn seed(&self, seed: u64) {
        self.dice.set(seed << 32);
    }
}

/// What stands on the device: every entry of the disk, every node, every bit.
#[derive(Debug, Default)]
pub struct Found {
    pub entries: BTreeMap<u64, LeafEntry>,
    /// Clusters that the disk owns, nodes among them.
    pub owned: BTreeSet<ClusterNumber>,
    /// Clusters whose bits are set, heads apart.
    pub bits: BTreeSet<ClusterNumber>,
}

impl Found {
    /// Reads it all, straight from the device; what is wrong with it, if anything.
    pub fn read(machine: &Machine) -> Result<Found, String> {
        let mut found = Found::default();
        let root = root_of(machine);
        if let Some(cluster) = root.cluster {
            found.walk(machine, (cluster, root.owned), root.levels.0 - 1, 0)?;
        }
        let space = superblock(machine).space();
        for group in (0..space.groups()).map(GroupNumber) {
            let lba = space.bitmap(group);
            let place = Place { format_id: format_id(machine), lba };
            let bitmap =
                BitmapPage::decode(&page_bytes(machine, lba), &place).map_err(|error| error.to_string())?;
            let all = (0..space.clusters_of(group)).map(|index| {
                ClusterNumber::of(group, oarlock_format::ClusterIndex(u16::try_from(index).unwrap()))
            });
            found
                .bits
                .extend(all.filter(|cluster| space.has(*cluster) && bitmap.is_taken(cluster.place().1)));
        }
        match found.owned.difference(&found.bits).next() {
            None => Ok(found),
            Some(cluster) => Err(format!("cluster {cluster} is owned, and its bit is clear")),
        }
    }

    fn own(&mut self, cluster: ClusterNumber) -> Result<(), String> {
        if self.owned.insert(cluster) { Ok(()) } else { Err(format!("cluster {cluster} is owned twice")) }
    }

    fn walk(
        &mut self,
        machine: &Machine,
        (node, is_own): (ClusterNumber, bool),
        level: u8,
        first: u64,
    ) -> Result<(), String> {
        if is_own {
            self.own(node)?;
        }
        let superblock = superblock(machine);
        let shape = superblock.map_shape();
        let span = shape.entries_per_node().pow(u32::from(level));
        for page in 0..shape.pages_per_node() {
            let lba =
                Lba(superblock.space().cluster(node).0 + u64::from(page) * (PAGE_LENGTH / BLOCK) as u64);
            let place = Place { format_id: format_id(machine), lba };
            let map = MapPage::decode(&page_bytes(machine, lba), &place, &shape)
                .map_err(|error| format!("node {node}, page {page}: {error}"))?;
            if map.header().level != level {
                return Err(format!("node {node} is of level {} and not {level}", map.header().level));
            }
            let entries = oarlock_format::ENTRIES_PER_PAGE;
            for entry in 0..entries {
                let index = first + (u64::from(page) * u64::from(entries) + u64::from(entry)) * span;
                if level > 0 {
                    if let Some(below) = map.node(entry) {
                        self.walk(machine, (below.cluster, is_own && below.owned), level - 1, index)?;
                    }
                    continue;
                }
                let leaf = map.leaf(entry);
                if leaf != LeafEntry::default() {
                    self.entries.insert(index, leaf);
                }
                if let Some(own) = leaf.own.filter(|_| is_own && leaf.owned) {
                    self.own(own.cluster)?;
                }
            }
        }
        Ok(())
    }

    /// Bits that nobody owns.
    pub fn leaked(&self) -> usize {
        self.bits.difference(&self.owned).count()
    }

    /// A sector of the disk.
    pub fn sector(&self, machine: &Machine, sector: u64) -> Vec<u8> {
        let superblock = superblock(machine);
        let shape = superblock.map_shape();
        let byte = sector * BLOCK as u64;
        let (index, within) = (byte / shape.cluster_size().0, byte % shape.cluster_size().0);
        let piece = u32::try_from(within / shape.piece_size().0).unwrap();
        let source = self.entries.get(&index).and_then(|entry| entry.source(piece));
        match source {
            Some(cluster) => {
                machine.disk.block(Lba(superblock.space().cluster(cluster).0 + within / BLOCK as u64))
            }
            None => vec![0; BLOCK],
        }
    }
}

/// Runs `story` while a host lives and serves this disk.
pub async fn serving<T>(bench: &Bench, story: impl Future<Output = T>) -> T {
    let (serve, story) = (bench.disk.serve(), story);
    futures::pin_mut!(serve, story);
    match futures::future::select(story, serve).await {
        futures::future::Either::Left((value, _)) => value,
        futures::future::Either::Right(((), story)) => story.await,
    }
}

/// As the name says.
pub fn levels(machine: &Machine, size: u64) -> LayerLevels {
    superblock(machine).map_shape().levels_for(ByteCount(size))
}

impl Bench {
    /// The layer once more, after its disk was detached, as whoever takes it down opens it.
    pub fn layer_again(&self) -> Rc<Layer> {
        let keeper = Rc::clone(&self.keeper) as Rc<dyn RootKeeper>;
        Layer::open(&self.source, keeper, (NUMBER, self.keeper.lock.epoch), self.layer.root())
    }
}
