//! What the API says of disks: the documents of `disk` and its verbs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One disk, in the answer of `GET /v1/disks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskEntry {
    /// Its name.
    pub name: String,
    /// What a guest sees, in bytes.
    pub size: u64,
    /// `ready`, `renaming`, `importing`.
    pub state: String,
    /// The host that has it alone.
    pub owner: Option<String>,
    /// `free`, `exclusive`, `shared`, `multi-writer`; `unknown` after a repair.
    pub mode: String,
    /// The hosts that have it, and where it is served.
    pub attached: Vec<AttachedEntry>,
}

/// A disk as a whole: the answer of `GET /v1/disks/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskDetails {
    /// Its name.
    pub name: String,
    /// What a guest sees, in bytes.
    pub size: u64,
    /// Bytes of the clusters of data that it owns itself, apart from what it shares with snapshots and parents; `null` where its map
    /// could not be walked. Of a disk that another host has, as that host brought it home last.
    pub allocated: Option<u64>,
    /// Bytes of one cluster.
    pub cluster_size: u64,
    /// `ready`, `renaming`, `importing`.
    pub state: String,
    /// The host that has it alone.
    pub owner: Option<String>,
    /// `free`, `exclusive`, `shared`, `multi-writer`; `unknown` after a repair.
    pub mode: String,
    /// Its snapshots, in the order in which they were made.
    pub snapshots: Vec<SnapshotEntry>,
    /// The snapshot that it stands on: its own last one, or the one that it was cloned from. `null` where there is none, or where what it
    /// stands on has no name.
    pub parent: Option<String>,
    /// The hosts that have it, and where it is served.
    pub attached: Vec<AttachedEntry>,
    /// It was made thick.
    #[serde(default)]
    pub thick: bool,
    /// All of it is allocated and zeroed, and it stands on no snapshot: several hosts may write it at once.
    #[serde(default)]
    pub full: bool,
    /// When it was made, by its maker's wall clock; RFC 3339 in UTC.
    pub time: String,
}

/// One snapshot of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotEntry {
    /// Its name, without the disk's.
    pub name: String,
    /// When it was made, by its maker's wall clock; RFC 3339 in UTC.
    pub time: String,
    /// What the disk's size was, in bytes.
    pub size: u64,
}

/// A host that has a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedEntry {
    /// The host's name.
    pub host: String,
    /// Where the host that answers serves the disk, or a snapshot of it; `null` of other hosts.
    pub uri: Option<String>,
}

/// The body of `POST /v1/disks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDiskRequest {
    /// Its name.
    pub name: String,
    /// What a guest is to see, in bytes.
    pub size: u64,
    /// All of it is to be allocated and zeroed before there is a disk; without it, what was never written takes no space.
    #[serde(default)]
    pub thick: bool,
}

/// The answer of `GET /v1/disks/{name}/progress`: how far a thick disk in the making, or one that grows, has come on the host that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskProgress {
    /// The disk.
    pub name: String,
    /// Whether this host fills a disk of that name now; where not, both numbers are 0.
    pub under_way: bool,
    /// Bytes that are allocated and zeroed.
    pub done: u64,
    /// Bytes that shall be.
    pub total: u64,
}

/// The body of `POST /v1/disks/{name}/resize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizeDiskRequest {
    /// What a guest is to see, in bytes.
    pub size: u64,
}

/// The body of `POST /v1/disks/{name}/rename` and of `POST /v1/disks/{name}/clone`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNameRequest {
    /// The new name.
    pub to: String,
}

/// The body of `POST /v1/disks/{name}/attach`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachDiskRequest {
    /// `unix:PATH` or `tcp:ADDRESS:PORT`; without it, a unix socket beside the host's own.
    #[serde(default)]
    pub nbd: Option<String>,
    /// Nothing is to be written; a snapshot never is.
    #[serde(default)]
    pub read_only: bool,
    /// Other hosts may attach the disk so, too, and write it at the same time; only a disk that is `full`, and not together with `read_only`.
    #[serde(default)]
    pub shared: bool,
    /// The folder with the certificates: clients must take TLS.
    #[serde(default)]
    pub tls: Option<String>,
    /// Another host has the disk, and is to hand it over: clients may connect, and wait until then.
    #[serde(default)]
    pub incoming: bool,
}

/// The body of `POST /v1/disks/{name}/handoff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffRequest {
    /// The host that is to get the disk, and stands by for it.
    pub to: String,
    /// How long to wait for that host to stand by at most, in milliseconds; without it, thirty seconds.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

/// The answer of `POST /v1/disks/{name}/handoff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandedOffDisk {
    /// The disk.
    pub name: String,
    /// The host that has it now.
    pub to: String,
    /// How long no request of a client could begin before the disk was the other host's, in microseconds.
    pub pause_us: u64,
}

/// The answer of `POST /v1/disks/{name}/attach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachedDisk {
    /// The disk or snapshot.
    pub name: String,
    /// The NBD URI, as QEMU takes it.
    pub uri: String,
}

/// The answer of every verb that has nothing else to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskDone {
    /// The disk or snapshot: the new one, where the verb made one or gave one another name.
    pub name: String,
}
