//! What devices, lists and programs say plainly: states of paths, statuses of NVMe, sense data in numbers, space that ran out, a lock that is fought over.

use oarlock_doctor::{Doctor, Finding, Report};

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

/// The first finding.
fn first<'a>(report: &'a Report, log: &str) -> &'a Finding {
    report.incidents.first().unwrap_or_else(|| panic!("no incident: {log}"))
}

/// A map of two groups, with the states of their two paths.
fn map(one: &str, other: &str) -> String {
    format!(
        "mpathk (3600d0231000c0ffee000000000000b1c) dm-7 ACME,LUN\nsize=2.0T features='1 queue_if_no_path' hwhandler='1 alua' wp=rw\n\
         |-+- policy='service-time 0' prio=0 status=enabled\n| `- 7:0:2:5 sdq 65:0 {one}\n`-+- policy='service-time 0' prio=0 status=enabled\n  `- 9:0:1:5 sdz 65:144 {other}\n"
    )
}

#[test]
fn a_map_without_a_path_that_works_is_told_in_a_bundle_too() {
    const DEAD: [&str; 4] =
        ["failed faulty running", "failed faulty offline", "failed undef unknown", "[failed][faulty]"];
    let quiet: String = (0..90).map(|line| format!("a line {line} of something else\n")).collect();
    for state in DEAD {
        let log = map(state, state);
        let report = judge(&(quiet.clone() + &log));
        let told = first(&report, &log);
        assert_ne!(told.confidence, "certain", "{log}");
        assert!(told.devices.len() == 1 && told.evidence.iter().any(|line| line.line == 96), "{told:?}");
        let half = map(state, "active ready running");
        assert_eq!(
            judge(&(quiet.clone() + &half)).incidents.len(),
            0,
            "one path is everyday in a log: {half}"
        );
        assert_eq!(judge(&half).incidents.len(), 1, "{half}");
    }
    let half = judge(&map("failed faulty running", "active ready running"));
    assert!(half.incidents[0].because.contains("A path failed"), "{}", half.incidents[0].because);
    assert_eq!(judge(&map("active ready running", "active ghost running")).incidents.len(), 0);
}

/// A command of NVMe that failed, as ESXi prints it.
fn nvme(second: u32, status: &str, opcode: &str) -> String {
    format!(
        "2026-06-02T05:00:{second:02}.000Z Wa(180) vmkwarning: cpu9:2098110)WARNING: NVMEIO:2644 command 0x45d1b2 failed: ctlr 259, queue 2, psaCmd 0x45d1c7, status {status}, opc {opcode}, cid 17, nsid 4\n"
    )
}

#[test]
fn what_nvme_says_of_its_medium_and_its_capacity_is_what_scsi_says_in_sense_data() {
    let spdk = |status: &str| {
        format!(
            "[2026-06-02 05:00:00.1] nvme_qpair.c: 474:spdk_nvme_print_completion: *NOTICE*: {status} qid:1 cid:9 cdw0:0 sqhd:0005 p:1 m:0 dnr:0\n"
        )
    };
    let cases = [
        (nvme(1, "0x81", "0x1") + &nvme(2, "0x81", "0x1"), "array-full"),
        (nvme(1, "0x280", "0x1") + &nvme(2, "0x280", "0x1"), "device-fault"),
        (nvme(1, "0x281", "0x2"), "device-fault"),
        (spdk("CAPACITY EXCEEDED (00/81)"), "array-full"),
        (spdk("WRITE FAULTS (02/80)"), "device-fault"),
        (spdk("UNRECOVERED READ ERROR (02/81)"), "device-fault"),
        (
            "2026-06-02T05:00:01.000Z cpu4:2097)NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x8a (0x45b9, 2097) to dev \"eui.0011223344556677\" on path \"vmhba65:C0:T1:L4\" Failed: H:0x0 D:0x280 P:0x0\n".to_owned(),
            "device-fault",
        ),
    ];
    for (log, cause) in cases {
        assert_eq!(first(&judge(&log), &log).cause, cause, "{log}");
    }
    // What a host gave up, and the answer to the second half of a fused pair, is of no medium.
    for status in ["0x371", "0x9", "0x285"] {
        let log = nvme(1, status, "0x1") + &nvme(2, status, "0x1");
        let report = judge(&log);
        assert!(
            report.incidents.iter().all(|found| !["device-fault", "array-full"].contains(&&*found.cause)),
            "{log}"
        );
    }
}

