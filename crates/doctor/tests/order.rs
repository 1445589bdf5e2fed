//! Rank is not time: what came after a false answer does not explain it, and what only stood near it gives way to what is shown of the
//! record itself.

use oarlock_doctor::{Doctor, Finding, Report};

const LUN: &str = "naa.6000d31000c0ffee000000000000004d";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const RESET: &str = "H:0x8 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const OWNER: &str = "63aa0c11-5b2e7f90-7a1d-0050568c4d5e";

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("vmkernel.log", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn sure(report: &Report) -> Vec<&str> {
    let sure = report.incidents.iter().filter(|finding| finding.confidence != "possible");
    sure.map(|finding| finding.cause.as_str()).collect()
}

fn first(report: &Report) -> &Finding {
    &report.incidents[0]
}

/// A line so many seconds after 03:00.
fn at(second: u32, text: &str) -> String {
    format!("2026-10-04T03:{:02}:{:02}.250Z cpu6:2098011){text}\n", second / 60, second % 60)
}

fn failed(second: u32, opcode: &str, end: &str) -> String {
    at(
        second,
        &format!(
            "ScsiDeviceIO: 4633: Cmd(0x45d9{second:02}) {opcode}, CmdSN 0x9{second} from world 2097400 to dev \"{LUN}\" failed {end}"
        ),
    )
}

fn on_path(second: u32, opcode: &str, path: &str, end: &str) -> String {
    at(
        second,
        &format!(
            "NMP: nmp_ThrottleLogForDevice:3872: Cmd {opcode} (0x45d9{second:02}, 2097400) to dev \"{LUN}\" on path \"{path}\" Failed: {end} Act:NONE"
        ),
    )
}

/// The host's own write that was given up, and two seconds later the image that it met.
fn pair() -> String {
    failed(5, "0x89", LATE) + &failed(7, "0x89", FALSE)
}

fn repeated(from: u32, count: u32, line: impl Fn(u32) -> String) -> String {
    (from..from + count).map(line).collect()
}

fn not_free(second: u32) -> String {
    at(
        second,
        &format!(
            "DLX: 4333: vol 'basalt': [Req mode: 1] Not free; Lock [type 10c00001 offset 75497472 v 19, hb offset 3641344 gen 61, mode 1, owner {OWNER} mtime 4401 num 0 gblnum 0 gblgen 0 gblbrk 0]"
        ),
    )
}

/// Trouble on the same LUN, of every kind that a rule explains false answers by.
fn troubles(from: u32) -> Vec<(&'static str, String)> {
    let fpin = |second| {
        at(
            second,
            "StorageFPIN: 1276: Report FC FPIN Congestion Credit Stall event (hostWWPN 100000109b2c3d4e tgtWWPN 5000d31000c0ff03) to vobd. 9 events have occurred since last report.",
        )
    };
    let spike = "ScsiDeviceIO: 1564: Device naa.6000d31000c0ffee000000000000004d performance has deteriorated. I/O latency increased from average value of 900 microseconds to 1422000 microseconds.";
    vec![
        ("fabric-congestion", repeated(from, 4, fpin)),
        (
            "device-fault",
            repeated(from, 3, |second| {
                failed(second, "0x28", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x3 0x11 0x0.")
            }),
        ),
        (
            "queue-depth",
            repeated(from, 14, |second| {
                failed(second, "0x2a", "H:0x0 D:0x28 P:0x0 Possible sense data: 0x0 0x0 0x0.")
            }),
        ),
        ("array-load", repeated(from, 9, |second| failed(second, "0x42", LATE))),
        (
            "hba-fault",
            repeated(from, 9, |second| {
                on_path(
                    second,
                    "0x2a",
                    "vmhba3:C0:T1:L7",
                    "H:0xb D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.",
                )
            }),
        ),
        ("hba-fault", at(from, "qlnativefc: vmhba3(3b:0.0): ISP System Error - mbx1=4dh mbx2=0h mbx3=0h.")),
        ("reservation", failed(from, "0x2a", "H:0x0 D:0x18 P:0x0 Possible sense data: 0x0 0x0 0x0.")),
        ("slow-storage", at(from, spike)),
        ("array-full", failed(from, "0x2a", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x7 0x27 0x7.")),
    ]
}

#[test]
fn a_proven_pair_leads_over_what_came_later() {
    for (cause, trouble) in troubles(58) {
        let report = judge(&(pair() + &trouble));
        assert_eq!(first(&report).cause, "delayed-own-write", "before {cause}: {:?}", sure(&report));
    }
}

#[test]
fn what_came_before_the_pair_is_still_why_it_was_late() {
    let (cause, trouble) = troubles(0).swap_remove(0);
    let report = judge(&(trouble + &pair()));
    assert_eq!(first(&report).cause, cause);
    assert!(first(&report).also.iter().any(|also| also == "delayed-own-write"));
}

/// A write was given up, then the link of some adapter fell, then the host met its own image: an optic was to be replaced for what had come before.
#[test]
fn what_falls_behind_a_write_that_was_given_up_is_no_reason_for_it() {
    let troubles = [
        ("path-fault", "qlnativefc: vmhba3(3b:0.0): LOOP DOWN detected"),
        ("hba-fault", "qlnativefc: vmhba3(3b:0.0): ISP System Error - mbx1=4dh mbx2=0h mbx3=0h."),
        (
            "fabric-congestion",
            "StorageFPIN: 1276: Report FC FPIN Congestion Credit Stall event (hostWWPN 100000109b2c3d4e tgtWWPN 5000d31000c0ff03) to vobd. 9 events have occurred since last report.",
        ),
    ];
    for (cause, trouble) in troubles {
        let led = |second| {
            let pair = [(10, failed(10, "0x89", LATE)), (19, failed(19, "0x89", FALSE))];
            let mut lines = [&pair[..], &[(second, at(second, trouble))]].concat();
            lines.sort_by_key(|(second, _)| *second);
            let log: String = lines.into_iter().map(|(_, line)| line).collect();
            first(&judge(&log)).cause.clone()
        };
        assert_eq!(led(7), cause, "it came before");
        assert_eq!(led(13), "delayed-own-write", "{cause}");
    }
}

/// One notice of the fabric's about other ports, and a test that was false two seconds later: nothing had waited.
#[test]
fn congestion_explains_what_waited_and_not_what_was_answered_at_once() {
    let notices = troubles(2).swap_remove(0).1;
    assert!(sure(&judge(&(notices.clone() + &failed(9, "0x89", FALSE)))).is_empty());
    assert_eq!(sure(&judge(&(notices.clone() + &failed(9, "0x89", LATE)))), ["fabric-congestion"]);
    assert_eq!(sure(&judge(&notices)), ["fabric-congestion"], "the fabric's own word");
    let list = |port: &str| {
        format!(
            "   Runtime Name: vmhba3:C0:T1:L7\n   Device: {LUN}\n   Target Transport Details: WWNN: 50:00:d3:10:00:c0:ff:00 WWPN: {port}\n"
        )
    };
    let listed = |port: &str| sure(&judge(&(list(port) + &notices + &failed(9, "0x89", LATE)))).len();
    assert_eq!(listed("50:00:d3:10:00:c0:ff:03"), 1, "its own port");
    assert_eq!(listed("50:00:d3:10:00:c0:ff:09"), 0, "another port");
    let of_a_folder = |port: &str| {
        let mut doctor = Doctor::new();
        doctor.read("reed/paths.txt", &mut list(port).as_bytes(), &mut |_| {});
        let log = notices.clone() + &failed(9, "0x89", LATE);
        doctor.read("reed/vmkernel.log", &mut log.as_bytes(), &mut |_| {});
        sure(&doctor.judge()).len()
    };
    assert_eq!(of_a_folder("50:00:d3:10:00:c0:ff:03"), 1, "its own port, by a list in a file of its own");
    assert_eq!(of_a_folder("50:00:d3:10:00:c0:ff:09"), 0, "another port, by a list in a file of its own");
}

/// A notice that counts what was since the last one is written after the time that it counts.
#[test]
fn a_notice_that_sums_up_speaks_of_what_was_before_it() {
    let told = |notice: &str| {
        let log = failed(5, "0x2a", LATE) + &at(9, notice) + &failed(12, "0x89", FALSE);
        judge(&log)
            .incidents
            .iter()
            .find(|finding| finding.cause == "fabric-congestion")
            .is_some_and(|finding| finding.confidence == "likely")
    };
    let sum = "StorageFPIN: 1276: Report FC FPIN Congestion Credit Stall event (hostWWPN 100000109b2c3d4e tgtWWPN 5000d31000c0ff03) to vobd. 9 events have occurred since last report.";
    assert!(told(sum));
    assert!(!told(&sum.replace(" since last report", "")), "of now");
    let slow = |second: u32| {
        at(
            second,
            &format!(
                "ScsiDeviceIO: 1780: Device {LUN} performance has deteriorated. I/O latency increased from average value of 1302 microseconds to 598211 microseconds."
            ),
        )
    };
    let log = repeated(0, 9, |turn| slow(turn * 30))
        + &failed(290, "0x2a", LATE)
        + &at(294, sum)
        + &failed(296, "0x89", FALSE);
    assert!(
        !sure(&judge(&log)).contains(&"fabric-congestion"),
        "slow for minutes before it: {:?}",
        judge(&log).incidents
    );
}

#[test]
fn a_neighbour_that_came_after_a_false_answer_is_no_more_than_possible_and_says_so() {
    for (cause, trouble) in troubles(40) {
        // What the device itself says of its medium, its space and its reservations is true whatever came first; a queue that was full is its own trouble.
        if matches!(cause, "reservation" | "array-full") {
            continue;
        }
        let report = judge(&(failed(5, "0x89", FALSE) + &trouble));
        assert!(!sure(&report).contains(&cause), "{cause}: {:?}", report.incidents);
        let said: String = report.incidents.iter().map(|finding| finding.because.as_str()).collect();
        assert!(!said.contains("No false answer is among these lines"), "{cause}: {said}");
    }
    let before = failed(5, "0x89", FALSE) + &troubles(40).swap_remove(0).1 + &failed(48, "0x89", LATE);
    assert_eq!(sure(&judge(&before)), ["fabric-congestion"], "another one followed");
}

#[test]
fn a_named_race_overrules_what_stood_around_it() {
    for (cause, trouble) in troubles(10) {
        if !matches!(cause, "fabric-congestion" | "array-load" | "hba-fault" | "slow-storage") {
            continue;
        }
        let report = judge(&(trouble + &not_free(22) + &failed(22, "0x89", FALSE)));
        assert_eq!(sure(&report), ["contention"], "{cause}");
    }
}

/// A line of an everyday race made the fabric's and the driver's own word disappear.
#[test]
fn trouble_of_no_known_device_stands_beside_a_race() {
    let sum = "StorageFPIN: 1276: Report FC FPIN Congestion Credit Stall event (hostWWPN 100000109b2c3d4e tgtWWPN 5000d31000c0ff03) to vobd. 9 events have occurred since last report.";
    let report = judge(&(repeated(0, 6, |turn| at(turn * 10, sum)) + &not_free(22)));
    let finding = first(&report);
    assert_eq!(finding.cause, "contention");
    assert!(finding.also.iter().any(|cause| cause == "fabric-congestion"), "{finding:?}");
}

/// Nobody loses a volume to a race for a file.
#[test]
fn a_volume_that_was_lost_was_not_lost_to_a_race_behind_it() {
    let tie = format!(
        "Volume Name  VMFS UUID                            Extent Number  Device Name  Partition\n\
         basalt       63aa0c00-5b2e7f90-7a1d-0050568c4d5e              0  {LUN}          1\n"
    );
    let lost = at(30, "HBX: 3040: 'basalt': HB at offset 3641344 - Waiting for timed out HB:");
    let down = at(5, "lpfc: lpfc_handle_latt: vmhba3 1305 Link Down Event x3 received");
    let path = on_path(6, "0x89", "vmhba3:C0:T0:L1", "H:0x1 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.");
    let race = not_free(60) + &failed(60, "0x89", FALSE);
    let report = judge(&(tie.clone() + &down + &path + &lost + &race));
    assert_eq!(first(&report).cause, "path-fault", "{:?}", report.incidents);
    let gone = at(5, &format!("StorageApdHandler: 846: APD Start for ident [{LUN}]!"))
        + &at(40, &format!("StorageApdHandler: 1101: APD Timeout for ident [{LUN}]!"))
        + &at(50, &format!("StorageApdHandler: 1315: APD Exit for ident [{LUN}]!"));
    let report = judge(&(tie + &gone + &race));
    assert_ne!(first(&report).cause, "contention", "{:?}", report.incidents);
}

/// What is sure of one device was lent to another, or what is only possible of one was taken from another, because both had one cause.
#[test]
fn what_is_sure_of_one_device_is_not_lent_to_another_of_the_same_cause() {
    let (_, notices) = troubles(10).swap_remove(0);
    let other = "naa.6000d31000c0ffee000000000000005e";
    let late = failed(15, "0x28", LATE).replace(LUN, other);
    let tie = format!(
        "Volume Name  VMFS UUID                            Extent Number  Device Name  Partition\n\
         basalt       63aa0c00-5b2e7f90-7a1d-0050568c4d5e              0  {LUN}          1\n\
         granite      63aa0c01-5b2e7f90-7a1d-0050568c4d5e              0  {other}          1\n"
    );
    let report = judge(&(tie + &notices + &late + &failed(22, "0x89", FALSE)));
    let of = |device: &str| {
        let mut findings =
            report.incidents.iter().filter(|finding| finding.devices.iter().any(|name| name == device));
        let finding = findings.next().expect("a finding of this device");
        assert!(findings.next().is_none(), "one finding of {device}");
        (finding.cause.as_str(), finding.confidence.as_str())
    };
    assert_eq!(of(other), ("fabric-congestion", "likely"));
    assert_eq!(of(LUN), ("fabric-congestion", "possible"), "no command of this device was late");
}

#[test]
fn a_reset_after_other_commands_ran_out_of_time_is_no_cascade() {
    let storm = repeated(20, 6, |second| failed(second, "0x2a", RESET));
    assert_eq!(sure(&judge(&(failed(19, "0x89", LATE) + &storm))), ["reset-cascade"]);
    let late_before = failed(14, "0x28", LATE) + &failed(19, "0x89", LATE) + &storm;
    assert!(sure(&judge(&late_before)).is_empty());
    let late_between = failed(9, "0x89", FALSE) + &failed(17, "0x28", LATE) + &storm;
    assert!(sure(&judge(&late_between)).is_empty());
}

#[test]
fn a_heartbeat_that_came_back_ends_the_doubt_about_the_write_before_it() {
    let tie = "Volume Name  VMFS UUID                            Extent Number  Device Name  Partition\n\
               basalt       63aa0c00-5b2e7f90-7a1d-0050568c4d5e              0  naa.6000d31000c0ffee000000000000004d          1\n";
    let again = at(12, "HBX: 258: 'basalt': HB at offset 3649536 - Reclaimed heartbeat [Timeout]:");
    let log = failed(4, "0x89", LATE) + &again + &failed(18, "0x89", FALSE);
    assert!(sure(&judge(&(tie.to_owned() + &log))).is_empty());
    assert!(sure(&judge(&log)).is_empty(), "which disk the volume lies on, no line says");
    let elsewhere = tie.replace("000000000000004d", "000000000000004e");
    assert_eq!(sure(&judge(&(elsewhere + &log))), ["delayed-own-write"], "another disk's heartbeat");
    let before = again.replace("03:00:12", "03:00:02") + &failed(4, "0x89", LATE) + &failed(6, "0x89", FALSE);
    assert_eq!(sure(&judge(&(tie.to_owned() + &before))), ["delayed-own-write"]);
}

#[test]
fn a_lock_held_through_the_hosts_own_slot_or_by_its_own_id_is_no_contention() {
    assert_eq!(sure(&judge(&not_free(30))), ["contention"]);
    let waits = at(3, "HBX: 2961: 'basalt': HB at offset 3641344 - Waiting for timed out HB:");
    let contended = |log: &str| {
        let report = judge(log);
        sure(&report).contains(&"contention")
            || report.incidents.iter().any(|finding| finding.also.iter().any(|cause| cause == "contention"))
    };
    assert!(!contended(&(waits.clone() + &not_free(30))));
    assert!(contended(&(waits.replace("3641344", "3641856") + &not_free(30))), "another slot");
    let asked = "[root@quarry-2:~] esxcli system uuid get\n63aa0c11-5b2e-7f90-7a1d-0050568c4d5e\n";
    assert!(!contended(&(asked.to_owned() + &not_free(30))));
    assert!(contended(&(asked.replace("63aa0c11", "63aa0c12") + &not_free(30))), "another host's id");
}

/// Whoever marks a slot takes its owner for dead: what that owner held is not held by a neighbour who lives.
#[test]
fn a_lock_held_through_a_slot_that_was_marked_as_dead_is_no_contention() {
    let marks = |generation: u32| {
        let slot = format!(
            "[HB state abcdef02 offset 3358720 gen {generation} stampUS 991 uuid 66aa0001-bb000001-1111-0050560a0b0c jrnl <FB 0> drv 24.82]"
        );
        at(1, &format!("HBX: 3058: 'slate': HB at offset 3358720 - Marking HB: {slot}"))
    };
    let held = at(
        40,
        "DLX: 3902: vol 'slate', lock at 71303168: [Req mode: 1] Not free; Lock [type 10c00001 offset 71303168 v 9, hb offset 3358720 gen 8, mode 1, owner \
                       66aa0001-bb000001-1111-0050560a0b0c mtime 12 num 0 gblnum 0 gblgen 0 gblbrk 0]",
    );
    assert!(!sure(&judge(&(marks(8) + &held))).contains(&"contention"));
    assert!(sure(&judge(&(marks(7) + &held))).contains(&"contention"), "it came back since");
    assert!(sure(&judge(&held)).contains(&"contention"));
}

#[test]
fn one_path_that_refuses_the_test_is_not_a_device_without_it() {
    let refused = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.";
    let here =
        on_path(20, "0x89", "vmhba4:C0:T2:L7", refused) + &on_path(21, "0x89", "vmhba4:C0:T2:L7", refused);
    assert_eq!(sure(&judge(&here)), ["ats-unsupported"]);
    let there = on_path(8, "0x89", "vmhba3:C0:T1:L7", FALSE);
    assert!(sure(&judge(&(there + &here))).is_empty());
}

#[test]
fn more_blocks_than_the_device_takes_is_a_mistake_of_whoever_asked() {
    let session = "# sg_compare_and_write --in=both.img --lba=512 --num=4 --xferlen=4096 -v /dev/sdh\n    compare and write cdb: 89 00 00 00 00 00 00 00 02 00 00 00 00 04 00 00\n\
                   compare and write:  Fixed format, current; Sense key: Illegal Request\n Additional sense: Invalid field in cdb\n\
                   # sg_vpd -p bl /dev/sdh\nBlock limits VPD page (SBC):\n  Maximum compare and write length: 1 blocks\n";
    assert!(sure(&judge(session)).is_empty());
    let one = session
        .replace("--num=4", "--num=1")
        .replace("00 04 00 00", "00 01 00 00")
        .replace("length: 1 blocks", "length: 0 blocks");
    assert_eq!(sure(&judge(&one)), ["ats-unsupported"]);
}

#[test]
fn a_disk_that_a_target_hands_through_is_not_local() {
    let disk = "t10.ATA_____ST2000NM0055_________________________ZC20A1B2";
    let broken = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x4 0x44 0x0.";
    let log = |adapter: &str| {
        let path = format!("{adapter}:C0:T0:L0");
        repeated(1, 4, |second| on_path(second, "0x2a", &path, broken)).replace(LUN, disk)
    };
    assert_eq!(sure(&judge(&log("vmhba0"))), ["device-fault"]);
    assert!(sure(&judge(&log("vmhba65"))).is_empty(), "over software iSCSI");
}

#[test]
fn requeues_on_adapters_of_one_name_in_two_hosts_are_no_adapters_fault() {
    let requeued = |second| {
        on_path(second, "0x2a", "vmhba2:C0:T0:L3", "H:0xb D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.")
    };
    let log = repeated(10, 8, requeued) + &on_path(19, "0x89", "vmhba2:C0:T0:L3", LATE);
    let of = |host: &str| log.replace("Z cpu6", &format!("Z {host} vmkernel: cpu6"));
    assert_eq!(sure(&judge(&of("quarry-1"))), ["hba-fault"]);
    let mut doctor = Doctor::new();
    for host in ["quarry-1", "quarry-2"] {
        doctor.read(host, &mut of(host).as_bytes(), &mut |_| {});
    }
    assert!(!sure(&doctor.judge()).contains(&"hba-fault"));
}

#[test]
fn a_card_in_the_host_that_lost_its_cache_is_not_the_array() {
    let card = at(1, "lsi_mr3: mfi_AEN: Controller cache discarded due to memory/battery problems");
    assert!(sure(&judge(&(card + &failed(50, "0x89", FALSE)))).is_empty());
}

#[test]
fn an_adapter_of_a_host_that_nothing_else_is_said_of_is_not_another_hosts_trouble() {
    let backup = "Oct  4 03:00:02 tape-1 kernel: mpt3sas_cm1: fault_state(0x2623)!\n";
    let disks = failed(3, "0x85", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.")
        .replace(LUN, "naa.5000c500a1b2c3d4");
    let esx = (disks + &pair()).replace("Z cpu6", "Z quarry-1 vmkernel: cpu6");
    let mut doctor = Doctor::new();
    doctor.read("tape", &mut backup.as_bytes(), &mut |_| {});
    doctor.read("esx", &mut esx.as_bytes(), &mut |_| {});
    let report = doctor.judge();
    assert_eq!(sure(&report), ["delayed-own-write"]);
    let adapter = report.incidents.iter().find(|finding| finding.cause == "hba-fault").unwrap();
    assert_eq!((adapter.hosts.as_slice(), adapter.devices.len()), (&["tape-1".to_owned()][..], 0));
}

/// A host's log, in the form of one that a log server gathers.
fn of_host(host: &str, lines: &str) -> String {
    lines.lines().map(|line| line.replacen("Z cpu", &format!("Z {host} vmkernel: cpu"), 1) + "\n").collect()
}

#[test]
fn what_one_host_suffers_of_its_own_parts_does_not_explain_the_silence_that_others_met() {
    let silent = failed(8, "0x89", LATE) + &failed(15, "0x89", LATE);
    let troubles = [
        (
            "path-fault",
            at(
                6,
                "nfnic: <1>: ERR: fnic_fcpio_itmf_cmpl_handler: 1: abort reject received id 12 FCPIO_ITMF_REJECTED",
            ),
        ),
        ("hba-fault", at(6, "qlnativefc: vmhba3(3b:0.0): ISP System Error - mbx1=4dh mbx2=0h mbx3=0h.")),
        (
            "path-fault",
            at(
                6,
                "lpfc: lpfc_mbx_process_link_event:771: 0:1305 Link Down Event x2 received Data: x2 x20 x800110 x0 x0",
            ),
        ),
    ];
    for (cause, trouble) in troubles {
        let own = of_host("h1", &(trouble.clone() + &silent));
        assert_eq!(sure(&judge(&own)), [cause], "on that host it does");
        let report = judge(&(own + &of_host("h2", &silent) + &of_host("h3", &silent)));
        assert_eq!(first(&report).cause, "cannot-tell", "{:?}", report.incidents);
        let considered = first(&report).considered.iter().find(|aside| aside.cause == cause);
        assert!(considered.is_some_and(|aside| aside.why.contains("other hosts lost their answers")));
        let all = of_host("h2", &(trouble.clone() + &silent)) + &of_host("h3", &(trouble.clone() + &silent));
        let all = of_host("h1", &(trouble + &silent)) + &all;
        assert_eq!(sure(&judge(&all)), [cause], "what all of them suffer is none's own");
    }
}

/// The host had said that the device was fast again long before a test was false.
#[test]
fn a_slowness_that_was_over_does_not_explain_a_false_answer() {
    let device = |second: u32, text: &str| {
        at(second, &format!("ScsiDeviceIO: 1513: Device {LUN} performance has {text}"))
    };
    let slow = device(
        1,
        "deteriorated. I/O latency increased from average value of 1100 microseconds to 320000 microseconds.",
    );
    let fast = device(3, "improved. I/O latency reduced from 320000 microseconds to 1100 microseconds.");
    assert_eq!(sure(&judge(&(slow.clone() + &failed(15, "0x89", FALSE)))), ["slow-storage"]);
    let long_after = slow.clone() + &failed(50, "0x89", FALSE);
    assert!(sure(&judge(&long_after)).is_empty(), "no answer is late for so long");
    let held_back = slow.clone() + &failed(44, "0x2a", LATE) + &failed(50, "0x89", FALSE);
    assert_eq!(sure(&judge(&held_back)), ["slow-storage"], "a command was held back in between");
    let over = slow.clone() + &fast;
    assert!(sure(&judge(&(over.clone() + &failed(50, "0x89", FALSE)))).is_empty());
    assert_eq!(
        sure(&judge(&(over.clone() + &failed(9, "0x89", FALSE)))),
        ["slow-storage"],
        "a late answer may be met for a while"
    );
    assert_eq!(
        sure(&judge(&(over + &failed(50, "0x89", LATE)))),
        ["slow-storage"],
        "what was lost is told when its time runs out"
    );
}

#[test]
fn what_only_came_later_is_told_beside_and_never_as_the_answer() {
    let late = failed(5, "0x89", LATE);
    let unmaps = repeated(30, 9, |second| failed(second, "0x42", LATE));
    let report = judge(&(late + &unmaps));
    assert_eq!(first(&report).cause, "cannot-tell");
    assert!(first(&report).considered.iter().any(|aside| aside.cause == "array-load"));
}

#[test]
fn a_stamp_that_is_less_than_what_went_by_is_of_a_host_that_started_anew() {
    let slot = |second: u32, stamp: u64| {
        at(
            second,
            &format!(
                "HBX: 2956: 'basalt': HB at offset 3641344 - Waiting for timed out HB: [HB state abcdef02 offset 3641344 gen 61 stamp {stamp} uuid {OWNER} jrnl <FB 5> drv 14.81]"
            ),
        )
    };
    assert_eq!(sure(&judge(&(slot(5, 88_000_000_000) + &slot(205, 87_000_000_000)))), ["rollback"]);
    let lower = slot(5, 88_000_000_000) + &slot(205, 87_000_000_000).replace("gen 61", "gen 59");
    assert_eq!(
        (first(&judge(&lower)).cause.as_str(), sure(&judge(&lower)).len()),
        ("rollback", 0),
        "or it is another volume"
    );
    let by_turns = lower + &slot(305, 88_000_000_000);
    assert!(
        sure(&judge(&by_turns)).is_empty() && first(&judge(&by_turns)).cause != "rollback",
        "two volumes of one label"
    );
    let anew = slot(5, 88_000_000_000) + &slot(205, 31_000_000);
    assert!(sure(&judge(&anew)).is_empty(), "its clock counts from its start");
}

#[test]
fn a_device_that_compares_before_and_after_a_refusal_knows_the_command() {
    let refused = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.";
    let before = failed(5, "0x89", FALSE) + &failed(205, "0x89", refused);
    assert_eq!(sure(&judge(&before)), ["ats-unsupported"], "it may have been taken from it for good");
    let back_again = before + &failed(265, "0x89", FALSE);
    assert!(sure(&judge(&back_again)).is_empty(), "{:?}", judge(&back_again).incidents);
}

#[test]
fn a_volume_that_was_lost_is_seen_before_a_race_that_harmed_nobody() {
    let race = at(
        3,
        "DLX: 4333: vol 'basalt': [Req mode 1] Checking liveness: [type 10c00001 offset 75497472 v 19, hb offset 3641344",
    ) + &not_free(7);
    let lost = at(
        700,
        "Lost access to volume 63aa0c11-5b2e7f90-7a1d-0050568c4d5e (granite) due to connectivity issues. Recovery attempt is in progress",
    );
    let report = judge(&(race + &lost));
    let told: Vec<&str> = report.incidents.iter().map(|finding| finding.cause.as_str()).collect();
    assert_eq!(told, ["cannot-tell", "contention"]);
}

#[test]
fn what_a_device_says_of_itself_after_the_harm_does_not_lead_over_what_came_before() {
    let link = at(
        3,
        "lpfc: lpfc_mbx_process_link_event:771: 0:1305 Link Down Event x2 received Data: x2 x20 x800110 x0 x0",
    );
    let late = failed(8, "0x89", LATE);
    let said = [
        ("reservation", "H:0x0 D:0x18 P:0x0 Possible sense data: 0x0 0x0 0x0."),
        ("array-full", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x7 0x27 0x7."),
    ];
    for (cause, end) in said {
        let after = judge(&(link.clone() + &late + &failed(40, "0x2a", end)));
        assert_eq!(first(&after).cause, "path-fault");
        assert!(first(&after).also.iter().any(|also| also == cause), "{cause} is true all the same");
        let before = judge(&(failed(1, "0x2a", end) + &link + &late));
        assert_eq!(first(&before).cause, cause);
        let alone = judge(&(late.clone() + &failed(40, "0x2a", end)));
        assert_eq!(first(&alone).cause, cause, "where nothing else is shown");
    }
}
