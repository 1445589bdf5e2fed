//! The course of something that the array does: it can be ended by somebody, and waited for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use oarlock_scsi::{Sense, Status};

/// How far something is that is under way.
#[derive(Default)]
pub(crate) struct Course {
    /// Somebody ended it: it does nothing that it has not begun, and how it is answered is theirs to say.
    aborted: Cell<Option<Abort>>,
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

impl Course {
    /// Ends it, as far as it has not begun.
    pub(crate) fn abort(&self, abort: Abort) {
        if self.aborted.get().is_none() {
            self.aborted.set(Some(abort));
        }
        self.wake();
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

    /// Waits until `is_so`; whoever makes it so [wakes](Course::wake) it.
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

    /// Waits for what somebody else brings about, and no longer than until it is ended.
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
