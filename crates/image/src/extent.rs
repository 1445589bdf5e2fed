//! What an image holds where: runs of data, of zeros, of nothing.

use std::fmt;
use std::path::Path;

/// The format of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The disk's bytes, one after the other.
    Raw,
    /// QEMU's copy-on-write format, version 2 or 3.
    Qcow2,
}

impl Format {
    /// The format that a new file's name asks for: qcow2 by its ending, raw by any other.
    #[must_use]
    pub fn of_name(path: &Path) -> Format {
        match path.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("qcow2") => Format::Qcow2,
            _ => Format::Raw,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Format::Raw => "raw",
            Format::Qcow2 => "qcow2",
        })
    }
}

/// What a run of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes that the file keeps; they may still be zeros.
    Data,
    /// Zeros that the file says to be zeros.
    Zeros,
    /// Nothing: never written, or given up. Reads as zeros.
    Hole,
}

impl Content {
    /// Whether it reads as zeros without being read.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self != Content::Data
    }
}

/// A run of bytes of one kind, seen from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its beginning, in bytes from the disk's.
    pub offset: u64,
    /// Its length in bytes, never 0.
    pub length: u64,
    /// What it is.
    pub content: Content,
}

impl Extent {
    /// The first byte behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}
