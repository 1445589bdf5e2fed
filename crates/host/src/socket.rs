//! The socket of a host, or of an array: one living process listens on it, and its user and group alone may connect.
//!
//! The listener is made beside its place and moved there once its permissions are right: so nobody connects before,
//! and a socket that a dead host left is replaced in one step. Who may do so is settled by a lock on `PATH.lock`, which
//! its process holds for its whole life.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use oarlock_format::{FormatId, HostName};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::HostError;

/// `sun_path` has 108 bytes, the last of them zero (unix(7)); one more is for the `~` of the place beside.
const PATH_BYTES_MAX: usize = 106;
/// What is said of a longer one; OAR-0302 of docs/ERRORS.md has the number too.
const TOO_LONG: &str = "it is too long: 106 bytes are the most";

/// The group that may use the sockets of root's hosts.
const GROUP: &str = "oarlock";

/// Longer than what any host says about itself in its lock file.
const TENANT_BYTES_MAX: u64 = 256;

/// Whose socket it is.
#[derive(Clone, Copy, Debug)]
pub enum Tenant<'a> {
    /// A host's, for its API.
    Host {
        /// Its datastore.
        datastore: FormatId,
        /// Its name.
        name: &'a HostName,
    },
    /// An array's, for its API: another of its name is another process's.
    Array {
        /// The target's name.
        name: &'a str,
    },
    /// A door's, for exports. There is nothing to be told of whoever holds it but that it is taken.
    Door,
}

impl Tenant<'_> {
    fn line(self) -> String {
        match self {
            Tenant::Host { datastore, name } => format!("{datastore} {name}\n"),
            Tenant::Array { name } => format!("array {name}\n"),
            Tenant::Door => "exports\n".to_owned(),
        }
    }

    fn refusal(self, path: &Path, there: &str) -> HostError {
        let path = path.to_owned();
        match self {
            Tenant::Host { name, .. } if there == self.line() => {
                HostError::NamesakeHere { host: name.clone(), path }
            }
            Tenant::Host { .. } | Tenant::Array { .. } | Tenant::Door => HostError::SocketTaken { path },
        }
    }
}

/// A listener at its place. Dropping it removes the socket, if it is still this one.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
    _lock: File,
}

impl Socket {
    /// Listens at `path`; makes its folder where that is absent.
    ///
    /// # Errors
    /// Where another process listens there, or the system lets nobody listen.
    pub fn bind(path: &Path, tenant: Tenant<'_>) -> Result<Socket, HostError> {
        let beside = with_suffix(path, "~");
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(HostError::SocketPath { path: path.to_owned(), reason: TOO_LONG });
        }
        let group = rustix::process::geteuid().is_root().then(|| group_id(GROUP)).flatten();
        make_folder(path, group)?;
        let lock = take_lock(path, tenant)?;
        refuse_what_is_there(path)?;
        let failed = |action| move |error: io::Error| failure(path, action, &error);
        // Only a host that died between its bind and its rename leaves a socket there.
        refuse_what_is_there(&beside)?;
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failure(&beside, "remove", &error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&beside).map_err(failed("listen at"))?;
        fs::set_permissions(&beside, Permissions::from_mode(0o660)).map_err(failed("give permissions to"))?;
        if group.is_some() {
            chown(&beside, None, group).map_err(failed("give the group oarlock to"))?;
        }
        let inode = fs::symlink_metadata(&beside).map_err(failed("look at"))?.ino();
        fs::rename(&beside, path).map_err(failed("make"))?;
        listener.set_nonblocking(true).map_err(failed("listen at"))?;
        Ok(Socket { listener, path: path.to_owned(), inode, _lock: lock })
    }

    /// The listener, which does not block.
    ///
    /// # Errors
    /// Where the system gives no descriptor.
    pub fn listener(&self) -> Result<UnixListener, HostError> {
        self.listener.try_clone().map_err(|error| failure(&self.path, "listen at", &error))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn failure(path: &Path, action: &'static str, error: &io::Error) -> HostError {
    HostError::SocketIo { path: path.to_owned(), action, reason: error.to_string() }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Folders that are made are for this user and group alone; those that are there stay as they are.
fn make_folder(path: &Path, group: Option<u32>) -> Result<(), HostError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let mut absent: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    absent.retain(|folder| !folder.as_os_str().is_empty());
    for folder in absent.into_iter().rev() {
        match DirBuilder::new().mode(0o750).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failure(folder, "make the folder", &error));
            }
            _ => {}
        }
        if group.is_some() {
            chown(folder, None, group)
                .map_err(|error| failure(folder, "give the group oarlock to", &error))?;
        }
    }
    Ok(())
}

