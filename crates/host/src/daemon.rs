//! The daemon: a host with its socket and its record, from its start until it has left or had to stop.
//!
//! Its own thread (`oarlock-api`) has a tokio runtime for sockets and signals; the engine has another, without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::future::{Either, select};
use oarlock_engine::{Ended, StopReason};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::Status;
use crate::disks::{ExportList, Exports};
use crate::engine::{EngineThread, OpenedEngine};
use crate::error::HostError;
use crate::folders::Folders;
use crate::notify;
use crate::record::Recorder;
use crate::request::Engine;
use crate::routes::Desk;
use crate::server::Server;
use crate::socket::{Socket, Tenant};
use crate::surroundings::EngineOptions;

/// A leave takes this long at most, unless told otherwise: users of locks end their work in it.
pub const LEAVE_LIMIT: Duration = Duration::from_secs(15);

/// How a daemon is to be started.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// Device, name, faults.
    pub engine: EngineOptions,
    /// The socket, where it is not the one of the folders.
    pub api: Option<PathBuf>,
    /// Where socket and events are.
    pub folders: Folders,
    /// A rollback that stopped this host before is known, and it is to join afresh.
    pub accept_rollback: bool,
    /// Leave on SIGTERM and SIGINT. One process has one daemon that does.
    pub signals: bool,
    /// How long a leave may take.
    pub leave_limit: Duration,
}

impl DaemonOptions {
    /// A daemon as `oarlock up` starts it.
    #[must_use]
    pub fn new(engine: EngineOptions) -> DaemonOptions {
        DaemonOptions {
            engine,
            api: None,
            folders: Folders::from_environment(),
            accept_rollback: false,
            signals: true,
            leave_limit: LEAVE_LIMIT,
        }
    }
}

/// What a daemon is, once it is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its socket.
    pub api: PathBuf,
    /// Its first status.
    pub status: Status,
}

/// A daemon that is ready. Dropping it tells it to leave, and waits until it has.
pub struct Daemon {
    ready: Ready,
    leave: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Ended, HostError>>>,
}

impl Daemon {
    /// Starts a daemon; returns once it has joined and its socket answers.
    ///
    /// # Errors
    /// Why it did not come so far.
    pub fn start(options: DaemonOptions) -> Result<Daemon, HostError> {
        let (ready, got_ready) = mpsc::sync_channel(1);
        let (leave, leaving) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("oarlock-api".to_owned())
            .spawn(move || on_a_runtime(options, ready, leaving))
            .map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })?;
        match got_ready.recv() {
            Ok(ready) => Ok(Daemon { ready, leave: Some(leave), thread: Some(thread) }),
            Err(_) => Err(match thread.join() {
                Ok(Err(error)) => error,
                Ok(Ok(ended)) => ended.into(),
                Err(_) => HostError::EngineGone,
            }),
        }
    }

    /// Its socket and first status.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Tells it to leave, and waits until it has.
    ///
    /// # Errors
    /// [`HostError::EngineGone`] where the engine died.
    pub fn leave(mut self) -> Result<Ended, HostError> {
        self.leave = None;
        self.join()
    }

    /// Waits until it has left (for a signal) or had to stop.
    ///
    /// # Errors
    /// [`HostError::EngineGone`] where the engine died.
    pub fn wait(mut self) -> Result<Ended, HostError> {
        self.join()
    }

    fn join(&mut self) -> Result<Ended, HostError> {
        let thread = self.thread.take().ok_or(HostError::EngineGone)?;
        thread.join().unwrap_or(Err(HostError::EngineGone))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.leave = None;
        let _ = self.join();
    }
}

fn on_a_runtime(
    options: DaemonOptions,
    ready: mpsc::SyncSender<Ready>,
    leaving: oneshot::Receiver<()>,
) -> Result<Ended, HostError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| HostError::Resources { what: "runtime", reason: error.to_string() })?;
    runtime.block_on(live(options, ready, leaving))
}

/// A daemon's whole life.
async fn live(
    options: DaemonOptions,
    ready: mpsc::SyncSender<Ready>,
    leaving: oneshot::Receiver<()>,
) -> Result<Ended, HostError> {
    let stop = Box::pin(told_to_stop(Signals::new(options.signals)?, leaving));
    let starting = Box::pin(Standing::start(&options));
    let (standing, stop) = match select(starting, stop).await {
        Either::Left((standing, stop)) => (standing?, stop),
        Either::Right(((), _)) => return Err(HostError::Interrupted),
    };
    let engine = standing.engine.engine().clone();
    let status = engine.status().await?;
    notify::tell(&[
        NotifyState::Ready,
        NotifyState::Status(&format!(
            "host {} in slot {} of the datastore {}",
            status.host.name, status.host.slot, status.datastore.name
        )),
    ]);
    let watchdog = tokio::spawn(notify::feed_watchdog(engine.clone()));
    let _ = ready.send(Ready { api: standing.socket.path().to_owned(), status });
    leave_when_told(&engine, &standing.exports, stop, options.leave_limit).await;
    watchdog.abort();
    notify::tell(&[NotifyState::Stopping]);
    standing.end().await
}