/// Kernels that were built without words for sense data print numbers, and the code without `Add. Sense:`.
#[test]
fn sense_data_in_numbers_are_those_in_words() {
    let told = |key: &str, code: &str| {
        let line = |text: &str| format!("Jun  2 05:00:00 rook kernel: sd 4:0:7:0: [sdm] tag#911 {text}\n");
        let log = line("UNKNOWN(0x2003) Result: hostbyte=0x00 driverbyte=0x08 cmd_age=3s")
            + &line(key)
            + &line(code)
            + &line("CDB: opcode=0x28 28 00 1f 20 31 40 00 00 08 00");
        let report = judge(&log);
        let found = first(&report, &log);
        (found.cause.clone(), found.confidence.clone(), found.evidence.len())
    };
    let words = told("Sense Key : Medium Error [current]", "Add. Sense: Unrecovered read error");
    assert_eq!(words, ("device-fault".to_owned(), "likely".to_owned(), 1));
    assert_eq!(told("Sense Key : 0x3 [current] ", "ASC=0x11 ASCQ=0x0 "), words);
    let vague = told("Sense Key : 0x3 [current] ", "ASC=0x40 ASCQ=0x81 ");
    assert_eq!(vague.1, "possible", "a code that says nothing of a sector");
}

/// A log server's export stands newest first, and the statuses of ESXi 8 before the command that they are of.
#[test]
fn a_command_told_over_two_records_is_whole_in_either_order() {
    let record = |second: u32, text: &str| {
        format!(
            "2026-06-02T05:00:{second:02}.500Z In(182) vmkernel: cpu3:2099001)NMP: nmp_ThrottleLogForDevice:{text}\n"
        )
    };
    let head = "3867: Cmd 0x89 (0x45d9, 2097400) to dev \"naa.6000d31000c0ffee0000000000000b1d\" on path \"vmhba4:C0:T1:L9\" Failed:";
    let late = "3875: H:0x5 D:0x0 P:0x0 . Act:EVAL. cmdId.initiator=0x43 CmdSN 0x7";
    let unequal =
        "3875: H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0. Act:NONE. cmdId.initiator=0x43 CmdSN 0x8";
    let oldest_first = [record(1, head), record(1, late), record(3, head), record(3, unequal)];
    let newest_first: String = oldest_first.iter().rev().map(String::as_str).collect();
    for log in [oldest_first.concat(), newest_first] {
        let report = judge(&log);
        let found = first(&report, &log);
        assert_eq!(
            (found.cause.as_str(), found.confidence.as_str()),
            ("delayed-own-write", "likely"),
            "{log}"
        );
    }
    // Of two in one moment nobody knows which is whose.
    let at_once = [record(1, unequal), record(1, head), record(1, late), record(1, head)].concat();
    let report = judge(&at_once);
    assert!(report.incidents.iter().all(|found| found.confidence == "possible"), "{:?}", report.incidents);
}

