//! Disks of a datastore, asked of a running host.

use std::time::Duration;

use oarlock_host::api::{
    AttachDiskRequest, AttachedDisk, CreateDiskRequest, DiskDetails, DiskDone, DiskEntry, DiskProgress,
    HandedOffDisk, HandoffRequest, NewNameRequest, ResizeDiskRequest,
};

use crate::error::Error;
use crate::http;
use crate::remote::{ANSWER_LIMIT, Api, milliseconds};

/// A disk is flattened or filled for so long at most before whoever asked goes away.
const WORK_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The path of a disk, or of one of its verbs.
fn of(name: &str, verb: &str) -> String {
    let name = http::encoded(name);
    if verb.is_empty() { format!("/v1/disks/{name}") } else { format!("/v1/disks/{name}/{verb}") }
}

impl Api {
    /// Every disk, by name.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn disks(&self) -> Result<Vec<DiskEntry>, Error> {
        self.get("/v1/disks", ANSWER_LIMIT)
    }

    /// One disk, with its snapshots. The host walks the disk's map for it.
    ///
    /// # Errors
    /// [`Error::Remote`] with `OAR-0283` where there is none of that name; else why there is no answer.
    pub fn disk(&self, name: &str) -> Result<DiskDetails, Error> {
        self.get(&of(name, ""), ANSWER_LIMIT)
    }

    /// Makes an empty disk of `size` bytes.
    ///
    /// # Errors
    /// Why there is none, or why there is no answer.
    pub fn create_disk(&self, name: &str, size: u64) -> Result<(), Error> {
        let request = CreateDiskRequest { name: name.to_owned(), size, thick: false };
        self.told("/v1/disks", &request, ANSWER_LIMIT)
    }

    /// Makes a disk of `size` bytes, all of which is allocated and zeroed: returns once that is so, which may take hours. Where
    /// this process ends before, the host undoes it.
    ///
    /// # Errors
    /// Why there is none, or why there is no answer.
    pub fn create_thick_disk(&self, name: &str, size: u64) -> Result<(), Error> {
        let request = CreateDiskRequest { name: name.to_owned(), size, thick: true };
        self.told("/v1/disks", &request, WORK_LIMIT)
    }

    /// How far a thick disk that this host makes, or lets grow, has come.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn disk_progress(&self, name: &str) -> Result<DiskProgress, Error> {
        self.get(&of(name, "progress"), ANSWER_LIMIT)
    }

    /// Gives a disk another name.
    ///
    /// # Errors
    /// Why it has its old one, or why there is no answer.
    pub fn rename_disk(&self, name: &str, to: &str) -> Result<(), Error> {
        self.told(&of(name, "rename"), &NewNameRequest { to: to.to_owned() }, ANSWER_LIMIT)
    }

    /// Lets a disk grow to `size` bytes; one that is full is filled for it, which may take hours.
    ///
    /// # Errors
    /// Why it has the size that it had, or why there is no answer.
    pub fn resize_disk(&self, name: &str, size: u64) -> Result<(), Error> {
        self.told(&of(name, "resize"), &ResizeDiskRequest { size }, WORK_LIMIT)
    }

    /// Deletes a disk, or a snapshot: `NAME@SNAP`.
    ///
    /// # Errors
    /// Why it is still there, or why there is no answer.
    pub fn delete_disk(&self, name: &str) -> Result<(), Error> {
        let answer = self.send("DELETE", &of(name, ""), None, ANSWER_LIMIT)?;
        self.parse::<DiskDone>(&answer.whole()?).map(drop)
    }

    /// Attaches a disk, or a snapshot to be read, to this host, which serves it over NBD from then on.
    ///
    /// # Errors
    /// [`Error::Remote`] with `OAR-0287` where another host has it; else why it is not attached, or why there is no answer.
    pub fn attach_disk(&self, name: &str, request: &AttachDiskRequest) -> Result<AttachedDisk, Error> {
        let answer = self.post(&of(name, "attach"), request, ANSWER_LIMIT)?;
        self.parse(&answer.whole()?)
    }

    /// Ends the serving of a disk or snapshot, and releases it.
    ///
    /// # Errors
    /// Why it is attached still, or why there is no answer.
    pub fn detach_disk(&self, name: &str) -> Result<(), Error> {
        self.verb(name, "detach", ANSWER_LIMIT)
    }

    /// Hands a disk that this host serves over to another one, which stands by for it; `wait` bounds the waiting for that.
    ///
    /// # Errors
    /// [`Error::Remote`] with `OAR-0277` where the other host does not take it; else why it is this host's still, or why there is no
    /// answer.
    pub fn hand_off_disk(&self, name: &str, to: &str, wait: Duration) -> Result<HandedOffDisk, Error> {
        let request = HandoffRequest { to: to.to_owned(), wait_ms: Some(milliseconds(wait)) };
        let answer = self.post(&of(name, "handoff"), &request, wait.saturating_add(ANSWER_LIMIT))?;
        self.parse(&answer.whole()?)
    }

    /// Makes a snapshot: `NAME@SNAP`.
    ///
    /// # Errors
    /// Why there is none, or why there is no answer.
    pub fn snapshot_disk(&self, name: &str) -> Result<(), Error> {
        self.verb(name, "snapshot", ANSWER_LIMIT)
    }

    /// Lets a disk show again what its snapshot `NAME@SNAP` shows.
    ///
    /// # Errors
    /// Why it shows what it did, or why there is no answer.
    pub fn revert_disk(&self, name: &str) -> Result<(), Error> {
        self.verb(name, "revert", ANSWER_LIMIT)
    }

    /// Makes the disk `to`, which shows what a disk or a snapshot shows.
    ///
    /// # Errors
    /// Why there is none, or why there is no answer.
    pub fn clone_disk(&self, name: &str, to: &str) -> Result<(), Error> {
        self.told(&of(name, "clone"), &NewNameRequest { to: to.to_owned() }, ANSWER_LIMIT)
    }

    /// Copies what a disk reads of the layers below it: returns once that is done, which may take hours.
    ///
    /// # Errors
    /// Why it still stands above others, or why there is no answer.
    pub fn flatten_disk(&self, name: &str) -> Result<(), Error> {
        self.verb(name, "flatten", WORK_LIMIT)
    }

    fn verb(&self, name: &str, verb: &str, limit: Duration) -> Result<(), Error> {
        let answer = self.send("POST", &of(name, verb), None, limit)?;
        self.parse::<DiskDone>(&answer.whole()?).map(drop)
    }

    fn told(&self, target: &str, request: &impl serde::Serialize, limit: Duration) -> Result<(), Error> {
        let answer = self.post(target, request, limit)?;
        self.parse::<DiskDone>(&answer.whole()?).map(drop)
    }
}
