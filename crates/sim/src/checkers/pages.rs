//! Pages of groups and journals: each is written by who owns it and by nobody else (R12, R31), and what is free shows what nobody
//! may read.

use std::rc::Rc;

use oarlock_block::{BlockCount, Lba};
use oarlock_format::{
    ClusterIndex, ClusterNumber, GroupNumber, GroupRecord, InSpace, Owner, Place, SlotIndex, SlotState,
    Standing, decode,
};

use super::slot_now;
use crate::datastore::Template;
use crate::disks::{Medium, SECRET, tagged};
use crate::member::Run;
use crate::scenario::Theme;
use crate::{Effect, Execution, Image, Observer};

pub struct Pages {
    run: Rc<Run>,
    secret: Image,
}

/// Whether it is a page, a journal's block or a guest's data, which their owners write as they like.
pub fn is_owned_alone(run: &Run, lba: Lba) -> bool {
    match run.layout.kind_at(lba) {
        Standing::Journal(slot) => lba != header_of(run, slot),
        Standing::Group => !matches!(run.superblock.space().at(lba), Some(InSpace::Record(_)) | None),
        _ => false,
    }
}

fn header_of(run: &Run, slot: SlotIndex) -> Lba {
    run.layout.journal(slot, run.superblock.block_size).header
}

impl Pages {
    pub fn new(run: Rc<Run>) -> Pages {
        Pages { run, secret: tagged(SECRET).into() }
    }

    /// Who wrote; nobody, where it has ended since.
    fn writer(&self, execution: &Execution) -> Option<Owner> {
        let life = (execution.command.host, execution.command.life);
        Some(self.run.census.member(life)?.host.status().owner)
    }

    fn written(&self, execution: &Execution) {
        let Some(writer) = self.writer(execution) else { return };
        let lba = execution.lba;
        match self.run.layout.kind_at(lba) {
            Standing::Journal(slot) if slot != writer.slot && !self.replays(writer, slot) => {
                self.run
                    .violation("R31", &format!("slot {} wrote to the journal of slot {slot}", writer.slot));
            }
            Standing::Group => {
                if let Some(InSpace::Bitmap(group)) = self.run.superblock.space().at(lba) {
                    self.bitmap_written(group, writer);
                }
            }
            _ => {}
        }
    }

    /// Whether that host replays whoever lived in the slot.
    fn replays(&self, host: Owner, slot: SlotIndex) -> bool {
        let slot = slot_now(&self.run, slot);
        slot.is_some_and(|slot| matches!(slot.state, SlotState::Replaying { by, .. } if by == host))
    }

    /// A bitmap is written by who holds the group, or by who replays him.
    fn bitmap_written(&self, group: GroupNumber, writer: Owner) {
        let lba = self.run.superblock.space().record(group);
        let Some(record) = record(lba, &self.run.world.content(lba)) else { return };
        let may = record.lock.owner.is_some_and(|owner| owner == writer || self.replays(writer, owner.slot));
        if !may {
            let message =
                format!("slot {} wrote the bitmap of group {group}, and does not hold it", writer.slot);
            self.run.violation("R12", &message);
        }
    }

    /// A group was given up: what is free in it is nobody's, and shows that.
    fn released(&self, group: GroupNumber) {
        let (world, superblock) = (&self.run.world, &self.run.superblock);
        let space = superblock.space();
        let block = |lba| world.content(lba).to_vec();
        let medium = Medium { superblock, format_id: Template::FORMAT_ID, block: &block };
        let Ok(bitmap) = medium.bitmap(group) else { return };
        let last = space.head() + u32::from(self.run.scenario.ground.room.unwrap_or_default());
        for index in (space.head()..last).filter_map(|index| u16::try_from(index).ok()).map(ClusterIndex) {
            if bitmap.is_taken(index) {
                continue;
            }
            let first = space.cluster(ClusterNumber::of(group, index));
            for lba in (0..space.cluster_blocks().0).map(|block| first.plus(BlockCount(block))) {
                if world.content(lba) != self.secret {
                    world.overwrite(lba, &self.secret);
                }
            }
        }
    }
}

fn record(lba: Lba, image: &Image) -> Option<GroupRecord> {
    let place = Place { format_id: Template::FORMAT_ID, lba };
    decode::<GroupRecord>(image, &place).ok().map(|stamped| stamped.record)
}

impl Observer for Pages {
    fn on_execute(&self, execution: &Execution) {
        if self.run.scenario.theme != Theme::Disks {
            return;
        }
        match execution.effect {
            Effect::Written => self.written(execution),
            Effect::Swapped => {
                let Some(InSpace::Record(group)) = self.run.superblock.space().at(execution.lba) else {
                    return;
                };
                let of = |image: &Option<Image>| record(execution.lba, image.as_ref()?)?.lock.owner;
                if of(&execution.before).is_some() && of(&execution.after).is_none() {
                    self.released(group);
                }
            }
            _ => {}
        }
    }
}
