//! What the library can fail at.

use std::path::PathBuf;
use std::time::Duration;

use oarlock_host::api::ErrorBody;
use oarlock_host::{Code, FoundSocket, HostError, error_catalogue};

use crate::process::HostProcess;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A host of this process's own failed at it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The host that was asked said so.
    #[error("{}", .0.message)]
    Remote(ErrorBody),
    /// No socket of a running host was found.
    #[error("no running host{} was found{}", described(.wanted), searched(.looked_in))]
    NoHost {
        /// What was asked for, in words; empty where any host would do.
        wanted: String,
        /// The folders that were searched.
        looked_in: Vec<PathBuf>,
    },
    /// Several hosts run here, and the question is for one of them.
    #[error("several hosts run here: {}", listed(.candidates))]
    MustChoose {
        /// The hosts that run.
        candidates: Vec<FoundSocket>,
    },
    /// Nobody listens, or the socket may not be opened.
    #[error("the host at {} cannot be reached: {reason}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The host did not reply in time.
    #[error("the host at {} did not reply within {} ms{}", path.display(), limit.as_millis(), told(.process.as_ref()))]
    NoReply {
        /// The socket.
        path: PathBuf,
        /// The time that it was given.
        limit: Duration,
        /// What its process was doing then, where that is known.
        process: Option<HostProcess>,
    },
    /// What came back is not the API's.
    #[error("the reply of {} is not understood: {reason}", path.display())]
    BadReply {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The host closed the connection in the middle of an answer.
    #[error("the host at {} closed the connection in the middle of an answer", path.display())]
    ConnectionLost {
        /// The socket.
        path: PathBuf,
    },
}

impl Error {
    /// `OAR-0xxx`: a row of the [catalogue](oarlock_host::error_catalogue).
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Error::Host(error) => error.code().text(),
            Error::Remote(body) => &body.code,
            Error::NoHost { .. } => Code::NoHost.text(),
            Error::MustChoose { .. } => Code::MustChoose.text(),
            Error::Unreachable { .. } => Code::Unreachable.text(),
            Error::NoReply { .. } => Code::NoReply.text(),
            Error::BadReply { .. } => Code::BadReply.text(),
            Error::ConnectionLost { .. } => Code::ConnectionLost.text(),
        }
    }

    /// What helps.
    #[must_use]
    pub fn hint(&self) -> &str {
        if let Error::Remote(body) = self {
            return &body.hint;
        }
        let entry = error_catalogue().iter().find(|entry| entry.code == self.code());
        entry.map_or("", |entry| entry.cure)
    }

    /// Whether trying again later may help, with nothing changed: a lock that was not got in time, a host that is not
    /// there, not reachable, or came to its end before it had the lock. The program ends with 75 then.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        let temporary = [
            Code::LockTimedOut,
            Code::NoHost,
            Code::Unreachable,
            Code::NoReply,
            Code::ConnectionLost,
            Code::TooMany,
            Code::DiskBusy,
            Code::Left,
            Code::LeftBehind,
            // Whoever keeps the host running starts it again, as another incarnation. What a person has to look at first
            // (a device that went back in time, a damaged slot, two hosts of one name) is not waited for.
            Code::Fenced,
            Code::Superseded,
            Code::HoldOver,
            Code::EngineGone,
        ];
        temporary.iter().any(|code| code.text() == self.code())
    }
}

fn told(process: Option<&HostProcess>) -> String {
    process.map_or_else(String::new, |process| format!(": {process}"))
}

fn described(wanted: &str) -> String {
    if wanted.is_empty() { String::new() } else { format!(" {wanted}") }
}

fn searched(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return String::new();
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!(" under {}", folders.join(", "))
}

fn listed(candidates: &[FoundSocket]) -> String {
    let names: Vec<String> =
        candidates.iter().map(|found| format!("{} (datastore {})", found.host, found.store)).collect();
    names.join(", ")
}
