//! `oarlock hosts`: every host that has a slot, as the host that answers sees it.

use clap::Args;
use oarlock::Purpose;
use oarlock::api::HostEntry;

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::{Look, table};

/// What `oarlock hosts` takes.
#[derive(Args, Debug)]
#[command(after_help = "The host that answers looks at the slots for up to two beats before it does.")]
pub struct Arguments {
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `[{name, slot, incarnation, state, last_beat_ms_ago}]`
    #[arg(long)]
    json: bool,
}

/// Prints them.
///
/// # Errors
/// Where no host answers.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let hosts = arguments.choice.find(Purpose::AnyHost)?.hosts()?;
    if arguments.json {
        report::print_json(&hosts)?
    } else {
        report::print(&text(&hosts, Look::of_output()))?
    }
    Ok(0)
}

fn text(hosts: &[HostEntry], look: Look) -> String {
    let heading = ["HOST", "SLOT", "INCARNATION", "STATE", "LAST BEAT"].map(str::to_owned).to_vec();
    let rows = hosts.iter().map(|host| {
        vec![
            host.name.clone(),
            host.slot.to_string(),
            host.incarnation.to_string(),
            host.state.clone(),
            format!("{} ms ago", host.last_beat_ms_ago),
        ]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}
