//! Reports: the same findings for different readers.

pub mod advice;
pub mod terminal;
