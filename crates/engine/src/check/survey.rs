//! The survey of what is whose: all layers' maps against one another and against the bitmaps of groups (R32, R35, R37).
//!
//! ```text
//!   slots, journals of dead hosts --> directory, descriptors --> for each window of groups:
//!        each family of layers, from the lowest: what it owns, what it names of those below --> bitmaps --> suspicions
//!   --> who and where --> records that changed meanwhile: their suspicions go
//! ```
//! A cluster is a bit: in a window of groups, so that the memory is bounded however large the datastore is. What a living host
//! holds is not judged, and said so. Each map is read once for each window, and once more where it has branches above it.

mod bits;
mod estate;
mod families;
mod groups;
mod holders;
mod names;
mod walk;
mod who;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use oarlock_block::Lba;
use oarlock_format::{
    ClusterNumber, Epoch, GroupNumber, LayerFlags, LayerId, LayerKind, LayerState, Owner, Superblock,
    stamp_of,
};

use crate::check::CheckError;
use crate::check::code::Code;
use crate::check::scan::read_bytes;
use crate::check::suspicion::Suspicion;
use crate::layer::Root;
use crate::store::{ReadFault, Store};
use crate::verdict::Version;

use bits::Clusters;
pub(crate) use bits::{GroupBits, members};
pub(crate) use estate::Estate;
use families::{Families, Step};
use groups::Groups;
use holders::{Holders, Standing};
use names::Names;
use walk::{Maps, Mention, Walk};

/// Groups whose clusters are looked at in one pass: with 8,192 clusters each, two sets of clusters have 128 MiB at most. A pass sees
/// 32 TiB of clusters of 64 KiB.
const WINDOW_GROUPS: u32 = 65_536;

/// Clusters of which it is told who names them and where; the rest is counted.
const TOLD_MAX: usize = 256;

/// What a survey came to.
#[derive(Default)]
pub(crate) struct Surveyed {
    pub(crate) suspicions: Vec<Suspicion>,
    /// What could not be judged, and why: for people.
    pub(crate) not_judged: Vec<String>,
    /// Bits that are wrong, by group.
    pub(crate) wrong: BTreeMap<GroupNumber, WrongBits>,
}

/// Bits of a group that are wrong.
#[derive(Clone, Debug)]
pub(crate) struct WrongBits {
    /// The group's lock was in this epoch when they were read.
    pub(crate) epoch: Epoch,
    /// Set, and nobody's.
    pub(crate) leaked: Box<GroupBits>,
    /// Clear, and somebody's.
    pub(crate) missing: Box<GroupBits>,
}

/// What is wrong with single clusters.
#[derive(Default)]
struct Wrong {
    /// Owned more than once.
    twice: BTreeSet<ClusterNumber>,
    /// Named as an ancestor's, and none's.
    foreign: BTreeSet<(ClusterNumber, LayerId)>,
    /// In use, and marked as free.
    missing: BTreeSet<ClusterNumber>,
    more: u64,
}

impl Wrong {
    fn count(&self) -> usize {
        self.twice.len() + self.foreign.len() + self.missing.len()
    }
}

/// A survey at work.
struct Survey<'a> {
    store: &'a Store,
    superblock: &'a Superblock,
    estate: &'a Estate,
    families: &'a Families,
    maps: Maps<'a>,
    wrong: Wrong,
    groups: Groups,
    doubts: BTreeMap<(Lba, Code), Suspicion>,
    /// Layers whose maps were not read to the end: what they own nobody knows.
    unknown: BTreeSet<LayerId>,
    progress: &'a Progress<'a>,
}

/// Blocks that were read, and that are to be read as far as is known by now.
struct Progress<'a> {
    done: Cell<u64>,
    total: Cell<u64>,
    tell: &'a dyn Fn(u64, u64),
}

impl Progress<'_> {
    fn expect(&self, blocks: u64) {
        self.total.set(self.total.get() + blocks);
    }

    fn note(&self, blocks: u64) {
        self.done.set(self.done.get() + blocks);
        (self.tell)(self.done.get(), self.total.get().max(self.done.get()));
    }
}

