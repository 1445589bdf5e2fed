//! Ties: the names that one LUN has on a Linux host. `sdc` and `sdk` are paths of `mpatha`, which is `dm-2`, which is
//! `naa.6005...`; without these ties a failed path and a false answer on the map above it would be two strangers.
//!
//! ```text
//!  identity   naa.6005...          the LUN, on every host
//!  map        mpatha, dm-2         this host's device over all paths
//!  path       sdc, sdk             one path each
//!  nexus      2:0:0:1              the same path, by adapter, channel, target and LUN
//!  part       sdc1                 a partition, by the form of its name: what befalls it befalls its disk
//! ```
//! Names below the identity mean something only on their host, and may be given anew: a name that is tied to two of a kind
//! stays as it is, for any choice would be a guess.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::{Fact, Kind};
use crate::ledger::Ledger;
use crate::names::{Name, Names};
use crate::text::whole;

/// Ties that are remembered.
const TIES_MAX: usize = 50_000;

/// How near to the LUN itself a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its identity.
    Identity,
    /// A map that multipathd named.
    Map,
    /// The same by its number.
    Mapped,
    /// A path.
    Path,
    /// A path by its numbers.
    Nexus,
    /// A partition of a path.
    Part,
}

/// A host, where one is known, and a name on it.
type Local = (Option<Name>, Name);

/// What the logs tie together.
#[derive(Debug, Default)]
pub struct Ties {
    /// The names above each name.
    above: BTreeMap<Local, BTreeSet<(Rank, Name)>>,
    /// The ranks of those that have a name above them.
    ranks: BTreeMap<Local, Rank>,
    count: usize,
    /// There is but one host in the logs: what names none is of that one.
    sole_host: bool,
}

impl Ties {
    /// Notes that a line ties two names of one host.
    pub fn tie(&mut self, host: Option<Name>, one: (Rank, Name), other: (Rank, Name)) {
        let (upper, lower) = if one.0 < other.0 { (one, other) } else { (other, one) };
        if upper.0 == lower.0 || self.count >= TIES_MAX {
            return;
        }
        self.ranks.insert((host, lower.1), lower.0);
        if self.above.entry((host, lower.1)).or_default().insert(upper) {
            self.count += 1;
        }
    }

    /// A map has the identity that all its paths have, where no line names its own.
    fn lift(&mut self) {
        let mut identities: BTreeMap<Local, BTreeSet<Name>> = BTreeMap::new();
        for (&(host, _), above) in &self.above {
            let own = above.iter().filter(|(rank, _)| *rank == Rank::Identity).map(|(_, name)| *name);
            for (_, map) in above.iter().filter(|(rank, _)| matches!(rank, Rank::Map | Rank::Mapped)) {
                identities.entry((host, *map)).or_default().extend(own.clone());
            }
        }
        for (local, found) in identities {
            let above = self.above.entry(local).or_default();
            if above.iter().all(|(rank, _)| *rank != Rank::Identity) {
                above.extend(found.into_iter().map(|name| (Rank::Identity, name)));
            }
        }
    }

    /// The name of the LUN that a name of that host stands for.
    fn lun(&self, host: Option<Name>, name: Name) -> Option<Name> {
        const STEPS_MAX: usize = 4;
        let mut at = name;
        for _ in 0..STEPS_MAX {
            let pasted = || self.above.get(&(None, at)).filter(|_| self.sole_host);
            let Some(above) = self.above.get(&(host, at)).or_else(pasted) else { break };
            let Some(&(rank, next)) = above.first() else { break };
            if above.iter().filter(|(other, _)| *other == rank).count() > 1 {
                break;
            }
            at = next;
        }
        (at != name).then_some(at)
    }

    /// The path that a device's name stands for, where it is a path's.
    fn is_path(&self, host: Option<Name>, name: Name) -> bool {
        let known = self.ranks.get(&(host, name)).or_else(|| self.ranks.get(&(None, name)));
        known == Some(&Rank::Path)
    }
}

/// Gives every fact the name of its LUN, as far as the ties tell, and its own device's name as its path.
pub fn settle(ledger: &mut Ledger) {
    let mut ties = std::mem::take(&mut ledger.ties);
    tie_partitions(&mut ties, ledger);
    if ties.count == 0 {
        ledger.ties = ties;
        return;
    }
    ties.lift();
    let hosts: BTreeSet<Name> = ledger.facts().iter().filter_map(|fact| fact.host).collect();
    ties.sole_host = hosts.len() <= 1;
    for fact in ledger.facts_mut() {
        rename(fact, &ties);
    }
    ledger.ties = ties;
}

/// A partition says in its name whose it is.
fn tie_partitions(ties: &mut Ties, ledger: &mut Ledger) {
    let devices: BTreeSet<Local> =
        ledger.facts().iter().filter_map(|fact| Some((fact.host, fact.device?))).collect();
    for (host, part) in devices {
        let disk = disk_of_partition(ledger.names.text(part)).map(str::to_owned);
        if let Some(disk) = disk {
            let disk = ledger.names.name(&disk);
            ties.tie(host, (Rank::Path, disk), (Rank::Part, part));
        }
    }
}

