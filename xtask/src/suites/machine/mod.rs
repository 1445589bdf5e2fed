//! Virtual machines of Debian's packages, which nothing installs: unpacked in a folder of their own, under TCG.

mod guest;
mod qemu;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

pub use guest::Guest;
pub use qemu::Qemu;
pub use shell::Shell;

use crate::built;
use crate::ground::succeeds;

const PACKAGES: &str = include_str!("packages.sh");
const GUEST: &str = include_str!("guest.sh");
const INITIATOR: &str = include_str!("initiator.sh");
const INIT: &str = include_str!("init.sh");

/// What virtual machines are made of. One for all suites of a run.
pub struct Machines {
    folder: PathBuf,
}

impl Machines {
    /// Unpacks the packages, where they are not yet.
    ///
    /// # Errors
    /// Where they cannot be had, or unpacked.
    pub fn unpacked() -> Result<Machines, String> {
        let machines = Machines { folder: built::folder("machines")? };
        machines.make(PACKAGES, None)?;
        Ok(machines)
    }

    /// A disk that boots by itself and then writes and syncs files for ever.
    pub fn guest(&self) -> Result<PathBuf, String> {
        self.make(GUEST, None)?;
        Ok(self.folder.join("guest.raw"))
    }

    /// The kernel and the memory of a Linux with an iSCSI initiator, which runs what comes by its second serial line.
    pub fn initiator(&self) -> Result<(PathBuf, PathBuf), String> {
        let init = self.folder.join("init.sh");
        fs::write(&init, INIT).map_err(|error| format!("{}: {error}", init.display()))?;
        self.make(INITIATOR, Some(&init))?;
        let boot = self.folder.join("unpacked/boot");
        let entries = fs::read_dir(&boot).map_err(|error| format!("{}: {error}", boot.display()))?;
        let is_kernel = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"))
        };
        let kernel = entries.flatten().map(|entry| entry.path()).find(is_kernel);
        Ok((kernel.ok_or("the package of the kernel has none")?, self.folder.join("initiator.gz")))
    }

    /// A program of QEMU's that knows iscsi://.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }

    fn make(&self, script: &str, argument: Option<&Path>) -> Result<(), String> {
        // Suites are run side by side, and make the same things in the same folder.
        static MAKING: Mutex<()> = Mutex::new(());
        let _alone = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        succeeds(Command::new("bash").args(["-c", script, "bash"]).arg(&self.folder).args(argument)).map(drop)
    }
}

/// Removes what suites of this run unpacked.
///
/// # Errors
/// Where it cannot be removed.
pub fn remove() -> Result<(), String> {
    let folder = built::folder("machines")?;
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))
}
