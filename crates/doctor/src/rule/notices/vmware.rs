//! What ESXi says of its volumes, its datastores and its services that is no cause of the catalogue.

use oarlock_causes::{Layer, Risk};

use super::Told;
use crate::rule::Words;
use crate::rule::words::remedy;

/// The lock of a device, for work on a volume.
pub static DEVICE_LOCKED: Told = Told {
    because: "The device's own lock is taken, by which one host at a time makes, extends or resignatures a volume on it. These lines name no host that does so now: a host that stopped \
              amid such work leaves the lock behind, and it does not go by itself. It is no record of the volume's, and no test and set is in question.",
    next: "On every host that sees the device: whether a volume is being made, extended, resignatured or rescanned there (tasks in vCenter, `vmkernel.log` and `hostd.log` of that minute), \
           and which host stopped or was reset amid that.",
    words: Words {
        title: "A device is locked for work on its volume, and nobody is seen at work",
        layer: Layer::FileSystem,
        what: "To make, extend or resignature a volume, a host locks the whole device with a record that names nobody and that no heartbeat keeps alive. Others are refused meanwhile; when \
               that host dies or fails on the way, they are refused until somebody breaks the lock.",
        consequence: "The volume cannot be mounted, extended or made on that device. What is open on it elsewhere goes on, and nothing is damaged by the lock itself. Waiting helps only where \
                      a host is at work.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Prove first that no host that sees the device makes, extends or resignatures a volume on it: ask each of them, also those that answer no more.",
            ),
            remedy(
                Risk::Final,
                "Only then break the lock, on one host: `vmkfstools -B /vmfs/devices/disks/DEVICE:PARTITION`; then rescan on all. Broken under a host that is at work, two write the volume's layout.",
            ),
        ],
    },
};

/// A file server that is gone.
pub(super) static SERVER_LOST: Told = Told {
    because: "The host did not reach a file server (NFS) for the whole time that it waits (Misc.APDTimeout, 140 seconds as a rule), and fails I/O to that datastore at once from then on. It is no \
              disk: no path, no heartbeat and no test and set is in question. Whether the server or the network between them failed, no line here tells.",
    next: "From the host: `vmkping` of the server's address, over the vmkernel port that NFS uses, and `esxcli storage nfs list`; the server's own log and load of those minutes; whether other hosts \
           lost it, too.",
    words: Words {
        title: "A file server was not reached for minutes, and the host fails the I/O of its datastore",
        layer: Layer::Fabric,
        what: "A datastore on a file server has no paths of its own: when the server does not answer, ESXi calls it down, waits, and after 140 seconds answers every request of machines with an \
               error until the server is back.",
        consequence: "Machines on that datastore stand still or turn their file systems read-only. What they had sent before may or may not be on the server.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look whether the server runs and serves that export, and whether its address answers from this host: links, VLAN, jumbo frames along the whole way, a failover of the server.",
            ),
            remedy(
                Risk::Interrupts,
                "When it is back, look into machines whose file system went read-only, and start them anew where they do not recover.",
            ),
        ],
    },
};

/// A file that was waited for.
pub(super) static FILE_SLOW: Told = Told {
    because: "The host's management service waited for minutes for a plain question about a file (IoTracker: `stat`, `access`, `open`): the datastore that the file lies on did not answer. The path \
              names it. Why, no line here tells.",
    next: "`vmkernel.log` and `vobd.log` of the same minutes: lost access, APD, latencies, reservations, locks of that datastore; and whether other hosts wait for it, too.",
    words: Words {
        title: "A datastore kept the host's management service waiting for minutes",
        layer: Layer::FileSystem,
        what: "hostd tells which file it waited for, and how long. A healthy datastore answers within a second; one that hangs holds hostd up until it looks dead, and with it everything that is \
               asked of the host.",
        consequence: "The host looks disconnected in vCenter, and tasks hang. Machines that run on other datastores go on.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find the datastore by the id in the path (`esxcli storage filesystem list`), and look at its device's paths and latency, or at its file server.",
            ),
            remedy(
                Risk::Interrupts,
                "Restart the management services only when the datastore answers again: before, they hang anew.",
            ),
        ],
    },
};

