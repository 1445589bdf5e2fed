//! Reading a qcow2 image: where each byte of the disk stands, and the bytes.

use super::compressed::unpack;
use super::entry::{self, Mapping};
use super::fault::Qcow2Fault;
use super::header::Header;
use super::window::Window;
use crate::extent::{Content, Extent};
use crate::limits::RUN_LENGTH_MAX;
use crate::storage::Storage;

/// Parts of a cluster with an extended entry.
const PARTS_BITS: u32 = 5;

/// The smallest run that one entry tells about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) mapping: Mapping,
    /// The first byte of the disk behind it.
    pub(super) end: u64,
    /// Whether a table of the second level told it.
    pub(super) has_table: bool,
}

/// An image whose active disk can be read. It keeps two windows on its tables, one cluster that was unpacked, and what that was packed in.
#[derive(Debug)]
pub struct Qcow2Reader<S> {
    storage: S,
    header: Header,
    first_level: Window,
    second_level: Window,
    /// The run of the file that was asked about last: its beginning, its end, whether it is data.
    file_run: (u64, u64, bool),
    /// The compressed entry that [`cluster`](Self::cluster) is the contents of.
    unpacked: Option<(u64, u64)>,
    cluster: Vec<u8>,
    packed: Vec<u8>,
}

impl<S: Storage> Qcow2Reader<S> {
    /// Opens an image.
    ///
    /// # Errors
    /// What its header says that is refused or damaged.
    pub fn open(storage: S) -> Result<Qcow2Reader<S>, Qcow2Fault> {
        let header = Header::read(&storage)?;
        Ok(Qcow2Reader {
            storage,
            header,
            first_level: Window::default(),
            second_level: Window::default(),
            file_run: (0, 0, false),
            unpacked: None,
            cluster: Vec::new(),
            packed: Vec::new(),
        })
    }