/// `sdc` of `sdc1`, `nvme0n1` of `nvme0n1p2`; a disk has none.
#[must_use]
pub fn disk_of_partition(name: &str) -> Option<&str> {
    let disk = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if disk.len() == name.len() {
        return None;
    }
    if let Some(letters) = disk.strip_prefix("sd") {
        let is_a_disk = !letters.is_empty() && letters.chars().all(|letter| letter.is_ascii_lowercase());
        return is_a_disk.then_some(disk);
    }
    let namespace = disk.strip_suffix('p')?;
    let (controller, number) = namespace.strip_prefix("nvme")?.split_once('n')?;
    (whole(controller).is_some() && whole(number).is_some()).then_some(namespace)
}

fn rename(fact: &mut Fact, ties: &Ties) {
    // What a machine says of one of its parts is said of that part.
    if matches!(fact.kind, Kind::Setting(_) | Kind::Queue(_)) {
        return;
    }
    let host = fact.host;
    if let Some(device) = fact.device {
        if let Some(lun) = ties.lun(host, device) {
            if ties.is_path(host, device) {
                fact.path = fact.path.or(Some(device));
            }
            fact.device = Some(lun);
        }
    } else if let Some(path) = fact.path {
        fact.device = ties.lun(host, path);
    }
}

/// The other names that the logs give to a device, in their order.
pub fn also_called(ledger_ties: &Ties, names: &Names, device: Name) -> Vec<String> {
    const CALLED_MAX: usize = 32;
    let lower = ledger_ties.above.keys().filter(|&&(host, name)| ledger_ties.lun(host, name) == Some(device));
    let unique: BTreeSet<&str> = lower.map(|&(_, name)| names.text(name)).collect();
    unique.into_iter().filter(|name| !name.contains(':')).take(CALLED_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Doctor, Report};

    fn judge(logs: &[(&str, &str)]) -> Report {
        let mut doctor = Doctor::new();
        for (name, log) in logs {
            doctor.read(name, &mut log.as_bytes(), &mut |_| {});
        }
        doctor.judge()
    }

    const LISTED: &str = "\
mpathk (36005076300810aa11000000000000071) dm-7 IBM,2145
size=2.0T features='1 queue_if_no_path' hwhandler='1 alua' wp=rw
|-+- policy='service-time 0' prio=50 status=active
| `- 3:0:1:9 sdm 8:192 active ready running
`-+- policy='service-time 0' prio=10 status=enabled
  `- 4:0:1:9 sdz 65:144 active ready running
";
    const LATE: &str = "\
2026-05-05T05:00:00+00:00 tern kernel: sd 3:0:1:9: [sdm] tag#7 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=31s
2026-05-05T05:00:00+00:00 tern kernel: sd 3:0:1:9: [sdm] tag#7 CDB: Compare and write, Unknown(16) 89 00 00 00 00 00 00 00 1a 00 00 00 00 01 00 00
2026-05-05T05:00:04+00:00 tern kernel: sd 4:0:1:9: [sdz] tag#2 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
2026-05-05T05:00:04+00:00 tern kernel: sd 4:0:1:9: [sdz] tag#2 Sense Key : Miscompare [current]
2026-05-05T05:00:04+00:00 tern kernel: sd 4:0:1:9: [sdz] tag#2 Add. Sense: Miscompare during verify operation
2026-05-05T05:00:04+00:00 tern kernel: sd 4:0:1:9: [sdz] tag#2 CDB: Compare and write, Unknown(16) 89 00 00 00 00 00 00 00 1a 00 00 00 00 01 00 00
";

    #[test]
    fn a_late_ats_on_one_path_explains_the_false_one_on_the_other() {
        let report = judge(&[("tern/multipath.txt", LISTED), ("tern/messages", LATE)]);
        assert_eq!(report.incidents.len(), 1, "{:#?}", report.incidents);
        let finding = &report.incidents[0];
        assert_eq!(finding.cause, "delayed-own-write");
        assert_eq!(finding.devices, ["naa.6005076300810aa11000000000000071"]);
        assert_eq!(finding.also_called, ["dm-7", "mpathk", "sdm", "sdz"]);
    }

    #[test]
    fn what_is_pasted_without_a_host_is_of_the_only_one_there_is() {
        let report = judge(&[("ticket.txt", &format!("{LISTED}{LATE}"))]);
        assert_eq!(report.incidents[0].devices, ["naa.6005076300810aa11000000000000071"]);
    }

    #[test]
    fn what_multipathd_says_of_a_path_is_about_its_map() {
        let log = "\
2026-05-05T05:00:00+00:00 tern multipathd[77]: mpathk: sdm - tur checker reports path is down
2026-05-05T05:00:01+00:00 tern multipathd[77]: checker failed path 65:144 in map mpathk
2026-05-05T05:00:02+00:00 tern multipathd[77]: mpathk: remaining active paths: 0
";
        let report = judge(&[("tern/messages", log)]);
        assert_eq!(report.incidents.len(), 1);
        assert_eq!(report.incidents[0].devices, ["mpathk"]);
    }

    #[test]
    fn names_of_another_host_and_names_that_were_given_anew_are_not_tied() {
        let other = LATE.replace("tern", "ruff");
        let report = judge(&[("tern/multipath.txt", LISTED), ("ruff/messages", &other)]);
        assert!(
            report
                .incidents
                .iter()
                .all(|finding| finding.devices != ["naa.6005076300810aa11000000000000071"])
        );
        let again = LISTED.replace("00071", "00099").replace("mpathk", "mpathq").replace("dm-7", "dm-9");
        let report = judge(&[("tern/a", LISTED), ("tern/b", &again), ("tern/messages", LATE)]);
        assert!(
            report
                .incidents
                .iter()
                .all(|finding| !finding.devices.iter().any(|name| name.starts_with("naa.")))
        );
    }
}
