//! The server: connections on the host's socket, so many at once and no more, each with a deadline for its request.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::error::HostError;
use crate::lines::{Line, Lines};
use crate::routes::{Desk, router};
use crate::wire::Wire;

/// Connections at once; further ones wait in the listener's backlog.
const CONNECTIONS_MAX: u32 = 1024;

/// A connection that does not send a request's head within this time is closed; so is an idle one.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// When the host has ended, answers that are under way have this long to reach their clients.
const FAREWELL: Duration = Duration::from_secs(2);

/// A pause after a failed accept: the process is out of descriptors, and asking again at once would not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server on its way.
pub(crate) struct Server {
    places: Arc<Semaphore>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Begins to serve.
    pub(crate) fn start(listener: std::os::unix::net::UnixListener, desk: Desk) -> Result<Server, HostError> {
        let listener = UnixListener::from_std(listener)
            .map_err(|error| HostError::Resources { what: "listener", reason: error.to_string() })?;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&places), desk));
        Ok(Server { places, accepting })
    }

    /// Takes no more connections, and waits for those that are there, for a moment.
    pub(crate) async fn stop(self) {
        self.accepting.abort();
        let _ = tokio::time::timeout(FAREWELL, self.places.acquire_many(CONNECTIONS_MAX)).await;
    }
}

async fn accept(listener: UnixListener, places: Arc<Semaphore>, desk: Desk) {
    let lines: Arc<Lines> = desk.engine.lines();
    let service = router(desk);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (line, service) = (lines.line(stream), service.clone());
        tokio::spawn(async move {
            serve(line, service).await;
            drop(place);
        });
    }
}

/// What answers the requests of one connection: the router, which is told whose they are.
struct Answering {
    router: TowerToHyperService<axum::Router>,
    line: Arc<Line>,
}

impl Service<Request<Incoming>> for Answering {
    type Response = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Arc::clone(&self.line));
        self.router.call(request)
    }
}

/// One connection. A client that goes away ends the work on its request: the request's future is dropped.
async fn serve(line: Arc<Line>, service: axum::Router) {
    let wire = Wire::new(Arc::clone(&line));
    let answering = Answering { router: TowerToHyperService::new(service), line };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .half_close(false)
        .serve_connection(TokioIo::new(wire), answering)
        .await;
    // A client that breaks the connection off has nobody who would want to hear of it.
    drop(served);
}
