//! Pages of maps and bitmaps, and blocks of journals: made of the fuzzer's bytes so that their front and checksum hold.

use oarlock_block::{BlockCount, ByteCount, SlotIndex, crc32c};
use oarlock_format::{
    BitmapPage, ClusterIndex, CommitReader, CommitWriter, JournalHeader, JournalPosition, JournalRing, Kind,
    MapPage, MapShape, PAGE_HEADER_LENGTH, PAGE_LENGTH, Taken,
};

use crate::records::PLACE;

/// The fuzzer's bytes as a page or a block of a journal whose front and checksum hold.
pub fn whole_page(kind: Kind, data: &[u8]) -> Vec<u8> {
    let mut page = data.to_vec();
    page.resize(PAGE_LENGTH, 0);
    page[..4].copy_from_slice(b"OARL");
    page[4..8].copy_from_slice(&kind.letters());
    page[8..12].copy_from_slice(&[1, 0, 0, 0]);
    page[16..32].copy_from_slice(&PLACE.format_id.0.to_le_bytes());
    page[32..40].copy_from_slice(&PLACE.lba.0.to_le_bytes());
    let checksum = crc32c(&[&page[..12], &[0; 4], &page[16..]]);
    page[12..16].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The decoder of map pages; and changes of journals, which a page takes or leaves.
pub fn check_map_page(data: &[u8]) {
    let shape = MapShape::new(ByteCount(16_384));
    let _ = MapPage::decode(data, &PLACE, &shape);
    let page = whole_page(Kind::MapPage, data);
    let Ok(mut taken) = MapPage::decode(&page, &PLACE, &shape) else { return };
    let header = *taken.header();
    assert_eq!(taken.seal(header.epoch, header.sequence).as_slice(), page);
    let (entries, _) = data.as_chunks::<16>();
    let before = taken.clone();
    let first = entries.first().map_or(0, |entry| u16::from(entry[0]));
    if taken.apply(first, entries, &shape).is_err() {
        assert_eq!(taken, before);
    }
}

/// The decoder of bitmap pages, and the search in them.
pub fn check_bitmap_page(data: &[u8]) {
    let _ = BitmapPage::decode(data, &PLACE);
    let page = whole_page(Kind::BitmapPage, data);
    let Ok(mut taken) = BitmapPage::decode(&page, &PLACE) else { return };
    let byte = |index: usize| data.get(PAGE_HEADER_LENGTH + index).copied().unwrap_or_default();
    let number = |index: usize| u16::from_le_bytes([byte(index), byte(index + 1)]);
    let clusters = u32::from(number(0));
    match taken.free_run(ClusterIndex(number(2)), clusters, number(4)) {
        Some(run) => {
            assert!((run.first.0..run.first.0 + run.count).all(|at| !taken.is_taken(ClusterIndex(at))))
        }
        None => assert!(taken.free(clusters) == 0 || number(4) == 0),
    }
    let header = *taken.header();
    assert_eq!(taken.seal(header.epoch, header.sequence).as_slice(), page);
}

/// The reader of a journal, over blocks of the fuzzer's bytes; what it takes is written back as it stood.
pub fn check_journal(data: &[u8]) {
    let ring = JournalRing {
        slot: SlotIndex(0),
        header: PLACE.lba,
        start: PLACE.lba,
        blocks: 8,
        step: BlockCount(0),
    };
    let header = JournalHeader::never_used(8);
    let position = JournalPosition::first(PLACE.format_id, ring, &header).expect("a header of this ring");
    let mut reader = CommitReader::new(position);
    let _ = reader.take(data);
    // What follows the header is the payload of one commit: both checksums hold.
    let mut block = data.to_vec();
    block.resize(PAGE_LENGTH, 0);
    block[10..12].fill(0);
    block[40..80].fill(0);
    block[48] = 1;
    block[58] = 1;
    let used = block.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 1).saturating_sub(80));
    block[60..64].copy_from_slice(&u32::try_from(used).expect("a block's length").to_le_bytes());
    let payload = crc32c(&[&block[80..80 + used]]);
    block[64..68].copy_from_slice(&payload.to_le_bytes());
    let block = whole_page(Kind::JournalBlock, &block);
    if let Taken::Commit(commit) = CommitReader::new(position).take(&block)
        && let Ok(changes) = commit.changes()
    {
        let mut writer = CommitWriter::default();
        for change in &changes {
            assert!(writer.push(change));
        }
        let sealed = writer.seal(position, commit.boot);
        assert_eq!(sealed.writes[0].1, block);
    }
}
