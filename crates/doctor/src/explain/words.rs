//! Words and numbers in a line that mean something by themselves: who wrote it, and codes of other programs.

use crate::fact::{LockRecord, SlotImage, SlotState, Uuid};
use crate::text::{after, has, holds, position};

use super::Field;

/// Who writes so: the words, the name, and what it is. The first that fits counts.
const WRITERS: [(&str, &str, &str); 46] = [
    ("HBX: ", "HBX", "VMFS's heartbeats in the VMkernel: each host writes its own slot every 3 seconds"),
    ("HB image", "VMFS", "its heartbeats: each host writes its own slot every 3 seconds"),
    ("DLX: ", "DLX", "VMFS's locks on the disk, in the VMkernel"),
    ("FS3", "FS3", "the file system VMFS, in the VMkernel"),
    (
        "ScsiDeviceIO: ",
        "ScsiDeviceIO",
        "the VMkernel's SCSI layer, above multipathing: a command that failed in the end",
    ),
    ("NMP: ", "NMP", "VMware's multipathing: one attempt of a command on one path"),
    ("HPP: ", "HPP", "VMware's high-performance multipathing: one attempt of a command on one path"),
    ("NVMEIO", "NVMEIO", "the VMkernel's NVMe layer: one command as the controller answered it"),
    ("VMW_SATP", "SATP", "VMware's knowledge of one type of array: it tells which paths are active"),
    ("[vob.", "vobd", "VMware's observer: it repeats what the VMkernel saw, as an event"),
    ("[esx.", "vobd", "VMware's observer: it repeats what the VMkernel saw, as an event for vCenter"),
    ("LVM: ", "LVM", "VMware's volume manager (not Linux's): it looks which devices hold which volumes"),
    ("iscsi_vmk", "iscsi_vmk", "VMware's software iSCSI initiator"),
    ("nfnic", "nfnic", "Cisco's FCoE driver of ESXi"),
    ("fnic", "fnic", "Cisco's FCoE driver"),
    ("qlnativefc", "qlnativefc", "QLogic's (Marvell's) Fibre Channel driver of ESXi"),
    ("qla2xxx", "qla2xxx", "QLogic's (Marvell's) Fibre Channel driver of Linux, as initiator or as target"),
    ("lpfc", "lpfc", "Emulex's (Broadcom's) Fibre Channel driver"),
    (
        "lvmlockd",
        "lvmlockd",
        "LVM's lock daemon: it gets the locks of shared volume groups from sanlock or dlm",
    ),
    ("wdmd", "wdmd", "the watchdog daemon under sanlock: it resets the host where leases cannot be renewed"),
    ("sanlock", "sanlock", "leases on a shared disk, renewed by reads and writes; no COMPARE AND WRITE"),
    ("delta_renew", "sanlock", "leases on a shared disk, renewed by reads and writes; no COMPARE AND WRITE"),
    ("paxos_", "sanlock", "leases on a shared disk, by Disk Paxos: reads and writes; no COMPARE AND WRITE"),
    ("verify_leader", "sanlock", "leases on a shared disk: it looks at a record before it trusts it"),
    ("corosync", "corosync", "the cluster's membership, over the network"),
    ("pacemaker-fenced", "pacemaker-fenced", "the cluster's fencing"),
    ("stonith-ng", "stonith-ng", "the cluster's fencing (its older name)"),
    ("pacemaker", "pacemaker", "the cluster's resource manager"),
    ("sbd", "sbd", "fencing through messages on a shared disk, with a watchdog"),
    ("multipathd", "multipathd", "Linux's daemon that watches paths"),
    ("device-mapper: multipath", "dm-multipath", "Linux's multipathing in the kernel"),
    ("device-mapper: thin", "dm-thin", "Linux's thin pools in the kernel"),
    ("iscsid", "iscsid", "Linux's iSCSI initiator"),
    ("tcmu", "tcmu-runner", "a target of Linux in user space, before Ceph or other backends"),
    ("ABORT_TASK:", "LIO", "Linux's own target, in the kernel"),
    ("LUN_RESET:", "LIO", "Linux's own target, in the kernel"),
    ("TARGET_CORE", "LIO", "Linux's own target, in the kernel"),
    ("Detected MISCOMPARE", "LIO", "Linux's own target, in the kernel"),
    ("Send MISCOMPARE", "LIO", "Linux's own target, in the kernel"),
    ("DataOut timeout", "LIO", "Linux's own target, in the kernel"),
    ("scst", "SCST", "a target of Linux in the kernel, from outside of it"),
    ("tgtd:", "tgt", "a target of Linux in user space"),
    ("nvmf_", "SPDK", "a target in user space"),
    ("bdev_nvme", "SPDK", "a target in user space, as initiator of NVMe"),
    ("hostbyte=", "sd", "Linux's SCSI layer"),
    ("nvme", "nvme", "Linux's NVMe layer"),
];

