//! Namesakes: of two hosts of one name only one stays (R30).
//!
//! ```text
//!   before the claim: refuse_a_living_namesake    one that moves within a watch stays; this host does not join
//!   after the claim:  second_of_my_name           one that beats in a lower slot stays; this host leaves
//!   once it lives:    bury_namesakes              those that are silent are taken over; of two that live the lower stays
//! ```

use std::rc::Rc;

use oarlock_block::{SlotIndex, Victim};
use oarlock_format::{HostName, SlotRecord, SlotState, Writer};

use crate::core::{Core, StopReason};
use crate::join::JoinError;
use crate::slots::{Slots, is_of_one_block, read_slots};
use crate::step::victim;
use crate::store::{Lane, Seen, Store};
use crate::suspect::suspect;
use crate::takeover::{distrust, look_every};
use crate::verdict::Version;
use crate::watch::{Look, Watch};

/// Another host of this name that beats is the one that stays (R30). One that stands still for a whole watch does
/// not: this host takes another slot, above the silent one's if it can, and takes it over once it lives. Returns the
/// highest slot of a silent namesake.
pub(crate) async fn refuse_a_living_namesake(
    store: &Store,
    name: &HostName,
    slots: &[(SlotIndex, Seen<SlotRecord>)],
) -> Result<Option<SlotIndex>, JoinError> {
    let mut silent = None;
    for (index, seen) in slots {
        let record = &seen.stamped.record;
        if record.state != SlotState::Live || record.name.as_ref() != Some(name) {
            continue;
        }
        let victim = victim(*index, record);
        match watch(store, victim, seen.version()).await? {
            Watched::Lives => return Err(JoinError::NameTaken { name: name.clone(), slot: *index }),
            Watched::Silent => silent = silent.max(Some(*index)),
            Watched::Dead => {}
        }
    }
    Ok(silent)
}

/// What a watch of a namesake came to.
enum Watched {
    /// It beats.
    Lives,
    /// It stood still for a whole watch, or its slot is no living host's any more.
    Silent,
    /// It is proved dead.
    Dead,
}

/// Watches a slot until it shows another image, a whole watch is over, or its host is proved dead: of a process that was just killed
/// the kernel may still hold the proof back, while it ends what that had begun (R13).
async fn watch(store: &Store, victim: Victim, first: Version) -> Result<Watched, JoinError> {
    let timing = store.timing;
    let mut watch = Watch::new(timing.watch, timing.beat);
    // A device that stalls again and again must not keep a joiner for ever.
    let give_up = store.now().plus(timing.watch * 8);
    let lba = store.layout.slot(victim.slot);
    loop {
        if store.world.cut_off.death_proved(victim).await.is_some() {
            return Ok(Watched::Dead);
        }
        match store.read::<SlotRecord>(Lane::Work, lba).await {
            Ok(seen) if seen.stamped.record.state != SlotState::Live => return Ok(Watched::Silent),
            Ok(seen) if shows_life(&seen, first) => return Ok(Watched::Lives),
            Ok(seen) => watch.look(Look {
                image: seen.version().nonce,
                issued: seen.issued,
                replied: seen.replied,
                disturbances: 0,
            }),
            Err(fault) if is_of_one_block(&fault) => return Ok(Watched::Silent),
            Err(fault) if store.now() >= give_up => return Err(fault.into()),
            Err(_) => watch.broken(),
        }
        if watch.complete(store.now(), 0).is_some() {
            return Ok(Watched::Silent);
        }
        store.world.pause(look_every(timing.beat)).await;
    }
}

