//! A host within this process.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oarlock_host::api::{EventEntry, HostEntry, LockEntry, Status};
use oarlock_host::{
    Engine, EngineOptions, EngineThread, EventLog, FormatOptions, Formatted, OpenedEngine, Recorder, wait_for,
};

use crate::error::Error;
use crate::lock::LockBuilder;

/// How long a datastore that is dropped waits for the users of its locks; none are left then, as guards keep it open.
pub(crate) const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// A datastore that this process has joined as a host. Clones and guards share it; when the last of them is dropped it
/// leaves, and waits until it has.
#[derive(Clone)]
pub struct Datastore {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    log: EventLog,
    thread: Mutex<Option<EngineThread>>,
}

impl Datastore {
    /// Makes a datastore on a plain file or a local block device. Blocks for seconds; for a whole watch where there is
    /// a datastore already and `force` is given.
    ///
    /// # Errors
    /// Why not. What is recognised there, and any data in a plain file, is refused without `force`; a datastore in which a host lives, always.
    pub fn format(path: impl AsRef<Path>, options: &FormatOptions) -> Result<Formatted, Error> {
        Ok(oarlock_host::format(path.as_ref(), options, &|_, _| {})?)
    }

    /// Joins the datastore at `path` as the host called `host`. Returns once its first beat is confirmed; for a whole
    /// watch it may look on, where another host of this name stands still.
    ///
    /// # Errors
    /// Why this host cannot be one of the datastore's.
    pub fn open(path: impl AsRef<Path>, host: &str) -> Result<Datastore, Error> {
        Datastore::open_with(EngineOptions::new(path.as_ref(), host)?)
    }

    /// As [`Datastore::open`], with a device that misbehaves, or a host that changes nothing.
    ///
    /// # Errors
    /// Why this host cannot be one of the datastore's.
    pub fn open_with(options: EngineOptions) -> Result<Datastore, Error> {
        let recorder = Recorder::start(None)?;
        let log = recorder.log();
        let thread = wait_for(async { OpenedEngine::open(options).await?.join(recorder).await })?;
        let engine = thread.engine().clone();
        Ok(Datastore { inner: Arc::new(Inner { engine, log, thread: Mutex::new(Some(thread)) }) })
    }

    /// The lock called `name`: say how it is wanted, then take it.
    #[must_use]
    pub fn lock(&self, name: &str) -> LockBuilder {
        LockBuilder::new(Arc::clone(&self.inner), name)
    }

    /// The datastore, and this host.
    ///
    /// # Errors
    /// How the host ended.
    pub fn status(&self) -> Result<Status, Error> {
        let status = wait_for(self.inner.engine.status())?;
        Ok(Status { events: self.inner.log.status(), ..status })
    }

    /// Every host that has a slot. Looks on for up to two beats.
    ///
    /// # Errors
    /// Why the slots could not be read.
    pub fn hosts(&self) -> Result<Vec<HostEntry>, Error> {
        Ok(wait_for(self.inner.engine.hosts())?)
    }

    /// Every lock that is held.
    ///
    /// # Errors
    /// Why the locks could not be read.
    pub fn locks(&self) -> Result<Vec<LockEntry>, Error> {
        Ok(wait_for(self.inner.engine.locks())?)
    }

    /// The last thousand events of this host's life, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<EventEntry> {
        self.inner.log.kept().iter().map(|event| EventEntry::clone(event)).collect()
    }

    /// Takes over the dead host called `host`; without `wait`, tries for a watch and half a minute more.
    ///
    /// # Errors
    /// Why it still has its slot.
    pub fn evict(&self, host: &str, certain: bool, wait: Option<Duration>) -> Result<(), Error> {
        Ok(wait_for(self.inner.engine.evict(host, certain, wait))?)
    }

    /// Leaves now, whoever still has a clone or a guard: their locks are lost. Guards are waited for, for `limit` at
    /// most; what they still hold then is taken over by other hosts, as if this one had died.
    ///
    /// # Errors
    /// How the host had ended before.
    pub fn leave(&self, limit: Duration) -> Result<(), Error> {
        let left = wait_for(self.inner.engine.leave(limit));
        self.inner.join();
        Ok(left?)
    }
}

impl Inner {
    /// Waits for the thread, which has been told to leave.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // How it ended is known to whoever asks the engine.
            let _ = thread.wait();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = wait_for(self.engine.leave(LEAVE_LIMIT));
        self.join();
    }
}
