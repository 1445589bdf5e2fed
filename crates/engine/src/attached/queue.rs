//! What the operations of a disk ask of the engine's thread. There is at most one demand per operation under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::pages::Bell;
use crate::path::{Demand, Quarantine, Supplier, Ticket};

/// Demands on their way from the threads of exports to the engine's.
#[derive(Default)]
pub(super) struct Queue {
    asked: Mutex<Vec<(Ticket, Demand)>>,
    /// How many clusters would be welcome before anybody waits.
    low: AtomicUsize,
    is_closed: AtomicBool,
    pub(super) bell: Bell,
}

impl Queue {
    /// Everything that was asked since the last time, in order.
    pub(super) fn take(&self) -> Vec<(Ticket, Demand)> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many clusters would be welcome, said once.
    pub(super) fn take_low(&self) -> Option<usize> {
        Some(self.low.swap(0, Ordering::SeqCst)).filter(|wanted| *wanted > 0)
    }

    /// The disk is not attached any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.bell.ring();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }
}

impl Supplier for Queue {
    fn ask(&self, ticket: Ticket, demand: Demand) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, demand));
        self.bell.ring();
    }

    fn low(&self, wanted: usize) {
        self.low.store(wanted, Ordering::SeqCst);
        self.bell.ring();
    }

    fn quarantined(&self, _quarantine: Quarantine) {
        // The path keeps it until whoever drives its commands closes it, or until this life ends and is cut off.
    }
}
