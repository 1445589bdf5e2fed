//! What somebody else sent: no bytes make a decoder panic, and what is taken is written back so that it reads as the same.

use std::fmt::Debug;

use oarlock_block::{BlockCount, BlockSize, Lba};
use oarlock_scsi::vpd::{
    BlockCharacteristics, BlockLimits, DeviceIdentification, ExtendedInquiry, LogicalBlockProvisioning,
    ScsiPorts, SupportedPages, UnitSerialNumber,
};
use oarlock_scsi::{
    Capacity, CopyFailure, CopyLimits, CopyList, CopyStatus, FullStatus, HeldReservation, LbaStatusList,
    LogPage, LunList, ModeForm, ModeMedium, ModePages, ModeSelect, ModeSettings, PersistentReserveOutAction,
    PersistentReserveOutList, ReservationCapabilities, ReservationKeys, SanitizeOverwrite, Sense, SenseForm,
    SetTargetPortGroupsList, StandardInquiry, SupportedCommand, TargetPortGroups, TransportId, UnmapList,
};
use proptest::prelude::*;

/// What is taken from `bytes`, written and read again, is the same.
fn stays<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Option<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> Result<(), TestCaseError> {
    if let Some(taken) = decode(bytes) {
        prop_assert_eq!(decode(&encode(&taken)), Some(taken));
    }
    Ok(())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..160)
}

/// Bytes of a list whose fields are small, so that lengths often fit.
fn small_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..64, any::<u8>()], 0..160)
}

const COPY_LIMITS: CopyLimits = CopyLimits {
    targets_max: 4,
    segments_max: 4,
    descriptor_list_length_max: 4096,
    segment_length_max: 1 << 20,
    held_data_max: 0,
    concurrent_max: 1,
    granularity_exponent: 0,
};

const ACTIONS: [PersistentReserveOutAction; 3] = [
    PersistentReserveOutAction::Register,
    PersistentReserveOutAction::Reserve,
    PersistentReserveOutAction::RegisterAndMove,
];

fn mode_pages() -> ModePages {
    let changeable = ModeSettings {
        write_cache: true,
        read_ahead_disabled: true,
        descriptor_sense: true,
        write_protected: true,
        task_aborted_status: true,
    };
    let medium = ModeMedium { blocks: BlockCount(1000), block_size: BlockSize::B512, read_only: false };
    let current = ModeSettings::default();
    ModePages { current, default: current, saved: Some(current), changeable, medium }
}

proptest! {
    #[test]
    fn parameter_lists_are_taken_whole_or_refused(list in small_bytes(), action in 0..ACTIONS.len(), ten: bool) {
        stays(&list, |list| UnmapList::decode(list).ok(), UnmapList::encode)?;
        let action = ACTIONS[action];
        stays(&list, |list| PersistentReserveOutList::decode(action, list).ok(), PersistentReserveOutList::encode)?;
        stays(&list, |list| CopyList::decode(list, &COPY_LIMITS).ok().flatten(), CopyList::encode)?;
        let _ = SanitizeOverwrite::decode(&list, BlockSize::B512);
        let _ = SetTargetPortGroupsList::decode(&list);
        let _ = LogPage::decode_list(&list);
        let form = if ten { ModeForm::Ten } else { ModeForm::Six };
        let select = ModeSelect { form, page_format: true, save: true, parameter_list_length: 0 };
        let _ = mode_pages().select(&select, &list);
        let _ = ModeSettings::default().read(form, &list);
    }

    #[test]
    fn data_of_a_target_are_read_as_far_as_they_go(data in small_bytes(), extended: bool) {
        stays(&data, Capacity::decode, Capacity::encode)?;
        stays(&data, LunList::decode, LunList::encode)?;
        stays(&data, LbaStatusList::decode, LbaStatusList::encode)?;
        stays(&data, ReservationKeys::decode, ReservationKeys::encode)?;
        stays(&data, HeldReservation::decode, HeldReservation::encode)?;
        stays(&data, ReservationCapabilities::decode, ReservationCapabilities::encode)?;
        stays(&data, FullStatus::decode, FullStatus::encode)?;
        stays(&data, |data| TargetPortGroups::decode(data, extended), |groups| groups.encode(extended))?;
        stays(&data, |data| TransportId::decode(data).map(|(id, _)| id), TransportId::encode)?;
        stays(&data, LogPage::decode, |page| page.encode(0).unwrap())?;
        stays(&data, CopyLimits::decode, CopyLimits::encode)?;
        stays(&data, CopyFailure::decode, |failure| failure.encode(SenseForm::Descriptor))?;
        let _ = SupportedCommand::decode_all(&data);
        let _ = CopyStatus::decode(&data);
        let _ = Sense::decode(&data);
    }

    #[test]
    fn inquiry_data_and_pages_are_read_as_far_as_they_go(data in bytes(), page in 0..8_usize) {
        stays(&data, StandardInquiry::decode, StandardInquiry::encode)?;
        let code = [0x00, 0x80, 0x83, 0x86, 0x88, 0xb0, 0xb1, 0xb2][page];
        let length = u8::try_from(data.len()).unwrap();
        let data = [&[0, code, 0, length], &data[..]].concat();
        stays(&data, BlockLimits::decode, BlockLimits::encode)?;
        stays(&data, BlockCharacteristics::decode, BlockCharacteristics::encode)?;
        stays(&data, LogicalBlockProvisioning::decode, LogicalBlockProvisioning::encode)?;
        stays(&data, ExtendedInquiry::decode, ExtendedInquiry::encode)?;
        stays(&data, UnitSerialNumber::decode, UnitSerialNumber::encode)?;
        stays(&data, DeviceIdentification::decode, DeviceIdentification::encode)?;
        stays(&data, ScsiPorts::decode, ScsiPorts::encode)?;
        let _ = SupportedPages::decode(&data);
    }

    #[test]
    fn an_unmap_list_reads_back(ranges in prop::collection::vec((any::<u64>(), any::<u32>()), 0..40)) {
        let ranges = ranges.into_iter().map(|(lba, count)| (Lba(lba), BlockCount(u64::from(count))));
        let list = UnmapList { ranges: ranges.collect() };
        prop_assert_eq!(UnmapList::decode(&list.encode()), Ok(list));
    }

    #[test]
    fn a_transport_id_reads_back(name in "[a-z0-9:.,=-]{1,223}", isid: [u8; 6], port: bool) {
        let id = if port { TransportId::Port { name, isid } } else { TransportId::Device { name } };
        let bytes = [&id.encode()[..], b"rest"].concat();
        prop_assert_eq!(TransportId::decode(&bytes), Some((id, &b"rest"[..])));
    }
}
