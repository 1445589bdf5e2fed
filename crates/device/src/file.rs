//! The device on a plain file or a local block device.

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::channel::oneshot;
use oarlock_block::{
    Answer, Attempted, BlockCount, CutOff, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba,
    LocalFuture, Refusal, UnknownCause,
};

use crate::buffer::{Buffer, TRANSFER_MAX};
use crate::clear::Clear;
use crate::cut_off::FileCutOff;
use crate::description::Description;
use crate::identity::{self, IdentityError};
use crate::inbox::Message;
use crate::job::{Command, SwapReply, Work};
use crate::locate::LocationKind;
use crate::open::{self, OpenError, OpenOptions};
use crate::range_lock::ByteRange;
use crate::{geometry, lane, locked};

/// What one discard or write of zeros covers at most; longer ones are cut into pieces, each locked for itself. A file
/// system stops the file's other commands meanwhile, and a disk without a command for it is written by the kernel.
const CLEAR_MAX: u64 = 64 << 20;

/// The two ways into a device. Each has a thread, a ring and a queue of its own: a beat never stands behind other
/// commands (R8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// For heartbeats alone.
    Beat,
    /// For everything else.
    Work,
}

impl Lane {
    /// The name in the thread's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Lane::Beat => "beat",
            Lane::Work => "work",
        }
    }
}

/// A plain file or local block device as a [`Device`]: a handle on one of its two lanes.
///
/// One open file description carries every read, write, ATS and lock (R13); the description is closed when the last
/// handle is gone and the last command ended. Each lane has up to 64 commands in flight, truly in parallel where their
/// blocks are disjoint; up to 1,024 callers wait before it, and further ones are told `Busy`.
///
/// An ATS holds its block's bytes under an exclusive lock while it reads, compares and writes. A read
/// locks nothing: a process that was stopped while it read would keep its lock for ever, and every host from beating if
/// it read the slots. A record that is read half written is told by its checksum, and read again (R3). Reads and writes longer than
/// 1 MiB are cut into pieces, and each piece is locked for itself. A plain write that is refused as `Full` may have
/// written its first blocks.
#[derive(Clone)]
pub struct FileDevice {
    opened: Arc<Opened>,
    lane: Lane,
}

/// What all handles share. The lanes' threads do not hold it, so that its drop can tell them to end.
pub(crate) struct Opened {
    pub(crate) description: Arc<Description>,
    identity: Mutex<DeviceIdentity>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        for lane in [Lane::Beat, Lane::Work] {
            self.description.inbox(lane).close();
        }
    }
}

impl FileDevice {
    /// Opens the device behind `path`: links, partitions and loop devices are followed. The handle is on the lane
    /// [`Lane::Work`].
    ///
    /// # Errors
    /// [`OpenError`] says what was refused, and what to do.
    pub fn open(path: &Path, options: OpenOptions) -> Result<FileDevice, OpenError> {
        let io = |error: std::io::Error| OpenError::io(path, "open", &error);
        let (file, location) = open::open(path, options)?;
        let geometry = geometry::geometry(std::os::fd::AsFd::as_fd(&file), &location, options.block_size)?;
        let regular = location.kind == LocationKind::File;
        let description =
            Description::new(file, location.base, geometry, (options.read_only, regular)).map_err(io)?;
        let identity = match &location.kind {
            LocationKind::File => identity::of_file(std::os::fd::AsFd::as_fd(&description))
                .map_err(|errno| OpenError::io(path, "name", &errno.into()))?,
            LocationKind::Disk { number, folder } => identity::of_disk(folder, *number, location.base),
        };
        let description = Arc::new(description);
        // Made before the lanes: where a ring fails, its drop ends the lane that stands already.
        let opened = Arc::new(Opened { description, identity: Mutex::new(identity) });
        for lane in [Lane::Beat, Lane::Work] {
            lane::start(lane, &opened.description)
                .map_err(|error| OpenError::NoRing { reason: error.to_string() })?;
        }
        Ok(FileDevice { opened, lane: Lane::Work })
    }

