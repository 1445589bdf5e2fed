//! A temporary folder on a file system that a datastore may lie on.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use oarlock_device::is_local;

use crate::catalogue::Code;
use crate::failure::Failure;

/// Folders that are tried in one place: leftovers of demonstrations that were killed may have taken a name.
const NAMES_MAX: u32 = 16;
/// The path may be so long: a socket's has 107 bytes (unix(7)), and 40 of them are for what stands below the folder.
const PATH_BYTES_MAX: usize = 67;

/// The folder; removed with this value.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one: in $TMPDIR (or /tmp), /dev/shm, /var/tmp or the current folder, whichever is local first.
    ///
    /// # Errors
    /// Where none will do.
    pub fn make() -> Result<Folder, Failure> {
        let mut places = vec![std::env::temp_dir(), "/dev/shm".into(), "/var/tmp".into()];
        places.extend(std::env::current_dir());
        let made = places.iter().filter(|place| is_local(place)).find_map(|place| Folder::make_in(place));
        made.ok_or_else(|| {
            let listed: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            let what = format!("none of {} takes a folder for a datastore", listed.join(", "));
            let cure = "Set TMPDIR to a folder with a short path that you may write to, on ext4, xfs, btrfs, tmpfs or zfs.";
            Failure::new(Code::System, what).with_cure(cure)
        })
    }

    fn make_in(place: &Path) -> Option<Folder> {
        let own = std::process::id();
        let names = (0..NAMES_MAX).map(|number| format!("oarlock-demo-{own}-{number}"));
        let mut paths = names.map(|name| place.join(name)).filter(|path| path.is_absolute());
        paths
            .find(|path| {
                path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX
                    && DirBuilder::new().mode(0o700).create(path).is_ok()
            })
            .map(|path| Folder { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, with all that is in it.
    ///
    /// # Errors
    /// What stays behind, and why.
    pub fn remove(&self) -> Result<(), String> {
        match std::fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("{} cannot be removed: {error}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whoever wants to know has called `remove` before.
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_value_and_a_long_path_is_not_taken() {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let folder = Folder::make_in(place.path()).unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("file"), b"x").unwrap();
        let other = Folder::make_in(place.path()).unwrap();
        assert_ne!(other.path(), path);
        drop(folder);
        assert!(!path.exists());
        let long = place.path().join("x".repeat(PATH_BYTES_MAX));
        std::fs::create_dir(&long).unwrap();
        assert!(Folder::make_in(&long).is_none());
    }
}
