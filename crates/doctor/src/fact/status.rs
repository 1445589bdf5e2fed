//! H, D and P: the three statuses of a command in VMware's logs, and the status of NVMe.
//!
//! The tables follow KB330644 and KB 289902; where public sources disagree, `reading` gives both.

use super::Sense;

const UNNAMED_DEVICE: &str = "a device status without a name here";
const UNNAMED_NVME: &str = "a status without a name here";

/// H: what became of the command on its way to the device and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostStatus(pub u16);

impl HostStatus {
    /// The driver could not send it.
    pub const BUS_BUSY: HostStatus = HostStatus(2);
    /// No answer in time.
    pub const TIMEOUT: HostStatus = HostStatus(3);
    /// An error within the host.
    pub const ERROR: HostStatus = HostStatus(7);
    /// The device was reset while the command was out.
    pub const RESET: HostStatus = HostStatus(8);
    /// Sources disagree: see [`HostStatus::reading`].
    pub const SOFT_ERROR: HostStatus = HostStatus(0xb);
    /// The same, by other sources.
    pub const SOFT_RETRY: HostStatus = HostStatus(0xc);

    /// Whether the command may have been executed although the host has no answer.
    #[must_use]
    pub fn leaves_the_command_open(self) -> bool {
        matches!(self.0, 0x3 | 0x5 | 0x7 | 0x8 | 0xb | 0xc | 0xd | 0xe)
    }

    /// Whether the path, the port or the session was gone, so that nobody could answer.
    #[must_use]
    pub fn is_of_a_lost_way(self) -> bool {
        matches!(self.0, 0x1 | 0x2 | 0x4 | 0xf)
    }

    /// What it means, in every reading that public sources give.
    #[must_use]
    pub fn reading(self) -> &'static str {
        match self.0 {
            0x0 => "OK: nothing went wrong on the way",
            0x1 => "NO CONNECT: the path is gone",
            0x2 => "BUS BUSY: the driver could not send it; the path is busy or half gone",
            0x3 => "TIME-OUT: no answer in time; the command may have been executed",
            0x4 => "BAD TARGET: the target does not answer to its address",
            0x5 => "ABORT: the host gave the command up; it may have been executed",
            0x6 => "PARITY error on the way",
            0x7 => "ERROR: an error inside the host, often of the driver or the adapter",
            0x8 => "RESET: the device was reset while the command was out",
            0x9 => "BAD INTERRUPT",
            0xa => "PASS THROUGH",
            0xb => {
                "SOFT ERROR: the driver asks for a retry (VMware, and Linux's DID_SOFT_ERROR); some sources call it a REQUEUE without a path failure"
            }
            0xc => {
                "SOFT ERROR (VMware: retry, do not count it); by Linux's numbering IMMEDIATE RETRY or REQUEUE: sources disagree"
            }
            0xd => "REQUEUE: the path is in doubt and the command is queued again",
            0xe => "TRANSPORT DISRUPTED: the port or session is gone for now",
            0xf => "TRANSPORT FAILED FAST: the port or session did not come back",
            0x10 => "TARGET FAILURE (Linux): the target failed the command for good; no other path helps",
            0x11 => "NEXUS FAILURE (Linux): a reservation of another host forbids it",
            0x12 => "ALLOCATION FAILURE (Linux): no space is left below the device",
            0x13 => "MEDIUM ERROR (Linux): the medium cannot be read",
            0x14 => "TRANSPORT MARGINAL (Linux): the path makes errors, and the command is sent over another",
            _ => "a host status without a name here",
        }
    }
}

/// D: what the device answered (SAM-5, 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceStatus(pub u8);

