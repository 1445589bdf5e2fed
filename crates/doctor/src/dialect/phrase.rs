//! Phrase books: dialects whose lines each say one thing by a fixed phrase. The phrase is data; what the line is about is
//! found wherever it stands.

use super::aborted::gives_a_write_up;
use super::linux_names::numbered_path;
use super::{Dialect, Reading};
use crate::fact::{
    ClusterStep, Command, DeviceStatus, FabricEvent, GatewayStep, Heartbeat, HeartbeatStep, HostStatus, Kind,
    Lock, LockStep, Notice, Opcode, PathEvent, Sense, SpaceEvent, Support, TargetStep, TaskKind, TaskOutcome,
    VolumeEvent,
};
use crate::ledger::{Draft, Ledger};
use crate::record::{Record, mark};
use crate::subject::{self, Subject};
use crate::text::{after, decimal, has, position, word};

/// What a phrase means.
#[derive(Clone, Copy, Debug)]
pub enum Means {
    /// An abort or a reset.
    Task(TaskKind, TaskOutcome),
    /// A path, a port or a session.
    Path(PathEvent),
    /// The fabric.
    Fabric(FabricEvent),
    /// A heartbeat, whose slot is not printed.
    Heartbeat(HeartbeatStep),
    /// A lock, whose record is not printed.
    Lock(LockStep),
    /// A target.
    Target(TargetStep),
    /// A gateway.
    Gateway(GatewayStep),
    /// Space.
    Space(SpaceEvent),
    /// Support of ATS.
    Support(Support),
    /// Another lock manager.
    Cluster(ClusterStep),
    /// A cluster fenced a host, which the message names.
    Fence,
    /// A cluster is about to fence the host that the message names.
    FencePlanned,
    /// A fence of the host that the message names did not succeed.
    FenceFailed,
    /// A link, by words that storage adapters and network cards share.
    AnyLink(PathEvent),
    /// All paths to what the message names; a network file system has none.
    Device(PathEvent),
    /// Conflicts of reservations.
    Reservation,
    /// VMFS's own RESERVE came to nothing; why, the status behind the colon says.
    ReservationError,
    /// A device's queue is full, by its own answer.
    QueueFull,
    /// A copy.
    Snapshot,
    /// What is done to a volume on purpose.
    Volume(VolumeEvent),
    /// A target or a driver says of a test and set that the block was not equal.
    FalseAnswer,
    /// A target does not know the test and set.
    UnknownOpcode,
    /// Medium or hardware.
    Medium,
    /// Adapter or driver.
    Adapter,
    /// The host started, stopped or crashed.
    Restart,
    /// What is plainly wrong, and no cause of the catalogue.
    Notice(Notice),
    /// Nothing: known, and of no consequence.
    Nothing,
}

impl Means {
    fn kind(self, line: &str, about: &Subject<'_>) -> Option<Kind> {
        Some(match self {
            Means::Task(task, outcome) => Kind::Task { task, outcome },
            Means::Path(event) => Kind::Path(event),
            Means::AnyLink(event) if subject::is_of_a_storage_port(line) => Kind::Path(event),
            Means::AnyLink(_) => Kind::Path(PathEvent::NetworkLink),
            Means::Device(PathEvent::AllDown) if about.device.is_none() && is_of_a_lost_server(line) => {
                Kind::Notice(Notice::ServerLost)
            }
            Means::Device(_) if about.device.is_none() && names_a_file_system(line) => return None,
            Means::Device(event) => Kind::Path(event),
            Means::Fabric(event) => Kind::Fabric(event),
            Means::Heartbeat(step) => Kind::Heartbeat(Box::new(Heartbeat { step, slot: None, wanted: None })),
            Means::Lock(step) => Kind::Lock(Box::new(Lock { step, record: None })),
            Means::Target(step) => Kind::Target(step),
            Means::Gateway(step) => Kind::Gateway(step),
            Means::Space(event) => Kind::Space(event),
            Means::Support(support) => Kind::Support(support),
            Means::Cluster(step) => Kind::Cluster(step),
            Means::Fence => Kind::Cluster(ClusterStep::Fenced),
            Means::FencePlanned => Kind::Cluster(ClusterStep::FencePlanned),
            Means::FenceFailed => Kind::Cluster(ClusterStep::FenceFailed),
            Means::Reservation => Kind::ReservationConflicts,
            Means::ReservationError => reservation_error(line),
            Means::QueueFull => {
                Kind::Command(Command { device: Some(DeviceStatus::TASK_SET_FULL), ..Command::default() })
            }
            Means::Snapshot => Kind::Snapshot,
            Means::Volume(event) => Kind::Volume(event),
            Means::FalseAnswer => {
                Kind::Command(Command { sense: Some(Sense::MISCOMPARE), ..Command::default() })
            }
            Means::UnknownOpcode => Kind::Command(Command {
                opcode: Some(Opcode::COMPARE_AND_WRITE),
                device: Some(DeviceStatus::CHECK_CONDITION),
                sense: Some(Sense::INVALID_OPCODE),
                ..Command::default()
            }),
            Means::Medium => Kind::Medium,
            Means::Adapter => Kind::AdapterFault,
            Means::Restart => Kind::Restart,
            Means::Notice(notice) => Kind::Notice(notice),
            Means::Nothing => return None,
        })
    }
}

