//! Lists and data as SPC-4 lays them out.

use oarlock_block::Lba;

use super::*;
use crate::sense::{Sense, SenseForm, SenseKey};
use crate::sense_code::AdditionalSense;
use crate::status::Status;
use crate::vpd::{Designation, Designator};

const LIMITS: CopyLimits = CopyLimits {
    targets_max: 2,
    segments_max: 3,
    descriptor_list_length_max: 1024,
    segment_length_max: 1 << 24,
    held_data_max: 64,
    concurrent_max: 8,
    granularity_exponent: 9,
};

fn target(last: u8) -> CopyTarget {
    let name = vec![0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, last];
    CopyTarget {
        designation: Designation::of_unit(Designator::Naa(name)),
        device_type: 0,
        pad: true,
        block_bytes: 512,
    }
}

fn blocks(destination: u16) -> Segment {
    Segment::Blocks {
        source: 0,
        destination,
        concatenates: true,
        of_destination: true,
        count: 0x0800,
        source_lba: Lba(5),
        destination_lba: Lba(0x1_0000_0000),
    }
}

fn list(targets: usize, segments: usize) -> CopyList {
    CopyList {
        list_identifier: 7,
        usage: ListIdUsage::Discard,
        sequential: true,
        priority: 3,
        targets: (0..targets).map(|index| target(u8::try_from(index).unwrap())).collect(),
        segments: vec![blocks(1); segments],
    }
}

fn decode(bytes: &[u8]) -> Result<Option<CopyList>, Sense> {
    CopyList::decode(bytes, &LIMITS)
}

