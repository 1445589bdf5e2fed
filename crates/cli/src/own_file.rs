//! A file that this program made, and takes away again unless it is kept.

use std::path::{Path, PathBuf};

/// Removes its file when it goes out of scope.
pub struct OwnFile {
    path: Option<PathBuf>,
}

impl OwnFile {
    /// The file at `path`, if nothing is there yet and this program is about to make it.
    #[must_use]
    pub fn if_absent(path: &Path) -> Option<OwnFile> {
        let absent =
            std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        absent.then(|| OwnFile { path: Some(path.to_owned()) })
    }

    /// The file is what was wanted: it stays.
    pub fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Where it was never made there is nothing to remove; where it cannot be removed, the failure that led
            // here is the one to report.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_kept_goes_and_one_that_was_there_is_never_owned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for kept in [false, true] {
            let own = OwnFile::if_absent(&path).unwrap();
            std::fs::write(&path, b"x").unwrap();
            if kept {
                own.keep();
            } else {
                drop(own);
            }
            assert_eq!(path.exists(), kept);
        }
        assert!(OwnFile::if_absent(&path).is_none());
    }
}