#[test]
fn targets_pools_and_lock_managers_say_in_their_own_words_what_is_wrong() {
    let cases = [
        (
            "Jun  2 05:00:00 reed tgtd: bs_rdwr_request(301) io error 0x5f21 8a -1 8192 4096, No space left on device\n",
            "array-full",
            "no space",
        ),
        (
            "[  +0.021200] device-mapper: space map metadata: unable to allocate new metadata block\n",
            "array-full",
            "no space",
        ),
        (
            "[  811.021200] device-mapper: thin: 253:9: metadata operation 'dm_pool_alloc_data_block' failed: error = -28\n",
            "array-full",
            "no space",
        ),
        (
            "Jun  2 05:00:00 reed kernel: kvdo3:packerQ: Completing write VIO for LBN 77 with error after compressing: VDO Status: Out of space (1472)\n",
            "array-full",
            "no space",
        ),
        (
            "Jun  2 05:00:00 reed kernel: drbd res4 reed: susp-io( no -> quorum )\n",
            "cannot-tell",
            "holds all I/O back",
        ),
        (
            "2026-06-02 05:00:00 8123 [901]: s7 delta_acquire host_id 9 busy1 9 4 8119 c0ffee.rook\n",
            "cannot-tell",
            "renew it",
        ),
        (
            "2026-06-02 05:00:00.1 77 [ERROR] tcmu_rbd_lock:636 rbd/img7.b: Unknown error -30 while trying to acquire lock.\n",
            "cannot-tell",
            "exclusive lock",
        ),
        ("    Could not break lock from 10.9.8.7:0/11223344. (Err -16)\n", "cannot-tell", "exclusive lock"),
    ];
    for (log, cause, says) in cases {
        let report = judge(log);
        let found = first(&report, log);
        assert_eq!(found.cause, cause, "{log}");
        assert!(found.because.contains(says), "{log}: {}", found.because);
    }
    for change in ["quorum -> no )", "no -> fencing )", "no -> quorum ) [down]"] {
        let log = format!("Jun  2 05:00:00 reed kernel: drbd res4 reed: susp-io( {change}\n");
        assert!(
            judge(&log).incidents.is_empty(),
            "what goes on again, what each restart of a peer does for moments, and what was taken down on purpose"
        );
    }
}

#[test]
fn clusters_disks_and_adapters_are_heard_in_their_own_words() {
    let cases = [
        ("Jun  2 05:00:00 reed kernel: o2cb: o2dlm has evicted node 4 from domain lab", "cannot-tell"),
        ("Jun  2 05:00:00 reed fenced[811]: fence rook.lab failed", "cannot-tell"),
        ("Jun  2 05:00:00 reed kernel: block drbd3: fence-peer helper broken, returned 126", "cannot-tell"),
        (
            "2026-06-02 05:00:00 811 [901]: worker2 aio timeout RD 0x7f01c0ffee00:0x7f01c0ffee10:0x7f01c0f00000 ioto 10 to_count 1",
            "slow-storage",
        ),
        (
            "kernel: cciss 0000:07:00.0: cciss: c ffff8100c0ffee00 has CHECK CONDITION sense key = 0x3",
            "device-fault",
        ),
        (
            "Jun  2 05:00:00 reed Server Administrator: Storage Service EventID: 2095  Unexpected sense. SCSI sense data: Sense key:  3 Sense code: 11 Sense qualifier:  0:  Physical Disk 0:0:7 Controller 0, Connector 0",
            "device-fault",
        ),
        (
            "Device: /dev/sg4 [cciss_disk_05] [SCSI], SMART Failure: HARDWARE IMPENDING FAILURE GENERAL HARD DRIVE FAILURE",
            "device-fault",
        ),
        (
            "2026-06-02T05:00:00.000Z cpu6:43298)WARNING: LSOM: LSOMEventNotify:6440: Virtual SAN device 52c0ffee-0001-9957-485c-e2dcf1057f66 is under permanent error.",
            "device-fault",
        ),
        (
            "2026-06-02T05:00:00.000Z cpu4:2074)J3: 3497: Replaying transaction failed: No space left on device",
            "cannot-tell",
        ),
        ("Jun  2 05:00:00 reed kernel: XFS (dm-7): log mount/recovery failed: error -5", "cannot-tell"),
        (
            "Jun  2 05:00:00 reed ctl_datamove: tag 0x1c0ffee on (28:7:1) aborted\nJun  2 05:00:00 reed ctl_datamove: tag 0x1c0ffef on (28:7:1) aborted",
            "cannot-tell",
        ),
        (
            "Jun  2 05:00:00 reed kernel: mpt0: mpt_recover_commands: abort timed-out. Resetting controller",
            "cannot-tell",
        ),
        (
            "(da8:mps1:0:18:0): SCSI status: Check Condition\n(da8:mps1:0:18:0): SCSI sense: UNIT ATTENTION asc:29,0 (Power on, reset, or bus device reset occurred)",
            "cannot-tell",
        ),
    ];
    for (log, cause) in cases {
        let log = format!("{log}\n");
        assert_eq!(first(&judge(&log), &log).cause, cause, "{log}");
    }
}

