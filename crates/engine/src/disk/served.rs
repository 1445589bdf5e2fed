//! Which host served a disk last: a host that comes back to what its former life served must not take it from whoever had it since.
//!
//! The lock does not tell: it is free again once that one left, and other verbs than an attach take it, too.

use oarlock_format::{DescriptorNumber, DescriptorRecord, HostId, Layer, LayerName};

use super::DiskError;
use super::conclude::with_layer;
use crate::core::Core;
use crate::hold::Hold;
use crate::planted::{PlantedBug, planted};
use crate::slots::read_slots;

/// The record of a disk that this host serves from now on.
pub(super) fn served_by(record: &DescriptorRecord, host: HostId) -> DescriptorRecord {
    with_layer(record, |layer| Layer { server: Some(host), ..layer })
}

/// The caller has the disk, to write it alone. The record says so before anything is served, and on after that; where it says so already
/// nothing is written.
pub(super) async fn note_server(core: &Core, hold: &Hold<DescriptorNumber>) -> Result<(), DiskError> {
    let me = core.me.host;
    let known = hold.record().await?.layer.and_then(|layer| layer.server);
    if known == Some(me) { Ok(()) } else { hold.step(&|record| served_by(record, me)).await }
}

/// Whether this host served the disk last, or nobody ever did.
///
/// # Errors
/// [`DiskError::MovedOn`] where another host did.
pub(super) async fn stay_away(
    core: &Core,
    name: &LayerName,
    record: &DescriptorRecord,
) -> Result<(), DiskError> {
    let server = record.layer.as_ref().and_then(|layer| layer.server);
    let Some(other) = server.filter(|host| *host != core.me.host) else { return Ok(()) };
    if planted(PlantedBug::ReturnBehindAnother) {
        return Ok(());
    }
    let slots = read_slots(&core.store).await.map(|slots| slots.sound).unwrap_or_default();
    let mut names = slots.iter().filter_map(|(_, seen)| seen.stamped.record.name.as_ref());
    let host = names.find(|name| HostId::of(&core.store.format_id, name) == other);
    Err(DiskError::MovedOn { name: name.clone(), host: host.map(|host| host.as_str().to_owned()) })
}
