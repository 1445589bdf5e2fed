//! The directory: who has a name, and reserving it by an entry of a bucket, each change one ATS (R36).
//!
//! The descriptor's own name is the truth, an entry only a reservation. Two that want one name meet at its bucket, and only
//! one of them can swap the image in which the name was nobody's. What was judged by an image of the bucket is good as long
//! as that image stands: an entry that was nobody's can become somebody's only by a swap of the bucket. That is why an entry
//! that stands there already is adopted by a swap, too:
//!
//! ```text
//!   disk D was renamed from a to b; its entry for a still stands
//!   B: wants a; reads the bucket, reads D: "b"; sends the ATS that puts its own entry for a in the place of D's
//!                    D is renamed back to a: the entry stands there; nothing is swapped
//!                                                 B's ATS lands: two disks are called a
//! ```

use oarlock_format::{
    BucketEntry, BucketNumber, BucketRecord, DescriptorName, DescriptorNumber, DescriptorRecord, FormatId,
    Layer, LayerId, LayerKind, LayerName, LayerState, NameHash,
};

use crate::bring::{bring_to, make_durable, swap_once};
use crate::cell::Cell;
use crate::core::Core;
use crate::descriptor::{read, read_both};
use crate::disk::DiskError;
use crate::lock::FIRST_PAUSE;
use crate::planted::{PlantedBug, planted};

/// A bucket that others change meanwhile is swept so often.
const SWEEPS_MAX: usize = 16;

/// A name that somebody looks for or wants, with its hash.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: LayerName,
    pub(crate) hash: NameHash,
}

impl Wanted {
    /// The name of a disk.
    pub(crate) fn disk(core: &Core, name: &LayerName) -> Wanted {
        Wanted { name: name.clone(), hash: NameHash::of_disk(&core.store.format_id, name) }
    }
}

/// What an entry of a name's hash is worth, by its descriptor as it is after the bucket was read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Worth {
    /// Its descriptor has the name.
    Has(Box<DescriptorRecord>),
    /// Its descriptor takes the name, or may still keep it: nothing is decided.
    Pending,
    /// Its descriptor has another name of the same hash.
    Other,
    /// Its descriptor neither has nor takes a name of that hash: the entry may go.
    Nobody,
}

/// Who has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody.
    Nobody,
    /// This descriptor, as it was read.
    Layer(DescriptorNumber, Box<DescriptorRecord>),
    /// Perhaps this descriptor: something that was begun with it is not at its end.
    Pending(DescriptorNumber),
}

/// What became of reserving a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// The entry stands, durably.
    Done,
    /// Another has the name.
    Taken,
    /// Another may have it soon.
    Pending(DescriptorNumber),
    /// There is no room in the bucket.
    Full,
}

/// Looks a name up.
pub(crate) async fn find(core: &Core, wanted: &Wanted) -> Result<Holder, DiskError> {
    let bucket = read_bucket(core, wanted.hash).await?;
    let judged = judge(core, &bucket.record, wanted, None).await?;
    Ok(judged.holder)
}

/// Puts an entry for the name into its bucket, unless somebody else has or takes it.
pub(crate) async fn reserve(core: &Core, wanted: &Wanted, layer: LayerId) -> Result<Reserved, DiskError> {
    let own = BucketEntry { hash: wanted.hash, layer };
    let mut bucket = read_bucket(core, wanted.hash).await?;
    let mut pause = FIRST_PAUSE;
    loop {
        core.until_it_may_act().await?;
        let judged = judge(core, &bucket.record, wanted, Some(layer)).await?;
        let next = match judged.holder {
            Holder::Nobody => with_entry(core, &judged.rest, own).await?,
            Holder::Layer(..) | Holder::Pending(_) => None,
        };
        let adopted = planted(PlantedBug::AdoptEntryUnswapped) && bucket.record.entries.contains(&own);
        if adopted && next.is_some() && !bucket.has_open_attempts() {
            return Ok(Reserved::Done);
        }
        let Some(next) = next else {
            if bucket.has_open_attempts() {
                // An entry of this very attempt may still land: first it is dead, or has landed (R1).
                let same = bucket.record.clone();
                let _ = swap_once(core, &mut bucket, same, &mut pause).await?;
                continue;
            }
            return Ok(match judged.holder {
                Holder::Layer(..) => Reserved::Taken,
                Holder::Pending(number) => Reserved::Pending(number),
                Holder::Nobody => Reserved::Full,
            });
        };
        let landed = swap_once(core, &mut bucket, next, &mut pause).await?;
        if landed && bucket.record.entries.contains(&own) && !bucket.has_open_attempts() {
            make_durable(core).await?;
            return Ok(Reserved::Done);
        }
    }
}

/// Takes an entry out; the caller holds the descriptor, which neither has nor takes the name any more.
pub(crate) async fn give_back(core: &Core, hash: NameHash, layer: LayerId) -> Result<(), DiskError> {
    let own = BucketEntry { hash, layer };
    let mut bucket = read_bucket(core, hash).await?;
    bring_to(core, &mut bucket, &|record| Some(record.without(own))).await?;
    Ok(make_durable(core).await?)
}

