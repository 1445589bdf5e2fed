//! A whole datastore with damage in it: the check with repair reads every record, and what damaged bytes may still prove.

use std::time::Duration;

use oarlock_block::Lba;
use oarlock_engine::check::{CheckOptions, check};
use oarlock_format::{LockPosition, SlotIndex, Timing, home};
use oarlock_sim::{Ground, HostSetup, Template, TrueTime, World, WorldOptions, parts};

/// Bytes of the fuzzer's that say where one change goes.
const HEADER: usize = 4;
/// Changes in one datastore.
const CHANGES_MAX: usize = 8;

/// However the records are changed, a check and a repair end, and a second repair finds nothing more to do: what a repair
/// makes is sound.
pub fn check_damaged(data: &[u8]) {
    let mut options = WorldOptions::calm(1);
    options.geometry = Ground::of(1).geometry();
    options.trace_entries = 0;
    let world = World::seeded(options);
    let template = Template::of(1, Timing::DEFAULT);
    template.put(&world);
    change(&world, &template, data);
    for round in 0..2 {
        let life = world.start_life(world.add_host(HostSetup::OVERSEER));
        let parts = parts(&life);
        let limit = world.now().since_start() + Duration::from_secs(3_600);
        let checking = async move {
            check(&parts, &CheckOptions { repair: true, host: None }, &|_, _| {}).await
        };
        let (report, _) = world.run_to_end(&life, TrueTime::from_start(limit), checking);
        let report = report.expect("a check ends");
        if let (1, Ok(report)) = (round, report) {
            let again = report.findings.iter().find(|finding| finding.repaired.is_some());
            assert!(again.is_none(), "repaired once more: {again:?}");
        }
        world.stop_life(life.host());
    }
}

/// Each change: which record, where in it, how many bytes are laid over, and whether they are made to check out.
fn change(world: &World, template: &Template, mut data: &[u8]) {
    let layout = template.layout();
    for _ in 0..CHANGES_MAX {
        if data.len() <= HEADER {
            return;
        }
        let (header, rest) = data.split_at(HEADER);
        let which = u16::from(header[1]) % layout.slot_count();
        let lba = match header[0] % 5 {
            0 => Lba(0),
            1 => layout.shadow.start,
            2 => layout.slot(SlotIndex(which)),
            3 => layout.mailbox(SlotIndex(which)),
            _ => layout.lock(LockPosition(u32::from(header[1]) % layout.lock_positions())),
        };
        let length = (usize::from(header[3]) & 0x7f).min(rest.len());
        let mut block = world.content(lba).to_vec();
        let start = (usize::from(header[2]) * 2).min(block.len() - length);
        block[start..start + length].copy_from_slice(&rest[..length]);
        if header[3] & 0x80 != 0 {
            block[12..16].fill(0);
            let checksum = oarlock_block::crc32c(&[&block]);
            block[12..16].copy_from_slice(&checksum.to_le_bytes());
        }
        world.put_content(lba, &block);
        data = &rest[length..];
    }
}

/// The home of any name lies within the table, with its whole window.
pub fn check_home(name: &oarlock_format::LockName, positions: u32) {
    let at = home(&Template::FORMAT_ID, name, positions);
    assert!(at.0 + oarlock_format::LOCK_WINDOW <= positions.max(oarlock_format::LOCK_WINDOW));
}
