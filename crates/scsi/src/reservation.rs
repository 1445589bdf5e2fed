//! Types of persistent reservations, and which commands pass one that another holds (SPC-5, "Persistent reservations").

/// The TYPE of a persistent reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ReservationType {
    /// Others may read; the holder alone may write.
    WriteExclusive = 0x1,
    /// The holder alone may read or write.
    ExclusiveAccess = 0x3,
    /// Others may read; whoever is registered may write.
    WriteExclusiveRegistrantsOnly = 0x5,
    /// Whoever is registered may read or write.
    ExclusiveAccessRegistrantsOnly = 0x6,
    /// Others may read; whoever is registered is a holder.
    WriteExclusiveAllRegistrants = 0x7,
    /// Whoever is registered is a holder, and nobody else may read or write.
    ExclusiveAccessAllRegistrants = 0x8,
}

impl ReservationType {
    /// Every type.
    pub const ALL: [ReservationType; 6] = [
        ReservationType::WriteExclusive,
        ReservationType::ExclusiveAccess,
        ReservationType::WriteExclusiveRegistrantsOnly,
        ReservationType::ExclusiveAccessRegistrantsOnly,
        ReservationType::WriteExclusiveAllRegistrants,
        ReservationType::ExclusiveAccessAllRegistrants,
    ];

    /// The type of that number, where SPC-5 defines one.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<ReservationType> {
        ReservationType::ALL.into_iter().find(|kind| kind.bits() == bits)
    }

    /// Its number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether it keeps others from writing alone, and not from reading.
    #[must_use]
    pub const fn is_write_exclusive(self) -> bool {
        matches!(
            self,
            ReservationType::WriteExclusive
                | ReservationType::WriteExclusiveRegistrantsOnly
                | ReservationType::WriteExclusiveAllRegistrants
        )
    }

    /// Whether it lets every registered nexus do what the holder may.
    #[must_use]
    pub const fn lets_registrants(self) -> bool {
        !matches!(self, ReservationType::WriteExclusive | ReservationType::ExclusiveAccess)
    }

    /// Whether every registered nexus is a holder.
    #[must_use]
    pub const fn is_all_registrants(self) -> bool {
        matches!(
            self,
            ReservationType::WriteExclusiveAllRegistrants | ReservationType::ExclusiveAccessAllRegistrants
        )
    }

    /// The standard's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ReservationType::WriteExclusive => "Write Exclusive",
            ReservationType::ExclusiveAccess => "Exclusive Access",
            ReservationType::WriteExclusiveRegistrantsOnly => "Write Exclusive - Registrants Only",
            ReservationType::ExclusiveAccessRegistrantsOnly => "Exclusive Access - Registrants Only",
            ReservationType::WriteExclusiveAllRegistrants => "Write Exclusive - All Registrants",
            ReservationType::ExclusiveAccessAllRegistrants => "Exclusive Access - All Registrants",
        }
    }
}

/// How a command fares where another nexus holds a reservation: a row of the tables "Commands that are allowed in the presence of various
/// reservations" of SPC-5 and SBC-4, and of SPC-2 for RESERVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReservationRule {
    /// It passes every reservation, RESERVE's too.
    Allowed,
    /// It passes every persistent reservation, and conflicts with RESERVE.
    AllowedButReserve,
    /// It passes where others may read.
    Read,
    /// It passes where a registered nexus may write.
    Write,
    /// It has rules of its own: PERSISTENT RESERVE OUT, by its service action.
    PersistentReserveOut,
    /// It has rules of its own: RESERVE and RELEASE.
    Reserve,
}

impl ReservationRule {
    /// Whether the command is executed, or ends with RESERVATION CONFLICT, where another nexus holds a persistent reservation of that
    /// type. Commands with rules of their own are let through to them.
    #[must_use]
    pub const fn passes(self, held: ReservationType, is_registered: bool) -> bool {
        match self {
            ReservationRule::Read => held.is_write_exclusive() || (held.lets_registrants() && is_registered),
            ReservationRule::Write => held.lets_registrants() && is_registered,
            ReservationRule::Allowed
            | ReservationRule::AllowedButReserve
            | ReservationRule::PersistentReserveOut
            | ReservationRule::Reserve => true,
        }
    }

    /// Whether the command is executed where another nexus holds the logical unit by RESERVE (SPC-2, "Reservations").
    #[must_use]
    pub const fn passes_reserve(self) -> bool {
        matches!(self, ReservationRule::Allowed | ReservationRule::Reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_passes_for_registrants_alone_and_only_where_the_type_lets_them() {
        use ReservationType as Type;
        let passing = |registered| Type::ALL.map(|held| ReservationRule::Write.passes(held, registered));
        assert_eq!(passing(true), [false, false, true, true, true, true]);
        assert_eq!(passing(false), [false; 6]);
    }

    #[test]
    fn a_read_passes_write_exclusive_for_everybody() {
        use ReservationType as Type;
        let passing = |registered| Type::ALL.map(|held| ReservationRule::Read.passes(held, registered));
        assert_eq!(passing(true), [true, false, true, true, true, true]);
        assert_eq!(passing(false), [true, false, true, false, true, false]);
    }

    #[test]
    fn beside_reserve_only_what_spc_2_allows_passes() {
        assert!(ReservationRule::Allowed.passes_reserve() && ReservationRule::Reserve.passes_reserve());
        assert!(!ReservationRule::AllowedButReserve.passes_reserve());
        assert!(
            !ReservationRule::Read.passes_reserve()
                && !ReservationRule::PersistentReserveOut.passes_reserve()
        );
    }
}
