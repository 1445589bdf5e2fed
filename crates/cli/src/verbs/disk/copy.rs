//! What `disk import` and `disk export` share: where the disk stands meanwhile, and who watches the copy.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::ProgressBar;
use oarlock::Api;
use oarlock::api::AttachDiskRequest;
use oarlock_host::Code as HostCode;
use oarlock_image::{Address, Format, ImageError, Onlooker, Progress};

use super::attach::absolute;
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::stop::{Stop, interrupted};
use crate::terminal::progress_bar;

/// The ending of the socket beside a host's own at which disks stand while they are copied: no guest is told of it, and all copies of a
/// host share it. As long as the ending of the host's own socket, so that a path is not too long for this one alone.
const ENDING: &str = "copy";

/// A format of image files, as it stands on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// The disk's bytes, one after the other
    Raw,
    /// QEMU's format
    Qcow2,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Raw => Format::Raw,
            FormatName::Qcow2 => Format::Qcow2,
        }
    }
}

/// Attaches a disk or snapshot for a copy, and says where it is. Whoever called detaches it.
///
/// # Errors
/// Why it is not attached; it is not, then.
pub(super) fn attach(api: &Api, name: &str, read_only: bool) -> Result<Address, Failure> {
    let socket: PathBuf = absolute(api.path())?.with_extension(ENDING);
    let nbd = Some(format!("unix:{}", socket.display()));
    let request = AttachDiskRequest { nbd, read_only, ..AttachDiskRequest::default() };
    let attached = api.attach_disk(name, &request).map_err(|error| refusal(error, name, read_only))?;
    let address = Address::of_uri(&attached.uri);
    address.map_err(|error| {
        // The copy is not begun: whether the detach is done tells nobody more than the error does.
        let _ = api.detach_disk(name);
        Failure::new(Code::CopyBroken, error.to_string())
    })
}

/// What is to be read and is in use can be had by way of a snapshot.
fn refusal(error: oarlock::Error, name: &str, read_only: bool) -> Failure {
    let in_use = [HostCode::DiskInUse, HostCode::DiskAttachedHere];
    let is_in_use = in_use.iter().any(|code| code.text() == error.code());
    let failure = Failure::from(error);
    if read_only && is_in_use && !name.contains('@') {
        return failure.with_cure(format!(
            "Export a snapshot of it, which may be made while it is used: `oarlock disk snapshot {name}@SNAP`, then `oarlock disk export {name}@SNAP FILE`."
        ));
    }
    failure
}

/// Watches a copy: shows how far it is, on a terminal, and ends it where a signal asks for that.
pub(super) struct Watcher {
    bar: ProgressBar,
    stop: RefCell<Stop>,
    signal: Cell<Option<&'static str>>,
}

impl Watcher {
    pub(super) fn new(stop: Stop, what: &'static str) -> Watcher {
        Watcher { bar: progress_bar(what), stop: RefCell::new(stop), signal: Cell::new(None) }
    }

    /// Ends the showing.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The failure that an error of the copy is.
    pub(super) fn failure(&self, error: ImageError) -> Failure {
        match (&error, self.signal.get()) {
            (ImageError::Interrupted, Some(signal)) => interrupted(signal),
            _ => error.into(),
        }
    }
}

impl Onlooker for Watcher {
    fn advanced(&mut self, progress: Progress) {
        self.bar.set_length(progress.total_bytes);
        self.bar.set_position(progress.done_bytes);
    }

    fn wants_out(&self) -> bool {
        if self.signal.get().is_none() {
            self.signal.set(self.stop.borrow_mut().came());
        }
        self.signal.get().is_some()
    }
}