/// A page that shows a text by its lines counts them: that is copied with it.
#[test]
fn numbers_of_lines_are_of_the_page() {
    let lines = [
        "Jun  2 05:00:00 reed kernel: sd 4:0:7:0: [sdm] Result: hostbyte=DID_OK driverbyte=DRIVER_OK",
        "Jun  2 05:00:00 reed kernel: sd 4:0:7:0: [sdm] CDB: Write(10): 2a 00 42 87 08 00 00 04 00 00",
        "Jun  2 05:00:00 reed kernel: sd 4:0:7:0: reservation conflict",
    ];
    let log: String = (1..).zip(lines).map(|(number, line)| format!("  {number}. {line}\n")).collect();
    assert_eq!(first(&judge(&log), &log).cause, "reservation");
}

#[test]
fn a_lock_that_a_gateway_has_back_within_seconds_is_wanted_by_another() {
    let line = |minute: u32, second: u32, text: &str| {
        format!("2026-06-02 05:{minute:02}:{second:02}.100 911 [WARN] {text}\n")
    };
    let had = "tcmu_rbd_lock:947 rbd/img7.b: Acquired exclusive lock.";
    let lost = "tcmu_notify_lock_lost:271 rbd/img7.b: Async lock drop. Old state 5";
    let fought = line(0, 1, had) + &line(0, 4, lost) + &line(0, 6, had);
    let report = judge(&fought);
    let found = first(&report, &fought);
    assert_eq!((found.cause.as_str(), found.confidence.as_str()), ("gateway-fault", "possible"));
    let failed_over = line(0, 1, had) + &line(0, 4, lost) + &line(9, 6, had);
    assert!(judge(&failed_over).incidents.is_empty(), "a failover and, minutes later, the way back");
}

/// A servant of the resource manager and the inquisitor over all of them watch no disk.
#[test]
fn where_no_disks_servant_is_named_no_disk_was_slow() {
    let line = |text: &str| format!("Jun  2 05:00:00 rook sbd[411]: warning: inquisitor_child: {text}\n");
    let silent = line("Latency: No liveness for 6 s exceeds threshold of 3 s (healthy servants: 1)");
    let of = |log: &str| first(&judge(log), log).cause.clone();
    assert_eq!(of(&(line("Servant pcmk is outdated (age: 6)") + &silent)), "cannot-tell");
    assert_eq!(of(&(line("Servant /dev/sdq1 is outdated (age: 6)") + &silent)), "slow-storage");
}

/// A target's own worker that stands still is why its logins come to nothing, and no optic.
#[test]
fn a_target_whose_worker_stands_still_says_nothing_of_the_way_to_it() {
    let login = "Jun  2 05:00:07 reed kernel: iSCSI Login timeout on Network Portal 10.9.8.7:3260\n";
    let hung = "Jun  2 05:00:26 reed kernel: Workqueue: events target_tmr_work [target_core_mod]\n";
    let cause = |log: &str| first(&judge(log), log).cause.clone();
    assert_eq!(cause(&login.repeat(3)), "path-fault");
    assert_eq!(cause(&(login.repeat(3) + hung)), "cannot-tell");
}

/// A sector that a disk lost is no less lost because a session of another disk was, too.
#[test]
fn what_a_disk_says_of_its_medium_is_told_beside_another_outage() {
    let line = |time: &str, text: &str| format!("Jun  2 05:{time} rook kernel: {text}\n");
    let medium = line(
        "00:00",
        "sd 1:0:3:0: [sdq] tag#4 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=2s",
    ) + &line("00:00", "sd 1:0:3:0: [sdq] tag#4 Sense Key : Medium Error [current]")
        + &line("00:00", "sd 1:0:3:0: [sdq] tag#4 Add. Sense: Unrecovered read error")
        + &line("00:00", "sd 1:0:3:0: [sdq] tag#4 CDB: Read(10) 28 00 01 11 22 30 00 00 08 00");
    let session = line("03:30", " connection5:0: detected conn error (1022)")
        + &line("05:31", " session5: session recovery timed out after 120 secs")
        + &line("05:31", "sd 8:0:0:2: rejecting I/O to offline device");
    let report = judge(&(medium + &session));
    let causes: Vec<&str> = report.incidents.iter().map(|found| found.cause.as_str()).collect();
    assert!(causes.contains(&"device-fault") && causes.contains(&"path-fault"), "{causes:?}");
}

