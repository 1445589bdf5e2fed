//! Linux: paths, ports and sessions (multipathd, iscsid, qla2xxx, lpfc, nvme), aborts and resets.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::Notice::{
    DamagedData, DiskError, Diverged, FileChecksum, ImageWatch, JournalUnread, MemberLost, PathStates,
    PeerLost, RaidLost, SasLog, WritesLost,
};
use crate::fact::PathEvent::{
    AllDown, Failed, GivenUp, InDoubt, LinkDown, LinkUp, Offline, Restored, SessionLost, Unplugged,
};
use crate::fact::SpaceEvent::{Full, Warning};
use crate::fact::TargetStep::BackendError;
use crate::fact::TaskKind::{Abort, DeviceReset, WiderReset};
use crate::fact::TaskOutcome::{self, Done, Issued};

pub const BOOK: PhraseBook = PhraseBook { name: "Linux: paths, aborts, resets", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // Kernels of 2.4, and ESX 3's console above them: `scsi0 (0,0,52) : RESERVATION CONFLICT`.
    beside(") : RESERVATION CONFLICT", &["scsi"], Means::Reservation),
    phrase("remaining active paths: 0", Means::Path(AllDown)),
    phrase("Fail all paths", Means::Path(AllDown)),
    phrase("mark as failed", Means::Path(Failed)),
    phrase("Failing path", Means::Path(Failed)),
    phrase("fail path", Means::Path(Failed)),
    phrase("Reinstating path", Means::Path(Restored)),
    phrase("reinstated", Means::Path(Restored)),
    phrase("remaining active paths", Means::Nothing),
    phrase(" - path offline", Means::Path(Failed)),
    phrase("path checker timed out", Means::Path(Failed)),
    phrase("checker reports path is down", Means::Path(Failed)),
    phrase("checker reports path is up", Means::Path(Restored)),
    phrase("tur checker", Means::Nothing),
    beside("login rejected:", &["uthorization"], Means::Path(SessionLost)),
    beside("login rejected:", &["uthentication"], Means::Path(SessionLost)),
    // ALUA's question for the states of ports failed (multipath-tools, libmultipath/propsel.c; the kernel's scsi_dh_alua.c).
    phrase("emergency fallback - alua failed", Means::Notice(PathStates)),
    phrase("alua: rtpg failed", Means::Notice(PathStates)),
    // The kernel's client of Ceph (drivers/block/rbd.c).
    beside("encountered watch error", &["rbd"], Means::Notice(ImageWatch)),
    beside("breaking header lock owned by", &["rbd"], Means::Notice(ImageWatch)),
    beside("no lock owners detected", &["rbd"], Means::Nothing),
    // No connection to a monitor or a server of Ceph comes about (net/ceph/messenger.c). One that idles is closed, too.
    beside("socket closed (con state CONNECTING)", &["libceph"], Means::Path(SessionLost)),
    // The controller refused a command that it does not know, as tools for the health of disks send (30030109h, of the adapter's own processor).
    beside("log_info(0x30030109)", &["originator(IOP)"], Means::Nothing),
    beside("log_info(", &["originator("], Means::Notice(SasLog)),
    // ISCSI_ERR_SCSI_EH_SESSION_RST: aborts and resets had no answer, and SCSI's error handling dropped the session (include/scsi/iscsi_if.h).
    beside("detected conn error", &["(1021)"], Means::Task(WiderReset, Issued)),
    beside("reported iSCSI connection", &["(1021"], Means::Task(WiderReset, Issued)),
    phrase("detected conn error", Means::Path(SessionLost)),
    phrase("reported iSCSI connection", Means::Path(SessionLost)),
    phrase("is operational after recovery", Means::Path(Restored)),
    phrase("session recovery timed out", Means::Path(SessionLost)),
    beside("ping timeout of", &["connection"], Means::Path(SessionLost)),
    phrase("blocked FC remote port time out", Means::Path(SessionLost)),
    phrase("LOOP DOWN detected", Means::Path(LinkDown)),
    // Solaris: its driver of QLogic's adapters, and a command that its disk driver gave up for good (sd, ssd).
    beside("LOOP DOWN", &["qlc("], Means::Path(LinkDown)),
    beside("Error Level: Fatal", &["Error for Command: "], Means::Notice(DiskError)),
    phrase("LOOP UP detected", Means::Path(LinkUp)),
    beside("lpfc", &["0748 abort handler timed out"], Means::Task(Abort, TaskOutcome::Pending)),
    beside("lpfc", &["Link Down Event"], Means::Path(LinkDown)),
    // What SCSI's error handling (drivers/scsi/scsi_error.c), the block layer and a pulled plug leave behind.
    phrase("rejecting I/O to offline device", Means::Path(Offline)),
    phrase("rejecting I/O to dead device", Means::Path(Offline)),
    phrase("Device offlined", Means::Path(Offline)),
    phrase("device offline error, dev", Means::Path(Offline)),
    phrase("USB disconnect", Means::Path(Unplugged)),
    // libata (drivers/ata/libata-eh.c) and NVMe over PCI Express (drivers/nvme/host/pci.c): both within this host.
    phrase(".00: disable", Means::Path(GivenUp)),
    phrase("hard resetting link", Means::Task(DeviceReset, Issued)),
    beside("error: { UNC", &["ata"], Means::Medium),
    beside("nvme", &["controller is down; will reset"], Means::Task(WiderReset, Issued)),
    // PCI Express itself told of an error (drivers/nvme/host/pci.c, nvme_error_detected).
    beside("nvme", &["frozen state error detected"], Means::Task(WiderReset, Issued)),
    beside("nvme", &["failure state error detected"], Means::Path(GivenUp)),
    beside("nvme", &["Removing after probe failure"], Means::Path(GivenUp)),
    beside("nvme", &["Disabling device after reset failure"], Means::Path(GivenUp)),
    // The multipathing of NVMe (drivers/nvme/host/multipath.c): I/O waits while a path may come back, and fails when none is left.
    beside("nvme", &["no usable path"], Means::Path(InDoubt)),
    beside("nvme", &["no available path"], Means::Path(AllDown)),
    beside("nvme", &["failfast expired"], Means::Path(SessionLost)),
    beside("ANA group", &["inaccessible"], Means::Path(InDoubt)),
    beside("ANA group", &["persistent-loss"], Means::Path(Failed)),
    beside("ANA group", &[": change"], Means::Path(InDoubt)),
    phrase("ANA group", Means::Nothing),
    phrase("ANATT timeout", Means::Path(InDoubt)),
    // NVMe over Fibre Channel (drivers/nvme/host/fc.c).
    beside("NVME-FC{", &["connectivity lost"], Means::Path(SessionLost)),
    beside("NVME-FC{", &["dev_loss_tmo", "expired"], Means::Path(SessionLost)),
    beside("NVME-FC{", &["transport association event"], Means::Path(SessionLost)),
    beside("NVME-FC{", &["connectivity re-established"], Means::Path(Restored)),
    beside("NVME-FC{", &["controller connect complete"], Means::Path(Restored)),
    beside("NVME-FC{", &["resetting controller"], Means::Task(WiderReset, Issued)),
    beside("NVME-FC{", &["io timeout"], Means::Task(Abort, Issued)),
    // The device had answered, and only its interrupt was lost (drivers/nvme/host/pci.c).
    beside("nvme", &["timeout, completion polled"], Means::Nothing),
    beside("nvme", &["timeout, disable controller"], Means::Task(WiderReset, Issued)),
    beside("nvme", &["timeout, aborting"], Means::Task(Abort, Issued)),
    beside("nvme", &["timeout, reset controller"], Means::Task(WiderReset, Issued)),
    beside("nvme", &["Abort status"], Means::Task(Abort, Done)),
    beside("nvme", &["keep-alive", "failed"], Means::Path(SessionLost)),
    beside("nvme", &["starting error recovery"], Means::Path(SessionLost)),
    beside("nvme", &["onnection lost"], Means::Path(SessionLost)),
    beside("nvme", &["Successfully reconnected"], Means::Path(Restored)),
    // NVMe over Fabrics: the controller is given up when its keep-alive is not answered, and tried again from then on
    // (drivers/nvme/host/fabrics.c, tcp.c, rdma.c).
    beside("nvme", &["(Keep Alive)", " timeout"], Means::Path(SessionLost)),
    beside("nvme", &["nvme_keep_alive_end_io error"], Means::Path(SessionLost)),
    beside("nvme", &["econnecting in "], Means::Nothing),
    beside("nvme", &["ailed reconnect attempt"], Means::Nothing),
    beside("nvme", &["failed to connect socket"], Means::Nothing),
    beside("nvme", &["Removing controller"], Means::Path(Failed)),
    beside("nvme", &["creating ", " I/O queues"], Means::Nothing),
    beside("nvme", &["mapped ", " queues"], Means::Nothing),
    beside("nvme", &[" QID ", " timeout"], Means::Task(Abort, Issued)),
    // The same of older kernels (drivers/nvme/host/tcp.c, rdma.c).
    beside("nvme", &["queue ", ": timeout request "], Means::Task(Abort, Issued)),
    // What the kernel had taken, and could not write (fs/buffer.c, fs/jbd2/journal.c, fs/ext4/page-io.c).
    phrase("lost async page write", Means::Notice(WritesLost)),
    phrase("lost sync page write", Means::Notice(WritesLost)),
    // The same of kernels before 4.5.
    phrase("lost page write due to I/O error", Means::Notice(WritesLost)),
    beside("etected aborted journal", &["-fs"], Means::Notice(WritesLost)),
    // XFS (fs/xfs/xfs_log.c, xfs_fsops.c, xfs_log_recover.c; their capitals changed) and GFS (fs/gfs2/util.c) stop where their log cannot be written; -5 is EIO.
    beside("XFS (", &["og I/O Error Detected"], Means::Notice(WritesLost)),
    beside("XFS (", &["shut down due to log error"], Means::Notice(WritesLost)),
    beside("XFS (", &["log I/O error -5"], Means::Notice(WritesLost)),
    beside("XFS (", &["log mount/recovery failed: error -5"], Means::Notice(JournalUnread)),
    beside("XFS (", &["ahead of current LSN"], Means::Notice(JournalUnread)),
    // Both functions end writes alone (fs/xfs/xfs_buf.c); 28 is ENOSPC, which no read meets.
    beside("XFS (", &["etadata I/O error", "xfs_buf_ioend_handle_error"], Means::Notice(WritesLost)),
    beside("XFS (", &["etadata I/O error", "xfs_buf_iodone_callback"], Means::Notice(WritesLost)),
    beside("XFS (", &["etadata I/O error", "error 28"], Means::Notice(WritesLost)),
    beside("XFS (", &["etadata corruption detected"], Means::Notice(DamagedData)),
    beside("XFS (", &["etadata CRC error detected"], Means::Notice(DamagedData)),
    // 117 and 74 are EUCLEAN and EFSBADCRC: what was read is no record, or does not fit its checksum (fs/xfs/xfs_buf.c, xfs_trans_buf.c, xfs_error.c, xfs_fsops.c).
    beside("XFS (", &["etadata I/O error", "error 117 "], Means::Notice(DamagedData)),
    beside("XFS (", &["etadata I/O error", "error 74 "], Means::Notice(DamagedData)),
    beside("XFS (", &["returned error -117"], Means::Notice(DamagedData)),
    beside("XFS (", &["corrupted metadata buffer"], Means::Notice(DamagedData)),
    beside("XFS (", &["nternal error", " at line "], Means::Notice(DamagedData)),
    beside("XFS (", &["orruption of in-memory data", "detected"], Means::Notice(DamagedData)),
    beside("XFS (", &["orruption detected"], Means::Notice(DamagedData)),
    beside("XFS (", &["riteback error on "], Means::Notice(WritesLost)),
    phrase("XFS (", Means::Nothing),
    // The same of kernels that name no device there.
    beside("XFS: Internal error", &[" at line "], Means::Notice(DamagedData)),
    // Btrfs (fs/btrfs/disk-io.c, inode.c, scrub.c). Its counters (`errs: wr 3`) are of the whole life of a disk, and printed at every mount.
    beside("BTRFS", &["lost page write due to IO error"], Means::Notice(WritesLost)),
    beside("BTRFS", &["unable to fixup"], Means::Notice(DamagedData)),
    // What it checks before it writes and when it reads (fs/btrfs/tree-checker.c); then it takes no more writes (transaction.c).
    beside("BTRFS", &["orrupt leaf"], Means::Notice(DamagedData)),
    beside("BTRFS", &["orrupt node"], Means::Notice(DamagedData)),
    beside("BTRFS", &["tree block corruption detected"], Means::Notice(DamagedData)),
    beside("BTRFS", &["Error while writing out transaction"], Means::Notice(WritesLost)),
    beside("BTRFS", &["csum failed"], Means::Notice(FileChecksum)),
    beside("BTRFS", &["checksum/header error"], Means::Notice(FileChecksum)),
    beside("BTRFS", &["checksum error at"], Means::Notice(FileChecksum)),
    // bcache (drivers/md/bcache/io.c, journal.c, btree.c): what the cache could not take, or its index not record.
    beside("bcache: ", &["IO error on writing"], Means::Notice(WritesLost)),
    beside("bcache: ", &["journal io error"], Means::Notice(WritesLost)),
    beside("bcache: ", &["bch_btree_insert() error"], Means::Notice(WritesLost)),
    beside("fsid=", &["onsistency error"], Means::Notice(DamagedData)),
    beside("fsid=", &["GFS", "fatal: I/O error"], Means::Notice(WritesLost)),
    beside("fsid=", &["GFS", "about to withdraw"], Means::Notice(WritesLost)),
    // The same since it writes its name small.
    beside("fsid=", &["gfs2", "fatal: I/O error"], Means::Notice(WritesLost)),
    beside("fsid=", &["gfs2", "riting to journal"], Means::Notice(WritesLost)),
    beside("fsid=", &["gfs2", "about to withdraw"], Means::Notice(WritesLost)),
    beside("fsid=", &["gfs2"], Means::Nothing),
    beside("fsid=", &["GFS"], Means::Nothing),
    // md (drivers/md/raid5.c, raid10.c, raid1.c)
    beside("md/raid", &["Cannot continue operation"], Means::Notice(RaidLost)),
    beside("md/raid", &["Disk failure on "], Means::Notice(MemberLost)),
    phrase("md/raid", Means::Nothing),
    beside("event detected on md device", &["Fail"], Means::Notice(MemberLost)),
    // DRBD (drbd_receiver.c)
    beside("Split-Brain detected", &["automatically solved"], Means::Nothing),
    beside("Split-Brain detected", &["drbd"], Means::Notice(Diverged)),
    beside("helper command: ", &["drbdadm split-brain"], Means::Notice(Diverged)),
    beside("helper command: ", &["drbd"], Means::Nothing),
    beside("PingAck did not arrive in time", &["drbd"], Means::Notice(PeerLost)),
    beside("-> NetworkFailure", &["drbd"], Means::Notice(PeerLost)),
    beside("-> BrokenPipe", &["drbd"], Means::Notice(PeerLost)),
    phrase("Aborting journal on device", Means::Notice(WritesLost)),
    // fs/ext4/ext4_jbd2.c, inode.c, super.c, dir.c
    beside("bad entry in directory", &["-fs error"], Means::Notice(DamagedData)),
    beside("Journal has aborted", &["-fs"], Means::Notice(WritesLost)),
    beside("Error while async write back metadata", &["-fs"], Means::Notice(WritesLost)),
    beside("I/O error while writing superblock", &["-fs"], Means::Notice(WritesLost)),
    beside("Remounting filesystem read-only", &["-fs"], Means::Notice(WritesLost)),
    beside(" writing to inode ", &["-fs"], Means::Notice(WritesLost)),
    // Thin pools (drivers/md/dm-thin.c).
    phrase("switching pool to out-of-data-space", Means::Space(Full)),
    // drivers/scsi/scsi_error.c
    phrase("reached a thin provisioning soft threshold", Means::Space(Warning)),
    phrase("reached low water mark for data device", Means::Space(Warning)),
    // The metadata of a thin pool have a device of their own (drivers/md/persistent-data/dm-space-map-metadata.c); -28 is ENOSPC.
    phrase("reached low water mark for metadata device", Means::Space(Warning)),
    beside("unable to allocate new metadata block", &["space map"], Means::Space(Full)),
    beside("metadata operation '", &["error = -28"], Means::Space(Full)),
    beside("device-mapper: thin", &["switching pool to read-only"], Means::Target(BackendError)),
    beside("device-mapper: thin", &["switching pool to fail"], Means::Target(BackendError)),
    beside("device-mapper: thin", &["switching pool to write"], Means::Nothing),
    // ZFS stops a pool whose disks fail.
    phrase("has encountered an uncorrectable I/O failure", Means::Target(BackendError)),
    beside("qla2xxx", &["Abort command issued"], Means::Task(Abort, Issued)),
    beside("qla2xxx", &["DEVICE RESET ISSUED"], Means::Task(DeviceReset, Issued)),
    beside("qla2xxx", &["DEVICE RESET SUCCEEDED"], Means::Task(DeviceReset, Done)),
    beside("qla2xxx", &["TARGET RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qla2xxx", &["ADAPTER RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qla2xxx", &["LOOP RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qla2xxx", &["BUS RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("lpfc", &["SCSI Layer I/O Abort Request Status"], Means::Task(Abort, Issued)),
    beside("lpfc", &["SCSI layer issued Device Reset"], Means::Task(DeviceReset, Issued)),
    phrase("attempting task abort", Means::Task(Abort, Issued)),
    // drivers/scsi/megaraid/megaraid_sas_base.c, megaraid_sas_fusion.c: SCSI's error handling asks for them, and the second resets the whole controller.
    beside("megaraid_sas", &["target reset called for scmd"], Means::Task(DeviceReset, Issued)),
    beside("megaraid_sas", &["will reset adapter"], Means::Task(WiderReset, Issued)),
    beside("megasas: RESET", &["cmd="], Means::Task(WiderReset, Issued)),
    // The driver knows the command no more: whether it was executed, its other words leave open (mpt3sas_scsih.c).
    phrase("No reference found at driver", Means::Nothing),
    // drivers/usb/storage/uas.c
    phrase("uas_eh_abort_handler", Means::Task(Abort, Issued)),
    phrase("uas_eh_device_reset_handler start", Means::Task(DeviceReset, Issued)),
    phrase("uas_eh_device_reset_handler success", Means::Task(DeviceReset, Done)),
    // cciss prints sense keys by number (drivers/block/cciss.c).
    beside("cciss", &["CHECK CONDITION sense key = 0x3"], Means::Medium),
    beside("cciss", &["CHECK CONDITION sense key = 0x4"], Means::Medium),
    // smartd passes on what a disk says of itself (sense 5Dh), and Dell's agent what its controller prints: keys 3 and 4 are the medium's and the hardware's.
    beside("IMPENDING FAILURE", &["SMART"], Means::Medium),
    beside("PREDICTION THRESHOLD", &["SMART Failure"], Means::Medium),
    // Sectors that a disk could not read and has not given up yet (smartd).
    beside(" (pending) sectors", &["nreadable"], Means::Medium),
    // HP-UX prints the sense data of its disks so.
    beside(" KEY: 0x", &[" KEY: 0x3 ASC: "], Means::Medium),
    beside(" KEY: 0x", &[" KEY: 0x4 ASC: "], Means::Medium),
    // ZFS tells the errors of its disks as events; 61 is ENODATA, which Linux makes of a medium that could not be read or written.
    beside("class=io", &["err=61"], Means::Medium),
    beside("Unexpected sense", &["Sense key:  3"], Means::Medium),
    beside("Unexpected sense", &["Sense key: 3"], Means::Medium),
    beside("Unexpected sense", &["Sense key:  4"], Means::Medium),
    beside("Unexpected sense", &["Sense key: 4"], Means::Medium),
    phrase("task abort: SUCCESS", Means::Task(Abort, Done)),
    phrase("task abort: FAILED", Means::Task(Abort, TaskOutcome::Failed)),
    phrase("Power-on or device reset occurred", Means::Nothing),
];
