//! The groups of a growth: new ones are made ready before any superblock shows them, and the one that reaches over the old
//! end is opened once every host has seen the new superblock (R38).
//!
//! ```text
//!   | ... | group | short or none | old shadow |  ... the device's gain ...  | new shadow |
//!                 |<-- the seam group: 8,192 clusters or what there is -->| new groups ... |
//! ```
//! In the seam group stands the old shadow, which may not be given out while a host believes in it. So until then the group
//! has the clusters that it had, or, if it was none, no cluster at all: a record with one cluster, which is its head's. Its
//! bitmap counts nothing beyond the group's clusters, so that to open the group is one swap of its record, whoever holds it.

use oarlock_block::{Answer, BlockSize, IoError, Lba};
use oarlock_format::{
    FormatId, GroupNumber, GroupRecord, Image, Initial, Layout, Nonce, Space, Stamped, Superblock, Writer,
    decode, decode_superblock,
};

use crate::cell::{Cell, Purpose, Sender, Swap};
use crate::fresh::{COMMAND_LIMIT, Unwritten, write, write_images};
use crate::grow::GrowError;
use crate::store::{Lane, Store};
use crate::world::World;

/// Swaps of one group's record, at most: each failure means that its owner, or who waits for it, swapped it meanwhile.
const SWAPS_MAX: u32 = 32;

/// The clusters that the record of a group says which nobody may take anything of yet.
const UNOPENED: u32 = 1;

impl From<Unwritten> for GrowError {
    fn from(Unwritten { lba, error }: Unwritten) -> GrowError {
        GrowError::Group { lba, error }
    }
}

/// Writes the records and bitmaps of all groups that `now` has and `was` has not, and makes them durable. No superblock
/// shows them yet, so that nobody reads or writes there.
pub(crate) async fn make_ready(
    world: &World,
    format_id: FormatId,
    was: &Superblock,
    now: &Superblock,
) -> Result<(), GrowError> {
    let nonce = || Nonce(world.random.nonce());
    let (old, new) = (was.space(), now.space());
    let images = (old.groups()..new.groups()).map(GroupNumber).flat_map(|group| {
        let initial = Initial::new(now, format_id, &nonce);
        let images = match Seam::of(&new, group, &was.layout) {
            Seam::None => initial.group(group, new.clusters_of(group)).to_vec(),
            Seam::Behind => initial.group(group, UNOPENED)[..1].to_vec(),
            Seam::UnderRecord => Vec::new(),
        };
        images.into_iter()
    });
    write_images(world, now.stride_blocks, images, &|_| {}).await?;
    flush(world, new.record(GroupNumber(0))).await
}

/// How the old shadow stands to a group that was none before.
enum Seam {
    /// It is not in it.
    None,
    /// Where the record will stand.
    UnderRecord,
    /// Anywhere behind it.
    Behind,
}

impl Seam {
    fn of(space: &Space, group: GroupNumber, old: &Layout) -> Seam {
        let (start, shadow) = (space.record(group), old.shadow.start);
        let end = start.0 + u64::from(space.clusters_of(group)) * space.cluster_blocks().0;
        match shadow.0 {
            shadow if shadow == start.0 => Seam::UnderRecord,
            shadow if shadow > start.0 && shadow < end => Seam::Behind,
            _ => Seam::None,
        }
    }
}

/// Opens every group that a growth has left closed or short; no host believes in an older superblock than this any more.
pub(crate) async fn open_all(store: &Store, superblock: &Stamped<Superblock>) -> Result<(), GrowError> {
    let space = superblock.record.space();
    for group in (0..space.groups()).map(GroupNumber) {
        let lba = space.record(group);
        let mut buffer = [0; BlockSize::LARGEST];
        let bytes = &mut buffer[..store.block_size.length()];
        store.read_bytes(Lane::Work, lba, bytes).await?;
        let standing = decode::<GroupRecord>(bytes, &store.place(lba));
        match standing {
            Ok(found) if found.record.clusters >= space.clusters_of(group) => {}
            Ok(_) => lengthen(store, superblock, group).await?,
            // An old shadow, and so nothing that anybody uses. What is damaged is for a repair to judge.
            Err(_)
                if decode_superblock(bytes, lba).is_ok_and(|old| old.stamp.format_id == store.format_id) =>
            {
                replace_shadow(store, superblock, group, bytes).await?;
            }
            Err(_) => {}
        }
    }
    flush(&store.world, superblock.record.layout.groups.start).await
}

/// Gives a group the clusters that it has by now.
async fn lengthen(
    store: &Store,
    superblock: &Stamped<Superblock>,
    group: GroupNumber,
) -> Result<(), GrowError> {
    let space = superblock.record.space();
    let (lba, clusters) = (space.record(group), space.clusters_of(group));
    let mut cell = Cell::new(lba, store.read::<GroupRecord>(Lane::Work, lba).await?);
    if cell.record.clusters == UNOPENED {
        write_bitmap(store, superblock, group).await?;
    }
    for _ in 0..SWAPS_MAX {
        let record = &cell.record;
        if record.clusters >= clusters && !cell.has_open_attempts() {
            return Ok(());
        }
        let had = record.clusters.max(space.head());
        let free = record.free.saturating_add(clusters - had.min(clusters));
        let longer = GroupRecord { clusters, free: free.min(clusters), ..record.clone() };
        let sender = Sender { writer: Writer::Tool, lane: Lane::Work, purpose: Purpose::Upkeep };
        match cell.swap(store, sender, longer).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } | Swap::Lost => {}
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                store.world.pause(store.timing.beat / 8).await;
            }
        }
    }
    Err(GrowError::Group { lba, error: None })
}

/// Puts a group where the old shadow stands.
async fn replace_shadow(
    store: &Store,
    superblock: &Stamped<Superblock>,
    group: GroupNumber,
    shadow: &[u8],
) -> Result<(), GrowError> {
    write_bitmap(store, superblock, group).await?;
    let (lba, image) = fresh(store, superblock, group).0;
    let command = store.world.device.compare_and_write(lba, shadow, image.bytes());
    let answer = store.world.within(COMMAND_LIMIT, command).await.map(|attempted| attempted.outcome);
    let error = match answer {
        Some(Ok(Answer::Swapped)) => return Ok(()),
        Some(Ok(Answer::Unknown { cause })) => Some(IoError::Unknown(cause)),
        Some(Err(refusal)) => Some(IoError::Refused(refusal)),
        Some(Ok(Answer::Miscompared { .. })) | None => None,
    };
    Err(GrowError::Group { lba, error })
}

/// The bitmap is on the disk before the record says that it counts.
async fn write_bitmap(
    store: &Store,
    superblock: &Stamped<Superblock>,
    group: GroupNumber,
) -> Result<(), GrowError> {
    let (lba, image) = fresh(store, superblock, group).1;
    write(&store.world, lba, image.bytes()).await?;
    flush(&store.world, lba).await
}

/// Record and bitmap of a group that nobody has used.
fn fresh(
    store: &Store,
    superblock: &Stamped<Superblock>,
    group: GroupNumber,
) -> ((Lba, Image), (Lba, Image)) {
    let nonce = || Nonce(store.world.random.nonce());
    let initial = Initial::new(&superblock.record, store.format_id, &nonce);
    let [record, bitmap] = initial.group(group, superblock.record.space().clusters_of(group));
    (record, bitmap)
}

async fn flush(world: &World, lba: Lba) -> Result<(), GrowError> {
    match world.within(COMMAND_LIMIT, world.device.flush()).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(GrowError::Group { lba, error: Some(error) }),
        None => Err(GrowError::Group { lba, error: None }),
    }
}
