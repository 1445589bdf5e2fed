//! Versions: what drivers, firmware, hosts and arrays say of themselves at start and in inventories.

use super::{Dialect, Reading};
use crate::fact::{Component, Kind};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{after, cut, holds};

/// Lines with versions.
#[derive(Debug)]
pub struct Versions;

/// Drivers and products whose versions matter: the word in the line, and the name that advisories use.
const PRODUCTS: [(&str, &str); 12] = [
    ("lpfc", "lpfc"),
    ("qlnativefc", "qlnativefc"),
    ("qla2xxx", "qla2xxx"),
    ("qla4xxx", "qla4xxx"),
    ("nfnic", "nfnic"),
    ("fnic", "fnic"),
    ("nc553i", "nc553i"),
    ("be2iscsi", "be2iscsi"),
    ("elxiscsi", "elxiscsi"),
    ("QMI8142", "qmi8142"),
    ("VMware ESXi ", "esxi"),
    ("VMware ESX ", "esxi"),
];

impl Dialect for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "VMware ESXi ",
            "VMware ESX ",
            "irmware version",
            "irmware Version",
            "FW Version",
            "river version",
            "river Version",
            "Vendor: ",
            "vendor: ",
            "Direct-Access ",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if let Some(component) = array(body).or_else(|| product(body)) {
            let about = subject::find(body);
            let draft =
                Draft { device: about.device, path: about.path, ..Draft::of(Kind::Version(component)) };
            ledger.note(record, draft);
            return Reading::UNDERSTOOD;
        }
        Reading::Stranger
    }
}

/// `Vendor: 'IBM     ' Model: '2145            ' Rev: '0000'`, and the forms of Linux and esxcli.
fn array(text: &str) -> Option<Component> {
    if let Some(inquiry) = after(text, "Direct-Access ") {
        return discovered(inquiry.trim_start());
    }
    let field = |marks: [&str; 2]| {
        let rest = marks.iter().find_map(|mark| after(text, mark))?;
        let rest = rest.trim_start();
        let value = match rest.strip_prefix(['\'', '"']) {
            Some(quoted) => quoted.split(['\'', '"']).next()?,
            None => rest.split("  ").next()?.split(" Model").next()?.split(" Rev").next()?,
        };
        Some(cut(value.trim(), 40))
    };
    let vendor = field(["Vendor:", "vendor:"])?;
    let model = field(["Model:", "model:"])?;
    let revision = field(["Rev:", "Revision:"]).unwrap_or("");
    Some(Component { name: format!("{vendor} {model}").to_lowercase().into(), version: revision.into() })
}

/// `scsi 3:0:0:1: Direct-Access     IBM      2145             0000 PQ: 0 ANSI: 6`: eight, sixteen and four letters (SPC-5, 6.6.2).
fn discovered(text: &str) -> Option<Component> {
    let inquiry = text.split(" PQ:").next()?.trim_end();
    let (name, version) = inquiry.rsplit_once(' ')?;
    let name: Vec<&str> = name.split_whitespace().collect();
    let whole = !name.is_empty() && (1..=4).contains(&version.len()) && text.contains(" PQ:");
    whole.then(|| Component { name: name.join(" ").to_lowercase().into(), version: version.into() })
}

fn product(text: &str) -> Option<Component> {
    let (word, name) = PRODUCTS.iter().find(|(word, _)| holds(text, word))?;
    let from = text.find(word).map_or(text, |at| &text[at + word.len()..]);
    let version = from
        .split([' ', ',', ':', ';', '(', ')', '"', '\''])
        .map(|part| part.trim_start_matches(['v', 'V']).trim_end_matches('.'))
        .find(|part| part.contains('.') && part.starts_with(|letter: char| letter.is_ascii_digit()))?;
    let firmware = holds(text, "firmware") || text.contains("FW Version");
    let name = if firmware { format!("{name} firmware") } else { (*name).to_owned() };
    Some(Component { name: name.into(), version: cut(version, 40).into() })
}
