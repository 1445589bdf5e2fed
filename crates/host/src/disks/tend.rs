//! Tending: what hosts began with layers of disks and left is brought to its end by whoever comes by, unasked (R35).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::select;
use futures::stream::StreamExt;
use oarlock_causes::Action;
use oarlock_engine::DiskError;

use crate::serve::Keeper;

/// How often it is looked whether there is something to do, where nothing tells that there is. Each look reads all descriptors.
const LOOK_EVERY: Duration = Duration::from_secs(300);

/// After a failure it is tried again so soon.
const RETRY: Duration = Duration::from_secs(30);

/// Whoever sees that there may be something to do says so here.
#[derive(Clone)]
pub(crate) struct Tending {
    soon: RefCell<mpsc::Sender<()>>,
}

/// What waits for it.
pub(crate) struct TendingSoon(mpsc::Receiver<()>);

impl Tending {
    pub(crate) fn new() -> (Tending, TendingSoon) {
        let (sender, receiver) = mpsc::channel(1);
        (Tending { soon: RefCell::new(sender) }, TendingSoon(receiver))
    }

    /// There may be something to do.
    pub(crate) fn is_due(&self) {
        // One that waits already stands for this one as well.
        let _ = self.soon.borrow_mut().try_send(());
    }
}

impl Keeper {
    /// Tends to layers: after the join, after each takeover, and now and then; for as long as the host lives. It only ever waits
    /// beside everything else that the host does.
    pub(crate) async fn tend(self: Rc<Self>, TendingSoon(mut soon): TendingSoon) {
        if self.read_only || !self.host.superblock().record.has_disks() {
            return;
        }
        let mut told = None;
        loop {
            let pause = match self.host.tend_layers().await {
                Ok(()) => {
                    told = None;
                    LOOK_EVERY
                }
                Err(DiskError::Ended(_) | DiskError::NoDisks) => return,
                Err(error) => {
                    let error = error.to_string();
                    // The same obstacle is told once.
                    if told.as_ref() != Some(&error) {
                        let detail = format!(
                            "layers of disks that nobody needs were not all taken down: {error}; it is tried again"
                        );
                        self.note(Action::Retried, detail);
                    }
                    told = Some(error);
                    RETRY
                }
            };
            let until = self.clock.sleep_until(self.clock.now().plus(pause));
            select(soon.next(), until).await;
            if self.leaving.get() {
                return;
            }
        }
    }
}