/// Surveys the datastore. `own` is the host that looks, if it is one; `tell` hears how many blocks were read, of how many that are
/// known of by then. Nothing is written.
pub(crate) async fn survey(
    store: &Store,
    superblock: &Superblock,
    own: Option<Owner>,
    tell: &dyn Fn(u64, u64),
) -> Result<Surveyed, CheckError> {
    let progress = Progress { done: Cell::new(0), total: Cell::new(0), tell };
    let layout = &superblock.layout;
    let heads = u64::from(superblock.space().groups()) * groups::head_blocks(store, &superblock.space());
    progress.expect(layout.directory.blocks.0 + layout.descriptors.blocks.0 + heads);
    let holders = match Holders::read(store, superblock, own).await {
        Ok(holders) => holders,
        Err(fault) => return Ok(nothing_judged(&fault)),
    };
    let estate = Estate::read(store, &|blocks| progress.note(blocks)).await?;
    let families = Families::of(&estate);
    let maps = Maps {
        store,
        space: superblock.space(),
        shape: superblock.map_shape(),
        holders: &holders,
        epochs: &estate.epochs,
    };
    let mut survey = Survey {
        store,
        superblock,
        estate: &estate,
        families: &families,
        maps,
        wrong: Wrong::default(),
        groups: Groups::default(),
        doubts: BTreeMap::new(),
        unknown: BTreeSet::new(),
        progress: &progress,
    };
    let count = superblock.space().groups();
    for first in (0..count).step_by(WINDOW_GROUPS as usize) {
        survey.pass(first..count.min(first + WINDOW_GROUPS)).await?;
    }
    let mut suspicions =
        Names { store, estate: &estate, holders: &holders, families: &families }.suspicions();
    suspicions.extend(survey.tell_who().await?);
    let surveyed = survey.conclude(&holders, suspicions).await?;
    surveyed.keep_what_stands(store, &estate).await
}

fn nothing_judged(fault: &ReadFault) -> Surveyed {
    let why = format!("the slots could not be read: {fault}");
    Surveyed { not_judged: vec![why], ..Surveyed::default() }
}

impl<'a> Survey<'a> {
    /// Whether the pages of a layer stand still, so that its map can be read.
    fn is_judged(&self, id: LayerId) -> bool {
        let described = self.estate.layers.get(&id);
        described.is_some_and(|described| self.maps.holders.standing(&described.lock) == Standing::Quiet)
            && !self.families.in_a_ring.contains(&id)
    }

    /// Where a layer's map begins. One that was to be put below a disk and is not there owns nothing: what it names is the disk's.
    /// A root that is on its way from a parent that is absorbed is the child's already (R35).
    fn root_of(&self, id: LayerId) -> Option<Root> {
        let layer = self.estate.layer(id)?;
        if layer.state == LayerState::Creating && layer.kind != LayerKind::Disk {
            let disk = self.estate.layer(layer.disk);
            if disk.and_then(|disk| disk.parent) != Some(id) {
                return None;
            }
        }
        let LayerFlags { root_owned, .. } = layer.flags;
        let parent = layer.parent.and_then(|parent| self.estate.layer(parent));
        let is_on_its_way = layer.root.is_some()
            && parent.is_some_and(|parent| parent.state == LayerState::Doomed && parent.root.is_none());
        Some(Root { cluster: layer.root, owned: root_owned || is_on_its_way, levels: layer.levels })
    }

    /// One pass over all maps, and over the bitmaps of the groups of a window.
    async fn pass(&mut self, window: Range<u32>) -> Result<(), CheckError> {
        let (mut owned, mut line) = (Clusters::new(window.clone()), Clusters::new(window.clone()));
        for family in &self.families.families {
            line.clear();
            // The layers of the present line whose clusters are not known.
            let mut unknown: Vec<LayerId> = Vec::new();
            for step in family {
                match *step {
                    Step::Enter(id) => {
                        let is_known = unknown.is_empty();
                        if !self.enter(id, is_known, &mut owned, &mut line).await? {
                            unknown.push(id);
                        }
                    }
                    Step::Leave(id) => {
                        unknown.retain(|other| *other != id);
                        self.leave(id, &mut line).await?;
                    }
                }
            }
        }
        self.compare(window, &owned).await
    }

