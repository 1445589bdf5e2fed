//! What people paste when they ask: pieces of lines, and sentences from memory. Each says something true, and no more than it proves.

use oarlock_doctor::{Doctor, Report, explain};

fn judge(text: &str) -> Report {
    let mut doctor = Doctor::new().showing_strangers(true);
    doctor.read("-", &mut text.as_bytes(), &mut |_| {});
    doctor.judge()
}

const MISCOMPARES: [&str; 12] = [
    "0xe 0x1d 0x0",
    "Valid sense data: 0xe 0x1d 0x0",
    "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0",
    "H:0x0 D:0x0 P:0x5",
    "sense key 0xe, ASC 0x1d, ASCQ 0x0",
    "Atomic test and set of disk block returned false for equality",
    "atomic test and set of disk block returned\nfalse for equality",
    "ATS Miscompare detected between test and set HB images at offset 3444736 on vol lab-gold",
    "ATS Miscompare detected between test and set HB images at offset XXX on vol YYY",
    "we got an ats miscompare last night",
    "[sdc] tag#3 Sense Key : Miscompare [current]",
    "dev 0×89 H:0×0 D:0×285 P:0×0",
];

#[test]
fn a_piece_of_a_false_test_and_set_is_understood_and_proves_no_cause() {
    for piece in MISCOMPARES {
        let report = judge(piece);
        let found: Vec<&str> = report.incidents.iter().map(|finding| finding.cause.as_str()).collect();
        assert_eq!(found, ["cannot-tell"], "{piece}");
        let finding = &report.incidents[0];
        assert!(finding.because.contains("was not equal"), "{piece}: {}", finding.because);
        assert!(finding.collect_next.len() >= 3, "{piece}");
        assert!(report.strangers.is_empty() && report.understood > 0, "{piece}");
    }
}

#[test]
fn a_piece_without_its_command_asks_for_the_whole_line() {
    for piece in ["H:0x0 D:0x2 P:0x0", "0x5 0x20 0x0", "Valid sense data: 0x2 0x4 0xa"] {
        let report = judge(&format!("what is this?\n{piece}\n"));
        assert_eq!(report.incidents.len(), 1, "{piece}");
        let finding = &report.incidents[0];
        assert_eq!(finding.cause, "cannot-tell", "{piece}");
        assert!(finding.because.contains("without the command"), "{piece}: {}", finding.because);
        assert!(finding.collect_next[0].contains("whole line"), "{piece}");
    }
}

/// A fuzzer found it: the end of a line that names its device, refused, and nothing else of weight.
#[test]
fn a_refusal_whose_beginning_is_lost_is_quoted() {
    let report = judge(
        "807 to dev \"naa.60000000000000000000000000000a01\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.\n",
    );
    assert_eq!(report.incidents.len(), 1);
    let finding = &report.incidents[0];
    assert_eq!((finding.cause.as_str(), finding.evidence.len()), ("cannot-tell", 1));
    assert!(finding.evidence[0].text.contains("Valid sense data"), "{:?}", finding.evidence);
}

#[test]
fn a_mail_around_a_piece_is_no_stranger_and_no_second_finding() {
    let mail = "Hello,\n\nsince Tuesday we see\n\n> 0xe 0x1d 0x0\n\non host 7 (2026-02-03), 6/29/07 was quiet.\nThanks\n";
    let report = judge(mail);
    assert_eq!((report.incidents.len(), report.strange, report.understood, report.lines), (1, 0, 1, 8));
    assert_eq!(report.incidents[0].evidence[0].line, 5);
}

/// In a whole log a piece without any sign of where it belongs is no fact.
#[test]
fn words_of_a_long_log_are_not_taken_for_pieces() {
    let filler =
        "2026-07-07T06:00:00.000Z cpu1:2)Net: 1: a quiet line about ats and a miscompare\n".repeat(80);
    let report = judge(&filler);
    assert_eq!((report.incidents.len(), report.understood), (0, 0));
    assert_eq!(judge(&format!("{filler}0xe 0x1d 0x0\n")).incidents.len(), 1, "the triple is a key word");
}

fn meaning<'a>(explanation: &'a oarlock_doctor::Explanation, name: &str) -> &'a str {
    let field = explanation.fields.iter().find(|field| field.name == name);
    field.map_or_else(|| panic!("no {name}: {explanation:?}"), |field| field.meaning.as_str())
}

