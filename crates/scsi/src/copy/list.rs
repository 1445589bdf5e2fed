//! The parameter list of EXTENDED COPY(LID1) (SPC-4, "EXTENDED COPY parameter list").

use oarlock_block::Lba;

use super::CopyLimits;
use crate::bytes::{View, flag, length_u16, length_u32};
use crate::sense::{SegmentPointer, Sense, SenseKey};
use crate::sense_code::AdditionalSense;
use crate::vpd::{Designation, Designator};

/// LIST ID USAGE: what becomes of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListIdUsage {
    /// 00b: they are held until RECEIVE COPY RESULTS fetched them.
    Hold,
    /// 10b: they may be discarded.
    Discard,
    /// 11b: the copy has no identifier, and results that nobody can ask for.
    None,
}

/// An identification descriptor CSCD descriptor (E4h): a unit to copy from or to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyTarget {
    /// The name of the unit, as its device identification page has it.
    pub designation: Designation,
    /// PERIPHERAL DEVICE TYPE: 0 of a block device.
    pub device_type: u8,
    /// PAD: how a segment of an incomplete block ends.
    pub pad: bool,
    /// DISK BLOCK LENGTH, in bytes.
    pub block_bytes: u32,
}

/// A segment descriptor: what is copied. Places in the list of targets are as the list has them; [`CopyList::target`] checks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// 02h: blocks of one device to blocks of another.
    Blocks {
        /// SOURCE CSCD DESCRIPTOR ID.
        source: u16,
        /// DESTINATION CSCD DESCRIPTOR ID.
        destination: u16,
        /// CAT: what is left of a block is for the next segment.
        concatenates: bool,
        /// DC: `count` counts blocks of the destination; otherwise of the source.
        of_destination: bool,
        /// BLOCK DEVICE NUMBER OF BLOCKS; none is no error.
        count: u16,
        /// SOURCE BLOCK DEVICE LOGICAL BLOCK ADDRESS.
        source_lba: Lba,
        /// DESTINATION BLOCK DEVICE LOGICAL BLOCK ADDRESS.
        destination_lba: Lba,
    },
    /// 0Ah: bytes of one block device to bytes of another, with offsets into their first blocks.
    Bytes {
        /// SOURCE CSCD DESCRIPTOR ID.
        source: u16,
        /// DESTINATION CSCD DESCRIPTOR ID.
        destination: u16,
        /// NUMBER OF BYTES; none is no error.
        bytes: u32,
        /// SOURCE BLOCK DEVICE LOGICAL BLOCK ADDRESS.
        source_lba: Lba,
        /// DESTINATION BLOCK DEVICE LOGICAL BLOCK ADDRESS.
        destination_lba: Lba,
        /// SOURCE BLOCK DEVICE BYTE OFFSET.
        source_offset: u16,
        /// DESTINATION BLOCK DEVICE BYTE OFFSET.
        destination_offset: u16,
    },
}

/// The whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyList {
    /// LIST IDENTIFIER.
    pub list_identifier: u8,
    /// LIST ID USAGE.
    pub usage: ListIdUsage,
    /// STR: segments are copied in order, one behind the other.
    pub sequential: bool,
    /// PRIORITY, 0 to 7.
    pub priority: u8,
    /// The units to copy from and to.
    pub targets: Vec<CopyTarget>,
    /// What is copied.
    pub segments: Vec<Segment>,
}

const HEADER: usize = 16;
/// The identification descriptor CSCD descriptor.
pub(super) const IDENTIFICATION: u8 = 0xe4;
pub(super) const BLOCK_TO_BLOCK: u8 = 0x02;
pub(super) const BLOCK_TO_BLOCK_OFFSET: u8 = 0x0a;
const TARGET_LENGTH: usize = 32;
/// The room for a designator in a target's descriptor.
const DESIGNATOR_LENGTH: usize = 20;

impl CopyList {
    /// Reads the list. An empty one asks for nothing.
    ///
    /// # Errors
    /// PARAMETER LIST LENGTH ERROR where it ends within what it announces, or is longer than `limits` have it; INLINE DATA LENGTH EXCEEDED where it
    /// has any; TOO MANY TARGET (SEGMENT) DESCRIPTORS; UNSUPPORTED TARGET (SEGMENT) DESCRIPTOR TYPE CODE; INVALID FIELD IN PARAMETER LIST with a
    /// pointer for all else.
    pub fn decode(list: &[u8], limits: &CopyLimits) -> Result<Option<CopyList>, Sense> {
        if list.is_empty() {
            return Ok(None);
        }
        let too_short = Sense::parameter_list_length();
        let view = View(list);
        let (targets, segments) = CopyList::lengths(view, limits)?;
        let usage = match view.u8(1).ok_or(too_short)? >> 3 & 3 {
            0b00 => ListIdUsage::Hold,
            0b10 => ListIdUsage::Discard,
            // SPC-4: without an identifier, its field is zero.
            0b11 if view.u8(0) == Some(0) => ListIdUsage::None,
            0b11 => return Err(Sense::invalid_parameter(0, None)),
            _ => return Err(Sense::invalid_parameter(1, Some(4))),
        };
        let target_bytes = view.bytes(HEADER, targets).ok_or(too_short)?;
        let segment_bytes = view.bytes(HEADER + targets, segments).ok_or(too_short)?;
        let targets = decode_targets(target_bytes, limits)?;
        let segments = decode_segments(segment_bytes, HEADER + target_bytes.len(), limits)?;
        Ok(Some(CopyList {
            list_identifier: view.u8(0).ok_or(too_short)?,
            usage,
            sequential: view.bit(1, 5),
            priority: view.u8(1).ok_or(too_short)? & 7,
            targets,
            segments,
        }))
    }

