//! Letting a disk grow, while guests use it: the map reaches further first, then the size is swapped. One that is full is filled
//! before, so that it stays so.

use std::rc::Rc;

use oarlock_block::{ByteCount, Instant};
use oarlock_format::{Layer, LayerName};

use super::DiskError;
use super::create::{check_size, levels_for};
use super::here::DisksHere;
use super::thick::{clusters_of, fill, has_room};
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
            let (first, end) = (clusters_of(here, before.size), clusters_of(here, size));
            if before.flags.full {
                has_room(here, first, end).await?;
            }
            let layer = worked.opened.layer();
            layer.raise(levels_for(&here.core, size)).await?;
            if before.flags.full {
                // Its guests reach nothing of this yet. Where it stops, the next one goes on with what there is.
                let filled = here.begin_work(name)?;
                fill(here, &worked.opened, (first, end), &filled.work).await?;
            }
            let root = layer.root();
            worked
                .opened
                .step(|layer| {
                    // A root that nobody has made yet is known by its levels alone.
                    let levels = root.levels.max(layer.levels);
                    Layer { size, levels, ..layer }
                })
                .await?;
            worked.show_size(size.0);
            Ok(())
        })
        .await
}
