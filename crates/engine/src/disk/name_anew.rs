//! Giving a disk or a snapshot that lost its name another one: a rename like any other, but that nobody knows from which name (R36).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorName, LayerId, LayerName};

use super::DiskError;
use super::conclude::conclude;
use super::rename::{is_renaming, renaming};
use crate::core::Core;
use crate::descriptor::{read, take};
use crate::directory::{Reserved, Wanted, hash_of, reserve};

/// Names that are tried: another disk may have been called so.
const NAMES_MAX: u32 = 16;

/// Names the layer `recovered-<descriptor>`, or with a number behind that where another has the name. The name that it has now; none
/// where it does not lack one any more, or none of them could be had.
pub(crate) async fn name_anew(
    core: &Rc<Core>,
    id: LayerId,
    deadline: Instant,
) -> Result<Option<LayerName>, DiskError> {
    for attempt in 0..NAMES_MAX {
        let text = match attempt {
            0 => format!("recovered-{}", id.descriptor),
            more => format!("recovered-{}-{more}", id.descriptor),
        };
        let Ok(name) = LayerName::new(&text) else { return Ok(None) };
        if let Tried::Ended(name) = try_name(core, id, name, deadline).await? {
            return Ok(name);
        }
    }
    Ok(None)
}

enum Tried {
    /// Another has the name, or may have it soon.
    Taken,
    Ended(Option<LayerName>),
}

async fn try_name(
    core: &Rc<Core>,
    id: LayerId,
    name: LayerName,
    deadline: Instant,
) -> Result<Tried, DiskError> {
    let lba = core.store.layout.descriptor(id.descriptor);
    let seen = read::<oarlock_format::DescriptorRecord>(core, lba).await?.stamped.record;
    let layer = seen.layer.as_ref().filter(|_| seen.uid == id.uid);
    let hashes = layer.and_then(|layer| layer.hash.zip(hash_of(&core.store.format_id, layer, &name)));
    let Some((from, to)) = hashes else { return Ok(Tried::Ended(None)) };
    let hold = take(core, id.descriptor, &|record| renaming(record, id.uid, from, to), deadline).await?;
    if !is_renaming(&hold.record().await?, id.uid, from, to) {
        conclude(hold).await?;
        return Ok(Tried::Ended(None));
    }
    let beside = read::<DescriptorName>(core, core.store.layout.descriptor_name(id.descriptor)).await?;
    if beside.stamped.record.name.is_some() {
        // Somebody gave it a name meanwhile: that stays.
        conclude(hold).await?;
        return Ok(Tried::Ended(None));
    }
    let wanted = Wanted { name: name.clone(), hash: to };
    match reserve(core, &wanted, id).await? {
        Reserved::Done => {
            hold.write_name(id.uid, &name).await?;
            conclude(hold).await?;
            Ok(Tried::Ended(Some(name)))
        }
        // Without a name beside it the rename is undone.
        Reserved::Taken | Reserved::Full | Reserved::Pending(_) => {
            conclude(hold).await?;
            Ok(Tried::Taken)
        }
    }
}
