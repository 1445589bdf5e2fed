//! What waits for a file system, done outside of the array's thread: where its disk does not answer, everybody else would wait with it.

use std::io;
use std::thread;

use futures::channel::oneshot;
use oarlock_device::RingWaker;

/// Does something on a thread of its own, and waits for its end. `waker` is the ring's.
///
/// # Errors
/// Its own, and where there is no thread for it.
pub(crate) async fn outside<T: Send + 'static>(
    waker: RingWaker,
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    let work = move || {
        // Whoever asked may be gone.
        let _ = tell.send(act());
        waker.wake();
    };
    thread::Builder::new().name("oarlock-file".to_owned()).spawn(work)?;
    told.await.unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use oarlock_device::MediaRing;

    use super::*;

    #[test]
    fn what_it_comes_to_is_told_and_so_is_that_it_came_to_nothing() {
        let ring = MediaRing::new(1, 4096).unwrap();
        assert_eq!(block_on(outside(ring.waker(), || Ok(7))).unwrap(), 7);
        let failed = block_on(outside::<()>(ring.waker(), || Err(io::ErrorKind::StorageFull.into())));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let died = block_on(outside::<()>(ring.waker(), || panic!("a thread that ends")));
        assert_eq!(died.unwrap_err().kind(), io::ErrorKind::Other);
    }
}
