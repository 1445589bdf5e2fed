//! A task: one SCSI command of one session, from its header to its status (SAM-5; RFC 7143, 4.2.3).

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

use oarlock_device::DataBuffer;
use oarlock_scsi::iscsi::ScsiCommand;
use oarlock_scsi::{Sense, Status};

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
    /// Somebody ended it: it does nothing that it has not begun, and how it is answered is theirs to say.
    aborted: Cell<Option<Abort>>,
    has_begun: Cell<bool>,
    is_over: Cell<bool>,
    /// It waits for its data, or for its turn.
    waker: RefCell<Option<Waker>>,
    /// Who waits for its end.
    mourners: RefCell<Vec<Waker>>,
}

/// How a task that was ended by somebody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Abort {
    /// Not at all.
    Silent,
    /// With TASK ABORTED, as the control mode page's TAS bit asks for what others end.
    Told,
}

/// Why a command ends before it is done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    /// It was ended by somebody.
    Aborted,
    /// CHECK CONDITION.
    Check(Box<Sense>),
    /// Another status.
    Status(Status),
}

impl From<Sense> for Stop {
    fn from(sense: Sense) -> Stop {
        Stop::Check(Box::new(sense))
    }
}

/// What came of a part of a command.
pub(crate) type Outcome<T> = Result<T, Stop>;

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
            aborted: Cell::new(None),
            has_begun: Cell::new(false),
            is_over: Cell::new(false),
            waker: RefCell::default(),
            mourners: RefCell::default(),
        }
    }

    /// Ends it, as far as it has not begun.
    pub(crate) fn abort(&self, abort: Abort) {
        if self.aborted.get().is_none() {
            self.aborted.set(Some(abort));
        }
        self.wake();
    }

    /// Its turn in the session's order came.
    pub(crate) fn begun(&self) {
        self.has_begun.set(true);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    pub(crate) fn aborted(&self) -> Option<Abort> {
        self.aborted.get()
    }

    /// Goes on, unless it was ended by somebody.
    pub(crate) fn check(&self) -> Outcome<()> {
        if self.aborted.get().is_some() { Err(Stop::Aborted) } else { Ok(()) }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits until `is_so`; whoever makes it so [wakes](Task::wake) the task.
    pub(crate) async fn until(&self, mut is_so: impl FnMut() -> bool) -> Outcome<()> {
        poll_fn(|context| {
            if self.aborted.get().is_some() {
                return Poll::Ready(Err(Stop::Aborted));
            }
            if is_so() {
                return Poll::Ready(Ok(()));
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits for what somebody else brings about, and no longer than until the task is ended.
    pub(crate) async fn or_aborted<T>(&self, wanted: impl Future<Output = T>) -> Outcome<T> {
        let mut wanted = pin!(wanted);
        poll_fn(|context| {
            if self.aborted.get().is_some() {
                return Poll::Ready(Err(Stop::Aborted));
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            wanted.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Its end, whatever it was: nothing more of it will happen.
    pub(crate) fn over(&self) {
        self.is_over.set(true);
        self.mourners.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        poll_fn(|context| {
            if self.is_over.get() {
                return Poll::Ready(());
            }
            self.mourners.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
