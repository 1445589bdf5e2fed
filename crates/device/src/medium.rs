//! What an array stores a logical unit on: a plain file or a block device, wherever it lies, held against every other user.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oarlock_block::{BlockCount, BlockSize, ByteCount, Geometry, IoError, Refusal};
use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::atomic;
use crate::buffer::PAGE;
use crate::data_buffer::DataBuffer;
use crate::extents;
use crate::failure;
use crate::file_system::FileSystem;
use crate::geometry;
use crate::locate::{Location, LocationKind};
use crate::open::OpenError;
use crate::range_lock::{self, ByteRange};

/// All bytes that a lock can name: those of the data, and those by which hosts live in slots (R13).
const EVERY_BYTE: ByteRange = ByteRange { start: 0, length: i64::MAX as u64 };

/// How a medium is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct MediumOptions {
    /// Never written.
    pub read_only: bool,
    /// A plain file that is absent is made, of so many bytes.
    pub create: Option<ByteCount>,
    /// Such a file has all of its place from the beginning on, where the file system can give it.
    pub reserve: bool,
    /// The logical block; 512 bytes where nobody asks.
    pub block_size: Option<BlockSize>,
    /// What is best written at once, where somebody knows better than the file system.
    pub physical_block: Option<ByteCount>,
}

/// Why a medium cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediumError {
    /// It cannot be opened or measured.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Another process has it: a host whose datastore it is, or another target.
    #[error("{} is in use by another process, a host or another target", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It has not even one block.
    #[error("{} is empty: an absent file is made with size=", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// A file or block device that belongs to one array.
///
/// It is opened with O_DIRECT where what is below allows that. Who may write holds a lock on every byte that a lock can name, so
/// no host can join a datastore on the same file beside the array, and no second array can serve it; who only reads shares it
/// with other readers.
#[derive(Debug)]
pub struct Medium {
    pub(crate) file: Arc<OwnedFd>,
    path: PathBuf,
    block_size: BlockSize,
    physical_block: ByteCount,
    blocks: AtomicU64,
    read_only: bool,
    is_direct: bool,
    is_file: bool,
    is_in_memory: bool,
    is_new: bool,
    atomic_block: Option<ByteCount>,
    tells_reserved: bool,
    device_number: Option<u64>,
}

/// A run of bytes of a medium that is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// What is there.
    pub content: Content,
    /// The first byte behind it.
    pub end_byte: u64,
}

/// What bytes of a medium are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There may be data.
    Data,
    /// Zeros that have their place: a write finds it, however full what is below gets.
    Reserved,
    /// Zeros that take no place.
    Hole,
}

/// What a medium takes of what is below it, and what is left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that it takes.
    pub used_bytes: u64,
    /// Bytes that its file system has left; `None` of a block device: what a thin pool below it has left, only the pool knows.
    pub free_bytes: Option<u64>,
}

