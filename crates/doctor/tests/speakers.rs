//! Which host wrote a line: a late test and set on one host and a false one on another are no delayed write of anybody's, however the logs of the two
//! came together.

use oarlock_doctor::{Doctor, Report};

const LATE: &str = "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x14 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";

fn judge(inputs: &[(String, String)]) -> Report {
    let mut doctor = Doctor::new();
    for (name, text) in inputs {
        doctor.read(name, &mut text.as_bytes(), &mut |_| {});
    }
    doctor.judge()
}

/// The hosts of a report, and whether it surely tells of a delayed write.
fn told(report: &Report) -> (Vec<String>, bool) {
    let mut hosts: Vec<String> = report.incidents.iter().flat_map(|finding| finding.hosts.clone()).collect();
    hosts.sort();
    hosts.dedup();
    let is_told = |finding: &oarlock_doctor::Finding| {
        finding.cause == "delayed-own-write" && finding.confidence != "possible"
    };
    (hosts, report.incidents.iter().any(is_told))
}

/// @H, @S and @M are host, second and message; @J is the message as it stands in JSON, and @C as in a quoted cell.
const FORMS: [&str; 36] = [
    "<181>1 2026-06-01T02:00:0@S.123Z @H vmkernel 2097 - - @M\n",
    "<181>1 2026-06-01T02:00:0@S.123Z @H vmlog-relay - - [origin@1 a=\"b\"] @M\n",
    "2026-06-01T02:00:0@S.123Z @H vmkernel: @M\n",
    "Jun  1 02:00:0@S relay-9 @H vmkernel: @M\n",
    "Jun  1 02:00:0@S relay-9 2026-06-01T02:00:0@S.123Z @H vmkernel: @M\n",
    "Jun  1 02:00:0@S @H 2026-06-01T02:00:0@S.123Z @M\n",
    "@H: Jun  1 02:00:0@S vmkernel: @M\n",
    "@H  | 2026-06-01T02:00:0@SZ vmkernel: @M\n",
    "[pod/@H/target] 2026-06-01T02:00:0@SZ vmkernel: @M\n",
    "@H/vmkernel.log:2026-06-01T02:00:0@S.123Z @M\n",
    "logs/@H/var/log/vmkernel.log-2026-06-01T02:00:0@S.123Z @M\n",
    "==> /logs/@H/vmkernel.log <==\n2026-06-01T02:00:0@S.123Z @M\n\n",
    "@H | CHANGED | rc=0 >>\n2026-06-01T02:00:0@S.123Z @M\n",
    "@H:\n\n2026-06-01T02:00:0@S.123Z @M\n\n",
    "Log of @H:\n2026-06-01T02:00:0@S.123Z @M\n\n",
    "{\"__REALTIME_TIMESTAMP\":\"178029360@S000000\",\"_HOSTNAME\":\"@H\",\"SYSLOG_IDENTIFIER\":\"vmkernel\",\"MESSAGE\":\"@J\"}\n",
    "{\"@timestamp\":\"2026-06-01T02:00:0@S.123Z\",\"host\":{\"name\":\"@H\"},\"message\":\"@J\"}\n",
    "{\"version\":\"1.1\",\"host\":\"@H\",\"short_message\":\"@J\",\"timestamp\":178029360@S.1}\n",
    "__REALTIME_TIMESTAMP=178029360@S000000\n_HOSTNAME=@H\nMESSAGE=@M\nSYSLOG_IDENTIFIER=vmkernel\n\n",
    "2026-06-01T02:00:0@SZ {host=\"@H\", job=\"vmkernel\"} @M\n",
    "2026-06-01T02:00:0@S.123Z @M host = @H source = /var/log/vmkernel sourcetype = vmw\n",
    "2026-06-01T02:00:0@S.123Z @H In(182) vmkernel: @M\n",
    "2026-06-01T02:00:0@S.123Z 10.0.0.9 <181>2026-06-01T02:00:0@S.100Z @H vmkernel: @M\n",
    "2026-06-01T02:00:0@S.123Z;@H;vmkernel;@M\n",
    "2026-06-01T02:00:0@S.123Z\t@H\tvmkernel\t@M\n",
    "[root@@H:~] tail vmkernel.log\n2026-06-01T02:00:0@S.123Z @M\n",
    "@H # tail vmkernel.log\n2026-06-01T02:00:0@S.123Z @M\n",
    "$ ssh -q root@@H tail /var/log/vmkernel.log\n2026-06-01T02:00:0@S.123Z @M\n",
    "178029360@S123 @H vmkernel: @M\n",
    "--- @H vmkernel ---\n2026-06-01T02:00:0@S.123Z @M\n",
    "**@H**\n\n    2026-06-01T02:00:0@S.123Z @M\n\n",
    "{\"TimeGenerated\":\"2026-06-01T02:00:0@SZ\",\"Computer\":\"@H\",\"SyslogMessage\":\"@J\",\"ProcessName\":\"vmkernel\"}\n",
    "{\"ts\":\"2026-06-01T02:00:0@SZ\",\"node\":\"@H\",\"level\":\"warn\",\"msg\":\"@J\"}\n",
    "\"2026-06-01T02:00:0@S.123Z\",\"relay-9\",\"/logs/all\",\"2026-06-01T02:00:0@S.123Z @H vmkernel: @C\"\n",
    "\"2026-06-01T02:00:0@S.123Z @C\",2026-06-01T02:00:0@S.123Z,10.0.0.9,v4_ab,@H,vmkernel\r\n",
    "{\"log\":\"@J\\n\",\"stream\":\"stderr\",\"time\":\"2026-06-01T02:00:0@SZ\",\"kubernetes\":{\"pod_name\":\"@H\"}}\n",
];

