//! The layout's arithmetic: regions never overlap, always fit, and every address knows what stands there.

mod common;

use common::{BLOCK_SIZES, any_request};
use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba, SlotIndex};
use oarlock_format::{Layout, LayoutError, LayoutRequest, LockPosition, Space, Standing, shadow_candidates};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn request(block_size: BlockSize, stride: u64, slots: u16, device: u64) -> LayoutRequest {
    LayoutRequest {
        block_size,
        stride_blocks: BlockCount(stride),
        slots,
        cluster_size: ByteCount(65_536),
        device_blocks: ByteCount(device).whole_blocks(block_size),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn regions_never_overlap_and_always_fit(request in any_request()) {
        match Layout::plan(&request) {
            Ok(layout) => {
                prop_assert_eq!(layout.check(&request), Ok(()));
                let mut free_from = request.stride_blocks.0;
                for (name, region) in layout.regions() {
                    prop_assert!(region.start.0 >= free_from, "{:?} overlaps what stands before it", name);
                    prop_assert!(region.blocks.0 > 0, "{:?} is empty", name);
                    free_from = region.start.0 + region.blocks.0;
                }
                prop_assert!(free_from <= request.device_blocks.0);
                let device = request.device_blocks.0;
                let groups = layout.groups.blocks.0;
                prop_assert!(layout.locks.blocks.0 * 16 <= device);
                let needed_most = 700 * MIB / u64::from(request.block_size.bytes());
                prop_assert!(groups * 2 > device.saturating_sub(needed_most), "groups get most of the device");
            }
            Err(LayoutError::TooSmall { needed, have }) => prop_assert!(needed > have),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn the_smallest_device_that_suffices_is_the_one_named(request in any_request()) {
        let tiny = LayoutRequest { device_blocks: BlockCount(1), ..request };
        let Err(LayoutError::TooSmall { needed, .. }) = Layout::plan(&tiny) else {
            return Err(TestCaseError::fail("one block suffices"));
        };
        let blocks = needed.whole_blocks(request.block_size);
        let just = LayoutRequest { device_blocks: blocks, ..request };
        prop_assert!(Layout::plan(&just).is_ok());
        let short = LayoutRequest { device_blocks: BlockCount(blocks.0 - 1), ..request };
        let have = short.device_blocks.bytes(request.block_size);
        prop_assert_eq!(Layout::plan(&short), Err(LayoutError::TooSmall { needed, have }));
    }

    #[test]
    fn every_record_is_found_again_at_its_address(request in any_request(), pick in any::<u64>()) {
        let Ok(layout) = Layout::plan(&request) else { return Ok(()) };
        let slot = SlotIndex(u16::try_from(pick % u64::from(request.slots)).unwrap());
        prop_assert_eq!(layout.slot_count(), request.slots);
        prop_assert_eq!(layout.kind_at(layout.slot(slot)), Standing::Slot(slot));
        prop_assert_eq!(layout.kind_at(layout.mailbox(slot)), Standing::Mailbox(slot));
        let position = LockPosition(u32::try_from(pick % u64::from(layout.lock_positions())).unwrap());
        let lock = layout.lock(position);
        prop_assert_eq!(layout.kind_at(lock), Standing::Lock(position));
        prop_assert_eq!(layout.lock_position_of(lock), Some(position));
        let scratch = pick % layout.scratch_count();
        prop_assert_eq!(layout.kind_at(layout.scratch(scratch)), Standing::Scratch(scratch));
        prop_assert_eq!(layout.kind_at(layout.shadow.start), Standing::Shadow);
        let candidates: Vec<Lba> = shadow_candidates(request.block_size, request.device_blocks).collect();
        prop_assert!(candidates.contains(&layout.shadow.start) && candidates.len() <= 8);
        if request.stride_blocks.0 > 1 {
            prop_assert_eq!(layout.kind_at(Lba(lock.0 + 1)), Standing::Nothing);
            prop_assert_eq!(layout.lock_position_of(Lba(lock.0 + 1)), None);
        }
        prop_assert!(Space::new(&layout, request.block_size, request.cluster_size).clusters() > 0);
        let _ = layout.kind_at(Lba(pick));
    }
}

#[test]
fn a_quarter_gibibyte_suffices_for_64_hosts_and_for_1024() {
    for (block_size, stride, slots) in
        [(BlockSize::B512, 1, 64), (BlockSize::B512, 8, 64), (BlockSize::B4096, 1, 1024)]
    {
        let layout = Layout::plan(&request(block_size, stride, slots, 256 * MIB)).unwrap();
        assert!(Space::new(&layout, block_size, ByteCount(65_536)).clusters() > 1_000);
    }
    let small = Layout::plan(&request(BlockSize::B512, 1, 64, 16 * MIB)).unwrap_err();
    assert!(matches!(small, LayoutError::TooSmall { .. }), "{small}");
}

#[test]
fn the_number_of_lock_positions_grows_with_the_device_within_bounds() {
    let positions = |block_size, stride, device| {
        Layout::plan(&request(block_size, stride, 64, device)).unwrap().lock_positions()
    };
    assert_eq!(positions(BlockSize::B512, 1, 64 * MIB), 1_024);
    assert_eq!(positions(BlockSize::B512, 1, 256 * MIB), 4_096);
    assert_eq!(positions(BlockSize::B512, 8, 8 << 30), 16_384);
    assert_eq!(positions(BlockSize::B4096, 1, 64 << 40), 16_384);
}

#[test]
fn what_no_datastore_can_have_is_refused_by_name() {
    for block_size in BLOCK_SIZES {
        let good = request(block_size, 1, 64, 256 * MIB);
        let refused = |request: LayoutRequest| Layout::plan(&request).unwrap_err();
        assert_eq!(refused(LayoutRequest { slots: 0, ..good }), LayoutError::Slots { found: 0 });
        assert_eq!(refused(LayoutRequest { slots: 1_025, ..good }), LayoutError::Slots { found: 1_025 });
        for size in [0, 2_048, 65_535, 2 * MIB] {
            let found = ByteCount(size);
            assert_eq!(
                refused(LayoutRequest { cluster_size: found, ..good }),
                LayoutError::ClusterSize { found }
            );
        }
        for stride in [0, 3, 131_072 / u64::from(block_size.bytes())] {
            let found = BlockCount(stride);
            assert_eq!(
                refused(LayoutRequest { stride_blocks: found, ..good }),
                LayoutError::Stride { found }
            );
        }
        let huge = LayoutRequest { device_blocks: BlockCount(u64::MAX), ..good };
        assert!(matches!(refused(huge), LayoutError::TooLarge { .. }));
    }
}

#[test]
fn a_layout_that_a_superblock_claims_is_held_against_the_device() {
    let request = request(BlockSize::B512, 8, 64, 256 * MIB);
    let good = Layout::plan(&request).unwrap();
    let refused = |layout: Layout| match layout.check(&request) {
        Err(LayoutError::Region { region }) => region.name(),
        other => panic!("{other:?}"),
    };
    let mut layout = good;
    layout.slots.start = Lba(0);
    assert_eq!(refused(layout), "slots", "over the first superblock");
    layout = good;
    layout.locks.start = Lba(good.locks.start.0 + 1);
    assert_eq!(refused(layout), "locks", "off the stride");
    layout = good;
    layout.scratch.start = good.slots.start;
    assert_eq!(refused(layout), "scratch", "over the slots");
    layout = good;
    layout.groups.blocks = BlockCount(u64::MAX - 7);
    assert_eq!(refused(layout), "groups", "beyond every device");
    layout = good;
    layout.shadow.start = Lba(good.shadow.start.0 - 8);
    assert_eq!(refused(layout), "shadow", "not in the last stride");
    let shrunk = LayoutRequest { device_blocks: BlockCount(request.device_blocks.0 / 2), ..request };
    assert!(good.check(&shrunk).is_err());
}
