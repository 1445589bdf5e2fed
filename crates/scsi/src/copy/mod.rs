//! EXTENDED COPY(LID1): its parameter list, its limits, and what RECEIVE COPY RESULTS and the Third-party Copy page tell (SPC-4).

mod limits;
mod list;
mod results;
#[cfg(test)]
mod tests;

pub use limits::CopyLimits;
pub use list::{CopyList, CopyTarget, ListIdUsage, Segment};
pub use results::{CopyFailure, CopyManagerStatus, CopyStatus};
