//! Which running array answers: the flags that every verb has that asks one.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use oarlock::{Api, Error};
use oarlock_host::{Folders, FoundSocket};
use oarlock_scsi::iscsi::NodeName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalogue::Code;
use crate::failure::Failure;

/// What an array may take to answer: it lets what is under way end before a unit is gone, and a medium may be slow.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// With one array running here, none of these is needed.
#[derive(Args, Debug)]
pub struct ArrayChoice {
    /// Ask the array of this name
    #[arg(long, value_name = "IQN")]
    iqn: Option<NodeName>,
    /// Ask the array at this socket
    #[arg(long, value_name = "PATH", conflicts_with = "iqn")]
    api: Option<PathBuf>,
}

/// A running array.
pub struct ArrayApi(Api);

impl ArrayChoice {
    /// Finds the array.
    ///
    /// # Errors
    /// Where there is none, or the user must choose.
    pub fn find(&self) -> Result<ArrayApi, Failure> {
        self.find_in(&Folders::from_environment())
    }

    fn find_in(&self, folders: &Folders) -> Result<ArrayApi, Failure> {
        if let Some(path) = &self.api {
            return Api::connect(path).map(ArrayApi).map_err(told);
        }
        let path = |name: &NodeName| folders.array_socket(name.as_str()).ok();
        let wanted = self.iqn.as_ref().map(|name| path(name).unwrap_or_default());
        let file_name = wanted.as_ref().and_then(|path| path.file_name());
        let sockets = folders.array_sockets().into_iter();
        let mut live: Vec<(FoundSocket, Result<Api, Error>)> = sockets
            .filter(|found| file_name.is_none() || found.path.file_name() == file_name)
            .map(|found| {
                let api = Api::connect(&found.path);
                (found, api)
            })
            // A socket that nobody listens on was left by an array that is dead.
            .filter(|(_, api)| !matches!(api, Err(Error::Unreachable { .. })))
            .collect();
        match live.len() {
            0 => Err(none(self.iqn.as_ref(), folders)),
            1 => live.remove(0).1.map(ArrayApi).map_err(told),
            _ => {
                let names: Vec<&str> = live.iter().map(|(found, _)| found.host.as_str()).collect();
                let what = format!("several arrays run here: {}", names.join(", "));
                Err(Failure::new(Code::ArrayMustChoose, what))
            }
        }
    }
}

fn none(name: Option<&NodeName>, folders: &Folders) -> Failure {
    let called = name.map(|name| format!(" called {name}")).unwrap_or_default();
    let looked_in: Vec<String> = folders
        .runtime
        .iter()
        .chain(&folders.runtime_of_others)
        .map(|folder| folder.join("target").display().to_string())
        .collect();
    let looked_in = if looked_in.is_empty() {
        "XDG_RUNTIME_DIR, which is not set".to_owned()
    } else {
        looked_in.join(", ")
    };
    Failure::new(Code::ArrayUnreachable, format!("no running array{called} was found in {looked_in}"))
}

/// An error of the socket, said of an array.
fn told(error: Error) -> Failure {
    match error {
        Error::Remote(body) if body.code == Code::ArrayUnreachable.row().code => {
            Failure::new(Code::ArrayUnreachable, body.message)
        }
        Error::Remote(body) => body.into(),
        Error::NoHost { .. } | Error::MustChoose { .. } | Error::Host(_) => error.into(),
        Error::Unreachable { path, reason } => Failure::new(
            Code::ArrayUnreachable,
            format!("the array at {} cannot be reached: {reason}", path.display()),
        ),
        Error::NoReply { path, limit, .. } => Failure::new(
            Code::ArrayUnreachable,
            format!("the array at {} did not reply within {} ms", path.display(), limit.as_millis()),
        ),
        Error::BadReply { path, reason } => Failure::new(
            Code::ArrayUnreachable,
            format!("what answers at {} is no array: {reason}", path.display()),
        ),
        Error::ConnectionLost { path } => Failure::new(
            Code::ArrayUnreachable,
            format!("the array at {} closed the connection before it had answered", path.display()),
        ),
    }
}

impl ArrayApi {
    /// What is there.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        self.0.exchange(("GET", target), None::<&()>, ANSWER_LIMIT).map_err(told)
    }

    /// Something is to be done.
    ///
    /// # Errors
    /// Why it is not done, or why there is no answer.
    pub fn post<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.0.exchange(("POST", target), Some(body), ANSWER_LIMIT).map_err(told)
    }

    /// Something is to be no more.
    ///
    /// # Errors
    /// Why it still is, or why there is no answer.
    pub fn delete<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        self.0.exchange(("DELETE", target), None::<&()>, ANSWER_LIMIT).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn choice(iqn: Option<&str>) -> ArrayChoice {
        ArrayChoice { iqn: iqn.map(|name| name.parse().unwrap()), api: None }
    }

    #[test]
    fn the_one_array_that_lives_needs_no_naming_and_of_several_one_must_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let folders =
            Folders { runtime: Some(folder.path().to_owned()), runtime_of_others: Vec::new(), state: None };
        let find = |iqn| choice(iqn).find_in(&folders).map(|api| api.0.path().to_owned());
        let bind = |name| {
            let path = folders.array_socket(name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            (UnixListener::bind(&path).unwrap(), path)
        };
        assert_eq!(find(None).unwrap_err().exit, 75);
        drop(bind("iqn.2026-11.org.example:dead"));
        let (_first, path) = bind("iqn.2026-11.org.example:one");
        assert_eq!(find(None).unwrap(), path);
        let _second = bind("iqn.2026-11.org.example:two");
        let several = find(None).unwrap_err();
        assert_eq!(several.exit, 2);
        assert!(several.to_string().contains("org.example:one, iqn.2026-11.org.example:two"), "{several}");
        assert_eq!(find(Some("iqn.2026-11.org.example:one")).unwrap(), path);
        assert_eq!(find(Some("iqn.2026-11.org.example:dead")).unwrap_err().exit, 75);
    }
}
