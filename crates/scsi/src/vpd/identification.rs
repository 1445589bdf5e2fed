//! Pages that name things: supported pages (00h), unit serial number (80h), device identification (83h), SCSI ports (88h).

use super::designation::Designation;
use super::{content, page, with_header};
use crate::bytes::{View, ascii, length_u16, put_ascii};

/// The Supported VPD Pages page (SPC-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedPages {
    /// PAGE CODEs, this page's too.
    pub pages: Vec<u8>,
}

impl SupportedPages {
    /// The page. The codes stand in ascending order, each once, as SPC-5 asks.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut pages = self.pages.clone();
        pages.push(page::SUPPORTED);
        pages.sort_unstable();
        pages.dedup();
        with_header(page::SUPPORTED, &pages)
    }

    /// Reads the page.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<SupportedPages> {
        content(bytes, page::SUPPORTED).map(|pages| SupportedPages { pages: pages.to_vec() })
    }
}

/// The Unit Serial Number page (SPC-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitSerialNumber {
    /// PRODUCT SERIAL NUMBER, printable ASCII.
    pub serial: String,
}

impl UnitSerialNumber {
    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut serial = vec![0; self.serial.chars().count()];
        put_ascii(&mut serial, &self.serial);
        with_header(page::UNIT_SERIAL_NUMBER, &serial)
    }

    /// Reads the page.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<UnitSerialNumber> {
        content(bytes, page::UNIT_SERIAL_NUMBER).map(|serial| UnitSerialNumber { serial: ascii(serial) })
    }
}

/// The Device Identification page (SPC-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdentification {
    /// The names, of the logical unit first.
    pub designations: Vec<Designation>,
}

impl DeviceIdentification {
    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let names: Vec<u8> = self.designations.iter().flat_map(Designation::encode).collect();
        with_header(page::DEVICE_IDENTIFICATION, &names)
    }

    /// Reads the page, up to the first descriptor that is cut short.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<DeviceIdentification> {
        let names = content(bytes, page::DEVICE_IDENTIFICATION)?;
        Some(DeviceIdentification { designations: Designation::decode_all(names) })
    }
}

/// A target port of the SCSI Ports page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScsiPort {
    /// RELATIVE PORT IDENTIFIER, from 1.
    pub relative: u16,
    /// Names of the target port.
    pub designations: Vec<Designation>,
}

/// The SCSI Ports page (SPC-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScsiPorts {
    /// Every target port.
    pub ports: Vec<ScsiPort>,
}

impl ScsiPorts {
    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for port in &self.ports {
            let names: Vec<u8> = port.designations.iter().flat_map(Designation::encode).collect();
            data.extend([0, 0]);
            data.extend(port.relative.to_be_bytes());
            // No TransportID: these are target ports, not initiators.
            data.extend([0; 6]);
            data.extend(length_u16(names.len()).to_be_bytes());
            data.extend(names);
        }
        with_header(page::SCSI_PORTS, &data)
    }

    /// Reads the page, up to the first descriptor that is cut short.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<ScsiPorts> {
        let mut rest = content(bytes, page::SCSI_PORTS)?;
        let mut ports = Vec::new();
        while let Some((port, behind)) = ScsiPorts::port(rest) {
            ports.push(port);
            rest = behind;
        }
        Some(ScsiPorts { ports })
    }

    fn port(bytes: &[u8]) -> Option<(ScsiPort, &[u8])> {
        let view = View(bytes);
        let (relative, initiator) = (view.u16(2)?, usize::from(view.u16(6)?));
        let length = usize::from(view.u16(10 + initiator)?);
        let designations = Designation::decode_all(view.bytes(12 + initiator, length)?);
        Some((ScsiPort { relative, designations }, &bytes[12 + initiator + length..]))
    }
}
