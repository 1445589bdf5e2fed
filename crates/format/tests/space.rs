//! Groups, clusters and descriptors: against a naive walk over the device; and what a format leaves there.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod common;

use std::cell::Cell;

use common::{BLOCK_SIZES, FORMAT_ID, any_request, request, superblock};
use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba};
use oarlock_format::{
    BitmapPage, BucketRecord, ClusterIndex, ClusterNumber, DescriptorName, DescriptorNumber,
    DescriptorRecord, GroupNumber, GroupRecord, InSpace, Initial, JournalHeader, Layout, LayoutRequest,
    LockRecord, MailboxRecord, NameHash, Nonce, PAGE_LENGTH, Place, Record, SlotRecord, Space, Standing,
    Superblock, decode_within,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn clusters_groups_and_addresses_are_each_others_inverse(request in any_request(), pick in any::<u64>()) {
        let Ok(layout) = Layout::plan(&request) else { return Ok(()) };
        let space = Space::new(&layout, request.block_size, request.cluster_size);
        let block = u64::from(request.block_size.bytes());
        let bytes = |lba: Lba| lba.0 * block;
        let (start, end) = (bytes(layout.groups.start), bytes(layout.shadow.start));
        let cluster = request.cluster_size.0;
        // Naive: a group after the other, while enough is left for one.
        let (mut groups, mut clusters, mut at) = (0, 0, start);
        let head = u64::from(space.head());
        prop_assert!(head * cluster >= (request.stride_blocks.0 * block).max(4_096) + 4_096);
        while (end - at) / cluster >= 16.max(head + 1) {
            let here = ((end - at) / cluster).min(8_192);
            prop_assert_eq!(u64::from(space.clusters_of(GroupNumber(groups))), here);
            prop_assert_eq!(bytes(space.record(GroupNumber(groups))), at);
            groups += 1;
            clusters += here - head;
            at += here * cluster;
            if groups > 3 {
                break;
            }
        }
        if groups <= 3 {
            prop_assert_eq!((space.groups(), space.clusters()), (groups, clusters));
        }
        let group = GroupNumber(u32::try_from(pick % u64::from(space.groups())).unwrap());
        let index = space.head() + u32::try_from(pick >> 32).unwrap() % (space.clusters_of(group) - space.head());
        let number = ClusterNumber::of(group, ClusterIndex(u16::try_from(index).unwrap()));
        prop_assert!(space.has(number));
        prop_assert_eq!(number.place(), (group, ClusterIndex(u16::try_from(index).unwrap())));
        let lba = space.cluster(number);
        prop_assert_eq!(bytes(lba), start + number.0 * cluster);
        prop_assert!(bytes(lba) + cluster <= end);
        let last = Lba(lba.0 + space.cluster_blocks().0 - 1);
        prop_assert_eq!((space.at(lba), space.at(last)), (Some(InSpace::Cluster(number)), Some(InSpace::Cluster(number))));
        prop_assert_eq!(space.at(space.record(group)), Some(InSpace::Record(group)));
        prop_assert_eq!(space.at(space.bitmap(group)), Some(InSpace::Bitmap(group)));
        prop_assert_eq!(bytes(space.bitmap(group)) % 4_096, 0);
        prop_assert!(!space.has(ClusterNumber::of(group, ClusterIndex(0))));
        prop_assert_eq!(space.at(layout.shadow.start), None);
        let _ = (space.at(Lba(pick)), space.has(ClusterNumber(pick)));
    }

    #[test]
    fn every_descriptor_and_bucket_is_found_again_at_its_address(request in any_request(), pick in any::<u32>()) {
        let Ok(layout) = Layout::plan(&request) else { return Ok(()) };
        let descriptor = DescriptorNumber(pick % layout.descriptor_count());
        for lba in [layout.descriptor(descriptor), layout.descriptor_name(descriptor)] {
            prop_assert_eq!(layout.kind_at(lba), Standing::Descriptor(u64::from(descriptor.0)));
        }
        let bucket = layout.bucket_of(NameHash(u64::from(pick) << 20));
        prop_assert_eq!(u64::from(bucket.0), (u64::from(pick) << 20) % u64::from(layout.bucket_count()));
        prop_assert_eq!(layout.kind_at(layout.bucket(bucket)), Standing::Directory(u64::from(bucket.0)));
        prop_assert!(layout.descriptor_count() <= 65_536 && layout.descriptor_count() / layout.bucket_count() <= 4);
    }

    #[test]
    fn disks_can_stand_on_every_layout_that_is_planned(record in common::any_superblock()) {
        let record = Superblock { features_incompatible: Superblock::FEATURE_DISKS, ..record };
        prop_assert_eq!(record.check(), Ok(()));
    }
}

