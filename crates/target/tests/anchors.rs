//! Blocks that are given back but for their place (SBC-4, "Anchored").

use oarlock_scsi::vpd::LogicalBlockProvisioning;
use oarlock_scsi::{LbaStatus, LbaStatusList};

use crate::initiator::{Flow, Session, cdb};
use crate::place::{Place, pattern};

const INVALID_CDB: (u8, u8, u8) = (5, 0x24, 0x00);

/// Blocks of a mebibyte, which every file system can clear and anchor as a whole.
const BLOCKS: u32 = 2048;
const LENGTH: usize = 1 << 20;

fn has_anchors(session: &mut Session) -> bool {
    let page = session.run(0, cdb::vpd(0xb2, 64), Flow::In(64)).good();
    LogicalBlockProvisioning::decode(&page).unwrap().anchors
}

fn status(session: &mut Session, lba: u64) -> LbaStatus {
    let data = session.run(0, cdb::get_lba_status(lba), Flow::In(4096)).good();
    LbaStatusList::decode(&data).unwrap().ranges[0].2
}

#[test]
fn anchored_blocks_read_as_zeros_and_keep_their_place() {
    let place = Place::new();
    let mut session = place.session("one");
    let list = cdb::unmap_list(0, BLOCKS);
    let length = u16::try_from(list.len()).unwrap();
    if !has_anchors(&mut session) {
        println!("the file system below does not tell what has a place: no anchors");
        let refused = session.run(0, cdb::unmap_anchored(length), Flow::Out(&list));
        assert_eq!(refused.code(), INVALID_CDB);
        let refused = session.run(0, cdb::write_same_anchored(0, BLOCKS), Flow::None);
        assert_eq!(refused.code(), INVALID_CDB);
        return;
    }
    let data = pattern(LENGTH);
    assert_eq!(status(&mut session, 0), LbaStatus::Deallocated, "nobody wrote it");
    for by_list in [true, false] {
        session.run(0, cdb::write(0, BLOCKS), Flow::Out(&data)).good();
        assert_eq!(status(&mut session, 0), LbaStatus::Mapped);
        match by_list {
            true => session.run(0, cdb::unmap_anchored(length), Flow::Out(&list)).good(),
            false => session.run(0, cdb::write_same_anchored(0, BLOCKS), Flow::None).good(),
        };
        assert_eq!(status(&mut session, 0), LbaStatus::Anchored);
        assert_eq!(session.run(0, cdb::read(0, BLOCKS), Flow::In(LENGTH)).good(), vec![0; LENGTH]);
        session.run(0, cdb::unmap(length), Flow::Out(&list)).good();
        assert_eq!(status(&mut session, 0), LbaStatus::Deallocated, "an unmap gives the place back, too");
    }
    session.run(0, cdb::unmap_anchored(length), Flow::Out(&list)).good();
    assert_eq!(status(&mut session, 0), LbaStatus::Anchored, "what had no place gets one");
    assert_eq!(
        status(&mut session, u64::from(BLOCKS)),
        LbaStatus::Deallocated,
        "and what is behind does not"
    );
    session.run(0, cdb::write(0, BLOCKS), Flow::Out(&data)).good();
    assert_eq!(status(&mut session, 0), LbaStatus::Mapped);
    assert_eq!(session.run(0, cdb::read(0, BLOCKS), Flow::In(LENGTH)).good(), data);
}

#[test]
fn a_unit_that_is_not_thin_has_no_anchors() {
    let place = Place::with(|options, _| options.units[0].is_thin = false);
    let mut session = place.session("one");
    assert!(!has_anchors(&mut session));
    let refused = session.run(0, cdb::write_same_anchored(0, BLOCKS), Flow::None);
    assert_eq!(refused.code(), INVALID_CDB);
}
