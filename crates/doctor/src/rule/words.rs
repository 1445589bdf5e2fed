//! Words for what lines prove although the catalogue has no cause for it, or where one of its pages speaks of another case.

mod damaged;

use oarlock_causes::{Layer, Remedy, Risk, Source};

pub use damaged::{DAMAGED_LOCK, DAMAGED_RESOURCES, DAMAGED_VOLUME};

use super::notices::words;
use crate::fact::Notice;

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

/// A remedy of common practice.
pub const fn remedy(risk: Risk, text: &'static str) -> Remedy {
    Remedy { text, risk, source: Source::CommonPractice }
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
        remedy(
            Risk::Looks,
            "Look into the array's log why it moved. Where nobody planned it, look at that controller's health first.",
        ),
        remedy(
            Risk::Looks,
            "Where it happens again and again, hosts or paths disagree: compare the path policy and the preferred controller on all hosts, and that every host \
                   reaches both controllers.",
        ),
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
        remedy(
            Risk::Looks,
            "Look at the LUN, its pool and its disks on the array: offline, failed, full, or the passive side of a replication? Mend that there.",
        ),
        remedy(
            Risk::Changes,
            "Where hosts are not to use it (a replica, a removed LUN), take its mapping away from them.",
        ),
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
        remedy(
            Risk::Looks,
            "Find the lines before the first of these: resets of a link or of the device, a session that did not recover, a plug that was pulled.",
        ),
        remedy(
            Risk::Changes,
            "Once its cause is mended, set the disk running again (`/sys/block/NAME/device/state`) or rescan, and check the file system before it is \
                   mounted.",
        ),
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
        remedy(
            Risk::Looks,
            "Read the keys and the reservation over every path of the map (`sg_persist --in --read-keys`, `--read-reservation`), and compare them with the \
                   keys of the cluster's own hosts. Clear nothing before.",
        ),
        Remedy {
            text: "Where it is the own cluster's reservation and only some paths are registered: let the fence agent use the map (`devices=/dev/mapper/...`, or \
                   fence_mpath with a `reservation_key` in multipath.conf), and register anew (unfence).",
            risk: Risk::Changes,
            source: Source::Page("https://access.redhat.com/solutions/316073"),
        },
        remedy(Risk::Final, "Only where the owner is a stranger and proved dead: clear its reservation."),
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
        remedy(
            Risk::Looks,
            "Find why that host was silent: its own log of the minutes before, its network, its paths, its load.",
        ),
        remedy(
            Risk::Interrupts,
            "Let the cluster bring it back: a restart of the cluster's stack there registers it anew (unfencing).",
        ),
    ],
};

/// A fence that did not succeed.
pub static NOT_FENCED: Words = Words {
    title: "A host could not be fenced: it may still write",
    layer: Layer::FileSystem,
    what: "The cluster declared a host dead and tried to cut it off; its fence devices did not do it, or there is none that can.",
    consequence: "Where the cluster waits for the fence, what that host had open stands still. Where something of it is started elsewhere all the same, two hosts write to one disk.",
    remedy: &[
        remedy(
            Risk::Looks,
            "See with your own eyes, or at its power, that the host is off. Start nothing of it elsewhere before.",
        ),
        remedy(
            Risk::Looks,
            "Find why the fence failed: the device's address, user and time-out, the network to it, and whether any device is set up for that host.",
        ),
        remedy(
            Risk::Final,
            "Only when the host is known to be off: tell the cluster so (`pcs stonith confirm NODE`, `stonith_admin --confirm NODE`).",
        ),
    ],
};

/// Another host's record where this host's lease was.
pub static ID_TAKEN: Words = Words {
    title: "Another host stands in this host's record",
    layer: Layer::FileSystem,
    what: "Every host of a lockspace has a number of its own, and with it a record of its own. In this host's record another one was found: it took the number after this host had been silent, or both were given the same one, as after a host was copied.",
    consequence: "This host has lost its lease: the lock manager stops what the lease protects, or the watchdog resets the host.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Compare the host ids of all hosts (`host_id` in lvmlocal.conf, vdsm or libvirt's qemu-sanlock.conf): each has its own.",
        ),
        remedy(
            Risk::Interrupts,
            "Where two are alike, stop one of the two hosts, give it a free id, and start it again.",
        ),
        remedy(
            Risk::Looks,
            "Where they differ, find why this host was silent before: its own log, its paths, its storage's latency.",
        ),
    ],
};

