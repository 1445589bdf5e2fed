//! Standard INQUIRY data (SPC-5, "Standard INQUIRY data").

use crate::bytes::{View, ascii, flag, put, put_ascii};

/// The first byte of INQUIRY data and of each VPD page: what answers at a LUN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peripheral(pub u8);

impl Peripheral {
    /// A block device is there.
    pub const DISK: Peripheral = Peripheral(0x00);
    /// The REPORT LUNS well-known logical unit is there.
    pub const WELL_KNOWN: Peripheral = Peripheral(0x1e);
    /// Nothing is there, and something may come: qualifier 001b, type 1Fh.
    pub const NOT_CONNECTED: Peripheral = Peripheral(0x3f);
    /// Nothing is there, and nothing can be: qualifier 011b, type 1Fh.
    pub const NONE: Peripheral = Peripheral(0x7f);

    /// PERIPHERAL QUALIFIER: 0 where a unit is connected.
    #[must_use]
    pub const fn qualifier(self) -> u8 {
        self.0 >> 5
    }

    /// PERIPHERAL DEVICE TYPE: 0 of a block device.
    #[must_use]
    pub const fn device_type(self) -> u8 {
        self.0 & 0x1f
    }
}

/// TPGS: whether asymmetric access is managed by the target, by initiators, or by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetPortGroupSupport {
    /// 00b: no asymmetric access.
    None,
    /// 01b: the target alone changes states.
    Implicit,
    /// 10b: SET TARGET PORT GROUPS alone does.
    Explicit,
    /// 11b: both.
    Both,
}

impl TargetPortGroupSupport {
    const ALL: [TargetPortGroupSupport; 4] = [
        TargetPortGroupSupport::None,
        TargetPortGroupSupport::Implicit,
        TargetPortGroupSupport::Explicit,
        TargetPortGroupSupport::Both,
    ];
}

/// A standard to which conformance is claimed (SPC-5, "Version descriptor values"; each without claiming a version of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionDescriptor(pub u16);

impl VersionDescriptor {
    /// SAM-5.
    pub const SAM_5: VersionDescriptor = VersionDescriptor(0x00a0);
    /// SPC-4.
    pub const SPC_4: VersionDescriptor = VersionDescriptor(0x0460);
    /// SBC-3.
    pub const SBC_3: VersionDescriptor = VersionDescriptor(0x04c0);
    /// iSCSI.
    pub const ISCSI: VersionDescriptor = VersionDescriptor(0x0960);

    /// What the array claims.
    pub const ARRAY: [VersionDescriptor; 4] = [
        VersionDescriptor::SAM_5,
        VersionDescriptor::SPC_4,
        VersionDescriptor::SBC_3,
        VersionDescriptor::ISCSI,
    ];
}

/// Standard INQUIRY data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardInquiry {
    /// What answers.
    pub peripheral: Peripheral,
    /// RMB: the medium can be taken out.
    pub removable: bool,
    /// VERSION: 06h is SPC-4.
    pub version: u8,
    /// HISUP: LUNs are assigned as SAM-5 lays them out.
    pub hierarchical: bool,
    /// TPGS.
    pub target_port_groups: TargetPortGroupSupport,
    /// 3PC: EXTENDED COPY and its like are executed.
    pub third_party_copy: bool,
    /// MULTIP: there are several target ports.
    pub multiple_ports: bool,
    /// CMDQUE: several commands of one nexus may be under way.
    pub command_queuing: bool,
    /// T10 VENDOR IDENTIFICATION, 8 characters.
    pub vendor: String,
    /// PRODUCT IDENTIFICATION, 16 characters.
    pub product: String,
    /// PRODUCT REVISION LEVEL, 4 characters.
    pub revision: String,
    /// VERSION DESCRIPTORs, at most 8.
    pub versions: Vec<VersionDescriptor>,
}

impl StandardInquiry {
    /// The length of what [`encode`](StandardInquiry::encode) makes.
    pub const LENGTH: usize = 96;
    /// VERSION of SPC-4.
    pub const VERSION_SPC_4: u8 = 0x06;

