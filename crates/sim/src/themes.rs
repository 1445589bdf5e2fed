//! Themes by name, for whoever asks for the seeds of one.

use std::ops::Range;

use crate::Theme;

/// The themes of so many seeds in a row are those of the next as many.
const ROUND: u64 = 20;

impl Theme {
    /// Every theme.
    pub const ALL: [Theme; 17] = [
        Theme::Ordinary,
        Theme::Stalls,
        Theme::Frozen,
        Theme::StaleReads,
        Theme::Rollback,
        Theme::Rot,
        Theme::Twins,
        Theme::Crowded,
        Theme::Sticky,
        Theme::Restless,
        Theme::Tight,
        Theme::Power,
        Theme::Growing,
        Theme::Queued,
        Theme::Evicted,
        Theme::Names,
        Theme::Disks,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Theme::Ordinary => "ordinary",
            Theme::Stalls => "stalls",
            Theme::Frozen => "frozen",
            Theme::StaleReads => "stale-reads",
            Theme::Rollback => "rollback",
            Theme::Rot => "rot",
            Theme::Twins => "twins",
            Theme::Crowded => "crowded",
            Theme::Sticky => "sticky",
            Theme::Restless => "restless",
            Theme::Tight => "tight",
            Theme::Power => "power",
            Theme::Growing => "growing",
            Theme::Queued => "queued",
            Theme::Evicted => "evicted",
            Theme::Names => "names",
            Theme::Disks => "disks",
        }
    }

    /// The theme that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// How many of those seeds are about this.
    #[must_use]
    pub fn seeds_in(self, seeds: Range<u64>) -> u64 {
        let before = |end: u64, place: u64| end / ROUND + u64::from(place < end % ROUND);
        let places = (0..ROUND).filter(|place| Theme::of(*place) == self);
        places.map(|place| before(seeds.end, place).saturating_sub(before(seeds.start, place))).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_seeds_of_a_theme_are_counted_without_being_looked_at() {
        for theme in Theme::ALL {
            for seeds in [0..1, 3..5, 4..45, 17..60, 19..21, 7..7] {
                let count = seeds.clone().filter(|seed| Theme::of(*seed) == theme).count() as u64;
                assert_eq!(theme.seeds_in(seeds.clone()), count, "{theme:?} in {seeds:?}");
            }
        }
        assert_eq!(Theme::Disks.seeds_in(0..u64::MAX), u64::MAX / 20 + 1);
    }

    #[test]
    fn twenty_seeds_in_a_row_have_every_theme_and_each_is_found_by_its_name() {
        let themes: BTreeSet<Theme> = (0..ROUND).map(Theme::of).collect();
        assert_eq!(themes, BTreeSet::from(Theme::ALL));
        for theme in Theme::ALL {
            assert_eq!(Theme::named(theme.name()), Some(theme));
        }
        assert_eq!(Theme::named("Disks"), None);
    }
}
