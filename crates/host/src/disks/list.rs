//! The list of a host's exports, on its own machine: its next life exports the same disks at the same places.
//!
//! What the list says is what somebody asked for and has not taken back: not what stands at this moment.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::HostError;

/// A longer file is none of ours: an export takes a few hundred bytes.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// An export that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// The disk or snapshot.
    pub(crate) name: String,
    /// Which one had the name when it was attached: its descriptor, and which use of it. Another may have the name by the next life.
    #[serde(default)]
    pub(crate) layer: Option<(u32, u64)>,
    /// Where: as `--nbd` has it, with the port that was got.
    pub(crate) place: String,
    #[serde(default)]
    pub(crate) read_only: bool,
    /// Other hosts may write it at the same time.
    #[serde(default)]
    pub(crate) shared: bool,
    /// The folder for TLS.
    #[serde(default)]
    pub(crate) tls: Option<PathBuf>,
}

/// Where the list is kept; nowhere where there is no folder for it.
#[derive(Clone, Debug)]
pub(crate) struct ExportList {
    path: Option<PathBuf>,
}

impl ExportList {
    pub(crate) fn at(path: Option<PathBuf>) -> ExportList {
        ExportList { path }
    }

    /// What the last life was asked to export.
    ///
    /// # Errors
    /// [`HostError::ExportList`] where it cannot be read or understood.
    pub(crate) fn read(&self) -> Result<Vec<Wanted>, HostError> {
        let Some(path) = &self.path else { return Ok(Vec::new()) };
        let failed = |reason: String| HostError::ExportList { path: path.clone(), action: "read", reason };
        let length = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error.to_string())),
            Ok(found) => found.len(),
        };
        if length > LIST_BYTES_MAX {
            return Err(failed(format!("it has {length} bytes, and {LIST_BYTES_MAX} are the most")));
        }
        let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))
    }

    /// Writes the list anew. Once it is answered the list survives a power cut.
    ///
    /// # Errors
    /// [`HostError::ExportList`]: the list is the old one still.
    pub(crate) fn write(&self, wanted: &[&Wanted]) -> Result<(), HostError> {
        let Some(path) = &self.path else { return Ok(()) };
        let failed = |error: io::Error| HostError::ExportList {
            path: path.clone(),
            action: "write",
            reason: error.to_string(),
        };
        let mut bytes = serde_json::to_vec_pretty(wanted).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        replace(path, &bytes).map_err(failed)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push("~");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str) -> Wanted {
        let tls = Some(PathBuf::from("/etc/oarlock/tls"));
        let layer = Some((253, 1));
        let place = "tcp:127.0.0.1:10809".to_owned();
        Wanted { name: name.to_owned(), layer, place, read_only: true, shared: false, tls }
    }

    #[test]
    fn a_list_reads_as_it_was_written_and_one_that_is_not_there_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let list = ExportList::at(Some(folder.path().join("store/a.exports")));
        assert_eq!(list.read().unwrap(), []);
        let (first, second) = (wanted("vm/a"), wanted("b@s"));
        list.write(&[&first, &second]).unwrap();
        assert_eq!(list.read().unwrap(), [first, second]);
        list.write(&[]).unwrap();
        assert_eq!(list.read().unwrap(), []);
    }

    #[test]
    fn a_list_that_is_damaged_is_an_error_and_none_is_kept_without_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.exports");
        fs::write(&path, "[{").unwrap();
        let read = ExportList::at(Some(path)).read();
        assert!(matches!(read, Err(HostError::ExportList { action: "read", .. })), "{read:?}");
        let nowhere = ExportList::at(None);
        nowhere.write(&[&wanted("a")]).unwrap();
        assert_eq!(nowhere.read().unwrap(), []);
    }
}