#[test]
fn a_layout_without_room_for_a_journal_or_a_group_is_refused_with_disks_only() {
    let good = superblock(BlockSize::B512);
    let disks = Superblock { features_incompatible: Superblock::FEATURE_DISKS, ..good.clone() };
    let spoil = |change: fn(&mut Layout)| {
        let mut layout = good.layout;
        change(&mut layout);
        let plain = Superblock { layout, ..good.clone() };
        assert_eq!(plain.check(), Ok(()), "without disks nobody looks there");
        Superblock { layout, ..disks.clone() }.check().is_err()
    };
    assert_eq!(disks.check(), Ok(()));
    assert!(spoil(|layout| layout.journals.blocks = BlockCount(64 * 16)), "a ring of one block");
    assert!(spoil(|layout| layout.groups.blocks = BlockCount(15 * 128)), "fifteen clusters");
    let off: fn(&mut Layout) = |layout| {
        layout.groups.start = Lba(layout.groups.start.0 + 8);
        layout.groups.blocks = BlockCount(layout.groups.blocks.0 - 8);
    };
    assert!(spoil(off), "off the cluster");
}

fn with_disks(request: &LayoutRequest) -> Superblock {
    Superblock {
        slots: request.slots,
        cluster_size: request.cluster_size,
        device_blocks: request.device_blocks,
        stride_blocks: request.stride_blocks,
        layout: Layout::plan(request).unwrap(),
        features_incompatible: Superblock::FEATURE_DISKS,
        ..superblock(request.block_size)
    }
}

#[test]
fn a_format_leaves_a_sound_record_wherever_one_is_looked_for_and_each_but_once() {
    for block_size in BLOCK_SIZES {
        let small = LayoutRequest {
            slots: 3,
            device_blocks: ByteCount(96 << 20).whole_blocks(block_size),
            ..request(block_size)
        };
        let superblock = with_disks(&small);
        let drawn = Cell::new(0);
        let nonce = || Nonce(drawn.replace(drawn.get() + 1));
        let initial = Initial::new(&superblock, FORMAT_ID, &nonce);
        let (layout, space) = (superblock.layout, superblock.space());
        let (mut count, mut free_from) = (0, Lba(0));
        for (lba, image) in initial.images() {
            assert!(lba >= free_from, "they ascend and do not overlap");
            free_from = lba.plus(ByteCount(image.bytes().len() as u64).whole_blocks(block_size));
            count += 1;
            let place = Place { format_id: FORMAT_ID, lba };
            fn sound<R: Record>(bytes: &[u8], place: &Place, layout: &Layout) -> bool {
                decode_within::<R>(bytes, place, layout).is_ok()
            }
            let bytes = image.bytes();
            let taken = match layout.kind_at(lba) {
                Standing::Slot(_) => sound::<SlotRecord>(bytes, &place, &layout),
                Standing::Mailbox(_) => sound::<MailboxRecord>(bytes, &place, &layout),
                Standing::Lock(_) => sound::<LockRecord>(bytes, &place, &layout),
                Standing::Directory(_) => sound::<BucketRecord>(bytes, &place, &layout),
                Standing::Descriptor(number)
                    if lba == layout.descriptor(DescriptorNumber(u32::try_from(number).unwrap())) =>
                {
                    sound::<DescriptorRecord>(bytes, &place, &layout)
                }
                Standing::Descriptor(_) => sound::<DescriptorName>(bytes, &place, &layout),
                Standing::Journal(slot) => {
                    assert_eq!(layout.journal(slot, block_size).header, lba);
                    sound::<JournalHeader>(bytes, &place, &layout)
                }
                Standing::Group => match space.at(lba) {
                    Some(InSpace::Record(_)) => sound::<GroupRecord>(bytes, &place, &layout),
                    Some(InSpace::Bitmap(group)) => {
                        let page = BitmapPage::decode(bytes, &place).unwrap();
                        let clusters = space.clusters_of(group);
                        assert_eq!(page.free(clusters), clusters - space.head());
                        bytes.len() == PAGE_LENGTH && page.is_free_beyond(clusters)
                    }
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            };
            assert!(taken, "block {lba}");
        }
        assert_eq!(count, initial.count());
        let expected = 3 * 3
            + u64::from(layout.lock_positions() + layout.bucket_count() + layout.descriptor_count() * 2)
            + u64::from(space.groups()) * 2;
        assert_eq!(count, expected);
        assert_eq!(drawn.get(), u128::from(count) - u128::from(space.groups()), "a nonce for each record");
        let plain = Superblock { features_incompatible: 0, ..superblock.clone() };
        let initial = Initial::new(&plain, FORMAT_ID, &nonce);
        assert_eq!(initial.images().count() as u64, initial.count());
        assert_eq!(initial.count(), 3 * 2 + u64::from(layout.lock_positions()));
    }
}
