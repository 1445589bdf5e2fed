//! Which lines of a flood are written: whoever says much, and what is said again and again, leaves place for the others.

use std::collections::HashMap;
use std::mem::take;
use std::net::{IpAddr, SocketAddr};

/// Things said, and peers, of which it is known how much that was: more at once are bounded by what all may.
const KNOWN_MAX: usize = 4096;

/// How names of initiators begin (RFC 7143, 4.2.7).
const NAMES: [&str; 3] = ["iqn.", "eui.", "naa."];

/// What a line counts to.
#[derive(PartialEq, Eq, Hash)]
enum Account {
    /// All lines of peers, or all others: those of the array itself have their place whatever comes from outside.
    All { of_peers: bool },
    /// All of one machine: who is refused may come by another name each time.
    Machine(IpAddr),
    /// All that an initiator that was let in brings about, as resets.
    Initiator(String),
    /// What it says, whoever it is of: an initiator comes by another port each time.
    Said(String),
}

struct Budget {
    left: u32,
    /// Lines that were left out for want of it, since that was told.
    left_out: u64,
}

/// How much more may be written.
#[derive(Default)]
pub struct Flood {
    budgets: HashMap<Account, Budget>,
}

impl Account {
    /// Lines at once, after nothing was for long, and beside that in each second: a fleet that comes back logs in at once.
    const fn limits(&self) -> (u32, u32) {
        match self {
            Account::All { .. } => (4096, 100),
            Account::Machine(_) | Account::Initiator(_) => (512, 10),
            Account::Said(_) => (32, 1),
        }
    }

    /// Those of a line, the widest first: whoever has no more of that needs no other.
    fn of(line: &str) -> impl Iterator<Item = Account> {
        let by_machine = line.split_once(": ").and_then(|(address, said)| {
            let address = address.parse::<SocketAddr>().ok()?;
            Some((Account::Machine(address.ip().to_canonical()), said))
        });
        let is_name = |word: &&str| NAMES.iter().any(|kind| word.starts_with(kind));
        let by_initiator =
            || Some((Account::Initiator(line.split_whitespace().find(is_name)?.to_owned()), line));
        let by_peer = by_machine.or_else(by_initiator);
        let (peer, said) = by_peer.map_or((None, line), |(peer, said)| (Some(peer), said));
        [Account::All { of_peers: peer.is_some() }]
            .into_iter()
            .chain(peer)
            .chain([Account::Said(said.to_owned())])
    }

    /// What there is to say of that most were left out for its sake.
    fn words(&self) -> String {
        match self {
            Account::All { .. } => String::new(),
            Account::Machine(machine) => format!("; most were of {machine}"),
            Account::Initiator(name) => format!("; most were of {name}"),
            Account::Said(said) => format!("; most said: {said}"),
        }
    }
}

impl Flood {
    /// Whether a line may be written; one that may not is counted.
    pub fn admits(&mut self, line: &str) -> bool {
        let accounts: Vec<Account> = Account::of(line).collect();
        if let Some(spent) = accounts.iter().find(|account| self.left(account) == 0) {
            self.budgets.get_mut(spent).into_iter().for_each(|budget| budget.left_out += 1);
            return false;
        }
        for account in accounts {
            let is_kept = self.budgets.len() < KNOWN_MAX || matches!(account, Account::All { .. });
            let (at_once, _) = account.limits();
            match self.budgets.get_mut(&account) {
                Some(budget) => budget.left -= 1,
                None if is_kept => {
                    self.budgets.insert(account, Budget { left: at_once - 1, left_out: 0 });
                }
                None => {}
            }
        }
        true
    }

    fn left(&self, account: &Account) -> u32 {
        self.budgets.get(account).map_or(account.limits().0, |budget| budget.left)
    }

    /// A second is over, in which so many were left out elsewhere: what there is to tell of all that were.
    pub fn second(&mut self, elsewhere: u64) -> Option<String> {
        let (mut all, mut most) = (elsewhere, (0, String::new()));
        self.budgets.retain(|account, budget| {
            let left_out = take(&mut budget.left_out);
            all += left_out;
            if left_out > most.0 {
                most = (left_out, account.words());
            }
            let (at_once, a_second) = account.limits();
            budget.left += a_second;
            budget.left < at_once
        });
        (all > 0).then(|| format!("{all} lines more were left out, for there were too many{}", most.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(flood: &mut Flood, count: u32, line: impl Fn(u32) -> String) -> usize {
        (0..count).filter(|number| flood.admits(&line(*number))).count()
    }

    #[test]
    fn what_comes_again_and_again_leaves_place_for_the_others() {
        let mut flood = Flood::default();
        let again = |port: u32| format!("192.0.2.7:{}: iqn.2026-11.example:a logged in", port % 60_000);
        assert_eq!(admitted(&mut flood, 100_000, again), 32);
        assert!(flood.admits("192.0.2.7:3260: iqn.2026-11.example:a: it broke"));
        assert_eq!(
            flood.second(5).as_deref(),
            Some(
                "99973 lines more were left out, for there were too many; most said: iqn.2026-11.example:a logged in"
            )
        );
        assert_eq!(admitted(&mut flood, 9, again), 1);
        assert!(flood.second(0).is_some_and(|told| told.starts_with("8 lines more")));
        assert_eq!(flood.second(0), None);
        (0..60).for_each(|_| drop(flood.second(0)));
        assert!(flood.budgets.is_empty());
        assert_eq!(admitted(&mut flood, 100, again), 32);
    }

    /// Refused logins by names that were made up, thousands a second, and nobody read what became of the units.
    #[test]
    fn a_machine_that_says_something_new_each_time_leaves_place_for_the_others() {
        let mut flood = Flood::default();
        let invented = |number: u32| format!("[::ffff:192.0.2.7]:9: login of iqn.x:{number} refused");
        assert_eq!(admitted(&mut flood, 100_000, invented), 512);
        assert!(flood.admits("192.0.2.8:9: login of iqn.x:1 refused"));
        assert!(flood.second(0).is_some_and(|told| told.ends_with("; most were of 192.0.2.7")));
        assert_eq!(admitted(&mut flood, 100_000, invented), 10);
    }

    /// They have no address in them, and counted as the array's own.
    #[test]
    fn an_initiator_that_resets_and_preempts_leaves_place_for_what_the_array_says_itself() {
        let mut flood = Flood::default();
        let acts = |number: u32| match number % 2 {
            0 => format!("iqn.2026-11.example:a resets unit {number}"),
            _ => format!("unit {number}: iqn.2026-11.example:a preempted iqn.2026-11.example:b"),
        };
        assert_eq!(admitted(&mut flood, 50_000, acts), 512);
        assert!(flood.second(0).is_some_and(|told| told.ends_with("; most were of iqn.2026-11.example:a")));
        assert!(flood.admits("iqn.2026-11.example:b resets the target"));
        assert_eq!(admitted(&mut flood, 1000, |number| format!("unit {number} (/iqn.x) is served")), 1000);
    }

    #[test]
    fn all_that_comes_from_outside_leaves_place_for_what_the_array_says_itself() {
        let mut flood = Flood::default();
        let of_many = |number: u32| format!("10.{}.{}.1:9: {number}", number >> 8, number & 255);
        assert_eq!(admitted(&mut flood, 50_000, of_many), 4096);
        assert!(flood.budgets.len() <= KNOWN_MAX + 1);
        assert_eq!(admitted(&mut flood, 1000, |number| format!("unit {number} is served")), 1000);
    }
}
