//! Resignature: a copied datastore gets the identity of the device that it stands on, and so a life of its own (R22).
//!
//! ```text
//!   first copy: old identity --ATS--> new identity, generation + 1;  then the shadow --ATS--> the same
//! ```
//! Between the two the datastore can be used: the first copy is the truth (R38), and a further resignature brings the
//! shadow along. The format id stays, so that every other record stays what it is.

use std::time::Duration;

use oarlock_block::{Answer, BlockSize, DeviceIdentity, IoError, Lba, Refusal};
use oarlock_format::{
    Access, Chosen, FormatId, Generation, Image, Label, Nonce, OtherCopy, SlotIndex, Stamp, Superblock,
    SuperblockState, Truth, Writer, decode_superblock, encode, stamp_of,
};

use crate::life::{Living, who_lives};
use crate::open::{OpenError, read_superblock};
use crate::store::ReadFault;
use crate::world::World;

/// Attempts on one copy at most, where the device gives no clear answers.
const ATTEMPTS_MAX: usize = 16;
/// Each command is given this long.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

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
    /// Somebody else changed the superblock meanwhile.
    #[error("the superblock at block {lba} was changed by somebody else meanwhile")]
    Raced {
        /// The block.
        lba: Lba,
    },
    /// The device gave no clear answer.
    #[error("the device gave no clear answer to {ATTEMPTS_MAX} attempts on block {lba}")]
    NoAnswer {
        /// The block.
        lba: Lba,
    },
    /// The device refused or failed a command.
    #[error("block {lba} could not be read or written: {error}")]
    Device {
        /// The block.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// The slots could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
}

/// Writes the device's own identity into both copies of the superblock, unless a host lives in the datastore.
///
/// # Errors
/// Why not. Only [`ResignatureError::NoAnswer`] and [`ResignatureError::Device`] may leave the first copy changed and
/// the shadow not; running it again finishes that.
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

struct Signer<'a> {
    world: &'a World,
    format_id: FormatId,
    record: Superblock,
    generation: Generation,
}

impl Signer<'_> {
    /// Swaps the copy at `lba`; where `from` is given, only from the image with that nonce. Durable when it returns.
    async fn sign(&self, lba: Lba, from: Option<Nonce>) -> Result<(), ResignatureError> {
        let expected = self.read(lba).await?;
        if from.is_some() && stamp_of(&expected).map(|stamp| stamp.nonce) != from {
            return Err(ResignatureError::Raced { lba });
        }
        if self.stands(&expected, lba) {
            return self.flush(lba).await;
        }
        let mut sent = Vec::new();
        for _ in 0..ATTEMPTS_MAX {
            let image = self.image(lba);
            sent.extend(image.stamp().map(|stamp| stamp.nonce));
            let command = self.world.device.compare_and_write(lba, &expected, image.bytes());
            match self.world.within(COMMAND_LIMIT, command).await.map(|attempted| attempted.outcome) {
                Some(Ok(Answer::Swapped)) => return self.flush(lba).await,
                Some(Err(Refusal::Busy)) => {}
                Some(Err(refusal)) => {
                    return Err(ResignatureError::Device { lba, error: IoError::Refused(refusal) });
                }
                // False or unknown: what stands there decides. The expected image closes nothing (R1): the next
                // attempt does, for if an earlier one lands first, it miscompares and finds that one's nonce.
                Some(Ok(Answer::Miscompared { .. } | Answer::Unknown { .. })) | None => {
                    let found = self.read(lba).await?;
                    let own = stamp_of(&found).is_some_and(|stamp| sent.contains(&stamp.nonce));
                    if own {
                        return self.flush(lba).await;
                    }
                    if found != expected {
                        return Err(ResignatureError::Raced { lba });
                    }
                }
            }
            self.world.pause(PAUSE).await;
        }
        Err(ResignatureError::NoAnswer { lba })
    }

    /// Whether the block holds this very superblock already.
    fn stands(&self, bytes: &[u8], lba: Lba) -> bool {
        decode_superblock(bytes, lba).is_ok_and(|found| {
            found.record == self.record
                && found.stamp.generation == self.generation
                && found.stamp.format_id == self.format_id
        })
    }

    fn image(&self, lba: Lba) -> Image {
        let stamp = Stamp {
            format_id: self.format_id,
            lba,
            generation: self.generation,
            writer: Writer::Tool,
            nonce: Nonce(self.world.random.nonce()),
        };
        encode(&stamp, &self.record, self.record.block_size)
    }

    async fn read(&self, lba: Lba) -> Result<Vec<u8>, ResignatureError> {
        let mut buffer = [0; BlockSize::LARGEST];
        let buffer = &mut buffer[..self.record.block_size.length()];
        match self.world.within(COMMAND_LIMIT, self.world.device.read(lba, buffer)).await {
            Some(Ok(())) => Ok(buffer.to_vec()),
            Some(Err(error)) => Err(ResignatureError::Device { lba, error }),
            None => Err(ResignatureError::NoAnswer { lba }),
        }
    }

    async fn flush(&self, lba: Lba) -> Result<(), ResignatureError> {
        match self.world.within(COMMAND_LIMIT, self.world.device.flush()).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(ResignatureError::Device { lba, error }),
            None => Err(ResignatureError::NoAnswer { lba }),
        }
    }
}
