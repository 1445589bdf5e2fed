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

#[test]
fn a_port_behind_the_same_adapter_may_be_another_targets() {
    let port = "rport-6:0-4: blocked FC remote port time out: removing target and saving binding";
    let mut alone = pair().split_off(2);
    alone.insert(0, kernel(21, port));
    assert!(!sure(&judge(&alone), "path-fault"));
}