/// Who wrote a line, as its words tell.
pub(super) fn writer(line: &str) -> Option<Field> {
    let (_, name, what) = WRITERS.iter().find(|(word, ..)| has(line, word))?;
    Some(field("written by", name, what))
}

pub(super) fn field(name: &str, value: &str, meaning: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned(), meaning: meaning.to_owned() }
}

/// Answers of sanlock (its header sanlock_rv.h) and of the kernel below it.
const SANLOCK: [(&str, &str); 22] = [
    (
        "-202",
        "the read or write was not done within the I/O timeout (10 seconds by default): nobody knows whether it was or will be",
    ),
    ("-210", "the blocks of the other hosts could not be read"),
    ("-211", "this host's block could not be written"),
    ("-212", "another host has a newer version of the lease: the usual race"),
    ("-213", "another host has a higher ballot: the usual race"),
    ("-214", "a host's block has a wrong checksum"),
    ("-220", "the leader record could not be read"),
    ("-221", "the leader record could not be written"),
    ("-222", "the leader records of the disks differ"),
    ("-223", "no leader record stands there: another magic, or never initialised"),
    ("-224", "the leader record has another version"),
    ("-225", "the leader record is for another size of sector"),
    ("-226", "the leader record belongs to another lockspace"),
    ("-227", "the leader record belongs to another resource"),
    ("-228", "the leader record is for another number of hosts"),
    ("-229", "the leader record's checksum does not fit"),
    ("-243", "another host holds the lease, and lives: the usual answer to the second who asks"),
    ("-244", "the lease is held by a host that may be dead: it will run out"),
    ("-245", "another host holds the lease"),
    ("-260", "the lease of this host's id has another owner"),
    ("-261", "the record of this host's id is not as this host left it: another host uses the same id"),
    ("-262", "the host's id is in use by another host"),
];

/// Codes and figures of lock managers.
pub(super) fn figures(line: &str, fields: &mut Vec<Field>) {
    let number = |mark: &str| -> Option<&str> {
        let rest = after(line, mark)?;
        let end = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '-' || letter == '.'));
        Some(&rest[..end.unwrap_or(rest.len())])
            .filter(|number| number.contains(|letter: char| letter.is_ascii_digit()))
    };
    let sanlock = ["sanlock", "delta_", "paxos_", "renewal", "cmd_acquire", "leader", "lockspace"];
    if sanlock.iter().any(|word| has(line, word)) {
        let code = ["rv ", "error ", "renewal error "].iter().find_map(|mark| number(mark));
        if let Some((code, says)) = code.and_then(|code| SANLOCK.iter().find(|(known, _)| *known == code)) {
            fields.push(field("sanlock's answer", code, says));
        }
        if let Some(length) = number("delta_length ") {
            fields.push(field(
                "delta_length",
                length,
                "seconds that this renewal took; a healthy one takes less than one",
            ));
        }
        if let Some(last) = number("last_success ") {
            let says = "when the last renewal succeeded, in seconds of the host's monotonic clock; about 80 seconds later the lease is lost (io_timeout 10)";
            fields.push(field("last_success", last, says));
        }
    }
    if let Some(pause) = number("was not scheduled for ") {
        fields.push(field("pause", pause, "milliseconds in which the process did not run"));
    }
    if let Some(tag) = after(line, "ref_tag: ").map(crate::text::word) {
        fields.push(field(
            "ref_tag",
            tag,
            "the tag by which the initiator names the command that is to be aborted",
        ));
    }
    if let Some(at) = position(line, "cmd_age=") {
        let age = crate::text::word(&line[at + "cmd_age=".len()..]);
        fields.push(field(
            "cmd_age",
            age,
            "how long the kernel had the command when it failed; it includes retries",
        ));
    }
}

