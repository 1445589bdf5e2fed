//! `oarlock events`: every false and every unknown answer of a host, with its cause; every fence and takeover.

use clap::Args;
use oarlock::Purpose;
use oarlock::api::EventEntry;

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::{Look, short};

/// What `oarlock events` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: HostChoice,
    /// Go on with each further event as it happens
    #[arg(long)]
    follow: bool,
    /// Print JSON, one event per line: `{time, kind, cause, layer, lba, record, path, expected_age_us, queue_us, device_us, expected_generation, found_generation, by:{host, incarnation, attempt}, action}`
    #[arg(long)]
    json: bool,
}

/// Prints them, oldest first.
///
/// # Errors
/// Where no host answers, or it goes away while it is followed.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let look = Look::of_output();
    for event in arguments.choice.find(Purpose::AnyHost)?.events(arguments.follow)? {
        let event = event?;
        if arguments.json { report::print_json(&event)? } else { report::print(&text(&event, look))? }
    }
    Ok(0)
}

/// One entry: when, what, why, what was done; then where, the proof, and the window that an answer was lost in.
fn text(event: &EventEntry, look: Look) -> String {
    let place = match (&event.record, event.lba) {
        (Some(record), Some(lba)) => format!("{record} at block {lba}: "),
        (None, Some(lba)) => format!("block {lba}: "),
        _ => String::new(),
    };
    let window = match (event.expected_age_us, event.queue_us, event.device_us) {
        (None, None, None) => String::new(),
        (age, queue, device) => {
            format!(" (age {}, queue {}, device {})", short(age), short(queue), short(device))
        }
    };
    let line = format!(
        "{} {} {} {} {place}{}{window}",
        look.dim(&event.time),
        event.kind,
        look.bold(&event.cause),
        event.action,
        event.detail
    );
    look.entry(&line) + "\n"
}
