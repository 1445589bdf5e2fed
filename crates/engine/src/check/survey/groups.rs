//! The bitmaps of groups against what layers own.

use std::collections::BTreeMap;
use std::ops::Range;

use oarlock_format::{
    BitmapPage, ClusterIndex, ClusterNumber, GroupNumber, GroupRecord, Kind, PAGE_LENGTH, Space, Stamped,
    decode_within,
};

use crate::check::CheckError;
use crate::check::code::Code;
use crate::check::report::Spot;
use crate::check::scan::read_bytes;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::store::Store;

use super::bits::{Clusters, GroupBits, members, set};
use super::holders::{Holders, Standing};
use super::{Survey, Surveyed, WrongBits, note, version_at};

/// Groups whose wrong bits are kept, at most: with 2 KiB each. A repair of more is done in several runs.
const GROUPS_KEPT_MAX: usize = 4_096;

/// What a look at the groups came to.
#[derive(Default)]
pub(crate) struct Groups {
    /// Groups with wrong bits, as their records were.
    wrong: BTreeMap<GroupNumber, (Stamped<GroupRecord>, WrongBits)>,
    /// Groups that were not judged, by why.
    used: BTreeMap<String, u32>,
    more: u64,
}

/// From a group's record to the end of its bitmap page.
pub(crate) fn head_blocks(store: &Store, space: &Space) -> u64 {
    let page = PAGE_LENGTH as u64 / u64::from(store.block_size.bytes());
    match space.groups() {
        0 => 0,
        _ => space.bitmap(GroupNumber(0)).0 - space.record(GroupNumber(0)).0 + page,
    }
}

