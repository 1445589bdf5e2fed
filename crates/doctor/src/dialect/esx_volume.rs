//! VMware: volumes and devices, by phrases: access lost, space, copies, reservations, support of ATS, lock modes.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::HeartbeatStep::{CleanedUp, Corrupt, LostAccess, Restored, TimedOut};
use crate::fact::LockStep;
use crate::fact::Notice::{
    Checksum, CopyFilter, DamagedData, DeviceLocked, HeaderUnread, HeapExhausted, JournalUnread,
    JournalUnwritten, LockLost, MirrorLost, ProcessorStuck, RingFull, VolumeFull, WriteGivenUp,
};
use crate::fact::SpaceEvent::{Full, Warning};
use crate::fact::Support::{MixedModes, NeededByVolume, No};
use crate::fact::VolumeEvent::{Made, Resignatured};

pub const BOOK: PhraseBook = PhraseBook { name: "VMware: volumes", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    phrase("Lost access to volume", Means::Heartbeat(LostAccess)),
    phrase("restored access to volume", Means::Heartbeat(Restored)),
    // J3 replays the journal of a host that counts as dead.
    beside("Replaying transaction failed", &["J3: "], Means::Notice(JournalUnread)),
    // The lock of a whole device, by which a host extends or makes a volume.
    beside("Lock was not free", &["LVM: ", "device"], Means::Notice(DeviceLocked)),
    beside("device lock", &["LVM: ", "please break"], Means::Notice(DeviceLocked)),
    beside("some remote", &["LVM: ", "locked"], Means::Notice(DeviceLocked)),
    beside("level retries", &["ailed to write", "kernel-"], Means::Notice(WriteGivenUp)),
    // vSAN gives a disk up whose errors do not end.
    beside("is under permanent error", &["LSOM"], Means::Medium),
    phrase("Replaying journal at", Means::Heartbeat(CleanedUp)),
    phrase("vmfs.heartbeat.timedout", Means::Heartbeat(TimedOut)),
    phrase("vmfs.heartbeat.recovered", Means::Heartbeat(Restored)),
    phrase("vmfs.heartbeat.unrecoverable", Means::Heartbeat(LostAccess)),
    phrase("vmfs.heartbeat.corruptondisk", Means::Heartbeat(Corrupt)),
    phrase("vmfs.lock.corruptondisk", Means::Lock(LockStep::Corrupt)),
    phrase("vmfs.resource.corruptondisk", Means::Lock(LockStep::Corrupt)),
    phrase("Corrupt lock detected", Means::Lock(LockStep::Corrupt)),
    phrase("esource cluster metadata corruption", Means::Lock(LockStep::Corrupt)),
    beside("VMFS volume ", &["has been detected corrupted"], Means::Lock(LockStep::Corrupt)),
    // Beside these, which name the volume.
    phrase("Invalid clusterNum", Means::Nothing),
    // The medium that an ESXi host starts from does not answer any more.
    phrase("Bootbank cannot be found at path", Means::Medium),
    phrase("vmfs.ats.support.lost", Means::Support(NeededByVolume)),
    phrase("ATS-Only volume", Means::Support(NeededByVolume)),
    phrase("ATS-only volume", Means::Support(NeededByVolume)),
    phrase("ATS-Only VMFS Volume", Means::Support(NeededByVolume)),
    phrase("ATS-Only VMFS volume", Means::Support(NeededByVolume)),
    phrase("access on an ATS-only vol ", Means::Support(NeededByVolume)),
    phrase("vmfs.ats.incompatibility", Means::Support(NeededByVolume)),
    beside("VMFS locking mode", &["differ"], Means::Support(MixedModes)),
    beside("locking mode", &["mismatch", "VMFS"], Means::Support(MixedModes)),
    beside("locking mode", &["mismatch", "ATS"], Means::Support(MixedModes)),
    beside("ATS Status:", &["unsupported"], Means::Support(No)),
    beside("ATS Status:", &["supported"], Means::Nothing),
    // A program of some release is detected as a snapshot, too.
    beside("detected as a snapshot", &["evice "], Means::Snapshot),
    beside("detected as a snapshot", &["olume"], Means::Snapshot),
    beside("detected as a snapshot", &["LUN"], Means::Snapshot),
    beside("detected to be a snapshot", &["evice "], Means::Snapshot),
    // ESX 3: `LVM: 5573: Device vmhba1:0:0:1 is a snapshot:`
    beside("is a snapshot:", &["Device "], Means::Snapshot),
    phrase("is detected as being in volume", Means::Nothing),
    phrase("may be snapshot: disabling access", Means::Snapshot),
    beside("esignatured", &["LV"], Means::Volume(Resignatured)),
    phrase("esignatureUnresolvedVmfsVolume", Means::Volume(Resignatured)),
    // Of older releases.
    phrase("End resignaturing volume", Means::Volume(Resignatured)),
    phrase("Begin resignaturing volume", Means::Nothing),
    phrase("Formatted new VMFS", Means::Volume(Made)),
    // The heap of VMFS (KB344097).
    beside("already at its maximum size", &["Heap vmfs3"], Means::Notice(HeapExhausted)),
    beside("Maximum allowed growth", &["Heap vmfs3", "too small"], Means::Notice(HeapExhausted)),
    beside("Heap_Align(vmfs3", &["failed"], Means::Notice(HeapExhausted)),
    beside("Failed to reserve space for journal", &["Out of memory"], Means::Notice(HeapExhausted)),
    // The volume's own space; a RAM disk's is another.
    beside("No space left on device", &["Fil6:"], Means::Notice(VolumeFull)),
    beside("No space left on device", &["Fil3:"], Means::Notice(VolumeFull)),
    beside("No space left on device", &["FSS: "], Means::Notice(VolumeFull)),
    phrase("There is no more space for virtual disk", Means::Notice(VolumeFull)),
    beside("SVM: ", &["IO failed", "No connection"], Means::Notice(MirrorLost)),
    beside("LWD: ", &["Failed to write extent"], Means::Notice(CopyFilter)),
    beside("LWD: ", &["Failure"], Means::Notice(CopyFilter)),
    beside("LWD: ", &["did not complete in the stipulated time"], Means::Notice(CopyFilter)),
    beside("hecksum error", &["LSOM"], Means::Notice(Checksum)),
    beside("Ran out of IOCBs", &["qlnativefc"], Means::Notice(RingFull)),
    beside("no heartbeat (", &["PCPU "], Means::Notice(ProcessorStuck)),
    beside("have a heartbeat for", &["PCPU "], Means::Notice(ProcessorStuck)),
    // VMFS's journal, its headers and its locks; the status stands behind the colon (vmkapi: `VMK_FS_LOCK_LOST`).
    phrase("Lost previously held disk lock", Means::Notice(LockLost)),
    beside("rror committing txn", &[": I/O error"], Means::Notice(JournalUnwritten)),
    beside("rror committing txn", &[": Timeout"], Means::Notice(JournalUnwritten)),
    beside("Couldn't read volume header from", &[": Timeout"], Means::Notice(HeaderUnread)),
    beside("Couldn't read volume header from", &[": I/O error"], Means::Notice(HeaderUnread)),
    beside("Partition table read from device", &["failed: I/O error"], Means::Notice(HeaderUnread)),
    beside("Partition table read from device", &["failed: Timeout"], Means::Notice(HeaderUnread)),
    beside("Failed to initialize VMFS distributed locking", &[": Timeout"], Means::Notice(HeaderUnread)),
    beside("Failed to initialize VMFS distributed locking", &[": I/O error"], Means::Notice(HeaderUnread)),
    // VMFS's checker, `voma`.
    phrase("ON-DISK ERROR: ", Means::Notice(DamagedData)),
    phrase("too many reservation conflicts", Means::Reservation),
    phrase("Sync CR at", Means::Reservation),
    // Rooms and seats are reserved, too.
    beside("Reservation error", &["SCSI"], Means::ReservationError),
    beside("Reservation error", &["FS3"], Means::ReservationError),
    beside("Reservation error", &["LVM"], Means::ReservationError),
    beside("Reservation error", &["vmhba"], Means::ReservationError),
    beside("Reservation error", &["cpu"], Means::ReservationError),
    phrase("SCSI reservation conflict", Means::Reservation),
    phrase("Long VMFS3 rsv time", Means::Nothing),
    phrase("Long VMFS rsv time", Means::Nothing),
    phrase("scsi.device.thinprov.atquota", Means::Space(Warning)),
    phrase("vmfs.extent.offline", Means::Heartbeat(LostAccess)),
    phrase("thin-provisioned device", Means::Space(Warning)),
    beside("Thin provisioned device", &["ran out of space"], Means::Space(Full)),
    beside("out of physical space", &["evice "], Means::Space(Full)),
    beside("out of physical space", &["atastore"], Means::Space(Full)),
    beside("out of physical space", &["LUN"], Means::Space(Full)),
    beside("out of physical space", &["pool"], Means::Space(Full)),
    phrase("Out of space on the thin-provisioned", Means::Space(Full)),
    phrase("nospace.problem", Means::Space(Full)),
    // The host halves the queue of a device that answered so.
    phrase("due to queue full/busy conditions", Means::QueueFull),
    phrase("File system timeout (Ok to retry)", Means::Nothing),
    phrase("WARNING: NFS", Means::Nothing),
    beside("VSCSIFs", &["status Busy"], Means::Nothing),
    phrase("Power-on Reset occurred", Means::Nothing),
    // Counters, as controllers' tools and smartctl list them.
    phrase("edium error count", Means::Nothing),
    phrase("edium Error Count", Means::Nothing),
    phrase("on-medium error", Means::Nothing),
    phrase("edium errors", Means::Nothing),
    phrase("edium error", Means::Medium),
    phrase("MEDIUM ERROR", Means::Medium),
    phrase("Boot Successful", Means::Restart),
    phrase("esx.audit.host.stop.", Means::Restart),
    phrase("VMKernel shutting down", Means::Restart),
    beside("systemd-logind", &["System is rebooting"], Means::Restart),
    beside("systemd-logind", &["System is powering down"], Means::Restart),
    phrase("bootstop: Host has booted", Means::Restart),
    phrase("BlueScreen", Means::Restart),
];
