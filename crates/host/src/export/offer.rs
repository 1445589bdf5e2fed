//! What a door knows of an export: how to describe it to clients, and where to hand them over.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oarlock_engine::path::DataPath;
use oarlock_nbd::limits::PAYLOAD_MAX;
use oarlock_nbd::{BlockSizes, Export, Exports, NbdError, Refusal, TransmissionFlags};

use super::limits::DOOR_EXPORTS_MAX;
use super::shared::Shared;
use crate::error::HostError;

/// The least size that clients are told to prefer: what QEMU uses where nobody says anything.
const PREFERRED_MIN: u64 = 4096;

/// One export.
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) read_only: bool,
    pub(crate) path: Arc<DataPath>,
    pub(crate) shared: Arc<Shared>,
}

impl Offer {
    /// The export as a client that connects now is told it, with the size that the disk has now.
    pub(crate) fn describe(&self) -> Result<Export, NbdError> {
        let ground = self.path.ground();
        let preferred =
            u32::try_from(ground.shape().piece_size().0.max(PREFERRED_MIN)).unwrap_or(PAYLOAD_MAX);
        let sizes = BlockSizes::new(ground.block().bytes(), preferred, PAYLOAD_MAX)?;
        // A flush of the device, or a commit, covers the writes of every client.
        let common = TransmissionFlags::SEND_FLUSH
            | TransmissionFlags::SEND_FUA
            | TransmissionFlags::CAN_MULTI_CONN
            | TransmissionFlags::SEND_CACHE;
        let flags = match self.read_only {
            true => common | TransmissionFlags::READ_ONLY,
            false => {
                common
                    | TransmissionFlags::SEND_TRIM
                    | TransmissionFlags::SEND_WRITE_ZEROES
                    | TransmissionFlags::SEND_FAST_ZERO
            }
        };
        Export::new(&self.name, self.path.size(), sizes, flags)?.described(&self.description)
    }
}

/// The exports of one door, by name.
#[derive(Clone, Default)]
pub(crate) struct Offers {
    offers: Arc<Mutex<BTreeMap<String, Arc<Offer>>>>,
}

impl Offers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Offer>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, offer: &Arc<Offer>) -> Result<(), HostError> {
        let mut offers = self.lock();
        if offers.contains_key(&offer.name) {
            return Err(HostError::ExportTaken { name: offer.name.clone() });
        }
        if offers.len() >= DOOR_EXPORTS_MAX {
            return Err(HostError::TooMany { what: "exports at one door", limit: DOOR_EXPORTS_MAX });
        }
        offers.insert(offer.name.clone(), Arc::clone(offer));
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Where clients of the export of that (canonical) name go.
    pub(crate) fn shared(&self, name: &str) -> Option<Arc<Shared>> {
        self.lock().get(name).map(|offer| Arc::clone(&offer.shared))
    }
}

impl Exports for Offers {
    /// The empty name stands for the only export, where there is but one.
    fn find(&self, name: &str) -> Result<Export, Refusal> {
        let offers = self.lock();
        let only = || if name.is_empty() && offers.len() == 1 { offers.values().next() } else { None };
        let offer = offers.get(name).or_else(only).ok_or(Refusal::Unknown)?;
        if !offer.shared.has_room() {
            return Err(Refusal::Policy("the export has as many connections as it serves".to_owned()));
        }
        offer.describe().map_err(|error| Refusal::Policy(error.to_string()))
    }

    fn list(&self, tell: &mut dyn FnMut(&Export) -> ControlFlow<()>) -> Result<(), Refusal> {
        // One that cannot be told is left out; whoever breaks off has what it wanted.
        let described: Vec<Export> = self.lock().values().filter_map(|offer| offer.describe().ok()).collect();
        let _ = described.iter().try_for_each(tell);
        Ok(())
    }
}
