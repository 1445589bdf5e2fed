//! What the targets share: a block made of the fuzzer's bytes whose stamp holds, so that the fields behind it are reached.

pub mod nbd;
pub mod qcow2;

use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, ByteCount, DeviceIdentity, Fencing, Lba, SlotIndex, crc32c};
use oarlock_doctor::report::html;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Doctor, explain};
use oarlock_format::{
    BitmapPage, ClusterIndex, CommitReader, CommitWriter, FormatId, Generation, JournalHeader,
    JournalPosition, JournalRing, Kind, Label, Layout, LayoutRequest, MapPage, MapShape, Nonce,
    PAGE_HEADER_LENGTH, PAGE_LENGTH, Place, Record, STAMP_LENGTH, Stamp, Stamped, Superblock,
    SuperblockState, Taken, Timing, Writer, decode, describe, encode, stamp_of,
};

/// Where the blocks are read.
pub const PLACE: Place = Place { format_id: FormatId(1), lba: Lba(0) };

/// The fuzzer's bytes as a block of 512 bytes, or of 4,096 where they are more, whose magic, version, format id, address and
/// checksum hold: without them no input would ever come beyond the checksum.
pub fn whole_block(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let block_size = if data.len() > BlockSize::B512.length() { BlockSize::B4096 } else { BlockSize::B512 };
    let mut block = data.to_vec();
    block.resize(block_size.length(), 0);
    block[..4].copy_from_slice(b"OARL");
    block[4..8].copy_from_slice(&kind);
    block[8..12].copy_from_slice(&[1, 0, 0, 0]);
    block[16..32].copy_from_slice(&PLACE.format_id.0.to_le_bytes());
    block[32..40].copy_from_slice(&PLACE.lba.0.to_le_bytes());
    // Bits that only the stamp's own checks look at: they are fuzzed by `describe`.
    block[40..STAMP_LENGTH].fill(0);
    block[64..66].fill(0xFF);
    let checksum = crc32c(&[&block[..12], &[0; 4], &block[16..]]);
    block[12..16].copy_from_slice(&checksum.to_le_bytes());
    block
}

/// No bytes make the decoder panic, and what it takes is written back as it stood.
pub fn check<R: Record>(data: &[u8]) {
    let _ = decode::<R>(data, &PLACE);
    let block = whole_block(R::KIND.letters(), data);
    if let Ok(Stamped { stamp, record }) = decode::<R>(&block, &PLACE) {
        let block_size = if block.len() > 512 { BlockSize::B4096 } else { BlockSize::B512 };
        assert_eq!(encode(&stamp, &record, block_size).bytes(), block);
        assert_eq!(stamp_of(&block), Some(stamp));
    }
}

/// No bytes make `describe` panic, and its fields cover the block.
pub fn check_describe(data: &[u8]) {
    let covered = |block: &[u8]| describe(block).iter().map(|field| field.length).sum::<usize>();
    assert_eq!(covered(data), data.len());
    for kind in Kind::ALL {
        let block = if kind.is_record() { whole_block(kind.letters(), data) } else { whole_page(kind, data) };
        assert_eq!(covered(&block), block.len());
    }
}

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
        let sealed = writer.seal(position);
        assert_eq!(sealed.writes[0].1, block);
    }
}

/// The decoder of superblocks, also over the fuzzer's changes to a sound one: of bytes that were drawn freely, hardly any have
/// regions that fit one another.
pub fn check_superblock(data: &[u8]) {
    check::<Superblock>(data);
    let mut changed = sound_superblock();
    changed.iter_mut().zip(data).for_each(|(byte, change)| *byte ^= change);
    check::<Superblock>(&changed);
}

fn sound_superblock() -> Vec<u8> {
    let request = LayoutRequest {
        block_size: BlockSize::B512,
        stride_blocks: BlockCount(8),
        slots: 64,
        cluster_size: ByteCount(65_536),
        device_blocks: BlockCount(1 << 20),
    };
    let superblock = Superblock {
        state: SuperblockState::Ready,
        label: Label::new("fuzzed").expect("a good name"),
        block_size: request.block_size,
        stride_blocks: request.stride_blocks,
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: request.device_blocks,
        timing: Timing { drain: Some(Duration::from_secs(60)), ..Timing::DEFAULT },
        fencing: Fencing::DrainOnly,
        identity: DeviceIdentity::new("naa.6001405").expect("a good identity"),
        features_compatible: 0,
        features_read_only: 0,
        features_incompatible: 0,
        layout: Layout::plan(&request).expect("a device that is large enough"),
        created_wall_ms: 0,
    };
    let Place { format_id, lba } = PLACE;
    let stamp = Stamp { format_id, lba, generation: Generation(0), writer: Writer::Tool, nonce: Nonce(0) };
    encode(&stamp, &superblock, request.block_size).bytes().to_vec()
}

/// A page for a narrow terminal, with colours.
const PAGE: Page = Page { width: 40, colours: true };

/// No bytes make the doctor fall, and what it finds it can show: as JSON, on a page, and with its names hidden. The first byte
/// decides whether they are hidden; what follows a byte `FFh` is a second input.
pub fn check_doctor(data: &[u8]) {
    let (redacts, rest) = data.split_first().map_or((false, data), |(first, rest)| (first % 2 == 1, rest));
    let mut doctor = Doctor::new().showing_strangers(true).redacting(redacts);
    for (number, mut input) in rest.split(|&byte| byte == 0xff).enumerate() {
        doctor.read(&format!("esx{number}/vmkernel.log"), &mut input, &mut |_| {});
    }
    let report = doctor.judge();
    assert!(report.incidents.iter().all(|finding| !finding.evidence.is_empty()), "a finding without evidence");
    assert!(!PAGE.report(&report).is_empty());
    assert!(html::page(&report).contains("</html>"));
}

/// No line makes the explanation fall, and it always has something to say.
pub fn check_explain(data: &[u8]) {
    let explanation = explain(&String::from_utf8_lossy(data));
    assert!(!explanation.summary.is_empty());
    assert!(!PAGE.explanation(&explanation).is_empty());
}
