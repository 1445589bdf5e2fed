//! Logical unit numbers: eight bytes that name a unit behind a target port (SAM-5, "Logical unit numbers").

use std::fmt;

/// A LUN as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lun(pub [u8; 8]);

/// What a LUN names, where it is one of a single level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LunAddress {
    /// A unit, by its number below 16,384.
    Unit(u16),
    /// A well-known unit, by its number: 01h is REPORT LUNS.
    WellKnown(u8),
}

impl Lun {
    /// The REPORT LUNS well-known unit.
    pub const REPORT_LUNS: Lun = Lun([0xc1, 0x01, 0, 0, 0, 0, 0, 0]);
    /// Units that flat space addressing can number.
    pub const UNITS_MAX: u16 = 1 << 14;

    /// The LUN of a unit: peripheral device addressing below 256, as every initiator reads it, flat space addressing from there on. `None`
    /// beyond [`UNITS_MAX`](Lun::UNITS_MAX).
    #[must_use]
    pub const fn unit(number: u16) -> Option<Lun> {
        let [high, low] = number.to_be_bytes();
        match number {
            0..=0xff => Some(Lun([0, low, 0, 0, 0, 0, 0, 0])),
            0x100..Lun::UNITS_MAX => Some(Lun([0x40 | high, low, 0, 0, 0, 0, 0, 0])),
            _ => None,
        }
    }

    /// What it names; `None` of further levels, other buses and other addressing methods, of which this target has none.
    #[must_use]
    pub const fn address(self) -> Option<LunAddress> {
        let [first, second, 0, 0, 0, 0, 0, 0] = self.0 else { return None };
        match first {
            0x00 => Some(LunAddress::Unit(second as u16)),
            0x40..=0x7f => Some(LunAddress::Unit(u16::from_be_bytes([first & 0x3f, second]))),
            0xc1 => Some(LunAddress::WellKnown(second)),
            _ => None,
        }
    }
}

impl fmt::Display for Lun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(LunAddress::Unit(number)) => write!(formatter, "{number}"),
            Some(LunAddress::WellKnown(1)) => formatter.write_str("REPORT LUNS"),
            _ => write!(formatter, "{:016x}h", u64::from_be_bytes(self.0)),
        }
    }
}

impl fmt::Debug for Lun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LUN {self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_one_lun_and_reads_back() {
        for number in 0..Lun::UNITS_MAX {
            let lun = Lun::unit(number).unwrap();
            assert_eq!(lun.address(), Some(LunAddress::Unit(number)));
        }
        assert_eq!(Lun::unit(Lun::UNITS_MAX), None);
        assert_eq!(Lun::unit(5).unwrap().0, [0, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Lun::unit(0x1234).unwrap().0, [0x52, 0x34, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_small_number_in_flat_space_is_the_same_unit() {
        assert_eq!(Lun([0x40, 5, 0, 0, 0, 0, 0, 0]).address(), Some(LunAddress::Unit(5)));
    }

    #[test]
    fn what_lies_on_other_levels_and_buses_is_nothing_here() {
        for bytes in
            [[0, 5, 0, 1, 0, 0, 0, 0], [1, 5, 0, 0, 0, 0, 0, 0], [0x80, 0, 0, 0, 0, 0, 0, 0], [0xff; 8]]
        {
            assert_eq!(Lun(bytes).address(), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn the_well_known_unit_is_told_apart() {
        assert_eq!(Lun::REPORT_LUNS.address(), Some(LunAddress::WellKnown(1)));
        assert_eq!(Lun::REPORT_LUNS.to_string(), "REPORT LUNS");
        assert_eq!(Lun([0xff; 8]).to_string(), "ffffffffffffffffh");
    }
}
