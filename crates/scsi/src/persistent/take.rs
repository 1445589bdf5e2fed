//! The parameter list of PERSISTENT RESERVE OUT (SPC-5, "PERSISTENT RESERVE OUT parameter list").

use crate::bytes::{View, flag, length_u32};
use crate::command::PersistentReserveOutAction;
use crate::sense::Sense;
use crate::transport_id::TransportId;

/// The list of every action but REGISTER AND MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterList {
    /// RESERVATION KEY: who the nexus says it is.
    pub key: u64,
    /// SERVICE ACTION RESERVATION KEY: the key to register, or to preempt.
    pub service_action_key: u64,
    /// ALL_TG_PT: the registration is for every target port.
    pub all_target_ports: bool,
    /// APTPL: it outlives a loss of power.
    pub persist: bool,
    /// SPEC_I_PT: further initiators that are to be registered; `None` where the bit is not set. Of REGISTER alone.
    pub initiators: Option<Vec<TransportId>>,
}

/// The list of REGISTER AND MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveList {
    /// RESERVATION KEY.
    pub key: u64,
    /// SERVICE ACTION RESERVATION KEY: the key to register for the new holder.
    pub service_action_key: u64,
    /// UNREG: the old holder is registered no longer.
    pub unregister: bool,
    /// APTPL.
    pub persist: bool,
    /// RELATIVE TARGET PORT IDENTIFIER of the new holder's nexus.
    pub relative_target_port: u16,
    /// The new holder.
    pub initiator: TransportId,
}

/// A parameter list of PERSISTENT RESERVE OUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersistentReserveOutList {
    /// Of every action but REGISTER AND MOVE.
    Register(RegisterList),
    /// Of REGISTER AND MOVE.
    Move(MoveList),
}

/// The list without TransportIDs.
const LENGTH: usize = 24;

impl PersistentReserveOutList {
    /// Initiators that one REGISTER may name.
    pub const INITIATORS_MAX: usize = 256;

    /// Reads the list of that action.
    ///
    /// # Errors
    /// PARAMETER LIST LENGTH ERROR where it is not as long as its fields say; INVALID FIELD IN PARAMETER LIST where SPEC_I_PT is set with another
    /// action, or a TransportID is none of iSCSI.
    pub fn decode(
        action: PersistentReserveOutAction,
        list: &[u8],
    ) -> Result<PersistentReserveOutList, Sense> {
        if action == PersistentReserveOutAction::RegisterAndMove {
            MoveList::decode(list).map(PersistentReserveOutList::Move)
        } else {
            RegisterList::decode(action, list).map(PersistentReserveOutList::Register)
        }
    }

    /// The list, for an initiator.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            PersistentReserveOutList::Register(list) => list.encode(),
            PersistentReserveOutList::Move(list) => list.encode(),
        }
    }
}

impl RegisterList {
    fn decode(action: PersistentReserveOutAction, list: &[u8]) -> Result<RegisterList, Sense> {
        let too_short = Sense::parameter_list_length();
        let view = View(list.get(..LENGTH).ok_or(too_short)?);
        let names_initiators = view.bit(20, 3);
        if names_initiators && action != PersistentReserveOutAction::Register {
            return Err(Sense::invalid_parameter(20, Some(3)));
        }
        if !names_initiators && list.len() != LENGTH {
            return Err(too_short);
        }
        let initiators = names_initiators.then(|| initiators(list)).transpose()?;
        Ok(RegisterList {
            key: view.u64(0).ok_or(too_short)?,
            service_action_key: view.u64(8).ok_or(too_short)?,
            all_target_ports: view.bit(20, 2),
            persist: view.bit(20, 0),
            initiators,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut list = [self.key.to_be_bytes(), self.service_action_key.to_be_bytes()].concat();
        list.resize(LENGTH, 0);
        list[20] =
            flag(self.initiators.is_some(), 3) | flag(self.all_target_ports, 2) | flag(self.persist, 0);
        if let Some(initiators) = &self.initiators {
            let names: Vec<u8> = initiators.iter().flat_map(TransportId::encode).collect();
            list.extend(length_u32(names.len()).to_be_bytes());
            list.extend(names);
        }
        list
    }
}

/// The TransportIDs behind the list's fixed part, which must fill the list.
fn initiators(list: &[u8]) -> Result<Vec<TransportId>, Sense> {
    const START: usize = LENGTH + 4;
    let length = View(list).u32(LENGTH).ok_or(Sense::parameter_list_length())?;
    let mut rest = list
        .get(START..)
        .filter(|rest| rest.len() == length as usize)
        .ok_or(Sense::parameter_list_length())?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let place = list.len() - rest.len();
        let (id, behind) = TransportId::decode(rest)
            .filter(|_| all.len() < PersistentReserveOutList::INITIATORS_MAX)
            .ok_or(Sense::invalid_parameter(place, None))?;
        all.push(id);
        rest = behind;
    }
    Ok(all)
}

impl MoveList {
    fn decode(list: &[u8]) -> Result<MoveList, Sense> {
        let too_short = Sense::parameter_list_length();
        let view = View(list);
        let length = view.u32(20).ok_or(too_short)?;
        let name = list.get(LENGTH..).filter(|name| name.len() == length as usize).ok_or(too_short)?;
        let (initiator, _) = TransportId::decode(name)
            .filter(|(_, behind)| behind.is_empty())
            .ok_or(Sense::invalid_parameter(LENGTH, None))?;
        Ok(MoveList {
            key: view.u64(0).ok_or(too_short)?,
            service_action_key: view.u64(8).ok_or(too_short)?,
            unregister: view.bit(17, 1),
            persist: view.bit(17, 0),
            relative_target_port: view.u16(18).ok_or(too_short)?,
            initiator,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut list = [self.key.to_be_bytes(), self.service_action_key.to_be_bytes()].concat();
        list.extend([0, flag(self.unregister, 1) | flag(self.persist, 0)]);
        list.extend(self.relative_target_port.to_be_bytes());
        let name = self.initiator.encode();
        list.extend(length_u32(name.len()).to_be_bytes());
        list.extend(name);
        list
    }
}
