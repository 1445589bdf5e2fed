//! The verbs, one file each: what it takes (`Arguments`), and what it does (`run`).

pub mod bench;
pub mod causes;
pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod evict;
pub mod format;
pub mod grow;
pub mod guard;
pub mod hosts;
pub mod inspect;
pub mod lock;
pub mod locks;
pub mod man;
pub mod resignature;
pub mod sim;
pub mod status;
pub mod up;
