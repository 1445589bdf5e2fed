//! Exports, seen by clients: our own, polite and hostile, and the NBD clients that people use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod client;
mod ends;
mod hang;
mod hostile;
mod lapse;
mod memory;
mod peers;
mod requests;
mod tls;
mod world;