    /// The bytes. Names that are too long are cut, further version descriptors left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        const RESPONSE_DATA_FORMAT: u8 = 2;
        let mut data = vec![0; StandardInquiry::LENGTH];
        data[0] = self.peripheral.0;
        data[1] = flag(self.removable, 7);
        data[2] = self.version;
        data[3] = flag(self.hierarchical, 4) | RESPONSE_DATA_FORMAT;
        data[4] = crate::bytes::length_u8(StandardInquiry::LENGTH - 5);
        data[5] = (self.target_port_groups as u8) << 4 | flag(self.third_party_copy, 3);
        data[6] = flag(self.multiple_ports, 4);
        data[7] = flag(self.command_queuing, 1);
        put_ascii(&mut data[8..16], &self.vendor);
        put_ascii(&mut data[16..32], &self.product);
        put_ascii(&mut data[32..36], &self.revision);
        for (place, version) in (58..74).step_by(2).zip(&self.versions) {
            put(&mut data, place, &version.0.to_be_bytes());
        }
        data
    }

    /// Reads INQUIRY data, at least the 36 bytes that every standard has. A field beyond what came is empty.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<StandardInquiry> {
        let view = View(data);
        let text = |at, length| view.bytes(at, length).map(ascii);
        let versions = (58..74).step_by(2).map_while(|place| view.u16(place)).filter(|&version| version != 0);
        Some(StandardInquiry {
            vendor: text(8, 8)?,
            product: text(16, 16)?,
            revision: text(32, 4)?,
            peripheral: Peripheral(view.u8(0)?),
            removable: view.bit(1, 7),
            version: view.u8(2)?,
            hierarchical: view.bit(3, 4),
            target_port_groups: TargetPortGroupSupport::ALL[usize::from(view.u8(5)? >> 4 & 3)],
            third_party_copy: view.bit(5, 3),
            multiple_ports: view.bit(6, 4),
            command_queuing: view.bit(7, 1),
            versions: versions.map(VersionDescriptor).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry() -> StandardInquiry {
        StandardInquiry {
            peripheral: Peripheral::DISK,
            removable: true,
            version: StandardInquiry::VERSION_SPC_4,
            hierarchical: true,
            target_port_groups: TargetPortGroupSupport::Both,
            third_party_copy: true,
            multiple_ports: true,
            command_queuing: true,
            vendor: "OARLOCK".to_owned(),
            product: "disk".to_owned(),
            revision: "0.1".to_owned(),
            versions: VersionDescriptor::ARRAY.to_vec(),
        }
    }

    #[test]
    fn the_data_stand_as_the_standard_lays_them_out() {
        let data = inquiry().encode();
        assert_eq!(data[..8], [0x00, 0x80, 0x06, 0x12, 91, 0x38, 0x10, 0x02]);
        assert_eq!(&data[8..36], b"OARLOCK disk            0.1 ");
        assert_eq!(data[58..68], [0x00, 0xa0, 0x04, 0x60, 0x04, 0xc0, 0x09, 0x60, 0, 0]);
        assert_eq!(data.len(), StandardInquiry::LENGTH);
    }

    #[test]
    fn the_data_read_back_and_those_of_an_older_device_have_no_versions() {
        assert_eq!(StandardInquiry::decode(&inquiry().encode()), Some(inquiry()));
        let old = StandardInquiry::decode(&inquiry().encode()[..36]).unwrap();
        assert_eq!(old, StandardInquiry { versions: Vec::new(), ..inquiry() });
        assert_eq!(StandardInquiry::decode(&inquiry().encode()[..35]), None);
    }

    #[test]
    fn where_nothing_is_the_qualifier_says_so() {
        assert_eq!((Peripheral::NONE.qualifier(), Peripheral::NONE.device_type()), (3, 0x1f));
        assert_eq!(
            (Peripheral::NOT_CONNECTED.qualifier(), Peripheral::NOT_CONNECTED.device_type()),
            (1, 0x1f)
        );
        assert_eq!((Peripheral::WELL_KNOWN.qualifier(), Peripheral::WELL_KNOWN.device_type()), (0, 0x1e));
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_further_versions_left_out() {
        let long = StandardInquiry {
            vendor: "more than eight".to_owned(),
            versions: vec![VersionDescriptor::SPC_4; 12],
            ..inquiry()
        };
        let data = long.encode();
        assert_eq!(&data[8..20], b"more thadisk");
        assert_eq!((data[73], data[74]), (0x60, 0));
    }
}
