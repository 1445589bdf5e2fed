//! Persistent reservations of one unit: who is registered, who holds what, and what each action makes of it (SPC-5, "Persistent
//! reservations"). Pure: what is to be told, ended and saved is said, and done by the caller.

use std::collections::BTreeMap;

use oarlock_scsi::{AdditionalSense, ReservationRule, ReservationType, Sense, Status};

use crate::course::Stop;
use crate::session::Nexus;

/// The registrations and the reservation of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reservations {
    /// PRGENERATION.
    pub(crate) generation: u32,
    pub(crate) registrants: BTreeMap<Nexus, Registration>,
    pub(crate) held: Option<Held>,
    /// APTPL: they outlive the array.
    pub(crate) persist: bool,
}

/// One nexus' registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    pub(crate) key: u64,
    /// It was made for every target port.
    pub(crate) all_ports: bool,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Who took it; of types that every registrant holds, the one who took it first.
    pub(crate) by: Nexus,
    pub(crate) kind: ReservationType,
}

/// What follows from an action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Whom to tell what.
    pub(crate) attentions: Vec<(Nexus, AdditionalSense)>,
    /// Whose tasks are to end.
    pub(crate) aborted: Vec<Nexus>,
}

/// What a REGISTER asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registering {
    /// RESERVATION KEY.
    pub(crate) key: u64,
    /// SERVICE ACTION RESERVATION KEY; 0 ends the registration.
    pub(crate) new_key: u64,
    /// REGISTER AND IGNORE EXISTING KEY.
    pub(crate) ignores: bool,
    /// ALL_TG_PT.
    pub(crate) all_ports: bool,
    /// SPEC_I_PT: it is for others, too.
    pub(crate) names_others: bool,
    /// APTPL.
    pub(crate) persist: bool,
}

/// More registrations than any cluster has.
const REGISTRANTS_MAX: usize = 4096;

const CONFLICT: Stop = Stop::Status(Status::RESERVATION_CONFLICT);

type Done = Result<Effect, Stop>;

impl Reservations {
    /// Whether a command may be executed.
    pub(crate) fn lets(&self, nexus: &Nexus, rule: ReservationRule) -> bool {
        let Some(held) = &self.held else { return true };
        self.is_holder(nexus) || rule.passes(held.kind, self.registrants.contains_key(nexus))
    }

    /// Whether RESERVE and RELEASE of SPC-2 conflict with what is registered.
    pub(crate) fn is_used(&self) -> bool {
        !self.registrants.is_empty()
    }

    fn is_holder(&self, nexus: &Nexus) -> bool {
        self.held.as_ref().is_some_and(|held| {
            let is_named = held.by == *nexus || held.kind.is_all_registrants();
            is_named && self.registrants.contains_key(nexus)
        })
    }

    fn key_of(&self, nexus: &Nexus) -> Option<u64> {
        self.registrants.get(nexus).map(|registration| registration.key)
    }

    fn check_key(&self, nexus: &Nexus, key: u64) -> Result<(), Stop> {
        if self.key_of(nexus) == Some(key) { Ok(()) } else { Err(CONFLICT) }
    }

    /// REGISTER and REGISTER AND IGNORE EXISTING KEY (SPC-5, "Register behaviors").
    pub(crate) fn register(&mut self, of: &[Nexus], asked: Registering) -> Done {
        let Some(own) = of.first() else { return Err(CONFLICT) };
        let old_key = self.key_of(own);
        if !asked.ignores && old_key.unwrap_or(0) != asked.key {
            return Err(CONFLICT);
        }
        if asked.names_others && old_key.is_some() {
            return Err(Sense::invalid_parameter(20, Some(3)).into());
        }
        let mut effect = Effect::default();
        if asked.new_key == 0 {
            // Who is not registered has nothing to give back, and nobody else's registration is its to end.
            let Some(old_key) = old_key else { return Ok(effect) };
            let is_own = |nexus: &&Nexus| self.is_own(nexus, own, old_key);
            let own: Vec<Nexus> = of.iter().filter(is_own).cloned().collect();
            own.iter().for_each(|nexus| self.unregister(nexus, &mut effect));
        } else {
            // Only its owner may change a key that stands.
            let is_open = |nexus: &&Nexus| {
                !self.registrants.contains_key(nexus)
                    || *nexus == own
                    || old_key.is_some_and(|key| self.is_own(nexus, own, key))
            };
            let open: Vec<Nexus> = of.iter().filter(is_open).cloned().collect();
            let new_count = open.iter().filter(|nexus| !self.registrants.contains_key(nexus)).count();
            if self.registrants.len() + new_count > REGISTRANTS_MAX {
                return Err(Sense::illegal(AdditionalSense::INSUFFICIENT_REGISTRATION_RESOURCES).into());
            }
            let registration = Registration { key: asked.new_key, all_ports: asked.all_ports };
            self.registrants.extend(open.into_iter().map(|nexus| (nexus, registration)));
        }
        self.persist = asked.persist;
        self.generation = self.generation.wrapping_add(1);
        Ok(effect)
    }

