//! Writing a qcow2 image: version 3, clusters of 64 KiB, in the order in which the data come, which is the disk's.
//!
//! ```text
//!   header | data ... table | data ... table | ... | table of the first level | blocks of reference counts | their table
//! ```
//!
//! Each cluster belongs to one place, so that every count is 1 and all counts are written at the end, the header last of all. What is kept
//! meanwhile: the table of the first level (a megabyte for 64 TiB), one of the second, one cluster.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use oarlock_block::all_zero;

use super::header::MAGIC;
use crate::limits::QCOW2_L1_LENGTH_MAX;

const CLUSTER_BITS: u32 = 16;
const CLUSTER: usize = 1 << CLUSTER_BITS;
/// Entries of a table of the second level.
const ENTRIES: u64 = 1 << (CLUSTER_BITS - 3);
/// Bit 63 of an entry: the count of references is exactly one (document, *Cluster mapping*, QCOW_OFLAG_COPIED).
const COPIED: u64 = 1 << 63;
/// Counts of 16 bits: 2^4.
const REFCOUNT_ORDER: u32 = 4;
/// Counts in one block of them.
const COUNTS: u64 = 1 << (CLUSTER_BITS - 1);
/// `header_length`: the fields of version 3, and no compression type.
const HEADER_LENGTH: u32 = 104;

/// A table of the second level that is being filled.
#[derive(Debug)]
struct Table {
    /// Which of the first level's entries it belongs to.
    index: usize,
    entries: Vec<u64>,
}

/// A new image.
#[derive(Debug)]
pub struct Qcow2Writer {
    size_bytes: u64,
    /// Clusters of the file that are taken.
    clusters: u64,
    /// The first byte of the disk that may still come.
    position: u64,
    first_level: Vec<u64>,
    table: Option<Table>,
    /// The cluster that is not whole yet: its number on the disk, and its bytes.
    partial: Option<(u64, Vec<u8>)>,
}

impl Qcow2Writer {
    /// A new image of that size, of which nothing is written yet. `None` where the format has none of that size.
    #[must_use]
    pub fn new(size_bytes: u64) -> Option<Qcow2Writer> {
        let entries = size_bytes.div_ceil(ENTRIES << CLUSTER_BITS);
        if entries * 8 > QCOW2_L1_LENGTH_MAX {
            return None;
        }
        let first_level = vec![0; usize::try_from(entries).ok()?];
        Some(Qcow2Writer { size_bytes, clusters: 1, position: 0, first_level, table: None, partial: None })
    }

    /// Writes bytes of the disk. What is left out between calls is zeros.
    ///
    /// # Errors
    /// The system's; the file is then of no use.
    ///
    /// # Panics
    /// Where the bytes lie before others that came, or beyond the disk's end.
    pub fn write(&mut self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        assert!(
            offset >= self.position && end <= self.size_bytes,
            "{offset} to {end} after {}",
            self.position
        );
        self.position = end;
        let (mut place, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (number, within) = (place >> CLUSTER_BITS, start_within(place));
            let (piece, behind) = rest.split_at(rest.len().min(CLUSTER - within));
            if piece.len() == CLUSTER {
                self.put_partial(file)?;
                self.put(file, number, piece)?;
            } else {
                self.add_partial(file, number, within, piece)?;
            }
            place += piece.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    /// Writes what is left: the last cluster and tables, counts, and the header.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(mut self, file: &File) -> io::Result<()> {
        self.put_partial(file)?;
        self.put_table(file)?;
        let l1_offset = self.take(self.first_level.len().div_ceil(CLUSTER / 8) as u64);
        file.write_all_at(&big_endian(&self.first_level), l1_offset)?;
        let (blocks, table_clusters) = counts_needed(self.clusters);
        let used = self.clusters + blocks + table_clusters;
        let mut places = Vec::new();
        for block in 0..blocks {
            let ones = (used - block * COUNTS).min(COUNTS);
            let counts = [0, 1].repeat(usize::try_from(ones).unwrap_or(CLUSTER / 2));
            places.push(self.take(1));
            file.write_all_at(&counts, places[places.len() - 1])?;
        }
        let table_offset = self.take(table_clusters);
        file.write_all_at(&big_endian(&places), table_offset)?;
        file.set_len(self.clusters << CLUSTER_BITS)?;
        file.write_all_at(&self.header(l1_offset, table_offset, table_clusters), 0)
    }

    fn header(&self, l1_offset: u64, refcount_table_offset: u64, refcount_table_clusters: u64) -> [u8; 112] {
        let mut bytes = [0; 112];
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC);
        put(4, &3_u32.to_be_bytes());
        put(20, &CLUSTER_BITS.to_be_bytes());
        put(24, &self.size_bytes.to_be_bytes());
        put(36, &small(self.first_level.len() as u64).to_be_bytes());
        put(40, &l1_offset.to_be_bytes());
        put(48, &refcount_table_offset.to_be_bytes());
        put(56, &small(refcount_table_clusters).to_be_bytes());
        put(96, &REFCOUNT_ORDER.to_be_bytes());
        put(100, &HEADER_LENGTH.to_be_bytes());
        bytes
    }

