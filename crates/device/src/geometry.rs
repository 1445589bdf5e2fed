//! The shape of a device: the block that direct I/O allows, the physical block, the length.

use std::os::fd::{AsFd, BorrowedFd};

use oarlock_block::{BlockSize, ByteCount, Geometry};
use rustix::fs::{AtFlags, SeekFrom, StatxFlags};

use crate::buffer::{PAGE, Pool};
use crate::file_system::FileSystem;
use crate::locate::{Location, LocationKind};
use crate::open::OpenError;

/// What the file below asks of direct I/O, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needs {
    /// The smallest block that can be read and written.
    block_min: u32,
    /// The block to take where nobody asked for one.
    block_best: u32,
    /// What the medium writes at once.
    physical: u32,
}

/// The geometry of an open file or disk.
pub(crate) fn geometry(
    file: BorrowedFd<'_>,
    location: &Location,
    asked: Option<BlockSize>,
) -> Result<Geometry, OpenError> {
    let io = |error: rustix::io::Errno| OpenError::io(&location.path, "measure", &error.into());
    let needs = match location.kind {
        LocationKind::File => file_needs(file).map_err(io)?,
        LocationKind::Disk { .. } => disk_needs(file).map_err(io)?,
    };
    let Some(block_size) = choose(needs, asked) else {
        return Err(OpenError::BlockSize {
            path: location.path.clone(),
            asked: asked.map(BlockSize::bytes),
            needed: needs.block_min,
        });
    };
    let end = rustix::fs::seek(file, SeekFrom::End(0)).map_err(io)?;
    let rest = end.saturating_sub(location.base);
    let length = location.length.map_or(rest, |length| length.min(rest));
    let physical = needs.physical.max(block_size.bytes());
    Ok(Geometry {
        block_size,
        physical_block: ByteCount(u64::from(physical)),
        blocks: ByteCount(length).whole_blocks(block_size),
    })
}

fn choose(needs: Needs, asked: Option<BlockSize>) -> Option<BlockSize> {
    let wanted = asked.map_or(needs.block_best, BlockSize::bytes);
    if wanted < needs.block_min { None } else { BlockSize::from_bytes(wanted) }
}

fn disk_needs(file: BorrowedFd<'_>) -> rustix::io::Result<Needs> {
    let logical = rustix::fs::ioctl_blksszget(file)?;
    let physical = rustix::fs::ioctl_blkpbszget(file)?;
    Ok(Needs { block_min: logical, block_best: logical.max(512), physical })
}

/// A file's needs: what `statx` says of direct I/O. A file system that does not say is asked by a read of 512 bytes;
/// there the default is 4,096 all the same, for it may go the slow way below that. (tmpfs has no slow way.)
fn file_needs(file: BorrowedFd<'_>) -> rustix::io::Result<Needs> {
    let status = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN)?;
    let said = StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::DIOALIGN);
    if said && status.stx_dio_offset_align > 0 {
        let align = status.stx_dio_offset_align;
        let best = if align <= 512 { 512 } else { align };
        return Ok(Needs { block_min: align, block_best: best, physical: align });
    }
    let small_works =
        rustix::io::pread(file.as_fd(), &mut *std::sync::Arc::new(Pool::default()).take(512), 0).is_ok();
    let page = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let block_min = if small_works { 512 } else { page };
    let block_best = if small_works && FileSystem::of_file(file)?.is_tmpfs() { 512 } else { page };
    Ok(Needs { block_min, block_best, physical: block_min })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(block_min: u32, block_best: u32) -> Needs {
        Needs { block_min, block_best, physical: block_min }
    }

    #[test]
    fn the_default_block_is_512_bytes_where_direct_io_allows_it() {
        assert_eq!(choose(needs(512, 512), None), Some(BlockSize::B512));
        assert_eq!(choose(needs(4096, 4096), None), Some(BlockSize::B4096));
    }

    #[test]
    fn a_block_smaller_than_direct_io_allows_is_refused() {
        assert_eq!(choose(needs(4096, 4096), Some(BlockSize::B512)), None);
        assert_eq!(choose(needs(512, 512), Some(BlockSize::B4096)), Some(BlockSize::B4096));
    }

    #[test]
    fn a_disk_of_blocks_that_oarlock_does_not_know_is_refused() {
        assert_eq!(choose(needs(16384, 16384), None), None);
    }
}
