//! The verbs, one file each: what it takes (`Arguments`), and what it does (`run`).

pub mod bench;
pub mod causes;
pub mod completions;
pub mod format;
pub mod inspect;
pub mod man;
pub mod resignature;
