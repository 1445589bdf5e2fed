//! Making a datastore on a real device: refuse what is there, give the file its identity, let the engine make it.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount, Clock, EnterError, Fencing, ProcessIdentity, SlotIndex, Victim};
use oarlock_device::{Executor, FileDevice, OpenOptions, first_data_in_file, what_is_on};
use oarlock_engine::{
    CreateError, CreateRequest, JoinError, OpenError, TOOL_SLOT, World, create_over, read_superblock,
};
use oarlock_format::{Label, NoSuperblock, SLOTS_MAX, Stamped, Superblock, Timing};
use serde::{Deserialize, Serialize};

use crate::error::HostError;
use crate::made_file::MadeFile;
use crate::surroundings::{clock, world_of};

/// A watch and a hold that are long enough for every lease that is short enough.
const PATIENCE: Duration = Duration::from_secs(365 * 24 * 3600);

/// What device calls a datastore of ours; the engine says more of it, and knows whether anybody lives there.
const OURS: &str = "an Oarlock datastore";

/// A format waits this long for another one to end.
const FORMATTER_WAIT: Duration = Duration::from_secs(2);

/// What is to be made.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// The datastore's name.
    pub name: String,
    /// The length of the plain file, which is made where it is absent. Without it the device must be there.
    pub size: Option<u64>,
    /// How many hosts it has room for.
    pub slots: u16,
    /// The unit of allocation in bytes.
    pub cluster_size: u64,
    /// The block size in bytes; without it, the device's own.
    pub block_size: Option<u32>,
    /// How often a host beats.
    pub beat: Duration,
    /// For how long a beat lets a host act.
    pub lease: Duration,
    /// How long others look on before they fence; without it, 1.1 leases.
    pub watch: Option<Duration>,
    /// How long a lapsed host keeps guest I/O back.
    pub hold: Duration,
    /// Take over after this time where nothing proves a cut-off.
    pub drain: Option<Duration>,
    /// Overwrite what is recognised there, a plain file's data of any other kind, and a datastore that nobody lives in.
    pub force: bool,
}

impl FormatOptions {
    /// A datastore called `name`, as `oarlock format` makes it.
    #[must_use]
    pub fn new(name: &str) -> FormatOptions {
        FormatOptions {
            name: name.to_owned(),
            size: None,
            slots: 64,
            cluster_size: 64 << 10,
            block_size: None,
            beat: Timing::DEFAULT.beat,
            lease: Timing::DEFAULT.lease,
            watch: None,
            hold: Timing::DEFAULT.hold,
            drain: None,
            force: false,
        }
    }

    fn timing(&self) -> Result<Timing, CreateError> {
        let patient =
            Timing { beat: self.beat, lease: self.lease, watch: PATIENCE, hold: PATIENCE, drain: self.drain };
        // First all but watch and hold: a lease that makes no sense has no watch.
        patient.check()?;
        let watch = self.watch.unwrap_or_else(|| Timing::watch_for(self.lease));
        let timing = Timing { watch, hold: self.hold, ..patient };
        timing.check()?;
        Ok(timing)
    }
}

/// A datastore that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formatted {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The device.
    pub device: String,
    /// Bytes of a block.
    pub block_size: u32,
    /// Bytes of a cluster.
    pub cluster_size: u64,
    /// How many clusters can be given out.
    pub clusters: u64,
    /// How many hosts it has room for.
    pub slots: u16,
    /// `file-lock`, `reservation`, `blocklist`, `drain-only`.
    pub fencing: String,
}

/// Makes a datastore on the device. `progress` hears how many of how many records are written. Blocks the thread: for
/// seconds, or for a whole watch where a datastore is there already.
///
/// # Errors
/// Why not. Until the first record is written nothing on the device changed, and a file that was made is removed.
pub fn format(
    device: &Path,
    options: &FormatOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Formatted, HostError> {
    // On a thread of its own: the caller may be within an executor already.
    std::thread::scope(|scope| {
        let work = std::thread::Builder::new()
            .name("oarlock-format".to_owned())
            .spawn_scoped(scope, || format_here(device, options, progress))
            .map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })?;
        work.join().unwrap_or(Err(HostError::EngineGone))
    })
}

