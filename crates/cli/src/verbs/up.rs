//! `oarlock up`: is a host, in the foreground, until SIGTERM or until it had to stop.

use std::path::PathBuf;

use clap::Args;
use oarlock_engine::Ended;
use oarlock_format::{HostName, NameError};
use oarlock_host::{Daemon, DaemonOptions, EngineOptions};

use crate::failure::Failure;
use crate::{report, values};

/// What `oarlock up` takes.
#[derive(Args, Debug)]
#[command(after_help = "A fault is KIND:KEY=VALUE,... and strikes the device of this host alone, as in \
    late-reply:op=ats,record=slot,delay=3s,after=5,count=1. Kinds: delay, late-reply, late-execution (each with delay=TIME), \
    lose-reply, repeat, refuse, false-although-equal, stale-read, torn-read, flip, unknown. Keys: op (read, write, ats, \
    flush, discard, write-zeroes), lba (N or A..B), record (slot, lock, ...), after, every, count.")]
pub struct Arguments {
    /// The datastore: a plain file or block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// This host's name in the datastore: 1 to 64 bytes; no other live host has it
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    host: HostName,
    /// The socket of its API, where it is not RUNTIME/oarlock/LABEL/NAME.sock
    #[arg(long, value_name = "PATH")]
    api: Option<PathBuf>,
    /// Only look: join, beat and tell what is there, but take no locks and evict nobody
    #[arg(long)]
    read_only: bool,
    /// Join although a pause of this virtual machine could not be told from its death
    #[arg(long)]
    unsafe_clock: bool,
    /// Join although this host stopped because the device went back in time: that is known, and over
    #[arg(long)]
    accept_rollback: bool,
    /// For the lab: make this host's device misbehave; may be given several times
    #[arg(long, value_name = "SPEC")]
    fault: Vec<String>,
}

fn host_name(text: &str) -> Result<HostName, NameError> {
    HostName::new(text)
}

/// Joins, says `ready`, and stays.
///
/// # Errors
/// Why it did not join, or why it had to stop.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let device = arguments.device;
    let mut engine = EngineOptions::new(&device, arguments.host.as_str())?;
    engine.unsafe_clock = arguments.unsafe_clock;
    engine.read_only = arguments.read_only;
    for fault in &arguments.fault {
        engine.arm(fault)?;
    }
    let mut options = DaemonOptions::new(engine);
    options.api = arguments.api;
    options.accept_rollback = arguments.accept_rollback;
    let daemon = Daemon::start(options).map_err(|error| Failure::from(error).on(&device))?;
    let ready = daemon.ready();
    report::say(&format!(
        "host {} in slot {} of the datastore {}, incarnation {}; its API is at {}",
        ready.status.host.name,
        ready.status.host.slot,
        ready.status.datastore.name,
        ready.status.host.incarnation,
        ready.api.display()
    ));
    report::print("ready\n")?;
    match daemon.wait()? {
        Ended::Left => {
            report::say("left the datastore");
            Ok(0)
        }
        stopped @ Ended::Stopped(_) => Err(Failure::from(stopped).on(&device)),
    }
}
