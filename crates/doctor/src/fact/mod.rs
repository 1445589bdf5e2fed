//! A fact: what one line of a log says, typed, with its place, so that it can be quoted.

mod command;
mod heartbeat;
mod lock;
mod notice;
mod opcode;
mod queue;
mod sense;
mod setting;
mod status;
mod trouble;
mod version;

pub use command::{Command, Outcome};
pub use heartbeat::{Heartbeat, HeartbeatStep, SlotImage, SlotState, Uuid};
pub use lock::{Lock, LockKind, LockRecord, LockStep};
pub use notice::Notice;
pub use opcode::Opcode;
pub use queue::Queue;
pub use sense::Sense;
pub use setting::{Part, Setting};
pub use status::{DeviceStatus, HostStatus, NvmeStatus, PluginStatus};
pub use trouble::{
    ClusterStep, FabricEvent, GatewayStep, PathEvent, SpaceEvent, Support, TargetStep, TaskKind, TaskOutcome,
    VolumeEvent,
};
pub use version::Component;

use crate::names::Name;
use crate::stamp::Stamp;

/// An input, by its number in the order of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub u32);

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The input.
    pub input: InputId,
    /// The line in it, from 1.
    pub line: u64,
}

/// What one line says.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Where it stands.
    pub place: Place,
    /// When it was written.
    pub when: Option<Stamp>,
    /// When the last of `count` was written, where several were merged. Of a first line that lost its time, the time of the line behind it.
    pub last: Option<Stamp>,
    /// The host that wrote it; of a fence, the host that it names.
    pub host: Option<Name>,
    /// The device that it is about: `naa.6...`, `sdc`, `vmhba1:1:6`.
    pub device: Option<Name>,
    /// The path or the adapter: `vmhba2:C0:T0:L6`, `vmhba2`.
    pub path: Option<Name>,
    /// The volume: its label, or its UUID where only that is said.
    pub volume: Option<Name>,
    /// What it says.
    pub kind: Kind,
    /// How many lines or occurrences it stands for, at least 1.
    pub count: u64,
    /// Who wrote it, as far as its place tells it from others, where no host is known.
    pub voice: u64,
    /// Whether it is about a write of data by what its line says, where its kind does not tell: an abort, an error of the block layer.
    pub of_a_write: bool,
    /// Whether somebody tells it, or may give it as an example: it proves nothing.
    pub is_told: bool,
    /// The line, cut to be quoted.
    pub text: Box<str>,
}

impl Fact {
    /// Whether it warns that space below the device runs short.
    #[must_use]
    pub fn warns_of_space(&self) -> bool {
        match &self.kind {
            Kind::Space(event) => *event == SpaceEvent::Warning,
            Kind::Command(command) => command.sense.is_some_and(Sense::is_threshold),
            _ => false,
        }
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A command that failed.
    Command(Command),
    /// The device's latency changed, in microseconds.
    Latency {
        /// What was usual.
        usual_us: Option<u64>,
        /// What it is now.
        now_us: u64,
    },
    /// An abort or a reset.
    Task {
        /// Which.
        task: TaskKind,
        /// What became of it.
        outcome: TaskOutcome,
    },
    /// A path, a port or a session changed.
    Path(PathEvent),
    /// The fabric speaks.
    Fabric(FabricEvent),
    /// A heartbeat of a volume.
    Heartbeat(Box<Heartbeat>),
    /// A lock of a volume.
    Lock(Box<Lock>),
    /// A slot of the heartbeat region, from a dump.
    Slot(SlotImage),
    /// A lock record, from a dump.
    LockDump(Box<LockRecord>),
    /// What a target says about a command.
    Target(TargetStep),
    /// What a gateway says about itself.
    Gateway(GatewayStep),
    /// A sample of the host's queues.
    Queue(Box<Queue>),
    /// Space below the device.
    Space(SpaceEvent),
    /// Whether ATS works here.
    Support(Support),
    /// A SCSI reservation stands in the way, beyond the status of one command.
    ReservationConflicts,
    /// The device is a copy of another.
    Snapshot,
    /// What was done to a volume on purpose, or where it lies.
    Volume(VolumeEvent),
    /// A host's list of paths says over which of them it reaches the device.
    Listed,
    /// A host told its own id, as it stands in slots and locks, when it was asked.
    HostId(Uuid),
    /// A driver, firmware, product or operating system and its version.
    Version(Component),
    /// The medium or the device's own hardware fails.
    Medium,
    /// The HBA or its driver fails by its own account: a hang, a lost mailbox, exhausted resources.
    AdapterFault,
    /// A lock manager or a cluster stack other than VMFS.
    Cluster(ClusterStep),
    /// A writer met an image that it had itself put there.
    OwnImage,
    /// What a writer had read was not what stands on the disk: a direct read brought the image that then was swapped.
    StaleImage,
    /// An event of an Oarlock host, which names its own cause.
    Oarlock(oarlock_causes::Cause),
    /// The host started, stopped or crashed.
    Restart,
    /// What is plainly wrong, and no cause of the catalogue.
    Notice(Notice),
    /// What a machine says of one of its parts while it runs.
    Setting(Box<Setting>),
}
