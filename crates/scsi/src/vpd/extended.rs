//! The Extended INQUIRY Data page (86h) and the Mode Page Policy page (87h) of SPC-5.

use super::{content, page, with_header};
use crate::bytes::{View, flag};

/// The Extended INQUIRY Data page. What it does not name is zero: no protection information, no microcode, no self-test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedInquiry {
    /// UASK_SUP: unit attention conditions carry sense-key-specific data.
    pub unit_attention_specific: bool,
    /// GROUP_SUP: grouping is done.
    pub grouping: bool,
    /// HEADSUP: the HEAD OF QUEUE task attribute.
    pub head_of_queue: bool,
    /// ORDSUP: the ORDERED task attribute.
    pub ordered: bool,
    /// SIMPSUP: the SIMPLE task attribute.
    pub simple: bool,
    /// NV_SUP: there is a non-volatile cache.
    pub non_volatile_cache: bool,
    /// V_SUP: there is a volatile cache.
    pub volatile_cache: bool,
    /// LUICLR: one REPORT LUNS clears the unit attention about LUNs on all units.
    pub inventory_clear: bool,
    /// MAXIMUM SUPPORTED SENSE DATA LENGTH, in bytes.
    pub sense_length_max: u8,
}

impl ExtendedInquiry {
    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = [0; 60];
        data[1] = flag(self.unit_attention_specific, 5)
            | flag(self.grouping, 4)
            | flag(self.head_of_queue, 2)
            | flag(self.ordered, 1)
            | flag(self.simple, 0);
        data[2] = flag(self.non_volatile_cache, 1) | flag(self.volatile_cache, 0);
        data[3] = flag(self.inventory_clear, 0);
        data[9] = self.sense_length_max;
        with_header(page::EXTENDED_INQUIRY, &data)
    }

    /// Reads the page; fields beyond its end are zero.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<ExtendedInquiry> {
        let view = View(content(bytes, page::EXTENDED_INQUIRY)?);
        Some(ExtendedInquiry {
            unit_attention_specific: view.bit(1, 5),
            grouping: view.bit(1, 4),
            head_of_queue: view.bit(1, 2),
            ordered: view.bit(1, 1),
            simple: view.bit(1, 0),
            non_volatile_cache: view.bit(2, 1),
            volatile_cache: view.bit(2, 0),
            inventory_clear: view.bit(3, 0),
            sense_length_max: view.u8(9).unwrap_or(0),
        })
    }
}

/// For whom a mode page is kept (SPC-5, "Mode Page Policy VPD page").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModePolicy {
    /// 00b: once for all.
    Shared,
    /// 01b: for each target port.
    PerTargetPort,
    /// 11b: for each nexus.
    PerNexus,
}

/// The Mode Page Policy page of a unit that keeps all its pages alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModePagePolicy {
    /// For whom every page and subpage is kept.
    pub policy: ModePolicy,
}

impl ModePagePolicy {
    /// The page: one descriptor, of all pages and subpages.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let policy = match self.policy {
            ModePolicy::Shared => 0b00,
            ModePolicy::PerTargetPort => 0b01,
            ModePolicy::PerNexus => 0b11,
        };
        with_header(page::MODE_PAGE_POLICY, &[0x3f, 0xff, policy, 0])
    }
}
