//! Gateways and targets in user space: tcmu-runner, Ceph clients, SPDK, SCST, tgt, ctld.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::GatewayStep::{Blocklisted, LockAcquired, LockLost, Shutdown};
use crate::fact::Notice::{GatewayLock, Hung, NoGoodCopy, QuorumLost, TargetHung};
use crate::fact::PathEvent;
use crate::fact::SpaceEvent::{Full, Warning};
use crate::fact::TargetStep::{BackendError, CacheLost, FusedSplit, Miscompare, SessionLost, SlowBackend};
use crate::fact::TaskKind::{Abort, DeviceReset, WiderReset};
use crate::fact::TaskOutcome::{AlreadyComplete, Done, Issued};

pub const BOOK: PhraseBook = PhraseBook { name: "gateways and targets in user space", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // tcmu-runner, and librbd below it
    phrase("cquired exclusive lock", Means::Gateway(LockAcquired)),
    phrase("Async lock drop", Means::Gateway(LockLost)),
    phrase("exclusive lock lost", Means::Gateway(LockLost)),
    phrase("lost exclusive lock", Means::Gateway(LockLost)),
    phrase("Lock acquired by", Means::Gateway(LockLost)),
    // Its connection to the storage behind it is gone, and it closes the image (tcmu-runner, tcmur_device.c).
    phrase("Handler connection lost", Means::Gateway(Shutdown)),
    // Only a gateway's own words count: multipathd lists disks so, Ceph any client, and every network file system has this error.
    beside("blacklisted", &["tcmu"], Means::Gateway(Blocklisted)),
    beside("blocklisted", &["tcmu"], Means::Gateway(Blocklisted)),
    beside("blacklisted", &["librbd"], Means::Gateway(Blocklisted)),
    beside("blocklisted", &["librbd"], Means::Gateway(Blocklisted)),
    beside("ESHUTDOWN", &["tcmu"], Means::Gateway(Shutdown)),
    beside("ESHUTDOWN", &["rbd"], Means::Gateway(Shutdown)),
    beside("Cannot send after transport endpoint shutdown", &["tcmu"], Means::Gateway(Shutdown)),
    beside("Cannot send after transport endpoint shutdown", &["rbd"], Means::Gateway(Shutdown)),
    // At its end it waits for whoever uses its devices.
    beside("tcmu", &["imed out waiting for devices"], Means::Nothing),
    beside("tcmu", &["imed out"], Means::Target(SlowBackend)),
    beside("tcmu", &["Timing out cmd"], Means::Target(SlowBackend)),
    // The kernel's watch over tasks: a target whose own thread waits for two minutes answers nobody.
    beside("blocked for more than", &["task reactor_"], Means::Target(SlowBackend)),
    beside("blocked for more than", &["task iscsi_t"], Means::Target(SlowBackend)),
    beside("blocked for more than", &["task tcmu"], Means::Target(SlowBackend)),
    beside("blocked for more than", &["task nvmet"], Means::Target(SlowBackend)),
    phrase("target_tmr_work", Means::Notice(TargetHung)),
    beside("core_tmr_", &["[target_core_mod]"], Means::Notice(TargetHung)),
    beside("iscsi_target_do_login_rx", &["Workqueue"], Means::Notice(TargetHung)),
    beside("blocked for more than", &["INFO: task"], Means::Notice(Hung)),
    beside("state:D ", &["task:"], Means::Notice(Hung)),
    beside("ould not break lock", &["tcmu_rbd"], Means::Notice(GatewayLock)),
    // The same where the name of its function was taken off (tcmu-runner, rbd.c), and what it said for it before.
    beside("ould not break lock from", &["(Err -"], Means::Notice(GatewayLock)),
    beside("while trying to acquire lock", &["tcmu_rbd_lock"], Means::Notice(GatewayLock)),
    phrase("slow requests are blocked", Means::Target(SlowBackend)),
    beside("slow requests (by type", &["osd"], Means::Target(SlowBackend)),
    // Ceph's checks of its space: at the full ratio of one OSD, or the quota of a pool, writes of all clients stop (docs.ceph.com, health checks).
    beside("OSD_FULL", &["ealth check cleared"], Means::Nothing),
    beside("POOL_FULL", &["ealth check cleared"], Means::Nothing),
    beside("OSD_FULL", &["ealth check"], Means::Space(Full)),
    beside("POOL_FULL", &["ealth check"], Means::Space(Full)),
    // What is over, and what is counted as none.
    beside("slow ops", &["cleared"], Means::Nothing),
    beside("slow ops", &[" 0 slow ops"], Means::Nothing),
    beside("slow ops", &["osd"], Means::Target(SlowBackend)),
    // Controllers with a cache of their own
    beside("ache discarded", &["ontroller"], Means::Target(CacheLost)),
    phrase("ache data lost", Means::Target(CacheLost)),
    phrase("ache data was lost", Means::Target(CacheLost)),
    // FreeBSD's CAM, on both sides of a disk (cam/scsi/scsi_all.c)
    phrase("SCSI sense: MISCOMPARE asc:1d,0", Means::FalseAnswer),
    // It prints this of a disk in use alone, not of one that it finds when it starts: whatever the disk had in hand was lost to a reset.
    phrase("SCSI sense: UNIT ATTENTION asc:29,", Means::Task(DeviceReset, Done)),
    // An array's own event log, as 3PAR's and its heirs' print sense data. A key word holds no `0x`: web pages spell it with another sign.
    beside("asc/q:", &["asc/q:0x27/07", "Skey:0x07"], Means::Space(Full)),
    beside("asc/q:", &["asc/q:0x38/07", "Skey:0x06"], Means::Space(Warning)),
    phrase("neither local nor remote data", Means::Notice(NoGoodCopy)),
    // DRBD (drbd_state.c): what it holds back, it says for a resource. Until a peer is fenced (`fencing`) it does so at each restart of one, for moments.
    // Whoever takes a resource down on purpose has it suspended for a moment, and the reason behind it.
    beside("susp-io( no -> quorum", &["[down]"], Means::Nothing),
    phrase("susp-io( no -> quorum", Means::Notice(QuorumLost)),
    beside("quorum( yes -> no", &["[down]"], Means::Nothing),
    // It prints so what it refused to do (`___end_state_change`).
    beside("quorum( yes -> no", &["Failed: "], Means::Nothing),
    phrase("quorum( yes -> no", Means::Notice(QuorumLost)),
    phrase("susp-io( no -> no-disk", Means::Notice(NoGoodCopy)),
    // VDO (dm-vdo, status-codes.c): its pool has no physical block left.
    beside("VDO Status: ", &["Out of space"], Means::Space(Full)),
    phrase("VDO_NO_SPACE", Means::Space(Full)),
    // SPDK; these are its initiator's (lib/nvme/nvme_qpair.c)
    phrase("COMPARE FAILURE (02/85)", Means::FalseAnswer),
    phrase("CAPACITY EXCEEDED (00/81)", Means::Space(Full)),
    phrase("WRITE FAULTS (02/80)", Means::Medium),
    phrase("UNRECOVERED READ ERROR (02/81)", Means::Medium),
    phrase("failing first of fused commands", Means::Target(FusedSplit)),
    phrase("Expected first of fused commands", Means::Target(FusedSplit)),
    phrase("failing second of fused commands", Means::Target(FusedSplit)),
    phrase("nvmf_ctrlr_process_io_fused_cmd", Means::Nothing),
    phrase("nvmf_ctrlr_process_io_cmd", Means::Nothing),
    phrase("nvmf_ctrlr_keep_alive_poll", Means::Target(SessionLost)),
    phrase("spdk_sock_recv() failed, errno", Means::Path(PathEvent::SessionLost)),
    phrase("transport retry counter exceeded", Means::Path(PathEvent::SessionLost)),
    // A refused abort makes ESXi drop the connection (SPDK issue 2001).
    beside("_scsi_lun_execute_mgmt_task", &["failed"], Means::Target(SessionLost)),
    beside("iscsi_op_task", &["ABORT_TASK"], Means::Task(Abort, Issued)),
    beside("iscsi_op_task", &["RESET"], Means::Task(DeviceReset, Issued)),
    beside("spdk", &["ABORT", "not supported"], Means::Target(SessionLost)),
    beside("iscsi.c", &["ABORT TASK", "not support"], Means::Target(SessionLost)),
    phrase("bdev_nvme_abort", Means::Task(Abort, Issued)),
    // SCST, tgt, FreeBSD's ctld
    phrase("Reservation conflict (dev ", Means::Reservation),
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
    // It prints the error of the file behind the unit (usr/bs_rdwr.c and the other files `bs_*`).
    beside(" io error ", &["bs_", "No space left on device"], Means::Space(Full)),
    beside("tgtd:", &["io error"], Means::Target(BackendError)),
    beside("tgtd:", &["connection closed"], Means::Target(SessionLost)),
    phrase("no ping reply (NOP-Out) after", Means::Target(SessionLost)),
    // FreeBSD's drivers of LSI's adapters (dev/mps/mps_sas.c, dev/mpt/mpt_cam.c): the adapter ended commands of a link or a disk that was lost.
    beside("terminated ioc ", &["SMID"], Means::Task(Abort, Issued)),
    beside("timed out for ccb", &["mpt"], Means::Task(Abort, Issued)),
    beside("mpt_recover_commands", &["Resetting controller"], Means::Task(WiderReset, Issued)),
    beside("ctl_datamove", &["aborted"], Means::Task(Abort, Issued)),
    beside("COMPARE AND WRITE", &["CAM status", "iscompare"], Means::Target(Miscompare)),
];
