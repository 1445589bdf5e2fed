//! What the targets check, by where the bytes come from.

pub mod answers;
pub mod datastore;
pub mod documents;
pub mod iscsi;
pub mod logs;
pub mod nbd;
pub mod pages;
pub mod qcow2;
pub mod records;
pub mod scsi;
pub mod target;
pub mod texts;
