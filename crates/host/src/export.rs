//! Exports: attached disks served over NBD, each by a thread of its own.
//!
//! ```text
//!     client --> Door: accepts, shakes hands (TLS, options), finds the export by its name
//!                  |  the socket, and what was agreed
//!                  v
//!                Export's thread: requests --> DataPath --> segments --> the ring of the device
//! ```
//!
//! A [`Door`] is a listener, on a unix socket or a TCP port, with a thread that knows nothing of disks; any number of exports stand behind
//! it, by name. An [`Export`] is one attached disk: its [`DataPath`], its thread, its ring, its clients. What bounds them is in
//! [`limits`].

mod bell;
mod budget;
mod carrier;
mod connection;
mod door;
pub mod limits;
mod negotiate;
mod offer;
mod output;
mod place;
mod service;
mod shared;
mod task;
mod tls;
mod translate;
mod wire;

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oarlock_device::{BootClock, DATA_DEPTH_MAX, DataRing, FileDevice};
use oarlock_engine::path::DataPath;

pub use door::Door;
pub use place::Place;
pub use shared::ExportStatus;
pub use tls::Tls;

use crate::error::HostError;
use carrier::Carrier;
use offer::Offer;
use service::Service;
use shared::Shared;

/// What is to be exported.
pub struct ExportOptions {
    /// The name by which clients ask for it; a default export has the empty one.
    pub name: String,
    /// A sentence for people, which clients can ask for; may be empty.
    pub description: String,
    /// Whether clients are told that nothing can be written. The path's own mode refuses writes as well.
    pub read_only: bool,
    /// The disk's data path.
    pub path: Arc<DataPath>,
    /// The device below: the export's ring works on its description.
    pub device: FileDevice,
    /// The clock that the path's lease is counted by.
    pub clock: BootClock,
    /// How long after the lease's end requests are held; then they fail, for good (R7). The engine says so as well; the export does not
    /// depend on it, so that no guest waits for ever.
    pub hold: Duration,
}

/// A disk that is served. Dropping it cuts all clients off; what they began goes on to its end.
pub struct Export {
    offer: Arc<Offer>,
    thread: Option<JoinHandle<()>>,
}

/// What became of an order to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All requests have ended, and the thread with them.
    Drained,
    /// All clients are cut off, but so many requests wait for the disk. The thread ends with the last of them, which is when the data path's
    /// gate opens or is dead.
    UnderWay(usize),
}

impl Export {
    /// Starts the export's thread. Nobody finds it before it is [offered](Door::offer) at a door.
    ///
    /// # Errors
    /// [`HostError::NotExported`] for a name or size that NBD cannot carry, [`HostError::Resources`] where no thread or ring could be had.
    pub fn start(options: ExportOptions) -> Result<Export, HostError> {
        let ExportOptions { name, description, read_only, path, device, clock, hold } = options;
        let resources =
            |error: &dyn std::fmt::Display| HostError::Resources { what: "ring", reason: error.to_string() };
        let (tell, told) = mpsc::sync_channel(1);
        let served = Arc::clone(&path);
        let serve = move || {
            // A ring belongs to the thread that made it.
            let carrier = DataRing::new(&device, DATA_DEPTH_MAX).and_then(Carrier::new);
            let carrier = match carrier {
                Ok(carrier) => carrier,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let shared = Arc::new(Shared::new(carrier.ring.waker()));
            if tell.send(Ok(Arc::clone(&shared))).is_ok() {
                Service::new(served, (clock, hold), shared, carrier).run();
            }
        };
        let thread = std::thread::Builder::new().name("oarlock-export".to_owned()).spawn(serve);
        let thread =
            thread.map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })?;
        let shared = match told.recv() {
            Ok(Ok(shared)) => shared,
            Ok(Err(error)) => return Err(resources(&error)),
            Err(error) => return Err(resources(&error)),
        };
        let offer = Offer { name, description, read_only, path, shared };
        // From here on a drop ends the thread.
        let export = Export { offer: Arc::new(offer), thread: Some(thread) };
        match export.offer.describe() {
            Ok(_) => Ok(export),
            Err(error) => {
                let name = export.offer.name.clone();
                Err(HostError::NotExported { name, reason: error.to_string() })
            }
        }
    }

    /// The name by which clients ask for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.offer.name
    }

    /// What it is doing.
    #[must_use]
    pub fn status(&self) -> ExportStatus {
        self.offer.shared.status()
    }

    /// Answers what is under way and reads nothing else, `within` that time; then cuts off who is left. Withdraw it from its doors before.
    /// Blocks the calling thread, two seconds longer than `within` at most.
    pub fn stop(mut self, within: Duration) -> Stopped {
        let stop_by = Instant::now() + within;
        self.offer.shared.stop(stop_by);
        let Some(thread) = self.thread.take() else { return Stopped::Drained };
        // The thread looks at the time once a tick.
        let give_up = stop_by + 2 * limits::TICK;
        while !thread.is_finished() {
            if Instant::now() >= give_up {
                return Stopped::UnderWay(self.status().requests);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // A thread that panicked said so on standard error; its disk is what counts, and that is the path's.
        let _ = thread.join();
        Stopped::Drained
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.offer.shared.stop(Instant::now());
    }
}
