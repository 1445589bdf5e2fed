//! Flattening a disk, while guests use it: it copies what it reads of the layers below, and needs them no more.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{Layer, LayerName};

use super::DiskError;
use super::here::DisksHere;
use super::tend::tend_soon;
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
    worked.then(async |worked| copy_all(here, name, worked).await).await?;
    if let Some(parent) = parent {
        tend_soon(here, parent);
    }
    Ok(())
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