/// Waits until the host has ended: by itself, or because it was told to leave.
///
/// Its exports end first: a disk is released once its last request is answered and all of it is home. The users of locks have the rest of
/// the time.
async fn leave_when_told(
    engine: &Engine,
    exports: &Exports,
    stop: impl Future<Output = ()> + Unpin,
    limit: Duration,
) {
    let ended = Box::pin(until_ended(engine));
    if let Either::Right(((), _)) = select(ended, stop).await {
        notify::tell(&[NotifyState::Stopping, NotifyState::Status("leaving the datastore")]);
        let began = Instant::now();
        exports.leave(limit / 2).await;
        // How it ended is the engine's to say.
        let _ = engine.leave(limit.saturating_sub(began.elapsed())).await;
    }
}

async fn until_ended(engine: &Engine) {
    let pause = engine.beat() / 4;
    while engine.ended().is_none() && !engine.requests.is_closed() {
        tokio::time::sleep(pause).await;
    }
}

/// A host with its socket and server.
struct Standing {
    engine: EngineThread,
    server: Server,
    socket: Socket,
    exports: Exports,
    /// Where a rollback is noted.
    note: Option<PathBuf>,
}

impl Standing {
    async fn start(options: &DaemonOptions) -> Result<Standing, HostError> {
        let opened = OpenedEngine::open(options.engine.clone()).await?;
        let (label, host) = (opened.label().as_str().to_owned(), options.engine.host.as_str());
        let format_id = opened.format_id();
        let folders = &options.folders;
        let note = folders.rollback_note(&label, format_id, host);
        rollback_is_accepted(note.as_deref(), options.accept_rollback)?;
        let path = options.api.clone().map_or_else(|| folders.socket(&label, host), Ok)?;
        // Before the join: a second host of this name goes away without having touched the datastore.
        let tenant = Tenant::Host { datastore: format_id, name: &options.engine.host };
        let socket = Socket::bind(&path, tenant)?;
        let recorder = Recorder::start(folders.events(&label, host))?;
        let log = recorder.log();
        let engine = opened.join(recorder).await?;
        let list = ExportList::at(folders.exports(&label, format_id, host));
        let exports = Exports::new(engine.engine().clone(), socket.path(), list);
        let desk = Desk {
            engine: engine.engine().clone(),
            log,
            grants: Arc::default(),
            exports: exports.clone(),
            host: Arc::from(host),
        };
        let server = Server::start(socket.listener()?, desk)?;
        if !options.engine.read_only {
            exports.bring_back();
        }
        Ok(Standing { engine, server, socket, exports, note })
    }

    /// Ends what is left once the host has ended, and says how it did.
    async fn end(self) -> Result<Ended, HostError> {
        let Standing { engine, server, socket, exports, note } = self;
        let ended = tokio::task::spawn_blocking(move || engine.wait());
        let ended = ended.await.unwrap_or(Err(HostError::EngineGone));
        exports.end().await;
        if let (Ok(Ended::Stopped(StopReason::Rollback { detail })), Some(note)) = (&ended, note) {
            // Where the note cannot be kept, the error that this host ends with still tells it.
            let _ = fs::write(note, detail);
        }
        server.stop().await;
        drop(socket);
        ended
    }
}

/// After a rollback a host joins only when a person says so (R2).
fn rollback_is_accepted(note: Option<&Path>, accepted: bool) -> Result<(), HostError> {
    let Some(note) = note else { return Ok(()) };
    let Ok(detail) = fs::read_to_string(note) else { return Ok(()) };
    if !accepted {
        return Err(HostError::RollbackNotAccepted { detail });
    }
    fs::remove_file(note).map_err(|error| HostError::SocketIo {
        path: note.to_owned(),
        action: "remove",
        reason: error.to_string(),
    })
}

/// The signals that tell a daemon to leave.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn new(wanted: bool) -> Result<Signals, HostError> {
        let on = |kind| {
            signal(kind)
                .map_err(|error| HostError::Resources { what: "signal handler", reason: error.to_string() })
        };
        if !wanted {
            return Ok(Signals(None));
        }
        Ok(Signals(Some((on(SignalKind::terminate())?, on(SignalKind::interrupt())?))))
    }

    async fn any(&mut self) {
        match &mut self.0 {
            None => futures::future::pending().await,
            Some((terminate, interrupt)) => {
                let terminate = std::pin::pin!(terminate.recv());
                let interrupt = std::pin::pin!(interrupt.recv());
                select(terminate, interrupt).await;
            }
        }
    }
}

/// Resolves on a signal, or when the daemon's handle says so or is dropped.
async fn told_to_stop(mut signals: Signals, leaving: oneshot::Receiver<()>) {
    let any = std::pin::pin!(signals.any());
    select(any, leaving).await;
}
