//! Why an image is not copied.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oarlock_nbd::{Command, Errno, NbdError};

use crate::extent::Format;
use crate::qcow2::Qcow2Fault;

/// Why an image is not copied. After any of them, an export has left nothing behind; what an import has written stands in its disk.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The system does not open the image file, or does not say what it is.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Neither a plain file nor a block device.
    #[error("{} is no plain file or block device", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Somebody has the image open to write, by the locks that QEMU's programs hold.
    #[error("{} is being written by another program (QEMU, or a tool of it)", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// An image of a format that is not read.
    #[error("{} looks like {format}, which is not read", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The format's name.
        format: &'static str,
    },
    /// A qcow2 image that is damaged, or wants what is not done.
    #[error("{}: {source}", path.display())]
    Qcow2 {
        /// The file.
        path: PathBuf,
        /// What is the matter.
        source: Qcow2Fault,
    },
    /// The image file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },

    /// A file is there, and nobody said that it may go.
    #[error("{} is there already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What is there is no plain file, and is never put away.
    #[error("{} is no plain file: no image is put in its place", path.display())]
    InTheWay {
        /// What was named.
        path: PathBuf,
    },
    /// The new file cannot be made, written or named.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file system, or somebody's share of it, is full.
    #[error("there is no room for {}: its file system or quota is full", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
    },
    /// The file system or the format has no files of that size.
    #[error("{} cannot have {size_bytes} bytes: its file system or {format} has no files of that size", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The disk's size.
        size_bytes: u64,
        /// The format.
        format: Format,
    },

    /// Nobody serves the disk there.
    #[error("the disk's socket {} does not answer", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The server does not let the export be had.
    #[error("the export `{}` is not to be had: {why}", export.escape_debug())]
    Denied {
        /// The export's name.
        export: String,
        /// The protocol's reason and the server's sentence.
        why: String,
    },
    /// The server broke the protocol.
    #[error("the disk's server breaks the NBD protocol")]
    Protocol {
        /// How.
        #[from]
        source: NbdError,
    },
    /// The server hung up, or the system broke the connection.
    #[error("the connection to the disk's server broke")]
    Broken {
        /// The system's words.
        source: io::Error,
    },
    /// The server neither takes nor gives anything.
    #[error("the disk's server did not move for {} s", patience.as_secs())]
    Stalled {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The disk refused a request.
    #[error("the disk refused {command} of {length} bytes at {offset}: {errno}{}", sentence(message))]
    Refused {
        /// What was asked.
        command: Command,
        /// Where, in bytes from the disk's beginning.
        offset: u64,
        /// How much, in bytes.
        length: u32,
        /// Why.
        errno: Errno,
        /// The server's sentence; may be empty.
        message: String,
    },
    /// The disk cannot be written.
    #[error("the disk is served read-only")]
    ReadOnly,
    /// The disk has not the size that the image needs.
    #[error("the disk has {disk_bytes} bytes, and the image {image_bytes}")]
    SizeDiffers {
        /// The disk's size.
        disk_bytes: u64,
        /// The image's size.
        image_bytes: u64,
    },
    /// The server promises nothing of what was written.
    #[error("the disk's server knows no NBD_CMD_FLUSH: nothing says that the copy is durable")]
    NoFlush,

    /// The onlooker wanted out.
    #[error("interrupted")]
    Interrupted,
}

impl ImageError {
    /// What to do about it, in a sentence for people; empty where the message says all.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            ImageError::InUse { .. } => {
                "Stop the virtual machine or the tool that has it open, or copy a snapshot of it."
            }
            ImageError::Foreign { .. } => {
                "`qemu-img convert -O qcow2` makes an image of it that is read; or say that it is raw, and its bytes are taken as they stand."
            }
            ImageError::Qcow2 { source, .. } => source.advice(),
            ImageError::Exists { .. } => "Choose another name, or say that the file may be replaced.",
            ImageError::NoRoom { .. } => {
                "Make room, or name a file on another file system; nothing was left behind."
            }
            ImageError::Refused { .. } if self.is_disk_full() => "The datastore is full.",
            ImageError::Stalled { .. } => "Look at the host that serves the disk: `oarlock status`.",
            _ => "",
        }
    }

    /// Whether the disk refused data because there is no space left where it lies.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, ImageError::Refused { errno, .. } if *errno == Errno::ENOSPC)
    }

    /// The error of a write to the new file at `path`.
    pub(crate) fn of_write(path: &Path, size_bytes: u64, format: Format, source: io::Error) -> ImageError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ImageError::NoRoom { path },
            io::ErrorKind::FileTooLarge => ImageError::TooLarge { path, size_bytes, format },
            _ => ImageError::Write { path, source },
        }
    }
}

fn sentence(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({})", message.escape_debug()) }
}
