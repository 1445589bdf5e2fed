//! File descriptors: an array wants one for each connection, and a shell gives a process a thousand.

use oarlock_target::limits::{CONNECTIONS_MAX, UNITS_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::report;

/// What it wants: each connection has one, each unit three where it has a journal and its reservations are saved; and some for the rest.
const WANTED: u64 = (CONNECTIONS_MAX + 3 * UNITS_MAX + 256) as u64;

/// Raises the limit as far as it is allowed and wanted, and says so where that is not enough.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    let is_so = current.is_none_or(|current| current >= allowed)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum }).is_ok();
    let has = if is_so { allowed } else { current.unwrap_or(allowed) };
    if has < WANTED {
        report::say(&format!(
            "it may have {has} files open, too few for the {CONNECTIONS_MAX} connections that it could serve: `ulimit -Hn {WANTED}` before it starts"
        ));
    }
}
