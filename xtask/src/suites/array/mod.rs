//! Suites on our array: those whom it serves are programs of others.

pub mod guest;
pub mod images;
pub mod initiator;
pub mod libiscsi;
mod serving;
mod shapes;
