//! The table of named locks: finding the position of a name, and putting a new name there.
//!
//! A name may stand at any of the sixteen positions of its window; the first is its home. Two hosts that put one name
//! at two positions would make two locks of it. So each home's record carries a mask of the positions that names of
//! this home may have taken (`children`), a bit of it is never cleared, and a name is put at position k like this:
//!
//! ```text
//!   1  read the window; the name is not there; choose k
//!   2  swap the home's record, setting bit k        (an ATS: the mask that it expected was the true one)
//!   3  swap every other position in the mask for the same content in a new image, or find the name there
//!   4  swap position k, from the image read in 1, to the name, already taken
//! ```
//! Say A put the name at k and B at l, and A's step 2 came first. Then B saw bit k and touched position k, and found no
//! name there; A's step 4 expected the image from before that touch, so it failed. No step believes a mere read, so
//! that a stale one cannot make two locks either. Where k is the home and the mask has no other bit, step 4 is the
//! whole of it: one ATS.
//!
//! The touches also show the true generations, and the first image under the name takes one above all of them: the
//! tokens of a name grow even when it moves to another position.

use futures::future::join_all;
use oarlock_block::Lba;
use oarlock_format::{Generation, LockMode, LockName, LockRecord, window};

use crate::cell::{Cell, Purpose, Swap};
use crate::core::Core;
use crate::lock::LockError;
use crate::planted::{PlantedBug, planted};
use crate::run::Run;
use crate::store::{ReadFault, Seen, Store};
use crate::whereabouts::Located;

/// Finds the name, or prepares a position for it.
pub(crate) async fn locate(core: &Core, name: &LockName) -> Result<Located<LockRecord>, LockError> {
    let window = read_window(core, name).await?;
    if let Some(seen) = window.iter().find(|seen| seen.stamped.record.name.as_ref() == Some(name)) {
        return Ok(Located::Found(Cell::new(seen.stamped.stamp.lba, seen.clone())));
    }
    if let Some(unnamed) = window.iter().find(|seen| is_unnamed(&seen.stamped.record)) {
        return Ok(Located::Unnamed(Cell::new(unnamed.stamped.stamp.lba, unnamed.clone())));
    }
    let Some(chosen) = best_position(&window) else {
        return Err(LockError::TableFull { name: name.as_str().to_owned() });
    };
    let mask = window[0].stamped.record.children | bit(chosen);
    let cell = Cell::new(window[chosen].stamped.stamp.lba, window[chosen].clone());
    if chosen == 0 && mask == bit(0) || planted(PlantedBug::InsertWithoutTouch) {
        let children = if chosen == 0 { mask } else { cell.record.children };
        return Ok(vacant(cell, name, children));
    }
    prepare(core, name, &window, chosen, cell).await
}

/// Steps 2 and 3.
async fn prepare(
    core: &Core,
    name: &LockName,
    window: &[Seen<LockRecord>],
    chosen: usize,
    mut cell: Cell<LockRecord>,
) -> Result<Located<LockRecord>, LockError> {
    let mut home = Cell::new(window[0].stamped.stamp.lba, window[0].clone());
    let mask = home.record.children | bit(chosen);
    if !touch(core, &mut home, mask).await || is_unnamed(&home.record) {
        return Ok(Located::Again);
    }
    // All at once, fifteen at most: the longer it takes, the likelier another host that puts a name here spoils it.
    let others = (1..window.len()).filter(|other| *other != chosen && mask & bit(*other) != 0);
    let touches = others.map(|other| async move {
        let mut other = Cell::new(window[other].stamped.stamp.lba, window[other].clone());
        let children = other.record.children;
        let touched = touch(core, &mut other, children).await;
        let elsewhere = other.record.name.as_ref() == Some(name) || is_unnamed(&other.record);
        (touched && !elsewhere).then(|| other.generation())
    });
    let touched: Option<Vec<_>> = join_all(touches).await.into_iter().collect();
    let Some(touched) = touched else { return Ok(Located::Again) };
    let highest = touched.into_iter().fold(home.generation(), Generation::max);
    if chosen == 0 {
        // The home was swapped in step 2, and it is where the name goes.
        cell = home;
    }
    cell.raise_generation(highest);
    let children = if chosen == 0 { mask } else { cell.record.children };
    // Without power the device may lose any of what it did not write home: were the mask lost, or what another name was put over
    // this one by, and the name in its new place kept, it would stand where no mask says, or twice.
    if core.store.flush().await.is_err() {
        return Ok(Located::Again);
    }
    Ok(vacant(cell, name, children))
}

/// The next swap of this cell may put the name there; `children` is what the mask of that record must be then.
fn vacant(cell: Cell<LockRecord>, name: &LockName, children: u16) -> Located<LockRecord> {
    let vacant = LockRecord { name: Some(name.clone()), children, ..cell.record.clone() };
    Located::Vacant { cell, vacant }
}

/// Swaps a record for the same content in a new image, with this mask; whether that surely happened. An attempt without
/// an answer may land later: it changes nothing but the image, and sets a bit that is allowed to be set.
async fn touch(core: &Core, cell: &mut Cell<LockRecord>, children: u16) -> bool {
    let record = LockRecord { children, ..cell.record.clone() };
    let swap = cell.swap(&core.store, core.sender(Purpose::Upkeep), record).await;
    matches!(swap, Swap::Swapped { .. })
}

/// Whether a repair left this lock without a name: any name whose window it stands in may be its own (R39).
pub(crate) fn is_unnamed(record: &LockRecord) -> bool {
    record.lock.mode == LockMode::Unknown && record.name.is_none()
}

fn bit(position: usize) -> u16 {
    1 << position
}

/// The position that a new name takes: the first that holds no name, else the free one that was released longest ago.
fn best_position(window: &[Seen<LockRecord>]) -> Option<usize> {
    let vacant = window.iter().position(|seen| {
        let record = &seen.stamped.record;
        record.name.is_none() && record.lock.mode == LockMode::Free
    });
    vacant.or_else(|| {
        let free = |seen: &Seen<LockRecord>| {
            let lock = &seen.stamped.record.lock;
            lock.mode == LockMode::Free && !lock.interest
        };
        (0..window.len())
            .filter(|index| free(&window[*index]))
            .min_by_key(|index| window[*index].stamped.record.lock.since_wall_ms)
    })
}

/// Reads the sixteen positions of a name's window by one command. A position that does not check out is read again by
/// itself; where it stays unsound the name may stand there, so nothing is guessed.
async fn read_window(core: &Core, name: &LockName) -> Result<Vec<Seen<LockRecord>>, LockError> {
    let store = &core.store;
    let home = oarlock_format::home(&store.format_id, name, store.layout.lock_positions());
    let positions: Vec<Lba> = window(home).map(|position| store.layout.lock(position)).collect();
    Ok(read_positions(store, &positions).await?)
}

/// Reads the lock records at `positions`, ascending, by one command. One that does not check out is read again by itself.
pub(crate) async fn read_positions(
    store: &Store,
    positions: &[Lba],
) -> Result<Vec<Seen<LockRecord>>, ReadFault> {
    let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return Ok(Vec::new()) };
    let run = Run::read(store, *first, *last).await?;
    let mut records = Vec::with_capacity(positions.len());
    for lba in positions {
        records.push(run.seen_surely(store, *lba).await?);
    }
    Ok(records)
}
