//! Hosts by their names: `esx1` in its own log is `esx1.corp.example` in the log server's copy, and `ESX1` on a ticket.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::digest::Seeded;
use crate::names::{Name, Names};

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
            return host.name;
        }
        let name = names.name(text);
        if known.len() < DOMAINS_MAX {
            known.push(Known { domain: domain.map(Into::into), name });
        }
        name
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
}
