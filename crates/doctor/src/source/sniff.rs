//! The intake: looks at the first bytes of an input, peels off what it is wrapped in, and hands the lines on.

use std::io::{self, Read};

use super::archive::{self, BLOCK_BYTES};
use super::guarded::{BOMB, Bounded, Counted};
use super::lines;
use super::utf16::{Order, Utf16};
use crate::bounds::NESTING_MAX;
use crate::dialect::Dialects;
use crate::error::DoctorError;
use crate::ledger::Ledger;
use crate::sieve::Sieve;

/// Told how many bytes of the outermost input were read since the last call.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// All that reading needs, for any number of inputs one after another.
#[derive(Debug)]
pub struct Intake {
    pub(super) dialects: Dialects,
    pub(super) sieve: &'static Sieve,
    pub(super) buffer: Vec<u8>,
}

impl Intake {
    /// An intake that knows every dialect. `None` never happens; a test holds it.
    #[must_use]
    pub fn new() -> Option<Intake> {
        Some(Intake { dialects: Dialects::all(), sieve: Sieve::of_all()?, buffer: Vec::new() })
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
        let known = archive::fill(input, &mut head)
            .map_err(|source| DoctorError::Read { input: name.to_owned(), source })?;
        let head = &head[..known];
        let mut whole = head.chain(input);
        match head {
            [0x1f, 0x8b, 8, ..] => self.unpack(name, &mut whole, ledger, depth),
            _ if archive::is_header(head) => archive::walk(name, &mut whole, &mut |member, body| {
                self.peel(&format!("{name}!{member}"), body, ledger, depth + 1)
            }),
            [0xff, 0xfe, ..] => self.lines(name, &mut Utf16::new(whole, Order::Little), ledger),
            [0xfe, 0xff, ..] => self.lines(name, &mut Utf16::new(whole, Order::Big), ledger),
            // A core dump or an image in a bundle: nothing a person wrote.
            _ if is_binary(head) => Ok(()),
            _ => self.lines(name, &mut whole, ledger),
        }
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
        let unpacked = flate2::bufread::MultiGzDecoder::new(buffered);
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

/// Text has no zero bytes.
fn is_binary(head: &[u8]) -> bool {
    head.iter().filter(|&&byte| byte == 0).count() > head.len() / 16
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
