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

impl Jobs {
    /// Starts a job; it runs as long as the host does. After that it is dropped: nobody would drive it, and jobs hold
    /// the host, which holds them, so that device and slot would stay open in a process that goes on.
    pub(crate) fn start(&self, job: impl Future<Output = ()> + 'static) {
        if self.closed.get() {
            return;
        }
        self.started.borrow_mut().push(Box::pin(job));
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
    }

    /// The host has ended: jobs that wait are dropped, and none starts any more.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        // A job that is dropped may let go of what starts another, so the list is not in use meanwhile.
        drop(self.started.take());
        self.driver.take();
    }

    /// Drives every job; never ends by itself.
    pub(crate) async fn drive(&self) {
        let mut running: FuturesUnordered<LocalFuture<'static, ()>> = FuturesUnordered::new();
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