    /// Whether a registration is the sender's: its nexus', or with the same key the same initiator port's at another target port.
    fn is_own(&self, nexus: &Nexus, own: &Nexus, key: u64) -> bool {
        let is_same_port = nexus.initiator == own.initiator && nexus.session_id == own.session_id;
        is_same_port && self.key_of(nexus) == Some(key)
    }

    /// A registration ends, and with it the reservation, where it was its holder's (SPC-5, "Unregistering").
    fn unregister(&mut self, nexus: &Nexus, effect: &mut Effect) {
        let held_by_one = self.held.clone().filter(|held| !held.kind.is_all_registrants());
        if self.registrants.remove(nexus).is_none() {
            return;
        }
        self.settle();
        if let Some(held) = held_by_one
            && self.held.is_none()
            && held.kind.lets_registrants()
        {
            self.tell_all(None, AdditionalSense::RESERVATIONS_RELEASED, effect);
        }
    }

    fn tell_all(&self, but: Option<&Nexus>, code: AdditionalSense, effect: &mut Effect) {
        let told = self.registrants.keys().filter(|nexus| Some(*nexus) != but);
        effect.attentions.extend(told.map(|nexus| (nexus.clone(), code)));
    }

    /// RESERVE.
    pub(crate) fn reserve(&mut self, nexus: &Nexus, key: u64, kind: ReservationType) -> Done {
        self.check_key(nexus, key)?;
        match &self.held {
            None => {
                self.held = Some(Held { by: nexus.clone(), kind });
                Ok(Effect::default())
            }
            Some(held) if self.is_holder(nexus) && held.kind == kind => Ok(Effect::default()),
            Some(_) => Err(CONFLICT),
        }
    }

    /// RELEASE.
    pub(crate) fn release(&mut self, nexus: &Nexus, key: u64, kind: ReservationType) -> Done {
        self.check_key(nexus, key)?;
        let mut effect = Effect::default();
        let Some(held) = self.held.clone().filter(|_| self.is_holder(nexus)) else { return Ok(effect) };
        if held.kind != kind {
            return Err(Sense::illegal(AdditionalSense::INVALID_RELEASE_OF_PERSISTENT_RESERVATION).into());
        }
        self.held = None;
        if kind.lets_registrants() {
            self.tell_all(Some(nexus), AdditionalSense::RESERVATIONS_RELEASED, &mut effect);
        }
        Ok(effect)
    }

    /// CLEAR.
    pub(crate) fn clear(&mut self, nexus: &Nexus, key: u64) -> Done {
        self.check_key(nexus, key)?;
        let mut effect = Effect::default();
        self.tell_all(Some(nexus), AdditionalSense::RESERVATIONS_PREEMPTED, &mut effect);
        self.registrants.clear();
        self.held = None;
        self.generation = self.generation.wrapping_add(1);
        Ok(effect)
    }

    /// PREEMPT and PREEMPT AND ABORT. `kind`: the type of the reservation that is taken over.
    pub(crate) fn preempt(
        &mut self,
        nexus: &Nexus,
        (key, victim_key): (u64, u64),
        kind: Option<ReservationType>,
    ) -> Done {
        self.check_key(nexus, key)?;
        let held = self.held.clone();
        let of_all = held.as_ref().is_some_and(|held| held.kind.is_all_registrants());
        if victim_key == 0 && !of_all {
            return Err(Sense::invalid_parameter(8, None).into());
        }
        let takes_over = match &held {
            Some(_) if of_all => victim_key == 0,
            Some(held) => self.key_of(&held.by) == Some(victim_key),
            None => false,
        };
        let is_victim = |known: &Nexus, registration: &Registration| {
            known != nexus && (victim_key == 0 || registration.key == victim_key)
        };
        let victims: Vec<Nexus> = self
            .registrants
            .iter()
            .filter(|(known, registration)| is_victim(known, registration))
            .map(|(known, _)| known.clone())
            .collect();
        let has_own = self.key_of(nexus) == Some(victim_key);
        if victims.is_empty() && !takes_over && !has_own {
            return Err(CONFLICT);
        }
        let kind = match (takes_over, kind) {
            (true, None) => return Err(Sense::invalid_cdb(2, Some(3)).into()),
            (_, kind) => kind,
        };
        let mut effect = Effect::default();
        for victim in &victims {
            self.registrants.remove(victim);
            effect.attentions.push((victim.clone(), AdditionalSense::REGISTRATIONS_PREEMPTED));
        }
        effect.aborted = victims;
        if let (true, Some(kind), Some(held)) = (takes_over, kind, &held) {
            // Whatever the old type let them do (SPC-4, "Preempting persistent reservations and registration handling").
            if held.kind != kind {
                self.tell_all(Some(nexus), AdditionalSense::RESERVATIONS_RELEASED, &mut effect);
            }
            self.held = Some(Held { by: nexus.clone(), kind });
        } else {
            self.settle();
        }
        self.generation = self.generation.wrapping_add(1);
        Ok(effect)
    }

