//! Signals that ask the program to stop: SIGINT and SIGTERM, as a future.

use futures::StreamExt;
use futures::channel::mpsc;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::failure::Failure;

/// Signals that may wait to be noticed; more of the same say nothing new.
const SIGNALS_WAITING_MAX: usize = 4;

/// Catches SIGINT and SIGTERM while it lives.
pub struct Stop {
    signals: mpsc::Receiver<i32>,
    handle: Handle,
}

impl Stop {
    /// Catches the signals from now on, so that a verb can clean up behind itself.
    ///
    /// # Errors
    /// Where the system gives no handler or no thread.
    pub fn catch() -> Result<Stop, Failure> {
        let mut caught = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| Failure::system("signals cannot be caught", &error))?;
        let handle = caught.handle();
        let (mut sender, signals) = mpsc::channel(SIGNALS_WAITING_MAX);
        let thread = std::thread::Builder::new().name("oarlock-signals".to_owned());
        thread
            .spawn(move || {
                for signal in &mut caught {
                    // A full channel already says that the program is to stop.
                    let _ = sender.try_send(signal);
                }
            })
            .map_err(|error| Failure::system("signals cannot be waited for", &error))?;
        Ok(Stop { signals, handle })
    }

    /// Resolves with the signal's name once one came.
    pub fn signal(&mut self) -> impl Future<Output = &'static str> + Unpin + '_ {
        Box::pin(async {
            match self.signals.next().await {
                Some(SIGINT) => "SIGINT",
                Some(_) => "SIGTERM",
                // The thread ends only with this value.
                None => futures::future::pending().await,
            }
        })
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.handle.close();
    }
}
