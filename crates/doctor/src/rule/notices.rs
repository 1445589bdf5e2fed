//! What was noticed: lines that say plainly what is wrong, of which no cause of the catalogue speaks. Alone they are `cannot-tell` in their own
//! words; beside a finding they are named with it.

mod damage;
mod replicas;
mod vmware;

use oarlock_causes::{Layer, Remedy, Risk, Source};

use super::case::{Case, JUST_BEFORE_US};
use super::words::remedy;
use super::{Confidence, Proof, Words};
use crate::fact::{Fact, Kind, Notice};
use crate::incident::{Weight, weight};
use crate::scene::{before, near};

/// The incident told by what was noticed in it, where nothing of an atomic test and set, a heartbeat or a lock needs an explanation.
#[must_use]
pub fn proof<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let lines = case.all(|fact| notice(fact).is_some());
    // The most telling first.
    let first = lines.iter().filter_map(|fact| notice(fact)).min()?;
    let first = if refused_itself(first, &lines) { Notice::DamagedData } else { first };
    let says_more = |fact: &Fact| notice(fact).is_none() && weight(fact) > Weight::Context;
    // What failed in the end is told by whatever else failed before it.
    if first == Notice::DiskError && case.facts().any(says_more) {
        return None;
    }
    if !case.stakes().is_empty() {
        return None;
    }
    let (own, others): (Vec<_>, Vec<_>) = lines.into_iter().partition(|fact| notice(fact) == Some(first));
    let lines = own.into_iter().take(6).chain(others.into_iter().take(4)).collect();
    let told = told(first);
    let proof = Proof::new(Confidence::Possible, told.because, lines).in_words(&told.words);
    Some(proof.and_collect(told.next))
}

/// Whether a title says that what is on the disk is wrong, and by every further write more so: two copies that went apart, data that are damaged.
#[must_use]
pub fn is_wrong_on_the_disk(title: &str) -> bool {
    title == replicas::DIVERGED_TITLE || title == damage::TITLE
}

