//! A disk whose map is in memory, over a real file: what stands behind an export in tests and measurements. The real map is the engine's.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak, mpsc};
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount, Clock};
use oarlock_device::{BootClock, FileDevice, OpenOptions};
use oarlock_engine::path::{
    ChangeNumber, DataPath, Demand, DiskMap, Ground, Looked, PathError, PathMode, Publication, Published,
    Quarantine, RESERVOIR_MAX, Supplier, Ticket,
};
use oarlock_format::{ClusterNumber, LeafEntry, MapShape, Mapped, PieceMask};

/// The cluster of every such disk.
pub const CLUSTER: u64 = 64 << 10;

/// How long the lease of every such disk runs, where nobody wants it otherwise.
pub const LEASE: Duration = Duration::from_secs(86_400);

/// A disk that can be exported.
pub struct MemoryDisk {
    /// Its data path, whose lease runs for a [`LEASE`].
    pub path: Arc<DataPath>,
    /// The file below.
    pub device: FileDevice,
    /// The clock of its lease.
    pub clock: BootClock,
    /// Its engine.
    pub supplier: Arc<MemorySupplier>,
}

/// How a disk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Each byte is where the file has it.
    Full,
    /// Nothing was written.
    Empty,
}

impl MemoryDisk {
    /// A disk of `size` bytes on a file, which is made where it is absent: of the disk's size where it begins full, else with room for
    /// `clusters` clusters.
    pub fn open(file: &Path, size: u64, beginning: Beginning, clusters: u64) -> MemoryDisk {
        let disk = MemoryDisk::without_lease(file, size, beginning, clusters);
        disk.path.extend(disk.clock.now().plus(LEASE));
        disk
    }

    /// As [`open`](Self::open), and held until its path is told of a lease.
    pub fn without_lease(file: &Path, size: u64, beginning: Beginning, clusters: u64) -> MemoryDisk {
        let shape = MapShape::new(ByteCount(CLUSTER));
        let room = if beginning == Beginning::Full { size } else { clusters * CLUSTER };
        let options = OpenOptions { create: Some(ByteCount(room)), ..OpenOptions::default() };
        let device = FileDevice::open(file, options).expect("a file to keep the disk in");
        let clock = BootClock::start().expect("a clock");
        let map = Arc::new(MemoryMap::new(size, beginning, &shape));
        let first_free = if beginning == Beginning::Full { clusters } else { 0 };
        let supplier = MemorySupplier::start(file, Arc::clone(&map), first_free..clusters);
        let block = BlockSize::B512;
        let path = Arc::new(DataPath::new(
            Ground::at(0, block, shape),
            PathMode::default(),
            size,
            Arc::clone(&map) as Arc<dyn DiskMap>,
            Arc::clone(&supplier) as Arc<dyn Supplier>,
        ));
        assert!(supplier.path.set(Arc::downgrade(&path)).is_ok());
        MemoryDisk { path, device, clock, supplier }
    }
}

/// Entries by cluster.
pub struct MemoryMap {
    entries: RwLock<Vec<LeafEntry>>,
    changed: AtomicU64,
    durable: AtomicU64,
    is_broken: AtomicBool,
}

