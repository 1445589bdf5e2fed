//! What is said of data: a write that was given up, lost or refused is told as one, whatever cause is found beside it; and who was only missed lost nothing.

use oarlock_doctor::report::advice::at_risk;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Doctor, Report};

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

/// What the first screen says of the data.
fn data(log: &str) -> &'static str {
    at_risk(&judge(log)).unwrap_or_else(|| panic!("no incident: {log}")).1
}

/// Lines of one second of a kernel's log.
fn kernel(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("Jun  2 05:00:07 rook kernel: {line}\n")).collect()
}

const UNANSWERED: &str = "Writes without an answer may or may not be on the disk";
const FAILED: &str = "Writes failed: what they held is not on the disk";
const NONE: &str = "No write without an answer is among these lines";
const DIFFERS: &str = "Data is at risk: something on the disk is wrong";

#[test]
fn an_abort_is_of_the_command_that_stands_in_its_line_or_behind_it() {
    const ABORTS: [&str; 3] = [
        "sd 7:0:4:0: attempting task abort!scmd(0x00000000c0ffee01), outstanding for 40123 ms & timeout 30000 ms\nsd 7:0:4:0: [sdm] tag#811 CDB: @\nsd 7:0:4:0: No reference found at driver, assuming scmd(0x00000000c0ffee01) might have completed\nsd 7:0:4:0: task abort: SUCCESS scmd(0x00000000c0ffee01)",
        "mptscsih: ioc0: attempting task abort! (sc=ffff88011c0ffe00)\nsd 7:0:4:0: [sdm] CDB: @\nmptscsih: ioc0: task abort: SUCCESS (sc=ffff88011c0ffe00)",
        "sd 7:0:4:0: [sdm] tag#3 uas_eh_abort_handler 0 uas-tag 4 inflight: CMD\nsd 7:0:4:0: [sdm] tag#3 CDB: @",
    ];
    const TERMINATED: &str =
        "(da4:mps1:0:17:0): @ length 131072 SMID 411 terminated ioc 804b scsi 0 state c xfer 0";
    let of = |abort: &str, command: &str| {
        let text = abort.replace('@', command);
        data(&kernel(&text.lines().collect::<Vec<_>>()))
    };
    for abort in ABORTS {
        for write in
            ["Write(10): 2a 00 07 1a 6c 00 00 04 00 00", "opcode=0x8a 8a 00 00 00 00 01 73 00 00 80 00 00"]
        {
            assert!(of(abort, write).starts_with(UNANSWERED), "{abort} {write}");
        }
        assert!(of(abort, "Read(10): 28 00 07 1a 6c 00 00 04 00 00").starts_with(NONE), "{abort}");
    }
    assert!(of(TERMINATED, "WRITE(10). CDB: 2a 00 07 1a 6c 00 00 04 00 00").starts_with(UNANSWERED));
    let read_before_a_write = TERMINATED.replace('@', "READ(10). CDB: 28 00 07 1a 6c 00 00 04 00 00")
        + "\n(da4:mps1:0:17:0): WRITE(10). CDB: 2a 00 07 1a 6c 00 00 04 00 00";
    assert!(of(&read_before_a_write, "").starts_with(NONE), "the line behind is another command's");
    assert!(of(TERMINATED, "READ(10). CDB: 28 00 07 1a 6c 00 00 04 00 00").starts_with(NONE));
}

