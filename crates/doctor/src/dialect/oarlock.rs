//! Oarlock's own events, as `oarlock events --json` prints them and a host logs them: they name their own cause.

use oarlock_causes::Cause;

use super::{Dialect, Reading};
use crate::fact::Kind;
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::between;

/// Events, one JSON document a line.
#[derive(Debug)]
pub struct OarlockEvents;

impl Dialect for OarlockEvents {
    fn name(&self) -> &'static str {
        "Oarlock's events"
    }

    fn words(&self) -> Vec<&'static str> {
        let texts = KINDS.iter().map(|(word, _)| *word);
        ["\"cause\":\"", "\"cause\": \""].into_iter().chain(texts).collect()
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line;
        if let Some(cause) = told(line) {
            ledger.note(record, Draft::of(Kind::Oarlock(cause)));
            return Reading::UNDERSTOOD;
        }
        let field = |name: &str| {
            between(line, &format!("\"{name}\":\""), "\"")
                .or_else(|| between(line, &format!("\"{name}\": \""), "\""))
        };
        let Some(cause) = field("cause").and_then(Cause::from_name) else { return Reading::Stranger };
        if field("kind").is_none() {
            return Reading::Stranger;
        }
        let mut dated = Record::new(record.place, line, record.ahead);
        dated.prefix.when = field("time").and_then(|time| crate::prefix::split(time).when);
        dated.prefix.begins = true;
        // The path is the device, as its host calls it; the record is one of many on it.
        let path = field("path").filter(|path| !path.is_empty());
        let draft = Draft { device: path, ..Draft::of(Kind::Oarlock(cause)) };
        ledger.note(&dated, draft);
        Reading::UNDERSTOOD
    }
}

/// Kinds of events as the text form has them, behind the time.
const KINDS: [(&str, &str); 8] = [
    ("Z miscompare ", "miscompare"),
    ("Z unknown ", "unknown"),
    ("Z fence ", "fence"),
    ("Z takeover ", "takeover"),
    ("Z path ", "path"),
    ("Z lapse ", "lapse"),
    ("Z handoff ", "handoff"),
    ("Z repair ", "repair"),
];

/// The cause in a line as `oarlock events` prints it without `--json`: time, kind, cause, action.
fn told(line: &str) -> Option<Cause> {
    const ACTIONS: [&str; 6] = ["adopted", "lost", "retried", "held", "stopped", "refused"];
    let mut words = line.split_whitespace().skip(1);
    let (kind, cause, action) = (words.next()?, words.next()?, words.next()?);
    let known = KINDS.iter().any(|(_, known)| *known == kind) && ACTIONS.contains(&action);
    Cause::from_name(cause).filter(|_| known)
}
