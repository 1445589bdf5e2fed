//! Creating a datastore: refuse what lives, then write Formatting, every record, and Ready (R38).

use std::rc::Rc;

use oarlock_block::{BlockCount, BlockSize, ByteCount, EnterError, Fencing, IoError, Lba};
use oarlock_format::{
    FormatId, Generation, Image, Initial, Label, Layout, LayoutError, LayoutRequest, NoSuperblock, Nonce,
    SlotIndex, SlotRecord, Stamp, Stamped, Superblock, SuperblockState, Timing, TimingError, Writer,
};

use crate::fresh::{COMMAND_LIMIT, Unwritten, write, write_images};
use crate::life::{Living, who_lives};
use crate::open::{OpenError, read_superblock};
use crate::store::{Lane, ReadFault, Store};
use crate::world::World;

/// What is to be made.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// Its name.
    pub label: Label,
    /// How many hosts.
    pub slots: u16,
    /// The unit of allocation.
    pub cluster_size: ByteCount,
    /// Beat, lease, watch, hold, drain.
    pub timing: Timing,
    /// Overwrite a datastore that nobody lives in.
    pub force: bool,
}

/// Why no datastore was made. Until the first record is written nothing on the device changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The parameters contradict one another.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// The device does not fit.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// There is a datastore already.
    #[error(
        "the device holds the datastore {label}; --force makes a new one of it, and everything in it is lost"
    )]
    Exists {
        /// Its name.
        label: Label,
    },
    /// There is a datastore that this program cannot read: a newer one, an overwritten or a damaged one.
    #[error(
        "the device holds a datastore that cannot be read ({reason}); --force makes a new one of it, and everything in it \
         is lost"
    )]
    Unread {
        /// What is wrong with it.
        reason: NoSuperblock,
    },
    /// A host lives in the datastore that is there (R38).
    #[error(
        "the datastore {label} is in use: host {host} (slot {slot}) lives; nothing makes a new one of it"
    )]
    Living {
        /// The datastore.
        label: Label,
        /// The host.
        host: String,
        /// Its slot.
        slot: SlotIndex,
    },
    /// The lock of a slot of the datastore that is there could not be asked.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The device refused or failed a command.
    #[error("block {lba} could not be read or written: {error}")]
    Device {
        /// The block.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// Another wrote to the superblock meanwhile, or the device's compare and write does not work.
    #[error(
        "the superblock changed while it was being written: another format runs on this device, or it cannot compare and write"
    )]
    Raced,
    /// The device did not answer.
    #[error("the device did not answer within {} s", COMMAND_LIMIT.as_secs())]
    NoAnswer,
    /// The slots of the datastore that is there could not be read.
    #[error(transparent)]
    Record(#[from] ReadFault),
}

impl From<Unwritten> for CreateError {
    fn from(Unwritten { lba, error }: Unwritten) -> CreateError {
        error.map_or(CreateError::NoAnswer, |error| CreateError::Device { lba, error })
    }
}

/// Makes a datastore on the device. `progress` hears how many of how many records are written.
///
/// # Errors
/// Why not.
pub async fn create(
    world: &World,
    request: &CreateRequest,
    progress: &dyn Fn(u64, u64),
) -> Result<Stamped<Superblock>, CreateError> {
    create_over(world, world, request, progress).await
}

