//! Pages and whole nodes from the device, for the engine's thread.

use std::sync::Arc;

use oarlock_block::{IoError, Lba, UnknownCause};
use oarlock_format::{ClusterNumber, DecodeError};

use super::tree::Tree;
use crate::allocate::SpaceError;
use crate::core::Core;
use crate::journal::patience::Patience;
use crate::journal::send;
use crate::pages::{Look, Page, PageFault, PageKey, Pages};
use crate::store::{Lane, READS_OF_DAMAGE};

/// The page, read where it is not in the cache. What does not check out is read again, eight times at most (R3); where the
/// cache has no room, whatever comes home makes some.
pub(crate) async fn read_page(
    core: &Core,
    pages: &Arc<Pages>,
    key: PageKey,
) -> Result<Arc<Page>, SpaceError> {
    let mut tries = 0;
    loop {
        let settled = pages.settled();
        let reading = match pages.look(key) {
            Look::Cached(page) => return Ok(page),
            Look::Missing(reading) => reading,
        };
        let mut bytes = [0; oarlock_format::PAGE_LENGTH];
        read(core, key.lba, &mut bytes).await?;
        match reading.fill(&bytes) {
            Ok(page) => return Ok(page),
            Err(PageFault::AllHeld) if pages.changed() > 0 => {
                let _ = pages.commit();
                pages.settled_beyond(settled).await;
            }
            Err(fault) => {
                tries += 1;
                if tries >= READS_OF_DAMAGE {
                    return Err(fault.into());
                }
                core.store.world.pause(core.store.timing.beat / (READS_OF_DAMAGE * 2)).await;
            }
        }
    }
}

/// Reads, as long as that may take some time to be answered: refusals and silence are waited out for the hold time.
pub(super) async fn read(core: &Core, lba: Lba, bytes: &mut [u8]) -> Result<(), SpaceError> {
    let mut patience = Patience::default();
    loop {
        send::until_it_may_send(core).await?;
        let read = core.store.device(Lane::Work).read(lba, bytes);
        let read = core.store.world.within(core.store.timing.lease, read).await;
        let error = match read.unwrap_or(Err(IoError::Unknown(UnknownCause::TimedOut))) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let is_passing = matches!(error, IoError::Unknown(_) | IoError::Refused(_));
        if !is_passing || !patience.pause(core).await {
            return Err(SpaceError::Read { lba, error });
        }
    }
}

impl Tree {
    /// A whole node of an ancestor: it stands at home, and nothing of it changes but who owns what.
    pub(super) async fn read_node(&self, core: &Core, node: ClusterNumber) -> Result<Vec<u8>, SpaceError> {
        let first = self.key(node, 0);
        let length = usize::from(self.ground.shape.pages_per_node()) * oarlock_format::PAGE_LENGTH;
        let mut bytes = vec![0; length];
        read(core, first.lba, &mut bytes).await?;
        Ok(bytes)
    }

    /// Why a node could not be copied.
    pub(super) fn unsound(&self, node: ClusterNumber, error: DecodeError) -> SpaceError {
        PageFault::Unsound { lba: self.key(node, 0).lba, error }.into()
    }
}
