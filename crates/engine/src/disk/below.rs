//! Putting a layer below a disk: what the disk shows now becomes another layer's, and the disk goes on above it (R35).
//!
//! ```text
//!   new layer: creating, the disk's parent and root --> name, entry --> everything of the disk home, the journal's tail behind it
//!       --> disk: its parent is the new layer, its root not its own any more  (this swap is the commit) --> new layer: ready
//! ```
//! The disk copies the way to what it writes first, as above any ancestor. The tail moves first, because what the journal says
//! of the pages would be replayed in the disk's name, when they are another's, or free, for long.

use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{Layer, LayerFlags, LayerId, LayerKind, LayerName};

use super::conclude::{conclude, with_layer};
use super::create::{Facts, Made, make_hidden, make_named};
use super::here::DisksHere;
use super::opened::with_root;
use super::worked::Worked;
use super::{DiskError, next_round};
use crate::allocate::SpaceError;
use crate::directory::Wanted;
use crate::layer::Root;

/// Puts a layer below the disk: a snapshot where it has a name, else a hidden one.
pub(super) async fn put_below(
    here: &Rc<DisksHere>,
    (worked, name): (&Worked, &LayerName),
    named: Option<&Wanted>,
    deadline: Instant,
) -> Result<LayerId, DiskError> {
    let core = &here.core;
    let disk = worked.facts().await?;
    let facts = Facts {
        kind: if named.is_some() { LayerKind::Snapshot } else { LayerKind::Hidden },
        size: disk.size,
        levels: disk.levels,
        parent: disk.parent,
        root: disk.root.map(|root| (root, disk.flags.root_owned)),
        disk: Some(worked.id),
        thick: false,
    };
    let mut round = 0;
    let made = loop {
        next_round(core, &mut round, name, deadline).await?;
        let made = match named {
            Some(wanted) => make_named(core, wanted, &facts, deadline).await?,
            None => make_hidden(core, &facts, deadline).await?,
        };
        if let Some(made) = made {
            break made;
        }
    };
    // Most of what is to go home goes while the guests still work.
    here.source.journal().checkpoint().await.map_err(SpaceError::from)?;
    if let Err(error) = step_up(here, worked, &made).await {
        // Nobody may guess whether it is there: it is read, and concluded by that.
        conclude(made.hold).await?;
        return Err(error);
    }
    made.finish().await
}

async fn step_up(here: &DisksHere, worked: &Worked, made: &Made) -> Result<(), DiskError> {
    let _quiet = worked.quiet().await?;
    let layer = worked.opened.layer();
    let _growing = layer.keep_from_growing().await;
    here.source.journal().checkpoint().await.map_err(SpaceError::from)?;
    let root = layer.root();
    let as_it_is = |layer: Layer| with_root(layer, root);
    let is_other = |layer: &Layer| as_it_is(layer.clone()) != *layer;
    if is_other(&worked.facts().await?) {
        // A map that was raised without a node is so in memory only.
        worked.opened.step(as_it_is).await?;
    }
    if made.hold.record().await?.layer.as_ref().is_some_and(is_other) {
        made.hold.step(&|record| with_layer(record, as_it_is)).await?;
    }
    let above = Root { owned: false, ..root };
    let parent = Some(made.id);
    worked
        .opened
        .step(|layer| {
            let flags = LayerFlags { full: false, branched: true, ..layer.flags };
            with_root(Layer { parent, flags, ..layer }, above)
        })
        .await?;
    layer.begin_at(above);
    worked.thaw();
    Ok(())
}
