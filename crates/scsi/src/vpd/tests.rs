//! Pages as the standards lay them out, byte for byte.

use super::*;

#[test]
fn the_list_of_pages_is_sorted_and_names_itself() {
    let pages = SupportedPages { pages: vec![0xb2, 0x83, 0x80, 0x83] };
    assert_eq!(pages.encode(), [0, 0, 0, 4, 0x00, 0x80, 0x83, 0xb2]);
    let read = SupportedPages::decode(&pages.encode()).unwrap();
    assert_eq!(read.pages, [0x00, 0x80, 0x83, 0xb2]);
}

#[test]
fn a_page_of_another_code_and_a_cut_header_are_none() {
    let serial = UnitSerialNumber { serial: "A1".to_owned() };
    assert_eq!(serial.encode(), [0, 0x80, 0, 2, b'A', b'1']);
    assert_eq!(UnitSerialNumber::decode(&serial.encode()), Some(serial.clone()));
    assert_eq!(SupportedPages::decode(&serial.encode()), None);
    assert_eq!(UnitSerialNumber::decode(&serial.encode()[..3]), None);
}

fn names() -> Vec<Designation> {
    let name = "iqn.2030-01.net.example:t,t,0x0001";
    vec![
        Designation::of_unit(Designator::Naa(vec![0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
        Designation::of_unit(Designator::T10Vendor {
            vendor: "OARLOCK".to_owned(),
            identifier: "u1".to_owned(),
        }),
        Designation::of_unit(Designator::Eui64(vec![1, 2, 3, 4, 5, 6, 7, 8])),
        Designation::of_port(Designator::RelativeTargetPort(2)),
        Designation::of_port(Designator::TargetPortGroup(0x0103)),
        Designation::of_port(Designator::ScsiName(name.to_owned())),
        Designation::of_device(Designator::ScsiName("iqn.2030-01.net.example:t".to_owned())),
        Designation::of_unit(Designator::Other { kind: 0, code_set: 1, bytes: vec![9] }),
    ]
}

#[test]
fn designators_stand_as_the_standard_lays_them_out() {
    let bytes: Vec<Vec<u8>> = names().iter().map(Designation::encode).collect();
    assert_eq!(bytes[0][..6], [0x01, 0x03, 0, 16, 0x60, 1]);
    assert_eq!(bytes[1], b"\x02\x01\x00\x0aOARLOCK u1");
    assert_eq!(bytes[2], [0x01, 0x02, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(bytes[3], [0x51, 0x94, 0, 4, 0, 0, 0, 2]);
    assert_eq!(bytes[4], [0x51, 0x95, 0, 4, 0, 0, 1, 3]);
    assert_eq!(bytes[5][..4], [0x53, 0x98, 0, 36]);
    assert_eq!(&bytes[5][4..], b"iqn.2030-01.net.example:t,t,0x0001\0\0");
    assert_eq!(bytes[6][..4], [0x53, 0xa8, 0, 28]);
}

#[test]
fn names_read_back_and_a_cut_one_is_left_out() {
    let page = DeviceIdentification { designations: names() };
    let bytes = page.encode();
    assert_eq!(DeviceIdentification::decode(&bytes), Some(page));
    let cut = DeviceIdentification::decode(&bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(cut.designations, names()[..7]);
}

#[test]
fn ports_are_listed_with_their_names() {
    let port = |relative| ScsiPort { relative, designations: names()[5..6].to_vec() };
    let page = ScsiPorts { ports: vec![port(1), port(2)] };
    let bytes = page.encode();
    assert_eq!(bytes[..20], [0, 0x88, 0, 104, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40, 0x53, 0x98, 0, 36]);
    assert_eq!(ScsiPorts::decode(&bytes), Some(page));
}

#[test]
fn the_extended_page_says_what_the_array_does() {
    let page = ExtendedInquiry {
        head_of_queue: true,
        ordered: true,
        simple: true,
        volatile_cache: true,
        inventory_clear: true,
        sense_length_max: 40,
        ..ExtendedInquiry::default()
    };
    let bytes = page.encode();
    assert_eq!(bytes[..8], [0, 0x86, 0, 60, 0, 0x07, 0x01, 0x01]);
    assert_eq!((bytes[13], bytes.len()), (40, 64));
    assert_eq!(ExtendedInquiry::decode(&bytes), Some(page));
}

#[test]
fn one_policy_covers_all_mode_pages() {
    let page = |policy| ModePagePolicy { policy }.encode();
    assert_eq!(page(ModePolicy::Shared), [0, 0x87, 0, 4, 0x3f, 0xff, 0, 0]);
    assert_eq!(page(ModePolicy::PerNexus)[6], 3);
}

#[test]
fn block_limits_stand_in_their_places() {
    let limits = BlockLimits {
        write_same_non_zero: true,
        compare_and_write_max: 128,
        transfer_granularity: 0x0102,
        transfer_max: 1,
        transfer_optimal: 2,
        prefetch_max: 3,
        unmap_blocks_max: 4,
        unmap_descriptors_max: 5,
        unmap_granularity: 6,
        unmap_alignment: Some(7),
        write_same_max: 8,
        atomic_max: 9,
        atomic_alignment: 10,
        atomic_granularity: 11,
        atomic_max_with_boundary: 12,
        atomic_boundary_max: 13,
    };
    let bytes = limits.encode();
    assert_eq!(bytes[..8], [0, 0xb0, 0, 60, 1, 128, 1, 2]);
    let numbers: Vec<u32> =
        bytes[8..].chunks_exact(4).map(|field| u32::from_be_bytes(field.try_into().unwrap())).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 0x8000_0007, 0, 8, 9, 10, 11, 12, 13]);
    assert_eq!(BlockLimits::decode(&bytes), Some(limits));
}

#[test]
fn the_shorter_page_of_sbc_2_reads_as_far_as_it_goes() {
    let limits = BlockLimits::decode(&[0, 0xb0, 0, 12, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0, 64]).unwrap();
    let expected = BlockLimits {
        transfer_granularity: 8,
        transfer_max: 256,
        transfer_optimal: 64,
        ..BlockLimits::default()
    };
    assert_eq!(limits, expected);
}

#[test]
fn characteristics_stand_in_their_places() {
    let page = BlockCharacteristics {
        rotation_rate: BlockCharacteristics::NON_ROTATING,
        after_block_erase: 1,
        form_factor: 3,
        fua_reaches_medium: true,
        verifies_unmapped: true,
    };
    let bytes = page.encode();
    assert_eq!((bytes.len(), &bytes[..9]), (64, &[0, 0xb1, 0, 60, 0, 1, 0, 0x43, 3][..]));
    assert_eq!(BlockCharacteristics::decode(&bytes), Some(page));
}

#[test]
fn provisioning_stands_in_its_places() {
    let page = LogicalBlockProvisioning {
        threshold_exponent: 11,
        unmap: true,
        write_same_16: true,
        write_same_10: true,
        reads_zeros: true,
        anchors: true,
        kind: ProvisioningType::Thin,
    };
    assert_eq!(page.encode(), [0, 0xb2, 0, 4, 11, 0xe6, 2, 0]);
    assert_eq!(LogicalBlockProvisioning::decode(&page.encode()), Some(page));
    let full = LogicalBlockProvisioning::default();
    assert_eq!(LogicalBlockProvisioning::decode(&full.encode()), Some(full));
}
