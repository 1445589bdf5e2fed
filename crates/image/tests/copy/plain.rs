//! Servers that can do little: nbdkit without zeros, without extents, without structured replies, without a flush.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use oarlock_image::{Address, Destination, Format, ImageError, Source, Unwatched, export, import};
use tempfile::tempdir;

use crate::world::{MIB, qemu, qemu_img, run, sample, skip, wait_until};

/// nbdkit on a socket in a folder.
struct Kit {
    child: Child,
    address: Address,
    uri: String,
}

impl Kit {
    /// `None`, and a skip, where it is not installed.
    fn start(folder: &Path, arguments: &[&str]) -> Option<Kit> {
        let socket = folder.join("kit.sock");
        let _ = std::fs::remove_file(&socket);
        let child = Command::new("nbdkit")
            .args(["--foreground", "--exit-with-parent", "--unix"])
            .arg(&socket)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            skip("there is no nbdkit here");
            return None;
        };
        let kit = Kit {
            child,
            address: Address::new(&socket, ""),
            uri: format!("nbd+unix:///?socket={}", socket.display()),
        };
        wait_until("nbdkit", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        Some(kit)
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn servers_that_know_no_zeros_extents_or_structured_replies_are_copied_to_and_from() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    for arguments in [
        &["--filter=nozero", "memory", "24M"][..],
        &["--filter=noextents", "memory", "24M"],
        &["--no-sr", "memory", "24M"],
        &["--no-sr", "--filter=nozero", "memory", "24M"],
    ] {
        let Some(kit) = Kit::start(folder.path(), arguments) else { return };
        run(folder.path(), "qemu-io", &["-f", "raw", "-c", "write -P 7 0 24M", &kit.uri]);
        let mut source = Source::open(&image, None).unwrap();
        let done = import(&mut source, &kit.address, &mut Unwatched).unwrap();
        assert_eq!(done.written_bytes + done.zeroed_bytes, 24 * MIB, "{arguments:?}: {done:?}");
        let zeroes = !arguments.contains(&"--filter=nozero");
        assert_eq!(done.zeroed_bytes > 0, zeroes, "{arguments:?}: {done:?}");
        qemu_img(folder.path(), &format!("compare -f raw -F raw sample.raw {}", kit.uri));
        let destination = Destination::new(&folder.path().join("copy"), Format::Raw, true).unwrap();
        export(&kit.address, &destination, &mut Unwatched).unwrap();
        qemu_img(folder.path(), "compare -f raw -F raw sample.raw copy");
    }
}

#[test]
fn a_disk_that_cannot_be_flushed_is_refused() {
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    let plugin =
        ["eval", "get_size=echo 24M", "pread=head -c $3 /dev/zero", "pwrite=cat > wrote", "can_flush=exit 3"];
    let Some(kit) = Kit::start(folder.path(), &plugin) else { return };
    let mut source = Source::open(&image, None).unwrap();
    let refused = import(&mut source, &kit.address, &mut Unwatched).unwrap_err();
    assert!(matches!(refused, ImageError::NoFlush), "{refused}");
    assert!(!folder.path().join("wrote").exists());
}
