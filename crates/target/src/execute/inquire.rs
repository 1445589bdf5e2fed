//! INQUIRY and its vital product data (SPC-5, INQUIRY command; SBC-4, VPD parameters).

use oarlock_scsi::vpd::{
    Association, BlockCharacteristics, BlockLimits, Designation, Designator, DeviceIdentification,
    ExtendedInquiry, LogicalBlockProvisioning, ModePagePolicy, ModePolicy, PROTOCOL_ISCSI, ProvisioningType,
    ScsiPort, ScsiPorts, SupportedPages, UnitSerialNumber, page,
};
use oarlock_scsi::{Inquiry, Peripheral, Sense, StandardInquiry, TargetPortGroupSupport, VersionDescriptor};

use super::atomic::atomic_blocks_max;
use super::copy::LIMITS;
use super::same::{UNMAP_BLOCKS_MAX, UNMAP_DESCRIPTORS_MAX, write_same_max};
use super::settings::THRESHOLD_EXPONENT;
use super::{Reply, Work};
use crate::array::Array;
use crate::course::Outcome;
use crate::limits::{COMPARE_BLOCKS_MAX, TRANSFER_MAX};
use crate::session::PortalIndex;
use crate::unit::VENDOR;

/// The product.
const PRODUCT: &str = "ARRAY";

/// What answers where there is no unit.
pub(super) fn of_no_unit(peripheral: Peripheral) -> StandardInquiry {
    StandardInquiry {
        target_port_groups: TargetPortGroupSupport::None,
        third_party_copy: false,
        ..standard(peripheral, false, false)
    }
}

fn standard(peripheral: Peripheral, removable: bool, has_many_ports: bool) -> StandardInquiry {
    StandardInquiry {
        peripheral,
        removable,
        version: StandardInquiry::VERSION_SPC_4,
        hierarchical: true,
        target_port_groups: TargetPortGroupSupport::Explicit,
        third_party_copy: true,
        multiple_ports: has_many_ports,
        command_queuing: true,
        vendor: VENDOR.to_owned(),
        product: PRODUCT.to_owned(),
        revision: revision(),
        versions: VersionDescriptor::ARRAY.to_vec(),
    }
}

/// The first four characters of the version, without its points: 0.1.0 is 0010.
fn revision() -> String {
    let digits: String = env!("CARGO_PKG_VERSION").split('.').collect();
    format!("{digits:0>4}")
}

impl Work {
    pub(super) fn inquire(&self, inquiry: Inquiry) -> Outcome<Reply> {
        let data = match inquiry.page {
            None => {
                let has_many_ports = self.array.config.portals.len() > 1;
                standard(Peripheral::DISK, self.unit.traits.is_removable, has_many_ports).encode()
            }
            Some(code) => self.page(code).ok_or_else(|| Sense::invalid_cdb(2, None))?,
        };
        Ok(Reply::bytes(data, inquiry.allocation_length))
    }

    fn page(&self, code: u8) -> Option<Vec<u8>> {
        const PAGES: [u8; 10] = [
            page::SUPPORTED,
            page::UNIT_SERIAL_NUMBER,
            page::DEVICE_IDENTIFICATION,
            page::EXTENDED_INQUIRY,
            page::MODE_PAGE_POLICY,
            page::SCSI_PORTS,
            page::THIRD_PARTY_COPY,
            page::BLOCK_LIMITS,
            page::BLOCK_CHARACTERISTICS,
            page::LOGICAL_BLOCK_PROVISIONING,
        ];
        Some(match code {
            page::SUPPORTED => SupportedPages { pages: PAGES.to_vec() }.encode(),
            page::UNIT_SERIAL_NUMBER => UnitSerialNumber { serial: self.unit.traits.serial.clone() }.encode(),
            page::DEVICE_IDENTIFICATION => self.identification().encode(),
            page::EXTENDED_INQUIRY => ExtendedInquiry {
                head_of_queue: true,
                ordered: true,
                simple: true,
                volatile_cache: self.unit.state.borrow().settings.write_cache,
                inventory_clear: true,
                sense_length_max: u8::try_from(Sense::LENGTH_MAX).unwrap_or(u8::MAX),
                ..ExtendedInquiry::default()
            }
            .encode(),
            page::MODE_PAGE_POLICY => ModePagePolicy { policy: ModePolicy::Shared }.encode(),
            page::SCSI_PORTS => self.ports().encode(),
            page::THIRD_PARTY_COPY => LIMITS.page(),
            page::BLOCK_LIMITS => self.limits().encode(),
            page::BLOCK_CHARACTERISTICS => BlockCharacteristics {
                rotation_rate: BlockCharacteristics::NON_ROTATING,
                after_block_erase: if self.unit.traits.is_thin { 0b01 } else { 0b00 },
                verifies_unmapped: true,
                ..BlockCharacteristics::default()
            }
            .encode(),
            page::LOGICAL_BLOCK_PROVISIONING => self.provisioning().encode(),
            _ => return None,
        })
    }

