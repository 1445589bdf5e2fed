//! VMware: lists of paths, with the port of the array that each leads to (`esxcli storage core path list`, `esxcfg-mpath -l` and `-b`).

use super::{Dialect, Reading};
use crate::ledger::Ledger;
use crate::ports::port;
use crate::record::Record;
use crate::text::{after, decimal, word};

/// The list, and the path that is being listed.
#[derive(Debug, Default)]
pub struct EsxPorts {
    path: Option<(String, u64)>,
}

impl Dialect for EsxPorts {
    fn name(&self) -> &'static str {
        "VMware: ports of arrays"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["Runtime Name: vmhba", "Target Transport Details: ", "Target: WWNN"]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line.trim();
        if let Some(name) = line.strip_prefix("Runtime Name: ") {
            self.path = target(name);
            return Reading::UNDERSTOOD;
        }
        let details = after(line, "Target Transport Details: ");
        if details.is_none() {
            self.path = target(line);
        }
        let port = details.or_else(|| after(line, "Target: WWNN")).and_then(port);
        let (Some((adapter, target)), Some(port)) = (&self.path, port) else { return Reading::Stranger };
        ledger.leads_to(record, adapter, *target, port);
        Reading::UNDERSTOOD
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        self.path = None;
    }
}

/// `vmhba2:C0:T0:L4`: the adapter, and the number of the target behind it.
fn target(path: &str) -> Option<(String, u64)> {
    let mut parts = word(path).split(':');
    let adapter = parts.next().filter(|adapter| adapter.starts_with("vmhba"))?;
    let target = parts.nth(1)?.strip_prefix('T').and_then(decimal)?;
    Some((adapter.to_owned(), target))
}
