//! The log doctor: why was the atomic test and set false?
//!
//! ```text
//!  bytes --source--> lines --sieve--> records --dialects--> facts --scene--> incidents --rules--> findings --> report
//! ```
//!
//! Nothing here opens a file, asks for the time or belongs to one operating system: whoever calls gives names and
//! readers ([`Doctor::read`]), and gets a [`Report`].

mod adapter_words;
mod advisory;
mod attach;
pub mod bounds;
mod civil;
mod clock;
mod cluster;
mod copies;
mod diagnose;
mod dialect;
mod digest;
mod doctor;
mod drivers;
mod error;
mod explain;
mod fact;
mod finding;
mod gravity;
mod hosts;
mod image_line;
mod image_words;
mod incident;
mod knowledge;
mod ledger;
mod machine_line;
mod merge;
mod names;
mod offset;
mod passed;
mod plain;
mod ports;
mod prefix;
mod question;
mod rate;
mod record;
mod redact;
pub mod report;
mod rotation;
mod rule;
mod said;
mod scene;
mod scsi_line;
mod seams;
mod sense_bytes;
mod series;
mod sieve;
mod source;
mod stamp;
mod subject;
mod suggestion;
mod text;
mod ties;
mod timeline;
mod units;
mod unread_time;
mod voice;
mod volumes;
mod zoneless;

pub use clock::{ClockOffset, ClockQuestion};
pub use doctor::Doctor;
pub use error::DoctorError;
pub use explain::{Explanation, Field, explain};
pub use fact::Part;
pub use finding::{Coverage, Evidence, Finding, PutAside, Remedy, Report, Stranger};
pub use machine_line::{MachineLine, utc};
pub use passed::PassedKind;
pub use suggestion::{MachinePart, Suggestion};
