//! By what right a repair writes: as a host with a slot, or, where none can be had, as a tool (R18).

use oarlock_block::Fencing;
use oarlock_format::Writer;

use crate::core::HostState;
use crate::host::Host;
use crate::store::Store;

/// By what right a repair writes.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// A host: it stops writing when its lease ends, and others can fence it. It may hold what it repairs.
    Host(&'a Host),
    /// A host that joined for this repair, after the damage: it holds nothing.
    Joined(&'a Host),
    /// A tool without a slot. It sends only swaps that do no harm however late they land (docs/decisions/0031).
    Tool,
}

impl Right<'_> {
    pub(crate) fn writer(self) -> Writer {
        match self {
            Right::Host(host) | Right::Joined(host) => Writer::Host(host.status().owner),
            Right::Tool => Writer::Tool,
        }
    }

    /// Why nothing may be sent now, if so.
    pub(crate) fn refusal(self, store: &Store) -> Option<String> {
        match self {
            Right::Host(host) | Right::Joined(host) => {
                let status = host.status();
                let acts = status.state == HostState::Live && store.now() < host.lease_end();
                (!acts).then(|| format!("the repairing host {} is {}", status.name, status.state.name()))
            }
            // A device that cuts hosts off by their nexus takes writes only from those that are registered: hosts.
            Right::Tool if store.world.device.fencing() != Fencing::FileLock => Some(format!(
                "no host could be joined to write it, and on a device with fencing `{}` nobody else writes",
                store.world.device.fencing().name()
            )),
            Right::Tool => None,
        }
    }
}
