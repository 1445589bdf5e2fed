//! The engine's thread: it owns the engine, drives it, and answers requests; nothing but the protocol runs on it.
//!
//! ```text
//!   open: device, superblock --> the starter learns the datastore's name (where to put socket and events)
//!   join: slot, first beat   --> serve until the host has left or had to stop
//! ```

use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use oarlock_device::{Executor, Spawner};
use oarlock_engine::{Ended, Host};
use oarlock_format::{FormatId, Label};

use crate::disks::Tending;
use crate::error::HostError;
use crate::record::Recorder;
use crate::request::{Engine, Shared, Ticketed};
use crate::serve::{Keeper, Reports};
use crate::surroundings::{self, EngineOptions};

/// The name of its thread.
pub const ENGINE_THREAD: &str = "oarlock-engine";

/// An engine whose device is open, and that has not joined yet. Dropping it ends its thread.
pub struct OpenedEngine {
    datastore: Datastore,
    engine: Engine,
    go: oneshot::Sender<Go>,
    thread: JoinHandle<()>,
}

/// Which datastore it is.
struct Datastore {
    label: Label,
    format_id: FormatId,
}

/// What the thread needs to join.
struct Go {
    recorder: Recorder,
    joined: oneshot::Sender<Result<(), HostError>>,
}

/// A living host on a thread of its own.
pub struct EngineThread {
    engine: Engine,
    thread: JoinHandle<()>,
}

impl OpenedEngine {
    /// Starts the thread, opens the device and reads its superblock.
    ///
    /// # Errors
    /// Why this device cannot be used.
    pub async fn open(options: EngineOptions) -> Result<OpenedEngine, HostError> {
        let (engine, requests) = Engine::new();
        let (opened, datastore) = oneshot::channel();
        let (go, gone) = oneshot::channel();
        // The thread holds no handle that could ask itself: when the last one elsewhere is gone, it knows.
        let seat = Seat { options, shared: Arc::clone(&engine.shared), requests };
        let thread = std::thread::Builder::new()
            .name(ENGINE_THREAD.to_owned())
            .spawn(move || {
                let mut executor = Executor::new();
                let spawner = executor.spawner();
                executor.block_on(seat.live(spawner, opened, gone));
            })
            .map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })?;
        let datastore = datastore.await.unwrap_or(Err(HostError::EngineGone))?;
        Ok(OpenedEngine { datastore, engine, go, thread })
    }

    /// The datastore's name.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.datastore.label
    }

    /// The datastore's format id: two datastores may have one name, and never one of these.
    #[must_use]
    pub fn format_id(&self) -> FormatId {
        self.datastore.format_id
    }

    /// Joins the datastore; resolves once one beat is confirmed. Dropping the future ends the host: a slot that it
    /// claimed by then is proved dead, because its lock is free.
    ///
    /// # Errors
    /// Why this host cannot be one of the datastore's.
    pub async fn join(self, recorder: Recorder) -> Result<EngineThread, HostError> {
        let (joined, answer) = oneshot::channel();
        if self.go.send(Go { recorder, joined }).is_err() {
            return Err(HostError::EngineGone);
        }
        answer.await.unwrap_or(Err(HostError::EngineGone))?;
        Ok(EngineThread { engine: self.engine, thread: self.thread })
    }
}

impl EngineThread {
    /// What asks it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until the thread has ended, and says how the host's life did. Somebody must have told it to leave, or it
    /// lasts as long as the host.
    ///
    /// # Errors
    /// [`HostError::EngineGone`] where the thread died of a panic.
    pub fn wait(self) -> Result<Ended, HostError> {
        let _ = self.thread.join();
        self.engine.ended().ok_or(HostError::EngineGone)
    }
}

/// The thread's own side.
struct Seat {
    options: EngineOptions,
    shared: Arc<Shared>,
    requests: mpsc::UnboundedReceiver<Ticketed>,
}

impl Seat {
    async fn live(
        self,
        spawner: Spawner,
        opened: oneshot::Sender<Result<Datastore, HostError>>,
        go: oneshot::Receiver<Go>,
    ) {
        let there = match surroundings::open(&self.options, &spawner).await {
            Ok(there) => there,
            Err(error) => return drop(opened.send(Err(error))),
        };
        let superblock = &there.chosen.superblock;
        let datastore =
            Datastore { label: superblock.record.label.clone(), format_id: superblock.stamp.format_id };
        if opened.send(Ok(datastore)).is_err() {
            return;
        }
        let Ok(Go { recorder, mut joined }) = go.await else { return };
        let recorder = Rc::new(recorder);
        let (reports, sink) = Reports::new(&recorder);
        let join = Box::pin(Host::join(there.world.clone(), &self.options.host, sink));
        let host = match select(join, joined.cancellation()).await {
            Either::Left((Ok(host), _)) => host,
            Either::Left((Err(error), _)) => return drop(joined.send(Err(error.into()))),
            Either::Right(((), _)) => return,
        };
        let (tending, due) = Tending::new();
        let keeper = Keeper::new(&self.options, there, host, (&self.shared, &recorder), tending);
        if joined.send(Ok(())).is_err() {
            return;
        }
        keeper.serve(self.requests, reports, (recorder, due)).await;
    }
}
