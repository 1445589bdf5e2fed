//! The host's background jobs: futures that outlive the call that started them, all driven by `Host::run`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use futures::stream::{FuturesUnordered, Stream};
use oarlock_block::LocalFuture;

/// Jobs that were started and not yet taken up by the driver.
#[derive(Default)]
pub(crate) struct Jobs {
    started: RefCell<Vec<LocalFuture<'static, ()>>>,
    driver: RefCell<Option<Waker>>,
}

impl Jobs {
    /// Starts a job; it runs as long as the host does.
    pub(crate) fn start(&self, job: impl Future<Output = ()> + 'static) {
        self.started.borrow_mut().push(Box::pin(job));
        if let Some(driver) = self.driver.borrow_mut().take() {
            driver.wake();
        }
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
