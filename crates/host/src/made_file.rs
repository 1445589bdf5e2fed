//! A file that this process itself made, taken away again unless it is kept.
//!
//! Made and not merely found absent: of two formats that begin at once both find nothing there, and the one that fails
//! must not take away the other's datastore.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oarlock_device::is_local;
use oarlock_engine::CreateError;

use crate::error::HostError;

/// A file of this process's own. Removed when this value goes, unless it was kept; never if another stands there by
/// then.
#[derive(Debug)]
pub struct MadeFile {
    path: Option<PathBuf>,
    /// Device and inode: what stands there is still what was made.
    identity: (u64, u64),
}

impl MadeFile {
    /// Makes a sparse file of `size` bytes, if nothing is at `path` and it lies on a local file system. `None`: something
    /// is there, or no file could be made; whoever opens the path says why, in better words.
    #[must_use]
    pub fn make(path: &Path, size: u64) -> Option<MadeFile> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        if !is_local(folder) {
            return None;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o660).open(path).ok()?;
        let identity = identity(&file.metadata().ok()?);
        let made = MadeFile { path: Some(path.to_owned()), identity };
        lengthen(&file, folder, size).ok()?;
        Some(made)
    }

    /// The file is what was wanted: it stays.
    pub fn keep(mut self) {
        self.path = None;
    }

    /// The format of the file ended so. It stays where a datastore was made of it, and where somebody else has begun to use
    /// what this process only made.
    pub fn settle<T>(self, outcome: &Result<T, HostError>) {
        if outcome.as_ref().err().is_none_or(is_of_another_s_use) {
            self.keep();
        }
    }
}

fn is_of_another_s_use(error: &HostError) -> bool {
    match error {
        HostError::FormatUnderWay { .. } | HostError::Inhabited { .. } => true,
        HostError::Create(error) => matches!(
            error,
            CreateError::Exists { .. }
                | CreateError::Unread { .. }
                | CreateError::Living { .. }
                | CreateError::Raced
        ),
        _ => false,
    }
}

/// Its length is durable before its name is, so that no crash leaves it half made.
fn lengthen(file: &File, folder: &Path, size: u64) -> io::Result<()> {
    file.set_len(size)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Drop for MadeFile {
    fn drop(&mut self) {
        let Some(path) = self.path.take() else { return };
        if fs::symlink_metadata(&path).is_ok_and(|found| identity(&found) == self.identity) {
            // Where it cannot be removed, the failure that led here is the one to report.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_kept_goes_and_one_that_is_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(MadeFile::make(&path, 4096).unwrap());
        assert!(!path.exists());
        MadeFile::make(&path, 4096).unwrap().keep();
        assert_eq!(fs::metadata(&path).unwrap().len(), 4096);
    }

    #[test]
    fn a_file_that_another_has_begun_to_use_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let made = MadeFile::make(&path, 4096).unwrap();
        made.settle::<()>(&Err(HostError::FormatUnderWay { path: path.clone() }));
        assert!(path.exists());
        fs::remove_file(&path).unwrap();
        MadeFile::make(&path, 4096).unwrap().settle::<()>(&Err(HostError::Create(CreateError::NoAnswer)));
        assert!(!path.exists());
    }

    #[test]
    fn what_another_made_is_never_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"theirs").unwrap();
        assert!(MadeFile::make(&path, 4096).is_none());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");

        fs::remove_file(&path).unwrap();
        let mine = MadeFile::make(&path, 4096).unwrap();
        // The old one is kept, or its inode may be given to the new one.
        fs::rename(&path, folder.path().join("aside")).unwrap();
        fs::write(&path, b"theirs").unwrap();
        drop(mine);
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }
}
