//! What an array's owner says of it, and what it says of itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount};
use oarlock_device::MediumError;
use oarlock_scsi::iscsi::{Accounts, NodeName};

/// An array to be started.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// The target's name.
    pub name: NodeName,
    /// Where it listens: each is a target port of its own.
    pub portals: Vec<SocketAddr>,
    /// What initiators are told for each portal, where that is not the address it listens on.
    pub advertised: Vec<String>,
    /// Who has to prove what; without accounts nobody has to.
    pub accounts: Accounts,
    /// Who may come in; empty: everybody.
    pub allowed: Vec<NodeName>,
    /// Its units.
    pub units: Vec<UnitOptions>,
}

/// A unit to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitOptions {
    /// Its number.
    pub number: u16,
    /// The file or block device.
    pub path: PathBuf,
    /// A plain file that is absent is made of this size.
    pub size: Option<ByteCount>,
    /// The logical block; 512 bytes where nothing is said.
    pub block_size: Option<BlockSize>,
    /// The physical block that initiators are told; what the file system prefers where nothing is said.
    pub physical_block: Option<ByteCount>,
    /// Blocks can be unmapped.
    pub is_thin: bool,
    /// It is never written.
    pub is_read_only: bool,
    /// Its medium can be taken out.
    pub is_removable: bool,
    /// Writes may be answered before they are durable, until the initiator says otherwise.
    pub write_cache: bool,
    /// Its serial number, of which its NAA name is made.
    pub serial: Option<String>,
    /// Commands that it has open at once; the next is told TASK SET FULL. As many as an array allows where nothing is said.
    pub queue: Option<u16>,
    /// Initiators for which it is there, of those that may come in; empty: all of them.
    pub allowed: Vec<NodeName>,
}

impl UnitOptions {
    /// A unit of which nothing else is said.
    #[must_use]
    pub fn new(number: u16, path: PathBuf) -> UnitOptions {
        UnitOptions {
            number,
            path,
            size: None,
            block_size: None,
            physical_block: None,
            is_thin: false,
            is_read_only: false,
            is_removable: false,
            write_cache: true,
            serial: None,
            queue: None,
            allowed: Vec::new(),
        }
    }
}

/// A unit that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitReport {
    /// Its number.
    pub number: u16,
    /// The file or block device as it was named.
    pub path: PathBuf,
    /// What that led to when it was opened.
    pub medium: PathBuf,
    /// Its length.
    pub size: ByteCount,
    /// The logical block.
    pub block_size: BlockSize,
    /// Blocks can be unmapped.
    pub is_thin: bool,
    /// It is never written.
    pub is_read_only: bool,
    /// Its medium can be taken out.
    pub is_removable: bool,
    /// Writes may be answered before they are durable.
    pub write_cache: bool,
    /// Commands go past the kernel's page cache.
    pub is_direct: bool,
    /// Its serial number.
    pub serial: String,
    /// Commands that it has open at once.
    pub queue: u16,
    /// Initiators for which it is there; empty: all that may come in.
    pub allowed: Vec<NodeName>,
    /// A flush of it failed, and so does every later one: what was answered since the last good one may not be there.
    pub has_lost_writes: bool,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport {
    /// Who.
    pub initiator: String,
    /// The initiator's part of the session's name, ISID.
    pub session_id: String,
    /// The target's part, TSIH.
    pub handle: u16,
    /// The portal's address.
    pub portal: String,
    /// The initiator's address.
    pub peer: String,
    /// The CHAP name that was proved.
    pub account: Option<String>,
    /// It may only ask which targets there are.
    pub is_discovery: bool,
    /// Commands under way.
    pub commands: usize,
}

/// Why an array, or a unit of it, cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A portal cannot be listened on.
    #[error("cannot listen on {portal}: {reason}")]
    Listen {
        /// The portal.
        portal: SocketAddr,
        /// The operating system's words.
        reason: String,
    },
    /// There is no portal, or there are too many.
    #[error("an array has 1 to {max} portals, not {asked}")]
    Portals {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        max: usize,
    },
    /// Addresses to advertise are for some portals only.
    #[error("{advertised} addresses to advertise for {portals} portals: name one for each, or none")]
    Advertised {
        /// Addresses.
        advertised: usize,
        /// Portals.
        portals: usize,
    },
    /// The target would prove itself by what an initiator proves itself by.
    #[error(
        "the account `{account}` has the target's own secret: whoever knows one secret for both ways can play the target (RFC 7143, 12.1.3)"
    )]
    SharedSecret {
        /// The initiators' account.
        account: String,
    },
    /// A unit's medium cannot be used.
    #[error("unit {number}: {error}")]
    Medium {
        /// The unit.
        number: u16,
        /// Why.
        error: MediumError,
    },
    /// A queue that no unit can have.
    #[error("unit {number}: a queue has 1 to {max} commands, not {asked}")]
    Queue {
        /// The unit.
        number: u16,
        /// What was asked for.
        asked: u16,
        /// How many there may be.
        max: u16,
    },
    /// A number that no LUN can say.
    #[error("{number} is no unit's number: they go from 0 to 16383")]
    UnitNumber {
        /// The number.
        number: u16,
    },
    /// There is a unit of that number.
    #[error("there is a unit {number} already")]
    UnitExists {
        /// The number.
        number: u16,
    },
    /// There is none.
    #[error("there is no unit {number}")]
    NoUnit {
        /// The number.
        number: u16,
    },
    /// There are too many.
    #[error("an array has at most {max} units")]
    TooManyUnits {
        /// How many there may be.
        max: usize,
    },
    /// Two units would be taken for one.
    #[error(
        "unit {number} has the serial number `{serial}` already: two units of one number are one disk to every initiator"
    )]
    SerialInUse {
        /// The unit that has it.
        number: u16,
        /// The serial number.
        serial: String,
    },
    /// A serial number that no page can hold.
    #[error("unit {number}: a serial number is 1 to 64 printable ASCII characters, not `{serial}`")]
    Serial {
        /// The unit.
        number: u16,
        /// What was given.
        serial: String,
    },
    /// A unit would become shorter.
    #[error(
        "unit {number} has {now}; it cannot shrink to {size}, for initiators may use what is behind that"
    )]
    Shrink {
        /// The unit.
        number: u16,
        /// What was asked for.
        size: ByteCount,
        /// What it has.
        now: ByteCount,
    },
    /// A unit's medium cannot be lengthened or measured.
    #[error("unit {number} cannot be grown: {reason}")]
    Grow {
        /// The unit.
        number: u16,
        /// The operating system's words.
        reason: String,
    },
    /// Reservations that were to outlive the array cannot be read.
    #[error("unit {number}: its saved reservations cannot be read: {reason}")]
    Reservations {
        /// The unit.
        number: u16,
        /// Why.
        reason: String,
    },
    /// What an atomic write left over cannot be read.
    #[error("unit {number}: its journal of atomic writes cannot be used: {reason}")]
    Journal {
        /// The unit.
        number: u16,
        /// Why.
        reason: String,
    },
    /// A unit's medium does not answer.
    #[error(
        "unit {number}: {} has not answered for {} s. See what its disk does (dmesg), or serve the other units without it",
        path.display(), waited.as_secs()
    )]
    Silent {
        /// The unit.
        number: u16,
        /// Its medium.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// Whoever asked for the array wants it no more.
    #[error("the start was given up")]
    GivenUp,
    /// The kernel gave no ring, or no thread.
    #[error("the array's thread cannot be started: {reason}")]
    Thread {
        /// Why.
        reason: String,
    },
    /// The array's thread is gone.
    #[error("the array is not running any more")]
    Gone,
}
