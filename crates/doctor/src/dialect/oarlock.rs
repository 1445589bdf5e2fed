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
        vec!["\"cause\":\"", "\"cause\": \""]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line;
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
        let path = field("path").filter(|path| !path.is_empty());
        let draft = Draft { device: field("record"), path, ..Draft::of(Kind::Oarlock(cause)) };
        ledger.note(&dated, draft);
        Reading::UNDERSTOOD
    }
}
