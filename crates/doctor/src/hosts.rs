//! Hosts by their names: `esx1` in its own log is `esx1.corp.example` in the log server's copy, and `ESX1` on a ticket.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::digest::Seeded;
use crate::fact::Fact;
use crate::names::{Name, Names};
use crate::prefix;

/// The hosts that were named, by the first label of their names.
#[derive(Debug, Default)]
pub struct Hosts {
    of_label: HashMap<Box<str>, Vec<Known>, Seeded>,
}

/// A host: its domain, once a line told it, and the name that it is called by.
#[derive(Debug)]
struct Known {
    domain: Option<Box<str>>,
    name: Name,
    /// Whether a line called it by its label alone.
    in_short: bool,
}

/// Hosts of one label in so many domains are told apart.
const DOMAINS_MAX: usize = 64;

impl Hosts {
    /// The host of that name: the same for its short and its full form, however it is spelt. Two domains are two hosts.
    pub fn host(&mut self, names: &mut Names, text: &str) -> Name {
        // Nearly all names are spelt alike each time.
        let lower = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            std::borrow::Cow::Owned(text.to_ascii_lowercase())
        } else {
            std::borrow::Cow::Borrowed(text)
        };
        let is_address = lower.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let (label, domain) = match lower.split_once('.') {
            Some((label, domain)) if !is_address && !label.is_empty() => (label, Some(domain)),
            _ => (&*lower, None),
        };
        let known = match self.of_label.get_mut(label) {
            Some(known) => known,
            None => self.of_label.entry(label.into()).or_default(),
        };
        let fits = |host: &&mut Known| match (&host.domain, domain) {
            (Some(known), Some(domain)) => **known == *domain,
            (None, _) | (_, None) => true,
        };
        if let Some(host) = known.iter_mut().find(fits) {
            host.domain = host.domain.take().or_else(|| domain.map(Into::into));
            host.in_short |= domain.is_none();
            return host.name;
        }
        let name = names.name(text);
        if known.len() < DOMAINS_MAX {
            known.push(Known { domain: domain.map(Into::into), name, in_short: domain.is_none() });
        }
        name
    }

    /// Parts what must be parted once all was read: where hosts of two domains have one label, the label alone may be either of them, or a
    /// third, and is a host of its own. Which form a line has, the line itself tells; `input_host` is what the place of its input tells.
    pub fn settle<'a>(
        &self,
        names: &mut Names,
        facts: &mut [Fact],
        input_host: impl Fn(&Fact) -> Option<&'a str>,
    ) {
        let mut parted: HashMap<Name, (Name, Name)> = HashMap::new();
        for (label, known) in self.of_label.iter().filter(|(_, known)| known.len() > 1) {
            for host in known.iter().filter(|host| host.in_short) {
                let Some(domain) = &host.domain else { continue };
                let full = names.name(&format!("{label}.{domain}"));
                parted.insert(host.name, (full, names.name(label)));
            }
        }
        if parted.is_empty() {
            return;
        }
        for fact in facts {
            let Some(&(full, short)) = fact.host.and_then(|host| parted.get(&host)) else { continue };
            let written = prefix::split(&fact.text).host.or_else(|| input_host(fact));
            let in_full = written.is_some_and(|written| written.eq_ignore_ascii_case(names.text(full)));
            fact.host = Some(if in_full { full } else { short });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_in_its_short_and_its_full_form_and_two_domains_are_two() {
        let (mut hosts, mut names) = (Hosts::default(), Names::default());
        let short = hosts.host(&mut names, "esx1");
        assert_eq!(hosts.host(&mut names, "esx1.corp.example"), short);
        assert_eq!(hosts.host(&mut names, "ESX1"), short);
        assert_eq!(names.text(short), "esx1", "it is called as it was first");
        assert_ne!(hosts.host(&mut names, "esx1.lab.example"), short);
        assert_ne!(hosts.host(&mut names, "esx10"), short);
        let address = hosts.host(&mut names, "10.0.0.7");
        assert_ne!(hosts.host(&mut names, "10.0.0.8"), address);
    }

    #[test]
    fn a_label_that_two_domains_have_is_neither_of_the_two() {
        let late = "vmkernel: cpu3:2097)ScsiDeviceIO: 4176: Cmd(0x45) 0x89, CmdSN 0x13 from world 20 to dev \"naa.60b1\" failed H:0x5 D:0x0 P:0x0\n";
        let unequal = late.replace("H:0x5 D:0x0 P:0x0", "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.");
        let judge = |third: &str| {
            let mut doctor = crate::Doctor::new();
            let lines = [
                format!("2024-06-01T02:00:00.000Z h1.sitea.example {late}"),
                format!("2024-06-01T02:00:09.000Z h1 {unequal}"),
                format!("2024-06-01T09:00:00.000Z {third} {late}"),
            ];
            for (number, line) in lines.iter().enumerate() {
                doctor.read(&format!("{number}.log"), &mut line.as_bytes(), &mut |_| {});
            }
            doctor.judge().incidents.iter().map(|finding| finding.cause.clone()).collect::<Vec<_>>()
        };
        assert!(judge("h1.siteb.example").iter().all(|cause| cause != "delayed-own-write"));
        assert!(
            judge("h2.siteb.example").iter().any(|cause| cause == "delayed-own-write"),
            "of one domain it is short"
        );
    }
}
