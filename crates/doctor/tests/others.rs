//! What is another's: another device, host, moment or writer, or no fault at all. Each case is one that was once taken for proof.

use std::io::Write;

use oarlock_doctor::{Doctor, Report};

const DEVICE: &str = "naa.60060e8012aa00005040aa0000003001";

fn judge(log: &str) -> Report {
    read(&[("excerpt.log", log.as_bytes())])
}

fn read(inputs: &[(&str, &[u8])]) -> Report {
    let mut doctor = Doctor::new();
    for (name, bytes) in inputs {
        doctor.read(name, &mut &**bytes, &mut |_| {});
    }
    doctor.judge()
}

/// Whether a report is sure of a cause.
fn is_sure(report: &Report, cause: &str) -> bool {
    report.incidents.iter().any(|finding| finding.cause == cause && finding.confidence != "possible")
}

/// A command to a device that failed, without what stands before it.
fn failed(opcode: &str, device: &str, status: &str) -> String {
    format!(
        "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) {opcode}, CmdSN 0x13 from world 20 to dev \"{device}\" failed {status}"
    )
}

const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";

fn at(second: u32, message: &str) -> String {
    format!("2026-06-01T02:00:{second:02}.000Z {message}\n")
}

fn pair() -> String {
    at(1, &failed("0x89", DEVICE, LATE)) + &at(9, &failed("0x89", DEVICE, FALSE))
}

#[test]
fn logs_in_two_archives_are_of_two_hosts_and_an_archive_is_no_host() {
    let archive = |line: &str| {
        let mut block = [0_u8; 512];
        block[..12].copy_from_slice(b"vmkernel.log");
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{:011o}", line.len()).as_bytes());
        block[156] = b'0';
        block[257..263].copy_from_slice(b"ustar\0");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut bytes = block.to_vec();
        bytes.write_all(line.as_bytes()).unwrap();
        bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
        bytes
    };
    let (late, unequal) =
        (archive(&at(1, &failed("0x89", DEVICE, LATE))), archive(&at(9, &failed("0x89", DEVICE, FALSE))));
    let two = read(&[("one/bundle.tar", &late), ("two/bundle.tar", &unequal)]);
    assert_eq!(two.understood, 2, "both archives are read");
    assert!(!is_sure(&two, "delayed-own-write"), "{two:#?}");
    assert!(two.incidents.iter().all(|finding| finding.hosts.is_empty()), "an archive is no host");
    assert!(is_sure(&read(&[("one/bundle.tar", &archive(&pair()))]), "delayed-own-write"));
}

#[test]
fn a_name_that_was_hidden_is_no_identity() {
    let line = |name: &str, unit: u32, status: &str| {
        format!(
            "cpu3:2097)NMP: nmp_ThrottleLogForDevice:3303: Cmd 0x89 (0x43be, 2097) to dev \"{name}\" on path \"vmhba1:C0:T0:L{unit}\" Failed: {status} Act:NONE"
        )
    };
    for name in
        ["naa.<masked>", "naa.[REDACTED]", "<device>", "naa.60060e80-hidden", "DEVICE_1", "naa.000000"]
    {
        let log = at(1, &line(name, 4, LATE)) + &at(9, &line(name, 9, FALSE));
        assert!(!is_sure(&judge(&log), "delayed-own-write"), "{name}: two units of one target");
    }
    for name in ["naa.<masked>", "naa.****", "naa.6006xx"] {
        let log = at(1, &failed("0x89", name, LATE)) + &at(9, &failed("0x89", name, FALSE));
        assert!(!is_sure(&judge(&log), "delayed-own-write"), "{name}: no path names the unit");
    }
    let quoted = format!("&quot;{DEVICE}&quot;");
    let other = format!("&quot;{}&quot;", DEVICE.replace("3001", "3002"));
    let log = |second: &str| {
        let bare = |name: &str, status: &str| failed("0x89", "@", status).replace("\"@\"", name);
        at(1, &bare(&quoted, LATE)) + &at(9, &bare(second, FALSE))
    };
    assert!(
        !is_sure(&judge(&log(&other)), "delayed-own-write"),
        "what stands around a name hides no difference"
    );
    assert!(is_sure(&judge(&log(&quoted)), "delayed-own-write"));
}

