//! What a fact means to a person: in words, and what to look at next. Where public sources disagree, both readings.

use crate::fact::{
    ClusterStep, FabricEvent, GatewayStep, HeartbeatStep, Kind, LockStep, Notice, PathEvent, SpaceEvent,
    Support, TargetStep, TaskKind, TaskOutcome, VolumeEvent,
};

/// What one fact means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// What it is about: the field's name.
    pub about: &'static str,
    /// What it says.
    pub says: &'static str,
    /// What to look at next, for one line says little.
    pub next: &'static str,
}

const fn meaning(about: &'static str, says: &'static str, next: &'static str) -> Meaning {
    Meaning { about, says, next }
}

const BEFORE: &str = "Look at the minute before it on the same host, path and LUN: what came first is the cause, the rest follows.";
const RENEWALS: &str = "Look at what the storage said in the seconds before: late or failed reads and writes of the lease's device, paths that went.";
const WRITERS: &str =
    "Dump the block before anything else, and find who wrote it; overwrite nothing blindly.";
const OWN_SLOT: &str = "A slot belongs to one host, so that this is normally no contention: look for an earlier test and set of this host without an \
                        answer (H:0x5, H:0x3, H:0x8) and for a host that fenced it; collect a dump of the slot.";
const RIVALS: &str = "A lock belongs to everybody: normally another host was first. `vmkfstools -D FILE` names the owner by its MAC address.";
const HOSTS_LOGS: &str = "Lay the initiators' logs of the same seconds beside it: which command it was, and what its host did then.";

/// What a fact means; `None` for commands, whose fields speak, and for figures.
pub(super) fn of(kind: &Kind) -> Option<Meaning> {
    Some(match kind {
        Kind::Task { task, outcome } => meaning("task", task_says(*task, *outcome), task_next(*outcome)),
        Kind::Path(event) => meaning("path event", path_says(*event), BEFORE),
        Kind::Fabric(event) => meaning(
            "fabric",
            fabric_says(*event),
            "Look for the device or link that drains slowly: the ports' counters on the switch, and aborts over many LUNs at once.",
        ),
        Kind::Heartbeat(heartbeat) => {
            meaning("heartbeat", heartbeat_says(heartbeat.step), heartbeat_next(heartbeat.step))
        }
        Kind::Lock(lock) => meaning("lock", lock_says(lock.step), lock_next(lock.step)),
        Kind::Slot(_) => SLOT,
        Kind::LockDump(_) => LOCK,
        Kind::Target(step) => meaning("target", target_says(*step), HOSTS_LOGS),
        Kind::Gateway(step) => meaning("gateway", gateway_says(*step), gateway_next(*step)),
        Kind::Space(event) => meaning(
            "space",
            space_says(*event),
            "Look at the physical space of the pool or aggregate on the array, not at what the volume shows.",
        ),
        Kind::Support(support) => meaning(
            "support of ATS",
            support_says(*support),
            "`esxcli storage core device vaai status get` and `esxcli storage vmfs lockmode list` on every host that shares the volume.",
        ),
        Kind::Cluster(step) => meaning("cluster", cluster_says(*step), cluster_next(*step)),
        Kind::Latency { .. } => meaning(
            "latency",
            "the device's average latency changed; averages hide the one slow heartbeat",
            "Look for the load or the slow disk at that minute: esxtop in batch mode (DAVG, KAVG), the array's own figures.",
        ),
        Kind::ReservationConflicts => meaning(
            "reservation",
            "a SCSI reservation of another host forbids the command",
            "Find the owner, and clear it only once that host is proved dead (KB 1005009).",
        ),
        Kind::Snapshot => meaning(
            "copy",
            "the device's identity is not the one in the volume's metadata: it is a copy of another LUN, or the LUN's identity was changed",
            "`esxcli storage vmfs snapshot list`; mount or resignature nothing before it is known which one is the original.",
        ),
        Kind::Notice(notice) => of_a_notice(*notice),
        Kind::Volume(event) => meaning("volume", volume_says(*event), BEFORE),
        Kind::HostId(_) => HOST_ID,
        Kind::Listed => LISTED,
        Kind::Medium => meaning(
            "medium",
            "the medium or the device's own hardware failed",
            "The array's or the disk's own log and SMART values; one host only, or all?",
        ),
        Kind::AdapterFault => meaning(
            "adapter",
            "the adapter or its driver fails by its own account",
            "Firmware and driver of the adapter, as one pair from the vendor's matrix; the lines before on the same vmhba or host.",
        ),
        Kind::OwnImage => meaning("image", "a writer met the image that it had put there itself", OWN_SLOT),
        Kind::StaleImage => meaning(
            "image",
            "what the writer had read was not what stands on the disk: a cache lies between",
            "Read the block directly (O_DIRECT, SG_IO) on every host, and compare.",
        ),
        Kind::Restart => meaning("restart", "the host started, stopped or crashed", BEFORE),
        Kind::Oarlock(_) => meaning("event", "an Oarlock host names the cause itself", BEFORE),
        Kind::Version(_) => COMPONENT,
        Kind::Queue(_) | Kind::Setting(_) | Kind::Command(_) => return None,
    })
}

