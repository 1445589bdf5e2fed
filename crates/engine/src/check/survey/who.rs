//! Whose the clusters are that something is wrong with, and where on their disks: another walk, for people and for what they do next.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_block::Lba;
use oarlock_format::{ClusterNumber, GroupNumber, Kind, LayerId};

use crate::check::CheckError;
use crate::check::code::Code;
use crate::check::report::Spot;
use crate::check::suspicion::{Remedy, Suspicion};

use super::Survey;
use super::walk::{Mention, Walk};

/// Who names one cluster, at most: of more it is told that there are.
const MENTIONS_MAX: usize = 8;

/// Clusters that one finding shows.
const SHOWN_MAX: usize = 8;

/// Who names a cluster.
type Mentions = BTreeMap<ClusterNumber, Vec<(LayerId, Mention)>>;

/// What of a group is in use, and marked as free.
#[derive(Default)]
struct Missing {
    layers: BTreeSet<LayerId>,
    /// Each cluster, and where it stands.
    clusters: Vec<(ClusterNumber, String)>,
}

impl Survey<'_> {
    /// What is wrong with single clusters, with whose they are.
    pub(super) async fn tell_who(&mut self) -> Result<Vec<Suspicion>, CheckError> {
        if self.wrong.count() == 0 {
            return Ok(Vec::new());
        }
        let mentions = self.mentions().await?;
        let mut found = self.twice(&mentions);
        found.extend(self.foreign(&mentions));
        found.extend(self.missing(&mentions));
        if let Some(last) = found.last_mut().filter(|_| self.wrong.more > 0) {
            last.message =
                format!("{} (and {} more clusters of disks are wrong)", last.message, self.wrong.more);
        }
        Ok(found)
    }

    async fn mentions(&self) -> Result<Mentions, CheckError> {
        let foreign = self.wrong.foreign.iter().map(|(cluster, _)| *cluster);
        let wanted: BTreeSet<ClusterNumber> =
            self.wrong.twice.iter().chain(&self.wrong.missing).copied().chain(foreign).collect();
        let mut mentions = Mentions::new();
        for id in self.estate.layers.keys().copied().filter(|id| self.is_judged(*id)) {
            let Some(root) = self.root_of(id) else { continue };
            let mut seen = BTreeSet::new();
            let mut see = |mention: Mention| {
                if !wanted.contains(&mention.cluster) {
                    return mention.is_owned;
                }
                let named = mentions.entry(mention.cluster).or_default();
                if named.len() < MENTIONS_MAX {
                    named.push((id, mention));
                }
                // What is owned twice by one layer is looked into once.
                mention.is_owned && seen.insert(mention.cluster)
            };
            let mut walk = Walk::of(&self.maps, self.estate, id);
            walk.all(root, &mut see, &|| {}).await?;
        }
        Ok(mentions)
    }

    /// Owned more than once: a finding for all clusters of the same owners.
    fn twice(&self, mentions: &Mentions) -> Vec<Suspicion> {
        let mut groups: BTreeMap<Vec<LayerId>, Vec<(ClusterNumber, String)>> = BTreeMap::new();
        for cluster in &self.wrong.twice {
            let owned: Vec<_> = of(mentions, *cluster).filter(|(_, mention)| mention.is_owned).collect();
            if owned.len() < 2 {
                continue;
            }
            let layers: BTreeSet<LayerId> = owned.iter().map(|(id, _)| *id).collect();
            let words: Vec<String> = owned.iter().map(|(id, mention)| self.at(*id, mention)).collect();
            groups.entry(layers.into_iter().collect()).or_default().push((*cluster, words.join(" and ")));
        }
        let message = |what: &str| format!("owned more than once: {what}");
        groups
            .into_iter()
            .map(|(layers, clusters)| self.of_clusters(Code::ClusterTwice, &layers, &clusters, &message))
            .collect()
    }

    /// Named as an ancestor's, and none's: a finding for each layer.
    fn foreign(&self, mentions: &Mentions) -> Vec<Suspicion> {
        let mut groups: BTreeMap<LayerId, Vec<(ClusterNumber, String)>> = BTreeMap::new();
        for (cluster, id) in &self.wrong.foreign {
            let Some((_, mention)) =
                of(mentions, *cluster).find(|(by, mention)| by == id && !mention.is_owned)
            else {
                continue;
            };
            let owner = of(mentions, *cluster).find(|(_, mention)| mention.is_owned);
            let owner = owner.map_or("nobody's".to_owned(), |(owner, mention)| {
                format!("that of {}", self.at(*owner, mention))
            });
            groups
                .entry(*id)
                .or_default()
                .push((*cluster, format!("{} and is {owner}", self.at(*id, mention))));
        }
        let message = |what: &str| format!("read as those of a layer below, and no such layer's: {what}");
        groups
            .into_iter()
            .map(|(id, clusters)| {
                // It stands as long as all of them do: what one gave up another took over, and may not have shown yet.
                let line = self.estate.line(id);
                self.of_clusters(Code::ClusterForeign, &line, &clusters, &message)
            })
            .collect()
    }

    /// In use, and marked as free: a finding for each group.
    fn missing(&self, mentions: &Mentions) -> Vec<Suspicion> {
        let mut groups: BTreeMap<GroupNumber, Missing> = BTreeMap::new();
        for cluster in &self.wrong.missing {
            let owned: Vec<_> = of(mentions, *cluster).filter(|(_, mention)| mention.is_owned).collect();
            let Some((id, mention)) = owned.first() else { continue };
            let missing = groups.entry(cluster.place().0).or_default();
            missing.layers.extend(owned.iter().map(|(id, _)| *id));
            missing.clusters.push((*cluster, self.at(*id, mention)));
        }
        let found = groups.into_iter().map(|(group, Missing { layers, clusters })| {
            let layers: Vec<LayerId> = layers.into_iter().collect();
            let message = |what: &str| format!("in use and marked as free: {what}");
            let suspicion = self.of_clusters(Code::BitmapMisses, &layers, &clusters, &message);
            let lba = self.maps.space.bitmap(group);
            let place = Spot { lba, record: Kind::BitmapPage, name: format!("bitmap of group {group}") };
            Suspicion { place, ..suspicion }.cured_by(Remedy::Bits(group))
        });
        found.collect()
    }

    /// A finding about clusters of the same layers; it stands as long as their descriptors do.
    fn of_clusters(
        &self,
        code: Code,
        layers: &[LayerId],
        clusters: &[(ClusterNumber, String)],
        message: &dyn Fn(&str) -> String,
    ) -> Suspicion {
        let shown: Vec<String> = clusters
            .iter()
            .take(SHOWN_MAX)
            .map(|(cluster, words)| format!("cluster {cluster} by {words}"))
            .collect();
        let more = clusters.len().saturating_sub(SHOWN_MAX);
        let more = if more > 0 { format!(" (and {more} more clusters)") } else { String::new() };
        let message = message(&format!("{}{more}", shown.join("; ")));
        let first = clusters.first().map_or(ClusterNumber(0), |(cluster, _)| *cluster);
        let lba = if self.maps.space.has(first) { self.maps.space.cluster(first) } else { Lba(0) };
        let place = Spot { lba, record: Kind::MapPage, name: format!("cluster {first}") };
        let descriptors = layers.iter().map(|id| self.store.layout.descriptor(id.descriptor));
        let subject: Vec<String> = layers.iter().map(ToString::to_string).collect();
        Suspicion::new(code, place, message).seen_with(descriptors).about(subject.join(" "))
    }

    fn at(&self, id: LayerId, mention: &Mention) -> String {
        let what = if mention.is_node { "in its map, from byte" } else { "at byte" };
        format!("{} {what} {}", self.estate.words(id), mention.offset)
    }
}

fn of(mentions: &Mentions, cluster: ClusterNumber) -> impl Iterator<Item = &(LayerId, Mention)> {
    mentions.get(&cluster).into_iter().flatten()
}
