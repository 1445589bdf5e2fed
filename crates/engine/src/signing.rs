//! Signing: one copy of the superblock replaced by ATS, by a tool that is no host (resignature, growth).
//!
//! Nobody else writes superblocks while hosts live, so a false answer means another tool, or an own attempt that came late;
//! what stands there then decides.

use std::time::Duration;

use oarlock_block::{Answer, BlockSize, IoError, Lba, Refusal};
use oarlock_format::{
    FormatId, Generation, Image, Nonce, Stamp, Superblock, Writer, decode_superblock, encode, stamp_of,
};

use crate::world::World;

/// Attempts on one copy at most, where the device gives no clear answers.
const ATTEMPTS_MAX: usize = 16;
/// Each command is given this long.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a copy of the superblock was not replaced, or may have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
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
}

/// What is to stand in each copy.
pub(crate) struct Signer<'a> {
    pub(crate) world: &'a World,
    pub(crate) format_id: FormatId,
    pub(crate) record: Superblock,
    pub(crate) generation: Generation,
}

impl Signer<'_> {
    /// Swaps the copy at `lba`; where `from` is given, only from the image with that nonce. Durable when it returns.
    pub(crate) async fn sign(&self, lba: Lba, from: Option<Nonce>) -> Result<(), SigningError> {
        let expected = self.read(lba).await?;
        if from.is_some() && stamp_of(&expected).map(|stamp| stamp.nonce) != from {
            return Err(SigningError::Raced { lba });
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
                    return Err(SigningError::Device { lba, error: IoError::Refused(refusal) });
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
                        return Err(SigningError::Raced { lba });
                    }
                }
            }
            self.world.pause(PAUSE).await;
        }
        Err(SigningError::NoAnswer { lba })
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

    pub(crate) async fn read(&self, lba: Lba) -> Result<Vec<u8>, SigningError> {
        let mut buffer = [0; BlockSize::LARGEST];
        let buffer = &mut buffer[..self.record.block_size.length()];
        match self.world.within(COMMAND_LIMIT, self.world.device.read(lba, buffer)).await {
            Some(Ok(())) => Ok(buffer.to_vec()),
            Some(Err(error)) => Err(SigningError::Device { lba, error }),
            None => Err(SigningError::NoAnswer { lba }),
        }
    }

    async fn flush(&self, lba: Lba) -> Result<(), SigningError> {
        match self.world.within(COMMAND_LIMIT, self.world.device.flush()).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(SigningError::Device { lba, error }),
            None => Err(SigningError::NoAnswer { lba }),
        }
    }
}
