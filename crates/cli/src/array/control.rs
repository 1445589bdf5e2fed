//! The control thread of an array: its API on a unix socket, its metrics on a port.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use futures::channel::oneshot;
use oarlock_host::{Folders, HostError, Socket, Tenant};
use oarlock_scsi::iscsi::NodeName;
use oarlock_target::Target;

use super::documents::PortalEntry;
use super::routes::{Desk, metrics_router, router};
use super::server::{Door, Served};
use crate::catalogue::Code;
use crate::failure::Failure;

/// Threads that wait for the array at once; further questions wait for one.
const ASKING_MAX: usize = 64;

/// The socket of an array that begins, taken before anything else is: a second array of its name goes away without having touched a
/// medium. `None` where nobody said a place and there is none.
pub fn take_socket(api: Option<&Path>, name: &NodeName) -> Result<Option<Socket>, Failure> {
    let path: PathBuf = match api {
        Some(path) => path.to_owned(),
        None => match Folders::from_environment().array_socket(name.as_str()) {
            Ok(path) => path,
            Err(HostError::NoRuntimeFolder) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    Ok(Some(Socket::bind(&path, Tenant::Array { name: name.as_str() })?))
}

/// Listens where metrics are asked for.
///
/// # Errors
/// Where the address is taken or is not this machine's.
pub fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| {
        Failure::new(Code::TargetNotStarted, format!("cannot serve metrics at {address}: {error}"))
    })
}

/// A running control thread. Dropping it ends it, and waits until it has ended.
pub struct Control {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _socket: Option<Socket>,
}

impl Control {
    /// Begins to answer on `socket`, and on the port of the metrics.
    ///
    /// # Errors
    /// Where the system gives no thread or runtime.
    pub fn start(
        target: &Target,
        (name, advertised): (&NodeName, &[String]),
        (socket, metrics): (Option<Socket>, Option<TcpListener>),
    ) -> Result<Control, Failure> {
        let portals = target.portals().iter().enumerate().map(|(place, address)| {
            let address = address.to_string();
            let advertised = advertised.get(place).unwrap_or(&address).clone();
            PortalEntry { address, advertised }
        });
        let desk = Desk { handle: target.handle(), name: name.as_str().into(), portals: portals.collect() };
        let api = socket.as_ref().map(Socket::listener).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(ASKING_MAX)
            .build()
            .map_err(|error| Failure::system("the API's runtime cannot be made", &error))?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("oarlock-control".to_owned())
            .spawn(move || {
                runtime.block_on(serve(desk, api, metrics, stopped));
                // Whoever still waits for the array would be waited for here.
                runtime.shutdown_background();
            })
            .map_err(|error| Failure::system("the API's thread cannot be started", &error))?;
        Ok(Control { stop: Some(stop), thread: Some(thread), _socket: socket })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told when it happened.
            let _ = thread.join();
        }
    }
}

async fn serve(
    desk: Desk,
    api: Option<UnixListener>,
    metrics: Option<TcpListener>,
    stopped: oneshot::Receiver<()>,
) {
    let mut served = Vec::new();
    if let Some(listener) = api
        && let Ok(listener) = tokio::net::UnixListener::from_std(listener)
    {
        served.push(Served::start(Door::Unix(listener), router(desk.clone())));
    }
    if let Some(listener) = metrics
        && let Ok(listener) = tokio::net::TcpListener::from_std(listener)
    {
        served.push(Served::start(Door::Tcp(listener), metrics_router(desk)));
    }
    let _ = stopped.await;
    for served in served {
        served.stop().await;
    }
}
