//! UTF-16, as Windows tools export logs: turned into UTF-8 on the way.

use std::io::{self, Read};

/// Which byte of a letter comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// FF FE
    Little,
    /// FE FF
    Big,
}

/// Bytes of UTF-16 that are turned at once.
const UNITS_BYTES: usize = 16 << 10;

/// A reader of UTF-8 over one of UTF-16; what is no letter becomes U+FFFD.
#[derive(Debug)]
pub(super) struct Utf16<R> {
    inner: R,
    order: Order,
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(inner: R, order: Order) -> Utf16<R> {
        Utf16 { inner, order, raw: Vec::new(), text: Vec::new(), given: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        let kept = self.raw.len();
        self.raw.resize(UNITS_BYTES, 0);
        let read = self.inner.read(&mut self.raw[kept..])?;
        self.raw.truncate(kept + read);
        let mut units: Vec<u16> = self
            .raw
            .chunks_exact(2)
            .map(|pair| match self.order {
                Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
                Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
            })
            .collect();
        // The first half of a pair waits for the second, unless there is no more.
        if read > 0 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        self.raw.drain(..units.len() * 2);
        if read == 0 {
            self.raw.clear();
        }
        let letters = char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER));
        self.text = letters.collect::<String>().into_bytes();
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const REFILLS_MAX: usize = 8;
        for _ in 0..REFILLS_MAX {
            if self.given < self.text.len() {
                break;
            }
            let before = self.raw.len();
            self.refill()?;
            if self.text.is_empty() && self.raw.len() <= before {
                return Ok(0);
            }
        }
        let left = &self.text[self.given..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_of_both_orders_is_read_also_across_buffers() {
        let text = "zeile mit „Zeichen“ 😀\n".repeat(2_000);
        for order in [Order::Little, Order::Big] {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if order == Order::Little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect();
            let mut read = String::new();
            Utf16::new(bytes.as_slice(), order).read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
