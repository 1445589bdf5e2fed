//! A task: one SCSI command of one session, from its header to its status (SAM-5; RFC 7143, 4.2.3).

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::time::Instant;

use oarlock_device::DataBuffer;
use oarlock_scsi::iscsi::ScsiCommand;

use crate::course::Course;
use crate::inbound::Inbound;
use crate::memory::Permit;
use crate::session::Session;
use crate::unit::Unit;

/// A command under way.
pub(crate) struct Task {
    pub(crate) session: Rc<Session>,
    pub(crate) command: ScsiCommand,
    /// `None` where the session has no such unit.
    pub(crate) unit: Option<Rc<Unit>>,
    pub(crate) inbound: RefCell<Inbound>,
    pub(crate) began: Instant,
    has_begun: Cell<bool>,
    course: Course,
}

/// The data of a command that came from its initiator, and the right to its memory.
pub(crate) struct Received {
    pub(crate) buffer: DataBuffer,
    pub(crate) length: usize,
    pub(crate) _permit: Option<Permit>,
}

impl Task {
    pub(crate) fn new(
        session: Rc<Session>,
        command: ScsiCommand,
        unit: Option<Rc<Unit>>,
        inbound: Inbound,
    ) -> Task {
        Task {
            session,
            command,
            unit,
            inbound: RefCell::new(inbound),
            began: Instant::now(),
            has_begun: Cell::new(false),
            course: Course::default(),
        }
    }

    /// Its turn in the session's order came.
    pub(crate) fn begun(&self) {
        self.has_begun.set(true);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }
}

/// Whoever has the task can end it, and wait for it.
impl Deref for Task {
    type Target = Course;

    fn deref(&self) -> &Course {
        &self.course
    }
}