#[test]
fn writes_that_the_kernel_lost_or_failed_are_told() {
    let lost: [&[&str]; 18] = [
        &["Buffer I/O error on device dm-5, logical block 71102", "lost page write due to I/O error on dm-5"],
        &[
            "blk_update_request: I/O error, dev rbd4, sector 8 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 0",
        ],
        &["I/O error, dev nvme2n1, sector 71102 op 0x1:(WRITE) flags 0x0 phys_seg 1 prio class 2"],
        &["EXT4-fs error (device mmcblk1p3): ext4_journal_check_start:61 Detected aborted journal"],
        &["XFS (sdk2): Log I/O Error Detected.  Shutting down filesystem"],
        &["XFS (sdk2): Filesystem has been shut down due to log error (0x2)."],
        &[
            "GFS2: fsid=lab:gold.1: fatal: I/O error",
            "GFS2: fsid=lab:gold.1: about to withdraw this file system",
        ],
        &["gfs2: fsid=lab:gold.1: Error 10 writing to journal, jid=2"],
        &["gfs2: fsid=lab:gold.1: fatal: I/O error(s)"],
        &["gfs2: fsid=lab:gold.1: about to withdraw this file system"],
        &[
            "XFS (dm-9): metadata I/O error in \"xfs_buf_ioend_handle_error+0x1c8/0x5a0 [xfs]\" at daddr 0x40 len 8 error 5",
        ],
        &["XFS (dm-9): metadata I/O error: block 0x5dc0 (\"xfs_trans_read_buf_map\") error 28 numblks 8"],
        &["BTRFS warning (device sdm): lost page write due to IO error on /dev/sdm (-5)"],
        &["bcache: bch_count_io_errors() dm-3: IO error on writing data to cache."],
        &["bcache: error on 0a1b2c3d-0001-0002-0003-0a1b2c3d4e5f: journal io error, disabling caching"],
        &[
            "qlc: [ID 201814 kern.warning] qlc(1): LOOP DOWN",
            "scsi: [ID 107833 kern.err] /pci@1,0/SUNW,qlc@4/fp@0,0/ssd@w5000d31000000007,0 (ssd4): Error for Command: write(10) Error Level: Fatal",
        ],
        &[
            "sd 7:0:4:0: reservation conflict",
            "GFS: fsid=lab:gold.1: fatal: I/O error",
            "GFS: fsid=lab:gold.1: withdrawn",
        ],
        &[
            "sd 7:0:4:0: [sdm] tag#5 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=9s",
            "sd 7:0:4:0: [sdm] tag#5 Sense Key : Medium Error [current]",
            "sd 7:0:4:0: [sdm] tag#5 Add. Sense: Unrecovered read error",
            "sd 7:0:4:0: [sdm] tag#5 CDB: Read(10) 28 00 00 d5 c8 a0 00 02 00 00",
            "md/raid:md3: Disk failure on sdm2, disabling device.",
            "sd 7:0:4:0: rejecting I/O to offline device",
            "md/raid:md3: Cannot continue operation (2/5 failed).",
        ],
    ];
    for lines in lost {
        assert!(data(&kernel(lines)).starts_with(FAILED), "{lines:?}: {}", data(&kernel(lines)));
    }
    let read =
        kernel(&["I/O error, dev nvme2n1, sector 71102 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2"]);
    assert!(data(&read).starts_with(NONE), "a read loses nothing");
}

/// A full pool was certain, and that writes had failed for it was not told: no read runs out of space.
#[test]
fn a_file_system_on_a_full_pool_lost_what_it_wrote() {
    let full = "device-mapper: thin: 253:6: switching pool to out-of-data-space (error IO) mode";
    let failed =
        "XFS (dm-9): metadata I/O error in \"xfs_read_agf+0x91/0x120 [xfs]\" at daddr 0x1 len 1 error 28";
    assert!(data(&kernel(&[full, failed])).starts_with(FAILED));
    assert!(data(&kernel(&[full])).starts_with(NONE));
}

