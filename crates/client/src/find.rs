//! Which running host answers: the rules by which its socket is found.

use std::path::PathBuf;
use std::time::Duration;

use oarlock_host::{Folders, FoundSocket};

use crate::error::Error;
use crate::http;
use crate::remote::Api;

/// Of several hosts that any question may go to, one that does not answer within this time is passed over.
const GLANCE: Duration = Duration::from_secs(2);

/// What the user said about the host that is to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--host`.
    pub host: Option<String>,
    /// `--store`.
    pub store: Option<String>,
    /// `--api`: the socket itself.
    pub api: Option<PathBuf>,
}

/// Whom a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Any host can answer: of several, the first that does.
    AnyHost,
    /// It concerns the host that answers: of several, the user must choose.
    OneHost,
}

/// Finds the host that `selection` means: `api`, else by `host` and `store`, else `OARLOCK_API`, else the only one.
pub(crate) fn find(selection: &Selection, purpose: Purpose) -> Result<Api, Error> {
    let from_environment =
        std::env::var_os("OARLOCK_API").filter(|value| !value.is_empty()).map(PathBuf::from);
    find_in(&Folders::from_environment(), from_environment, selection, purpose)
}

fn find_in(
    folders: &Folders,
    from_environment: Option<PathBuf>,
    selection: &Selection,
    purpose: Purpose,
) -> Result<Api, Error> {
    let named = selection.host.is_some() || selection.store.is_some();
    if let Some(path) = selection.api.clone().or_else(|| from_environment.filter(|_| !named)) {
        return Api::connect(&path);
    }
    // A socket that nobody listens on was left by a host that is dead. One that lets nobody in is a living host's.
    let live: Vec<FoundSocket> = folders
        .sockets()
        .into_iter()
        .filter(|found| selection.host.as_ref().is_none_or(|host| *host == found.host))
        .filter(|found| selection.store.as_ref().is_none_or(|store| *store == found.store))
        .filter(|found| !matches!(http::connect(&found.path), Err(Error::Unreachable { .. })))
        .collect();
    match live.as_slice() {
        [] => Err(none(folders, selection)),
        [one] => Api::connect(&one.path),
        _ if purpose == Purpose::OneHost => Err(Error::MustChoose { candidates: live }),
        _ => first_that_answers(&live),
    }
}

fn first_that_answers(live: &[FoundSocket]) -> Result<Api, Error> {
    let mut last = None;
    for found in live {
        let answers = |api: Api| api.status_within(GLANCE).map(|_| api);
        match Api::connect(&found.path).and_then(answers) {
            Ok(api) => return Ok(api),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::NoHost { wanted: String::new(), looked_in: Vec::new() }))
}

fn none(folders: &Folders, selection: &Selection) -> Error {
    let host = selection.host.as_ref().map(|host| format!("called {host}"));
    let store = selection.store.as_ref().map(|store| format!("of the datastore {store}"));
    Error::NoHost {
        wanted: host.into_iter().chain(store).collect::<Vec<_>>().join(" "),
        looked_in: folders.runtime.iter().chain(&folders.runtime_of_others).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    struct Place {
        folder: tempfile::TempDir,
        listeners: Vec<UnixListener>,
    }

    impl Place {
        fn new(hosts: &[(&str, &str)]) -> Place {
            let mut place = Place { folder: tempfile::tempdir().unwrap(), listeners: Vec::new() };
            for (store, host) in hosts {
                let listener = place.bind(store, host);
                place.listeners.push(listener);
            }
            place
        }

        fn bind(&self, store: &str, host: &str) -> UnixListener {
            let path = self.folders().socket(store, host).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            UnixListener::bind(path).unwrap()
        }

        fn folders(&self) -> Folders {
            let runtime = Some(self.folder.path().to_owned());
            Folders { runtime, runtime_of_others: Vec::new(), state: None }
        }

        fn find(&self, host: Option<&str>, store: Option<&str>, purpose: Purpose) -> Result<Api, Error> {
            let selection =
                Selection { host: host.map(str::to_owned), store: store.map(str::to_owned), api: None };
            find_in(&self.folders(), None, &selection, purpose)
        }
    }

    #[test]
    fn one_running_host_needs_no_naming_and_a_dead_one_does_not_count() {
        let place = Place::new(&[("store", "a")]);
        drop(place.bind("store", "dead"));
        let found = place.find(None, None, Purpose::OneHost).unwrap();
        assert_eq!(found.path(), place.folders().socket("store", "a").unwrap());
    }

    #[test]
    fn of_several_the_user_must_choose_and_hears_which_there_are() {
        let place = Place::new(&[("two", "a"), ("one", "b")]);
        let Err(Error::MustChoose { candidates }) = place.find(None, None, Purpose::OneHost) else {
            panic!("a host was chosen")
        };
        let names: Vec<_> = candidates.iter().map(|found| (&*found.store, &*found.host)).collect();
        assert_eq!(names, [("one", "b"), ("two", "a")]);
        assert!(place.find(Some("a"), None, Purpose::OneHost).is_ok());
        assert!(place.find(None, Some("one"), Purpose::OneHost).is_ok());
    }

    #[test]
    fn nobody_is_found_by_a_name_that_nobody_has() {
        let place = Place::new(&[("store", "a")]);
        let error = place.find(Some("b"), Some("store"), Purpose::AnyHost).unwrap_err();
        assert!(error.to_string().starts_with("no running host called b of the datastore store was found"));
        assert!(error.is_temporary());
    }

    #[test]
    fn the_environment_names_a_socket_unless_a_host_is_named() {
        let place = Place::new(&[("store", "a")]);
        let elsewhere = Place::new(&[("store", "b")]);
        let socket = elsewhere.folders().socket("store", "b").unwrap();
        let find = |selection: &Selection| {
            find_in(&place.folders(), Some(socket.clone()), selection, Purpose::OneHost).unwrap()
        };
        assert_eq!(find(&Selection::default()).path(), socket);
        let named = Selection { host: Some("a".to_owned()), ..Selection::default() };
        assert_ne!(find(&named).path(), socket);
    }
}