impl Survey<'_> {
    /// Compares the bitmaps of the groups of a window with what layers own.
    pub(super) async fn compare(&mut self, window: Range<u32>, owned: &Clusters) -> Result<(), CheckError> {
        let blocks = head_blocks(self.store, &self.maps.space);
        for group in window.map(GroupNumber) {
            if let Some((record, bitmap)) = self.read_group(group).await? {
                self.compare_one(group, record, &bitmap, owned);
            }
            self.progress.note(blocks);
        }
        Ok(())
    }

    /// A group's record and its bitmap, if nobody changes it now. What does not read is a finding of the check of records.
    async fn read_group(
        &mut self,
        group: GroupNumber,
    ) -> Result<Option<(Stamped<GroupRecord>, BitmapPage)>, CheckError> {
        let (store, space) = (self.store, self.maps.space);
        let (lba, block) = (space.record(group), store.block_size.length());
        let mut bytes = vec![0; usize::try_from(head_blocks(store, &space)).unwrap_or(0) * block];
        if read_bytes(store, lba, &mut bytes).await?.is_err() {
            return Ok(None);
        }
        let record = decode_within::<GroupRecord>(&bytes[..block], &store.place(lba), &store.layout);
        let Ok(record) = record else { return Ok(None) };
        let expected = space.clusters_of(group);
        if record.record.number != group
            || record.record.clusters > expected
            || record.record.clusters <= space.head()
        {
            return Ok(None);
        }
        if let Standing::Used(by) = self.maps.holders.standing(&record.record.lock) {
            *self.groups.used.entry(by).or_default() += 1;
            return Ok(None);
        }
        let at = space.bitmap(group);
        let owes = self.maps.holders.owes(&record.record.lock);
        let page = match self.maps.holders.page(at).filter(|_| owes) {
            Some(page) => BitmapPage::decode(page, &store.place(at)),
            None => BitmapPage::decode(&bytes[bytes.len() - PAGE_LENGTH..], &store.place(at)),
        };
        Ok(page.ok().map(|page| (record, page)))
    }

    fn compare_one(
        &mut self,
        group: GroupNumber,
        record: Stamped<GroupRecord>,
        bitmap: &BitmapPage,
        owned: &Clusters,
    ) {
        let owned = owned.of(group);
        let (mut leaked, mut missing): (GroupBits, GroupBits) = ([0; 128], [0; 128]);
        for index in self.maps.space.head()..record.record.clusters {
            let index = ClusterIndex(u16::try_from(index).unwrap_or(u16::MAX));
            let is_owned = super::bits::has(&owned, index);
            match (bitmap.is_taken(index), is_owned) {
                (true, false) => set(&mut leaked, index, true),
                (false, true) => {
                    set(&mut missing, index, true);
                    note(&mut self.wrong, |wrong| wrong.missing.insert(ClusterNumber::of(group, index)));
                }
                _ => {}
            }
        }
        if leaked.iter().chain(&missing).all(|word| *word == 0) {
            return;
        }
        if self.groups.wrong.len() >= GROUPS_KEPT_MAX {
            self.groups.more += 1;
            return;
        }
        let epoch = record.record.lock.epoch;
        let wrong = WrongBits { epoch, leaked: Box::new(leaked), missing: Box::new(missing) };
        self.groups.wrong.insert(group, (record, wrong));
    }

    /// Everything together: what can be told of groups, and what cannot.
    pub(super) async fn conclude(
        self,
        holders: &Holders,
        mut suspicions: Vec<Suspicion>,
    ) -> Result<Surveyed, CheckError> {
        let mut not_judged = self.not_judged(holders);
        let knows_all = self.knows_all();
        let living = holders.living();
        let leaks: u64 = self.groups.wrong.values().map(|(_, wrong)| count(&wrong.leaked)).sum();
        // What a living host has in hand no record tells; and one that came meanwhile may have changed what was read.
        let may_leak = leaks > 0
            && knows_all
            && living.is_empty()
            && holders.are_as_before(self.store).await.unwrap_or(false);
        if leaks > 0 && !may_leak {
            let why = match living.first() {
                Some(first) => format!("{first} may have them in hand"),
                None if knows_all => "hosts came or went meanwhile".to_owned(),
                None => "not every layer is known".to_owned(),
            };
            not_judged
                .push(format!("{leaks} clusters are marked as taken and of no layer that was judged: {why}"));
        }
        let mut kept = BTreeMap::new();
        for (group, (record, mut wrong)) in self.groups.wrong {
            if !may_leak {
                *wrong.leaked = [0; 128];
            }
            // Nobody took it while its bitmap was read and the maps were.
            let lba = self.maps.space.record(group);
            let same = version_at(self.store, lba).await? == Some(crate::verdict::Version::of(&record.stamp));
            let (leaked, missing) = (count(&wrong.leaked), count(&wrong.missing));
            if !same || leaked + missing == 0 {
                continue;
            }
            let spot = || Spot {
                lba: self.maps.space.bitmap(group),
                record: Kind::BitmapPage,
                name: format!("bitmap of group {group}"),
            };
            if leaked > 0 {
                let message = format!(
                    "{leaked} clusters are marked as taken and nobody's: {}",
                    some(group, &wrong.leaked)
                );
                let suspicion = Suspicion::new(Code::BitmapLeaks, spot(), message);
                suspicions.push(suspicion.cured_by(Remedy::Bits(group)));
            }
            kept.insert(group, wrong);
        }
        if self.groups.more > 0 {
            not_judged.push(format!("{} more groups have wrong bits", self.groups.more));
        }
        suspicions.retain(|suspicion| match suspicion.remedy {
            Remedy::Bits(group) => kept.contains_key(&group),
            _ => true,
        });
        suspicions.extend(self.doubts.into_values());
        Ok(Surveyed { suspicions, not_judged, wrong: kept })
    }

    /// What was not judged, for people.
    fn not_judged(&self, holders: &Holders) -> Vec<String> {
        let mut told = Vec::new();
        for (id, described) in &self.estate.layers {
            if let Standing::Used(by) = holders.standing(&described.lock) {
                told.push(format!("{}: {by} has it", self.estate.words(*id)));
            }
        }
        told.extend(self.groups.used.iter().map(|(by, groups)| format!("{groups} groups: {by} has them")));
        told
    }
}

fn count(bits: &GroupBits) -> u64 {
    bits.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// The first few of these clusters, for people.
fn some(group: GroupNumber, bits: &GroupBits) -> String {
    const SOME: usize = 4;
    let first: Vec<String> =
        members(bits).take(SOME).map(|index| ClusterNumber::of(group, index).to_string()).collect();
    let more = if count(bits) > SOME as u64 { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}
