//! Where a bench may write: the scratch blocks of a datastore that it joined, or a file that it made itself.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount, Lba, Metered};
use oarlock_device::{OpenOptions, Task};
use oarlock_engine::{Ended, Host, World};
use oarlock_format::{FormatId, HostName};
use oarlock_host::MadeFile;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ground::Ground;

/// The length of a bench's own file: more than the deepest queue has places.
const OWN_FILE: ByteCount = ByteCount(16 << 20);
/// The distance of two blocks in a bench's own file. Neighbours would be one transfer to a kernel that merges
/// requests, which locks are not: they lie scattered over their table.
const OWN_FILE_STRIDE: ByteCount = ByteCount(64 << 10);
/// A host that leaves after a bench is given this long.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);
/// A device that a bench may write to.
pub enum Place {
    /// Nothing was at the path: a file of the bench's own.
    Own {
        /// It goes with this value.
        _file: MadeFile,
    },
    /// A datastore.
    Datastore,
}

impl Place {
    /// Opens the device; what is no datastore is refused, and left as it is.
    ///
    /// # Errors
    /// Why a bench must not write there.
    pub fn open(path: &Path) -> Result<(Place, Ground), Failure> {
        let file = MadeFile::make(path, OWN_FILE.0);
        // Where nothing is, and no file could be made, the device's own opening says why.
        let create = (file.is_none() && !path.exists()).then_some(OWN_FILE);
        let mut ground = Ground::open_datastore(path, OpenOptions { create, ..OpenOptions::default() })?;
        if let Some(file) = file {
            return Ok((Place::Own { _file: file }, ground));
        }
        let opened = ground.executor.block_on(oarlock_engine::open(&ground.world));
        opened.map_err(|error| Failure::from(error).on(path))?;
        Ok((Place::Datastore, ground))
    }
}

/// The blocks of a bench's own file, as far from one another as the file allows the deepest queue.
#[must_use]
pub fn own_blocks(count: u64, block: BlockSize) -> Vec<Lba> {
    let stride = OWN_FILE_STRIDE.0 / u64::from(block.bytes());
    (0..count).map(|index| Lba(index * stride)).collect()
}

/// Which strides of the scratch region a bench takes: spread over all of it, so that the kernel cannot merge what goes
/// to neighbours, and shifted by the slot, so that benches of different slots keep apart as far as they can.
fn scratch_strides(slot: u64, count: u64, strides: u64) -> impl Iterator<Item = u64> {
    let spacing = strides / count.max(1);
    (0..count).map(move |index| (slot + index * spacing) % strides)
}

/// A bench that joined the datastore as a host.
pub struct Joined {
    /// The host.
    pub host: Host,
    run: Task<Ended>,
}

impl Joined {
    /// Joins under a name of the bench's own.
    ///
    /// # Errors
    /// Why it could not.
    pub async fn join(ground: &World, spawner: &oarlock_device::Spawner) -> Result<Joined, Failure> {
        let host = Host::join(ground.clone(), &name()?, Rc::new(|_| {})).await?;
        let running = host.clone();
        let run = spawner.spawn(async move { running.run().await });
        Ok(Joined { host, run })
    }

    /// The scratch blocks for this host.
    ///
    /// # Errors
    /// Where the datastore has fewer than were asked for.
    pub fn scratch(&self, count: u64) -> Result<Vec<Lba>, Failure> {
        let layout = self.host.superblock().record.layout;
        let strides = layout.scratch.blocks.0 / layout.stride_blocks.0;
        if count > strides {
            return Err(Failure::new(Code::Bench, format!("there are only {strides} scratch blocks")));
        }
        let slot = u64::from(self.host.status().owner.slot.0);
        let place = |stride| Lba(layout.scratch.start.0 + stride * layout.stride_blocks.0);
        Ok(scratch_strides(slot, count, strides).map(place).collect())
    }

    /// The datastore's id.
    #[must_use]
    pub fn format_id(&self) -> FormatId {
        self.host.superblock().stamp.format_id
    }

    /// Leaves the datastore.
    pub async fn leave(self, clock: &dyn oarlock_block::Clock) {
        self.host.leave(clock.now().plus(LEAVE_LIMIT)).await;
        self.run.await;
    }
}

/// A name that no other host has: of two benches on one machine each has its own pid.
///
/// # Errors
/// Never, as names go.
pub fn name() -> Result<HostName, Failure> {
    let text = format!("bench-{}", std::process::id());
    HostName::new(&text).map_err(|reason| oarlock_host::HostError::Name { text, reason }.into())
}

/// A world whose device for everything but beats is counted.
#[must_use]
pub fn metered(ground: &Ground) -> (World, Rc<Metered>) {
    let device = Rc::new(Metered::new(ground.work(), Rc::clone(&ground.world.clock)));
    let world = World { device: Rc::clone(&device) as Rc<dyn oarlock_block::Device>, ..ground.world.clone() };
    (world, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_blocks_of_one_bench_are_neighbours_nor_the_same_up_to_the_deepest_queue() {
        for (slot, count) in [(0, 1), (0, 32), (63, 32), (1023, 64)] {
            let mut strides: Vec<u64> = scratch_strides(slot, count, 256).collect();
            strides.sort_unstable();
            assert_eq!(strides.len() as u64, count);
            assert!(strides.windows(2).all(|pair| pair[1] - pair[0] > 1), "{strides:?}");
            assert!(strides.iter().all(|stride| *stride < 256), "{strides:?}");
        }
    }

    #[test]
    fn the_blocks_of_the_deepest_queue_lie_within_the_own_file() {
        for block in [BlockSize::B512, BlockSize::B4096] {
            let last = own_blocks(64, block)[63];
            assert!(last.byte_offset(block) + u64::from(block.bytes()) <= OWN_FILE.0);
        }
    }
}