/// Makes a datastore on the device of `world`, where `there` is the same device as the datastore that is to go has it: opened with
/// blocks of another size, it may be, for a plain file serves both.
///
/// # Errors
/// As [`create`].
pub async fn create_over(
    world: &World,
    there: &World,
    request: &CreateRequest,
    progress: &dyn Fn(u64, u64),
) -> Result<Stamped<Superblock>, CreateError> {
    request.timing.check()?;
    let geometry = world.device.geometry();
    let stride = geometry.physical_block.whole_blocks(geometry.block_size).0.max(1);
    let layout_request = LayoutRequest {
        block_size: geometry.block_size,
        stride_blocks: BlockCount(stride),
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: geometry.blocks,
    };
    let layout = Layout::plan(&layout_request)?;
    let old = what_may_go(there, request.force).await?;
    let superblock = Superblock {
        state: SuperblockState::Formatting,
        label: request.label.clone(),
        block_size: geometry.block_size,
        stride_blocks: BlockCount(stride),
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: geometry.blocks,
        timing: request.timing,
        fencing: world.device.fencing(),
        identity: world.device.identity(),
        features_compatible: 0,
        features_read_only: 0,
        features_incompatible: Superblock::FEATURE_DISKS,
        layout,
        created_wall_ms: world.clock.wall().milliseconds,
    };
    let maker = Maker { world, format_id: FormatId(world.random.nonce()), block_size: geometry.block_size };
    let mut entered = Vec::new();
    let made = async {
        if let Some(old) = &old {
            refuse_the_living(there, old).await?;
            enter_all(there, old, &mut entered).await?;
        }
        maker.make(superblock, progress).await
    };
    let made = made.await;
    for slot in entered {
        there.cut_off.exit(slot).await;
    }
    made
}

