//! Sources: from bytes of any kind (plain, gzip, tar, one in the other, UTF-16) to lines, streaming.
//!
//! Nothing here opens a file: whoever calls gives a name and something to read.

mod archive;
mod blanks;
mod document;
mod exported;
mod guarded;
mod gunzip;
mod headings;
mod lines;
mod origin;
mod shell;
mod sniff;
mod unread;
mod utf16;
mod wrapped;
mod wrapping;

pub use exported::ExportedAhead;
pub use origin::{Rotated, host_of, is_usual, names_a_host, rotated};
pub use shell::behind_prompt;
pub use sniff::Intake;
