//! Resignature: a copied datastore gets the identity of the device that it stands on, and so a life of its own (R22).
//!
//! ```text
//!   first copy: old identity --ATS--> new identity, generation + 1;  then the shadow --ATS--> the same
//! ```
//! Between the two the datastore can be used: the first copy is the truth (R38), and a further resignature brings the
//! shadow along. The format id stays, so that every other record stays what it is.

use oarlock_block::{DeviceIdentity, Lba};
use oarlock_format::{Access, Chosen, Label, OtherCopy, SlotIndex, Superblock, SuperblockState, Truth};

use crate::life::{Living, who_lives};
use crate::open::{OpenError, read_superblock};
use crate::signing::{Signer, SigningError};
use crate::store::ReadFault;
use crate::world::World;

/// What a resignature came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resigned {
    /// Both copies name this device already: nothing was written.
    AlreadyItsOwn {
        /// The device's identity.
        identity: DeviceIdentity,
    },
    /// Both copies name this device now.
    Renewed {
        /// The identity that the datastore had.
        was: DeviceIdentity,
        /// The identity that it has.
        identity: DeviceIdentity,
    },
}

/// Why a copy was not given a life of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResignatureError {
    /// It is no datastore that this program may write to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A host lives in it.
    #[error("the datastore {label} is in use: host {host} (slot {slot}) lives")]
    Living {
        /// The datastore.
        label: Label,
        /// The host.
        host: String,
        /// Its slot.
        slot: SlotIndex,
    },
    /// The two copies of the superblock contradict one another in a way that a repair must judge first.
    #[error("the two copies of the superblock must be repaired first: {reason}")]
    Unrepaired {
        /// What is wrong.
        reason: &'static str,
    },
    /// A copy of the superblock could not be written.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The slots could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
}

/// Writes the device's own identity into both copies of the superblock, unless a host lives in the datastore.
///
/// # Errors
/// Why not. Only [`ResignatureError::Signing`] may leave the first copy changed and the shadow not; running it again
/// finishes that.
pub async fn resignature(world: &World) -> Result<Resigned, ResignatureError> {
    let chosen = read_superblock(world).await?;
    let superblock = &chosen.superblock.record;
    check(world, &chosen)?;
    let (was, identity) = (superblock.identity.clone(), world.device.identity());
    if was == identity && chosen.other == OtherCopy::Same {
        return Ok(Resigned::AlreadyItsOwn { identity });
    }
    if let Some(Living { host, slot }) = who_lives(world, &chosen.superblock).await? {
        return Err(ResignatureError::Living { label: superblock.label.clone(), host, slot });
    }
    let generation = chosen.superblock.stamp.generation;
    let mut writer = Signer {
        world,
        format_id: chosen.superblock.stamp.format_id,
        record: Superblock { identity: identity.clone(), ..superblock.clone() },
        generation,
    };
    if was != identity {
        writer.generation = generation.next();
        writer.sign(Lba(0), Some(chosen.superblock.stamp.nonce)).await?;
    }
    writer.sign(superblock.layout.shadow.start, None).await?;
    Ok(Resigned::Renewed { was, identity })
}

/// Whether this is a datastore whose superblock may be written, as it stands.
fn check(world: &World, chosen: &Chosen) -> Result<(), ResignatureError> {
    let superblock = &chosen.superblock.record;
    let geometry = world.device.geometry();
    let unrepaired = |reason| Err(ResignatureError::Unrepaired { reason });
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
    match (&chosen.truth, &chosen.other) {
        (Truth::Shadow, _) => unrepaired("the first is damaged"),
        (_, OtherCopy::Ahead) => unrepaired("the shadow is newer than the first"),
        (_, OtherCopy::Newer(_)) => unrepaired("a newer program wrote the shadow"),
        _ => Ok(()),
    }
}
