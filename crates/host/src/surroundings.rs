//! The engine's world on this machine: a device of its own, its clock, its randomness, and the faults it is armed with.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use oarlock_block::{BlockSize, Clock, FaultSpec, Faulty, Fencing, Lba, Surroundings};
use oarlock_device::{BootClock, FileDevice, Lane, OpenOptions, OsRandom, Spawner};
use oarlock_engine::{World, read_superblock};
use oarlock_format::{Chosen, HostName, Layout, Standing};

use crate::error::HostError;

/// The names that `record=` of a fault may have: what stands at a block, as the format calls it.
const RECORDS: [&str; 9] =
    ["superblock", "slot", "mailbox", "scratch", "lock", "directory", "descriptor", "journal", "group"];

/// How an engine is to be started.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The device.
    pub device: PathBuf,
    /// The host's name.
    pub host: HostName,
    /// How the device is to misbehave.
    pub faults: Vec<FaultSpec>,
    /// Join although nothing protects the others from this machine being paused (R10).
    pub unsafe_clock: bool,
    /// Change nothing but the host's own slot.
    pub read_only: bool,
}

impl EngineOptions {
    /// A host called `host` on a device, without anything special.
    ///
    /// # Errors
    /// [`HostError::Name`].
    pub fn new(device: &Path, host: &str) -> Result<EngineOptions, HostError> {
        let name = HostName::new(host).map_err(|reason| HostError::Name { text: host.to_owned(), reason })?;
        Ok(EngineOptions {
            device: device.to_owned(),
            host: name,
            faults: Vec::new(),
            unsafe_clock: false,
            read_only: false,
        })
    }

    /// Arms the device with a fault, as `--fault` takes it.
    ///
    /// # Errors
    /// [`HostError::FaultSpec`], [`HostError::UnknownRecord`].
    pub fn arm(&mut self, spec: &str) -> Result<(), HostError> {
        let parsed: FaultSpec =
            spec.parse().map_err(|reason| HostError::FaultSpec { spec: spec.to_owned(), reason })?;
        if let Some(record) = &parsed.selector.record
            && !RECORDS.contains(&record.as_str())
        {
            return Err(HostError::UnknownRecord { spec: spec.to_owned(), record: record.clone() });
        }
        self.faults.push(parsed);
        Ok(())
    }
}

/// A world whose superblock was read.
pub(crate) struct Opened {
    pub(crate) world: World,
    pub(crate) chosen: Chosen,
    pub(crate) faulty: Option<Rc<Faulty>>,
    /// What exports work on: the world's own description (R13), past all faults.
    pub(crate) file: FileDevice,
    /// The world's clock, as exports read it.
    pub(crate) boot_clock: BootClock,
}

/// Opens the device and reads the superblock, past all faults.
pub(crate) async fn open(options: &EngineOptions, spawner: &Spawner) -> Result<Opened, HostError> {
    let boot_clock = clock()?;
    let clock: Rc<dyn Clock> = Rc::new(boot_clock.clone());
    let (device, chosen) = open_device(&options.device, &clock).await?;
    let mut world = world_of(&device, &clock)?;
    if !clock_is_safe(world.device.fencing(), is_virtual(), options.unsafe_clock) {
        return Err(HostError::UnsafeClock);
    }
    let faulty = (!options.faults.is_empty()).then(|| {
        let surroundings = surroundings(&clock, spawner.clone(), chosen.superblock.record.layout);
        Rc::new(Faulty::new(Rc::clone(&world.device), options.faults.clone(), surroundings))
    });
    if let Some(faulty) = &faulty {
        // One device for beats and for all else: a fault that is to strike once must not strike once on each lane.
        world.device = Rc::clone(faulty) as Rc<dyn oarlock_block::Device>;
        world.beat_device = Rc::clone(&world.device);
    }
    Ok(Opened { world, chosen, faulty, file: device, boot_clock })
}

/// The clock of a host.
pub(crate) fn clock() -> Result<BootClock, HostError> {
    BootClock::start().map_err(|error| HostError::Resources { what: "clock", reason: error.to_string() })
}

/// The world of one open device.
pub(crate) fn world_of(device: &FileDevice, clock: &Rc<dyn Clock>) -> Result<World, HostError> {
    let cut_off = device.cut_off().map_err(|error| HostError::Resources {
        what: "identity of this process",
        reason: error.to_string(),
    })?;
    Ok(World {
        device: device.lane(Lane::Work),
        beat_device: device.lane(Lane::Beat),
        cut_off,
        clock: Rc::clone(clock),
        random: Rc::new(OsRandom),
    })
}

