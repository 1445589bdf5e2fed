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

impl Advisory<'_> {
    /// Why no log can ever meet it; `None` where one can.
    fn flaw(&self) -> Option<&'static str> {
        let none = |field: &str| field == "-" || field.is_empty();
        if !none(self.below) && !is_version(self.below) {
            return Some("the third field is no version, as `10.2.455.0`, nor `-`: nothing is below it");
        }
        if none(self.component) != none(self.below) {
            return Some(
                "a component (second field) and the version that it must be below (third field) go together",
            );
        }
        (none(self.device) && none(self.component))
            .then_some("neither a device nor a component is named: no log can meet it")
    }
}

/// Whether a text is a version: a number first, and no blank in it.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix(['v', 'V']).unwrap_or(text);
    number.starts_with(|letter: char| letter.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+()".contains(&byte))
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
    /// The first line that is none, or that nothing could ever meet.
    pub fn add(&mut self, text: &str) -> Result<(), DoctorError> {
        parse(text).map_err(|Unread { line, what }| DoctorError::Advisory { line, what })?;
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

/// A line that is no advisory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads advisories: eight fields a line, parted by tabs; lines that begin with `#` are for people.
///
/// # Errors
/// The first line that does not have them, or that no log could ever meet: silence would be taken for a fault that is not there.
pub fn parse(text: &str) -> Result<Vec<Advisory<'_>>, Unread> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [device, component, below, product, fault, range, remedy, source] = fields[..] else {
                let what = "an advisory has eight fields, parted by tabs";
                return Err(Unread { line: index + 1, what });
            };
            let advisory = Advisory { device, component, below, product, fault, range, remedy, source };
            match advisory.flaw() {
                Some(what) => Err(Unread { line: index + 1, what }),
                None => Ok(advisory),
            }
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
        assert_eq!(parse("# x\na\tb\n").unwrap_err().line, 2);
    }

    #[test]
    fn a_line_that_no_log_could_meet_is_refused_with_its_number_and_reason() {
        let row = |three: &str| format!("# mine\n{three}\tX 1\tf\tbelow\tupdate\thttps://x\n");
        let cases = [
            ("naa.60060160\tlpfc\tnext", "no version"),
            ("naa.60060160\tlpfc\tbelow 14.2", "no version"),
            ("naa.60060160\tlpfc\t-", "go together"),
            ("-\t-\t14.2", "go together"),
            ("-\t-\t-", "no log can meet it"),
        ];
        for (three, why) in cases {
            let error = Advisories::default().add(&row(three)).unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains(why), "{three}: {error}");
        }
        for three in ["-\tlpfc\t14.2.0.0", "naa.6\t-\t-", "naa.6\tlpfc\tv3.0(2h)", "-\tesxi\t8.0-u2b"] {
            assert_eq!(parse(&row(three)).unwrap().len(), 1, "{three}");
        }
    }
}
