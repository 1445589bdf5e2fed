//! The file of a unit's journal: where it lies, and how it is made. What stands in it is a [record](crate::record).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use oarlock_block::BlockSize;
use oarlock_device::{Medium, MediumError, MediumOptions};

use crate::record::RECORD_BYTES_MAX;
use crate::saved;

/// What it is called: `FILE.atomic`.
const EXTENSION: &str = "atomic";

/// The journal of a unit, whether it is there or not.
#[derive(Clone, Debug)]
pub(crate) struct JournalFile {
    path: PathBuf,
}

impl JournalFile {
    /// Beside a plain file; of a block device by the unit's serial number, where its reservations are, too.
    pub(crate) fn of(medium: &Medium, serial: &str) -> JournalFile {
        JournalFile { path: saved::path_of(medium, serial, EXTENSION) }
    }

    /// What an earlier life of the unit left; `None` where it never needed any. `open` opens it.
    ///
    /// # Errors
    /// Where it cannot be used, or is no journal: nobody's file is written over.
    pub(crate) fn open(
        &self,
        is_read_only: bool,
        open: impl FnOnce(&Path, MediumOptions) -> Result<Medium, MediumError>,
    ) -> Result<Option<Medium>, String> {
        let path = self.path.display();
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{path}: {error}")),
            Ok(found) if !found.is_file() || found.len() != RECORD_BYTES_MAX as u64 => {
                return Err(format!(
                    "{path} is no journal of atomic writes, which is {RECORD_BYTES_MAX} bytes long: move it away"
                ));
            }
            Ok(_) => {}
        }
        open(&self.path, options(is_read_only)).map(Some).map_err(|error| error.to_string())
    }

    /// Makes it, of zeros, which are no record: the file and its entry are durable.
    pub(crate) fn create(&self) -> io::Result<Medium> {
        let path = self.path.display();
        self.write_zeros().map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        Medium::open(&self.path, options(false)).map_err(io::Error::other)
    }

    /// All of it is written now: later there may be no place for it.
    fn write_zeros(&self) -> io::Result<()> {
        if self.path.symlink_metadata().is_ok() {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "it is there already, and was not at the start",
            ));
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let draft = self.path.with_extension("atomic.draft");
        let written = (|| {
            let mut file =
                File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(&vec![0; RECORD_BYTES_MAX])?;
            file.sync_all()?;
            fs::rename(&draft, &self.path)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written?;
        saved::sync(folder)
    }
}

fn options(read_only: bool) -> MediumOptions {
    MediumOptions { read_only, block_size: Some(BlockSize::B4096), ..MediumOptions::default() }
}