    /// The lengths of the two lists of descriptors, of which the list is long enough to hold both.
    fn lengths(view: View<'_>, limits: &CopyLimits) -> Result<(usize, usize), Sense> {
        let too_short = Sense::parameter_list_length();
        view.bytes(0, HEADER).ok_or(too_short)?;
        let targets = usize::from(view.u16(2).ok_or(too_short)?);
        let segments = view.u32(8).ok_or(too_short)? as usize;
        if view.u32(12) != Some(0) {
            return Err(Sense::illegal(AdditionalSense::INLINE_DATA_LENGTH_EXCEEDED).at(false, 12, None));
        }
        let both = targets.saturating_add(segments);
        if both > limits.descriptor_list_length_max as usize || view.0.len() - HEADER < both {
            return Err(too_short);
        }
        Ok((targets, segments))
    }

    /// The unit that a descriptor ID of segment `segment` names; `destination` says which of its two.
    ///
    /// # Errors
    /// COPY ABORTED, UNREACHABLE COPY TARGET, with a pointer into the segment, where the list has no such target.
    pub fn target(&self, segment: usize, destination: bool) -> Result<&CopyTarget, Sense> {
        let ids = self.segments.get(segment).map(Segment::targets);
        let id = ids.map(|(from, to)| if destination { to } else { from });
        let unreachable =
            Sense::new(SenseKey::CopyAborted, AdditionalSense::UNREACHABLE_COPY_TARGET).at_segment(
                SegmentPointer { in_segment: true, byte: if destination { 6 } else { 4 }, bit: None },
            );
        id.and_then(|id| self.targets.get(usize::from(id))).ok_or(unreachable)
    }

    /// The list, for an initiator.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let targets: Vec<u8> = self.targets.iter().flat_map(CopyTarget::encode).collect();
        let segments: Vec<u8> = self.segments.iter().flat_map(|segment| segment.encode()).collect();
        let usage = match self.usage {
            ListIdUsage::Hold => 0b00,
            ListIdUsage::Discard => 0b10,
            ListIdUsage::None => 0b11,
        };
        let mut list = vec![self.list_identifier, flag(self.sequential, 5) | usage << 3 | self.priority & 7];
        list.extend(length_u16(targets.len()).to_be_bytes());
        list.extend([0; 4]);
        list.extend(length_u32(segments.len()).to_be_bytes());
        list.extend([0; 4]);
        list.extend(targets);
        list.extend(segments);
        list
    }
}

fn decode_targets(bytes: &[u8], limits: &CopyLimits) -> Result<Vec<CopyTarget>, Sense> {
    // Every CSCD descriptor has 32 bytes, but for the extension descriptors, whose type is refused as well.
    if bytes.len() / TARGET_LENGTH > usize::from(limits.targets_max) {
        return Err(Sense::illegal(AdditionalSense::TOO_MANY_TARGET_DESCRIPTORS).at(false, 2, None));
    }
    let mut targets = Vec::new();
    for (index, bytes) in bytes.chunks(TARGET_LENGTH).enumerate() {
        let at = HEADER + index * TARGET_LENGTH;
        if bytes[0] != IDENTIFICATION {
            let unsupported = AdditionalSense::UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE;
            return Err(Sense::illegal(unsupported).at(false, at, None));
        }
        if bytes.len() < TARGET_LENGTH {
            return Err(Sense::invalid_parameter(2, None));
        }
        targets.push(CopyTarget::decode(bytes, at)?);
    }
    Ok(targets)
}

