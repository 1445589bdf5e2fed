//! A host that was killed and comes back under its name.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{
    Clock, CutOff, EnterError, Instant, LocalFuture, NotCutOff, ProcessIdentity, Proof, SlotIndex, Victim,
};
use oarlock_engine::World;

use crate::company::try_join;
use crate::machine::{Machine, SMALL, Time};

/// A kernel that still ends what a killed process had begun: until then nothing proves its death.
struct NotYet {
    until: Instant,
    time: Rc<Time>,
    of: Rc<dyn CutOff>,
}

impl CutOff for NotYet {
    fn process(&self) -> ProcessIdentity {
        self.of.process()
    }

    fn enter(&self, slot: SlotIndex) -> LocalFuture<'_, Result<(), EnterError>> {
        self.of.enter(slot)
    }

    fn exit(&self, slot: SlotIndex) -> LocalFuture<'_, ()> {
        self.of.exit(slot)
    }

    fn death_proved(&self, victim: Victim) -> LocalFuture<'_, Option<Proof>> {
        if self.time.now() < self.until { Box::pin(async { None }) } else { self.of.death_proved(victim) }
    }

    fn cut_off(&self, victim: Victim) -> LocalFuture<'_, Result<Proof, NotCutOff>> {
        self.of.cut_off(victim)
    }
}

/// A fresh reader found it: one start in thirty after a kill took a whole watch, for the proof came a moment after it was asked for.
#[test]
fn a_host_that_was_killed_comes_back_as_soon_as_its_death_is_proved_and_waits_for_no_watch() {
    let machine = Machine::new(SMALL);
    machine.format();
    let (dying, process) = machine.process();
    machine.time.run(try_join(dying, "a")).0.unwrap();
    machine.kill(process);
    let began = machine.time.now();
    let proof_takes = Duration::from_millis(300);
    let (world, _) = machine.process();
    let cut_off = Rc::new(NotYet {
        until: began.plus(proof_takes),
        time: Rc::clone(&machine.time),
        of: Rc::clone(&world.cut_off),
    });
    machine.time.run(try_join(World { cut_off, ..world }, "a")).0.unwrap();
    let took = machine.time.now().since(began);
    assert!(took >= proof_takes && took < proof_takes * 4, "{took:?}");
}
