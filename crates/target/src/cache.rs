//! The write cache of a unit: it is turned off in an order that leaves nothing volatile behind, and whoever takes it for none is named.

use std::collections::BTreeSet;
use std::rc::Rc;

use oarlock_block::IoError;
use oarlock_scsi::iscsi::NodeName;
use oarlock_scsi::{AdditionalSense, ModeSettings};

use crate::array::Array;
use crate::course::Outcome;
use crate::ranges::{Held, Hold};
use crate::unit::Unit;

/// How ESXi's initiators are called, whatever the host.
const ESXI_NAMES: &str = "iqn.1998-01.com.vmware:";

impl Unit {
    /// Sets what `select` makes of the settings as they are then; `false` where that changes nothing. `hold` has all blocks in its hands
    /// while the write cache is turned off: a write that is under way may have found it on, and would be answered behind the `flush`.
    pub(crate) async fn change_settings(
        &self,
        select: impl Fn() -> Outcome<ModeSettings>,
        hold: impl Future<Output = Outcome<Held>>,
        flush: impl Future<Output = Outcome<()>>,
    ) -> Outcome<bool> {
        let turns_off = |settings: ModeSettings| {
            let before = self.state.borrow().settings;
            before.write_cache && !settings.write_cache
        };
        let _held = if turns_off(select()?) { Some(hold.await?) } else { None };
        // Read and set without a wait between: what another nexus selected meanwhile is not undone.
        let settings = select()?;
        let needs_flush = turns_off(settings);
        let is_changed = std::mem::replace(&mut self.state.borrow_mut().settings, settings) != settings;
        if needs_flush {
            flush.await.inspect_err(|_| self.state.borrow_mut().settings.write_cache = true)?;
        }
        Ok(is_changed)
    }

    /// As [`reset`](Unit::reset); where that turns the write cache off, what was answered with it is durable afterwards, or every later
    /// flush and durable write says that it is not.
    pub(crate) async fn reset_durably(
        &self,
        code: AdditionalSense,
        flush: impl Future<Output = Result<(), IoError>>,
    ) {
        let turns_off = {
            let state = self.state.borrow();
            state.settings.write_cache && !state.settings_after_reset().write_cache
        };
        // Whatever was answered is being erased, by somebody who has all blocks in its hands, and makes that durable.
        if !turns_off || self.erasing.borrow().is_some() {
            self.reset(code);
            return;
        }
        let _held = self.ranges.hold(0..self.blocks().0, Hold::Alone).await;
        self.reset(code);
        let _ = flush.await;
    }
}

impl Array {
    /// The same for all that are there, where something has changed.
    pub(crate) fn warn_all_of_caches(&self) {
        let told: BTreeSet<_> = self.nexuses().into_iter().map(|nexus| nexus.initiator).collect();
        told.iter().for_each(|initiator| self.warn_of_caches(initiator));
    }

