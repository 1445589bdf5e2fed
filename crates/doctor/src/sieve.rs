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
/// Cells of one state, one for each class of bytes: a power of two, so that a step is a shift.
const STRIDE_BITS: u32 = 7;
/// States that the table has room for: a power of two, so that no step can leave it, and none need be checked for that.
const STATES_MAX: usize = 1 << 14;
const CELLS: usize = STATES_MAX << STRIDE_BITS;

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

/// A key word, and the set of dialects that it belongs to, one bit each.
type Known = (&'static str, u64);

/// The search, and what each key word leads to. The automaton is laid out anew: two bytes a step, half of what its maker has, so that more of it stays in the
/// processor's cache.
#[derive(Debug)]
pub struct Sieve {
    /// The state behind each state and class of bytes.
    next: Box<[u16; CELLS]>,
    /// The class of each byte: those of no key word are one.
    classes: [u8; 256],
    /// States in which words end have the highest numbers, from this one on.
    first_match: u16,
    /// The words that end in each of those.
    ends: Vec<Vec<Known>>,
}

impl Sieve {
    /// The sieve of all dialects. `None` never happens; a test holds it.
    #[must_use]
    pub fn of_all() -> Option<&'static Sieve> {
        SIEVE.as_ref()
    }

    /// The sieve of those dialects. `None` never happens for the words of this crate; a test holds it.
    fn new(dialects: &Dialects) -> Option<Sieve> {
        let mut words: Vec<Known> = Vec::new();
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
        let (classes, bytes) = classes(&words)?;
        let states = states(&search, &bytes)?;
        let (plain, ending): (Vec<StateID>, Vec<StateID>) =
            states.into_iter().partition(|&state| !search.is_match(state));
        let ordered: Vec<StateID> = plain.iter().chain(&ending).copied().collect();
        let last = ordered.iter().map(|state| state.as_usize()).max()?;
        let mut numbers: Vec<u16> = vec![0; last + 1];
        for (&state, number) in ordered.iter().zip(0..) {
            numbers[state.as_usize()] = number;
        }
        let mut next: Box<[u16; CELLS]> = vec![0; CELLS].into_boxed_slice().try_into().ok()?;
        for (number, &state) in ordered.iter().enumerate() {
            for (class, &byte) in bytes.iter().enumerate() {
                let to = search.next_state(Anchored::No, state, byte);
                next[number << STRIDE_BITS | class] = *numbers.get(to.as_usize())?;
            }
        }
        let word = |state: StateID, index| words.get(search.match_pattern(state, index).as_usize()).copied();
        let ends = ending
            .iter()
            .map(|&state| (0..search.match_len(state)).filter_map(|index| word(state, index)).collect());
        Some(Sieve { next, classes, first_match: u16::try_from(plain.len()).ok()?, ends: ends.collect() })
    }

    /// Every key word of a text of whole lines, in their order; words within words too. `hits` is emptied first.
    pub fn search(&self, text: &[u8], hits: &mut Vec<Hit>) {
        hits.clear();
        let lanes = lanes(text);
        let common = lanes.iter().map(|(_, lane)| lane.len()).min().unwrap_or(0);
        let [a, b, c, d] = lanes.map(|(_, lane)| &lane[..common]);
        let mut states = [0; LANES];
        let mut found: [Vec<Hit>; LANES] = Default::default();
        for (at, (((&a, &b), &c), &d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
            for (lane, byte) in [a, b, c, d].into_iter().enumerate() {
                states[lane] = self.step(states[lane], byte);
                if states[lane] >= self.first_match {
                    self.note(states[lane], lanes[lane].0 + at, &mut found[lane]);
                }
            }
        }
        for ((&(from, lane), mut state), mut found) in lanes.iter().zip(states).zip(found) {
            for (at, &byte) in lane.iter().enumerate().skip(common) {
                state = self.step(state, byte);
                if state >= self.first_match {
                    self.note(state, from + at, &mut found);
                }
            }
            hits.append(&mut found);
        }
    }

    #[inline(always)]
    fn step(&self, state: u16, byte: u8) -> u16 {
        let cell = usize::from(state) << STRIDE_BITS | usize::from(self.classes[usize::from(byte)]);
        self.next[cell & (CELLS - 1)]
    }

    /// Notes the words that end where the search is.
    #[cold]
    fn note(&self, state: u16, at: usize, hits: &mut Vec<Hit>) {
        let ends = self.ends.get(usize::from(state - self.first_match)).into_iter().flatten();
        hits.extend(ends.map(|&(word, mask)| Hit { at, mask, word }));
    }
}

/// The class of each byte, and a byte of each class. `None` where the words have too many letters.
fn classes(words: &[Known]) -> Option<([u8; 256], Vec<u8>)> {
    let mut classes = [0; 256];
    // A byte of no word stands for all of them.
    let used = |byte: u8| words.iter().any(|(word, _)| memchr(byte, word.as_bytes()).is_some());
    let (letters, others): (Vec<u8>, Vec<u8>) = (0..=u8::MAX).partition(|&byte| used(byte));
    let bytes: Vec<u8> = others.first().copied().into_iter().chain(letters).collect();
    for (class, &byte) in bytes.iter().enumerate().skip(1) {
        classes[usize::from(byte)] = u8::try_from(class).ok()?;
    }
    (!others.is_empty() && bytes.len() <= 1 << STRIDE_BITS).then_some((classes, bytes))
}

/// The states that can be reached, the first one first. `None` where there are more than the table has room for.
fn states(search: &dfa::DFA, bytes: &[u8]) -> Option<Vec<StateID>> {
    let start = search.start_state(Anchored::No).ok()?;
    let mut states = vec![start];
    let mut seen = vec![false; start.as_usize() + 1];
    seen[start.as_usize()] = true;
    let mut at = 0;
    while let Some(&state) = states.get(at) {
        for &byte in bytes {
            let to = search.next_state(Anchored::No, state, byte);
            if to.as_usize() >= seen.len() {
                seen.resize(to.as_usize() + 1, false);
            }
            if !std::mem::replace(&mut seen[to.as_usize()], true) {
                states.push(to);
            }
        }
        at += 1;
    }
    (states.len() <= STATES_MAX).then_some(states)
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
