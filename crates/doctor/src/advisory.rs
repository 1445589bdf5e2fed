//! Advisories: published faults of hardware, firmware and drivers, as data (`data/advisories.tsv`).

use crate::error::DoctorError;
use crate::fact::Component;

/// The advisories that come with the doctor, one a line, fields parted by tabs.
const SHIPPED: &str = include_str!("../data/advisories.tsv");

/// A published fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advisory<'a> {
    /// What a device's name starts with, or `-`.
    pub device: &'a str,
    /// The component whose version counts, as `lpfc` or `nc553i firmware`, or `-`.
    pub component: &'a str,
    /// Versions below this one are affected, or `-`.
    pub below: &'a str,
    /// The product, for people.
    pub product: &'a str,
    /// What is wrong.
    pub fault: &'a str,
    /// Which versions, for people.
    pub range: &'a str,
    /// What helps.
    pub remedy: &'a str,
    /// Who says so.
    pub source: &'a str,
}

/// How an advisory was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// By a version in its range.
    Version,
    /// By the family of the device alone.
    Family,
}

/// All advisories that are known.
#[derive(Clone, Debug)]
pub struct Advisories {
    texts: Vec<String>,
}

impl Default for Advisories {
    fn default() -> Advisories {
        Advisories { texts: vec![SHIPPED.to_owned()] }
    }
}

impl Advisories {
    /// Adds those of a file that a user wrote; they come before the shipped ones.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn add(&mut self, text: &str) -> Result<(), DoctorError> {
        let what = "an advisory has eight fields, parted by tabs";
        parse(text).map_err(|line| DoctorError::Advisory { line, what })?;
        self.texts.insert(0, text.to_owned());
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = Advisory<'_>> {
        self.texts.iter().flat_map(|text| parse(text).unwrap_or_default())
    }

    /// The advisory that a component's version meets.
    #[must_use]
    pub fn of_component(&self, component: &Component) -> Option<(Advisory<'_>, Match)> {
        let meets = |advisory: &Advisory<'_>| {
            advisory.component != "-"
                && component.name.as_ref() == advisory.component
                && advisory.below != "-"
                && is_below(&component.version, advisory.below)
        };
        self.all().find(meets).map(|advisory| (advisory, Match::Version))
    }

    /// The advisory for the family of a device.
    #[must_use]
    pub fn of_device(&self, device: &str) -> Option<(Advisory<'_>, Match)> {
        let meets = |advisory: &Advisory<'_>| advisory.device != "-" && device.starts_with(advisory.device);
        self.all().find(meets).map(|advisory| (advisory, Match::Family))
    }
}

/// Reads advisories: eight fields a line, parted by tabs; lines that begin with `#` are for people.
///
/// # Errors
/// The line, from 1, that does not have them.
pub fn parse(text: &str) -> Result<Vec<Advisory<'_>>, usize> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [device, component, below, product, fault, range, remedy, source] = fields[..] else {
                return Err(index + 1);
            };
            Ok(Advisory { device, component, below, product, fault, range, remedy, source })
        })
        .collect()
}

/// Whether one version is older than another: numbers are compared as numbers, part by part.
fn is_below(version: &str, limit: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
        numbers.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
    };
    let version = parts(version);
    !version.is_empty() && version < parts(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_advisories_can_be_read_and_name_their_sources() {
        let advisories = parse(SHIPPED).unwrap();
        assert!(advisories.len() >= 4);
        for advisory in advisories {
            assert!(!advisory.source.is_empty() && advisory.remedy.len() > 5, "{advisory:?}");
            assert!(advisory.device != "-" || advisory.component != "-", "{advisory:?} can never be met");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_below("10.0.10.1", "10.2.455.0") && !is_below("10.2.455.0", "10.2.455.0"));
        assert!(is_below("4.0.493.0", "4.1.402.20") && !is_below("", "1"));
    }

    #[test]
    fn a_line_that_lacks_a_field_is_named() {
        assert_eq!(parse("# x\na\tb\n").unwrap_err(), 2);
    }
}
