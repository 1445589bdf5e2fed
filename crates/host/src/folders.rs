//! Where a host keeps its socket, its events and the list of its exports, and where others look for its socket.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use oarlock_format::FormatId;

use crate::error::HostError;

/// Where root's hosts have their sockets, and all look for them.
const SYSTEM_RUNTIME: &str = "/run/oarlock";

/// Where root's hosts keep their events.
const SYSTEM_STATE: &str = "/var/lib/oarlock";

/// Sockets that are looked at when hosts are searched for: far more than one machine runs.
const SOCKETS_MAX: usize = 4096;

/// The folder of arrays' sockets, beside those of datastores.
const ARRAYS: &str = "target";

/// The longest name of an array that its socket is called by: with it, a path in anybody's folder stays below the 106 bytes of a socket's.
const ARRAY_NAME_MAX: usize = 64;

/// The folders of one user: `RUNTIME/LABEL/HOST.sock`, `STATE/LABEL/HOST.events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Where sockets are; `None` where the environment names no place.
    pub runtime: Option<PathBuf>,
    /// Where else a client looks for sockets: root's hosts let the group `oarlock` in.
    pub runtime_of_others: Vec<PathBuf>,
    /// Where events are kept; `None`: nowhere.
    pub state: Option<PathBuf>,
}

impl Folders {
    /// The folders as the environment has them. For root `/run/oarlock` and `/var/lib/oarlock`; for others
    /// `$XDG_RUNTIME_DIR/oarlock` and `$XDG_STATE_HOME/oarlock` (`$HOME/.local/state/oarlock`). `OARLOCK_RUNTIME_DIR`
    /// and `OARLOCK_STATE_DIR` name other ones, for tests and services.
    #[must_use]
    pub fn from_environment() -> Folders {
        let root = rustix::process::geteuid().is_root();
        Folders::from_variables(root, &|name| {
            env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        })
    }

    fn from_variables(root: bool, variable: &dyn Fn(&str) -> Option<PathBuf>) -> Folders {
        // The XDG specification: a relative path is to be ignored.
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        if let Some(runtime) = absolute("OARLOCK_RUNTIME_DIR") {
            return Folders {
                state: absolute("OARLOCK_STATE_DIR").or_else(|| Some(runtime.clone())),
                runtime: Some(runtime),
                runtime_of_others: Vec::new(),
            };
        }
        let state = absolute("OARLOCK_STATE_DIR");
        if root {
            return Folders {
                runtime: Some(SYSTEM_RUNTIME.into()),
                runtime_of_others: Vec::new(),
                state: state.or_else(|| Some(SYSTEM_STATE.into())),
            };
        }
        let home = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Folders {
            runtime: absolute("XDG_RUNTIME_DIR").map(|path| path.join("oarlock")),
            runtime_of_others: vec![SYSTEM_RUNTIME.into()],
            state: state.or_else(|| home.map(|path| path.join("oarlock"))),
        }
    }

    /// The socket of a host.
    ///
    /// # Errors
    /// [`HostError::NoRuntimeFolder`] where there is no folder for it.
    pub fn socket(&self, label: &str, host: &str) -> Result<PathBuf, HostError> {
        let runtime = self.runtime.as_ref().ok_or(HostError::NoRuntimeFolder)?;
        Ok(runtime.join(label).join(format!("{host}.sock")))
    }

    /// The socket of an array, by its iSCSI name.
    ///
    /// # Errors
    /// [`HostError::NoRuntimeFolder`] where there is no folder for it.
    pub fn array_socket(&self, name: &str) -> Result<PathBuf, HostError> {
        let runtime = self.runtime.as_ref().ok_or(HostError::NoRuntimeFolder)?;
        Ok(runtime.join(ARRAYS).join(format!("{}.sock", array_file_name(name))))
    }

    /// Every socket of an array that stands in these folders, whether or not anybody listens there; in the order of names.
    #[must_use]
    pub fn array_sockets(&self) -> Vec<FoundSocket> {
        let folders = self.runtime.iter().chain(&self.runtime_of_others);
        let mut found: Vec<FoundSocket> = folders
            .map(|folder| folder.join(ARRAYS))
            .flat_map(|folder| entries(&folder).map(move |path| (folder.clone(), path)))
            .filter_map(|(folder, path)| FoundSocket::of(&folder, path))
            .filter(FoundSocket::is_of_an_array)
            .take(SOCKETS_MAX)
            .collect();
        found.sort_by(|left, right| left.host.cmp(&right.host));
        found
    }

    /// The file of a host's events.
    #[must_use]
    pub fn events(&self, label: &str, host: &str) -> Option<PathBuf> {
        Some(self.state.as_ref()?.join(label).join(format!("{host}.events")))
    }

    /// The note that a host stopped because of a rollback of that datastore. It names the datastore by its format id, too:
    /// what befell one of that name is nothing to the next.
    #[must_use]
    pub fn rollback_note(&self, label: &str, format_id: FormatId, host: &str) -> Option<PathBuf> {
        Some(self.state.as_ref()?.join(label).join(format!("{host}.{format_id}.rollback")))
    }

    /// What a host exports, so that its next life exports it again. It names the datastore by its format id, as the note does.
    #[must_use]
    pub fn exports(&self, label: &str, format_id: FormatId, host: &str) -> Option<PathBuf> {
        Some(self.state.as_ref()?.join(label).join(format!("{host}.{format_id}.exports")))
    }