fn form(form: &str, host: &str, second: u8, message: &str) -> String {
    let json = message.replace('"', "\\\"");
    let text = form.replace("@C", &message.replace('"', "\"\""));
    text.replace("@H", host).replace("@S", &second.to_string()).replace("@J", &json).replace("@M", message)
}

#[test]
fn a_host_is_read_in_every_form_in_which_logs_come_together() {
    for text in FORMS {
        let pair = |second: &str| {
            let log = form(text, "esx1", 0, LATE) + &form(text, second, 2, FALSE);
            told(&judge(&[("-".to_owned(), log)]))
        };
        assert_eq!(pair("esx2"), (vec!["esx1".to_owned(), "esx2".to_owned()], false), "{text}");
        assert_eq!(pair("esx1"), (vec!["esx1".to_owned()], true), "{text}");
    }
}

#[test]
fn addresses_of_both_kinds_are_hosts() {
    for (one, other) in
        [("[fe80::1]", "[fe80::2]"), ("2001:db8::11", "2001:db8::12"), ("10.0.0.1", "10.0.0.2")]
    {
        let log =
            format!("Jun  1 02:00:00 {one} vmkernel: {LATE}\nJun  1 02:00:02 {other} vmkernel: {FALSE}\n");
        assert_eq!(told(&judge(&[("-".to_owned(), log)])), (vec![one.to_owned(), other.to_owned()], false));
    }
}

