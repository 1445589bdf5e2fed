//! What the API says: the documents of `status`, `hosts`, `locks`, `events`, `lock`, `evict` and of disks, the same for the
//! host that serves them and for every client.
//!
//! Names in JSON stay. Fields are added freely, so a reader ignores what it does not know.

mod disks;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use disks::{
    AttachDiskRequest, AttachedDisk, AttachedEntry, CreateDiskRequest, DiskDetails, DiskDone, DiskEntry,
    DiskProgress, HandedOffDisk, HandoffRequest, NewNameRequest, ResizeDiskRequest, SnapshotEntry,
};

/// The longest wait for a lock or an eviction, in milliseconds: a week.
pub const WAIT_MS_MAX: u64 = 7 * 24 * 3600 * 1000;

/// The answer of `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The datastore.
    pub datastore: DatastoreStatus,
    /// The host that answers.
    pub host: OwnStatus,
    /// Slots that are not free: living hosts, and dead ones that were not taken over. The number of the last look where
    /// the device does not answer now.
    pub hosts: usize,
    /// Virtual disks; a number that may be some seconds old.
    pub disks: usize,
    /// The faults that this host's device was armed with.
    pub faults: Vec<FaultStatus>,
    /// How the record of events fares.
    pub events: EventsStatus,
}

/// The datastore as its superblock has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatastoreStatus {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Bytes of the device that it uses.
    pub size: u64,
    /// Bytes in clusters that nothing owns; a number that may be some seconds old, and of what other hosts have in hand it is told as
    /// they left it last.
    pub free: u64,
    /// `file-lock`, `reservation`, `blocklist`, `drain-only`.
    pub fencing: String,
    /// The device, as this host was told it.
    pub device: String,
    /// The beat in milliseconds.
    pub beat_ms: u64,
    /// The lease in milliseconds.
    pub lease_ms: u64,
    /// The watch in milliseconds.
    pub watch_ms: u64,
    /// The hold in milliseconds.
    pub hold_ms: u64,
}

/// The host that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnStatus {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub slot: u16,
    /// Which of its lives.
    pub incarnation: u64,
    /// `live`, `held`, `fenced`, `free`.
    pub state: String,
    /// What is left of its lease, in milliseconds.
    pub lease_ms_left: u64,
    /// Why it stopped, where it did.
    pub stopped: Option<String>,
    /// For how long its lease has been over, in milliseconds, while it is `held`.
    pub held_ms: Option<u64>,
    /// What stood in the way of its newest beat, in the device's words, if that was not confirmed.
    pub hindrance: Option<String>,
    /// Whether it changes nothing but its own slot.
    pub read_only: bool,
    /// Its process.
    pub pid: u32,
    /// The program's version.
    pub version: String,
}

/// One armed fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultStatus {
    /// The specification, as `--fault` takes it.
    pub spec: String,
    /// How many commands it struck so far.
    pub struck: u64,
}

/// How the record of events fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventsStatus {
    /// The file that they are kept in, if there is one.
    pub file: Option<String>,
    /// Events that were dropped because they came faster than they could be recorded.
    pub dropped: u64,
    /// Why the file was not written at last, where it was not.
    pub error: Option<String>,
}

/// One host, in the answer of `GET /v1/hosts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostEntry {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub slot: u16,
    /// Which of its lives.
    pub incarnation: u64,
    /// `live`, `held`, `silent`, `fenced`.
    pub state: String,
    /// Since its newest image was first seen, on the observer's clock.
    pub last_beat_ms_ago: u64,
}

/// One held lock, in the answer of `GET /v1/locks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockEntry {
    /// Its name.
    pub name: String,
    /// What it guards: `named` for locks that people take.
    pub kind: String,
    /// `exclusive`, `shared`, `multi-writer`; `unknown` after a repair.
    pub mode: String,
    /// Who holds it.
    pub owners: Vec<OwnerEntry>,
    /// Hosts that are known to wait for it: a record says only whether somebody waits (`interest`), so that of all
    /// hosts this is the one that answers, where it waits.
    pub waiters: Vec<String>,
    /// When it was taken, by its taker's wall clock; RFC 3339 in UTC.
    pub since: String,
    /// Whether any host waits for it.
    pub interest: bool,
    /// How many users wait for it on the host that answers.
    pub waiting_here: usize,
}

