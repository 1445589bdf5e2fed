//! A command that was left open and a false answer are a pair only if both are of one disk, one block and one writer, and the first was
//! written first.

use oarlock_doctor::{Doctor, Report};

const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";

fn judge(lines: &[String]) -> Report {
    let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut doctor = Doctor::new();
    doctor.read("vmkernel.log", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

/// Whether the report is sure that the host met its own write.
fn is_a_pair(lines: &[String]) -> bool {
    let report = judge(lines);
    report
        .incidents
        .iter()
        .any(|finding| finding.cause == "delayed-own-write" && finding.confidence != "possible")
}

fn on_path(second: u32, device: &str, unit: u32, end: &str) -> String {
    format!(
        "2026-10-04T03:00:{second:02}.250Z cpu6:2098011)NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x89 (0x45d9{second:02}, 2097400) to dev \"{device}\" on path \
         \"vmhba2:C0:T1:L{unit}\" Failed: {end} Act:NONE"
    )
}

fn of_world(second: u32, serial: &str, world: u32, end: &str) -> String {
    format!(
        "2026-10-04T03:00:{second:02}.250Z cpu6:2098011)ScsiDeviceIO: 4633: Cmd(0x45d9{second:02}) 0x89, CmdSN {serial} from world {world} to dev \
         \"naa.6000d31000c0ffee000000000000004d\" failed {end}"
    )
}

#[test]
fn a_masked_name_is_the_same_only_behind_the_same_unit() {
    let masked = "naa.6000d310################";
    assert!(is_a_pair(&[on_path(5, masked, 7, LATE), on_path(9, masked, 7, FALSE)]));
    assert!(!is_a_pair(&[on_path(5, masked, 7, LATE), on_path(9, masked, 8, FALSE)]));
    // Behind two targets one unit may have two numbers; its whole name decides.
    let whole = "naa.6000d31000c0ffee000000000000004d";
    assert!(is_a_pair(&[on_path(5, whole, 7, LATE), on_path(9, whole, 8, FALSE)]));
}

/// A name of which the end was cut off, or made zeros, is left of any disk of its vendor.
#[test]
fn a_name_that_was_cut_or_zeroed_is_no_identity() {
    for cut in [
        "naa.6000d310",
        "naa.6000d31000c0ffee000000",
        "naa.60000000000000000000000000000000",
        "naa.6000d310000000000000000000000000",
    ] {
        assert!(!is_a_pair(&[on_path(5, cut, 7, LATE), on_path(9, cut, 8, FALSE)]), "{cut}");
        assert!(is_a_pair(&[on_path(5, cut, 7, LATE), on_path(9, cut, 7, FALSE)]), "{cut}: one unit");
        let whole = "naa.6000d31000c0ffee000000000000004d";
        let without_path = |second, end| of_world(second, "0x5a1", 2097400, end).replace(whole, cut);
        assert!(!is_a_pair(&[without_path(5, LATE), without_path(9, FALSE)]), "{cut}: of no known unit");
    }
}

/// One controller leads to many disks: each of its namespaces is one.
#[test]
fn two_namespaces_of_a_controller_are_two_disks() {
    let line = |second: u32, status: &str, namespace: u32| {
        format!(
            "2026-10-04T03:00:{second:02}.250Z Wa(180) vmkwarning: cpu6:2098011)WARNING: NVMEIO:2644 command 0x45d9{second:02} failed: ctlr 301, queue 2, psaCmd 0x45c1, \
             status {status}, opc 0x5, cid 7, nsid {namespace}"
        )
    };
    assert!(is_a_pair(&[line(5, "0x371", 11), line(7, "0x285", 11)]));
    assert!(!is_a_pair(&[line(5, "0x371", 11), line(7, "0x285", 12)]));
}

#[test]
fn two_guests_and_their_host_are_three_writers() {
    let pair = |one: (&str, u32), other: (&str, u32)| {
        is_a_pair(&[of_world(5, one.0, one.1, LATE), of_world(9, other.0, other.1, FALSE)])
    };
    assert!(pair(("0x5a1", 2097400), ("0x5a9", 2097433)), "the host's own worlds are one writer");
    assert!(pair(("0x80000041", 2101001), ("0x80000044", 2101001)));
    assert!(!pair(("0x80000041", 2101001), ("0x80000044", 2101777)));
    assert!(!pair(("0x80000041", 2101001), ("0x5a9", 2097433)));
}

/// Linux's lines of one failure of `sdr`.
fn of_linux(second: u32, nexus: &str, result: &str, address: &str) -> Vec<String> {
    let kernel =
        |text: String| format!("Oct  4 03:00:{second:02} node4 kernel: sd {nexus}: [sdr] tag#7 {text}");
    let mut lines = vec![kernel(format!("FAILED Result: hostbyte={result} driverbyte=DRIVER_OK"))];
    if result == "DID_OK" {
        lines.push(kernel("Sense Key : Miscompare [current]".to_owned()));
        lines.push(kernel("Add. Sense: Miscompare during verify operation".to_owned()));
    }
    lines.push(kernel(format!("CDB: Compare and write 89 00 {address} 00 00 00 01 00 00")));
    lines
}

#[test]
fn two_blocks_and_two_disks_of_one_name_are_no_pair() {
    const HERE: &str = "00 00 00 00 00 00 20 00";
    let pair = |nexus: &str, address: &str| {
        let mut lines = of_linux(5, "6:0:2:9", "DID_TIME_OUT", HERE);
        lines.extend(of_linux(9, nexus, "DID_OK", address));
        is_a_pair(&lines)
    };
    assert!(pair("6:0:2:9", HERE));
    assert!(!pair("6:0:2:9", "00 00 00 00 00 7c 20 00"), "another block");
    assert!(!pair("8:0:0:1", HERE), "the name was given anew");
}

/// A line of a log without zones.
fn local(time: &str, end: &str) -> String {
    format!(
        "Oct 25 {time} esx9 vmkernel: cpu6:2098011)ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x5a1 from world 2097400 to dev \
         \"naa.6000d31000c0ffee000000000000004d\" failed {end}"
    )
}

#[test]
fn what_stands_behind_a_clock_that_was_set_back_came_later() {
    let refused = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x25 0x0.";
    let log = [
        local("02:10:00", refused),
        local("02:58:50", FALSE),
        local("02:04:00", refused),
        local("02:58:44", LATE),
        local("02:59:58", refused),
    ];
    assert!(!is_a_pair(&log), "the answer was false fifty minutes before the other was given up");
    let log = [local("02:10:00", refused), local("02:58:44", LATE), local("02:58:50", FALSE)];
    assert!(is_a_pair(&log));
}

/// Two facts are all that this log tells, and alone they would stand newest first: the lines between them tell that the clock went back.
#[test]
fn the_lines_around_two_facts_tell_which_way_a_log_stands() {
    let other = |time: &str| {
        format!("Oct 25 {time} esx9 vmkernel: cpu2:33001)World: 12237: VC opID a maps to vmkernel opID b")
    };
    let set_back = [local("02:58:50", FALSE), other("02:58:59"), other("02:00:03"), local("02:58:44", LATE)];
    assert!(!is_a_pair(&set_back));
    let newest_first = [
        other("02:59:10"),
        local("02:58:50", FALSE),
        other("02:58:47"),
        local("02:58:44", LATE),
        other("02:50:00"),
    ];
    assert!(is_a_pair(&newest_first));
}

#[test]
fn a_log_that_stands_newest_first_is_read_from_its_end() {
    let other = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x25 0x0.";
    let newest_first = |middle: [&str; 2]| {
        [
            local("02:59:58", other),
            local("02:58:44", middle[0]),
            local("02:58:44", middle[1]),
            local("02:04:00", other),
        ]
    };
    assert!(is_a_pair(&newest_first([FALSE, LATE])));
    assert!(!is_a_pair(&newest_first([LATE, FALSE])), "within one second, too");
}

#[test]
fn a_log_without_years_goes_on_over_new_year() {
    let at = |time: &str, end: &str| local("02:00:00", end).replace("Oct 25 02:00:00", time);
    assert!(is_a_pair(&[at("Dec 31 23:59:56", LATE), at("Jan  1 00:00:02", FALSE)]));
    assert!(!is_a_pair(&[at("Jan  1 00:00:02", FALSE), at("Dec 31 23:59:56", LATE)]));
}

#[test]
fn a_time_may_stand_behind_its_message() {
    let late = "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x5a1 from world 2097400 to dev \"naa.6000d31000c0ffee000000000000004d\" failed";
    let row = |time: &str, end: &str| format!("{late} {end}\t2026-10-04T{time}Z");
    assert!(is_a_pair(&[row("03:00:05", LATE), row("03:00:09", FALSE)]));
    assert!(!is_a_pair(&[row("03:00:05", LATE), row("05:00:09", FALSE)]));
}

/// A driver that asks for a command to be sent again (a full queue, a port that is not ready) mostly never sent it: that it was executed is no more than possible.
#[test]
fn a_command_that_was_put_back_is_not_surely_one_that_was_executed() {
    let failed = |second: u32, result: &str, sense: &str| {
        let front = format!("Mar  4 02:00:{second:02} n1 kernel: sd 2:0:0:1: [sdc] tag#7 ");
        let sense = if sense.is_empty() { String::new() } else { format!("{front}{sense}\n") };
        format!(
            "{front}FAILED Result: hostbyte={result} driverbyte=DRIVER_OK\n{sense}{front}CDB: Compare and write 89 00 00 00 00 00 00 00 20 00 00 00 00 01 00 00\n"
        )
    };
    let is_sure = |result: &str| {
        let log = failed(0, result, "") + &failed(6, "DID_OK", "Sense Key : Miscompare [current]");
        let mut doctor = oarlock_doctor::Doctor::new();
        doctor.read("messages", &mut log.as_bytes(), &mut |_| {});
        let report = doctor.judge();
        report
            .incidents
            .iter()
            .any(|finding| finding.cause == "delayed-own-write" && finding.confidence != "possible")
    };
    assert!(is_sure("DID_TIME_OUT"));
    for result in ["DID_IMM_RETRY", "DID_REQUEUE"] {
        assert!(!is_sure(result), "{result}");
    }
}

/// LIO answered MISCOMPARE at once, the host gave the command up five seconds later, and the target was called too slow.
#[test]
fn a_test_that_the_target_answered_at_once_was_not_late_and_left_no_image() {
    let target = |second: u32, text: &str| format!("2026-10-04T03:00:{second:02}.000Z tgt-4 kernel: {text}");
    let host = |second: u32, end: &str| {
        format!(
            "2026-10-04T03:00:{second:02}.300Z esx4 vmkernel: cpu6:2098011)ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x5{second} from world 2097400 to dev \
             \"naa.60014055c425cd10a874374b0000004d\" failed {end}"
        )
    };
    let answer =
        |second| target(second, "Detected MISCOMPARE for addr: 00000000a1b2c3d4 buf: 00000000d4c3b2a1");
    let aborted = [
        target(8, "ABORT_TASK: Found referenced iSCSI task_tag: 41"),
        target(8, "ABORT_TASK: ref_tag: 41 already complete, skipping"),
        host(8, LATE),
    ];
    let sure = |lines: &[String]| {
        let report = judge(lines);
        let sure = report.incidents.into_iter().filter(|finding| finding.confidence != "possible");
        sure.map(|finding| finding.cause).collect::<Vec<_>>()
    };
    let late: Vec<String> = aborted.iter().cloned().chain([answer(10), host(10, FALSE)]).collect();
    assert_eq!(sure(&late), ["slow-storage"], "it executed the first one, and the second met its image");
    let in_time: Vec<String> = std::iter::once(answer(3)).chain(late).collect();
    assert!(sure(&in_time).is_empty(), "{:#?}", judge(&in_time));
}

/// A CDB that was cut behind its address tells its block; one that was cut before it may be of any block.
#[test]
fn a_command_whose_bytes_were_cut_is_a_pair_with_no_other_block() {
    let log = |first: &str, second: &str| {
        format!(
            "Aug  9 10:00:05 gw3 kernel: sd 1:0:0:4: [sdq] tag#33 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=31s\n\
             Aug  9 10:00:05 gw3 kernel: sd 1:0:0:4: [sdq] tag#33 CDB: Compare and write {first}\n\
             Aug  9 10:00:09 gw3 kernel: sd 1:0:0:4: [sdq] tag#40 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s\n\
             Aug  9 10:00:09 gw3 kernel: sd 1:0:0:4: [sdq] tag#40 Sense Key : Miscompare [current] \n\
             Aug  9 10:00:09 gw3 kernel: sd 1:0:0:4: [sdq] tag#40 Add. Sense: Miscompare during verify operation\n\
             Aug  9 10:00:09 gw3 kernel: sd 1:0:0:4: [sdq] tag#40 CDB: Compare and write {second}\n"
        )
    };
    let is_sure = |first: &str, second: &str| {
        let mut doctor = oarlock_doctor::Doctor::new();
        doctor.read("log", &mut log(first, second).as_bytes(), &mut |_| {});
        let report = doctor.judge();
        report
            .incidents
            .iter()
            .any(|found| found.cause == "delayed-own-write" && found.confidence != "possible")
    };
    let whole = "89 00 00 00 00 00 00 00 00 21 00 00 00 01 00 00";
    assert!(is_sure(whole, whole));
    for (first, second) in [
        ("89 00 00 00 00 00 00 00 21", "89 00 00 00 00 00 00 00 22"),
        ("89 00", "89 00"),
        (whole, "89 00 00"),
    ] {
        assert!(!is_sure(first, second), "{first} / {second}");
    }
}

/// Who copies begins amid a line, which loses its time; the lines behind it may be of hours later.
#[test]
fn a_first_line_without_its_time_is_no_nearer_than_the_line_behind_it() {
    let is_sure = |hour: u32| {
        let end = "CmdSN 0x1f from world 2097 to dev \"naa.600a0980b1aa00000000000000000003\" failed";
        let log = format!(
            ": 4176: Cmd(0x45b9) 0x89, {end} H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.\n\
             2026-08-09T10:00:01.000Z cpu1:2097500)Net: 2525: connected vm eth0\n\
             2026-08-09T{hour}:00:03.000Z cpu7:2097900)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, {end} H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0\n"
        );
        let mut doctor = oarlock_doctor::Doctor::new();
        doctor.read("log", &mut log.as_bytes(), &mut |_| {});
        let report = doctor.judge();
        report
            .incidents
            .iter()
            .any(|found| found.cause == "delayed-own-write" && found.confidence != "possible")
    };
    assert!(is_sure(10), "two seconds later");
    assert!(!is_sure(16), "six hours later");
}
