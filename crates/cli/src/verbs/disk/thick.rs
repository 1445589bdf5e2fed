//! Making thick disks, which may take hours: what `disk create` and `disk import` share.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use oarlock::Api;

use crate::failure::Failure;
use crate::terminal::progress_bar;

/// How often the host is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Makes a thick disk, and shows meanwhile how far it is. Where `wants_out` gives a failure nobody waits any more: the host sees the
/// connection close when this process ends, and undoes what it did.
///
/// # Errors
/// Why there is none.
pub(super) fn create(
    api: &Api,
    name: &str,
    size: u64,
    wants_out: impl Fn() -> Option<Failure>,
) -> Result<(), Failure> {
    let bar = progress_bar("zeroing");
    let (tell, told) = mpsc::channel();
    let (asking, asked_for) = (api.clone(), name.to_owned());
    std::thread::spawn(move || tell.send(asking.create_thick_disk(&asked_for, size)));
    let made = loop {
        match told.recv_timeout(LOOK_EVERY) {
            Ok(made) => break made.map_err(Failure::from),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the thread that asks for the disk is gone"),
        }
        if let Some(failure) = wants_out() {
            break Err(failure);
        }
        if let Ok(progress) = api.disk_progress(name)
            && progress.under_way
        {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    };
    bar.finish_and_clear();
    made
}