#[test]
fn a_write_that_nobody_answered_is_told_by_whatever_driver() {
    let flush = |command: &'static str, reason: &'static str| {
        vec![
            "ata7.00: exception Emask 0x0 SAct 0x0 SErr 0x0 action 0x6 frozen".to_owned(),
            format!("ata7.00: failed command: {command}"),
            "ata7.00: cmd ea/00:00:00:00:00/00:00:00:00:00/a0 tag 3".to_owned(),
            format!("         res 40/00:01:00:00:00/00:00:00:00:00/40 Emask 0x4 ({reason})"),
            "ata7.00: status: { DRDY }".to_owned(),
            "ata7: hard resetting link".to_owned(),
        ]
    };
    let of = |lines: Vec<String>| data(&kernel(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    for (command, reason) in [("FLUSH CACHE EXT", "ATA bus error"), ("WRITE FPDMA QUEUED", "timeout")] {
        assert!(of(flush(command, reason)).starts_with(UNANSWERED), "{command}");
    }
    assert!(of(flush("READ FPDMA QUEUED", "timeout")).starts_with(NONE));
    let fabric = |queue: u32, opcode: u32| {
        let lost = format!(
            "nvme nvme4: NVME-FC{{4.{queue}}}: io timeout: opcode {opcode} fctype 1 (I/O Cmd) w10/11: x00201100/x00000000"
        );
        of(vec![
            lost,
            "nvme nvme4: NVME-FC{4}: transport association event: transport detected io error".to_owned(),
        ])
    };
    assert!(fabric(2, 1).starts_with(UNANSWERED));
    assert!(fabric(2, 2).starts_with(NONE), "a read");
    assert!(fabric(0, 1).starts_with(NONE), "no write, but a queue that is made");
    let cam = |command: &str| {
        of(vec![
            format!("(ada4:ahcich2:0:0:0): {command}. ACB: 61 08 40 a8 12 40 00 00 00 00 00 00"),
            "(ada4:ahcich2:0:0:0): CAM status: Command timeout".to_owned(),
            "(ada4:ahcich2:0:0:0): Retrying command, 3 more tries remain".to_owned(),
        ])
    };
    assert!(cam("WRITE_FPDMA_QUEUED").starts_with(UNANSWERED));
    assert!(cam("READ_FPDMA_QUEUED").starts_with(NONE));
    let target = "Unable to recover from DataOut timeout while in ERL=0, closing iSCSI connection for I_T Nexus iqn.1994-05.com.example:a1,i,0x00023d000001,iqn.2003-01.org.example:t1,t,0x01";
    assert!(data(&kernel(&[target])).starts_with(UNANSWERED), "the target had it half");
    let gone = |command: &str| {
        of(vec![
            "sd 7:0:4:0: [sdm] tag#1 FAILED Result: hostbyte=DID_NO_CONNECT driverbyte=DRIVER_OK".to_owned(),
            format!("sd 7:0:4:0: [sdm] tag#1 CDB: {command}"),
        ])
    };
    assert!(gone("Write(10) 2a 00 00 71 a0 40 00 00 08 00").starts_with(UNANSWERED));
    assert!(gone("Read(10) 28 00 00 71 a0 40 00 00 08 00").starts_with(NONE));
}

#[test]
fn a_fence_that_is_planned_is_no_write_without_an_answer() {
    let planned = "Jun  2 05:00:07 rook pacemaker-schedulerd[911]: warning: Cluster node reed will be fenced: peer is no longer part of the cluster\n";
    assert!(data(planned).starts_with(NONE), "{}", data(planned));
}

/// File systems said that what they read is not what they wrote, and not a word of it was read.
#[test]
fn what_a_file_system_finds_damaged_is_told() {
    let title = |line: &str| {
        let report = judge(&kernel(&[line]));
        assert_eq!(report.incidents.len(), 1, "{line}");
        (report.incidents[0].cause.clone(), at_risk(&report).unwrap().1)
    };
    for line in [
        "XFS (sdm1): Metadata corruption detected at xfs_agf_verify+0x70/0x120 [xfs], xfs_agf block 0x1",
        "XFS (sdm1): Metadata CRC error detected at xfs_agi_read_verify+0xcb/0xf0 [xfs], xfs_agi block 0x2",
        "BTRFS error (device sdm): unable to fixup (regular) error at logical 40960 on dev /dev/sdm",
        "BTRFS critical (device sdm): corrupt leaf: root=2 block=1105920 slot=7, unexpected item end, have 16283 expect 0",
        "BTRFS error (device sdm): block=1105920 write time tree block corruption detected",
    ] {
        let (cause, risk) = title(line);
        assert!(cause == "cannot-tell" && risk.starts_with(DIFFERS), "{line}: {risk}");
    }
    let aborted = "BTRFS: error (device sdm) in btrfs_commit_transaction:2418: errno=-5 IO failure (Error while writing out transaction)";
    assert!(title(aborted).1.starts_with(FAILED), "what it had taken is not on the disk");
    let checksum = "BTRFS warning (device sdm): csum failed root 5 ino 260 off 4096 csum 0x11223344 expected csum 0x55667788 mirror 1";
    assert!(title(checksum).1.starts_with(NONE), "another copy may be good");
    let history = "BTRFS info (device sdm): bdev /dev/sdm errs: wr 3, rd 0, flush 1, corrupt 2, gen 0";
    assert!(judge(&kernel(&[history])).incidents.is_empty(), "counters of years are printed at each mount");
}

/// What file systems, md and DRBD say in a line or two was passed over.
#[test]
fn what_a_file_system_or_a_raid_says_for_itself_is_told() {
    let page = |line: &str| Page { width: 400, colours: false }.report(&judge(&kernel(&[line])));
    let says = |line: &str, title: &str| assert!(page(line).contains(title), "{line}: {}", page(line));
    for line in [
        "XFS (dm-3): Internal error xfs_trans_cancel at line 1059 of file fs/xfs/xfs_trans.c.  Caller xfs_inactive_ifree+0x1b3/0x1f0 [xfs]",
        "XFS (dm-3): Corruption of in-memory data (0x8) detected at xfs_trans_cancel+0x155/0x170 [xfs] (fs/xfs/xfs_trans.c:1060).  Shutting down filesystem.",
        "XFS (dm-3): metadata I/O error: block 0x4d7300 (\"xfs_trans_read_buf_map\") error 117 numblks 32",
        "XFS: Internal error XFS_WANT_CORRUPTED_RETURN at line 342 of file fs/xfs/xfs_alloc.c.  Caller 0xffffffffa01e76c2",
    ] {
        says(line, "A file system found damage that it cannot mend by itself");
    }
    for line in [
        "EXT4-fs error (device sdf) in ext4_reserve_inode_write:5795: Journal has aborted",
        "EXT4-fs (sdi): I/O error while writing superblock",
        "XFS (dm-11): writeback error on sector 738263040",
    ] {
        says(line, "The kernel gave up writes that it had taken");
    }
    says(
        "md/raid10:md7: Disk failure on sdc1, disabling device.",
        "A RAID of this host goes on without one of its disks",
    );
    says(
        "drbd img7 reed: PingAck did not arrive in time.",
        "A replicated disk lost the connection to its other node",
    );
    for line in [
        "XFS (dm-3): Mounting V5 Filesystem",
        "XFS (dm-3): Starting recovery (logdev: internal)",
        "md/raid1:md7: active with 2 out of 2 mirrors",
    ] {
        assert!(judge(&kernel(&[line])).incidents.is_empty(), "{line}");
    }
}

/// A disk that did not write its cache down was told as one of which no write is open.
#[test]
fn a_flush_that_failed_leaves_writes_in_doubt() {
    let log = kernel(&[
        "sd 7:0:4:0: [sdm] tag#5 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE cmd_age=14s",
        "sd 7:0:4:0: [sdm] tag#5 Sense Key : Hardware Error [current]",
        "sd 7:0:4:0: [sdm] tag#5 Add. Sense: Internal target failure",
        "sd 7:0:4:0: [sdm] tag#5 CDB: Synchronize Cache(10) 35 00 00 00 00 00 00 00 00 00",
    ]);
    assert!(data(&log).starts_with(UNANSWERED), "{}", data(&log));
    let ended = |result: &str, sense: &[&str]| {
        let first = format!("sd 7:0:4:0: [sdm] tag#5 FAILED Result: {result} cmd_age=30s");
        let last = "sd 7:0:4:0: [sdm] tag#5 CDB: Synchronize Cache(10) 35 00 00 00 00 00 00 00 00 00";
        kernel(&[&[first.as_str()], sense, &[last]].concat())
    };
    let not_ready = [
        "sd 7:0:4:0: [sdm] tag#5 Sense Key : Not Ready [current]",
        "sd 7:0:4:0: [sdm] tag#5 Add. Sense: Logical unit not ready, cause not reportable",
    ];
    for log in [
        ended("hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK", &[]),
        ended("hostbyte=DID_ERROR driverbyte=DRIVER_OK", &[]),
        ended("hostbyte=DID_OK driverbyte=DRIVER_SENSE", &not_ready),
    ] {
        assert_eq!(judge(&log).incidents.len(), 1, "{log}");
        assert!(data(&log).starts_with(UNANSWERED), "{log}: {}", data(&log));
    }
    let unknown = [
        "sd 7:0:4:0: [sdm] tag#5 Sense Key : Illegal Request [current]",
        "sd 7:0:4:0: [sdm] tag#5 Add. Sense: Invalid command operation code",
    ];
    for passing in ["Medium not present", "Logical unit is in process of becoming ready"] {
        let added = format!("sd 7:0:4:0: [sdm] tag#5 Add. Sense: {passing}");
        let log = ended("hostbyte=DID_OK driverbyte=DRIVER_SENSE", &[not_ready[0], &added]);
        assert!(judge(&log).incidents.is_empty(), "{passing}");
    }
    let refused = ended("hostbyte=DID_OK driverbyte=DRIVER_SENSE", &unknown);
    assert!(judge(&refused).incidents.is_empty(), "a bridge that knows no such command");
}

#[test]
fn copies_that_went_apart_are_a_risk_unless_they_were_brought_together() {
    let split = kernel(&["block drbd4: Split-Brain detected, dropping connection!"]);
    assert!(data(&split).starts_with(DIFFERS));
    let solved = kernel(&[
        "block drbd4: Split-Brain detected, 0 primaries, automatically solved. Sync from this node",
    ]);
    assert!(judge(&solved).incidents.is_empty());
}

#[test]
fn a_member_that_a_cluster_misses_is_no_write_without_an_answer() {
    let log = "Jun  2 05:00:07 rook corosync[911]: [TOTEM ] A processor failed, forming new configuration.\n";
    assert!(data(log).starts_with(NONE));
}

/// In a log a request that failed is of every day; whoever pastes a few lines asks, but not again for what the disk said itself.
#[test]
fn an_error_of_the_block_layer_alone_is_a_question() {
    let error = "print_req_error: I/O error, dev sdm, sector 98120304 flags 0";
    let report = judge(&kernel(&[error, error]));
    assert_eq!(report.incidents.len(), 1);
    assert!(report.incidents[0].because.contains("and not why"), "{}", report.incidents[0].because);
    let quiet: String = (0..90).map(|line| format!("a line {line} of something else\n")).collect();
    assert!(judge(&(quiet + &kernel(&[error, error]))).incidents.is_empty());
    let told = kernel(&[
        "sd 7:0:4:0: [sdm] tag#5 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=9s",
        "sd 7:0:4:0: [sdm] tag#5 Sense Key : Illegal Request [current]",
        "sd 7:0:4:0: [sdm] tag#5 Add. Sense: Invalid field in cdb",
        "sd 7:0:4:0: [sdm] tag#5 CDB: Write same(16) 93 08 00 00 00 00 00 00 08 00 00 00 08 00 00 00",
        "blk_update_request: I/O error, dev sdm, sector 2048",
    ]);
    assert!(judge(&told).incidents.is_empty(), "the disk said why");
}

#[test]
fn a_write_that_vmfs_gave_up_is_a_write_that_failed() {
    let line = |second: u32, text: &str| format!("2026-04-02T02:14:{second:02}.224Z cpu4:20971){text}\n");
    let held = line(
        10,
        "ALERT: ScsiDeviceIO: 3081: Failed write command to write-quiesced partition naa.60b1aa00000000000000000000000007:1",
    );
    let given_up = line(
        16,
        "BC: 1858: Failed to write (uncached) object '.stats.sf': Maximum kernel-level retries exceeded",
    );
    assert!(data(&held).starts_with(NONE), "{}", data(&held));
    let both = held + &given_up;
    assert!(data(&both).starts_with(FAILED), "{}", data(&both));
}
