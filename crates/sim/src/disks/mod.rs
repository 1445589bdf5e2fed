//! Attached disks: what guests ask of them, what they may be shown, and how a datastore with disks must stand when all is over.

mod driver;
pub(crate) mod estate;
pub(crate) mod guest;
mod image;
pub(crate) mod judge;
mod naive;
pub(crate) mod outage;
mod reading;
mod survey;

pub use driver::Driver;
pub use naive::{Naive, SECRET, SECTOR, ZEROS, tag_of, tagged};
pub use survey::{Medium, Survey};
