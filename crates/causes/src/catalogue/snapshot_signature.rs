//! `snapshot-signature`: the device is a copy.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::SnapshotSignature,
    layer: Layer::FileSystem,
    title: "The device is a copy of another",
    what: "The identity kept in the volume's metadata is not that of the device: it is a snapshot, a \
           replica, a restored LUN, or one presented under a new id. If the original is alive too, two \
           volumes claim to be one.",
    seen_as: "P:0x2, `detected as a snapshot`. Oarlock: `up` refuses the device and names both \
              identities.",
    proof: Evidence {
        live: Some(
            "The identity in the superblock (VPD page 83h; for a file its device, inode and attribute) \
             is not that of the opened device.",
        ),
        logs: "The device's NAA id differs from the one in the volume's metadata, or the host says \
               that it detected a snapshot.",
    },
    consequence: "Used as it is, a copy would be taken for the original, and locks held on one would \
                  not hold on the other.",
    remedy: &[
        Remedy {
            text: "Make sure whether the original still lives; then give the copy a signature of its \
                   own (`oarlock resignature`; on VMFS, resignature the volume).",
            risk: Risk::Final,
            source: Source::Broadcom(330644),
        },
        Remedy {
            text: "If the array changed the id of the one and only LUN, restore the id.",
            risk: Risk::Final,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::Broadcom(330644)],
};