impl MemoryMap {
    fn new(size: u64, beginning: Beginning, shape: &MapShape) -> MemoryMap {
        let mask = PieceMask::first(shape.pieces());
        let entry = |index| match beginning {
            Beginning::Empty => LeafEntry::default(),
            Beginning::Full => LeafEntry {
                own: Some(Mapped { cluster: ClusterNumber(index), mask }),
                owned: true,
                below: None,
                below_owned: false,
            },
        };
        MemoryMap {
            entries: RwLock::new((0..size.div_ceil(CLUSTER)).map(entry).collect()),
            changed: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Whoever looks into it from now on panics.
    pub fn break_it(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    /// Clusters that have a place.
    pub fn mapped(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| entry.own.is_some()).count()
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index).expect("an index of a vector")
}

impl DiskMap for MemoryMap {
    fn look_up(&self, index: u64) -> Looked {
        assert!(!self.is_broken.load(Ordering::Relaxed), "a map that a test broke");
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        match entries.get(place(index)) {
            Some(entry) => Looked::Entry { entry: *entry, leaf_is_own: true },
            None => Looked::NoLeaf { until: index + 1 },
        }
    }

    fn publish(&self, publication: &Publication) -> Published {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let entry = &mut entries[place(publication.index)];
        if *entry != publication.before {
            return Published::NotNow;
        }
        *entry = publication.after;
        Published::At(ChangeNumber(self.changed.fetch_add(1, Ordering::SeqCst) + 1))
    }

    fn durable(&self) -> ChangeNumber {
        ChangeNumber(self.durable.load(Ordering::SeqCst))
    }

    /// Nobody comes after this host.
    fn noted(&self) -> ChangeNumber {
        ChangeNumber(u64::MAX)
    }
}

/// An engine of one thread: hands out clusters in order, and commits by a flush of the file.
pub struct MemorySupplier {
    asked: mpsc::Sender<(Ticket, Demand)>,
    map: Arc<MemoryMap>,
    path: OnceLock<Weak<DataPath>>,
    free: Mutex<VecDeque<ClusterNumber>>,
    /// Nothing is answered while it is set.
    is_silent: AtomicBool,
    /// What was asked meanwhile.
    unanswered: Mutex<Vec<(Ticket, Demand)>>,
}

impl MemorySupplier {
    fn start(file: &Path, map: Arc<MemoryMap>, free: std::ops::Range<u64>) -> Arc<MemorySupplier> {
        let (asked, demands) = mpsc::channel();
        let supplier = Arc::new(MemorySupplier {
            asked,
            map,
            path: OnceLock::new(),
            free: Mutex::new(free.map(ClusterNumber).collect()),
            is_silent: AtomicBool::new(false),
            unanswered: Mutex::default(),
        });
        let (file, weak) = (File::open(file).expect("the disk's file"), Arc::downgrade(&supplier));
        std::thread::spawn(move || {
            for (ticket, demand) in demands {
                let Some(supplier) = weak.upgrade() else { return };
                supplier.answer(&file, ticket, demand);
            }
        });
        supplier
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<ClusterNumber>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The map.
    pub fn map(&self) -> &MemoryMap {
        &self.map
    }

    /// Answers nothing from now on.
    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// What it was asked and did not answer.
    pub fn unanswered(&self) -> MutexGuard<'_, Vec<(Ticket, Demand)>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers again, what it was asked meanwhile first.
    pub fn speak(&self) {
        self.is_silent.store(false, Ordering::SeqCst);
        let unanswered = std::mem::take(&mut *self.unanswered());
        unanswered.into_iter().for_each(|(ticket, demand)| self.ask(ticket, demand));
    }

    fn answer(&self, file: &File, ticket: Ticket, demand: Demand) {
        let Some(path) = self.path.get().and_then(Weak::upgrade) else { return };
        if self.is_silent.load(Ordering::SeqCst) {
            return self.unanswered().push((ticket, demand));
        }
        let answer = match demand {
            Demand::Leaf { .. } | Demand::OwnLeaf { .. } | Demand::Room | Demand::Note => Ok(()),
            Demand::Clusters { wanted } => self.supply(&path, wanted),
            Demand::Commit => {
                let changed = self.map.changed.load(Ordering::SeqCst);
                let flushed = file.sync_data().map_err(|_| PathError::Io);
                self.map.durable.fetch_max(changed, Ordering::SeqCst);
                flushed
            }
        };
        path.answer(ticket, answer);
    }

    fn supply(&self, path: &DataPath, wanted: usize) -> Result<(), PathError> {
        let mut unmapped = Vec::new();
        path.take_free(&mut unmapped);
        let mut free = self.free();
        free.extend(unmapped);
        let given: Vec<ClusterNumber> = free.iter().copied().take(wanted).collect();
        let taken = path.refill(&given);
        free.drain(..taken);
        // Another's demand may have filled the reservoir.
        if given.is_empty() && path.wanted() == RESERVOIR_MAX { Err(PathError::NoSpace) } else { Ok(()) }
    }
}

impl Supplier for MemorySupplier {
    fn ask(&self, ticket: Ticket, demand: Demand) {
        // Its thread ends with the supplier.
        let _ = self.asked.send((ticket, demand));
    }

    fn low(&self, wanted: usize) {
        // A ticket of 0 was given to nobody.
        let _ = self.asked.send((Ticket(0), Demand::Clusters { wanted }));
    }

    /// Nobody proves anything dead here: what a quarantine holds stays held.
    fn quarantined(&self, _: Quarantine) {}
}
