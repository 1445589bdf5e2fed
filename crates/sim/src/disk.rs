//! The disk: a sparse store of blocks, with the past that stale and torn reads, rollbacks and power losses need.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Geometry, Lba};

use crate::{ChoiceKind, Choices, FaultKind, FaultPlan, Image, TrueTime};

/// Earlier contents kept of each block, for stale and torn reads.
const PAST_MAX: usize = 8;
/// Contents of one block that a write cache holds; it writes the oldest home when there are more.
const CACHED_MAX: usize = 32;
/// Points in time that a rollback can go back to.
const ROLLBACK_POINTS_MAX: usize = 8;

/// What a block held before, until another write replaced it.
struct Past {
    image: Image,
    replaced_at: TrueTime,
}

struct Block {
    current: Image,
    past: VecDeque<Past>,
    /// With a write cache: what the medium holds, and then all that was written since the last flush but the newest.
    cached: Vec<Image>,
    /// Whether the block has a place of its own below: where it has none, a write to it needs room.
    has_place: bool,
}

/// The content of the device, and what is known of its past. No time passes in here, and no command is known.
pub(crate) struct Disk {
    blocks: BTreeMap<u64, Block>,
    zeros: Image,
    keeps_past: bool,
    caches: bool,
    /// Blocks with something in the cache.
    dirty: Vec<u64>,
    rollback_points: VecDeque<(TrueTime, BTreeMap<u64, Image>)>,
}

impl Disk {
    pub(crate) fn new(geometry: Geometry, plan: &FaultPlan) -> Disk {
        let keeps_past = plan.kinds().any(|kind| matches!(kind, FaultKind::StaleRead | FaultKind::TornRead));
        Disk {
            blocks: BTreeMap::new(),
            zeros: vec![0; geometry.block_size.length()].into(),
            keeps_past,
            caches: plan.volatile_cache,
            dirty: Vec::new(),
            rollback_points: VecDeque::new(),
        }
    }

    /// What the block holds.
    pub(crate) fn content(&self, lba: Lba) -> Image {
        self.blocks.get(&lba.0).map_or_else(|| Rc::clone(&self.zeros), |block| Rc::clone(&block.current))
    }

    /// Whether a write to the block needs no room.
    pub(crate) fn has_place(&self, lba: Lba) -> bool {
        self.blocks.get(&lba.0).is_some_and(|block| block.has_place)
    }

    /// The device keeps what the block holds together with its like, as those do that keep equal blocks once.
    pub(crate) fn take_place(&mut self, lba: Lba) {
        if let Some(block) = self.blocks.get_mut(&lba.0) {
            block.has_place = false;
        }
    }

    /// A block of zeros.
    pub(crate) fn zeros(&self) -> Image {
        Rc::clone(&self.zeros)
    }

    /// Writes the block; what it held before is the answer.
    pub(crate) fn put(&mut self, lba: Lba, image: Image, now: TrueTime) -> Image {
        let zeros = &self.zeros;
        let block = self.blocks.entry(lba.0).or_insert_with(|| Block {
            current: Rc::clone(zeros),
            past: VecDeque::new(),
            cached: Vec::new(),
            has_place: true,
        });
        block.has_place = true;
        let before = std::mem::replace(&mut block.current, image);
        if self.keeps_past {
            if block.past.len() == PAST_MAX {
                block.past.pop_front();
            }
            block.past.push_back(Past { image: Rc::clone(&before), replaced_at: now });
        }
        if self.caches {
            if block.cached.is_empty() {
                self.dirty.push(lba.0);
            }
            if block.cached.len() == CACHED_MAX {
                block.cached.remove(0);
            }
            block.cached.push(Rc::clone(&before));
        }
        before
    }

    /// What the block held before its newest content, if that came after `since`.
    pub(crate) fn replaced_since(&self, lba: Lba, since: TrueTime) -> Option<Image> {
        let newest = self.blocks.get(&lba.0)?.past.back()?;
        (newest.replaced_at >= since).then(|| Rc::clone(&newest.image))
    }

    /// What the block held at some time since then, but no longer: one of its past contents.
    pub(crate) fn stale(&self, lba: Lba, since: TrueTime, choices: &Choices) -> Option<Image> {
        let past = &self.blocks.get(&lba.0)?.past;
        let fresh = past.iter().filter(|past| past.replaced_at >= since).count();
        if fresh == 0 {
            return None;
        }
        let back = choices.choose(ChoiceKind::Fault(FaultKind::StaleRead), fresh);
        past.get(past.len() - 1 - back).map(|past| Rc::clone(&past.image))
    }

    /// All that was written is on the medium.
    pub(crate) fn flush(&mut self) {
        for lba in self.dirty.drain(..) {
            if let Some(block) = self.blocks.get_mut(&lba) {
                block.cached.clear();
            }
        }
    }

    /// How many contents of the block a power loss may still bring back.
    pub(crate) fn unflushed(&self, lba: Lba) -> usize {
        self.blocks.get(&lba.0).map_or(0, |block| block.cached.len())
    }

    /// The power fails: each block that is not flushed keeps what it held after any one of its writes since, or before
    /// them all. A cache that writes home in the order of addresses has written those up to one, or from one on, and no others.
    /// Returns the number of blocks that lost something.
    pub(crate) fn lose_power(&mut self, choices: &Choices) -> usize {
        let kind = ChoiceKind::Fault(FaultKind::PowerLoss);
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        // The default, 0, keeps the newest everywhere.
        let order = choices.choose(kind, 4);
        let middle = if order < 2 { 0 } else { choices.choose(kind, dirty.len() + 1) };
        let mut lost = 0;
        for (place, lba) in dirty.into_iter().enumerate() {
            let Some(block) = self.blocks.get_mut(&lba) else { continue };
            let kept = match order {
                2 if place < middle => 0,
                3 if place >= middle => 0,
                2 | 3 => block.cached.len(),
                _ => choices.choose(kind, block.cached.len() + 1),
            };
            if kept > 0 {
                block.current = Rc::clone(&block.cached[block.cached.len() - kept]);
                lost += 1;
            }
            block.cached.clear();
        }
        lost
    }

