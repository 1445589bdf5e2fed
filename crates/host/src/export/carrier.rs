//! What carries segments out: the ring, and zeros where the device has no good way to make them.

use std::ops::Range;

use oarlock_block::{IoError, Refusal};
use oarlock_device::{DataBuffer, DataRing, DataRingError, Token};
use oarlock_engine::path::{Action, Memory, Segment, SegmentIndex};

use super::budget::bytes_for;
use super::limits::{CLEAR_MAX, SCRATCH_BYTES_MAX, WATCHES_MAX, ZEROS_LENGTH};

/// Bits of a token for the segment's number.
const SEGMENT_BITS: u32 = 16;

/// The ring of an export's thread, and its zeros.
pub(crate) struct Carrier {
    pub(crate) ring: DataRing,
    zeros: DataBuffer,
    /// Bytes of scratch memory that are out.
    scratch_bytes: usize,
    /// The device has no command that zeroes.
    writes_zeros: bool,
}

/// The memory of one request.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) data: Option<DataBuffer>,
    pub(crate) scratch: Option<DataBuffer>,
}

/// A segment that is out, where it is not all of what was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    segment: SegmentIndex,
    /// What was asked for and is not done before this command ends.
    whole: Segment,
    /// How much of it this command does.
    length: u64,
}

/// What the ring says of a segment.
pub(crate) enum Carried {
    /// It is out.
    Out,
    /// A part of it is out.
    Part(Rest),
    /// It was refused at once.
    Refused(Refusal),
}

/// The token of a segment.
pub(crate) fn token(place: usize, segment: SegmentIndex) -> Token {
    Token((place as u64) << SEGMENT_BITS | segment.0 as u64)
}

/// The segment of a token.
pub(crate) fn of_token(Token(token): Token) -> (usize, SegmentIndex) {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    (number(token >> SEGMENT_BITS), SegmentIndex(number(token & ((1 << SEGMENT_BITS) - 1))))
}

/// The bytes of a buffer that a segment means.
fn part(from: usize, length: u64) -> Range<usize> {
    from..from + usize::try_from(length).unwrap_or(usize::MAX)
}

impl Room {
    fn at(&mut self, memory: Memory) -> Option<(&mut DataBuffer, usize)> {
        match memory {
            Memory::Request(at) => {
                self.data.as_mut().map(|data| (data, usize::try_from(at).unwrap_or(usize::MAX)))
            }
            Memory::Scratch(at) => self.scratch.as_mut().map(|scratch| (scratch, at as usize)),
        }
    }

    /// Takes a step in memory.
    pub(crate) fn step(&mut self, segment: &Segment) {
        match segment.action {
            Action::ClearMemory { into } => {
                if let Some((buffer, at)) = self.at(into) {
                    buffer.bytes()[part(at, segment.length)].fill(0);
                }
            }
            Action::CopyMemory { request_byte, scratch_byte } => {
                if let (Some(data), Some(scratch)) = (&mut self.data, &mut self.scratch) {
                    let from = part(usize::try_from(request_byte).unwrap_or(usize::MAX), segment.length);
                    let to = part(scratch_byte as usize, segment.length);
                    scratch.bytes()[to].copy_from_slice(&data.bytes()[from]);
                }
            }
            Action::Read { .. } | Action::Write { .. } | Action::WriteZeroes { .. } | Action::Flush => {}
        }
    }
}

impl Carrier {
    pub(crate) fn new(ring: DataRing) -> Result<Carrier, DataRingError> {
        let mut zeros = ring.buffer(ZEROS_LENGTH)?;
        zeros.bytes().fill(0);
        Ok(Carrier { ring, zeros, scratch_bytes: 0, writes_zeros: false })
    }

