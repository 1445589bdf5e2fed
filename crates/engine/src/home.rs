//! Bringing home: what the journal owes the disk for an object is there before the object's lock is given up (R12).

use std::rc::{Rc, Weak};

use futures::FutureExt;
use oarlock_block::{IoError, LocalFuture, Refusal};
use oarlock_format::JournalObject;

use crate::core::Core;

/// How often an object is brought home again that was changed meanwhile.
const ROUNDS_MAX: usize = 4;

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

/// The journal of this host, for locks whose users went away without bringing home what they owe.
pub(crate) struct JournalHome(Weak<Core>);

impl JournalHome {
    pub(crate) fn new(core: &Rc<Core>) -> JournalHome {
        JournalHome(Rc::downgrade(core))
    }
}

impl BringHome for JournalHome {
    fn bring_home(&self, object: JournalObject) -> LocalFuture<'_, Result<(), IoError>> {
        async move {
            let gone = || IoError::Refused(Refusal::Gone);
            let core = self.0.upgrade().ok_or_else(gone)?;
            let journal = core.journal.as_ref().ok_or_else(gone)?;
            for _ in 0..ROUNDS_MAX {
                // A journal that failed stops its host: the lock stays where it is, and is broken after the replay.
                journal.bring_home(&core, object).await.map_err(|_| gone())?;
                if journal.pages().close(object) {
                    return Ok(());
                }
            }
            Err(IoError::Refused(Refusal::Busy))
        }
        .boxed_local()
    }
}