/// What `esxcli system uuid get` prints.
const HOST_ID: Meaning =
    meaning("host", "a host told its own id, as it stands in heartbeat slots and locks", BEFORE);
/// What a list of paths says.
const LISTED: Meaning =
    meaning("path", "a list of a host says over which path it reaches the device", BEFORE);
/// What a version is good for.
const COMPONENT: Meaning = meaning(
    VERSION,
    "a component and its version; it matters where an advisory names it",
    "`oarlock doctor` over the whole log compares it with the published faults.",
);
/// A component, whose parts are fields of their own.
pub(super) const VERSION: &str = "version";
/// Of a slot that is dumped, or printed without a word of what became of it.
pub(super) const SLOT: Meaning = meaning("heartbeat slot", "a slot of the heartbeat region", OWN_SLOT);
/// Of a lock record.
pub(super) const LOCK: Meaning = meaning(
    "lock record",
    "a lock record: who holds it, and by which heartbeat slot. Its owner lives while that slot's stamp moves",
    RIVALS,
);

/// Of a line that is known and says nothing about any trouble.
pub(super) const USUAL: Meaning = meaning(
    "message",
    "known here, and usual: by itself it says nothing about a false or late test and set",
    "If something is wrong, other lines say so: give the whole log.",
);

fn of_a_notice(notice: Notice) -> Meaning {
    let words = crate::rule::notices::words(notice);
    meaning("notice", words.what, words.remedy.first().map_or(BEFORE, |remedy| remedy.text))
}

fn volume_says(event: VolumeEvent) -> &'static str {
    match event {
        VolumeEvent::Made => "a volume was made: what bore its label before is another",
        VolumeEvent::Resignatured => {
            "a copy of a volume was given an identity and a label of its own, as was ordered"
        }
        VolumeEvent::LiesOn => "a list of a host says on which device the volume lies",
        VolumeEvent::WantedCopy => {
            "a copy of a volume was found, and given an identity of its own soon after"
        }
    }
}

fn task_says(task: TaskKind, outcome: TaskOutcome) -> &'static str {
    use TaskKind::{Abort, DeviceReset, VirtualReset, WiderReset};
    match (task, outcome) {
        (_, TaskOutcome::Ordered) => {
            "a person or a script ordered a reset: every command that is out to the device is lost, whoever sent it, and its outcome is not known"
        }
        (Abort, TaskOutcome::Issued) => {
            "an abort of one command was asked for: whoever sent the command waited too long. Whether the command was executed is not said"
        }
        (Abort, TaskOutcome::Done) => {
            "an abort was answered as done. Read strictly (SAM-5, 7.2) the command is over, executed or not, and will do nothing more; a \
             target that answers too early may still execute it"
        }
        (Abort, TaskOutcome::Failed) => {
            "an abort was refused: the command may still be executed. Two readings: the target does not know the function, or the command was gone already"
        }
        (Abort, TaskOutcome::Pending) => {
            "an abort does not come to its end: the command may still be executed"
        }
        (Abort, TaskOutcome::AlreadyComplete) => {
            "the command to be aborted was complete. Two readings: it was executed and its answer was lost or late, so that its effect \
             stands on the disk; or it had never arrived"
        }
        (VirtualReset, _) => {
            "commands of one virtual disk or world were given up; other machines are not touched"
        }
        (DeviceReset, _) => {
            "the logical unit was reset: every command to it is lost, whoever sent it, and each may have been executed"
        }
        (WiderReset, _) => {
            "a target, bus, controller or adapter was reset: every command on it is lost, and each may have been executed"
        }
    }
}

fn task_next(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::AlreadyComplete | TaskOutcome::Failed => {
            "If it was an atomic test and set (0x89), the host's next one may meet the host's own image: look for a miscompare right behind it."
        }
        _ => BEFORE,
    }
}

