//! Growth: a datastore uses what its device gained, while its hosts go on (R38).
//!
//! ```text
//!   new groups --> shadow at the new end --> first copy: the longer layout, generation + 1 --> every live host is asked to
//!   look --> each beat shows the new generation: the group in which the old shadow stands is opened
//! ```
//! The new shadow comes first: a first copy that names a shadow which is not there would have none. Broken off anywhere,
//! another growth goes on; a shadow that nobody names yet is in nobody's way, and neither are groups that nobody knows.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockCount, EnterError, IoError, Lba};
use oarlock_format::{
    Chosen, Generation, LayoutError, LayoutRequest, OtherCopy, SlotIndex, SlotRecord, SlotSet, Stamped,
    Superblock, Truth, decode_superblock,
};

use crate::check::rollcall::ask_as_tool;
use crate::grow_groups::{make_ready, open_all};
use crate::life::live_slots;
use crate::open::{OpenError, open};
use crate::planted::{PlantedBug, planted};
use crate::signing::{Signer, SigningError};
use crate::step::victim;
use crate::store::{ReadFault, Store};
use crate::world::World;

/// The slot, far above those of hosts, whose lock a tool holds that makes a datastore or makes it longer: of two at once the
/// second is refused, where the device has such locks.
pub const TOOL_SLOT: SlotIndex = SlotIndex(u16::MAX);

/// A tool that has just ended keeps its lock for as long as its writes are finished (R13): so long is waited for it.
const TOOL_WAIT: Duration = Duration::from_secs(2);

/// What a growth came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grown {
    /// The superblock as it was.
    pub was: Superblock,
    /// The superblock as it is; the same where the device gained nothing.
    pub now: Superblock,
    /// Hosts whose beats do not show the present superblock yet: silent, or too slow. The group in which the old shadow
    /// stands is not opened while there are such: the next growth does it, also where the device gained nothing more.
    pub unseen_by: Vec<String>,
}

/// Why a datastore did not grow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrowError {
    /// It is no datastore that this program may write to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The device is longer than a datastore can be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The two copies of the superblock contradict one another in a way that a repair must judge first.
    #[error("the two copies of the superblock must be repaired first: {reason}")]
    Unrepaired {
        /// What is wrong.
        reason: &'static str,
    },
    /// A copy of the superblock could not be written.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A slot or a group could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
    /// Another tool makes or lengthens this datastore.
    #[error("another growth or a format of this device is at work")]
    UnderWay,
    /// The tools' lock could not be asked for.
    #[error(transparent)]
    Enter(EnterError),
    /// A group could not be made ready.
    #[error("the group at block {lba} could not be made ready: {}", .error.as_ref().map_or_else(|| "no clear answer".to_owned(), ToString::to_string))]
    Group {
        /// The block.
        lba: Lba,
        /// The device's words, where it had any.
        error: Option<IoError>,
    },
    /// A live host could not be asked to look.
    #[error("the datastore has grown, and a host could not be told: {reason}")]
    Unasked {
        /// Why not.
        reason: String,
    },
}

/// Grows the datastore to its device's present length, and waits until its live hosts know, for two watches at most.
///
/// # Errors
/// Why not. Whatever the error, the datastore is sound, and growing it again goes on where this ended.
pub async fn grow(world: &World) -> Result<Grown, GrowError> {
    enter(world).await?;
    let grown = grow_alone(world).await;
    world.cut_off.exit(TOOL_SLOT).await;
    grown
}

/// Takes the tools' lock.
async fn enter(world: &World) -> Result<(), GrowError> {
    let until = world.clock.now().plus(TOOL_WAIT);
    loop {
        match world.cut_off.enter(TOOL_SLOT).await {
            Ok(()) => return Ok(()),
            Err(EnterError::Held { .. }) if world.clock.now() < until => world.pause(TOOL_WAIT / 50).await,
            Err(EnterError::Held { .. }) => return Err(GrowError::UnderWay),
            Err(error) => return Err(GrowError::Enter(error)),
        }
    }
}

