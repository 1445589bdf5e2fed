//! Suites on disks of hosts that are killed, stopped, restarted and replaced meanwhile.

pub mod filesystem;
pub mod guest;
mod stack;
pub mod verify;
