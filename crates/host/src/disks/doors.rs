//! The doors of a running host: each open for as long as somebody stands behind it, or is about to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use super::exports::aside;
use crate::error::HostError;
use crate::export::{Door, Export, Place, Tls};

/// Doors by their places, as those read.
#[derive(Default)]
pub(super) struct Doors {
    open: Mutex<BTreeMap<String, OpenDoor>>,
}

struct OpenDoor {
    door: Door,
    tls: Option<PathBuf>,
    /// Exports behind it, and those on their way there.
    users: usize,
}

impl Doors {
    /// Opens the door at that place, where it is not open; gives its place back, with the port that was got. Whoever entered leaves
    /// once.
    pub(super) async fn enter(&self, place: &Place, tls: Option<&Path>) -> Result<String, HostError> {
        let mut open = self.open.lock().await;
        let key = place.to_string();
        if let Some(known) = open.get_mut(&key) {
            if known.tls.as_deref() != tls {
                return Err(HostError::DoorDiffers { place: key, is_secured: known.tls.is_some() });
            }
            known.users += 1;
            return Ok(key);
        }
        let (at, folder) = (place.clone(), tls.map(Path::to_owned));
        let door = aside(move || {
            let tls = folder.as_deref().map(Tls::read).transpose()?;
            Door::open(&at, tls)
        })
        .await??;
        let key = door.place().to_string();
        open.insert(key.clone(), OpenDoor { door, tls: tls.map(Path::to_owned), users: 1 });
        Ok(key)
    }

    /// Lets clients have an export; gives its URI.
    pub(super) async fn offer(&self, key: &str, export: &Export) -> Result<String, HostError> {
        let open = self.open.lock().await;
        let known = open.get(key).ok_or(HostError::EngineGone)?;
        known.door.offer(export)?;
        Ok(known.door.uri(export.name()))
    }

    /// Lets no further client have the export of that name.
    pub(super) async fn withdraw(&self, key: &str, name: &str) {
        if let Some(known) = self.open.lock().await.get(key) {
            known.door.withdraw(name);
        }
    }

    /// One who entered is not there any more; the last one closes the door.
    pub(super) async fn leave(&self, key: &str) {
        let mut open = self.open.lock().await;
        let Some(known) = open.get_mut(key) else { return };
        known.users -= 1;
        if known.users == 0
            && let Some(last) = open.remove(key)
        {
            // Its thread is waited for.
            let _ = aside(move || drop(last.door)).await;
        }
    }

    /// Closes all doors: nobody comes in any more.
    pub(super) async fn close_all(&self) {
        let all = std::mem::take(&mut *self.open.lock().await);
        let _ = aside(move || drop(all)).await;
    }
}
