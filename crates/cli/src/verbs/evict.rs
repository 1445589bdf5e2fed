//! `oarlock evict`: takes over a host that is dead, or that a person knows to be.

use std::time::Duration;

use clap::Args;
use oarlock::Purpose;
use oarlock_format::{HostName, NameError};
use serde::Serialize;

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::{report, values};

/// What `oarlock evict` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The host is watched for a whole watch and fenced only if it stood still all the time; --certain \
    skips the watch. In both cases it is cut off from the device before anything of it is touched; where nothing can \
    prove the cut-off, the takeover is refused and says why."
)]
pub struct Arguments {
    /// The host that is to lose its slot
    #[arg(value_parser = host_name)]
    victim: HostName,
    /// A person knows that it is dead: skip the watch, never the cut-off
    #[arg(long)]
    certain: bool,
    /// How long to try; without it, a watch and thirty seconds more
    #[arg(long, value_name = "TIME", value_parser = values::wait)]
    wait: Option<Duration>,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{host}`
    #[arg(long)]
    json: bool,
}

fn host_name(text: &str) -> Result<HostName, NameError> {
    HostName::new(text)
}

#[derive(Serialize)]
struct Evicted<'a> {
    host: &'a str,
}

/// Asks a host to take the victim over.
///
/// # Errors
/// Why it still has its slot.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let api = arguments.choice.find(Purpose::AnyHost)?;
    let victim = arguments.victim.as_str();
    api.evict(victim, arguments.certain, arguments.wait)?;
    if arguments.json {
        report::print_json(&Evicted { host: victim })?;
    } else {
        report::print(&format!("{victim} was fenced, cut off and taken over: its slot is free\n"))?;
    }
    Ok(0)
}
