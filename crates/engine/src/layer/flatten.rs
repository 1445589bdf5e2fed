//! Flattening: everything that a layer shows comes to stand in clusters and nodes of its own, so that it needs no ancestor.
//!
//! Data is copied to where no entry shows it yet, and the entry changed behind that (R32): where it stops, all is as it was, and
//! whoever goes on finds what is left.

use std::rc::Rc;
use std::sync::Arc;

use oarlock_block::Lba;
use oarlock_format::{ClusterNumber, ClusterRun, ENTRIES_PER_PAGE, LeafEntry, MapStep, Mapped, PieceMask};

use super::fetch::read;
use super::grow::Layer;
use super::tree::Node;
use crate::allocate::SpaceError;
use crate::journal::send;
use crate::pages::Page;

/// Clusters that one step copies, at most: guests wait for it.
const COPIES_PER_STEP: usize = 16;

/// Pages that one step looks at, at most.
const LOOKS_PER_STEP: usize = 1_024;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flattened {
    /// There is more to do.
    More,
    /// Nothing of an ancestor's is named any more.
    All,
}

/// The flattening of a layer that this host holds.
pub struct Flattening {
    layer: Rc<Layer>,
    /// The cluster of the disk from which on it is looked at.
    next: u64,
    copies: usize,
    looks: usize,
}

impl Flattening {
    /// Begins, or begins again.
    #[must_use]
    pub fn new(layer: &Rc<Layer>) -> Flattening {
        Flattening { layer: Rc::clone(layer), next: 0, copies: 0, looks: 0 }
    }

    /// Does some of it. No operation of the layer's guests may be under way.
    ///
    /// # Errors
    /// Why it did not; what it did stays done.
    pub async fn step(&mut self) -> Result<Flattened, SpaceError> {
        (self.copies, self.looks) = (COPIES_PER_STEP, LOOKS_PER_STEP);
        while self.copies > 0 && self.looks > 0 {
            let Some(root) = self.layer.own_present_root().await? else { return Ok(Flattened::All) };
            if self.layer.tree.steps(self.next, self.layer.root().levels).is_none() {
                return Ok(Flattened::All);
            }
            self.one_way(root).await?;
        }
        Ok(Flattened::More)
    }

    /// Goes down to the next cluster as far as there is a way, and owns it.
    async fn one_way(&mut self, root: Node) -> Result<(), SpaceError> {
        let layer = Rc::clone(&self.layer);
        let mut node = root;
        for step in layer.tree.steps(self.next, layer.root().levels).into_iter().flatten() {
            self.looks = self.looks.saturating_sub(1);
            let page = layer.page(node, &step).await?;
            if step.level == 0 {
                return self.own_entries(&page, &step).await;
            }
            match page.read(|content| content.map().node(step.entry)).map(|pointer| node.below(pointer)) {
                Some(below) if below.is_own => node = below,
                // With everything on the way down.
                Some(_) => return layer.own(self.next).await,
                None => {
                    let span = layer.tree.ground.shape.entries_per_node().saturating_pow(step.level.into());
                    self.next = (self.next / span + 1).saturating_mul(span);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn own_entries(&mut self, page: &Arc<Page>, step: &MapStep) -> Result<(), SpaceError> {
        for index in step.entry..ENTRIES_PER_PAGE {
            if self.copies == 0 {
                return Ok(());
            }
            let entry = page.read(|content| content.map().leaf(index));
            let borrows =
                (entry.own.is_some() && !entry.owned) || (entry.below.is_some() && !entry.below_owned);
            if borrows {
                self.copies -= 1;
                self.layer.own_data((page, index), &entry).await?;
            }
            self.next += 1;
        }
        Ok(())
    }
}

impl Layer {
    /// Copies what an entry reads from ancestors to a cluster of the layer's own.
    pub(super) async fn own_data(&self, at: (&Arc<Page>, u16), entry: &LeafEntry) -> Result<(), SpaceError> {
        if let Some(own) = entry.own.filter(|_| entry.owned) {
            let missing = entry.below.map_or(PieceMask::NONE, |below| below.mask.without(own.mask));
            self.copy_pieces(entry, missing, own.cluster).await?;
            return self.show_own(at, own.cluster, own.mask.with(missing), false).await;
        }
        let mask = |mapped: Option<Mapped>| mapped.map_or(PieceMask::NONE, |mapped| mapped.mask);
        let pieces = mask(entry.own).with(mask(entry.below));
        let taken = self.source.clusters(1, None).await?;
        let Some((&cluster, more)) = taken.split_first() else { return Err(SpaceError::NoSpace) };
        self.source.give_back(more.iter().copied());
        let mut done = self.copy_pieces(entry, pieces, cluster).await;
        if done.is_ok() {
            done = self.show_own(at, cluster, pieces, true).await;
        }
        // A write without an answer may land later: its cluster stays in hand until the end of this life (R33).
        if let Err(error) = &done
            && !error.may_still_land()
        {
            self.source.give_back([cluster]);
        }
        done
    }

    async fn copy_pieces(
        &self,
        entry: &LeafEntry,
        pieces: PieceMask,
        target: ClusterNumber,
    ) -> Result<(), SpaceError> {
        let mut bytes = vec![0; usize::try_from(self.tree.ground.shape.piece_size().0).unwrap_or(0)];
        for piece in pieces.iter() {
            let Some(source) = entry.source(piece) else { continue };
            read(self.core(), self.piece(source, piece), &mut bytes).await?;
            send::write(self.core(), self.piece(target, piece), &bytes).await?;
        }
        Ok(())
    }

    pub(super) fn piece(&self, cluster: ClusterNumber, piece: u32) -> Lba {
        let ground = &self.tree.ground;
        let within = u64::from(piece) * (ground.shape.piece_size().0 / u64::from(ground.block.bytes()));
        Lba(ground.page(cluster, 0).0.saturating_add(within))
    }

    /// The entry is the layer's own cluster alone from now on, which is marked as taken where it is new.
    async fn show_own(
        &self,
        (page, index): (&Arc<Page>, u16),
        cluster: ClusterNumber,
        mask: PieceMask,
        is_new: bool,
    ) -> Result<(), SpaceError> {
        let (group, first) = cluster.place();
        let bitmap = self.tree.stock.bitmap(group).filter(|_| is_new);
        if is_new && bitmap.is_none() {
            return Err(SpaceError::NoSpace);
        }
        let mut transaction = self.source.begin(2).await?;
        if let Some(bitmap) = &bitmap {
            transaction.mark(bitmap, ClusterRun { first, count: 1 }, true);
        }
        let own = Some(Mapped { cluster, mask });
        transaction.set(page, index, LeafEntry { own, owned: true, ..LeafEntry::default() });
        Ok(())
    }
}
