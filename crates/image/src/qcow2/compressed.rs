//! Compressed clusters: bytes that unpack to exactly one cluster.

use std::io::{ErrorKind, Read};

use flate2::{Decompress, FlushDecompress};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::header::Compression;
use crate::limits::ZSTD_WINDOW_MAX;

/// Unpacks `packed`, behind whose end other bytes may stand, into the whole of `cluster`. `None` where it does not fill it.
pub(super) fn unpack(compression: Compression, packed: &[u8], cluster: &mut [u8]) -> Option<()> {
    match compression {
        Compression::Zlib => inflate(packed, cluster),
        Compression::Zstd => unpack_frames(packed, cluster),
    }
}

fn inflate(packed: &[u8], cluster: &mut [u8]) -> Option<()> {
    let mut inflater = Decompress::new(false);
    loop {
        let (used, filled) = (position(inflater.total_in())?, position(inflater.total_out())?);
        if filled == cluster.len() {
            return Some(());
        }
        inflater.decompress(&packed[used..], &mut cluster[filled..], FlushDecompress::None).ok()?;
        // Neither taken nor given: it ended early, or wants more than there is.
        if (inflater.total_in(), inflater.total_out()) == (used as u64, filled as u64) {
            return None;
        }
    }
}

fn position(bytes: u64) -> Option<usize> {
    usize::try_from(bytes).ok()
}

/// A cluster may be more than one frame, as QEMU reads it.
fn unpack_frames(packed: &[u8], cluster: &mut [u8]) -> Option<()> {
    let (mut rest, mut filled) = (packed, 0);
    while filled < cluster.len() {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX);
        let mut frame = StreamingDecoder::new_with_decoder(&mut rest, decoder).ok()?;
        while filled < cluster.len() {
            match frame.read(&mut cluster[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    #[test]
    fn two_frames_and_what_follows_are_one_cluster() {
        let mut packed = compress_to_vec(&[7; 3000][..], CompressionLevel::Fastest);
        packed.extend(compress_to_vec(&[9; 1096][..], CompressionLevel::Fastest));
        packed.extend([0xaa; 100]);
        let mut cluster = vec![0; 4096];
        assert_eq!(unpack(Compression::Zstd, &packed, &mut cluster), Some(()));
        assert_eq!((cluster[2999], cluster[3000], cluster[4095]), (7, 9, 9));
    }

    #[test]
    fn what_fills_no_cluster_is_damaged() {
        let packed = compress_to_vec(&[7; 3000][..], CompressionLevel::Fastest);
        for compression in [Compression::Zlib, Compression::Zstd] {
            for bytes in [&packed[..], &packed[..5], &[], &[0xff; 64]] {
                assert_eq!(unpack(compression, bytes, &mut [0; 4096]), None, "{compression:?}");
            }
        }
    }

    #[test]
    fn a_frame_that_wants_a_large_window_is_damaged() {
        // Magic, no single segment, a window of 2^(10 + 31) bytes, one empty last block (RFC 8878, 3.1.1.1.2).
        let packed = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00];
        assert_eq!(unpack(Compression::Zstd, &packed, &mut [0; 4096]), None);
    }
}
