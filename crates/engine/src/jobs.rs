//! The host's background jobs: futures that outlive the call that started them, all driven by `Host::run`.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use futures::stream::{FuturesUnordered, Stream};
use oarlock_block::LocalFuture;

/// Jobs that were started and not yet taken up by the driver.
#[derive(Default)]
pub(crate) struct Jobs {
    started: RefCell<Vec<LocalFuture<'static, ()>>>,
    driver: RefCell<Option<Waker>>,
    closed: Cell<bool>,
}

/// The driving of the jobs: when it ends, by whatever end, no job is taken any more. A job holds the host, and the host
/// its jobs: one that nobody drives would keep the device, and the slot's lock with it, for ever.
struct Driving<'a>(&'a Jobs);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.0.closed.set(true);
        // Taken out first: what is dropped may well start another.
        let left = self.0.started.take();
        drop(left);
    }
}

impl Jobs {
    /// Starts a job; it runs as long as the host does. Once the host is not driven any more it is dropped at once.
    pub(crate) fn start(&self, job: impl Future<Output = ()> + 'static) {
        if self.closed.get() {
            return;
        }
        self.started.borrow_mut().push(Box::pin(job));
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }

    /// Drives every job; never ends by itself.
    pub(crate) async fn drive(&self) {
        let mut running: FuturesUnordered<LocalFuture<'static, ()>> = FuturesUnordered::new();
        // Dropped before the jobs are, so that their ends start no new ones.
        let _driving = Driving(self);
        poll_fn(|context| -> Poll<()> {
            loop {
                *self.driver.borrow_mut() = Some(context.waker().clone());
                running.extend(self.started.take());
                let ended_one =
                    matches!(std::pin::Pin::new(&mut running).poll_next(context), Poll::Ready(Some(())));
                if !ended_one && self.started.borrow().is_empty() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }
}
