//! Putting a name that lost its entry back into the directory: the descriptor's own name is the truth (R36).

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorName, DescriptorRecord, LayerId, LayerState};

use super::DiskError;
use super::conclude::{conclude, end, is_under_way};
use crate::core::Core;
use crate::descriptor::{read, take};
use crate::directory::{Reserved, Wanted, hash_of, reserve};

/// Takes the layer, and puts the entry of its name into its bucket. Whether it stands there.
pub(crate) async fn enter(core: &Rc<Core>, id: LayerId, deadline: Instant) -> Result<bool, DiskError> {
    let hold = take(core, id.descriptor, &DescriptorRecord::clone, deadline).await?;
    let record = hold.record().await?;
    let Some(layer) = record.layer.as_ref().filter(|_| record.uid == id.uid) else {
        end(hold, &DescriptorRecord::clone).await?;
        return Ok(false);
    };
    if is_under_way(layer) || layer.state != LayerState::Ready {
        conclude(hold).await?;
        return Ok(false);
    }
    let named = read::<DescriptorName>(core, core.store.layout.descriptor_name(id.descriptor)).await?;
    let name = named.stamped.record.name.filter(|_| named.stamped.record.uid == id.uid);
    let wanted = name.zip(layer.hash).map(|(name, hash)| Wanted { name, hash });
    let wanted =
        wanted.filter(|wanted| hash_of(&core.store.format_id, layer, &wanted.name) == Some(wanted.hash));
    let reserved = match &wanted {
        Some(wanted) => reserve(core, wanted, id).await,
        None => Ok(Reserved::Taken),
    };
    end(hold, &DescriptorRecord::clone).await?;
    Ok(reserved? == Reserved::Done)
}
