//! Which of an array's ports is behind which target number of a host's adapter, as the host lists its paths: when a port is lost, the paths to the others are not.
//!
//! ```text
//!     Runtime Name: vmhba2:C0:T0:L4
//!     Target Transport Details: WWNN: 50:02:0e:80:00:00:00:00 WWPN: 50:02:0e:80:00:00:00:01
//!  lpfc: ... vmhba2 0203 Devloss timeout on WWPN 52:4a:...    another of the array's ports
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::names::Name;
use crate::text::{after, position};

/// Targets that are remembered; no host has as many.
const TARGETS_MAX: usize = 16_384;

/// What the hosts listed.
#[derive(Debug, Default)]
pub struct Ports {
    known: BTreeMap<(Option<Name>, String, u64), BTreeSet<u64>>,
}

impl Ports {
    /// Notes that a port is behind a target number of an adapter.
    pub fn note(&mut self, host: Option<Name>, adapter: &str, target: u64, port: u64) {
        let key = (host, adapter.to_owned(), target);
        if self.known.len() < TARGETS_MAX || self.known.contains_key(&key) {
            self.known.entry(key).or_default().insert(port);
        }
    }

    /// Whether what is behind that target number is known, and is another port. A list that names no host is of whoever has none of his own.
    pub fn is_another(&self, host: Option<Name>, adapter: &str, target: u64, port: u64) -> bool {
        let listed = |host| self.known.get(&(host, adapter.to_owned(), target));
        let known = listed(host).or_else(|| listed(None));
        known.is_some_and(|ports| !ports.contains(&port))
    }
}

/// The port that a line names: `WWPN 52:4a:93:7c:00:00:00:01`, `WWPN: 524a937c00000001`.
pub fn port(text: &str) -> Option<u64> {
    const DIGITS: usize = 16;
    let rest = after(text, "WWPN")?.trim_start_matches([':', '=', ' ', '(']);
    let rest = rest.strip_prefix("0x").unwrap_or(rest);
    let spelt =
        rest.find(|letter: char| !(letter.is_ascii_hexdigit() || letter == ':')).unwrap_or(rest.len());
    let digits: String = rest[..spelt].chars().filter(|&letter| letter != ':').collect();
    (digits.len() == DIGITS).then(|| u64::from_str_radix(&digits, 16).ok()).flatten()
}

/// The port of an array in a notice that names both ends: `hostWWPN 100000109b2c3d4e tgtWWPN 524a937c00000001`.
pub fn of_a_target(text: &str) -> Option<u64> {
    port(&text[position(text, "tgtWWPN")?..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_read_however_it_is_spelt() {
        for text in [
            "timeout on WWPN 52:4a:93:7c:00:00:00:01 NPort x1",
            "WWPN: 524a937c00000001",
            "WWPN 0x524A937C00000001",
        ] {
            assert_eq!(port(text), Some(0x524a_937c_0000_0001), "{text}");
        }
        for text in ["WWPN 52:4a", "no port", "WWPN 52:4a:93:7c:00:00:00:01:02"] {
            assert_eq!(port(text), None, "{text}");
        }
    }
}
