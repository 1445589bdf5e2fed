//! Sequence numbers of 32 bits that wrap around (RFC 7143, 4.2.2, by the arithmetic of RFC 1982).

/// The place of a command in its session's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CmdSn(pub u32);

/// The place of a status in its connection's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatSn(pub u32);

/// The place of a data PDU or of an R2T in its command's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DataSn(pub u32);

/// Whether `left` comes before `right`: by less than half of the numbers.
const fn is_before(left: u32, right: u32) -> bool {
    let ahead = right.wrapping_sub(left);
    ahead != 0 && ahead < 1 << 31
}

impl CmdSn {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> CmdSn {
        self.plus(1)
    }

    /// The one `count` further on.
    #[must_use]
    pub const fn plus(self, count: u32) -> CmdSn {
        CmdSn(self.0.wrapping_add(count))
    }

    /// The one `count` before.
    #[must_use]
    pub const fn minus(self, count: u32) -> CmdSn {
        CmdSn(self.0.wrapping_sub(count))
    }

    /// Whether this one comes before `other`.
    #[must_use]
    pub const fn is_before(self, other: CmdSn) -> bool {
        is_before(self.0, other.0)
    }

    /// How many come from `earlier` on, this one not counted.
    #[must_use]
    pub const fn since(self, earlier: CmdSn) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

impl StatSn {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> StatSn {
        StatSn(self.0.wrapping_add(1))
    }

    /// Whether this one comes before `other`.
    #[must_use]
    pub const fn is_before(self, other: StatSn) -> bool {
        is_before(self.0, other.0)
    }
}

impl DataSn {
    /// The first one of a command.
    pub const FIRST: DataSn = DataSn(0);

    /// The next one.
    #[must_use]
    pub const fn next(self) -> DataSn {
        DataSn(self.0.wrapping_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_after_the_last_one_is_the_first() {
        assert_eq!(CmdSn(u32::MAX).next(), CmdSn(0));
        assert!(CmdSn(u32::MAX).is_before(CmdSn(0)));
        assert!(!CmdSn(0).is_before(CmdSn(u32::MAX)));
        assert!(!CmdSn(7).is_before(CmdSn(7)));
        assert_eq!(CmdSn(3).since(CmdSn(u32::MAX)), 4);
        assert_eq!(CmdSn(3).minus(4), CmdSn(u32::MAX));
    }
}
