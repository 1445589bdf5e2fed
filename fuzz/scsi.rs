//! What the targets of SCSI share: CDBs and parameter lists that an initiator sends, and data that a target returns.

use std::fmt::Debug;

use oarlock_block::{BlockCount, BlockSize};
use oarlock_scsi::vpd::{
    BlockCharacteristics, BlockLimits, DeviceIdentification, ExtendedInquiry, LogicalBlockProvisioning,
    ScsiPorts, SupportedPages, UnitSerialNumber,
};
use oarlock_scsi::{
    COMMANDS, Capacity, CopyFailure, CopyLimits, CopyList, CopyStatus, FullStatus, HeldReservation,
    LbaStatusList, LogPage, Lun, LunList, ModeForm, ModeMedium, ModePages, ModeSelect, ModeSettings,
    PersistentReserveOutAction, PersistentReserveOutList, ReservationCapabilities, ReservationKeys,
    SanitizeOverwrite, Sense, SenseForm, SetTargetPortGroupsList, StandardInquiry, SupportedCommand,
    TargetPortGroups, TransportId, UnmapList, check_range, decode, describe,
};

/// No CDB makes the decoder panic. A refusal points at a byte of the CDB, and an accepted one is within what the table says of it.
pub fn check_cdb(data: &[u8]) {
    check_one_cdb(data);
    // The fuzzer's bytes under the usage map of each command in turn: without it, hardly any input would come beyond the reserved bits.
    let Some((&row, rest)) = data.split_first() else { return };
    let row = &COMMANDS[usize::from(row) % COMMANDS.len()];
    let mut cdb: Vec<u8> = row.usage.iter().zip(rest).map(|(used, byte)| used & byte).collect();
    let action = row.service_action.map_or(0, |_| row.usage[1] & 0x1f);
    cdb.iter_mut().zip([row.opcode.0, action]).for_each(|(byte, fixed)| *byte |= fixed);
    check_one_cdb(&cdb);
}

fn check_one_cdb(cdb: &[u8]) {
    let command = match decode(cdb) {
        Ok(command) => command,
        Err(sense) => {
            let pointer = sense.field().expect("a refused CDB is pointed at");
            assert!(pointer.in_cdb && usize::from(pointer.byte) <= cdb.len(), "{sense:?}");
            return;
        }
    };
    let description = command.description;
    let cdb = &cdb[..description.cdb_length()];
    assert!(std::ptr::eq(describe(cdb).expect("it was decoded"), description));
    assert_eq!(decode(&[cdb, &[0xff; 4]].concat()).expect("it was decoded").operation, command.operation);
    for block_size in [BlockSize::B512, BlockSize::B4096] {
        let (out, into) = (command.data_out_length(block_size), command.data_in_length(block_size));
        assert!(out.is_none() || into.is_none(), "{}", description.name);
    }
    if let Some((lba, count)) = command.blocks(BlockCount(1 << 20)) {
        let fits = check_range(lba, count, BlockCount(1 << 20)).is_ok();
        assert_eq!(fits, u128::from(lba.0) + u128::from(count.0) <= 1 << 20, "{}", description.name);
    }
}

/// What is taken is written so that it reads as the same.
fn stays<T: PartialEq + Debug>(
    data: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Some(taken) = decode(data) {
        assert_eq!(decode(&encode(&taken)), Some(taken));
    }
}

const COPY_LIMITS: CopyLimits = CopyLimits {
    targets_max: 4,
    segments_max: 8,
    descriptor_list_length_max: 4096,
    segment_length_max: 1 << 20,
    held_data_max: 0,
    concurrent_max: 1,
    granularity_exponent: 0,
};

const ACTIONS: [PersistentReserveOutAction; 3] = [
    PersistentReserveOutAction::Register,
    PersistentReserveOutAction::Preempt,
    PersistentReserveOutAction::RegisterAndMove,
];

