//! Letting a disk grow, while guests use it: the map reaches further first, then the size is swapped.

use std::rc::Rc;

use oarlock_block::{ByteCount, Instant};
use oarlock_format::{Layer, LayerFlags, LayerName};

use super::DiskError;
use super::create::{check_size, levels_for};
use super::here::DisksHere;
use super::worked::work_on;

pub(super) async fn resize(
    here: &Rc<DisksHere>,
    name: &LayerName,
    size: ByteCount,
    deadline: Instant,
) -> Result<(), DiskError> {
    super::has_disks(&here.core)?;
    check_size(&here.core, size)?;
    let worked = work_on(here, name, deadline).await?;
    worked
        .then(async |worked| {
            let before = worked.facts().await?;
            if size < before.size {
                return Err(DiskError::Shrink { name: name.clone(), size, least: before.size });
            }
            let layer = worked.opened.layer();
            layer.raise(levels_for(&here.core, size)).await?;
            let root = layer.root();
            worked
                .opened
                .step(|layer| {
                    let flags = LayerFlags { full: layer.flags.full && layer.size == size, ..layer.flags };
                    // A root that nobody has made yet is known by its levels alone.
                    let levels = root.levels.max(layer.levels);
                    Layer { size, flags, levels, ..layer }
                })
                .await?;
            worked.show_size(size.0);
            Ok(())
        })
        .await
}