/// A write that VMFS does not try again.
pub(super) static WRITE_GIVEN_UP: Told = Told {
    because: "VMFS says that it could not write to a file, and tries no more: all its tries came to nothing. What that write held is not on the volume. Why the device did not take it stands in lines \
              from before this one.",
    next: "vmkernel.log of this host from ten minutes before: resets, aborts, lost paths and latencies of that device; the versions of the adapter's driver and firmware.",
    words: Words {
        title: "VMFS gave a write to a file up for good",
        layer: Layer::FileSystem,
        what: "VMFS tries a write again that was aborted or reset. After so many tries it gives it up, and tells the file.",
        consequence: "What was written is not in that file, and whoever wrote it was told of an error.",
        remedy: &[
            remedy(
                Risk::Looks,
                "See which file it is: one of the host's own (`.iormstats.sf`, a log) is made anew; for a machine's disk, look into the machine.",
            ),
            remedy(Risk::Looks, "Find what reset or aborted the device's commands before, and mend that."),
        ],
    },
};

/// A lock that VMFS does not hold any more.
pub(super) static LOCK_LOST: Told = Told {
    because: "VMFS says that it lost a lock on the disk that it had held: when it came back to the record, its own name did not stand there any more. Another host took it, as it may from a \
              host whose heartbeat stood still, or the record was damaged; which of the two, this line does not tell.",
    next: "vmkernel.log of this host from two minutes before (heartbeats of that volume, lost access, lost paths), and of the other hosts of the same volume in that minute: who broke the lock?",
    words: Words {
        title: "VMFS lost a lock on the disk that it had held",
        layer: Layer::FileSystem,
        what: "Each open file of VMFS has a lock record on the disk with its owner's name. The owner reads it again before it changes what the lock protects. Here another name, or none, stood in it.",
        consequence: "This host's right to the file is gone. If a machine runs from it here and on another host, both may have written to it.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find out where the machines of that volume run, and that none of them runs twice, before anything is started again.",
            ),
            remedy(
                Risk::Interrupts,
                "Stop what still runs from that file on this host, and mend what made its heartbeat stand still.",
            ),
        ],
    },
};

/// A change of metadata that the journal does not have.
pub(super) static JOURNAL_UNWRITTEN: Told = Told {
    because: "VMFS says that it could not write a change of its metadata into its journal: the write failed, or had no answer in its time. What the device answered stands in other lines.",
    next: "The SCSI errors, resets and lost paths of the volume's device in that minute (`grep ScsiDeviceIO vmkernel.log`), and whether access to the volume was lost.",
    words: Words {
        title: "VMFS could not write its journal",
        layer: Layer::FileSystem,
        what: "VMFS writes each change of its metadata into a journal of its own host first. Without it no file is made, grown or locked.",
        consequence: "The change was not made, or it is not known whether it was; the journal is replayed when the volume is next mounted. Data of running machines do not go through it.",
        remedy: &[remedy(
            Risk::Looks,
            "Find what the device answered to the writes of that minute, and mend that.",
        )],
    },
};

/// A volume that cannot be looked at.
pub(super) static HEADER_UNREAD: Told = Told {
    because: "ESXi says that it could not read the header, the partition table or the locks of a volume: the read failed, or had no answer in its time. What the device answered stands in other \
              lines.",
    next: "The SCSI errors and the paths of that device in the same minute (`grep ScsiDeviceIO vmkernel.log`, `esxcli storage core path list -d DEVICE`).",
    words: Words {
        title: "ESXi could not read the beginning of a volume",
        layer: Layer::HostQueue,
        what: "When a host looks for volumes, it reads the first blocks of every device that it sees. A device that answers inquiries and no reads is reserved by somebody, has no working path, or \
               is broken.",
        consequence: "The volume is not mounted on this host, or not seen.",
        remedy: &[remedy(
            Risk::Looks,
            "Find what the device answers to a read, and whether other hosts read it.",
        )],
    },
};