#[test]
fn halves_of_two_worlds_hosts_or_moments_are_not_joined() {
    let head = format!(
        "NMP: nmp_ThrottleLogForDevice:3867: Cmd 0x89 (0x45b9, 2097) to dev \"{DEVICE}\" on path \"vmhba2:C0:T0:L4\" Failed:"
    );
    let tail =
        "NMP: nmp_ThrottleLogForDevice:3875: H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0. Act:NONE.";
    let log = |second: u32, host: &str, world: &str| {
        at(1, &format!("esx1 vmkernel: cpu9:2097312){head}"))
            + &at(second, &format!("{host} vmkernel: {world}){tail}"))
    };
    assert!(is_sure(&judge(&log(1, "esx1", "cpu9:2097312")), "ats-unsupported"));
    for (second, host, world) in
        [(1, "esx1", "cpu12:2097315"), (1, "esx2", "cpu9:2097312"), (50, "esx1", "cpu9:2097312")]
    {
        assert!(!is_sure(&judge(&log(second, host, world)), "ats-unsupported"), "{second} {host} {world}");
    }
}

#[test]
fn a_time_that_is_not_read_is_not_none() {
    let line = |time: &str, status: &str| format!("{time} {}\n", failed("0x89", DEVICE, status));
    let log = |first: &str, second: &str| line(first, LATE) + &line(second, FALSE);
    for (first, second) in [
        ("01.02.2026 10:00:00", "01.03.2026 10:00:08"),
        ("20260201T100000Z", "20260301T100008Z"),
        ("1-Feb-2026 10:00:00", "1-Mar-2026 10:00:08"),
    ] {
        assert!(!is_sure(&judge(&log(first, second)), "delayed-own-write"), "{first}");
    }
    for (first, near, far) in [
        ("[Sun Feb  1 10:00:00 2026]", "[Sun Feb  1 10:00:08 2026]", "[Sun Feb  1 18:00:00 2026]"),
        ("Sun 2026-02-01 10:00:00 UTC", "Sun 2026-02-01 10:00:08 UTC", "Sun 2026-02-01 18:00:00 UTC"),
    ] {
        assert!(is_sure(&judge(&log(first, near)), "delayed-own-write"), "{near}");
        assert!(!is_sure(&judge(&log(first, far)), "delayed-own-write"), "{far}");
    }
}

#[test]
fn a_refused_vendor_opcode_and_one_refused_field_are_no_refusal_of_the_test() {
    let refused = failed("0xf1", DEVICE, "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.");
    assert!(!is_sure(&judge(&at(1, &refused)), "ats-unsupported"));
    assert!(is_sure(&judge(&at(1, &refused.replace("0xf1", "0x89"))), "ats-unsupported"));
    let field = failed("0x89", DEVICE, "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0.");
    let compares = at(1, &field) + &at(5, &failed("0x89", DEVICE, FALSE));
    assert!(!is_sure(&judge(&compares), "ats-unsupported"), "the device compares");
}

#[test]
fn fused_halves_are_no_test_of_scsi() {
    let split = "[2026-06-01 02:00:01.123456] ctrlr.c:4406:nvmf_ctrlr_process_io_fused_cmd: *ERROR*: failing first of fused commands\n";
    assert!(is_sure(&judge(split), "array-fault"));
    let beside = split.to_owned() + &at(9, &failed("0x89", DEVICE, FALSE));
    assert!(!is_sure(&judge(&beside), "array-fault"));
}

