//! Reservations: RESERVE, RELEASE (SPC-2) and PERSISTENT RESERVE IN and OUT (SPC-5).

use super::cdb::Cdb;
use super::operation::Operation;
use crate::reservation::ReservationType;
use crate::sense::Sense;

/// What PERSISTENT RESERVE IN asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PersistentReserveInAction {
    /// 00h READ KEYS.
    ReadKeys = 0x00,
    /// 01h READ RESERVATION.
    ReadReservation = 0x01,
    /// 02h REPORT CAPABILITIES.
    ReportCapabilities = 0x02,
    /// 03h READ FULL STATUS.
    ReadFullStatus = 0x03,
}

/// PERSISTENT RESERVE IN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PersistentReserveIn {
    /// What it asks for.
    pub action: PersistentReserveInAction,
    /// ALLOCATION LENGTH, in bytes.
    pub allocation_length: u16,
}

/// What PERSISTENT RESERVE OUT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PersistentReserveOutAction {
    /// 00h REGISTER.
    Register = 0x00,
    /// 01h RESERVE.
    Reserve = 0x01,
    /// 02h RELEASE.
    Release = 0x02,
    /// 03h CLEAR.
    Clear = 0x03,
    /// 04h PREEMPT.
    Preempt = 0x04,
    /// 05h PREEMPT AND ABORT.
    PreemptAndAbort = 0x05,
    /// 06h REGISTER AND IGNORE EXISTING KEY.
    RegisterAndIgnoreExistingKey = 0x06,
    /// 07h REGISTER AND MOVE.
    RegisterAndMove = 0x07,
}

/// PERSISTENT RESERVE OUT. Its parameter list is [`PersistentReserveOutList`](crate::PersistentReserveOutList).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PersistentReserveOut {
    /// What it does.
    pub action: PersistentReserveOutAction,
    /// SCOPE: 0, the logical unit, wherever the action looks at it.
    pub scope: u8,
    /// TYPE, where SPC-5 defines it. RESERVE, RELEASE and REGISTER AND MOVE always have one. The other actions may not look at it:
    /// PREEMPT does only where it takes the reservation over (`None` is an invalid field then, byte 2 bit 3 of the CDB).
    pub kind: Option<ReservationType>,
    /// PARAMETER LIST LENGTH, in bytes.
    pub parameter_list_length: u32,
}

pub(super) fn reserve(_: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::Reserve)
}

pub(super) fn release(_: Cdb<'_>) -> Result<Operation, Sense> {
    Ok(Operation::Release)
}

macro_rules! persistent {
    ($decode:ident: $action_type:ident { $($name:ident: $action:ident;)+ }) => {
        $(pub(super) fn $name(cdb: Cdb<'_>) -> Result<Operation, Sense> {
            $decode(cdb, $action_type::$action)
        })+
    };
}

persistent! { persistent_in: PersistentReserveInAction {
    read_keys: ReadKeys;
    read_reservation: ReadReservation;
    report_capabilities: ReportCapabilities;
    read_full_status: ReadFullStatus;
}}

persistent! { persistent_out: PersistentReserveOutAction {
    register: Register;
    persistent_reserve: Reserve;
    persistent_release: Release;
    clear: Clear;
    preempt: Preempt;
    preempt_and_abort: PreemptAndAbort;
    register_and_ignore: RegisterAndIgnoreExistingKey;
    register_and_move: RegisterAndMove;
}}

fn persistent_in(cdb: Cdb<'_>, action: PersistentReserveInAction) -> Result<Operation, Sense> {
    Ok(Operation::PersistentReserveIn(PersistentReserveIn { action, allocation_length: cdb.u16(7) }))
}

fn persistent_out(cdb: Cdb<'_>, action: PersistentReserveOutAction) -> Result<Operation, Sense> {
    use PersistentReserveOutAction as Action;
    let (scope, kind) = (cdb.bits(2, 4, 4), ReservationType::from_bits(cdb.bits(2, 0, 4)));
    // SPC-5, "PERSISTENT RESERVE OUT service actions and valid parameters": the others ignore both fields.
    let (needs_scope, needs_kind) = match action {
        Action::Reserve | Action::Release => (true, true),
        // What is moved keeps its type.
        Action::Preempt | Action::PreemptAndAbort | Action::RegisterAndMove => (true, false),
        Action::Register | Action::Clear | Action::RegisterAndIgnoreExistingKey => (false, false),
    };
    if needs_scope && scope != 0 {
        return Err(Sense::invalid_cdb(2, Some(7)));
    }
    if needs_kind && kind.is_none() {
        return Err(Sense::invalid_cdb(2, Some(3)));
    }
    let parameter_list_length = cdb.u32(5);
    Ok(Operation::PersistentReserveOut(PersistentReserveOut { action, scope, kind, parameter_list_length }))
}