#[test]
fn every_piece_is_explained() {
    for piece in MISCOMPARES {
        let explanation = explain(piece);
        assert!(!explanation.summary.contains("Nothing in this line"), "{piece}: {explanation:?}");
        let all = format!("{explanation:?}").to_lowercase();
        assert!(all.contains("not equal") || all.contains("was false"), "{piece}: {explanation:?}");
        assert!(all.contains("dump"), "{piece} says what to collect: {explanation:?}");
    }
    let lost = explain(
        "Lost access to volume 5a000000-5b000000-5c5c-0050560a0b0c (silver) due to connectivity issues.",
    );
    assert!(meaning(&lost, "heartbeat").contains("16 seconds"));
    assert!(lost.fields.iter().any(|field| field.name == "volume" && field.value == "silver"));
    assert!(explain("a quiet line").summary.contains("Nothing in this line"));
}

/// Lines that are known by a phrase said nothing but their time.
#[test]
fn a_line_known_by_a_phrase_is_explained_by_it() {
    let cases = [
        (
            "HBX: 258: Reclaimed heartbeat for volume 5a000000-5b000000-5c5c-0050560a0b0c (silver): [Timeout] Offset 3407872",
            "heartbeat",
            "took its own slot again",
        ),
        (
            "HBX: 4217: 'silver': HB at offset 3407872 - Waiting for timed out HB: [HB state abcdef02 offset 3407872 gen 29 stampUS 105063 uuid 5a000000-5b000000-5c5c-0050560a0b0c jrnl <FB 5> drv 14.61]",
            "slot gen",
            "only grows",
        ),
        (
            "WARNING: NMP: nmpCompleteRetryForPath:378:Logical device \"naa.600c0ff0aa\": awaiting fast path state update before retrying failed command again...",
            "path event",
            "in doubt",
        ),
        ("multipathd[812]: mpatha: remaining active paths: 0", "path event", "no path"),
        ("multipathd: 8:32: mark as failed", "written by", "watches paths"),
        ("kernel: ABORT_TASK: Found referenced iSCSI task_tag: 17", "task", "abort"),
        ("ABORT_TASK: ref_tag: 17 already complete, skipping", "task", "its answer was lost or late"),
        (
            "sanlock[712]: 2024 s3 delta_renew read rv -202 offset 0 /dev/vg/ids",
            "sanlock's answer",
            "I/O timeout",
        ),
        ("s3 renewal error -202 delta_length 10 last_success 4711", "delta_length", "renewal took"),
        ("lvmlockd[9]: sanlock renewal failed", "written by", "lock daemon"),
        (
            "corosync[1]: [MAIN ] Corosync main process was not scheduled for 14302.5 ms (threshold is 2400 ms)",
            "pause",
            "did not run",
        ),
        ("sd 2:0:0:1: [sdc] tag#3 Sense Key : Miscompare [current]", "sense", "MISCOMPARE"),
        (
            "sd 2:0:0:1: [sdc] tag#3 FAILED Result: hostbyte=DID_SOFT_ERROR driverbyte=DRIVER_OK cmd_age=2s",
            "H",
            "VMware",
        ),
        ("tcmu-runner: tcmu_rbd_lock: Acquired exclusive lock.", "gateway", "fight of two gateways"),
        (
            "[vob.vmfs.heartbeat.timedout] 5a000000-5b000000-5c5c-0050560a0b0c silver",
            "written by",
            "observer",
        ),
        (
            "DLX: 3394: vol 'silver', lock at 4096: [Req mode 1] Not free; Lock [type 10c00001 offset 4096 v 7, hb offset 3407872 gen 29, mode 1, owner 5a000000-5b000000-5c5c-0050560a0b0c mtime 991",
            "owner",
            "00:50:56:0a:0b:0c",
        ),
        ("Send MISCOMPARE check condition and sense", "target", "answered an atomic test and set with false"),
        ("pacemaker-controld: Scheduling node n2 for fencing", "cluster", "fenced"),
        ("verify_leader 1 wrong checksum", "cluster", "damaged"),
        ("FPIN: Credit Stall on rport 0x5", "fabric", "credits"),
        ("LVM: 7404: Device naa.60:1 detected to be a snapshot:", "copy", "identity"),
    ];
    for (line, name, says) in cases {
        let explanation = explain(line);
        assert!(meaning(&explanation, name).contains(says), "{line}: {explanation:?}");
        assert!(!explanation.summary.contains("Nothing in this line"), "{line}");
    }
}

