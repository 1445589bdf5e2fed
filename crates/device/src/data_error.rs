//! What a data ring cannot give.

use oarlock_block::Refusal;

/// A command, buffer or turn that the ring could not give.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataRingError {
    /// A depth of none, or beyond what such a ring has.
    #[error("a data ring is 1 to {max} commands deep, not {asked}")]
    Depth {
        /// The deepest that there is.
        max: usize,
        /// The depth that was asked for.
        asked: usize,
    },
    /// The kernel gave no ring, or its ring broke.
    #[error("the data ring failed ({reason}); its connections must be given up")]
    Kernel {
        /// The operating system's words.
        reason: String,
    },
    /// Every place of the ring is taken: nothing was asked for. A completion frees one.
    #[error("all {depth} places of the data ring are taken")]
    Full {
        /// The ring's depth.
        depth: usize,
    },
    /// No buffer of that length until others are dropped (or ever, where it is beyond
    /// [`DATA_BUFFER_MAX`](crate::DATA_BUFFER_MAX)).
    #[error("no buffer of {length} bytes: {in_use} bytes are in use")]
    NoBuffer {
        /// The length that was asked for.
        length: usize,
        /// The bytes in use, headroom included.
        in_use: usize,
    },
    /// Surely not executed: beyond the end, or a write to a device opened for reading.
    #[error("the device refused the command: {0}")]
    Refused(#[from] Refusal),
}

/// The kernel's word about its ring.
pub(crate) fn kernel(error: std::io::Error) -> DataRingError {
    DataRingError::Kernel { reason: error.to_string() }
}