#[test]
fn a_list_stands_as_the_standard_lays_it_out_and_reads_back() {
    let bytes = list(1, 1).encode();
    assert_eq!(bytes[..16], [7, 0x33, 0, 32, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0]);
    assert_eq!(bytes[16..26], [0xe4, 0, 0, 0, 0x01, 0x03, 0, 16, 0x60, 1]);
    assert_eq!(bytes[40..48], [0, 0, 0, 0, 0x04, 0, 2, 0]);
    let segment = [2, 3, 0, 24, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(bytes[48..], segment);
    assert_eq!(decode(&bytes), Ok(Some(list(1, 1))));
}

#[test]
fn a_segment_of_bytes_stands_as_the_standard_lays_it_out_and_reads_back() {
    let segment = Segment::Bytes {
        source: 1,
        destination: 0,
        bytes: 0x0102_0304,
        source_lba: Lba(5),
        destination_lba: Lba(6),
        source_offset: 7,
        destination_offset: 8,
    };
    let list = CopyList { segments: vec![segment, blocks(0)], ..list(2, 0) };
    let bytes = list.encode();
    assert_eq!(bytes[80..92], [0x0a, 0, 0, 28, 0, 1, 0, 0, 1, 2, 3, 4]);
    assert_eq!(bytes[108..112], [0, 7, 0, 8]);
    assert_eq!(decode(&bytes), Ok(Some(list)));
}

#[test]
fn a_list_that_ends_within_what_it_announces_is_too_short() {
    let bytes = list(2, 3).encode();
    assert_eq!(decode(&[]), Ok(None));
    for length in 1..bytes.len() {
        assert_eq!(decode(&bytes[..length]), Err(Sense::parameter_list_length()), "{length}");
    }
}

#[test]
fn each_limit_has_its_own_code() {
    let code = |bytes: &[u8]| decode(bytes).unwrap_err().code;
    assert_eq!(code(&list(3, 1).encode()), AdditionalSense::TOO_MANY_TARGET_DESCRIPTORS);
    assert_eq!(code(&list(1, 4).encode()), AdditionalSense::TOO_MANY_SEGMENT_DESCRIPTORS);
    assert_eq!(
        code(&list(3, 36).encode()),
        AdditionalSense::PARAMETER_LIST_LENGTH_ERROR,
        "more than the whole may have"
    );
    let mut inline = list(1, 1).encode();
    inline[15] = 1;
    assert_eq!(code(&inline), AdditionalSense::INLINE_DATA_LENGTH_EXCEEDED);
}

#[test]
fn unknown_types_and_wrong_fields_are_pointed_at() {
    let spoilt = |at: usize, byte: u8| {
        let mut bytes = list(2, 1).encode();
        bytes[at] = byte;
        decode(&bytes).unwrap_err()
    };
    let pointed = |code, at| Sense::illegal(code).at(false, at, None);
    assert_eq!(spoilt(48, 0xe0), pointed(AdditionalSense::UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE, 48));
    assert_eq!(spoilt(80, 0x04), pointed(AdditionalSense::UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE, 80));
    assert_eq!(spoilt(83, 25), Sense::invalid_parameter(82, None));
    assert_eq!(spoilt(23, 21), Sense::invalid_parameter(23, None), "a designator longer than its room");
    assert_eq!(spoilt(21, 0x33), Sense::invalid_parameter(21, None), "an association that is none");
    assert_eq!(spoilt(1, 0x08), Sense::invalid_parameter(1, Some(4)), "a reserved usage of the identifier");
    assert_eq!(spoilt(1, 0x18), Sense::invalid_parameter(0, None), "an identifier where there is to be none");
}

#[test]
fn lists_that_their_descriptors_do_not_fill_are_pointed_at() {
    let mut bytes = list(1, 1).encode();
    bytes[3] = 40;
    bytes[11] = 20;
    assert!(
        matches!(decode(&bytes), Err(sense) if sense.code == AdditionalSense::UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE)
    );
    let mut bytes = list(1, 2).encode();
    bytes[11] = 55;
    assert_eq!(decode(&bytes), Err(Sense::invalid_parameter(8, None)));
}

#[test]
fn a_segment_that_names_no_target_aborts_the_copy() {
    let list = list(1, 1);
    assert_eq!(list.target(0, false), Ok(&target(0)));
    let aborted = list.target(0, true).unwrap_err();
    assert_eq!(
        (aborted.key, aborted.code),
        (SenseKey::CopyAborted, AdditionalSense::UNREACHABLE_COPY_TARGET)
    );
    assert_eq!(aborted.encode(SenseForm::Fixed)[15..], [0xa0, 0, 6]);
}

#[test]
fn a_target_is_found_by_any_of_its_names() {
    let vendor = Designator::T10Vendor { vendor: "OARLOCK".to_owned(), identifier: "1".to_owned() };
    let names = [Designation::of_unit(vendor), target(3).designation];
    assert!(target(3).names(&names));
    assert!(!target(4).names(&names));
    let of_port = Designation::of_port(target(3).designation.designator);
    assert!(!target(3).names(&[of_port]), "a port's name is none of the unit's");
}

#[test]
fn operating_parameters_stand_in_their_places() {
    let data = LIMITS.encode();
    assert_eq!((data.len(), &data[..12]), (47, &[0, 0, 0, 43, 1, 0, 0, 0, 0, 2, 0, 3][..]));
    assert_eq!(data[34..38], [0, 8, 8, 9]);
    assert_eq!(data[43..], [3, 0x02, 0x0a, 0xe4]);
    assert_eq!(CopyLimits::decode(&data), Some(LIMITS));
}

#[test]
fn the_third_party_copy_page_has_its_mandatory_descriptors() {
    let page = LIMITS.page();
    assert_eq!(page[1], 0x8f);
    assert_eq!(usize::from(u16::from_be_bytes([page[2], page[3]])), page.len() - 4);
    let mut rest = &page[4..];
    let mut kinds = Vec::new();
    while let [high, low, length_high, length_low, behind @ ..] = rest {
        kinds.push(u16::from_be_bytes([*high, *low]));
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        assert_eq!(length % 4, 0);
        rest = &behind[length..];
    }
    assert_eq!(kinds, [0x0001, 0x0004, 0x0008, 0x000c, 0x8001]);
    assert_eq!(page[8..17], [8, 0x83, 1, 0, 0x84, 3, 0, 3, 4]);
}

#[test]
fn a_copy_tells_how_far_it_got() {
    let status = CopyStatus {
        held_data_discarded: false,
        status: CopyManagerStatus::Done,
        segments_processed: 2,
        bytes_transferred: 5 << 40,
    };
    assert_eq!(status.encode(), [0, 0, 0, 8, 1, 0, 2, 2, 0, 0x50, 0, 0]);
    assert_eq!(CopyStatus::decode(&status.encode()), Some(status));
    assert_eq!(CopyStatus::decode(&status.encode()[..11]), None);
}

#[test]
fn a_failure_is_told_with_its_sense_data() {
    let nothing = CopyFailure { failure: None };
    assert_eq!(nothing.encode(SenseForm::Fixed), [0; 4]);
    assert_eq!(CopyFailure::decode(&[0; 4]), Some(nothing));
    let failed = CopyFailure { failure: Some((Status::CHECK_CONDITION, Sense::out_of_range())) };
    for form in [SenseForm::Fixed, SenseForm::Descriptor] {
        assert_eq!(CopyFailure::decode(&failed.encode(form)), Some(failed));
    }
    assert_eq!(failed.encode(SenseForm::Fixed)[..4], [0, 0, 0, 74]);
}
