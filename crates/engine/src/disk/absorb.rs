//! A layer that is deleted and has one child is absorbed by it: what the child uses becomes its own, the rest comes free, and no
//! data moves (R35).
//!
//! ```text
//!   both locks, the child's first --> roots: the parent forgets its own, then the child takes it over
//!       --> pages: what both name, out of the parent's and owned in the child's, in one transaction each
//!       --> nobody reads any more what only the parent named, durably --> that comes free
//!       --> the child's parent is the parent's parent --> the parent's descriptor is free
//! ```
//! At each instant every cluster is in one layer's hands, or, a root on its way, in none's that anybody would take down: so it
//! may stop anywhere: but only from above, for a child that is itself being absorbed has given up pages that still name the
//! parent's clusters ([`is_shared`]). A parent without a root, below a child whose root is not its own, tells of a root on its way.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{DescriptorRecord, Layer, LayerId};

use super::DiskError;
use super::conclude::end;
use super::here::DisksHere;
use super::opened::{Opened, with_root};
use super::tend::{children_of, empty, free, is_shared, is_unneeded, take_unneeded, tend_later};
use super::worked::Worked;
use crate::allocate::SpaceError;
use crate::descriptor::take;
use crate::layer::{Adopted, Adoption, Root};

/// Lets `child` absorb its parent; whether the parent is gone.
pub(super) async fn absorb(
    here: &Rc<DisksHere>,
    (parent, child): (LayerId, LayerId),
    deadline: Instant,
) -> Result<bool, DiskError> {
    let Some(worked) = work_on_child(here, child, deadline).await? else { return Ok(false) };
    worked
        .then(async |worked| {
            let above = worked.facts().await?;
            let may_dissolve = is_unneeded(&above) && !is_shared(&here.core, child).await?;
            if above.parent != Some(parent) || may_dissolve {
                return Ok(false);
            }
            let Some(opened) = take_unneeded(here, parent, deadline).await? else { return Ok(false) };
            let only = children_of(&here.core, parent).await?;
            let only = only.len() == 1 && only.iter().all(|(layer, _)| *layer == child);
            if !only || !take_over(here, worked, &opened).await? {
                opened.close(&DescriptorRecord::clone).await?;
                if only && !here.core.is_leaving() {
                    // It gave way to whoever waited.
                    tend_later(here, parent);
                }
                return Ok(false);
            }
            let below = opened.facts().await?.parent;
            // What is owned in the child's pages is so for good before the parent is no more.
            here.source.journal().commit().await.map_err(SpaceError::from)?;
            worked.opened.step(|layer| Layer { parent: below, ..layer }).await?;
            free(here, &opened).await?;
            Ok(true)
        })
        .await
}

/// The child, whoever has it in this host.
async fn work_on_child(
    here: &Rc<DisksHere>,
    child: LayerId,
    deadline: Instant,
) -> Result<Option<Worked>, DiskError> {
    if let Some(worked) = Worked::attached_here(here, child).await {
        return Ok(Some(worked));
    }
    let hold = take(&here.core, child.descriptor, &DescriptorRecord::clone, deadline).await?;
    let record = hold.record().await?;
    if record.uid != child.uid || record.layer.is_none() {
        end(hold, &DescriptorRecord::clone).await?;
        return Ok(None);
    }
    Ok(Some(Worked::alone(child, Opened::open(here, hold).await?)))
}

/// Gives the child all that it uses of the parent, and frees the rest; whether that was brought to its end.
async fn take_over(here: &DisksHere, worked: &Worked, parent: &Opened) -> Result<bool, DiskError> {
    take_root_over(worked, parent).await?;
    let mut adoption = Adoption::new(worked.opened.layer(), parent.layer()).await?;
    loop {
        let _quiet = worked.quiet().await?;
        if adoption.step().await? == Adopted::All {
            break;
        }
        if here.core.is_leaving() || worked.is_waited_for().await? || parent.is_waited_for().await? {
            return Ok(false);
        }
    }
    // The last step was quiet: no operation of the child's is left that knows anything which only the parent names. And what the
    // child does not name any more it must not name again after a crash: the rest is given out, and written over, at once.
    here.source.journal().commit().await.map_err(SpaceError::from)?;
    empty(here, parent, async || worked.is_waited_for().await).await
}

/// Where both begin at the same node, it becomes the child's with everything below it.
async fn take_root_over(worked: &Worked, parent: &Opened) -> Result<(), DiskError> {
    let _quiet = worked.quiet().await?;
    let child = worked.opened.layer();
    let _growing = child.keep_from_growing().await;
    let (root, above) = (parent.layer().root(), child.root());
    if above.cluster.is_none() || above.owned {
        return Ok(());
    }
    if root.owned && root.cluster == above.cluster {
        let forgotten = Root { cluster: None, owned: false, ..root };
        parent.step(|layer| with_root(layer, forgotten)).await?;
        parent.layer().begin_at(forgotten);
    } else if root.cluster.is_some() {
        return Ok(());
    }
    let owned = Root { owned: true, ..above };
    worked.opened.step(|layer| with_root(layer, owned)).await?;
    child.begin_at(owned);
    Ok(())
}