    /// After registrations went: only a registrant holds a reservation, and one of all registrants goes on with those who are left.
    pub(crate) fn settle(&mut self) {
        let Some(held) = &mut self.held else { return };
        if self.registrants.contains_key(&held.by) {
            return;
        }
        match self.registrants.keys().next() {
            Some(next) if held.kind.is_all_registrants() => held.by = next.clone(),
            _ => self.held = None,
        }
    }

    /// REGISTER AND MOVE: the holder gives the reservation to `to`.
    pub(crate) fn register_and_move(
        &mut self,
        nexus: &Nexus,
        (key, new_key): (u64, u64),
        to: &Nexus,
        (unregisters, persist): (bool, bool),
    ) -> Done {
        self.check_key(nexus, key)?;
        let Some(held) = &self.held else { return Err(CONFLICT) };
        if held.by != *nexus || held.kind.is_all_registrants() {
            return Err(CONFLICT);
        }
        if new_key == 0 {
            return Err(Sense::invalid_parameter(8, None).into());
        }
        if to == nexus {
            return Err(Sense::invalid_parameter(24, None).into());
        }
        self.registrants.insert(to.clone(), Registration { key: new_key, all_ports: false });
        self.held = Some(Held { by: to.clone(), kind: held.kind });
        if unregisters {
            self.registrants.remove(nexus);
        }
        self.persist = persist;
        self.generation = self.generation.wrapping_add(1);
        Ok(Effect::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::PortalIndex;
    use oarlock_scsi::iscsi::SessionId;

    fn nexus(number: u8) -> Nexus {
        Nexus {
            initiator: "iqn.2026-11.example:host".parse().unwrap(),
            session_id: SessionId([number; 6]),
            portal: PortalIndex(0),
        }
    }

    fn keys(key: u64, new_key: u64) -> Registering {
        Registering { key, new_key, ..Registering::default() }
    }

    fn registered(numbers: &[u8]) -> Reservations {
        let mut all = Reservations::default();
        for number in numbers {
            all.register(&[nexus(*number)], keys(0, u64::from(*number))).unwrap();
        }
        all
    }

    const ALONE: ReservationType = ReservationType::WriteExclusive;
    const REGISTRANTS: ReservationType = ReservationType::WriteExclusiveRegistrantsOnly;
    const ALL: ReservationType = ReservationType::ExclusiveAccessAllRegistrants;

    #[test]
    fn a_key_that_does_not_match_conflicts_whatever_the_action() {
        let mut all = registered(&[1]);
        assert_eq!(all.register(&[nexus(1)], keys(9, 2)), Err(CONFLICT));
        assert_eq!(all.register(&[nexus(2)], keys(9, 2)), Err(CONFLICT));
        assert_eq!(all.reserve(&nexus(1), 9, ALONE), Err(CONFLICT));
        assert_eq!(all.reserve(&nexus(2), 0, ALONE), Err(CONFLICT), "it is not registered");
        assert_eq!(all.release(&nexus(1), 9, ALONE), Err(CONFLICT));
        assert_eq!(all.clear(&nexus(1), 9), Err(CONFLICT));
        assert_eq!(all.preempt(&nexus(1), (9, 1), Some(ALONE)), Err(CONFLICT));
        assert_eq!(all, registered(&[1]));
    }

    #[test]
    fn writes_of_others_conflict_as_the_type_says() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, ALONE).unwrap();
        assert!(all.lets(&nexus(1), ReservationRule::Write));
        assert!(!all.lets(&nexus(2), ReservationRule::Write) && all.lets(&nexus(2), ReservationRule::Read));
        all.release(&nexus(1), 1, ALONE).unwrap();
        all.reserve(&nexus(1), 1, REGISTRANTS).unwrap();
        assert!(all.lets(&nexus(2), ReservationRule::Write) && !all.lets(&nexus(3), ReservationRule::Write));
        assert_eq!(all.reserve(&nexus(2), 2, REGISTRANTS), Err(CONFLICT));
    }

