//! Words for what lines prove although the catalogue has no cause for it, or where one of its pages speaks of another case.

use oarlock_causes::{Layer, Remedy, Risk, Source};

/// What a report says instead of the catalogue's page.
#[derive(Debug)]
pub struct Words {
    /// The headline.
    pub title: &'static str,
    /// Where it sits.
    pub layer: Layer,
    /// What happened, in plain words.
    pub what: &'static str,
    /// What follows from it.
    pub consequence: &'static str,
    /// What helps, the best first.
    pub remedy: &'static [Remedy],
}

/// The array has no such logical unit for this host (permanent device loss).
pub static NO_SUCH_UNIT: Words = Words {
    title: "The array says that the LUN is not there any more",
    layer: Layer::Array,
    what: "The array answered that it has no such logical unit for this host. The way to it works: the answer came over it. The LUN was deleted, \
           unmapped or masked, or given another identity, or the array took it out of service.",
    consequence: "Every command to that LUN fails at once, and a volume on it is lost to this host until the LUN is presented again. If it comes \
                  back, the host takes it for a new device.",
    remedy: &[
        Remedy {
            text: "Look at the array's own log of that minute: who deleted, unmapped or masked the LUN, or which pool or controller took it offline? \
                   Present it again, unchanged, if that was a mistake, and rescan.",
            risk: Risk::Changes,
            source: Source::Article("VMware KB 2004684"),
        },
        Remedy {
            text: "If it was meant: unmount and detach the device on every host first, next time, and only then unmap it.",
            risk: Risk::Changes,
            source: Source::Article("VMware KB 2004605"),
        },
    ],
};

/// The array moves a logical unit between its controllers.
pub static TRANSITION: Words = Words {
    title: "The array was moving the LUN to another controller",
    layer: Layer::Array,
    what: "While an array moves a LUN from one controller to another, it answers every command with NOT READY, asymmetric access state transition. \
           Upgrades without interruption, a controller's restart, its fault, and hosts that disagree about the best path all do that.",
    consequence: "What was refused so was not executed and is tried again. Where it takes longer than a heartbeat has (8 seconds), heartbeats come late; \
                  after 16 seconds hosts report the volume as lost, until the new controller answers.",
    remedy: &[
        Remedy {
            text: "Look into the array's log why it moved. Where nobody planned it, look at that controller's health first.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Where it happens again and again, hosts or paths disagree: compare the path policy and the preferred controller on all hosts, and that every host \
                   reaches both controllers.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
    ],
};

/// The array has the logical unit and does not serve it.
pub static UNREADY: Words = Words {
    title: "The array says that the LUN is not ready, and needs a hand",
    layer: Layer::Array,
    what: "The array answered that the logical unit is not ready and that somebody must intervene. Arrays say so of a LUN that was taken offline, \
           whose pool or RAID group failed or is full, and of a mirror's or a snapshot's side that hosts are not to use.",
    consequence: "Commands to that LUN are refused and not executed, until the array serves it again. A volume on it is lost to all its hosts.",
    remedy: &[
        Remedy {
            text: "Look at the LUN, its pool and its disks on the array: offline, failed, full, or the passive side of a replication? Mend that there.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Where hosts are not to use it (a replica, a removed LUN), take its mapping away from them.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
    ],
};

/// The host uses a disk no more.
pub static OFFLINE: Words = Words {
    title: "The host took a disk out of use",
    layer: Layer::HostQueue,
    what: "The kernel stopped using a disk, because it was removed or did not come back after resets, and refuses every further command itself. That \
           says what the host did, not why: a disk, its cable or its power, an unplugged enclosure, or on a network the way to it.",
    consequence: "Every command to that disk fails at once, and what was in flight has no answer. A file system on it goes read-only or is lost until \
                  the disk is back.",
    remedy: &[
        Remedy {
            text: "Find the lines before the first of these: resets of a link or of the device, a session that did not recover, a plug that was pulled.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Once its cause is mended, set the disk running again (`/sys/block/NAME/device/state`) or rescan, and check the file system before it is \
                   mounted.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
    ],
};

/// A disk that a cluster of guests or of Windows machines reserves.
pub static CLUSTERED_DISK: Words = Words {
    title: "A cluster of guests or of Windows machines most likely reserves this disk",
    layer: Layer::Array,
    what: "Clusters of virtual or Windows machines hold a persistent reservation on each of their shared disks, and only the active node may write there. \
           Everybody else is refused, every day, and that is right. It is a fault only where the device is a VMFS volume, or where the active node itself \
           is refused.",
    consequence: "Nothing for the active node. ESXi hosts that scan the disk wait for each refusal: rescans and starts take long.",
    remedy: &[
        Remedy {
            text: "Clear nothing: find out which cluster owns the disk, and whether its active node works.",
            risk: Risk::Looks,
            source: Source::Article("VMware KB 1016106"),
        },
        Remedy {
            text: "Where it is a raw mapping of such a cluster, mark it on every ESXi host: `esxcli storage core device setconfig -d DEVICE \
                   --perennially-reserved=true`.",
            risk: Risk::Changes,
            source: Source::Article("VMware KB 1016106"),
        },
    ],
};

/// A persistent reservation refuses what a Linux host sends over a path.
pub static NOT_ALLOWED: Words = Words {
    title: "A reservation refuses this host's commands on this path",
    layer: Layer::HostQueue,
    what: "The device holds a persistent reservation, and this path is not registered for it: either this host's own cluster registered its key over \
           other paths only (fence_scsi on a single path of a multipath map), or the host was fenced or never let in, or the reservation belongs to a \
           stranger.",
    consequence: "Writes over that path are refused and not executed. A multipath map does not try another path for it: the error goes up to the file \
                  system.",
    remedy: &[
        Remedy {
            text: "Read the keys and the reservation over every path of the map (`sg_persist --in --read-keys`, `--read-reservation`), and compare them with the \
                   keys of the cluster's own hosts. Clear nothing before.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Where it is the own cluster's reservation and only some paths are registered: let the fence agent use the map (`devices=/dev/mapper/...`, or \
                   fence_mpath with a `reservation_key` in multipath.conf), and register anew (unfence).",
            risk: Risk::Changes,
            source: Source::Page("https://access.redhat.com/solutions/316073"),
        },
        Remedy {
            text: "Only where the owner is a stranger and proved dead: clear its reservation.",
            risk: Risk::Final,
            source: Source::CommonPractice,
        },
    ],
};

/// A cluster's own fence, or its watchdog.
pub static FENCED_BY_CLUSTER: Words = Words {
    title: "A host was fenced by its cluster, or by its own watchdog",
    layer: Layer::FileSystem,
    what: "The cluster declared a host dead and cut it off, by its power or by taking its registration on the disks away; or the host could not renew its \
           lease and its watchdog reset it. What the fenced host meets afterwards, reservation conflicts among it, is the fence at work.",
    consequence: "What that host had open goes on elsewhere, or stands still until it is back. Its commands are refused until it has joined again: do not \
                  clear a reservation or a registration by hand to help it.",
    remedy: &[
        Remedy {
            text: "Find why that host was silent: its own log of the minutes before, its network, its paths, its load.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Let the cluster bring it back: a restart of the cluster's stack there registers it anew (unfencing).",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
    ],
};
