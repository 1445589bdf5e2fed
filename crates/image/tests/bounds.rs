//! What a hostile image may make this process keep. Alone in its program: the peak of a process's memory is told for all of it.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oarlock_image::{Source, Unwatched};
use tempfile::tempdir;

/// All images together may add so much: a few clusters of the largest size, and what a zstd frame may want.
const GROWTH_MAX: u64 = 24 << 20;

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// An image of 2^`cluster_bits` bytes a cluster, with a table of the first level of that many entries, of `size` bytes.
struct Forged {
    cluster_bits: u32,
    entries: u32,
    size: u64,
    /// Bit 3: the compression type is told, and is zstd.
    features: u64,
}

impl Forged {
    /// Writes header and tables: the first level at the second cluster, one table of the second level behind it, then data.
    fn write(&self, path: &Path, second_level: &[u64], data: &[u8]) {
        let cluster = 1_u64 << self.cluster_bits;
        let file = File::create(path).unwrap();
        let mut header = [0; 112];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"QFI\xfb\0\0\0\x03");
        put(20, &self.cluster_bits.to_be_bytes());
        put(24, &self.size.to_be_bytes());
        put(36, &self.entries.to_be_bytes());
        put(40, &cluster.to_be_bytes());
        put(72, &self.features.to_be_bytes());
        put(96, &[0, 0, 0, 4, 0, 0, 0, 112]);
        put(104, &[u8::from(self.features != 0)]);
        file.write_all_at(&header, 0).unwrap();
        let table = self.table();
        // In pieces: what the test itself keeps would count as well.
        let words = table.to_be_bytes().repeat(8192);
        let length = u64::from(self.entries) * 8;
        for start in (0..length).step_by(words.len()) {
            let piece = usize::try_from(length - start).unwrap().min(words.len());
            file.write_all_at(&words[..piece], cluster + start).unwrap();
        }
        let words: Vec<u8> = second_level.iter().flat_map(|word| word.to_be_bytes()).collect();
        file.write_all_at(&words, table).unwrap();
        file.write_all_at(data, table + cluster).unwrap();
        file.set_len(table + 2 * cluster).unwrap();
    }

    /// Where the table of the second level begins.
    fn table(&self) -> u64 {
        let cluster = 1_u64 << self.cluster_bits;
        (cluster + u64::from(self.entries) * 8).next_multiple_of(cluster)
    }
}

/// Surveys an image and reads its first bytes; whatever comes of it.
fn look(path: &Path) {
    let Ok(mut source) = Source::open(path, None) else { return };
    let _ = source.survey(&Unwatched);
    let _ = source.read_at(0, &mut [0; 4096]);
}

#[test]
fn no_image_makes_the_reader_keep_more_than_some_clusters() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("forged.qcow2");
    let before = peak();

    // The largest table of the first level, 32 MiB, every entry the same table: found to overlap, and never kept whole.
    let largest = Forged { cluster_bits: 21, entries: 4 << 20, size: 1 << 61, features: 0 };
    largest.write(&path, &[], &[]);
    let mut source = Source::open(&path, None).unwrap();
    let fault = source.survey(&Unwatched).unwrap_err().to_string();
    assert!(fault.contains("maps more clusters than its file"), "{fault}");

    // A compressed cluster of the most sectors that an entry can name: 4 MiB, of which the file has 2.
    let packed = Forged { cluster_bits: 21, entries: 1, size: 2 << 20, features: 0 };
    let entry = 1 << 62 | 0x1fff << 49 | (packed.table() + (2 << 20));
    packed.write(&path, &[entry], &[0xff; 4096]);
    look(&path);

    // A zstd frame that wants a window of 2 TiB, and one that wants the most that is given.
    for window in [0xf8, 0x68] {
        let zstd = Forged { cluster_bits: 21, entries: 1, size: 2 << 20, features: 8 };
        let entry = 1 << 62 | 0x1fff << 49 | (zstd.table() + (2 << 20));
        zstd.write(&path, &[entry], &[0x28, 0xb5, 0x2f, 0xfd, 0x00, window, 0x02, 0x00, 0x10, 0x55]);
        look(&path);
    }
    let growth = peak() - before;
    assert!(growth <= GROWTH_MAX, "{growth} bytes");
}
