//! Flattening a disk, while guests use it: it copies what it reads of the layers below, and needs them no more.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{Layer, LayerFlags, LayerName};

use super::DiskError;
use super::here::DisksHere;
use super::tend::tend_soon;
use super::thick::{clusters_of, fill};
use super::worked::{Worked, work_on};
use crate::allocate::SpaceError;
use crate::layer::{Flattened, Flattening};

pub(super) async fn flatten(
    here: &Rc<DisksHere>,
    name: &LayerName,
    deadline: Instant,
) -> Result<(), DiskError> {
    let worked = work_on(here, name, deadline).await?;
    let parent = worked.facts().await?.parent;
    worked
        .then(async |worked| {
            copy_all(here, name, worked).await?;
            fill_again(here, name, worked).await
        })
        .await?;
    if let Some(parent) = parent {
        tend_soon(here, parent);
    }
    Ok(())
}

/// A thick disk that was branched has lost what makes it full; where nobody uses it now, it gets that back.
async fn fill_again(here: &Rc<DisksHere>, name: &LayerName, worked: &Worked) -> Result<(), DiskError> {
    let layer = worked.facts().await?;
    if !layer.flags.thick || layer.flags.full || worked.is_attached() {
        return Ok(());
    }
    let filled = here.begin_work(name)?;
    fill(here, &worked.opened, (0, clusters_of(here, layer.size)), &filled.work).await?;
    worked.opened.step(|layer| Layer { flags: LayerFlags { full: true, ..layer.flags }, ..layer }).await
}

async fn copy_all(here: &DisksHere, name: &LayerName, worked: &Worked) -> Result<(), DiskError> {
    if worked.facts().await?.parent.is_none() {
        return Ok(());
    }
    let mut flattening = Flattening::new(worked.opened.layer());
    loop {
        // Guests wait for one step at a time.
        let _quiet = worked.quiet().await?;
        if flattening.step().await? == Flattened::All {
            break;
        }
        if here.core.is_leaving() {
            return Err(DiskError::Busy { name: name.clone() });
        }
    }
    // Nothing borrows anything any more, and that is so for good before the parent may go.
    here.source.journal().commit().await.map_err(SpaceError::from)?;
    worked.opened.step(|layer| Layer { parent: None, ..layer }).await
}
