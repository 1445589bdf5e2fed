//! Words for what is damaged on a volume of VMFS.

use oarlock_causes::{Layer, Remedy, Risk, Source};

use super::{Words, remedy};

/// A damaged lock record of VMFS.
pub static DAMAGED_LOCK: Words = Words {
    title: "A lock record of the volume is damaged",
    layer: Layer::Medium,
    what: "What stands where a lock record should be is none: zeros, or what belongs elsewhere. It was torn by a power cut, rotted, or somebody wrote over it.",
    consequence: "What the lock guards cannot be opened, or not be freed. Overwriting it blindly may make two owners.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Move or back up what can still be read, and let the vendor's support look at the volume: give them the line with its offset.",
        ),
        remedy(
            Risk::Interrupts,
            "Check the volume while no host uses it: `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION`; let support repair it, nobody by hand.",
        ),
        remedy(Risk::Looks, "Read the array's and the disk's error logs: find what damaged it."),
    ],
};

/// A damaged volume, of which no line says where.
pub static DAMAGED_VOLUME: Words = Words {
    title: "The volume is damaged",
    layer: Layer::Medium,
    what: "VMFS found that what stands on the disk cannot be its own. The medium below lost it, it was torn by a power cut, or somebody wrote over it; which record it is, this line \
           does not say.",
    consequence: "Files of the volume may be damaged or out of reach, and what is written to it may be lost.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Look at the device below the volume first: while its commands fail, no repair holds.",
        ),
        Remedy {
            text: "Where it is the device that the host starts from (a stick or a card, `mpx.vmhba32`, with the volumes LOCKER and BOOTBANK): replace that, and install the host anew or \
                   restore its configuration.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(318611),
        },
        remedy(
            Risk::Interrupts,
            "Any other: move or back up what can still be read, then check the volume while no host uses it: `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION`; let the vendor's support repair it.",
        ),
    ],
};

/// Damaged records of space.
pub static DAMAGED_RESOURCES: Words = Words {
    title: "A resource cluster of the volume is damaged",
    layer: Layer::Medium,
    what: "VMFS allocates space from records called resource clusters. One of them is no valid record any more: the medium below lost it, or somebody wrote over it.",
    consequence: "Files cannot grow there, and some may be damaged.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Look at the device below the volume first: while its commands fail, no repair holds.",
        ),
        remedy(
            Risk::Interrupts,
            "Move or back up what can still be read, then check the volume while no host uses it: `voma -m vmfs -f check -d /vmfs/devices/disks/DEVICE:PARTITION`; let the vendor's support repair it.",
        ),
    ],
};
