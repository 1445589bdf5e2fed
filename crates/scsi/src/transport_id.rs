//! TransportIDs of iSCSI initiators (SPC-5, "TransportID identifiers"; RFC 7143).

use crate::bytes::{View, length_u16};
use crate::vpd::{PROTOCOL_ISCSI, name_string};

/// Who an initiator is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransportId {
    /// Format 00b: every port of the initiator of that iSCSI name.
    Device {
        /// The iSCSI name.
        name: String,
    },
    /// Format 01b: one port of it.
    Port {
        /// The iSCSI name.
        name: String,
        /// The ISID of its sessions.
        isid: [u8; 6],
    },
}

const FORMAT_DEVICE: u8 = 0b00;
const FORMAT_PORT: u8 = 0b01;
/// Between the name and the ISID (RFC 7143, "SCSI Architecture Model").
const SEPARATOR: &str = ",i,0x";
/// ADDITIONAL LENGTH is at least this.
const LENGTH_MIN: usize = 20;
/// An iSCSI name has at most 223 bytes (RFC 7143, "iSCSI Names").
const NAME_LENGTH_MAX: usize = 223;

impl TransportId {
    /// The iSCSI name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            TransportId::Device { name } | TransportId::Port { name, .. } => name,
        }
    }

    /// The TransportID.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (format, text) = match self {
            TransportId::Device { name } => (FORMAT_DEVICE, name.clone()),
            TransportId::Port { name, isid } => {
                let digits: String = isid.iter().map(|byte| format!("{byte:02x}")).collect();
                (FORMAT_PORT, format!("{name}{SEPARATOR}{digits}"))
            }
        };
        let mut name = name_string(&text);
        name.resize(name.len().max(LENGTH_MIN), 0);
        let mut bytes = vec![format << 6 | PROTOCOL_ISCSI, 0];
        bytes.extend(length_u16(name.len()).to_be_bytes());
        bytes.extend(name);
        bytes
    }

    /// Reads the TransportID at the front, and returns what is behind it. `None` where it is cut short, of another protocol, or not as
    /// RFC 7143 writes it.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(TransportId, &[u8])> {
        let view = View(bytes);
        let (first, length) = (view.u8(0)?, usize::from(view.u16(2)?));
        let text = view.bytes(4, length)?;
        if first & 0x0f != PROTOCOL_ISCSI || length < LENGTH_MIN || !length.is_multiple_of(4) {
            return None;
        }
        let end = text.iter().position(|&byte| byte == 0)?;
        let text = std::str::from_utf8(&text[..end]).ok()?;
        let id = match first >> 6 {
            FORMAT_DEVICE => TransportId::Device { name: text.to_owned() },
            FORMAT_PORT => {
                let (name, digits) = text.rsplit_once(SEPARATOR)?;
                TransportId::Port { name: name.to_owned(), isid: isid(digits)? }
            }
            _ => return None,
        };
        let is_name = !id.name().is_empty() && id.name().len() <= NAME_LENGTH_MAX;
        is_name.then(|| (id, &bytes[4 + length..]))
    }
}

/// Up to twelve hexadecimal digits: leading zeros may be left out.
fn isid(digits: &str) -> Option<[u8; 6]> {
    let is_number =
        !digits.is_empty() && digits.len() <= 12 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_number.then(|| u64::from_str_radix(digits, 16).ok()).flatten()?;
    let [_, _, isid @ ..] = number.to_be_bytes();
    Some(isid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> TransportId {
        TransportId::Port { name: "iqn.2030-01.net.example:a".to_owned(), isid: [0x40, 0, 1, 0x37, 0, 0xab] }
    }

    #[test]
    fn a_port_stands_as_the_standard_lays_it_out_and_reads_back() {
        let bytes = port().encode();
        assert_eq!(bytes[..4], [0x45, 0, 0, 44]);
        assert_eq!(&bytes[4..], b"iqn.2030-01.net.example:a,i,0x4000013700ab\0\0");
        assert_eq!(TransportId::decode(&bytes), Some((port(), &[][..])));
    }

    #[test]
    fn a_short_name_is_filled_to_the_least_length() {
        let device = TransportId::Device { name: "iqn.x".to_owned() };
        let bytes = device.encode();
        assert_eq!((bytes.len(), &bytes[..4]), (24, &[0x05, 0, 0, 20][..]));
        let two = [bytes, port().encode()].concat();
        let (first, rest) = TransportId::decode(&two).unwrap();
        assert_eq!((first, TransportId::decode(rest).unwrap().0), (device, port()));
    }

    #[test]
    fn what_is_no_initiator_of_iscsi_is_none() {
        let good = port().encode();
        let spoilt = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(TransportId::decode(&spoilt(0, 0x46)), None, "another protocol");
        assert_eq!(TransportId::decode(&spoilt(0, 0x85)), None, "an unknown format");
        assert_eq!(TransportId::decode(&spoilt(3, 43)), None, "no multiple of four");
        assert_eq!(TransportId::decode(&spoilt(35, b'g')), None, "no ISID");
        assert_eq!(TransportId::decode(&good[..47]), None, "cut short");
    }
}
