//! What the target of image files does: reads a qcow2 image of the fuzzer's bytes, whole and in pieces.

use oarlock_image::qcow2::{Qcow2Fault, Qcow2Reader};

/// Extents that one input is read through: headers may claim exabytes.
const EXTENTS_MAX: usize = 256;
/// Bytes that are read of one extent.
const PIECE: u64 = 8192;

/// The fuzzer's bytes with a header in front that holds: of small clusters, with its first table in the second of them.
fn whole_image(data: &[u8]) -> Vec<u8> {
    let flags = data.first().copied().unwrap_or_default();
    let is_extended = flags & 1 == 1;
    let cluster_bits: u32 = if is_extended { 14 } else { 9 + u32::from(flags >> 1 & 3) };
    let is_zstd = flags & 8 == 8;
    let mut image = vec![0; 112];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"QFI\xfb");
    put(4, &(2 + u32::from(flags & 16 == 0 || is_extended || is_zstd)).to_be_bytes());
    put(20, &cluster_bits.to_be_bytes());
    put(24, &u64::from(u16::MAX).to_be_bytes());
    put(36, &16_u32.to_be_bytes());
    put(40, &(1_u64 << cluster_bits).to_be_bytes());
    put(72, &(u64::from(is_zstd) << 3 | u64::from(is_extended) << 4).to_be_bytes());
    put(96, &[0, 0, 0, 4, 0, 0, 0, 112, u8::from(is_zstd)]);
    image.resize(1 << cluster_bits, 0);
    image.extend(data.get(1..).unwrap_or_default());
    image.resize(image.len().max(3 << cluster_bits), 0);
    image
}

fn read(image: &[u8]) -> Result<(), Qcow2Fault> {
    let mut reader = Qcow2Reader::open(image)?;
    let (size, mut place) = (reader.header().size_bytes, 0);
    for _ in 0..EXTENTS_MAX {
        if place == size {
            break;
        }
        let extent = reader.extent_at(place)?;
        assert!(extent.offset == place && extent.length > 0 && extent.end() <= size, "{extent:?} of {size}");
        let length = extent.length.min(PIECE);
        let mut bytes = vec![0xa5; usize::try_from(length).expect("a small piece")];
        reader.read_at(place, &mut bytes)?;
        assert!(!extent.content.is_zero() || bytes.iter().all(|byte| *byte == 0), "{extent:?} is not zeros");
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let mut again = vec![0x5a; second.len()];
        reader.read_at(place + first.len() as u64, &mut again)?;
        assert_eq!(second, again, "read twice");
        place = extent.end();
    }
    Ok(())
}

/// No bytes make the reader of images panic, what it tells lies on the disk, and what it calls zeros reads as zeros.
pub fn check(data: &[u8]) {
    let _ = read(data);
    let _ = read(&whole_image(data));
}