/// Nobody knows whether `a.txt` and `b.txt` are of one host; the files that every host has are taken for those of one.
#[test]
fn files_that_tell_no_host_are_not_surely_of_one() {
    let lines = |names: [&str; 2]| {
        let dated = |second, message| format!("2026-06-01T02:00:0{second}.000Z {message}\n");
        let inputs = [(names[0].to_owned(), dated(0, LATE)), (names[1].to_owned(), dated(2, FALSE))];
        told(&judge(&inputs))
    };
    assert_eq!(lines(["esx1.log", "esx2.log"]), (vec![], false));
    assert_eq!(lines(["case/part-a.txt", "case/part-b.txt"]), (vec![], false));
    assert_eq!(lines(["vmkernel.1.log", "vmkernel.log"]), (vec![], true));
    let both = vec!["esx1".to_owned(), "esx2".to_owned()];
    assert_eq!(lines(["esx1/var/log/vmkernel.log", "esx2/var/log/vmkernel.log"]), (both, false));
    let reports =
        ["sosreport-gw1-2026-06-01-abcd/var/log/messages", "sosreport-gw2-2026-06-01-efgh/var/log/messages"];
    assert_eq!(lines(reports), (vec!["gw1".to_owned(), "gw2".to_owned()], false));
    let section = format!(
        "2026-06-01T02:00:00.000Z {LATE}\n\nAnd on the other host:\n\n2026-06-01T02:00:02.000Z {FALSE}\n"
    );
    assert_eq!(told(&judge(&[("-".to_owned(), section)])), (vec![], false));
}

/// A browser calls a second download of `vmkernel.log` `vmkernel (1).log`, wget `vmkernel.log.1`: the folder that both lie in is no proof that they are of one
/// host. What rotation calls so is older than the newest log.
#[test]
fn a_second_file_of_one_name_is_not_surely_of_the_same_host() {
    let pair = |first: &str, second: &str| {
        let inputs = [
            (first.to_owned(), format!("2026-06-01T02:00:00.000Z {LATE}\n")),
            (second.to_owned(), format!("2026-06-01T02:00:02.000Z {FALSE}\n")),
        ];
        told(&judge(&inputs)).1
    };
    for second in [
        "vmkernel (1).log",
        "vmkernel(1).log",
        "vmkernel-1.log",
        "vmkernel_2.log",
        "vmkernel2.log",
        "vmkernel 2.log",
        "vmkernel - Copy.log",
        "Copy of vmkernel.log",
        "vmkernel.log.1",
        "vmkernel.2.log",
    ] {
        for folder in ["", "case-4711/", "esx1/", "/tmp/"] {
            let (first, second) = (format!("{folder}vmkernel.log"), format!("{folder}{second}"));
            assert!(!pair(&first, &second), "{second} is later than {first}");
        }
    }
    for folder in ["", "esx1/", "/tmp/", "esx1/var/log/"] {
        for older in ["vmkernel.1.log", "vmkernel.log.1", "vmkernel.0.gz"] {
            assert!(pair(&format!("{folder}{older}"), &format!("{folder}vmkernel.log")), "{folder}{older}");
        }
    }
    assert!(
        pair("esx1/var/log/vmkernel.log", "esx1/var/run/log/vmkernel.log"),
        "one host, two of its folders"
    );
    assert!(!pair("logs/vmkernel.log", "tmp/vmkernel.log"), "two newest logs of nobody");
}

/// A line that names its host, and one that names none in another file: nobody knows that they are of one.
#[test]
fn a_line_of_a_known_host_and_one_of_nobody_are_not_surely_of_one() {
    let inputs = [
        ("server.log".to_owned(), format!("Jun  1 02:00:00 esx1 vmkernel: {LATE}\n")),
        ("excerpt.txt".to_owned(), format!("2026-06-01T02:00:02.000Z {FALSE}\n")),
    ];
    assert!(!told(&judge(&inputs)).1);
    for own in [
        "Jun  1 02:00:00 esx1 vmkernel: cpu3:33)WARNING: lpfc: lpfc_mbx_cmpl_read_topology:3311: 0:(0):1305 Link Down Event x2 received",
        "Jun  1 02:00:00 esx1 vmkernel: cpu3:33)WARNING: lpfc: lpfc_sli_handle_mb_event: 0:0310 Mailbox command x5 timeout vmhba2",
        "Jun  1 02:00:00 esx1 kernel: session1: session recovery timed out after 120 secs",
    ] {
        let surely = |second: &str| {
            let inputs = [
                ("server.log".to_owned(), format!("{own}\n")),
                ("excerpt.txt".to_owned(), format!("{second}{LATE}\n")),
            ];
            judge(&inputs).incidents.iter().any(|finding| finding.confidence != "possible")
        };
        assert!(!surely("2026-06-01T02:00:06.000Z "), "{own}");
        assert!(surely("2026-06-01T02:00:06.000Z esx1 vmkernel: "), "{own}");
    }
}

