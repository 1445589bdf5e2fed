//! `oarlock disk handoff`: a disk goes from one living host to another while guests use it.

use std::time::Duration;

use clap::Args;
use oarlock_format::{HostName, LayerName, NameError};

use super::{at_its_host, disk_name};
use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::values;

/// What `oarlock disk handoff` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "The other host stands by first: oarlock disk attach NAME --incoming. Requests that guests had begun are answered; those \
    that they had not are refused (ESHUTDOWN), with nothing of them done, and are the other host's to do. Where it fails, this host goes on."
)]
pub struct Arguments {
    /// The disk
    #[arg(value_parser = disk_name)]
    name: LayerName,
    /// The host that is to have it, which stands by for it
    #[arg(long, value_name = "HOST", value_parser = host_name)]
    to: HostName,
    /// How long to wait for that host to stand by
    #[arg(long, value_name = "TIME", value_parser = values::wait, default_value = "30s")]
    wait: Duration,
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{name, to, pause_us}`
    #[arg(long)]
    json: bool,
}

fn host_name(text: &str) -> Result<HostName, NameError> {
    HostName::new(text)
}

/// Hands it over, and says how long guests waited.
///
/// # Errors
/// Why it is where it was.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, to, wait, choice, json } = arguments;
    let handed = at_its_host(choice, name, |api| api.hand_off_disk(name.as_str(), to.as_str(), *wait))?;
    if *json {
        return report::print_json(&handed);
    }
    let pause = Duration::from_micros(handed.pause_us).as_secs_f64() * 1e3;
    report::print(&format!("{name} is host {to}'s; its guests waited for {pause:.1} ms\n"))
}
