//! What the engine is given: devices, the cut-off, a clock and randomness, real or simulated.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{Clock, CutOff, Device, Random};
use oarlock_format::BootTag;

/// One host's world.
#[derive(Clone)]
pub struct World {
    /// The device, for everything but beats.
    pub device: Rc<dyn Device>,
    /// The same device, with a place in the queue that other commands do not fill (R8).
    pub beat_device: Rc<dyn Device>,
    /// Who lives, and who is cut off.
    pub cut_off: Rc<dyn CutOff>,
    /// The host's clock.
    pub clock: Rc<dyn Clock>,
    /// Nonces and jitter.
    pub random: Rc<dyn Random>,
}

impl World {
    /// The boot of the machine that this host and its device share: what was written in it and answered is lost only with it.
    pub(crate) fn boot(&self) -> BootTag {
        BootTag::of(self.cut_off.process().boot_id)
    }

    /// The result of `future`, or `None` where it did not come within `limit`; the future is dropped then.
    pub(crate) async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let sleep = self.clock.sleep_until(self.clock.now().plus(limit));
        futures::pin_mut!(future);
        match select(future, sleep).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(((), _)) => None,
        }
    }

    /// A pause of `duration`.
    pub(crate) async fn pause(&self, duration: Duration) {
        self.clock.sleep_until(self.clock.now().plus(duration)).await;
    }

    /// A random duration below `bound`.
    pub(crate) fn jitter(&self, bound: Duration) -> Duration {
        let nanoseconds = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.below(nanoseconds))
    }
}
