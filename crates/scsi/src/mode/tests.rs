//! Pages as the standards lay them out, and what MODE SELECT takes and refuses.

use super::*;
use crate::command::{ModeForm, ModeSelect, ModeSense, PageControl};
use crate::sense::Sense;
use crate::sense_code::AdditionalSense;

fn pages() -> ModePages {
    let current = ModeSettings { write_cache: true, ..ModeSettings::default() };
    let changeable = ModeSettings {
        write_cache: true,
        descriptor_sense: true,
        write_protected: true,
        ..ModeSettings::default()
    };
    let medium = ModeMedium { blocks: BlockCount(0x12345), block_size: BlockSize::B512, read_only: false };
    ModePages { current, default: current, saved: None, changeable, medium }
}

fn ask(page: u8, subpage: u8) -> ModeSense {
    ModeSense {
        form: ModeForm::Six,
        disable_block_descriptors: true,
        long_lba_accepted: false,
        control: PageControl::Current,
        page,
        subpage,
        allocation_length: 255,
    }
}

fn select(list: &[u8]) -> Result<ModeList, Sense> {
    let length = u16::try_from(list.len()).unwrap();
    let request =
        ModeSelect { form: ModeForm::Six, page_format: true, save: false, parameter_list_length: length };
    pages().select(&request, list)
}

#[test]
fn every_page_says_its_own_code_and_length() {
    for page in table::PAGES {
        let bytes = page.encode(&ModeSettings::default(), false);
        assert_eq!(bytes[0] & 0x3f, page.code);
        assert_eq!(bytes[0] & 0x40 != 0, page.subpage != 0);
        let length = if page.subpage == 0 { usize::from(bytes[1]) } else { usize::from(bytes[3]) };
        assert_eq!(length + page.header_length(), bytes.len(), "page {:02x}h", page.code);
    }
    let order: Vec<_> = table::PAGES.iter().map(|page| (page.code, page.subpage)).collect();
    assert!(order.is_sorted(), "{order:x?}");
}

#[test]
fn the_caching_page_says_wce() {
    let data = pages().sense(&ask(0x08, 0)).unwrap();
    assert_eq!(data[..8], [23, 0, 0x10, 0, 0x08, 18, 0x04, 0]);
    assert_eq!(data.len(), 24);
}