/// A heartbeat slot, number by number.
pub(super) fn slot(name: &str, slot: &SlotImage, fields: &mut Vec<Field>) {
    let mut push = |part: &str, value: String, says: &str| {
        fields.push(Field { name: format!("{name} {part}"), value, meaning: says.to_owned() });
    };
    let (state, says) = match slot.state {
        SlotState::Free => ("abcdef01".to_owned(), "free"),
        SlotState::InUse => ("abcdef02".to_owned(), "in use"),
        SlotState::Zero => {
            ("0".to_owned(), "no state of a slot: the block is zero, and was never a slot or is wiped")
        }
        SlotState::Damaged(number) => {
            (format!("{number:x}"), "no state of a slot: the block is damaged or foreign")
        }
    };
    push("state", state, says);
    push("offset", slot.offset.to_string(), "where it stands, in bytes from the beginning of the volume");
    push("gen", slot.generation.to_string(), "how often a host took this slot; it only grows");
    push(
        "stamp",
        slot.stamp_us.to_string(),
        "the time of the last beat, in microseconds of its host's own clock since that started; a living host's grows by 3,000,000 a beat",
    );
    if let Some(owner) = slot.owner {
        push("uuid", owner.to_string(), &owner_says(owner));
    }
}

/// A lock record, number by number.
pub(super) fn lock(lock: &LockRecord, fields: &mut Vec<Field>) {
    fields.push(field("lock type", lock.kind.name(), "what it guards, by its number on the disk"));
    let numbers = [
        ("lock offset", lock.offset, "where the record stands, in bytes from the beginning of the volume"),
        ("lock v", lock.version, "the record's version: it grows whenever the lock changes hands"),
        ("hb offset", lock.slot_offset, "the heartbeat slot of the owner: while that beats, the owner lives"),
        (
            "hb gen",
            lock.slot_generation,
            "the slot's generation when the lock was taken: a newer one in the slot means that the owner started anew",
        ),
        ("lock mode", lock.mode, "0 free, 1 exclusive, 2 read-only, 3 multi-writer"),
        ("mtime", lock.stamp, "the owner's time stamp, on its own clock"),
    ];
    for (name, value, says) in numbers {
        if let Some(value) = value {
            fields.push(field(name, &value.to_string(), says));
        }
    }
    if let Some(owner) = lock.owner {
        fields.push(field("owner", &owner.to_string(), &owner_says(owner)));
    }
}

/// The last six bytes of an id are a MAC address of its host.
fn owner_says(owner: Uuid) -> String {
    let [_, _, high, low] = owner.0;
    let [_, _, a, b] = high.to_be_bytes();
    let [c, d, e, f] = low.to_be_bytes();
    format!(
        "the host; its id ends with its network card's address, {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
    )
}

/// Whether a device's name is one that NVMe devices have.
pub(super) fn may_be_nvme(device: &str) -> bool {
    device.starts_with("eui.") || holds(device, "nvme") || device.starts_with("nqn.")
}