#[test]
fn a_test_that_the_target_answered_did_not_land() {
    let device = "naa.60014055f0aa00000000000000000001";
    let log = at(1, &format!("esx1 vmkernel: {}", failed("0x89", device, LATE)))
        + &at(9, &format!("esx1 vmkernel: {}", failed("0x89", device, FALSE)))
        + &at(9, "tgt1 kernel: Target/iblock: Send MISCOMPARE check condition and sense");
    assert!(is_sure(&judge(&log), "delayed-own-write"));
    let answered =
        "2026-06-01T01:59:59.000Z tgt1 kernel: Target/iblock: Send MISCOMPARE check condition and sense\n";
    assert!(!is_sure(&judge(&(answered.to_owned() + &log)), "delayed-own-write"));
}

#[test]
fn what_stands_still_with_all_others_is_no_load_and_no_slow_array() {
    let other = DEVICE.replace("3001", "3002");
    let unmaps = at(10, &failed("0x42", DEVICE, LATE)).repeat(6) + &at(10, &failed("0x89", DEVICE, LATE));
    assert!(is_sure(&judge(&unmaps), "array-load"));
    let stopped = unmaps + &at(10, &failed("0x2a", &other, LATE)).repeat(4);
    assert!(!is_sure(&judge(&stopped), "array-load"));
    let slow = |device: &str| {
        at(
            10,
            &format!(
                "cpu9:2097)WARNING: ScsiDeviceIO: 1498: Device {device} performance has deteriorated. I/O latency increased from average value of 1502 microseconds to 14221010 microseconds."
            ),
        )
    };
    assert!(is_sure(&judge(&slow(DEVICE)), "slow-storage"));
    let all = slow(DEVICE) + &slow("t10.ATA_____Example_Disk__________________20112A0F7C31");
    let report = judge(&all);
    let of_the_array = |finding: &&oarlock_doctor::Finding| finding.devices.iter().any(|name| name == DEVICE);
    assert!(
        report.incidents.iter().filter(of_the_array).all(|finding| finding.confidence == "possible"),
        "{report:#?}"
    );
}

#[test]
fn lock_modes_before_and_after_a_change_are_no_mixture() {
    let list = |mode: &str| {
        format!("shared-db    66aa0001-bb000001-1111-0050560a0b0c  VMFS-5  {mode}           true\n")
    };
    let changed = "[root@esx1:~] esxcli storage vmfs lockmode set --ats --volume-label=shared-db\n";
    assert!(is_sure(&judge(&(list("ATS+SCSI") + &list("ATS"))), "lock-mode-mixed"));
    assert!(!is_sure(&judge(&(list("ATS+SCSI") + changed + &list("ATS"))), "lock-mode-mixed"));
}

#[test]
fn an_image_that_goes_back_and_forth_has_two_writers() {
    let image = |second: u32, stamp: u64| {
        at(
            second,
            &format!(
                "cpu4:2098)HBX: 2313: 'gold': HB at offset 3514368 - Waiting for timed out HB: [HB state abcdef02 offset 3514368 gen 12 stampUS {stamp} uuid 66aa00f1-7b3c9e10-41ff-002655aa1b2c jrnl <FB 900> drv 14.60]"
            ),
        )
    };
    let back = image(10, 9_900_000_000_000) + &image(14, 120_000_000);
    assert!(is_sure(&judge(&back), "rollback"));
    assert!(!is_sure(&judge(&(back + &image(18, 9_900_008_000_000))), "rollback"));
}

#[test]
fn a_host_that_stops_lets_go_of_its_links() {
    let down = at(
        21,
        "cpu3:3003)lpfc: lpfc_mbx_process_link_event:771: 0:1305 Link Down Event x2 received Data: x2 x20 x800110 x0 x0",
    ) + &at(22, "cpu4:2098)HBX: 2961: 'gold': HB at offset 3571712 - Waiting for timed out HB:");
    assert!(is_sure(&judge(&down), "path-fault"));
    assert!(!is_sure(
        &judge(&(at(20, "cpu1:3000)Init: 1203: VMKernel shutting down; rebooting") + &down)),
        "path-fault"
    ));
}

