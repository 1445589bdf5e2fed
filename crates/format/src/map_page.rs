//! A page of a map's node: 252 entries, changed in place in memory and sealed when it is written.

use oarlock_block::Lba;

use crate::error::DecodeError;
use crate::ids::Epoch;
use crate::map_entry::{ENTRY_LENGTH, LeafEntry, NodePointer, RawEntry};
use crate::map_shape::MapShape;
use crate::numbers::{DescriptorNumber, JournalSequence, LayerLevels};
use crate::page::{self, PAGE_HEADER_LENGTH, PAGE_LENGTH, PageBytes, PageHeader};
use crate::record::Place;
use crate::stamp::Kind;

/// Entries of a page.
pub const ENTRIES_PER_PAGE: u16 = 252;

const _: () = assert!(PAGE_HEADER_LENGTH + ENTRIES_PER_PAGE as usize * ENTRY_LENGTH == PAGE_LENGTH);

/// A page of a map.
#[derive(Clone, PartialEq, Eq)]
pub struct MapPage {
    header: PageHeader,
    /// The entries at their places; the header's bytes are put right by [`seal`](Self::seal).
    bytes: Box<PageBytes>,
}

impl MapPage {
    /// A page that maps nothing.
    #[must_use]
    pub fn empty(header: PageHeader) -> MapPage {
        MapPage { header, bytes: header.blank(Kind::MapPage) }
    }

    /// The page in bytes that were read at `place`.
    ///
    /// # Errors
    /// The first doubt that the page does not stand.
    pub fn decode(bytes: &[u8], place: &Place, shape: &MapShape) -> Result<MapPage, DecodeError> {
        let (header, bytes) = page::decode_page(bytes, Kind::MapPage, place)?;
        if header.level >= LayerLevels::LARGEST.0 {
            return Err(page::at::LEVEL.error("a level that no map has"));
        }
        let page = MapPage { header, bytes };
        check_entries(page.header.level, 0, page.entries(), shape)?;
        Ok(page)
    }

    /// What the page says about itself.
    #[must_use]
    pub const fn header(&self) -> &PageHeader {
        &self.header
    }

    /// An entry as it stands.
    ///
    /// # Panics
    /// When the page has no such entry.
    #[must_use]
    pub fn raw(&self, index: u16) -> RawEntry {
        let mut bytes = [0; ENTRY_LENGTH];
        bytes.copy_from_slice(&self.bytes[place_of(index)]);
        RawEntry::of_bytes(&bytes)
    }

    /// An entry of a leaf.
    ///
    /// # Panics
    /// When the page has no such entry, or belongs to an inner node.
    #[must_use]
    pub fn leaf(&self, index: u16) -> LeafEntry {
        assert!(self.header.level == 0, "a leaf's entry is asked of an inner node");
        self.raw(index).leaf()
    }

    /// An entry of an inner node; none where nothing below is mapped.
    ///
    /// # Panics
    /// When the page has no such entry, or belongs to a leaf.
    #[must_use]
    pub fn node(&self, index: u16) -> Option<NodePointer> {
        assert!(self.header.level > 0, "a node's entry is asked of a leaf");
        self.raw(index).node()
    }

    /// Changes an entry.
    ///
    /// # Panics
    /// When the page has no such entry.
    pub fn set(&mut self, index: u16, entry: impl Into<RawEntry>) {
        self.bytes[place_of(index)].copy_from_slice(&entry.into().bytes());
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = RawEntry> + '_ {
        let (entries, _) = self.bytes[PAGE_HEADER_LENGTH..].as_chunks::<ENTRY_LENGTH>();
        entries.iter().map(RawEntry::of_bytes)
    }

    /// Changes the entries from `first` on to what a journal says.
    ///
    /// # Errors
    /// [`DecodeError::Field`], where one of them cannot stand there; then the page is as it was.
    pub fn apply(
        &mut self,
        first: u16,
        entries: &[[u8; ENTRY_LENGTH]],
        shape: &MapShape,
    ) -> Result<(), DecodeError> {
        let end = usize::from(first).saturating_add(entries.len());
        if end > usize::from(ENTRIES_PER_PAGE) {
            return Err(entry_error(usize::from(first), "entries beyond the page"));
        }
        check_entries(self.header.level, first, entries.iter().map(RawEntry::of_bytes), shape)?;
        for (index, entry) in (first..).zip(entries) {
            self.bytes[place_of(index)].copy_from_slice(entry);
        }
        Ok(())
    }

    /// The copy of this page that stands at another address, under another descriptor's lock: all that it points at stays
    /// whose it was, so that nothing in it is owned.
    #[must_use]
    pub fn copy_for(&self, lba: Lba, object: DescriptorNumber, epoch: Epoch) -> MapPage {
        let header = PageHeader { lba, object: object.0, epoch, sequence: JournalSequence(0), ..self.header };
        let mut copy = MapPage::empty(header);
        for (index, entry) in (0..).zip(self.entries()) {
            copy.set(index, entry.disowned());
        }
        copy
    }

    /// The same page in the hands of another layer: under whose lock it is changed from now on.
    #[must_use]
    pub fn taken_over_by(self, object: DescriptorNumber) -> MapPage {
        MapPage { header: PageHeader { object: object.0, ..self.header }, ..self }
    }

    /// The bytes to write: under this epoch, after this commit.
    pub fn seal(&mut self, epoch: Epoch, sequence: JournalSequence) -> &PageBytes {
        self.header = PageHeader { epoch, sequence, ..self.header };
        self.header.put(Kind::MapPage, &mut self.bytes);
        page::seal(&mut self.bytes);
        &self.bytes
    }
}

impl std::fmt::Debug for MapPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let used = (0..).zip(self.entries()).filter(|(_, entry): &(u16, RawEntry)| *entry != RawEntry::EMPTY);
        formatter
            .debug_struct("MapPage")
            .field("header", &self.header)
            .field("entries", &used.collect::<Vec<_>>())
            .finish()
    }
}

/// Where an entry stands.
fn place_of(index: u16) -> std::ops::Range<usize> {
    assert!(index < ENTRIES_PER_PAGE, "a page has no entry {index}");
    let start = PAGE_HEADER_LENGTH + usize::from(index) * ENTRY_LENGTH;
    start..start + ENTRY_LENGTH
}

fn check_entries(
    level: u8,
    first: u16,
    entries: impl Iterator<Item = RawEntry>,
    shape: &MapShape,
) -> Result<(), DecodeError> {
    for (index, entry) in (usize::from(first)..).zip(entries) {
        entry.check(level, shape).map_err(|what| entry_error(index, what))?;
    }
    Ok(())
}

fn entry_error(index: usize, what: &'static str) -> DecodeError {
    DecodeError::Field { offset: PAGE_HEADER_LENGTH + index * ENTRY_LENGTH, what }
}