impl CopyTarget {
    /// Reads a descriptor of 32 bytes, which begins at byte `at` of the list.
    fn decode(bytes: &[u8], at: usize) -> Result<CopyTarget, Sense> {
        let view = View(bytes);
        let [.., high, middle, low] = *bytes else { return Err(Sense::parameter_list_length()) };
        let length = usize::from(view.u8(7).unwrap_or(0));
        if length > DESIGNATOR_LENGTH {
            return Err(Sense::invalid_parameter(at + 7, None));
        }
        let (designation, _) = bytes
            .get(4..8 + length)
            .and_then(Designation::decode)
            .ok_or(Sense::invalid_parameter(at + 5, None))?;
        Ok(CopyTarget {
            designation,
            // LU ID TYPE and the obsolete NUL, the three bits above it, are let be (SPC-4).
            device_type: view.u8(1).unwrap_or(0) & 0x1f,
            pad: view.bit(28, 2),
            block_bytes: u32::from_be_bytes([0, high, middle, low]),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![IDENTIFICATION, self.device_type & 0x1f, 0, 0];
        bytes.extend(self.designation.encode());
        assert!(
            bytes.len() <= 8 + DESIGNATOR_LENGTH,
            "a name of more than 20 bytes fits no copy target descriptor"
        );
        bytes.resize(8 + DESIGNATOR_LENGTH, 0);
        let [_, high, middle, low] = self.block_bytes.to_be_bytes();
        bytes.extend([flag(self.pad, 2), high, middle, low]);
        bytes
    }

    /// Whether it names the unit that has those names.
    #[must_use]
    pub fn names(&self, unit: &[Designation]) -> bool {
        let same = |name: &&Designation| name.association == self.designation.association;
        unit.iter().filter(same).any(|name| match (&name.designator, &self.designation.designator) {
            (Designator::Other { .. }, _) => false,
            (own, asked) => own == asked,
        })
    }
}

fn decode_segments(bytes: &[u8], at: usize, limits: &CopyLimits) -> Result<Vec<Segment>, Sense> {
    let mut segments = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let place = at + bytes.len() - rest.len();
        if segments.len() == usize::from(limits.segments_max) {
            return Err(Sense::illegal(AdditionalSense::TOO_MANY_SEGMENT_DESCRIPTORS).at(false, 8, None));
        }
        let (segment, behind) = Segment::decode(rest, place)?;
        segments.push(segment);
        rest = behind;
    }
    Ok(segments)
}

impl Segment {
    /// SOURCE and DESTINATION CSCD DESCRIPTOR ID.
    #[must_use]
    pub const fn targets(&self) -> (u16, u16) {
        match *self {
            Segment::Blocks { source, destination, .. } | Segment::Bytes { source, destination, .. } => {
                (source, destination)
            }
        }
    }

    /// Reads the descriptor at the front of `bytes`, which is byte `at` of the list, and returns what is behind it.
    fn decode(bytes: &[u8], at: usize) -> Result<(Segment, &[u8]), Sense> {
        let view = View(bytes);
        let length = match view.u8(0) {
            Some(BLOCK_TO_BLOCK) => 28,
            Some(BLOCK_TO_BLOCK_OFFSET) => 32,
            _ => {
                let unsupported = AdditionalSense::UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE;
                return Err(Sense::illegal(unsupported).at(false, at, None));
            }
        };
        if view.u16(2).is_some_and(|told| usize::from(told) != length - 4) {
            return Err(Sense::invalid_parameter(at + 2, None));
        }
        // The descriptors do not fill the length of their list: that length is the field in error.
        let descriptor = View(bytes.get(..length).ok_or(Sense::invalid_parameter(8, None))?);
        let segment = if length == 28 { Segment::blocks(descriptor) } else { Segment::bytes(descriptor) };
        Ok((segment.ok_or(Sense::invalid_parameter(8, None))?, &bytes[length..]))
    }

    fn blocks(view: View<'_>) -> Option<Segment> {
        Some(Segment::Blocks {
            source: view.u16(4)?,
            destination: view.u16(6)?,
            concatenates: view.bit(1, 0),
            of_destination: view.bit(1, 1),
            count: view.u16(10)?,
            source_lba: Lba(view.u64(12)?),
            destination_lba: Lba(view.u64(20)?),
        })
    }

    fn bytes(view: View<'_>) -> Option<Segment> {
        Some(Segment::Bytes {
            source: view.u16(4)?,
            destination: view.u16(6)?,
            bytes: view.u32(8)?,
            source_lba: Lba(view.u64(12)?),
            destination_lba: Lba(view.u64(20)?),
            source_offset: view.u16(28)?,
            destination_offset: view.u16(30)?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let (source, destination) = self.targets();
        let head = |kind: u8, flags: u8, length: u8| {
            let mut bytes = vec![kind, flags, 0, length];
            bytes.extend([source.to_be_bytes(), destination.to_be_bytes()].concat());
            bytes
        };
        match *self {
            Segment::Blocks { concatenates, of_destination, count, source_lba, destination_lba, .. } => {
                let flags = flag(of_destination, 1) | flag(concatenates, 0);
                let mut bytes = head(BLOCK_TO_BLOCK, flags, 24);
                bytes.extend([0, 0]);
                bytes.extend(count.to_be_bytes());
                bytes.extend([source_lba.0.to_be_bytes(), destination_lba.0.to_be_bytes()].concat());
                bytes
            }
            Segment::Bytes {
                bytes: count,
                source_lba,
                destination_lba,
                source_offset,
                destination_offset,
                ..
            } => {
                let mut bytes = head(BLOCK_TO_BLOCK_OFFSET, 0, 28);
                bytes.extend(count.to_be_bytes());
                bytes.extend([source_lba.0.to_be_bytes(), destination_lba.0.to_be_bytes()].concat());
                bytes.extend([source_offset.to_be_bytes(), destination_offset.to_be_bytes()].concat());
                bytes
            }
        }
    }
}