#[test]
fn operations_of_other_managers_are_no_fences() {
    let app =
        "Jun  1 02:00:05 app7 vmmgr[412]: Operation 'reboot' [77] targeting vm-12 using api returned OK\n";
    assert!(!is_sure(&judge(app), "fenced"));
    let fence = "Jun  1 02:00:05 ha1 pacemaker-fenced[412]: notice: Operation 'reboot' [77] targeting ha2 using ipmi returned OK\n";
    assert!(is_sure(&judge(fence), "fenced"));
}

#[test]
fn a_hole_of_zero_bytes_does_not_hide_a_log() {
    let hole = vec![0_u8; 4_096];
    for (front, behind) in
        [(String::new(), pair()), (pair(), String::new()), (at(0, "cpu1:1)Config: cut"), pair())]
    {
        let bytes = [front.as_bytes(), &hole, behind.as_bytes()].concat();
        assert!(
            is_sure(&read(&[("vmkernel.log", &bytes)]), "delayed-own-write"),
            "{} bytes before",
            front.len()
        );
    }
}

#[test]
fn a_false_answer_in_the_words_of_old_kernels_is_read() {
    let log = "Jun  1 02:00:05 db3 kernel: sd 2:0:0:1: SCSI error: return code = 0x08000002\n\
               Jun  1 02:00:05 db3 kernel: sdc: Current: sense key: Miscompare\n\
               Jun  1 02:00:05 db3 kernel:     Add. Sense: Miscompare during verify operation\n";
    assert_eq!(judge(log).incidents.len(), 1);
}

#[test]
fn a_label_with_blanks_is_one_label() {
    let log = at(
        5,
        "[vmfsCorrelator] 12us: [esx.problem.vmfs.heartbeat.timedout] 66aa0001-bb000001-1111-0050560a0b0c Prod Gold Finance",
    );
    assert_eq!(judge(&log).incidents[0].volume.as_deref(), Some("Prod Gold Finance"));
}

#[test]
fn the_lost_races_of_a_day_are_one_finding() {
    let race = |hour: u32| {
        format!(
            "2026-06-01T{hour:02}:00:05.000Z esx{} vmkernel: cpu8:2100)DLX: 4849: vol 'gold', lock at 188416000: [Req mode: 1] Not free: [type 10c00001 offset 188416000 v {hour}, hb offset 3604480 gen 9, mode 1, owner 61000001-1a2b3c4d-aaaa-0050569a0001 mtime 300 num 0 gblnum 0 gblgen 0 gblbrk 0]\n",
            hour % 4
        )
    };
    let day: String = (0..20).map(race).collect();
    assert_eq!(judge(&day).incidents.len(), 1);
}

#[test]
fn two_offsets_are_two_slots() {
    let log = |offset: u64| {
        at(10, "esx1 vmkernel: cpu7:3301)HBX: 2961: 'gold': HB at offset 3571712 - Waiting for timed out HB:")
            + &at(
                16,
                &format!(
                    "esx1 vmkernel: cpu7:3301)HBX: 276: ATS Miscompare detected between test and set HB images at offset {offset} on vol 'gold'."
                ),
            )
    };
    assert!(is_sure(&judge(&log(3_571_712)), "delayed-own-write"));
    assert!(!is_sure(&judge(&log(3_600_384)), "delayed-own-write"));
}

