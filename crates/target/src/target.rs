//! The handle of a running array, for other threads.

use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread::JoinHandle;

use futures::channel::oneshot;
use oarlock_block::{ArrayFaultSpec, Random};
use oarlock_device::{MediaRing, OsRandom};
use oarlock_scsi::iscsi::Account;

use crate::array::{Array, Config};
use crate::control::{self, Message, NewUnit};
use crate::execute::Faults;
use crate::handle::TargetHandle;
use crate::limits::{
    ARRIVALS_MAX, EARLY_BYTES_MAX, MEMORY_BYTES_MAX, PORTALS_MAX, RING_COMMANDS_MAX, RING_DEPTH,
    STEP_BYTES_MAX,
};
use crate::media::Media;
use crate::opening::{open_all, when_free};
use crate::options::{TargetError, TargetOptions};
use crate::service::Service;

/// Messages that the array's thread has not heard yet.
const MESSAGES_MAX: usize = 64;

/// Memory beyond what permits cover: what a COMPARE AND WRITE reads.
const SLACK_BYTES: usize = 128 << 20;

/// A running array. It runs until it is [stopped](Target::stop); a dropped handle stops it and waits.
pub struct Target {
    handle: TargetHandle,
    portals: Vec<SocketAddr>,
    thread: Option<JoinHandle<()>>,
    ended: Option<oneshot::Receiver<()>>,
}

/// What the array tells its operator, a line at a time. Called on the array's thread, and before that on the one that starts it: it must not wait.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

impl Target {
    /// Listens, opens the media, starts the array's thread. A medium that does not answer is waited for a while, and that is told.
    ///
    /// # Errors
    /// [`TargetError`]: nothing runs then.
    pub fn start(options: TargetOptions, log: Log) -> Result<Target, TargetError> {
        Target::start_faulty(options, Vec::new(), log, &AtomicBool::new(false))
    }

    /// The same, with an array that misbehaves as `faults` say, and which is not started where it was `given_up` before it serves.
    ///
    /// # Errors
    /// As [`start`](Target::start).
    pub fn start_faulty(
        options: TargetOptions,
        faults: Vec<ArrayFaultSpec>,
        log: Log,
        given_up: &AtomicBool,
    ) -> Result<Target, TargetError> {
        let asked = options.portals.len();
        if asked == 0 || asked > PORTALS_MAX {
            return Err(TargetError::Portals { asked, max: PORTALS_MAX });
        }
        if !options.advertised.is_empty() && options.advertised.len() != asked {
            return Err(TargetError::Advertised { advertised: options.advertised.len(), portals: asked });
        }
        let own = options.accounts.target.as_ref();
        let is_shared = |account: &&Account| own.is_some_and(|own| own.secret == account.secret);
        if let Some(account) = options.accounts.initiators.iter().find(is_shared) {
            return Err(TargetError::SharedSecret { account: account.name.clone() });
        }
        let listeners: Vec<TcpListener> =
            options.portals.iter().map(|portal| listen(*portal)).collect::<Result<_, _>>()?;
        let portals: Vec<SocketAddr> =
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let units = open_all(options.units, given_up, &log)?;
        let config = Config {
            name: options.name,
            accounts: options.accounts,
            allowed: options.allowed,
            portals: portals.clone(),
            advertised: options.advertised,
        };
        let (messages, heard) = mpsc::sync_channel(MESSAGES_MAX);
        let (started, is_started) = mpsc::sync_channel(1);
        let (ends, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("oarlock-array".to_owned()).spawn(move || {
            // Dropped with the thread, whatever ends it.
            let _ends = ends;
            let array = match make(config, units, Faults::new(faults), log) {
                Ok(array) => array,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let _ = started.send(Ok(array.media.ring.borrow().waker()));
            Service::new(array, listeners, heard).run();
        });
        let thread = thread.map_err(|error| TargetError::Thread { reason: error.to_string() })?;
        let waker = is_started.recv().unwrap_or(Err(TargetError::Gone))?;
        let handle = TargetHandle::new(messages, waker);
        Ok(Target { handle, portals, thread: Some(thread), ended: Some(ended) })
    }

    /// Where it listens; a port of 0 was chosen by the kernel.
    #[must_use]
    pub fn portals(&self) -> &[SocketAddr] {
        &self.portals
    }

    /// A handle that other threads ask by.
    #[must_use]
    pub fn handle(&self) -> TargetHandle {
        self.handle.clone()
    }

    /// Resolves when the array ends by itself: its ring or its thread broke. To be called once.
    pub fn ended(&mut self) -> impl Future<Output = ()> + use<> {
        let ended = self.ended.take();
        async move {
            match ended {
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        }
    }

    /// Lets nobody in any more, waits for what is under way, and ends.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.handle.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic of the array's thread was told when it happened.
            let _ = thread.join();
        }
    }
}

/// Whoever has the array can ask it.
impl Deref for Target {
    type Target = TargetHandle;

    fn deref(&self) -> &TargetHandle {
        &self.handle
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

fn listen(portal: SocketAddr) -> Result<TcpListener, TargetError> {
    let error = |error: std::io::Error| TargetError::Listen { portal, reason: error.to_string() };
    let is_in_use = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
    let listener = when_free(|| TcpListener::bind(portal), is_in_use).map_err(error)?;
    listener.set_nonblocking(true).map_err(error)?;
    // A second call sets the length of the queue; the first one's is not for the asking.
    rustix::net::listen(&listener, ARRIVALS_MAX).map_err(|errno| error(errno.into()))?;
    Ok(listener)
}

fn make(config: Config, units: Vec<NewUnit>, faults: Faults, log: Log) -> Result<Rc<Array>, TargetError> {
    let ring = MediaRing::new(RING_DEPTH, MEMORY_BYTES_MAX + STEP_BYTES_MAX + EARLY_BYTES_MAX + SLACK_BYTES)
        .map_err(|error| TargetError::Thread { reason: error.to_string() })?;
    ring.let_wait(u32::try_from(RING_COMMANDS_MAX).unwrap_or(u32::MAX));
    // A kernel without randomness would hang here, and not in the middle of a login.
    let _ = OsRandom.bits();
    let array = Rc::new(Array::new(config, Media::new(ring), faults, Box::new(move |line| log(line))));
    for unit in units {
        control::add(&array, unit)?;
    }
    Ok(array)
}