/// What else was noticed beside a finding that has other words: its titles.
#[must_use]
pub fn beside(case: &Case<'_>, own: Option<&Words>) -> Vec<&'static str> {
    // Of a request that failed, what stands beside it may be the reason.
    let mut notices: Vec<Notice> =
        case.facts().filter_map(notice).filter(|notice| *notice != Notice::DiskError).collect();
    notices.sort_unstable();
    notices.dedup();
    let others =
        notices.into_iter().map(words).filter(|words| own.is_none_or(|own| own.title != words.title));
    others.map(|words| words.title).collect()
}

/// Whether a file system found its own records damaged before it gave writes up: then it refused them, and no disk did.
fn refused_itself(first: Notice, lines: &[&Fact]) -> bool {
    let of = |wanted: Notice| lines.iter().copied().find(|fact| notice(fact) == Some(wanted));
    let order = of(Notice::DamagedData).zip(of(Notice::WritesLost));
    first == Notice::WritesLost
        && order.is_some_and(|(damaged, lost)| {
            damaged.device == lost.device && before(damaged, lost) && near(damaged, lost, JUST_BEFORE_US)
        })
}

fn notice(fact: &Fact) -> Option<Notice> {
    match fact.kind {
        Kind::Notice(notice) => Some(notice),
        _ => None,
    }
}

/// What is told of a notice.
struct Told {
    /// What the lines show.
    because: &'static str,
    /// What to collect.
    next: &'static str,
    /// What a report says of it.
    words: Words,
}

/// What is told of each.
fn told(notice: Notice) -> &'static Told {
    match notice {
        Notice::HeapExhausted => &HEAP_EXHAUSTED,
        Notice::VolumeFull => &VOLUME_FULL,
        Notice::DeviceLocked => &vmware::DEVICE_LOCKED,
        Notice::ServerLost => &vmware::SERVER_LOST,
        Notice::FileSlow => &vmware::FILE_SLOW,
        Notice::WriteGivenUp => &vmware::WRITE_GIVEN_UP,
        Notice::TargetHung => &TARGET_HUNG,
        Notice::WritesLost => &WRITES_LOST,
        Notice::WritesHeld => &WRITES_HELD,
        Notice::GatewayLock => &GATEWAY_LOCK,
        Notice::PathStates => &PATH_STATES,
        Notice::CopyFilter => &COPY_FILTER,
        Notice::MirrorLost => &MIRROR_LOST,
        Notice::Checksum => &CHECKSUM,
        Notice::NoGoodCopy => &NO_GOOD_COPY,
        Notice::QuorumLost => &QUORUM_LOST,
        Notice::NoLockspace => &NO_LOCKSPACE,
        Notice::HostIdTaken => &HOST_ID_TAKEN,
        Notice::RingFull => &RING_FULL,
        Notice::ProcessorStuck => &PROCESSOR_STUCK,
        Notice::Hung => &HUNG,
        Notice::ImageWatch => &IMAGE_WATCH,
        Notice::BlockError => &BLOCK_ERROR,
        Notice::DiskError => &DISK_ERROR,
        Notice::RaidLost => &replicas::RAID_LOST,
        Notice::Diverged => &replicas::DIVERGED,
        Notice::LockLost => &vmware::LOCK_LOST,
        Notice::JournalUnwritten => &vmware::JOURNAL_UNWRITTEN,
        Notice::HeaderUnread => &vmware::HEADER_UNREAD,
        Notice::MemberLost => &replicas::MEMBER_LOST,
        Notice::PeerLost => &replicas::PEER_LOST,
        Notice::JournalUnread => &replicas::JOURNAL_UNREAD,
        Notice::SasLog => &SAS_LOG,
        Notice::DamagedData => &damage::DAMAGED_DATA,
        Notice::FileChecksum => &damage::FILE_CHECKSUM,
    }
}

/// What a report says of it.
#[must_use]
pub fn words(notice: Notice) -> &'static Words {
    &told(notice).words
}

/// The kernel's client of Ceph and the lock of an image.
static IMAGE_WATCH: Told = Told {
    because: "The kernel's own client of Ceph (rbd) says that its watch on an image failed, or that it took the image's lock from another client. A watch ends where the connection to \
             the placement group is gone for long, or where the cluster shut this client out; whoever breaks a lock has its former owner shut out first. Writes that were under way \
             may have been executed.",
    next: "`ceph -s`, `ceph osd blocklist ls`, `rbd status POOL/IMAGE` (its watchers), `rbd lock ls POOL/IMAGE`, and this client's kernel log from two minutes before (`libceph:`).",
    words: Words {
        title: "The kernel's client of Ceph lost its watch on an image, or broke another's lock of it",
        layer: Layer::Fabric,
        what: "An image of Ceph that is mapped by the kernel (`/dev/rbd0`) has one owner of its lock at a time, and each client watches it, so that it can be asked for that lock. A client \
               whose watch fails cannot be asked; another that wants the image takes the lock, and shuts the former owner out.",
        consequence: "The former owner's writes end in errors from then on. What it had under way may have been executed.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look whether the cluster was reached in that minute, and whether this client stands on its blocklist (`ceph osd blocklist ls`).",
            ),
            remedy(
                Risk::Changes,
                "Map one image for writing on one host only, or with the option `exclusive`, so that no lock moves by itself.",
            ),
        ],
    },
};

