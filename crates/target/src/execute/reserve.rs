//! PERSISTENT RESERVE IN and OUT (SPC-5), RESERVE and RELEASE (SPC-2).

use std::collections::BTreeSet;

use oarlock_scsi::iscsi::SessionId;
use oarlock_scsi::{
    AdditionalSense, FullStatus, HeldReservation, MoveList, PersistentReserveIn, PersistentReserveInAction,
    PersistentReserveOut, PersistentReserveOutAction as Action, PersistentReserveOutList, RegisterList,
    ReservationCapabilities, ReservationKeys, ReservationType, Sense, Status, StatusDescriptor, TransportId,
};

use super::{Reply, Work};
use crate::course::{Abort, Outcome, Stop};
use crate::reservations::{Effect, Registering};
use crate::session::{Nexus, PortalIndex};
use crate::turns::Turn;

/// Where the first TransportID of a REGISTER's list stands (SPC-5, "Basic PERSISTENT RESERVE OUT parameter list").
const FIRST_TRANSPORT_ID: usize = 28;

impl Work {
    /// Waits for the turn to change what is saved: of the session's commands one at a time asks for it, so that who fences waits for no queue of another's.
    pub(super) async fn turn_to_save(&self) -> Outcome<[Turn; 2]> {
        let shares = self.task.session.shares(Some(&self.unit));
        let of_session = self.task.or_aborted(shares.saving.next()).await?;
        let of_unit = self.task.or_aborted(self.unit.turn_to_save()).await?;
        Ok([of_session, of_unit])
    }

    /// RESERVE(6) and (10) of the whole unit (SPC-2, 7.21). They and persistent reservations exclude each other.
    pub(super) async fn reserve(&self) -> Outcome<Reply> {
        // A registration that is being given back stands until that is saved.
        let _saving = self.turn_to_save().await?;
        self.check()?;
        let nexus = &self.task.session.nexus;
        let mut state = self.unit.state.borrow_mut();
        let is_of_another = state.reserved_by.as_ref().is_some_and(|holder| holder != nexus);
        if is_of_another || self.unit.reservations.borrow().is_used() {
            return Err(Stop::Status(Status::RESERVATION_CONFLICT));
        }
        state.reserved_by = Some(nexus.clone());
        Ok(Reply::good())
    }

    /// A release by one who does not hold it does nothing (SPC-2, 7.17).
    pub(super) fn release(&self) -> Outcome<Reply> {
        let nexus = &self.task.session.nexus;
        if self.unit.reservations.borrow().is_used() {
            return Err(Stop::Status(Status::RESERVATION_CONFLICT));
        }
        let mut state = self.unit.state.borrow_mut();
        if state.reserved_by.as_ref() == Some(nexus) {
            state.reserved_by = None;
        }
        Ok(Reply::good())
    }

    /// What is being saved is told when it is: a change that was seen by whoever fences is not gone behind a restart.
    pub(super) async fn persistent_reserve_in(&self, request: PersistentReserveIn) -> Outcome<Reply> {
        drop(self.turn_to_save().await?);
        let all = self.unit.reservations.borrow();
        let generation = all.generation;
        let data = match request.action {
            PersistentReserveInAction::ReadKeys => {
                let keys = all.registrants.values().map(|registration| registration.key).collect();
                ReservationKeys { generation, keys }.encode()
            }
            PersistentReserveInAction::ReadReservation => {
                let held = all.held.as_ref().map(|held| {
                    let key = all.registrants.get(&held.by).map_or(0, |registration| registration.key);
                    (if held.kind.is_all_registrants() { 0 } else { key }, held.kind)
                });
                HeldReservation { generation, held }.encode()
            }
            PersistentReserveInAction::ReportCapabilities => ReservationCapabilities {
                compatible_reservation_handling: false,
                specify_initiators: true,
                all_target_ports: true,
                persist: true,
                persist_active: all.persist,
                allow_commands: 1,
                types: [true; ReservationType::ALL.len()],
            }
            .encode(),
            PersistentReserveInAction::ReadFullStatus => {
                let of = |nexus: &Nexus| {
                    let held = all.held.as_ref();
                    let held = held.filter(|held| held.by == *nexus || held.kind.is_all_registrants());
                    held.map(|held| held.kind)
                };
                let registrations = all.registrants.iter().map(|(nexus, registration)| StatusDescriptor {
                    key: registration.key,
                    all_target_ports: registration.all_ports,
                    holds: of(nexus),
                    relative_target_port: nexus.portal.port(),
                    initiator: TransportId::Port {
                        name: nexus.initiator.to_string(),
                        isid: nexus.session_id.0,
                    },
                });
                FullStatus { generation, registrations: registrations.collect() }.encode()
            }
        };
        Ok(Reply::bytes(data, request.allocation_length))
    }

