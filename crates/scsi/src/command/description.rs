//! What the table says of each command.

use super::cdb::Cdb;
use super::operation::Operation;
use crate::opcode::Opcode;
use crate::reservation::ReservationRule;
use crate::sense::Sense;

/// In which asymmetric access states of its target port a command is executed (SPC-5, "Target port asymmetric access states").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessRule {
    /// In every state, transitioning as well.
    Always,
    /// In active, standby and unavailable states.
    Unavailable,
    /// In active and standby states.
    Standby,
    /// In active states alone.
    Active,
}

/// One command that the array executes: a row of the table that dispatch, REPORT SUPPORTED OPERATION CODES, docs and tests share.
#[derive(Debug)]
pub struct CommandDescription {
    /// Its operation code.
    pub opcode: Opcode,
    /// Its service action, where the operation code has any.
    pub service_action: Option<u16>,
    /// Its name as the standard spells it.
    pub name: &'static str,
    /// The clause that defines it.
    pub clause: &'static str,
    /// CDB USAGE DATA (SPC-5, "One_command parameter data format"): the operation code, then a bit for each that is looked at; the service
    /// action stands in its own field. It is as long as the CDB.
    pub usage: &'static [u8],
    /// Bytes and bits that are let be, though nothing looks at them: fields of older standards that initiators still fill.
    pub ignored: &'static [(usize, u8)],
    /// How it fares where another nexus holds a reservation. [`Command::reservation_rule`](crate::Command::reservation_rule) knows the
    /// two commands for which that depends on their fields.
    pub reservation: ReservationRule,
    /// In which asymmetric access states it is executed.
    pub access: AccessRule,
    /// It is executed, and a pending unit attention stays (SAM-5, "Unit attention conditions"). REQUEST SENSE returns it.
    pub passes_unit_attention: bool,
    /// It changes what the blocks hold: a write-protected unit ends it with WRITE PROTECTED.
    pub modifies_medium: bool,
    /// It needs a medium that is there and started.
    pub needs_medium: bool,
    pub(super) decode: fn(Cdb<'_>) -> Result<Operation, Sense>,
}

/// A row without rules of its own: what the block commands of the table begin with.
pub(super) const fn row(
    name: &'static str,
    clause: &'static str,
    usage: &'static [u8],
    decode: fn(Cdb<'_>) -> Result<Operation, Sense>,
) -> CommandDescription {
    CommandDescription {
        opcode: Opcode(usage[0]),
        service_action: None,
        name,
        clause,
        usage,
        ignored: &[],
        reservation: ReservationRule::Allowed,
        access: AccessRule::Active,
        passes_unit_attention: false,
        modifies_medium: false,
        needs_medium: false,
        decode,
    }
}

impl CommandDescription {
    /// The length of its CDB, in bytes.
    #[must_use]
    pub const fn cdb_length(&self) -> usize {
        self.usage.len()
    }

    /// The bits of byte `at` that a CDB of it may set.
    pub(super) fn allowed_bits(&self, at: usize) -> u8 {
        let looked_at = match at {
            0 => 0xff,
            1 if self.service_action.is_some() => self.usage[1] | SERVICE_ACTION_BITS,
            _ => self.usage[at],
        };
        let ignored = self.ignored.iter().filter(|(byte, _)| *byte == at);
        ignored.fold(looked_at, |bits, (_, more)| bits | more)
    }

    /// A service action of the operation code.
    pub(super) const fn action(self, service_action: u8) -> CommandDescription {
        assert!(
            self.usage[1] & SERVICE_ACTION_BITS == service_action,
            "the usage map has another service action"
        );
        CommandDescription { service_action: Some(service_action as u16), ..self }
    }

    pub(super) const fn ignores(self, ignored: &'static [(usize, u8)]) -> CommandDescription {
        CommandDescription { ignored, ..self }
    }

    pub(super) const fn reserved_as(self, reservation: ReservationRule) -> CommandDescription {
        CommandDescription { reservation, ..self }
    }

    pub(super) const fn accessed(self, access: AccessRule) -> CommandDescription {
        CommandDescription { access, ..self }
    }

    /// Executed with a unit attention pending.
    pub(super) const fn past_attention(self) -> CommandDescription {
        CommandDescription { passes_unit_attention: true, ..self }
    }

    /// Needs a medium, and passes every reservation.
    pub(super) const fn on_medium(self) -> CommandDescription {
        CommandDescription { needs_medium: true, ..self }
    }

    /// Reads blocks.
    pub(super) const fn reads(self) -> CommandDescription {
        self.on_medium().reserved_as(ReservationRule::Read)
    }

    /// Writes blocks.
    pub(super) const fn writes(self) -> CommandDescription {
        CommandDescription { modifies_medium: true, ..self.on_medium().reserved_as(ReservationRule::Write) }
    }
}

/// SERVICE ACTION, in byte 1 of every command here that has one.
pub(super) const SERVICE_ACTION_BITS: u8 = 0x1f;