#[test]
fn the_control_page_says_d_sense_swp_and_tas() {
    let current = ModeSettings {
        descriptor_sense: true,
        write_protected: true,
        task_aborted_status: true,
        ..ModeSettings::default()
    };
    let data = ModePages { current, ..pages() }.sense(&ask(0x0a, 0)).unwrap();
    assert_eq!(data, [15, 0, 0x90, 0, 0x0a, 10, 0x04, 0x10, 0x08, 0x40, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_header_says_wp_for_a_medium_that_cannot_be_written() {
    let medium = ModeMedium { read_only: true, ..pages().medium };
    assert_eq!(ModePages { medium, ..pages() }.sense(&ask(0x0a, 0)).unwrap()[2], 0x90);
}

#[test]
fn the_block_descriptor_is_short_or_long_as_asked() {
    let short = ModeSense { disable_block_descriptors: false, ..ask(0x1c, 0) };
    let data = pages().sense(&short).unwrap();
    assert_eq!(data[..12], [23, 0, 0x10, 8, 0, 1, 0x23, 0x45, 0, 0, 2, 0]);
    let long = ModeSense { form: ModeForm::Ten, long_lba_accepted: true, ..short };
    let data = pages().sense(&long).unwrap();
    assert_eq!(data[..8], [0, 34, 0, 0x10, 1, 0, 0, 16]);
    assert_eq!(data[8..24], [0, 0, 0, 0, 0, 1, 0x23, 0x45, 0, 0, 0, 0, 0, 0, 2, 0]);
    let medium = ModeMedium { blocks: BlockCount(1 << 33), ..pages().medium };
    let large = ModePages { medium, ..pages() }.sense(&short).unwrap();
    assert_eq!(large[4..8], [0xff; 4]);
}

#[test]
fn all_pages_come_with_or_without_subpages() {
    let codes = |page, subpage| {
        let data = pages().sense(&ask(page, subpage)).unwrap();
        let mut rest = &data[4..];
        let mut codes = Vec::new();
        while let Some((page, behind)) = sense::next_page(rest) {
            codes.push((page[0] & 0x3f, if page[0] & 0x40 == 0 { 0 } else { page[1] }));
            rest = behind;
        }
        assert!(rest.is_empty());
        codes
    };
    assert_eq!(codes(0x3f, 0), [(1, 0), (2, 0), (8, 0), (0x0a, 0), (0x1c, 0)]);
    assert_eq!(codes(0x3f, 0xff), [(1, 0), (2, 0), (8, 0), (0x0a, 0), (0x0a, 1), (0x1c, 0)]);
    assert_eq!(codes(0x0a, 0xff), [(0x0a, 0), (0x0a, 1)]);
}

#[test]
fn all_pages_fit_the_six_byte_form_with_their_block_descriptor() {
    let all = ModeSense { disable_block_descriptors: false, ..ask(0x3f, 0xff) };
    assert!(pages().sense(&all).unwrap().len() <= 255);
}

#[test]
fn a_page_that_is_not_there_is_pointed_at() {
    assert_eq!(pages().sense(&ask(0x19, 0)), Err(Sense::invalid_cdb(2, Some(5))));
    assert_eq!(pages().sense(&ask(0x0a, 2)), Err(Sense::invalid_cdb(3, None)));
    assert_eq!(pages().sense(&ask(0x3f, 1)), Err(Sense::invalid_cdb(3, None)));
}

#[test]
fn saved_values_exist_only_where_the_unit_saves() {
    let saved = ModeSense { control: PageControl::Saved, ..ask(0x08, 0) };
    let refused = Sense::illegal(AdditionalSense::SAVING_PARAMETERS_NOT_SUPPORTED);
    assert_eq!(pages().sense(&saved), Err(refused));
    let data = ModePages { saved: Some(ModeSettings::default()), ..pages() }.sense(&saved).unwrap();
    assert_eq!(data[4..7], [0x88, 18, 0x00]);
}

#[test]
fn the_changeable_mask_has_ones_where_a_select_is_taken() {
    let mask = ModeSense { control: PageControl::Changeable, ..ask(0x3f, 0xff) };
    let data = pages().sense(&mask).unwrap();
    let caching = 4 + 12 + 16;
    assert_eq!(data[caching..caching + 4], [0x08, 18, 0x04, 0]);
    let control = caching + 20;
    assert_eq!(data[control..control + 6], [0x0a, 10, 0x04, 0, 0x08, 0]);
}

#[test]
fn what_sense_returns_select_takes_and_changes_nothing() {
    for form in [ModeForm::Six, ModeForm::Ten] {
        for long_lba_accepted in [false, form == ModeForm::Ten] {
            let asked =
                ModeSense { form, long_lba_accepted, disable_block_descriptors: false, ..ask(0x3f, 0xff) };
            let data = pages().sense(&asked).unwrap();
            let request = ModeSelect { form, page_format: true, save: false, parameter_list_length: 0 };
            assert_eq!(pages().select(&request, &data).unwrap().settings, pages().current);
            assert_eq!(ModeSettings::default().read(form, &data), Some(pages().current));
        }
    }
}

#[test]
fn a_setting_that_may_change_is_changed() {
    let mut list = pages().sense(&ask(0x0a, 0)).unwrap();
    list[4 + 4] |= 0x08;
    assert!(select(&list).unwrap().settings.write_protected);
}

#[test]
fn what_may_not_change_is_pointed_at_and_nothing_is_taken() {
    let mut list = pages().sense(&ask(0x0a, 0)).unwrap();
    list[4 + 2] |= 0x04;
    list[4 + 5] |= 0x40;
    assert_eq!(select(&list), Err(Sense::invalid_parameter(9, Some(6))));
}

#[test]
fn a_list_that_ends_within_what_it_begins_is_too_short() {
    let list = pages().sense(&ModeSense { disable_block_descriptors: false, ..ask(0x08, 0) }).unwrap();
    for length in (1..12).chain(13..list.len()) {
        assert_eq!(select(&list[..length]), Err(Sense::parameter_list_length()), "{length}");
    }
    assert_eq!(select(&list[..12]).unwrap().settings, pages().current);
    assert_eq!(select(&[]).unwrap().settings, pages().current);
}

#[test]
fn another_page_length_size_or_count_is_pointed_at() {
    let front = [0, 0, 0, 0];
    let page = |bytes: &[u8]| select(&[&front[..], bytes].concat());
    assert_eq!(page(&[0x19, 0]), Err(Sense::invalid_parameter(4, Some(5))));
    assert_eq!(page(&[0x0a, 1, 0]), Err(Sense::invalid_parameter(5, None)));
    assert_eq!(page(&[0x4a, 1, 0, 0]), Err(Sense::invalid_parameter(6, None)));
    assert_eq!(select(&[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 2, 0]), Err(Sense::invalid_parameter(4, None)));
    assert_eq!(select(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x10, 0]), Err(Sense::invalid_parameter(9, None)));
    assert_eq!(select(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 2]), Err(Sense::invalid_parameter(3, None)));
}

#[test]
fn saving_and_other_formats_are_refused_where_there_are_none() {
    let request = ModeSelect { form: ModeForm::Six, page_format: true, save: true, parameter_list_length: 0 };
    assert_eq!(pages().select(&request, &[]), Err(Sense::invalid_cdb(1, Some(0))));
    let saving = ModePages { saved: Some(ModeSettings::default()), ..pages() };
    assert!(saving.select(&request, &[]).unwrap().save);
    let request = ModeSelect { page_format: false, save: false, ..request };
    assert_eq!(pages().select(&request, &[0, 0, 0, 0]), Err(Sense::invalid_cdb(1, Some(4))));
}
