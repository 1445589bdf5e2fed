//! A guest that boots from its disk, and then writes and syncs files for ever, and says how far it is (guest.sh).

use std::path::Path;
use std::time::Duration;

use super::{Machines, Qemu};
use crate::ground::eventually;

/// Far more than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Each step is over once the guest synced so many files more.
const STEP: u64 = 20;

/// A QEMU with the disk.
pub struct Guest {
    pub qemu: Qemu,
}

impl Guest {
    /// Boots it from what QEMU's `-blockdev` says of the node `disk`.
    ///
    /// # Errors
    /// Where QEMU cannot be started.
    pub fn boot(machines: &Machines, folder: &Path, disk: &str) -> Result<Guest, String> {
        let device = "virtio-blk-pci,drive=disk,bootindex=0,werror=stop,rerror=stop";
        let arguments = ["-m", "256", "-blockdev", &format!("node-name=disk,{disk}"), "-device", device]
            .map(str::to_owned);
        Ok(Guest { qemu: Qemu::start(machines, folder, &arguments)? })
    }

    /// The number behind the last such word of the console.
    fn number(&self, word: &str) -> Option<u64> {
        let said = self.qemu.said();
        let number = |line: &str| line.trim().strip_prefix(word)?.trim().parse().ok();
        said.lines().rev().find_map(number)
    }

    /// The last file that it synced.
    pub fn synced(&self) -> u64 {
        self.number("synced").unwrap_or(0)
    }

    /// It syncs more files.
    ///
    /// # Errors
    /// Where it does not within the time; what it says.
    pub fn goes_on(&self, how: &str) -> Result<(), String> {
        let before = self.synced();
        eventually(&format!("the guest goes on {how}"), LIMIT, || self.synced() >= before + STEP)
            .map_err(|trouble| format!("{trouble}; its console says:\n{}", self.qemu.said()))?;
        println!("guest: it goes on {how}");
        Ok(())
    }

    /// How many files it found when it came up: all that it had synced, none of them spoiled.
    ///
    /// # Errors
    /// Where some are missing or spoiled.
    pub fn found(&self, synced: u64) -> Result<u64, String> {
        let found = self.number("found").unwrap_or(0);
        if found > synced && !self.qemu.said().contains("spoiled") {
            return Ok(found);
        }
        Err(format!("file {synced} had been synced; the guest says:\n{}", self.qemu.said()))
    }
}
