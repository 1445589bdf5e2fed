//! Connections of an array's API and of its metrics: so many at once and no more, each with its deadlines.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

/// Connections at once of one listener; further ones wait in its backlog.
const CONNECTIONS_MAX: u32 = 64;

/// A connection that does not send a request's head within this time is closed; so is an idle one.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// A connection is closed after this time, whatever it is doing: no client of the API has more to say, and one that takes its answer a
/// byte at a time keeps nobody's place for ever.
const CONNECTION_LIMIT: Duration = Duration::from_mins(5);

/// A pause after a failed accept: the process is out of descriptors, and asking again at once would not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// When the array has ended, answers that are under way have this long to reach their clients.
const FAREWELL: Duration = Duration::from_secs(2);

/// What connections come from.
pub enum Door {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// What bytes come from and go to.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A listener that is served.
pub struct Served {
    places: Arc<Semaphore>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Begins to serve.
    pub fn start(door: Door, router: Router) -> Served {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
        let accepting = tokio::spawn(accept(door, Arc::clone(&places), router));
        Served { places, accepting }
    }

    /// Takes no more connections, and waits for those that are there, for a moment.
    pub async fn stop(self) {
        self.accepting.abort();
        let _ = tokio::time::timeout(FAREWELL, self.places.acquire_many(CONNECTIONS_MAX)).await;
    }
}

impl Door {
    async fn accept(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Door::Unix(listener) => Box::new(listener.accept().await?.0),
            Door::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

async fn accept(door: Door, places: Arc<Semaphore>, router: Router) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok(stream) = door.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            // A client that breaks the connection off, or is too slow, has nobody who would want to hear of it.
            let _ = tokio::time::timeout(CONNECTION_LIMIT, serve(stream, router)).await;
            drop(place);
        });
    }
}

async fn serve(stream: Box<dyn Stream>, router: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    drop(served);
}
