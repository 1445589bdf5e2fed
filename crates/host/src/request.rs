//! What other threads ask of the engine: requests through a channel, and the handles that they hold.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use oarlock_causes::Action;
use oarlock_engine::{Ended, Want};
use oarlock_format::{HostName, LockName};

use crate::api::{HostEntry, LockEntry, Status};
use crate::disks::DiskRequest;
use crate::error::HostError;
use crate::lines::Lines;
use crate::lost::Lost;

/// Requests that are under way at once, waiting lock requests among them.
pub const REQUESTS_MAX: usize = 1024;

/// Requests of the daemon itself, beyond those: a flood of clients must not keep it from leaving, nor from answering the
/// watchdog.
const OWN_REQUESTS_MAX: usize = 16;

/// Locks that the users of one host hold at once.
pub const LOCKS_MAX: usize = 4096;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, HostError>>;

/// One request; a requester that goes away drops the other end of `reply`, and the work on it ends.
pub(crate) enum Request {
    Status(Reply<Status>),
    Hosts(Reply<Vec<HostEntry>>),
    Locks(Reply<Vec<LockEntry>>),
    Lock {
        name: LockName,
        want: Want,
        wait: Duration,
        ticket: Ticket,
        reply: Reply<HeldLock>,
    },
    Disk(DiskRequest),
    /// Something for the record of events: nobody waits for it.
    Note {
        action: Action,
        detail: String,
    },
    Evict {
        name: HostName,
        certain: bool,
        wait: Option<Duration>,
        reply: Reply<()>,
    },
    Leave {
        limit: Duration,
        reply: Reply<()>,
    },
}

/// A request and its place among those that are under way.
pub(crate) struct Ticketed {
    pub(crate) request: Request,
    pub(crate) _ticket: Ticket,
}

/// A bounded number of things.
pub(crate) struct Tickets {
    what: &'static str,
    limit: usize,
    taken: AtomicUsize,
}

/// One of a bounded number of things; given back when it is dropped.
pub(crate) struct Ticket {
    tickets: Arc<Tickets>,
}

impl Tickets {
    pub(crate) fn new(what: &'static str, limit: usize) -> Arc<Tickets> {
        Arc::new(Tickets { what, limit, taken: AtomicUsize::new(0) })
    }

    pub(crate) fn take(self: &Arc<Self>) -> Result<Ticket, HostError> {
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            (taken < self.limit).then_some(taken + 1)
        });
        match taken {
            Ok(_) => Ok(Ticket { tickets: Arc::clone(self) }),
            Err(_) => Err(HostError::TooMany { what: self.what, limit: self.limit }),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tickets.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The engine, as every thread may ask it. Clones ask the same one.
#[derive(Clone)]
pub struct Engine {
    pub(crate) requests: mpsc::UnboundedSender<Ticketed>,
    pub(crate) under_way: Arc<Tickets>,
    /// Places that no client takes.
    own: Arc<Tickets>,
    pub(crate) locks: Arc<Tickets>,
    pub(crate) shared: Arc<Shared>,
}

/// What the engine's thread tells without being asked.
pub(crate) struct Shared {
    /// Until when locks may be relied upon: nanoseconds of `CLOCK_BOOTTIME`.
    pub(crate) until_ns: Arc<AtomicU64>,
    /// The connections through which clients hold locks.
    pub(crate) lines: Arc<Lines>,
    /// How the host's life ended, once it did.
    pub(crate) ended: OnceLock<Ended>,
    /// The datastore's beat, lease and watch.
    pub(crate) times: OnceLock<Times>,
}

/// Times of the datastore that requests are measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) beat: Duration,
    pub(crate) lease: Duration,
}

impl Engine {
    pub(crate) fn new() -> (Engine, mpsc::UnboundedReceiver<Ticketed>) {
        let (sender, receiver) = mpsc::unbounded();
        let shared = Shared {
            until_ns: Arc::new(AtomicU64::new(0)),
            lines: Arc::default(),
            ended: OnceLock::new(),
            times: OnceLock::new(),
        };
        let engine = Engine {
            requests: sender,
            under_way: Tickets::new("requests under way", REQUESTS_MAX),
            own: Tickets::new("requests of the host itself", OWN_REQUESTS_MAX),
            locks: Tickets::new("locks in use", LOCKS_MAX),
            shared: Arc::new(shared),
        };
        (engine, receiver)
    }

