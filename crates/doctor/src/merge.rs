//! Findings that say the same are one: many LUNs behind one broken cable are one case.

use std::collections::HashSet;

use crate::bounds::EVIDENCE_MAX;
use crate::finding::Finding;
use crate::stamp::Stamp;

/// Merges findings of one cause and of one confidence whose times overlap and that share a host; sorts the gravest first (see [`crate::gravity`]).
#[must_use]
pub fn alike(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Merged> = Vec::new();
    for finding in findings {
        match merged.iter_mut().find(|known| known.is_same(&finding)) {
            Some(known) => known.join(finding),
            None => merged.push(Merged::of(finding)),
        }
    }
    let mut merged: Vec<Finding> = merged.into_iter().map(|merged| merged.finding).collect();
    merged.sort_by_cached_key(crate::gravity::key);
    merged
}

/// A finding that others may join, with its names to be looked up: there may be thousands of hosts and of devices in each.
struct Merged {
    finding: Finding,
    hosts: HashSet<String>,
    devices: HashSet<String>,
}

/// Whether two spans of time overlap. Without times, findings of one cause are told apart by nothing: they are one.
fn overlap(known: Option<(Stamp, Stamp)>, other: Option<(Stamp, Stamp)>) -> bool {
    match (known, other) {
        (Some((first, last)), Some((from, to))) => {
            to.since(&first).is_some_and(|us| us >= 0) && last.since(&from).is_some_and(|us| us >= 0)
        }
        (None, None) => true,
        _ => false,
    }
}

impl Merged {
    fn of(finding: Finding) -> Merged {
        let hosts = finding.hosts.iter().cloned().collect();
        let devices = finding.devices.iter().cloned().collect();
        Merged { finding, hosts, devices }
    }

    fn is_same(&self, finding: &Finding) -> bool {
        let known = &self.finding;
        // A busy cluster has false answers with nothing around them every hour: they are one question, not twenty.
        if known.is_lone && finding.is_lone {
            return true;
        }
        // Each was lost to an owner who lives, as a busy cluster has them all day: one finding tells it as well as a hundred.
        if is_a_lost_race(known) && is_a_lost_race(finding) && known.confidence == finding.confidence {
            return known.volume == finding.volume && known.own_title == finding.own_title;
        }
        // A stick that is slow each hour is one that is slow.
        if is_slow_by_nature(known) && is_slow_by_nature(finding) {
            return known.devices == finding.devices && known.hosts == finding.hosts;
        }
        // What nobody could explain is not explained by its likes; what has words of its own is.
        let explained = known.cause != oarlock_causes::Cause::CannotTell.name() || known.own_title.is_some();
        // A damaged record stays damaged: what is said of one volume again is no new case.
        let lasting =
            || is_of_a_damaged_record(known) && known.volume.is_some() && known.volume == finding.volume;
        let host = || {
            known.hosts.is_empty()
                || finding.hosts.is_empty()
                || finding.hosts.iter().any(|host| self.hosts.contains(host))
        };
        known.cause == finding.cause
            && known.confidence == finding.confidence
            && (known.own_title == finding.own_title || lasting() && may_be_the_same_record(known, finding))
            && explained
            && (overlap(known.span, finding.span) || lasting())
            && host()
    }
    fn join(&mut self, other: Finding) {
        let known = &mut self.finding;
        let named = |into: &mut Vec<String>, from: Vec<String>, seen: &mut HashSet<String>| {
            into.extend(from.into_iter().filter(|text| seen.insert(text.clone())));
        };
        let add = |into: &mut Vec<String>, from: Vec<String>| {
            for text in from {
                if !into.contains(&text) {
                    into.push(text);
                }
            }
        };
        // A volume that stands with no device beside devices that stand with no volume lies on none of them, as far as any line says.
        let untied = other.devices.is_empty() && !known.devices.is_empty();
        known.volume = known.volume.take().or(other.volume.filter(|_| !untied));
        named(&mut known.devices, other.devices, &mut self.devices);
        add(&mut known.also_called, other.also_called);
        named(&mut known.hosts, other.hosts, &mut self.hosts);
        add(&mut known.also, other.also);
        add(&mut known.collect_next, other.collect_next);
        known.span = match (known.span, other.span) {
            (Some((first, last)), Some((from, to))) if first.axis == from.axis && last.axis == to.axis => {
                Some((
                    if from.micros < first.micros { from } else { first },
                    if to.micros > last.micros { to } else { last },
                ))
            }
            (known, other) => known.or(other),
        };
        // As texts they would sort by their first digit: an uptime of ten days before one of nine.
        known.first = known.span.map(|(first, _)| first.to_string());
        known.last = known.span.map(|(_, last)| last.to_string());
        known.harm = known.harm.max(other.harm);
        known.breaks_writes |= other.breaks_writes;
        known.events = known.events.saturating_add(other.events);
        for evidence in other.evidence {
            if known.evidence.len() < EVIDENCE_MAX && !known.evidence.contains(&evidence) {
                known.evidence.push(evidence);
            }
        }
    }
}