/// Takes the right to every slot of the datastore that is to go, for as long as the format lasts: who holds one came during
/// the watch, or was only stopped, or something of it may still land; and nobody joins behind the back of a format that is
/// paused from here on (R13, R18).
async fn enter_all(
    world: &World,
    old: &Stamped<Superblock>,
    entered: &mut Vec<SlotIndex>,
) -> Result<(), CreateError> {
    if world.device.fencing() != Fencing::FileLock {
        return Ok(());
    }
    for slot in (0..old.record.slots).map(SlotIndex) {
        match world.cut_off.enter(slot).await {
            Ok(()) => entered.push(slot),
            Err(EnterError::Held { slot }) => {
                let host = name_in(world, old, slot).await;
                return Err(CreateError::Living { label: old.record.label.clone(), host, slot });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn name_in(world: &World, old: &Stamped<Superblock>, slot: SlotIndex) -> String {
    let store = Store::new(world.clone(), old, Rc::new(|_| {}));
    let seen = store.read::<SlotRecord>(Lane::Work, store.layout.slot(slot)).await;
    let name = seen.ok().and_then(|seen| seen.stamped.record.name);
    name.map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned())
}

/// A datastore in which a host lives is refused always: its slots are watched for a whole watch.
async fn refuse_the_living(world: &World, old: &Stamped<Superblock>) -> Result<(), CreateError> {
    match who_lives(world, old).await? {
        Some(Living { host, slot }) => {
            Err(CreateError::Living { label: old.record.label.clone(), host, slot })
        }
        None => Ok(()),
    }
}

/// A datastore is refused without `force`, whether this program can read it or not. The one that is to go, where hosts
/// may live in it.
async fn what_may_go(world: &World, force: bool) -> Result<Option<Stamped<Superblock>>, CreateError> {
    let there = match read_superblock(world).await {
        Ok(there) => there.superblock,
        Err(OpenError::NoSuperblock(NoSuperblock::NotOurs { .. })) => return Ok(None),
        Err(OpenError::NoSuperblock(reason)) if !force => return Err(CreateError::Unread { reason }),
        // Its slots stand where the shadow says.
        Err(OpenError::NoSuperblock(NoSuperblock::Overwritten { shadow, .. })) => *shadow,
        Err(OpenError::Unreadable { lba, error }) if !force => {
            return Err(CreateError::Device { lba, error });
        }
        Err(OpenError::NoAnswer) => return Err(CreateError::NoAnswer),
        // Where its slots stand nobody can tell any more; a person says that it may go.
        Err(_) => return Ok(None),
    };
    let superblock = &there.record;
    if superblock.state == SuperblockState::Formatting {
        return Ok(None);
    }
    if !force {
        return Err(CreateError::Exists { label: superblock.label.clone() });
    }
    // One that was cut off behind: nothing can live in it.
    Ok((superblock.device_blocks <= world.device.geometry().blocks).then_some(there))
}

struct Maker<'a> {
    world: &'a World,
    format_id: FormatId,
    block_size: BlockSize,
}

impl Maker<'_> {
    async fn make(
        &self,
        superblock: Superblock,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Stamped<Superblock>, CreateError> {
        let first = Lba(0);
        let found = self.read(first).await?;
        let begun = self.image(first, Generation(1), &superblock);
        self.swap(first, &found, &begun).await?;
        self.flush().await?;
        self.write_records(&superblock, progress).await?;
        let ready = Superblock { state: SuperblockState::Ready, ..superblock };
        let shadow = ready.layout.shadow.start;
        self.write(shadow, self.image(shadow, Generation(2), &ready).bytes()).await?;
        self.flush().await?;
        let done = self.image(first, Generation(2), &ready);
        self.swap(first, begun.bytes(), &done).await?;
        self.flush().await?;
        let stamp = done.stamp().ok_or(CreateError::Raced)?;
        Ok(Stamped { stamp, record: ready })
    }

    /// Every record as it is before anybody used it; the scratch blocks as zeros.
    async fn write_records(
        &self,
        superblock: &Superblock,
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), CreateError> {
        let scratch = superblock.layout.scratch;
        self.write(scratch.start, &vec![0; self.bytes(scratch.blocks)]).await?;
        let nonce = || Nonce(self.world.random.nonce());
        let initial = Initial::new(superblock, self.format_id, &nonce);
        let total = initial.count();
        let written = |count| progress(count, total);
        write_images(self.world, superblock.stride_blocks, initial.images(), &written).await?;
        Ok(())
    }

    fn bytes(&self, blocks: BlockCount) -> usize {
        usize::try_from(blocks.bytes(self.block_size).0).unwrap_or(usize::MAX)
    }

    fn image(&self, lba: Lba, generation: Generation, record: &Superblock) -> Image {
        let stamp = Stamp {
            format_id: self.format_id,
            lba,
            generation,
            writer: Writer::Tool,
            nonce: Nonce(self.world.random.nonce()),
        };
        oarlock_format::encode(&stamp, record, self.block_size)
    }

    async fn read(&self, lba: Lba) -> Result<Vec<u8>, CreateError> {
        let mut buffer = vec![0; self.block_size.length()];
        let read = self.world.within(COMMAND_LIMIT, self.world.device.read(lba, &mut buffer)).await;
        read.ok_or(CreateError::NoAnswer)?.map_err(|error| CreateError::Device { lba, error })?;
        Ok(buffer)
    }

    async fn write(&self, lba: Lba, bytes: &[u8]) -> Result<(), CreateError> {
        Ok(write(self.world, lba, bytes).await?)
    }

    /// The superblock is put in place by ATS, so that of two formats at once one notices the other, and a device that
    /// cannot compare and write is found out before anything relies on it.
    async fn swap(&self, lba: Lba, expected: &[u8], new: &Image) -> Result<(), CreateError> {
        let command = self.world.device.compare_and_write(lba, expected, new.bytes());
        let attempted = self.world.within(COMMAND_LIMIT, command).await.ok_or(CreateError::NoAnswer)?;
        match attempted.outcome {
            Ok(oarlock_block::Answer::Swapped) => Ok(()),
            Ok(oarlock_block::Answer::Miscompared { .. }) => Err(CreateError::Raced),
            Ok(oarlock_block::Answer::Unknown { cause }) => {
                Err(CreateError::Device { lba, error: IoError::Unknown(cause) })
            }
            Err(refusal) => Err(CreateError::Device { lba, error: IoError::Refused(refusal) }),
        }
    }

    async fn flush(&self) -> Result<(), CreateError> {
        let flushed = self.world.within(COMMAND_LIMIT, self.world.device.flush()).await;
        flushed.ok_or(CreateError::NoAnswer)?.map_err(|error| CreateError::Device { lba: Lba(0), error })
    }
}
