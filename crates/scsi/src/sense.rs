//! Sense data in both forms, as a device server writes and an initiator reads them (SPC-5, "Sense data").

use std::fmt;

use crate::bytes::{View, flag, put};
use crate::sense_code::AdditionalSense;

/// The sense key: what kind of thing happened (SPC-5, "Sense key descriptions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SenseKey {
    /// Nothing to tell.
    NoSense = 0x0,
    /// Done, with a recovery that is worth telling.
    RecoveredError = 0x1,
    /// The logical unit cannot be accessed now.
    NotReady = 0x2,
    /// The medium failed.
    MediumError = 0x3,
    /// The device failed.
    HardwareError = 0x4,
    /// The command, or its parameters, are not to be had.
    IllegalRequest = 0x5,
    /// Something happened to the logical unit that the initiator must know first.
    UnitAttention = 0x6,
    /// The medium is protected against what was asked.
    DataProtect = 0x7,
    /// Blank or non-blank medium where the other was expected.
    BlankCheck = 0x8,
    /// The vendor's own.
    VendorSpecific = 0x9,
    /// A copy was given up.
    CopyAborted = 0xa,
    /// The command was aborted; it may be sent again.
    AbortedCommand = 0xb,
    /// Reserved in SPC-5.
    Reserved = 0xc,
    /// Data are left in a buffer, as the medium is full.
    VolumeOverflow = 0xd,
    /// What was compared differed.
    Miscompare = 0xe,
    /// Done, with something to tell.
    Completed = 0xf,
}

impl SenseKey {
    /// Every key, in the order of its number.
    pub const ALL: [SenseKey; 16] = [
        SenseKey::NoSense,
        SenseKey::RecoveredError,
        SenseKey::NotReady,
        SenseKey::MediumError,
        SenseKey::HardwareError,
        SenseKey::IllegalRequest,
        SenseKey::UnitAttention,
        SenseKey::DataProtect,
        SenseKey::BlankCheck,
        SenseKey::VendorSpecific,
        SenseKey::CopyAborted,
        SenseKey::AbortedCommand,
        SenseKey::Reserved,
        SenseKey::VolumeOverflow,
        SenseKey::Miscompare,
        SenseKey::Completed,
    ];

    /// The key of the low four bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> SenseKey {
        SenseKey::ALL[(bits & 0x0f) as usize]
    }

    /// Its number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// The standard's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SenseKey::NoSense => "NO SENSE",
            SenseKey::RecoveredError => "RECOVERED ERROR",
            SenseKey::NotReady => "NOT READY",
            SenseKey::MediumError => "MEDIUM ERROR",
            SenseKey::HardwareError => "HARDWARE ERROR",
            SenseKey::IllegalRequest => "ILLEGAL REQUEST",
            SenseKey::UnitAttention => "UNIT ATTENTION",
            SenseKey::DataProtect => "DATA PROTECT",
            SenseKey::BlankCheck => "BLANK CHECK",
            SenseKey::VendorSpecific => "VENDOR SPECIFIC",
            SenseKey::CopyAborted => "COPY ABORTED",
            SenseKey::AbortedCommand => "ABORTED COMMAND",
            SenseKey::Reserved => "RESERVED",
            SenseKey::VolumeOverflow => "VOLUME OVERFLOW",
            SenseKey::Miscompare => "MISCOMPARE",
            SenseKey::Completed => "COMPLETED",
        }
    }
}

impl fmt::Display for SenseKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where the field in error stands (SPC-5, "Field pointer sense key specific data").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldPointer {
    /// In the CDB; otherwise in the parameter list.
    pub in_cdb: bool,
    /// The first byte of the field.
    pub byte: u16,
    /// The leftmost bit of the field, where it does not begin with its byte.
    pub bit: Option<u8>,
}

/// Where an EXTENDED COPY came to grief (SPC-4, "Segment pointer sense key specific data").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SegmentPointer {
    /// `byte` counts from the segment descriptor; otherwise from the parameter list.
    pub in_segment: bool,
    /// The first byte of the field.
    pub byte: u16,
    /// The leftmost bit of the field, where it does not begin with its byte.
    pub bit: Option<u8>,
}

