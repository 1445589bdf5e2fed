//! A running host, asked through its socket.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oarlock_host::api::{
    ErrorBody, EventEntry, EvictRequest, Evicted, HostEntry, LockEntry, LockLine, LockMode, LockRequest,
    Released, Status,
};
use oarlock_host::{Loss, LossKind, Lost};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::find::{Purpose, Selection, find};
use crate::http::{self, Answer};
use crate::lock::holds_for;

/// What a host may take to answer from its memory: far more than one needs that is not starved.
const MEMORY_LIMIT: Duration = Duration::from_secs(15);

/// What a host may take to answer beyond the time that it was given: it reads slots or locks of a slow device.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(150);

/// A host that says nothing for so long while it is followed is not there: it sends an empty line every 15 seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// A release waits so long for the host to close its end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// And so long for its word that the device says so: the host answers after five seconds in any case.
const RELEASE_LIMIT: Duration = Duration::from_secs(7);

/// A running host. It holds no connection: each question makes one.
#[derive(Clone, Debug)]
pub struct Api {
    path: PathBuf,
}

impl Api {
    /// The host at this socket.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where nobody listens there; [`Error::NoReply`] where its queue of connections stays full.
    pub fn connect(path: &Path) -> Result<Api, Error> {
        http::connect(path)?;
        Ok(Api { path: path.to_owned() })
    }

    /// The host that `selection` means: its `api`, else the one of its `host` and `store`, else `OARLOCK_API`, else the
    /// only one that runs.
    ///
    /// # Errors
    /// [`Error::NoHost`], [`Error::MustChoose`], [`Error::Unreachable`].
    pub fn find(selection: &Selection, purpose: Purpose) -> Result<Api, Error> {
        find(selection, purpose)
    }

    /// Its socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The datastore, and the host that answers.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn status(&self) -> Result<Status, Error> {
        self.get("/v1/status", MEMORY_LIMIT)
    }

    pub(crate) fn status_within(&self, limit: Duration) -> Result<Status, Error> {
        self.get("/v1/status", limit)
    }

    /// Every host that has a slot. Takes up to two beats.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn hosts(&self) -> Result<Vec<HostEntry>, Error> {
        self.get("/v1/hosts", ANSWER_LIMIT)
    }

    /// Every lock that is held.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn locks(&self) -> Result<Vec<LockEntry>, Error> {
        self.get("/v1/locks", ANSWER_LIMIT)
    }

    /// The last events, oldest first; with `follow`, then each further one as it happens, without end.
    ///
    /// # Errors
    /// Why there is no answer. The iterator ends after its first error.
    pub fn events(&self, follow: bool) -> Result<Events, Error> {
        let target = if follow { "/v1/events?follow=true" } else { "/v1/events" };
        let mut answer = successful(http::ask(&self.path, ("GET", target), None, MEMORY_LIMIT)?)?;
        answer.set_limit(Some(SILENCE_LIMIT));
        Ok(Events { answer: Some(answer) })
    }

    /// Takes the lock `name`, waiting for `wait` at most.
    ///
    /// # Errors
    /// [`Error::Remote`] with `OAR-0241` where it was not got in time; else why there is no answer.
    pub fn lock(&self, name: &str, mode: LockMode, wait: Duration) -> Result<RemoteGuard, Error> {
        let request = LockRequest { mode, wait_ms: milliseconds(wait) };
        let target = format!("/v1/locks/{}", http::encoded(name));
        let mut answer = self.post(&target, &request, wait.saturating_add(ANSWER_LIMIT))?;
        let line: Option<LockLine> = next_line(&mut answer)?;
        let line = line.ok_or_else(|| answer.malformed("it is empty"))?;
        let (Some(token), Some(until)) = (line.token, line.holds_until_ns) else {
            return Err(answer.malformed("its first line has no token"));
        };
        RemoteGuard::start(self, answer, &line, (token, until))
    }

    /// Takes over the host called `host`.
    ///
    /// # Errors
    /// Why it still has its slot, or why there is no answer.
    pub fn evict(&self, host: &str, certain: bool, wait: Option<Duration>) -> Result<(), Error> {
        let request = EvictRequest { host: host.to_owned(), certain, wait_ms: wait.map(milliseconds) };
        let limit = wait.unwrap_or_default().saturating_add(ANSWER_LIMIT);
        let answer = self.post("/v1/evict", &request, limit)?;
        self.parse::<Evicted>(&answer.whole()?).map(|_| ())
    }

    /// One request, and its answer: for whatever else speaks JSON over HTTP on a unix socket as a host does, as an array.
    ///
    /// # Errors
    /// Why there is no answer.
    #[doc(hidden)]
    pub fn exchange<T: DeserializeOwned>(
        &self,
        (method, target): (&str, &str),
        body: Option<&impl serde::Serialize>,
        limit: Duration,
    ) -> Result<T, Error> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| self.bad(&error))?;
        self.parse(&self.send(method, target, body.as_deref(), limit)?.whole()?)
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, target: &str, limit: Duration) -> Result<T, Error> {
        let answer = successful(http::ask(&self.path, ("GET", target), None, limit)?)?;
        self.parse(&answer.whole()?)
    }

    pub(crate) fn post(
        &self,
        target: &str,
        body: &impl serde::Serialize,
        limit: Duration,
    ) -> Result<Answer, Error> {
        let body = serde_json::to_vec(body).map_err(|error| self.bad(&error))?;
        self.send("POST", target, Some(&body), limit)
    }

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
        limit: Duration,
    ) -> Result<Answer, Error> {
        successful(http::ask(&self.path, (method, target), body, limit)?)
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| self.bad(&error))
    }

    fn bad(&self, error: &serde_json::Error) -> Error {
        Error::BadReply { path: self.path.clone(), reason: error.to_string() }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The answer, or the error that it carries.
fn successful(answer: Answer) -> Result<Answer, Error> {
    if answer.status == 200 {
        return Ok(answer);
    }
    let bad = answer.malformed(&format!("status {} without an error of the API", answer.status));
    let body = answer.whole()?;
    Err(serde_json::from_slice::<ErrorBody>(&body).map_or(bad, Error::Remote))
}

/// The next line that is not empty.
fn next_line<T: DeserializeOwned>(answer: &mut Answer) -> Result<Option<T>, Error> {
    while let Some(line) = answer.line()? {
        if !line.is_empty() {
            let parsed = serde_json::from_slice(&line);
            return parsed.map(Some).map_err(|error| answer.malformed(&error.to_string()));
        }
    }
    Ok(None)
}

/// Events as they come.
pub struct Events {
    answer: Option<Answer>,
}

impl Iterator for Events {
    type Item = Result<EventEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = next_line(self.answer.as_mut()?).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.answer = None;
        }
        next
    }
}

