//! Checkers: what must be so at every moment of every run, each an observer of the world.

mod data;
mod gate;
mod images;
mod locks;
mod slots;
pub mod superblocks;

use std::rc::Rc;

use crate::Observer;
use crate::member::Run;

/// All checkers of a run.
pub fn all(run: &Rc<Run>) -> Vec<Rc<dyn Observer>> {
    vec![
        Rc::new(images::Images::new(Rc::clone(run))),
        Rc::new(slots::Slots::new(Rc::clone(run))),
        Rc::new(locks::Locks::new(Rc::clone(run))),
        Rc::new(gate::Gate::new(Rc::clone(run))),
        Rc::new(data::Data::new(Rc::clone(run))),
        Rc::new(superblocks::Superblocks::new(Rc::clone(run))),
    ]
}