    /// The next clusters of the file: where the first of them begins.
    fn take(&mut self, clusters: u64) -> u64 {
        let offset = self.clusters << CLUSTER_BITS;
        self.clusters += clusters;
        offset
    }

    fn add_partial(&mut self, file: &File, number: u64, within: usize, piece: &[u8]) -> io::Result<()> {
        if self.partial.as_ref().is_some_and(|(other, _)| *other != number) {
            self.put_partial(file)?;
        }
        let (_, cluster) = self.partial.get_or_insert_with(|| (number, vec![0; CLUSTER]));
        cluster[within..within + piece.len()].copy_from_slice(piece);
        Ok(())
    }

    fn put_partial(&mut self, file: &File) -> io::Result<()> {
        match self.partial.take() {
            Some((number, cluster)) => self.put(file, number, &cluster),
            None => Ok(()),
        }
    }

    /// Writes a whole cluster of the disk, unless it is zeros.
    fn put(&mut self, file: &File, number: u64, cluster: &[u8]) -> io::Result<()> {
        if all_zero(cluster) {
            return Ok(());
        }
        let index = usize::try_from(number / ENTRIES).unwrap_or(usize::MAX);
        if self.table.as_ref().is_some_and(|table| table.index != index) {
            self.put_table(file)?;
        }
        let offset = self.take(1);
        file.write_all_at(cluster, offset)?;
        let new_table = || Table { index, entries: vec![0; CLUSTER / 8] };
        let table = self.table.get_or_insert_with(new_table);
        table.entries[usize::try_from(number % ENTRIES).unwrap_or(usize::MAX)] = offset | COPIED;
        Ok(())
    }

    fn put_table(&mut self, file: &File) -> io::Result<()> {
        let Some(table) = self.table.take() else { return Ok(()) };
        let offset = self.take(1);
        self.first_level[table.index] = offset | COPIED;
        file.write_all_at(&big_endian(&table.entries), offset)
    }
}

/// How many blocks of counts, and how many clusters for their table, `clusters` others need: those count themselves as well.
fn counts_needed(clusters: u64) -> (u64, u64) {
    let (mut blocks, mut table) = (1, 1);
    loop {
        let needed = (clusters + blocks + table).div_ceil(COUNTS);
        let needed_table = (needed * 8).div_ceil(CLUSTER as u64);
        if (needed, needed_table) == (blocks, table) {
            return (blocks, table);
        }
        // Both only grow, and less than what they count: this ends.
        (blocks, table) = (needed, needed_table);
    }
}

fn start_within(place: u64) -> usize {
    usize::try_from(place & (CLUSTER as u64 - 1)).unwrap_or(0)
}

fn big_endian(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cover_themselves() {
        for clusters in (1..200_000).step_by(997).chain([COUNTS - 2, COUNTS - 1, COUNTS, 1 << 30, 1 << 38]) {
            let (blocks, table) = counts_needed(clusters);
            let used = clusters + blocks + table;
            assert!(blocks * COUNTS >= used, "{clusters}");
            assert!((blocks - 1) * COUNTS < used, "{clusters}: a block too many");
            assert!(table * CLUSTER as u64 / 8 >= blocks);
        }
    }

    #[test]
    fn a_size_that_no_table_reaches_is_refused() {
        assert!(Qcow2Writer::new(1 << 51).is_some());
        assert!(Qcow2Writer::new((1 << 51) + 1).is_none());
    }
}
