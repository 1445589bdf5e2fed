//! Why a qcow2 image is not read: what is broken in it, and what is not done.

use std::io;

/// Why a qcow2 image is not read.
#[derive(Debug, thiserror::Error)]
pub enum Qcow2Fault {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Storage {
        /// The system's words.
        #[from]
        source: io::Error,
    },
    /// No header stands there.
    #[error("it is no qcow2 image")]
    NotQcow2,
    /// A version that is not read.
    #[error("it is of version {version}; versions 2 and 3 are read")]
    Version {
        /// The version.
        version: u32,
    },
    /// The image is a layer over another.
    #[error("it is a layer over another image, `{}`", .name.escape_debug())]
    BackingFile {
        /// The other's name, as the image has it.
        name: String,
    },
    /// The image is encrypted.
    #[error("it is encrypted (method {method})")]
    Encrypted {
        /// `crypt_method`.
        method: u32,
    },
    /// The data are in another file.
    #[error("its data are in another file")]
    ExternalData,
    /// QEMU found it damaged, and left a mark.
    #[error("it is marked as corrupt")]
    MarkedCorrupt,
    /// Bits of incompatible features that nobody here knows.
    #[error("it uses incompatible features that are not known: bits {bits:#x}")]
    Features {
        /// The unknown bits.
        bits: u64,
    },
    /// A way to compress that is not known, or that does not go with the features.
    #[error("its compression type {kind} is not known, or does not go with its features")]
    CompressionType {
        /// `compression_type`.
        kind: u8,
    },

    /// A field of the header that cannot be.
    #[error("its header is damaged: {field} is {value}")]
    Field {
        /// The field, by the document's name.
        field: &'static str,
        /// What stands there.
        value: u64,
    },
    /// The table of the first level is too short for the size.
    #[error("its table of the first level has {entries} entries, and its size needs {needed}")]
    ShortTable {
        /// How many it has.
        entries: u64,
        /// How many it needs.
        needed: u64,
    },
    /// A place that is out of line, or lies behind the file's end.
    #[error(
        "it is damaged: {what} at {offset:#x} lies in no cluster of the file, which has {length} bytes; it may be cut short"
    )]
    Place {
        /// What should be there.
        what: &'static str,
        /// Where, in bytes from the file's beginning.
        offset: u64,
        /// The file's length.
        length: u64,
    },
    /// An entry that says two things.
    #[error("it is damaged: the entry for byte {offset} of the disk contradicts itself")]
    Entry {
        /// Which byte of the disk it is about.
        offset: u64,
    },
    /// More clusters are mapped than the file can have: tables or data stand in several places.
    #[error(
        "it is damaged: it maps more clusters than its file of {length} bytes has room for, so some overlap"
    )]
    Overlap {
        /// The file's length.
        length: u64,
    },
    /// Compressed data that do not unpack to one cluster.
    #[error("it is damaged: the compressed cluster for byte {offset} of the disk does not unpack")]
    Unpack {
        /// Which byte of the disk it is about.
        offset: u64,
    },
}

impl Qcow2Fault {
    /// What to do about it, in a sentence for people; empty where there is nothing to say.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Qcow2Fault::BackingFile { .. } => {
                "`qemu-img convert -O qcow2` merges both into one image; nothing but the named file is ever opened here."
            }
            Qcow2Fault::Encrypted { .. } => {
                "`qemu-img convert` with the key makes an image of it that is not encrypted."
            }
            Qcow2Fault::ExternalData
            | Qcow2Fault::Features { .. }
            | Qcow2Fault::Version { .. }
            | Qcow2Fault::CompressionType { .. } => {
                "`qemu-img convert -O qcow2` makes an image of it that is read."
            }
            Qcow2Fault::Storage { .. } | Qcow2Fault::NotQcow2 => "",
            _ => {
                "`qemu-img check` tells what is damaged, `qemu-img check -r all` repairs what can be: work on a copy."
            }
        }
    }
}
