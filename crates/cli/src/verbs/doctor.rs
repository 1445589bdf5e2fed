//! `oarlock doctor`: why was the atomic test and set false? From logs to the cause, with the proof and the remedy.

use std::path::PathBuf;

use clap::Args;
use oarlock_doctor::report::html;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Coverage, Doctor, explain};

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::live;
use crate::logs::{self, Found, Log};
use crate::report;
use crate::report_file::ReportFile;
use crate::terminal::{Look, progress_bar};

/// What `oarlock doctor` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Logs: files, folders, .gz, vm-support bundles (.tgz), and `-` for standard input
    #[arg(required_unless_present_any = ["explain", "live"])]
    logs: Vec<PathBuf>,
    /// Look at this machine too: kernel log, disks, adapters, multipath, load, running hosts; changes nothing, needs no root
    #[arg(long, conflicts_with = "explain")]
    live: bool,
    /// Take the machine whose /sys, /proc and /dev lie below this folder, as in a container; no program is asked there
    #[arg(long, value_name = "FOLDER", requires = "live", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// Decode one line, field by field
    #[arg(long, value_name = "LINE", conflicts_with = "logs")]
    explain: Option<String>,
    /// Also list the lines that hold a key word and were not understood
    #[arg(long)]
    unknown: bool,
    /// Published faults to look for, besides those that are built in: eight fields a line, parted by tabs
    #[arg(long, value_name = "FILE")]
    advisories: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the report as one page for a browser, which needs nothing else
    #[arg(long, value_name = "OUT", conflicts_with = "explain")]
    html: Option<PathBuf>,
    /// Write the page over another HTML page or an empty file too, not only over a former report; nothing else is ever replaced
    #[arg(long, requires = "html")]
    force: bool,
    /// Hide names, ids, addresses and paths, each behind the same stand-in wherever it occurs, to share the report
    #[arg(long, conflicts_with = "explain")]
    redact: bool,
}

/// Reads, judges and prints.
///
/// # Errors
/// Where a log is not there, or nothing of what is there can be read.
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
    let at = |out: &PathBuf| ReportFile::at(out, html::MARK, arguments.force);
    let out = arguments.html.as_ref().map(at).transpose()?;
    let Found { logs, problems, links, devices } = logs::find(&arguments.logs)
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
    if arguments.live {
        live::read(&mut doctor, &arguments.root);
    }
    let bar = progress_bar("reading");
    bar.set_length(logs.iter().map(|log| if let Log::File(_, bytes) = log { *bytes } else { 0 }).sum());
    problems.iter().for_each(|problem| doctor.problem(problem));
    links.iter().for_each(|link| doctor.pass_link(&link.display().to_string()));
    devices.iter().for_each(|device| doctor.pass_device(&device.display().to_string()));
    for log in &logs {
        logs::read(&mut doctor, log, &mut |bytes| bar.inc(bytes));
    }
    bar.finish_and_clear();
    let found = doctor.judge();
    if let Some(out) = out {
        out.write(&html::page(&found))?;
    }
    if arguments.json {
        report::print_json(&found)?
    } else {
        report::print(&page.report(&found))?
    }
    if found.coverage == Coverage::Nothing {
        // A script that looks at nothing but the exit code must not take this for health.
        return Err(Failure::new(Code::NothingRead, "nothing could be read of what was given"));
    }
    Ok(0)
}
