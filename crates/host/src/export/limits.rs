//! What bounds an export and its door: every queue, buffer and wait of them, with the reason for its number.

use std::time::Duration;

use oarlock_device::{DATA_BYTES_MAX, DATA_DEPTH_MAX};

/// Connections that one export serves at once: four are what clients open, and each has two places of the ring for looks
/// at its socket.
pub const CONNECTIONS_MAX: usize = 64;

/// Places of the ring that commands leave to looks at sockets, so that no socket is ever not looked at.
pub(crate) const WATCHES_MAX: usize = 2 * CONNECTIONS_MAX;

/// Requests of one connection that are begun and not answered. Whoever sends more waits in its socket.
pub const CONNECTION_REQUESTS_MAX: usize = 128;

/// Requests of one export that are begun and not answered, those of connections that broke included: what its data path
/// takes.
pub const EXPORT_REQUESTS_MAX: usize = oarlock_engine::path::OPERATIONS_MAX;

/// Bytes of data that requests of one export hold at once. What is left of the ring's bytes is for copies, so that a
/// request that was let in always finds memory to end with.
pub const REQUEST_BYTES_MAX: usize = 48 << 20;

/// Bytes of scratch memory, for copies, that requests of one export have at once. Who has some needs nothing else to end.
pub(crate) const SCRATCH_BYTES_MAX: usize = 12 << 20;

/// Bytes that are read from a socket at once: 32 writes of 4 KiB and their headers fit twice.
pub(crate) const READ_MAX: usize = 256 << 10;

/// How often one socket is read before others have their turn.
pub(crate) const READS_A_TURN_MAX: usize = 4;

/// Answers without data that wait for a client to read them. One that reads nothing gets no further request served.
pub(crate) const REPLY_BYTES_MAX: usize = 64 << 10;

/// Runs of bytes that one write gathers.
pub(crate) const SLICES_MAX: usize = 64;

/// Zeros in memory, for devices and lengths for which a command that zeroes is not worth it.
pub(crate) const ZEROS_LENGTH: usize = 256 << 10;

/// What one command that zeroes covers at most: a file system stops the file's other commands meanwhile.
pub(crate) const CLEAR_MAX: u64 = 64 << 20;

/// While others wait for memory, or after it said goodbye, a client that neither sends the rest of its write nor takes
/// its answers for this long is cut off.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(10);

/// How often somebody looks for such clients, where there is reason to.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Clients of one door whose handshake is under way. The next one takes the place of the oldest, so that a thousand who
/// say nothing keep nobody out.
pub const NEGOTIATIONS_MAX: usize = 128;

/// How long a handshake may take, TLS included.
pub const NEGOTIATION_LIMIT: Duration = Duration::from_secs(10);

/// Bytes that a handshake reads at once.
pub(crate) const NEGOTIATION_READ_MAX: usize = 4 << 10;

/// Exports of one door.
pub const DOOR_EXPORTS_MAX: usize = 10_000;

/// A pause after a failed accept: the process is out of descriptors, and asking again at once would not help.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A TCP peer that is silent is asked whether it lives after this long, and given up when neither that nor anything sent
/// is confirmed for [`PEER_LIMIT`].
pub(crate) const PEER_IDLE: Duration = Duration::from_secs(60);

/// See [`PEER_IDLE`].
pub(crate) const PEER_LIMIT: Duration = Duration::from_secs(60);

/// Plain bytes that TLS takes before its records are sent.
pub(crate) const TLS_BUFFER_MAX: usize = 256 << 10;

/// A file of certificates or keys has at most so many bytes.
pub(crate) const PEM_MAX: u64 = 1 << 20;

const _: () = assert!(WATCHES_MAX < DATA_DEPTH_MAX / 2, "most places are for commands");
const _: () = assert!(
    REQUEST_BYTES_MAX + SCRATCH_BYTES_MAX + 2 * ZEROS_LENGTH <= DATA_BYTES_MAX,
    "whoever is let in finds memory"
);
const _: () = assert!(
    oarlock_engine::path::SCRATCH_MAX as usize * 4 < SCRATCH_BYTES_MAX,
    "the largest need fits, twice"
);