    /// What its header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn file_length(&self) -> u64 {
        self.storage.length()
    }

    /// The run of like content that begins at byte `offset` of the disk, which lies before its end; a long one is told in pieces.
    ///
    /// # Errors
    /// Damage on the way.
    pub fn extent_at(&mut self, offset: u64) -> Result<Extent, Qcow2Fault> {
        let limit = self.header.size_bytes.min(offset.saturating_add(RUN_LENGTH_MAX));
        let first = self.unit_at(offset)?;
        let content = self.content(offset, &first)?;
        let mut end = first.end;
        while end < limit {
            let next = self.unit_at(end)?;
            if self.content(end, &next)? != content {
                break;
            }
            end = next.end;
        }
        Ok(Extent { offset, length: end - offset, content })
    }

    /// Fills the buffer with the disk's bytes from `offset` on.
    ///
    /// # Errors
    /// Damage on the way.
    ///
    /// # Panics
    /// Where the disk has not so many bytes.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Qcow2Fault> {
        let end = offset + buffer.len() as u64;
        assert!(end <= self.header.size_bytes, "a read up to {end} of {} bytes", self.header.size_bytes);
        let (mut place, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let unit = self.unit_at(place)?;
            let length = usize::try_from(unit.end - place).unwrap_or(usize::MAX).min(rest.len());
            let (piece, behind) = rest.split_at_mut(length);
            self.read_unit(place, &unit, piece)?;
            place += length as u64;
            rest = behind;
        }
        Ok(())
    }

    /// What the tables say of byte `place` of the disk.
    pub(super) fn unit_at(&mut self, place: u64) -> Result<Unit, Qcow2Fault> {
        let Header { cluster_bits, size_bytes, .. } = self.header;
        let l2_bits = self.header.l2_bits();
        let end_of = |bits: u32| ((place >> bits) + 1).saturating_mul(1 << bits).min(size_bytes);
        let word_offset = self.header.l1_offset + (place >> l2_bits) * 8;
        let Some(table) = entry::table(self.first_level.word(&self.storage, word_offset)?) else {
            return Ok(Unit { mapping: Mapping::Hole, end: end_of(l2_bits), has_table: false });
        };
        self.check_place("a table of the second level", table, self.header.cluster_length())?;
        let index = (place >> cluster_bits) & ((1 << (l2_bits - cluster_bits)) - 1);
        let word_offset = table + index * self.header.entry_length();
        let word = self.second_level.word(&self.storage, word_offset)?;
        let (mut bitmap, mut part, mut unit_bits) = (0, 0, cluster_bits);
        if self.header.has_extended_entries {
            bitmap = self.second_level.word(&self.storage, word_offset + 8)?;
            unit_bits -= PARTS_BITS;
            part = (place >> unit_bits) & ((1 << PARTS_BITS) - 1);
        }
        let mapping = entry::mapping(&self.header, word, bitmap, part, place)?;
        match mapping {
            Mapping::At(offset) => {
                // The last cluster may end with what of it belongs to the disk, or with its last part that was written.
                let used = end_of(unit_bits) - (place >> cluster_bits << cluster_bits);
                self.check_place("a cluster", offset, used)?;
            }
            Mapping::Compressed { offset, .. } if offset >= self.storage.length() => {
                let length = self.storage.length();
                return Err(Qcow2Fault::Place { what: "a compressed cluster", offset, length });
            }
            Mapping::Compressed { .. } => unit_bits = cluster_bits,
            Mapping::Hole | Mapping::Zeros => {}
        }
        Ok(Unit { mapping, end: end_of(unit_bits), has_table: true })
    }

    /// A table or cluster begins at a multiple of the cluster's size, and what of it is used lies before the file's end.
    fn check_place(&self, what: &'static str, offset: u64, used: u64) -> Result<(), Qcow2Fault> {
        let length = self.storage.length();
        let is_there = offset.checked_add(used).is_some_and(|end| end <= length);
        if is_there && offset.is_multiple_of(self.header.cluster_length()) {
            return Ok(());
        }
        Err(Qcow2Fault::Place { what, offset, length })
    }

    /// What a unit is. A cluster that has its place in the file, where the file has a hole, is zeros: so preallocated images stay sparse.
    pub(super) fn content(&mut self, place: u64, unit: &Unit) -> Result<Content, Qcow2Fault> {
        Ok(match unit.mapping {
            Mapping::Hole => Content::Hole,
            Mapping::Zeros => Content::Zeros,
            Mapping::Compressed { .. } => Content::Data,
            Mapping::At(cluster) => {
                let start = cluster + place % self.header.cluster_length();
                if self.is_hole(start, unit.end - place)? { Content::Zeros } else { Content::Data }
            }
        })
    }

    fn is_hole(&mut self, start: u64, length: u64) -> Result<bool, Qcow2Fault> {
        if !(self.file_run.0..self.file_run.1).contains(&start) {
            let run = self.storage.run_at(start)?;
            self.file_run = (start, run.end, run.is_data);
        }
        let (_, end, is_data) = self.file_run;
        Ok(!is_data && start + length <= end)
    }

    fn read_unit(&mut self, place: u64, unit: &Unit, piece: &mut [u8]) -> Result<(), Qcow2Fault> {
        let within = place % self.header.cluster_length();
        match unit.mapping {
            Mapping::Hole | Mapping::Zeros => piece.fill(0),
            Mapping::At(cluster) => {
                self.storage.read_at(cluster + within, piece)?;
            }
            Mapping::Compressed { offset, length } => {
                self.unpack(place, offset, length)?;
                let start = usize::try_from(within).unwrap_or(usize::MAX);
                let bytes = self.cluster.get(start..start.saturating_add(piece.len()));
                piece.copy_from_slice(bytes.ok_or(Qcow2Fault::Unpack { offset: place })?);
            }
        }
        Ok(())
    }

    /// Unpacks a cluster, unless it is the one that was unpacked last: it is read in several pieces.
    fn unpack(&mut self, place: u64, offset: u64, length: u64) -> Result<(), Qcow2Fault> {
        if self.unpacked == Some((offset, length)) {
            return Ok(());
        }
        self.unpacked = None;
        let failed = Qcow2Fault::Unpack { offset: place };
        let there = length.min(self.storage.length() - offset);
        self.packed.resize(usize::try_from(there).unwrap_or(0), 0);
        self.storage.read_at(offset, &mut self.packed)?;
        self.cluster.resize(1 << self.header.cluster_bits, 0);
        unpack(self.header.compression, &self.packed, &mut self.cluster).ok_or(failed)?;
        self.unpacked = Some((offset, length));
        Ok(())
    }
}
