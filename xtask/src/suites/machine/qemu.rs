//! A running virtual machine.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::Machines;
use crate::ground::Process;

/// Its monitor keeps the connection: so much silence is the end of an answer.
const SILENCE: Duration = Duration::from_millis(500);

/// A virtual machine, which ends with this value.
pub struct Qemu {
    _process: Process,
    console: PathBuf,
    monitor: PathBuf,
}

impl Qemu {
    /// Starts one, whose console is a file in that folder.
    ///
    /// # Errors
    /// Where QEMU cannot be started.
    pub fn start(machines: &Machines, folder: &Path, arguments: &[String]) -> Result<Qemu, String> {
        let (console, monitor) = (folder.join("console"), folder.join("monitor"));
        // Of one that was here before.
        let _ = fs::remove_file(&monitor);
        let mut command = machines.program("qemu");
        command.args(["-accel", "tcg", "-M", "q35", "-cpu", "max", "-nodefaults", "-no-reboot"]);
        command.args(["-display", "none", "-serial", &format!("file:{}", console.display())]);
        command.args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())]);
        let process = Process::start(command.args(arguments).stdin(Stdio::null()))?;
        Ok(Qemu { _process: process, console, monitor })
    }

    /// What its console says.
    pub fn said(&self) -> String {
        fs::read(&self.console).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// What its monitor answers.
    ///
    /// # Errors
    /// Where it cannot be reached.
    pub fn ask(&self, order: &str) -> Result<String, String> {
        let asked = || {
            let mut monitor = UnixStream::connect(&self.monitor)?;
            monitor.set_read_timeout(Some(SILENCE))?;
            writeln!(monitor, "{order}")?;
            let (mut said, mut buffer) = (String::new(), [0; 4096]);
            while let Ok(length @ 1..) = monitor.read(&mut buffer) {
                said += &String::from_utf8_lossy(&buffer[..length]);
            }
            Ok(said)
        };
        asked().map_err(|error: std::io::Error| format!("the monitor: {error}"))
    }
}