/// Opens the device with the blocks that its datastore has: a plain file does not say whether they are of 512 or of
/// 4,096 bytes.
async fn open_device(path: &Path, clock: &Rc<dyn Clock>) -> Result<(FileDevice, Chosen), HostError> {
    let mut failure = None;
    for block_size in [None, Some(BlockSize::B4096)] {
        let options = OpenOptions { block_size, ..OpenOptions::default() };
        let opened = FileDevice::open(path, options);
        let device = match (opened, failure.take()) {
            (Ok(device), earlier) => {
                failure = earlier;
                device
            }
            (Err(error), earlier) => return Err(earlier.unwrap_or_else(|| error.into())),
        };
        match read_superblock(&world_of(&device, clock)?).await {
            Ok(chosen) => return Ok((device, chosen)),
            Err(error) if error.may_be_of_other_blocks() => {
                failure.get_or_insert(HostError::Join(error.into()));
            }
            Err(error) => return Err(HostError::Join(error.into())),
        }
    }
    Err(failure.unwrap_or(HostError::EngineGone))
}

fn surroundings(clock: &Rc<dyn Clock>, spawner: Spawner, layout: Layout) -> Surroundings {
    Surroundings {
        clock: Rc::clone(clock),
        spawn: Rc::new(move |future| spawner.spawn(future).detach()),
        record_at: Rc::new(move |lba| record_at(&layout, lba)),
    }
}

/// What stands at a block, by the names that faults use.
fn record_at(layout: &Layout, lba: Lba) -> Option<&'static str> {
    match layout.kind_at(lba) {
        Standing::Superblock | Standing::Shadow => Some("superblock"),
        Standing::Slot(_) => Some("slot"),
        Standing::Mailbox(_) => Some("mailbox"),
        Standing::Scratch(_) => Some("scratch"),
        Standing::Lock(_) => Some("lock"),
        Standing::Directory(_) => Some("directory"),
        Standing::Descriptor(_) => Some("descriptor"),
        Standing::Journal(_) => Some("journal"),
        Standing::Group => Some("group"),
        Standing::Nothing => None,
    }
}

/// A paused virtual machine's clock stops with it: where nothing but time cuts a host off, that makes two owners (R10).
fn clock_is_safe(fencing: Fencing, is_virtual: bool, unsafe_clock: bool) -> bool {
    fencing != Fencing::DrainOnly || !is_virtual || unsafe_clock
}

/// Whether this machine is virtual: x86 processors say so by the flag `hypervisor`; others by the device tree or DMI.
fn is_virtual() -> bool {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    is_told_virtual(&text("/proc/cpuinfo"), &text("/sys/class/dmi/id/sys_vendor"))
        || Path::new("/proc/device-tree/hypervisor").exists()
}

/// Whether the processors' flags or the vendor tell of a virtual machine.
pub(crate) fn is_told_virtual(processors: &str, vendor: &str) -> bool {
    let flagged = processors
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split_ascii_whitespace().any(|flag| flag == "hypervisor"));
    let vendors = ["QEMU", "VMware", "Xen", "Amazon EC2", "Google", "innotek"];
    flagged || vendors.iter().any(|known| vendor.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_virtual_machine_on_a_device_that_cuts_nobody_off_is_refused() {
        assert!(!clock_is_safe(Fencing::DrainOnly, true, false));
        assert!(clock_is_safe(Fencing::DrainOnly, true, true));
        assert!(clock_is_safe(Fencing::DrainOnly, false, false));
        for fencing in [Fencing::FileLock, Fencing::Reservation, Fencing::Blocklist] {
            assert!(clock_is_safe(fencing, true, false));
        }
    }

    #[test]
    fn a_fault_on_a_record_that_no_datastore_has_is_refused() {
        let mut options = EngineOptions::new(Path::new("x"), "a").unwrap();
        options.arm("refuse:op=ats,record=slot").unwrap();
        let error = options.arm("refuse:record=slots").unwrap_err();
        assert_eq!(error.to_string(), "`refuse:record=slots`: no record is called `slots`");
        assert!(matches!(options.arm("refuse:record=Slot"), Err(HostError::FaultSpec { .. })));
        assert_eq!(options.faults.len(), 1);
    }
}