    /// Flips one to eight bits of one written block of the range, and says of which.
    pub(crate) fn rot(&mut self, range: (Lba, Lba), choices: &Choices) -> Option<Lba> {
        let count = self.blocks.range(range.0.0..range.1.0).count();
        let chosen = choices.choose(ChoiceKind::Fault(FaultKind::BitRot), count);
        let (lba, block) = self.blocks.range_mut(range.0.0..range.1.0).nth(chosen)?;
        let mut bytes = block.current.to_vec();
        // Half of what rots is a single bit, which its bytes can prove.
        let flips = if choices.below(2) == 0 { 1 } else { 2 + choices.below(7) };
        for _ in 0..flips {
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let offset = usize::try_from(choices.below(length)).unwrap_or(0);
            bytes[offset] ^= 1 << choices.below(8);
        }
        block.current = bytes.into();
        Some(Lba(*lba))
    }

    /// Remembers the present content as one that a rollback can go back to.
    pub(crate) fn remember(&mut self, now: TrueTime) {
        if self.rollback_points.len() == ROLLBACK_POINTS_MAX {
            self.rollback_points.pop_front();
        }
        let contents = self.blocks.iter().map(|(lba, block)| (*lba, Rc::clone(&block.current))).collect();
        self.rollback_points.push_back((now, contents));
    }

    /// The device is as it was at the oldest remembered time that is at most `length` ago; false where there is none.
    pub(crate) fn roll_back(&mut self, now: TrueTime, length: Duration) -> bool {
        let since = now.minus(length);
        let Some((_, contents)) = self.rollback_points.iter().find(|(at, _)| *at >= since) else {
            return false;
        };
        for (lba, block) in &mut self.blocks {
            block.current = contents.get(lba).map_or_else(|| Rc::clone(&self.zeros), Rc::clone);
            block.cached.clear();
        }
        self.dirty.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use oarlock_block::{BlockCount, BlockSize, ByteCount};

    use super::*;
    use crate::Fault;

    fn disk(plan: &FaultPlan) -> Disk {
        let geometry = Geometry {
            block_size: BlockSize::B512,
            physical_block: ByteCount(512),
            blocks: BlockCount(1 << 40),
        };
        Disk::new(geometry, plan)
    }

    fn image(byte: u8) -> Image {
        vec![byte; 512].into()
    }

    fn second(seconds: u64) -> TrueTime {
        TrueTime::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn what_was_never_written_is_zero_and_takes_no_room() {
        let mut disk = disk(&FaultPlan::calm());
        assert_eq!(disk.content(Lba(1 << 39)), image(0));
        assert_eq!(disk.put(Lba(1 << 39), image(7), second(1)), image(0));
        assert_eq!((disk.content(Lba(1 << 39)), disk.blocks.len()), (image(7), 1));
    }

    #[test]
    fn a_stale_read_shows_only_what_was_replaced_within_the_window() {
        let mut plan = FaultPlan::calm();
        plan.set(FaultKind::StaleRead, Fault::NONE.at(1));
        let mut disk = disk(&plan);
        for number in 1..=4 {
            disk.put(Lba(0), image(number), second(u64::from(number)));
        }
        let choices = Choices::seeded(1);
        let mut seen: Vec<u8> =
            (0..100).filter_map(|_| disk.stale(Lba(0), second(3), &choices)).map(|image| image[0]).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [2, 3]);
        assert_eq!(disk.stale(Lba(0), second(5), &choices), None);
        assert_eq!(disk.replaced_since(Lba(0), second(4)), Some(image(3)));
        assert_eq!(disk.replaced_since(Lba(0), second(5)), None);
    }

    #[test]
    fn a_power_loss_takes_only_what_was_not_flushed() {
        let mut plan = FaultPlan::calm();
        plan.volatile_cache = true;
        let mut kept = [0_u32; 4];
        for seed in 0..600 {
            let mut disk = disk(&plan);
            disk.put(Lba(0), image(1), second(1));
            disk.put(Lba(1), image(9), second(1));
            disk.flush();
            disk.put(Lba(0), image(2), second(2));
            disk.put(Lba(0), image(3), second(3));
            disk.lose_power(&Choices::seeded(seed));
            kept[usize::from(disk.content(Lba(0))[0])] += 1;
            assert_eq!(disk.content(Lba(1)), image(9));
        }
        assert_eq!(kept[0], 0, "flushed");
        assert!(kept[1..].iter().all(|count| *count > 50), "{kept:?}");
    }

    #[test]
    fn a_rollback_brings_the_whole_device_back_and_rot_changes_one_block() {
        let mut disk = disk(&FaultPlan::calm());
        disk.put(Lba(0), image(1), second(1));
        disk.remember(second(2));
        disk.put(Lba(0), image(2), second(3));
        disk.put(Lba(5), image(5), second(3));
        assert!(!disk.roll_back(second(20), Duration::from_secs(1)), "nothing was remembered so late");
        assert!(disk.roll_back(second(20), Duration::from_secs(60)));
        assert_eq!((disk.content(Lba(0)), disk.content(Lba(5))), (image(1), image(0)));
        assert_eq!(disk.rot((Lba(1), Lba(9)), &Choices::seeded(3)), Some(Lba(5)));
        assert_ne!(disk.content(Lba(5)), image(0));
        assert_eq!(disk.content(Lba(0)), image(1));
    }
}
