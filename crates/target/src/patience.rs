//! How long nothing may come of a session, and which have taken longer: counted in looks, so that an array that stood still itself blames nobody.

use std::rc::Rc;
use std::time::Instant;

use crate::array::Array;
use crate::connection::{Connection, Phase};
use crate::limits::{
    DATA_SILENCE_MAX, GOODBYE_MAX, LOGIN_LIMIT, SHORT_SILENCE_MAX, SILENCE_MAX, UNREAD_MAX, ticks,
};
use crate::output::Output;
use crate::shares::UnitShares;

/// What others waited for since the tick before.
#[derive(Clone, Copy, Default)]
struct Shortage {
    memory: bool,
    /// That, or a place in a task set, or their turn there.
    turns: bool,
}

/// How long nothing may come of a connection, in ticks.
pub(crate) struct Patience {
    /// That data are waited for.
    data: u64,
    /// That answers wait to be read.
    unread: u64,
    shortage: Shortage,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { data: ticks(DATA_SILENCE_MAX), unread: ticks(UNREAD_MAX), shortage: Shortage::default() }
    }
}

impl Patience {
    /// A tick is over: sessions may not keep memory, or places in a task set, and do nothing with them for as long where others have waited for some since
    /// the last one.
    pub(crate) fn look(&mut self, array: &Array) {
        let units = array.units.borrow();
        let mut disks: Vec<Rc<UnitShares>> = units.values().map(|unit| Rc::clone(&unit.shares)).collect();
        disks.sort_unstable_by_key(Rc::as_ptr);
        disks.dedup_by(|one, other| Rc::ptr_eq(one, other));
        // Whom their disk alone keeps waiting, nobody is given up for.
        disks.retain(|disk| disk.take_is_hung());
        let memory = array.media.is_short(&disks) | array.early.take_was_refused();
        let is_held_up = units.values().fold(false, |any, unit| any | unit.task_set.take_is_held_up());
        let now = Shortage { memory, turns: memory || is_held_up };
        let before = std::mem::replace(&mut self.shortage, now);
        let long_or_short = |is_short, long| ticks(if is_short { SHORT_SILENCE_MAX } else { long });
        self.data = long_or_short(now.turns && before.turns, DATA_SILENCE_MAX);
        self.unread = long_or_short(now.memory && before.memory, UNREAD_MAX);
    }

    /// Why a connection is to be closed, once a tick.
    pub(crate) fn end(&self, connection: &mut Connection, now: Instant) -> Option<&'static str> {
        overdue(connection, now, self.unread).or_else(|| lacks_data(connection, self.data))
    }
}

/// A session that was asked for data and sends none keeps memory, and with an ordered command a whole unit, from the others. One on a slow
/// line sends those of one command after those of another: it has all of its time, also where others wait.
fn lacks_data(connection: &Connection, patience: u64) -> Option<&'static str> {
    let session = connection.session()?;
    let tasks = session.tasks.borrow();
    let silences = tasks.values().filter_map(|task| task.inbound.borrow_mut().silence());
    let (shortest, longest) = silences
        .fold((u64::MAX, 0), |(shortest, longest), silence| (shortest.min(silence), longest.max(silence)));
    let is_overdue = longest > ticks(DATA_SILENCE_MAX) || (longest > 0 && shortest > patience);
    is_overdue.then_some("its initiator does not send the data of a command")
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