/// An error of the block layer on a disk of this host, without a reason.
static DISK_ERROR: Told = Told {
    because: "The block layer of Linux says that requests to a disk of this host ended in an error, and not why: what the disk answered, or its driver gave up, is not among these lines.",
    next: "The whole kernel log of that host from two minutes before (time-outs, resets, sense data, a disk that went away), and what the disk says of itself (`smartctl -x`, `nvme smart-log`).",
    words: Words {
        title: "A disk of this host answered with errors, and nobody says why",
        layer: Layer::HostQueue,
        what: "The block layer prints one line for each request that failed in the end. Its reason stands in the lines of the disk's driver before it: sense data, a time-out, a disk that \
               went away. None of those is here.",
        consequence: "Reads failed. Where a write failed, what it held is not on the disk, and whoever wrote through a cache may not know it.",
        remedy: &[remedy(
            Risk::Looks,
            "Read the driver's lines before the first of these, and look whether the disk still answers, before anything is written to it.",
        )],
    },
};

/// An error of the block layer, without a reason.
static BLOCK_ERROR: Told = Told {
    because: "The block layer of Linux says that a request to a disk of Ceph, of a network or of a hypervisor ended in an error, and not why: no SCSI answer lies behind such a disk. Its server, \
             its cluster or its hypervisor knows more.",
    next: "The log of what serves the disk (Ceph, the NBD server, the hypervisor) in that minute, and the lines of the kernel just before.",
    words: Words {
        title: "A disk of Ceph, a network or a hypervisor answered with an error, and nobody says why",
        layer: Layer::HostQueue,
        what: "Such disks (rbd, nbd, virtio, Xen's) have no SCSI answer: their driver passes an error on, and the block layer prints its one line. When a disk is taken away while somebody \
               still reads it, the line is printed, too.",
        consequence: "The request failed, and whoever sent it was told. A write of it may have been executed.",
        remedy: &[remedy(Risk::Looks, "Read the log of what serves the disk, in that minute.")],
    },
};

/// The heap of VMFS.
static HEAP_EXHAUSTED: Told = Told {
    because: "VMFS itself says that its heap is at its maximum, or that memory could not be taken from it. No device, path or other host is in question.",
    next: "The release of ESXi, how many virtual disks are open on that host and how large they are together, and `esxcli system settings advanced list -o \
             /VMFS3/MaxHeapSizeMB`.",
    words: Words {
        title: "The host's memory for VMFS is used up",
        layer: Layer::HostQueue,
        what: "ESXi keeps what it knows of open files on VMFS in a heap of bounded size. When it is full, files cannot be opened or grow: machines do not start, migrate or \
               take snapshots, and volumes may not mount. Old releases have room for some terabytes of open virtual disks on each host.",
        consequence: "What needs more of that memory fails on this host alone; nothing on the disk is damaged.",
        remedy: &[
            Remedy {
                text: "Move machines with large virtual disks to other hosts, or raise VMFS3.MaxHeapSizeMB to the greatest value that the release has, and restart the host.",
                risk: Risk::Interrupts,
                source: Source::Broadcom(344_097),
            },
            remedy(Risk::Interrupts, "Update ESXi: newer releases need far less of it."),
        ],
    },
};

/// A volume without free space.
static VOLUME_FULL: Told = Told {
    because: "The file system itself says that no space is left on the volume. That is the volume's own free space; whether the pool below the LUN is full, too, \
             stands in other lines (7/27/7).",
    next: "`df -h` on the host, the volume's snapshots and swap files, and the physical space of the pool below the LUN.",
    words: Words {
        title: "The VMFS volume itself is full",
        layer: Layer::FileSystem,
        what: "No free block is left on the volume. Thin disks, snapshots, swap files and logs cannot grow; a machine that must write is halted with a question.",
        consequence: "Machines on that volume stop when they need a new block. What was written stays.",
        remedy: &[
            remedy(
                Risk::Changes,
                "Make room: delete or consolidate snapshots that nobody needs, move a machine away, or grow the volume; then answer the question of each machine.",
            ),
            remedy(
                Risk::Looks,
                "Look whether the pool below the LUN has space: where that is full, room on the volume does not help.",
            ),
        ],
    },
};

