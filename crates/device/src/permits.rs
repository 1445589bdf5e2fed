//! Permits to have a command in flight: a lane's depth, and the queue before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;

use crate::locked;

/// Commands that one lane has in flight at most.
pub(crate) const IN_FLIGHT_MAX: usize = 64;

/// Callers that wait for a permit at most; the next one is told that the device is busy (SAM-5 TASK SET FULL).
pub(crate) const WAITING_MAX: usize = 1024;

/// The permits of one lane.
pub(crate) struct Permits {
    state: Mutex<State>,
}

struct State {
    free: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

impl Permits {
    pub(crate) fn new() -> Arc<Permits> {
        let state = State { free: IN_FLIGHT_MAX, waiting: VecDeque::new() };
        Arc::new(Permits { state: Mutex::new(state) })
    }

    /// Waits for a permit, first come, first served; `None` where too many wait already.
    pub(crate) async fn acquire(self: &Arc<Permits>) -> Option<Permit> {
        let turn = {
            let mut state = locked(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit { permits: Arc::clone(self) });
            }
            // Callers that went away leave their place behind; they must not count against the living.
            if state.waiting.len() >= WAITING_MAX {
                state.waiting.retain(|turn| !turn.is_canceled());
            }
            if state.waiting.len() >= WAITING_MAX {
                return None;
            }
            let (sender, turn) = oneshot::channel();
            state.waiting.push_back(sender);
            turn
        };
        turn.await.ok()
    }

    /// Hands a permit on to the first that still waits for one.
    fn release(self: &Arc<Permits>) {
        let next = {
            let mut state = locked(&self.state);
            loop {
                match state.waiting.pop_front() {
                    Some(turn) if turn.is_canceled() => {}
                    Some(turn) => break turn,
                    None => {
                        state.free += 1;
                        return;
                    }
                }
            }
        };
        // Where the receiver went away just now, the permit comes back here by its drop, and goes to the next.
        drop(next.send(Permit { permits: Arc::clone(self) }));
    }
}

/// The right to one command in flight, given back by dropping it.
pub(crate) struct Permit {
    permits: Arc<Permits>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn take_all(permits: &Arc<Permits>) -> Vec<Permit> {
        (0..IN_FLIGHT_MAX).map(|_| permits.acquire().now_or_never().unwrap().unwrap()).collect()
    }

    #[test]
    fn a_permit_goes_to_the_first_that_still_waits() {
        let permits = Permits::new();
        let mut held = take_all(&permits);
        let mut gone = Box::pin(permits.acquire());
        assert!(gone.as_mut().now_or_never().is_none());
        let mut second = Box::pin(permits.acquire());
        assert!(second.as_mut().now_or_never().is_none());
        drop(gone);
        held.pop();
        assert!(second.now_or_never().unwrap().is_some());
    }

    #[test]
    fn a_permit_that_reached_a_caller_who_never_looked_is_not_lost() {
        let permits = Permits::new();
        let mut held = take_all(&permits);
        let mut waiting = Box::pin(permits.acquire());
        assert!(waiting.as_mut().now_or_never().is_none());
        held.pop();
        drop(waiting);
        assert!(permits.acquire().now_or_never().unwrap().is_some());
    }

    #[test]
    fn a_full_queue_answers_at_once() {
        let permits = Permits::new();
        let _held = take_all(&permits);
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(permits.acquire())).collect();
        for turn in &mut waiting {
            assert!(turn.as_mut().now_or_never().is_none());
        }
        assert!(permits.acquire().now_or_never().unwrap().is_none());
        waiting.pop();
        assert!(permits.acquire().now_or_never().is_none(), "a place left behind is given out again");
    }
}