    pub(super) async fn persistent_reserve_out(&self, request: PersistentReserveOut) -> Outcome<Reply> {
        let length = usize::try_from(request.parameter_list_length).unwrap_or(usize::MAX);
        let list = self.receive_list(length.min(1 << 20)).await?;
        if list.len() < length {
            return Err(Sense::parameter_list_length().into());
        }
        let list = PersistentReserveOutList::decode(request.action, &list)?;
        let turn = self.turn_to_save().await?;
        // Somebody may have reserved the unit meanwhile.
        self.check()?;
        let before = self.unit.reservations.borrow().clone();
        let effect = match &list {
            PersistentReserveOutList::Register(list) => self.act(request, list)?,
            PersistentReserveOutList::Move(list) => self.register_and_move(list)?,
        };
        let after = self.unit.reservations.borrow().clone();
        // What is to outlive the array does so before it is answered.
        if (before.persist || after.persist) && before != after {
            self.unit.save(&self.array.media).await.map_err(|reason| {
                *self.unit.reservations.borrow_mut() = before;
                self.array
                    .log(&format!("reservations of unit {} cannot be saved: {reason}", self.unit.number));
                Stop::from(Sense::illegal(AdditionalSense::INSUFFICIENT_REGISTRATION_RESOURCES))
            })?;
        }
        drop(turn);
        self.tell(request.action, &effect);
        self.follow(effect, request.action == Action::PreemptAndAbort).await;
        Ok(Reply::good())
    }

    /// Who takes reservations from others is named.
    fn tell(&self, action: Action, effect: &Effect) {
        let took = match action {
            Action::Preempt => "preempted",
            Action::PreemptAndAbort => "preempted, and aborted the commands of,",
            Action::Clear => "cleared all reservations and registrations, of",
            _ => return,
        };
        let told = |code| {
            code == AdditionalSense::REGISTRATIONS_PREEMPTED
                || code == AdditionalSense::RESERVATIONS_PREEMPTED
        };
        let victims: BTreeSet<String> = effect
            .attentions
            .iter()
            .filter(|(_, code)| told(*code))
            .map(|(nexus, _)| nexus.initiator.to_string())
            .collect();
        let victims = victims.into_iter().collect::<Vec<_>>().join(", ");
        let whom = if victims.is_empty() { "nobody else" } else { &victims };
        let (number, name) = (self.unit.number, &self.task.session.nexus.initiator);
        self.array.log(&format!("unit {number}: {name} {took} {whom}"));
    }

    fn act(&self, request: PersistentReserveOut, list: &RegisterList) -> Outcome<Effect> {
        let nexus = &self.task.session.nexus;
        let mut all = self.unit.reservations.borrow_mut();
        let keys = (list.key, list.service_action_key);
        let kind = || request.kind.ok_or_else(|| Stop::from(Sense::invalid_cdb(2, Some(3))));
        match request.action {
            Action::Register | Action::RegisterAndIgnoreExistingKey => {
                let of = self.nexuses_of(list)?;
                let asked = Registering {
                    key: list.key,
                    new_key: list.service_action_key,
                    ignores: request.action == Action::RegisterAndIgnoreExistingKey,
                    all_ports: list.all_target_ports,
                    names_others: list.initiators.is_some(),
                    persist: list.persist,
                };
                all.register(&of, asked)
            }
            Action::Reserve => all.reserve(nexus, list.key, kind()?),
            Action::Release => all.release(nexus, list.key, kind()?),
            Action::Clear => all.clear(nexus, list.key),
            Action::Preempt | Action::PreemptAndAbort => all.preempt(nexus, keys, request.kind),
            Action::RegisterAndMove => Err(Sense::invalid_cdb(1, Some(4)).into()),
        }
    }

