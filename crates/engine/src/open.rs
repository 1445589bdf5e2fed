//! Opening a datastore: reading both copies of the superblock, and checking that this device is the one it was formatted on.

use std::time::Duration;

use oarlock_block::{BlockSize, DeviceIdentity, IoError, Lba, Refusal};
use oarlock_format::{
    Access, Chosen, DecodeError, Layout, NoSuperblock, Stamped, Superblock, SuperblockState, choose,
    claimed_shadows, decode_superblock, shadow_candidates,
};

use crate::world::World;

/// One read of a superblock is given this long, and then sent again: its reply may just have been lost.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// A read without an answer is sent this often in all.
const READS_MAX: u32 = 6;

/// Why a device cannot be opened as a datastore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The device did not give the block.
    #[error("the superblock at block {lba} could not be read: {error}")]
    Unreadable {
        /// The block.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// The device did not answer.
    #[error("the device did not answer within {} s", READ_LIMIT.as_secs() * u64::from(READS_MAX))]
    NoAnswer,
    /// No superblock to go by.
    #[error(transparent)]
    NoSuperblock(#[from] NoSuperblock),
    /// `format` was cut short here.
    #[error(
        "a format of this device was begun and not finished; it holds no data: format it again with --force"
    )]
    HalfFormatted,
    /// It was formatted on another LUN (R22): this one is a copy, or a snapshot of the array.
    #[error(
        "the datastore was formatted on {formatted_on}, and this device is {this}: a copy or an array's snapshot; \
         `oarlock resignature` gives it a life of its own"
    )]
    SnapshotSignature {
        /// The identity in the superblock.
        formatted_on: DeviceIdentity,
        /// The device's identity.
        this: DeviceIdentity,
    },
    /// The device is shorter than the datastore.
    #[error("the datastore has {needed} blocks, and the device only {have}")]
    Truncated {
        /// The datastore's length.
        needed: u64,
        /// The device's length.
        have: u64,
    },
    /// The device's blocks are of another size.
    #[error("the datastore has blocks of {datastore} bytes, and the device of {device}")]
    BlockSize {
        /// The datastore's.
        datastore: u32,
        /// The device's.
        device: u32,
    },
    /// A newer program added what this one may only read.
    #[error("this datastore uses features {unknown:#x} that only a newer program may write")]
    ReadOnlyFeatures {
        /// The unknown bits.
        unknown: u64,
    },
}

impl OpenError {
    /// Whether the device may be read with blocks of another size than the datastore has: then no superblock checks out.
    #[must_use]
    pub fn may_be_of_other_blocks(&self) -> bool {
        matches!(self, OpenError::NoSuperblock(NoSuperblock::NotOurs { .. } | NoSuperblock::Damaged { .. }))
    }
}

/// Reads the superblock of a device that may be written to.
///
/// # Errors
/// Why this device cannot be used as a datastore.
pub async fn open(world: &World) -> Result<Chosen, OpenError> {
    let chosen = read_superblock(world).await?;
    let superblock = &chosen.superblock.record;
    let geometry = world.device.geometry();
    if superblock.state == SuperblockState::Formatting {
        return Err(OpenError::HalfFormatted);
    }
    if superblock.block_size != geometry.block_size {
        return Err(OpenError::BlockSize {
            datastore: superblock.block_size.bytes(),
            device: geometry.block_size.bytes(),
        });
    }
    if superblock.device_blocks > geometry.blocks {
        return Err(OpenError::Truncated { needed: superblock.device_blocks.0, have: geometry.blocks.0 });
    }
    let this = world.device.identity();
    if superblock.identity != this {
        return Err(OpenError::SnapshotSignature { formatted_on: superblock.identity.clone(), this });
    }
    match superblock.access() {
        Access::ReadWrite => Ok(chosen),
        Access::ReadOnly { unknown } => Err(OpenError::ReadOnlyFeatures { unknown }),
    }
}

/// Reads both copies and chooses, whatever device this is and whatever state the datastore is in.
///
/// # Errors
/// Why there is no superblock to go by.
pub async fn read_superblock(world: &World) -> Result<Chosen, OpenError> {
    let first = read_copy(world, Lba(0)).await?;
    let shadow = match &first {
        Ok(superblock) => read_shadow_of(world, &superblock.record.layout).await?,
        Err(_) => find_shadow(world).await?,
    };
    Ok(choose(first, shadow)?)
}

type Copy = Result<Stamped<Superblock>, DecodeError>;

async fn read_shadow_of(world: &World, layout: &Layout) -> Result<Copy, OpenError> {
    if layout.shadow.start.0 >= world.device.geometry().blocks.0 {
        return Ok(Err(DecodeError::Blank));
    }
    read_copy(world, layout.shadow.start).await
}

/// The first copy does not check out: the shadow stands at the device's end, or where that copy's own bytes lead.
async fn find_shadow(world: &World) -> Result<Copy, OpenError> {
    let geometry = world.device.geometry();
    let mut found = Err(DecodeError::Blank);
    let first = first_bytes(world).await;
    let claimed = claimed_shadows(&first, geometry.blocks);
    for lba in shadow_candidates(geometry.block_size, geometry.blocks).chain(claimed) {
        found = match (read_copy(world, lba).await?, found) {
            (Ok(shadow), _) => return Ok(Ok(shadow)),
            // A damaged copy of ours says more than a blank block does.
            (Err(error), _) if error.is_damage() => Err(error),
            (Err(_), found) => found,
        };
    }
    Ok(found)
}

/// What the first block holds, as far as it can be read.
async fn first_bytes(world: &World) -> Vec<u8> {
    let mut buffer = vec![0; world.device.geometry().block_size.length()];
    match world.within(READ_LIMIT, world.device.read(Lba(0), &mut buffer)).await {
        Some(Ok(())) => buffer,
        _ => Vec::new(),
    }
}

async fn read_copy(world: &World, lba: Lba) -> Result<Copy, OpenError> {
    let mut buffer = [0; BlockSize::LARGEST];
    let buffer = &mut buffer[..world.device.geometry().block_size.length()];
    for _ in 0..READS_MAX {
        match world.within(READ_LIMIT, world.device.read(lba, buffer)).await {
            None => {}
            // A device that is too short for a superblock has none.
            Some(Err(IoError::Refused(Refusal::OutOfRange))) => return Ok(Err(DecodeError::Blank)),
            // A block that the medium lost is a damaged copy; the other one may stand in.
            Some(Err(IoError::Medium)) => {
                let what = "what the device did not give";
                return Ok(Err(DecodeError::Field { offset: 0, what }));
            }
            Some(Err(error)) => return Err(OpenError::Unreadable { lba, error }),
            Some(Ok(())) => return Ok(decode_superblock(buffer, lba)),
        }
    }
    Err(OpenError::NoAnswer)
}
