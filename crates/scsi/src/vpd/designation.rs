//! Designators: names of a logical unit, a target port, a target device (SPC-5, "Designation descriptor").

use crate::bytes::{View, ascii, flag, length_u8, put_ascii};

/// What a designator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Association {
    /// 00b: the addressed logical unit.
    LogicalUnit,
    /// 01b: the target port through which the command came.
    TargetPort,
    /// 10b: the target device.
    TargetDevice,
}

/// A name, by its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Designator {
    /// 1h: a vendor's name, and what the vendor calls it.
    T10Vendor {
        /// T10 VENDOR IDENTIFICATION, 8 characters.
        vendor: String,
        /// VENDOR SPECIFIC IDENTIFIER, printable ASCII.
        identifier: String,
    },
    /// 2h: an EUI-64 of 8, 12 or 16 bytes.
    Eui64(Vec<u8>),
    /// 3h: an NAA name of 8 bytes, or 16 where the first nibble is 6.
    Naa(Vec<u8>),
    /// 4h: RELATIVE TARGET PORT IDENTIFIER.
    RelativeTargetPort(u16),
    /// 5h: TARGET PORT GROUP.
    TargetPortGroup(u16),
    /// 8h: a SCSI name string: the iSCSI name, with `,t,0x` and the portal group tag where it is a port's.
    ScsiName(String),
    /// Any other: its type, its code set and its bytes.
    Other {
        /// DESIGNATOR TYPE.
        kind: u8,
        /// CODE SET.
        code_set: u8,
        /// DESIGNATOR.
        bytes: Vec<u8>,
    },
}

/// PROTOCOL IDENTIFIER of iSCSI.
pub const PROTOCOL_ISCSI: u8 = 0x5;

/// A designation descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Designation {
    /// What is named.
    pub association: Association,
    /// PROTOCOL IDENTIFIER, where PIV says that there is one.
    pub protocol: Option<u8>,
    /// The name.
    pub designator: Designator,
}

const BINARY: u8 = 1;
const ASCII: u8 = 2;
const UTF_8: u8 = 3;

impl Designation {
    /// A name of the logical unit.
    #[must_use]
    pub const fn of_unit(designator: Designator) -> Designation {
        Designation { association: Association::LogicalUnit, protocol: None, designator }
    }

    /// A name of a target port of iSCSI.
    #[must_use]
    pub const fn of_port(designator: Designator) -> Designation {
        Designation { association: Association::TargetPort, protocol: Some(PROTOCOL_ISCSI), designator }
    }

    /// A name of a target device of iSCSI.
    #[must_use]
    pub const fn of_device(designator: Designator) -> Designation {
        Designation { association: Association::TargetDevice, protocol: Some(PROTOCOL_ISCSI), designator }
    }

    /// The descriptor.
    ///
    /// # Panics
    /// Where a name is longer than the 255 bytes that a descriptor has for it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, code_set, name) = self.designator.encode();
        let association = match self.association {
            Association::LogicalUnit => 0x00,
            Association::TargetPort => 0x10,
            Association::TargetDevice => 0x20,
        };
        let piv = flag(self.protocol.is_some(), 7);
        let mut bytes = vec![self.protocol.unwrap_or(0) << 4 | code_set, piv | association | kind, 0];
        bytes.push(length_u8(name.len()));
        bytes.extend(name);
        bytes
    }

    /// Reads the descriptor at the front, and returns what is behind it. `None` where it is cut short or names nothing known.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Designation, &[u8])> {
        let view = View(bytes);
        let (first, second, length) = (view.u8(0)?, view.u8(1)?, usize::from(view.u8(3)?));
        let association = match second >> 4 & 3 {
            0 => Association::LogicalUnit,
            1 => Association::TargetPort,
            2 => Association::TargetDevice,
            _ => return None,
        };
        let protocol = (second & 0x80 != 0).then_some(first >> 4);
        let designator = Designator::decode(second & 0x0f, first & 0x0f, view.bytes(4, length)?);
        Some((Designation { association, protocol, designator }, &bytes[4 + length..]))
    }

    /// Reads a list of descriptors, up to the first that is cut short.
    pub(super) fn decode_all(mut bytes: &[u8]) -> Vec<Designation> {
        let mut all = Vec::new();
        while let Some((designation, rest)) = Designation::decode(bytes) {
            all.push(designation);
            bytes = rest;
        }
        all
    }
}

impl Designator {
    /// DESIGNATOR TYPE, CODE SET and DESIGNATOR.
    fn encode(&self) -> (u8, u8, Vec<u8>) {
        match self {
            Designator::T10Vendor { vendor, identifier } => {
                let mut name = vec![0; 8 + identifier.chars().count()];
                put_ascii(&mut name[..8], vendor);
                put_ascii(&mut name[8..], identifier);
                (1, ASCII, name)
            }
            Designator::Eui64(name) => (2, BINARY, name.clone()),
            Designator::Naa(name) => (3, BINARY, name.clone()),
            Designator::RelativeTargetPort(number) => (4, BINARY, numbered(*number)),
            Designator::TargetPortGroup(number) => (5, BINARY, numbered(*number)),
            Designator::ScsiName(text) => (8, UTF_8, name_string(text)),
            Designator::Other { kind, code_set, bytes } => (kind & 0x0f, code_set & 0x0f, bytes.clone()),
        }
    }

    fn decode(kind: u8, code_set: u8, bytes: &[u8]) -> Designator {
        let view = View(bytes);
        let known = match (kind, code_set) {
            (1, ASCII) => view.bytes(0, 8).zip(bytes.get(8..)).map(|(vendor, identifier)| {
                Designator::T10Vendor { vendor: ascii(vendor), identifier: ascii(identifier) }
            }),
            (2, BINARY) => Some(Designator::Eui64(bytes.to_vec())),
            (3, BINARY) => Some(Designator::Naa(bytes.to_vec())),
            (4, BINARY) => view.u16(2).map(Designator::RelativeTargetPort),
            (5, BINARY) => view.u16(2).map(Designator::TargetPortGroup),
            (8, UTF_8) => std::str::from_utf8(bytes)
                .ok()
                .map(|text| Designator::ScsiName(text.trim_end_matches('\0').to_owned())),
            _ => None,
        };
        known.unwrap_or_else(|| Designator::Other { kind, code_set, bytes: bytes.to_vec() })
    }
}

fn numbered(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![0, 0, high, low]
}

/// SPC-5, "SCSI name string designator format": ended by a zero, and filled with zeros to a multiple of four.
pub(crate) fn name_string(text: &str) -> Vec<u8> {
    let mut name = text.as_bytes().to_vec();
    name.resize((name.len() + 1).next_multiple_of(4), 0);
    name
}
