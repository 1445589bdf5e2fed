//! Which lines of a flood are written: one thing that is said again and again leaves place for the others.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Lines that may be written at once, after nothing was for long: a fleet that comes back logs in at once.
const AT_ONCE_MAX: u32 = 4096;

/// Lines that may be written beside that in each second.
const A_SECOND_MAX: u32 = 100;

/// The same of lines that say one thing, as a host that logs in and is gone again.
const ALIKE_AT_ONCE_MAX: u32 = 32;
const ALIKE_A_SECOND_MAX: u32 = 1;

/// Things of which it is known how often they were said: more at once are bounded by what all may.
const KNOWN_MAX: usize = 4096;

/// How much more may be written.
pub struct Flood {
    left: u32,
    /// By what they say.
    alike: HashMap<String, Alike>,
    /// Lines left out since that was told.
    left_out: u64,
}

struct Alike {
    left: u32,
    left_out: u64,
}

impl Flood {
    pub fn new() -> Flood {
        Flood { left: AT_ONCE_MAX, alike: HashMap::new(), left_out: 0 }
    }

    /// Whether a line may be written; one that may not is counted.
    pub fn admits(&mut self, line: &str) -> bool {
        let is_admitted = self.take(without_address(line));
        self.left_out += u64::from(!is_admitted);
        is_admitted
    }

    fn take(&mut self, said: &str) -> bool {
        if !self.alike.contains_key(said) && self.alike.len() < KNOWN_MAX {
            self.alike.insert(said.to_owned(), Alike { left: ALIKE_AT_ONCE_MAX, left_out: 0 });
        }
        let alike = self.alike.get_mut(said);
        if self.left == 0 || alike.as_ref().is_some_and(|alike| alike.left == 0) {
            alike.into_iter().for_each(|alike| alike.left_out += 1);
            return false;
        }
        alike.into_iter().for_each(|alike| alike.left -= 1);
        self.left -= 1;
        true
    }

    /// A second is over, in which so many were left out elsewhere: what there is to tell of all that were.
    pub fn second(&mut self, elsewhere: u64) -> Option<String> {
        let most = self.alike.iter().max_by_key(|(_, alike)| alike.left_out);
        let (said, count) = most.map_or(("", 0), |(said, alike)| (said.as_str(), alike.left_out));
        let told = match (std::mem::take(&mut self.left_out) + elsewhere, count) {
            (0, _) => None,
            (all, 0) => Some(format!("{all} lines more were left out: there were too many")),
            (all, count) => Some(format!("{all} lines more were left out, {count} of them: {said}")),
        };
        self.left = AT_ONCE_MAX.min(self.left + A_SECOND_MAX);
        self.alike.retain(|_, alike| {
            (alike.left, alike.left_out) = (alike.left + ALIKE_A_SECOND_MAX, 0);
            alike.left < ALIKE_AT_ONCE_MAX
        });
        told
    }
}

/// What a line says, whoever it is of: an initiator comes by another port each time.
fn without_address(line: &str) -> &str {
    match line.split_once(": ") {
        Some((address, said)) if address.parse::<SocketAddr>().is_ok() => said,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_comes_again_and_again_leaves_place_for_the_others() {
        let mut flood = Flood::new();
        let again = |port: u32| format!("192.0.2.7:{}: iqn.2026-11.example:a logged in", port % 60_000);
        let admitted = (0..100_000).filter(|port| flood.admits(&again(*port))).count();
        assert_eq!(admitted, 32);
        assert!(flood.admits("unit 3 (/disk) is served no more"));
        let told = "99973 lines more were left out, 99968 of them: iqn.2026-11.example:a logged in";
        assert_eq!(flood.second(5).as_deref(), Some(told));
        assert_eq!((0..9).filter(|port| flood.admits(&again(*port))).count(), 1);
        let told = "8 lines more were left out, 8 of them: iqn.2026-11.example:a logged in";
        assert_eq!(flood.second(0).as_deref(), Some(told));
        assert_eq!(flood.second(0), None);
        (0..40).for_each(|_| drop(flood.second(0)));
        assert!(flood.alike.is_empty());
        assert_eq!((0..100).filter(|port| flood.admits(&again(*port))).count(), 32);
    }

    #[test]
    fn what_is_new_each_time_is_bounded_too() {
        let mut flood = Flood::new();
        assert_eq!((0..10_000).filter(|number| flood.admits(&number.to_string())).count(), 4096);
        assert_eq!(flood.alike.len(), 4096);
        assert!(flood.second(0).is_some_and(|told| told.starts_with("5904 lines more were left out")));
        assert_eq!((0..10_000).filter(|number| flood.admits(&number.to_string())).count(), 100);
    }

    #[test]
    fn lines_are_alike_by_what_they_say_and_not_by_whose_port() {
        assert_eq!(without_address("[2001:db8::1]:40000: it logged in"), "it logged in");
        assert_eq!(without_address("unit 3: it is full"), "unit 3: it is full");
    }
}
