//! Checkers: what must be so at every moment of every run, each an observer of the world.

mod data;
mod gate;
mod images;
mod locks;
mod names;
mod pages;
mod slots;
pub mod superblocks;

use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_format::{Owner, Place, SlotIndex, SlotRecord, SlotState, decode};

use crate::Observer;
use crate::datastore::Template;
use crate::disks::estate::Follower;
use crate::disks::outage::Outage;
use crate::member::Run;

pub use names::Names;

/// All checkers of a run.
pub fn all(run: &Rc<Run>) -> Vec<Rc<dyn Observer>> {
    vec![
        Rc::new(images::Images::new(Rc::clone(run))),
        Rc::new(slots::Slots::new(Rc::clone(run))),
        Rc::new(locks::Locks::new(Rc::clone(run))),
        Rc::new(gate::Gate::new(Rc::clone(run))),
        Rc::new(data::Data::new(Rc::clone(run))),
        Rc::new(superblocks::Superblocks::new(Rc::clone(run))),
        Rc::new(names::Checker::new(Rc::clone(run))),
        Rc::new(pages::Pages::new(Rc::clone(run))),
        Rc::new(Follower::new(Rc::clone(run))),
        Rc::new(Outage::new(Rc::clone(run))),
    ]
}

/// What stands in a slot at this moment.
fn slot_now(run: &Run, slot: SlotIndex) -> Option<SlotRecord> {
    let lba = run.layout.slot(slot);
    slot_record(lba, &run.world.content(lba))
}

fn slot_record(lba: Lba, bytes: &[u8]) -> Option<SlotRecord> {
    let place = Place { format_id: Template::FORMAT_ID, lba };
    decode::<SlotRecord>(bytes, &place).ok().map(|stamped| stamped.record)
}

/// Whether the owner's slot says that he is gone.
fn says_gone(slot: &SlotRecord, owner: Owner) -> bool {
    let over = matches!(slot.state, SlotState::Free | SlotState::Replayed { .. });
    slot.incarnation > owner.incarnation || (slot.incarnation == owner.incarnation && over)
}