/// Races for locks that harmed nobody: their senders know that nothing was written, and why.
fn is_a_lost_race(finding: &Finding) -> bool {
    finding.cause == oarlock_causes::Cause::Contention.name()
        && finding.also.is_empty()
        && finding.harm <= crate::gravity::Harm::False
}

/// A device of one host that was slow, and nothing that was harmed by that.
fn is_slow_by_nature(finding: &Finding) -> bool {
    finding.own_title.is_some_and(crate::rule::is_lasting) && finding.harm == crate::gravity::Harm::Notice
}

fn is_of_a_damaged_record(finding: &Finding) -> bool {
    let cause = oarlock_causes::Cause::CorruptBlock.name();
    finding.cause == cause || finding.also.iter().any(|also| also == cause)
}

/// Whether one of two findings does not say which record of the volume is damaged.
fn may_be_the_same_record(one: &Finding, other: &Finding) -> bool {
    [one, other].iter().any(|finding| finding.own_title == Some(crate::rule::DAMAGED_VOLUME.title))
}

#[cfg(test)]
mod tests {
    use crate::Doctor;

    fn report(log: &str) -> crate::Report {
        let mut doctor = Doctor::new();
        doctor.read("log", &mut log.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    /// A conflict on a device, so many days and hours after the host started.
    fn conflict(days: u32, hours: u32, device: u32) -> String {
        format!(
            "vmkernel: {days}:{hours:02}:00:00.000 cpu7:2055)ScsiDeviceIO: 1672: Command 0x2a to device \"naa.60{device:04}\" failed \
             H:0x0 D:0x18 P:0x3 Possible sense data: 0x0 0x0 0x0.\n"
        )
    }

    #[test]
    fn the_tenth_day_of_an_uptime_is_later_than_the_ninth() {
        let log = conflict(9, 23, 1) + &conflict(10, 0, 2);
        let report = report(&log);
        assert_eq!(report.incidents.len(), 2, "an hour lies between them: they are two");
        // 20 devices, a minute apart each, run over midnight of the ninth day: one cause, one span of time.
        let long: String = (0..30)
            .map(|minute: u32| {
                let (days, hours) = if minute < 15 { (9, 23) } else { (10, 0) };
                let clock = (45 + minute) % 60;
                conflict(days, hours, 7).replace(":00:00.000", &format!(":{clock:02}:00.000"))
                    + &conflict(days, hours, 8).replace(":00:00.000", &format!(":{clock:02}:30.000"))
            })
            .collect();
        let report = self::report(&long);
        assert_eq!(report.incidents.len(), 1);
        let finding = &report.incidents[0];
        assert_eq!(finding.first.as_deref(), Some("+9d23:45:00.000"));
        assert_eq!(finding.last.as_deref(), Some("+10d00:14:30.000"));
        assert_eq!((finding.devices.len(), finding.events), (2, 60));
    }

    #[test]
    fn a_lost_volume_stands_above_a_thousand_refused_commands() {
        let refused: String = (0..1_000)
            .map(|number| {
                format!(
                    "2026-07-07T07:{:02}:{:02}.000Z cpu7:2055)ScsiDeviceIO: 1672: Command 0x2a to device \"naa.600b\" failed H:0x0 D:0x18 P:0x3 \
                     Possible sense data: 0x0 0x0 0x0.\n",
                    number / 60,
                    number % 60
                )
            })
            .collect();
        let lost = "2026-07-07T09:00:00.000Z cpu2:2097600)WARNING: ScsiDeviceIO: 1513: Device naa.600a performance has deteriorated. I/O latency \
                    increased from average value of 2100 microseconds to 1904000 microseconds.\n\
                    2026-07-07T09:00:09.000Z cpu2:2097600)HBX: 3041: 'gold': HB at offset 3571712 - Waiting for timed out HB:\n\
                    2026-07-07T09:00:20.000Z info hostd[2099001] [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 3312 : Lost access to volume \
                    60aa0001-bb000001-1111-0050560a0b0c (gold) due to connectivity issues. Recovery attempt is in progress.\n";
        let report = report(&(refused + lost));
        let causes: Vec<&str> = report.incidents.iter().map(|finding| finding.cause.as_str()).collect();
        assert_eq!(causes, ["slow-storage", "reservation"]);
    }
}
