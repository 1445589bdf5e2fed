//! Sense data: key, additional code and qualifier, and what they mean (SPC-5, 4.5 and annex F).

use std::fmt;

/// Sense data that say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sense {
    /// The sense key, 0 to Fh.
    pub key: u8,
    /// The additional sense code.
    pub code: u8,
    /// Its qualifier.
    pub qualifier: u8,
}

impl Sense {
    /// MISCOMPARE DURING VERIFY OPERATION: an ATS that was false.
    pub const MISCOMPARE: Sense = Sense { key: 0xe, code: 0x1d, qualifier: 0 };

    /// INVALID COMMAND OPERATION CODE: the device does not know the command.
    pub const INVALID_OPCODE: Sense = Sense { key: 5, code: 0x20, qualifier: 0 };

    /// Sense data of three numbers; `None` where they are all zero or cannot be sense data at all, as with the
    /// uninitialised memory that some drivers print.
    #[must_use]
    pub fn of(key: u64, code: u64, qualifier: u64) -> Option<Sense> {
        let byte = |value: u64| u8::try_from(value).ok();
        let sense = Sense { key: byte(key)?, code: byte(code)?, qualifier: byte(qualifier)? };
        (sense.key <= 0xf && (sense.key, sense.code, sense.qualifier) != (0, 0, 0)).then_some(sense)
    }

    /// Whether the block was not equal.
    #[must_use]
    pub fn is_miscompare(self) -> bool {
        (self.key, self.code) == (0xe, 0x1d) || self == Sense { key: 0xe, code: 0, qualifier: 0 }
    }

    /// Whether the path lost its nexus: every command in flight on it has no answer.
    #[must_use]
    pub fn is_nexus_loss(self) -> bool {
        self == Sense { key: 6, code: 0x29, qualifier: 7 }
    }

    /// Whether the device was reset or started.
    #[must_use]
    pub fn is_reset(self) -> bool {
        (self.key, self.code) == (6, 0x29)
    }

    /// Whether the array says that what it presents has changed: the data that identify the unit, or the list of units. What answers
    /// from then on may be another volume.
    #[must_use]
    pub fn is_change_of_units(self) -> bool {
        (self.key, self.code) == (6, 0x3f) && matches!(self.qualifier, 0x3 | 0xe)
    }

    /// Whether the array moves the unit from one controller to another, and no port of it answers meanwhile (SPC-5, asymmetric logical unit access).
    #[must_use]
    pub fn is_transition(self) -> bool {
        self == Sense { key: 2, code: 0x04, qualifier: 0x0a }
    }

    /// Whether the unit is not ready until somebody intervenes (SPC-5, annex F).
    #[must_use]
    pub fn waits_for_a_person(self) -> bool {
        self == Sense { key: 2, code: 0x04, qualifier: 0x03 }
    }

    /// Whether the device does not know the command or a field of it.
    #[must_use]
    pub fn is_unsupported(self) -> bool {
        self.key == 5 && matches!((self.code, self.qualifier), (0x20, 0) | (0x24, 0) | (0x26, 0))
    }

    /// Whether what is behind the device cannot be reached: communication failure, or a logical unit that is no longer there.
    #[must_use]
    pub fn is_gone(self) -> bool {
        matches!((self.key, self.code, self.qualifier), (2, 0x08, 0) | (5, 0x25, 0))
    }

    /// Whether a soft threshold of thin provisioning was crossed (SBC-4, 4.7.3.8).
    #[must_use]
    pub fn is_threshold(self) -> bool {
        self == Sense { key: 6, code: 0x38, qualifier: 7 }
    }

    /// Whether space ran out below the device, or is about to.
    #[must_use]
    pub fn is_out_of_space(self) -> bool {
        self == Sense { key: 7, code: 0x27, qualifier: 7 }
    }

    /// Whether the medium or the device's own hardware failed.
    #[must_use]
    pub fn is_broken(self) -> bool {
        matches!(self.key, 3 | 4)
    }

    /// Whether a sector cannot be read or written whatever the device tries (SPC-5, annex F: write fault, write error, unrecovered read error, address mark and
    /// recorded entity not found). Linux sends no such read again (drivers/scsi/scsi_error.c).
    #[must_use]
    pub fn is_of_a_lost_sector(self) -> bool {
        self.key == 3 && matches!(self.code, 0x03 | 0x0c | 0x11 | 0x13 | 0x14)
    }

    /// Whether the target says that it fails inside (INTERNAL TARGET FAILURE).
    #[must_use]
    pub fn is_of_the_target(self) -> bool {
        (self.key, self.code) == (4, 0x44)
    }

    /// Whether an optical drive cannot read its disc (MMC-6, annex F): codes that no disk has.
    #[must_use]
    pub fn is_of_an_optical_drive(self) -> bool {
        matches!((self.key, self.code, self.qualifier), (3, 0x11, 0x05 | 0x06) | (3, 0x02, 0x00))
    }

