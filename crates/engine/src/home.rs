//! Bringing home: what the journal owes the disk for an object is there before the object's lock is given up (R12).

use oarlock_block::{IoError, LocalFuture};
use oarlock_format::JournalObject;

/// Whoever keeps changes of descriptors' maps and groups' bitmaps in memory and in a journal.
pub trait BringHome {
    /// Writes every page of the object to its own place and flushes the device. Called while this host still owns the
    /// object's lock, nobody on it uses the object, and nobody can begin to. It is called again where it failed, and may be
    /// called for an object for which nothing is owed.
    ///
    /// # Errors
    /// The device's words. The lock is kept, and the call is repeated after a pause, until the host ends.
    fn bring_home(&self, object: JournalObject) -> LocalFuture<'_, Result<(), IoError>>;
}
