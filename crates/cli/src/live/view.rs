//! A view of a machine's /sys and /proc, below any folder: bounded values, bounded lists, and no complaint about what a
//! kernel does not have.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of one value: an attribute of sysfs is a page at most.
const VALUE_BYTES_MAX: u64 = 4 << 10;
/// Entries of one folder: a host may have some thousand LUNs, each on several paths.
const ENTRIES_MAX: usize = 20_000;

/// A machine, seen from a folder.
#[derive(Clone, Debug)]
pub struct View {
    root: PathBuf,
}

impl View {
    /// The machine whose /sys, /proc and /dev lie below `root`.
    #[must_use]
    pub fn of(root: &Path) -> View {
        View { root: root.to_owned() }
    }

    /// Whether it is the machine that this runs on.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A path below the root.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
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
        let mut value = Vec::new();
        File::open(self.path(path))?.take(VALUE_BYTES_MAX).read_to_end(&mut value)?;
        Ok(value)
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
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
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
