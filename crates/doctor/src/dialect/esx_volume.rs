//! VMware: volumes and devices, by phrases: access lost, space, copies, reservations, support of ATS, lock modes.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::HeartbeatStep::{Corrupt, LostAccess, Restored, TimedOut};
use crate::fact::LockStep;
use crate::fact::SpaceEvent::{Full, Warning};
use crate::fact::Support::{MixedModes, NeededByVolume, No};

pub const BOOK: PhraseBook = PhraseBook { name: "VMware: volumes", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    phrase("Lost access to volume", Means::Heartbeat(LostAccess)),
    phrase("restored access to volume", Means::Heartbeat(Restored)),
    phrase("vmfs.heartbeat.timedout", Means::Heartbeat(TimedOut)),
    phrase("vmfs.heartbeat.recovered", Means::Heartbeat(Restored)),
    phrase("vmfs.heartbeat.unrecoverable", Means::Heartbeat(LostAccess)),
    phrase("vmfs.heartbeat.corruptondisk", Means::Heartbeat(Corrupt)),
    phrase("vmfs.lock.corruptondisk", Means::Lock(LockStep::Corrupt)),
    phrase("vmfs.resource.corruptondisk", Means::Lock(LockStep::Corrupt)),
    phrase("Corrupt lock detected", Means::Lock(LockStep::Corrupt)),
    phrase("vmfs.ats.support.lost", Means::Support(NeededByVolume)),
    phrase("ATS-Only volume", Means::Support(NeededByVolume)),
    phrase("ATS-only volume", Means::Support(NeededByVolume)),
    phrase("vmfs.ats.incompatibility", Means::Support(NeededByVolume)),
    beside("VMFS locking mode", &["differ"], Means::Support(MixedModes)),
    beside("locking mode", &["mismatch"], Means::Support(MixedModes)),
    beside("ATS Status:", &["unsupported"], Means::Support(No)),
    beside("ATS Status:", &["supported"], Means::Nothing),
    phrase("detected as a snapshot", Means::Snapshot),
    phrase("may be snapshot: disabling access", Means::Snapshot),
    phrase("too many reservation conflicts", Means::Reservation),
    phrase("Sync CR at", Means::Reservation),
    phrase("Reservation error", Means::Reservation),
    phrase("SCSI reservation conflict", Means::Reservation),
    phrase("Long VMFS3 rsv time", Means::Nothing),
    phrase("Long VMFS rsv time", Means::Nothing),
    phrase("scsi.device.thinprov.atquota", Means::Space(Warning)),
    phrase("vmfs.extent.offline", Means::Heartbeat(LostAccess)),
    phrase("thin-provisioned device", Means::Space(Warning)),
    beside("Thin provisioned device", &["ran out of space"], Means::Space(Full)),
    phrase("out of physical space", Means::Space(Full)),
    phrase("Out of space on the thin-provisioned", Means::Space(Full)),
    phrase("nospace.problem", Means::Space(Full)),
    phrase("File system timeout (Ok to retry)", Means::Nothing),
    phrase("WARNING: NFS", Means::Nothing),
    beside("VSCSIFs", &["status Busy"], Means::Nothing),
    phrase("Power-on Reset occurred", Means::Nothing),
    phrase("edium error", Means::Medium),
    phrase("MEDIUM ERROR", Means::Medium),
    phrase("Boot Successful", Means::Restart),
    phrase("bootstop: Host has booted", Means::Restart),
    phrase("BlueScreen", Means::Restart),
];
