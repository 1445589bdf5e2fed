//! `oarlock status`: the datastore, and the host that answers.

use clap::Args;
use indicatif::BinaryBytes;
use oarlock::Purpose;
use oarlock::api::Status;

use crate::failure::Failure;
use crate::host_choice::HostChoice;
use crate::report;
use crate::terminal::Look;

/// What `oarlock status` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: HostChoice,
    /// Print JSON: `{datastore:{id, name, size, free, fencing}, host:{name, slot, incarnation, state, lease_ms_left}, hosts, disks}`
    #[arg(long)]
    json: bool,
}

/// Prints it.
///
/// # Errors
/// Where no host answers.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let status = arguments.choice.find(Purpose::AnyHost)?.status()?;
    if arguments.json {
        report::print_json(&status)?
    } else {
        report::print(&text(&status, Look::of_output()))?
    }
    Ok(0)
}

/// Milliseconds as `format` takes them: whole seconds where they are.
fn time(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) {
        format!("{}s", milliseconds / 1000)
    } else {
        format!("{milliseconds}ms")
    }
}

fn text(status: &Status, look: Look) -> String {
    let (store, host) = (&status.datastore, &status.host);
    let mut lines = vec![
        ("datastore", format!("{} ({}) on {}", store.name, store.id, store.device)),
        ("size", format!("{}, {} free", BinaryBytes(store.size), BinaryBytes(store.free))),
        ("fencing", store.fencing.clone()),
        (
            "times",
            format!(
                "beat {}, lease {}, watch {}, hold {}",
                time(store.beat_ms),
                time(store.lease_ms),
                time(store.watch_ms),
                time(store.hold_ms)
            ),
        ),
        (
            "host",
            format!(
                "{} in slot {}, incarnation {}, pid {}",
                host.name, host.slot, host.incarnation, host.pid
            ),
        ),
        ("state", format!("{}, {} ms of its lease left", host.state, host.lease_ms_left)),
    ];
    let why =
        host.hindrance.as_ref().map_or(String::new(), |hindrance| format!("; of the last one: {hindrance}"));
    let held = |for_ms: u64| ("held", format!("for {} ms: no beat was confirmed{why}", for_ms));
    lines.extend(host.held_ms.map(held));
    lines.extend(host.stopped.as_ref().map(|reason| ("stopped", reason.clone())));
    lines.push(("hosts", status.hosts.to_string()));
    lines.push(("disks", status.disks.to_string()));
    let armed = |fault: &oarlock::api::FaultStatus| {
        ("fault", format!("{} (struck {} times)", fault.spec, fault.struck))
    };
    lines.extend(status.faults.iter().map(armed));
    lines.extend(status.events.error.as_ref().map(|error| ("events", format!("not kept: {error}"))));
    lines.iter().map(|(name, value)| format!("{} {value}\n", look.bold(&format!("{name:<10}")))).collect()
}