fn path_says(event: PathEvent) -> &'static str {
    match event {
        PathEvent::LinkDown => "a link went down",
        PathEvent::LinkUp => "a link came up: before, it was down",
        PathEvent::FabricChange => {
            "the fabric says that something changed (RSCN, a new login). Two readings: an everyday change elsewhere, or this path's own port that flaps"
        }
        PathEvent::Failed => "a path failed: commands under way on it have no answer",
        PathEvent::Restored => "a path, port or session came back: before, it was gone",
        PathEvent::InDoubt => {
            "the state of a path or device is in doubt: a command failed in a way that may be the path's fault, and it is being looked at"
        }
        PathEvent::SessionLost => {
            "a session, login or connection was lost: commands under way on it have no answer"
        }
        PathEvent::AllDown => "no path to the device works: commands wait or fail",
        PathEvent::PermanentLoss => {
            "the device is gone for good: the array itself said so (PDL), or the system took it away"
        }
        PathEvent::Failover => "I/O moved to another path",
        PathEvent::Offline => {
            "the system took the device out of use and refuses commands to it. Why it did stands before this line, if anywhere"
        }
        PathEvent::GivenUp => {
            "the driver of a bus within this host gave the disk up: it or its cable does not answer"
        }
        PathEvent::Unplugged => {
            "a device was taken off a bus of this host, as when it is unplugged or loses its power"
        }
        PathEvent::NetworkLink => {
            "a network card's link went down or up: whether storage goes over this card the line does not say"
        }
    }
}

fn fabric_says(event: FabricEvent) -> &'static str {
    match event {
        FabricEvent::Congestion => {
            "congestion: more is sent over a link than it carries, or a device takes too little"
        }
        FabricEvent::CreditStall => {
            "frames wait for buffer credits: something behind the link drains too slowly"
        }
        FabricEvent::LinkIntegrity => "a link makes errors: optics, cable or port",
        FabricEvent::Dropped => "frames were thrown away: their commands have no answer",
        FabricEvent::Clear => "the congestion is over",
    }
}

fn heartbeat_says(step: HeartbeatStep) -> &'static str {
    match step {
        HeartbeatStep::TimedOut => "a heartbeat is late: its I/O was not done within 8 seconds (KB320840)",
        HeartbeatStep::ReclaimFailed => "the host tried to take its own slot again, and failed",
        HeartbeatStep::Reclaimed => "the host took its own slot again: before, a heartbeat was late",
        HeartbeatStep::LostAccess => {
            "the host has had no heartbeat on this volume for 16 seconds (KB320840), and stops using it; it tries again every second"
        }
        HeartbeatStep::Restored => "the host has its heartbeat on this volume again",
        HeartbeatStep::Miscompare => {
            "an atomic test and set of a heartbeat slot was false: on the disk stood another image than the one that was to be tested"
        }
        HeartbeatStep::Corrupt => {
            "the slot on the disk is damaged: every test and set of it fails until it is repaired"
        }
        HeartbeatStep::TakenOver => "a slot was cleared or taken over: its host counts as dead to the others",
        HeartbeatStep::CleanedUp => {
            "this host cleans up behind another that counts as dead: it marks that one's slot, replays its journal and frees its locks"
        }
        HeartbeatStep::Changed => {
            "the slot is in another state than this host left it in: somebody else wrote it"
        }
    }
}

fn heartbeat_next(step: HeartbeatStep) -> &'static str {
    match step {
        HeartbeatStep::Miscompare | HeartbeatStep::Changed | HeartbeatStep::TakenOver => OWN_SLOT,
        HeartbeatStep::Corrupt => WRITERS,
        _ => BEFORE,
    }
}

fn lock_says(step: LockStep) -> &'static str {
    match step {
        LockStep::CheckingLiveness => "the host looks whether the lock's owner lives: everyday",
        LockStep::NotFree => "the lock is held, and its owner lives: the usual contention of hosts",
        LockStep::Breaking => "the owner counts as dead, and its lock is taken over",
        LockStep::Failed => "taking or breaking the lock failed for another reason than a living owner",
        LockStep::Miscompare => {
            "an atomic test and set of a lock record was false: somebody had written it since it was read"
        }
        LockStep::Stale => "an optimistic lock met a newer version of the record: another host was first",
        LockStep::Corrupt => "the record on the disk is damaged",
    }
}

fn lock_next(step: LockStep) -> &'static str {
    match step {
        LockStep::Corrupt => WRITERS,
        LockStep::Failed => BEFORE,
        _ => RIVALS,
    }
}

fn target_says(step: TargetStep) -> &'static str {
    match step {
        TargetStep::Miscompare => {
            "the target compared, and the block was not equal: it answered an atomic test and set with false. It does not say who wrote what stands there"
        }
        TargetStep::FusedSplit => {
            "the halves of a fused pair of NVMe (compare, write) were not executed as one, or the second failed because the first had: the \
             first is a fault, the second is usual after a miscompare"
        }
        TargetStep::SlowBackend => "the target's own storage is slow, by its own account",
        TargetStep::BackendError => "the target's own storage failed",
        TargetStep::CacheLost => {
            "the target lost what was in its write cache: blocks may be older than what was acknowledged"
        }
        TargetStep::SessionLost => "a session ended or was reinstated: its commands have no answer",
        TargetStep::InitiatorSilent => {
            "the initiator had announced data and did not send them (RFC 7143): the fault is the initiator's or the network's, not the storage's"
        }
        TargetStep::Noise => "an initiator asks for what is not there, or must not have: usual",
    }
}

