//! How a copy ends before its end: interrupted, without room, with a server that hangs up, lies or says nothing.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use oarlock_image::{Address, Destination, Format, ImageError, Source, Unwatched, export, import};
use oarlock_nbd::Errno;
use tempfile::tempdir;

use crate::world::{Keeper, MIB, Server, names, qemu, raw, sample, skip};

#[test]
fn an_export_that_is_interrupted_leaves_nothing() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    raw(folder.path(), "full.raw", 32 * MIB, &[(0, 32 * MIB)]);
    let server = Server::start(folder.path(), "--read-only -f raw full.raw");
    let before = names(folder.path());
    for format in [Format::Raw, Format::Qcow2] {
        let destination = Destination::new(&folder.path().join("copy"), format, false).unwrap();
        let mut keeper = Keeper { leaves_at_bytes: 10 * MIB, ..Keeper::new() };
        let ended = export(&server.address, &destination, &mut keeper).unwrap_err();
        assert!(matches!(ended, ImageError::Interrupted), "{ended}");
        assert!(keeper.last().done_bytes < 20 * MIB, "it ended at once");
        assert_eq!(names(folder.path()), before);
    }
}

#[test]
fn an_import_that_is_interrupted_ends_at_once() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = raw(folder.path(), "full.raw", 32 * MIB, &[(0, 32 * MIB)]);
    raw(folder.path(), "disk.raw", 32 * MIB, &[]);
    let server = Server::start(folder.path(), "-f raw disk.raw");
    let mut source = Source::open(&image, None).unwrap();
    let mut keeper = Keeper { leaves_at_bytes: 10 * MIB, ..Keeper::new() };
    let ended = import(&mut source, &server.address, &mut keeper).unwrap_err();
    assert!(matches!(ended, ImageError::Interrupted), "{ended}");
    assert!(keeper.last().done_bytes < 12 * MIB);
    // Before anything was begun as well, the survey included.
    let mut keeper = Keeper { leaves_at_bytes: 0, ..Keeper::new() };
    keeper.told.push(oarlock_image::Progress { done_bytes: 0, total_bytes: 0 });
    let mut source = Source::open(&image, None).unwrap();
    assert!(matches!(import(&mut source, &server.address, &mut keeper), Err(ImageError::Interrupted)));
}

/// A file system of one MiB, which is unmounted when it is dropped.
struct Small<'a>(&'a Path);

impl Small<'_> {
    fn mount(path: &Path) -> Option<Small<'_>> {
        std::fs::create_dir_all(path).unwrap();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "oarlock"]).arg(path).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Small(path));
        }
        skip("a small file system cannot be mounted");
        None
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_file_system_is_told_and_nothing_stays_on_it() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(_small) = Small::mount(&place) else { return };
    raw(folder.path(), "full.raw", 8 * MIB, &[(0, 8 * MIB)]);
    let server = Server::start(folder.path(), "--read-only -f raw full.raw");
    for format in [Format::Raw, Format::Qcow2] {
        let destination = Destination::new(&place.join("copy"), format, false).unwrap();
        let ended = export(&server.address, &destination, &mut Unwatched).unwrap_err();
        assert!(matches!(ended, ImageError::NoRoom { .. }), "{ended}");
        assert!(ended.to_string().contains("no room for"), "{ended}");
        assert_eq!(names(&place), [""; 0]);
    }
}

#[test]
fn a_disk_without_room_says_so_by_its_errno() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(_small) = Small::mount(&place) else { return };
    let image = raw(folder.path(), "full.raw", 8 * MIB, &[(0, 8 * MIB)]);
    raw(&place, "disk.raw", 8 * MIB, &[]);
    let server = Server::start(folder.path(), "-f raw small/disk.raw");
    let mut source = Source::open(&image, None).unwrap();
    let ended = import(&mut source, &server.address, &mut Unwatched).unwrap_err();
    assert!(matches!(ended, ImageError::Refused { errno: Errno::ENOSPC, .. }), "{ended}");
    assert_eq!(ended.advice(), "The datastore is full.");
}

/// A server that takes one client and does with it what the test says.
fn rogue(folder: &Path, does: impl FnOnce(UnixStream) + Send + 'static) -> (Address, JoinHandle<()>) {
    let socket = folder.join("rogue.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let thread = std::thread::spawn(move || does(listener.accept().unwrap().0));
    (Address::new(&socket, "a disk"), thread)
}

/// Passes bytes between a client and a server, and hangs up once so many came from the server.
fn cut_after(server: Address, bytes: usize) -> impl FnOnce(UnixStream) + Send {
    move |client| {
        let server = UnixStream::connect(&server.socket).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
        });
        let _ = std::io::copy(&mut (&server).take(bytes as u64), &mut &client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
        up.join().unwrap();
    }
}

