//! Which driver is behind which of Linux's SCSI hosts, as the kernel says when it finds them: a driver's own lines often name a card by a
//! number of the driver's, and a disk is named by its SCSI host's.
//!
//! ```text
//!  scsi host8: Fusion MPT SAS Host          the eighth host is of mpt3sas
//!  mpt3sas_cm0: fault_state(0x5854)!        and this is about it, not about `sd 2:0:0:1`
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Name;
use crate::text::{after, has};

/// How a driver's lines name it, and how its SCSI hosts are called (`info` or `name` of its `scsi_host_template` in drivers/scsi).
const DRIVERS: [(&str, &str); 16] = [
    ("mpt3sas", "Fusion MPT SAS"),
    ("mpt2sas", "Fusion MPT SAS"),
    ("megaraid", "MegaRAID"),
    ("megasas", "MegaRAID"),
    ("hpsa", "hpsa"),
    ("smartpqi", "smartpqi"),
    ("aacraid", "aacraid"),
    ("pm80xx", "pm80xx"),
    ("qla2xxx", "qla2xxx"),
    ("lpfc", "Emulex"),
    ("bnx2fc", "bnx2fc"),
    ("qedf", "qedf"),
    ("fnic", "fnic"),
    ("zfcp", "zfcp"),
    ("ahci", "ahci"),
    ("iscsi", "iSCSI Initiator"),
];
/// SCSI hosts that are remembered; no machine has as many.
const HOSTS_MAX: usize = 4_096;

/// What the kernels of all hosts said of their SCSI hosts.
#[derive(Debug, Default)]
pub struct Drivers {
    known: BTreeMap<(Option<Name>, u64), BTreeSet<&'static str>>,
}

impl Drivers {
    /// Notes how a SCSI host is called.
    pub fn note(&mut self, host: Option<Name>, number: u64, called: &str) {
        let found = DRIVERS.iter().filter(|(_, name)| has(called, name)).map(|(driver, _)| *driver);
        if self.known.len() < HOSTS_MAX || self.known.contains_key(&(host, number)) {
            self.known.entry((host, number)).or_default().extend(found);
        }
    }

    /// The SCSI hosts of the driver that a line names; empty where the kernel did not say, or the line names none.
    pub fn numbers(&self, host: Option<Name>, line: &str) -> Vec<u64> {
        let named: Vec<&str> = named(line).collect();
        let of_host = self.known.iter().filter(|((of, _), _)| *of == host);
        of_host
            .filter(|(_, drivers)| drivers.iter().any(|driver| named.contains(driver)))
            .map(|((_, number), _)| *number)
            .collect()
    }

    /// Whether a SCSI host is known to be of another driver than a line names.
    pub fn is_of_another(&self, host: Option<Name>, number: u64, line: &str) -> bool {
        let known = self.known.get(&(host, number)).filter(|drivers| !drivers.is_empty());
        named(line).next().is_some()
            && known.is_some_and(|drivers| named(line).all(|driver| !drivers.contains(driver)))
    }
}

/// The drivers that a line names. Sessions and connections by their numbers are those of open-iscsi, whatever else the line says.
fn named(line: &str) -> impl Iterator<Item = &'static str> {
    let of_a_session = |driver: &str| driver == "iscsi" && is_of_a_session(line);
    DRIVERS.iter().map(|(driver, _)| *driver).filter(move |driver| has(line, driver) || of_a_session(driver))
}

/// `connection3:0: detected conn error`, `session3: session recovery timed out` (drivers/scsi/scsi_transport_iscsi.c).
fn is_of_a_session(line: &str) -> bool {
    ["connection", "session"].iter().any(|start| {
        after(line, start).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    })
}