    /// What a layer owns comes into the line; whether all of it is known.
    async fn enter(
        &mut self,
        id: LayerId,
        is_known_below: bool,
        owned: &mut Clusters,
        line: &mut Clusters,
    ) -> Result<bool, CheckError> {
        // A layer whose parent is gone names what nobody can judge; that is told once, of the parent.
        let parent = self.estate.layer(id).and_then(|layer| layer.parent);
        let is_known_below =
            is_known_below && parent.is_none_or(|parent| self.estate.layer(parent).is_some());
        if !self.is_judged(id) {
            self.unknown.insert(id);
            return Ok(false);
        }
        let Some(root) = self.root_of(id) else { return Ok(true) };
        let wrong = &mut self.wrong;
        let mut see = |mention: Mention| {
            let cluster = mention.cluster;
            if mention.is_owned {
                let is_second = owned.insert(cluster);
                line.insert(cluster);
                if is_second {
                    note(wrong, |wrong| wrong.twice.insert(cluster));
                }
                return !is_second;
            }
            if is_known_below && line.contains(cluster) == Some(false) {
                note(wrong, |wrong| wrong.foreign.insert((cluster, id)));
            }
            false
        };
        let mut walk = Walk::of(&self.maps, self.estate, id);
        let (progress, blocks) = (self.progress, self.superblock.space().cluster_blocks().0);
        walk.all(root, &mut see, &|| {
            progress.expect(blocks);
            progress.note(blocks);
        })
        .await?;
        let is_complete = walk.is_complete;
        for doubt in walk.doubts {
            self.doubts.entry((doubt.place.lba, doubt.code)).or_insert(doubt);
        }
        if !is_complete {
            self.unknown.insert(id);
        }
        Ok(is_complete && is_known_below)
    }

    /// What a layer owns goes out of the line.
    async fn leave(&mut self, id: LayerId, line: &mut Clusters) -> Result<(), CheckError> {
        let Some(root) = self.root_of(id).filter(|_| self.is_judged(id)) else { return Ok(()) };
        let mut walk = Walk::of(&self.maps, self.estate, id);
        let mut see = |mention: Mention| {
            if mention.is_owned {
                line.remove(mention.cluster);
            }
            mention.is_owned
        };
        walk.all(root, &mut see, &|| {}).await
    }

    /// Whether what is nobody's can be told: of every layer it is known what it owns.
    fn knows_all(&self) -> bool {
        self.unknown.is_empty() && self.estate.unread.is_empty() && self.families.in_a_ring.is_empty()
    }
}

/// Notes something wrong with a cluster, or counts it where there is very much.
fn note(wrong: &mut Wrong, add: impl FnOnce(&mut Wrong) -> bool) {
    if wrong.count() < TOLD_MAX {
        let _ = add(wrong);
    } else {
        wrong.more += 1;
    }
}

impl Surveyed {
    /// Leaves out what is about records that changed since they were read, or are no longer what they were.
    async fn keep_what_stands(mut self, store: &Store, estate: &Estate) -> Result<Surveyed, CheckError> {
        let mut stands: BTreeMap<Lba, bool> = BTreeMap::new();
        let mut kept = Vec::new();
        for suspicion in std::mem::take(&mut self.suspicions) {
            let mut all = true;
            for lba in &suspicion.involved {
                let Some(known) = estate.versions.get(lba) else { continue };
                let same = match stands.get(lba) {
                    Some(same) => *same,
                    None => {
                        let same = version_at(store, *lba).await? == Some(*known);
                        stands.insert(*lba, same);
                        same
                    }
                };
                all &= same;
            }
            if all {
                kept.push(suspicion);
            }
        }
        self.suspicions = kept;
        Ok(self)
    }
}

/// What stands in a block now; nothing where that is no record.
async fn version_at(store: &Store, lba: Lba) -> Result<Option<Version>, CheckError> {
    let mut buffer = [0; oarlock_block::BlockSize::LARGEST];
    let buffer = &mut buffer[..store.block_size.length()];
    let read = read_bytes(store, lba, buffer).await?;
    Ok(read.ok().and_then(|()| stamp_of(buffer)).map(|stamp| Version::of(&stamp)))
}
