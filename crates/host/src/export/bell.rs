//! Wakers of requests: which of them want to be looked at again, and a bell for the export's thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::ThreadId;

use oarlock_device::RingWaker;

/// What wakes one export's thread.
pub(crate) struct Bell {
    owner: ThreadId,
    ring: RingWaker,
    woken: Mutex<Vec<usize>>,
    is_rung: AtomicBool,
}

/// The waker of one place for a request. It outlives the request: who is woken too often looks and finds nothing.
struct PlaceWaker {
    place: usize,
    is_woken: AtomicBool,
    bell: Arc<Bell>,
}

/// A place's waker, and what its thread has to do before it looks.
#[derive(Clone)]
pub(crate) struct Woken {
    waker: Waker,
    place: Arc<PlaceWaker>,
}

impl Bell {
    /// The bell of the calling thread.
    pub(crate) fn new(ring: RingWaker) -> Bell {
        Bell {
            owner: std::thread::current().id(),
            ring,
            woken: Mutex::default(),
            is_rung: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody was woken since the last [`take`](Self::take).
    pub(crate) fn is_rung(&self) -> bool {
        self.is_rung.load(Ordering::Acquire)
    }

    /// Moves the places that were woken out. At most one entry for each place.
    pub(crate) fn take(&self, places: &mut Vec<usize>) {
        if self.is_rung.swap(false, Ordering::AcqRel) {
            places.append(&mut self.lock());
        }
    }
}

impl Woken {
    pub(crate) fn new(place: usize, bell: &Arc<Bell>) -> Woken {
        let place = Arc::new(PlaceWaker { place, is_woken: AtomicBool::new(false), bell: Arc::clone(bell) });
        Woken { waker: Waker::from(Arc::clone(&place)), place }
    }

    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Its thread looks now: a wake from here on counts anew.
    pub(crate) fn looked(&self) {
        if self.place.is_woken.load(Ordering::Relaxed) {
            self.place.is_woken.swap(false, Ordering::AcqRel);
        }
    }
}

impl Wake for PlaceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let bell = &self.bell;
        bell.lock().push(self.place);
        bell.is_rung.store(true, Ordering::Release);
        // Its own thread looks before it waits; any other must end its wait.
        if std::thread::current().id() != bell.owner {
            bell.ring.wake();
        }
    }
}