/// One process per socket, from here until its end. The file stays: removing it would let two processes lock two files.
fn take_lock(path: &Path, tenant: Tenant<'_>) -> Result<File, HostError> {
    let lock_path = with_suffix(path, ".lock");
    let failed = |action| {
        let lock_path = &lock_path;
        move |error: io::Error| failure(lock_path, action, &error)
    };
    let mut options = OpenOptions::new();
    options.create(true).read(true).write(true).truncate(false).mode(0o600);
    let mut file = options.open(&lock_path).map_err(failed("open"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            file.set_len(0).map_err(failed("write"))?;
            file.write_all(tenant.line().as_bytes()).map_err(failed("write"))?;
            Ok(file)
        }
        Err(Errno::WOULDBLOCK) => {
            let mut there = String::new();
            // What cannot be read is another's.
            let _ = file.take(TENANT_BYTES_MAX).read_to_string(&mut there);
            Err(tenant.refusal(path, &there))
        }
        Err(errno) => Err(failed("lock")(errno.into())),
    }
}

/// A socket that a living process holds who knows nothing of the lock is not taken away, nor is a file of another kind.
fn refuse_what_is_there(path: &Path) -> Result<(), HostError> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failure(path, "look at", &error)),
        Ok(there) => there,
    };
    if !there.file_type().is_socket() {
        let reason = "a file that is no socket stands there";
        return Err(HostError::SocketPath { path: path.to_owned(), reason });
    }
    match knock(path) {
        Ok(()) => Err(HostError::SocketTaken { path: path.to_owned() }),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Err(Errno::PROTOTYPE | Errno::PERM) => Err(HostError::SocketTaken { path: path.to_owned() }),
        // Whose it is cannot be told: it stays.
        Err(errno) => Err(failure(path, "connect to", &errno.into())),
    }
}

/// Asks the kernel who holds a socket, by the connect of a datagram socket: that wakes no listener, fills no queue and
/// never waits. Refused is the socket of a dead process alone (unix(7)). One that lives answers whatever its type: a
/// datagram socket takes the connect, or lets only its own peer write (EPERM), and one of another type, which listens
/// or not, is of the wrong prototype.
fn knock(path: &Path) -> Result<(), Errno> {
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    UnixDatagram::unbound().and_then(|socket| socket.connect(path)).map_err(errno)
}

/// The number of a group, as /etc/group has it.
fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    group_in(&groups, name)
}

