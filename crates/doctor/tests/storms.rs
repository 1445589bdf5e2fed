//! A storm of commands that a reset ended has its trigger right before it, and nothing else in between that ends commands.

use oarlock_doctor::{Doctor, Report};

const LUN: &str = "naa.6000d31000c0ffee000000000000004d";
const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
const OWNER: &str = "63aa0c11-5b2e7f90-7a1d-0050568c4d5e";

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("vmkernel.log", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn is_a_cascade(log: &str) -> bool {
    let report = judge(log);
    report
        .incidents
        .iter()
        .any(|finding| finding.cause == "reset-cascade" && finding.confidence != "possible")
}

fn at(second: u32, text: &str) -> String {
    format!("2026-10-04T03:00:{second:02}.250Z cpu6:2098011){text}\n")
}

fn test(second: u32, end: &str) -> String {
    let serial = 0x900 + second;
    at(
        second,
        &format!(
            "ScsiDeviceIO: 4633: Cmd(0x45d9{second:02}) 0x89, CmdSN {serial:#x} from world 2097400 to dev \"{LUN}\" failed {end}"
        ),
    )
}

fn storm(second: u32) -> String {
    let victim = |serial: u32| {
        at(
            second,
            &format!(
                "ScsiDeviceIO: 4633: Cmd(0x45aa{serial}) 0x2a, CmdSN 0x800000{serial} from world 2101001 to dev \"{LUN}\" failed H:0x8 D:0x0 P:0x0"
            ),
        )
    };
    (10..22).map(victim).collect()
}

#[test]
fn a_false_test_makes_a_host_reset_the_device_at_once_or_not_at_all() {
    assert!(is_a_cascade(&(test(5, FALSE) + &storm(6))));
    assert!(!is_a_cascade(&(test(5, FALSE) + &storm(14))), "nine seconds later it is over");
    assert!(is_a_cascade(&(test(5, LATE) + &storm(14))), "one that nobody answered is not");
}

/// Two hosts whose clocks stand in two zones: what one of them ordered is what the other met.
#[test]
fn a_reset_that_another_host_sent_whole_hours_away_may_be_behind_the_storm() {
    let of = |host: &str, log: String| log.replace("Z cpu", &format!("Z {host} vmkernel: cpu"));
    let reset = |second| {
        at(
            second,
            &format!(
                "NMP: nmp_DeviceTaskMgmt:2290: Attempt to issue lun reset on device {LUN}. This will clear any SCSI-2 reservations on the device."
            ),
        )
    };
    let storm = of("esx2", test(5, LATE) + &storm(7));
    assert!(is_a_cascade(&storm));
    let elsewhere = of("esx1", reset(6)).replace("T03:", "T08:");
    assert!(!is_a_cascade(&(storm.clone() + &elsewhere)));
    let unrelated = of("esx1", reset(6)).replace("T03:00", "T08:05");
    assert!(is_a_cascade(&(storm + &unrelated)));
}

#[test]
fn a_race_that_a_living_host_won_makes_nobody_reset_anything() {
    let held = at(
        5,
        &format!(
            "DLX: 4333: vol 'basalt': [Req mode: 1] Not free; Lock [type 10c00001 offset 75497472 v 19, hb offset 3641344 gen 61, mode 1, owner {OWNER} mtime 4401 num 0 gblnum 0 gblgen 0 gblbrk 0]"
        ),
    );
    assert!(!is_a_cascade(&(test(5, FALSE) + &held + &storm(6))));
}

#[test]
fn an_adapter_or_a_session_that_broke_down_in_between_ends_commands_too() {
    let broken = [
        "qlnativefc: vmhba3(3b:0.0): ISP System Error - mbx1=4dh mbx2=0h mbx3=0h.",
        "iscsi_vmk: iscsivmk_StopConnection:699: vmhba64:CH:0 T:1 CN:0: iSCSI connection is being marked \"OFFLINE\" (Event:4)",
        "lpfc: lpfc_mbx_process_link_event:771: 0:1305 Link Down Event x2 received Data: x2 x20 x800110 x0 x0",
    ];
    for line in broken {
        assert!(!is_a_cascade(&(test(5, LATE) + &at(6, line) + &storm(7))), "{line}");
    }
    let own = at(
        6,
        "qlnativefc: vmhba3(3b:0.0): qlnativefcAbortISP:3380: Performing ISP error recovery - ha = 0x4302",
    );
    assert!(!is_a_cascade(&(test(5, FALSE) + &own + &storm(7))));
    assert!(is_a_cascade(&(test(5, LATE) + &own + &storm(7))), "a wider reset follows one that did not help");
}

#[test]
fn what_was_injected_on_purpose_did_not_happen() {
    let injected = |log: &str| {
        log.replace(
            "ScsiDeviceIO: 4633: Cmd(",
            "ScsiDeviceIO: SCSIAsyncDeviceCommand:2077: Error Inject: Cmd(",
        )
    };
    let log = test(5, LATE) + &test(9, FALSE);
    assert_eq!(judge(&log).incidents[0].cause, "delayed-own-write");
    assert!(judge(&injected(&log)).incidents.is_empty());
}

/// A guest that resets the bus of its PVSCSI or LSI adapter ends its own commands.
#[test]
fn what_ends_behind_a_guests_own_reset_is_no_cascade() {
    for reset in
        ["PVSCSI: 2937: scsi0:1: RESET DEVICE", "WARNING: LSI: 812: scsi0: bus reset requested by guest"]
    {
        assert!(!is_a_cascade(&(test(10, LATE) + &at(11, reset) + &storm(12))), "{reset}");
    }
    assert!(is_a_cascade(&(test(10, LATE) + &storm(12))));
}

/// The article about such notices shows requeues as their symptom, and the adapter was blamed.
#[test]
fn requeues_behind_a_fabric_that_says_that_it_stalls_are_no_fault_of_the_adapter() {
    let requeues: String = (20..28)
        .map(|second| {
            at(
                second,
                &format!(
                    "NMP: nmp_ThrottleLogForDevice:3872: Cmd 0x2a (0x45d9{second}, 2097400) to dev \"{LUN}\" on path \"vmhba3:C0:T1:L7\" Failed: H:0xb D:0x0 P:0x0 Act:NONE"
                ),
            )
        })
        .collect();
    let log = requeues + &test(29, LATE);
    let first = |log: &str| {
        let report = judge(log);
        (report.incidents[0].cause.clone(), report.incidents[0].confidence.clone())
    };
    assert_eq!(first(&log), ("hba-fault".to_owned(), "likely".to_owned()), "nothing else speaks");
    for event in ["Credit Stall", "Oversubscription"] {
        let notice = |second| {
            at(
                second,
                &format!(
                    "StorageFPIN: 1276: Report FC FPIN Congestion {event} event (hostWWPN 100000109b2c3d4e tgtWWPN 5000d31000c0ff03) to vobd. 44 events have occurred since last report."
                ),
            )
        };
        for second in [3, 19] {
            let told = first(&(notice(second) + &log));
            assert_eq!(told, ("fabric-congestion".to_owned(), "likely".to_owned()), "{event}");
        }
        assert_eq!(first(&(log.clone() + &notice(50))).0, "hba-fault", "what came later is no reason");
    }
}

/// Tests of eight hosts were given up in the same half second, and one of them was called the trigger of the storm behind it.
#[test]
fn a_storm_behind_what_hosts_or_devices_have_in_common_is_no_cascade_of_one_test() {
    let of = |host: &str, log: &str| log.replace("Z cpu", &format!("Z {host} vmkernel: cpu"));
    let alone = of("esx1", &(test(5, LATE) + &storm(7)));
    assert!(is_a_cascade(&alone));
    assert!(!is_a_cascade(
        &(of("esx1", &test(5, LATE)) + &of("esx2", &test(5, LATE)) + &of("esx1", &storm(7)))
    ));
    let other = |second| test(second, LATE).replace(LUN, "naa.6000d31000c0ffee000000000000004e");
    assert!(!is_a_cascade(&(of("esx1", &(test(5, LATE) + &other(6))) + &of("esx1", &storm(7)))));
    let later = alone.clone() + &of("esx1", &other(30));
    assert!(is_a_cascade(&later), "what was given up behind the storm is another matter");
    let own = |second| test(second, LATE).replace(LUN, "t10.ATA_____Maker_SD400__77");
    let beside = of("esx1", &test(5, LATE)) + &of("esx2", &own(6)) + &of("esx1", &storm(7));
    assert!(is_a_cascade(&beside), "another host's own disk is nothing that both have in common");
    // Each host resets its own commands: those of another do not make a storm of one.
    let few = of("esx1", &(test(5, LATE) + storm(7).lines().next().unwrap() + "\n")) + &of("esx2", &storm(7));
    assert!(!is_a_cascade(&few));
}

/// Its controller broke down, and said so a second behind the storm.
#[test]
fn an_array_that_says_that_it_fails_may_be_why_the_first_test_was_late() {
    let says = |second, sense: &str| {
        test(second, &format!("H:0x0 D:0x2 P:0x0 Valid sense data: {sense}.")).replace(" 0x89,", " 0x2a,")
    };
    for sense in ["0x4 0x44 0x0", "0x2 0x4 0x3"] {
        assert!(!is_a_cascade(&(test(5, LATE) + &storm(7) + &says(8, sense))), "{sense}");
        assert!(
            is_a_cascade(&(test(5, LATE) + &storm(7) + &says(50, sense))),
            "{sense}: that is another matter"
        );
    }
}

/// An array stood still for two hosts, and the UNMAPs that one of them had out were said to be its load.
#[test]
fn reclaimed_space_that_stands_still_with_another_hosts_device_is_a_victim_too() {
    let of = |host: &str, log: &str| log.replace("Z cpu", &format!("Z {host} vmkernel: cpu"));
    let unmaps: String = (10..18).map(|second| test(second, LATE).replace(" 0x89,", " 0x42,")).collect();
    let is_load = |log: &str| {
        judge(log)
            .incidents
            .iter()
            .any(|finding| finding.cause == "array-load" && finding.confidence != "possible")
    };
    let loaded = of("esx1", &(unmaps + &test(19, LATE)));
    assert!(is_load(&loaded));
    let elsewhere = |device: &str| {
        let lost: String = (20..23).map(|second| test(second, LATE).replace(LUN, device)).collect();
        of("esx2", &lost)
    };
    assert!(!is_load(&(loaded.clone() + &elsewhere("naa.6000d31000c0ffee000000000000004e"))));
    assert!(is_load(&(loaded + &elsewhere("t10.ATA_____Maker_SD400__77"))), "a disk in that host's case");
}

/// A device that stands still loses whatever is sent to it: UNMAPs among it are its load only if they were first.
#[test]
fn unmaps_that_were_lost_after_other_commands_or_in_turns_with_them_are_no_load() {
    let of = |seconds: std::ops::Range<u32>, opcode: &str| -> String {
        seconds.map(|second| test(second, LATE).replace(" 0x89,", &format!(" {opcode},"))).collect()
    };
    let is_load = |log: &str| {
        let report = judge(log);
        let mut found = report.incidents.iter();
        found.any(|finding| finding.cause == "array-load" && finding.confidence != "possible")
    };
    let (unmaps, harm) = (of(20..30, "0x42"), test(40, LATE));
    assert!(is_load(&(unmaps.clone() + &of(30..35, "0x2a") + &harm)), "what they held up ran out later");
    assert!(!is_load(&(of(10..15, "0x2a") + &unmaps + &harm)));
    assert!(!is_load(&(unmaps + &of(20..30, "0x2a") + &harm)));
}
