//! Who watches a copy: hears how far it is, and may end it.

use std::time::Duration;

use crate::limits::PATIENCE;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done.
    pub done_bytes: u64,
    /// Bytes that will be: of an import, those of data in the image; of an export, the disk's size.
    pub total_bytes: u64,
}

/// Who watches a copy. Asked at least every [`GLANCE`](crate::limits::GLANCE) while it waits for its socket, and between any two requests.
pub trait Onlooker {
    /// The copy came further.
    fn advanced(&mut self, progress: Progress);

    /// Whether the copy is to end now, with [`ImageError::Interrupted`](crate::ImageError::Interrupted).
    fn wants_out(&self) -> bool;

    /// How long nothing may move on the connection before the copy ends with [`ImageError::Stalled`](crate::ImageError::Stalled).
    fn patience(&self) -> Duration {
        PATIENCE
    }
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Onlooker for Unwatched {
    fn advanced(&mut self, _: Progress) {}

    fn wants_out(&self) -> bool {
        false
    }
}