/// What the sense-key-specific bytes say, by the sense key that they stand under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenseKeySpecific {
    /// ILLEGAL REQUEST: the field in error.
    Field(FieldPointer),
    /// NO SENSE and NOT READY: how far a background operation got, of 65,536.
    Progress(u16),
    /// HARDWARE, MEDIUM and RECOVERED ERROR: how often it was tried again.
    Retries(u16),
    /// COPY ABORTED: the field in error.
    Segment(SegmentPointer),
    /// UNIT ATTENTION: whether the queue of unit attentions overflowed.
    QueueOverflow(bool),
}

/// The form in which sense data are sent: the D_SENSE bit of the control mode page, or the DESC bit of REQUEST SENSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenseForm {
    /// 70h: 18 bytes; information beyond 32 bits is left out.
    Fixed,
    /// 72h: as long as what it says.
    Descriptor,
}

/// What a device server says about a command, or about itself.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sense {
    /// What kind of thing happened.
    pub key: SenseKey,
    /// What happened.
    pub code: AdditionalSense,
    /// INFORMATION, where it is valid: what it means depends on the command (an LBA, the offset of a miscompare).
    pub information: Option<u64>,
    /// COMMAND-SPECIFIC INFORMATION, where the command defines any.
    pub command_specific: Option<u64>,
    /// The sense-key-specific bytes, where they are valid.
    pub specific: Option<SenseKeySpecific>,
    /// The error belongs to an earlier command (71h and 73h).
    pub deferred: bool,
}

impl Sense {
    /// The length of the fixed form.
    pub const FIXED_LENGTH: usize = 18;
    /// The most that [`encode`](Sense::encode) makes.
    pub const LENGTH_MAX: usize = 8 + 12 + 8 + 12;
    /// Nothing to tell: what REQUEST SENSE returns where nothing is wrong.
    pub const NONE: Sense = Sense::new(SenseKey::NoSense, AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION);

    /// A key and a code.
    pub const fn new(key: SenseKey, code: AdditionalSense) -> Sense {
        Sense { key, code, information: None, command_specific: None, specific: None, deferred: false }
    }

    /// ILLEGAL REQUEST with that code.
    pub const fn illegal(code: AdditionalSense) -> Sense {
        Sense::new(SenseKey::IllegalRequest, code)
    }

    /// UNIT ATTENTION with that code.
    pub const fn attention(code: AdditionalSense) -> Sense {
        Sense::new(SenseKey::UnitAttention, code)
    }

    /// NOT READY with that code.
    pub const fn not_ready(code: AdditionalSense) -> Sense {
        Sense::new(SenseKey::NotReady, code)
    }

    /// INVALID FIELD IN CDB, with a pointer to the field: its first byte, and its leftmost bit where it is part of a byte.
    pub fn invalid_cdb(byte: usize, bit: Option<u8>) -> Sense {
        Sense::illegal(AdditionalSense::INVALID_FIELD_IN_CDB).at(true, byte, bit)
    }

    /// INVALID FIELD IN PARAMETER LIST, with a pointer to the field.
    pub fn invalid_parameter(byte: usize, bit: Option<u8>) -> Sense {
        Sense::illegal(AdditionalSense::INVALID_FIELD_IN_PARAMETER_LIST).at(false, byte, bit)
    }

    /// PARAMETER LIST LENGTH ERROR: the list ends within something that it begins.
    pub const fn parameter_list_length() -> Sense {
        Sense::illegal(AdditionalSense::PARAMETER_LIST_LENGTH_ERROR)
    }

    /// LOGICAL BLOCK ADDRESS OUT OF RANGE.
    pub const fn out_of_range() -> Sense {
        Sense::illegal(AdditionalSense::LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE)
    }

    /// The miscompare of a COMPARE AND WRITE or a VERIFY: INFORMATION is the offset, in bytes of the data-out, of the first byte that differed
    /// (SBC-4, "COMPARE AND WRITE command").
    pub const fn miscompare(offset: u64) -> Sense {
        Sense::new(SenseKey::Miscompare, AdditionalSense::MISCOMPARE_DURING_VERIFY_OPERATION)
            .with_information(offset)
    }

    /// The same with INFORMATION.
    pub const fn with_information(self, information: u64) -> Sense {
        Sense { information: Some(information), ..self }
    }