/// Linux's own target waits.
static TARGET_HUNG: Told = Told {
    because: "The kernel of the target shows its worker for aborts, resets or logins waiting without an end. Initiators get no answer to their aborts, and give up \
             more and more; which backend or command it waits for, the rest of the trace tells.",
    next: "The whole trace (`echo w > /proc/sysrq-trigger` on the target), the backend's own log of the minutes before, and the target's kernel version.",
    words: Words {
        title: "A worker of the storage target stands still",
        layer: Layer::Array,
        what: "Linux's own target carries out aborts and logins in workers of its kernel. One of them waits, mostly for a command that its backend does not bring to an end.",
        consequence: "Hosts get no answer over that target, give their commands up, and cannot log in again.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find what the backend waits for (its disks, its pool, its cluster) and mend that.",
            ),
            remedy(
                Risk::Interrupts,
                "Where nothing below is slow, move the hosts to another gateway or path, and restart the target; update its kernel.",
            ),
        ],
    },
};

/// Writes that the host does not let through.
static WRITES_HELD: Told = Told {
    because: "VMkernel refused a write because it holds all writes to that partition back (`write-quiesced`). It does so after trouble that it had with the partition before: a heartbeat that \
             was late, a reset, a path or an adapter that was lost. Which it was stands in lines from before this one, not in it.",
    next: "vmkernel.log of this host from ten minutes before the first line quoted here: heartbeats of that volume, lost access, resets, lost paths, latencies of that device; and the versions \
           of the adapter's driver and firmware, for some of them lead to this.",
    words: Words {
        title: "The host holds the writes to a partition back",
        layer: Layer::HostQueue,
        what: "ESXi lets no write through to a partition while it does not know what became of those before, or whether its own heartbeat there still stands. Reads go on.",
        consequence: "Machines on that volume stand still as soon as they write. What was refused so was not executed, and its sender knows it.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find what came before it, on this host and on others that share the volume: that is to be mended, and the writes go on by themselves.",
            ),
            remedy(
                Risk::Interrupts,
                "Where the writes stay held although heartbeats are confirmed again, move the machines away and restart the host.",
            ),
        ],
    },
};

/// An image's lock that cannot be taken.
static GATEWAY_LOCK: Told = Told {
    because: "The gateway tried to take the image's exclusive lock from another gateway, and did not get it: the number says as much of why as it knows (-110 is a time-out, -16 \
             that it is in use, -30 that this client may only read). Until it has the lock it serves nothing.",
    next: "`ceph -s`, `ceph osd blocklist ls`, `rbd lock ls POOL/IMAGE`, and the other gateway's log of the same minute.",
    words: Words {
        title: "A gateway could not take the image's lock",
        layer: Layer::Array,
        what: "Of several gateways before one image, the one that holds its exclusive lock serves it. To take over, a gateway breaks the other's lock and shuts it out; that \
               did not succeed: the storage cluster did not answer in time, or another gateway was faster.",
        consequence: "Commands over that gateway wait or fail until the lock is had.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look at the storage cluster's health first: slow or missing monitors and OSDs.",
            ),
            remedy(
                Risk::Changes,
                "Let hosts use one gateway for each image, and the other only when it fails (active/passive paths).",
            ),
        ],
    },
};

/// Path states that no array tells.
static PATH_STATES: Told = Told {
    because: "The host asked the target ports for their states (REPORT TARGET PORT GROUPS) and got no usable answer: it cannot tell good paths from bad ones any \
             more. Whether the ways are dead or the target does not know the question, these lines do not tell.",
    next: "`multipath -ll` and `sg_rtpg -d /dev/sdX` for one path of each controller, the kernel log before it, and the array's log of that minute.",
    words: Words {
        title: "The host cannot learn the states of its paths from the array",
        layer: Layer::Fabric,
        what: "With ALUA an array tells which of its ports serve a LUN best. The question failed, so multipathing falls back to treating all paths alike.",
        consequence: "Commands may go over paths that are slow or refuse them, and LUNs may be thrown from one controller to the other.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find which paths fail, and whether it is one controller's: `multipath -ll`, the sessions or ports of that host.",
            ),
            remedy(
                Risk::Changes,
                "Use the array vendor's section of multipath.conf; delete paths to LUNs that are not presented any more.",
            ),
        ],
    },
};