/// A record of ESXi 8 in its two halves, each with what stands before it.
fn halves(first: [&str; 2], statuses: &[[&str; 2]]) -> String {
    let [front, opcode] = first;
    let head = format!(
        "{front}NMP: nmp_ThrottleLogForDevice:3867: Cmd {opcode} (0x45b9, 20) to dev \"{DEVICE}\" on path \"vmhba2:C0:T0:L4\" Failed:\n"
    );
    let tail = |[front, status]: &[&str; 2]| {
        format!("{front}NMP: nmp_ThrottleLogForDevice:3875: {status} Act:NONE.\n")
    };
    head + &statuses.iter().map(tail).collect::<String>()
}

#[test]
fn halves_of_a_record_are_of_one_world_and_two_in_a_row_are_nobody_knows_whose() {
    const REFUSED: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.";
    let is_refused = |log: String| is_sure(&judge(&log), "ats-unsupported");
    assert!(is_refused(halves(["cpu9:31 ", "0x89"], &[["cpu9:31 ", REFUSED]]).replace("31 ", "31)")));
    for other in ["cpu30:99)", "2026-06-01T02:00:01Z cpu30:99)"] {
        assert!(!is_refused(halves(["cpu9:31)", "0x89"], &[[other, REFUSED]])), "{other}");
    }
    let dated = "2026-06-01T02:00:01.001Z cpu9:31)";
    let both = [[dated, REFUSED], [dated, FALSE]];
    let log = halves([dated, "0x89"], &[]) + &halves([dated, "0x28"], &both).replace("3001\"", "3002\"");
    assert!(!is_refused(log), "one of the two is the read's");
}

#[test]
fn the_second_half_of_a_slow_record_is_about_no_other_hosts_device() {
    let log = |host: &str| {
        format!(
            "2026-06-01T02:00:01.000Z esx1 vmkernel: cpu9:31)WARNING: ScsiDeviceIO: 1498: Device {DEVICE}\n\
             2026-06-01T02:00:01.010Z {host} vmkernel: performance has deteriorated. I/O latency increased from average value of 902 microseconds to 9300000 microseconds.\n\
             2026-06-01T02:00:05.000Z esx1 vmkernel: {}\n",
            failed("0x89", DEVICE, FALSE)
        )
    };
    assert!(is_sure(&judge(&log("esx1")), "slow-storage"));
    assert!(!is_sure(&judge(&log("esx2")), "slow-storage"));
}

#[test]
fn a_label_that_two_volumes_have_and_a_name_that_nobody_can_read_are_no_identity() {
    let log = |first: &str, second: &str| {
        at(
            5,
            &format!("esx1 vobd:  [vmfsCorrelator] 12us: [esx.problem.vmfs.heartbeat.timedout] {first} gold"),
        ) + &at(
            12,
            "esx1 vmkernel: cpu7:33012)HBX: 276: ATS Miscompare detected between test and set HB images at offset 3571712 on vol 'gold'.",
        ) + &at(13, &format!("esx1 vobd:  [vmfsCorrelator] 13us: [vob.vmfs.ats.miscompare] {second} gold"))
    };
    let [one, other] = ["66aa0001-bb000001-1111-0050560a0b0c", "66aa0002-bb000001-2222-0050560a0b0c"];
    assert!(is_sure(&judge(&log(one, one)), "delayed-own-write"));
    assert!(!is_sure(&judge(&log(one, other)), "delayed-own-write"));
    for name in ["", "?"] {
        let pair = at(1, &failed("0x89", name, LATE)) + &at(9, &failed("0x89", name, FALSE));
        assert!(!is_sure(&judge(&pair), "delayed-own-write"), "{name}");
    }
    let slots = |first: &str, second: &str| {
        at(1, &format!("cpu7:33012)HBX: 2961: {first}: HB at offset 3571712 - Waiting for timed out HB:"))
            + &at(
                9,
                &format!(
                    "cpu7:33012)HBX: 276: ATS Miscompare detected between test and set HB images at offset 3571712 on vol {second}."
                ),
            )
    };
    assert!(is_sure(&judge(&slots("'gold'", "'gold'")), "delayed-own-write"));
    for (first, second) in
        [("'gold'", "'silver'"), ("\"gold a\"", "\"silver b\""), ("gold", "silver"), ("`gold`", "`silver`")]
    {
        assert!(!is_sure(&judge(&slots(first, second)), "delayed-own-write"), "{second}");
    }
}