/// `FS3: 4784: Reservation error: Timeout`: a conflict is another host's reservation, and whatever else came of a RESERVE is none.
fn reservation_error(line: &str) -> Kind {
    let reserve = |host, device, sense| {
        Kind::Command(Command { opcode: Some(Opcode::RESERVE), host, device, sense, ..Command::default() })
    };
    let status = after(line, "Reservation error: ").unwrap_or_default();
    let is = |start: &str| status.starts_with(start);
    if is("Timeout") {
        reserve(Some(HostStatus::TIMEOUT), None, None)
    } else if is("Not supported") {
        reserve(None, Some(DeviceStatus::CHECK_CONDITION), Some(Sense::INVALID_OPCODE))
    } else if is("No connection") {
        Kind::Path(PathEvent::Failed)
    } else if status.to_ascii_lowercase().contains("conflict") {
        Kind::ReservationConflicts
    } else {
        // `I/O error`, `Storage initiator error`, `Busy`, `Failure`: that it failed is all that is told.
        reserve(Some(HostStatus::ERROR), None, None)
    }
}

/// Whether a line about all paths names what may be a network file system, which has none.
fn names_a_file_system(line: &str) -> bool {
    has(line, "filesystem with identifier [") || has(line, "StorageApdHandler")
}

/// `Virtual SAN device 52c0ffee-0001-9957-485c-e2dcf1057f66 is under permanent error`: vSAN has names of its own for its disks.
fn disk_of_vsan(body: &str) -> Option<&str> {
    const NAME_BYTES: usize = 36;
    let name = after(body, "irtual SAN device ").or_else(|| after(body, "vSAN device ")).map(word)?;
    (name.len() == NAME_BYTES && name.matches('-').count() == 4).then_some(name)
}

/// Whether the host waits no longer for a file system whose server is gone: `identifier [66aa0001-bb000001] has entered the All Paths Down Timeout state`.
/// What NFS 4.1 mounts has an id of four parts, `66aa0001-bb000001-0000-000000000000`; that of a VMFS volume ends with the address of a host.
fn is_of_a_lost_server(line: &str) -> bool {
    const STATES: [&str; 4] = ["Down Timeout state", "APD timeout", "APD Timeout", "storage.apd.timeout"];
    let is_an_id = |id: &str| {
        let mut parts = id.split('-');
        let mut is_half = || parts.next().is_some_and(|part| part.len() == 8 && is_alphanumeric(part));
        is_half() && is_half() && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte == b'0'))
    };
    let mut names = line.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    STATES.iter().any(|state| has(line, state)) && names.any(|(name, _)| is_an_id(name))
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A phrase: what the line holds, what else it must hold, and what that means.
#[derive(Clone, Copy, Debug)]
pub struct Phrase {
    /// The words, as they are spelt.
    pub says: &'static str,
    /// Further words, in any place.
    pub and: &'static [&'static str],
    /// What it means.
    pub means: Means,
    /// The mark of its words.
    mark: u64,
}

/// A phrase that needs nothing else.
pub const fn phrase(says: &'static str, means: Means) -> Phrase {
    Phrase { says, and: &[], means, mark: mark(says) }
}

