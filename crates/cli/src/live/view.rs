//! A view of a machine's /sys and /proc, below any folder: bounded values, bounded lists, and no complaint about what a
//! kernel does not have.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::limited::Limited;

/// Bytes of one value: an attribute of sysfs is a page at most.
const VALUE_BYTES_MAX: u64 = 4 << 10;
/// Entries of one folder: a host may have some thousand LUNs, each on several paths.
const ENTRIES_MAX: usize = 20_000;

/// A machine, seen from a folder. Its clones share what they know of files that hang.
#[derive(Clone, Debug)]
pub struct View {
    root: PathBuf,
    reader: Arc<Mutex<Limited>>,
}

impl View {
    /// The machine whose /sys, /proc and /dev lie below `root`.
    #[must_use]
    pub fn of(root: &Path) -> View {
        View { root: root.to_owned(), reader: Arc::new(Mutex::new(Limited::by(small_file))) }
    }

    /// Whether it is the machine that this runs on.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where a path below the root leads.
    ///
    /// # Errors
    /// Where nothing is there; or where it leads out of the folder, by a link that meant something on the machine that the folder was copied
    /// from, and means a file of this machine here.
    pub fn path(&self, path: &str) -> io::Result<PathBuf> {
        let joined = self.root.join(path);
        if self.is_here() {
            return Ok(joined);
        }
        let (real, root) = (joined.canonicalize()?, self.root.canonicalize()?);
        if real.starts_with(&root) { Ok(real) } else { Err(io::Error::other("it leads out of the folder")) }
    }

    /// A value without the blanks around it; `None` where there is none, or where the kernel does not tell it.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<String> {
        let value = self.bytes(path).ok()?;
        let value = String::from_utf8_lossy(&value).trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// The bytes of a small file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn bytes(&self, path: &str) -> io::Result<Vec<u8>> {
        let path = self.path(path)?;
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).bytes(&path)
    }

    /// The files that gave no answer in their time, and what is to be said of that.
    #[must_use]
    pub fn hung(&self) -> Vec<(String, &'static str)> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader
            .hung()
            .map(|path| (path.display().to_string(), "it gave no answer, as files of a driver that hangs"))
            .collect()
    }

    /// A number that the kernel prints in decimal, or in hex behind `0x`.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        let value = self.value(path)?;
        match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => value.parse().ok(),
        }
    }

    /// The names in a folder, in order; none where there is no such folder.
    #[must_use]
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = self.path(folder).and_then(fs::read_dir) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(ENTRIES_MAX).collect();
        names.sort();
        names
    }

    /// The machine's own name.
    #[must_use]
    pub fn host(&self) -> String {
        self.value("proc/sys/kernel/hostname").unwrap_or_else(|| "this-host".to_owned())
    }

    /// Microseconds since 1970. A clock before that is no clock.
    #[must_use]
    pub fn now_us() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

/// The bytes of a small file.
fn small_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut value = Vec::new();
    // Whoever opens a pipe waits for its writer, and there may be none.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    File::open(path)?.take(VALUE_BYTES_MAX).read_to_end(&mut value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_folder_is_not_followed_and_a_pipe_is_not_waited_for() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(folder.path().join("inside"), " 7 \n").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink("inside", folder.path().join("in")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let view = View::of(folder.path());
        assert_eq!(view.value("out"), None);
        assert_eq!(view.value("pipe"), None);
        assert_eq!(view.number("in"), Some(7));
    }
}
