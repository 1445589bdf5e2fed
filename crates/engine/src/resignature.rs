//! The resignature: a copied LUN gets a life of its own (R22).
//!
//! ```text
//!   nobody lives here: slot locks obtained, or a whole watch --> every slot Free --> shadow --> first superblock
//! ```
//! The first superblock goes last: until it carries the new identity no host joins, and a resignature that was broken off
//! is simply begun again. The format id is kept, so every record stays valid; the locks of those who lived on the
//! original are broken by whoever takes them, as after any host's death.

use oarlock_block::{DeviceIdentity, EnterError, Fencing, IoError, Lba, SlotIndex};
use oarlock_format::{
    Access, Generation, Image, NoSuperblock, SlotRecord, SlotState, Superblock, SuperblockState, Writer,
};

use crate::cell::{Cell, Swap};
use crate::check::CheckError;
use crate::check::exact::{Exchange, exchange};
use crate::check::right::Right;
use crate::check::rollcall::sender;
use crate::check::superblocks::read_copies;
use crate::open::OpenError;
use crate::store::{Lane, ReadFault, Seen, Store};
use crate::verdict::Version;
use crate::watch::{Look, Watch};
use crate::world::World;

/// One slot is swapped to Free this often.
const SWAPS_MAX: u32 = 8;
/// A watch that the device's stalls break again and again is given up after so many watches' time.
const WATCHES_MAX: u32 = 8;

/// What a resignature did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resignature {
    /// The device that the superblock named before.
    pub formatted_on: DeviceIdentity,
    /// The device that it names now: this one.
    pub this: DeviceIdentity,
    /// The slots that were freed.
    pub freed: Vec<SlotIndex>,
}

/// Why a device was given no new identity. Until the first superblock is swapped, it keeps the old one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResignatureError {
    /// It is no copy.
    #[error(
        "this device is the one that the datastore was formatted on ({this}): there is nothing to change"
    )]
    Original {
        /// Its identity.
        this: DeviceIdentity,
    },
    /// The device is no datastore that this program may write to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A host lives on this very device.
    #[error("host {host} lives in slot {slot} of this device: {reason}")]
    Living {
        /// Its name.
        host: String,
        /// Its slot.
        slot: SlotIndex,
        /// What shows it.
        reason: String,
    },
    /// The device's stalls left no time for a whole watch.
    #[error("no watch could be kept without a gap: the device stalls")]
    NoWatch,
    /// A record could not be written.
    #[error("block {lba} was not swapped: {reason}")]
    NotSwapped {
        /// The block.
        lba: Lba,
        /// Why not.
        reason: String,
    },
    /// What was written could not be made durable.
    #[error("the new identity could not be made durable: {0}")]
    NotDurable(IoError),
    /// The slots could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] CheckError),
}

/// Gives the datastore on this device, which is a copy of another, this device's identity.
///
/// # Errors
/// Why not.
pub async fn resignature(world: &World) -> Result<Resignature, ResignatureError> {
    let copies = read_copies(world).await?;
    let chosen = copies.chosen.as_ref().map_err(|error: &NoSuperblock| OpenError::from(error.clone()))?;
    let superblock = &chosen.superblock;
    let this = world.device.identity();
    refuse(world, &superblock.record, &this)?;
    let store = Store::new(world.clone(), superblock, std::rc::Rc::new(|_| {}));
    let freed = free_slots(&store).await?;
    let generation = copies.generations().fold(Generation(0), Generation::max).next();
    let record = Superblock { identity: this.clone(), ..superblock.record.clone() };
    let shadow = record.layout.shadow.start;
    put(&store, shadow, copies.image_at(shadow), generation, &record).await?;
    put(&store, Lba(0), copies.image_at(Lba(0)), generation, &record).await?;
    Ok(Resignature { formatted_on: superblock.record.identity.clone(), this, freed })
}

fn refuse(world: &World, superblock: &Superblock, this: &DeviceIdentity) -> Result<(), ResignatureError> {
    let geometry = world.device.geometry();
    if superblock.state == SuperblockState::Formatting {
        return Err(OpenError::HalfFormatted.into());
    }
    if superblock.block_size != geometry.block_size {
        let (datastore, device) = (superblock.block_size.bytes(), geometry.block_size.bytes());
        return Err(OpenError::BlockSize { datastore, device }.into());
    }
    if superblock.device_blocks > geometry.blocks {
        let (needed, have) = (superblock.device_blocks.0, geometry.blocks.0);
        return Err(OpenError::Truncated { needed, have }.into());
    }
    if let Access::ReadOnly { unknown } = superblock.access() {
        return Err(OpenError::ReadOnlyFeatures { unknown }.into());
    }
    if superblock.identity == *this {
        return Err(ResignatureError::Original { this: this.clone() });
    }
    Ok(())
}

