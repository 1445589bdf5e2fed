//! What the fuzz targets reach of this crate; no other build has it.

/// The pid and the start time of a text of the form of /proc/PID/stat.
#[must_use]
pub fn stat(text: &str) -> Option<(u32, u64)> {
    crate::process::parse_stat(text).map(|stat| (stat.pid, stat.start_ticks))
}