/// No parameter list, and no data of a target, make a decoder panic; what is taken reads back as the same.
pub fn check_parameters(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    match kind % 8 {
        0 => stays(data, |list| UnmapList::decode(list).ok(), UnmapList::encode),
        1 => ACTIONS.into_iter().for_each(|action| {
            stays(
                data,
                |list| PersistentReserveOutList::decode(action, list).ok(),
                PersistentReserveOutList::encode,
            );
        }),
        2 => stays(data, |list| CopyList::decode(list, &COPY_LIMITS).ok().flatten(), CopyList::encode),
        3 => [ModeForm::Six, ModeForm::Ten].into_iter().for_each(|form| check_mode(form, data)),
        4 => check_small_lists(data),
        5 => check_answers(data),
        6 => check_pages(data),
        _ => check_reports(data),
    }
}

/// A mode select changes only what the mask of changeable bits allows, and what it sets is what a sense returns.
fn check_mode(form: ModeForm, list: &[u8]) {
    let changeable = ModeSettings { write_cache: true, write_protected: true, ..ModeSettings::default() };
    let medium = ModeMedium { blocks: BlockCount(1000), block_size: BlockSize::B512, read_only: false };
    let current = ModeSettings { read_ahead_disabled: true, ..ModeSettings::default() };
    let pages = ModePages { current, default: current, saved: Some(current), changeable, medium };
    let request = ModeSelect { form, page_format: true, save: true, parameter_list_length: 0 };
    if let Ok(taken) = pages.select(&request, list) {
        let allowed = ModeSettings {
            write_cache: taken.settings.write_cache,
            write_protected: taken.settings.write_protected,
            ..current
        };
        assert_eq!(taken.settings, allowed);
        assert!(list.is_empty() || current.read(form, list) == Some(taken.settings));
    }
    let _ = current.read(form, list);
}

fn check_small_lists(list: &[u8]) {
    for block_size in [BlockSize::B512, BlockSize::B4096] {
        if let Ok(taken) = SanitizeOverwrite::decode(list, block_size) {
            assert!(taken.passes > 0 && (1..=block_size.length()).contains(&taken.pattern.len()));
        }
    }
    let _ = SetTargetPortGroupsList::decode(list);
    if let Ok(pages) = LogPage::decode_list(list) {
        let again: Vec<u8> = pages.iter().flat_map(|page| page.encode(0).expect("no pointer")).collect();
        assert_eq!(LogPage::decode_list(&again), Ok(pages));
    }
    if let Some(lun) = list.first_chunk() {
        let _ = Lun(*lun).to_string();
    }
}

/// What an initiator of ours reads from somebody else's target.
fn check_answers(data: &[u8]) {
    stays(data, Sense::decode, |sense| sense.encode(SenseForm::Descriptor));
    stays(data, Capacity::decode, Capacity::encode);
    stays(data, LunList::decode, LunList::encode);
    stays(data, LbaStatusList::decode, LbaStatusList::encode);
    stays(data, |data| TransportId::decode(data).map(|(id, _)| id), TransportId::encode);
    stays(data, LogPage::decode, |page| page.encode(0).expect("no pointer"));
    stays(data, CopyLimits::decode, CopyLimits::encode);
    stays(data, CopyFailure::decode, |failure| failure.encode(SenseForm::Descriptor));
    let _ = CopyStatus::decode(data);
}

fn check_pages(data: &[u8]) {
    stays(data, StandardInquiry::decode, StandardInquiry::encode);
    let _ = SupportedPages::decode(data);
    stays(data, UnitSerialNumber::decode, UnitSerialNumber::encode);
    stays(data, DeviceIdentification::decode, DeviceIdentification::encode);
    stays(data, ExtendedInquiry::decode, ExtendedInquiry::encode);
    stays(data, ScsiPorts::decode, ScsiPorts::encode);
    stays(data, BlockLimits::decode, BlockLimits::encode);
    stays(data, BlockCharacteristics::decode, BlockCharacteristics::encode);
    stays(data, LogicalBlockProvisioning::decode, LogicalBlockProvisioning::encode);
}

fn check_reports(data: &[u8]) {
    stays(data, ReservationKeys::decode, ReservationKeys::encode);
    stays(data, HeldReservation::decode, HeldReservation::encode);
    stays(data, ReservationCapabilities::decode, ReservationCapabilities::encode);
    stays(data, FullStatus::decode, FullStatus::encode);
    for extended in [false, true] {
        stays(data, |data| TargetPortGroups::decode(data, extended), |groups| groups.encode(extended));
    }
    for command in SupportedCommand::decode_all(data).unwrap_or_default() {
        let _ = command.description();
    }
}