/// A daemon that feeds another watchdog than sanlock's says the same words when it stops.
#[test]
fn a_watchdog_that_nobody_fed_is_a_fence_only_where_wdmd_says_so() {
    let of = |program: &str| {
        judge(&format!("Feb 18 03:30:13 db3 {program}[2]: watchdog closed unclean for /dev/watchdog1\n"))
    };
    assert!(!is_sure(&of("watchdog"), "fenced"));
    assert!(is_sure(&of("wdmd"), "fenced"));
}

/// A backup maps an image, and leaves it when its work is done; tcmu-runner gives its lock up only to who takes it.
#[test]
fn a_lock_that_comes_and_goes_on_one_gateway_is_no_fight_unless_it_is_taken() {
    let log = |lost: &str| -> String {
        (0..8)
            .map(|turn| {
                let said = if turn % 2 == 0 { "acquired exclusive lock" } else { lost };
                format!("Jun 22 06:50:{:02} bk1 @P: {said}\n", 5 + 2 * turn)
            })
            .collect()
    };
    let backup = log("exclusive lock lost, released after snapshot").replace("@P", "rbd-nbd[2]");
    assert!(!is_sure(&judge(&backup), "gateway-fault"));
    let gateway =
        log("Async lock drop. Old state 5").replace("@P", "tcmu-runner: tcmu_rbd_lock:629 rbd/rbd.disk7");
    assert!(is_sure(&judge(&gateway), "gateway-fault"));
}

/// One command that was late, and the host's own word a second later that the device is fast: a disk that was idle does that.
#[test]
fn one_late_command_that_harmed_nobody_and_was_over_at_once_is_no_slow_storage() {
    let slow = |second| {
        at(
            second,
            &format!(
                "cpu9:33)WARNING: ScsiDeviceIO: 1498: Device {DEVICE} performance has deteriorated. I/O latency increased from average value of 912 microseconds to 312000 microseconds."
            ),
        )
    };
    let fast = |second| {
        at(
            second,
            &format!(
                "cpu9:33)ScsiDeviceIO: 1464: Device {DEVICE} performance has improved. I/O latency reduced from 312000 microseconds to 42000 microseconds."
            ),
        )
    };
    let late = at(9, &failed("0x89", DEVICE, LATE));
    assert!(!is_sure(&judge(&(slow(5) + &fast(6))), "slow-storage"));
    assert!(is_sure(&judge(&(slow(5) + &fast(20))), "slow-storage"));
    assert!(is_sure(&judge(&(slow(5) + &fast(6) + &late)), "slow-storage"));
}

/// A lock that one host alone may hold, and that names nobody, is no living competitor; one that several hold to read names none either, and is held.
#[test]
fn a_lock_that_is_held_by_nobody_is_no_contention() {
    let log = |mode: u32, owner: &str| {
        at(
            5,
            &format!(
                "cpu8:21)DLX: 4849: vol 'GOLD', lock at 188416000: [Req mode: 1] Not free: [type 10c00001 offset 188416000 v 61, hb offset 3604480 gen 9, mode {mode}, owner {owner} mtime 4410 num 0 gblnum 0"
            ),
        )
    };
    let (nobody, host) = ("00000000-00000000-0000-000000000000", "61000001-1a2b3c4d-aaaa-0050569a0001");
    assert!(!is_sure(&judge(&log(1, nobody)), "contention"));
    assert!(is_sure(&judge(&log(1, host)), "contention"));
    assert!(is_sure(&judge(&log(2, nobody)), "contention"));
}

