//! What still tells of a descriptor that does not read: its name, entries of the directory, other layers.

use std::collections::BTreeSet;

use oarlock_format::{DescriptorName, DescriptorNumber, DiskUid, LayerName, decode};

use crate::check::CheckError;
use crate::check::exact::read_image;
use crate::check::survey::Estate;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::store::Store;

/// Findings to which it is added: of very much damage a part tells enough.
const TOLD_MAX: usize = 32;

/// Layers that are named; of more it is told that there are.
const NAMED_MAX: usize = 4;

/// The name that stands beside a descriptor, if it checks out at once.
pub(super) async fn name_beside(
    store: &Store,
    number: DescriptorNumber,
) -> Result<Option<DescriptorName>, CheckError> {
    let lba = store.layout.descriptor_name(number);
    let image = read_image(store, lba).await?;
    let named = image.and_then(|image| decode::<DescriptorName>(image.bytes(), &store.place(lba)).ok());
    Ok(named.map(|named| named.record))
}

/// The descriptors that an entry of the directory or another layer leads to.
pub(super) fn referred_to(estate: &Estate) -> BTreeSet<DescriptorNumber> {
    let entries = estate.entries.iter().map(|(_, entry)| entry.layer.descriptor);
    let layers = estate.layers.iter().flat_map(|(id, described)| {
        let parent = described.layer.parent.map(|parent| parent.descriptor);
        let disk = described.layer.disk.descriptor;
        parent.into_iter().chain((disk != id.descriptor).then_some(disk))
    });
    entries.chain(layers).collect()
}

/// Adds to what is said of each descriptor that does not read what is lost with it.
pub(crate) async fn tell(store: &Store, suspicions: &mut [Suspicion]) -> Result<(), CheckError> {
    if !suspicions.iter().any(|suspicion| matches!(suspicion.remedy, Remedy::Descriptor(_))) {
        return Ok(());
    }
    let estate = Estate::read(store, &|_| {}).await?;
    for suspicion in suspicions.iter_mut().take(TOLD_MAX) {
        if let Remedy::Descriptor(number) = suspicion.remedy {
            let traces = Traces::of(store, &estate, number).await?;
            suspicion.message = format!("{}; {}", suspicion.message, traces.words());
        }
    }
    Ok(())
}

/// What leads to a descriptor.
pub(crate) struct Traces {
    /// The name that stands beside it. It stays there when the descriptor is free, and so proves nothing.
    name: Option<LayerName>,
    /// The use of it that the name is about.
    pub(crate) uid: Option<DiskUid>,
    entries: usize,
    /// Layers that stand on it, and snapshots of it.
    above: Vec<String>,
}

impl Traces {
    pub(crate) async fn of(
        store: &Store,
        estate: &Estate,
        number: DescriptorNumber,
    ) -> Result<Traces, CheckError> {
        let named = name_beside(store, number).await?;
        let leads_there = estate.entries.iter().filter(|(_, entry)| entry.layer.descriptor == number);
        let above = estate.layers.iter().filter(|(id, described)| {
            let parent = described.layer.parent.map(|parent| parent.descriptor);
            id.descriptor != number && (parent == Some(number) || described.layer.disk.descriptor == number)
        });
        Ok(Traces {
            uid: named.as_ref().map(|named| named.uid),
            name: named.and_then(|named| named.name),
            entries: leads_there.count(),
            above: above.map(|(id, _)| estate.words(*id)).collect(),
        })
    }

    /// Whether anything leads to it: then it was in use.
    pub(crate) fn are_some(&self) -> bool {
        self.entries > 0 || !self.above.is_empty()
    }

    /// What is known of it, for people.
    pub(crate) fn words(&self) -> String {
        if !self.are_some() {
            return "nothing in the datastore leads to it: no disk seems to be lost with it".to_owned();
        }
        let name = self.name.as_ref().filter(|_| self.entries > 0);
        let name = name.map_or("a layer without a name".to_owned(), |name| format!("`{name}`"));
        let mut words = format!("it was {name}");
        if self.entries > 0 {
            words += ", which the directory still leads to";
        }
        if !self.above.is_empty() {
            let shown = self.above[..self.above.len().min(NAMED_MAX)].join(", ");
            let more = self.above.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            words += &format!("; {shown}{more} stand on it or belong to it");
        }
        words
    }
}
