//! Redaction: hides names and ids in a report, each behind one stand-in wherever it occurs, so that the report can be
//! shared and still be followed.

use std::collections::BTreeMap;

use crate::finding::{Finding, Report};

/// Names that were replaced, with their stand-ins.
#[derive(Debug, Default)]
struct Redactor {
    known: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

/// The report without names of hosts, devices, volumes and files, without ids, addresses and port names.
#[must_use]
pub fn redact(mut report: Report) -> Report {
    let mut redactor = Redactor::default();
    for finding in &report.incidents {
        finding.hosts.iter().for_each(|host| redactor.learn("host", host));
        finding.devices.iter().for_each(|device| redactor.learn("device", device));
        finding.volume.iter().for_each(|volume| redactor.learn("volume", volume));
        finding.evidence.iter().for_each(|evidence| redactor.learn("file", &evidence.file));
    }
    report.strangers.iter().for_each(|stranger| redactor.learn("file", &stranger.file));
    for finding in &mut report.incidents {
        redactor.finding(finding);
    }
    for stranger in &mut report.strangers {
        stranger.file = redactor.text(&stranger.file);
        stranger.text = redactor.text(&stranger.text);
    }
    for offset in &mut report.clock_offsets {
        offset.host = redactor.text(&offset.host);
    }
    for problem in &mut report.problems {
        *problem = redactor.text(problem);
    }
    report
}

impl Redactor {
    fn learn(&mut self, kind: &'static str, name: &str) {
        if !name.is_empty() && !self.known.contains_key(name) {
            let count = self.counts.entry(kind).or_default();
            *count += 1;
            self.known.insert(name.to_owned(), format!("{kind}-{count}"));
        }
    }

    fn finding(&mut self, finding: &mut Finding) {
        let lists = [&mut finding.hosts, &mut finding.devices, &mut finding.collect_next];
        for text in lists.into_iter().flatten() {
            *text = self.text(text);
        }
        for text in [&mut finding.device, &mut finding.volume].into_iter().flatten() {
            *text = self.text(text);
        }
        finding.because = self.text(&finding.because);
        for other in &mut finding.considered {
            other.why = self.text(&other.why);
        }
        for evidence in &mut finding.evidence {
            evidence.file = self.text(&evidence.file);
            evidence.text = self.text(&evidence.text);
            evidence.host = evidence.host.as_ref().map(|host| self.text(host));
        }
    }

    /// A text with every known name, and every word that looks like an id, replaced.
    fn text(&mut self, text: &str) -> String {
        let mut names: Vec<(String, String)> = self
            .known
            .iter()
            .filter(|(name, _)| name.len() >= 2)
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect();
        // The longest first: one name may be a part of another.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let mut text = text.to_owned();
        for (name, stand_in) in names {
            text = replace_words(&text, &name, &stand_in);
        }
        self.ids(&text)
    }

    fn ids(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        for letter in text.chars().chain([' ']) {
            if letter.is_alphanumeric() || "._-:".contains(letter) {
                word.push(letter);
                continue;
            }
            if !word.is_empty() {
                out.push_str(&self.word(&word));
                word.clear();
            }
            out.push(letter);
        }
        out.pop();
        out
    }

    fn word(&mut self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':', '-']);
        let Some(kind) = kind_of(bare) else { return word.to_owned() };
        self.learn(kind, bare);
        let stand_in = self.known.get(bare).cloned().unwrap_or_default();
        format!("{stand_in}{}", &word[bare.len()..])
    }
}

/// What a word is by its shape, where that tells who somebody is.
fn kind_of(word: &str) -> Option<&'static str> {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let starts = ["naa.", "eui.", "t10.", "mpx.", "sym.", "nqn.", "iqn."];
    if starts.iter().any(|start| word.starts_with(start)) {
        return Some("device");
    }
    let parts: Vec<&str> = word.split('-').collect();
    let uuid = [8, 8, 4, 12].iter().zip(&parts).all(|(&length, part)| part.len() == length && hex(part));
    if parts.len() == 4 && uuid {
        return Some("id");
    }
    let octets: Vec<&str> = word.split('.').collect();
    if octets.len() == 4 && octets.iter().all(|octet| octet.parse::<u8>().is_ok()) {
        return Some("address");
    }
    let pairs: Vec<&str> = word.split(':').collect();
    if matches!(pairs.len(), 6 | 8) && pairs.iter().all(|pair| pair.len() == 2 && hex(pair)) {
        return Some("port");
    }
    (word.len() == 16 && hex(word) && word.bytes().any(|byte| byte.is_ascii_digit())).then_some("port")
}

/// Replaces a name where it stands as a word of its own.
fn replace_words(text: &str, name: &str, stand_in: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let word =
            |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        let end = at + name.len();
        let inside = word(rest[..at].chars().next_back()) || word(rest[end..].chars().next());
        out.push_str(&rest[..at]);
        out.push_str(if inside { name } else { stand_in });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_stand_in_and_ids_are_found_by_their_shape() {
        let mut redactor = Redactor::default();
        redactor.learn("host", "esx01");
        redactor.learn("device", "naa.6001");
        let text = redactor.text(
            "esx01 naa.6001 esx012 10.1.2.3 uuid 50a3da5a-a3b687f2-9b6a-842b2b0c3b60, naa.6001: 10.1.2.3.",
        );
        assert_eq!(text, "host-1 device-1 esx012 address-1 uuid id-1, device-1: address-1.");
    }
}
