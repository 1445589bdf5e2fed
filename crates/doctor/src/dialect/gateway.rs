//! Gateways and targets in user space: tcmu-runner, Ceph clients, SPDK, SCST, tgt, ctld.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::GatewayStep::{Blocklisted, LockAcquired, LockLost, Shutdown};
use crate::fact::TargetStep::{BackendError, CacheLost, FusedSplit, Miscompare, SessionLost, SlowBackend};
use crate::fact::TaskKind::{Abort, DeviceReset};
use crate::fact::TaskOutcome::{AlreadyComplete, Done, Issued};

pub const BOOK: PhraseBook = PhraseBook { name: "gateways and targets in user space", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // tcmu-runner, and librbd below it
    phrase("cquired exclusive lock", Means::Gateway(LockAcquired)),
    phrase("Async lock drop", Means::Gateway(LockLost)),
    phrase("exclusive lock lost", Means::Gateway(LockLost)),
    phrase("lost exclusive lock", Means::Gateway(LockLost)),
    phrase("Lock acquired by", Means::Gateway(LockLost)),
    phrase("blacklisted", Means::Gateway(Blocklisted)),
    phrase("blocklisted", Means::Gateway(Blocklisted)),
    phrase("ESHUTDOWN", Means::Gateway(Shutdown)),
    phrase("Cannot send after transport endpoint shutdown", Means::Gateway(Shutdown)),
    beside("tcmu", &["imed out"], Means::Target(SlowBackend)),
    beside("tcmu", &["Timing out cmd"], Means::Target(SlowBackend)),
    phrase("slow requests are blocked", Means::Target(SlowBackend)),
    phrase("slow ops", Means::Target(SlowBackend)),
    // Controllers with a cache of their own
    phrase("ache discarded", Means::Target(CacheLost)),
    phrase("ache data lost", Means::Target(CacheLost)),
    phrase("ache data was lost", Means::Target(CacheLost)),
    // SPDK
    phrase("failing first of fused commands", Means::Target(FusedSplit)),
    phrase("Expected first of fused commands", Means::Target(FusedSplit)),
    phrase("failing second of fused commands", Means::Target(FusedSplit)),
    phrase("nvmf_ctrlr_process_io_fused_cmd", Means::Nothing),
    phrase("nvmf_ctrlr_process_io_cmd", Means::Nothing),
    phrase("nvmf_ctrlr_keep_alive_poll", Means::Target(SessionLost)),
    beside("spdk", &["ABORT", "not supported"], Means::Target(SessionLost)),
    beside("iscsi.c", &["ABORT TASK", "not support"], Means::Target(SessionLost)),
    phrase("bdev_nvme_abort", Means::Task(Abort, Issued)),
    // SCST, tgt, FreeBSD's ctld
    beside("scst", &["iscompare"], Means::Target(Miscompare)),
    // iSCSI TM function 1 is ABORT TASK, and response 1 says that there is no such task any more (RFC 7143, 11.6.1).
    beside("iSCSI TM fn 1", &["finished, status 1"], Means::Task(Abort, AlreadyComplete)),
    beside("iSCSI TM fn 1", &["finished, status 0"], Means::Task(Abort, Done)),
    phrase("iSCSI TM fn 1", Means::Task(Abort, Issued)),
    beside("iSCSI TM fn 5", &[], Means::Task(DeviceReset, Issued)),
    beside("waiting for reply to/from initiator", &[], Means::Target(SessionLost)),
    beside("scst", &["TM fn", "ABORT"], Means::Task(Abort, Issued)),
    beside("scst", &["TM fn", "RESET"], Means::Task(DeviceReset, Issued)),
    beside("scst", &["stuck"], Means::Target(SlowBackend)),
    beside("tgtd:", &["abort_cmd"], Means::Task(Abort, Issued)),
    beside("tgtd:", &["io error"], Means::Target(BackendError)),
    beside("tgtd:", &["connection closed"], Means::Target(SessionLost)),
    phrase("no ping reply (NOP-Out) after", Means::Target(SessionLost)),
    beside("ctl_datamove", &["aborted"], Means::Task(Abort, Issued)),
    beside("COMPARE AND WRITE", &["CAM status", "iscompare"], Means::Target(Miscompare)),
];
