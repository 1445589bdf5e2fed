//! Segments: the steps that an operation asks its driver to take, on the device or in memory.

/// Where in memory the bytes of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// In the request's data, from that byte on.
    Request(u64),
    /// In the operation's scratch memory, from that byte on.
    Scratch(u32),
}

/// What a segment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read from that byte of the device on.
    Read {
        /// The device's byte.
        from_byte: u64,
        /// Where to.
        into: Memory,
    },
    /// Write to that byte of the device and on.
    Write {
        /// The device's byte.
        to_byte: u64,
        /// What.
        from: Memory,
    },
    /// Make that byte of the device and those behind it read as zeros, by whatever the device has for it that keeps
    /// their place, or by writing zeros.
    WriteZeroes {
        /// The device's byte.
        to_byte: u64,
    },
    /// Make every answered write of the device durable.
    Flush,
    /// Fill memory with zeros. Nothing is answered.
    ClearMemory {
        /// Where.
        into: Memory,
    },
    /// Copy from the request's data into scratch memory. Nothing is answered.
    CopyMemory {
        /// The request's byte.
        request_byte: u64,
        /// The byte in scratch memory.
        scratch_byte: u32,
    },
}

/// One step of an operation. Those in memory are taken in their order, before any later segment of the list is submitted;
/// those on the device may be executed and answered in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What to do.
    pub action: Action,
    /// How many bytes; 0 for a flush.
    pub length: u64,
}

/// A segment's place in the list that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentIndex(pub usize);

impl Memory {
    fn plus(self, length: u64) -> Option<Memory> {
        match self {
            Memory::Request(at) => at.checked_add(length).map(Memory::Request),
            Memory::Scratch(at) => {
                u32::try_from(length).ok().and_then(|length| at.checked_add(length)).map(Memory::Scratch)
            }
        }
    }
}

impl Segment {
    /// A flush of the device.
    pub const FLUSH: Segment = Segment { action: Action::Flush, length: 0 };

    /// Whether it goes to the device, and must be answered.
    #[must_use]
    pub const fn is_on_device(&self) -> bool {
        !matches!(self.action, Action::ClearMemory { .. } | Action::CopyMemory { .. })
    }

    /// Whether it changes what is on the device.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        matches!(self.action, Action::Write { .. } | Action::WriteZeroes { .. })
    }

    /// Whether `next` does the same, directly behind this one on the device and in memory.
    fn goes_on_with(&self, next: &Segment) -> bool {
        let length = self.length;
        match (self.action, next.action) {
            (Action::Read { from_byte, into }, Action::Read { from_byte: next_byte, into: next_into }) => {
                from_byte + length == next_byte && into.plus(length) == Some(next_into)
            }
            (Action::Write { to_byte, from }, Action::Write { to_byte: next_byte, from: next_from }) => {
                to_byte + length == next_byte && from.plus(length) == Some(next_from)
            }
            (Action::WriteZeroes { to_byte }, Action::WriteZeroes { to_byte: next_byte }) => {
                to_byte + length == next_byte
            }
            (Action::ClearMemory { into }, Action::ClearMemory { into: next_into }) => {
                into.plus(length) == Some(next_into)
            }
            _ => false,
        }
    }
}

/// Adds a segment to a list, or lengthens the last one where this one only goes on with it.
pub(crate) fn push(segments: &mut Vec<Segment>, segment: Segment) {
    match segments.last_mut() {
        Some(last) if last.goes_on_with(&segment) => last.length += segment.length,
        _ => segments.push(segment),
    }
}
