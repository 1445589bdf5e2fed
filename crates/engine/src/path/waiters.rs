//! Who waits for an answer of the engine, and who for the gate. Both lists are bounded by the operations in flight.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::request::PathError;
use super::supply::Ticket;

/// Operations that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    last_ticket: u64,
    tickets: BTreeMap<Ticket, Waiting>,
    at_gate: Vec<Waker>,
}

#[derive(Debug)]
enum Waiting {
    For(Waker),
    Answered(Result<(), PathError>),
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new ticket, for which this operation waits.
    pub(crate) fn wait(&self, waker: &Waker) -> Ticket {
        let mut inner = self.lock();
        inner.last_ticket += 1;
        let ticket = Ticket(inner.last_ticket);
        inner.tickets.insert(ticket, Waiting::For(waker.clone()));
        ticket
    }

    /// The answer, taken; `None` where there is none yet: then this waker is woken.
    pub(crate) fn take(&self, ticket: Ticket, waker: &Waker) -> Option<Result<(), PathError>> {
        let mut inner = self.lock();
        match inner.tickets.get_mut(&ticket) {
            Some(Waiting::For(waiting)) => {
                waiting.clone_from(waker);
                None
            }
            Some(Waiting::Answered(answer)) => {
                let answer = *answer;
                inner.tickets.remove(&ticket);
                Some(answer)
            }
            None => Some(Ok(())),
        }
    }

    /// Nobody waits for it any more.
    pub(crate) fn forget(&self, ticket: Ticket) {
        self.lock().tickets.remove(&ticket);
    }

    /// The engine's answer. One that nobody waits for is dropped.
    pub(crate) fn answer(&self, ticket: Ticket, answer: Result<(), PathError>) {
        let mut inner = self.lock();
        let waiting = inner.tickets.get_mut(&ticket);
        let woken = match waiting.map(|waiting| std::mem::replace(waiting, Waiting::Answered(answer))) {
            Some(Waiting::For(waker)) => Some(waker),
            Some(Waiting::Answered(_)) | None => None,
        };
        drop(inner);
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    /// All look again, those without an answer, too: there will be none.
    pub(crate) fn wake_all(&self) {
        let waiting: Vec<Waker> = {
            let inner = self.lock();
            let without_answer = inner.tickets.values().filter_map(|waiting| match waiting {
                Waiting::For(waker) => Some(waker.clone()),
                Waiting::Answered(_) => None,
            });
            without_answer.collect()
        };
        waiting.into_iter().for_each(Waker::wake);
        self.wake_held();
    }

    /// This operation is held at the gate.
    pub(crate) fn hold(&self, waker: &Waker) {
        let mut inner = self.lock();
        if !inner.at_gate.iter().any(|waiting| waiting.will_wake(waker)) {
            inner.at_gate.push(waker.clone());
        }
    }

    /// All that are held at the gate look again.
    pub(crate) fn wake_held(&self) {
        let woken = std::mem::take(&mut self.lock().at_gate);
        woken.into_iter().for_each(Waker::wake);
    }
}
