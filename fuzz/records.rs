//! Records: a block made of the fuzzer's bytes whose stamp holds, so that the fields behind it are reached.

use std::time::Duration;

use oarlock_block::{BlockCount, BlockSize, ByteCount, DeviceIdentity, Fencing, Lba, crc32c};
use oarlock_format::{
    FormatId, Generation, Label, Layout, LayoutRequest, Nonce, Place, Record, STAMP_LENGTH, Stamp, Stamped,
    Superblock, SuperblockState, Timing, Writer, claimed_shadows, decode, decode_superblock, describe,
    encode, stamp_of,
};

use crate::pages::whole_page;

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
    for kind in oarlock_format::Kind::ALL {
        let block = if kind.is_record() { whole_block(kind.letters(), data) } else { whole_page(kind, data) };
        assert_eq!(covered(&block), block.len());
    }
}

/// The decoder of superblocks, also over the fuzzer's changes to a sound one: of bytes that were drawn freely, hardly any have
/// regions that fit one another.
pub fn check_superblock(data: &[u8]) {
    check::<Superblock>(data);
    // Whoever opens a device takes the format id from the superblock, and knows nothing but its address.
    let _ = decode_superblock(data, PLACE.lba);
    let opened = decode_superblock(&whole_block(*b"SUPR", data), PLACE.lba);
    assert!(opened.is_err() || opened.is_ok_and(|opened| opened.stamp.lba == PLACE.lba));
    // Where bytes that do not check out say that the shadow stands: within the device, or nowhere.
    let device = BlockCount(1 << 20);
    let claimed: Vec<Lba> = claimed_shadows(data, device).collect();
    assert!(claimed.len() <= 2 && claimed.iter().all(|lba| lba.0 > 0 && lba.0 < device.0));
    let mut changed = sound_superblock();
    changed.iter_mut().zip(data).for_each(|(byte, change)| *byte ^= change);
    check::<Superblock>(&changed);
}

pub(crate) fn sound_superblock() -> Vec<u8> {
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
