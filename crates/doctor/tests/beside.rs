//! Several things at once: what stands beside an incident neither hides it, nor lends it a name, nor takes its cause.

use oarlock_doctor::{Doctor, Report};

const LUN: &str = "naa.6000d31000c0ffee00000000000000b7";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const DAMAGED: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0x3 0x11 0x0.";

fn judge(log: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut log.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn sure(report: &Report) -> Vec<&str> {
    let sure = report.incidents.iter().filter(|finding| finding.confidence != "possible");
    sure.map(|finding| finding.cause.as_str()).collect()
}

/// A line of ESXi so many seconds after 04:00.
fn esx(second: u32, text: &str) -> String {
    format!("2026-11-05T04:{:02}:{:02}.400Z cpu7:2097722){text}\n", second / 60, second % 60)
}

fn failed(second: u32, opcode: &str, end: &str) -> String {
    esx(
        second,
        &format!(
            "ScsiDeviceIO: 4176: Cmd(0x45b9{second:03}) {opcode}, CmdSN 0x7{second} from world 2097900 to dev \"{LUN}\" failed {end}"
        ),
    )
}

fn linux(second: u32, host: &str, text: &str) -> String {
    format!("Nov  5 04:{:02}:{:02} {host} {text}\n", second / 60, second % 60)
}

/// Lines that a log has besides.
fn everyday() -> String {
    (0..80)
        .map(|turn| {
            esx(turn * 20, "VSCSI: 4060: handle 8192(vscsi0:0):Creating Virtual Device for world 2101")
        })
        .collect()
}

/// The commonest refusal of all gave the name of its disk to a reservation.
#[test]
fn an_everyday_refusal_lends_no_name_to_what_stands_near() {
    let disk = "mpx.vmhba0:C0:T0:L0";
    let refused = failed(2, "0x1a", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0.").replace(LUN, disk);
    let report =
        judge(&(refused.clone() + &esx(11, "Res3: 2157: Failing I/O due to too many reservation conflicts")));
    assert_eq!(sure(&report), ["reservation"]);
    assert!(report.incidents.iter().all(|finding| finding.devices.is_empty()), "{:?}", report.incidents);
    assert!(judge(&refused).incidents.is_empty());
}

/// The session that one host lost was nowhere, because another host had two late leases hours away.
#[test]
fn what_one_host_lost_is_told_beside_what_another_suffered() {
    let lost = linux(0, "reed1", "kernel:  session3: session recovery timed out after 120 secs");
    let late = |second: u32| {
        linux(
            second,
            "reed2",
            "sanlock[881]: 2026-11-05 04:40:07 8812 [911]: s3 renewal error -202 delta_length 10 last_success 8780",
        )
    };
    let causes = |log: &str| -> Vec<String> {
        judge(log).incidents.iter().map(|finding| finding.cause.clone()).collect()
    };
    assert_eq!(causes(&lost).len(), 1);
    assert_eq!(causes(&(late(2_400) + &late(2_420))).len(), 1);
    assert_eq!(causes(&(lost + &late(2_400) + &late(2_420))).len(), 2);
}

/// The fenced host's own conflicts led, and the advice was to let it in again.
#[test]
fn a_host_that_hears_that_it_was_fenced_met_that_fence_before() {
    let conflict = linux(9, "reed2", "kernel: sd 2:0:0:1: reservation conflict");
    let told = linux(
        10,
        "reed2",
        "pacemaker-controld[2001]:  crit: We were allegedly just fenced by reed1 for reed1!",
    );
    assert_eq!(sure(&judge(&conflict)), ["reservation"]);
    assert_eq!(sure(&judge(&(conflict + &told))), ["fenced"]);
}

/// `NVME-FC{0}` was taken for a place to be filled in.
#[test]
fn a_number_in_braces_behind_a_name_is_that_names() {
    let lost = |number: u32| {
        linux(
            0,
            "reed",
            &format!(
                "kernel: nvme nvme{number}: NVME-FC{{{number}}}: controller connectivity lost. Awaiting Reconnect"
            ),
        )
    };
    assert_eq!([0, 9, 10].map(|number| judge(&lost(number)).incidents.len()), [1; 3]);
    let template = linux(
        0,
        "reed",
        "kernel: nvme nvme{0}: NVME-FC{1}: controller connectivity lost. Awaiting Reconnect",
    );
    assert!(judge(&template.replace("NVME-FC", "controller ")).incidents.is_empty());
}

/// A host that stood still was told that its array is slow.
#[test]
fn a_host_whose_processor_answered_nothing_measured_its_own_pause() {
    let slow = esx(
        30,
        &format!(
            "ScsiDeviceIO: 1512: Device {LUN} performance has deteriorated. I/O latency increased from average value of 1358 microseconds to 20841022 microseconds."
        ),
    );
    let stuck = esx(29, "Heartbeat: 618: PCPU 11 didn't have a heartbeat for 21 seconds. *may* be locked up");
    assert_eq!(sure(&judge(&slow)), ["slow-storage"]);
    assert!(sure(&judge(&(stuck + &slow))).is_empty());
}

/// Of a log, eleven unreadable blocks in eleven seconds were nothing.
#[test]
fn what_a_device_refuses_for_good_again_and_again_is_told_in_a_log() {
    let log = |count: u32| {
        judge(&(everyday() + &(0..count).map(|turn| failed(turn * 3, "0x28", DAMAGED)).collect::<String>()))
    };
    assert_eq!(sure(&log(6)), ["device-fault"]);
    assert!(log(2).incidents.is_empty(), "a sector or two are what patrols look for");
}

/// A copy of a volume takes no writes, and nobody said so.
#[test]
fn writes_to_a_copy_are_told() {
    let refused = failed(4, "0x2a", "H:0x0 D:0x0 P:0x2 Possible sense data: 0x0 0x0 0x0.");
    assert_eq!(judge(&refused).incidents.len(), 1);
}

/// A guest's reset of its own disk was called the host's, for an atomic test and set that had been given up before.
#[test]
fn a_guests_reset_in_either_form_is_its_own() {
    let storm: String = (0..3)
        .map(|turn| failed(13 + turn, "0x2a", "H:0x8 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0."))
        .collect();
    let log = |between: &str| failed(1, "0x89", LATE) + between + &storm;
    assert_eq!(sure(&judge(&log(""))), ["reset-cascade"]);
    let guest = esx(12, "VSCSI: 2891: handle 8203(vscsi0:0):Reset [Retries: 0/0] from (vmm0:sql01)");
    assert!(sure(&judge(&log(&guest))).is_empty());
    let stood_still = esx(
        17,
        &format!(
            "ScsiDeviceIO: 1512: Device {LUN} performance has deteriorated. I/O latency increased from average value of 1358 microseconds to 25000000 microseconds."
        ),
    );
    assert!(!sure(&judge(&(log("") + &stood_still))).contains(&"reset-cascade"), "it was slow before");
}

/// `esxcfg-mpath -b` was not read.
#[test]
fn a_short_list_of_paths_says_over_which_adapter_a_device_is_reached() {
    let list = |adapter: &str| {
        format!(
            "{LUN} : ACME Fibre Channel Disk ({LUN})\n   {adapter}:C0:T1:L7 LUN:7 state:active fc Adapter: WWNN: 20:00:00:90:fa:aa:bb:cc WWPN: 10:00:00:90:fa:aa:bb:cc  Target: WWNN: 50:06:01:60:c9:a0:12:34 WWPN: 50:06:01:60:49:a0:12:34\n"
        )
    };
    let hang = esx(
        0,
        "lpfc: lpfc_mbox_timeout_handler:8123: vmhba2:(0):0310 Mailbox command x5 timeout Data: x0 x700 x4300 0x430a",
    );
    let log = |adapter: &str| {
        sure(&judge(&(list(adapter) + &hang + &failed(5, "0x89", LATE)))).contains(&"hba-fault")
    };
    assert!(log("vmhba2"));
    assert!(!log("vmhba3"), "another adapter");
}

/// A lost volume was told as the race behind it, and nothing was broken.
#[test]
fn a_volume_that_was_lost_for_no_known_reason_leads_over_a_race() {
    let race = esx(
        60,
        "DLX: 4333: vol 'basalt': [Req mode: 1] Not free; Lock [type 10c00001 offset 75497472 v 19, hb offset 3641344 gen 61, mode 1, owner 63aa0c07-5b2e7f90-7a1d-0050568c4d99 mtime 4401 num 0 gblnum 0 gblgen 0 gblbrk 0]",
    ) + &failed(60, "0x89", FALSE);
    let waits = esx(0, "HBX: 3041: 'basalt': HB at offset 3571712 - Waiting for timed out HB:");
    assert_eq!(sure(&judge(&race)), ["contention"]);
    let report = judge(&(waits + &race));
    assert!(sure(&report).is_empty(), "{:?}", report.incidents);
    assert!(
        report.incidents[0].because.contains("no volume is lost to it"),
        "{}",
        report.incidents[0].because
    );
    assert!(report.incidents[0].evidence[0].text.contains("timed out HB"));
    assert!(report.incidents.iter().any(|finding| finding.also.iter().any(|cause| cause == "contention")));
    // A path that was gone for a moment, and a test that was sent anew, are no such loss.
    let moment = esx(2, &format!("StorageApdHandler: 846: APD Start for ident [{LUN}]!"))
        + &esx(3, &format!("StorageApdHandler: 1315: APD Exit for ident [{LUN}]!"));
    assert_eq!(sure(&judge(&(moment + &race))), ["contention"]);
}

/// What scsi_logging prints of flushes that went well was an incident; what failed in a long log was none.
#[test]
fn a_flush_is_heard_in_a_log_if_it_failed() {
    let day: String =
        (0..80).map(|turn| linux(turn * 20, "reed", "systemd[1]: Started Session of user root.")).collect();
    let flushes = |end: &str, sense: &str| -> String {
        (0..8)
            .map(|turn| {
                let tag = "sd 7:0:4:0: [sdm] tag#5";
                linux(600 + turn * 8, "reed", &format!("kernel: {tag} {end}"))
                    + &sense
                        .lines()
                        .map(|line| linux(600 + turn * 8, "reed", &format!("kernel: {tag} {line}")))
                        .collect::<String>()
                    + &linux(
                        600 + turn * 8,
                        "reed",
                        &format!("kernel: {tag} CDB: Synchronize Cache(10) 35 00 00 00 00 00 00 00 00 00"),
                    )
            })
            .collect()
    };
    let told = |end: &str, sense: &str| judge(&(day.clone() + &flushes(end, sense))).incidents.len();
    assert_eq!(told("Done: SUCCESS Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s", ""), 0);
    assert_eq!(told("FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=30s", ""), 1);
    let standby = "Sense Key : Not Ready [current]\nAdd. Sense: Logical unit not accessible, target port in standby state";
    let twice = "FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE cmd_age=0s";
    assert_eq!(
        judge(&(day.clone() + &flushes(twice, standby) + &flushes(twice, standby))).incidents.len(),
        0
    );
    let aborted = "Sense Key : Illegal Request [current]\nAdd. Sense: Unaligned write command";
    assert_eq!(
        told("FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE cmd_age=0s", aborted),
        1,
        "libata's word for a disk that aborted it"
    );
}