/// A lock that a running host holds for this process. It is released when the guard is dropped, and when this process
/// ends, however it does.
pub struct RemoteGuard {
    token: u64,
    lease: Duration,
    grant: Option<u64>,
    lost: Arc<Lost>,
    connection: UnixStream,
    api: Api,
}

impl RemoteGuard {
    fn start(
        api: &Api,
        mut answer: Answer,
        line: &LockLine,
        (token, until): (u64, u64),
    ) -> Result<RemoteGuard, Error> {
        let connection = answer.closer()?;
        answer.set_limit(None);
        let lost = Arc::new(Lost::until(until));
        let news = Arc::clone(&lost);
        std::thread::Builder::new()
            .name("oarlock-lock".to_owned())
            .spawn(move || listen(answer, &news))
            .map_err(|error| {
                let reason = error.to_string();
                Error::Host(oarlock_host::HostError::Resources { what: "thread", reason })
            })?;
        let lease = Duration::from_millis(line.lease_ms.unwrap_or(0));
        Ok(RemoteGuard { token, lease, grant: line.grant, lost, connection, api: api.clone() })
    }

    /// A number that only grows from owner to owner: what is guarded should refuse a smaller one than it has seen.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// The lease of the datastore, as the host told it with the lock; zero where it did not.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Whether the lock can no longer be relied upon. Cheap: it looks at the clock and at what the host said last.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_lost()
    }

    /// For how long the lock may be relied upon without further news of the host; each beat of the host extends it.
    #[must_use]
    pub fn holds_for(&self) -> Duration {
        holds_for(&self.lost)
    }

    /// Waits until the lock can no longer be relied upon, for `timeout` at most; gives the reason, or `None` where it
    /// still can.
    #[must_use]
    pub fn lost(&self, timeout: Duration) -> Option<String> {
        self.loss(timeout).map(|loss| loss.to_string())
    }

    /// The same, with its kind: for whoever does different things about different losses.
    #[must_use]
    pub fn loss(&self, timeout: Duration) -> Option<Loss> {
        self.lost.wait(timeout)
    }

    /// Resolves with the host's word that the lock is lost, or with the end of the connection. That the lease ran out
    /// without a word is told by [`is_lost`](RemoteGuard::is_lost) alone, which looks at the clock.
    pub fn when_told(&self) -> impl Future<Output = String> + Send + 'static + use<> {
        let lost = Arc::clone(&self.lost);
        async move { lost.lost().await.to_string() }
    }

    /// A second handle on the connection, for a process that must have ended before the lock may go to another: where this
    /// one dies, the host keeps the lock until the last handle is closed. [`release`](RemoteGuard::release) and the drop
    /// of the guard give it back all the same.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn connection(&self) -> io::Result<OwnedFd> {
        Ok(self.connection.try_clone()?.into())
    }

    /// Releases the lock: returns once the host says that the device has it so, or after a bounded wait. Whether the host
    /// said so: if not, it goes on with the release, or has ended, and then others take the lock over.
    pub fn release(self) -> bool {
        let _ = self.connection.shutdown(Shutdown::Write);
        // The host closes its end once it has seen ours closed; the listening thread says so.
        let closed = self.lost.wait_closed(CLOSE_LIMIT);
        let Some(grant) = self.grant.filter(|_| closed) else { return false };
        let released: Result<Released, Error> = self.api.get(&format!("/v1/grants/{grant}"), RELEASE_LIMIT);
        released.is_ok_and(|answer| answer.released)
    }
}