#[test]
fn a_usual_line_is_said_to_be_usual() {
    let explanation = explain("sanlock[1]: s1 renewed lv 3");
    assert!(explanation.summary.contains("sual"), "{explanation:?}");
}

#[test]
fn sense_data_name_the_command_that_they_answer() {
    let explanation = explain("0x5 0x24 0x0 at 0x89");
    assert!(explanation.summary.contains("atomic test and set was refused"), "{}", explanation.summary);
    assert!(explain("0x5 0x24 0x0 at noon").fields.is_empty());
}

/// ESX 3.5 counts the commands that it gives up in words of its own.
#[test]
fn an_abort_of_the_oldest_hosts_is_known() {
    let explanation =
        explain("cpu3:4300)SCSI: vm 4300: 109: AsyncIO timeout (5000); aborting cmd w/ sn 88, handle 1/0x2");
    assert!(explanation.fields.iter().any(|field| field.name == "task"), "{explanation:?}");
}

/// One number has two names: Linux's own is given where Linux wrote it.
#[test]
fn a_soft_error_is_what_its_driver_says() {
    for line in ["hostbyte=DID_SOFT_ERROR", "Cmd 0x2a (0x41, 20) to dev \"naa.6\" Failed: H:0xb D:0x0 P:0x0"]
    {
        let explanation = explain(line);
        let field = explanation.fields.iter().find(|field| field.name == "H").unwrap();
        assert!(
            field.meaning.starts_with("SOFT ERROR") && field.meaning.contains("DID_SOFT_ERROR"),
            "{field:?}"
        );
        assert!(!field.meaning.contains("IMMEDIATE RETRY"), "{field:?}");
    }
}

/// A check condition says that there are sense data: numbers that are none were cut or overwritten, not left by another command.
#[test]
fn sense_data_that_nobody_knows_are_not_another_commands_where_the_status_says_so() {
    let sense = |line: &str| {
        let explanation = explain(line);
        explanation.fields.into_iter().find(|field| field.name == "sense").unwrap().meaning
    };
    let checked = sense("H:0x0 D:0x2 P:0x0 Valid sense data: 0x3f 0xff 0xff");
    assert!(checked.contains("overwritten") && !checked.contains("no check condition"), "{checked}");
    assert!(sense("H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0").contains("no check condition"));
}

/// The plainest fence there is, an order in the host's slot on the shared disk, was read over.
#[test]
fn an_order_in_the_hosts_slot_is_a_fence_by_whoever_wrote_it() {
    let order = |command: &str| {
        format!(
            "Aug 19 23:41:07 heron-2 sbd[2044]: /dev/sdq:   notice: servant_md: Received command {command} from heron-1 on disk /dev/sdq\n"
        )
    };
    for command in ["reset", "off", "crashdump"] {
        let report = judge(&order(command));
        let finding = &report.incidents[0];
        assert_eq!(
            (finding.cause.as_str(), finding.hosts.as_slice()),
            ("fenced", &["heron-2".to_owned()][..])
        );
        assert!(finding.because.contains("heron-2 was fenced by heron-1"), "{}", finding.because);
    }
    for command in ["test", "clear", "exit"] {
        let report = judge(&order(command));
        assert!(report.incidents.is_empty() && report.understood == 1, "{command}");
    }
}

