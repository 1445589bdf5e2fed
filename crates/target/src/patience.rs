//! How long nothing may come of a session, and which have taken longer: counted in looks, so that an array that stood still itself blames nobody.

use std::collections::BTreeSet;
use std::mem::replace;
use std::rc::Rc;
use std::time::Instant;

use crate::array::Array;
use crate::connection::{Connection, Phase};
use crate::early::{Refused, TooMuch};
use crate::limits::{
    DATA_SILENCE_MAX, GOODBYE_MAX, LOGIN_LIMIT, SHORT_SILENCE_MAX, SILENCE_MAX, UNREAD_MAX, ticks,
};
use crate::output::Output;
use crate::pool::Share;
use crate::session::Session;
use crate::shares::{Kind, Lack, UnitShares, contains};

/// The part of what all keep that silent ones are to keep together to be in the way of others: one of so many.
const MATTERS: usize = 4;

/// What others waited for since the tick before.
#[derive(Default)]
struct Shortage {
    memory: Vec<Lack>,
    /// A place in these units, or their turn there.
    units: BTreeSet<u16>,
}

/// How long nothing may come of a connection: what others waited for at two ticks, one after the other, they lack.
#[derive(Default)]
pub(crate) struct Patience {
    last: Shortage,
    before: Shortage,
}

impl Shortage {
    fn now(array: &Array) -> Shortage {
        // Whom their disk alone keeps waiting, nobody is given up for.
        let hung = array.devices.take_hung();
        let mut memory = early(array, &hung);
        for (length, shortage) in array.media.shortage(&hung) {
            let kind = Kind::Data(length);
            if shortage.of_all {
                memory.push(Lack { kind, device: None });
            }
            let device =
                |share: &Rc<Share>| array.devices.find(|device| Rc::ptr_eq(device.memory.of(length), share));
            let devices = shortage.of_units.iter().filter_map(device);
            memory.extend(devices.map(|device| Lack { kind, device: Some(device) }));
        }
        memory.retain(|lack| is_by_the_stalled(array, lack, &hung));
        let units = array.units.borrow();
        let held_up = units.values().filter(|unit| unit.task_set.take_is_held_up());
        Shortage { memory, units: held_up.map(|unit| unit.number).collect() }
    }

    /// Whether others wait for memory that a session keeps.
    fn is_of(&self, session: &Session) -> bool {
        self.memory.iter().any(|lack| session.kept(lack, &[]) > 0)
    }
}

/// Whether those that are silent keep a part of it that matters: where a disk is slow, and busy for honest hosts, they wait for the disk.
fn is_by_the_stalled(array: &Array, lack: &Lack, hung: &[Rc<UnitShares>]) -> bool {
    let (mut by_stalled, mut by_all) = (0, 0);
    for session in array.sessions() {
        let kept = session.kept(lack, hung);
        by_all += kept;
        by_stalled += if session.is_stalled.get() { kept } else { 0 };
    }
    by_stalled > 0 && by_stalled * MATTERS >= by_all
}

/// The memory for data that come unasked which sessions were refused that had none, but for these disks.
fn early(array: &Array, hung: &[Rc<UnitShares>]) -> Vec<Lack> {
    let lack = |refused: Refused| {
        let device = array.devices.find(|device| Rc::ptr_eq(&device.early, &refused.unit))?;
        let is_hung = contains(hung, &device);
        let device = (refused.by == TooMuch::Unit).then_some(device);
        (!is_hung).then_some(Lack { kind: Kind::Early, device })
    };
    array.early.take_refused().into_iter().filter_map(lack).collect()
}

impl Patience {
    /// A tick is over: sessions may not keep memory, or places in a task set, and do nothing with them for as long where others have waited for some since
    /// the last one.
    pub(crate) fn look(&mut self, array: &Array) {
        self.before = replace(&mut self.last, Shortage::now(array));
    }

    /// Whether others lack memory that a session keeps, be it of a device at one of the ticks and of all at the other.
    fn is_of(&self, session: &Session) -> bool {
        self.last.is_of(session) && self.before.is_of(session)
    }

    /// Whether they lack a place in a unit.
    fn is_of_unit(&self, unit: u16) -> bool {
        self.last.units.contains(&unit) && self.before.units.contains(&unit)
    }

    /// Why a connection is to be closed, once a tick.
    pub(crate) fn end(&self, connection: &mut Connection, now: Instant) -> Option<&'static str> {
        let is_short = connection.session().is_some_and(|session| self.is_of(session));
        let unread = ticks(if is_short { SHORT_SILENCE_MAX } else { UNREAD_MAX });
        overdue(connection, now, unread).or_else(|| self.lacks_data(connection))
    }

    /// A session that was asked for data and sends none keeps memory, and with an ordered command a whole unit, from the others. One on a slow
    /// line sends those of one command after those of another: it has all of its time, also where others wait.
    fn lacks_data(&self, connection: &Connection) -> Option<&'static str> {
        let session = connection.session()?;
        let (mut shortest, mut longest, mut is_in_the_way) = (u64::MAX, 0, self.is_of(session));
        for task in session.tasks.borrow().values() {
            let Some(silence) = task.inbound.borrow_mut().silence() else { continue };
            (shortest, longest) = (shortest.min(silence), longest.max(silence));
            is_in_the_way |= task.unit.as_ref().is_some_and(|unit| self.is_of_unit(unit.number));
        }
        let is_silent = longest > 0 && shortest > ticks(SHORT_SILENCE_MAX);
        // Before its time is over, so that what it keeps is weighed by then.
        let soon = ticks(SHORT_SILENCE_MAX) / 2;
        session.is_stalled.set(longest > 0 && shortest > soon || connection.unread > soon);
        let is_overdue = longest > ticks(DATA_SILENCE_MAX) || is_silent && is_in_the_way;
        is_overdue.then_some("its initiator does not send the data of a command")
    }
}

/// Why a connection is to be closed for having taken too long; an initiator that is silent is asked first.
fn overdue(connection: &mut Connection, now: Instant, unread_max: u64) -> Option<&'static str> {
    if connection.closing_since.is_some_and(|since| now.duration_since(since) > GOODBYE_MAX) {
        return Some("it did not take its last answers");
    }
    connection.quiet += 1;
    connection.unread = if connection.output(Output::bytes) > 0 { connection.unread + 1 } else { 0 };
    match &connection.phase {
        Phase::Login(login) => {
            (now.duration_since(login.since) > LOGIN_LIMIT).then_some("its login took too long")
        }
        Phase::Full(_) if connection.unread > unread_max => Some("its initiator does not take its answers"),
        Phase::Full(_) if connection.quiet > 2 * ticks(SILENCE_MAX) => Some("its initiator is silent"),
        Phase::Full(session) if connection.quiet > ticks(SILENCE_MAX) && !connection.is_asked => {
            connection.is_asked = true;
            session.ask();
            None
        }
        Phase::Full(_) => None,
    }
}