impl Drop for RemoteGuard {
    fn drop(&mut self) {
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

/// Reads what the host says about the lock, until the connection ends.
fn listen(mut answer: Answer, lost: &Lost) {
    loop {
        match next_line::<LockLine>(&mut answer) {
            Ok(Some(line)) => {
                if let Some(until) = line.holds_until_ns {
                    lost.extend(until);
                }
                if let Some(words) = line.lost {
                    lost.lose(Loss::new(LossKind::from_name(line.lost_kind.as_deref()), words));
                }
            }
            Ok(None) | Err(_) => {
                lost.lose(Loss::new(LossKind::Disconnected, "the connection to the host was closed"));
                lost.close();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    /// A host that answers one request by `answer`, and then keeps the connection open without a word until the test
    /// is done: as a stopped process does.
    fn mute_host(answer: String) -> (tempfile::TempDir, Api, UnixListener) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let accepting = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            // The first connection only looks whether somebody listens.
            let _look = accepting.accept().unwrap();
            let (mut stream, _) = accepting.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            // Until the client closes its end.
            while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        });
        let api = Api::connect(&path).unwrap();
        (folder, api, listener)
    }

    #[test]
    fn a_host_that_is_stopped_loses_its_clients_locks_by_the_clock() {
        let until = oarlock_host::boot_time_ns() + 50_000_000;
        let line = format!("{{\"granted\":true,\"token\":5,\"holds_until_ns\":{until}}}\n");
        let (_folder, api, _listener) = mute_host(format!("HTTP/1.1 200 OK\r\n\r\n{line}"));
        let guard = api.lock("x", LockMode::Exclusive, Duration::ZERO).unwrap();
        assert_eq!(guard.token(), 5);
        assert!(guard.holds_for() <= Duration::from_millis(50));
        let reason = guard.lost(Duration::from_secs(60)).unwrap();
        assert_eq!(guard.holds_for(), Duration::ZERO);
        assert_eq!(reason, "the host's lease was not renewed in time");
        assert!(oarlock_host::boot_time_ns() >= until && guard.is_lost());
    }

    #[test]
    fn the_host_s_word_of_a_loss_has_a_kind_and_one_of_an_older_host_has_none() {
        for (kind, wanted) in [(",\"lost_kind\":\"fenced\"", LossKind::Fenced), ("", LossKind::Unnamed)] {
            let until = oarlock_host::boot_time_ns() + 60_000_000_000;
            let first = format!("{{\"granted\":true,\"token\":5,\"holds_until_ns\":{until}}}\n");
            let answer = format!("HTTP/1.1 200 OK\r\n\r\n{first}{{\"lost\":\"it is gone\"{kind}}}\n");
            let (_folder, api, _listener) = mute_host(answer);
            let guard = api.lock("x", LockMode::Exclusive, Duration::ZERO).unwrap();
            let loss = guard.loss(Duration::from_secs(60)).unwrap();
            assert_eq!((loss.kind(), loss.to_string().as_str()), (wanted, "it is gone"));
            assert_eq!(guard.lost(Duration::ZERO).unwrap(), "it is gone");
        }
    }

    #[test]
    fn a_release_of_which_the_host_says_nothing_ends_and_says_so() {
        let until = oarlock_host::boot_time_ns() + 60_000_000_000;
        let line = format!("{{\"granted\":true,\"token\":5,\"holds_until_ns\":{until}}}\n");
        let (_folder, api, _listener) = mute_host(format!("HTTP/1.1 200 OK\r\n\r\n{line}"));
        let guard = api.lock("x", LockMode::Exclusive, Duration::ZERO).unwrap();
        assert!(!guard.release(), "a host that numbers no grants can only close");
    }

    #[test]
    fn a_host_that_does_not_reply_costs_no_more_than_its_time() {
        let (_folder, api, _listener) = mute_host(String::new());
        let error = api.status_within(Duration::from_millis(50)).unwrap_err();
        let Error::NoReply { process: Some(process), .. } = error else { panic!("{error}") };
        assert_eq!((process.pid, process.is_stopped()), (std::process::id(), false));
        assert!(error.is_temporary());
    }

    #[test]
    fn what_is_no_reply_of_the_api_is_named_so() {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 500 No\r\ncontent-length: 1\r\n\r\nx",
        ] {
            let (_folder, api, _listener) = mute_host(answer.to_owned());
            assert!(matches!(api.status().unwrap_err(), Error::BadReply { .. }));
        }
    }
}
