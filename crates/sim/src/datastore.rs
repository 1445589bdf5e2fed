//! A formatted datastore, made once by the engine's own `create` in a calm world, and copied into each seed's world.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, ByteCount, Clock, CutOff, Device, Geometry, Lba, Random};
use oarlock_engine::{CreateRequest, World as Parts, create};
use oarlock_format::{
    ClusterIndex, ClusterNumber, ClusterRun, FormatId, GroupNumber, Label, Layout, LockName, PAGE_LENGTH,
    SlotIndex, Stamped, Superblock, Timing, home,
};

use crate::disks::{Medium, SECRET, tagged};
use crate::scenario::range;
use crate::{Handle, HostLife, HostSetup, Image, Lane, TrueTime, World, WorldOptions};

/// The blocks of a fresh datastore.
pub struct Template {
    /// Its superblock.
    pub superblock: Stamped<Superblock>,
    blocks: Vec<(Lba, Image)>,
    /// Of these, those of clusters that are free.
    free: Vec<Lba>,
}

/// The device, and how much of it is free for disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ground {
    /// The device's length.
    pub megabytes: u64,
    /// The unit of allocation.
    pub cluster_size: u64,
    /// Clusters of each group that are free, each of them full of what nobody may read. All the others are taken: the space
    /// runs out soon. None: all are free, and hold zeros.
    pub room: Option<u16>,
}

impl Ground {
    /// A device for so many hosts, where disks are not the subject: 64 MiB for a few, 1 GiB for more.
    #[must_use]
    pub fn of(hosts: u16) -> Ground {
        let megabytes = if hosts <= FEW_HOSTS { 64 } else { 1024 };
        Ground { megabytes, cluster_size: 64 << 10, room: None }
    }

    /// The device.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        Geometry {
            block_size: BlockSize::B512,
            physical_block: ByteCount(512),
            blocks: BlockCount(self.megabytes * 2048),
        }
    }
}

/// Slots, beat, lease, hold, ground: what tells one template from another.
type TemplateKey = (u16, Duration, Duration, Duration, Ground);

thread_local! {
    static MADE: RefCell<BTreeMap<TemplateKey, Rc<Template>>> = RefCell::default();
}

/// Hosts for which the small device is large enough.
const FEW_HOSTS: u16 = 12;

impl Template {
    /// The format id of every simulated datastore of few hosts, so that names with one home can be found beforehand.
    pub const FORMAT_ID: FormatId = FormatId(0x5eed_0a71_0cc5_1e7e_5eed_0a71_0cc5_1e7e);

    /// Slots for so many hosts and a few former lives of theirs.
    fn slots(hosts: u16) -> u16 {
        if hosts <= FEW_HOSTS { 16 } else { (hosts + 64).min(1024) }
    }

    /// The positions of named locks on the small device.
    #[must_use]
    pub fn lock_positions() -> u32 {
        Template::of(1, Timing::DEFAULT).layout().lock_positions()
    }

    /// Where the records stand on the small device that hosts of these locks work with: a lock's home and what stands
    /// beside it, for each, and all slots with their mailboxes.
    #[must_use]
    pub fn ranges_in_use(locks: &[LockName]) -> Vec<(Lba, Lba)> {
        let layout = Template::of(1, Timing::DEFAULT).layout();
        let home = |name| layout.lock(home(&Template::FORMAT_ID, name, layout.lock_positions()));
        let homes = locks.iter().map(|name| range(home(name), layout.stride_blocks));
        homes.chain([range(layout.slots.start, layout.slots.blocks)]).collect()
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.superblock.record.layout
    }

    /// The template for so many hosts and this timing, on a device that is large enough for them.
    #[must_use]
    pub fn of(hosts: u16, timing: Timing) -> Rc<Template> {
        Template::on(Ground::of(hosts), hosts, timing)
    }

    /// The template for so many hosts and this timing, on that ground; made once on each thread.
    #[must_use]
    pub fn on(ground: Ground, hosts: u16, timing: Timing) -> Rc<Template> {
        let key: TemplateKey = (Template::slots(hosts), timing.beat, timing.lease, timing.hold, ground);
        let known = MADE.with_borrow(|made| made.get(&key).cloned());
        known.unwrap_or_else(|| {
            let template = Rc::new(Template::make(ground, hosts, timing));
            MADE.with_borrow_mut(|made| made.insert(key, Rc::clone(&template)));
            template
        })
    }

