//! A raw image, written: the disk's bytes at their places, holes where there are zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::zeros;

/// Zeros are left out in pieces of a page: what file systems keep or leave.
const GRAIN: usize = 4096;

/// A new raw image of that size, empty so far.
pub fn begin(file: &File, size_bytes: u64) -> io::Result<()> {
    file.set_len(size_bytes)
}

/// Writes what of the bytes is not zero.
pub fn write(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    for (start, length, is_zero) in zeros::runs(offset, bytes, GRAIN) {
        if !is_zero {
            file.write_all_at(&bytes[start..start + length], offset + start as u64)?;
        }
    }
    Ok(())
}