    /// Every socket of a host that stands in these folders, whether or not anybody listens there; in the order of
    /// datastore and host.
    #[must_use]
    pub fn sockets(&self) -> Vec<FoundSocket> {
        let mut found: Vec<FoundSocket> = self
            .runtime
            .iter()
            .chain(&self.runtime_of_others)
            .flat_map(|folder| entries(folder))
            .flat_map(|label| entries(&label).map(move |path| (label.clone(), path)))
            .filter_map(|(label, path)| FoundSocket::of(&label, path))
            .filter(|found| !found.is_of_an_array())
            .take(SOCKETS_MAX)
            .collect();
        found.sort_by(|left, right| (&left.store, &left.host).cmp(&(&right.store, &right.host)));
        found
    }
}

/// A host's socket, as its path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSocket {
    /// The datastore's name.
    pub store: String,
    /// The host's name.
    pub host: String,
    /// The socket.
    pub path: PathBuf,
}

impl FoundSocket {
    fn of(label: &Path, path: PathBuf) -> Option<FoundSocket> {
        let host = path.file_name()?.to_str()?.strip_suffix(".sock")?.to_owned();
        let store = label.file_name()?.to_str()?.to_owned();
        Some(FoundSocket { store, host, path })
    }

    /// A datastore may be called `target`, too: its hosts are told from arrays by the names of these.
    fn is_of_an_array(&self) -> bool {
        self.store == ARRAYS && ["iqn.", "eui.", "naa."].iter().any(|begin| self.host.starts_with(begin))
    }
}

/// An iSCSI name as a file is called: it has no `/`, and where it is too long for a socket's path, a checksum of all of it stands for
/// its end.
fn array_file_name(name: &str) -> String {
    if name.len() <= ARRAY_NAME_MAX {
        return name.to_owned();
    }
    let kept: String = name
        .char_indices()
        .take_while(|(at, letter)| at + letter.len_utf8() < ARRAY_NAME_MAX - 8)
        .map(|(_, letter)| letter)
        .collect();
    format!("{kept}-{:08x}", oarlock_block::crc32c(&[name.as_bytes()]))
}

/// What is in a folder; nothing where it cannot be read.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(root: bool, variables: &[(&str, &str)]) -> Folders {
        Folders::from_variables(root, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn a_user_has_the_folders_of_the_xdg_specification() {
        let user = folders(false, &[("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/home/u")]);
        assert_eq!(user.socket("store", "a").unwrap(), Path::new("/run/user/7/oarlock/store/a.sock"));
        assert_eq!(
            user.events("store", "a").unwrap(),
            Path::new("/home/u/.local/state/oarlock/store/a.events")
        );
        let named = folders(false, &[("XDG_STATE_HOME", "/state")]);
        assert_eq!(named.events("store", "a").unwrap(), Path::new("/state/oarlock/store/a.events"));
        assert!(matches!(named.socket("store", "a"), Err(HostError::NoRuntimeFolder)));
    }

    #[test]
    fn root_has_the_folders_of_the_system_whatever_its_session_says() {
        let root = folders(true, &[("XDG_RUNTIME_DIR", "/run/user/0"), ("HOME", "/root")]);
        assert_eq!(root.socket("store", "a").unwrap(), Path::new("/run/oarlock/store/a.sock"));
        assert_eq!(root.events("store", "a").unwrap(), Path::new("/var/lib/oarlock/store/a.events"));
    }

    #[test]
    fn an_array_s_socket_is_none_of_a_host_s() {
        let folder = tempfile::tempdir().unwrap();
        let own = folders(true, &[("OARLOCK_RUNTIME_DIR", folder.path().to_str().unwrap())]);
        let name = "iqn.2026-11.org.example:array";
        let array = own.array_socket(name).unwrap();
        assert_eq!(array, folder.path().join("target/iqn.2026-11.org.example:array.sock"));
        let host = own.socket("target", "esx1").unwrap();
        fs::create_dir_all(array.parent().unwrap()).unwrap();
        [&array, &host].iter().for_each(|path| fs::write(path, "").unwrap());
        let names = |found: Vec<FoundSocket>| found.into_iter().map(|one| one.host).collect::<Vec<_>>();
        assert_eq!(
            (names(own.sockets()), names(own.array_sockets())),
            (vec!["esx1".into()], vec![name.into()])
        );
    }

    #[test]
    fn the_longest_name_of_an_array_has_a_socket_of_its_own() {
        let own = folders(true, &[]);
        let long = |end: &str| format!("iqn.2026-11.org.example:{}{end}", "x".repeat(190));
        let (first, second) = (own.array_socket(&long("1")).unwrap(), own.array_socket(&long("2")).unwrap());
        assert!(first.as_os_str().len() <= 106 && first != second, "{first:?}");
    }

    #[test]
    fn the_folders_of_a_test_are_its_own() {
        let own = folders(true, &[("OARLOCK_RUNTIME_DIR", "/tmp/x")]);
        assert_eq!(own.socket("store", "a").unwrap(), Path::new("/tmp/x/store/a.sock"));
        assert_eq!(own.events("store", "a").unwrap(), Path::new("/tmp/x/store/a.events"));
        assert!(own.runtime_of_others.is_empty());
    }
}
