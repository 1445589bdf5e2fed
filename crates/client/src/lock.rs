//! Locks of a host within this process: how one is wanted, and the guard of one that was got.

use std::sync::Arc;
use std::time::Duration;

use oarlock_host::api::LockMode;
use oarlock_host::{HeldLock, Loss, Lost, Want, wait_for};

use crate::datastore::Inner;
use crate::error::Error;

/// A lock that is to be taken. Exclusive, unless told otherwise.
pub struct LockBuilder {
    inner: Arc<Inner>,
    name: String,
    mode: LockMode,
}

impl LockBuilder {
    pub(crate) fn new(inner: Arc<Inner>, name: &str) -> LockBuilder {
        LockBuilder { inner, name: name.to_owned(), mode: LockMode::Exclusive }
    }

    /// Alone.
    #[must_use]
    pub fn exclusive(self) -> LockBuilder {
        LockBuilder { mode: LockMode::Exclusive, ..self }
    }

    /// Together with others who share.
    #[must_use]
    pub fn shared(self) -> LockBuilder {
        LockBuilder { mode: LockMode::Shared, ..self }
    }

    /// Takes the lock, waiting for `limit` at most.
    ///
    /// # Errors
    /// `OAR-0241` where it was not got in time; else why the host could not take it.
    pub fn wait(self, limit: Duration) -> Result<Guard, Error> {
        let want = match self.mode {
            LockMode::Exclusive => Want::Exclusive,
            LockMode::Shared => Want::Shared,
        };
        let lock = wait_for(self.inner.engine.lock(&self.name, want, limit))?;
        Ok(Guard { lost: Arc::clone(lock.lost()), lock: Some(lock), _inner: self.inner })
    }

    /// Takes the lock if nobody holds it: tries for a quarter of a beat. `None`: somebody holds it.
    ///
    /// # Errors
    /// Why the host could not take it.
    pub fn try_now(self) -> Result<Option<Guard>, Error> {
        match self.wait(Duration::ZERO) {
            Ok(guard) => Ok(Some(guard)),
            Err(error) if error.code() == oarlock_host::Code::LockTimedOut.text() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A lock that this process holds. It may go to another thread. Dropping it releases the lock in the background;
/// [`release`](Guard::release) waits until the disk says so.
#[must_use = "a guard that is dropped releases its lock"]
pub struct Guard {
    lost: Arc<Lost>,
    lock: Option<HeldLock>,
    // Last, so that the lock is let go of before the datastore may be left.
    _inner: Arc<Inner>,
}

impl Guard {
    /// A number that only grows from owner to owner of this lock. Hand it to whatever the lock guards, and let that
    /// refuse a smaller one than it has seen: no pause of this process can do harm then.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.lock.as_ref().map_or(0, HeldLock::token)
    }

    /// Whether the lock can no longer be relied upon. Cheap: ask before every step that must not be done twice.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_lost()
    }

    /// For how long the lock may be relied upon without further news; each confirmed beat extends it.
    #[must_use]
    pub fn holds_for(&self) -> Duration {
        holds_for(&self.lost)
    }

    /// Waits until the lock can no longer be relied upon, for `timeout` at most; gives the reason, or `None` where it
    /// still can.
    #[must_use]
    pub fn lost(&self, timeout: Duration) -> Option<String> {
        self.loss(timeout).map(|loss| loss.to_string())
    }

    /// The same, with its kind: for whoever does different things about different losses.
    #[must_use]
    pub fn loss(&self, timeout: Duration) -> Option<Loss> {
        self.lost.wait(timeout)
    }

    /// Resolves once the lock can no longer be relied upon, with the reason: for whoever has an executor.
    pub fn when_lost(&self) -> impl Future<Output = String> + Send + 'static + use<> {
        let lost = Arc::clone(&self.lost);
        async move { lost.lost().await.to_string() }
    }

    /// Releases the lock, and waits until the disk says so (or the host has ended: then others will take it over).
    pub fn release(mut self) {
        if let Some(lock) = self.lock.take() {
            wait_for(lock.release());
        }
    }
}

/// What is left until the last quarter of the lease begins; nothing once the lock is lost.
pub(crate) fn holds_for(lost: &Lost) -> Duration {
    if lost.is_lost() {
        return Duration::ZERO;
    }
    Duration::from_nanos(lost.until_ns().saturating_sub(oarlock_host::boot_time_ns()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_may_go_to_another_thread() {
        fn is_send<T: Send + Sync>() {}
        is_send::<Guard>();
        is_send::<crate::Datastore>();
    }
}
