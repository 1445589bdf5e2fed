//! A running array.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::ground::{Process, eventually, succeeds};

/// The name of its target, where it is given no other.
pub const TARGET: &str = "iqn.2026-11.org.oarlock:array";

/// How long the array may take to be ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// A running array, and where its portals are. It ends with this value, by SIGKILL.
pub struct Array {
    program: PathBuf,
    arguments: Vec<OsString>,
    api: PathBuf,
    process: Process,
    /// `ADDRESS:PORT` of each.
    pub portals: [String; 2],
}

impl Array {
    /// Starts it with two portals, those arguments more, and a socket of its own for its API.
    ///
    /// # Errors
    /// Where it is not ready in time.
    pub fn start(program: &Path, api: &Path, more: &[&str]) -> Result<Array, String> {
        let portals = [free_address()?, free_address()?];
        Array::start_at(program, api, &portals, more)
    }

    /// The same, at those portals.
    ///
    /// # Errors
    /// Where it is not ready in time.
    pub fn start_at(
        program: &Path,
        api: &Path,
        portals: &[String; 2],
        more: &[&str],
    ) -> Result<Array, String> {
        let mut arguments: Vec<OsString> = vec!["target".into(), "serve".into(), "--api".into(), api.into()];
        for portal in portals {
            arguments.extend(["--listen".into(), portal.into()]);
        }
        arguments.extend(more.iter().map(OsString::from));
        let process = start(program, &arguments, api)?;
        let (program, api, portals) = (program.to_owned(), api.to_owned(), portals.clone());
        Ok(Array { program, arguments, api, process, portals })
    }

    /// Kills it, and starts it again, as and where it was.
    ///
    /// # Errors
    /// Where it is not ready in time.
    pub fn kill_and_restart(&mut self) -> Result<(), String> {
        self.process.kill();
        self.process = start(&self.program, &self.arguments, &self.api)?;
        Ok(())
    }

    /// What a verb answers that is asked of it.
    ///
    /// # Errors
    /// What it says where it does not end well.
    pub fn must(&self, verb: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        succeeds(command.arg("target").args(verb).arg("--api").arg(&self.api).stdin(Stdio::null()))
    }

    /// The address of a unit, for programs of libiscsi.
    pub fn url(&self, portal: usize, unit: u32) -> String {
        format!("iscsi://{}/{TARGET}/{unit}", self.portals[portal])
    }
}

/// An address that was free a moment ago. The system gives the same port out again only after many others.
pub fn free_address() -> Result<String, String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.to_string()).map_err(|error| format!("a free port: {error}"))
}

/// What it says goes into files beside its API's socket.
fn start(program: &Path, arguments: &[OsString], api: &Path) -> Result<Process, String> {
    let (told, log) = (api.with_extension("out"), api.with_extension("log"));
    let file = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(file(&told)?).stderr(file(&log)?);
    let mut process = Process::start(&mut command)?;
    let is_ready = || fs::read_to_string(&told).is_ok_and(|told| told.contains("ready"));
    let waited = eventually("the array is ready", READY_MAX, || is_ready() || process.ended().is_some());
    match waited {
        Ok(()) if is_ready() => Ok(process),
        _ => Err(format!("the array did not start: {}", fs::read_to_string(&log).unwrap_or_default())),
    }
}
