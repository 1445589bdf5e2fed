//! `oarlock check`: every invariant of the format, offline or beside live hosts; and its repair.

use std::path::PathBuf;

use clap::Args;
use oarlock_device::OpenOptions;
use oarlock_engine::check::{CheckError, CheckOptions, CheckReport, Finding, Repaired, Severity, check};
use oarlock_engine::{OpenError, ReadFault};
use oarlock_format::{DecodeError, NoSuperblock};
use serde::Serialize;

use crate::cures::cure;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::stop::Stop;
use crate::terminal::{Look, progress_bar};
use crate::{report, values};

/// What `oarlock check` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Without --repair the device is opened for reading only. Hosts may run meanwhile: what is in flux is \
    read again before it counts, and what a living host has of disks is not judged, and said so. A repair never gives a lock \
    back to an owner: the hosts that may hold it are asked. What it changes of disks it changes as a host, under their locks.\n\n\
    Exit codes: 0 clean; 3 damage was found and all of it repaired; 4 damage is left; 1 it could not be checked. Warnings \
    and notes are no damage."
)]
pub struct Arguments {
    /// A plain file or block device
    #[arg(value_parser = values::device)]
    device: PathBuf,
    /// Put right what can be put right
    #[arg(long)]
    repair: bool,
    /// Print JSON: `{clean, findings:[{code, severity, where, message, repaired, refused}], not_judged:[text]}`
    #[arg(long)]
    json: bool,
}

/// The result, for scripts.
#[derive(Serialize)]
struct Checked<'a> {
    clean: bool,
    findings: Vec<FindingLine<'a>>,
    /// What could not be judged, and why, in words: what living hosts have, most of all.
    not_judged: &'a [String],
    /// The datastore's name, where a superblock could be read.
    store: Option<&'a str>,
    /// The host as which a repair wrote; null for none, or for a tool without a slot.
    repaired_as: Option<&'a str>,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    code: &'static str,
    severity: &'static str,
    #[serde(rename = "where")]
    place: String,
    message: &'a str,
    /// What was done about it, in words; null where nothing was.
    repaired: Option<String>,
    /// Why nothing was done about it although a repair was asked for; null where that does not apply.
    refused: Option<&'a str>,
    lba: u64,
}

/// Checks the datastore, and repairs it where that is asked for.
///
/// # Errors
/// Why it could not be checked. What was found is no error: the exit code tells it.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let path = &arguments.device;
    let mut stop = Stop::catch()?;
    let options = OpenOptions { read_only: !arguments.repair, ..OpenOptions::default() };
    let mut ground = Ground::open_datastore(path, options)?;
    if ground.world.device.geometry().blocks.0 == 0 {
        // Not one block: nothing was ever made there, so nothing is damaged.
        return Err(Failure::from(OpenError::NoSuperblock(NoSuperblock::NotOurs {
            first: DecodeError::Blank,
        }))
        .on(path));
    }
    let bar = progress_bar("checking");
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let wanted = CheckOptions { repair: arguments.repair, host: None };
    let checked = ground::run(&mut ground.executor, &mut stop, async {
        check(&ground.world, &wanted, &progress).await.map_err(Failure::from)
    });
    bar.finish_and_clear();
    let found = checked.map_err(|failure| failure.on(path))?;
    if arguments.json {
        report::print_json(&document(&found))?;
    } else {
        let device = path.display().to_string();
        report::print(&text(&device, &found, Look::of_output()))?;
    }
    Ok(found.exit_code())
}

fn document(found: &CheckReport) -> Checked<'_> {
    let findings = found.findings.iter().map(|finding| FindingLine {
        code: finding.code.text(),
        severity: finding.severity().name(),
        place: place(finding),
        message: &finding.message,
        repaired: finding.repaired.as_ref().map(Repaired::words),
        refused: finding.refused.as_deref(),
        lba: finding.place.lba.0,
    });
    Checked {
        clean: found.clean,
        findings: findings.collect(),
        not_judged: &found.not_judged,
        store: found.label.as_ref().map(|label| label.as_str()),
        repaired_as: found.repaired_as.as_deref(),
    }
}

fn place(finding: &Finding) -> String {
    format!("{} (block {})", finding.place.name, finding.place.lba)
}

/// The groups of the report, gravest first.
const GROUPS: [(Severity, &str); 3] =
    [(Severity::Damage, "Damage"), (Severity::Warning, "Warnings"), (Severity::Note, "Notes")];

fn text(device: &str, found: &CheckReport, look: Look) -> String {
    let mut text = String::new();
    for (severity, heading) in GROUPS {
        let group: Vec<&Finding> =
            found.findings.iter().filter(|finding| finding.severity() == severity).collect();
        if group.is_empty() {
            continue;
        }
        text += &look.bold(&format!("{heading} ({})", group.len()));
        text.push('\n');
        for finding in group {
            text += &one(finding, look);
        }
        text.push('\n');
    }
    text + &not_judged(found, look) + &verdict(device, found)
}

/// What is neither sound nor damaged, for nobody but its host can tell.
fn not_judged(found: &CheckReport, look: Look) -> String {
    if found.not_judged.is_empty() {
        return String::new();
    }
    let mut text = look.bold(&format!("Not judged ({})", found.not_judged.len())) + "\n";
    for told in &found.not_judged {
        text += &(look.wrapped(told, "  ") + "\n");
    }
    text + "\n"
}

/// One finding: its code and place; then what it is, and what became of it or what to do.
fn one(finding: &Finding, look: Look) -> String {
    let mut text = format!("  {}  {}\n", finding.code.text(), place(finding));
    let mut say = |line: &str| text += &(look.wrapped(line, "      ") + "\n");
    say(finding.code.meaning());
    say(&format!("Found: {}", finding.message));
    if let Some(repaired) = &finding.repaired {
        say(&format!("Repaired: {}", repaired.words()));
    }
    if let Some(refused) = &finding.refused {
        say(&format!("Not repaired: {refused}"));
    }
    if finding.repaired.is_none() {
        say(&format!("What to do: {}", cure(finding.code)));
    } else if finding.refused.is_some() {
        say("What to do: run `oarlock check --repair` again.");
    }
    text
}

fn verdict(device: &str, found: &CheckReport) -> String {
    let store = found.label.as_ref().map_or(String::new(), |label| format!("datastore {}: ", label.as_str()));
    let words = match found.exit_code() {
        CheckReport::EXIT_CLEAN => "clean",
        CheckReport::EXIT_REPAIRED => "damage was found, and all of it was repaired",
        _ => "damage is left",
    };
    let by = found.repaired_as.as_ref().map_or(String::new(), |host| format!(" (repaired by host {host})"));
    format!("{device}: {store}{words}{by}\n")
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        match error {
            CheckError::NoSuperblock(error) => OpenError::NoSuperblock(error).into(),
            CheckError::BlockSize { datastore, device } => OpenError::BlockSize { datastore, device }.into(),
            CheckError::Device { lba, error } => ReadFault::Unreadable { lba, error }.into(),
            CheckError::NoAnswer { .. } => OpenError::NoAnswer.into(),
        }
    }
}
