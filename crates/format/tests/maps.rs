//! Maps and bitmaps: the arithmetic against a naive one, pages there and back, and pages that no bytes may break.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod common;

use common::{FORMAT_ID, LBA, PLACE};
use oarlock_block::{ByteCount, Lba, crc32c};
use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, ClusterRun, DecodeError, DescriptorNumber, ENTRIES_PER_PAGE,
    Epoch, JournalSequence, Kind, LayerLevels, LeafEntry, MapPage, MapShape, Mapped, NodePointer,
    PAGE_LENGTH, PageHeader, PieceMask, RawEntry, describe, stamp_of,
};
use proptest::prelude::*;

const CLUSTER_SIZES: [u64; 9] =
    [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];

fn shapes() -> impl Strategy<Value = MapShape> {
    proptest::sample::select(CLUSTER_SIZES.to_vec()).prop_map(|size| MapShape::new(ByteCount(size)))
}

fn header(level: u8) -> PageHeader {
    PageHeader {
        format_id: FORMAT_ID,
        lba: LBA,
        object: 12,
        level,
        epoch: Epoch(3),
        sequence: JournalSequence(4),
    }
}

/// The page after `change`, with a checksum that holds.
fn forged(bytes: &[u8; PAGE_LENGTH], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let checksum = crc32c(&[&bytes[..12], &[0; 4], &bytes[16..]]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn the_numbers_of_the_document_are_those_of_the_program() {
    let shape = MapShape::new(ByteCount(64 << 10));
    assert_eq!((shape.pages_per_node(), shape.entries_per_node(), shape.pieces()), (16, 4_032, 16));
    assert_eq!(shape.reach(LayerLevels(1)), ByteCount(252 << 20));
    assert_eq!(shape.levels_for(ByteCount(252 << 20)), LayerLevels(1));
    assert_eq!(shape.levels_for(ByteCount((252 << 20) + 1)), LayerLevels(2));
    assert_eq!(shape.levels_for(ByteCount(1 << 40)), LayerLevels(3));
    assert_eq!(MapShape::new(ByteCount(4_096)).pieces(), 1);
    for size in CLUSTER_SIZES {
        let shape = MapShape::new(ByteCount(size));
        assert!(shape.reach(LayerLevels::LARGEST).0 >= 64 << 40, "clusters of {size} map the largest disk");
        assert_eq!(u64::from(shape.pieces()) * shape.piece_size().0, size);
    }
}

proptest! {
    #[test]
    fn a_path_leads_to_its_cluster_and_to_no_other(shape in shapes(), offset in 0..64_u64 << 40, more in 0..2_u8) {
        let needed = shape.levels_for(ByteCount(offset + 1));
        prop_assert!(needed == LayerLevels(1) || shape.reach(LayerLevels(needed.0 - 1)).0 <= offset);
        let levels = LayerLevels((needed.0 + more).min(LayerLevels::LARGEST.0));
        // Going down, each entry narrows the range of bytes to its own part.
        let (mut start, mut length) = (0, shape.reach(levels).0);
        let mut below = levels.0;
        for step in shape.path(offset, levels) {
            below -= 1;
            prop_assert_eq!(step.level, below);
            prop_assert!(step.page < shape.pages_per_node() && step.entry < ENTRIES_PER_PAGE);
            length = shape.reach(LayerLevels(below)).0.max(shape.cluster_size().0);
            let entry = u64::from(step.page) * u64::from(ENTRIES_PER_PAGE) + u64::from(step.entry);
            start += entry * length;
            prop_assert!((start..start + length).contains(&offset));
        }
        prop_assert_eq!((below, length, start), (0, shape.cluster_size().0, offset / length * length));
    }

    #[test]
    fn a_range_touches_the_pieces_that_its_bytes_lie_in(
        shape in shapes(),
        offset in 0..3_u64 << 20,
        length in 0..70_000_u64,
    ) {
        let piece = shape.piece_size().0;
        let mut next = offset;
        for touched in shape.touched(offset, length) {
            let cluster = touched.index * shape.cluster_size().0;
            prop_assert_eq!(cluster + u64::from(touched.start), next);
            prop_assert!(touched.length > 0);
            let end = next + u64::from(touched.length);
            for k in 0..16 {
                let (first, last) = (cluster + u64::from(k) * piece, cluster + u64::from(k + 1) * piece);
                let exists = k < shape.pieces();
                prop_assert_eq!(touched.pieces.has(k), exists && first < end && last > next);
                prop_assert_eq!(touched.whole.has(k), exists && first >= next && last <= end);
            }
            next = end;
        }
        prop_assert_eq!(next, offset + length);
    }

    #[test]
    fn an_entry_comes_back_as_it_was_set_and_says_where_a_piece_is_read(
        own in (1..1_u64 << 40, any::<u16>()),
        below in (1..1_u64 << 40, 1..=u16::MAX),
        has in any::<(bool, bool, bool, bool)>(),
        index in 0..ENTRIES_PER_PAGE,
    ) {
        let mapped = |(cluster, mask)| Mapped { cluster: ClusterNumber(cluster), mask: PieceMask(mask) };
        let below = (below.0 ^ u64::from(own.0 == below.0) << 1, below.1);
        let own = has.0.then(|| mapped(own));
        let below = (has.1 && below.0 > 0).then(|| mapped(below));
        let owned = has.2 && own.is_some();
        let entry = LeafEntry { own, owned, below, below_owned: has.3 && below.is_some() && owned == own.is_some() };
        let shape = MapShape::new(ByteCount(64 << 10));
        let mut page = MapPage::empty(header(0));
        page.set(index, entry);
        let bytes = *page.seal(Epoch(5), JournalSequence(6));
        let read = MapPage::decode(&bytes, &PLACE, &shape).unwrap();
        prop_assert_eq!(read.leaf(index), entry);
        prop_assert_eq!((read.header().epoch, read.header().sequence), (Epoch(5), JournalSequence(6)));
        prop_assert_eq!(read.entries().filter(|raw| *raw != RawEntry::EMPTY).count(), usize::from(entry != LeafEntry::default()));
        for piece in 0..16 {
            let naive = match (own, below) {
                (Some(own), _) if own.mask.has(piece) => Some(own.cluster),
                (_, Some(below)) if below.mask.has(piece) => Some(below.cluster),
                _ => None,
            };
            prop_assert_eq!(entry.source(piece), naive);
        }
        let copy = read.copy_for(Lba(9), DescriptorNumber(13), Epoch(1));
        prop_assert_eq!(copy.leaf(index), entry.disowned());
        prop_assert_eq!((copy.header().lba, copy.header().object), (Lba(9), 13));
    }

    #[test]
    fn no_bytes_make_a_page_panic(
        level in 0..7_u8,
        kind in any::<bool>(),
        changes in proptest::collection::vec((40..PAGE_LENGTH, any::<u8>()), 0..9),
        shape in shapes(),
    ) {
        let blank = if kind {
            *MapPage::empty(header(level)).seal(Epoch(1), JournalSequence(1))
        } else {
            *BitmapPage::fresh(header(level), 1).seal(Epoch(1), JournalSequence(1))
        };
        let bytes = forged(&blank, |bytes| changes.iter().for_each(|(at, byte)| bytes[*at] = *byte));
        if let Ok(mut page) = MapPage::decode(&bytes, &PLACE, &shape) {
            let header = *page.header();
            prop_assert_eq!(page.seal(header.epoch, header.sequence).as_slice(), &bytes);
        }
        if let Ok(mut page) = BitmapPage::decode(&bytes, &PLACE) {
            let header = *page.header();
            prop_assert_eq!(page.seal(header.epoch, header.sequence).as_slice(), &bytes);
        }
        prop_assert_eq!(describe(&bytes).iter().map(|field| field.length).sum::<usize>(), PAGE_LENGTH);
        prop_assert_eq!(describe(&bytes[..512]).iter().map(|field| field.length).sum::<usize>(), 512);
        prop_assert_eq!(stamp_of(&bytes), None);
    }

    #[test]
    fn a_bitmap_agrees_with_a_list_of_bools(
        head in 1..20_u32,
        clusters in 20..=8_192_u32,
        marks in proptest::collection::vec((0..8_192_u16, 1..900_u16, any::<bool>()), 0..30),
        search in (0..8_192_u16, 1..600_u16),
    ) {
        let mut page = BitmapPage::fresh(header(0), head);
        let mut naive: Vec<bool> = (0..8_192).map(|cluster| cluster < head).collect();
        for (first, count, taken) in marks {
            let count = count.min(8_192 - first);
            page.mark(ClusterRun { first: ClusterIndex(first), count }, taken);
            naive[usize::from(first)..usize::from(first + count)].fill(taken);
        }
        let naive = &naive;
        for cluster in (0..8_192_u16).step_by(7) {
            prop_assert_eq!(page.is_taken(ClusterIndex(cluster)), naive[usize::from(cluster)]);
        }
        let counted = naive[..clusters as usize].iter().filter(|taken| !**taken).count();
        prop_assert_eq!(page.free(clusters) as usize, counted);
        prop_assert_eq!(page.is_free_beyond(clusters), !naive[clusters as usize..].contains(&true));
        let found = page.free_run(ClusterIndex(search.0), clusters, search.1);
        prop_assert_eq!(found.is_none(), counted == 0);
        // Every run of free clusters, in the order of the search: from the given one on, then from the front.
        let from = u32::from(search.0).min(clusters);
        let runs = [(from, clusters), (0, from)].map(|(start, end)| {
            let mut runs: Vec<(u32, u32)> = Vec::new();
            for cluster in (start..end).filter(|cluster| !naive[*cluster as usize]) {
                match runs.last_mut() {
                    Some((first, count)) if *first + *count == cluster => *count += 1,
                    _ => runs.push((cluster, 1)),
                }
            }
            runs
        }).concat();
        let wanted = u32::from(search.1);
        let first = runs.iter().find(|(_, count)| *count >= wanted).map(|(first, _)| (*first, wanted));
        // Of the longest the first; max_by_key would give the last.
        let longest = runs.iter().rev().max_by_key(|(_, count)| *count).copied();
        let found = found.map(|run| (u32::from(run.first.0), u32::from(run.count)));
        prop_assert_eq!(found, first.or(longest));
    }
}

#[test]
fn entries_that_no_map_has_are_refused_where_they_stand() {
    let shape = MapShape::new(ByteCount(16 << 10));
    let refused = |level: u8, first: u64, second: u64| {
        let mut page = MapPage::empty(header(level));
        page.set(3, RawEntry { first, second });
        let bytes = *page.seal(Epoch(1), JournalSequence(1));
        let mut standing = MapPage::empty(header(level));
        let raw = RawEntry { first, second }.bytes();
        assert_eq!(standing.apply(3, &[raw], &shape).err(), MapPage::decode(&bytes, &PLACE, &shape).err());
        match MapPage::decode(&bytes, &PLACE, &shape) {
            Err(DecodeError::Field { offset, what }) => {
                assert_eq!(offset, 64 + 3 * 16);
                what
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(0, 1 << 40, 0), "a flag or a mask without a cluster");
    assert_eq!(refused(0, 1 << 48, 0), "a flag or a mask without a cluster");
    assert_eq!(refused(0, 7 | 1 << 41, 0), "reserved bits");
    assert_eq!(refused(0, 7, 8 | 1 << 41 | 1 << 48), "reserved bits");
    assert_eq!(refused(0, 7, 8 | 1 << 40 | 1 << 48), "what is below is owned, and what is above it is not");
    assert_eq!(refused(0, 7 | 1 << 52, 0), "pieces that no cluster has", "a cluster of 16 KiB has four");
    assert_eq!(refused(0, 7, 8), "a cluster below of which nothing is read");
    assert_eq!(refused(0, 7, 7 | 1 << 48), "one cluster twice");
    assert_eq!(refused(1, 7 | 1 << 48, 0), "a leaf's entry, in an inner node");
    assert_eq!(refused(1, 7, 8 | 1 << 48), "a leaf's entry, in an inner node");
    let mut page = MapPage::empty(header(1));
    let pointer = Some(NodePointer { cluster: ClusterNumber(7), owned: true });
    page.set(251, pointer);
    assert_eq!(page.node(251), pointer);
    let beyond = page.apply(251, &[[0; 16]; 2], &shape);
    assert!(matches!(beyond, Err(DecodeError::Field { .. })) && page.node(251) == pointer);
}

#[test]
fn a_page_is_doubted_in_the_order_in_which_a_record_is() {
    let shape = MapShape::new(ByteCount(64 << 10));
    let bytes = *MapPage::empty(header(0)).seal(Epoch(1), JournalSequence(1));
    let refused = |bytes: &[u8]| MapPage::decode(bytes, &PLACE, &shape).unwrap_err();
    assert_eq!(refused(&bytes[..512]), DecodeError::Length { found: 512 });
    assert_eq!(refused(&[0; PAGE_LENGTH]), DecodeError::Blank);
    assert_eq!(refused(&[7; PAGE_LENGTH]), DecodeError::Foreign);
    for offset in [0, 6, 70, 4_095] {
        let mut flipped = bytes;
        flipped[offset] ^= 4;
        assert!(matches!(refused(&flipped), DecodeError::Checksum { .. }), "byte {offset}");
    }
    let bitmap = *BitmapPage::fresh(header(0), 2).seal(Epoch(1), JournalSequence(1));
    assert_eq!(refused(&bitmap), DecodeError::WrongKind { found: Kind::BitmapPage });
    assert_eq!(refused(&forged(&bytes, |bytes| bytes[8] = 2)), DecodeError::Version { found: 2 });
    let other = forged(&bytes, |bytes| bytes[16] ^= 1);
    assert!(matches!(refused(&other), DecodeError::OtherDatastore { .. }));
    assert_eq!(
        refused(&forged(&bytes, |bytes| bytes[32] ^= 1)),
        DecodeError::OtherAddress { found: Lba(LBA.0 ^ 1) }
    );
    assert_eq!(refused(&forged(&bytes, |bytes| bytes[45] = 1)), DecodeError::ReservedNotZero { offset: 45 });
    assert!(matches!(refused(&forged(&bytes, |bytes| bytes[44] = 5)), DecodeError::Field { offset: 44, .. }));
    assert!(matches!(
        refused(&forged(&bytes, |bytes| bytes[63] = 0x81)),
        DecodeError::Field { offset: 56, .. }
    ));
    let end = forged(&bitmap, |bytes| bytes[1_088] = 1);
    assert_eq!(BitmapPage::decode(&end, &PLACE), Err(DecodeError::ReservedNotZero { offset: 1_088 }));
}

#[test]
fn pages_are_shown_by_what_they_hold() {
    let value = |bytes: &[u8], name: &str| {
        describe(bytes).into_iter().find(|field| field.name == name).map(|field| field.value).unwrap()
    };
    let mut bitmap = BitmapPage::fresh(header(0), 2);
    bitmap.mark(ClusterRun { first: ClusterIndex(9), count: 1 }, true);
    assert_eq!(value(bitmap.seal(Epoch(1), JournalSequence(1)), "taken"), "0 to 1, 9");
    let mut page = MapPage::empty(header(0));
    let own = Some(Mapped { cluster: ClusterNumber(77), mask: PieceMask(0xff) });
    page.set(4, LeafEntry { own, owned: true, ..LeafEntry::default() });
    assert_eq!(value(page.seal(Epoch(1), JournalSequence(1)), "entries"), "4: 77 pieces 00ff (owned)");
    let mut node = MapPage::empty(header(2));
    node.set(0, Some(NodePointer { cluster: ClusterNumber(5), owned: false }));
    assert_eq!(value(node.seal(Epoch(1), JournalSequence(1)), "entries"), "0: node 5");
    assert_eq!(value(node.seal(Epoch(1), JournalSequence(1)), "level"), "2");
}