    /// Tells the operator where an initiator will take for durable what is not.
    pub(crate) fn warn_of_caches(&self, initiator: &NodeName) {
        if !initiator.as_str().starts_with(ESXI_NAMES) {
            return;
        }
        let units = self.units_for(initiator);
        let is_cached =
            |unit: &&Rc<Unit>| !unit.traits.is_read_only && unit.state.borrow().settings.write_cache;
        let cached = units.iter().filter(is_cached);
        let numbers: Vec<String> = cached.map(|unit| unit.number.to_string()).collect();
        if !numbers.is_empty() {
            self.log(&format!(
                "{initiator} is an ESXi host, which takes every answer for durable and flushes nothing, but the write cache of LUN {} is on: what it \
                 answers may be lost with the power. Serve it with wce=0",
                numbers.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::FutureExt;
    use futures::channel::oneshot;
    use oarlock_block::ByteCount;
    use oarlock_device::{Durability, Medium, MediumOptions};
    use oarlock_scsi::{AdditionalSense, Lun, Sense};

    use super::*;
    use crate::course::Stop;
    use crate::unit::Traits;

    fn unit(folder: &tempfile::TempDir, write_cache: bool) -> Unit {
        let options = MediumOptions { create: Some(ByteCount(1 << 20)), ..MediumOptions::default() };
        let medium = Medium::open(&folder.path().join("disk"), options).unwrap();
        let traits = Traits {
            path: medium.path().to_owned(),
            is_thin: true,
            is_read_only: false,
            is_removable: false,
            serial: "1".to_owned(),
            queue: 8,
            allowed: Vec::new(),
        };
        Unit::new(0, Lun::unit(0).unwrap(), medium, traits, write_cache)
    }

    fn settings(unit: &Unit) -> ModeSettings {
        unit.state.borrow().settings
    }

    async fn all(unit: &Unit) -> Outcome<Held> {
        Ok(unit.ranges.hold(0..unit.blocks().0, Hold::Alone).await)
    }

    /// Two hosts select at once, while a third one writes.
    #[test]
    fn the_cache_is_off_when_nobody_writes_then_it_is_flushed_and_nobodys_selection_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit(&folder, true);
        let writes = unit.ranges.hold(3..4, Hold::Alone).now_or_never().unwrap();
        let (flushed, flush) = oneshot::channel();
        let is_asked = Cell::new(false);
        let select_off = || Ok(ModeSettings { write_cache: false, ..settings(&unit) });
        let mut off = Box::pin(unit.change_settings(select_off, all(&unit), async {
            is_asked.set(true);
            flush.await.unwrap()
        }));
        assert!((&mut off).now_or_never().is_none());
        assert_eq!(unit.durability(false), Durability::Volatile, "the write that is under way found it so");
        let select_tas = || Ok(ModeSettings { task_aborted_status: true, ..settings(&unit) });
        let other = unit.change_settings(select_tas, all(&unit), async { panic!("nothing to flush") });
        assert_eq!(other.now_or_never(), Some(Ok(true)));
        drop(writes);
        assert!((&mut off).now_or_never().is_none());
        assert!(is_asked.get());
        assert_eq!(
            unit.durability(false),
            Durability::Durable,
            "of every write that is answered behind the flush"
        );
        assert!(
            unit.ranges.hold(3..4, Hold::Alone).now_or_never().is_none(),
            "none begins before it is done"
        );
        flushed.send(Ok(())).unwrap();
        assert_eq!(off.now_or_never(), Some(Ok(true)));
        assert!(settings(&unit).task_aborted_status);
    }

    #[test]
    fn a_cache_whose_flush_fails_stays_on() {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit(&folder, true);
        let failure = Stop::from(Sense::illegal(AdditionalSense::WRITE_ERROR));
        let select = || Ok(ModeSettings { write_cache: false, ..settings(&unit) });
        let outcome = unit.change_settings(select, all(&unit), async { Err(failure.clone()) }).now_or_never();
        assert_eq!(outcome, Some(Err(failure)));
        assert!(settings(&unit).write_cache);
    }

    #[test]
    fn a_reset_that_turns_the_cache_off_flushes_what_was_answered_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let unit = unit(&folder, false);
        let flushes = Cell::new(0);
        let flush = || async {
            flushes.set(flushes.get() + 1);
            Ok(())
        };
        let code = AdditionalSense::BUS_DEVICE_RESET_FUNCTION_OCCURRED;
        unit.reset_durably(code, flush()).now_or_never().unwrap();
        assert_eq!(flushes.get(), 0, "it was off");
        unit.state.borrow_mut().settings.write_cache = true;
        let writes = unit.ranges.hold(3..4, Hold::Alone).now_or_never().unwrap();
        let mut reset = Box::pin(unit.reset_durably(code, flush()));
        assert!((&mut reset).now_or_never().is_none());
        assert!(settings(&unit).write_cache);
        drop(writes);
        reset.now_or_never().unwrap();
        assert_eq!((flushes.get(), settings(&unit).write_cache), (1, false));
    }
}