    /// The same with COMMAND-SPECIFIC INFORMATION.
    pub const fn with_command_specific(self, information: u64) -> Sense {
        Sense { command_specific: Some(information), ..self }
    }

    /// The same with the progress of what is under way, of 65,536.
    pub const fn with_progress(self, progress: u16) -> Sense {
        Sense { specific: Some(SenseKeySpecific::Progress(progress)), ..self }
    }

    /// The same with a pointer to the field in error. A field beyond the pointer's 16 bits has none.
    pub fn at(self, in_cdb: bool, byte: usize, bit: Option<u8>) -> Sense {
        let pointer = u16::try_from(byte).ok().map(|byte| FieldPointer { in_cdb, byte, bit });
        Sense { specific: pointer.map(SenseKeySpecific::Field), ..self }
    }

    /// The same with a pointer to the field of a copy in error.
    pub const fn at_segment(self, pointer: SegmentPointer) -> Sense {
        Sense { specific: Some(SenseKeySpecific::Segment(pointer)), ..self }
    }

    /// The field in error, where the sense data name one.
    #[must_use]
    pub const fn field(&self) -> Option<FieldPointer> {
        match self.specific {
            Some(SenseKeySpecific::Field(pointer)) => Some(pointer),
            _ => None,
        }
    }

    /// The bytes in that form.
    #[must_use]
    pub fn encode(&self, form: SenseForm) -> Vec<u8> {
        match form {
            SenseForm::Fixed => self.encode_fixed(),
            SenseForm::Descriptor => self.encode_descriptor(),
        }
    }

    /// SPC-5, "Fixed format sense data".
    fn encode_fixed(&self) -> Vec<u8> {
        let mut bytes = vec![0; Sense::FIXED_LENGTH];
        bytes[0] = if self.deferred { 0x71 } else { 0x70 };
        bytes[2] = self.key.bits();
        if let Some(information) = self.information.and_then(|number| u32::try_from(number).ok()) {
            bytes[0] |= 0x80;
            put(&mut bytes, 3, &information.to_be_bytes());
        }
        bytes[7] = 10;
        if let Some(specific) = self.command_specific.and_then(|number| u32::try_from(number).ok()) {
            put(&mut bytes, 8, &specific.to_be_bytes());
        }
        bytes[12] = self.code.code;
        bytes[13] = self.code.qualifier;
        if let Some(specific) = self.specific {
            put(&mut bytes, 15, &specific.encode());
        }
        bytes
    }

    /// SPC-5, "Descriptor format sense data".
    fn encode_descriptor(&self) -> Vec<u8> {
        let first = if self.deferred { 0x73 } else { 0x72 };
        let mut bytes = vec![first, self.key.bits(), self.code.code, self.code.qualifier, 0, 0, 0, 0];
        if let Some(information) = self.information {
            bytes.extend([0x00, 0x0a, 0x80, 0]);
            bytes.extend(information.to_be_bytes());
        }
        if let Some(specific) = self.command_specific {
            bytes.extend([0x01, 0x0a, 0, 0]);
            bytes.extend(specific.to_be_bytes());
        }
        if let Some(specific) = self.specific {
            bytes.extend([0x02, 0x06, 0, 0]);
            bytes.extend(specific.encode());
            bytes.push(0);
        }
        bytes[7] = crate::bytes::length_u8(bytes.len() - 8);
        bytes
    }

