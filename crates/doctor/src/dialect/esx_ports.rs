//! VMware: lists of paths, with the device and the port of the array that each leads to.
//!
//! ```text
//!  esxcli storage core path list, nmp path list, esxcfg-mpath -l     Runtime Name: vmhba2:C0:T0:L4
//!                                                                    Device: naa.60aa01
//!                                                                    Target Transport Details: WWNN: 50:... WWPN: 50:...
//!  esxcli storage nmp device list                                    Device Display Name: ACME Disk (naa.60aa01)
//!                                                                    Working Paths: vmhba2:C0:T0:L4, vmhba3:C0:T0:L4
//!  esxcfg-mpath -L                                                   vmhba2:C0:T0:L4 state:active naa.60aa01 vmhba2 0 0 4 NMP ...
//!  esxcfg-mpath -b                                                   naa.60aa01 : ACME Fibre Channel Disk (naa.60aa01)
//!                                                                       vmhba2:C0:T0:L4 LUN:4 state:active fc Adapter: ... Target: ...
//! ```

use super::{Dialect, Reading};
use crate::fact::Kind;
use crate::ledger::{Draft, Ledger};
use crate::ports::port;
use crate::record::Record;
use crate::subject::device_of;
use crate::text::{after, decimal, word};

/// The list, and what is being listed.
#[derive(Debug, Default)]
pub struct EsxPorts {
    /// The path, in full, with its adapter and the number of the target behind it.
    path: Option<(String, (String, u64))>,
    /// The device whose paths are listed behind it.
    device: Option<String>,
}

impl Dialect for EsxPorts {
    fn name(&self) -> &'static str {
        "VMware: ports of arrays"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "Runtime Name: vmhba",
            "Target Transport Details: ",
            "Target: WWNN",
            "Device Display Name: ",
            "Working Paths: vmhba",
            " state:active ",
            "Disk (naa.",
            "Disk (eui.",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        if record.prefix.begins {
            return Reading::Stranger;
        }
        let line = record.line.trim();
        if let Some(name) = line.strip_prefix("Runtime Name: ") {
            self.path = path(name);
            return Reading::More;
        }
        if let Some(name) = line.strip_prefix("Device: ") {
            let Some((path, _)) = &self.path else { return Reading::Stranger };
            return if note(record, path, name, ledger) { Reading::More } else { Reading::Stranger };
        }
        if let Some(name) = line.strip_prefix("Device Display Name: ") {
            self.device = device_of(name).map(str::to_owned);
            return Reading::UNDERSTOOD;
        }
        if let Some(paths) = line.strip_prefix("Working Paths: ") {
            let Some(device) = &self.device else { return Reading::Stranger };
            paths.split(", ").for_each(|path| _ = note(record, path, device, ledger));
            return Reading::UNDERSTOOD;
        }
        if let Some((device, _)) =
            line.split_once(" : ").filter(|(device, _)| device_of(device) == Some(device))
        {
            self.device = Some(device.to_owned());
            return Reading::UNDERSTOOD;
        }
        if let Some((path, _)) = line.split_once(" LUN:").filter(|_| line.contains(" state:"))
            && let Some(device) = &self.device
        {
            note(record, path, device, ledger);
            self.leads_to(record, line, ledger);
            return Reading::UNDERSTOOD;
        }
        if let Some((path, rest)) = line.split_once(" state:")
            && let Some((_, device)) = rest.split_once(' ')
            && note(record, path, device, ledger)
        {
            return Reading::UNDERSTOOD;
        }
        self.leads_to(record, line, ledger)
    }

    fn end(&mut self, _ledger: &mut Ledger) {
        *self = EsxPorts::default();
    }
}

impl EsxPorts {
    /// The port of the array: in a line of its own, or in that of its path.
    fn leads_to(&mut self, record: &Record<'_>, line: &str, ledger: &mut Ledger) -> Reading {
        let details = after(line, "Target Transport Details: ");
        if details.is_none() {
            self.path = path(line);
        }
        let port = details.or_else(|| after(line, "Target: WWNN")).and_then(port);
        let (Some((_, (adapter, target))), Some(port)) = (&self.path, port) else { return Reading::Stranger };
        ledger.leads_to(record, adapter, *target, port);
        Reading::UNDERSTOOD
    }
}

/// Notes that a device is reached over a path; whether both are named.
fn note(record: &Record<'_>, path: &str, device: &str, ledger: &mut Ledger) -> bool {
    let device = device_of(device).filter(|name| device.starts_with(name));
    let (Some(device), Some(_)) = (device, self::path(path)) else { return false };
    let draft = Draft { device: Some(device), path: Some(word(path)), ..Draft::of(Kind::Listed) };
    ledger.note(record, draft);
    true
}

/// `vmhba2:C0:T0:L4`, with the adapter, and the number of the target behind it.
fn path(path: &str) -> Option<(String, (String, u64))> {
    let path = word(path);
    let mut parts = path.split(':');
    let adapter = parts.next().filter(|adapter| adapter.starts_with("vmhba"))?;
    let target = parts.nth(1)?.strip_prefix('T').and_then(decimal)?;
    Some((path.to_owned(), (adapter.to_owned(), target)))
}
