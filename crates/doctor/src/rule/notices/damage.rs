//! Data that are not what was written: file systems that find their own records damaged, or blocks that do not fit their checksum.

use oarlock_causes::{Layer, Risk};

use super::Told;
use crate::rule::Words;
use crate::rule::words::remedy;

/// What a report calls data that are damaged.
pub(super) const TITLE: &str = "A file system found damage that it cannot mend by itself";

/// Records that are no records, or blocks without a good copy.
pub(super) static DAMAGED_DATA: Told = Told {
    because: "A file system says that a record of its own is not what it wrote, or that no copy of a block fits its checksum. Who damaged it, these lines do not tell: a disk or a path that \
              changed data, a write that was lost, two writers, or the host's own memory.",
    next: "What stands below it (sense data, resets, lost paths, and whether another host has the same disk mounted), since when, and a look that changes nothing: `xfs_repair -n`, `btrfs scrub start -r`, `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION`.",
    words: Words {
        title: TITLE,
        layer: Layer::FileSystem,
        what: "File systems check what they read by the form of their records and by checksums. What was read here is not what had been written, and no good copy was at hand.",
        consequence: "What lies there is lost unless it stands elsewhere. A file system that finds this stops, or gives errors for the files concerned.",
        remedy: &[
            remedy(
                Risk::Interrupts,
                "Stop whatever writes there, take the file system out of use, and copy the disk before anything repairs it.",
            ),
            remedy(
                Risk::Looks,
                "Find what damaged it before it is trusted again: the disk's own errors, the host's memory, and whether two hosts write to one disk.",
            ),
            remedy(Risk::Final, "Only then repair it (`xfs_repair`), or restore the files that are named."),
        ],
    },
};

/// Blocks that do not fit their checksum, of which another copy may be good.
pub(super) static FILE_CHECKSUM: Told = Told {
    because: "A file system computed another checksum than the one that it had saved: what the disk gave back is not what was written. With a second copy it reads that one and repairs the \
              first; without one the read fails.",
    next: "Whether it was repaired (`read error corrected`), `btrfs device stats` and `btrfs scrub status`, what the disk says of itself (`smartctl -x`), and whether other disks of that host have the same: then it is the \
           host's memory, cable or controller.",
    words: Words {
        title: "A file system read data that do not fit their checksum",
        layer: Layer::Medium,
        what: "The file system saves a checksum with each block and compares it when it reads. Here they differ: the disk, its cable, its controller or the host's memory changed the data, or a \
               write was acknowledged and never made.",
        consequence: "With a good copy the data are repaired from it. Without one, whatever reads there gets an error.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look which disk it is, whether both copies are concerned, and whether its errors grow.",
            ),
            remedy(
                Risk::Changes,
                "Copy what matters, then let the file system check all it has (`btrfs scrub`), and replace what does it again.",
            ),
        ],
    },
};
