//! The Logical Block Provisioning page (B2h) of SBC-4.

use super::{content, page, with_header};
use crate::bytes::{View, flag};

/// PROVISIONING TYPE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProvisioningType {
    /// 000b: fully provisioned, or not told.
    #[default]
    Full,
    /// 001b: resource provisioned: a block has its room before it is written.
    Resource,
    /// 010b: thin provisioned.
    Thin,
}

/// The Logical Block Provisioning page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogicalBlockProvisioning {
    /// THRESHOLD EXPONENT: a threshold counts in 2 to its power blocks; 0 where there are none.
    pub threshold_exponent: u8,
    /// LBPU: UNMAP is supported.
    pub unmap: bool,
    /// LBPWS: so is WRITE SAME(16) with UNMAP.
    pub write_same_16: bool,
    /// LBPWS10: so is WRITE SAME(10) with UNMAP.
    pub write_same_10: bool,
    /// LBPRZ 001b: unmapped blocks read as zeros.
    pub reads_zeros: bool,
    /// ANC_SUP: blocks can be anchored.
    pub anchors: bool,
    /// PROVISIONING TYPE.
    pub kind: ProvisioningType,
}

impl LogicalBlockProvisioning {
    /// The page, without a provisioning group descriptor.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flags = flag(self.unmap, 7)
            | flag(self.write_same_16, 6)
            | flag(self.write_same_10, 5)
            | flag(self.reads_zeros, 2)
            | flag(self.anchors, 1);
        let kind = match self.kind {
            ProvisioningType::Full => 0,
            ProvisioningType::Resource => 1,
            ProvisioningType::Thin => 2,
        };
        with_header(page::LOGICAL_BLOCK_PROVISIONING, &[self.threshold_exponent, flags, kind, 0])
    }

    /// Reads the page; fields beyond its end are zero, and a type that SBC-4 does not define is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<LogicalBlockProvisioning> {
        let view = View(content(bytes, page::LOGICAL_BLOCK_PROVISIONING)?);
        Some(LogicalBlockProvisioning {
            threshold_exponent: view.u8(0).unwrap_or(0),
            unmap: view.bit(1, 7),
            write_same_16: view.bit(1, 6),
            write_same_10: view.bit(1, 5),
            reads_zeros: view.bit(1, 2),
            anchors: view.bit(1, 1),
            kind: match view.u8(2).unwrap_or(0) & 7 {
                1 => ProvisioningType::Resource,
                2 => ProvisioningType::Thin,
                _ => ProvisioningType::Full,
            },
        })
    }
}
