//! The intake: looks at the first bytes of an input, peels off what it is wrapped in, and hands the lines on.

use std::io::{self, Read};

use super::archive::{self, BLOCK_BYTES, Member};
use super::guarded::{BOMB, Bounded, Counted};
use super::gunzip::Gunzip;
use super::lines;
use super::utf16::Utf16;
use super::wrapping::{self, Wrapping};
use crate::bounds::{NESTING_MAX, ZEROS_BYTES_MAX};
use crate::dialect::Dialects;
use crate::error::DoctorError;
use crate::ledger::Ledger;
use crate::passed::Passed;
use crate::sieve::{Hit, Sieve};

/// Told how many bytes of the outermost input were read since the last call.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// All that reading needs, for any number of inputs one after another.
#[derive(Debug)]
pub struct Intake {
    pub(super) dialects: Dialects,
    pub(super) sieve: &'static Sieve,
    pub(super) buffer: Vec<u8>,
    /// What the sieve found in the chunk that is being read.
    pub(super) hits: Vec<Hit>,
    /// What it found in a line that was made plain.
    pub(super) line_hits: Vec<Hit>,
    /// The key words of the line that is being read.
    pub(super) words: Vec<&'static str>,
}

impl Intake {
    /// An intake that knows every dialect. `None` never happens; a test holds it.
    #[must_use]
    pub fn new() -> Option<Intake> {
        Some(Intake {
            dialects: Dialects::all(),
            sieve: Sieve::of_all()?,
            buffer: Vec::new(),
            hits: Vec::new(),
            line_hits: Vec::new(),
            words: Vec::new(),
        })
    }

    /// Reads an input to its end, whatever it is wrapped in.
    ///
    /// # Errors
    /// Where it cannot be read to its end. What was read until then is in the ledger.
    pub fn read(
        &mut self,
        name: &str,
        input: &mut dyn Read,
        ledger: &mut Ledger,
        progress: Progress<'_>,
    ) -> Result<(), DoctorError> {
        let mut watched = Watched { inner: input, progress };
        self.peel(name, &mut watched, ledger, 0)
    }

    fn peel(
        &mut self,
        name: &str,
        input: &mut dyn Read,
        ledger: &mut Ledger,
        depth: usize,
    ) -> Result<(), DoctorError> {
        if depth > NESTING_MAX {
            return Err(DoctorError::Nested { input: name.to_owned() });
        }
        let mut head = [0; BLOCK_BYTES];
        let (known, failure) = archive::fill_until_error(input, &mut head);
        if let Some(source) = failure {
            if known == 0 {
                return Err(DoctorError::Read { input: name.to_owned(), source });
            }
            // What came before the failure is read, and then meets it.
            let head = &head[..known];
            let mut whole = head.chain(Failing(Some(source)));
            return self.unwrap(name, head, &mut whole, ledger, depth);
        }
        let head = &head[..known];
        self.unwrap(name, head, &mut head.chain(input), ledger, depth)
    }

    /// Reads an input whose beginning is known.
    fn unwrap(
        &mut self,
        name: &str,
        head: &[u8],
        whole: &mut dyn Read,
        ledger: &mut Ledger,
        depth: usize,
    ) -> Result<(), DoctorError> {
        match wrapping::of(head) {
            Wrapping::Gzip => self.unpack(name, whole, ledger, depth),
            Wrapping::Tar => self.members(name, whole, ledger, depth),
            Wrapping::Wide(order) => self.lines(name, &mut Utf16::new(whole, order), ledger),
            Wrapping::Closed(what, cure) => Err(DoctorError::Closed { input: name.to_owned(), what, cure }),
            Wrapping::Zeros => self.behind_zeros(name, whole, ledger, depth),
            Wrapping::Binary => {
                ledger.pass_over(Passed::Binary, name);
                Ok(())
            }
            Wrapping::Text => self.lines(name, whole, ledger),
        }
    }

    /// A log that a crash cut off begins with, or is, zero bytes: the file system had made room, and not written yet.
    fn behind_zeros(
        &mut self,
        name: &str,
        input: &mut dyn Read,
        ledger: &mut Ledger,
        depth: usize,
    ) -> Result<(), DoctorError> {
        let failed = |source| DoctorError::Read { input: name.to_owned(), source };
        let mut block = [0; BLOCK_BYTES];
        let mut passed = 0;
        while passed < ZEROS_BYTES_MAX {
            let known = archive::fill(input, &mut block).map_err(failed)?;
            if let Some(begin) = block[..known].iter().position(|&byte| byte != 0) {
                let mut rest = block[begin..known].chain(input);
                return self.peel(name, &mut rest, ledger, depth + 1);
            }
            if known < block.len() {
                break;
            }
            passed += known as u64;
        }
        Err(DoctorError::Zeros { input: name.to_owned() })
    }

    /// One damaged or refused member says nothing of its neighbours; damage of the archive itself meets the walk too.
    fn members(
        &mut self,
        name: &str,
        input: &mut dyn Read,
        ledger: &mut Ledger,
        depth: usize,
    ) -> Result<(), DoctorError> {
        archive::walk(name, input, &mut |member| {
            let ended = match member {
                Member::File(member, body) => {
                    self.peel(&format!("{name}!{}", shown(member)), body, ledger, depth + 1)
                }
                Member::Refused(member, why) => {
                    Err(DoctorError::Refused { archive: name.to_owned(), member: shown(member), why })
                }
                Member::Other(what, member) => {
                    ledger.pass_over(what, &format!("{name}!{}", shown(member)));
                    Ok(())
                }
            };
            if let Err(error) = ended {
                ledger.problem(&error);
            }
        })
    }

    fn unpack(
        &mut self,
        name: &str,
        input: &mut dyn Read,
        ledger: &mut Ledger,
        depth: usize,
    ) -> Result<(), DoctorError> {
        let (counted, packed) = Counted::new(input);
        let buffered = io::BufReader::with_capacity(64 << 10, counted);
        let unpacked = Gunzip::new(buffered);
        let mut bounded = Bounded::new(unpacked, std::rc::Rc::clone(&packed));
        self.peel(name, &mut bounded, ledger, depth + 1).map_err(|error| match error {
            DoctorError::Read { input, source } if source.to_string() == BOMB => {
                DoctorError::Bomb { input, packed_bytes: packed.get(), unpacked_bytes: bounded.unpacked() }
            }
            other => other,
        })
    }

    fn lines(&mut self, name: &str, input: &mut dyn Read, ledger: &mut Ledger) -> Result<(), DoctorError> {
        lines::read(self, name, input, ledger)
            .map_err(|source| DoctorError::Read { input: name.to_owned(), source })
    }
}

/// A name as people may be shown it: a stranger wrote it, and signs that steer a terminal are signs no more.
fn shown(name: &str) -> String {
    name.chars().map(|sign| if sign.is_control() { char::REPLACEMENT_CHARACTER } else { sign }).collect()
}

/// A reader that fails, once.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

struct Watched<'a, 'p> {
    inner: &'a mut dyn Read,
    progress: Progress<'p>,
}

impl Read for Watched<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}
