//! A device that answers some commands never, and others as ever: a file on a file system that is frozen lets reads through and
//! keeps each write until it is thawed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::Duration;

use oarlock_host::export::Stopped;
use oarlock_nbd::{Command, Errno};

use crate::world::{MIB, World, skip, wait_until};

/// What the device keeps waiting for so long fails.
const HOLD: Duration = Duration::from_secs(3);

/// A file system of a test's own; thawed and unmounted at the end.
struct FileSystem {
    at: PathBuf,
    _image: tempfile::TempDir,
}

fn succeeds(program: &str, arguments: &[&str], path: &Path) -> bool {
    let mut program = Program::new(program);
    program.args(arguments).arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    program.status().is_ok_and(|status| status.success())
}

impl FileSystem {
    /// `None`, and a skip, where this process may not mount.
    fn mount() -> Option<FileSystem> {
        let folder = tempfile::tempdir().unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("mounted"));
        File::create(&image).unwrap().set_len(64 * MIB).unwrap();
        std::fs::create_dir(&at).unwrap();
        let image = image.to_str().unwrap();
        if succeeds("mkfs.ext4", &["-q"], Path::new(image)) && succeeds("mount", &["-o", "loop", image], &at)
        {
            return Some(FileSystem { at, _image: folder });
        }
        skip("a file system that can be frozen needs root, mkfs.ext4 and a loop device");
        None
    }

    fn freeze(&self) {
        assert!(succeeds("fsfreeze", &["--freeze"], &self.at));
    }

    fn thaw(&self) {
        assert!(succeeds("fsfreeze", &["--unfreeze"], &self.at));
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        // A test that failed may have left it frozen; whoever still has a file there keeps it mounted until it goes.
        let _ = succeeds("fsfreeze", &["--unfreeze"], &self.at);
        let _ = succeeds("umount", &["--lazy"], &self.at);
    }
}

/// R7: hold, then EIO. R21: what has no answer may still land, and nothing overlaps it until it is seen to have ended.
#[test]
fn a_write_without_an_answer_fails_after_the_hold_time_and_keeps_its_place_until_it_has_ended() {
    let Some(file_system) = FileSystem::mount() else { return };
    let world = World::on(&file_system.at, 8 * MIB, HOLD);
    let mut client = world.client();
    assert_eq!(client.write(0, &[1; 8192]).failed, None);
    file_system.freeze();
    let began = std::time::Instant::now();
    let write = client.request(Command::WRITE, 0, 4096);
    client.send(&write, &[2; 4096]);
    assert_eq!(client.answer(&write).unwrap().failed, Some(Errno::EIO));
    assert!(began.elapsed() >= HOLD);
    assert_eq!(world.disk.path.quarantines().len(), 1);
    assert_eq!(client.read(4096, 4096).data, [1; 4096], "reads are answered");
    let overlapping = client.request(Command::WRITE, 0, 4096);
    client.send(&overlapping, &[3; 4096]);
    world.wait_until("a request behind it", |status| status.requests == 2);
    file_system.thaw();
    assert_eq!(client.answer(&overlapping).unwrap().failed, None, "it went on once the first had ended");
    assert_eq!(world.disk.path.quarantines(), []);
    assert_eq!(client.read(0, 4096).data, [3; 4096], "the first landed before it");
    wait_until("no request", || world.status().requests == 0);
}

#[test]
fn an_export_that_is_stopped_stays_until_what_it_gave_up_has_ended() {
    let Some(file_system) = FileSystem::mount() else { return };
    let mut world = World::on(&file_system.at, 8 * MIB, HOLD);
    let mut client = world.client();
    assert_eq!(client.write(0, &[1; 4096]).failed, None);
    file_system.freeze();
    let write = client.request(Command::WRITE, 0, 4096);
    client.send(&write, &[2; 4096]);
    assert_eq!(client.answer(&write).unwrap().failed, Some(Errno::EIO));
    let path = std::sync::Arc::clone(&world.disk.path);
    assert_eq!(path.operations(), 0, "for the engine it has ended");
    assert_eq!(world.export.take().unwrap().stop(Duration::ZERO), Stopped::UnderWay(1));
    assert_eq!(path.quarantines().len(), 1, "nobody may have the disk");
    file_system.thaw();
    wait_until("the end of what was given up", || path.quarantines().is_empty());
}
