//! What other threads ask of the array's: units added, removed, grown; who is there; stop.

use std::rc::Rc;
use std::sync::mpsc::SyncSender;

use oarlock_block::ByteCount;
use oarlock_device::Medium;
use oarlock_scsi::AdditionalSense;

use crate::TargetError;
use crate::array::Array;
use crate::atomic;
use crate::course::Abort;
use crate::earlier::Earlier;
use crate::execute;
use crate::metrics::MetricsReport;
use crate::opening::check_beside;
use crate::options::{SessionReport, UnitReport};
use crate::session::Session;
use crate::unit::{Traits, Unit};

/// A unit whose medium is open.
pub(crate) struct NewUnit {
    pub(crate) number: u16,
    pub(crate) medium: Medium,
    pub(crate) earlier: Earlier,
    pub(crate) traits: Traits,
    pub(crate) write_cache: bool,
    /// What its operator is to know.
    pub(crate) notes: Vec<String>,
}

/// A message to the array's thread.
pub(crate) enum Message {
    Stop,
    Add(Box<NewUnit>, SyncSender<Result<(), TargetError>>),
    Remove(u16, SyncSender<Result<(), TargetError>>),
    Resize(u16, Option<ByteCount>, SyncSender<Result<UnitReport, TargetError>>),
    Units(SyncSender<Vec<UnitReport>>),
    Sessions(SyncSender<Vec<SessionReport>>),
    Metrics(SyncSender<Box<MetricsReport>>),
}

/// Does what a message asks. Whoever asked may be gone by then, which changes nothing.
pub(crate) fn obey(array: &Rc<Array>, message: Message) {
    match message {
        Message::Stop => {}
        Message::Add(unit, told) => {
            let number = unit.number;
            let added = add(array, *unit);
            if added.is_ok() {
                tell(array, number, "is served from now on");
                array.warn_all_of_caches();
            }
            let _ = told.try_send(added);
        }
        Message::Remove(number, told) => remove(array, number, told),
        Message::Resize(number, size, told) => drop(told.try_send(resize(array, number, size))),
        Message::Units(told) => {
            let units = array.units.borrow();
            let _ = told.try_send(units.values().map(|unit| report(unit)).collect());
        }
        Message::Metrics(told) => drop(told.try_send(Box::new(array.metrics_report()))),
        Message::Sessions(told) => {
            let sessions = array.sessions();
            let _ = told.try_send(sessions.iter().map(|session| report_session(array, session)).collect());
        }
    }
}

/// A unit begins to be there; whoever is there is told so.
pub(crate) fn add(array: &Rc<Array>, new: NewUnit) -> Result<(), TargetError> {
    let number = new.number;
    let mut units = array.units.borrow_mut();
    let others = units.values().map(|unit| (unit.number, unit.traits.serial.as_str()));
    let lun = check_beside(others, number, &new.traits.serial)?;
    let mut unit = Unit::new(number, lun, new.medium, new.traits, new.write_cache);
    unit.shares = array.devices.of(unit.medium.device_number());
    let unit = Rc::new(unit);
    let Earlier { saved, replayed, is_erased_at_the_front } = new.earlier;
    unit.restore(saved);
    atomic::resume(array, &unit, replayed);
    let mut nexuses = array.nexuses();
    nexuses.retain(|nexus| unit.is_for(&nexus.initiator));
    nexuses.iter().for_each(|nexus| unit.meet(nexus));
    for other in units.values() {
        nexuses.iter().for_each(|nexus| other.attend(nexus, AdditionalSense::REPORTED_LUNS_DATA_HAS_CHANGED));
    }
    units.insert(number, Rc::clone(&unit));
    new.notes.iter().for_each(|note| array.log(&format!("unit {number}: {note}")));
    execute::resume(array, &unit, is_erased_at_the_front);
    Ok(())
}

fn tell(array: &Array, number: u16, what: &str) {
    if let Some(unit) = array.unit(number) {
        array.log(&format!("unit {number} ({}) {what}", unit.traits.path.display()));
    }
}

/// A unit is there no more, at once for what comes; the answer waits for what is under way.
fn remove(array: &Rc<Array>, number: u16, told: SyncSender<Result<(), TargetError>>) {
    let Some(unit) = array.units.borrow_mut().remove(&number) else {
        let _ = told.try_send(Err(TargetError::NoUnit { number }));
        return;
    };
    unit.is_gone.set(true);
    array.log(&format!("unit {number} ({}) is served no more", unit.traits.path.display()));
    for other in array.units.borrow().values() {
        other.attend_others(None, AdditionalSense::REPORTED_LUNS_DATA_HAS_CHANGED);
    }
    let (tasks, erasing) = (unit.task_set.tasks(), unit.pause_erasing());
    tasks.iter().for_each(|task| task.abort(Abort::Told));
    array.spawn(async move {
        for task in tasks {
            task.ended().await;
        }
        if let Some(erasing) = erasing {
            erasing.course.ended().await;
        }
        drop(unit);
        let _ = told.try_send(Ok(()));
    });
}

fn resize(array: &Array, number: u16, size: Option<ByteCount>) -> Result<UnitReport, TargetError> {
    let unit = array.unit(number).ok_or(TargetError::NoUnit { number })?;
    let before = unit.blocks();
    if let Some(size) = size.filter(|size| *size < unit.geometry().size()) {
        return Err(TargetError::Shrink { number, size, now: unit.geometry().size() });
    }
    let is_thick = !unit.traits.is_thin;
    unit.medium
        .grow(size, is_thick)
        .map_err(|error| TargetError::Grow { number, reason: error.to_string() })?;
    if unit.blocks() != before {
        tell(array, number, &format!("has {} now", unit.geometry().size()));
        unit.attend_others(None, AdditionalSense::CAPACITY_DATA_HAS_CHANGED);
    }
    let now = unit.geometry().size();
    if unit.medium.is_block_device() && size.is_some_and(|size| size > now) {
        let reason = format!(
            "{} is a device of {now}: it grows below first, and then without --size",
            unit.traits.path.display()
        );
        return Err(TargetError::Grow { number, reason });
    }
    Ok(report(&unit))
}

fn report(unit: &Unit) -> UnitReport {
    let geometry = unit.geometry();
    UnitReport {
        number: unit.number,
        path: unit.traits.path.clone(),
        medium: unit.medium.path().to_owned(),
        size: geometry.size(),
        block_size: geometry.block_size,
        is_thin: unit.traits.is_thin,
        is_read_only: unit.traits.is_read_only,
        is_removable: unit.traits.is_removable,
        write_cache: unit.state.borrow().settings.write_cache,
        is_direct: unit.medium.is_direct(),
        serial: unit.traits.serial.clone(),
        queue: unit.traits.queue,
        allowed: unit.traits.allowed.clone(),
        has_lost_writes: unit.flushes.has_failed(),
    }
}

fn report_session(array: &Array, session: &Session) -> SessionReport {
    let peer = array.with_connection(session.connection, |connection| connection.peer.to_string());
    SessionReport {
        initiator: session.nexus.initiator.to_string(),
        session_id: session.nexus.session_id.to_string(),
        handle: session.handle.0,
        portal: array.address(session.nexus.portal).unwrap_or_default(),
        peer: peer.unwrap_or_default(),
        account: session.account.clone(),
        is_discovery: session.is_discovery,
        commands: session.tasks.borrow().len(),
    }
}
