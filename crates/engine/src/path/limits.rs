//! What bounds the data path: every queue, list and round of it, with the reason for its number.

/// Operations that one disk has begun and not ended: eight connections of 128 requests.
pub const OPERATIONS_MAX: usize = 1_024;

/// The longest request that carries data: what NBD clients take for granted.
pub const DATA_LENGTH_MAX: u64 = 32 << 20;

/// Clusters that one round of a writing operation claims at most. A longer request goes in rounds, and lets others pass
/// in between.
pub const ROUND_CLUSTERS_MAX: usize = 256;

/// Segments that one round submits at most.
pub const SEGMENTS_MAX: usize = 256;

/// Segments that one cluster needs at most: each piece brought into scratch memory, copied over and written on its own.
pub(crate) const CLUSTER_SEGMENTS_MAX: usize = 3 * 16;

/// Scratch memory of one round: a largest cluster of copies, and its two ragged pieces.
pub const SCRATCH_MAX: u32 = (1 << 20) + 2 * (64 << 10);

/// Clusters whose entries one call of `next` changes at most without any I/O in between, so that the trim of a whole
/// disk does not keep its thread from everybody else.
pub(crate) const TURN_CLUSTERS_MAX: usize = 512;

/// Clusters that one answer about block status looks at, at most; it may be short.
pub(crate) const STATUS_CLUSTERS_MAX: usize = 8_192;

/// Clusters given up that wait to be free. From here on who gives up more waits for a commit at each turn; from twice as
/// many on a cluster that is given up stays with the disk, empty.
pub(crate) const UNMAPPED_MAX: usize = 65_536;

/// How often a publication that could not be made is tried again after the engine said that it could.
pub(crate) const PUBLISH_TRIES_MAX: u8 = 8;

/// How often a round of reads is read once more because its entries changed meanwhile. After that each sector is still an old or
/// a new one, but a later read may show an older one.
pub(crate) const READ_TRIES_MAX: u8 = 16;

/// How often one cluster is claimed anew because its entry changed meanwhile, before others get a turn.
pub(crate) const CLAIM_TRIES_MAX: usize = 4;

/// Extents of one answer about block status.
pub const EXTENTS_MAX: usize = 1_024;

/// Clusters that a disk keeps in hand at most.
pub const RESERVOIR_MAX: usize = 1_024;

/// Below so many clusters in hand the engine is asked for more, before anybody has to wait.
pub(crate) const RESERVOIR_LOW: usize = 64;

/// How often a segment is sent that the device was too busy for.
pub(crate) const BUSY_TRIES_MAX: u8 = 8;