pub(crate) fn group_in(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use rustix::net::{self, SocketType};

    use super::*;
    use crate::code::Code;

    fn bind(path: &Path) -> Result<Socket, HostError> {
        bind_as(path, 1, "a")
    }

    fn bind_as(path: &Path, datastore: u128, host: &str) -> Result<Socket, HostError> {
        let name = &HostName::new(host).unwrap();
        Socket::bind(path, Tenant::Host { datastore: FormatId(datastore), name })
    }

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("oarlock/store/a.sock")
    }

    #[test]
    fn a_socket_that_another_holds_is_refused_and_one_that_a_dead_host_left_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = bind_as(&path(&folder), 1, "a").unwrap();
        for (datastore, host) in [(1, "b"), (2, "a")] {
            let other = bind_as(&path(&folder), datastore, host);
            assert!(matches!(other, Err(HostError::SocketTaken { .. })), "{other:?}");
        }
        let namesake = bind_as(&path(&folder), 1, "a");
        assert!(matches!(namesake, Err(HostError::NamesakeHere { .. })), "{namesake:?}");
        assert!(UnixStream::connect(path(&folder)).is_ok());
        // A host that is killed removes nothing.
        let left = fs::hard_link(path(&folder), folder.path().join("left"));
        left.unwrap();
        drop(first);
        fs::rename(folder.path().join("left"), path(&folder)).unwrap();
        assert!(UnixStream::connect(path(&folder)).is_err());
        let second = bind_as(&path(&folder), 2, "a").unwrap();
        assert!(UnixStream::connect(second.path()).is_ok());
        let other = bind_as(&path(&folder), 1, "a");
        assert!(
            matches!(other, Err(HostError::SocketTaken { .. })),
            "what the dead host said is gone: {other:?}"
        );
    }

    #[test]
    fn a_listener_that_knows_no_lock_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let _other = UnixListener::bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(HostError::SocketTaken { .. })));
    }

    #[test]
    fn a_socket_of_any_type_that_a_living_process_holds_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        for (name, kind, listens) in [
            ("datagram", SocketType::DGRAM, false),
            ("packets", SocketType::SEQPACKET, true),
            ("packets-bound", SocketType::SEQPACKET, false),
            ("stream-bound", SocketType::STREAM, false),
        ] {
            for place in ["", "~"] {
                let path = folder.path().join(format!("{name}{}.sock", place.len()));
                let taken = with_suffix(&path, place);
                let held = net::socket(net::AddressFamily::UNIX, kind, None).unwrap();
                net::bind(&held, &net::SocketAddrUnix::new(&taken).unwrap()).unwrap();
                if listens {
                    net::listen(&held, 1).unwrap();
                }
                let inode = fs::symlink_metadata(&taken).unwrap().ino();
                let refused = bind(&path);
                assert!(matches!(refused, Err(HostError::SocketTaken { .. })), "{name}: {refused:?}");
                assert_eq!(fs::symlink_metadata(&taken).unwrap().ino(), inode, "{name} stays");
                drop(held);
                assert!(bind(&path).is_ok(), "{name}: what a dead process left is replaced");
            }
        }
    }

    #[test]
    fn a_full_queue_of_another_listener_makes_nobody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        let other = net::socket(net::AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        net::bind(&other, &net::SocketAddrUnix::new(&path).unwrap()).unwrap();
        net::listen(&other, 0).unwrap();
        // The queue has room for this one, and a second would wait until somebody accepts.
        let _first = UnixStream::connect(&path).unwrap();
        assert!(matches!(bind(&path), Err(HostError::SocketTaken { .. })));
    }

    #[test]
    fn a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(HostError::SocketPath { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn only_user_and_group_may_connect_and_a_dropped_socket_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let socket = bind(&path(&folder)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(socket.path()), 0o660);
        assert_eq!(mode(socket.path().parent().unwrap()), 0o750);
        drop(socket);
        assert!(!path(&folder).exists());
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_named_so() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let stem = folder.path().join("").as_os_str().len();
        let path = |length: usize| folder.path().join("x".repeat(length - stem));
        assert!(bind(&path(PATH_BYTES_MAX)).is_ok(), "the longest that is promised works");
        let longer = bind(&path(PATH_BYTES_MAX + 1));
        assert!(matches!(longer, Err(HostError::SocketPath { reason: TOO_LONG, .. })), "{longer:?}");
    }

    #[test]
    fn the_longest_path_is_said_alike_in_code_message_and_page() {
        let said = format!(" {PATH_BYTES_MAX} bytes are the most");
        assert!(TOO_LONG.contains(&said));
        assert!(Code::SocketPath.entry().cause.contains(&said[1..]));
    }

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\noarlocks:x:7:\noarlock:x:977:a,b\n";
        assert_eq!(group_in(groups, "oarlock"), Some(977));
        assert_eq!(group_in(groups, "oar"), None);
    }
}