impl Medium {
    /// Opens `path` and takes it for this process.
    ///
    /// # Errors
    /// [`MediumError`].
    pub fn open(path: &Path, options: MediumOptions) -> Result<Medium, MediumError> {
        let io = |action, error: &io::Error| MediumError::Open(OpenError::io(path, action, error));
        let is_new = match options.create {
            Some(size) => create(path, size, options.reserve).map_err(|errno| io("create", &errno.into()))?,
            None => false,
        };
        let path = fs::canonicalize(path).map_err(|error| io("resolve", &error))?;
        let kind = fs::metadata(&path).map_err(|error| io("look at", &error))?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            let found = "something else";
            return Err(OpenError::NotADevice { path: path.clone(), found }.into());
        }
        let (file, is_direct) =
            open_file(&path, options.read_only, kind.is_file()).map_err(|errno| io("open", &errno.into()))?;
        take(&path, &file, options.read_only)?;
        let is_in_memory = kind.is_file() && FileSystem::of_file(&file).is_ok_and(FileSystem::is_tmpfs);
        let location_kind = match kind.is_file() {
            true => LocationKind::File,
            false => LocationKind::Disk { number: (0, 0), folder: PathBuf::new() },
        };
        let location = Location { path: path.clone(), kind: location_kind, base: 0, length: None };
        let asked = options.block_size.or(Some(BlockSize::B512));
        let geometry = geometry::geometry(file.as_fd(), &location, asked)?;
        if geometry.blocks.0 == 0 {
            return Err(MediumError::Empty { path });
        }
        let atomic_block = atomic::atomic_block(file.as_fd(), kind.is_file(), is_in_memory);
        let tells_reserved = kind.is_file() && extents::first_in(&file, 0..1).is_ok();
        let number_of =
            |status: rustix::fs::Stat| if kind.is_file() { status.st_dev } else { status.st_rdev };
        let device_number = rustix::fs::fstat(&file).ok().map(number_of);
        Ok(Medium {
            physical_block: options
                .physical_block
                .unwrap_or_else(|| physical_block(&file, geometry.physical_block)),
            file: Arc::new(file),
            path,
            block_size: geometry.block_size,
            blocks: AtomicU64::new(geometry.blocks.0),
            read_only: options.read_only,
            is_direct,
            is_file: kind.is_file(),
            is_in_memory,
            is_new,
            atomic_block,
            tells_reserved,
            device_number,
        })
    }

    /// Its shape now.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        Geometry {
            block_size: self.block_size,
            physical_block: self.physical_block,
            blocks: BlockCount(self.blocks.load(Ordering::Relaxed)),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is never written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Whether it is a block device, and no plain file.
    #[must_use]
    pub fn is_block_device(&self) -> bool {
        !self.is_file
    }

    /// What is written whole or not at all where the power fails, at each multiple of it; `None` where nothing is known of what is below.
    #[must_use]
    pub fn atomic_block(&self) -> Option<ByteCount> {
        self.atomic_block
    }

    /// Whether it was absent, and was made when it was opened.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What tells a plain file from one that was put in its place: its number in its file system. `None` of a block device.
    #[must_use]
    pub fn file_number(&self) -> Option<u64> {
        let status = rustix::fs::fstat(&self.file).ok()?;
        self.is_file.then_some(status.st_ino)
    }

    /// The number of the device that it lies on, or is (st_dev, st_rdev): what hangs together with it.
    #[must_use]
    pub fn device_number(&self) -> Option<u64> {
        self.device_number
    }

    /// Starts to read bytes into the page cache, and waits for none. Without effect where commands go past it.
    pub fn will_need(&self, (from_byte, length): (u64, u64)) {
        if let (false, Some(length)) = (self.is_direct, std::num::NonZeroU64::new(length)) {
            let _ = rustix::fs::fadvise(&self.file, from_byte, Some(length), rustix::fs::Advice::WillNeed);
        }
    }

    /// Whether commands go past the kernel's page cache.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// Whether it lies in memory (tmpfs). The kernel gives each write of a ring to a thread of its own there, for which it waits longer
    /// than the write takes: what is copied in memory is better copied [at once](Medium::write_now).
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.is_in_memory
    }

    /// Reads from byte `from_byte` on into `part` of the buffer, without a ring.
    ///
    /// # Errors
    /// As a [`MediaRing`](crate::MediaRing)'s read.
    ///
    /// # Panics
    /// While a command of the buffer is in flight, and where the part exceeds it: programmer's errors.
    pub fn read_now(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        from_byte: u64,
    ) -> Result<(), IoError> {
        let (bytes, mut done) = (&mut buffer.bytes()[part], 0);
        while done < bytes.len() {
            match rustix::io::pread(&self.file, &mut bytes[done..], from_byte + done as u64) {
                Ok(0) => return Err(IoError::Refused(Refusal::OutOfRange)),
                Ok(more) => done += more,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failure::of_read(errno)),
            }
        }
        Ok(())
    }

    /// Writes `part` of the buffer to byte `to_byte` and on, without a ring.
    ///
    /// # Errors
    /// As a [`MediaRing`](crate::MediaRing)'s write.
    ///
    /// # Panics
    /// As [`read_now`](Medium::read_now).
    pub fn write_now(
        &self,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
    ) -> Result<(), IoError> {
        let (bytes, mut done) = (&buffer.bytes()[part], 0);
        while done < bytes.len() {
            match rustix::io::pwrite(&self.file, &bytes[done..], to_byte + done as u64) {
                Ok(0) => return Err(failure::of_write(Errno::IO)),
                Ok(more) => done += more,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failure::of_write(errno)),
            }
        }
        Ok(())
    }

    /// Makes every write that was answered durable, without a ring.
    ///
    /// # Errors
    /// As a [`MediaRing`](crate::MediaRing)'s flush.
    pub fn flush_now(&self) -> Result<(), IoError> {
        rustix::fs::fdatasync(&self.file).map_err(failure::of_flush)
    }

    /// Makes a plain file longer where `size` says so, and it is not so long already, and measures the medium anew. It never becomes shorter. With `reserve`
    /// what is new has its place.
    ///
    /// # Errors
    /// Where it cannot be lengthened or measured.
    pub fn grow(&self, size: Option<ByteCount>, reserve: bool) -> io::Result<Geometry> {
        let now = self.geometry();
        let end = rustix::fs::seek(&self.file, SeekFrom::End(0))?;
        if let Some(size) = size.filter(|size| self.is_file && *size > now.size() && size.0 > end) {
            lengthen(&self.file, now.size().0, size.0, reserve)?;
            rustix::fs::fsync(&self.file)?;
        }
        let end = rustix::fs::seek(&self.file, SeekFrom::End(0))?;
        let blocks = ByteCount(end).whole_blocks(self.block_size).max(now.blocks);
        self.blocks.store(blocks.0, Ordering::Relaxed);
        Ok(self.geometry())
    }

    /// What it takes, and what is left for it to take.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn space(&self) -> io::Result<Space> {
        if !self.is_file {
            return Ok(Space { used_bytes: self.geometry().size().0, free_bytes: None });
        }
        let file = rustix::fs::fstat(&self.file)?;
        let below = rustix::fs::fstatvfs(&self.file)?;
        let used_bytes = u64::try_from(file.st_blocks).unwrap_or(0) * 512;
        Ok(Space { used_bytes, free_bytes: Some(below.f_bavail.saturating_mul(below.f_frsize)) })
    }

    /// Whether [regions](Medium::region) of zeros that have their place are told from holes.
    #[must_use]
    pub fn tells_reserved(&self) -> bool {
        self.tells_reserved
    }

    /// The region that the byte `at_byte` lies in, as far as one look shows it. A block device is one region of data.
    ///
    /// # Errors
    /// Where the file system does not say.
    pub fn region(&self, at_byte: u64) -> io::Result<Region> {
        let end = self.geometry().size().0;
        let all = Region { content: Content::Data, end_byte: end };
        if !self.is_file {
            return Ok(all);
        }
        match rustix::fs::seek(&self.file, SeekFrom::Data(at_byte)) {
            Ok(data) if data > at_byte => self.empty_region(at_byte..data.min(end)),
            Ok(_) => {
                let hole = rustix::fs::seek(&self.file, SeekFrom::Hole(at_byte))?;
                Ok(Region { content: Content::Data, end_byte: hole.min(end) })
            }
            Err(Errno::NXIO) => self.empty_region(at_byte..end),
            Err(Errno::INVAL) => Ok(all),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The region that bytes without data begin with.
    fn empty_region(&self, bytes: Range<u64>) -> io::Result<Region> {
        let hole = Region { content: Content::Hole, end_byte: bytes.end };
        if !self.tells_reserved {
            return Ok(hole);
        }
        Ok(match extents::first_in(&self.file, bytes.clone())? {
            None => hole,
            Some(extent) if extent.start > bytes.start => Region { end_byte: extent.start, ..hole },
            Some(extent) => Region { content: Content::Reserved, end_byte: extent.end.min(bytes.end) },
        })
    }
}

/// Makes a plain file longer that a [medium](Medium) has, whose [growing](Medium::grow) need not wait for the file system then. For another thread than the
/// medium's. With `reserve` what is new has its place.
///
/// # Errors
/// Where it cannot be opened or lengthened, or the file system has not so much place.
pub fn make_longer(path: &Path, (from, to): (ByteCount, ByteCount), reserve: bool) -> io::Result<()> {
    if to <= from || !fs::metadata(path)?.is_file() {
        return Ok(());
    }
    // Not before that is known: a block device that was open for writing is looked at by udev when it is closed.
    let file = fs::File::options().write(true).open(path)?;
    if reserve {
        put_aside(&file, from.0..to.0)?;
    }
    if file.metadata()?.len() < to.0 {
        file.set_len(to.0)?;
    }
    file.sync_all()
}

/// Puts place aside for bytes of a plain file. No error where the file system has no places that nobody wrote.
fn put_aside(file: &fs::File, bytes: Range<u64>) -> io::Result<()> {
    let length = bytes.end - bytes.start;
    // What is put aside until there is no more would stay, behind the end of the file, and nothing would be left for others.
    let below = rustix::fs::fstatvfs(file)?;
    if below.f_bavail.saturating_mul(below.f_frsize) < length {
        return Err(Errno::NOSPC.into());
    }
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, bytes.start, length) {
        Err(Errno::OPNOTSUPP) => Ok(()),
        put => Ok(put?),
    }
}

