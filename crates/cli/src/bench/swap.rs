//! The swap as a bench does it: one ATS on a block of its own, from the image it last put there to one never used.

use std::rc::Rc;

use oarlock_block::{Answer, BlockSize, Device, Lba, Random, Refusal};
use oarlock_format::{
    FormatId, Generation, HostName, Incarnation, Nonce, SlotRecord, SlotState, Stamp, VERSION, Writer, encode,
};

use crate::catalogue::Code;
use crate::failure::Failure;

/// Swaps that may be lost in a row, to another bench that uses the same block.
const LOST_MAX: u32 = 64;

/// What stands at the front of a block that a bench wrote, for whoever finds it.
const MARK: &[u8; 16] = b"oarlock bench\0\0\0";

/// Where a bench has its new images from.
#[derive(Clone)]
pub enum Images {
    /// A mark and a nonce: the bare ATS.
    Bare,
    /// A whole slot record with stamp and checksum: what a beat costs a host.
    Beat(FormatId, HostName),
}

/// One block, swapped again and again.
pub struct Swap {
    device: Rc<dyn Device>,
    random: Rc<dyn Random>,
    lba: Lba,
    images: Images,
    held: Vec<u8>,
    count: u64,
}

impl Swap {
    /// Swaps the block at `lba`, which must be one that nobody relies upon.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn new(
        device: Rc<dyn Device>,
        random: Rc<dyn Random>,
        lba: Lba,
        images: Images,
    ) -> Result<Swap, Failure> {
        let block = device.geometry().block_size;
        let mut swap = Swap { device, random, lba, images, held: vec![0; block.length()], count: 0 };
        swap.read().await?;
        Ok(swap)
    }

    /// Does it once; where another bench was first, again from what that one left.
    ///
    /// # Errors
    /// Where the device gives no clear answer.
    pub async fn once(&mut self) -> Result<(), Failure> {
        for _ in 0..LOST_MAX {
            let new = self.image();
            let command = self.device.compare_and_write(self.lba, &self.held, &new);
            match command.await.outcome {
                Ok(Answer::Swapped) => {
                    self.held = new;
                    return Ok(());
                }
                Ok(Answer::Miscompared { .. }) | Err(Refusal::Busy) => self.read().await?,
                Ok(Answer::Unknown { cause }) => return Err(self.failed(&cause.to_string())),
                Err(refusal) => return Err(self.failed(&refusal.to_string())),
            }
        }
        Err(self.failed("another program swaps it all the time"))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let outcome = self.device.read(self.lba, &mut self.held).await;
        outcome.map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, reason: &str) -> Failure {
        Failure::new(Code::Bench, format!("scratch block {}: {reason}", self.lba))
    }

    fn image(&mut self) -> Vec<u8> {
        self.count += 1;
        let nonce = self.random.nonce();
        let block = self.device.geometry().block_size;
        match &self.images {
            Images::Bare => bare(nonce, block),
            Images::Beat(format_id, name) => {
                let record = SlotRecord {
                    state: SlotState::Live,
                    name: Some(name.clone()),
                    incarnation: Incarnation(1),
                    version_max: VERSION,
                    ..SlotRecord::never_used()
                };
                let stamp = Stamp {
                    format_id: *format_id,
                    lba: self.lba,
                    generation: Generation(self.count),
                    writer: Writer::Tool,
                    nonce: Nonce(nonce),
                };
                encode(&stamp, &record, block).bytes().to_vec()
            }
        }
    }
}

fn bare(nonce: u128, block: BlockSize) -> Vec<u8> {
    let mut image = vec![0; block.length()];
    image[..16].copy_from_slice(MARK);
    image[16..32].copy_from_slice(&nonce.to_le_bytes());
    image
}
