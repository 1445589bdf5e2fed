//! Copies that are lost, or are no copies any more: a RAID without enough disks, a replicated disk in two versions, a journal that cannot be read.

use oarlock_causes::{Layer, Risk};

use super::Told;
use crate::rule::Words;
use crate::rule::words::remedy;

/// A RAID that lost too many disks.
pub(super) static RAID_LOST: Told = Told {
    because: "The kernel's RAID (md) says that it cannot go on: more of its disks failed than its level can do without. From that line on it writes nothing.",
    next: "`mdadm --detail` of the array and `mdadm --examine` of each of its disks (which were dropped, when, and their event counts), and the kernel log from the first error of the \
           first disk.",
    words: Words {
        title: "A RAID of this host lost more disks than it can do without",
        layer: Layer::Array,
        what: "md drops a disk that fails a write, and goes on without it as long as its level allows. One more than that, and the array is gone with all that lies on it, although most of \
               its disks are well.",
        consequence: "What was written last is not on the array, and nothing on it can be read or written until it is put together again.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Change nothing on the disks. Find why they were dropped: several at once have a cable, a power supply or a controller in common more often than a fault of their own.",
            ),
            remedy(
                Risk::Final,
                "When the disks answer again: copy them, then assemble the array from those whose event counts are nearest (`mdadm --assemble --force`), read-only at first.",
            ),
        ],
    },
};

/// A RAID that goes on with fewer disks.
pub(super) static MEMBER_LOST: Told = Told {
    because: "The kernel's RAID (md) says that it dropped one of its disks, and goes on without it. Why the disk failed stands in the lines of its driver before this one; where somebody asked for \
              it (`mdadm --fail`), there are none.",
    next: "The kernel log from two minutes before (sense data, time-outs, a disk that went away), `mdadm --detail` of the array, and what the disk says of itself (`smartctl -x`).",
    words: Words {
        title: "A RAID of this host goes on without one of its disks",
        layer: Layer::Medium,
        what: "md drops a disk that fails a write, and goes on without it as long as its level allows. All data are there, and one disk fewer stands between them and their loss.",
        consequence: "Nothing is lost yet. The next disk that fails may be one too many.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look which disk it is by its serial number, and why it was dropped: a cable or a controller drops disks that are well.",
            ),
            remedy(
                Risk::Changes,
                "Make sure that the backup is good, then replace the disk or its cable, and let the array rebuild.",
            ),
        ],
    },
};

/// A replicated disk whose other node is gone.
pub(super) static PEER_LOST: Told = Told {
    because: "DRBD says that its connection to the other node failed: no answer came in its time, or the other end hung up. It goes on with its own copy where it may, and keeps account of what \
              the other one lacks. Whether the network failed or the other node stopped, these lines do not tell.",
    next: "The other node's log of that minute (was it restarted?), the links and counters of the network cards between the two, and `drbdadm status` on both.",
    words: Words {
        title: "A replicated disk lost the connection to its other node",
        layer: Layer::Fabric,
        what: "DRBD writes each block on two nodes and asks the other one every few seconds whether it is there. Here it was not, or the connection broke.",
        consequence: "What is written from now on stands on one node alone until the two are connected again; where quorum or fencing is set up, writes wait.",
        remedy: &[
            remedy(Risk::Looks, "Look whether the other node runs, and whether it sees this one."),
            remedy(
                Risk::Changes,
                "Mend the connection; what the other node lacks is then sent by itself. Make the other node primary only if this one is surely down.",
            ),
        ],
    },
};

/// What a report calls copies that differ.
pub(super) const DIVERGED_TITLE: &str =
    "Both copies of a replicated disk were written to, each without the other";

/// A replicated disk in two versions.
pub(super) static DIVERGED: Told = Told {
    because: "DRBD says that it found a split brain: both nodes wrote to their copy while they did not see one another. It has cut the connection, and whatever is written now makes the two \
              differ more.",
    next: "`drbdadm status` on both nodes, which of them was primary from when to when, and the cluster's log of the time when they lost one another: why was nobody fenced?",
    words: Words {
        title: DIVERGED_TITLE,
        layer: Layer::Array,
        what: "Each of two nodes was primary while it did not see the other. Each copy has writes that the other lacks, and no program can bring them together: one of the two is to be \
               given up.",
        consequence: "The writes of one side will be lost, and with every further write there are more of them.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Stop whatever writes on one of the two sides. Find out which side has the writes that matter, and copy what the other one alone has.",
            ),
            remedy(
                Risk::Final,
                "Only then give the other side up (`drbdadm connect --discard-my-data` there), and set up fencing (`fencing resource-and-stonith`), so that it does not come again.",
            ),
        ],
    },
};

/// A journal that cannot be read or replayed.
pub(super) static JOURNAL_UNREAD: Told = Told {
    because: "A file system says that it could not read or replay its journal, or that its records are newer than its journal: the disk below refused a read or a write, has no space, or \
              is not in the state in which the file system left it.",
    next: "What the disk below says in the minutes before (sense data, space of its pool, time-outs), and what happened to it since the file system was last in use: a restore, a snapshot, \
           a failover, a loss of power.",
    words: Words {
        title: "A file system could not read or replay its journal",
        layer: Layer::FileSystem,
        what: "A file system writes what it is about to change into a journal first, and after a failure does it again from there. Where the journal cannot be read or its changes cannot \
               be written, it is not mounted. Records that are newer than the journal were written before a part of the disk went back in time.",
        consequence: "What the journal alone holds is not in its place. Nothing more is lost while the file system is not in use.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Mend the disk below first: space, medium, way. Run no repair before the disk answers every read.",
            ),
            remedy(
                Risk::Final,
                "Copy the disk, then let the file system replay its journal by mounting it. A repair that throws the journal away (`xfs_repair -L`) comes last.",
            ),
        ],
    },
};