    /// Whom a REGISTER is for: its sender first, on each port where ALL_TG_PT asks for it, and those whom SPEC_I_PT names.
    fn nexuses_of(&self, list: &RegisterList) -> Outcome<Vec<Nexus>> {
        let own = self.task.session.nexus.clone();
        let mut all = vec![own.clone()];
        let mut byte = FIRST_TRANSPORT_ID;
        for id in list.initiators.iter().flatten() {
            let named = self.named(id, own.portal);
            if named.is_empty() {
                return Err(Sense::invalid_parameter(byte, None).into());
            }
            all.extend(named);
            byte += id.encode().len();
        }
        if list.all_target_ports {
            let ports = (0..self.array.config.portals.len()).filter_map(|place| u16::try_from(place).ok());
            let others: Vec<Nexus> = ports
                .flat_map(|place| {
                    all.iter().map(move |nexus| Nexus { portal: PortalIndex(place), ..nexus.clone() })
                })
                .collect();
            all.extend(others);
        }
        let mut seen = BTreeSet::new();
        all.retain(|nexus| seen.insert(nexus.clone()));
        Ok(all)
    }

    /// The nexuses that a TransportID names at a port: one, or all that are known of an initiator without its ISID.
    fn named(&self, id: &TransportId, portal: PortalIndex) -> Vec<Nexus> {
        let Ok(initiator) = id.name().parse() else { return Vec::new() };
        match id {
            TransportId::Port { isid, .. } => vec![Nexus { initiator, session_id: SessionId(*isid), portal }],
            TransportId::Device { .. } => {
                let known = self.array.nexuses().into_iter();
                known.filter(|nexus| nexus.initiator == initiator && nexus.portal == portal).collect()
            }
        }
    }

    fn register_and_move(&self, list: &MoveList) -> Outcome<Effect> {
        let port = usize::from(list.relative_target_port);
        if !(1..=self.array.config.portals.len()).contains(&port) {
            return Err(Sense::invalid_parameter(18, None).into());
        }
        let portal = PortalIndex(list.relative_target_port - 1);
        let Some(to) = self.named(&list.initiator, portal).into_iter().next() else {
            return Err(Sense::invalid_parameter(24, None).into());
        };
        let nexus = &self.task.session.nexus;
        let keys = (list.key, list.service_action_key);
        let how = (list.unregister, list.persist);
        self.unit.reservations.borrow_mut().register_and_move(nexus, keys, &to, how)
    }

    /// Tells whom an action concerns; with `aborts`, ends the tasks of whom it preempted, and waits until their fate is known. With TAS
    /// the victims hear of each of them (SPC-5, control mode page), and need not wait for what does not come.
    async fn follow(&self, effect: Effect, aborts: bool) {
        for (nexus, code) in &effect.attentions {
            self.unit.attend(nexus, *code);
        }
        if !aborts {
            return;
        }
        // Whom this fences keeps no medium in its place either (SPC-4, PREVENT ALLOW MEDIUM REMOVAL command).
        self.unit.state.borrow_mut().prevented_by.retain(|nexus| !effect.aborted.contains(nexus));
        let mut tasks = self.unit.task_set.tasks();
        tasks.retain(|task| effect.aborted.contains(&task.session.nexus));
        let is_told = self.unit.state.borrow().settings.task_aborted_status;
        let abort = if is_told { Abort::Told } else { Abort::Silent };
        tasks.iter().for_each(|task| task.abort(abort));
        for task in tasks {
            task.ended().await;
        }
    }
}
