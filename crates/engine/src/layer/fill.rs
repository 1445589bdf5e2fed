//! Filling: every piece of a run of clusters is written, with zeros where nothing was written before (R32, R34).
//!
//! Zeros are on the device before an entry shows them, and the commit that makes the entry durable begins with a flush. Where
//! it stops, the entries that were made stay, and whoever goes on finds what is left.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use futures::stream::{StreamExt, iter};
use oarlock_block::{IoError, Lba};
use oarlock_format::{ClusterNumber, ClusterRun, ENTRIES_PER_PAGE, LeafEntry, Mapped, PieceMask};

use super::grow::Layer;
use crate::allocate::SpaceError;
use crate::journal::{JournalError, send};
use crate::pages::{Page, TRANSACTION_PAGES_MAX};

/// Clusters that one step makes, at most.
const CLUSTERS_PER_STEP: usize = 128;

/// Bytes that one command zeroes, at most: where the device has no command for it, so many zeros are in memory.
const COMMAND_BYTES_MAX: u64 = 1 << 20;

/// Commands that are on their way at once.
const COMMANDS_AT_ONCE: usize = 4;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// There is more to do.
    More,
    /// Every piece is written.
    All,
}

/// The filling of a part of a layer that this host holds, and that refers to no ancestor.
pub struct Filling {
    layer: Rc<Layer>,
    /// The cluster of the disk from which on it is looked at.
    next: u64,
    end: u64,
    zeros: Vec<u8>,
}

/// An entry that lacks something.
type Gap = (u16, LeafEntry);

impl Filling {
    /// Begins with the clusters `first..end` of the disk.
    #[must_use]
    pub fn new(layer: &Rc<Layer>, first: u64, end: u64) -> Filling {
        let length = layer.tree.ground.shape.cluster_size().0.max(COMMAND_BYTES_MAX);
        let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
        Filling { layer: Rc::clone(layer), next: first, end, zeros }
    }

    /// The first cluster that may lack something.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Does some of it. No operation of the layer's guests may make anything in this part meanwhile.
    ///
    /// # Errors
    /// Why it did not; what it did stays done.
    pub async fn step(&mut self) -> Result<Filled, SpaceError> {
        if self.next >= self.end {
            return Ok(Filled::All);
        }
        let (page, first) = self.layer.own_leaf(self.next).await?;
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let room = usize::from(ENTRIES_PER_PAGE - first).min(left).min(CLUSTERS_PER_STEP);
        let (mut unmapped, mut looked_at): (Vec<Gap>, u64) = (Vec::new(), 0);
        for index in (first..ENTRIES_PER_PAGE).take(room) {
            let entry = page.read(|content| content.map().leaf(index));
            match entry.own {
                None if entry.below.is_none() => unmapped.push((index, entry)),
                // What is mapped in part is rare: one of these is a step.
                _ if unmapped.is_empty() => self.complete(&page, (index, entry)).await?,
                _ => break,
            }
            looked_at += 1;
        }
        let made = self.make(&page, &unmapped).await?;
        let rest = unmapped.len().saturating_sub(made);
        self.next += looked_at - rest as u64;
        Ok(if self.next >= self.end { Filled::All } else { Filled::More })
    }

    /// Writes what a mapped cluster lacks.
    async fn complete(&self, page: &Arc<Page>, (index, entry): Gap) -> Result<(), SpaceError> {
        let ground = &self.layer.tree.ground;
        let all = PieceMask::first(ground.shape.pieces());
        let is_own = |entry: &LeafEntry| entry.owned && entry.below.is_none();
        let entry = if is_own(&entry) {
            entry
        } else {
            self.layer.own_data((page, index), &entry).await?;
            page.read(|content| content.map().leaf(index))
        };
        let Some(own) = entry.own.filter(|_| is_own(&entry)) else { return Err(SpaceError::NoSpace) };
        let missing = all.without(own.mask);
        if missing.is_empty() {
            return Ok(());
        }
        let length = usize::try_from(ground.shape.piece_size().0).unwrap_or(0);
        for piece in missing.iter() {
            send::zero(self.layer.core(), self.layer.piece(own.cluster, piece), &self.zeros[..length])
                .await?;
        }
        let mut transaction = self.layer.source.begin(1).await?;
        transaction.set(page, index, whole(own.cluster, all));
        Ok(())
    }

    /// Makes clusters for the first of these entries; for how many.
    async fn make(&self, page: &Arc<Page>, unmapped: &[Gap]) -> Result<usize, SpaceError> {
        if unmapped.is_empty() {
            return Ok(0);
        }
        let source = &self.layer.source;
        let taken = source.clusters(unmapped.len(), None).await?;
        let (taken, more) = taken.split_at(in_few_groups(&taken));
        source.give_back(more.iter().copied());
        let mut done = self.zero(taken).await;
        if done.is_ok() {
            done = self.show(page, unmapped, taken).await;
        }
        // A write without an answer may land later: its cluster stays in hand until the end of this life (R33).
        if let Err(error) = &done
            && !may_land(error)
        {
            source.give_back(taken.iter().copied());
        }
        done.map(|()| taken.len())
    }