/// Takes over the former lives of this host's name that were not proved dead when it joined: nobody else may ever be
/// interested in them, and the name must not stay taken twice. Where one beats, this host came second (R30).
pub(crate) async fn bury_namesakes(core: Rc<Core>) {
    let Some(slots) = all_slots(&core).await else { return };
    let namesakes: Vec<_> = slots
        .sound
        .into_iter()
        .filter(|(slot, seen)| {
            let record = &seen.stamped.record;
            let taken = record.state != SlotState::Free && record.name.as_ref() == Some(&core.name);
            taken && *slot != core.me.slot
        })
        .collect();
    for (slot, first) in namesakes {
        let mut interest = suspect(&core, slot);
        let lba = core.store.layout.slot(slot);
        while core.ended().is_none() {
            core.store.world.pause(core.store.timing.beat).await;
            let seen = match core.store.read::<SlotRecord>(Lane::Work, lba).await {
                Ok(seen) => seen,
                Err(fault) => {
                    distrust(&core, &fault);
                    continue;
                }
            };
            let record = &seen.stamped.record;
            let beats = record.state == SlotState::Live && shows_life(&seen, first.version());
            if beats && (slot < core.me.slot || !leaves_by_itself(&core, slot).await) {
                // It was silent for a whole watch when this host joined, and lives after all.
                core.stop(StopReason::NameTaken { other: slot });
            }
            if beats || record.state == SlotState::Free || record.name.as_ref() != Some(&core.name) {
                break;
            }
            interest.renew(&core);
        }
    }
}

/// All slots, however long the device takes to show them; nothing once the host has ended. A look that is given up
/// would leave two hosts of one name for ever, where the other one looked before this one came.
async fn all_slots(core: &Core) -> Option<Slots> {
    while core.ended().is_none() {
        match read_slots(&core.store).await {
            Ok(slots) => return Some(slots),
            Err(fault) => distrust(core, &fault),
        }
        core.store.world.pause(core.store.timing.beat).await;
    }
    None
}

/// The slot of a live host of this name that this one has to yield to (R30).
///
/// Each of two that join at once reads all slots after its claim, so at least one sees the other; it may be only one.
/// Whoever sees a live one in a lower slot leaves. Whoever sees one in a higher slot gives it a lease to leave by itself,
/// and leaves then, for that one may have looked before this one came: see [`bury_namesakes`], which runs while the host
/// beats.
pub(crate) async fn second_of_my_name(core: &Core) -> Result<Option<SlotIndex>, JoinError> {
    for (index, seen) in read_slots(&core.store).await?.sound {
        let record = &seen.stamped.record;
        let namesake = record.state == SlotState::Live && record.name.as_ref() == Some(&core.name);
        if !namesake || index >= core.me.slot {
            continue;
        }
        let victim = victim(index, record);
        let silent = core.store.world.cut_off.death_proved(victim).await.is_some()
            || stands_still(core, index, seen.version()).await;
        if !silent {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Whether the host in a higher slot leaves within a lease.
async fn leaves_by_itself(core: &Core, index: SlotIndex) -> bool {
    let until = core.store.now().plus(core.store.timing.lease);
    let lba = core.store.layout.slot(index);
    while core.store.now() < until {
        core.store.world.pause(core.store.timing.beat / 2).await;
        if let Ok(seen) = core.store.read::<SlotRecord>(Lane::Work, lba).await
            && seen.stamped.record.state != SlotState::Live
        {
            return true;
        }
    }
    false
}

/// Whether what a slot shows, after it showed `first`, is a sign of its host's life. A tool that asks the host something
/// writes there too (R38, R39), whether anybody lives there or not.
pub(crate) fn shows_life(seen: &Seen<SlotRecord>, first: Version) -> bool {
    seen.version() != first && seen.stamped.stamp.writer != Writer::Tool
}

/// Whether nobody beats in the slot for two beats: a host that was watched before the claim still does not.
async fn stands_still(core: &Core, index: SlotIndex, first: Version) -> bool {
    let until = core.store.now().plus(core.store.timing.beat * 2);
    let lba = core.store.layout.slot(index);
    while core.store.now() < until {
        core.store.world.pause(core.store.timing.beat / 2).await;
        match core.store.read::<SlotRecord>(Lane::Work, lba).await {
            Ok(seen) if !shows_life(&seen, first) => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}