async fn put(
    store: &Store,
    lba: Lba,
    known: Option<&Image>,
    generation: Generation,
    record: &Superblock,
) -> Result<(), ResignatureError> {
    let not_swapped = |reason: &str| ResignatureError::NotSwapped { lba, reason: reason.to_owned() };
    let known = known.ok_or_else(|| not_swapped("it could not be read"))?;
    match exchange(store, Right::Tool, lba, known, generation, record).await? {
        Exchange::Done => store.flush().await.map_err(ResignatureError::NotDurable),
        Exchange::Changed => Err(not_swapped("another wrote there at the same time")),
        Exchange::Refused(reason) => Err(not_swapped(&reason)),
    }
}

/// Frees every slot that is not; its incarnation is kept. A slot that holds no sound record stays as it is: nobody beats
/// there, and `check --repair` puts it right once the device has its identity.
async fn free_slots(store: &Store) -> Result<Vec<SlotIndex>, ResignatureError> {
    let mut taken = Vec::new();
    for slot in (0..store.layout.slot_count()).map(SlotIndex) {
        match store.read::<SlotRecord>(Lane::Work, store.layout.slot(slot)).await {
            Ok(seen) if seen.stamped.record.state != SlotState::Free => taken.push((slot, seen)),
            Ok(_) | Err(ReadFault::Unsound { .. }) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    if store.world.device.fencing() == Fencing::FileLock {
        free_entered(store, &taken).await?;
    } else {
        watch(store, &taken).await?;
        for (slot, seen) in &taken {
            free(store, *slot, seen).await?;
        }
    }
    store.flush().await.map_err(ResignatureError::NotDurable)?;
    Ok(taken.into_iter().map(|(slot, _)| slot).collect())
}

/// On a file, whoever has obtained a slot's lock knows that nobody lives there: a copy's slots name processes that live
/// on the original, whose locks are another file's.
async fn free_entered(
    store: &Store,
    taken: &[(SlotIndex, Seen<SlotRecord>)],
) -> Result<(), ResignatureError> {
    for (slot, seen) in taken {
        let entered = store.world.cut_off.enter(*slot).await;
        entered.map_err(|error: EnterError| living(*slot, &seen.stamped.record, error.to_string()))?;
        let freed = free(store, *slot, seen).await;
        store.world.cut_off.exit(*slot).await;
        freed?;
    }
    Ok(())
}

/// Watches all these slots for a whole watch at once (R6).
async fn watch(store: &Store, taken: &[(SlotIndex, Seen<SlotRecord>)]) -> Result<(), ResignatureError> {
    let timing = store.timing;
    let mut watches: Vec<Watch> = taken.iter().map(|_| Watch::new(timing.watch, timing.beat)).collect();
    let give_up = store.now().plus(timing.watch * WATCHES_MAX);
    while watches.iter().any(|watch| watch.complete(store.now(), 0).is_none()) {
        if store.now() >= give_up {
            return Err(ResignatureError::NoWatch);
        }
        for ((slot, first), watch) in taken.iter().zip(&mut watches) {
            match store.read::<SlotRecord>(Lane::Work, store.layout.slot(*slot)).await {
                Ok(seen) if seen.version() != first.version() => {
                    let reason = "its slot changed while it was watched".to_owned();
                    return Err(living(*slot, &seen.stamped.record, reason));
                }
                Ok(seen) => watch.look(Look {
                    image: seen.version().nonce,
                    issued: seen.issued,
                    replied: seen.replied,
                    disturbances: 0,
                }),
                Err(_) => watch.broken(),
            }
        }
        store.world.pause(timing.beat / 2).await;
    }
    Ok(())
}

async fn free(store: &Store, slot: SlotIndex, seen: &Seen<SlotRecord>) -> Result<(), ResignatureError> {
    let lba = store.layout.slot(slot);
    let watched: Version = seen.version();
    let mut cell = Cell::new(lba, seen.clone());
    for _ in 0..SWAPS_MAX {
        let record =
            SlotRecord { state: SlotState::Free, unclean: true, asked: false, ..cell.record.clone() };
        match cell.swap(store, sender(Writer::Tool), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } => return Ok(()),
            Swap::Lost if cell.version() != watched => {
                return Err(living(slot, &cell.record, "its slot changed meanwhile".to_owned()));
            }
            Swap::Lost | Swap::Open | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                store.world.pause(store.timing.beat / 8).await;
            }
        }
    }
    Err(ResignatureError::NotSwapped { lba, reason: "the device gave no clear answer".to_owned() })
}

fn living(slot: SlotIndex, record: &SlotRecord, reason: String) -> ResignatureError {
    let host = record.name.as_ref().map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned());
    ResignatureError::Living { host, slot, reason }
}