    /// The datastore and this host. What only the daemon knows (its events) is left empty.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn status(&self) -> Result<Status, HostError> {
        self.ask(Request::Status).await
    }

    /// Every host that has a slot: a look of up to two beats.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn hosts(&self) -> Result<Vec<HostEntry>, HostError> {
        self.ask(Request::Hosts).await
    }

    /// Every lock that is held.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn locks(&self) -> Result<Vec<LockEntry>, HostError> {
        self.ask(Request::Locks).await
    }

    /// Takes a lock, waiting for `wait` at most. Dropping the future gives it up.
    ///
    /// # Errors
    /// Why it was not got.
    pub async fn lock(&self, name: &str, want: Want, wait: Duration) -> Result<HeldLock, HostError> {
        let name = LockName::new(name).map_err(|reason| HostError::Name { text: name.to_owned(), reason })?;
        let ticket = self.locks.take()?;
        self.ask(|reply| Request::Lock { name, want, wait, ticket, reply }).await
    }

    /// Takes over the host called `name`; without `wait`, tries for a watch and half a minute more.
    ///
    /// # Errors
    /// Why it still has its slot.
    pub async fn evict(&self, name: &str, certain: bool, wait: Option<Duration>) -> Result<(), HostError> {
        let name = HostName::new(name).map_err(|reason| HostError::Name { text: name.to_owned(), reason })?;
        self.ask(|reply| Request::Evict { name, certain, wait, reply }).await
    }

    /// Leaves the datastore: whoever holds a lock is told that it is lost, and waited for, for `limit` at most.
    ///
    /// # Errors
    /// How the host ended instead.
    pub async fn leave(&self, limit: Duration) -> Result<(), HostError> {
        self.ask_in(&self.own, |reply| Request::Leave { limit, reply }).await
    }

    /// How the host's life ended, once it did.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.shared.ended.get().cloned()
    }

    /// The datastore's beat.
    #[must_use]
    pub fn beat(&self) -> Duration {
        self.shared.times.get().map_or(Duration::from_secs(2), |times| times.beat)
    }

    /// The datastore's lease, once the host has joined.
    pub(crate) fn lease(&self) -> Option<Duration> {
        self.shared.times.get().map(|times| times.lease)
    }

    /// The connections through which clients hold locks.
    pub(crate) fn lines(&self) -> Arc<Lines> {
        Arc::clone(&self.shared.lines)
    }

    /// Whether the engine's thread answers, however many requests are under way.
    pub(crate) async fn answers(&self) -> bool {
        self.ask_in(&self.own, Request::Status).await.is_ok()
    }

    /// Records an event about disks; where the host has ended, or too much is under way, nobody hears of it.
    pub(crate) fn note(&self, action: Action, detail: String) {
        if let Ok(ticket) = self.own.take() {
            let request = Request::Note { action, detail };
            let _ = self.requests.unbounded_send(Ticketed { request, _ticket: ticket });
        }
    }

    pub(crate) async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, HostError> {
        self.ask_in(&self.under_way, request).await
    }

    async fn ask_in<T>(
        &self,
        tickets: &Arc<Tickets>,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, HostError> {
        let ticket = tickets.take()?;
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.unbounded_send(Ticketed { request: request(reply), _ticket: ticket });
        if sent.is_err() {
            return Err(self.gone());
        }
        answer.await.unwrap_or_else(|oneshot::Canceled| Err(self.gone()))
    }

    pub(crate) fn gone(&self) -> HostError {
        self.ended().map_or(HostError::EngineGone, HostError::Ended)
    }
}

/// A lock that the engine's thread holds for a user elsewhere. Dropping it releases the lock in the background.
pub struct HeldLock {
    pub(crate) token: u64,
    pub(crate) lost: Arc<Lost>,
    pub(crate) release: oneshot::Sender<oneshot::Sender<()>>,
    pub(crate) _ticket: Ticket,
}

impl HeldLock {
    /// A number that only grows from owner to owner.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether the lock can still be relied upon.
    #[must_use]
    pub fn lost(&self) -> &Arc<Lost> {
        &self.lost
    }

    /// Releases the lock; resolves once the disk says so, or the host has ended.
    pub async fn release(self) {
        let (done, released) = oneshot::channel();
        if self.release.send(done).is_ok() {
            let _ = released.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_host_may_leave_and_feed_its_watchdog_however_many_requests_are_under_way() {
        let (engine, mut requests) = Engine::new();
        let under_way: Vec<_> = (0..REQUESTS_MAX).map(|_| engine.under_way.take().unwrap()).collect();
        assert!(matches!(engine.hosts().now_or_never(), Some(Err(HostError::TooMany { .. }))));
        assert!(engine.leave(Duration::ZERO).now_or_never().is_none(), "it waits for its answer");
        assert!(matches!(requests.try_recv().unwrap().request, Request::Leave { .. }));
        assert!(engine.answers().now_or_never().is_none());
        assert!(matches!(requests.try_recv().unwrap().request, Request::Status(_)));
        drop(under_way);
    }
}