/// A soft threshold of a thin pool.
pub static SPACE_RUNS_SHORT: Words = Words {
    title: "The pool below the LUN runs short of space",
    layer: Layer::Array,
    what: "The array tells each host once that the space below a thin LUN has crossed a threshold. The LUN itself still shows free space.",
    consequence: "Nothing yet. When no space is left, writes are refused and machines on that LUN stop.",
    remedy: &[
        remedy(Risk::Changes, "Look at the pool on the array, and make room or add space before it is full."),
        remedy(
            Risk::Changes,
            "Reclaim what was deleted: UNMAP on VMFS (`esxcli storage vmfs unmap`), `fstrim` on Linux.",
        ),
    ],
};

/// The medium that an ESXi host starts from.
pub static BOOT_MEDIUM: Words = Words {
    title: "The boot medium of a host fails",
    layer: Layer::Medium,
    what: "A host keeps its own volumes (LOCKER, OSDATA, bootbanks) on the medium that it starts from, often a USB stick or an SD card. That device fails commands or is not found any more, and records of its volumes are damaged with it. No shared disk is in question.",
    consequence: "What runs goes on from memory; configuration and logs are not kept, and the host may not start again.",
    remedy: &[
        Remedy {
            text: "Save the host's configuration while it runs (`vim-cmd hostsvc/firmware/backup_config`), then update ESXi: older releases of 7.0 lose such media under load.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(318611),
        },
        Remedy {
            text: "Install the host on another, durable boot medium.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(318611),
        },
    ],
};

/// A disk that one host has for itself, and that was slow.
pub static SLOW_LOCAL: Words = Words {
    title: "A disk, a stick or a disc drive of one host alone was slow",
    layer: Layer::Medium,
    what: "Sticks, cards and drives for discs take some hundred milliseconds when they wake, and a single disk does when it has to do more than it can. No array and no other host is \
           behind it: what waits for it is this host.",
    consequence: "What is kept there is served late: logs, configuration, and the machines that somebody put on that disk.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Where nothing but the host's own boot volumes lies on it, nothing is to be done; where machines do, look at that disk's health and load.",
        ),
        remedy(
            Risk::Interrupts,
            "Where the times grow from week to week, replace the medium before it fails.",
        ),
    ],
};

/// A way over a network.
pub static NETWORK: Words = Words {
    title: "A connection to the storage was lost, on the network or by its other end",
    layer: Layer::Fabric,
    what: "A connection of iSCSI or NVMe over a network ended with commands under way: the network lost it, the host gave it up because no answer came, or the target closed it. Whether the array executed those commands cannot be known from here.",
    consequence: "Every command in flight on that connection has an unknown outcome. Sent again blindly, a plain write may land twice and an atomic test and set meets itself.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Read the target's log of that second: did it close the connection, restart, or was it too busy to answer?",
        ),
        remedy(
            Risk::Looks,
            "Test the network from every port that carries storage: full length without fragmentation, errors and drops of cards and switch ports, one subnet for each bound port.",
        ),
        remedy(
            Risk::Changes,
            "Where the target was only slow, mend that first; a longer time-out (NOP-Out, keep-alive) hides it.",
        ),
    ],
};

/// A lock of a file.
pub static HELD_FILE: Words = Words {
    title: "Another host has the file open",
    layer: Layer::FileSystem,
    what: "The lock of a file is held by another host that is alive: a machine runs there, or a backup or a copy has the file open. Nothing is broken: the lock does what it is for.",
    consequence: "Whoever wants the file waits or is refused, until the holder closes it.",
    remedy: &[
        Remedy {
            text: "Find the host by the MAC address at the end of the owner's id (`vmkfstools -D FILE` prints it; `esxcli network nic list` on each host).",
            risk: Risk::Looks,
            source: Source::Article("VMware KB 10051"),
        },
        Remedy {
            text: "Close there what has the file open: a second machine with the same disk, a backup proxy that still has it attached, a copy or a migration that did not end.",
            risk: Risk::Interrupts,
            source: Source::Article("VMware KB 10051"),
        },
        Remedy {
            text: "Where nothing there has it open, restart that host's management agents; only then the host.",
            risk: Risk::Interrupts,
            source: Source::Article("VMware KB 10051"),
        },
    ],
};

/// The device's queue, not the host's.
pub static QUEUE_FULL: Words = Words {
    title: "The device's own queue was full",
    layer: Layer::Array,
    what: "A device takes only so many commands at once, from all its hosts and often for all LUNs of a port together. Beyond that it answers TASK SET FULL and executes nothing; the host sends the command again, and throttles itself.",
    consequence: "Commands that were refused so were not executed, and their senders know it. A heartbeat that is refused again and again comes late.",
    remedy: &[
        remedy(
            Risk::Changes,
            "Let the hosts send less at once: outstanding I/Os for each device, and the sum of all hosts' queue depths, within what the array's vendor says a port takes.",
        ),
        remedy(Risk::Changes, "Spread the load: fewer busy disks on one LUN, more LUNs, more target ports."),
        Remedy {
            text: "On ESXi let hosts throttle together where the vendor recommends it (`esxcli storage core device set --queue-full-sample-size`, `--queue-full-threshold`).",
            risk: Risk::Changes,
            source: Source::Article("VMware KB 1008113"),
        },
    ],
};

