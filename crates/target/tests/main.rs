//! The array from outside: a target in this process, and initiators of our own that keep the rules, break them, and count.
//! Every test in one binary, which is linked once.

#![allow(clippy::unwrap_used, clippy::expect_used)] // All of it is called by tests alone, and fails as tests do.

mod anchors;
mod atomic_writes;
mod atomicity;
mod copies;
mod crash;
mod durability;
mod history;
mod hung;
mod initiator;
mod management;
mod memory;
mod place;
mod protocol;
mod reservations;
mod sanitize;
mod units;
