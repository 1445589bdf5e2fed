//! Names of hosts, devices, paths and volumes, each kept once and passed around as a number.

use std::collections::HashMap;

use crate::bounds::{NAME_BYTES_MAX, NAMES_MAX};

/// A name that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

/// Every name that was seen.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    index: HashMap<Box<str>, Name>,
}

impl Names {
    /// The number of a name. Beyond [`NAMES_MAX`] all names share one, so that hostile logs cannot fill the memory.
    pub fn name(&mut self, text: &str) -> Name {
        let text = crate::text::cut(text, NAME_BYTES_MAX);
        if let Some(&name) = self.index.get(text) {
            return name;
        }
        let text = if self.texts.len() < NAMES_MAX { text } else { "(one of too many names)" };
        if let Some(&name) = self.index.get(text) {
            return name;
        }
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.into());
        self.index.insert(text.into(), name);
        name
    }

    /// The text of every name.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// The text of a name.
    #[must_use]
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_their_number_is_bounded() {
        let mut names = Names::default();
        let first = names.name("naa.6000");
        assert_eq!(names.name("naa.6000"), first);
        assert_eq!(names.text(first), "naa.6000");
        for number in 0..NAMES_MAX + 10 {
            names.name(&format!("n{number}"));
        }
        assert!(names.texts.len() <= NAMES_MAX + 1);
        let late = names.name("a late one");
        assert_eq!(names.text(late), "(one of too many names)");
    }
}
