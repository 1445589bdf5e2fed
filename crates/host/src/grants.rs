//! Grants: locks that clients hold through the socket, each with a number, and whoever waits until one is released.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

/// Those who wait for the end of one grant. No more than there are connections.
type Waiting = Vec<oneshot::Sender<()>>;

/// All grants that have not ended.
#[derive(Default)]
pub(crate) struct Grants {
    last: AtomicU64,
    standing: Mutex<BTreeMap<u64, Waiting>>,
}

/// One grant. It ends when this is dropped, which must come after the release.
pub(crate) struct Grant {
    id: u64,
    grants: Arc<Grants>,
}

impl Grants {
    /// One more.
    pub(crate) fn begin(self: &Arc<Self>) -> Grant {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.change(|standing| standing.insert(id, Waiting::new()));
        Grant { id, grants: Arc::clone(self) }
    }

    /// Resolves once the grant has ended; at once where there is none of that number.
    pub(crate) async fn ended(&self, id: u64) {
        let end = self.change(|standing| {
            let (sender, receiver) = oneshot::channel();
            standing.get_mut(&id).map(|waiting| {
                waiting.retain(|sender| !sender.is_canceled());
                waiting.push(sender);
                receiver
            })
        });
        if let Some(end) = end {
            // The sender is dropped with the grant: that is the news.
            let _ = end.await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Waiting>) -> T) -> T {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Grant {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        drop(self.grants.change(|standing| standing.remove(&self.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn whoever_waits_for_a_grant_hears_of_its_end_and_not_before() {
        let grants: Arc<Grants> = Arc::default();
        let (first, second) = (grants.begin(), grants.begin());
        let ended = grants.ended(first.id());
        futures::pin_mut!(ended);
        assert!(ended.as_mut().now_or_never().is_none());
        drop(second);
        assert!(ended.as_mut().now_or_never().is_none(), "another grant's end is no news");
        drop(first);
        assert!(ended.now_or_never().is_some());
        assert!(grants.ended(1).now_or_never().is_some() && grants.ended(99).now_or_never().is_some());
    }
}