/// Three of Linux's host bytes are what it makes of a device's answer, and were called usual.
#[test]
fn a_host_byte_that_names_an_answer_is_that_answer() {
    let line = |byte: &str| {
        format!("kernel: sd 4:0:0:2: [sdh] tag#9 FAILED Result: hostbyte={byte} driverbyte=DRIVER_OK")
    };
    let cases = [
        ("DID_NEXUS_FAILURE", "RESERVATION CONFLICT"),
        ("DID_ALLOC_FAILURE", "0x7 0x27 0x7"),
        ("DID_MEDIUM_ERROR", "MEDIUM ERROR"),
        ("DID_TARGET_FAILURE", "TARGET FAILURE"),
        ("DID_TRANSPORT_MARGINAL", "TRANSPORT MARGINAL"),
    ];
    for (byte, told) in cases {
        let explained = explain(&line(byte));
        let all = format!("{explained:?}");
        assert!(all.contains(told), "{byte}: {all}");
    }
    let conflict = judge(&format!(
        "{}\nkernel: sd 4:0:0:2: [sdh] tag#9 CDB: Write(10) 2a 00 00 00 10 00 00 00 08 00\n",
        line("DID_NEXUS_FAILURE")
    ));
    assert_eq!(conflict.incidents[0].cause, "reservation", "{conflict:#?}");
}

/// A write that another initiator's reset ended may be half on the disk, and was called refused.
#[test]
fn a_command_that_another_initiator_ended_has_no_answer() {
    let line = "cpu6:2098)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x2a, CmdSN 0x17 from world 2097 to dev \"naa.6000d31000c0ffee0000000000000b1b\" failed H:0x0 D:0x40 P:0x0";
    let all = format!("{:?}", explain(line));
    assert!(all.contains("it may have been executed") && !all.contains("refused"), "{all}");
    assert_eq!(judge(line).incidents.len(), 1);
}

/// Lines that published cases consist of, and that were read over.
#[test]
fn a_transport_that_lost_its_other_end_and_a_pool_that_fills_are_read_in_their_programs_words() {
    let cases = [
        (
            "2026-05-07T16:29:50.697Z cpu2:2097713)nvmerdma:4118 [ctlr 257, queue 9] cmd 0x45b9033224c0, queue not connected: Failure",
            "path-fault",
        ),
        (
            "[2026-03-01 12:23:15.588714] /srv/spdk/include/spdk_internal/nvme_tcp.h: 397:nvme_tcp_read_data: *ERROR*: spdk_sock_recv() failed, errno 110: Connection timed out",
            "path-fault",
        ),
        (
            "Jun 14 03:00:02 plover kernel: sd 4:0:0:9: Warning! Received an indication that the LUN reached a thin provisioning soft threshold.",
            "cannot-tell",
        ),
    ];
    for (line, cause) in cases {
        assert_eq!(judge(line).incidents.len(), 1, "{line}");
        let again = line.replace(":50.697", ":52.105").replace(":15.588", ":17.901").replace(":02 ", ":04 ");
        let report = judge(&format!("{line}\n{again}"));
        let first = &report.incidents[0];
        assert_eq!((first.cause.as_str(), first.confidence.as_str()), (cause, "possible"), "{line}");
    }
    assert!(judge(cases[2].0).incidents[0].explanation.contains("thin LUN has crossed a threshold"));
}

#[test]
fn codes_of_copies_reservations_and_write_protection_have_names() {
    let cases = [
        ("0x83", "0xa 0xd 0x2", "copy target device not reachable"),
        ("0x5f", "0x5 0x55 0x4", "insufficient registration resources"),
        ("0x2a", "0x7 0x27 0x2", "software write protected"),
        ("0x9c", "0x5 0x24 0x0", "WRITE ATOMIC(16)"),
    ];
    for (opcode, sense, told) in cases {
        let line = format!(
            "ScsiDeviceIO: 4176: Cmd(0x45b9) {opcode}, CmdSN 0x17 from world 2097 to dev \"naa.6000d31000c0ffee\" failed H:0x0 D:0x2 P:0x0 Valid sense data: {sense}"
        );
        let all = format!("{:?}", explain(&line));
        assert!(all.contains(told), "{all}");
    }
}

/// What was asked for, and what became of it, stood in the line and was not told.
#[test]
fn a_lost_way_and_the_unmapping_kind_of_write_same_are_told() {
    let lost = format!("{:?}", explain("dev \"naa.6000d31000c0ffee\" failed H:0xf D:0x0 P:0x0"));
    assert!(lost.contains("the way to the device was gone"), "{lost}");
    let same = |byte: &str| {
        format!(
            "{:?}",
            explain(&format!(
                "sd 4:0:0:2: [sdh] tag#1 CDB: Write same(16) 93 {byte} 00 00 00 00 00 00 20 00 00 00 04 00 00 00"
            ))
        )
    };
    assert!(same("08").contains("UNMAP") && !same("00").contains("UNMAP"));
}

