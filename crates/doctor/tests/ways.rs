//! Linux numbers its adapters: what one of them suffers is no proof about a disk behind another.

use oarlock_doctor::{Doctor, Report};

fn judge(lines: &[String]) -> Report {
    let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut doctor = Doctor::new();
    doctor.read("messages", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn sure(report: &Report, cause: &str) -> bool {
    report.incidents.iter().any(|finding| finding.cause == cause && finding.confidence != "possible")
}

fn kernel(second: u32, text: &str) -> String {
    format!("Oct  4 03:00:{second:02} node4 kernel: {text}")
}

/// A test that was given up, and one that was false, on a disk of SCSI host 6.
fn pair() -> Vec<String> {
    let failed = |second, result: &str| {
        kernel(
            second,
            &format!("sd 6:0:2:9: [sdr] tag#7 FAILED Result: hostbyte={result} driverbyte=DRIVER_OK"),
        )
    };
    let asked = |second| {
        kernel(
            second,
            "sd 6:0:2:9: [sdr] tag#7 CDB: Compare and write 89 00 00 00 00 00 00 00 20 00 00 00 00 01 00 00",
        )
    };
    vec![
        failed(30, "DID_TIME_OUT"),
        asked(30),
        failed(36, "DID_OK"),
        kernel(36, "sd 6:0:2:9: [sdr] tag#7 Sense Key : Miscompare [current]"),
        kernel(36, "sd 6:0:2:9: [sdr] tag#7 Add. Sense: Miscompare during verify operation"),
        asked(36),
    ]
}

fn after(trouble: &str) -> Report {
    let lines: Vec<String> = std::iter::once(kernel(21, trouble)).chain(pair()).collect();
    judge(&lines)
}

fn hang(host: u32) -> String {
    format!("qla2xxx [0000:5e:00.0]-5003:{host}: ISP System Error - mbx1=1051h mbx2=10h mbx3=ah mbx7=0h.")
}

fn link_down(host: u32) -> String {
    format!("qla2xxx [0000:5e:00.0]-500b:{host}: LOOP DOWN detected (2 7 0 0).")
}

#[test]
fn what_another_adapter_suffers_explains_nothing() {
    assert!(!sure(&after(&hang(11)), "hba-fault"));
    assert!(!sure(&after(&link_down(11)), "path-fault"));
    let port = "rport-11:0-4: blocked FC remote port time out: removing target and saving binding";
    assert!(!sure(&after(port), "path-fault"));
}

#[test]
fn what_the_disks_own_adapter_suffers_does() {
    assert!(sure(&after(&hang(6)), "hba-fault"));
    assert!(sure(&after(&link_down(6)), "path-fault"));
}

/// A card of disks in the host fails, and names itself by its driver's own number; the kernel has said whose SCSI host is whose.
#[test]
fn a_driver_speaks_of_its_own_adapters_alone() {
    let judge_with = |found: &[&str]| {
        let boot = found.iter().map(|line| kernel(1, line));
        let fault = std::iter::once(kernel(21, "mpt3sas_cm0: fault_state(0x2622)!"));
        judge(&boot.chain(fault).chain(pair()).collect::<Vec<_>>())
    };
    let (fabric, card) = ("scsi host6: qla2xxx", "scsi host11: Fusion MPT SAS Host");
    assert!(!sure(&judge_with(&[fabric, card]), "hba-fault"));
    assert!(!sure(&judge_with(&[card]), "hba-fault"), "the card is another host than the disk's");
    assert!(!sure(&judge_with(&[fabric]), "hba-fault"), "the disk's host is of another driver");
    assert!(sure(&judge_with(&["scsi host6: Fusion MPT SAS Host"]), "hba-fault"));
    let two = ["scsi host6: Fusion MPT SAS Host", "scsi host7: Fusion MPT SAS Host"];
    assert!(!sure(&judge_with(&two), "hba-fault"), "it may be the other card");
}

#[test]
fn a_port_behind_the_same_adapter_may_be_another_targets() {
    let port = "rport-6:0-4: blocked FC remote port time out: removing target and saving binding";
    let mut alone = pair().split_off(2);
    alone.insert(0, kernel(21, port));
    assert!(!sure(&judge(&alone), "path-fault"));
}

/// A line of an ESXi host.
fn esx(second: u32, text: &str) -> String {
    format!("2026-10-04T03:00:{second:02}.250Z cpu6:2098011){text}")
}

fn false_on(path: &str) -> String {
    esx(
        20,
        &format!(
            "NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x89 (0x45d920, 2097400) to dev \"naa.6000d31000c0ffee000000000000004d\" on path \"{path}\" Failed: H:0x0 \
             D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0. Act:NONE"
        ),
    )
}

#[test]
fn behind_one_adapter_are_many_targets() {
    let lost = |target: u32| {
        esx(
            5,
            &format!(
                "iscsi_vmk: iscsivmk_StopConnection:699: vmhba65:CH:0 T:{target} CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:4)"
            ),
        )
    };
    let report = |target| judge(&[lost(target), false_on("vmhba65:C0:T6:L2")]);
    assert!(sure(&report(6), "path-fault"));
    assert!(!sure(&report(1), "path-fault"));
    let dead = |path: &str| esx(5, &format!("NMP: nmpPathEvent: Path {path} is dead"));
    let dead = |path: &str| {
        let vob = format!(
            "2026-10-04T03:00:05.000Z: [scsiCorrelator] 88us: [vob.scsi.scsipath.pathstate.dead] scsiPath {path} changed state from on"
        );
        judge(&[dead(path), vob, false_on("vmhba2:C0:T3:L7")])
    };
    assert!(sure(&dead("vmhba2:C0:T4:L7"), "path-fault"), "the same unit behind another port");
    assert!(!sure(&dead("vmhba2:C0:T4:L31"), "path-fault"), "another unit of another target");
}

/// `esxcli storage core path list` says which of the array's ports a path leads to: another port behind the same adapter may be lost, and the path stays.
#[test]
fn a_port_that_the_path_does_not_lead_to_explains_nothing() {
    const LUN: &str = "naa.6000d31000c0ffee00000000000000a7";
    let list = [
        "[root@esx71:~] esxcli storage core path list".to_owned(),
        format!("fc.20000000c9aabb01:10000000c9aabb01-fc.5000d31000000000:5000d31000000007-{LUN}"),
        "   Runtime Name: vmhba2:C0:T3:L4".to_owned(),
        format!("   Device: {LUN}"),
        "   Target Transport Details: WWNN: 50:00:d3:10:00:00:00:00 WWPN: 50:00:d3:10:00:00:00:07".to_owned(),
    ];
    let told = |port: &str, list: &[String]| {
        let at =
            |second: u32, text: String| format!("2026-10-04T03:00:{second:02}.000Z esx71 vmkernel: {text}");
        let failed = |end: &str| {
            format!(
                "cpu3:33)NMP: nmp_ThrottleLogForDevice:3303: Cmd 0x89 (0x43, 32814) to dev \"{LUN}\" on path \"vmhba2:C0:T3:L4\" Failed: {end} Act:NONE"
            )
        };
        let lost = format!(
            "cpu3:33)lpfc: lpfc_dev_loss_tmo_callbk:211: vmhba2 0203 Devloss timeout on WWPN {port} NPort x0a0b00 Data: x0 x8 x6"
        );
        let lines = [at(5, lost), at(14, failed("H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0."))];
        sure(&judge(&[list, &lines].concat()), "path-fault")
    };
    assert!(told("50:00:d3:10:00:00:00:07", &list), "its own");
    assert!(!told("52:4a:93:7c:00:00:00:01", &list), "another");
    assert!(told("52:4a:93:7c:00:00:00:01", &[]), "nobody listed anything");
}

/// The number tells who dropped a session: 1021 is the host's own error handling, and the network was blamed for it (include/scsi/iscsi_if.h).
#[test]
fn a_session_that_the_host_dropped_itself_is_no_proof_against_the_network() {
    let dropped = |number: u32| {
        judge(&[
            kernel(31, &format!("connection2:0: detected conn error ({number})")),
            kernel(
                31,
                "sd 6:0:2:9: [sdr] tag#7 FAILED Result: hostbyte=DID_TRANSPORT_DISRUPTED driverbyte=DRIVER_OK",
            ),
            kernel(
                31,
                "sd 6:0:2:9: [sdr] tag#7 CDB: Compare and write 89 00 00 00 00 00 00 00 20 00 00 00 00 01 00 00",
            ),
        ])
    };
    for number in [1011, 1020, 1022] {
        assert!(sure(&dropped(number), "path-fault"), "{number}");
    }
    let own = dropped(1021);
    assert!(!sure(&own, "path-fault"), "{own:#?}");
    assert!(own.incidents[0].because.contains("the host dropped that session itself"), "{own:#?}");
    // ESXi says the same in two lines: an abort without an answer, and the connection that it closes for it.
    let abort = esx(
        20,
        "WARNING: iscsi_vmk: iscsivmk_TaskMgmtIssue: vmhba64:CH:0 T:2 L:9 : Task mgmt \"Abort Task\" with itt=0x1b07 (refITT=0x1af1) timed out.",
    );
    let closed = esx(
        31,
        "WARNING: iscsi_vmk: iscsivmk_StopConnection:741: vmhba64:CH:0 T:2 CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:6)",
    );
    let lost = esx(
        31,
        "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x91 from world 2097400 to dev \"naa.6589cfc000000c0ffee0000000000d4d\" failed H:0x5 D:0x0 P:0x0",
    );
    assert!(sure(&judge(&[closed.clone(), lost.clone()]), "path-fault"));
    assert!(!sure(&judge(&[abort, closed, lost]), "path-fault"));
}

/// A published case: the times of a LUN over iSCSI, then one connection after another was lost. Its publisher found the network, and the array was blamed.
#[test]
fn where_connections_are_lost_behind_slow_commands_the_wire_may_be_slow() {
    let slow = |second| {
        esx(
            second,
            "WARNING: ScsiDeviceIO: 1512: Device naa.6589cfc000000c0ffee0000000000d4d performance has deteriorated. I/O latency increased from average value of 2210 microseconds to 1733000 microseconds.",
        )
    };
    let lost = |second, target: u32| {
        esx(
            second,
            &format!(
                "WARNING: iscsi_vmk: iscsivmk_StopConnection:741: vmhba64:CH:0 T:{target} CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:4)"
            ),
        )
    };
    assert!(sure(&judge(&[slow(3), slow(9)]), "slow-storage"));
    let both = judge(&[slow(3), slow(9), lost(41, 1), lost(44, 2)]);
    assert!(!sure(&both, "slow-storage"), "{both:#?}");
    let before = judge(&[lost(3, 1), lost(4, 2), slow(41), slow(44)]);
    assert!(sure(&before, "slow-storage"), "what came before it is another story: {before:#?}");
}

/// A link of Fibre Channel went down, and a LUN over iSCSI was said to have been behind it.
#[test]
fn a_host_on_a_fabric_and_on_a_network_has_two_kinds_of_ways() {
    let down = esx(
        11,
        "lpfc: vmhba3 lpfc_mbx_cmpl_read_topology:3556: 1305 Link Down Event x4 received Data: x4 x20 x8000 x0 x0",
    );
    let network = esx(
        2,
        "WARNING: iscsi_vmk: iscsivmk_StopConnection:741: vmhba64: iSCSI connection is being marked \"ONLINE\" (Event:4)",
    );
    let late = esx(
        19,
        "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x91 from world 2097400 to dev \"naa.6589cfc000000c0ffee0000000000d4d\" failed H:0x5 D:0x0 P:0x0",
    );
    assert!(sure(&judge(&[down.clone(), late.clone()]), "path-fault"), "a host of one kind");
    assert!(!sure(&judge(&[network.clone(), down.clone(), late.clone()]), "path-fault"));
    let named = esx(
        1,
        "NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x2a (0x45d9, 2097400) to dev \"naa.6589cfc000000c0ffee0000000000d4d\" on path \"vmhba3:C0:T1:L7\" Failed: H:0x0 D:0x2 P:0x0 Valid sense data: 0x6 0x29 0x0. Act:NONE",
    );
    assert!(sure(&judge(&[named, network, down, late]), "path-fault"), "its way is known");
}

/// A link of one adapter fell, and a LUN was said to have been behind it that the host itself lists behind another.
#[test]
fn a_list_of_paths_says_over_which_adapters_a_device_is_reached() {
    const LUN: &str = "naa.6000d31000c0ffee00000000000000a9";
    let down = esx(11, "qlnativefc: vmhba5(5e:0.1): LOOP DOWN detected");
    let late = esx(
        19,
        &format!(
            "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x91 from world 2097400 to dev \"{LUN}\" failed H:0x5 D:0x0 P:0x0"
        ),
    );
    let told = |list: &str| {
        let lines: Vec<String> = list.lines().map(str::to_owned).collect();
        sure(&judge(&[lines, vec![down.clone(), late.clone()]].concat()), "path-fault")
    };
    assert!(told(""), "nobody listed anything");
    let lists = |adapter: &str| {
        [
            format!(
                "   Runtime Name: {adapter}:C0:T1:L6\n   Device: {LUN}\n   Device Display Name: ACME Disk ({LUN})\n   Adapter: {adapter}\n"
            ),
            format!(
                "{LUN}\n   Device Display Name: ACME Disk ({LUN})\n   Path Selection Policy: VMW_PSP_RR\n   Working Paths: {adapter}:C0:T1:L6, {adapter}:C0:T2:L6\n   Is USB: false\n"
            ),
            format!(
                "{adapter}:C0:T1:L6 state:active {LUN} {adapter} 0 1 6 NMP active san fc.20:10 fc.50:50\n"
            ),
        ]
    };
    for (own, other) in lists("vmhba5").iter().zip(&lists("vmhba2")) {
        assert!(told(own), "{own}");
        assert!(!told(other), "{other}");
        let of_another = other.replace("00a9", "00b0");
        assert!(told(&of_another), "another device's: {of_another}");
    }
}

/// A command on the disk of `pair()` that nobody answered, and the false test six seconds after it.
fn late_and_false(second: u32) -> Vec<String> {
    let [late, asked, rest @ ..] = &pair()[..] else { unreachable!() };
    let at = |line: &String| line.replace(":30 ", &format!(":{second:02} "));
    [at(late), at(asked)].into_iter().chain(rest.iter().cloned()).collect()
}

fn with(lines: &[&str], second: u32) -> Report {
    let told = lines.iter().map(|line| kernel(25, line));
    let mut all: Vec<String> = told.chain(late_and_false(second)).collect();
    all.sort();
    judge(&all)
}

/// A loss on some other way was tied to a disk by any of its commands that had been late before.
#[test]
fn a_command_that_had_ended_before_a_loss_was_not_taken_by_it() {
    let lost = "connection3:0: detected conn error (1011)";
    assert!(sure(&with(&[lost], 31), "path-fault"), "it may have been on that way");
    assert!(!sure(&with(&[lost], 9), "path-fault"), "it had ended");
    let down = "lpfc 0000:5e:00.0: 0:(0):1305 Link Down Event x6 received Data: x6 x20 x80110 x0 x0";
    assert!(sure(&with(&[down], 31), "path-fault"));
    assert!(!sure(&with(&[down], 9), "path-fault"));
    // Nobody tells of a loss in the moment in which it takes a command.
    let read = |second: u32, line: &str| {
        let [late, asked, rest @ ..] = &late_and_false(second)[..] else { unreachable!() };
        let asked = asked.replace("Compare and write 89 00", "Read(16) 88 00");
        judge(&[&[late.clone(), asked, kernel(25, line)], rest].concat())
    };
    for line in [lost, down] {
        assert!(sure(&read(18, line), "path-fault"), "{line}");
        assert!(!sure(&read(9, line), "path-fault"), "{line}");
    }
}

#[test]
fn a_way_of_another_protocol_leads_to_no_disk_of_this_one() {
    let controller = "nvme nvme3: starting error recovery";
    assert!(!sure(&with(&[controller], 31), "path-fault"), "a disk of SCSI");
    let session = "connection3:0: detected conn error (1011)";
    let adapter = |named: &str| with(&[named, session], 31);
    assert!(!sure(&adapter("scsi host6: Emulex LPe31000 on PCI bus 5e device 00 irq 61"), "path-fault"));
    assert!(sure(&adapter("scsi host6: iSCSI Initiator over TCP/IP"), "path-fault"));
    let compare = |second, device: &str, end: &str| {
        kernel(second, &format!("{device}: Compare(0x5) @ LBA 4096, 1 blocks, {end}"))
    };
    let of_nvme = |lost: &str, device: &str| {
        judge(&[
            kernel(21, lost),
            compare(24, device, "Command Abort Requested (sct 0x0 / sc 0x7)"),
            compare(36, device, "Compare Failure (sct 0x2 / sc 0x85)"),
        ])
    };
    assert!(!sure(&of_nvme(session, "nvme1n1"), "path-fault"), "a namespace of NVMe");
    assert!(!sure(&of_nvme(controller, "nvme1c4n1"), "path-fault"), "over another controller");
    assert!(sure(&of_nvme(controller, "nvme1c3n1"), "path-fault"), "over this one");
}

/// `8:16` is `sdb`, whatever else is near: sixteen numbers are one disk's.
#[test]
fn a_path_that_is_called_by_its_number_is_that_disks() {
    let failing =
        |number: &str| with(&[&format!("device-mapper: multipath: 253:4: Failing path {number}.")], 31);
    assert!(!sure(&failing("8:16"), "path-fault"), "sdb");
    assert!(!sure(&failing("66:16"), "path-fault"), "sdah");
    assert!(sure(&failing("65:16"), "path-fault"), "sdr");
}

/// A device was slow for half a minute, a command was given up, and a link of some adapter that fell behind it led.
#[test]
fn a_device_that_was_slow_before_lost_its_command_to_that() {
    const LUN: &str = "naa.6000d31000c0ffee00000000000000a9";
    let slow = |second: u32| {
        esx(
            second,
            &format!(
                "ScsiDeviceIO: 1780: Device {LUN} performance has deteriorated. I/O latency increased from average value of 1302 microseconds to 598211 microseconds."
            ),
        )
    };
    let late = esx(
        40,
        &format!(
            "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x2a, CmdSN 0x91 from world 2097400 to dev \"{LUN}\" failed H:0x5 D:0x0 P:0x0"
        ),
    );
    let down = esx(45, "lpfc: lpfc_handle_latt: vmhba5 1305 Link Down Event x3 received");
    let met = esx(
        52,
        &format!(
            "ScsiDeviceIO: 4633: Cmd(0x45d9) 0x89, CmdSN 0x92 from world 2097400 to dev \"{LUN}\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0"
        ),
    );
    let lines = [slow(11), slow(18), slow(26), late.clone(), down.clone(), met.clone()];
    assert!(!sure(&judge(&lines), "path-fault"));
    let calm = |line: String| sure(&judge(&[line, late.clone(), down.clone(), met.clone()]), "path-fault");
    assert!(calm(slow(11).replace("598211", "31000")), "that is not slow");
    let full = late.replace("02:00:40", "02:00:11").replace("H:0x5 D:0x0", "H:0x0 D:0x28");
    assert!(calm(full), "a queue that was full once");
    assert!(sure(&judge(&[late, down, met]), "path-fault"), "nothing was slow before");
}

/// One of two paths of a map failed, and the lease of another map, or of a file server, was late.
#[test]
fn a_path_of_one_map_takes_no_lease_of_another() {
    let told_of = |map: &str, place: &str| {
        let line =
            |second: u32, text: &str| format!("2026-06-01T02:00:{second:02}.000000+00:00 node4 {text}");
        sure(
            &judge(&[
                line(5, &format!("multipathd[900]: {map}: sdc - tur checker reports path is down")),
                line(5, &format!("multipathd[900]: {map}: remaining active paths: 0")),
                line(
                    7,
                    &format!(
                        "sanlock[881]: 2026-06-01 02:00:07 8812 [911]: s3 delta_renew read timeout 10 sec offset 0 {place}"
                    ),
                ),
                line(
                    7,
                    "sanlock[881]: 2026-06-01 02:00:07 8812 [911]: s3 renewal error -202 delta_length 10 last_success 8780",
                ),
            ]),
            "path-fault",
        )
    };
    let told = |place: &str| told_of("mpathk", place);
    for own in ["mpathk", "mpathk1", "mpathkp1", "mpathk-part1", "vgk-lvmlock"] {
        assert!(told(&format!("/dev/mapper/{own}")), "{own}");
    }
    for (map, other) in [
        ("36001405aaaaaaaaaaaaaaaaaaaaaaaa1", "36001405aaaaaaaaaaaaaaaaaaaaaaaa2"),
        ("fence_lun", "data_lun"),
    ] {
        assert!(told_of(map, &format!("/dev/mapper/{map}")), "{map}");
        assert!(!told_of(map, &format!("/dev/mapper/{other}")), "{other}");
    }
    assert!(!told("/dev/mapper/mpathm"));
    assert!(!told("/rhev/data-center/mnt/nas.reed:_export/0c0ffee1/dom_md/ids"));
}

/// The card's link, the session that had no answer behind it and did not come back, the commands: nobody called that a lost way.
#[test]
fn a_session_that_ends_behind_a_cards_link_is_a_lost_way() {
    let minute = |minute: u32, text: &str| format!("Oct  4 03:{minute:02}:28 node4 kernel: {text}");
    let link = minute(2, "e1000e: eth3 NIC Link is Down");
    let rest = [
        minute(
            3,
            " connection1:0: ping timeout of 5 secs expired, recv timeout 5, last rx 4312595841, last ping 4312597092, now 4312598344",
        ),
        minute(3, " connection1:0: detected conn error (1022)"),
        minute(5, " session1: session recovery timed out after 120 secs"),
        minute(5, "sd 7:0:0:0: rejecting I/O to offline device"),
        minute(5, "sd 7:0:0:0: [sdt] FAILED Result: hostbyte=DID_NO_CONNECT driverbyte=DRIVER_OK"),
        minute(5, "sd 7:0:0:0: [sdt] CDB: Read(10) 28 00 00 71 a0 40 00 00 08 00"),
    ];
    let says_so = |log: &[String]| {
        let report = judge(log);
        assert!(!sure(&report, "path-fault"), "no line puts the session on that card");
        report.incidents.iter().any(|finding| finding.because.contains("link of a network card"))
    };
    assert!(says_so(&[&[link.clone()][..], &rest].concat()));
    assert!(!says_so(&rest), "the target may not have answered");
    let up = "Oct  4 03:02:31 node4 kernel: e1000e: eth3 NIC Link is Up 1000 Mbps Full Duplex".to_owned();
    assert!(
        !says_so(&[&[link.clone(), up][..], &rest].concat()),
        "it was back before the session had no answer"
    );
}