    /// Makes sure that scratch memory of `length` bytes is there; `false` where others have it all.
    pub(crate) fn lend_scratch(&mut self, room: &mut Room, length: usize) -> bool {
        if room.scratch.as_ref().map_or(0, DataBuffer::length) >= length {
            return true;
        }
        self.take_scratch(room);
        let bytes = bytes_for(length);
        if self.scratch_bytes + bytes > SCRATCH_BYTES_MAX {
            return false;
        }
        room.scratch = self.ring.buffer(length).ok();
        let is_there = room.scratch.is_some();
        self.scratch_bytes += if is_there { bytes } else { 0 };
        is_there
    }

    /// Takes scratch memory back.
    pub(crate) fn take_scratch(&mut self, room: &mut Room) {
        if let Some(scratch) = room.scratch.take() {
            self.scratch_bytes -= bytes_for(scratch.length());
        }
    }

    /// Whether there is a place for a command beside all looks at sockets.
    pub(crate) fn has_place(&self) -> bool {
        self.ring.places_free() > WATCHES_MAX
    }

    /// Sends a segment to the device.
    pub(crate) fn send(
        &mut self,
        place: usize,
        index: SegmentIndex,
        segment: &Segment,
        room: &mut Room,
    ) -> Result<Carried, DataRingError> {
        let token = token(place, index);
        let length = segment.length;
        let sent = match segment.action {
            Action::Read { from_byte, into } => match room.at(into) {
                Some((buffer, at)) => self.ring.read(token, buffer, part(at, length), from_byte),
                None => unreachable!("memory is there before a segment is sent"),
            },
            Action::Write { to_byte, from } => match room.at(from) {
                Some((buffer, at)) => self.ring.write(token, buffer, part(at, length), to_byte),
                None => unreachable!("memory is there before a segment is sent"),
            },
            Action::Flush => self.ring.flush(token),
            Action::WriteZeroes { to_byte } => return self.zero(token, index, segment, to_byte),
            Action::ClearMemory { .. } | Action::CopyMemory { .. } => {
                unreachable!("a step in memory is not sent")
            }
        };
        carried(sent, Carried::Out)
    }

    /// Zeroes the first part of a segment, by the command that suits its length.
    fn zero(
        &mut self,
        token: Token,
        segment: SegmentIndex,
        whole: &Segment,
        to_byte: u64,
    ) -> Result<Carried, DataRingError> {
        let zeros_length = ZEROS_LENGTH as u64;
        let is_short = whole.length <= zeros_length;
        let (sent, length) = if is_short || self.writes_zeros {
            let length = whole.length.min(zeros_length);
            (self.ring.write(token, &self.zeros, part(0, length), to_byte), length)
        } else {
            let length = whole.length.min(CLEAR_MAX);
            (self.ring.write_zeroes(token, to_byte, length), length)
        };
        carried(sent, Carried::Part(Rest { segment, whole: *whole, length }))
    }

    /// What is left to send of a segment whose part was answered; `None` where its answer is the segment's.
    pub(crate) fn rest(&mut self, rest: &Rest, outcome: &Result<(), IoError>) -> Option<Segment> {
        let Action::WriteZeroes { to_byte } = rest.whole.action else { return None };
        match outcome {
            Err(IoError::Refused(Refusal::Unsupported)) if !self.writes_zeros => {
                self.writes_zeros = true;
                Some(rest.whole)
            }
            Ok(()) if rest.length < rest.whole.length => Some(Segment {
                action: Action::WriteZeroes { to_byte: to_byte + rest.length },
                length: rest.whole.length - rest.length,
            }),
            _ => None,
        }
    }
}

impl Rest {
    pub(crate) fn segment(&self) -> SegmentIndex {
        self.segment
    }
}

fn carried(sent: Result<(), DataRingError>, out: Carried) -> Result<Carried, DataRingError> {
    match sent {
        Ok(()) => Ok(out),
        Err(DataRingError::Refused(refusal)) => Ok(Carried::Refused(refusal)),
        Err(error) => Err(error),
    }
}
