//! Lines: the connections through which clients hold locks. They end before the host lets go of its slot (R29).
//!
//! ```text
//!   the engine's thread                                    the API's thread              client, watchman
//!     ended: every lock is lost, and no news will follow -->  the last word  ---------->  why
//!     waits for the lines to end, for a moment           <--  closes the line ---------->  its end
//!     hangs up those that are left  ------------------------------------------------------>  its end
//!     closes the device: the byte of the slot is free
//! ```
//! Whoever has a line hears of the host's end by the line's end, be it stopped itself at that time: a process beside it has the
//! line, too. Others judge the host by the byte, so the byte comes last.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::UnixStream;

/// All connections through which a lock is held.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<State>,
    fewer: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    over: bool,
    /// No more than there are connections.
    in_use: BTreeMap<u64, Arc<UnixStream>>,
}

/// One connection. With its drop it ends for the client, whoever else has a descriptor of it here.
pub(crate) struct Line {
    stream: Arc<UnixStream>,
    lines: Arc<Lines>,
    number: OnceLock<u64>,
}

impl Lines {
    /// A connection through which no lock is held yet.
    pub(crate) fn line(self: &Arc<Self>, stream: UnixStream) -> Arc<Line> {
        Arc::new(Line { stream: Arc::new(stream), lines: Arc::clone(self), number: OnceLock::new() })
    }

    /// Waits until every line has ended, for `limit` at most.
    pub(crate) fn wait_until_ended(&self, limit: Duration) {
        let waited = self.fewer.wait_timeout_while(self.state(), limit, |state| !state.in_use.is_empty());
        drop(waited);
    }

    /// Ends every line, at once and for good: when this returns, each client's end says so.
    pub(crate) fn hang_up(&self) {
        let mut state = self.state();
        state.over = true;
        state.in_use.values().for_each(|stream| end(stream));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// A lock is held through this line from now on. False where the host has ended: the lock is nobody's then.
    pub(crate) fn holds_a_lock(&self) -> bool {
        let mut state = self.lines.state();
        if state.over {
            return false;
        }
        self.number.get_or_init(|| {
            state.next += 1;
            let number = state.next;
            state.in_use.insert(number, Arc::clone(&self.stream));
            number
        });
        true
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(number) = self.number.get() {
            // In this order: who sees it gone from the list need not end it.
            end(&self.stream);
            self.lines.state().in_use.remove(number);
            self.lines.fewer.notify_all();
        }
    }
}

/// The client reads what was written, and then the end.
fn end(stream: &UnixStream) {
    // The one way to fail is that the client has closed it.
    let _ = rustix::net::shutdown(stream, rustix::net::Shutdown::Both);
}
