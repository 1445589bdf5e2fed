//! The limits: what an image file or a server may make this crate keep, send or wait for. Lengths are in bytes.

use std::time::Duration;

/// The most that one request reads or writes. Larger ones would not be faster, and a lost one would be more to send again.
pub const REQUEST_LENGTH_MAX: u32 = 512 << 10;

/// Requests under way at once: with [`REQUEST_LENGTH_MAX`] the copy holds 8 MiB.
pub const REQUESTS_MAX: usize = 16;

/// Zeros among data are looked for in pieces of this length, which is a datastore's usual cluster: smaller holes would save nothing.
pub const ZEROS_LENGTH: usize = 64 << 10;

/// The most that one request to zero, or one question where data stand, covers: 2 GiB, so that it fits 32 bits with any alignment.
pub const RANGE_LENGTH_MAX: u64 = 1 << 31;

/// Extents of the disk that an export knows ahead of its reads; it asks for more when there are fewer.
pub const EXTENTS_AHEAD_MIN: usize = 64;

/// A connection on which nothing moves for so long is given up. A host that is held over a lapse of its lease may keep requests for its hold
/// time, 140 s unless the datastore says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How long one wait for the socket lasts before the onlooker is asked again whether to go on.
pub const GLANCE: Duration = Duration::from_millis(100);

/// Bytes that are read from the socket at once.
pub const SOCKET_READ_LENGTH: usize = 256 << 10;

/// A disk may be larger than its image by less than this: image files end anywhere, disks at a block.
pub const DISK_SLACK_MAX: u64 = 4096;

/// The image file's beginning, by which its format is recognised.
pub const HEAD_LENGTH: usize = 512;

/// Bytes of a qcow2 image's tables that are kept of each kind.
pub const TABLE_WINDOW_LENGTH: usize = 64 << 10;

/// The largest table of the first level: QEMU's own limit.
pub const QCOW2_L1_LENGTH_MAX: u64 = 32 << 20;

/// The largest cluster: QEMU's own limit.
pub const QCOW2_CLUSTER_BITS_MAX: u32 = 21;

/// The window that a zstd frame may ask for: what the format's document asks every decoder to have (RFC 8878, 3.1.1.1.2).
pub const ZSTD_WINDOW_MAX: u64 = 8 << 20;

/// One run of like content is told in pieces of this length, so that whoever walks an image is asked now and then whether to go on.
pub const RUN_LENGTH_MAX: u64 = 1 << 30;

/// The name of a backing file, in a message.
pub const NAME_LENGTH_MAX: u32 = 1023;
