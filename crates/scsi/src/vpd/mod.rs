//! Vital product data pages (SPC-5, "Vital product data parameters"; SBC-4, "Vital product data (VPD) parameters").

mod block;
mod designation;
mod extended;
mod identification;
mod provisioning;
#[cfg(test)]
mod tests;

pub use block::{BlockCharacteristics, BlockLimits};
pub(crate) use designation::name_string;
pub use designation::{Association, Designation, Designator, PROTOCOL_ISCSI};
pub use extended::{ExtendedInquiry, ModePagePolicy, ModePolicy};
pub use identification::{DeviceIdentification, ScsiPort, ScsiPorts, SupportedPages, UnitSerialNumber};
pub use provisioning::{LogicalBlockProvisioning, ProvisioningType};

use crate::bytes::{View, length_u16};
use crate::inquiry::Peripheral;

/// PAGE CODEs of the pages here.
pub mod page {
    /// Supported VPD pages.
    pub const SUPPORTED: u8 = 0x00;
    /// Unit serial number.
    pub const UNIT_SERIAL_NUMBER: u8 = 0x80;
    /// Device identification.
    pub const DEVICE_IDENTIFICATION: u8 = 0x83;
    /// Extended INQUIRY data.
    pub const EXTENDED_INQUIRY: u8 = 0x86;
    /// Mode page policy.
    pub const MODE_PAGE_POLICY: u8 = 0x87;
    /// SCSI ports.
    pub const SCSI_PORTS: u8 = 0x88;
    /// Third-party copy: [`CopyLimits::page`](crate::CopyLimits::page).
    pub const THIRD_PARTY_COPY: u8 = 0x8f;
    /// Block limits.
    pub const BLOCK_LIMITS: u8 = 0xb0;
    /// Block device characteristics.
    pub const BLOCK_CHARACTERISTICS: u8 = 0xb1;
    /// Logical block provisioning.
    pub const LOGICAL_BLOCK_PROVISIONING: u8 = 0xb2;
}

/// A page of a connected block device: the header before what the page holds.
fn with_header(code: u8, data: &[u8]) -> Vec<u8> {
    let mut page = vec![Peripheral::DISK.0, code];
    page.extend(length_u16(data.len()).to_be_bytes());
    page.extend(data);
    page
}

/// What a page of that code holds: as much of its length as came. `None` where the page is another.
fn content(bytes: &[u8], code: u8) -> Option<&[u8]> {
    let view = View(bytes);
    if view.u8(1)? != code {
        return None;
    }
    let length = usize::from(view.u16(2)?);
    let rest = &bytes[4..];
    Some(rest.get(..length).unwrap_or(rest))
}