/// Takes out of a bucket what is nobody's; whether nothing of that is left. What was judged by an image of the bucket is good as long
/// as that image stands.
pub(crate) async fn sweep(core: &Core, number: BucketNumber) -> Result<bool, DiskError> {
    let lba = core.store.layout.bucket(number);
    let mut bucket = Cell::<BucketRecord>::new(lba, read(core, lba).await?);
    let mut pause = FIRST_PAUSE;
    for _ in 0..SWEEPS_MAX {
        core.until_it_may_act().await?;
        let mut rest = bucket.record.clone();
        for entry in &bucket.record.entries {
            if worth(core, entry, None).await? == Worth::Nobody {
                rest = rest.without(*entry);
            }
        }
        if rest == bucket.record && !bucket.has_open_attempts() {
            make_durable(core).await?;
            return Ok(true);
        }
        let _ = swap_once(core, &mut bucket, rest, &mut pause).await?;
    }
    Ok(false)
}

async fn read_bucket(core: &Core, hash: NameHash) -> Result<Cell<BucketRecord>, DiskError> {
    let lba = core.store.layout.bucket(core.store.layout.bucket_of(hash));
    Ok(Cell::new(lba, read(core, lba).await?))
}

/// What an image of a bucket says of a name.
struct Judged {
    holder: Holder,
    /// The bucket without the entries of that hash that are nobody's.
    rest: BucketRecord,
}

/// Judges each entry of the name's hash but one's own.
async fn judge(
    core: &Core,
    bucket: &BucketRecord,
    wanted: &Wanted,
    own: Option<LayerId>,
) -> Result<Judged, DiskError> {
    let mut judged = Judged { holder: Holder::Nobody, rest: bucket.clone() };
    for entry in bucket.of_hash(wanted.hash).filter(|entry| Some(entry.layer) != own) {
        match worth(core, entry, Some(&wanted.name)).await? {
            Worth::Nobody => judged.rest = judged.rest.without(*entry),
            Worth::Other => {}
            Worth::Has(record) => judged.holder = Holder::Layer(entry.layer.descriptor, record),
            Worth::Pending if judged.holder == Holder::Nobody => {
                judged.holder = Holder::Pending(entry.layer.descriptor);
            }
            Worth::Pending => {}
        }
    }
    Ok(judged)
}

/// The bucket with this entry. Where it is full, entries of other names that are nobody's make room; `None` where there are
/// none.
async fn with_entry(
    core: &Core,
    bucket: &BucketRecord,
    own: BucketEntry,
) -> Result<Option<BucketRecord>, DiskError> {
    if let Some(with) = bucket.with(own) {
        return Ok(Some(with));
    }
    let mut rest = bucket.clone();
    for entry in &bucket.entries {
        if worth(core, entry, None).await? == Worth::Nobody {
            rest = rest.without(*entry);
        }
    }
    Ok(rest.with(own))
}

/// What an entry is worth to whoever wants `name`, or to nobody in particular.
async fn worth(core: &Core, entry: &BucketEntry, name: Option<&LayerName>) -> Result<Worth, DiskError> {
    // Something is under way where the descriptor changed under its reader.
    let Some((record, named)) = read_both(core, entry.layer.descriptor).await? else {
        return Ok(Worth::Pending);
    };
    Ok(worth_of(&core.store.format_id, entry, name, (&record, &named)))
}

/// [`worth`], by a descriptor and the name that it had while it stood as read.
fn worth_of(
    format_id: &FormatId,
    entry: &BucketEntry,
    name: Option<&LayerName>,
    (record, named): (&DescriptorRecord, &DescriptorName),
) -> Worth {
    let Some(layer) = record.layer.as_ref().filter(|_| record.uid == entry.layer.uid) else {
        return Worth::Nobody;
    };
    let own_name = named.name.as_ref().filter(|_| named.uid == record.uid);
    let is_old = layer.hash == Some(entry.hash);
    match layer.state {
        LayerState::Creating | LayerState::Importing if is_old => Worth::Pending,
        LayerState::Ready if is_old => match (own_name, name) {
            (Some(own), Some(name)) if own != name => Worth::Other,
            _ => Worth::Has(Box::new(record.clone())),
        },
        // The name decides which way a rename goes; once it is the new one the old one is given up.
        LayerState::Renaming if is_old => match own_name {
            Some(own) if hash_of(format_id, layer, own) == layer.other_hash => Worth::Nobody,
            _ => Worth::Pending,
        },
        LayerState::Renaming if layer.other_hash == Some(entry.hash) => Worth::Pending,
        LayerState::Creating
        | LayerState::Importing
        | LayerState::Ready
        | LayerState::Renaming
        | LayerState::Doomed => Worth::Nobody,
    }
}

/// The hash under which a name of that layer stands; none for a hidden one.
pub(crate) fn hash_of(format_id: &FormatId, layer: &Layer, name: &LayerName) -> Option<NameHash> {
    match layer.kind {
        LayerKind::Disk => Some(NameHash::of_disk(format_id, name)),
        LayerKind::Snapshot => Some(NameHash::of_snapshot(format_id, layer.disk, name)),
        LayerKind::Hidden => None,
    }
}
