//! Headings that tools write between the logs that they gather: what they name is read where inputs are parted into sections.

use super::{Dialect, Reading};
use crate::ledger::Ledger;
use crate::record::Record;

/// `==> esx1/vmkernel.log <==`, `[root@esx1:~] grep ...`
#[derive(Debug)]
pub struct Heading;

/// What they begin with.
pub const STARTS: [&str; 2] = ["==> ", "[root@"];

impl Dialect for Heading {
    fn name(&self) -> &'static str {
        "headings"
    }

    fn words(&self) -> Vec<&'static str> {
        STARTS.to_vec()
    }

    fn reads_prompts(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, _ledger: &mut Ledger) -> Reading {
        let is_one = !record.prefix.begins && STARTS.iter().any(|start| record.line.starts_with(start));
        if is_one { Reading::UNDERSTOOD } else { Reading::Stranger }
    }
}