/// A device that is busy for writes and for nothing else.
pub static BUSY_TO_WRITES: Words = Words {
    title: "The device answered BUSY to every write",
    layer: Layer::Array,
    what: "The array executed none of these writes and asked for patience. A controller that is overloaded or moves a LUN answers so, and so does a thin pool \
           that ran full; reads that fail the same way would speak for the first.",
    consequence: "What was refused so was not executed, and its sender knows it. A heartbeat that is refused again and again comes late.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Look how full the pool or aggregate below the LUN is, on the array: the volume's own free space says nothing of it.",
        ),
        remedy(
            Risk::Looks,
            "Look at the array's load and events of that minute: a controller that was restarted, a rebuild, a snapshot, a scrub.",
        ),
    ],
};

/// A fence that was ordered.
pub static FENCED_BY_ORDER: Words = Words {
    title: "A host was fenced because somebody ordered it",
    layer: Layer::FileSystem,
    what: "A person or a script told the cluster to cut the host off. The cluster did what it was told: no line here says that the host was silent, or that storage was late.",
    consequence: "What that host had open goes on elsewhere, or stands still until it is back.",
    remedy: &[
        remedy(Risk::Looks, "Ask who ordered it. Where it was planned, nothing is to be mended."),
        remedy(
            Risk::Interrupts,
            "Let the cluster bring it back: a restart of the cluster's stack there registers it anew (unfencing).",
        ),
    ],
};

/// Hosts that lock a volume by reservations.
pub static LOCKING_BY_RESERVATION: Words = Words {
    title: "Hosts lock this volume by SCSI reservations, and stand in one another's way",
    layer: Layer::FileSystem,
    what: "Without the atomic test and set, VMFS locks the whole LUN by a SCSI reservation for each change of its metadata, and everybody else is refused for that \
           moment. Refused commands are sent again. With many hosts, or many changes at once (snapshots, power-ons, thin growth, backups), the tries run out.",
    consequence: "What was tried fails or takes long: a power-on, a snapshot, a growing file. Nothing is damaged.",
    remedy: &[
        Remedy {
            text: "Do less at once: stagger backups, snapshots and power-ons on that volume; fewer hosts and virtual machines for each LUN.",
            risk: Risk::Changes,
            source: Source::Article("VMware KB 328557"),
        },
        remedy(
            Risk::Looks,
            "Where the array knows the atomic test and set, use it: it locks single blocks (`esxcli storage core device vaai status get`).",
        ),
        remedy(
            Risk::Interrupts,
            "Only where the conflicts last although all hosts are quiet, a reservation was left behind: find its owner (the array shows it), and let it or the \
                   array's support release it.",
        ),
    ],
};

/// A local disk that does not know the atomic test and set.
pub static LOCAL_WITHOUT_ATS: Words = Words {
    title: "A local disk does not know the atomic test and set, as local disks do not",
    layer: Layer::Medium,
    what: "SATA, USB and most SAS disks do not execute COMPARE AND WRITE. The host asks once, is refused, and locks in another way; nobody else uses the disk.",
    consequence: "None.",
    remedy: &[remedy(
        Risk::Looks,
        "Nothing is to be done for this. If something else is wrong, look for another line.",
    )],
};

/// A disk behind an array's LUN.
pub static MEDIUM_OF_AN_ARRAY: Words = Words {
    title: "The device reports a medium that cannot be read, behind a LUN",
    layer: Layer::Array,
    what: "The device answered MEDIUM ERROR: blocks of it cannot be read. Behind a LUN of an array that means a disk, or a stripe that could not be rebuilt; hosts that \
           share the LUN get the same answer for the same blocks.",
    consequence: "What lay on those blocks is lost unless the array can rebuild it. Records of the file system among them fail for every host.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Read the array's event log: failed or failing disks, rebuilds, scrubs that found errors. Replace what it names.",
        ),
        remedy(Risk::Interrupts, "Copy off what can still be read, and restore the rest."),
    ],
};