/// An event of Oarlock's, of its own record.
fn event(second: u32, cause: &str, record: &str, action: &str) -> String {
    format!(
        "{{\"time\":\"2026-06-02T05:00:{second:02}.5Z\",\"kind\":\"miscompare\",\"cause\":\"{cause}\",\"layer\":\"array\",\"lba\":4096,\"record\":\"{record}\",\"path\":\"/dev/sdb\",\"action\":\"{action}\"}}\n"
    )
}

#[test]
fn what_a_host_of_ours_names_is_told_by_what_is_at_stake_and_races_last() {
    let race = |second| event(second, "contention", "lock pay", "lost");
    for grave in
        ["rollback", "array-fault", "paths-disagree", "foreign-block", "corrupt-block", "stale-cache"]
    {
        for log in
            [event(1, grave, "slot 3", "stopped") + &race(2), race(1) + &event(2, grave, "slot 3", "stopped")]
        {
            let report = judge(&log);
            let told = first(&report, &log);
            assert_eq!((told.cause.as_str(), told.confidence.as_str()), (grave, "certain"), "{log}");
            assert!(told.evidence[0].text.contains(grave), "{:?}", told.evidence);
        }
    }
    // Each of several that put data at risk is told with its line and its remedy; the chain's order holds among the others.
    let log = event(1, "rollback", "slot 3", "stopped")
        + &event(2, "array-fault", "lock pay", "stopped")
        + &race(3);
    let report = judge(&log);
    let causes: Vec<&str> = report.incidents.iter().map(|finding| &*finding.cause).collect();
    assert!(
        causes.len() == 2 && causes.contains(&"rollback") && causes.contains(&"array-fault"),
        "{causes:?}"
    );
    let log =
        event(1, "path-fault", "slot 3", "retried") + &event(2, "slow-storage", "slot 3", "held") + &race(3);
    assert_eq!(first(&judge(&log), &log).cause, "path-fault");
    let log = event(1, "slow-storage", "slot 3", "retried")
        + &event(2, "delayed-own-write", "slot 3", "adopted")
        + &race(3);
    assert_eq!(first(&judge(&log), &log).cause, "delayed-own-write");
    assert_eq!(judge(&race(1)).incidents.len(), 1, "who pastes one asks about it");
}

/// The lock of a device that a host left behind when it stopped amid an extension was told as a race with a living host, which waiting would end.
#[test]
fn a_device_that_is_locked_for_work_on_its_volume_is_no_race() {
    let line = |text: &str| format!("2026-04-02T02:14:05.224Z cpu4:20971 opID=a1b2)WARNING: LVM: {text}\n");
    let disk = "naa.60b1aa00000000000000000000000007:1";
    let lines = [
        line(&format!(
            "13090: The volume on the device {disk} locked, possibly because some remote host encountered an error during a volume operation and could not recover."
        )),
        line(&format!(
            "4901: If you are _sure_ this is the case, please break the device lock with `vmkfstools -B /vmfs/devices/disks/{disk}`"
        )),
        line(&format!("11702: Failed to open device {disk} : Lock was not free")),
    ];
    for log in lines.iter().chain([&lines.concat()]) {
        let report = judge(log);
        let told = first(&report, log);
        assert_eq!(told.cause, "cannot-tell", "{log}");
        assert!(told.because.contains("name no host"), "{told:?}");
        assert_eq!(told.devices, ["naa.60b1aa00000000000000000000000007"], "{log}");
    }
}

/// A line of ESXi at a second.
fn esx(second: u32, text: &str) -> String {
    format!("2026-04-02T02:14:{second:02}.224Z cpu4:20971){text}\n")
}

/// Enough lines that nothing here is an excerpt.
fn in_a_log(lines: &str) -> String {
    let quiet: String = (0..90).map(|line| format!("a line {line} of something else\n")).collect();
    quiet + lines
}