/// A filter of backup or replication.
static COPY_FILTER: Told = Told {
    because: "The filter that copies what a machine writes (for backup or replication) says that its own reads or writes were aborted or did not end in its time. \
             What slowed them is not said.",
    next: "The latency of the machine's datastore and of the replica's in that minute, and the log of the backup or replication product.",
    words: Words {
        title: "A backup or replication filter could not keep up, and gave up",
        layer: Layer::HostQueue,
        what: "A filter in the host copies what a machine writes, for backup or replication. Its own commands were aborted or took too long, so that it cancels its snapshot; \
               in some releases the host stops with it.",
        consequence: "That copy of the machine is not usable; the machine itself goes on unless the host stopped.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Look at the latency of the datastores in that minute: the filter waits for the same storage as the machine.",
            ),
            remedy(Risk::Changes, "Update ESXi and the product; copy fewer machines at once."),
        ],
    },
};

/// A mirror's connection.
static MIRROR_LOST: Told = Told {
    because: "Commands of a virtual disk failed because the connection that they go over was gone (`No connection`).",
    next: "vmkernel.log of both hosts from a minute before: which adapter, session or host was lost?",
    words: Words {
        title: "A virtual disk's commands failed: their connection was gone",
        layer: Layer::Fabric,
        what: "The host's mirror driver, which writes to two places while a disk is moved, lost the connection to one of them.",
        consequence: "The move fails. The machine stays where it was, if that side is well.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find which session, adapter or host was lost at that second, and why; the array's or target's log tells the other side.",
            ),
            remedy(Risk::Changes, "Move the disk again once the connection holds."),
        ],
    },
};

/// A checksum of vSAN.
static CHECKSUM: Told = Told {
    because: "vSAN computed another checksum than the one that was saved with the data: what the disk gave back is not what was written. vSAN reads such data from \
             another copy and repairs them; again and again on one disk or host, that disk, its controller or the host's memory fails.",
    next: "`esxcli vsan debug object health summary get`, which disk the component lies on, and that disk's SMART values and errors.",
    words: Words {
        title: "vSAN found data that do not fit their checksum",
        layer: Layer::Medium,
        what: "vSAN saves a checksum with each block and compares it when it reads. Here they differ: the disk, its controller or the host's memory changed the data.",
        consequence: "With another good copy the data are repaired from it. Without one, they are lost.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find the disk of the component that is named, and its errors; look at the health of its objects before anything is taken away.",
            ),
            remedy(
                Risk::Interrupts,
                "Replace a disk, a controller or memory that does it again, one host at a time.",
            ),
        ],
    },
};

/// No copy of DRBD.
static NO_GOOD_COPY: Told = Told {
    because: "DRBD says that neither its own disk nor its peer has good data for these sectors: its own is detached or failed, and the peer is not connected. Whoever \
             reads or writes there gets an error.",
    next: "`drbdadm status` on both nodes, and the kernel log of each from before the first of these lines: which disk was detached, and why.",
    words: Words {
        title: "The replicated disk has no good copy within reach",
        layer: Layer::Array,
        what: "DRBD keeps a disk on two nodes. The local one is gone or not up to date, and the other is not reached: no command can be carried out.",
        consequence: "Everything above that disk gets errors. Writes that were not acknowledged may be missing.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find which side has the newest data, before anything is connected or made primary by force.",
            ),
            remedy(
                Risk::Changes,
                "Mend the network between the nodes, or the disk that was detached, and let DRBD resynchronise.",
            ),
        ],
    },
};

