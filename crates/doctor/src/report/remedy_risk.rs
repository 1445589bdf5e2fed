//! What it costs to follow a remedy, so that nobody does at night what needs a maintenance window or cannot be undone.
//!
//! Remedies are sentences, of the catalogue and of people's own advisories, so their risk is read from their words; what
//! no word tells is taken for a change of a setting, never for harmless.

/// What following a remedy may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemedyRisk {
    /// It only looks.
    Looks,
    /// It changes how things are set.
    Changes,
    /// Something goes away for a while.
    Interrupts,
    /// It overwrites or lets go of what may be needed.
    Final,
}

/// Words that tell of a risk, in lower case; the first row that fits counts.
const WORDS: [(RemedyRisk, &[&str]); 3] = [
    (
        RemedyRisk::Final,
        &[
            "repair",
            "restore",
            "signature",
            "clear the",
            "release what",
            "accept-rollback",
            "configatsonly",
            "overwrite",
        ],
    ),
    (
        RemedyRisk::Interrupts,
        &[
            "stop",
            "firmware",
            "driver",
            "version",
            "esxi",
            "update",
            "upgrade",
            "replace",
            "start the host",
            "off the fabric",
        ],
    ),
    (RemedyRisk::Changes, &["take", "throttle", "spread", "switch"]),
];

/// How remedies begin that only look.
const LOOKS: [&str; 7] =
    ["look ", "collect ", "measure ", "find why", "read the array", "read the record", "read the block"];

impl RemedyRisk {
    /// The risk of a remedy.
    #[must_use]
    pub fn of(remedy: &str) -> RemedyRisk {
        let text = remedy.to_lowercase();
        if LOOKS.iter().any(|beginning| text.starts_with(beginning)) {
            return RemedyRisk::Looks;
        }
        let fits = |words: &[&str]| words.iter().any(|word| text.contains(word));
        WORDS.iter().find(|(_, words)| fits(words)).map_or(RemedyRisk::Changes, |(risk, _)| *risk)
    }

    /// In a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            RemedyRisk::Looks => "Changes nothing.",
            RemedyRisk::Changes => "Changes a setting: note the old value, and do the same on every host.",
            RemedyRisk::Interrupts => {
                "Needs a maintenance window: a path, a host or a part of the array goes away for a while."
            }
            RemedyRisk::Final => {
                "Cannot be undone: dump what is there first, and be sure that no host uses it."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_causes::Cause;

    #[test]
    fn what_overwrites_or_lets_go_is_never_called_harmless() {
        let cases = [
            ("Prove the owner dead first. Then clear the reservation.", RemedyRisk::Final),
            ("Then restore the record from its copy with `oarlock check --repair`.", RemedyRisk::Final),
            (
                "Bring firmware and driver, as one pair, to the versions of the matrix.",
                RemedyRisk::Interrupts,
            ),
            ("Look at the array's own logs.", RemedyRisk::Looks),
            ("Raise the queue depth.", RemedyRisk::Changes),
            ("", RemedyRisk::Changes),
        ];
        for (remedy, risk) in cases {
            assert_eq!(RemedyRisk::of(remedy), risk, "{remedy}");
        }
    }

    #[test]
    fn no_remedy_of_the_catalogue_that_acts_is_said_to_only_look() {
        const ACTS: [&str; 6] = ["repair", "restore", "replace", "clear", "update", "stop"];
        for remedy in Cause::ALL.iter().flat_map(|cause| cause.entry().remedy) {
            let first = remedy.text.split(' ').next().unwrap_or("").to_lowercase();
            if ACTS.contains(&first.as_str()) {
                assert!(RemedyRisk::of(remedy.text) >= RemedyRisk::Interrupts, "{}", remedy.text);
            }
        }
    }
}
