//! What a host has for itself, a stick, a disc, a disk in its own case and the controller before it, and what it shares with others.

use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Doctor, Report};

fn judge(lines: &[String]) -> Report {
    let log: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut doctor = Doctor::new();
    doctor.read("vmkernel.log", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn sure(report: &Report) -> Vec<&str> {
    let sure = report.incidents.iter().filter(|finding| finding.confidence != "possible");
    sure.map(|finding| finding.cause.as_str()).collect()
}

/// A device that was slow at that hour.
fn slow(hour: u32, device: &str, now_us: u32) -> String {
    format!(
        "2026-02-07T{hour:02}:31:09.500Z cpu3:2097777)WARNING: ScsiDeviceIO: 1512: Device {device} performance has deteriorated. I/O latency increased from average \
         value of 8004 microseconds to {now_us} microseconds."
    )
}

/// What a log has besides.
fn everyday() -> impl Iterator<Item = String> {
    (0..70).map(|minute| {
        format!("2026-02-06T{:02}:{:02}:00.000Z cpu3:2097777)VSCSI: 4060: handle 8192(vscsi0:0):Creating Virtual Device for world 2101", 1 + minute / 60, minute % 60)
    })
}

const OWN: [&str; 6] = [
    "mpx.vmhba32:C0:T0:L0",
    "mpx.vmhba35:C0:T0:L0",
    "mpx.vmhba1:C0:T4:L0",
    "t10.SanDisk_Cruzer_Blade00",
    "t10.ATA_____Maker_SD400__77",
    "naa.5000c500a1b2c3d4",
];
const SHARED: &str = "naa.6000d31000c0ffee0000000000000b1a";

/// A host that starts from a stick was told each hour that its array is slow and its data in doubt.
#[test]
fn a_stick_that_is_slow_each_hour_is_no_array_that_is_slow() {
    for device in OWN {
        let times: Vec<String> = (0..8).map(|hour| slow(hour, device, 398_000 + hour)).collect();
        let pasted = judge(&times);
        assert_eq!((sure(&pasted), pasted.incidents.len()), (Vec::new(), 1), "{device}");
        let finding = &pasted.incidents[0];
        assert!(finding.explanation.contains("No array and no other host"), "{finding:?}");
        assert_eq!(finding.events, 8, "{device}: alike times of one device are one finding");
        let page = Page { width: 100, colours: false }.report(&pasted);
        assert!(page.contains("Data is not at risk by this"), "{page}");
        let log: Vec<String> = everyday().chain(times).collect();
        assert!(judge(&log).incidents.is_empty(), "{device}: in a log it is everyday");
    }
    let array: Vec<String> = everyday().chain([slow(3, SHARED, 398_000)]).collect();
    assert_eq!(sure(&judge(&array)), ["slow-storage"], "a LUN's time is another matter");
}

#[test]
fn a_disk_that_takes_longer_than_a_heartbeat_has_is_worth_a_word() {
    let log = |device| everyday().chain([slow(3, device, 21_700_000)]).collect::<Vec<String>>();
    let disk = judge(&log("t10.ATA_____Maker_SD400__77"));
    assert_eq!((disk.incidents.len(), sure(&disk)), (1, Vec::new()));
    assert!(judge(&log("mpx.vmhba33:C0:T0:L0")).incidents.is_empty(), "a disc that spins up takes that long");
}

/// ESXi's own iSCSI had such a number in old releases.
#[test]
fn a_disk_without_an_identity_behind_iscsi_is_no_stick() {
    let up = "2026-02-07T02:00:00.000Z cpu3:2097777)iscsi_vmk: iscsivmk_StopConnection: vmhba35: iSCSI connection is being marked \"OFFLINE\"".to_owned();
    let log: Vec<String> = everyday().chain([up, slow(3, OWN[1], 398_000)]).collect();
    assert_eq!(sure(&judge(&log)), ["slow-storage"]);
}

/// One time of a LUN, and the page spoke of writes without an answer.
#[test]
fn where_no_write_lacks_an_answer_none_is_said_to() {
    let page = |lines: &[String]| Page { width: 400, colours: false }.report(&judge(lines));
    let calm = page(&[slow(3, SHARED, 398_000)]);
    assert!(calm.contains("No write without an answer is among these lines"), "{calm}");
    assert!(!calm.contains("may or may not be on the disk"), "{calm}");
    let lost = format!(
        "2026-02-07T03:31:19.500Z cpu3:2097777)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x17 from world 2097 to dev \"{SHARED}\" failed H:0x5 D:0x0 P:0x0"
    );
    assert!(page(&[slow(3, SHARED, 398_000), lost]).contains("may or may not be on the disk"));
}

/// `write-quiesced` was taken for a driver's word of its adapter, from one published case.
#[test]
fn writes_that_the_host_holds_back_are_no_word_of_an_adapter() {
    let held = |second: u32, device: &str| {
        format!(
            "2026-02-07T03:32:{second:02}.250Z cpu2:5120)ALERT: ScsiDeviceIO: 3081: Failed write command to write-quiesced partition {device}:1"
        )
    };
    let alone = judge(&[held(4, SHARED)]);
    assert_eq!(alone.incidents[0].cause, "cannot-tell");
    assert!(alone.incidents[0].explanation.contains("lets no write through"), "{alone:?}");
    // Behind slow storage they are what follows from it.
    let report = judge(&[slow(3, SHARED, 9_398_000), held(20, SHARED)]);
    let first = &report.incidents[0];
    assert_eq!((first.cause.as_str(), sure(&report).len()), ("slow-storage", 1), "{first:?}");
    assert!(first.because.contains("holds the writes to a partition back"), "{}", first.because);
    // A partition is no device beside its disk.
    let disk = "t10.ATA_____Maker_SD400__77";
    let failed = format!(
        "2026-02-07T03:32:15.000Z cpu3:2097777)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x17 from world 2097 to dev \"{disk}\" failed H:0x2 D:0x0 P:0x0"
    );
    let report = judge(&[held(4, disk), held(5, disk), failed]);
    let devices: Vec<&str> =
        report.incidents.iter().flat_map(|finding| &finding.devices).map(String::as_str).collect();
    assert_eq!(devices, [disk]);
}

/// A card of disks in the host hung, and the array's LUN was said to lie behind it.
#[test]
fn a_controller_of_local_disks_is_no_way_to_an_array() {
    let cards = [
        "WARNING: smartpqi01: smartpqi:pqisrc_check_fw: Controller firmware hang on vmhba0 detected",
        "<4>mptbase: ioc1: WARNING - IOC is in FAULT state!!! vmhba0",
        "mpt3sas_cm0: fault_state(0x2622)!",
        "nhpsa: firmware hang detected vmhba0, resetting",
        "WARNING: lsi_mr3: mfi_FaultCheck:1123: megaraid: FW in FAULT state on vmhba0, resetting",
    ];
    let late = |path: &str| {
        format!(
            "2026-02-07T03:31:19.500Z cpu3:2097777)NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x89 (0x45d9, 2097400) to dev \"{SHARED}\" on path \"{path}\" Failed: H:0x5 D:0x0 P:0x0 Act:NONE"
        )
    };
    let unnamed = format!(
        "2026-02-07T03:31:19.500Z cpu3:2097777)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x17 from world 2097 to dev \"{SHARED}\" failed H:0x5 D:0x0 P:0x0"
    );
    for card in cards {
        let failed = format!("2026-02-07T03:31:11.000Z cpu3:2097777){card}");
        for harmed in [late("vmhba2:C0:T1:L7"), unnamed.clone()] {
            let report = judge(&[failed.clone(), harmed]);
            assert_eq!(sure(&report), [""; 0], "{card}");
        }
    }
    let failed = format!("2026-02-07T03:31:11.000Z cpu3:2097777){}", cards[0]);
    assert_eq!(
        sure(&judge(&[failed, late("vmhba0:C0:T1:L7")])),
        ["hba-fault"],
        "a shelf of SAS that hosts share is behind it"
    );
}

/// A disk of vSAN gave up beside a false test on a LUN, and the LUN was said to fail.
#[test]
fn a_disk_of_vsan_is_no_lun_that_stands_near() {
    let lines = [
        "2026-02-07T03:10:10.000Z cpu10:284703)WARNING: LSOM: LSOMEventNotify:6861: Virtual SAN device 52c0ffee-7a2c-8931-e978-1e57a2ff9078 is under permanent error.",
        "2026-02-07T03:10:14.220Z cpu12:209731)ScsiDeviceIO: 2633: Cmd(0x439d4c1f2a80) 0x89, CmdSN 0x3c0f4 from world 32807 to dev \"naa.60b1aa00000000000000000000000007\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.",
    ];
    let report = judge(&lines.map(str::to_owned));
    let told = |cause: &str| report.incidents.iter().find(|finding| finding.cause == cause);
    let broken = told("device-fault").unwrap_or_else(|| panic!("{:?}", report.incidents));
    assert_eq!(broken.devices, ["52c0ffee-7a2c-8931-e978-1e57a2ff9078"]);
    assert!(told("cannot-tell").is_some_and(|finding| finding.devices[0].starts_with("naa.60b1")));
}

/// Firmware that died said so in plain words, and a path was sought.
#[test]
fn a_controller_that_says_that_it_died_is_believed() {
    let says = |lines: &[&str]| {
        let kernel =
            |(second, line): (usize, &&str)| format!("Feb  7 01:31:{:02} reed kernel: {line}", second + 10);
        sure(&judge(&lines.iter().enumerate().map(kernel).collect::<Vec<_>>())).join(" ")
    };
    let lost = "sd 7:0:4:0: [sdm] tag#3 FAILED Result: hostbyte=DID_NO_CONNECT driverbyte=DRIVER_OK";
    let read = "sd 7:0:4:0: [sdm] tag#3 CDB: Read(10) 28 00 00 71 a0 40 00 00 08 00";
    let of_driver = |line: &str| {
        let drivers = [
            ("mpt", "Fusion MPT SAS Host"),
            ("mega", "Avago SAS based MegaRAID driver"),
            ("hpsa", "hpsa"),
            ("smartpqi", "smartpqi"),
        ];
        let name = drivers.iter().find(|(driver, _)| line.starts_with(driver)).map_or("", |(_, name)| name);
        format!("scsi host7: {name}")
    };
    for died in [
        "mpt3sas_cm1: SAS host is non-operational !!!!",
        "megaraid_sas: Reset failed, killing adapter.",
        "hpsa 0000:5e:00.0: Controller lockup detected: 0x00120034 after 30",
        "smartpqi 0000:5e:00.0: controller is offline: status code 0x6100c",
    ] {
        assert_eq!(says(&[died]), "hba-fault", "{died}");
        assert_eq!(says(&[&of_driver(died), died, lost, read]), "hba-fault", "{died}");
        assert_eq!(says(&[died, lost, read]), "", "no line puts the disk behind it: {died}");
        assert_eq!(says(&["scsi host7: qla2xxx", died, lost, read]), "", "another adapter's disk: {died}");
    }
    let fusion = |number: u32| format!("scsi host{number}: Fusion MPT SAS Host");
    let dead = "mpt3sas_cm1: SAS host is non-operational !!!!";
    assert_eq!(says(&[&fusion(7), &fusion(8), dead, lost, read]), "", "of two cards nobody knows which died");
    let fault = "megaraid_sas 0000:5e:00.0: Found FW in FAULT state, will reset adapter.";
    let host = of_driver("megaraid_sas");
    assert_eq!(says(&[&host, fault, lost, read]), "", "it is reset and goes on");
    let killed = "megaraid_sas 0000:5e:00.0: Reset failed, killing adapter.";
    assert_eq!(says(&[&host, fault, killed, lost, read]), "hba-fault", "its reset failed");
    let quiet: Vec<String> = (0..19).map(|line| format!("usb 1-{line}: new device")).collect();
    let quiet = quiet.iter().map(String::as_str).collect::<Vec<_>>();
    let died = [&[host.as_str(), lost, read][..], &quiet, &[killed]].concat();
    assert_eq!(says(&died), "", "the disk was lost long before");
    // Firmware that faulted is reset and goes on, and a driver may not start for want of its host's memory.
    for doubtful in [
        "mpt2sas_cm1: failure at drivers/scsi/mpt3sas/mpt3sas_scsih.c:9911/_scsih_probe()!",
        "megasas: Found FW in FAULT state, will reset adapter.",
    ] {
        assert_eq!(says(&[doubtful]), "", "{doubtful}");
    }
    let session = " session2: session recovery timed out after 5 secs";
    let both = [&fusion(0), "mpt3sas_cm0: fault_state(0x5854)!", session, lost, read];
    let lines = both.map(|line| format!("Feb  7 01:31:09 reed kernel: {line}"));
    assert_eq!(
        judge(&lines).incidents[0].cause,
        "path-fault",
        "a session was lost, and no controller has one"
    );
    let of_esx =
        "2026-02-07T01:31:10.000Z cpu3:2097777)lsi_mr3: mfi_Reset:3109: killing adapter vmhba0".to_owned();
    let of_a_lun = format!(
        "2026-02-07T01:31:30.000Z cpu3:2097777)NMP: nmp_ThrottleLogForDevice:3893: Cmd 0x2a (0x45dd, 2097) to dev \"{SHARED}\" on path \"vmhba5:C0:T0:L4\" Failed: H:0x1 D:0x0 P:0x0"
    );
    assert_eq!(sure(&judge(&[of_esx, of_a_lun])).join(" "), "", "a LUN over another adapter");
}

/// What a controller of local disks suffers is no answer to a false test of a LUN that no line puts behind it.
#[test]
fn a_dead_controller_beside_a_late_test_of_a_lun_does_not_lead() {
    let test = |second: u32, end: &str| {
        format!(
            "2026-02-07T01:31:{second:02}.000Z cpu3:2097777)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x31 from world 2097 to dev \"{SHARED}\" failed {end}"
        )
    };
    let report = judge(&[
        test(4, "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0"),
        "2026-02-07T01:31:10.000Z cpu3:2097777)mpt3sas_cm1: SAS host is non-operational !!!!".to_owned(),
        test(20, "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0"),
    ]);
    assert_eq!(report.incidents[0].cause, "delayed-own-write", "{report:#?}");
}

/// One failure of libata is told over several lines, and counts once.
#[test]
fn a_medium_that_libata_names_in_brackets_is_read() {
    let failed = |error: &[&str]| {
        let lines = [
            "ata3.00: failed command: READ FPDMA QUEUED",
            "ata3.00: cmd 60/08:48:28:08:00/00:00:00:00:00/40 tag 9 ncq dma 4096 in",
            "         res 41/40:08:28:08:00/00:00:00:00:00/40 Emask 0x409 (media error) <F>",
            "ata3.00: status: { DRDY ERR }",
        ];
        let all = lines.iter().chain(error).map(|line| format!("Feb  7 01:31:09 reed kernel: {line}"));
        judge(&all.collect::<Vec<_>>())
    };
    for error in [&[][..], &["ata3.00: error: { UNC }"]] {
        let report = failed(error);
        let [finding] = &report.incidents[..] else { panic!("{report:#?}") };
        assert_eq!(
            (finding.cause.as_str(), finding.confidence.as_str()),
            ("device-fault", "possible"),
            "{error:?}"
        );
    }
}

#[test]
fn two_disks_of_freebsd_that_time_out_at_once_are_no_broken_disk() {
    let timeout = |disk: u32, channel: u32| {
        [
            format!("(ada{disk}:ahcich{channel}:0:0:0): READ_FPDMA_QUEUED. ACB: 60 08 30 6b 94 40 08 02 00 00 00 00"),
            format!("(ada{disk}:ahcich{channel}:0:0:0): CAM status: Command timeout"),
        ]
        .map(|line| format!("Feb  7 01:31:09 reed kernel: {line}"))
    };
    let report = judge(&[timeout(1, 2), timeout(2, 4)].concat());
    assert_eq!((report.incidents.len(), sure(&report)), (1, Vec::new()), "{report:#?}");
}

/// A few lines about one disk were silent when hours lay between them, for libata calls it by its place alone.
#[test]
fn a_disk_that_libata_calls_by_its_place_is_one_however_late() {
    let timeout = |uptime: u32, port: u32| {
        [
            format!(
                "[{uptime}.985396] ata{port}.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen"
            ),
            format!("[{uptime}.985445] ata{port}.00: failed command: WRITE FPDMA QUEUED"),
            format!(
                "[{uptime}.985476] ata{port}.00: cmd 61/08:00:00:fc:bd/04:00:7f:00:00/40 tag 0 ncq 4096 out"
            ),
            format!("[{uptime}.985478]          res 40/00:08:d8:74:d8/00:00:af:00:00/40 Emask 0x4 (timeout)"),
            format!("[{uptime}.985564] ata{port}.00: status: {{ DRDY }}"),
        ]
    };
    let told = |later: u32| {
        judge(&[timeout(641_193, 3), timeout(647_117, later), timeout(652_004, 3)].concat()).incidents.len()
    };
    assert_eq!(told(3), 3, "the same disk");
    assert_eq!(told(5), 0, "of several, none is known to be the one");
}

/// The more lines somebody pasted, the less was told: the link's reset, the medium's error, and the same in SCSI's words.
#[test]
fn a_disk_that_libata_and_scsi_both_name_is_one() {
    let broken = |uptime: u32, port: u32, disk: &str| {
        [
            format!("[{uptime}.985445] ata{port}.00: failed command: READ FPDMA QUEUED"),
            format!(
                "[{uptime}.985476] ata{port}.00: cmd 60/08:00:00:fc:bd/04:00:7f:00:00/40 tag 0 ncq 4096 in"
            ),
            format!(
                "[{uptime}.985478]          res 41/40:08:d8:74:d8/00:00:af:00:00/40 Emask 0x409 (media error) <F>"
            ),
            format!("[{uptime}.985566] ata{port}.00: error: {{ UNC }}"),
            format!("[{uptime}.988000] ata{port}: hard resetting link"),
            format!(
                "[{uptime}.990001] sd 2:0:0:0: [{disk}] tag#0 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE"
            ),
            format!("[{uptime}.990002] sd 2:0:0:0: [{disk}] tag#0 Sense Key : Medium Error [current]"),
            format!(
                "[{uptime}.990003] sd 2:0:0:0: [{disk}] tag#0 Add. Sense: Unrecovered read error - auto reallocate failed"
            ),
            format!(
                "[{uptime}.990004] sd 2:0:0:0: [{disk}] tag#0 CDB: Read(10) 28 00 00 71 a0 40 00 00 08 00"
            ),
        ]
    };
    let told = |port: u32, disk: &str| {
        judge(&[broken(641_193, 3, "sdc"), broken(647_117, port, disk)].concat()).incidents.len()
    };
    assert_eq!(told(3, "sdc"), 2, "one disk");
    assert_eq!(told(5, "sdd"), 0, "of several, none is known to be the one");
}

#[test]
fn a_drive_that_does_not_answer_a_question_about_itself_is_no_incident() {
    let told = |command: &str| {
        judge(&[format!("[641193.985445] ata3.00: failed command: {command}")]).incidents.len()
    };
    assert_eq!(["PACKET", "SMART", "IDENTIFY DEVICE", "CHECK POWER MODE"].map(told), [0; 4]);
    assert_eq!(["READ DMA EXT", "WRITE FPDMA QUEUED", "FLUSH CACHE EXT"].map(told), [1; 3]);
    let asleep = |uptime: u32| {
        [
            format!("[{uptime}.985445] ata3.00: failed command: SMART"),
            format!("[{uptime}.985478]          res 40/00:00:00:00:00/00:00:00:00:00/00 Emask 0x4 (timeout)"),
            format!("[{uptime}.985564] ata3: hard resetting link"),
        ]
    };
    assert!(judge(&[asleep(641_193), asleep(651_193), asleep(661_193)].concat()).incidents.is_empty());
    let refused = [
        "[641193.985445] ata3.00: failed command: FLUSH CACHE EXT",
        "[641193.985476] ata3.00: cmd ea/00:00:00:00:00/00:00:00:00:00/a0 tag 7",
        "[641193.985478]          res 51/04:00:00:00:00/00:00:00:00:00/a0 Emask 0x1 (device error)",
        "[641193.985564] ata3.00: status: { DRDY ERR }",
        "[641193.985566] ata3.00: error: { ABRT }",
    ];
    assert_eq!(judge(&refused.map(str::to_owned)).incidents.len(), 1, "a flush that the disk refused");
}

/// The same disk was told twice, by its own name and by that of its partition, once as likely and once as possible.
#[test]
fn what_befalls_a_partition_befalls_its_disk() {
    let report = judge(
        &[
            "Feb  7 01:31:01 reed kernel: scsi host1: smartpqi",
            "Feb  7 01:31:03 reed kernel: sd 1:1:0:0: [sda] Attached SCSI disk",
            "Feb  7 01:31:09 reed kernel: smartpqi 0000:5c:00.0: controller is offline: status code 0x6100c",
            "Feb  7 01:31:10 reed kernel: sd 1:1:0:0: rejecting I/O to offline device",
            "Feb  7 01:31:10 reed kernel: Buffer I/O error on dev sda1, logical block 12, lost async page write",
        ]
        .map(str::to_owned),
    );
    assert_eq!((sure(&report), report.incidents.len()), (vec!["hba-fault"], 1), "{:#?}", report.incidents);
}

/// A controller that was reset and went on was said to hang, and its host to be switched off.
#[test]
fn firmware_that_faulted_is_reset_and_not_dead() {
    let title = |line: &str| {
        let report = judge(&[format!("Feb  7 01:31:09 reed kernel: {line}")]);
        assert_eq!(report.incidents.len(), 1, "{line}");
        report.incidents[0].explanation.clone()
    };
    for faulted in [
        "megaraid_sas 0000:5e:00.0: Found FW in FAULT state, will reset adapter scsi1.",
        "mpt3sas_cm1: fault_state(0x5854)!",
    ] {
        assert!(title(faulted).contains("starts it anew"), "{faulted}");
    }
    for dead in
        ["mpt3sas_cm1: SAS host is non-operational !!!!", "mpt2sas_cm1: _config_request: command timeout"]
    {
        assert!(title(dead).contains("hangs, does not start"), "{dead}");
    }
}

/// Each in its own words, and none was read.
#[test]
fn what_a_disk_says_of_its_medium_is_read_in_whatever_form() {
    for line in [
        "reed smartd[911]: Device: /dev/sdm [SAT], 3 Currently unreadable (pending) sectors",
        "reed zed[4411]: eid=71 class=io pool='tank' vdev=wwn-0x5000cca0c0ffee01 size=4096 offset=81920 priority=4 err=61 flags=0x3800b0",
        "reed vmunix: CMD: 0x28 STATUS: 0x2 KEY: 0x3 ASC: 0x11 ASCQ: 0x0",
    ] {
        let report = judge(&[format!("Feb  7 01:31:09 {line}")]);
        let causes: Vec<&str> = report.incidents.iter().map(|finding| finding.cause.as_str()).collect();
        assert_eq!(causes, ["device-fault"], "{line}");
    }
}