/// What a form means that nobody knows is not guessed: where it differs, another may speak, and where it does not, one does.
#[test]
fn a_form_that_nobody_knows_proves_nothing_over_what_it_tells_apart() {
    let forms = [
        "tgt-@H target 2026-06-01T02:00:0@SZ @M\n",
        "<tr><td>@H</td><td>2026-06-01T02:00:0@S.123Z @M</td></tr>\n",
    ];
    for text in forms {
        let pair = |second: &str| {
            told(&judge(&[("-".to_owned(), form(text, "one", 0, LATE) + &form(text, second, 2, FALSE))])).1
        };
        assert!(!pair("two"), "{text}");
        assert!(pair("one"), "{text}");
    }
}

/// Who gathers lines by hand notes behind them whose they are.
#[test]
fn a_name_behind_a_line_tells_speakers_apart() {
    for end in ["   (@H)", " # @H", " <- @H", " [@H]", " (from @H)"] {
        let text = format!("2026-06-01T02:00:0@S.123Z @M{end}\n");
        let pair = |second: &str| {
            told(&judge(&[("-".to_owned(), form(&text, "esx1", 0, LATE) + &form(&text, second, 2, FALSE))])).1
        };
        assert!(!pair("esx2"), "{end}");
        assert!(pair("esx1"), "{end}");
    }
}

/// Which of the hosts that answered to one command wrote which line, nobody knows.
#[test]
fn lines_behind_a_command_that_asks_several_hosts_may_be_of_any() {
    let answer = |command: &str| {
        let lines = format!("2026-06-01T02:00:00.123Z {LATE}\n2026-06-01T02:00:02.123Z {FALSE}\n");
        told(&judge(&[("-".to_owned(), format!("{command}\n{lines}"))]))
    };
    for command in [
        "ssh esx1 'grep 0x89 /var/log/vmkernel.log' ; ssh esx2 'grep 0x89 /var/log/vmkernel.log'",
        "root@jump-1:~# ssh -q esx1 tail vmkernel.log && ssh -p 2222 root@esx2 tail vmkernel.log",
        "$ for h in esx1 esx2; do ssh $h tail vmkernel.log; done",
        "$ pssh -i -h hosts tail vmkernel.log",
        "$ cat hosts | xargs -n1 -I{} ssh {} tail vmkernel.log",
    ] {
        assert_eq!(answer(command), (vec![], false), "{command}");
    }
    for command in
        ["$ ssh -p 2222 root@esx1 tail vmkernel.log", "[root@jump-1 ~]# ssh esx1 tail vmkernel.log"]
    {
        assert_eq!(answer(command), (vec!["esx1".to_owned()], true), "{command}");
    }
    assert_eq!(answer("$ ssh esx1 df; ssh esx1 tail vmkernel.log"), (vec!["esx1".to_owned()], true));
}

