//! Checked reading and writing of the wire's bytes; numbers are big-endian there (SPC-5, "Multi-byte fields").

/// A view of bytes that somebody else sent. A field that lies beyond their end is `None`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) &'a [u8]);

impl<'a> View<'a> {
    pub(crate) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(crate) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    pub(crate) fn bytes(self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.0.get(at..)?.get(..length)
    }

    /// Whether the bit is set; a bit beyond the end is not.
    pub(crate) fn bit(self, at: usize, bit: u8) -> bool {
        self.u8(at).is_some_and(|byte| byte >> bit & 1 == 1)
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }
}

/// Writes a field of a page whose length the caller has laid out.
pub(crate) fn put(page: &mut [u8], at: usize, field: &[u8]) {
    page[at..at + field.len()].copy_from_slice(field);
}

/// A flag as the wire has it.
pub(crate) const fn flag(set: bool, bit: u8) -> u8 {
    if set { 1 << bit } else { 0 }
}

/// A length that its structure keeps within a byte.
pub(crate) fn length_u8(length: usize) -> u8 {
    assert!(length <= usize::from(u8::MAX), "a length of {length} in one byte");
    #[allow(clippy::cast_possible_truncation, reason = "asserted in the line above")]
    let length = length as u8;
    length
}

/// A length that its structure keeps within 16 bits.
pub(crate) fn length_u16(length: usize) -> u16 {
    assert!(length <= usize::from(u16::MAX), "a length of {length} in 16 bits");
    #[allow(clippy::cast_possible_truncation, reason = "asserted in the line above")]
    let length = length as u16;
    length
}

/// A length that its structure keeps within 32 bits.
pub(crate) fn length_u32(length: usize) -> u32 {
    assert!(length <= u32::MAX as usize, "a length of {length} in 32 bits");
    #[allow(clippy::cast_possible_truncation, reason = "asserted in the line above")]
    let length = length as u32;
    length
}

/// Writes text as the standards' ASCII fields have it: left-aligned, filled with blanks, what is not printable ASCII as a question
/// mark (SPC-5, "ASCII data field requirements").
pub(crate) fn put_ascii(field: &mut [u8], text: &str) {
    let printable = text.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' });
    let bytes = printable.filter_map(|letter| u8::try_from(letter).ok());
    for (place, byte) in field.iter_mut().zip(bytes.chain(std::iter::repeat(b' '))) {
        *place = byte;
    }
}

/// Reads an ASCII field, without the blanks and zeros around it; what is not printable ASCII as a question mark.
pub(crate) fn ascii(field: &[u8]) -> String {
    let text: String = field
        .iter()
        .map(|&byte| if byte == 0 { ' ' } else { char::from(byte) })
        .map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_beyond_the_end_is_none() {
        let view = View(&[1, 2, 3]);
        assert_eq!((view.u16(1), view.u16(2)), (Some(0x0203), None));
        assert_eq!((view.u8(3), view.u32(usize::MAX), view.bytes(1, usize::MAX)), (None, None, None));
        assert!(view.bit(0, 0) && !view.bit(3, 0));
    }

    #[test]
    fn text_that_is_not_ascii_shows_as_question_marks() {
        let mut field = [0; 6];
        put_ascii(&mut field, "a\u{fc}\nb");
        assert_eq!(&field, b"a??b  ");
        assert_eq!(ascii(b" a\xfcb \0\0"), "a?b");
    }
}