/// I/O that DRBD holds back.
static QUORUM_LOST: Told = Told {
    because: "DRBD says that its node sees too few of the others to have a quorum: from now on it holds all I/O back (`susp-io`), or fails it. That is what it is told to do, so that no two sides \
             write; what was lost is a node or the network to it.",
    next: "`drbdadm status` on every node, the kernel log of each from a minute before (`PingAck`, `conn(`), and whether the others are off or only not reached.",
    words: Words {
        title: "The replicated disk holds all I/O back: it lost its quorum",
        layer: Layer::Fabric,
        what: "DRBD keeps a disk on several nodes. A node that does not see enough of them stops all I/O, and goes on by itself when they are back.",
        consequence: "Everything above that disk stands still. Nothing is lost by that; with the policy `io-error` the commands fail instead.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find which nodes are missing, and whether they are off or only cut off: two sides that are both forced on become two disks.",
            ),
            remedy(
                Risk::Changes,
                "Mend the network between the nodes, or start the missing ones: I/O goes on by itself.",
            ),
        ],
    },
};

/// Writes of the kernel's cache.
static WRITES_LOST: Told = Told {
    because: "The kernel says that it gave writes up which it had taken from applications: pages of its cache that the disk below refused, or a journal that it could not \
              write. What they held is nowhere else.",
    next: "The kernel's log of the minutes before: which disk refused, and with what sense data? And what the file system says since (`dmesg`, `fsck -n` while it is not mounted).",
    words: Words {
        title: "The kernel gave up writes that it had taken",
        layer: Layer::FileSystem,
        what: "Linux answers most writes from its cache and sends them later. Where the disk then refuses them, it drops the pages; a file system whose journal cannot be written \
               goes read-only.",
        consequence: "What was written last is lost, also for applications that were told that it was written, unless they asked again (`fsync`). The disk below decides why.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Find what the disk below said: space, medium, or a lost way. Nothing is gained by mounting it again before that.",
            ),
            remedy(
                Risk::Changes,
                "When the disk answers again: check the file system while it is not mounted, and restore what applications miss.",
            ),
        ],
    },
};

/// A lock space that is not started.
static NO_LOCKSPACE: Told = Told {
    because: "lvmlockd answered -210 (no such lock space, in its sources ENOLS): the lock space of the volume group, or the one that holds the global lock, is not \
             started on this host. Nothing was refused by a disk.",
    next: "`vgchange --lock-start`, `lvmlockctl -i`, `sanlock client status` on that host, and lvmlockd's log since its start.",
    words: Words {
        title: "The lock manager has no such lock space on this host",
        layer: Layer::FileSystem,
        what: "Shared volume groups take their locks in a lock space, which each host joins after its start. This host did not join it, or lost it.",
        consequence: "LVM's commands on that group fail here. Nothing is damaged.",
        remedy: &[
            remedy(
                Risk::Changes,
                "Start it: `vgchange --lock-start VG`, and see that lvmlockd and sanlock (or dlm) run before it.",
            ),
            remedy(
                Risk::Looks,
                "Where it was lost, read sanlock's log: leases that could not be renewed end it.",
            ),
        ],
    },
};

/// One number for two hosts.
static HOST_ID_TAKEN: Told = Told {
    because: "sanlock watched the record of its own host number and saw another owner renew it (in its sources, -262: the host number is busy): two hosts are set up with one number. It \
              takes no lease that way, and does not join the lock space.",
    next: "`sanlock client host_status -D` on a host that joined, and the host number of each host (`host_id` in lvmlocal.conf; oVirt and libvirt have settings of their own).",
    words: Words {
        title: "Another living host uses this host's number in the lock space",
        layer: Layer::FileSystem,
        what: "sanlock gives each host a number, and by it a record on the disk that this host alone renews. Before it takes one it looks whether somebody renews it: here somebody does.",
        consequence: "This host gets no leases: what needs a lock does not start on it. The other host is not harmed, and nothing is damaged.",
        remedy: &[remedy(
            Risk::Changes,
            "Give each host a number of its own, on the host that joined last; a clone of a host has the number of the one that it was made of.",
        )],
    },
};