/// The lines of one command stand apart where a log server mixes those of several hosts, and where a journal is exported by its fields.
#[test]
fn lines_of_one_command_are_put_together_by_host_and_tag() {
    let command = |host: &str, second: u8, result: &str, sense: bool| -> Vec<String> {
        let start = format!("Jun  1 02:00:0{second} {host} kernel: sd 2:0:0:1: [sdc] tag#3 ");
        let mut lines =
            vec![format!("{start}FAILED Result: hostbyte={result} driverbyte=DRIVER_OK cmd_age=31s\n")];
        if sense {
            lines.push(format!("{start}Sense Key : Miscompare [current]\n"));
            lines.push(format!("{start}Add. Sense: Miscompare during verify operation\n"));
        }
        lines
            .push(format!("{start}CDB: Compare and write 89 00 00 00 00 00 00 00 1a 00 00 00 00 01 00 00\n"));
        lines
    };
    let (one, other) = (command("gw-1", 0, "DID_TIME_OUT", false), command("gw-2", 0, "DID_OK", true));
    let mixed = format!("{}{}{}{}{}{}", one[0], other[0], other[1], one[1], other[2], other[3]);
    let report = judge(&[("-".to_owned(), mixed)]);
    assert_eq!(told(&report), (vec!["gw-1".to_owned(), "gw-2".to_owned()], false));
    let late = report.incidents.iter().flat_map(|finding| &finding.evidence);
    let late: Vec<_> = late.filter(|line| line.text.contains("DID_TIME_OUT")).collect();
    assert!(
        late.iter().all(|line| line.host.as_deref() == Some("gw-1") && !line.text.contains("Miscompare"))
    );
    let exported: String = (command("gw-1", 0, "DID_TIME_OUT", false).into_iter())
        .chain(command("gw-1", 2, "DID_OK", true))
        .map(|line| {
            let (second, message) = (&line[13..15], line.split_once("kernel: ").unwrap_or_default().1);
            let fields = "_BOOT_ID=a\nPRIORITY=4\n_TRANSPORT=kernel\n".repeat(4);
            format!("__REALTIME_TIMESTAMP=17802936{second}000000\n_HOSTNAME=gw-1\n{fields}SYSLOG_IDENTIFIER=kernel\nMESSAGE={message}\n")
        })
        .collect();
    assert_eq!(told(&judge(&[("-".to_owned(), exported)])), (vec!["gw-1".to_owned()], true));
}

/// What one program says of a lease, or of an image of Ceph, is no cause of a false answer of a device that it does not name.
#[test]
fn leases_and_gateways_explain_no_device_that_no_line_ties_to_them() {
    let kernel = "Jun  1 10:00:02 h1 kernel: sd 2:0:0:9: [sdq] tag#3 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_OK cmd_age=0s
Jun  1 10:00:02 h1 kernel: sd 2:0:0:9: [sdq] tag#3 Sense Key : Miscompare [current]
Jun  1 10:00:02 h1 kernel: sd 2:0:0:9: [sdq] tag#3 CDB: Compare and write 89 00 00 00 00 00 00 00 1a 00 00 00 00 01 00 00\n";
    let lease =
        "2026-06-01 10:00:00 4100 [801]: s1 verify_leader 1 wrong checksum 12345 abcd /dev/vg1/leases\n";
    let report = judge(&[
        ("h1/sanlock.log".to_owned(), lease.to_owned()),
        ("h1/messages".to_owned(), kernel.to_owned()),
    ]);
    for finding in &report.incidents {
        let of_the_disk = finding.devices.iter().any(|device| device == "sdq");
        assert!(!of_the_disk || finding.cause == "cannot-tell", "{finding:?}");
    }
    assert!(
        report.incidents.iter().any(|finding| finding.cause == "corrupt-block" && finding.devices.is_empty())
    );
    for gateway in [
        "Jun  1 10:00:00 kvm7 ceph-osd[1201]: librbd: client.4123 blocklisted\n",
        "2026-06-01T10:00:00.000+0000 7f1 -1 osd.12 8812 get_health_metrics reporting 12 slow ops, oldest is osd_op(client.1 2.7)\n",
    ] {
        let report = judge(&[
            ("ceph.log".to_owned(), gateway.to_owned()),
            ("h1/messages".to_owned(), kernel.to_owned()),
        ]);
        let sure = report.incidents.iter().find(|finding| finding.confidence != "possible");
        assert!(sure.is_none_or(|finding| finding.devices.is_empty()), "{sure:?}");
    }
}