    /// Reads sense data of either form, current or deferred; `None` where they are neither, or end before their key. Fields beyond the
    /// end of what came are absent, and a code beyond it is 00h/00h.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Sense> {
        let view = View(bytes);
        match view.u8(0)? & 0x7f {
            form @ (0x70 | 0x71) => Sense::decode_fixed(view, form == 0x71),
            form @ (0x72 | 0x73) => Sense::decode_descriptor(view, form == 0x73),
            _ => None,
        }
    }

    fn decode_fixed(view: View<'_>, deferred: bool) -> Option<Sense> {
        let key = SenseKey::from_bits(view.u8(2)?);
        let end = 8 + usize::from(view.u8(7).unwrap_or(0));
        let view = View(view.0.get(..end).unwrap_or(view.0));
        let code = AdditionalSense::new(view.u8(12).unwrap_or(0), view.u8(13).unwrap_or(0));
        let information = view.u32(3).filter(|_| view.bit(0, 7)).map(u64::from);
        let command_specific = view.u32(8).filter(|&number| number != 0).map(u64::from);
        let specific = view.bytes(15, 3).and_then(|bytes| SenseKeySpecific::decode(key, bytes));
        Some(Sense { key, code, information, command_specific, specific, deferred })
    }

    fn decode_descriptor(view: View<'_>, deferred: bool) -> Option<Sense> {
        let key = SenseKey::from_bits(view.u8(1)?);
        let code = AdditionalSense::new(view.u8(2).unwrap_or(0), view.u8(3).unwrap_or(0));
        let mut sense = Sense { deferred, ..Sense::new(key, code) };
        let end = 8 + usize::from(view.u8(7).unwrap_or(0));
        let mut rest = view.0.get(..end).unwrap_or(view.0).get(8..).unwrap_or(&[]);
        while let [kind, length, ..] = *rest {
            let Some(descriptor) = rest.get(..2 + usize::from(length)).map(View) else { break };
            match kind {
                0x00 if descriptor.bit(2, 7) => sense.information = descriptor.u64(4),
                0x01 => sense.command_specific = descriptor.u64(4),
                0x02 => {
                    let bytes = descriptor.bytes(4, 3);
                    sense.specific = bytes.and_then(|bytes| SenseKeySpecific::decode(key, bytes));
                }
                _ => {}
            }
            rest = &rest[2 + usize::from(length)..];
        }
        Some(sense)
    }
}

impl SenseKeySpecific {
    fn encode(self) -> [u8; 3] {
        let pointer = |first: u8, bit: Option<u8>, byte: u16| {
            let [high, low] = byte.to_be_bytes();
            [0x80 | first | bit.map_or(0, |bit| 0x08 | bit & 7), high, low]
        };
        match self {
            SenseKeySpecific::Field(field) => pointer(flag(field.in_cdb, 6), field.bit, field.byte),
            SenseKeySpecific::Segment(segment) => {
                pointer(flag(segment.in_segment, 5), segment.bit, segment.byte)
            }
            SenseKeySpecific::Progress(number) | SenseKeySpecific::Retries(number) => {
                pointer(0, None, number)
            }
            SenseKeySpecific::QueueOverflow(overflow) => [0x80 | flag(overflow, 0), 0, 0],
        }
    }

