//! The trace: the last things that happened, kept small while the world runs and made readable only when asked.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::rc::Rc;

use oarlock_block::{Answer, Lba, crc32c};

use crate::observer::Notice;
use crate::{Change, Effect, Execution, FaultEvent, HostIndex, Image, LifeChange, Outcome, Reply, TrueTime};

/// Entries that a world keeps unless told otherwise.
pub const TRACE_ENTRIES: usize = 20_000;

/// Entries of a world whose run is to be read whole: some twenty times what a long one has.
pub const TRACE_WHOLE: usize = 2_000_000;

/// One line of the trace.
enum Entry {
    Notice(TrueTime, Notice),
    Note { at: TrueTime, host: Option<HostIndex>, text: Rc<str> },
}

/// Turns a block's content into a few words; the world itself knows no format.
pub type Describe<'a> = &'a dyn Fn(Lba, &[u8]) -> String;

/// The newest entries, and a fingerprint over all that ever were: two runs are equal if their fingerprints are.
pub(crate) struct Trace {
    entries: VecDeque<Entry>,
    entries_max: usize,
    dropped: u64,
    fingerprint: u64,
}

impl Trace {
    pub(crate) fn new(entries_max: usize) -> Trace {
        Trace { entries: VecDeque::new(), entries_max, dropped: 0, fingerprint: 0 }
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(crate) fn keeps(&self) -> bool {
        self.entries_max > 0
    }

    pub(crate) fn note(&mut self, at: TrueTime, host: Option<HostIndex>, text: &str) {
        self.fold(u64::from(crc32c(&[text.as_bytes()])));
        self.fold(at.nanoseconds());
        if self.keeps() {
            self.push(Entry::Note { at, host, text: text.into() });
        }
    }

    /// Folds what happened into the fingerprint: always, also where no entry is kept.
    pub(crate) fn fold(&mut self, value: u64) {
        self.fingerprint = (self.fingerprint.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(crate) fn keep(&mut self, at: TrueTime, notice: Notice) {
        self.push(Entry::Notice(at, notice));
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() == self.entries_max {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn render(&self, describe: Describe<'_>) -> String {
        let mut text = String::new();
        if self.dropped > 0 {
            text.push_str(&format!("({} earlier lines are not kept)\n", self.dropped));
        }
        for entry in &self.entries {
            // Writing into a string cannot fail.
            let _ = write_entry(&mut text, entry, describe);
        }
        text
    }
}

fn write_entry(text: &mut String, entry: &Entry, describe: Describe<'_>) -> fmt::Result {
    match entry {
        Entry::Note { at, host, text: note } => {
            write!(text, "{at:>16}  ")?;
            match host {
                Some(host) => write!(text, "{host:<10}")?,
                None => write!(text, "{:<10}", "world")?,
            }
            writeln!(text, "{note}")
        }
        Entry::Notice(at, notice) => {
            write!(text, "{at:>16}  ")?;
            match notice {
                Notice::Submission(submission) => {
                    let command = submission.command;
                    write!(text, "{:<10}", format!("{}.{}", command.host, command.life))?;
                    write!(text, "submits  {command}")?;
                    if let Some(expected) = &submission.expected {
                        write!(text, "  expects {}", describe(command.lba, expected))?;
                    }
                    if let Some(new) = &submission.new {
                        write!(text, "  gives {}", describe(command.lba, new))?;
                    }
                    writeln!(text)
                }
                Notice::Execution(execution) => write_execution(text, execution, describe),
                Notice::Reply(reply) => write_reply(text, reply),
                Notice::Life(change) => write_life(text, change),
                Notice::Fault(fault) => write_fault(text, fault),
            }
        }
    }
}

fn write_execution(text: &mut String, execution: &Execution, describe: Describe<'_>) -> fmt::Result {
    write!(text, "{:<10}", "disk")?;
    let again = if execution.repeated { " again" } else { "" };
    write!(text, "executes {}{again}: ", execution.command)?;
    let shown = |image: &Option<Image>| {
        image.as_ref().map_or_else(String::new, |image| describe(execution.lba, image))
    };
    match execution.effect {
        Effect::Read => writeln!(text, "read  {}", shown(&execution.after)),
        Effect::Written | Effect::Swapped => {
            let name = if execution.effect == Effect::Swapped { "swapped" } else { "written" };
            let (before, after) = (shown(&execution.before), shown(&execution.after));
            writeln!(text, "{name}  block {}: {before} -> {after}", execution.lba)
        }
        Effect::Miscompared => writeln!(text, "miscompared  stands: {}", shown(&execution.before)),
        Effect::Flushed => writeln!(text, "flushed"),
        Effect::NotExecuted => writeln!(text, "not executed"),
    }
}

fn write_reply(text: &mut String, reply: &Reply) -> fmt::Result {
    write!(text, "{:<10}", format!("{}.{}", reply.command.host, reply.command.life))?;
    let waited = if reply.abandoned { "nobody waits for the reply to" } else { "reply to" };
    write!(text, "{waited} {}: ", reply.command)?;
    match &reply.outcome {
        Outcome::Data(blocks) => writeln!(text, "{} blocks", blocks.len()),
        Outcome::Done => writeln!(text, "done"),
        Outcome::Attempted(attempted) => match &attempted.outcome {
            Ok(Answer::Swapped) => writeln!(text, "swapped"),
            Ok(Answer::Miscompared { .. }) => writeln!(text, "miscompared"),
            Ok(Answer::Unknown { cause }) => writeln!(text, "unknown, {cause}"),
            Err(refusal) => writeln!(text, "refused, {refusal}"),
        },
        Outcome::Failed(error) => writeln!(text, "failed, {error}"),
    }
}

fn write_life(text: &mut String, change: &LifeChange) -> fmt::Result {
    write!(text, "{:<10}", format!("{}.{}", change.host, change.life))?;
    match change.change {
        Change::Began => writeln!(text, "BEGINS as pid {}", change.process.pid),
        Change::Ended(cause) => writeln!(text, "ENDS, {}", cause.name()),
        Change::Paused { frozen: false } => writeln!(text, "STOPS"),
        Change::Paused { frozen: true } => writeln!(text, "STOPS, and its clock with it"),
        Change::Resumed => writeln!(text, "GOES ON"),
    }
}

fn write_fault(text: &mut String, fault: &FaultEvent) -> fmt::Result {
    match fault.host {
        Some(host) => write!(text, "{host:<10}")?,
        None => write!(text, "{:<10}", "world")?,
    }
    write!(text, "FAULT    {}", fault.kind.name())?;
    if let Some(number) = fault.command {
        write!(text, " on #{}", number.0)?;
    }
    if let Some(lba) = fault.lba {
        write!(text, " at block {lba}")?;
    }
    writeln!(text)
}