/// A blank too many, as a wrap leaves it, hid a damaged volume.
#[test]
fn blanks_within_a_phrase_hide_nothing() {
    let line = "2026-05-07T16:29:50.697Z cpu5:2098702)WARNING: Res3: 3155: Volume 61d0c3aa-4be10f72-9a1c-b02628aa17c9 (\"copper\") might be damaged on the disk. Resource \
                cluster metadata corruption has been detected\n";
    for text in
        [line.to_owned(), line.replace("cluster ", "cluster  "), line.replace("metadata ", "metadata   ")]
    {
        assert_eq!(judge(&text).incidents[0].confidence, "certain", "{text}");
    }
}

/// VMFS says that a volume is damaged and names no record: that is one finding with the line that does.
#[test]
fn a_volume_that_is_said_to_be_damaged_is_told_as_no_more() {
    let volume = "copper/61d0c3aa-4be10f72-9a1c-b02628aa17c9";
    let some = format!(
        "2026-05-07T17:29:50.697Z cpu5:2098702)WARNING: FS3: 633: VMFS volume {volume} on mpx.vmhba32:C0:T0:L0:7 has been detected corrupted\n"
    );
    let finding = &judge(&some).incidents[0];
    assert_eq!(finding.confidence, "certain");
    assert!(finding.explanation.contains("which record it is"), "{}", finding.explanation);
    assert!(!finding.because.contains("lock"), "{}", finding.because);
    let named = "2026-05-07T16:29:50.697Z: [vmfsCorrelator] 91us: [esx.problem.vmfs.resource.corruptondisk] 61d0c3aa-4be10f72-9a1c-b02628aa17c9 copper\n";
    assert_eq!(judge(&(named.to_owned() + &some)).incidents.len(), 1);
}

/// Two lines of another disk above an outage were enough for it not to be told at all.
#[test]
fn a_bystander_in_an_excerpt_silences_nothing() {
    let outage = "[ 8811.635893] nvme nvme3: queue 0: timeout request 0x4 type 4\n[ 8811.635908] nvme nvme3: starting error recovery\n\
                  [ 8811.636581] nvme nvme3: failed nvme_keep_alive_end_io error=10\n[ 8811.639112] block nvme3n1: no usable path - requeuing I/O\n\
                  [ 8811.642918] nvme nvme3: Reconnecting in 10 seconds...\n[ 8825.011252] nvme nvme3: failed to connect socket: -110\n\
                  [ 8825.011285] nvme nvme3: Failed reconnect attempt 1\n";
    let bystander = "[ 8801.629127] block nbd4: Attempted send on invalid socket\n[ 8801.629136] blk_update_request: I/O error, dev nbd4, sector 0 op 0x1:(WRITE) flags 0x800\n";
    for log in [outage.to_owned(), format!("{bystander}{outage}")] {
        let report = judge(&log);
        assert!(report.incidents.iter().any(|finding| finding.cause == "path-fault"), "{log}");
    }
}

#[test]
fn ceph_says_in_its_own_words_that_it_is_full_or_slow() {
    let full = |check: &str| {
        format!("2026-04-14 03:12:07.100 mon.a (mon.0) 911 : cluster [ERR] Health check failed: {check}\n")
    };
    for check in ["1 full osd(s) (OSD_FULL)", "2 pool(s) full (POOL_FULL)"] {
        assert_eq!(judge(&full(check)).incidents[0].cause, "array-full", "{check}");
    }
    let cleared = "2026-04-14 03:12:07.100 mon.a (mon.0) 911 : cluster [INF] Health check cleared: OSD_FULL (was: 1 full osd(s))\n";
    let near = full("1 nearfull osd(s) (OSD_NEARFULL)");
    for log in [cleared, &near] {
        assert!(judge(log).incidents.is_empty(), "{log}");
    }
    let slow = "2026-09-25T12:39:41.500225+0200 osd.9 (osd.9) 4190 : cluster [WRN] 4 slow requests (by type [ 'delayed' : 4 ] most affected pool [ 'p' : 4 ])\n";
    assert_eq!(judge(slow).understood, 1);
}