/// A phrase that means this only beside other words.
pub const fn beside(says: &'static str, and: &'static [&'static str], means: Means) -> Phrase {
    Phrase { says, and, means, mark: mark(says) }
}

/// A dialect of phrases; the first that fits counts.
#[derive(Clone, Copy, Debug)]
pub struct PhraseBook {
    /// Its name.
    pub name: &'static str,
    /// Its phrases.
    pub phrases: &'static [Phrase],
}

impl Dialect for PhraseBook {
    fn name(&self) -> &'static str {
        self.name
    }

    fn words(&self) -> Vec<&'static str> {
        self.phrases.iter().map(|phrase| phrase.says).collect()
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line;
        if record.prefix.is_foreign {
            return Reading::Stranger;
        }
        let Some(phrase) = self.phrases.iter().find(|phrase| phrase.fits(record)) else {
            return Reading::Stranger;
        };
        let is_of_a_disc = matches!(phrase.means, Means::Medium) && subject::is_of_no_disk(record.body());
        if matches!(phrase.means, Means::Nothing) || is_of_a_disc || is_a_zero(phrase.means, record) {
            return Reading::UNDERSTOOD;
        }
        let mut about = subject::find(record.body());
        let numbered = matches!(phrase.means, Means::Path(_)).then(|| numbered_path(record.body())).flatten();
        about.device = about.device.or(numbered.as_deref()).or_else(|| disk_of_vsan(record.body()));
        if let Some(kind) = phrase.means.kind(line, &about) {
            let count = occurrences(line);
            // A fence is about the host that it hits, whoever writes of it.
            let of_a_fence = matches!(phrase.means, Means::Fence | Means::FencePlanned | Means::FenceFailed);
            let host = if of_a_fence { fenced_host(record.body()) } else { None };
            let draft = Draft {
                host,
                device: about.device,
                path: about.path,
                volume: about.volume,
                count,
                of_a_write: is_of_a_write(phrase.means, record),
                ..Draft::of(kind)
            };
            ledger.note(record, draft);
        }
        Reading::UNDERSTOOD
    }

    fn told_by(&self, record: &Record<'_>) -> Vec<&'static str> {
        let fits = self.phrases.iter().find(|phrase| !record.prefix.is_foreign && phrase.fits(record));
        fits.map_or_else(Vec::new, |phrase| {
            std::iter::once(phrase.says).chain(phrase.and.iter().copied()).collect()
        })
    }
}

impl Phrase {
    fn fits(&self, record: &Record<'_>) -> bool {
        record.may_hold(self.mark)
            && record.holds_word(self.says)
            && self.and.iter().all(|word| has(record.line, word))
    }
}

/// Whether a line tells of a write that was given up.
fn is_of_a_write(means: Means, record: &Record<'_>) -> bool {
    match means {
        Means::Task(TaskKind::Abort, TaskOutcome::Issued) => gives_a_write_up(record),
        Means::Notice(Notice::DiskError) => has(record.body(), "Command: write"),
        _ => false,
    }
}

/// The host that a cluster's line about a fence names: `targeting ha-2 using ipmi`, `Operation off of ha-2 by`, `Node ha-2 will be fenced`,
/// `for host 'ha-2' with`.
fn fenced_host(body: &str) -> Option<&str> {
    const MARKS: [&str; 17] = [
        "targeting node ",
        "targeting ",
        "to fence (reboot) ",
        "to fence (off) ",
        "fencing (reboot) of node ",
        "fencing (off) of node ",
        "Operation reboot of ",
        "Operation off of ",
        "for host '",
        "manual confirmation that ",
        "Target ",
        "Scheduling node ",
        "Scheduling Node ",
        "Peer ",
        "node '",
        "]: fence ",
        "]: fencing node ",
    ];
    let named = MARKS.iter().find_map(|mark| after(body, mark));
    let named = named.or_else(|| after(body, "ode ").filter(|_| has(body, "will be fenced")));
    named.map(|rest| word(rest).trim_end_matches([':', '.'])).filter(|name| !name.is_empty())
}

/// Whether this is a counter of the fabric's notices that stands at zero, as tools list them: nothing happened.
fn is_a_zero(means: Means, record: &Record<'_>) -> bool {
    let value = || record.line.rsplit([':', '=']).next().map(str::trim);
    matches!(means, Means::Fabric(_)) && !record.prefix.begins && matches!(value(), Some("0" | "0x0"))
}

/// `231 events have occurred since last report`, `repeated 5 times`.
fn occurrences(line: &str) -> u64 {
    let events = position(line, " events have occurred")
        .and_then(|end| line[..end].rsplit(' ').next())
        .and_then(decimal);
    let repeated = || after(line, "repeated ").and_then(decimal).filter(|_| has(line, " times"));
    events.or_else(repeated).unwrap_or(1).max(1)
}