impl DeviceStatus {
    /// Good, or nothing at all.
    pub const GOOD: DeviceStatus = DeviceStatus(0);
    /// See the sense data.
    pub const CHECK_CONDITION: DeviceStatus = DeviceStatus(2);
    /// A command that asks whether something is so was executed, and it is (SAM-5, 5.3.1).
    pub const CONDITION_MET: DeviceStatus = DeviceStatus(4);
    /// Come back later.
    pub const BUSY: DeviceStatus = DeviceStatus(8);
    /// Another host's reservation forbids it.
    pub const RESERVATION_CONFLICT: DeviceStatus = DeviceStatus(0x18);
    /// Another initiator gave the command up, or reset what it was sent to: it may have been executed, whole or in part (SAM-5, 5.3.1).
    pub const TASK_ABORTED: DeviceStatus = DeviceStatus(0x40);
    /// The device's queue is full.
    pub const TASK_SET_FULL: DeviceStatus = DeviceStatus(0x28);

    /// What it means.
    #[must_use]
    pub fn reading(self) -> &'static str {
        match self.0 {
            0x0 => "GOOD, or no answer at all",
            0x2 => "CHECK CONDITION: see the sense data",
            0x4 => "CONDITION MET",
            0x8 => "BUSY: the device cannot take it now",
            0x18 => "RESERVATION CONFLICT: another host's reservation forbids it",
            0x28 => "TASK SET FULL: the device's queue is full",
            0x30 => "ACA ACTIVE",
            0x40 => "TASK ABORTED by another initiator: it may have been executed, whole or in part",
            _ => UNNAMED_DEVICE,
        }
    }

    /// Whether it is one of SAM-5's.
    #[must_use]
    pub fn has_a_name(self) -> bool {
        self.reading() != UNNAMED_DEVICE
    }
}

/// P: what the multipathing plug-in or VMFS made of it (KB330644).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginStatus(pub u8);

impl PluginStatus {
    /// The device is a copy.
    pub const SNAPSHOT: PluginStatus = PluginStatus(2);
    /// A reservation was lost.
    pub const RESERVATION_LOST: PluginStatus = PluginStatus(3);
    /// `Atomic test and set of disk block returned false for equality`.
    pub const ATS_MISCOMPARE: PluginStatus = PluginStatus(5);
    /// No space left.
    pub const NO_SPACE: PluginStatus = PluginStatus(8);

    /// What it means.
    #[must_use]
    pub fn reading(self) -> &'static str {
        match self.0 {
            0x0 => "GOOD",
            0x1 => "TRANSIENT: it may pass",
            0x2 => "SNAPSHOT: the device is a copy of another",
            0x3 => "RESERVATION LOST",
            0x4 => "REQUEUE: it is tried again",
            0x5 => "ATS MISCOMPARE: atomic test and set of disk block returned false for equality",
            0x6 => "THIN PROVISIONED DEVICE IS GROWING",
            0x7 => "THIN PROVISIONED DEVICE AT ITS QUOTA",
            0x8 => "THIN PROVISIONED DEVICE HAS NO SPACE",
            _ => "a plug-in status without a name here",
        }
    }
}

/// The status of an NVMe command: type and code (NVMe base specification, figure "status field").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NvmeStatus {
    /// The status code type, 0 to 7.
    pub kind: u8,
    /// The status code.
    pub code: u8,
}

impl NvmeStatus {
    /// From the number that logs print: type times 256 plus code. The bits above (more, do not retry) are dropped.
    #[must_use]
    pub fn of(number: u64) -> NvmeStatus {
        let byte = |value: u64| u8::try_from(value).unwrap_or(0);
        NvmeStatus { kind: byte(number >> 8 & 0x7), code: byte(number & 0xff) }
    }

    /// What the bits above type and code say, where one is set (NVMe base specification, figure "status field").
    #[must_use]
    pub fn marks(number: u64) -> Option<String> {
        let mut marks = Vec::new();
        if number & 0x4000 != 0 {
            marks.push("do not retry (bit 14)".to_owned());
        }
        if number & 0x2000 != 0 {
            marks.push("more in the controller's error log (bit 13)".to_owned());
        }
        if number & 0x1800 != 0 {
            let delay = number >> 11 & 3;
            marks.push(format!("retry after delay {delay} of the controller's list (bits 12 and 11)"));
        }
        if number > 0x7fff {
            marks.push("bits above 14, which are not of the status".to_owned());
        }
        (!marks.is_empty()).then(|| marks.join("; "))
    }

