//! `oarlock locks`: every lock that is held, by whom, and whether somebody waits.

use clap::Args;
use oarlock::Purpose;
use oarlock::api::LockEntry;

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::{Look, table};

/// What `oarlock locks` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `[{name, kind, mode, owners:[{host, state}], waiters:[host], since}]`
    #[arg(long)]
    json: bool,
}

/// Prints them.
///
/// # Errors
/// Where no host answers.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let locks = arguments.choice.find(Purpose::AnyHost)?.locks()?;
    if arguments.json {
        report::print_json(&locks)?
    } else {
        report::print(&text(&locks, Look::of_output()))?
    }
    Ok(0)
}

fn text(locks: &[LockEntry], look: Look) -> String {
    let heading = ["LOCK", "MODE", "OWNERS", "WAITING", "SINCE"].map(str::to_owned).to_vec();
    let rows = locks.iter().map(|lock| {
        let owners: Vec<String> =
            lock.owners.iter().map(|owner| format!("{} ({})", owner.host, owner.state)).collect();
        let waiting = match (lock.waiters.as_slice(), lock.interest) {
            ([], false) => "nobody".to_owned(),
            ([], true) => "somebody".to_owned(),
            (waiters, _) => waiters.join(", "),
        };
        vec![lock.name.clone(), lock.mode.clone(), owners.join(", "), waiting, lock.since.clone()]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}
