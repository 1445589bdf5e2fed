//! What stands before, between or around records and is not understood: it may be another host, another time, another device. What needs sameness is no more
//! than possible then; a form that is read tells which of the two it is.

use oarlock_doctor::{Doctor, Report};

const DEVICE: &str = "naa.60060e8012ab00005040ab0000004101";
const LATE: &str = "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";

fn judge(text: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("ticket.txt", &mut text.as_bytes(), &mut |_| {});
    doctor.judge()
}

fn is_sure(report: &Report, cause: &str) -> bool {
    report.incidents.iter().any(|finding| finding.cause == cause && finding.confidence != "possible")
}

fn hosts(report: &Report) -> Vec<String> {
    let mut hosts: Vec<String> = report.incidents.iter().flat_map(|finding| finding.hosts.clone()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// An atomic test and set that failed, from the processor on.
fn message(status: &str) -> String {
    format!(
        "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"{DEVICE}\" failed {status}"
    )
}

/// The same, behind its time.
fn record(second: u32, status: &str) -> String {
    format!("2026-06-01T02:00:{second:02}.000Z {}", message(status))
}

/// Whether a delayed write is told surely of two records, each with something of its own before and behind it.
fn pair(first: [&str; 2], second: [&str; 2]) -> bool {
    let [one, other] = [(first, 1, LATE), (second, 9, FALSE)]
        .map(|([front, back], at, status)| format!("{front}{}{back}\n", record(at, status)));
    is_sure(&judge(&(one + &other)), "delayed-own-write")
}

#[test]
fn what_stands_before_or_behind_a_record_may_be_its_host() {
    assert!(pair(["", ""], ["", ""]));
    assert!(pair(["12:", ""], ["13:", ""]), "the numbers of grep's lines are nobody's names");
    for (first, second) in [
        ("192.0.2.41 ", "192.0.2.42 "),
        ("[192.0.2.41] ", "[192.0.2.42] "),
        ("192.0.2.41:514\t", "192.0.2.42:514\t"),
        ("from 192.0.2.41: ", "from 192.0.2.42: "),
        ("2001:db8::41 ", "2001:db8::42 "),
        ("71 ", "72 "),
        ("5d6c4544-0044-3510-8052-b4c04f4d3771 ", "5d6c4544-0044-3510-8052-b4c04f4d3772 "),
        ("esx1/vmkernel.log:88:", "esx2/vmkernel.log:88:"),
        ("2026-06-01 02:00:00\tLocal4.Info\t192.0.2.41\t", "2026-06-01 02:00:08\tLocal4.Info\t192.0.2.42\t"),
        ("LEEF:1.0|VMware|ESX|8|vmk|src=192.0.2.41\t", "LEEF:1.0|VMware|ESX|8|vmk|src=192.0.2.42\t"),
        ("+++ esx1/vmkernel.log\n+", "+++ esx2/vmkernel.log\n+"),
    ] {
        assert!(!pair([first, ""], [second, ""]), "{first}");
    }
    for (first, second) in [("\tesx1", "\tesx2"), (",esx1", ",esx2"), (" dvchost=esx1", " dvchost=esx2")] {
        assert!(!pair(["", first], ["", second]), "{first}");
    }
    let json = |host: &str, second: u32, status: &str| {
        let message = message(status).replace('"', "\\\"");
        format!(
            "{{\"@timestamp\": \"2026-06-01T02:00:0{second}Z\", \"host\": {{\"ip\": [\"{host}\"]}}, \"message\": \"{message}\"}}\n"
        )
    };
    let report = judge(&(json("192.0.2.41", 1, LATE) + &json("192.0.2.42", 9, FALSE)));
    assert!(!is_sure(&report, "delayed-own-write"));
    assert_eq!(hosts(&report), ["192.0.2.41", "192.0.2.42"]);
}

#[test]
fn a_line_that_nobody_knows_between_two_records_may_name_another_host() {
    for (first, second) in [
        (
            "VMkernel esx1.lab.example 8.0.3 #1 SMP Release build-1 x86_64 ESXi",
            "VMkernel esx2.lab.example 8.0.3 #1 SMP Release build-1 x86_64 ESXi",
        ),
        ("VMware ESXi 8.0.3 build-24022510 (esx1)", "VMware ESXi 8.0.3 build-24022510 (esx2)"),
        ("vCenter > Blue > esx1 > Logs", "vCenter > Blue > esx2 > Logs"),
        ("<b>esx1</b><pre>", "</pre><b>esx2</b><pre>"),
        ("<host name='esx1'>", "</host>\n<host name='esx2'>"),
        ("Knoten 1", "Knoten 2"),
        ("erster Server", "zweiter Server"),
        ("Journal de l'hôte esx1 :", "Journal de l'hôte esx2 :"),
        (
            "PS C:\\> plink -batch root@esx1 tail vmkernel.log",
            "PS C:\\> plink -batch root@esx2 tail vmkernel.log",
        ),
        ("- host: esx1\n  log: |", "- host: esx2\n  log: |"),
        (
            "[root@localhost:~] hostname\nesx1\n[root@localhost:~] tail vmkernel.log",
            "[root@localhost:~] hostname\nesx2\n[root@localhost:~] tail vmkernel.log",
        ),
        ("Host: esx1\nBuild: 24022510", "Host: esx2\nBuild: 24022510"),
    ] {
        assert!(!pair([&format!("{first}\n"), ""], [&format!("{second}\n"), ""]), "{second}");
    }
    for line in
        ["...", "(3 lines removed)", "    at com.example.Thing.run(Thing.java:7)", "--> eventTypeId = \"x\""]
    {
        assert!(pair(["", ""], [&format!("{line}\n"), ""]), "{line}");
    }
}

#[test]
fn a_line_that_is_there_to_name_a_host_names_it() {
    let text = |host: &str| format!("{host}\n{}\n{}\n", record(1, LATE), record(9, FALSE));
    for line in ["Host: esx1", "source: esx1", "<host name='esx1'>", "[root@localhost:~] hostname\nesx1"] {
        let report = judge(&text(line));
        assert!(is_sure(&report, "delayed-own-write"), "{line}");
        assert_eq!(hosts(&report), ["esx1"], "{line}");
    }
}

#[test]
fn a_record_of_a_named_host_and_one_of_nobody_are_not_of_one() {
    let named = format!("2026-06-01T02:00:01.000Z esx1 vmkernel: {}", message(LATE));
    let report = judge(&format!("{named}\n{}\n", record(9, FALSE)));
    assert!(!is_sure(&report, "delayed-own-write"));
}

/// A text, cut at a column; or between words, each piece with that before it.
fn wrapped(text: &str, width: usize, indent: Option<&str>) -> String {
    let Some(indent) = indent else {
        let pieces = text.as_bytes().chunks(width).map(String::from_utf8_lossy);
        return pieces.collect::<Vec<_>>().join("\n");
    };
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let is_empty = |line: &str| line.trim_matches(['>', ' ']).is_empty();
        if !is_empty(&line) && line.len() + 1 + word.len() > width {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        }
        if !is_empty(&line) {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

#[test]
fn what_a_mail_or_a_terminal_wrapped_is_read_as_it_was() {
    let late = format!("2026-06-01T02:00:01.000Z esx1 vmkernel: {}", message(LATE));
    let unequal = format!("2026-06-01T02:00:09.000Z esx1 vmkernel: {}", message(FALSE));
    for width in [60, 64, 72, 80, 100, 132, 160] {
        for indent in [None, Some(""), Some("    "), Some("> ")] {
            let [late, unequal] = [&late, &unequal].map(|line| wrapped(line, width, indent));
            let text = format!("{late}\n{unequal}\n");
            let report = judge(&text);
            assert!(is_sure(&report, "delayed-own-write"), "{width} {indent:?}");
            assert_eq!(report.incidents[0].devices, [DEVICE], "{width} {indent:?}");
        }
    }
}

#[test]
fn sense_data_that_were_cut_off_are_those_of_the_command_above_them() {
    let other = DEVICE.replace("4101", "4102");
    let cut = |line: String| line.replace(" Possible", "\nPossible").replace(" Valid", "\nValid");
    let late = cut(record(1, LATE));
    let report = judge(&format!("{late}\n{}\n", cut(record(9, FALSE))));
    assert!(is_sure(&report, "delayed-own-write"));
    let report = judge(&format!("{late}\n{}\n", cut(record(9, FALSE).replace(DEVICE, &other))));
    assert!(!is_sure(&report, "delayed-own-write"), "the false answer is another device's");
    assert!(report.incidents.iter().all(|finding| !finding.devices.is_empty()), "and nobody else's");
}

/// Two records hours apart, and two that are seconds apart, in a form of time: @D, @H, @M and @S are its parts.
fn apart(form: &str) -> (bool, bool) {
    let line = |hour: u32, second: u32, status: &str| {
        let front = form.replace("@H", &format!("{hour:02}")).replace("@S", &format!("{second:02}"));
        format!("{front} esx1 vmkernel: {}\n", message(status))
    };
    let is_told = |text: String| is_sure(&judge(&text), "delayed-own-write");
    (is_told(line(1, 1, LATE) + &line(9, 9, FALSE)), is_told(line(9, 1, LATE) + &line(9, 9, FALSE)))
}

#[test]
fn a_time_that_is_read_is_near_or_far() {
    for form in [
        "2026-06-01 @H:00:@S AM",
        "2026-06-01T@H-00-@S",
        "2026-06-01_@H:00:@S",
        "2026-06-01 @H:00:@S CET",
        "2026-06-01 @H:00:@S CST",
        "2026-06-01 @H:00:@S +0200",
        "Mon, 01 Jun 2026 @H:00:@S +0000",
        "Jun 1, 2026 @ @H:00:@S.000",
        "01.06.2026 @H:00:@S",
        "2026.06.01 @H.00.@S",
        "20260601T@H00@SZ",
        "01/Jun/2026:@H:00:@S +0000",
        "1-Jun-2026 @H:00:@S",
        "[Mon Jun  1 @H:00:@S 2026]",
    ] {
        assert_eq!(apart(form), (false, true), "{form}");
    }
}

#[test]
fn a_time_that_is_not_read_is_near_nothing() {
    for form in [
        "2026-06-31T@H:61:@S.000Z",
        "2026年6月1日 @H時00分@S秒",
        "TSC: 88@H00@S71",
        "06/01/2026 @H:00:@S",
        "26/06/01 @H:00:@S",
        "1. Juni 2026 @H:00:@S",
        "week 22 @H:00:@S",
    ] {
        assert_eq!(apart(form), (false, false), "{form}");
    }
}

#[test]
fn a_zone_is_told_by_its_name_and_one_that_is_several_by_none() {
    let pair = |first: &str, second: &str| {
        let line = |front: &str, status: &str| format!("{front} esx1 vmkernel: {}\n", message(status));
        let text = line(first, LATE) + &line(second, FALSE);
        is_sure(&judge(&text), "delayed-own-write")
    };
    assert!(pair("2026-06-01 12:00:01 CET", "2026-06-01 11:00:09 UTC"));
    assert!(!pair("2026-06-01 12:00:01 PST", "2026-06-01 12:00:09 UTC"));
    assert!(pair("2026-06-01 12:00:01 IST", "2026-06-01 12:00:09 IST"));
    assert!(!pair("2026-06-01 12:00:01 IST", "2026-06-01 12:00:09 UTC"));
    assert!(pair("23:59:58.100", "00:00:06.400"), "midnight lies between");
    assert!(!pair("00:00:06.400", "23:59:58.100"));
}

/// What somebody puts before each line to mark whose it is has no form of its own: a letter, a sign, a colour, the depth of a quotation.
#[test]
fn marks_before_lines_that_differ_may_be_of_two_hosts() {
    let line = |mark: &str, second: u32, end: &str| {
        format!(
            "{mark}2026-06-01T02:00:{second:02}.000Z cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"{DEVICE}\" failed {end}\n"
        )
    };
    let is_sure = |first: &str, second: &str| {
        let report = judge(&(line(first, 0, LATE) + &line(second, 6, FALSE)));
        report.incidents.iter().any(|finding| finding.confidence == "likely")
    };
    let pairs = [
        ("A) ", "B) "),
        ("Node A: ", "Node B: "),
        ("\u{1f535} ", "\u{1f534} "),
        ("< ", "> "),
        (">> ", "> "),
        ("left ", "right "),
    ];
    for (one, other) in pairs {
        assert!(!is_sure(one, other), "{one}");
        assert!(is_sure(one, one), "{one}");
    }
    assert!(is_sure("", "  "), "the first line of what is copied loses its indentation");
    assert!(is_sure("INFO ", "WARN "), "severities");
}

/// ESXi 8 writes `In(182) vmkernel:` before each line, and older ones do not; one log has its times with a zone or without.
#[test]
fn lines_of_two_forms_are_not_surely_of_one_host() {
    let message = |end: &str| {
        format!(
            "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"{DEVICE}\" failed {end}\n"
        )
    };
    let is_sure = |first: &str, second: &str| {
        let report = judge(&(first.to_owned() + &message(LATE) + second + &message(FALSE)));
        report.incidents.iter().any(|finding| finding.confidence == "likely")
    };
    let newer = "2026-06-01T02:00:06.000Z In(182) vmkernel: ";
    assert!(!is_sure("2026-06-01T02:00:00.000Z ", newer));
    assert!(is_sure("2026-06-01T02:00:00.000Z Wa(180) vmkwarning: ", newer));
    assert!(!is_sure("2026-06-01 02:00:00,123 ", "2026-06-01T02:00:06.000Z "));
    assert!(is_sure("2026-06-01 02:00:00,123 ", "2026-06-01 02:00:06,123 "));
}

/// Two starts of a kernel are two clocks that begin at zero; a journal's records without a host's name have the start's id.
#[test]
fn two_starts_of_a_kernel_are_not_one() {
    let failed = |front: &str, result: &str, sense: &str| {
        format!(
            "{front}sd 2:0:0:1: [sdc] tag#7 FAILED Result: hostbyte={result} driverbyte=DRIVER_OK\n{sense}{front}sd 2:0:0:1: [sdc] tag#7 CDB: Compare and write 89 00 00 00 00 00 00 00 20 00 00 00 00 01 00 00\n"
        )
    };
    let sense = |front: &str| format!("{front}sd 2:0:0:1: [sdc] tag#7 Sense Key : Miscompare [current]\n");
    let is_sure = |text: &str| judge(text).incidents.iter().any(|finding| finding.confidence == "likely");
    let start = "[    0.000000] Linux version 5.14.0-362.el9.x86_64\n";
    let late = failed("[  100.123456] ", "DID_TIME_OUT", "");
    let unequal = failed("[  106.123456] ", "DID_OK", &sense("[  106.123456] "));
    assert!(!is_sure(&format!("{start}{late}{start}{unequal}")));
    assert!(is_sure(&format!("{start}{late}{unequal}")));
    let exported = |boot: &str, second: u32, text: &str| -> String {
        text.lines()
            .map(|line| format!("{{\"__REALTIME_TIMESTAMP\":\"17802936{second:02}000000\",\"_BOOT_ID\":\"{boot}\",\"SYSLOG_IDENTIFIER\":\"kernel\",\"MESSAGE\":\"{line}\"}}\n"))
            .collect()
    };
    let late = exported("aa11bb22", 0, &failed("", "DID_TIME_OUT", ""));
    let unequal = |boot| exported(boot, 6, &failed("", "DID_OK", &sense("")));
    assert!(!is_sure(&(late.clone() + &unequal("cc33dd44"))));
    assert!(is_sure(&(late + &unequal("aa11bb22"))));
}