    /// Whether the command may have been executed although its sender has no answer: it was given up, or its queue was.
    #[must_use]
    pub fn leaves_the_command_open(self) -> bool {
        matches!((self.kind, self.code), (0, 0x07 | 0x08) | (3, 0x70 | 0x71))
    }

    /// Compare Failure: an ATS that was false.
    #[must_use]
    pub fn is_compare_failure(self) -> bool {
        (self.kind, self.code) == (2, 0x85)
    }

    /// A fused pair that was split. Code 09h is no proof of that: it is the usual answer to the second half of a pair whose
    /// first half compared unequal.
    #[must_use]
    pub fn is_split_fuse(self) -> bool {
        (self.kind, self.code) == (0, 0x0a)
    }

    /// The sense data that say the same, where the medium broke or space ran out: a write fault and an unrecovered read error are medium errors by NVM
    /// Express' own translation to SCSI; a namespace whose capacity is exceeded is one that cannot allocate, as Linux takes it (ENOSPC).
    #[must_use]
    pub fn as_sense(self) -> Option<Sense> {
        let (key, code, qualifier) = match (self.kind, self.code) {
            (0, 0x81) => (7, 0x27, 7),
            (2, 0x80) => (3, 0x03, 0),
            (2, 0x81) => (3, 0x11, 0),
            _ => return None,
        };
        Some(Sense { key, code, qualifier })
    }

    /// What it means.
    #[must_use]
    pub fn reading(self) -> &'static str {
        match (self.kind, self.code) {
            (0, 0x00) => "SUCCESS",
            (0, 0x01) => "INVALID OPCODE",
            (0, 0x02) => "INVALID FIELD",
            (0, 0x04) => "DATA TRANSFER ERROR",
            (0, 0x06) => {
                "INTERNAL ERROR (the NVMe specification); COMMAND ABORT REQUESTED (KB390259): sources disagree"
            }
            (0, 0x07) => "ABORT REQUESTED",
            (0, 0x08) => "ABORTED, submission queue deleted",
            (0, 0x09) => "ABORTED, the fused pair failed",
            (0, 0x0a) => "ABORTED, the other half of the fused pair is missing",
            (0, 0x0b) => "INVALID NAMESPACE OR FORMAT",
            (0, 0x19) => "KEEP ALIVE TIMEOUT EXPIRED",
            (0, 0x22) => "TRANSIENT TRANSPORT ERROR",
            (0, 0x80) => "LBA OUT OF RANGE",
            (0, 0x81) => "CAPACITY EXCEEDED",
            (0, 0x82) => "NAMESPACE NOT READY",
            (0, 0x83) => "RESERVATION CONFLICT",
            (2, 0x80) => "WRITE FAULT",
            (2, 0x81) => "UNRECOVERED READ ERROR",
            (2, 0x82..=0x84) => "END-TO-END CHECK ERROR: guard, application tag or reference tag",
            (2, 0x85) => "COMPARE FAILURE: the atomic test and set was false",
            (2, 0x86) => "ACCESS DENIED",
            (3, 0x00) => "INTERNAL PATH ERROR",
            (3, 0x01) => "ASYMMETRIC ACCESS PERSISTENT LOSS",
            (3, 0x02) => "ASYMMETRIC ACCESS INACCESSIBLE",
            (3, 0x03) => "ASYMMETRIC ACCESS TRANSITION",
            (3, 0x60) => "CONTROLLER PATHING ERROR",
            (3, 0x70) => "HOST PATHING ERROR",
            (3, 0x71) => "HOST ABORTED COMMAND: the host gave it up; it may have been executed",
            _ => UNNAMED_NVME,
        }
    }

    /// Whether its meaning is known here.
    #[must_use]
    pub fn has_a_name(self) -> bool {
        self.reading() != UNNAMED_NVME
    }
}
