//! Where an image's bytes lie: a file with holes, or memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// Whether bytes are kept, and how far that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whether something is kept there. What is not reads as zeros.
    pub is_data: bool,
    /// The first byte behind the run, in bytes from the storage's beginning; beyond the byte that was asked about.
    pub end: u64,
}

/// Bytes that can be read at any place.
pub trait Storage {
    /// How many bytes there are.
    fn length(&self) -> u64;

    /// Fills the buffer from `offset` on.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::UnexpectedEof`] where there are not so many bytes.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The run that begins at `offset`, which lies before the end.
    ///
    /// # Errors
    /// The system's.
    fn run_at(&self, offset: u64) -> io::Result<Run>;
}

impl Storage for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok().filter(|start| *start <= self.len());
        let found = start.and_then(|start| self[start..].get(..buffer.len()));
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn run_at(&self, _: u64) -> io::Result<Run> {
        Ok(Run { is_data: true, end: self.length() })
    }
}

/// A file, or a block device.
#[derive(Debug)]
pub struct FileStorage {
    file: File,
    length: u64,
}

impl FileStorage {
    /// The bytes that the file has now: what it grows by later is not seen.
    ///
    /// # Errors
    /// Where its length is not to be had.
    pub fn new(file: File) -> io::Result<FileStorage> {
        // A block device's metadata have no length, its end has.
        let length = rustix::fs::seek(&file, SeekFrom::End(0))?;
        Ok(FileStorage { file, length })
    }
}

impl Storage for FileStorage {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn run_at(&self, offset: u64) -> io::Result<Run> {
        let data_till_the_end = Run { is_data: true, end: self.length };
        let start = match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(start) => start,
            // No data from here to the end.
            Err(Errno::NXIO) => return Ok(Run { is_data: false, end: self.length }),
            // The file system knows no holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(data_till_the_end),
            Err(error) => return Err(error.into()),
        };
        if start > offset {
            return Ok(Run { is_data: false, end: start.min(self.length) });
        }
        match rustix::fs::seek(&self.file, SeekFrom::Hole(offset)) {
            Ok(end) if end > offset => Ok(Run { is_data: true, end: end.min(self.length) }),
            Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP) => Ok(data_till_the_end),
            Err(error) => Err(error.into()),
        }
    }
}