/// One holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerEntry {
    /// The host's name, or `?` where no slot tells it any more.
    pub host: String,
    /// `live`, `fenced`, `free`, or `gone` where the slot is in a later life.
    pub state: String,
    /// Its slot.
    pub slot: u16,
}

/// One event: a line of `GET /v1/events`, of `oarlock events`, and of the file of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventEntry {
    /// When, by the host's wall clock: RFC 3339 in UTC.
    pub time: String,
    /// `miscompare`, `unknown`, `fence`, `takeover`, `path`, `lapse`, `handoff`, `repair`; `overflow` where events were
    /// dropped before they could be recorded, `disk` where an export or the tending of disks met an obstacle.
    pub kind: String,
    /// A name of the catalogue of causes.
    pub cause: String,
    /// The layer that the cause lies in.
    pub layer: String,
    /// The block.
    pub lba: Option<u64>,
    /// What stands in the block.
    pub record: Option<String>,
    /// The way to the device.
    pub path: Option<String>,
    /// From reading (or writing) the expected image to sending the ATS, in microseconds.
    pub expected_age_us: Option<u64>,
    /// In this host's queue, in microseconds.
    pub queue_us: Option<u64>,
    /// From leaving the queue to the answer, or to giving up, in microseconds.
    pub device_us: Option<u64>,
    /// The generation that the ATS expected.
    pub expected_generation: Option<u64>,
    /// The generation that was found instead.
    pub found_generation: Option<u64>,
    /// Who wrote what stands in the block now; of an attempt without an answer, who sent it.
    pub by: Option<Author>,
    /// `adopted`, `lost`, `retried`, `held`, `stopped`, `refused`.
    pub action: String,
    /// The proof, in a sentence.
    pub detail: String,
}

/// Who wrote an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// The host's name; `slot N` where no name is known; `tool` for a program that is no host.
    pub host: String,
    /// Which of its lives.
    pub incarnation: Option<u64>,
    /// The attempt's nonce: 32 hexadecimal digits.
    pub attempt: Option<String>,
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// Alone.
    #[default]
    Exclusive,
    /// Together with others who share.
    Shared,
}

/// The body of `POST /v1/locks/{name}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LockRequest {
    /// How.
    #[serde(default)]
    pub mode: LockMode,
    /// How long to wait for it at most, in milliseconds; 0: one try, of a quarter of a beat. A week is the
    /// longest.
    #[serde(default)]
    pub wait_ms: u64,
}

/// A line of the answer to `POST /v1/locks/{name}`. The first has `granted`, `token`, `grant`, `lease_ms` and `holds_until_ns`; each renewal
/// of the host's lease brings one with `holds_until_ns` alone; one with `lost` is the last. The lock is released when
/// the client closes the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LockLine {
    /// `true` in the first line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub granted: Option<bool>,
    /// The number that only grows from owner to owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<u64>,
    /// The number of this grant, for `GET /v1/grants/{grant}`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<u64>,
    /// The datastore's lease.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lease_ms: Option<u64>,
    /// Until when the lock may be relied upon without further news: nanoseconds of this machine's `CLOCK_BOOTTIME`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holds_until_ns: Option<u64>,
    /// Why the lock can no longer be relied upon. The client still ends its work and closes the connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost: Option<String>,
    /// Beside `lost`, its kind: `not-renewed`, `leaving`, `fenced`, `stopped`, `disconnected`; more may come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_kind: Option<String>,
}

/// The answer to `GET /v1/grants/{grant}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Released {
    /// The device says that the lock is released, or the host knows of no such grant (any more). `false`: not within
    /// five seconds; the host goes on with it.
    pub released: bool,
}

/// The body of `POST /v1/evict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvictRequest {
    /// The host to be taken over.
    pub host: String,
    /// A person knows that it is dead: the watch is skipped, the cut-off never.
    #[serde(default)]
    pub certain: bool,
    /// How long to try at most, in milliseconds; without it, a watch and thirty seconds more.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

/// The answer of `POST /v1/evict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evicted {
    /// The host that has no slot any more.
    pub host: String,
}

/// Every error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// `OAR-....`: a row of the catalogue of errors.
    pub code: String,
    /// What happened, with its particulars.
    pub message: String,
    /// What helps.
    pub hint: String,
}
