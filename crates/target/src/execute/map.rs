//! What a unit has mapped: GET LBA STATUS (SBC-4).

use std::io;
use std::sync::Arc;

use oarlock_block::{BlockCount, Geometry, Lba};
use oarlock_device::{Content, Medium};
use oarlock_scsi::{AdditionalSense, GetLbaStatus, LbaStatus, LbaStatusList, Sense, SenseKey, check_range};

use super::{Reply, Work};
use crate::course::Outcome;

/// Descriptors of one answer.
const DESCRIPTORS_MAX: usize = 64;

impl Work {
    pub(super) async fn get_lba_status(&self, status: GetLbaStatus) -> Outcome<Reply> {
        check_range(status.lba, BlockCount(1), self.unit.blocks())?;
        let room = LbaStatusList::room(status.allocation_length).min(DESCRIPTORS_MAX);
        let list = if self.unit.traits.is_thin {
            let medium = Arc::clone(&self.unit.medium);
            // The file system waits for its disk, or for a change of the file that does.
            self.ask_file_system(move || {
                list(medium.geometry(), status.lba, room, |at, geometry| run(&medium, at, geometry))
            })
            .await?
        } else {
            list(self.unit.geometry(), status.lba, room, |_, geometry| {
                Ok((geometry.size().0, LbaStatus::Mapped))
            })
        };
        let list =
            list.map_err(|_| Sense::new(SenseKey::MediumError, AdditionalSense::UNRECOVERED_READ_ERROR))?;
        Ok(Reply::bytes(list.encode(), status.allocation_length))
    }

    /// Asks the file system below, of whose device one thing is asked at a time.
    pub(super) async fn ask_file_system<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Outcome<io::Result<T>> {
        let _turn = self.task.or_aborted(self.unit.shares.asking.next()).await?;
        let told = self.array.media.outside(act).await;
        self.task.check()?;
        Ok(told)
    }
}

/// The runs of blocks from `from` on, no more than `room`. `run`: where the run ends, in bytes, that a byte is in, and what it is.
fn list(
    geometry: Geometry,
    from: Lba,
    room: usize,
    run: impl Fn(u64, Geometry) -> io::Result<(u64, LbaStatus)>,
) -> io::Result<LbaStatusList> {
    let block = u64::from(geometry.block_size.bytes());
    let mut at = from.byte_offset(geometry.block_size);
    let mut list = LbaStatusList::default();
    while at < geometry.size().0 && list.ranges.len() < room {
        let (end, state) = run(at, geometry)?;
        let count = ((end - at) / block).min(u64::from(u32::MAX));
        list.ranges.push((Lba(at / block), u32::try_from(count).unwrap_or(u32::MAX), state));
        at += count * block;
    }
    Ok(list)
}

/// The run of blocks that are alike from byte `at` on. A block with a byte of data is mapped as a whole.
fn run(medium: &Medium, at: u64, geometry: Geometry) -> io::Result<(u64, LbaStatus)> {
    let (block, size) = (u64::from(geometry.block_size.bytes()), geometry.size().0);
    let region = medium.region(at)?;
    let whole = region.end_byte / block * block;
    if region.content == Content::Data || whole <= at {
        return Ok((region.end_byte.next_multiple_of(block).clamp(at + block, size), LbaStatus::Mapped));
    }
    match region.content {
        Content::Reserved => Ok((whole, LbaStatus::Anchored)),
        Content::Data | Content::Hole => Ok((whole, LbaStatus::Deallocated)),
    }
}
