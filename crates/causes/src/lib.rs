//! The catalogue of causes, as data: the names that events, metrics, JSON and documents share, and a page of text for each.
//!
//! Nothing here reads a device, a log or a clock. The engine and the log doctor judge; this crate says what their
//! verdicts are called, which layer they belong to, what proves them and what helps.

mod named;

mod action;
mod catalogue;
mod cause;
mod entry;
mod event;
mod layer;
mod risk;

pub use action::Action;
pub use cause::Cause;
pub use entry::{Entry, Evidence, Remedy, Source};
pub use event::EventKind;
pub use layer::Layer;
pub use risk::Risk;