    /// A handle on a lane of the same description.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Rc<dyn Device> {
        Rc::new(FileDevice { opened: Arc::clone(&self.opened), lane })
    }

    pub(crate) fn description(&self) -> &Arc<Description> {
        &self.opened.description
    }

    /// What cuts hosts off from this device, by locks on the same description.
    ///
    /// # Errors
    /// Where /proc does not tell who this process is.
    pub fn cut_off(&self) -> std::io::Result<Rc<dyn CutOff>> {
        Ok(Rc::new(FileCutOff::new(Arc::clone(&self.opened))?))
    }

    /// Gives a plain file the attribute that belongs to its identity, where it has none and its file system has
    /// attributes: to be called when it is formatted. A block device has its identity already.
    ///
    /// # Errors
    /// [`IdentityError`], where the attribute cannot be written.
    pub fn ensure_identity(&self) -> Result<DeviceIdentity, IdentityError> {
        let description = &self.opened.description;
        let file = std::os::fd::AsFd::as_fd(&**description);
        if description.regular {
            identity::ensure(file)?;
            let identity = identity::of_file(file)
                .map_err(|errno| IdentityError::Write { reason: errno.to_string() })?;
            *locked(&self.opened.identity) = identity;
        }
        Ok(self.identity())
    }

    /// The bytes of the file behind `length` bytes from `lba` on.
    ///
    /// # Panics
    /// Where `length` is not of whole blocks: a programmer's error.
    fn range_of(&self, lba: Lba, length: usize) -> Result<ByteRange, Refusal> {
        let block = self.opened.description.geometry.block_size;
        assert!(
            length.is_multiple_of(block.length()),
            "{length} bytes are not whole blocks of {}",
            block.bytes()
        );
        self.range(lba, BlockCount((length / block.length()) as u64))
    }

    fn range(&self, lba: Lba, blocks: BlockCount) -> Result<ByteRange, Refusal> {
        let description = &self.opened.description;
        let Geometry { block_size, blocks: end, .. } = description.geometry;
        match lba.0.checked_add(blocks.0) {
            Some(after) if after <= end.0 => Ok(ByteRange {
                start: description.base + lba.byte_offset(block_size),
                length: blocks.bytes(block_size).0,
            }),
            _ => Err(Refusal::OutOfRange),
        }
    }

    /// Sends a command, once there is a permit for it.
    async fn send<Outcome>(
        &self,
        range: ByteRange,
        work: impl FnOnce(oneshot::Sender<Outcome>) -> Work,
    ) -> Result<oneshot::Receiver<Outcome>, Refusal> {
        let description = &self.opened.description;
        let inbox = description.inbox(self.lane);
        let permit = inbox.permits.acquire().await.ok_or(Refusal::Busy)?;
        let (reply, outcome) = oneshot::channel();
        let id = description.begin();
        if inbox.send(Message::Command(Command { id, range, work: work(reply), permit })) {
            Ok(outcome)
        } else {
            description.ended(id);
            Err(Refusal::Gone)
        }
    }

    async fn swap(&self, lba: Lba, expected: &[u8], new: &[u8]) -> Result<Attempted, Refusal> {
        let called = Instant::now();
        let description = &self.opened.description;
        let block = description.geometry.block_size.length();
        assert!(expected.len() == block && new.len() == block, "an ATS compares and writes one block");
        let range = self.range(lba, BlockCount(1))?;
        if description.read_only {
            return Err(Refusal::Unsupported);
        }
        let pool = &description.pool;
        let work = |reply| Work::Swap {
            expected: pool.filled(expected),
            new: pool.filled(new),
            found: pool.take(block),
            reply: SwapReply::new(reply, called),
        };
        let lost = Attempted::at_once(Ok(Answer::Unknown { cause: UnknownCause::PathLost }));
        Ok(self.send(range, work).await?.await.unwrap_or(lost))
    }

    async fn write_piece(&self, range: ByteRange, data: Buffer) -> Result<(), IoError> {
        let outcome = self.send(range, |reply| Work::Write { data, reply }).await?;
        outcome.await.unwrap_or(Err(LOST))
    }

    async fn write_zeros(&self, whole: ByteRange) -> Result<(), IoError> {
        for range in whole.pieces(TRANSFER_MAX as u64) {
            let length = usize::try_from(range.length).unwrap_or(TRANSFER_MAX);
            let mut zeros = self.opened.description.pool.take(length);
            zeros.fill(0);
            self.write_piece(range, zeros).await?;
        }
        Ok(())
    }

    fn pieces_to_clear(
        &self,
        lba: Lba,
        blocks: BlockCount,
    ) -> Result<impl Iterator<Item = ByteRange>, Refusal> {
        let whole = self.range(lba, blocks)?;
        if self.opened.description.read_only {
            return Err(Refusal::Unsupported);
        }
        Ok(whole.pieces(CLEAR_MAX))
    }

    async fn clear_piece(&self, range: ByteRange, clear: Clear) -> Result<(), IoError> {
        let outcome = self.send(range, |reply| Work::Clear { clear, reply }).await?;
        outcome.await.unwrap_or(Err(LOST))
    }

    async fn read_piece(&self, range: ByteRange, piece: &mut [u8]) -> Result<(), IoError> {
        let pool = &self.opened.description.pool;
        let length = piece.len();
        let outcome = self.send(range, |reply| Work::Read { buffer: pool.take(length), reply }).await?;
        let data = outcome.await.unwrap_or(Err(LOST))?;
        piece.copy_from_slice(&data);
        Ok(())
    }
}