/// A day's log with those lines in it.
fn day(lines: &str) -> Report {
    let filler: String = (0..70)
        .map(|minute| {
            format!(
                "2026-06-01T01:{minute:02}:00.000Z cpu3:2097)NetPort: 1580: disabled port 0x3{minute:07}\n",
                minute = minute % 60
            )
        })
        .collect();
    judge(&(filler + lines))
}

#[test]
fn a_copy_that_the_array_declines_is_made_by_the_host() {
    let declined: String = (1..30)
        .map(|second| at(second, &failed("0x83", DEVICE, "H:0x0 D:0x2 P:0x0 Valid sense data: 0xa 0xd 0x2.")))
        .collect();
    assert!(day(&declined).incidents.is_empty());
    assert_eq!(
        judge(&at(1, &failed("0x83", DEVICE, "H:0x0 D:0x2 P:0x0 Valid sense data: 0xa 0xd 0x2.")))
            .incidents
            .len(),
        1,
        "pasted alone, somebody asks"
    );
}

#[test]
fn one_corrected_error_of_memory_stops_no_host() {
    let slow = |second| {
        at(
            second,
            &format!(
                "cpu9:2099)WARNING: ScsiDeviceIO: 1513: Device {DEVICE} performance has deteriorated. I/O latency increased from average value of 1310 microseconds to 921000 microseconds."
            ),
        )
    };
    let memory = |second| {
        at(
            second,
            "cpu41:2098)MCA: 202: CE Intr G0 B7 S8c00004000010090 Ae41230280 M200401c0897000 P1e412340/40 Memory Controller Read Error on Channel 1.",
        )
    };
    let harm = slow(6) + &slow(9) + &at(12, &failed("0x89", DEVICE, LATE));
    assert!(is_sure(&judge(&(memory(1) + &harm)), "slow-storage"));
    assert!(!is_sure(&judge(&(memory(1) + &memory(3) + &harm)), "slow-storage"));
}

/// It compared an hour before it refused a field: it knows the command.
#[test]
fn a_device_that_ever_compared_knows_the_command_whose_field_it_refuses() {
    let refused = at(1, &failed("0x89", DEVICE, "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0."));
    assert!(is_sure(&judge(&refused), "ats-unsupported"));
    let compared = at(1, &failed("0x89", DEVICE, FALSE)).replace("T02:", "T05:");
    assert!(!is_sure(&judge(&(refused + &compared)), "ats-unsupported"));
}

#[test]
fn a_volume_of_a_card_in_the_host_needs_no_test_and_set() {
    let told = |device: &str| {
        let refused = at(1, &failed("0x89", device, "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0."));
        judge(&refused).incidents[0].explanation.contains("nobody else uses the disk")
    };
    assert!(told("naa.600508b1001c77aabbccddeeff001122"), "Smart Array");
    assert!(told("naa.600605b0aabbccdd24d2da38046660c8"), "MegaRAID");
    assert!(!told("naa.6000d31000c0ffee0000000000000c0a"), "an array");
}

/// The starts of ten machines made an incident of whatever disk was named near them.
#[test]
fn guests_that_reset_their_adapters_with_no_command_out_harm_nothing() {
    let reset = |out: u32| -> String {
        let pair = |second: u32| {
            at(
                second,
                &format!(
                    "cpu5:2101)VSCSI: 2973: handle 8192(vscsi0:1):Reset request on FSS handle 10 ({out} outstanding commands) from (vmm0:win{second})"
                ),
            ) + &at(
                second,
                "cpu5:2097)VSCSI: 3263: handle 8192(vscsi0:1):Completing reset (0 outstanding commands)",
            )
        };
        (1..30).map(pair).collect()
    };
    let smart =
        at(1, &failed("0x85", "naa.5000c500a1b2c3d4", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0."));
    assert!(day(&(smart.clone() + &reset(0))).incidents.is_empty());
    assert_eq!(day(&(smart + &reset(7))).incidents.len(), 1, "commands that were out ended with these");
}
