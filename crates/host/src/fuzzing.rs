//! What the fuzz targets reach of this crate; no other build has it.

use crate::api::EventEntry;

/// The events in the bytes of a file of events.
#[must_use]
pub fn events_in(bytes: &[u8]) -> Vec<EventEntry> {
    crate::event_file::events_in(bytes)
}

/// The number of a group in a text of the form of /etc/group.
#[must_use]
pub fn group_in(groups: &str, name: &str) -> Option<u32> {
    crate::socket::group_in(groups, name)
}

/// Whether the texts of /proc/cpuinfo and of the vendor tell of a virtual machine.
#[must_use]
pub fn is_told_virtual(processors: &str, vendor: &str) -> bool {
    crate::surroundings::is_told_virtual(processors, vendor)
}
