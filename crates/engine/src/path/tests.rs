//! Tests of the data path against a naive disk: a device that executes sector by sector in any order, clients at once,
//! snapshots, lapses and failures, each run from a seed.

mod bounds;
mod costs;
mod faults;
mod history;
mod random;
mod supplier;
mod timing;
mod world;
