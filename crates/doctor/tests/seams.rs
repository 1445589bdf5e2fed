//! Logs of several hosts that were put one behind the other: `grep -h`, `cat`, `tail` of many files, short and large. Where the next host's begins, a heading or a clock that
//! jumps back tells; what stands on both sides is no pair.

use oarlock_doctor::{Doctor, Report};

const LATE: &str = "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x14 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";
const NOISE: &str = "cpu9:2098)DVFilter: 5964: Checking disconnected filters for timeouts";
/// Lines of noise that make an input too large to be gone through before it is read.
const LARGE: u32 = 12_000;

fn judge(text: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("all.log", &mut text.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn is_a_pair(text: &str) -> bool {
    let sure = |finding: &oarlock_doctor::Finding| finding.confidence != "possible";
    judge(text).incidents.iter().any(|finding| finding.cause == "delayed-own-write" && sure(finding))
}

/// A line so many seconds after two o'clock.
fn at(second: u32, message: &str) -> String {
    let (hour, minute, second) = (2 + second / 3600, second / 60 % 60, second % 60);
    format!("2026-06-01T{hour:02}:{minute:02}:{second:02}.000Z {message}\n")
}

/// Noise of these seconds.
fn noise(seconds: std::ops::Range<u32>) -> String {
    seconds.map(|second| at(second, NOISE)).collect()
}

fn newest_first(log: &str) -> String {
    log.lines().rev().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_clock_that_jumps_back_within_a_file_begins_another_log() {
    for length in [600, LARGE] {
        let one_host = noise(0..length / 2)
            + &at(length / 2, LATE)
            + &at(length / 2 + 6, FALSE)
            + &noise(length / 2 + 7..length);
        assert!(is_a_pair(&one_host), "{length}");
        assert!(is_a_pair(&newest_first(&one_host)), "newest first, {length}");
        let first = noise(0..length / 2) + &at(length / 2, LATE) + &noise(length / 2 + 1..length);
        let second = noise(0..length / 2) + &at(length / 2 + 6, FALSE) + &noise(length / 2 + 7..length);
        assert!(!is_a_pair(&format!("{first}{second}")), "two logs, {length}");
        assert!(!is_a_pair(&(newest_first(&second) + &newest_first(&first))), "newest first, {length}");
    }
    let of_matches = at(0, LATE) + &at(400, NOISE) + &at(6, FALSE) + &at(500, NOISE);
    assert!(!is_a_pair(&of_matches), "grep -h over two logs");
}

#[test]
fn lines_out_of_order_and_turns_of_years_and_days_are_no_seams() {
    assert!(
        is_a_pair(&(at(0, LATE) + &at(60, NOISE) + &at(6, FALSE) + &at(61, NOISE))),
        "lines of two processors"
    );
    let bare = |time: &str, message: &str| format!("{time} vmkernel: {message}\n");
    let year =
        bare("Dec 31 23:59:57", LATE) + &bare("Dec 31 23:59:58", NOISE) + &bare("Jan  1 00:00:03", FALSE);
    assert!(is_a_pair(&year), "New Year");
    let day = bare("23:59:57", LATE) + &bare("23:59:58", NOISE) + &bare("00:00:03", FALSE);
    assert!(is_a_pair(&day), "midnight");
}

/// What `tail` and `head` write before each of several files, and the prompt of a shell, count in an input of any size.
#[test]
fn headings_part_a_large_input_too() {
    let headings = [
        "==> /logs/@H/vmkernel.log <==",
        "==> @H.txt <==",
        "[root@@H:~] cat /var/log/vmkernel.log",
        "root@@H:~# cat /var/log/vmkernel.log",
        "$ ssh @H cat /var/log/vmkernel.log",
        "# @H",
        "@H:",
        "---------- @H ----------",
        "@H | CHANGED | rc=0 >>",
        "And of host @H:",
        "::::::::::::::\n@H/vmkernel.log\n::::::::::::::",
        "Contents of @H/vmkernel.log",
        "$ hostname\n@H",
    ];
    for heading in headings {
        let pair = |second: &str| {
            let named = |host: &str| heading.replacen("@H", host, 1) + "\n";
            is_a_pair(
                &(named("esx1")
                    + &noise(0..LARGE)
                    + &at(LARGE, LATE)
                    + &named(second)
                    + &at(LARGE + 6, FALSE)),
            )
        };
        assert!(!pair("esx2"), "{heading}");
    }
    // A stack's trace, and what goes on with a line, name nobody.
    for other in ["--> at line 12", "   backtrace of x86_64:", "(repeated)", "Dump of the queue"] {
        let log = noise(0..LARGE) + &at(LARGE, LATE) + other + "\n" + &at(LARGE + 6, FALSE);
        assert!(is_a_pair(&log), "{other}");
    }
    let session = format!(
        "[root@esx1:~] cat /var/log/vmkernel.log\n{}{}{}",
        noise(0..LARGE),
        at(LARGE, LATE),
        at(LARGE + 6, FALSE)
    );
    let report = judge(&session);
    assert!(
        report
            .incidents
            .iter()
            .any(|finding| finding.cause == "delayed-own-write" && finding.hosts == ["esx1"])
    );
}
