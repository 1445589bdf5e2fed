//! What no line ties together is not told as one: devices and volumes, adapters and the commands of others, hosts and their own names for
//! disks, the order of lines and their clocks.

use oarlock_doctor::{Doctor, Finding, Report};

fn judge(logs: &[(&str, &str)]) -> Report {
    let mut doctor = Doctor::new();
    for (name, log) in logs {
        doctor.read(name, &mut log.as_bytes(), &mut |_| {});
    }
    doctor.judge()
}

fn read(log: &str) -> Report {
    judge(&[("log", log)])
}

/// The causes with their confidence.
fn said(report: &Report) -> Vec<(&str, &str)> {
    report.incidents.iter().map(|finding| (finding.cause.as_str(), finding.confidence.as_str())).collect()
}

fn of<'a>(report: &'a Report, cause: &str) -> Option<&'a Finding> {
    report.incidents.iter().find(|finding| finding.cause == cause)
}

/// A heartbeat that was given up on the volume `silver`, so many seconds after the hour.
fn beat(second: u32) -> String {
    format!(
        "2026-08-09T10:00:{second:02}.000Z cpu7:2097900)HBX: 2832: Waiting for timed out [HB state abcdef02 offset 3477504 gen 71 stampUS 61298743290 uuid \
         60bb0002-cc000003-2222-0050560d0e0f jrnl <FB 12> drv 24.82 lockImpl 4] on vol 'silver'\n"
    )
}

/// A command that failed.
fn failed(second: u32, opcode: &str, device: &str, path: &str, end: &str) -> String {
    format!(
        "2026-08-09T10:00:{second:02}.000Z cpu7:2097900)NMP: nmp_ThrottleLogForDevice:3872: Cmd {opcode} (0x45b90, 2097300) to dev \"{device}\" on path \
         \"{path}\" Failed: {end} Act:NONE\n"
    )
}

const FULL: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x7 0x27 0x7.";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const LINK: &str =
    "2026-08-09T10:00:01.000Z cpu1:2097500)lpfc: vmhba3 1305 Link Down Event x9 received Data: x9 x20 x110\n";
const HELD: &str = "DLX: 3901: vol 'silver': [Req mode: 1] Not free; Lock [type 10c00002 offset 43714816 v 18, hb offset 3903488 gen 53, mode 1, owner \
                    60bb0009-cc000003-2222-0050560d0e99 mtime 255486 nHld 0 nOvf 0]\n";

#[test]
fn a_full_array_is_not_told_of_a_volume_that_only_stood_near() {
    let log = failed(0, "0x2a", "naa.60aa01", "vmhba3:C0:T0:L1", FULL) + &beat(15);
    let report = read(&log);
    let full = of(&report, "array-full").unwrap();
    assert_eq!((full.device.as_deref(), full.volume.as_deref()), (Some("naa.60aa01"), None));
    let beat = of(&report, "cannot-tell").unwrap();
    assert_eq!((beat.device.as_deref(), beat.volume.as_deref()), (None, Some("silver")));
}