    /// Zeroes clusters, each as a whole. Whatever fails, all commands have ended.
    async fn zero(&self, clusters: &[ClusterNumber]) -> Result<(), SpaceError> {
        let core = self.layer.core();
        let commands = commands(clusters, self.layer.tree.ground.shape.cluster_size().0);
        let sent = iter(commands).map(async |(first, bytes)| {
            let lba: Lba = self.layer.tree.ground.page(first, 0);
            send::zero(core, lba, &self.zeros[..usize::try_from(bytes).unwrap_or(0)]).await
        });
        let ended: Vec<Result<(), JournalError>> = sent.buffer_unordered(COMMANDS_AT_ONCE).collect().await;
        let mut failures: Vec<SpaceError> =
            ended.into_iter().filter_map(Result::err).map(SpaceError::from).collect();
        // The one that matters for what may be done with the clusters.
        failures.sort_by_key(|error| !may_land(error));
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    async fn show(
        &self,
        page: &Arc<Page>,
        unmapped: &[Gap],
        clusters: &[ClusterNumber],
    ) -> Result<(), SpaceError> {
        let layer = &self.layer;
        let groups: BTreeSet<_> = clusters.iter().map(|cluster| cluster.place().0).collect();
        let all = PieceMask::first(layer.tree.ground.shape.pieces());
        let mut transaction = layer.source.begin(1 + groups.len()).await?;
        for group in groups {
            // Clusters of it are in hand, so that nobody gives it up.
            let bitmap = layer.tree.stock.bitmap(group).ok_or(SpaceError::NoSpace)?;
            for cluster in clusters.iter().filter(|cluster| cluster.place().0 == group) {
                transaction.mark(&bitmap, ClusterRun { first: cluster.place().1, count: 1 }, true);
            }
        }
        for ((index, _), cluster) in unmapped.iter().zip(clusters) {
            transaction.set(page, *index, whole(*cluster, all));
        }
        Ok(())
    }
}

fn whole(cluster: ClusterNumber, mask: PieceMask) -> LeafEntry {
    LeafEntry { own: Some(Mapped { cluster, mask }), owned: true, ..LeafEntry::default() }
}

/// Whether a command may still be on its way.
fn may_land(error: &SpaceError) -> bool {
    match error {
        SpaceError::Journal(JournalError::Write { error: IoError::Refused(_), .. }) => false,
        SpaceError::Journal(_) => true,
        _ => false,
    }
}

/// How many clusters, from the first on, are in so few groups that one transaction marks them.
fn in_few_groups(clusters: &[ClusterNumber]) -> usize {
    let mut groups = BTreeSet::new();
    let is_one_too_many = |cluster: &ClusterNumber| {
        groups.insert(cluster.place().0);
        groups.len() >= TRANSACTION_PAGES_MAX
    };
    clusters.iter().position(is_one_too_many).unwrap_or(clusters.len())
}

/// The commands that zero clusters: where each begins, and how many bytes it has.
fn commands(clusters: &[ClusterNumber], cluster_bytes: u64) -> Vec<(ClusterNumber, u64)> {
    let mut commands: Vec<(ClusterNumber, u64)> = Vec::new();
    for cluster in clusters {
        match commands.last_mut() {
            Some((first, bytes))
                if first.0 + *bytes / cluster_bytes == cluster.0
                    && *bytes + cluster_bytes <= COMMAND_BYTES_MAX =>
            {
                *bytes += cluster_bytes;
            }
            _ => commands.push((*cluster, cluster_bytes)),
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_zeroed_by_one_command_of_bounded_length() {
        let clusters: Vec<_> = (10..30).chain([40, 42, 43]).map(ClusterNumber).collect();
        let expected = [(10, 16), (26, 4), (40, 1), (42, 2)];
        let expected: Vec<_> =
            expected.map(|(first, count)| (ClusterNumber(first), count * (64 << 10))).into();
        assert_eq!(commands(&clusters, 64 << 10), expected);
        assert_eq!(commands(&clusters[..2], 1 << 20).len(), 2);
    }

    #[test]
    fn a_transaction_marks_no_more_groups_than_it_has_room_for() {
        let groups = TRANSACTION_PAGES_MAX as u64 + 3;
        let clusters: Vec<_> = (0..groups * 2).map(|number| ClusterNumber(number / 2 * 8_192 + 5)).collect();
        assert_eq!(in_few_groups(&clusters), (TRANSACTION_PAGES_MAX - 1) * 2);
        assert_eq!(in_few_groups(&clusters[..3]), 3);
    }
}
