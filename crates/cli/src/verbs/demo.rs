//! `oarlock demo`: the main job in a minute on this machine, in a temporary folder that it removes.

use clap::Args;

use crate::catalogue::EXIT_FAILED;
use crate::failure::Failure;
use crate::terminal::Look;
use crate::{demo, report};

/// What `oarlock demo` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "What happens is told on standard error while it happens; the answers of the run follow on standard \
    output. The folder is made in TMPDIR, /dev/shm, /var/tmp or the current folder, whichever is local. Exit code 1 unless \
    every step holds."
)]
pub struct Arguments {
    /// Print JSON: `{ok, seconds, steps:[{name, ok, ms, detail}], answers:[the events' fields and host], events:[the same]}`
    #[arg(long)]
    json: bool,
}

/// Plays it, and prints what came of it.
///
/// # Errors
/// Where it cannot be played here, or a signal came.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let facts = demo::play()?;
    if arguments.json {
        report::print_json(&facts)?
    } else {
        report::print(&demo::text(&facts, Look::of_output()))?
    }
    Ok(if facts.ok { 0 } else { EXIT_FAILED })
}
