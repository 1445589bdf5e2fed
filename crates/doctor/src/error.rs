//! What can go wrong while logs are read. A line that nobody understands is no error.

use std::io;

/// Why an input could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The operating system, or a decompressor, refused.
    #[error("{input}: {source}")]
    Read {
        /// The input, or the member of an archive.
        input: String,
        /// What it said.
        source: io::Error,
    },
    /// A compressed stream grows beyond all reason.
    #[error(
        "{input} unpacks to more than {unpacked_bytes} bytes from {packed_bytes}: this is no log, and the rest is not read"
    )]
    Bomb {
        /// The input.
        input: String,
        /// Bytes read from it.
        packed_bytes: u64,
        /// Bytes that came out.
        unpacked_bytes: u64,
    },
    /// An archive is damaged.
    #[error("{input} is a damaged archive ({what}): the rest is not read")]
    Archive {
        /// The archive.
        input: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Archives lie within archives too deeply.
    #[error("{input} lies in too many archives: it is not read")]
    Nested {
        /// The innermost archive.
        input: String,
    },
    /// An archive has more members than are looked at.
    #[error("{input} has more than {members_max} members: the rest is not read")]
    Members {
        /// The archive.
        input: String,
        /// How many are looked at.
        members_max: u64,
    },
    /// A part of a running machine did not tell what it was asked for.
    #[error("{part}: {why}")]
    Machine {
        /// What was asked: `kernel log`, `multipathd`.
        part: String,
        /// Why it is not known.
        why: String,
    },
    /// A file of advisories has a line that says nothing.
    #[error("line {line} of the advisories: {what}")]
    Advisory {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}
