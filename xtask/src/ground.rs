//! The ground of chores with real hosts: the program, a folder of its own, and the processes that run there.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::built;

/// Between two looks at the same thing.
const TICK: Duration = Duration::from_millis(20);

/// The program and the folder that it is run in.
#[derive(Clone)]
pub struct Ground {
    pub program: PathBuf,
    pub folder: PathBuf,
}

impl Ground {
    /// A new folder for that chore.
    ///
    /// # Errors
    /// Where the program cannot be built or the folder not be made.
    pub fn new(chore: &str) -> Result<Ground, String> {
        Ok(Ground { program: built::program()?, folder: built::folder(chore)? })
    }

    pub fn oarlock(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env("OARLOCK_RUNTIME_DIR", self.folder.join("run")).env_remove("OARLOCK_API");
        command
    }

    /// What the program says, where it ends well.
    ///
    /// # Errors
    /// What it says otherwise.
    pub fn must(&self, arguments: &[&str]) -> Result<String, String> {
        succeeds(&mut self.oarlock(arguments))
    }

    /// The path of something in the folder, for an argument.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// # Errors
    /// Where it cannot be removed.
    pub fn remove(&self) -> Result<(), String> {
        fs::remove_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))
    }
}

/// What a command says on standard output, where it ends well.
///
/// # Errors
/// How it ended otherwise, with what it said.
pub fn succeeds(command: &mut Command) -> Result<String, String> {
    let name = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!("{name}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Sends a signal, by its name, to a process. One that is gone needs none.
pub fn signal(child: &Child, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &child.id().to_string()]).stderr(Stdio::null()).status();
}

/// Looks again and again until it is so.
///
/// # Errors
/// Where it is not so within the time.
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let until = Instant::now() + limit;
    while !is_so() {
        if Instant::now() > until {
            return Err(format!("{what}: not within {} s", limit.as_secs()));
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// A process that goes with the chore.
pub struct Process(pub Child);

impl Process {
    /// # Errors
    /// Where it cannot be started.
    pub fn start(command: &mut Command) -> Result<Process, String> {
        command.spawn().map(Process).map_err(|error| format!("{command:?}: {error}"))
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<bool> {
        self.0.try_wait().ok().flatten().map(|status| status.success())
    }

    /// Ends it, and waits for that.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