fn format_here(
    path: &Path,
    options: &FormatOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<Formatted, HostError> {
    let label =
        Label::new(&options.name).map_err(|reason| HostError::Name { text: options.name.clone(), reason })?;
    let request = CreateRequest {
        label,
        slots: options.slots,
        cluster_size: ByteCount(options.cluster_size),
        timing: options.timing()?,
        force: options.force,
    };
    let made = options.size.and_then(|size| MadeFile::make(path, size));
    if made.is_none() {
        refuse_what_is_there(path, options)?;
    }
    let outcome = make(path, options, &request, progress);
    if let Some(made) = made {
        made.settle(&outcome);
    }
    outcome
}

fn make(
    path: &Path,
    options: &FormatOptions,
    request: &CreateRequest,
    progress: &dyn Fn(u64, u64),
) -> Result<Formatted, HostError> {
    let block_size = options.block_size.map(|bytes| block_size(path, bytes)).transpose()?;
    let open = OpenOptions { read_only: false, create: options.size.map(ByteCount), block_size };
    let device = FileDevice::open(path, open)?;
    device.ensure_identity()?;
    let clock: Rc<dyn Clock> = Rc::new(clock()?);
    let world = world_of(&device, &clock)?;
    let superblock = Executor::new().block_on(async {
        enter_as_formatter(&world, path).await?;
        let former = former(path, &world, &clock).await?;
        let there = former.as_ref().map_or(&world, |(_, there)| there);
        refuse_company(there, path).await?;
        if !options.force {
            refuse_unknown_data(there, path).await?;
        }
        create_over(&world, there, request, progress).await.map_err(HostError::from)
    })?;
    Ok(formatted(path, &superblock))
}

/// The device with the blocks of the datastore that is on it, where that has others than are asked for: a plain file does not say
/// which, and whoever reads it with the wrong ones sees no datastore, and nobody who lives there.
async fn former(
    path: &Path,
    world: &World,
    clock: &Rc<dyn Clock>,
) -> Result<Option<(FileDevice, World)>, HostError> {
    let unread =
        async |world: &World| read_superblock(world).await.is_err_and(|error| error.may_be_of_other_blocks());
    if !unread(world).await {
        return Ok(None);
    }
    let other = match world.device.geometry().block_size {
        BlockSize::B512 => BlockSize::B4096,
        BlockSize::B4096 => BlockSize::B512,
    };
    // A device that cannot be read with those has no datastore that can.
    let options = OpenOptions { block_size: Some(other), ..OpenOptions::default() };
    let Ok(device) = FileDevice::open(path, options) else { return Ok(None) };
    let there = world_of(&device, clock)?;
    Ok(if unread(&there).await { None } else { Some((device, there)) })
}

/// Refuses a device whose hosts the engine cannot see because there is no superblock to be read: on a file their locks tell of
/// them.
async fn refuse_company(world: &World, path: &Path) -> Result<(), HostError> {
    if read_superblock(world).await.is_ok() || world.device.fencing() != Fencing::FileLock {
        return Ok(());
    }
    for slot in (0..SLOTS_MAX).map(SlotIndex) {
        let anybody = Victim { slot, incarnation: 0, process: ProcessIdentity::default() };
        if world.cut_off.death_proved(anybody).await.is_none() {
            return Err(HostError::Inhabited { path: path.to_owned(), slot });
        }
    }
    Ok(())
}

/// Refuses a plain file that somebody's data is in, though nobody knows whose: it has no superblock of ours, of which the
/// engine says more, and is not all zeros.
async fn refuse_unknown_data(world: &World, path: &Path) -> Result<(), HostError> {
    if !matches!(read_superblock(world).await, Err(OpenError::NoSuperblock(NoSuperblock::NotOurs { .. }))) {
        return Ok(());
    }
    match first_data_in_file(path) {
        Ok(Some(at)) => Err(HostError::UnknownData { path: path.to_owned(), at }),
        // What cannot be read is refused by the engine's own reading, which says why.
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Takes the formats' own lock, which lasts as long as the open device: of two formats the second is refused. A process that has just ended, a format cut short by a signal say, keeps its locks for as
/// long as the kernel finishes its writes (R13): a moment is waited for.
async fn enter_as_formatter(world: &World, path: &Path) -> Result<(), HostError> {
    let until = world.clock.now().plus(FORMATTER_WAIT);
    loop {
        match world.cut_off.enter(TOOL_SLOT).await {
            Ok(()) => return Ok(()),
            Err(EnterError::Held { .. }) if world.clock.now() < until => {
                world.clock.sleep_until(world.clock.now().plus(FORMATTER_WAIT / 50)).await;
            }
            Err(EnterError::Held { .. }) => {
                return Err(HostError::FormatUnderWay { path: path.to_owned() });
            }
            Err(error) => return Err(JoinError::Enter(error).into()),
        }
    }
}

fn formatted(path: &Path, superblock: &Stamped<Superblock>) -> Formatted {
    let Stamped { stamp, record } = superblock;
    Formatted {
        id: stamp.format_id.to_string(),
        name: record.label.as_str().to_owned(),
        device: path.display().to_string(),
        block_size: record.block_size.bytes(),
        cluster_size: record.cluster_size.0,
        clusters: record.clusters(),
        slots: record.slots,
        fencing: record.fencing.name().to_owned(),
    }
}

/// Refuses a device that holds something, unless it is forced, and one whose size is not what was asked for.
fn refuse_what_is_there(path: &Path, options: &FormatOptions) -> Result<(), HostError> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if let Some(asked) = options.size
        && metadata.is_file()
        && metadata.len() != asked
    {
        return Err(HostError::SizeDiffers { path: path.to_owned(), found: metadata.len(), asked });
    }
    let found = if !metadata.is_dir() && !options.force { what_is_on(path) } else { Ok(None) };
    match found {
        Ok(Some(found)) if found.what != OURS => {
            Err(HostError::Foreign { path: path.to_owned(), what: found.what, at: found.at })
        }
        // What cannot be opened is refused by the device, which says why.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn block_size(path: &Path, bytes: u32) -> Result<BlockSize, HostError> {
    let known = BlockSize::from_bytes(bytes);
    known.ok_or_else(|| {
        oarlock_device::OpenError::BlockSize { path: path.to_owned(), asked: Some(bytes), needed: 512 }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    const SIZE: u64 = 256 << 20;

    fn options() -> FormatOptions {
        FormatOptions { size: Some(SIZE), ..FormatOptions::new("store") }
    }

    fn quiet(path: &Path, options: &FormatOptions) -> Result<Formatted, HostError> {
        format(path, options, &|_, _| {})
    }

    #[test]
    fn a_datastore_is_made_once_and_a_second_time_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        let made = quiet(&path, &options()).unwrap();
        assert_eq!((&*made.name, made.slots, &*made.fencing), ("store", 64, "file-lock"));
        assert_eq!(quiet(&path, &options()).unwrap_err().code(), Code::DatastoreExists);
        let again = quiet(&path, &FormatOptions { force: true, ..options() }).unwrap();
        assert_ne!(again.id, made.id);
    }

    #[test]
    fn what_is_recognised_is_refused_without_force_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        fs::write(&path, [b"XFSB".as_slice(), &[0; 4092]].concat()).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(SIZE).unwrap();
        let error = quiet(&path, &options()).unwrap_err();
        assert_eq!(error.code(), Code::Foreign, "{error}");
        assert_eq!(&fs::read(&path).unwrap()[..4], b"XFSB");
        quiet(&path, &FormatOptions { force: true, ..options() }).unwrap();
    }

    #[test]
    fn a_format_that_fails_leaves_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        let small = FormatOptions { size: Some(1 << 20), ..options() };
        assert_eq!(quiet(&path, &small).unwrap_err().code(), Code::Layout);
        assert!(!path.exists());
        let absent = FormatOptions { size: None, ..options() };
        assert_eq!(quiet(&path, &absent).unwrap_err().code(), Code::DeviceAbsent);
    }

    #[test]
    fn parameters_out_of_range_are_not_taken_for_a_device_that_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        for wrong in [
            FormatOptions { cluster_size: 3 << 10, ..options() },
            FormatOptions { cluster_size: 2 << 20, ..options() },
            FormatOptions { slots: 0, ..options() },
            FormatOptions { slots: SLOTS_MAX + 1, ..options() },
        ] {
            assert_eq!(quiet(&path, &wrong).unwrap_err().code(), Code::Parameters, "{wrong:?}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        fs::File::create(&path).unwrap().set_len(SIZE + 4096).unwrap();
        assert_eq!(quiet(&path, &options()).unwrap_err().code(), Code::SizeDiffers);
    }

    #[test]
    fn times_that_contradict_one_another_are_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool.img");
        for wrong in [
            FormatOptions { beat: Duration::from_secs(9), ..options() },
            FormatOptions { lease: Duration::from_secs(1 << 40), ..options() },
            FormatOptions { lease: Duration::ZERO, beat: Duration::ZERO, ..options() },
            FormatOptions { watch: Some(Duration::from_secs(10)), ..options() },
            FormatOptions { hold: Duration::from_secs(10), ..options() },
        ] {
            assert_eq!(quiet(&path, &wrong).unwrap_err().code(), Code::Timing, "{wrong:?}");
            assert!(!path.exists());
        }
    }
}
