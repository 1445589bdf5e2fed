//! Reports: the same findings for different readers.

pub mod advice;
mod alike;
pub mod html;
mod some;
pub mod terminal;