    fn identification(&self) -> DeviceIdentification {
        let mut designations = self.unit.names();
        designations.extend(self.array.designations(self.task.session.nexus.portal));
        DeviceIdentification { designations }
    }

    fn ports(&self) -> ScsiPorts {
        let name = self.array.config.name.to_string();
        let ports = (0..self.array.config.portals.len()).filter_map(|place| u16::try_from(place).ok());
        let port = |place: u16| ScsiPort {
            relative: PortalIndex(place).port(),
            designations: vec![port_name(&name, PortalIndex(place))],
        };
        ScsiPorts { ports: ports.map(port).collect() }
    }

    fn limits(&self) -> BlockLimits {
        let geometry = self.unit.geometry();
        let block = geometry.block_size.bytes();
        let transfer_max = u32::try_from(TRANSFER_MAX).unwrap_or(u32::MAX) / block;
        let granularity = u32::try_from(geometry.physical_block.0).unwrap_or(block) / block;
        let is_thin = self.unit.traits.is_thin;
        BlockLimits {
            write_same_non_zero: true,
            compare_and_write_max: COMPARE_BLOCKS_MAX,
            transfer_granularity: u16::try_from(granularity).unwrap_or(1),
            transfer_max,
            transfer_optimal: (1 << 20) / block,
            unmap_blocks_max: if is_thin { UNMAP_BLOCKS_MAX } else { 0 },
            unmap_descriptors_max: if is_thin { UNMAP_DESCRIPTORS_MAX } else { 0 },
            unmap_granularity: if is_thin { granularity } else { 0 },
            unmap_alignment: is_thin.then_some(0),
            write_same_max: write_same_max(self.unit.block_size()),
            // From any block on, of any length up to that, and never in parts: no alignment, granularity or boundary (zeros).
            atomic_max: atomic_blocks_max(geometry.block_size),
            ..BlockLimits::default()
        }
    }

    fn provisioning(&self) -> LogicalBlockProvisioning {
        let is_thin = self.unit.traits.is_thin;
        LogicalBlockProvisioning {
            unmap: is_thin,
            write_same_16: is_thin,
            write_same_10: is_thin,
            reads_zeros: is_thin,
            anchors: self.unit.has_anchors(),
            kind: if is_thin { ProvisioningType::Thin } else { ProvisioningType::Full },
            threshold_exponent: if is_thin { THRESHOLD_EXPONENT } else { 0 },
        }
    }
}

impl Array {
    /// The names of a port and of the target.
    pub(super) fn designations(&self, portal: PortalIndex) -> Vec<Designation> {
        let name = self.config.name.to_string();
        vec![
            Designation::of_port(Designator::RelativeTargetPort(portal.port())),
            Designation::of_port(Designator::TargetPortGroup(portal.port())),
            port_name(&name, portal),
            Designation::of_device(Designator::ScsiName(name)),
        ]
    }
}

/// The name of a target port (RFC 7143, 3.4.6): the target's, with its portal group tag.
fn port_name(target: &str, portal: PortalIndex) -> Designation {
    Designation {
        association: Association::TargetPort,
        protocol: Some(PROTOCOL_ISCSI),
        designator: Designator::ScsiName(format!("{target},t,0x{:04x}", portal.port())),
    }
}
