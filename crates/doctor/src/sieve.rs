//! The sieve before every parser: one search for the key words of all dialects over a whole chunk. A line without one is
//! never looked at.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::dialect::Dialects;

/// Built once: its table is larger than most logs.
static SIEVE: LazyLock<Option<Sieve>> = LazyLock::new(|| Sieve::new(&Dialects::all()));

/// The search, and what each key word leads to.
#[derive(Debug)]
pub struct Sieve {
    search: AhoCorasick,
    /// The set of dialects that each key word belongs to, one bit each.
    masks: Vec<u64>,
}

impl Sieve {
    /// The sieve of all dialects. `None` never happens; a test holds it.
    #[must_use]
    pub fn of_all() -> Option<&'static Sieve> {
        SIEVE.as_ref()
    }

    /// The sieve of those dialects. `None` never happens for the words of this crate; a test holds it.
    fn new(dialects: &Dialects) -> Option<Sieve> {
        let mut words: Vec<&'static str> = Vec::new();
        let mut masks: Vec<u64> = Vec::new();
        for (bit, known) in dialects.key_words() {
            for word in known {
                match words.iter().position(|seen| *seen == word) {
                    Some(at) => masks[at] |= bit,
                    None => {
                        words.push(word);
                        masks.push(bit);
                    }
                }
            }
        }
        // The longest word is found, and stands for those within it too.
        let masks = words
            .iter()
            .map(|long| {
                let within = words.iter().zip(&masks).filter(|(word, _)| long.contains(**word));
                within.fold(0, |mask, (_, more)| mask | more)
            })
            .collect();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .ok()?;
        Some(Sieve { search, masks })
    }

    /// Where the first key word at or behind `from` begins, and the dialects that it leads to.
    #[must_use]
    pub fn next(&self, text: &[u8], from: usize) -> Option<(usize, u64)> {
        let found = self.search.find(aho_corasick::Input::new(text).range(from..))?;
        Some((found.start(), self.masks.get(found.pattern().as_usize()).copied().unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_within_a_longer_one_still_leads_to_its_dialect() {
        let dialects = Dialects::all();
        let sieve = Sieve::of_all().unwrap();
        for (bit, words) in dialects.key_words() {
            for word in words {
                let (at, mask) = sieve.next(word.as_bytes(), 0).unwrap();
                assert!(at == 0 && mask & bit != 0, "{word:?} does not lead to its dialect");
            }
        }
    }
}
