//! The sieve before every parser: one search for the key words of all dialects over a whole chunk. A line without one is
//! never looked at.

use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, dfa};
use memchr::memchr;

use crate::dialect::Dialects;

/// Each step of the search waits for the one before it, a load from memory. So a chunk is searched at several places at once,
/// by turns: while one waits, the others go on.
const LANES: usize = 4;

/// Built once: its table is larger than most logs.
static SIEVE: LazyLock<Option<Sieve>> = LazyLock::new(|| Sieve::new(&Dialects::all()));

/// A key word was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where its last byte stands.
    pub at: usize,
    /// The dialects that it leads to, one bit each.
    pub mask: u64,
    /// The word.
    pub word: &'static str,
}

/// The search, and what each key word leads to.
#[derive(Debug)]
pub struct Sieve {
    search: dfa::DFA,
    start: StateID,
    /// Each key word, and the set of dialects that it belongs to, one bit each.
    words: Vec<(&'static str, u64)>,
}

impl Sieve {
    /// The sieve of all dialects. `None` never happens; a test holds it.
    #[must_use]
    pub fn of_all() -> Option<&'static Sieve> {
        SIEVE.as_ref()
    }

    /// The sieve of those dialects. `None` never happens for the words of this crate; a test holds it.
    fn new(dialects: &Dialects) -> Option<Sieve> {
        let mut words: Vec<(&'static str, u64)> = Vec::new();
        for (bit, known) in dialects.key_words() {
            for word in known {
                match words.iter_mut().find(|(seen, _)| *seen == word) {
                    Some((_, mask)) => *mask |= bit,
                    None => words.push((word, bit)),
                }
            }
        }
        let spelt = words.iter().map(|(word, _)| word);
        let search =
            dfa::Builder::new().match_kind(MatchKind::Standard).prefilter(false).build(spelt).ok()?;
        let start = search.start_state(Anchored::No).ok()?;
        Some(Sieve { search, start, words })
    }

    /// Every key word of a text of whole lines, in their order; words within words too. `hits` is emptied first.
    pub fn search(&self, text: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        let lanes = lanes(text);
        let common = lanes.iter().map(|(_, lane)| lane.len()).min().unwrap_or(0);
        let [a, b, c, d] = lanes.map(|(_, lane)| &lane[..common]);
        let mut states = [self.start; LANES];
        let mut found: [Vec<Hit>; LANES] = Default::default();
        for (at, (((&a, &b), &c), &d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
            for (lane, byte) in [a, b, c, d].into_iter().enumerate() {
                states[lane] = self.search.next_state(Anchored::No, states[lane], byte);
                if self.search.is_special(states[lane]) {
                    self.note(states[lane], lanes[lane].0 + at, &mut found[lane]);
                }
            }
        }
        for ((&(from, lane), mut state), mut found) in lanes.iter().zip(states).zip(found) {
            for (at, &byte) in lane.iter().enumerate().skip(common) {
                state = self.search.next_state(Anchored::No, state, byte);
                if self.search.is_special(state) {
                    self.note(state, from + at, &mut found);
                }
            }
            hits.append(&mut found);
        }
    }

    /// Notes the words that end where the search is.
    #[cold]
    fn note(&self, state: StateID, at: usize, hits: &mut Vec<Hit>) {
        if !self.search.is_match(state) {
            return;
        }
        for index in 0..self.search.match_len(state) {
            let pattern = self.search.match_pattern(state, index);
            if let Some(&(word, mask)) = self.words.get(pattern.as_usize()) {
                hits.push(Hit { at, mask, word });
            }
        }
    }
}

/// Parts of about the same length that end behind lines, and where each begins: no word crosses the end of a line.
fn lanes(text: &[u8]) -> [(usize, &[u8]); LANES] {
    let mut from = 0;
    std::array::from_fn(|lane| {
        let about = (text.len() / LANES * (lane + 1)).max(from);
        let end = if lane + 1 == LANES { None } else { memchr(b'\n', &text[about..]) };
        let begin = std::mem::replace(&mut from, end.map_or(text.len(), |newline| about + newline + 1));
        (begin, &text[begin..from])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        Sieve::of_all().unwrap().search(text.as_bytes(), &mut hits);
        hits
    }

    #[test]
    fn every_word_leads_to_its_dialect_also_within_a_longer_one() {
        for (bit, words) in Dialects::all().key_words() {
            for word in words {
                assert!(!word.is_empty() && !word.contains('\n'), "{word:?} would be lost where a part ends");
                let mask = found(word).iter().fold(0, |mask, hit| mask | hit.mask);
                assert!(mask & bit != 0, "{word:?} does not lead to its dialect");
            }
        }
    }

    #[test]
    fn what_is_found_does_not_depend_on_where_the_parts_of_a_text_end() {
        let line = "2026-01-01T00:00:00Z x HBX: 2956: 'a': Lost access to volume b\n";
        let once: Vec<usize> = found(line).iter().map(|hit| hit.at).collect();
        assert!(!once.is_empty());
        for pad in 0..40 {
            let text = format!("{}\n{}", "y".repeat(pad * 7), line.repeat(pad + 1));
            let expected: Vec<usize> = (0..=pad)
                .flat_map(|number| once.iter().map(move |at| pad * 7 + 1 + number * line.len() + at))
                .collect();
            assert_eq!(found(&text).iter().map(|hit| hit.at).collect::<Vec<_>>(), expected, "{pad}");
        }
        assert_eq!(found(""), []);
    }
}
