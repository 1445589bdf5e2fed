//! `oarlock doctor`: why was the atomic test and set false? From logs to the cause, with the proof and the remedy.

use std::path::PathBuf;

use clap::Args;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Doctor, explain};

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::logs::{self, Log};
use crate::report;
use crate::terminal::{Look, progress_bar};

/// What `oarlock doctor` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Logs: files, folders, .gz, vm-support bundles (.tgz), and `-` for standard input
    #[arg(required_unless_present = "explain")]
    logs: Vec<PathBuf>,
    /// Decode one line, field by field
    #[arg(long, value_name = "LINE", conflicts_with = "logs")]
    explain: Option<String>,
    /// Also list the lines that hold a key word and were not understood
    #[arg(long)]
    unknown: bool,
    /// Hide names and ids, each behind the same stand-in wherever it occurs, so that the report can be shared
    #[arg(long)]
    redact: bool,
    /// Published faults to look for, besides those that are built in: eight fields a line, parted by tabs
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads, judges and prints.
///
/// # Errors
/// Where a log is not there.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let look = Look::of_output();
    let page = Page { width: look.width, colours: look.colours() };
    if let Some(line) = &arguments.explain {
        let explanation = explain(line);
        if arguments.json {
            report::print_json(&explanation)?;
        } else {
            report::print(&page.explanation(&explanation))?;
        }
        return Ok(0);
    }
    let logs = logs::find(&arguments.logs)
        .map_err(|(path, error)| Failure::new(Code::System, format!("{}: {error}", path.display())))?;
    let mut doctor = Doctor::new().showing_strangers(arguments.unknown).redacting(arguments.redact);
    if let Some(path) = &arguments.advisories {
        let unread = |error: &dyn std::fmt::Display| {
            Failure::new(Code::BadValue, format!("{}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unread(&error))?;
        doctor.add_advisories(&text).map_err(|error| {
            unread(&error).with_cure("docs/DOCTOR.md shows the fields; `-` stands for one that there is not.")
        })?;
    }
    let bar = progress_bar("reading");
    bar.set_length(logs.iter().map(|log| if let Log::File(_, bytes) = log { *bytes } else { 0 }).sum());
    for log in &logs {
        logs::read(&mut doctor, log, &mut |bytes| bar.inc(bytes));
    }
    bar.finish_and_clear();
    let found = doctor.judge();
    if arguments.json {
        report::print_json(&found)?
    } else {
        report::print(&page.report(&found))?
    }
    Ok(0)
}