/// A login that a target refuses.
pub static NOT_LET_IN: Words = Words {
    title: "The target refuses the host's login",
    layer: Layer::HostQueue,
    what: "The target answered the login and refused it: by its words, the initiator is not allowed in. The network works, for the answer came over it.",
    consequence: "No disk of that target is there for this host, over that portal.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Compare the initiator's name and the CHAP name and secret on both sides, and the target's list of initiators (its ACL).",
        ),
        remedy(
            Risk::Interrupts,
            "After a change: log out and in again (`iscsiadm -m node -T IQN --logout`, `--login`).",
        ),
    ],
};

/// A lone record that is whole.
pub static PASTED_RECORD: Words = Words {
    title: "A heartbeat slot or a lock record of VMFS was pasted: what it says",
    layer: Layer::FileSystem,
    what: "A lock record names its owner by a host's id, whose last twelve digits are the MAC address of one of that host's cards, and by the heartbeat slot in which \
           that host shows that it lives. The lock is free for others when that slot is no longer kept alive.",
    consequence: "None by the record itself: an owner is what a lock is for.",
    remedy: &[
        Remedy {
            text: "Find the host by the MAC address (`esxcli network nic list` on each host), and what there has the file open.",
            risk: Risk::Looks,
            source: Source::Article("VMware KB 10051"),
        },
        remedy(
            Risk::Looks,
            "Write nothing there by hand: a lock that is cleared under a living owner has two.",
        ),
    ],
};

/// A reset that somebody ordered.
pub static ORDERED_RESET: Words = Words {
    title: "Somebody reset the device, and commands of all its hosts were lost to that",
    layer: Layer::HostQueue,
    what: "A reset of a logical unit ends every command that is out to it, whoever sent it. Somebody ordered one, by hand or by a script. What ended with it is a victim; \
           an atomic test and set among it may have been executed, and meets its own image when it is tried again.",
    consequence: "Commands of all hosts have no answer; heartbeats among them may come late or be false once.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Ask who ordered the reset, and what for. A LUN reset clears no lock of VMFS, and a reservation only where one was left behind.",
        ),
        remedy(Risk::Changes, "Where a script does it, stop that."),
    ],
};

/// A controller of disks in a host's own case: no fabric, and no matrix of VMware's, is about it.
pub static OWN_CONTROLLER: Words = Words {
    title: "A controller of this host's own disks fails, by its driver's account",
    layer: Layer::Hba,
    what: "The driver of a controller of disks in this host's case says that its firmware hangs, does not start or answers no more. All disks behind it go with it, well or not.",
    consequence: "Commands that the controller had are lost: writes among them may or may not be on the disks, and what its own cache held is there only if a battery kept it.",
    remedy: &[
        remedy(
            Risk::Looks,
            "Read the controller's own log with its maker's tool (`storcli`, `ssacli`, `arcconf`): faults of its firmware, its heat, its cache and battery. Replace no disk for it.",
        ),
        remedy(
            Risk::Interrupts,
            "Switch the host off and on, for a start without power is more than a reset; then bring the controller's firmware and driver to the versions of its maker's list.",
        ),
    ],
};

pub static FIRMWARE_FAULT: Words = Words {
    title: "The firmware of a controller of this host's own disks stopped, and its driver resets it",
    layer: Layer::Hba,
    what: "The firmware of a controller of disks in this host's case met a fault. Its driver starts it anew and sends again what had no answer; all disks behind it stand still until that is done, well or not.",
    consequence: "If the reset succeeds, commands were late and no more. If it does not, the driver gives the controller up, and with it whatever had no answer.",
    remedy: &[
        remedy(
            Risk::Looks,
            "See in the lines behind whether the driver called its reset successful, and how often this came before.",
        ),
        remedy(
            Risk::Looks,
            "Read the controller's own log with its maker's tool (`storcli`, `ssacli`, `arcconf`): what its firmware stopped at, its heat, its cache and battery. Replace no disk for it.",
        ),
        remedy(
            Risk::Interrupts,
            "Bring the controller's firmware and driver to the versions of its maker's list.",
        ),
    ],
};

/// Whether these words are about a device that is slow by nature: the same of it hours later is the same.
pub fn is_lasting(title: &str) -> bool {
    title == SLOW_LOCAL.title
}

/// Whether these words are about what does no harm: then nobody is alarmed by an answer that is missing elsewhere.
pub fn is_harmless(title: &str) -> bool {
    let harmless = [
        &PASTED_RECORD,
        &HELD_FILE,
        &LOCAL_WITHOUT_ATS,
        &CLUSTERED_DISK,
        &SLOW_LOCAL,
        words(Notice::HeapExhausted),
        words(Notice::VolumeFull),
        words(Notice::DeviceLocked),
        words(Notice::NoLockspace),
    ];
    harmless.iter().any(|words| words.title == title)
}
