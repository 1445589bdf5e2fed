//! Operation codes of SCSI commands, as logs name them.

/// An operation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opcode(pub u8);

impl Opcode {
    /// COMPARE AND WRITE (SBC-4, 5.4).
    pub const COMPARE_AND_WRITE: Opcode = Opcode(0x89);
    /// What older EMC and IBM arrays take instead of it.
    pub const VENDOR_ATS: Opcode = Opcode(0xf1);
    /// RESERVE (6).
    pub const RESERVE: Opcode = Opcode(0x16);
    /// VERIFY (10).
    pub const VERIFY: Opcode = Opcode(0x2f);
    /// UNMAP.
    pub const UNMAP: Opcode = Opcode(0x42);
    /// READ(16).
    pub const READ_16: Opcode = Opcode(0x88);
    /// WRITE(16).
    pub const WRITE_16: Opcode = Opcode(0x8a);

    /// Whether the command is an atomic test and set.
    #[must_use]
    pub fn is_ats(self) -> bool {
        self == Opcode::COMPARE_AND_WRITE || self == Opcode::VENDOR_ATS
    }

    /// Whether it is one, or a vendor's command that may be one.
    #[must_use]
    pub fn may_be_ats(self) -> bool {
        self.is_ats() || self.0 >= 0xc0
    }

    /// Whether the command moves or changes data, unlike inquiries and mode pages, which fail on healthy systems too.
    #[must_use]
    pub fn moves_data(self) -> bool {
        matches!(
            self.0,
            0x08 | 0x0a
                | 0x28
                | 0x2a
                | 0x2e
                | 0x41
                | 0x42
                | 0x83
                | 0x88
                | 0x89
                | 0x8a
                | 0x8e
                | 0x93
                | 0x9c
                | 0xa8
                | 0xaa
                | 0xf1
        )
    }

    /// Whether the command writes.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self.0, 0x0a | 0x2a | 0x2e | 0x41 | 0x83 | 0x89 | 0x8a | 0x8e | 0x93 | 0x9c | 0xaa | 0xf1)
    }

    /// Whether the command has the device write down what its cache holds (SBC-4, SYNCHRONIZE CACHE).
    #[must_use]
    pub fn flushes(self) -> bool {
        matches!(self.0, 0x35 | 0x91)
    }

    /// The command's name in the standards, or what is known of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            0x00 => "TEST UNIT READY",
            0x03 => "REQUEST SENSE",
            0x04 => "FORMAT UNIT",
            0x08 => "READ(6)",
            0x0a => "WRITE(6)",
            0x12 => "INQUIRY",
            0x15 => "MODE SELECT(6)",
            0x16 => "RESERVE(6)",
            0x17 => "RELEASE(6)",
            0x1a => "MODE SENSE(6)",
            0x1b => "START STOP UNIT",
            0x25 => "READ CAPACITY(10)",
            0x28 => "READ(10)",
            0x2a => "WRITE(10)",
            0x2e => "WRITE AND VERIFY(10)",
            0x2f => "VERIFY(10)",
            0x35 => "SYNCHRONIZE CACHE(10)",
            0x41 => "WRITE SAME(10)",
            0x42 => "UNMAP",
            0x4d => "LOG SENSE",
            0x55 => "MODE SELECT(10)",
            0x5a => "MODE SENSE(10)",
            0x5e => "PERSISTENT RESERVE IN",
            0x5f => "PERSISTENT RESERVE OUT",
            0x83 => "EXTENDED COPY",
            0x84 => "RECEIVE COPY RESULTS",
            0x85 => "ATA PASS-THROUGH(16)",
            0x88 => "READ(16)",
            0x89 => "COMPARE AND WRITE (atomic test and set)",
            0x8a => "WRITE(16)",
            0x8e => "WRITE AND VERIFY(16)",
            0x8f => "VERIFY(16)",
            0x93 => "WRITE SAME(16)",
            0x9c => "WRITE ATOMIC(16)",
            0x9e => "SERVICE ACTION IN(16)",
            0xa0 => "REPORT LUNS",
            0xa1 => "ATA PASS-THROUGH(12)",
            0xa3 => "MAINTENANCE IN",
            0xa4 => "MAINTENANCE OUT",
            0xa8 => "READ(12)",
            0xaa => "WRITE(12)",
            0xf1 => "atomic test and set, by the vendor opcode of older EMC and IBM arrays",
            0xfe => "a command internal to VMware",
            0xc0..=0xff => "a vendor's own command",
            _ => "a command without a name here",
        }
    }
}
