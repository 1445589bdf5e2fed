//! What is wrong with the journals of dead hosts: what a takeover would say of each, and nothing else.
//!
//! Only journals are looked at to which nothing more can be written: those of slots that were cut off and not replayed.

use oarlock_format::{HostId, Kind, Owner, SlotRecord, SlotState, Standing, Superblock};

use crate::check::code::Code;
use crate::check::report::{Finding, Repaired, Spot};
use crate::check::scan::Snapshot;
use crate::check::suspicion::Suspicion;
use crate::journal::replay::examine;
use crate::store::{Lane, Store};

/// Journals that a takeover refuses. Each was read again until it showed the same twice, or eight times.
pub(crate) async fn journals(store: &Store, superblock: &Superblock, snapshot: &Snapshot) -> Vec<Suspicion> {
    let mut found = Vec::new();
    for (slot, stamped) in snapshot.sound_slots() {
        let record = &stamped.record;
        let over = matches!(record.state, SlotState::CutOff { .. } | SlotState::Replaying { .. });
        let (true, Some(name)) = (over, &record.name) else { continue };
        let host = HostId::of(&store.format_id, name);
        let owner = Owner { slot, host, incarnation: record.incarnation };
        let Err(error) = examine(store, superblock, owner).await else { continue };
        // Where the slot moved on meanwhile, the journal may be another life's by now.
        let now = store.read::<SlotRecord>(Lane::Work, store.layout.slot(slot)).await;
        if now.is_ok_and(|seen| seen.stamped.stamp == stamped.stamp) {
            let lba = store.layout.journal(slot, store.block_size).header;
            let spot = Spot { lba, record: Kind::Journal, name: format!("journal of slot {slot}") };
            found.push(Suspicion::new(Code::JournalRefused, spot, error.to_string()));
        }
    }
    found
}

/// A journal that a takeover refused, and whose host is taken over now: what stood in the way was made anew, by `repaired_as`.
pub(crate) async fn settle(store: &Store, repaired_as: Option<&str>, findings: &mut [Finding]) {
    if repaired_as.is_none() {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.code == Code::JournalRefused) {
        let Standing::Journal(slot) = store.layout.kind_at(finding.place.lba) else { continue };
        let now = store.read::<SlotRecord>(Lane::Work, store.layout.slot(slot)).await;
        let state = now.map(|seen| seen.stamped.record.state);
        if matches!(state, Ok(SlotState::Free | SlotState::Replayed { .. })) {
            let how = "its host is taken over: what it promised is home".to_owned();
            finding.repaired = Some(Repaired::Restored { how });
        }
    }
}