/// A reply that was dropped: the lane's thread went away with the command in flight.
const LOST: IoError = IoError::Unknown(UnknownCause::PathLost);

impl Device for FileDevice {
    fn geometry(&self) -> Geometry {
        self.opened.description.geometry
    }

    fn identity(&self) -> DeviceIdentity {
        locked(&self.opened.identity).clone()
    }

    fn fencing(&self) -> Fencing {
        Fencing::FileLock
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        Box::pin(async move {
            let whole = self.range_of(lba, buffer.len())?;
            let mut start = whole.start;
            for piece in buffer.chunks_mut(TRANSFER_MAX) {
                let range = ByteRange { start, length: piece.len() as u64 };
                self.read_piece(range, piece).await?;
                start = range.end();
            }
            Ok(())
        })
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        Box::pin(async move {
            let whole = self.range_of(lba, data.len())?;
            if self.opened.description.read_only {
                return Err(IoError::Refused(Refusal::Unsupported));
            }
            let pool = &self.opened.description.pool;
            let mut start = whole.start;
            for piece in data.chunks(TRANSFER_MAX) {
                let range = ByteRange { start, length: piece.len() as u64 };
                self.write_piece(range, pool.filled(piece)).await?;
                start = range.end();
            }
            Ok(())
        })
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        Box::pin(async move {
            match self.swap(lba, expected, new).await {
                Ok(attempted) => attempted,
                Err(refusal) => Attempted::at_once(Err(refusal)),
            }
        })
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            let nowhere = ByteRange { start: self.opened.description.base, length: 0 };
            let outcome = self.send(nowhere, |reply| Work::Flush { reply }).await?;
            outcome.await.unwrap_or(Err(LOST))
        })
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            for piece in self.pieces_to_clear(lba, blocks)? {
                self.clear_piece(piece, Clear::Discard).await?;
            }
            Ok(())
        })
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            for piece in self.pieces_to_clear(lba, blocks)? {
                match self.clear_piece(piece, Clear::Zero).await {
                    // tmpfs has no such command; zeros that are written keep their place as well.
                    Err(IoError::Refused(Refusal::Unsupported)) => self.write_zeros(piece).await?,
                    other => other?,
                }
            }
            Ok(())
        })
    }
}
