//! What a file system has put aside for a file and what nobody has written: FIEMAP (Documentation/filesystems/fiemap.rst of Linux).

use std::os::fd::{AsFd, AsRawFd};
use std::{io, ops::Range};

/// `struct fiemap` of linux/fiemap.h, with room for one extent.
#[repr(C)]
#[derive(Default)]
struct Request {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
    extent: Extent,
}

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Default)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    reserved_too: [u32; 3],
}

const _: () = assert!(size_of::<Request>() == 32 + 56 && std::mem::offset_of!(Request, extent) == 32);

/// `FS_IOC_FIEMAP`: `_IOWR('f', 11, struct fiemap)`, whose length does not count extents.
const FIEMAP: u64 = 0xc020_660b;

/// The first extent that has a byte of `bytes`, from where it begins to where it ends; `None` where all of them are a hole.
///
/// What was written and has no place yet may be missing here: whoever asks looks for data first.
///
/// # Errors
/// Where the file system does not know the command, or fails.
pub(crate) fn first_in(file: impl AsFd, bytes: Range<u64>) -> io::Result<Option<Range<u64>>> {
    let mut request = Request {
        start: bytes.start,
        length: bytes.end.saturating_sub(bytes.start),
        extent_count: 1,
        ..Request::default()
    };
    let command = libc::Ioctl::try_from(FIEMAP).map_err(io::Error::other)?;
    let file = file.as_fd();
    // SAFETY: the command reads one `struct fiemap` and writes at most `extent_count` extents behind it; `request` has the layout of both,
    // with the one extent that it announces. The descriptor is open while it is borrowed.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), command, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let extent = request.extent.logical..request.extent.logical.saturating_add(request.extent.length);
    Ok(Some(extent)
        .filter(|extent| request.mapped_extents > 0 && extent.start < bytes.end && extent.end > bytes.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::FallocateFlags;

    /// The folder of the tests' programs: unlike the folder for what is temporary, it is on a disk.
    fn file() -> std::fs::File {
        let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        tempfile::tempfile_in(folder).unwrap()
    }

    #[test]
    fn what_was_put_aside_is_an_extent_and_a_hole_is_none() {
        let file = file();
        file.set_len(4 << 20).unwrap();
        match first_in(&file, 0..4 << 20) {
            Ok(found) => assert_eq!(found, None),
            Err(error) => {
                println!("skipped: this file system has no FIEMAP ({error})");
                return;
            }
        }
        rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 1 << 20, 1 << 20).unwrap();
        assert_eq!(first_in(&file, 0..4 << 20).unwrap(), Some(1 << 20..2 << 20));
        assert_eq!(first_in(&file, 0..1 << 20).unwrap(), None);
        assert_eq!(first_in(&file, 2 << 20..4 << 20).unwrap(), None);
    }
}