/// A piece that somebody pasted beside a line bore that line's time and device, and overruled what it proved.
#[test]
fn a_piece_without_a_name_is_of_no_device_that_stands_near() {
    const LUN: &str = "naa.60aa0100000000000000000000000001";
    let answer = failed(9, "0x89", LUN, "vmhba3:C0:T0:L1", FALSE);
    let pair = failed(7, "0x89", LUN, "vmhba3:C0:T0:L1", LATE) + &answer;
    let pieces = [
        ("array-full", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x7 0x27 0x7"),
        ("reservation", "H:0x0 D:0x18 P:0x0"),
        ("corrupt-block", "Corrupt heartbeat detected at offset 3477504: [HB state 0 offset 0 gen 0]"),
    ];
    for (cause, piece) in pieces {
        for log in [format!("{piece}\n\n{pair}"), format!("{pair}{piece}\n"), format!("{answer}{piece}\n")] {
            let report = read(&log);
            assert!(of(&report, cause).is_none_or(|finding| finding.device.is_none()), "{log}");
            let told = if log.contains(&pair) { "delayed-own-write" } else { "cannot-tell" };
            assert!(of(&report, told).is_some_and(|finding| finding.device.is_some()), "{log}");
        }
    }
    // What says the same is no news.
    assert_eq!(read(&format!("Valid sense data: 0xe 0x1d 0x0\n{pair}")).incidents.len(), 1);
}

/// A damaged heartbeat, a reservation and a full pool are each of one volume, whichever: once they were a certain fault of whatever had failed nearby.
#[test]
fn a_statement_about_one_unnamed_volume_is_of_no_device_that_stands_near() {
    const DAMAGED: &str = "2026-08-09T10:00:30.000Z cpu7:2097900)WARNING: HBX: 2832: Corrupt heartbeat detected at offset 3477504: [HB state 0 offset 0 gen 0 stampUS 0 uuid 0]";
    const CONFLICT: &str = "2026-08-09T10:00:30.000Z cpu7:2097900)WARNING: Fil3: 9811: Max retries exceeded for caller 0x41: SCSI reservation conflict";
    const FULL: &str = "2026-08-09T10:00:30.000Z cellar9 kernel: device-mapper: thin: 253:2: switching pool to out-of-data-space (error IO) mode";
    let near = failed(24, "0x2a", "naa.600a0980b1aa00000000000000000001", "vmhba2", "H:0x5 D:0x0 P:0x0");
    for (line, cause) in [(DAMAGED, "corrupt-block"), (CONFLICT, "reservation"), (FULL, "array-full")] {
        let report = read(&format!("{near}{line}\n"));
        assert_eq!(of(&report, cause).map(|found| &found.device), Some(&None), "{line}");
    }
    // What the device beside it suffers is told of it, and what names the device ties it.
    let conflict = failed(24, "0x2a", "naa.600a0980b1aa00000000000000000001", "vmhba2", "H:0x0 D:0x18 P:0x0");
    let report = read(&format!("{conflict}{DAMAGED}\n"));
    assert!(of(&report, "reservation").is_some_and(|found| found.device.is_some()), "{:?}", said(&report));
    let named = "2026-08-09T10:00:30.010Z cpu7:2097900)WARNING: FS3: 633: VMFS volume silver/66aa on naa.600a0980b1aa00000000000000000002:1 has been detected corrupted";
    let report = read(&format!("{near}{DAMAGED}\n{named}\n"));
    let damaged = of(&report, "corrupt-block").and_then(|found| found.device.as_deref());
    assert_eq!(damaged, Some("naa.600a0980b1aa00000000000000000002"));
    assert_eq!(report.incidents.iter().filter(|found| found.cause == "corrupt-block").count(), 1);
}

/// Latency and a given-up test of one device show that it is slow; a heartbeat of a volume that nobody ties beside them takes nothing from that.
#[test]
fn one_more_true_line_makes_no_proof_weaker() {
    let slow = "2026-08-09T10:00:04.000Z cpu7:2097900)WARNING: ScsiDeviceIO: 1780: Device naa.600a0980b1aa00000000000000000001 performance has deteriorated. I/O latency increased from average value of 900 microseconds to 710000 microseconds.\n";
    let late = failed(14, "0x89", "naa.600a0980b1aa00000000000000000001", "vmhba2", LATE);
    assert_eq!(said(&read(&format!("{slow}{late}"))), [("slow-storage", "likely")]);
    let report = read(&format!("{slow}{}{late}", beat(13)));
    let found = of(&report, "slow-storage").map(|found| (found.confidence.as_str(), found.device.is_some()));
    assert_eq!(found, Some(("likely", true)), "{:?}", said(&report));
    // The same of a link that went down under a test.
    let cut = failed(20, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", "H:0x1 D:0x0 P:0x0");
    assert_eq!(said(&read(&format!("{LINK}{cut}"))), [("path-fault", "likely")]);
    let report = read(&format!("{LINK}{cut}{}", beat(28)));
    let found = of(&report, "path-fault").map(|found| (found.confidence.as_str(), found.volume.as_deref()));
    assert_eq!(found, Some(("likely", None)), "{:?}", said(&report));
}

#[test]
fn a_line_that_ties_the_volume_makes_it_one_case() {
    let tie = "2026-08-09T09:00:00.000Z: [scsiCorrelator] 1us: [esx.problem.storage.redundancy.degraded] Path redundancy to storage device naa.60aa01 \
               degraded. Path vmhba3:C0:T0:L1 is down. Affected datastores: \"silver\".\n";
    let log = tie.to_owned() + &failed(0, "0x2a", "naa.60aa01", "vmhba3:C0:T0:L1", FULL) + &beat(15);
    let report = read(&log);
    assert_eq!(of(&report, "array-full").unwrap().volume.as_deref(), Some("silver"));
    let other = log.replacen("\"silver\"", "\"gold\"", 1);
    let report = read(&other);
    assert_eq!(
        of(&report, "array-full").unwrap().volume,
        None,
        "its device carries another: {:?}",
        said(&report)
    );
}

#[test]
fn slowness_of_a_device_beside_an_untied_heartbeat_is_no_more_than_possible() {
    let slow = "2026-08-09T10:00:00.000Z cpu3:2097201)WARNING: ScsiDeviceIO: 1780: Device naa.60aa01 performance has deteriorated. I/O latency increased \
                from average value of 700 microseconds to 910000 microseconds.\n";
    let report = read(&(slow.to_owned() + &beat(9)));
    let sure =
        report.incidents.iter().find(|finding| finding.confidence != "possible" && finding.volume.is_some());
    assert!(sure.is_none(), "{sure:?}");
    assert!(report.incidents[0].because.contains("which no line says"), "{}", report.incidents[0].because);
}

#[test]
fn a_link_of_another_adapter_is_no_proof_about_a_command_whose_way_is_told() {
    let command = failed(30, "0x89", "naa.60aa01", "vmhba65:C0:T2:L1", LATE);
    let report = read(&(LINK.to_owned() + &command));
    assert!(!said(&report).contains(&("path-fault", "likely")), "{:?}", said(&report));
    let own = read(&(LINK.to_owned() + &command.replace("vmhba65", "vmhba3")));
    assert!(said(&own).contains(&("path-fault", "likely")), "{:?}", said(&own));
}

#[test]
fn a_race_for_a_lock_is_told_as_one_although_a_link_had_flapped_before() {
    let log = LINK.to_owned()
        + &failed(
            2,
            "0x2a",
            "naa.60aa01",
            "vmhba3:C0:T0:L1",
            "H:0x1 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.",
        )
        + &format!("2026-08-09T10:00:41.000Z cpu3:2097201){HELD}")
        + &failed(41, "0x89", "naa.60aa01", "vmhba4:C0:T0:L1", FALSE);
    let report = read(&log);
    assert!(said(&report).iter().any(|(cause, _)| *cause == "contention"), "{:?}", said(&report));
    assert!(!said(&report).contains(&("path-fault", "likely")), "{:?}", said(&report));
}

#[test]
fn a_guests_own_reset_is_no_storm_of_the_host() {
    let lost = "H:0x8 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
    let log = failed(8, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", FALSE)
        + "2026-08-09T10:00:09.000Z cpu19:2097635)VSCSI: 2624: handle 8214(vscsi0:1):Reset request on FSS handle 77 (9 outstanding commands) from (vmm0:m1)\n"
        + &failed(10, "0x2a", "naa.60aa01", "vmhba3:C0:T0:L1", lost)
        + &failed(11, "0x28", "naa.60aa01", "vmhba3:C0:T0:L1", lost);
    assert_eq!(of(&read(&log), "reset-cascade").map(|finding| &finding.confidence), None);
    let hosts: String =
        log.lines().filter(|line| !line.contains("VSCSI")).map(|line| format!("{line}\n")).collect();
    assert!(of(&read(&hosts), "reset-cascade").is_some(), "without the guest's line it is the host's");
}

#[test]
fn a_clock_that_was_set_back_is_no_rollback_and_a_volume_made_anew_is_none_surely() {
    let older = HELD.replace(" v 18,", " v 17,");
    let set_back =
        format!("2026-08-09T11:00:00.000Z cpu3:2097201){older}2026-08-09T10:05:00.000Z cpu3:2097201){HELD}");
    assert!(of(&read(&set_back), "rollback").is_none(), "the order of the lines is the true one");
    let alone =
        format!("2026-08-09T10:05:00.000Z cpu3:2097201){HELD}2026-08-09T11:00:00.000Z cpu3:2097201){older}");
    assert!(
        of(&read(&alone), "rollback").is_none(),
        "a version alone may be another volume's: it is in what else was considered"
    );
    let tie = "2026-08-09T09:00:00.000Z: [scsiCorrelator] 1us: [esx.problem.storage.redundancy.degraded] Path redundancy to storage device naa.60aa01 \
               degraded. Path vmhba3:C0:T0:L1 is down. Affected datastores: \"silver\".\n";
    let answer = failed(0, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", FALSE).replace("T10:00:00", "T10:59:30");
    let went_back = format!(
        "{tie}2026-08-09T10:05:00.000Z cpu3:2097201){HELD}{answer}2026-08-09T11:00:00.000Z cpu3:2097201){older}"
    );
    assert_eq!(of(&read(&went_back), "rollback").unwrap().confidence, "likely");
    let anew = went_back.replace("2026-08-09T11", "2026-09-20T11");
    let surely = of(&read(&anew), "rollback").is_some_and(|finding| finding.confidence != "possible");
    assert!(!surely, "a month later it may be another volume of that name");
}

#[test]
fn what_each_host_calls_its_own_is_not_what_another_calls_so() {
    let line = |host: &str, what: &str| {
        format!(
            "2026-08-09T10:00:00+00:00 {host} kernel: sd 2:0:0:1: [sdb] tag#7 FAILED Result: hostbyte={what} driverbyte=DRIVER_OK cmd_age=31s\n\
             2026-08-09T10:00:00+00:00 {host} kernel: sd 2:0:0:1: [sdb] tag#7 CDB: Compare and write, Unknown(16) 89 00 00 00 00 00 00 00 1a 00 00 00 00 01 00 00\n"
        )
    };
    let (one, other) = (line("tern", "DID_TIME_OUT"), line("ruff", "DID_TIME_OUT"));
    let report = judge(&[("tern/messages", &one), ("ruff/messages", &other)]);
    assert!(report.incidents.iter().all(|finding| finding.hosts.len() <= 1), "{:#?}", report.incidents);
}

#[test]
fn lines_of_healthy_starts_rescans_and_tools_are_no_incident() {
    let filler: String = (0..80)
        .map(|n| {
            format!("2026-08-09T09:{:02}:00.000Z cpu3:20970)NetPort: 1580: disabled port 0x3{n:07}\n", n % 60)
        })
        .collect();
    let rescan: String = ["0x6 0x3f 0xe", "0x6 0x2a 0x6", "0x6 0x29 0x2"]
        .iter()
        .map(|sense| {
            failed(
                1,
                "0x89",
                "naa.60aa01",
                "vmhba3:C0:T0:L1",
                &format!("H:0x0 D:0x2 P:0x0 Valid sense data: {sense}."),
            )
        })
        .collect();
    let smart = failed(
        2,
        "0x85",
        "naa.60aa02",
        "vmhba0:C0:T0:L0",
        "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.",
    ) + "2026-08-09T10:30:00.000Z cpu3:20970)NMP: nmp_ThrottleLogForDevice:3815: last error status from device naa.60aa02 repeated 80 times\n";
    let start = "Aug  9 10:00:00 n4 kernel: qla2xxx 0000:06:00.0: Allocated (1206 KB) for firmware dump...\n\
                 Aug  9 10:00:01 n4 kernel: lpfc 0000:81:00.0: 0:2574 IO channels: 16, Mailbox command timeout 30s\n\
                 Aug  9 10:00:02 n4 kernel: mpt3sas_cm0: fault_state polling started, interval 1000 ms\n";
    let tools = "Aug  9 10:00:00 n4 storcli: PD 252:7 Medium error count = 0  Other Error Count = 0\nNon-medium error count:       12\n";
    for (name, lines) in
        [("a rescan", rescan), ("SMART", smart), ("a start", start.to_owned()), ("tools", tools.to_owned())]
    {
        let report = read(&(filler.clone() + &lines));
        assert!(report.incidents.is_empty(), "{name}: {:?}", said(&report));
    }
}

#[test]
fn lone_false_answers_of_a_busy_cluster_are_one_question() {
    let filler: String = (0..80)
        .map(|n| {
            format!("2026-08-09T09:{:02}:00.000Z cpu3:20970)NetPort: 1580: disabled port 0x3{n:07}\n", n % 60)
        })
        .collect();
    let lone: String = (0..9)
        .map(|n| {
            failed(0, "0x89", &format!("naa.60aa{n:02}"), "vmhba3:C0:T0:L1", FALSE)
                .replace("T10:00", &format!("T1{n}:10"))
        })
        .collect();
    let report = read(&(filler + &lone));
    assert_eq!(said(&report), [("cannot-tell", "possible")]);
    assert_eq!((report.incidents[0].devices.len(), report.incidents[0].events), (9, 9));
}

#[test]
fn whoever_cleans_up_behind_a_dead_host_is_not_the_dead_one() {
    let marks = "2026-08-09T10:00:00.000Z cpu9:2099300)HBX: 6410: 'silver': HB at offset 3801088 - Marking HB:\n\
                 2026-08-09T10:00:01.000Z cpu9:2099300)HBX: 6420: 'silver': HB at offset 3801088 - Clearing HB:\n";
    assert!(of(&read(marks), "fenced").is_none());
}

#[test]
fn a_watchdog_that_counted_down_and_was_stopped_fenced_nobody() {
    let counting = "Aug  9 10:00:00 n1 sanlock[600]: 2026-08-09 10:00:00 1000 [600]: s1 delta_renew long write time 31 sec\n\
                    Aug  9 10:00:10 n1 wdmd[500]: test failed rem 21 now 1010 ping 1000 close 0 renewal 930 expire 1010 client 600 sanlock_s1:1\n";
    let stopped = "Aug  9 10:00:21 n1 wdmd[500]: /dev/watchdog0 reopen\n";
    assert_eq!(
        of(&read(counting), "fenced").unwrap().confidence,
        "likely",
        "nothing says that it was stopped"
    );
    assert!(of(&read(&(counting.to_owned() + stopped)), "fenced").is_none());
}

#[test]
fn a_host_under_its_short_and_its_full_name_is_one() {
    let late = failed(0, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", LATE);
    let answered = failed(9, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", FALSE);
    let of = |host: &str, line: &str| line.replacen("Z ", &format!("Z {host} vmkernel: "), 1);
    let one = judge(&[("a", &of("esx4", &late)), ("b", &of("ESX4.corp.example", &answered))]);
    assert_eq!(said(&one), [("delayed-own-write", "likely")]);
    let two = judge(&[("a", &of("esx4.lab.example", &late)), ("b", &of("esx4.corp.example", &answered))]);
    assert_ne!(said(&two), [("delayed-own-write", "likely")], "two domains, two hosts");
}

#[test]
fn where_no_line_is_known_nothing_is_called_healthy() {
    let report = read("one line\nand another\n");
    assert_eq!((report.understood, report.lines), (0, 2));
    let page = oarlock_doctor::report::terminal::Page { width: 80, colours: false }.report(&report);
    assert!(page.contains("None of these lines"), "{page}");
    let mut doctor = Doctor::new().showing_strangers(true);
    doctor.read("log", &mut &b"one line\nand another\n"[..], &mut |_| {});
    assert_eq!(doctor.judge().strangers.len(), 2, "all of a few lines are shown");
}

#[test]
fn targets_and_drivers_of_other_makes_tell_a_false_and_an_unknown_test_and_set() {
    let spdk = "nvme_qpair.c: 474:spdk_nvme_print_completion: *NOTICE*: COMPARE FAILURE (02/85) qid:1 cid:120 cdw0:0 sqhd:0027 p:0 m:0 dnr:0\n";
    let freebsd =
        "(da7:iscsi3:0:0:1): SCSI sense: MISCOMPARE asc:1d,0 (Miscompare during verify operation)\n";
    for line in [spdk, freebsd] {
        assert_eq!(said(&read(line)), [("cannot-tell", "possible")], "{line}");
    }
    let lio = "Aug  9 10:00:00 n1 kernel: TARGET_CORE[iSCSI]: Unsupported SCSI Opcode 0x89, sending CHECK_CONDITION.\n";
    assert_eq!(said(&read(lio)), [("ats-unsupported", "certain")]);
}

#[test]
fn oarlocks_own_events_are_of_their_device_in_both_forms() {
    let json = "{\"time\":\"2026-08-09T10:00:00.000Z\",\"kind\":\"miscompare\",\"cause\":\"contention\",\"layer\":\"file-system\",\"lba\":4711,\
                \"record\":\"lock\",\"path\":\"/srv/pool.img\",\"action\":\"lost\"}\n";
    let report = read(json);
    assert_eq!(said(&report), [("contention", "certain")]);
    assert_eq!(report.incidents[0].device.as_deref(), Some("/srv/pool.img"));
    let text =
        "2026-08-09T10:00:00.000Z miscompare contention lost lock at block 4711: another host's image\n";
    assert_eq!(said(&read(text)), [("contention", "certain")]);
}

#[test]
fn what_another_program_says_in_the_same_words_is_none_of_ours() {
    let lines = [
        "kea-dhcp4[812]: ERROR: Reservation error for client 00:11:22:33:44:99: address in use",
        "kubelet[77]: container web in pod s-7 was terminated (exit code 137) by the eviction manager",
        "dpkg[9]: package bar: wrong checksum in control file, fetching again",
        "bluetoothd[31]: Adapter failed to start discovery: busy",
        "influxd[4]: node is out of physical space warning threshold 80%: ok",
        "java[5]: CompareAndSet returned false for equality, retrying optimistic lock",
        "operator[6]: node w2 will be fenced off from new pods",
    ];
    for line in lines {
        let report = read(&format!("Aug  9 10:00:00 web3 {line}\n"));
        assert!(report.incidents.is_empty(), "{line}: {:?}", said(&report));
    }
    let ours = "Aug  9 10:00:00 n3 sanlock[812]: 2026-08-09 10:00:00 77 [812]: s1 verify_leader 2 wrong checksum 7a1c03fe 1188aa02 /dev/vgx/lease\n";
    assert!(of(&read(ours), "corrupt-block").is_some());
}

#[test]
fn a_fence_that_was_only_decided_is_not_told_as_done() {
    let decided =
        "Aug  9 10:00:00 n1 pengine[1]: warning: Node n2 will be fenced because of resource failure(s)\n";
    let report = read(decided);
    assert_eq!(said(&report), [("fenced", "possible")]);
    assert!(
        report.incidents[0].because.contains("because")
            || report.incidents[0].because.contains("resource failure"),
        "{}",
        report.incidents[0].because
    );
    assert!(!report.incidents[0].because.contains("was fenced"), "{}", report.incidents[0].because);
    let hindered = decided.to_owned()
        + "Aug  9 10:00:01 n1 pengine[1]: notice: Cannot fence unclean nodes until quorum is attained\n";
    assert_eq!(
        said(&read(&hindered)),
        [("cannot-tell", "possible")],
        "whoever is not fenced may still write"
    );
    let done = decided.to_owned()
        + "Aug  9 10:00:09 n1 stonith-ng[3]: notice: Operation reboot of n2 by n1 for crmd.7@n1.ab: OK\n";
    assert_eq!(said(&read(&done)), [("fenced", "certain")]);
}

#[test]
fn two_machines_that_nobody_named_are_two() {
    let late =
        failed(0, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", LATE).replacen("Z ", "Z localhost vmkernel: ", 1);
    let answered = failed(9, "0x89", "naa.60aa01", "vmhba3:C0:T0:L1", FALSE).replacen(
        "Z ",
        "Z localhost.localdomain vmkernel: ",
        1,
    );
    let report = judge(&[("a", &late), ("b", &answered)]);
    assert!(!said(&report).contains(&("delayed-own-write", "likely")), "{:?}", said(&report));
    assert_eq!(
        said(&judge(&[("a", &(late + &answered))])),
        [("delayed-own-write", "likely")],
        "in one file it is one"
    );
}

#[test]
fn a_link_is_no_way_to_a_lun_whose_ways_are_told_anywhere_in_the_log() {
    let known = failed(
        0,
        "0x2a",
        "naa.60aa01",
        "vmhba4:C0:T0:L1",
        "H:0x2 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.",
    )
    .replace("T10:00", "T09:40");
    let late = format!(
        "2026-08-09T10:00:09.000Z cpu3:2097201)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 2097300 to dev \"naa.60aa01\" failed {LATE}\n"
    );
    assert!(
        said(&read(&(LINK.to_owned() + &late))).contains(&("path-fault", "likely")),
        "no line tells its ways"
    );
    assert!(!said(&read(&(known + LINK + &late))).contains(&("path-fault", "likely")), "its ways are others");
}

#[test]
fn a_lock_of_the_hosts_own_is_no_other_hosts_and_a_dead_hosts_image_is_not_its_own() {
    let held = format!("2026-08-09T10:30:16.000Z cpu3:2097201){HELD}");
    let owner = "60bb0009-cc000003-2222-0050560d0e99";
    let own = beat(0).replace("60bb0002-cc000003-2222-0050560d0e0f", owner).replace("'silver'", "'gold'");
    assert!(
        of(&read(&(own + &held)), "contention").is_none(),
        "its own heartbeat on another volume tells its id"
    );
    let marked = format!(
        "2026-08-09T10:00:00.000Z cpu9:2099300)HBX: 6410: 'gold': HB at offset 3801088 - Marking HB: [HB state abcdef02 offset 3801088 gen 29 stampUS 77 \
         uuid {owner} jrnl <FB 12> drv 24.82]\n"
    );
    assert!(
        of(&read(&(marked + &held)), "contention").is_some(),
        "whoever cleans up prints the dead one's id"
    );
}

#[test]
fn an_answer_that_a_target_had_given_may_be_lost_on_the_way() {
    let complete = "Aug  9 10:00:05 tgt3 kernel: ABORT_TASK: Found referenced iSCSI task_tag: 7191\n\
                    Aug  9 10:00:05 tgt3 kernel: ABORT_TASK: ref_tag: 7191 already complete, skipping\n";
    assert_eq!(said(&read(complete)), [("slow-storage", "likely")]);
    let silent = "Aug  9 10:00:02 tgt3 kernel: Did not receive response to NOPIN on CID: 1, failing connection for I_T Nexus\n\
                  Aug  9 10:00:02 tgt3 kernel: mlx5_core 0000:3b:00.0 ens1f0: Link down\n";
    assert_eq!(said(&read(&(silent.to_owned() + complete))), [("slow-storage", "possible")]);
}

#[test]
fn a_target_that_serves_others_neither_proves_nor_hides_a_pair() {
    let pair = failed(
        4,
        "0x89",
        "naa.6aa0beef01",
        "vmhba3:C0:T0:L1",
        "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.",
    ) + &failed(9, "0x89", "naa.6aa0beef01", "vmhba3:C0:T0:L1", FALSE);
    let other = "2026-08-09T10:00:05.000Z tgt3 kernel: ABORT_TASK: Found referenced iSCSI task_tag: 7191\n\
                 2026-08-09T10:00:05.000Z tgt3 kernel: ABORT_TASK: ref_tag: 7191 already complete, skipping\n";
    let first = |log: &str| read(log).incidents[0].clone();
    assert_eq!(first(&pair).confidence, "likely");
    let found = first(&(pair + other));
    assert_eq!((found.cause.as_str(), found.confidence.as_str()), ("delayed-own-write", "likely"));
}

#[test]
fn an_applications_own_log_says_in_the_same_words_what_is_none_of_ours() {
    let lines = [
        "c.h.ReservationService - Reservation error: room 12 taken",
        "sonar: 2 medium errors, 1 minor",
        "session 812 was terminated (timeout) by server",
        "bgp: Peer 10.0.0.9 was terminated (hold timer) by local router",
        "the area was fenced by the guards",
        "maven: artifact web-1.2 detected as a snapshot, not released",
        "db: locking mode mismatch for table orders",
        "net: Adapter failed to start, retrying",
        "reports: quota estimate: out of physical space in 88 days",
    ];
    for line in lines {
        let log: String = (0..6)
            .map(|second| format!("2026-08-09 10:00:0{second},120 ERROR [shop.web] {line}\n"))
            .collect();
        assert!(read(&log).incidents.is_empty(), "{line}: {:?}", said(&read(&log)));
    }
    let over = "Aug  9 10:00:00 mon1 ceph-mon[801]: log_channel(cluster) log [INF] : Health check cleared: SLOW_OPS (was: 3 slow ops, oldest one blocked for 32 sec, osd.3 has slow ops)\n\
                Aug  9 10:00:09 mon1 ceph-mgr[801]: pgmap v8812: 129 pgs: 129 active+clean; 0 slow ops on osd.3\n\
                Aug  9 10:01:09 gw1 tcmu-runner[911]: [WARN] main: Timed out waiting for devices to be released\n";
    assert!(read(over).incidents.is_empty(), "{:?}", said(&read(over)));
}

/// One slow request somewhere in a cluster of Ceph was made the cause of a false test on a LUN of a gateway that may serve files.
#[test]
fn a_slow_request_of_ceph_is_of_no_lun_until_a_gateway_names_an_image() {
    const LUN: &str = "naa.6001405c0ffee0000000000000000021";
    let slow = "Aug  9 10:00:01 mon2 ceph-mon[801]: osd.7 [WRN] 3 slow requests (by type [ 'delayed' : 3 ] most affected pool [ 'archive' : 3 ])\n";
    let test = format!(
        "Aug  9 10:00:05 esx4 vmkernel: cpu3:2097)ScsiDeviceIO: 4124: Cmd(0x45d9) 0x89, CmdSN 0x31 from world 2097 to dev \"{LUN}\" failed {FALSE}\n"
    );
    let image = |name: &str| {
        format!(
            "Aug  9 10:00:03 gw1 tcmu-runner: [WARN] tcmu_notify_lock_lost:222 {name}: Async lock drop. Old state 1\n"
        )
    };
    let is_sure = |gateway: &str| {
        of(&read(&[slow, gateway, &test].concat()), "slow-storage")
            .is_some_and(|found| found.confidence != "possible")
    };
    assert!(!is_sure(""));
    assert!(!is_sure(&image("rbd/vm.disk1")), "another pool");
    assert!(is_sure(&image("archive/vm.disk1")));
}

/// Two gateways that fight for an image nearly always serve a second one: which of them a LUN is, no line says.
#[test]
fn a_fight_for_an_image_is_no_certainty_about_a_lun() {
    let says = |second: u32, gateway: &str, words: &str| {
        format!("Aug  9 10:00:{second:02} {gateway} tcmu-runner: [WARN] tcmu_rbd:300 rbd/vm.disk1: {words}\n")
    };
    let fight: String = (0..4)
        .map(|turn| {
            let gateway = if turn % 2 == 0 { "gw1" } else { "gw2" };
            says(turn * 2, gateway, "Acquired exclusive lock.")
                + &says(turn * 2 + 1, gateway, "Async lock drop. Old state 1")
        })
        .collect();
    let test = format!(
        "Aug  9 10:00:11 esx4 vmkernel: cpu3:2097)ScsiDeviceIO: 4124: Cmd(0x45d9) 0x89, CmdSN 0x31 from world 2097 to dev \"naa.6001405c0ffee0000000000000000021\" failed {FALSE}\n"
    );
    let confidence = |log: &str| of(&read(log), "gateway-fault").map(|found| found.confidence.clone());
    assert_eq!(confidence(&fight).as_deref(), Some("certain"));
    assert_eq!(confidence(&(fight + &test)).as_deref(), Some("likely"));
}

/// A path that failed behind a session was told of a local disk, because that alone had a name.
#[test]
fn a_unit_that_its_host_gave_up_is_no_other_disk() {
    let log = "\
[ 911.100] sd 0:0:1:0: [sda] tag#3 Sense Key : 0xb [current]\n\
[ 911.101] sd 0:0:1:0: [sda] tag#3 ASC=0x47 ASCQ=0x0\n\
[ 911.102] sd 0:0:1:0: [sda] tag#3 CDB: opcode=0x28 28 00 00 21 37 00 00 00 08 00\n\
[ 915.500]  session6: session recovery timed out after 90 secs\n\
[ 915.600] sd 9:0:0:2: rejecting I/O to offline device\n";
    let report = read(log);
    assert!(!report.incidents.is_empty());
    for finding in &report.incidents {
        assert!(!finding.devices.iter().any(|device| device == "sda"), "{finding:#?}");
    }
}

/// A disk whose session did not come back was told twice: as the unit to which nothing was sent, and as the disk whose writes failed.
#[test]
fn the_error_behind_a_refused_command_is_of_its_unit() {
    let refused = |unit: &str| format!("[ 915.600] sd {unit}: rejecting I/O to offline device\n");
    let error = |disk: &str| {
        format!(
            "[ 915.600] I/O error, dev {disk}, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2\n"
        )
    };
    let lost = "[ 795.500]  connection6:0: detected conn error (1020)\n[ 915.500]  session6: session recovery timed out after 120 secs\n";
    let devices = |log: &str| -> Vec<String> {
        read(log).incidents.iter().flat_map(|finding| finding.devices.clone()).collect()
    };
    let one = format!("{lost}{}{}", refused("9:0:0:2"), error("sdq"));
    assert_eq!(devices(&one), ["sdq"]);
    assert_eq!(read(&one).incidents.len(), 1);
    let later = error("sdq").replace("915.600", "1995.600");
    let apart = devices(&format!("{lost}{}{later}", refused("9:0:0:2")));
    assert!(apart.iter().any(|device| device == "9:0:0:2"), "18 minutes lie between: {apart:?}");
    let two = format!("{lost}{}{}{}{}", refused("9:0:0:2"), refused("9:0:0:3"), error("sdq"), error("sdr"));
    assert!(devices(&two).iter().any(|device| device == "9:0:0:2"), "nobody knows whose is whose");
}

/// The heartbeats of a volume were drawn under the disk of a host of Linux, which has no such volume.
#[test]
fn a_volume_of_vmfs_and_a_disk_of_linux_are_no_one_incident() {
    let beat = "2026-06-02T05:00:01.000Z cpu4:2097)HBX: 3058: 'pond-07': HB at offset 3211264 - Waiting for timed out HB:\n2026-06-02T05:00:09.000Z cpu4:2097)HBX: 276: 'pond-07': HB at offset 3211264 - Lost access to volume 5a5a0001-0b0b0002-0c0c-00500000000d (pond-07)\n";
    let linux = "2026-06-02T05:00:03.000Z reed kernel: sd 7:0:0:9: [sdk] tag#6 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=31s\n2026-06-02T05:00:03.000Z reed kernel: sd 7:0:0:9: [sdk] tag#6 CDB: Write(10) 2a 00 00 00 20 00 00 00 01 00\n";
    for logs in [[("esx", beat), ("reed", linux)], [("reed", linux), ("esx", beat)]] {
        let report = judge(&logs);
        assert!(!report.incidents.is_empty(), "{report:?}");
        let both = |finding: &Finding| finding.volume.is_some() && !finding.devices.is_empty();
        assert!(!report.incidents.iter().any(both), "{report:?}");
    }
}
