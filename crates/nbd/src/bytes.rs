//! Checked reading and writing of the wire's bytes; numbers are big-endian there (document, *Conventions*).

/// What is left of a message. Each method takes a field from the front, or says that the message ended before it.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { left: bytes }
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(length)?;
        self.left = left;
        Some(taken)
    }

    /// A string whose length stands in front of it in 32 bits.
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        let length = self.u32()?;
        self.bytes(length as usize).and_then(text)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.left
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.left.split_first_chunk()?;
        self.left = left;
        Some(*taken)
    }
}

/// A string as *Conventions* has it: UTF-8 without NUL, of at most 4,096 bytes.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| is_string(text))
}

pub(crate) fn is_string(text: &str) -> bool {
    text.len() <= crate::limits::STRING_LENGTH_MAX && !text.contains('\0')
}

/// The start of `text` that fits into a string, NULs left out: what this end says to people must not break the protocol.
pub(crate) fn message(text: &str) -> String {
    let clean: String = text.chars().filter(|&character| character != '\0').collect();
    let end = clean.floor_char_boundary(crate::limits::STRING_LENGTH_MAX);
    clean[..end].to_owned()
}

/// A length that one of this crate's limits has bounded, as the wire has it.
pub(crate) fn length_u32(length: usize) -> u32 {
    assert!(length <= u32::MAX as usize, "a length of {length} bytes passed every limit");
    #[allow(clippy::cast_possible_truncation, reason = "asserted in the line above")]
    let length = length as u32;
    length
}

/// Appends a string behind its length.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend(length_u32(text.len()).to_be_bytes());
    out.extend(text.as_bytes());
}

/// The part of a message that came so far, where the rest has not come yet.
#[derive(Default)]
pub(crate) struct Inlet {
    kept: Vec<u8>,
}

impl Inlet {
    /// The next `N` bytes, once they are all there; takes from `rest` what is missing.
    pub(crate) fn array<const N: usize>(&mut self, rest: &mut &[u8]) -> Option<[u8; N]> {
        let bytes = self.fill(rest, N).then(|| self.kept.first_chunk::<N>().copied()).flatten();
        if bytes.is_some() {
            self.kept.clear();
        }
        bytes
    }

    /// The next `length` bytes, once they are all there; takes from `rest` what is missing.
    pub(crate) fn bytes(&mut self, rest: &mut &[u8], length: usize) -> Option<Vec<u8>> {
        self.fill(rest, length).then(|| std::mem::take(&mut self.kept))
    }

    /// The memory that is held.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.kept.capacity()
    }

    fn fill(&mut self, rest: &mut &[u8], length: usize) -> bool {
        let missing = length.saturating_sub(self.kept.len()).min(rest.len());
        let (taken, left) = rest.split_at(missing);
        self.kept.extend_from_slice(taken);
        *rest = left;
        self.kept.len() >= length
    }
}