    fn decode(key: SenseKey, bytes: &[u8]) -> Option<SenseKeySpecific> {
        let view = View(bytes);
        let (first, number) = (view.u8(0).filter(|first| first & 0x80 != 0)?, view.u16(1)?);
        let bit = (first & 0x08 != 0).then_some(first & 0x07);
        Some(match key {
            SenseKey::IllegalRequest => {
                SenseKeySpecific::Field(FieldPointer { in_cdb: first & 0x40 != 0, byte: number, bit })
            }
            SenseKey::NoSense | SenseKey::NotReady => SenseKeySpecific::Progress(number),
            SenseKey::HardwareError | SenseKey::MediumError | SenseKey::RecoveredError => {
                SenseKeySpecific::Retries(number)
            }
            SenseKey::CopyAborted => {
                SenseKeySpecific::Segment(SegmentPointer { in_segment: first & 0x20 != 0, byte: number, bit })
            }
            SenseKey::UnitAttention => SenseKeySpecific::QueueOverflow(first & 1 != 0),
            _ => return None,
        })
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_invalid_field_stands_in_the_fixed_form_with_its_pointer() {
        let bytes = Sense::invalid_cdb(2, Some(7)).encode(SenseForm::Fixed);
        assert_eq!(bytes, [0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0xcf, 0, 2]);
        let bytes = Sense::invalid_parameter(0x0102, None).encode(SenseForm::Fixed);
        assert_eq!(bytes[12..], [0x26, 0, 0, 0x80, 1, 2]);
    }

    #[test]
    fn a_miscompare_tells_its_offset_in_both_forms() {
        let sense = Sense::miscompare(0x0203);
        let fixed = sense.encode(SenseForm::Fixed);
        assert_eq!(fixed, [0xf0, 0, 0xe, 0, 0, 2, 3, 10, 0, 0, 0, 0, 0x1d, 0, 0, 0, 0, 0]);
        let descriptor = sense.encode(SenseForm::Descriptor);
        assert_eq!(descriptor, [0x72, 0xe, 0x1d, 0, 0, 0, 0, 12, 0, 10, 0x80, 0, 0, 0, 0, 0, 0, 0, 2, 3]);
    }

    #[test]
    fn a_pointer_stands_in_a_descriptor_of_its_own() {
        let bytes = Sense::invalid_cdb(2, None).encode(SenseForm::Descriptor);
        assert_eq!(bytes, [0x72, 5, 0x24, 0, 0, 0, 0, 8, 2, 6, 0, 0, 0xc0, 0, 2, 0]);
    }

    #[test]
    fn information_beyond_32_bits_is_left_out_of_the_fixed_form() {
        let sense = Sense::out_of_range().with_information(1 << 32);
        let bytes = sense.encode(SenseForm::Fixed);
        assert_eq!(bytes[..7], [0x70, 0, 5, 0, 0, 0, 0]);
        assert_eq!(Sense::decode(&sense.encode(SenseForm::Descriptor)), Some(sense));
    }

    #[test]
    fn progress_is_told_of_a_unit_that_is_not_ready() {
        let sense = Sense::not_ready(AdditionalSense::SANITIZE_IN_PROGRESS).with_progress(0x8000);
        assert_eq!(sense.encode(SenseForm::Fixed)[12..], [4, 0x1b, 0, 0x80, 0x80, 0]);
        assert_eq!(Sense::decode(&sense.encode(SenseForm::Fixed)), Some(sense));
    }

    #[test]
    fn what_was_cut_off_is_absent_and_what_is_no_sense_is_none() {
        let bytes = Sense::miscompare(5).encode(SenseForm::Fixed);
        let cut = Sense::decode(&bytes[..8]).unwrap();
        assert_eq!((cut.key, cut.information), (SenseKey::Miscompare, Some(5)));
        assert_eq!(cut.code, AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION);
        let bytes = Sense::miscompare(5).encode(SenseForm::Descriptor);
        let cut = Sense::decode(&bytes[..19]).unwrap();
        assert_eq!((cut.code, cut.information), (AdditionalSense::MISCOMPARE_DURING_VERIFY_OPERATION, None));
        for none in [&[][..], &[0x70], &[0x70, 0], &[0x7f; 18], &[0; 18]] {
            assert_eq!(Sense::decode(none), None, "{none:02x?}");
        }
    }

    #[test]
    fn a_field_beyond_the_pointer_has_none() {
        assert_eq!(Sense::invalid_parameter(65_536, None).field(), None);
        assert_eq!(Sense::invalid_parameter(65_535, None).field().unwrap().byte, 65_535);
    }

    fn specific(key: SenseKey, first: u8, number: u16) -> Option<SenseKeySpecific> {
        let [high, low] = number.to_be_bytes();
        SenseKeySpecific::decode(key, &[first, high, low])
    }

    proptest! {
        #[test]
        fn what_one_end_writes_the_other_reads(
            key in 0_u8..16, code: u8, qualifier: u8, information: Option<u64>, command_specific: Option<u64>,
            first: u8, number: u16, deferred: bool,
        ) {
            let key = SenseKey::from_bits(key);
            let code = AdditionalSense::new(code, qualifier);
            let specific = specific(key, first, number);
            let sense = Sense { key, code, information, command_specific, specific, deferred };
            let bytes = sense.encode(SenseForm::Descriptor);
            prop_assert!(bytes.len() <= Sense::LENGTH_MAX);
            prop_assert_eq!(Sense::decode(&bytes), Some(sense));
            let short = |number: Option<u64>| number.filter(|&number| u32::try_from(number).is_ok());
            let fixed = Sense {
                information: short(information),
                command_specific: short(command_specific).filter(|&number| number != 0),
                ..sense
            };
            prop_assert_eq!(Sense::decode(&sense.encode(SenseForm::Fixed)), Some(fixed));
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), form in 0x70_u8..0x74) {
            let _ = Sense::decode(&bytes);
            let _ = Sense::decode(&[&[form], &bytes[..]].concat());
        }
    }
}
