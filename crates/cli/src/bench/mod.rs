//! The bench: operations in flight on a device, timed, with their commands counted.

mod measure;
mod site;
mod swap;

pub use measure::{Figures, Operation, measure};
pub use site::{Joined, Place, metered, name as bench_name, own_blocks};
pub use swap::{Images, Swap};