#[test]
fn titles_of_another_host_or_another_time_part_what_stands_under_them() {
    let pair = |first: &str, second: &str| {
        let text = format!("{first}\n{LATE}\n\n{second}\n{FALSE}\n");
        told(&judge(&[("ticket.txt".to_owned(), text)])).1
    };
    assert!(pair("We see these two:", ""), "without a title between them they are one host's");
    let titles = [
        ("Host A\n------", "Host B\n------"),
        ("[first node]", "[second node]"),
        ("And on the other host:\n", "while on this one:\n"),
        ("", "2d14h later"),
        ("", "The next morning:"),
        ("esx1", "esx2"),
        ("1) esx1", "2) esx2"),
        ("esx1 ->", "esx2 ->"),
        ("<esx1>", "</esx1>\n<esx2>"),
        ("[1] 02:15:05 [SUCCESS] esx1", "[2] 02:15:05 [SUCCESS] esx2"),
    ];
    for (first, second) in titles {
        assert!(!pair(first, second), "{second}");
    }
    for line in ["[...]", "[snip]", "3 seconds later:", "Volume  Device\n------  ------"] {
        assert!(pair("", line), "{line}");
    }
}

/// Agents write how grave a line is where others have its host: nobody's host is called `info`.
#[test]
fn a_severity_is_no_host() {
    let log = format!(
        "2026-06-01T02:00:00.000Z warning vmkernel: {LATE}\n2026-06-01T02:00:02.000Z info vmkernel: {FALSE}\n"
    );
    assert_eq!(told(&judge(&[("-".to_owned(), log.clone())])), (vec![], true));
    let named = log.replace("vmkernel:", "esx1 vmkernel:");
    assert_eq!(told(&judge(&[("-".to_owned(), named)])), (vec!["esx1".to_owned()], true));
}

/// A log server may write how grave a line is behind its host: @V is that column.
#[test]
fn a_column_of_severities_is_no_host() {
    const COLUMNS: [&str; 12] = [
        "WARNING",
        "warning",
        "warn",
        "info",
        "NOTICE",
        "Error",
        "kern.warn",
        "local6.warning",
        "[warning]",
        "<kern.err>",
        "local4 notice",
        "[local4] [notice]",
    ];
    for (column, time) in
        COLUMNS.iter().flat_map(|column| [(column, "Jun  1 02:00:0"), (column, "2026-06-01T02:00:0")])
    {
        let pair = |second: &str, other: &str| {
            let log = format!(
                "{time}0 esx1 {column} vmkernel: {LATE}\n{time}2 {second} {other} vmkernel: {FALSE}\n"
            );
            told(&judge(&[("case/night.log".to_owned(), log)]))
        };
        assert_eq!(pair("esx2", column), (vec!["esx1".to_owned(), "esx2".to_owned()], false), "{column}");
        assert_eq!(pair("esx1", column), (vec!["esx1".to_owned()], true), "{column}");
        assert_eq!(
            pair("esx1", "ERR"),
            (vec!["esx1".to_owned()], true),
            "of one host, whatever the column says: {column}"
        );
    }
}

/// What stands between a time and a program's name and is not understood may name the host: the file's name does not name it then, nor tie two lines.
#[test]
fn a_head_that_is_not_understood_is_of_no_host_that_the_file_names() {
    for (one, other) in [
        ("esx1 10.0.0.7", "esx2 10.0.0.7"),
        ("gate 10.0.0.7", "gate 10.0.0.8"),
        ("gate [esx1]", "gate [esx2]"),
    ] {
        let pair = |second: &str| {
            let log = format!(
                "Jun  1 02:00:00 {one} vmkernel: {LATE}\nJun  1 02:00:02 {second} vmkernel: {FALSE}\n"
            );
            told(&judge(&[("esx9/var/log/vmkernel.log".to_owned(), log)]))
        };
        assert_eq!(pair(other), (vec![], false), "{one}");
        assert_eq!(pair(one), (vec![], true), "{one}");
    }
}