/// What is best written at once. A file's is the block of its file system, below which a write makes that read, up to a page.
fn physical_block(file: &OwnedFd, found: ByteCount) -> ByteCount {
    let preferred = rustix::fs::fstat(file).map_or(0, |status| u64::try_from(status.st_blksize).unwrap_or(0));
    let is_sound = preferred.is_power_of_two() && preferred <= PAGE as u64;
    if is_sound { found.max(ByteCount(preferred)) } else { found }
}

/// Who may read and write a file that is made.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP).union(Mode::WGRP);

/// Makes the file, and its entry in its folder, durably; `false` where it is there.
fn create(path: &Path, size: ByteCount, reserve: bool) -> rustix::io::Result<bool> {
    // It stands already, or another was first.
    let is_there = |errno: &Errno| *errno == Errno::EXIST;
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    let file = match create_whole(path, size, reserve).unwrap_or_else(|| create_named(path, size, reserve)) {
        Ok(file) => file,
        Err(errno) if is_there(&errno) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let made = rustix::fs::fsync(&file).and_then(|()| sync_folder_of(path));
    made.map(|()| true).inspect_err(|_| drop(fs::remove_file(path)))
}

/// A file that has its name when it has its length: who is ended in the middle leaves nothing behind. `None` where that is not to be had.
fn create_whole(path: &Path, size: ByteCount, reserve: bool) -> Option<rustix::io::Result<OwnedFd>> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(folder_of(path), flags, MODE).ok()?;
    if let Err(errno) = lengthen(&file, 0, size.0, reserve) {
        return Some(Err(errno));
    }
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Some(Ok(file)),
        Err(Errno::EXIST) => Some(Err(Errno::EXIST)),
        Err(_) => None,
    }
}

