//! The task set of a logical unit: which commands it has open, and when each may begin (SAM-5, 8).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use oarlock_scsi::Status;
use oarlock_scsi::iscsi::TaskAttribute;

use crate::course::Outcome;
use crate::task::Task;
use crate::unit::Unit;

/// The open commands of a unit, in the order of their arrival.
pub(crate) struct TaskSet {
    /// How many there may be.
    room: usize,
    tasks: RefCell<BTreeMap<u64, (Order, Rc<Task>)>>,
    next: Cell<u64>,
    /// How many of them are not simple ones, so that simple ones wait for nobody where there is none.
    special: Cell<usize>,
    /// A session that had nothing in it found no room since that was asked.
    was_crowded: Cell<bool>,
}

/// How a task stands among the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Simple,
    Ordered,
    Head,
}

/// A task's place in the set of a unit, until it is dropped.
pub(crate) struct Place {
    pub(crate) unit: Rc<Unit>,
    number: u64,
    order: Order,
}

impl TaskSet {
    pub(crate) fn new(room: u16) -> TaskSet {
        TaskSet {
            room: usize::from(room),
            tasks: RefCell::default(),
            next: Cell::default(),
            special: Cell::default(),
            was_crowded: Cell::default(),
        }
    }

    pub(crate) fn tasks(&self) -> Vec<Rc<Task>> {
        self.tasks.borrow().values().map(|(_, task)| Rc::clone(task)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.borrow().is_empty()
    }

    /// Whether tasks that wait for their initiators' data may keep others from the set, or from their turn in it, since this was asked last.
    pub(crate) fn take_is_held_up(&self) -> bool {
        let tasks = self.tasks.borrow();
        let is_in_order = self.special.get() > 0 && tasks.len() > 1;
        let is_stalled = || tasks.values().any(|(_, task)| task.inbound.borrow().is_waiting());
        (self.was_crowded.take() | is_in_order) && is_stalled()
    }

    fn enter(&self, task: &Rc<Task>, order: Order) -> Result<u64, Status> {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() >= self.room {
            let is_of_its_session =
                |(_, other): &(Order, Rc<Task>)| Rc::ptr_eq(&other.session, &task.session);
            if tasks.values().rev().any(is_of_its_session) {
                return Err(Status::TASK_SET_FULL);
            }
            self.was_crowded.set(true);
            return Err(Status::BUSY);
        }
        let number = self.next.get();
        self.next.set(number + 1);
        tasks.insert(number, (order, Rc::clone(task)));
        if order != Order::Simple {
            self.special.set(self.special.get() + 1);
        }
        Ok(number)
    }

    fn exit(&self, number: u64, order: Order) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.remove(&number);
        if self.special.get() > 0 {
            tasks.values().for_each(|(_, task)| task.wake());
        }
        if order != Order::Simple {
            self.special.set(self.special.get() - 1);
        }
    }
}

impl Place {
    /// The place of a task in the set of the unit that it was sent to.
    ///
    /// # Errors
    /// What it is told where there is no room for it (SAM-5, 5.3.1): TASK SET FULL, and BUSY where its session has nothing in the set.
    pub(crate) fn take(unit: Rc<Unit>, task: &Rc<Task>) -> Result<Place, Status> {
        Place::of_order(unit, task, Order::of(task))
    }

    /// The place of a task in the set of another unit, which it reads or writes.
    ///
    /// # Errors
    /// As of the unit that it was sent to.
    pub(crate) fn visit(unit: Rc<Unit>, task: &Rc<Task>) -> Result<Place, Status> {
        Place::of_order(unit, task, Order::Simple)
    }

    fn of_order(unit: Rc<Unit>, task: &Rc<Task>, order: Order) -> Result<Place, Status> {
        let number = unit.task_set.enter(task, order)?;
        Ok(Place { unit, number, order })
    }

    /// Waits until the task may begin: an ordered one after all that came before it, a simple one after the ordered ones that came before
    /// it (SAM-5, 8.6).
    pub(crate) async fn turn(&self, task: &Task) -> Outcome<()> {
        task.check()?;
        let set = &self.unit.task_set;
        if set.special.get() == 0 || self.order == Order::Head {
            return Ok(());
        }
        task.until(|| {
            let tasks = set.tasks.borrow();
            let mut earlier = tasks.range(..self.number).map(|(_, earlier)| earlier);
            match self.order {
                Order::Ordered => earlier.next().is_none(),
                // By its place here: an ordered command of another unit that this one visits is a simple one.
                _ => !earlier.any(|(order, _)| *order == Order::Ordered),
            }
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unit.task_set.exit(self.number, self.order);
    }
}

impl Order {
    /// By its attribute.
    fn of(task: &Task) -> Order {
        match task.command.attribute {
            TaskAttribute::Ordered => Order::Ordered,
            TaskAttribute::HeadOfQueue => Order::Head,
            _ => Order::Simple,
        }
    }
}
