//! The users of a host's locks, as its engine's thread sees them: they hear of its end before it lets go of its slot (R29).

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::lines::Lines;
use crate::loss::{Loss, LossKind};
use crate::lost::Lost;
use crate::request::Shared;

/// The last words to the users are on their way for so long at most; then their lines end without them.
const FAREWELL: Duration = Duration::from_millis(100);

/// Everybody who relies on this host's locks.
///
/// Its drop ends the lines of all clients, however it comes about, a panic among the ways. So it stands *before* whatever holds
/// the device in a struct: the fields of one are dropped in their order, the last handle on the device frees the slot's byte,
/// and others may judge this host by that from then on.
pub(crate) struct Users {
    /// Until when locks may be relied upon: nanoseconds of `CLOCK_BOOTTIME`.
    until_ns: Arc<AtomicU64>,
    lines: Arc<Lines>,
    /// Locks in use, to tell their users of the end.
    held: RefCell<Vec<Weak<Lost>>>,
}

impl Users {
    pub(crate) fn new(shared: &Shared) -> Users {
        Users {
            until_ns: Arc::clone(&shared.until_ns),
            lines: Arc::clone(&shared.lines),
            held: RefCell::default(),
        }
    }

    /// A lock that came into use. Those that are not any more are forgotten in passing.
    pub(crate) fn begin(&self) -> Arc<Lost> {
        let lost = Arc::new(Lost::on(Arc::clone(&self.until_ns)));
        let mut held = self.held.borrow_mut();
        held.retain(|known| known.strong_count() > 0);
        held.push(Arc::downgrade(&lost));
        lost
    }

    /// Locks may be relied upon until then.
    pub(crate) fn rely_until(&self, until_ns: u64) {
        self.until_ns.store(until_ns, Ordering::Release);
    }

    /// Every lock in use is lost. Its user may keep it until it has ended its work.
    pub(crate) fn lose_all(&self, loss: &Loss) {
        lose_all(&self.held.borrow(), loss);
    }

    /// The host has ended: every lock is lost, and no further news will come.
    pub(crate) fn end(&self, loss: &Loss) {
        self.rely_until(0);
        self.lose_all(loss);
        self.held.borrow().iter().filter_map(Weak::upgrade).for_each(|lost| lost.close());
    }

    /// Waits until the clients have read the last words, for a moment: this blocks the thread of an engine that has ended.
    pub(crate) fn say_farewell(&self) {
        self.lines.wait_until_ended(FAREWELL);
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.rely_until(0);
            // Borrowed where the panic was: those users learn it from the clock, which says 0 now.
            if let Ok(held) = self.held.try_borrow() {
                lose_all(&held, &Loss::new(LossKind::Stopped, "the host's engine has died"));
            }
        }
        self.lines.hang_up();
    }
}

fn lose_all(held: &[Weak<Lost>], loss: &Loss) {
    held.iter().filter_map(Weak::upgrade).for_each(|lost| lost.lose(loss.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Engine;
    use std::io::Read;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use tokio::net::UnixStream;

    /// What holds the device, with its users before it; it looks at its own drop whether the client's line has ended by then.
    struct Seat<'a> {
        users: Users,
        device: Device<'a>,
    }

    struct Device<'a> {
        client: &'a std::os::unix::net::UnixStream,
        ended_before: &'a std::cell::Cell<bool>,
    }

    impl Drop for Device<'_> {
        fn drop(&mut self) {
            self.ended_before.set(matches!((&mut &*self.client).read(&mut [0]), Ok(0)));
        }
    }

    /// An engine's thread that ends so: what its lock's user knows, and whether its line ended before the device was closed.
    fn ends(by_panic: bool) -> (Arc<Lost>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        let (ours, client) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        let (engine, _requests) = Engine::new();
        let line = engine.lines().line(UnixStream::from_std(ours).unwrap());
        assert!(line.holds_a_lock());
        let users = Users::new(&engine.shared);
        users.rely_until(u64::MAX);
        let (lost, ended_before) = (users.begin(), std::cell::Cell::new(false));
        assert!(!lost.is_lost());
        let end = catch_unwind(AssertUnwindSafe(|| {
            let seat = Seat { users, device: Device { client: &client, ended_before: &ended_before } };
            assert!(!by_panic, "the engine has a mistake");
            seat.users.end(&Loss::new(LossKind::Fenced, "another was quicker"));
            let _device = &seat.device;
        }));
        assert_eq!(end.is_err(), by_panic);
        assert!(!line.holds_a_lock(), "a lock that was granted in the last moment is nobody's");
        (lost, ended_before.get())
    }

    #[test]
    fn a_client_s_line_ends_before_the_device_is_closed_whatever_ended_the_engine() {
        for by_panic in [false, true] {
            let (lost, ended_before) = ends(by_panic);
            let words = if by_panic { "the host's engine has died" } else { "another was quicker" };
            let reason = lost.reason().map(|loss| loss.to_string());
            assert_eq!((reason.as_deref(), lost.until_ns(), ended_before), (Some(words), 0, true));
        }
    }

    #[test]
    fn a_line_that_its_client_has_closed_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _within = runtime.enter();
        let (ours, _client) = UnixStream::pair().unwrap();
        let (engine, _requests) = Engine::new();
        let line = engine.lines().line(ours);
        assert!(line.holds_a_lock());
        let lines = engine.lines();
        let thread = std::thread::spawn(move || lines.wait_until_ended(Duration::from_secs(600)));
        drop(line);
        thread.join().unwrap();
    }
}
