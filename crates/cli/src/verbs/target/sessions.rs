//! `oarlock target sessions` and `oarlock target status`: who is there, and where the array is.

use clap::Args;

use crate::array::choice::ArrayChoice;
use crate::array::documents::{ArrayStatus, SessionEntry};
use crate::failure::Failure;
use crate::report;
use crate::terminal::{Look, table};

/// What both take.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    choice: ArrayChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the sessions.
///
/// # Errors
/// Where no array answers.
pub fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let sessions: Vec<SessionEntry> = arguments.choice.find()?.get("/v1/sessions")?;
    if arguments.json {
        report::print_json(&sessions)?;
    } else {
        report::print(&text(&sessions, Look::of_output()))?;
    }
    Ok(0)
}

fn text(sessions: &[SessionEntry], look: Look) -> String {
    let heading = ["INITIATOR", "ISID", "PEER", "PORTAL", "ACCOUNT", "COMMANDS"].map(str::to_owned).to_vec();
    let rows = sessions.iter().map(|session| {
        vec![
            session.initiator.clone(),
            session.session_id.clone(),
            session.peer.clone(),
            session.portal.clone(),
            session.account.clone().unwrap_or_else(|| "-".to_owned()),
            if session.discovery { "discovery".to_owned() } else { session.commands.to_string() },
        ]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// Prints what the array is.
///
/// # Errors
/// Where no array answers.
pub fn run_status(arguments: &Arguments) -> Result<u8, Failure> {
    let status: ArrayStatus = arguments.choice.find()?.get("/v1/target")?;
    if arguments.json {
        report::print_json(&status)?;
    } else {
        report::print(&status_text(&status))?;
    }
    Ok(0)
}

fn status_text(status: &ArrayStatus) -> String {
    let ArrayStatus { name, luns, sessions, pid, version, .. } = status;
    let mut text = format!("{name}: units {luns}, sessions {sessions}, process {pid}, version {version}\n");
    for portal in &status.portals {
        text += &format!("  listens at {}", portal.address);
        if portal.advertised != portal.address {
            text += &format!(", and says {}", portal.advertised);
        }
        text.push('\n');
    }
    for fault in &status.faults {
        text += &format!("  the fault {} struck {} times\n", fault.spec, fault.struck);
    }
    text
}
