//! The status that ends a command (SAM-5, "Status codes").

use std::fmt;

/// A status code. Any byte can stand in it; those that SAM-5 defines have names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u8);

impl Status {
    /// Done, without error.
    pub const GOOD: Status = Status(0x00);
    /// Not done, or done with something to tell: sense data say what.
    pub const CHECK_CONDITION: Status = Status(0x02);
    /// Of PRE-FETCH: all of it fits the cache.
    pub const CONDITION_MET: Status = Status(0x04);
    /// Not executed, as the logical unit cannot take it now.
    pub const BUSY: Status = Status(0x08);
    /// Not executed, as another holds a reservation.
    pub const RESERVATION_CONFLICT: Status = Status(0x18);
    /// Not executed, as there is no room for it in the task set.
    pub const TASK_SET_FULL: Status = Status(0x28);
    /// Not executed, as an auto contingent allegiance stands.
    pub const ACA_ACTIVE: Status = Status(0x30);
    /// Aborted by another nexus, where the control mode page's TAS bit asks to be told.
    pub const TASK_ABORTED: Status = Status(0x40);

    /// The standard's name of it, if it has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Status::GOOD => "GOOD",
            Status::CHECK_CONDITION => "CHECK CONDITION",
            Status::CONDITION_MET => "CONDITION MET",
            Status::BUSY => "BUSY",
            Status::RESERVATION_CONFLICT => "RESERVATION CONFLICT",
            Status::TASK_SET_FULL => "TASK SET FULL",
            Status::ACA_ACTIVE => "ACA ACTIVE",
            Status::TASK_ABORTED => "TASK ABORTED",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "status {:02x}h", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_shows_as_the_standard_spells_it_and_an_unknown_one_as_its_number() {
        assert_eq!(Status(0x18).to_string(), "RESERVATION CONFLICT");
        assert_eq!(format!("{:?}", Status(0x22)), "status 22h");
    }
}
