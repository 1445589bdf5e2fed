//! What a running array answers on its socket, and how its verbs find it: the documents, the server, the choice.
//!
//! It lives in the program and not in the array's crate: that one has no runtime, and its one thread nothing that could wait for a
//! client of HTTP. Here a control thread of its own (`oarlock-control`) has both, and asks the array by messages.

pub mod choice;
pub mod config;
pub mod control;
pub mod descriptors;
pub mod documents;
mod flood;
pub mod log;
mod metrics;
mod routes;
mod server;