    fn make(ground: Ground, hosts: u16, timing: Timing) -> Template {
        let mut options = WorldOptions::calm(0);
        options.geometry = ground.geometry();
        let world = World::seeded(options);
        let life = world.start_life(world.add_host(HostSetup::OVERSEER));
        let mut parts = parts(&life);
        parts.random = Rc::new(FirstNonce {
            id: Template::FORMAT_ID,
            rest: Rc::clone(&parts.random),
            used: false.into(),
        });
        let Ok(label) = Label::new("sim") else { unreachable!("a constant is a label") };
        let request = CreateRequest {
            label,
            slots: Template::slots(hosts),
            cluster_size: ByteCount(ground.cluster_size),
            timing,
            force: false,
        };
        let limit = TrueTime::from_start(Duration::from_secs(600));
        let (made, _) =
            world.run_to_end(&life, limit, async move { create(&parts, &request, &|_, _| {}).await });
        let superblock = match made {
            Some(Ok(superblock)) => superblock,
            other => panic!("the simulated device could not be formatted: {other:?}"),
        };
        let free = ground.room.map(|room| fill_up(&world, &superblock.record, room)).unwrap_or_default();
        let mut blocks = copy(&world, &superblock.record);
        let secret: Image = tagged(SECRET).into();
        blocks.extend(free.iter().map(|lba| (*lba, Rc::clone(&secret))));
        Template { superblock, blocks, free }
    }

    /// Puts the datastore on a world's device.
    pub fn put(&self, world: &Handle) {
        for (lba, image) in &self.blocks {
            world.put_content(*lba, image);
        }
    }

    /// Lets the device keep all clusters that are free in one place: the first write to each needs room.
    pub fn take_places(&self, world: &Handle) {
        world.take_places(&self.free);
    }
}

/// Takes all clusters but so many of each group; the blocks of those.
fn fill_up(world: &Handle, superblock: &Superblock, room: u16) -> Vec<Lba> {
    let space = superblock.space();
    let block = |lba| world.content(lba).to_vec();
    let medium = Medium { superblock, format_id: Template::FORMAT_ID, block: &block };
    let mut free = Vec::new();
    for group in (0..space.groups()).map(GroupNumber) {
        let mut bitmap = match medium.bitmap(group) {
            Ok(bitmap) => bitmap,
            Err(error) => panic!("a fresh datastore is wrong: {error}"),
        };
        let head = u16::try_from(space.head()).unwrap_or(u16::MAX);
        let clusters = u16::try_from(space.clusters_of(group)).unwrap_or(u16::MAX);
        let first = head.saturating_add(room).min(clusters);
        bitmap.mark(ClusterRun { first: ClusterIndex(first), count: clusters - first }, true);
        let (epoch, sequence) = (bitmap.header().epoch, bitmap.header().sequence);
        world.put_content(space.bitmap(group), &bitmap.seal(epoch, sequence)[..]);
        let rooms = (head..first).map(|index| space.cluster(ClusterNumber::of(group, ClusterIndex(index))));
        free.extend(rooms.flat_map(|lba| (lba.0..lba.plus(space.cluster_blocks()).0).map(Lba)));
    }
    free
}

/// Every block that a format has written, but the scratch blocks.
fn copy(world: &Handle, superblock: &Superblock) -> Vec<(Lba, Image)> {
    let (layout, space) = (&superblock.layout, superblock.space());
    let regions = [layout.slots, layout.locks, layout.directory, layout.descriptors, layout.shadow];
    let records = regions.iter().flat_map(|region| region.start.0..region.start.plus(region.blocks).0);
    let journals =
        (0..superblock.slots).map(|slot| layout.journal(SlotIndex(slot), superblock.block_size).header.0);
    let page = PAGE_LENGTH as u64 / u64::from(superblock.block_size.bytes());
    let groups = (0..space.groups())
        .map(GroupNumber)
        .flat_map(|group| space.record(group).0..space.bitmap(group).0 + page);
    let blocks = std::iter::once(0).chain(records).chain(journals).chain(groups);
    blocks.map(|lba| (Lba(lba), world.content(Lba(lba)))).collect()
}

/// The parts of one life, as the engine takes them.
#[must_use]
pub fn parts(life: &HostLife) -> Parts {
    Parts {
        device: Rc::new(life.device(Lane::Work)) as Rc<dyn Device>,
        beat_device: Rc::new(life.device(Lane::Beat)) as Rc<dyn Device>,
        cut_off: Rc::new(life.cut_off()) as Rc<dyn CutOff>,
        clock: Rc::new(life.clock()) as Rc<dyn Clock>,
        random: Rc::new(life.random()) as Rc<dyn Random>,
    }
}

/// Randomness whose first nonce is given: `create` draws the format id first.
struct FirstNonce {
    id: FormatId,
    rest: Rc<dyn Random>,
    used: std::cell::Cell<bool>,
}

impl Random for FirstNonce {
    fn nonce(&self) -> u128 {
        if self.used.replace(true) { self.rest.nonce() } else { self.id.0 }
    }

    fn bits(&self) -> u64 {
        self.rest.bits()
    }
}