    #[test]
    fn a_release_of_another_type_is_refused_and_one_by_no_holder_does_nothing() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, REGISTRANTS).unwrap();
        assert!(matches!(all.release(&nexus(1), 1, ALONE), Err(Stop::Check(_))));
        assert_eq!(all.release(&nexus(2), 2, REGISTRANTS), Ok(Effect::default()));
        assert!(all.held.is_some());
        let effect = all.release(&nexus(1), 1, REGISTRANTS).unwrap();
        assert_eq!(effect.attentions, [(nexus(2), AdditionalSense::RESERVATIONS_RELEASED)]);
    }

    #[test]
    fn who_preempts_the_holder_takes_its_place_and_the_victims_are_named() {
        let mut all = registered(&[1, 2, 3]);
        all.reserve(&nexus(1), 1, ALONE).unwrap();
        let generation = all.generation;
        let effect = all.preempt(&nexus(2), (2, 1), Some(REGISTRANTS)).unwrap();
        assert_eq!(effect.aborted, [nexus(1)]);
        let bystander = (nexus(3), AdditionalSense::RESERVATIONS_RELEASED);
        let victim = (nexus(1), AdditionalSense::REGISTRATIONS_PREEMPTED);
        assert_eq!(effect.attentions, [victim, bystander], "its type is another now");
        assert_eq!(all.held, Some(Held { by: nexus(2), kind: REGISTRANTS }));
        assert_eq!(all.generation, generation + 1);
        assert_eq!(all.preempt(&nexus(2), (2, 77), Some(ALONE)), Err(CONFLICT), "nobody has that key");
    }

    #[test]
    fn a_reservation_of_all_registrants_lasts_as_long_as_there_is_one() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, ALL).unwrap();
        assert!(all.lets(&nexus(2), ReservationRule::Write), "every registrant holds it");
        all.register(&[nexus(1)], keys(1, 0)).unwrap();
        assert_eq!(all.held, Some(Held { by: nexus(2), kind: ALL }));
        for rule in [ReservationRule::Write, ReservationRule::Read] {
            assert!(!all.lets(&nexus(1), rule), "who took it is a registrant no more, and is kept out");
        }
        all.register(&[nexus(2)], keys(2, 0)).unwrap();
        assert_eq!(all.held, None);
    }

    #[test]
    fn a_holder_that_unregisters_gives_the_reservation_back() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, REGISTRANTS).unwrap();
        let effect = all.register(&[nexus(1)], keys(1, 0)).unwrap();
        assert_eq!(effect.attentions, [(nexus(2), AdditionalSense::RESERVATIONS_RELEASED)]);
        assert_eq!(all.held, None);
    }

    /// RESERVATION KEY and SERVICE ACTION RESERVATION KEY are both 0 in a list that anybody may send.
    #[test]
    fn who_is_not_registered_unregisters_nobody_else() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, ALONE).unwrap();
        let before = all.clone();
        let named = [nexus(3), nexus(1), nexus(2)];
        for ignores in [false, true] {
            for names_others in [false, true] {
                let asked = Registering { ignores, names_others, persist: true, ..keys(0, 0) };
                assert_eq!(all.register(&named, asked), Ok(Effect::default()));
                assert_eq!(all, before, "nothing was done, and PRGENERATION counts what was");
            }
        }
    }

    #[test]
    fn a_registered_nexus_names_no_others_neither_to_register_nor_to_unregister_them() {
        let mut all = registered(&[1, 2]);
        for new_key in [0, 9] {
            let asked = Registering { names_others: true, ..keys(1, new_key) };
            let refused = all.register(&[nexus(1), nexus(2), nexus(3)], asked);
            assert_eq!(refused, Err(Sense::invalid_parameter(20, Some(3)).into()));
        }
        assert_eq!(all, registered(&[1, 2]));
    }

    #[test]
    fn an_initiator_port_unregisters_at_all_target_ports_only_what_has_its_key() {
        let at = |portal| Nexus { portal: PortalIndex(portal), ..nexus(1) };
        let mut all = registered(&[1, 2]);
        let mut registers = |nexus: Nexus, key| all.register(&[nexus], keys(0, key)).unwrap();
        registers(at(1), 1);
        registers(at(2), 7);
        let asked = Registering { all_ports: true, ..keys(1, 0) };
        all.register(&[at(0), at(1), at(2)], asked).unwrap();
        let left: Vec<_> = all.registrants.keys().cloned().collect();
        assert_eq!(left, [at(2), nexus(2)]);
    }

    #[test]
    fn only_the_holder_moves_the_reservation() {
        let mut all = registered(&[1, 2]);
        all.reserve(&nexus(1), 1, ALONE).unwrap();
        assert_eq!(all.register_and_move(&nexus(2), (2, 5), &nexus(3), (false, false)), Err(CONFLICT));
        all.register_and_move(&nexus(1), (1, 5), &nexus(3), (true, false)).unwrap();
        assert_eq!(all.held, Some(Held { by: nexus(3), kind: ALONE }));
        assert!(!all.registrants.contains_key(&nexus(1)));
    }
}
