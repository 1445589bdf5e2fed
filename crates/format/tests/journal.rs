//! Commits: there and back over the end of the ring, torn at each block, and in company of every block that does not follow.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod common;

use std::collections::BTreeMap;

use common::{FORMAT_ID, any_request};
use oarlock_block::{BlockCount, BlockSize, Lba, SlotIndex, crc32c};
use oarlock_format::{
    Change, ClusterIndex, ClusterRun, CommitReader, CommitWriter, DecodeError, DescriptorNumber, Epoch,
    FormatId, GroupNumber, Incarnation, JournalBlock, JournalEnd, JournalHeader, JournalObject,
    JournalPosition, JournalRing, JournalSequence, Layout, PAGE_LENGTH, PageBytes, PageChange, Place, Taken,
    describe,
};
use proptest::prelude::*;

const RING: JournalRing =
    JournalRing { slot: SlotIndex(3), header: Lba(992), start: Lba(1_000), blocks: 31, step: BlockCount(8) };

fn position(sequence: u64, index: u32) -> JournalPosition {
    let header = JournalHeader {
        incarnation: Incarnation(9),
        first: JournalSequence(sequence),
        first_index: index,
        blocks: 31,
    };
    JournalPosition::first(FORMAT_ID, RING, &header).unwrap()
}

/// A change, as a test holds it.
#[derive(Clone, Debug)]
enum Owned {
    Image(JournalObject, u8),
    Entries(u32, u16, Vec<[u8; 16]>),
    Bits(u32, ClusterRun, bool),
}

