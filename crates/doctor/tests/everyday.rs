//! What healthy hosts tell every day is no incident, however many hosts share a device: the number of lines grows with them.

use oarlock_doctor::{Doctor, Report};

const LUN: &str = "naa.6000d31000c0ffee000000000000004d";

/// The logs of so many hosts over an hour: each tells `line` so many times, a little after the others do.
fn hosts(count: u32, times: u32, line: &dyn Fn(u32) -> String) -> Vec<String> {
    let of_host = |host: u32| {
        let second = |turn: u32| turn * 3_600 / times + host * 3_600 / times / count;
        (0..times).map(|turn| at(second(turn), &line(turn))).collect()
    };
    (0..count).map(of_host).collect()
}

fn at(second: u32, text: &str) -> String {
    format!("2026-10-04T03:{:02}:{:02}.250Z cpu6:2098011){text}\n", second / 60, second % 60)
}

fn judge(logs: &[String]) -> Report {
    let mut doctor = Doctor::new();
    for (host, log) in logs.iter().enumerate() {
        doctor.read(&format!("esx{host}/vmkernel.log"), &mut log.as_bytes(), &mut |_| {});
    }
    doctor.judge()
}

fn failed(opcode: &str, end: &str) -> String {
    format!(
        "ScsiDeviceIO: 4633: Cmd(0x45d9) {opcode}, CmdSN 0x5a1 from world 2097400 to dev \"{LUN}\" failed {end}"
    )
}

/// What everybody meets now and then, in turns.
fn everyday(turn: u32) -> String {
    if turn.is_multiple_of(3) {
        return failed("0x2a", "H:0x0 D:0x28 P:0x0");
    }
    let now = 21_000 + turn * 3_000;
    format!(
        "WARNING: ScsiDeviceIO: 1513: Device {LUN} performance has deteriorated. I/O latency increased from average value of 1100 microseconds to {now} microseconds."
    )
}

#[test]
fn hosts_that_are_well_each_are_well_together() {
    for count in [1, 4, 16, 40] {
        let report = judge(&hosts(count, 6, &everyday));
        assert!(report.incidents.is_empty(), "{count} hosts: {:?}", report.incidents);
    }
    let at_once = hosts(16, 600, &|_| failed("0x2a", "H:0x0 D:0x28 P:0x0"));
    assert_eq!(
        judge(&at_once).incidents[0].cause,
        "queue-depth",
        "a full queue all the time is another matter"
    );
}

/// A link that comes and goes each minute on one host is no chance, and what strikes many hosts at once is none.
#[test]
fn what_is_not_of_every_day_is_told_when_it_goes_on_and_when_it_comes_at_once() {
    let dead = format!(
        "vobd: [scsiCorrelator] 1us: [vob.scsi.scsipath.pathstate.dead] scsiPath vmhba2:C0:T1:L4 changed state from on to dead, device {LUN}"
    );
    assert!(!judge(&hosts(1, 60, &|_| dead.clone())).incidents.is_empty());
    let at_once: Vec<String> = (0..16).map(|second| at(second, &dead)).collect();
    assert!(!judge(&at_once).incidents.is_empty());
}

/// A false answer every ten minutes amid such lines is one question, whatever stands beside each.
#[test]
fn lone_false_answers_amid_everyday_lines_are_one_finding() {
    let line = |turn: u32| {
        if turn.is_multiple_of(10) {
            failed("0x89", "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.")
        } else {
            everyday(turn % 10)
        }
    };
    for count in [1, 3] {
        let report = judge(&hosts(count, 60, &line));
        let found: Vec<_> =
            report.incidents.iter().map(|finding| (&*finding.cause, &*finding.confidence)).collect();
        assert_eq!(found, [("cannot-tell", "possible")], "{count} hosts");
    }
}

/// What is hard is told of an excerpt; in a log of any length it was silence once.
#[test]
fn what_a_device_breaks_or_leaves_without_an_answer_is_told_in_a_long_log_too() {
    let quiet: String = (0..90).map(|turn| at(turn * 20, "Net: 2525: connected vm eth0")).collect();
    let given_up: String =
        (0..8).map(|turn| at(1_900 + turn * 4, &failed("0x2a", "H:0x5 D:0x0 P:0x0"))).collect();
    let broken: String = (0..3)
        .map(|turn| at(1_900 + turn * 4, &failed("0x2a", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x4 0x44 0x0")))
        .collect();
    let journal = "Oct  4 03:40:00 barn2 kernel: Aborting journal on device sdq-8.\nOct  4 03:40:01 barn2 kernel: EXT4-fs (sdq): Remounting filesystem read-only\n";
    let no_way = |apart: u32| -> String {
        (0..7).map(|turn| at(1_900 + turn * apart, &failed("0x2a", "H:0x1 D:0x0 P:0x0"))).collect()
    };
    let waiting = "Oct  4 03:40:00 barn2 kernel: nvme nvme5: starting error recovery\nOct  4 03:40:00 barn2 kernel: block nvme5n1: no usable path - requeuing I/O\n";
    for hard in [given_up.as_str(), &broken, journal, &no_way(1), waiting] {
        assert!(!judge(&[format!("{quiet}{hard}")]).incidents.is_empty(), "{hard}");
    }
    assert!(judge(&[format!("{quiet}{}", no_way(0))]).incidents.is_empty(), "a failover takes a moment");
}

/// Where a write is known to have failed, the first screen does not say that none is without an answer.
#[test]
fn a_write_that_broke_is_told_as_lost() {
    let broken = at(1_900, &failed("0x2a", "H:0x0 D:0x2 P:0x0 Valid sense data: 0x3 0xc 0x2"));
    let lost = "Oct  4 03:40:00 barn2 kernel: Buffer I/O error on dev dm-7, logical block 917, lost async page write\n";
    for line in [broken.as_str(), lost] {
        let report = judge(&[line.to_owned()]);
        let page = oarlock_doctor::report::terminal::Page { width: 400, colours: false }.report(&report);
        assert!(page.contains("Writes failed") && !page.contains("No write without an answer"), "{page}");
    }
}
