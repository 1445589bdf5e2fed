//! Clock offsets between hosts, found from what they must have seen at the same moment: resets of a shared device, changes of
//! the fabric, losses of one device on all hosts.
//!
//! Differences between all pairs of such events of two hosts are counted; the true offset makes a peak. Without a clear peak
//! nothing is shifted: a wrong offset is worse than none.

use std::collections::{BTreeMap, HashMap};

use crate::fact::{Command, Fact, HostStatus, Kind, PathEvent, Sense};
use crate::names::Name;
use crate::stamp::Axis;

/// Events of one host that are compared.
const EVENTS_MAX: usize = 400;
/// Hosts that are compared with the first.
const HOSTS_MAX: usize = 64;
/// Clocks that are further apart are taken for different days.
const OFFSET_MAX_US: i64 = 26 * 3_600_000_000;
/// Two hosts see one event within this; peaks are this wide.
const BIN_US: i64 = 2_000_000;
/// So many common events make an offset.
const COMMON_MIN: usize = 4;
/// Smaller offsets change no diagnosis.
const OFFSET_MIN_US: i64 = 4_000_000;

/// What two hosts can have seen together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Common {
    Reset(Option<Name>),
    Fabric,
    Loss(Option<Name>),
    Miscompare(Option<Name>),
}

/// The offset of each host's clock from the first host's, in microseconds, where one was found.
#[must_use]
pub fn find(facts: &[Fact]) -> BTreeMap<Name, i64> {
    let mut events: BTreeMap<Name, Vec<(Common, i64)>> = BTreeMap::new();
    for fact in facts {
        let (Some(host), Some(common), Some(when)) = (fact.host, common(fact), fact.when) else { continue };
        let known = events.entry(host).or_default();
        if when.axis == Axis::Wall && known.len() < EVENTS_MAX {
            known.push((common, when.micros));
        }
    }
    // The host with most to compare is the clock of all.
    let Some((&reference, told)) = events.iter().max_by_key(|(_, events)| events.len()) else {
        return BTreeMap::new();
    };
    let others = events.iter().filter(|(host, _)| **host != reference).take(HOSTS_MAX);
    others.filter_map(|(&host, own)| offset(told, own).map(|offset| (host, offset))).collect()
}

/// How far `own` is ahead of `told`.
fn offset(told: &[(Common, i64)], own: &[(Common, i64)]) -> Option<i64> {
    let mut bins: HashMap<i64, Vec<i64>> = HashMap::new();
    for (kind, at) in own {
        for (_, then) in told.iter().filter(|(other, _)| other == kind) {
            let apart = at - then;
            if apart.abs() <= OFFSET_MAX_US {
                bins.entry(apart.div_euclid(BIN_US)).or_default().push(apart);
            }
        }
    }
    // A peak may lie on the border of two bins.
    let height = |bin: i64| bins.get(&bin).map_or(0, Vec::len) + bins.get(&(bin + 1)).map_or(0, Vec::len);
    let best = bins.keys().copied().max_by_key(|&bin| (height(bin), -bin.abs()))?;
    let rival = bins.keys().copied().filter(|bin| (bin - best).abs() > 1).map(height).max().unwrap_or(0);
    if height(best) < COMMON_MIN || height(best) < 2 * rival {
        return None;
    }
    let mut peak: Vec<i64> =
        [best, best + 1].iter().filter_map(|bin| bins.get(bin)).flatten().copied().collect();
    peak.sort_unstable();
    let middle = peak.get(peak.len() / 2).copied()?;
    (middle.abs() >= OFFSET_MIN_US).then_some(middle)
}

fn common(fact: &Fact) -> Option<Common> {
    match &fact.kind {
        Kind::Command(Command { sense: Some(sense), .. })
            if sense.is_reset() && !Sense::is_nexus_loss(*sense) =>
        {
            Some(Common::Reset(fact.device))
        }
        Kind::Command(Command { host: Some(HostStatus::RESET), .. }) => Some(Common::Reset(fact.device)),
        Kind::Command(command) if command.miscompared() => Some(Common::Miscompare(fact.device)),
        Kind::Fabric(_) | Kind::Path(PathEvent::FabricChange) => Some(Common::Fabric),
        Kind::Path(PathEvent::AllDown | PathEvent::PermanentLoss) => Some(Common::Loss(fact.device)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    fn series(device: Name, starts: &[i64], shift: i64) -> Vec<(Common, i64)> {
        starts.iter().map(|at| (Common::Reset(Some(device)), at * 1_000_000 + shift)).collect()
    }

    #[test]
    fn a_clear_peak_is_the_offset() {
        let device = Names::default().name("naa.1");
        let told = series(device, &[10, 75, 300, 1_000, 1_900], 0);
        let own = series(device, &[10, 75, 300, 1_000, 5_000], 3_600_000_000);
        assert_eq!(offset(&told, &own), Some(3_600_000_000));
    }

    #[test]
    fn events_that_repeat_evenly_give_no_offset() {
        let device = Names::default().name("naa.1");
        let told = series(device, &[0, 60, 120, 180, 240, 300], 0);
        let own = series(device, &[60, 120, 180, 240, 300, 360], 0);
        assert_eq!(offset(&told, &own), None);
    }
}