fn gateway_says(step: GatewayStep) -> &'static str {
    match step {
        GatewayStep::LockAcquired => {
            "the gateway took the image's exclusive lock: once is usual, again and again is a fight of two gateways"
        }
        GatewayStep::LockLost => "the gateway lost the image's exclusive lock to another",
        GatewayStep::Blocklisted => "the gateway was shut out by its cluster: its writes are refused",
        GatewayStep::Shutdown => {
            "the gateway's backend is shut down: Ceph gave its client the error ESHUTDOWN, as it does after shutting it out"
        }
    }
}

fn gateway_next(step: GatewayStep) -> &'static str {
    match step {
        GatewayStep::LockAcquired | GatewayStep::LockLost => {
            "Count how often it changes hands: initiators must use one gateway at a time (active/passive paths)."
        }
        _ => "The log of the other gateways and of the cluster at that time: who shut it out, and why.",
    }
}

fn space_says(event: SpaceEvent) -> &'static str {
    match event {
        SpaceEvent::Warning => "space below the device runs short: a threshold is crossed",
        SpaceEvent::Full => {
            "no space is left below the device: writes fail, whatever free space the volume shows"
        }
    }
}

fn support_says(support: Support) -> &'static str {
    match support {
        Support::Yes => "the device says in its own pages that it supports atomic test and set",
        Support::No => "the device does not support atomic test and set, or it is switched off",
        Support::NeededByVolume => {
            "the volume locks by atomic test and set only, and the device does not do it (now)"
        }
        Support::MixedModes => {
            "hosts lock one volume in different modes: they do not see each other's locks as they should"
        }
    }
}

fn cluster_says(step: ClusterStep) -> &'static str {
    match step {
        ClusterStep::Healthy => "usual work of the lock manager",
        ClusterStep::RenewalLate => {
            "a lease could not be renewed in time: the lease's device was slow, or did not answer"
        }
        ClusterStep::RenewalFailed => {
            "a lease could not be renewed: the lock manager got an error, or a record that it does not accept. Two readings: the lease's device failed, or what stands there is not this lockspace"
        }
        ClusterStep::LeaseLost => {
            "a lease ran out, or the host gives up: what it protects is stopped on this host"
        }
        ClusterStep::Watchdog => {
            "the watchdog is about to reset this host, or did: that is how a host fences itself"
        }
        ClusterStep::HeldElsewhere => "a lock was refused because another host holds it",
        ClusterStep::Busy => "another host holds the lease, or was quicker: the usual race",
        ClusterStep::Fenced => "a host was fenced",
        ClusterStep::FencePlanned => "a host is to be fenced: whether it was, another line says",
        ClusterStep::FenceFailed => {
            "a fence did not succeed: the host that it was to hit may still run, and write"
        }
        ClusterStep::OtherOwner => {
            "another host's record stands where this host's own lease was: it was taken over, or two hosts were given one host id"
        }
        ClusterStep::MemberLost => {
            "a member left the cluster's membership: it died, or the network between them did"
        }
        ClusterStep::BadRecord => "a record on the disk is damaged: its checksum or magic does not fit",
        ClusterStep::StrangeRecord => {
            "what stands where a record should be begins with a number that no record of the lock manager has: something else wrote there, or the offset is wrong"
        }
        ClusterStep::OtherRecord => {
            "the record is not the one that was asked for: of another name, kind or geometry, or never initialised. It is not damaged for that"
        }
        ClusterStep::Paused => {
            "the stack's own process did not run for a while: processor, memory or a paused virtual machine, not storage"
        }
    }
}

fn cluster_next(step: ClusterStep) -> &'static str {
    match step {
        ClusterStep::BadRecord => WRITERS,
        ClusterStep::OtherRecord => {
            "Compare the configured lockspace, device and offset with what stands there; initialise nothing blindly."
        }
        ClusterStep::FenceFailed => {
            "See that that host is off, by its power or by hand, before anything of it is started elsewhere."
        }
        ClusterStep::OtherOwner => {
            "Compare the host ids that are configured on all hosts (`host_id`), and read who owns the record now (`sanlock client read -s`)."
        }
        ClusterStep::Fenced | ClusterStep::FencePlanned | ClusterStep::MemberLost => {
            "Find out why the host was silent: its own log of the minute before, and the storage's."
        }
        ClusterStep::Paused => "The host's load, memory and steal time at that minute.",
        ClusterStep::Busy | ClusterStep::HeldElsewhere | ClusterStep::Healthy => USUAL.next,
        _ => RENEWALS,
    }
}