/// A driver's ring.
static RING_FULL: Told = Told {
    because: "The adapter's driver says that it had no room for a further command (IOCBs): commands come faster than the adapter completes them, or it completes none \
             any more.",
    next: "Driver and firmware of the adapter, to compare with the vendor's matrix, and the queue depths that are set.",
    words: Words {
        title: "The adapter's driver ran out of room for commands",
        layer: Layer::Hba,
        what: "A driver hands its adapter commands through a ring. The ring was full: the adapter did not take or complete them as fast as they came.",
        consequence: "Commands wait or are sent again; a driver that waits in the wrong place can hold a processor until the host stops.",
        remedy: &[
            remedy(
                Risk::Interrupts,
                "Update driver and firmware of the adapter together, to the versions of the vendor's matrix.",
            ),
            remedy(
                Risk::Looks,
                "Look at the link and the fabric of that adapter: commands that never end fill the ring.",
            ),
        ],
    },
};

/// A processor without a sign of life.
static PROCESSOR_STUCK: Told = Told {
    because: "The VMkernel says that one of its processors gave no sign of life. Whatever that host did then, heartbeats too, stood still; whether a driver held the \
             processor, the trace behind that line tells.",
    next: "The whole screen or core dump of that moment, and versions of the drivers of adapters.",
    words: Words {
        title: "A processor of the host stood still",
        layer: Layer::HostQueue,
        what: "The VMkernel's processors watch one another. One gave no sign of life: something held it, a driver most often, or the hardware failed.",
        consequence: "The host may stop. Its heartbeats stand still meanwhile, and other hosts may take its locks once they have run out.",
        remedy: &[remedy(
            Risk::Looks,
            "Read what that processor did (the trace on the screen or in the core dump), and give it to the vendor of the driver that it names.",
        )],
    },
};

/// A task that hangs.
static HUNG: Told = Told {
    because: "The kernel says that a task has waited for minutes and cannot be interrupted: nearly always it waits for a disk, a network file system or another host. \
             Which one, the trace behind that line and the messages before it tell.",
    next: "The kernel log from three minutes before (errors of disks, links, sessions, NFS), and the trace of the task.",
    words: Words {
        title: "A task on the host waited for minutes, most likely for storage",
        layer: Layer::HostQueue,
        what: "Linux reports tasks that wait in a state in which nothing can interrupt them: for a disk, a network file system, a lock of the kernel.",
        consequence: "Whatever needs the same disk waits too. Nothing is lost by the waiting itself.",
        remedy: &[
            remedy(
                Risk::Looks,
                "Read the lines before it: links, sessions, aborts, slow disks; and the trace for what it waits for.",
            ),
            remedy(
                Risk::Looks,
                "Look whether the device answers now: `iostat -x 1`, a direct read of one block.",
            ),
        ],
    },
};

/// A controller's own code.
static SAS_LOG: Told = Told {
    because: "The firmware of a SAS controller reports by number what it met on a link or with a disk: retries, lost links, aborted commands. A few are everyday; with \
             commands that fail at the same second, look at that disk, its cable and its slot.",
    next: "The kernel log around these lines: which disk failed a command at that second; `smartctl -x` of it, and the controller's own tool.",
    words: Words {
        title: "A SAS controller reports trouble on a link or with a disk",
        layer: Layer::Hba,
        what: "The firmware logs by a number what it met: who found it (originator), a code and a sub-code.",
        consequence: "None by itself, where no command failed at the same second.",
        remedy: &[remedy(
            Risk::Looks,
            "Find which disk or slot: the kernel's lines beside it, the controller's tool, the enclosure's lights. Reseat or replace cable or disk if it goes on.",
        )],
    },
};
