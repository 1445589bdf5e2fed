//! Reports: the same findings for different readers.

pub mod advice;
pub mod html;
pub mod remedy_risk;
pub mod terminal;