fn create_named(path: &Path, size: ByteCount, reserve: bool) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, MODE)?;
    let made = lengthen(&file, 0, size.0, reserve);
    made.map(|()| file).inspect_err(|_| drop(fs::remove_file(path)))
}

/// Makes a file longer, with its place or without; no place at all where there is not enough.
fn lengthen(file: impl AsFd, from: u64, to: u64, reserve: bool) -> rustix::io::Result<()> {
    let reserved = match reserve && to > from {
        true => rustix::fs::fallocate(&file, FallocateFlags::empty(), from, to - from),
        false => Ok(()),
    };
    match reserved {
        // The file system has no places that nobody wrote.
        Ok(()) | Err(Errno::OPNOTSUPP) => rustix::fs::ftruncate(file, to),
        Err(errno) => {
            let _ = rustix::fs::ftruncate(file, from);
            Err(errno)
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder_of(path: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::fsync(rustix::fs::open(folder_of(path), flags, Mode::empty())?)
}

/// Past the page cache where that can be done (NFS of old kernels and some FUSE file systems cannot). A block device that a
/// file system is mounted from is refused by the kernel (O_EXCL).
fn open_file(path: &Path, read_only: bool, is_file: bool) -> rustix::io::Result<(OwnedFd, bool)> {
    let access = if read_only { OFlags::RDONLY } else { OFlags::RDWR };
    let alone = if is_file { OFlags::empty() } else { OFlags::EXCL };
    let flags = access | alone | OFlags::CLOEXEC;
    // A read that notes its time waits for the file system's journal, on the ring's thread. Whose file it is not may not ask for this.
    let open = |flags| match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        opened => opened,
    };
    match open(flags | OFlags::DIRECT) {
        Err(Errno::INVAL) => Ok((open(flags)?, false)),
        opened => Ok((opened?, true)),
    }
}

fn take(path: &Path, file: &OwnedFd, read_only: bool) -> Result<(), MediumError> {
    let lock = if read_only { range_lock::try_share } else { range_lock::try_lock };
    match lock(file.as_fd(), EVERY_BYTE) {
        Ok(true) => Ok(()),
        Ok(false) => Err(MediumError::InUse { path: path.to_owned() }),
        Err(error) => Err(OpenError::io(path, "lock", &error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(size: u64) -> MediumOptions {
        MediumOptions { create: Some(ByteCount(size)), ..MediumOptions::default() }
    }

    #[test]
    fn one_array_has_a_medium_alone_and_readers_share_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let medium = Medium::open(&path, options(1 << 20)).unwrap();
        assert!(medium.is_new() && !medium.is_block_device());
        assert_eq!(medium.geometry().blocks, BlockCount(2048));
        let second = Medium::open(&path, options(1 << 20)).unwrap_err();
        assert!(matches!(second, MediumError::InUse { .. }), "{second}");
        drop(medium);
        let reader = MediumOptions { read_only: true, ..MediumOptions::default() };
        let readers = [Medium::open(&path, reader).unwrap(), Medium::open(&path, reader).unwrap()];
        assert!(matches!(Medium::open(&path, options(1)), Err(MediumError::InUse { .. })));
        drop(readers);
        assert!(!Medium::open(&path, options(1)).unwrap().is_new(), "it stands");
    }

    #[test]
    fn what_is_absent_empty_or_no_file_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let error = Medium::open(&absent, MediumOptions::default()).unwrap_err().to_string();
        assert!(error.contains("absent") && error.contains("resolve"), "{error}");
        let error = Medium::open(folder.path(), MediumOptions::default()).unwrap_err();
        assert!(matches!(error, MediumError::Open(OpenError::NotADevice { .. })), "{error}");
        let empty = folder.path().join("empty");
        fs::write(&empty, "").unwrap();
        let error = Medium::open(&empty, MediumOptions::default()).unwrap_err();
        assert!(matches!(error, MediumError::Empty { .. }), "{error}");
    }

    #[test]
    fn a_file_grows_and_never_shrinks_and_its_holes_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let medium = Medium::open(&path, options(1 << 20)).unwrap();
        assert_eq!(medium.region(0).unwrap(), Region { content: Content::Hole, end_byte: 1 << 20 });
        rustix::fs::fallocate(&medium.file, rustix::fs::FallocateFlags::empty(), 0, 4096).unwrap();
        let put_aside = Region { content: Content::Reserved, end_byte: 4096 };
        let hole = Region { content: Content::Hole, end_byte: 1 << 20 };
        assert_eq!(medium.region(0).unwrap(), if medium.tells_reserved() { put_aside } else { hole });
        assert_eq!(medium.region(4096).unwrap(), hole);
        let grown = medium.grow(Some(ByteCount(2 << 20)), false).unwrap();
        assert_eq!(grown.blocks, BlockCount(4096));
        assert_eq!(medium.grow(Some(ByteCount(512)), true).unwrap().blocks, BlockCount(4096));
    }

    #[test]
    fn a_file_that_is_to_have_its_place_has_it_when_it_is_made_and_when_it_grows_or_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let medium = Medium::open(&path, MediumOptions { reserve: true, ..options(1 << 20) }).unwrap();
        assert!(medium.space().unwrap().used_bytes >= 1 << 20);
        medium.grow(Some(ByteCount(2 << 20)), true).unwrap();
        assert!(medium.space().unwrap().used_bytes >= 2 << 20);
        medium.grow(Some(ByteCount(1 << 60)), true).unwrap_err();
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 << 20);
        let none = folder.path().join("none");
        Medium::open(&none, MediumOptions { reserve: true, ..options(1 << 60) }).unwrap_err();
        assert!(!none.exists());
    }

    /// The second is for file systems that know no file without a name.
    #[test]
    fn a_file_is_made_by_either_way_and_none_over_another() {
        type Way = fn(&Path) -> rustix::io::Result<OwnedFd>;
        let folder = tempfile::tempdir().unwrap();
        let ways: [Way; 2] = [
            |path| create_whole(path, ByteCount(4096), false).unwrap_or(Err(Errno::OPNOTSUPP)),
            |path| create_named(path, ByteCount(4096), false),
        ];
        for (number, way) in ways.into_iter().enumerate() {
            let path = folder.path().join(number.to_string());
            let made = way(&path);
            if number == 0 && made.as_ref().is_err_and(|errno| *errno == Errno::OPNOTSUPP) {
                continue;
            }
            made.unwrap();
            assert_eq!(way(&path).unwrap_err(), Errno::EXIST);
            assert_eq!(fs::metadata(&path).unwrap().len(), 4096);
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing else stands there");
    }
}