/// Six datastores stood still, and the page said that all was well.
#[test]
fn a_file_server_that_is_gone_for_minutes_is_told() {
    let says = |id: &str, state: &str| {
        format!(
            "2026-04-11T03:17:08.500Z: [APDCorrelator] 7702us: [esx.problem.storage.apd.timeout] Device or filesystem with identifier [{id}] has entered the All Paths Down {state}\n"
        )
    };
    let timeout = "Timeout state after being in the All Paths Down state for 140 seconds. I/Os will now be fast failed.";
    let log = in_a_log(&says("66aa0001-bb000001", timeout));
    let told = judge(&log);
    assert!(first(&told, &log).because.contains("file server"), "{told:?}");
    let begins = in_a_log(&says("66aa0001-bb000001", "state.").replace("apd.timeout", "apd.start"));
    assert_eq!(judge(&begins).incidents.len(), 0, "it may be back in a moment");
    let device = in_a_log(&says("naa.60b1aa00000000000000000000000007", timeout));
    assert_eq!(first(&judge(&device), &device).cause, "path-fault", "a disk has paths");
    // The kernel's own words, and the ids that NFS 4.1 has.
    let handler = |state: &str, id: &str| {
        in_a_log(&format!(
            "2026-04-11T03:17:08.500Z cpu4:2097)StorageApdHandler: 609: APD {state} for ident [{id}]!\n"
        ))
    };
    for id in ["66aa0001-bb000001", "66aa0001-bb000001-0000-000000000000"] {
        for log in [handler("Timeout", id), in_a_log(&says(id, timeout))] {
            assert!(first(&judge(&log), &log).because.contains("file server"), "{log}");
        }
        assert_eq!(judge(&handler("Start", id)).incidents.len(), 0, "it may be back in a moment");
    }
    let gone = handler("Start", "naa.60b1aa00000000000000000000000007");
    assert_eq!(first(&judge(&gone), &gone).cause, "path-fault");
}

/// VMFS's own RESERVE had no answer in time, and another host's reservation was certain, to be cleared.
#[test]
fn a_reservation_that_failed_for_another_reason_is_no_conflict() {
    let says = |status: &str| {
        judge(&format!(
            "Apr 11 03:17:08 esx7 vmkernel: 9:01:11:23.456 cpu5:1077)FS3: 4784: Reservation error: {status}\n"
        ))
    };
    let certain = |report: &Report| {
        report.incidents.iter().any(|finding| {
            (finding.cause.as_str(), finding.confidence.as_str()) == ("reservation", "certain")
        })
    };
    assert!(certain(&says("SCSI reservation conflict")));
    assert!(
        judge("Booking of seats: Reservation error: Timeout\n").incidents.is_empty(),
        "another kind of seat"
    );
    for status in [
        "Timeout",
        "No connection",
        "I/O error",
        "Not supported",
        "Storage initiator error",
        "Busy",
        "Failure",
    ] {
        let report = says(status);
        assert!(!report.incidents.is_empty(), "{status}");
        assert!(
            report.incidents.iter().all(|finding| finding.cause != "reservation"),
            "{status}: {report:#?}"
        );
    }
}

/// Each in its own words, and none was read.
#[test]
fn checkers_controllers_and_boot_disks_are_heard() {
    let cases = [
        (
            "ON-DISK ERROR: LFB inconsistency found: (211,7) allocated in bitmap, but never used\n",
            "cannot-tell",
        ),
        ("Apr 11 03:17:08 reed kernel: drbd img7/0 drbd1007: quorum( yes -> no )\n", "cannot-tell"),
        (
            "2026-04-11T03:17:08.500Z: [scsiCorrelator] 7702us: Lost connectivity to the device mpx.vmhba32:C0:T0:L0 backing the boot filesystem /vmfs/devices/disks/mpx.vmhba32:C0:T0:L0. As a result, host configuration changes will not be saved\n",
            "path-fault",
        ),
        ("2026-04-11T03:17:08.500Z cpu4:2097)lsi_mr3: mfi_Reset:3109: killing adapter vmhba0\n", "hba-fault"),
    ];
    for (log, cause) in cases {
        let report = judge(log);
        assert_eq!(first(&report, log).cause, cause, "{log}");
    }
    let failed = "Apr 11 03:17:08 reed kernel: drbd img7/0 drbd1007: Failed: disk( UpToDate -> Detaching ) quorum( yes -> no ) [detach]\n";
    assert!(judge(failed).incidents.is_empty(), "it refused to do that");
    let down = "Apr 11 03:17:08 reed kernel: drbd img7/0 drbd1007: quorum( yes -> no ) [down]\n";
    assert!(judge(down).incidents.is_empty(), "taken down on purpose");
}

