//! Answers that go on: events as they come, and the news of a lock. One JSON document per line.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::unfold;
use serde::Serialize;

use crate::api::LockLine;
use crate::grants::Grant;
use crate::lost::Lost;
use crate::record::{EventLog, Follower};
use crate::request::{Engine, HeldLock};

/// A follower hears at least an empty line so often: it can tell a quiet host from a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The media type of one JSON document per line.
const LINES: &str = "application/x-ndjson";

/// A 200 whose body is a stream of lines.
fn lines(stream: impl futures::Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt;
    let body = Body::from_stream(stream.map(Ok::<Bytes, Infallible>));
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", axum::http::HeaderValue::from_static(LINES));
    response
}

fn line(document: &impl Serialize) -> Bytes {
    // Every document of the API is plain data, for which serialising cannot fail.
    let mut text = serde_json::to_vec(document).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// The events that are kept, and no more.
pub(crate) fn kept(log: &EventLog, tail: usize) -> Response {
    let events = log.kept();
    let skipped = events.len().saturating_sub(tail);
    lines(futures::stream::iter(events.into_iter().skip(skipped).map(|event| line(&*event))))
}

/// The last events, then each as it comes.
pub(crate) fn followed(follower: Follower) -> Response {
    lines(unfold(follower, |mut follower| async move {
        match tokio::time::timeout(KEEP_ALIVE, follower.next()).await {
            Ok(Some(event)) => Some((line(&*event), follower)),
            Ok(None) => None,
            Err(_) => Some((Bytes::from_static(b"\n"), follower)),
        }
    }))
}

/// A lock whose user is told of every renewal and of its loss. It is released when this is dropped, and the grant ends
/// once the device says so.
struct News {
    lock: Option<HeldLock>,
    lost: Arc<Lost>,
    grant: Option<Grant>,
    /// How often the lease is looked at.
    pause: Duration,
    lease_ms: Option<u64>,
    told_until_ns: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Granted,
    Held,
    Lost,
    Over,
}

/// The answer to a lock request that got its lock.
pub(crate) fn granted(lock: HeldLock, grant: Grant, engine: &Engine) -> Response {
    let lost = Arc::clone(lock.lost());
    let (lock, grant) = (Some(lock), Some(grant));
    let lease_ms = engine.lease().and_then(|lease| u64::try_from(lease.as_millis()).ok());
    let pause = engine.beat() / 4;
    let news = News { lock, lost, grant, pause, lease_ms, told_until_ns: 0, stage: Stage::Granted };
    let mut response = lines(unfold(news, |mut news| async move {
        let told = news.next().await?;
        Some((told.as_ref().map_or(Bytes::from_static(b"\n"), line), news))
    }));
    // Where this answer ends, the host has: its connection ends with it, for whoever waits for that alone.
    response.headers_mut().insert("connection", axum::http::HeaderValue::from_static("close"));
    response
}

impl News {
    /// The next line, `Some(None)`: an empty one; `None`: the host has ended, and this with it.
    async fn next(&mut self) -> Option<Option<LockLine>> {
        match self.stage {
            Stage::Granted => {
                self.stage = Stage::Held;
                self.told_until_ns = self.lost.until_ns();
                Some(Some(LockLine {
                    granted: Some(true),
                    token: self.lock.as_ref().map(HeldLock::token),
                    grant: self.grant.as_ref().map(Grant::id),
                    lease_ms: self.lease_ms,
                    holds_until_ns: Some(self.told_until_ns),
                    lost: None,
                    lost_kind: None,
                }))
            }
            Stage::Held => Some(Some(self.change().await)),
            // Nothing more is to be said. The lock stays with its user until that closes the connection; whether it has
            // is certain only when something is written: bytes after the request hide the end behind them.
            Stage::Lost => {
                if tokio::time::timeout(self.pause, self.lost.closed()).await.is_ok() {
                    self.stage = Stage::Over;
                    return None;
                }
                Some(None)
            }
            Stage::Over => None,
        }
    }

    async fn change(&mut self) -> LockLine {
        let lost = Arc::clone(&self.lost);
        loop {
            let until = lost.until_ns();
            if let Some(reason) = lost.reason() {
                self.stage = Stage::Lost;
                let (words, kind) = (Some(reason.to_string()), Some(reason.kind().name().to_owned()));
                return LockLine { lost: words, lost_kind: kind, ..LockLine::default() };
            }
            if until > self.told_until_ns {
                self.told_until_ns = until;
                return LockLine { holds_until_ns: Some(until), ..LockLine::default() };
            }
            let _ = tokio::time::timeout(self.pause, lost.lost()).await;
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        let (Some(lock), grant) = (self.lock.take(), self.grant.take()) else { return };
        // Without a runtime the process is at its end; the lock is let go of by its own drop.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                lock.release().await;
                drop(grant);
            });
        }
    }
}
