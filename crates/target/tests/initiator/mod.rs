//! An initiator for tests: it keeps every rule of RFC 7143 that it is not told to break, and minds that the target does.

pub(crate) mod cdb;
mod login;
mod session;
mod wire;

pub(crate) use login::{TARGET, Talk, Who, pairs};
pub(crate) use session::{Answer, Flow, Session, Unasked, lun};
pub(crate) use wire::DEADLINE;