async fn grow_alone(world: &World) -> Result<Grown, GrowError> {
    let chosen = open(world).await?;
    must_not_be_repaired_first(&chosen)?;
    let was = chosen.superblock.record.clone();
    let now = lengthened(&was, world.device.geometry().blocks)?;
    let mut superblock = chosen.superblock;
    if now != was {
        if now.has_disks() {
            make_ready(world, superblock.stamp.format_id, &was, &now).await?;
        }
        superblock.stamp.generation = write(world, &superblock, &now).await?;
        superblock.record = now.clone();
    }
    let store = Store::new(world.clone(), &superblock, Rc::new(|_| {}));
    let unseen_by = tell(&store, &superblock).await?;
    if unseen_by.is_empty() && superblock.record.has_disks() {
        open_all(&store, &superblock).await?;
    }
    Ok(Grown { was, now, unseen_by })
}

fn must_not_be_repaired_first(chosen: &Chosen) -> Result<(), GrowError> {
    let unrepaired = |reason| Err(GrowError::Unrepaired { reason });
    match (&chosen.truth, &chosen.other) {
        (Truth::Shadow, _) => unrepaired("the first is damaged"),
        (Truth::First, OtherCopy::Ahead) => unrepaired("the shadow is newer than the first"),
        (Truth::First, OtherCopy::Differs) => unrepaired("they are of one generation and differ"),
        (Truth::First, OtherCopy::Newer(_)) => unrepaired("a newer program wrote the shadow"),
        // The old shadow goes anyway.
        _ => Ok(()),
    }
}

/// The superblock on a device of `blocks`; the same one where nothing whole was gained.
fn lengthened(superblock: &Superblock, blocks: BlockCount) -> Result<Superblock, LayoutError> {
    let request = LayoutRequest { device_blocks: blocks, ..superblock.request() };
    let layout = superblock.layout.grown(&request)?;
    if layout == superblock.layout {
        return Ok(superblock.clone());
    }
    Ok(Superblock { device_blocks: blocks, layout, ..superblock.clone() })
}

/// Writes both copies, the new shadow first; the generation that they have.
async fn write(
    world: &World,
    superblock: &Stamped<Superblock>,
    record: &Superblock,
) -> Result<Generation, SigningError> {
    let stamp = &superblock.stamp;
    let mut writer = Signer {
        world,
        format_id: stamp.format_id,
        record: record.clone(),
        generation: stamp.generation.next(),
    };
    let shadow = record.layout.shadow.start;
    let standing = decode_superblock(&writer.read(shadow).await?, shadow);
    if let Ok(standing) = standing
        && standing.stamp.format_id == stamp.format_id
    {
        // A growth that was broken off left it: the same superblock is taken for done, another is written over.
        let above = if standing.record == *record {
            standing.stamp.generation
        } else {
            standing.stamp.generation.next()
        };
        writer.generation = writer.generation.max(above);
    }
    if planted(PlantedBug::NameShadowFirst) {
        writer.sign(Lba(0), Some(stamp.nonce)).await?;
    }
    writer.sign(shadow, None).await?;
    writer.sign(Lba(0), Some(stamp.nonce)).await?;
    Ok(writer.generation)
}

/// Asks every live host that does not show the superblock's generation to read it; the names of those that still do not.
async fn tell(store: &Store, superblock: &Stamped<Superblock>) -> Result<Vec<String>, GrowError> {
    let generation = superblock.stamp.generation;
    let behind = unaware(store, generation).await?;
    if planted(PlantedBug::GiveOutShadowUnseen) {
        return Ok(Vec::new());
    }
    let slots: SlotSet = behind.iter().map(|(slot, _)| *slot).collect();
    ask_as_tool(store, &slots).await.map_err(|reason| GrowError::Unasked { reason })?;
    let until = store.now().plus(store.timing.watch * 2);
    loop {
        let behind = unaware(store, generation).await?;
        if behind.is_empty() || store.now() >= until {
            return Ok(behind.into_iter().map(|(_, record)| name_of(&record)).collect());
        }
        store.world.pause((store.timing.beat / 4).max(Duration::from_millis(1))).await;
    }
}

fn name_of(record: &SlotRecord) -> String {
    record.name.as_ref().map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned())
}

/// The hosts whose beats show an older superblock, and whose death is not proved.
async fn unaware(store: &Store, generation: Generation) -> Result<Vec<(SlotIndex, SlotRecord)>, ReadFault> {
    let mut unaware = Vec::new();
    for (slot, _, record) in live_slots(store).await? {
        let dead = store.world.cut_off.death_proved(victim(slot, &record)).await.is_some();
        if record.superblock_generation < generation && !dead {
            unaware.push((slot, record));
        }
    }
    Ok(unaware)
}
