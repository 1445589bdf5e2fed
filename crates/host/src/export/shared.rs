//! What an export's thread shares with its handle and its doors: arrivals, the order to stop, and what it is doing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use oarlock_device::RingWaker;

use super::connection::Handover;
use super::limits::CONNECTIONS_MAX;

/// What both sides see.
pub(crate) struct Shared {
    ring: RingWaker,
    inbox: Mutex<Inbox>,
    has_news: AtomicBool,
    /// Connections that are served or on their way here.
    connections: AtomicUsize,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    served: AtomicU64,
}

/// What the thread has not seen yet.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) arrived: Vec<Handover>,
    pub(crate) stop_by: Option<Instant>,
    /// The thread takes nothing any more.
    is_over: bool,
}

/// What an export is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportStatus {
    /// Connections that are served.
    pub connections: usize,
    /// Requests that were begun and have not ended, those of connections that broke included.
    pub requests: usize,
    /// Bytes of memory that requests and their answers hold.
    pub bytes: usize,
    /// Requests that ended since the export began.
    pub served: u64,
}

impl Shared {
    pub(crate) fn new(ring: RingWaker) -> Shared {
        Shared {
            ring,
            inbox: Mutex::default(),
            has_news: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            served: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one connection more would be served.
    pub(crate) fn has_room(&self) -> bool {
        self.connections.load(Ordering::Acquire) < CONNECTIONS_MAX
    }

    /// Gives a client to the thread; one too many, or too late, is dropped, which closes it.
    pub(crate) fn hand_over(&self, handover: Handover) {
        let mut inbox = self.lock();
        if inbox.is_over || inbox.stop_by.is_some() || !self.has_room() {
            return;
        }
        self.connections.fetch_add(1, Ordering::AcqRel);
        inbox.arrived.push(handover);
        self.tell(inbox);
    }

    /// Tells the thread to end by then.
    pub(crate) fn stop(&self, by: Instant) {
        let mut inbox = self.lock();
        inbox.stop_by = Some(by);
        self.tell(inbox);
    }

    fn tell(&self, inbox: MutexGuard<'_, Inbox>) {
        drop(inbox);
        self.has_news.store(true, Ordering::Release);
        self.ring.wake();
    }

    /// What is new, where something is.
    pub(crate) fn news(&self) -> Option<(Vec<Handover>, Option<Instant>)> {
        self.has_news.swap(false, Ordering::AcqRel).then(|| {
            let mut inbox = self.lock();
            (std::mem::take(&mut inbox.arrived), inbox.stop_by)
        })
    }

    /// So many connections are gone.
    pub(crate) fn gone(&self, connections: usize) {
        self.connections.fetch_sub(connections, Ordering::AcqRel);
    }

    /// The thread ends: nobody is taken any more.
    pub(crate) fn over(&self) {
        let mut inbox = self.lock();
        inbox.is_over = true;
        let arrived = std::mem::take(&mut inbox.arrived).len();
        self.gone(arrived);
    }

    pub(crate) fn report(&self, requests: usize, bytes: usize, served: u64) {
        self.requests.store(requests, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.served.store(served, Ordering::Relaxed);
    }

    pub(crate) fn status(&self) -> ExportStatus {
        ExportStatus {
            connections: self.connections.load(Ordering::Acquire),
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            served: self.served.load(Ordering::Relaxed),
        }
    }
}