#[test]
fn a_file_that_is_waited_for_is_told_when_it_takes_minutes() {
    let waited = |seconds: u32| {
        in_a_log(&format!(
            "2026-06-11T04:10:05.500Z warning hostd[2098001] [Originator@6876 sub=IoTracker] In thread 2101, stat(\"/vmfs/volumes/66aa0001-bb000001-1111-0050560a0b0c/vm7/vm7.vmx\") took over {seconds} sec.\n"
        ))
    };
    let long = waited(1250);
    assert!(first(&judge(&long), &long).because.contains("IoTracker"));
    assert_eq!(judge(&waited(20)).incidents.len(), 0, "everyday");
    let root = judge(&long.replace("/vm7/vm7.vmx", ""));
    let named = root.incidents[0].volume.as_deref();
    assert_eq!(named, Some("66aa0001-bb000001-1111-0050560a0b0c"), "the volume itself was waited for");
}

#[test]
fn a_write_that_a_device_refuses_by_a_key_of_its_vendors_is_told_in_a_few_lines() {
    let refused = |opcode: &str, sense: &str| {
        esx(
            2,
            &format!(
                "NMP: nmp_CompleteCommandForPath: Command {opcode} (0x4100c0ffee00) to NMP device \"naa.60b1aa00000000000000000000000007\" failed on physical path \"vmhba33:C0:T1:L0\" H:0x0 D:0x2 P:0x0 Valid sense data: {sense}."
            ),
        )
    };
    let log = refused("0x2a", "0x9 0x4 0x2");
    assert!(first(&judge(&log), &log).because.contains("its vendor gives a meaning"), "{log}");
    assert_eq!(judge(&refused("0x12", "0x9 0x4 0x2")).incidents.len(), 0, "a question");
}

/// Two LUNs behind one adapter had errors of the host's own, and nothing of it was told.
#[test]
fn errors_of_the_hosts_own_on_one_adapter_may_be_the_adapters() {
    let failed = |second: u32, disk: u32, path: &str| {
        esx(
            second,
            &format!(
                "NMP: nmp_ThrottleLogForDevice:2458: Cmd 0x28 (0x412ec0ffee00, 20977) to dev \"naa.60b1aa0000000000000000000000000{disk}\" on path \"{path}\" Failed: H:0x7 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0. Act:EVAL"
            ),
        )
    };
    let cause = |log: &str| {
        let told = judge(log);
        let told = first(&told, log);
        (told.cause.clone(), told.confidence.clone())
    };
    let possible = ("hba-fault".to_owned(), "possible".to_owned());
    let both =
        failed(2, 7, "vmhba4:C0:T2:L3") + &failed(4, 7, "vmhba4:C0:T2:L3") + &failed(5, 8, "vmhba4:C0:T2:L4");
    assert_eq!(cause(&both), possible);
    let spread = failed(2, 7, "vmhba4:C0:T2:L3") + &failed(4, 7, "vmhba5:C0:T2:L3");
    assert_eq!(cause(&spread).0, "cannot-tell", "two adapters share something else");
}

#[test]
fn a_loop_that_a_driver_calls_dead_and_a_guests_aborts_are_told() {
    let proc = "Number of ISP aborts = 0\nNumber of loop resyncs = 1\nHost adapter:loop state = <DEAD>, flags = 0x2c0ffe\nDpc flags = 0x20c0ffe\n";
    assert_eq!(judge(proc).incidents.len(), 1);
    assert_eq!(judge(&proc.replace("<DEAD>", "<READY>")).incidents.len(), 0);
    let aborts: String =
        (0..15).map(|at| format!("[411802.3300{at:02}] sd 2:0:0:0: [sda] abort\n")).collect();
    assert_eq!(judge(&in_a_log(&aborts)).incidents.len(), 1);
}