impl Owned {
    fn with<T>(&self, take: impl FnOnce(&PageChange<'_>) -> T) -> T {
        let image: PageBytes;
        let (object, change) = match self {
            Owned::Image(object, byte) => {
                image = [*byte; PAGE_LENGTH];
                (*object, Change::Image(&image))
            }
            Owned::Entries(object, first, entries) => {
                let object = JournalObject::Descriptor(DescriptorNumber(*object));
                (object, Change::Entries { first: *first, entries })
            }
            Owned::Bits(group, run, taken) => {
                (JournalObject::Group(GroupNumber(*group)), Change::Bits { run: *run, taken: *taken })
            }
        };
        take(&PageChange { object, epoch: Epoch(5), page: Lba(77), change })
    }
}

fn any_change() -> impl Strategy<Value = Owned> {
    prop_oneof![
        (any::<bool>(), any::<u32>(), any::<u8>()).prop_map(|(map, number, byte)| {
            let object = if map {
                JournalObject::Descriptor(DescriptorNumber(number))
            } else {
                JournalObject::Group(GroupNumber(number))
            };
            Owned::Image(object, byte)
        }),
        (any::<u32>(), 0..200_u16, proptest::collection::vec(any::<[u8; 16]>(), 1..=52))
            .prop_map(|(object, first, entries)| Owned::Entries(object, first, entries)),
        (any::<u32>(), 0..8_000_u16, 1..=192_u16, any::<bool>()).prop_map(|(group, first, count, taken)| {
            Owned::Bits(group, ClusterRun { first: ClusterIndex(first), count }, taken)
        }),
    ]
}

/// The ring after these commits, block by block, and where they end.
fn written(from: JournalPosition, commits: &[Vec<Owned>]) -> (BTreeMap<Lba, Vec<u8>>, JournalPosition) {
    let (mut ring, mut at) = (BTreeMap::new(), from);
    for changes in commits {
        let mut writer = CommitWriter::default();
        for change in changes {
            assert!(change.with(|change| writer.push(change)));
        }
        let (blocks, sealed) = (writer.blocks(), writer.seal(at, None));
        assert!((1..=2).contains(&sealed.writes.len()));
        assert_eq!(sealed.next.sequence.0, at.sequence.0 + u64::from(blocks));
        for (lba, bytes) in &sealed.writes {
            for (index, block) in (0..).zip(bytes.chunks(PAGE_LENGTH)) {
                ring.insert(lba.plus(BlockCount(index * 8)), block.to_vec());
            }
        }
        at = sealed.next;
    }
    (ring, at)
}

/// What a replay finds: how many changes each commit has, and why it ends.
fn replay(from: JournalPosition, ring: &BTreeMap<Lba, Vec<u8>>) -> (Vec<usize>, JournalEnd, JournalPosition) {
    let blank = vec![0; PAGE_LENGTH];
    let mut reader = CommitReader::new(from);
    let mut commits = Vec::new();
    loop {
        let block = ring.get(&reader.lba()).unwrap_or(&blank);
        match reader.take(block) {
            Taken::More => {}
            Taken::Commit(commit) => commits.push(commit.changes().unwrap().len()),
            Taken::End(end) => return (commits, end, reader.end()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn commits_come_back_as_they_were_written_over_the_end_of_the_ring(
        commits in proptest::collection::vec(proptest::collection::vec(any_change(), 1..6), 0..4),
        start in (1..1_u64 << 40, 0..31_u32),
    ) {
        let from = position(start.0, start.1);
        let (ring, end) = written(from, &commits);
        let mut reader = CommitReader::new(from);
        for changes in &commits {
            let commit = loop {
                prop_assert!(reader.contiguous() > 0 && reader.contiguous() <= 31);
                match reader.take(&ring[&reader.lba()]) {
                    Taken::More => {}
                    Taken::Commit(commit) => break commit,
                    Taken::End(end) => return Err(TestCaseError::fail(end.to_string())),
                }
            };
            let read = commit.changes().unwrap();
            prop_assert_eq!(read.len(), changes.len());
            for (read, written) in read.iter().zip(changes) {
                prop_assert!(written.with(|written| written == read));
            }
        }
        prop_assert_eq!(reader.end(), end);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        change in any_change(),
        edits in proptest::collection::vec((8..PAGE_LENGTH, any::<u8>()), 1..9),
    ) {
        let (mut ring, _) = written(position(7, 0), &[vec![change]]);
        let first = ring.get_mut(&Lba(1_000)).unwrap();
        edits.iter().for_each(|(at, byte)| first[*at] = *byte);
        // Both checksums are made to hold, so that the records behind them are reached.
        let used = usize::try_from(u32::from_le_bytes([first[60], first[61], first[62], first[63]])).unwrap();
        let payload = crc32c(&[first[80..].get(..used).unwrap_or_default()]);
        first[64..68].copy_from_slice(&payload.to_le_bytes());
        let checksum = crc32c(&[&first[..12], &[0; 4], &first[16..]]);
        first[12..16].copy_from_slice(&checksum.to_le_bytes());
        prop_assert_eq!(describe(first).iter().map(|field| field.length).sum::<usize>(), PAGE_LENGTH);
        if let Taken::Commit(commit) = CommitReader::new(position(7, 0)).take(first) {
            let _ = commit.changes();
        }
    }

    #[test]
    fn each_slots_ring_stands_in_its_own_part_of_the_region(request in any_request(), pick in any::<u16>()) {
        let Ok(layout) = Layout::plan(&request) else { return Ok(()) };
        let slot = SlotIndex(pick % request.slots);
        let ring = layout.journal(slot, request.block_size);
        let region = layout.journals;
        let length = region.blocks.0 / u64::from(request.slots);
        let header = region.start.0 + u64::from(slot.0) * length;
        prop_assert_eq!((ring.slot, ring.header), (slot, Lba(header)));
        prop_assert!(ring.start.0 >= header + request.stride_blocks.0 && ring.blocks >= 4);
        prop_assert_eq!(ring.start.byte_offset(request.block_size) % 4_096, 0);
        let last = ring.lba(ring.blocks - 1);
        prop_assert!(last.0 + ring.step.0 <= header + length && last.0 + 2 * ring.step.0 > header + length);
        prop_assert_eq!((ring.lba(ring.blocks), ring.next(ring.blocks - 1)), (ring.start, 0));
        prop_assert_eq!((ring.index_of(last), ring.index_of(ring.header)), (Some(ring.blocks - 1), None));
    }
}

fn three_commits() -> Vec<Vec<Owned>> {
    let image = |byte| Owned::Image(JournalObject::Group(GroupNumber(1)), byte);
    vec![vec![image(1), image(2)], vec![image(3)], vec![image(4), image(5), image(6)]]
}

#[test]
fn a_commit_torn_at_any_block_is_not_there_and_those_before_it_are() {
    let from = position(100, 28);
    let (ring, _) = written(from, &three_commits());
    assert_eq!(replay(from, &ring).0, [2, 1, 3]);
    // 3, 2 and 4 blocks, of which the first three stand at the ring's end.
    for lost in 0..9_u32 {
        let mut torn = ring.clone();
        torn.get_mut(&RING.lba(28 + lost)).unwrap()[200..].fill(0xAA);
        let (commits, end, position) = replay(from, &torn);
        let whole = [0, 0, 0, 1, 1, 2, 2, 2, 2][lost as usize];
        assert_eq!(commits.len(), whole, "block {lost}");
        assert!(matches!(end, JournalEnd::NoBlock(DecodeError::Checksum { .. })), "block {lost}: {end}");
        assert_eq!(
            position.sequence.0,
            [100, 103, 105][whole],
            "the next commit is written over the torn one"
        );
    }
}

#[test]
fn a_block_of_another_lap_life_slot_or_datastore_ends_the_journal() {
    let from = position(100, 0);
    let (ring, end) = written(from, &three_commits());
    let behind = |from: JournalPosition| {
        let mut ring = ring.clone();
        ring.extend(written(from, &three_commits()).0);
        replay(position(100, 0), &ring)
    };
    assert_eq!(behind(end).0.len(), 6);
    let life = JournalPosition { incarnation: Incarnation(8), ..end };
    assert_eq!(behind(life).1, JournalEnd::OtherLife);
    let slot = JournalPosition { ring: JournalRing { slot: SlotIndex(4), ..RING }, ..end };
    assert_eq!(behind(slot).1, JournalEnd::OtherLife);
    let found = JournalSequence(end.sequence.0 - 31);
    assert_eq!(behind(JournalPosition { sequence: found, ..end }).1, JournalEnd::OtherSequence { found });
    let other = JournalPosition { format_id: FormatId(1), ..end };
    assert!(matches!(behind(other).1, JournalEnd::NoBlock(DecodeError::OtherDatastore { .. })));
    assert_eq!(replay(from, &ring).1, JournalEnd::NoBlock(DecodeError::Blank));
}

#[test]
fn a_ring_that_is_full_of_commits_ends_after_a_whole_lap() {
    let image = Owned::Image(JournalObject::Descriptor(DescriptorNumber(1)), 7);
    let (mut commits, from) = (vec![vec![image; 1]; 15], position(5, 17));
    commits.push(vec![Owned::Bits(1, ClusterRun { first: ClusterIndex(1), count: 1 }, true)]);
    let (ring, end) = written(from, &commits);
    assert_eq!((ring.len(), end.index), (31, 17));
    let (found, why, position) = replay(from, &ring);
    assert_eq!((found.len(), why, position), (16, JournalEnd::WholeLap, end));
}

#[test]
fn a_commit_whose_middle_was_left_out_is_not_taken_for_one() {
    let from = position(100, 0);
    let (ring, _) = written(from, &three_commits());
    // The reader begins in the middle of the first commit, as a header that lies would have it.
    assert_eq!(replay(position(101, 1), &ring).1, JournalEnd::Unfinished);
}

#[test]
fn a_header_of_another_ring_gives_no_position() {
    let header = JournalHeader::never_used(30);
    assert_eq!(JournalPosition::first(FORMAT_ID, RING, &header), None);
}

#[test]
fn a_whole_commit_that_says_what_no_writer_would_is_an_error_and_not_an_end() {
    let block = JournalBlock {
        format_id: FORMAT_ID,
        lba: Lba(1_000),
        slot: SlotIndex(3),
        incarnation: Incarnation(9),
        sequence: JournalSequence(7),
        index: 0,
        blocks: 1,
        payload_checksum: crc32c(&[&[9; 30]]),
        boot: None,
    };
    let bytes = block.encode(&[9; 30]);
    let place = Place { format_id: FORMAT_ID, lba: Lba(1_000) };
    assert_eq!(JournalBlock::decode(&*bytes, &place), Ok((block, [9; 30].as_slice())));
    let Taken::Commit(commit) = CommitReader::new(position(7, 0)).take(&*bytes) else { panic!("no commit") };
    assert!(matches!(commit.changes(), Err(DecodeError::Field { offset: 2, .. })));
}

#[test]
#[should_panic(expected = "a change that no replay would take")]
fn bits_of_a_map_are_not_written() {
    let run = ClusterRun { first: ClusterIndex(8_191), count: 2 };
    let _ = Owned::Bits(1, run, true).with(|change| CommitWriter::default().push(change));
}

#[test]
fn blocks_of_512_and_of_4096_have_rings_of_the_same_bytes() {
    for block_size in [BlockSize::B512, BlockSize::B4096] {
        let request = common::request(block_size);
        let layout = Layout::plan(&request).unwrap();
        let ring = layout.journal(SlotIndex(0), block_size);
        let bytes = BlockCount(layout.journals.blocks.0 / 64).bytes(block_size).0;
        assert_eq!(u64::from(ring.blocks), bytes / 4_096 - 1);
    }
}