#[test]
fn a_server_that_hangs_up_anywhere_ends_the_copy_and_leaves_nothing() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = raw(folder.path(), "full.raw", 4 * MIB, &[(0, 4 * MIB)]);
    raw(folder.path(), "disk.raw", 4 * MIB, &[]);
    let server = Server::start(folder.path(), "--read-only -f raw full.raw");
    let writable = Server::start(folder.path(), "-f raw disk.raw");
    for bytes in [0, 10, 18, 100, 150, 200, 300, 70_000, 1 << 20, 3 << 20] {
        let (address, thread) = rogue(folder.path(), cut_after(server.address.clone(), bytes));
        let before = names(folder.path());
        let destination = Destination::new(&folder.path().join("copy"), Format::Raw, false).unwrap();
        let ended = export(&address, &destination, &mut Keeper::new()).unwrap_err();
        assert!(matches!(ended, ImageError::Broken { .. }), "{bytes}: {ended}");
        assert_eq!(names(folder.path()), before);
        thread.join().unwrap();
    }
    // The answers to an import are short: greeting and options, one extent, eight writes, a flush.
    for bytes in [0, 18, 150, 250, 300] {
        let (address, thread) = rogue(folder.path(), cut_after(writable.address.clone(), bytes));
        let mut source = Source::open(&image, None).unwrap();
        let ended = import(&mut source, &address, &mut Keeper::new()).unwrap_err();
        assert!(matches!(ended, ImageError::Broken { .. }), "{bytes}: {ended}");
        thread.join().unwrap();
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let folder = tempdir().unwrap();
    let silent = |mut client: UnixStream| drop(client.read_to_end(&mut Vec::new()));
    let (address, thread) = rogue(folder.path(), silent);
    let mut keeper = Keeper { patience: Duration::from_millis(300), ..Keeper::new() };
    let destination = Destination::new(&folder.path().join("copy"), Format::Raw, false).unwrap();
    let began = Instant::now();
    let ended = export(&address, &destination, &mut keeper).unwrap_err();
    assert!(matches!(ended, ImageError::Stalled { .. }), "{ended}");
    assert!(began.elapsed() >= Duration::from_millis(300));
    thread.join().unwrap();
}

#[test]
fn a_server_whose_queue_is_full_is_given_up_too() {
    let folder = tempdir().unwrap();
    let socket = folder.path().join("full.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // std asks for a queue of 128; whoever stands in it is never let in.
    let mut waiting = Vec::new();
    loop {
        let flags = rustix::net::SocketFlags::NONBLOCK;
        let unix = rustix::net::AddressFamily::UNIX;
        let client = rustix::net::socket_with(unix, rustix::net::SocketType::STREAM, flags, None).unwrap();
        match rustix::net::connect(&client, &rustix::net::SocketAddrUnix::new(&socket).unwrap()) {
            Ok(()) => waiting.push(client),
            Err(_) => break,
        }
        assert!(waiting.len() < 10_000, "the queue has an end");
    }
    let mut keeper = Keeper { patience: Duration::from_millis(300), ..Keeper::new() };
    let destination = Destination::new(&folder.path().join("copy"), Format::Raw, false).unwrap();
    let ended = export(&Address::new(&socket, ""), &destination, &mut keeper).unwrap_err();
    assert!(matches!(ended, ImageError::Stalled { .. }), "{ended}");
    drop(listener);
}

#[test]
fn what_is_no_nbd_server_or_nobody_is_told() {
    let folder = tempdir().unwrap();
    let destination = Destination::new(&folder.path().join("copy"), Format::Raw, false).unwrap();
    let greets = |mut client: UnixStream| {
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        drop(client.read_to_end(&mut Vec::new()));
    };
    let (address, thread) = rogue(folder.path(), greets);
    let ended = export(&address, &destination, &mut Keeper::new()).unwrap_err();
    assert!(matches!(ended, ImageError::Protocol { .. }), "{ended}");
    thread.join().unwrap();
    let nobody = Address::new(&folder.path().join("nobody.sock"), "");
    let ended = export(&nobody, &destination, &mut Keeper::new()).unwrap_err();
    assert!(matches!(ended, ImageError::Connect { .. }), "{ended}");
}

#[test]
fn an_export_of_another_name_is_denied() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    let server = Server::start(folder.path(), "--read-only -f raw sample.raw");
    let destination = Destination::new(&folder.path().join("copy"), Format::Raw, false).unwrap();
    let other = Address { export: "another".to_owned(), ..server.address.clone() };
    let ended = export(&other, &destination, &mut Unwatched).unwrap_err();
    assert!(matches!(ended, ImageError::Denied { .. }), "{ended}");
}
