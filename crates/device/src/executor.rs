//! The executor of the engine's thread: one thread, tasks that need not be `Send`, wakers that work from every thread.
//!
//! Without anything to do the thread is parked, and whoever wakes a task unparks it: nothing polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;

/// An executor for one thread.
#[derive(Debug, Default)]
pub struct Executor {
    pool: LocalPool,
}

impl Executor {
    /// An executor without tasks.
    #[must_use]
    pub fn new() -> Executor {
        Executor::default()
    }

    /// What starts tasks on this executor, from its own thread.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        Spawner { spawner: self.pool.spawner() }
    }

    /// Runs `future` to its end, and the spawned tasks beside it. Tasks that are left then stand still until the next
    /// call.
    ///
    /// # Panics
    /// Where it is called from within an executor's task: that thread would wait for itself.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.pool.run_until(future)
    }
}

/// Starts tasks.
#[derive(Clone, Debug)]
pub struct Spawner {
    spawner: LocalSpawner,
}

impl Spawner {
    /// Starts a task; it runs when the executor next does.
    ///
    /// # Panics
    /// Where the executor is gone: a task that would never run is a programmer's error.
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.spawner.spawn_local_with_handle(future) {
            Ok(handle) => Task { handle },
            Err(error) => panic!("a task was started on an executor that is gone: {error}"),
        }
    }
}

/// A started task, and a future of its outcome. Dropping it ends the task at its next wake; [`detach`](Task::detach)
/// lets it run. A panic of the task goes on in whoever awaits it.
#[must_use = "a task that is dropped is ended"]
#[derive(Debug)]
pub struct Task<T> {
    handle: RemoteHandle<T>,
}

impl<T: 'static> Task<T> {
    /// Lets the task run to its end by itself.
    pub fn detach(self) {
        self.handle.forget();
    }
}

impl<T: 'static> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.handle).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::channel::oneshot;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_task_is_woken_from_another_thread() {
        let mut executor = Executor::new();
        let (sender, receiver) = oneshot::channel();
        let task = executor.spawner().spawn(async move { receiver.await.unwrap() });
        let thread = std::thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(executor.block_on(task), 7);
        thread.join().unwrap();
    }

    #[test]
    fn a_task_may_start_tasks_and_wait_for_them() {
        let mut executor = Executor::new();
        let spawner = executor.spawner();
        let inner = spawner.clone();
        let outer = spawner.spawn(async move { inner.spawn(async { 20 }).await + 1 });
        assert_eq!(executor.block_on(outer), 21);
    }

    #[test]
    fn a_detached_task_runs_and_a_dropped_one_does_not() {
        let mut executor = Executor::new();
        let spawner = executor.spawner();
        let sum = Rc::new(Cell::new(0));
        let (one, two) = (Rc::clone(&sum), Rc::clone(&sum));
        spawner.spawn(async move { one.set(one.get() + 1) }).detach();
        drop(spawner.spawn(async move { two.set(two.get() + 10) }));
        executor.block_on(spawner.spawn(async {}));
        assert_eq!(sum.get(), 1);
    }
}
