//! The ground of a verb that works on a device itself: the device, the clock, the executor, the engine's world.

use std::path::Path;
use std::rc::Rc;

use futures::future::{Either, select};
use oarlock_block::{BlockSize, Device};
use oarlock_device::{BootClock, Executor, FileDevice, Lane, OpenOptions, OsRandom};
use oarlock_engine::World;

use crate::failure::Failure;
use crate::stop::{Stop, interrupted};

/// A device that was opened, and all that the engine wants beside it.
pub struct Ground {
    /// Runs the engine's futures on this thread.
    pub executor: Executor,
    /// The device.
    pub device: FileDevice,
    /// What the engine is given.
    pub world: World,
}

impl Ground {
    /// Opens the device.
    ///
    /// # Errors
    /// What was refused.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Ground, Failure> {
        let clock = BootClock::start().map_err(|error| Failure::system("no clock", &error))?;
        let device = FileDevice::open(path, options)?;
        let cut_off =
            device.cut_off().map_err(|error| Failure::system("this process has no identity", &error))?;
        let world = World {
            device: device.lane(Lane::Work),
            beat_device: device.lane(Lane::Beat),
            cut_off,
            clock: Rc::new(clock),
            random: Rc::new(OsRandom),
        };
        Ok(Ground { executor: Executor::new(), device, world })
    }

    /// Opens the device with the blocks that the datastore on it has: a plain file does not say whether they are of 512 or of
    /// 4,096 bytes. Where no superblock checks out with either, it is the device's own choice.
    ///
    /// # Errors
    /// What was refused.
    pub fn open_datastore(path: &Path, options: OpenOptions) -> Result<Ground, Failure> {
        let mut ground = Ground::open(path, options)?;
        let large = OpenOptions { block_size: Some(BlockSize::B4096), ..options };
        if ground.has_other_blocks()
            && let Ok(mut other) = Ground::open(path, large)
            && !other.has_other_blocks()
        {
            return Ok(other);
        }
        Ok(ground)
    }

    fn has_other_blocks(&mut self) -> bool {
        let read = self.executor.block_on(oarlock_engine::read_superblock(&self.world));
        read.is_err_and(|error| error.may_be_of_other_blocks())
    }

    /// The device for everything but beats.
    #[must_use]
    pub fn work(&self) -> Rc<dyn Device> {
        Rc::clone(&self.world.device)
    }
}

/// Runs a future to its end, or until a signal comes.
///
/// # Errors
/// The future's, or that it was interrupted.
pub fn run<T>(
    executor: &mut Executor,
    stop: &mut Stop,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    executor.block_on(async {
        futures::pin_mut!(future);
        match select(future, stop.signal()).await {
            Either::Left((result, _)) => result,
            Either::Right((name, _)) => Err(interrupted(name)),
        }
    })
}
