//! The cast: the processes of the demonstration, none of which outlives it.
//!
//! ```text
//!   demo --> guard exec: asks to be killed with its parent, then becomes `oarlock up` or `oarlock lock run` ...
//! ```
//! Each is started by the program's main thread, for the request is tied to the thread; each has a process group of its
//! own, so that Ctrl-C reaches the demonstration alone. What their own children leave is adopted (PR_SET_CHILD_SUBREAPER),
//! and ended too.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, wait,
};

/// Between two looks at the same thing.
pub const TICK: Duration = Duration::from_millis(5);
/// What was asked to end has so long before it is killed.
const GRACE: Duration = Duration::from_secs(4);
/// What was killed has so long to be gone; only writes that are stuck in the kernel take longer.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// A process of the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor(usize);

struct Process {
    child: Child,
    is_host: bool,
    status: Option<ExitStatus>,
}

/// All processes, and where they play.
pub struct Cast {
    program: PathBuf,
    folder: PathBuf,
    processes: BTreeMap<Actor, Process>,
    started: usize,
}

impl Cast {
    /// Nobody yet; all of them will work in `folder`.
    ///
    /// # Errors
    /// Where this program's own file is not known, or its children's children cannot be adopted.
    pub fn new(folder: &Path) -> std::io::Result<Cast> {
        set_child_subreaper(Some(getpid()))?;
        let program = std::env::current_exe()?;
        Ok(Cast { program, folder: folder.to_owned(), processes: BTreeMap::new(), started: 0 })
    }

    /// Starts this program with `arguments`; what it writes goes into files.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(&mut self, arguments: &[&str]) -> std::io::Result<Actor> {
        let actor = Actor(self.started);
        self.started += 1;
        let child = Command::new(&self.program)
            .args(["guard", "exec", "--parent", &std::process::id().to_string(), "--"])
            .arg(&self.program)
            .args(arguments)
            .current_dir(&self.folder)
            .env("OARLOCK_RUNTIME_DIR", self.folder.join("run"))
            .env("OARLOCK_STATE_DIR", self.folder.join("state"))
            .env_remove("OARLOCK_API")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(File::create(self.output(actor))?)
            .stderr(File::create(self.complaints(actor))?)
            .process_group(0)
            .spawn()?;
        let is_host = arguments.first() == Some(&"up");
        self.processes.insert(actor, Process { child, is_host, status: None });
        Ok(actor)
    }

    fn output(&self, actor: Actor) -> PathBuf {
        self.folder.join(format!("{}.out", actor.0))
    }

    /// Where all of it happens.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn complaints(&self, actor: Actor) -> PathBuf {
        self.folder.join(format!("{}.err", actor.0))
    }

    /// What it wrote to standard output so far.
    pub fn said(&self, actor: Actor) -> String {
        fs::read_to_string(self.output(actor)).unwrap_or_default()
    }

    /// What it wrote to standard error so far.
    pub fn complained(&self, actor: Actor) -> String {
        fs::read_to_string(self.complaints(actor)).unwrap_or_default()
    }

    /// How it ended, once it has.
    pub fn status(&mut self, actor: Actor) -> Option<ExitStatus> {
        let process = self.processes.get_mut(&actor)?;
        if process.status.is_none() {
            process.status = process.child.try_wait().ok().flatten();
        }
        process.status
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, actor: Actor, signal: Signal) {
        if self.status(actor).is_none()
            && let Some(process) = self.processes.get(&actor)
        {
            // It is not reaped yet, so its number is still its own.
            let _ = kill_process(Pid::from_child(&process.child), signal);
        }
    }

    /// Ends those that are not hosts: they pass SIGTERM on to their commands, and release their locks.
    pub fn end_commands(&mut self) {
        self.end(false);
    }

    /// Ends everybody: commands, then hosts, then what these have left; nobody is there after it.
    ///
    /// # Errors
    /// Where a process does not go away.
    pub fn end_all(&mut self) -> Result<(), String> {
        self.end(false);
        self.end(true);
        end_adopted()
    }

    fn end(&mut self, hosts: bool) {
        let actors: Vec<Actor> = self
            .processes
            .iter()
            .filter(|(_, process)| process.is_host == hosts && process.status.is_none())
            .map(|(actor, _)| *actor)
            .collect();
        for actor in &actors {
            self.signal(*actor, Signal::TERM);
            self.signal(*actor, Signal::CONT);
        }
        self.await_all(&actors, GRACE);
        for actor in &actors {
            if self.status(*actor).is_none()
                && let Some(process) = self.processes.get(actor)
            {
                let _ = kill_process_group(Pid::from_child(&process.child), Signal::KILL);
            }
        }
        self.await_all(&actors, GONE_LIMIT);
    }

    fn await_all(&mut self, actors: &[Actor], limit: Duration) {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline && actors.iter().any(|actor| self.status(*actor).is_none()) {
            std::thread::sleep(TICK);
        }
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        // Whoever wants to know has called `end_all` before.
        let _ = self.end_all();
    }
}

/// Kills and collects every child that is left: those that this process adopted.
fn end_adopted() -> Result<(), String> {
    let deadline = Instant::now() + GONE_LIMIT;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => continue,
            Err(rustix::io::Errno::CHILD) => return Ok(()),
            Ok(None) | Err(_) => {}
        }
        let left = children();
        if Instant::now() > deadline {
            return Err(format!("processes that do not end: {left:?}"));
        }
        for child in left {
            let _ = kill_process(child, Signal::KILL);
        }
        std::thread::sleep(TICK);
    }
}

/// The children of this process, by proc(5). Not one is reaped meanwhile, so that each number is its own.
fn children() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|number| {
            let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            // Behind the name, which may contain anything: the state, and the parent.
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&own)
        })
        .filter_map(Pid::from_raw)
        .collect()
}