    /// The key in words.
    #[must_use]
    pub fn key_name(self) -> &'static str {
        const NAMES: [&str; 16] = [
            "NO SENSE",
            "RECOVERED ERROR",
            "NOT READY",
            "MEDIUM ERROR",
            "HARDWARE ERROR",
            "ILLEGAL REQUEST",
            "UNIT ATTENTION",
            "DATA PROTECT",
            "BLANK CHECK",
            "VENDOR SPECIFIC",
            "COPY ABORTED",
            "ABORTED COMMAND",
            "reserved",
            "VOLUME OVERFLOW",
            "MISCOMPARE",
            "COMPLETED",
        ];
        NAMES.get(usize::from(self.key)).copied().unwrap_or("reserved")
    }

    /// The key that goes with an additional code, where one does by far the most often: for lines that give the code alone.
    #[must_use]
    pub fn usual_key(code: u8) -> Option<u8> {
        Some(match code {
            0x04 | 0x08 => 0x2,
            0x11 => 0x3,
            0x3e | 0x44 => 0x4,
            0x20 | 0x21 | 0x24 | 0x25 | 0x26 => 0x5,
            0x28 | 0x29 | 0x2a | 0x2f | 0x38 | 0x3f => 0x6,
            0x27 => 0x7,
            0x4e => 0xb,
            0x1d => 0xe,
            _ => return None,
        })
    }

    /// The additional code in words; `None` where it is not in this small table.
    #[must_use]
    pub fn code_name(self) -> Option<&'static str> {
        Some(match (self.code, self.qualifier) {
            (0x00, 0x00) => "no additional sense",
            (0x04, 0x00) => "not ready, cause not reportable",
            (0x04, 0x01) => "becoming ready",
            (0x04, 0x02) => "not ready, a start command is needed",
            (0x04, 0x03) => "not ready, manual intervention is needed",
            (0x04, 0x0a) => "asymmetric access state transition",
            (0x04, 0x0b) => "target port in standby state",
            (0x04, 0x0c) => "target port in unavailable state",
            (0x08, 0x00) => "communication failure between the device and what it speaks to",
            (0x0c, 0x00..=0x03) => "write error",
            (0x0d, 0x00) => "error of a third party's copy",
            (0x0d, 0x01) => "third party device failure",
            (0x0d, 0x02) => "copy target device not reachable",
            (0x10, _) => "protection information does not fit",
            (0x11, _) => "unrecovered read error",
            (0x1d, 0x00) => "miscompare during verify operation",
            (0x20, 0x00) => "invalid command operation code",
            (0x21, 0x00) => "logical block address out of range",
            (0x21, 0x04) => "unaligned write command",
            (0x24, 0x00) => "invalid field in CDB",
            (0x25, 0x00) => "logical unit not supported",
            (0x26, 0x00) => "invalid field in parameter list",
            (0x27, 0x00) => "write protected",
            (0x27, 0x01) => "hardware write protected",
            (0x27, 0x02) => "logical unit software write protected",
            (0x27, 0x07) => "space allocation failed, write protect",
            (0x28, 0x00) => "not ready to ready change",
            (0x29, 0x00) => "power on, reset or bus device reset occurred",
            (0x29, 0x01) => "power on occurred",
            (0x29, 0x02) => "bus reset occurred",
            (0x29, 0x03) => "bus device reset function occurred",
            (0x29, 0x04) => "device internal reset",
            (0x29, 0x07) => "I_T nexus loss occurred",
            (0x2a, 0x03) => "reservations preempted",
            (0x2a, 0x04) => "reservations released",
            (0x2a, 0x05) => "registrations preempted",
            (0x2a, 0x06) => "asymmetric access state changed",
            (0x2a, 0x09) => "capacity data has changed",
            (0x2f, _) => "commands cleared by another initiator",
            (0x38, 0x07) => "thin provisioning soft threshold reached",
            (0x3e, 0x01) => "logical unit failure",
            (0x3f, 0x03) => "inquiry data has changed",
            (0x3f, 0x0e) => "reported LUNs data has changed",
            (0x44, 0x00) => "internal target failure",
            (0x47, _) => "data or protocol CRC error",
            (0x4b, _) => "data phase error",
            (0x4e, 0x00) => "overlapped commands attempted",
            (0x55, 0x02) => "insufficient reservation resources",
            (0x55, 0x03) => "insufficient resources",
            (0x55, 0x04) => "insufficient registration resources",
            _ => return None,
        })
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x} {:#x} {:#x}", self.key, self.code, self.qualifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uninitialised_memory_is_no_sense_data() {
        assert_eq!(Sense::of(0x75, 0x70, 0x64), None);
        assert_eq!(Sense::of(0, 0, 0), None);
        assert_eq!(Sense::of(0xe, 0x1d, 0), Some(Sense::MISCOMPARE));
    }
}
