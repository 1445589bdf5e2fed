//! A bell between threads: it counts its strokes, so that none is missed, and wakes whoever waits for the next.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Counts strokes. As [`Signal`](crate::signal::Signal), but for several threads.
#[derive(Default)]
pub(crate) struct Bell {
    strokes: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Bell {
    /// The number of strokes so far: what a waiter remembers before it looks.
    pub(crate) fn seen(&self) -> u64 {
        self.strokes.load(Ordering::SeqCst)
    }

    /// Wakes everybody who waits. No lock of the cache may be held: a waker may do anything.
    pub(crate) fn ring(&self) {
        self.strokes.fetch_add(1, Ordering::SeqCst);
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether there was a stroke beyond `seen`; if not, `context` is woken by the next.
    pub(crate) fn poll_beyond(&self, seen: u64, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the mutex: a stroke after this look finds the waker in the list.
        if self.seen() > seen {
            return Poll::Ready(());
        }
        // A task that polls again must not be listed twice, or the list grows with every poll.
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Resolves once there was a stroke beyond `seen`.
    pub(crate) async fn beyond(&self, seen: u64) {
        poll_fn(|context| self.poll_beyond(seen, context)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_between_the_look_and_the_wait_is_not_missed() {
        let bell = Bell::default();
        let seen = bell.seen();
        bell.ring();
        futures::executor::block_on(bell.beyond(seen));
    }

    #[test]
    fn a_stroke_of_another_thread_wakes_who_waits() {
        let bell = std::sync::Arc::new(Bell::default());
        let (seen, ringer) = (bell.seen(), std::sync::Arc::clone(&bell));
        let thread = std::thread::spawn(move || ringer.ring());
        futures::executor::block_on(bell.beyond(seen));
        assert_eq!(bell.seen(), seen + 1);
        assert!(thread.join().is_ok());
    }
}
