//! An image file that is written: beside its place first, under a name of its own, and by one rename into it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::ImageError;
use crate::extent::Format;
use crate::in_use::has_writer;
use crate::qcow2::Qcow2Writer;
use crate::raw_file;

/// Where a new image will be.
#[derive(Clone, Debug)]
pub struct Destination {
    path: PathBuf,
    format: Format,
    replaces: bool,
}

impl Destination {
    /// A place for a new image, looked at before anything else is done.
    ///
    /// # Errors
    /// Where a file is there, unless `replaces` says that it may go and no program of QEMU's has it open to write; where something else
    /// than a plain file is there, whatever `replaces` says.
    pub fn new(path: &Path, format: Format, replaces: bool) -> Result<Destination, ImageError> {
        let named = || path.to_owned();
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ImageError::Open { path: named(), source }),
            Ok(about) if !about.is_file() => return Err(ImageError::InTheWay { path: named() }),
            Ok(_) if !replaces => return Err(ImageError::Exists { path: named() }),
            // One that cannot be opened is not in the way: its name is taken away from it, which its folder decides.
            Ok(_) if File::open(path).is_ok_and(|file| has_writer(&file)) => {
                return Err(ImageError::InUse { path: named() });
            }
            Ok(_) => {}
        }
        Ok(Destination { path: named(), format, replaces })
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Begins the image of a disk of that size.
    pub(crate) fn begin(&self, size_bytes: u64) -> Result<Sink, ImageError> {
        let failed = |source| ImageError::of_write(&self.path, size_bytes, self.format, source);
        // As any new file's: what the user's umask leaves of it.
        let permissions = Permissions::from_mode(0o666);
        let beside = tempfile::Builder::new()
            .prefix(".oarlock-export-")
            .permissions(permissions)
            .tempfile_in(self.folder())
            .map_err(failed)?;
        let writer = match self.format {
            Format::Raw => {
                raw_file::begin(beside.as_file(), size_bytes).map_err(failed)?;
                Writer::Raw
            }
            Format::Qcow2 => {
                let too_large = || failed(io::ErrorKind::FileTooLarge.into());
                Writer::Qcow2(Qcow2Writer::new(size_bytes).ok_or_else(too_large)?)
            }
        };
        Ok(Sink { destination: self.clone(), size_bytes, beside, writer })
    }
}

#[derive(Debug)]
enum Writer {
    Raw,
    Qcow2(Qcow2Writer),
}

/// An image that is being written. Dropped before [`finish`](Sink::finish), it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Sink {
    destination: Destination,
    size_bytes: u64,
    beside: NamedTempFile,
    writer: Writer,
}

impl Sink {
    fn failed(&self, source: io::Error) -> ImageError {
        ImageError::of_write(&self.destination.path, self.size_bytes, self.destination.format, source)
    }

    /// Writes bytes of the disk, each call behind the one before. What is left out is zeros.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), ImageError> {
        let file = self.beside.as_file();
        let written = match &mut self.writer {
            Writer::Raw => raw_file::write(file, offset, bytes),
            Writer::Qcow2(image) => image.write(file, offset, bytes),
        };
        written.map_err(|source| self.failed(source))
    }

    /// Makes the image whole and durable, and gives it its name.
    pub(crate) fn finish(mut self) -> Result<(), ImageError> {
        let finished = match std::mem::replace(&mut self.writer, Writer::Raw) {
            Writer::Raw => Ok(()),
            Writer::Qcow2(image) => image.finish(self.beside.as_file()),
        };
        finished.and_then(|()| self.beside.as_file().sync_all()).map_err(|source| self.failed(source))?;
        let Sink { destination, size_bytes, beside, .. } = self;
        let path = &destination.path;
        let named = if destination.replaces { beside.persist(path) } else { beside.persist_noclobber(path) };
        named.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => ImageError::Exists { path: path.clone() },
            _ => ImageError::of_write(path, size_bytes, destination.format, error.error),
        })?;
        // The name is durable once its folder is.
        let folder = File::open(destination.folder()).and_then(|folder| folder.sync_all());
        folder.map_err(|source| ImageError::Write { path: path.clone(), source })
    }
}
