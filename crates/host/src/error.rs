//! What a host can fail at, with the code of each.

use std::net::SocketAddr;
use std::path::PathBuf;

use oarlock_block::{FaultSpecError, SlotIndex};
use oarlock_engine::{CreateError, DiskError, Ended, EvictError, JoinError, LockError, ReadFault};
use oarlock_format::{HostName, NameError};

use crate::api::ErrorBody;
use crate::code::{Code, ErrorEntry};
use crate::coding;

/// Why a host could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The device could not be opened.
    #[error(transparent)]
    Device(#[from] oarlock_device::OpenError),
    /// The file could not be given its identity.
    #[error(transparent)]
    Identity(#[from] oarlock_device::IdentityError),
    /// The host could not join.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A lock was not got.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A host was not evicted.
    #[error(transparent)]
    Evict(#[from] EvictError),
    /// Something could not be done with a disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A block could not be read or trusted.
    #[error(transparent)]
    Read(#[from] ReadFault),
    /// The host left or had to stop.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// No datastore was made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A text is no name.
    #[error("`{text}` is not a name: {reason}")]
    Name {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// Another live process holds the socket.
    #[error("{} is in use: another process holds it", path.display())]
    SocketTaken {
        /// The socket.
        path: PathBuf,
    },
    /// A host of this name and datastore runs on this machine.
    #[error("another live host is called {host}: it listens at {}", path.display())]
    NamesakeHere {
        /// The name.
        host: HostName,
        /// Its socket.
        path: PathBuf,
    },
    /// No socket can stand there.
    #[error("{} is no place for a socket: {reason}", path.display())]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// There is no folder for sockets.
    #[error("XDG_RUNTIME_DIR is not set, so there is no place for the host's socket")]
    NoRuntimeFolder,
    /// The socket or its folder could not be made.
    #[error("cannot {action} {}: {reason}", path.display())]
    SocketIo {
        /// The path.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// The operating system's words.
        reason: String,
    },
    /// The clock stops with its virtual machine, and nothing else protects the others (R10).
    #[error("this machine is virtual, and the device has no way to cut a paused host off")]
    UnsafeClock,
    /// A fault specification names a record that no datastore has.
    #[error("`{spec}`: no record is called `{record}`")]
    UnknownRecord {
        /// The specification.
        spec: String,
        /// The name.
        record: String,
    },
    /// A fault specification could not be understood.
    #[error("`{spec}`: {reason}")]
    FaultSpec {
        /// The specification.
        spec: String,
        /// What is wrong with it.
        reason: FaultSpecError,
    },
    /// The host stopped because of a rollback before, and nobody accepted it.
    #[error("this host stopped because the device went back in time: {detail}")]
    RollbackNotAccepted {
        /// Which block, and what it showed.
        detail: String,
    },
    /// The host changes nothing.
    #[error(
        "this host was started read-only: it takes no locks, changes and serves no disks, and evicts nobody"
    )]
    ReadOnlyHost,
    /// The host has as many of these as it may.
    #[error("this host has {limit} {what} already, and takes no more")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many it takes.
        limit: usize,
    },
    /// The request is not the API's.
    #[error("the request is not understood: {reason}")]
    BadRequest {
        /// What is wrong with it.
        reason: String,
    },
    /// The API has no such path.
    #[error("the API has no {path}")]
    NotThere {
        /// The path.
        path: String,
    },
    /// The host was told to stop while it was joining.
    #[error("the host was told to stop before it was ready")]
    Interrupted,
    /// The engine's thread has ended.
    #[error("the engine's thread has ended")]
    EngineGone,
    /// The operating system gave too little.
    #[error("no {what} could be had: {reason}")]
    Resources {
        /// What was needed.
        what: &'static str,
        /// The operating system's words.
        reason: String,
    },
    /// Something recognisable is on the device.
    #[error("{} holds {what} (its mark stands at byte {at})", path.display())]
    Foreign {
        /// The device.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// Where it was recognised.
        at: u64,
    },
    /// A plain file holds something that no mark tells.
    #[error("{} holds data of no kind that is known: its first byte that is not zero is byte {at}", path.display())]
    UnknownData {
        /// The file.
        path: PathBuf,
        /// Its first byte that is not zero.
        at: u64,
    },
    /// Another format of the device is at work.
    #[error("another format of {} is at work", path.display())]
    FormatUnderWay {
        /// The device.
        path: PathBuf,
    },
    /// The device shows no datastore that could be read, and yet a process holds the lock of one of its slots.
    #[error("{} shows no datastore that can be read, but a host lives there: a process holds the lock of slot {slot}", path.display())]
    Inhabited {
        /// The device.
        path: PathBuf,
        /// The slot.
        slot: SlotIndex,
    },
    /// The device has another size than the one that was asked for.
    #[error("{} has {found} bytes, and {asked} were asked for", path.display())]
    SizeDiffers {
        /// The device.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The size that was asked for.
        asked: u64,
    },
    /// A text is no place for exports.
    #[error("`{text}` is no place for exports: {reason}")]
    BadPlace {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody can listen at an address.
    #[error("cannot listen at {address}: {reason}")]
    Address {
        /// The address.
        address: SocketAddr,
        /// The operating system's words.
        reason: String,
    },
    /// A certificate or key cannot be used.
    #[error("{} cannot be used for TLS: {reason}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another export has the name.
    #[error("an export called `{name}` is there already")]
    ExportTaken {
        /// The name.
        name: String,
    },
    /// A disk cannot be exported.
    #[error("`{name}` cannot be exported: {reason}")]
    NotExported {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A disk is not attached to this host.
    #[error("{name} is not attached to this host")]
    NotAttached {
        /// The disk or snapshot.
        name: String,
    },
    /// A door stands there that speaks another language.
    #[error("exports are served at {place} already, {}", if *is_secured { "with TLS of another folder" } else { "without TLS" })]
    DoorDiffers {
        /// The place.
        place: String,
        /// Whether that door has TLS.
        is_secured: bool,
    },
    /// The list of exports cannot be kept.
    #[error("cannot {action} the list of exports {}: {reason}", path.display())]
    ExportList {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// Why it failed.
        reason: String,
    },
}

impl HostError {
    /// The error's code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            HostError::Device(error) => coding::device(error),
            HostError::Identity(error) => coding::identity(error),
            HostError::Join(error) => coding::join(error),
            HostError::Lock(error) => coding::lock(error),
            HostError::Evict(error) => coding::evict(error),
            HostError::Disk(error) => coding::disk(error),
            HostError::Read(error) => coding::read(error),
            HostError::Ended(error) => coding::ended(error),
            HostError::Create(error) => coding::create(error),
            HostError::Name { .. } => Code::BadName,
            HostError::SocketTaken { .. } => Code::SocketTaken,
            HostError::NamesakeHere { .. } => Code::NameTaken,
            HostError::SocketPath { .. } => Code::SocketPath,
            HostError::NoRuntimeFolder => Code::NoRuntimeFolder,
            HostError::SocketIo { .. } => Code::SocketIo,
            HostError::UnsafeClock => Code::UnsafeClock,
            HostError::UnknownRecord { .. } => Code::UnknownRecord,
            HostError::FaultSpec { .. } => Code::FaultSpec,
            HostError::RollbackNotAccepted { .. } => Code::RollbackNotAccepted,
            HostError::ReadOnlyHost => Code::ReadOnlyHost,
            HostError::TooMany { .. } => Code::TooMany,
            HostError::BadRequest { .. } => Code::BadRequest,
            HostError::NotThere { .. } => Code::NotThere,
            HostError::Interrupted => Code::Interrupted,
            HostError::EngineGone => Code::EngineGone,
            HostError::Resources { .. } => Code::Resources,
            HostError::Foreign { .. } | HostError::UnknownData { .. } => Code::Foreign,
            HostError::FormatUnderWay { .. } => Code::FormatRaced,
            HostError::Inhabited { .. } => Code::DatastoreLives,
            HostError::SizeDiffers { .. } => Code::SizeDiffers,
            HostError::BadPlace { .. } => Code::BadPlace,
            HostError::Address { .. } => Code::Address,
            HostError::Tls { .. } => Code::Tls,
            HostError::ExportTaken { .. } => Code::ExportTaken,
            HostError::NotExported { .. } => Code::NotExported,
            HostError::NotAttached { .. } => Code::NotAttached,
            HostError::DoorDiffers { .. } => Code::DoorDiffers,
            HostError::ExportList { .. } => Code::ExportList,
        }
    }

    /// The error's row of the catalogue.
    #[must_use]
    pub fn entry(&self) -> &'static ErrorEntry {
        self.code().entry()
    }

    /// The error as the API gives it.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        let entry = self.entry();
        ErrorBody { code: entry.code.to_owned(), message: self.to_string(), hint: entry.cure.to_owned() }
    }

    /// The HTTP status that fits.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self.code() {
            Code::BadName
            | Code::BadRequest
            | Code::BadPlace
            | Code::Tls
            | Code::DiskSize
            | Code::DiskShrink => 400,
            Code::ReadOnlyHost => 403,
            Code::NotThere | Code::EvictUnknown | Code::DiskUnknown | Code::NotAttached => 404,
            Code::LockTimedOut
            | Code::NoDisks
            | Code::DiskExists
            | Code::DiskHasSnapshots
            | Code::DiskInUse
            | Code::DiskAttachedHere
            | Code::DiskNotForMany
            | Code::DiskShared
            | Code::DiskBusy
            | Code::NoHandoff
            | Code::DiskReceived
            | Code::NoReceiver
            | Code::NotAtRest
            | Code::DoorDiffers
            | Code::EvictMyself
            | Code::EvictLives
            | Code::ExportTaken
            | Code::SocketTaken => 409,
            Code::TooMany => 429,
            Code::EvictTimedOut | Code::ReadTimedOut => 504,
            Code::LockTableFull | Code::NoSpace | Code::NoRoomForDisk => 507,
            Code::Left
            | Code::LeftBehind
            | Code::Fenced
            | Code::Superseded
            | Code::Rollback
            | Code::SlotDamaged
            | Code::HoldOver
            | Code::SecondOfItsName
            | Code::EngineGone => 503,
            _ => 500,
        }
    }
}
