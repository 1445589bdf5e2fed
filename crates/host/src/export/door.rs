//! A door: one listener, on a unix socket or a TCP port, and a thread that shakes hands with whoever comes.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, LocalSet};

use super::Export;
use super::limits::{ACCEPT_PAUSE, NEGOTIATION_LIMIT, NEGOTIATIONS_MAX};
use super::negotiate::negotiate;
use super::offer::Offers;
use super::place::Place;
use super::tls::Tls;
use super::wire;
use crate::error::HostError;
use crate::socket::{Socket, Tenant};

/// A listener and the exports behind it. Dropping it ends the listening, and removes a unix socket; clients that were handed to their
/// exports stay.
pub struct Door {
    place: Place,
    is_secured: bool,
    offers: Offers,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// A unix socket at its place.
    _socket: Option<Socket>,
}

/// What the thread accepts from.
enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<wire::Socket> {
        match self {
            Listener::Unix(listener) => Ok(wire::Socket::Unix(listener.accept().await?.0.into_std()?)),
            Listener::Tcp(listener) => Ok(wire::Socket::Tcp(listener.accept().await?.0.into_std()?)),
        }
    }
}

/// A listener that has not got its runtime yet.
enum Bound {
    Unix(std::os::unix::net::UnixListener),
    Tcp(TcpListener),
}

impl Door {
    /// Listens at `place`. With `tls`, whoever does not take TLS is refused.
    ///
    /// # Errors
    /// [`HostError::SocketTaken`], [`HostError::SocketPath`] and [`HostError::SocketIo`] of a unix socket, whose rules are those of the
    /// host's own; [`HostError::Address`] of a TCP port; [`HostError::Resources`] without a thread.
    pub fn open(place: &Place, tls: Option<Tls>) -> Result<Door, HostError> {
        let (place, bound, socket) = match place {
            Place::Unix(path) => {
                let socket = Socket::bind(path, Tenant::Door)?;
                (place.clone(), Bound::Unix(socket.listener()?), Some(socket))
            }
            Place::Tcp(address) => {
                let (listener, address) = bind(*address)?;
                (Place::Tcp(address), Bound::Tcp(listener), None)
            }
        };
        let resources = |error: io::Error| HostError::Resources { what: "thread", reason: error.to_string() };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(resources)?;
        let listener = {
            let _entered = runtime.enter();
            match bound {
                Bound::Unix(listener) => tokio::net::UnixListener::from_std(listener).map(Listener::Unix),
                Bound::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Listener::Tcp),
            }
            .map_err(resources)?
        };
        let (stop, stopped) = oneshot::channel();
        let (offers, is_secured) = (Offers::default(), tls.is_some());
        let behind = offers.clone();
        let serve = move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async {
                tokio::select! {
                    () = accept(&listener, &behind, tls.map(Arc::new)) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread =
            std::thread::Builder::new().name("oarlock-door".to_owned()).spawn(serve).map_err(resources)?;
        Ok(Door { place, is_secured, offers, stop: Some(stop), thread: Some(thread), _socket: socket })
    }

    /// Where it is, with the port that a TCP port of 0 became.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The URI of an export of that name here.
    #[must_use]
    pub fn uri(&self, name: &str) -> String {
        self.place.uri(name, self.is_secured)
    }

    /// Lets clients have an export.
    ///
    /// # Errors
    /// [`HostError::ExportTaken`] where another has its name here, [`HostError::TooMany`].
    pub fn offer(&self, export: &Export) -> Result<(), HostError> {
        self.offers.add(&export.offer)
    }

    /// Lets no further client have the export of that name. `false` where there is none.
    pub fn withdraw(&self, name: &str) -> bool {
        self.offers.remove(name)
    }

    /// How many exports stand behind it.
    #[must_use]
    pub fn exports(&self) -> usize {
        self.offers.count()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked said so on standard error.
            let _ = thread.join();
        }
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HostError> {
    let failed = |error: io::Error| HostError::Address { address, reason: error.to_string() };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Accepts for ever. Handshakes run side by side; the oldest one makes room where there are too many.
async fn accept(listener: &Listener, offers: &Offers, tls: Option<Arc<Tls>>) {
    let mut under_way: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok(socket) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        under_way.retain(|handshake| !handshake.is_finished());
        if under_way.len() >= NEGOTIATIONS_MAX
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.abort();
        }
        let (offers, tls) = (offers.clone(), tls.clone());
        let handshake = async move {
            let negotiated = negotiate(socket, &offers, tls.as_deref());
            // Whoever failed or took too long is closed by the drop of its socket.
            if let Ok(Ok(Some(handover))) = tokio::time::timeout(NEGOTIATION_LIMIT, negotiated).await
                && let Some(shared) = offers.shared(handover.session.export.name())
            {
                shared.hand_over(handover);
            }
        };
        under_way.push_back(tokio::task::spawn_local(handshake).abort_handle());
    }
}
