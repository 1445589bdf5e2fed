//! What is written about messages is no log: tickets that deny having seen them, articles, test plans, chats, sources. A document may hold a real log
//! all the same, and that is read.

use oarlock_doctor::{Doctor, Report};

fn judge(text: &str) -> Report {
    let mut doctor = Doctor::new();
    doctor.read("-", &mut text.as_bytes(), &mut |_| {});
    doctor.judge()
}

const LATE: &str = "2026-02-02T02:02:02.000Z cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x13 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.";
const FALSE: &str = "2026-02-02T02:02:03.000Z cpu4:2097)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x14 from world 20 to dev \"naa.60b1aa00000000000000000000000001\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.";

/// Each was told as a fault of the machine once, most of them as a certain one.
const NOBODY_SAW: [&str; 46] = [
    "$kind = Get-EventId | Where-Object { $_.EventTypeId -eq 'esx.problem.storage.apd.start' }\n",
    "\t{\"vobd.log\", 100, \"{TIME} In(14) vobd[2098148]: [vmfsCorrelator] 62us: [esx.problem.vmfs.lock.corruptondisk] VMFS lock corrupt on disk.\"},\n",
    "There are no lines with \"ATS Miscompare detected between test and set HB images\".\nAlso no \"Result: hostbyte=DID_NO_CONNECT\" on sdc.\n",
    "We also searched for \"Lost access to volume\" and \"H:0x5 D:0x0 P:0x0\" and found nothing.\n",
    "Auch \"Lost access to volume\" kommt in keinem Log vor.\nNous n'avons pas vu \"reservation conflict sdc\".\n",
    "if the slot were damaged we would see \"Corrupt heartbeat detected at offset 3444736: [HB state 0 offset 0 gen 0\" there\n",
    "Had the cluster fenced it, there would be a line like \"Peer node2 was terminated (reboot) by node1 for crmd: OK\".\n",
    "Does \"Lost access to volume\" always mean data loss?\nIs \"sd 2:0:0:1: [sdc] reservation conflict\" dangerous?\n",
    "[10:02] anna: did anybody see \"Lost access to volume\" on the new cluster?\n[10:06] bob: nope, no \"Lost access to volume\" here\n",
    "2026-05-06 10:00:20 bob: we don't have \"Lost access to volume\" anywhere\n2026-05-06 10:01:20 anna: so no \"reservation conflict\" on sdc either?\n",
    "2026-05-06 10:00:01 anna: in the docs it says: ScsiDeviceIO: 2645: Cmd(0x439d) 0x89, CmdSN 0x2f from world 39 to dev \"naa.5000\" failed H:0x5 D:0x0 P:0x0\n",
    "$ grep -c \"Lost access to volume\" vobd.log\n0\n$ journalctl | grep -E \"Operation 'reboot' targeting .* for .*@.*: OK\"\n",
    "  504  logger -t test \"reservation conflict sdc\"\n",
    "\tprintk(KERN_ERR \"sd %d:0:0:0: [sda] tag#0 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK\\n\", host);\n",
    "\tpr_err(\"ABORT_TASK: Found referenced %s task_tag: %llu\\n\", \"iSCSI\", tag);\n\tlog_error(\"test failed rem %d now %llu\", rem, now);\n",
    "-\tsdev_printk(KERN_INFO, sdev, \"reservation conflict\\n\");\n+\tsdev_printk(KERN_WARNING, sdev, \"reservation conflict\\n\");\n",
    "    \"apd\": re.compile(r\"identifier \\[(naa\\.\\w+)\\] has entered the All Paths Down state\"),\n    \"lost\": \"Lost access to volume\",\n",
    "        expr: count_over_time({job=\"pacemaker\"} |~ \"Operation 'reboot' targeting .* for .*@.*: OK\" [5m]) > 0\n",
    "; drop lines like: sd 2:0:0:1: [sdc] tag#3 FAILED Result: hostbyte=DID_NO_CONNECT driverbyte=DRIVER_OK\n// connection1:0: detected conn error (1020)\n",
    "if $msg contains 'reservation conflict sdc' then stop\n<match message=\"COMPARE FAILURE (02/85)\">drop</match>\n",
    "Release notes 7.3.4\n- hosts logged \"ATS Miscompare detected between test and set HB images\" after a failover\n- LUN reset returned H:0x8 D:0x0 P:0x0\n",
    "2026-06-01T10:00:00.123Z shell[2099]: [root]: grep -i \"Lost access to volume\" /var/log/vobd.log\n",
    "Jun  1 10:00:00 gw1 sudo: admin : TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/bin/grep reservation conflict sdc /var/log/messages\n",
    "2026-06-01T10:00:01.123Z info vpxd[7F1] [Originator@6876] Event [1] [vim.event.AlarmCreatedEvent] [Created alarm 'Lost access to volume' on DC]\n",
    "2. Expected output in /var/log/messages:\n\n```\nMar  3 10:00:00 db-a pacemaker-fenced[1201]: notice: Operation 'reboot' targeting db-b by db-a for stonith_admin.2201@db-a: OK\n```\n",
    "Step 4: pull the cable. The host should log\n  Lost access to volume 5f000001-aaaa0001-0001-0050560a0b0c (gold) due to connectivity issues.\nwithin 20 seconds.\n",
    "<p>If a path fails the kernel logs:</p>\n<pre>\nkernel: sd 3:0:0:1: [sdd] tag#12 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK cmd_age=30s\nkernel: sd 3:0:0:1: [sdd] tag#12 CDB: Compare and write 89 00 00 00 00 00 00 00 10 00 00 00 00 01 00 00\n</pre>\n",
    "For reference, another customer had this last year:\n> LATE\n> FALSE\nYour logs do not show this.\n",
    "h2. What I expect to see if the bug hits\n{code}\nLATE\n\nFALSE\n{code}\nh2. What I see\nNothing of that kind.\n",
    "* In `/var/log/vmkernel.log` you see entries similar to:\n\n```\nLATE\nFALSE\n```\n",
    "Dear customer,\nplease monitor for lines of the following form and open a case when they show up:\n\nLATE\nFALSE\n",
    "I checked the logs for these two lines and they are not there:\nLATE\nFALSE\nSo it must be something else.\n",
    "cat > /tmp/sample.log <<EOF\nLATE\nFALSE\nEOF\n./parse /tmp/sample.log\n",
    "    let text = \"sd 2:0:0:1: [sdc] reservation conflict\";\n    assert!(parse(text).is_some());\n",
    "  502  grep -i \"ATS miscompare\" /var/log/vmkernel.log\n  503  zgrep \"Lost access to volume\" vobd.*\n",
    "failregex = ^.*reservation conflict.*$\n  if \"reservation conflict\" in [message] { drop {} }\n",
    "No aparece ningún \"Lost access to volume\" en los registros.\nTampoco hay \"sd 2:0:0:1: [sdc] reservation conflict\".\n",
    "\"\"\"\nParses lines such as\n  sd 2:0:0:1: [sdc] tag#3 FAILED Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK\n\"\"\"\n",
    "We want a page whenever a host logs\n\n    LATE\n    FALSE\n",
    "After a successful fence the log has::\n\n    Mar  3 10:00:00 db-a pacemaker-fenced[1201]: notice: Operation 'reboot' targeting db-b by db-a for crmd@db-a: OK\n",
    "commit 0123456789abcdef\nAuthor: A <a@x.example>\n\n    do not print it twice\n\n    Before: sd 2:0:0:1: [sdc] reservation conflict\n",
    "SELECT host FROM logs WHERE message LIKE '%hostbyte=DID_TIME_OUT%' AND message LIKE '%Lost access to volume%';\n",
    "2026-06-02T05:00:00.000Z info hostd[2098] [Originator@6876 sub=EventManager] Registered event type esx.problem.vmfs.heartbeat.timedout: Lost access to volume {2} ({1}) due to connectivity issues.\n",
    "2026-06-02T05:00:00.000Z vobd[2097]:  Loaded correlation: vob.vmfs.heartbeat.timedout -> esx.problem.vmfs.heartbeat.timedout\n",
    "driver-x (3.2.1)\n  * New: FPIN - Peer Congestion and FPIN - Credit stall are written\n",
    "{\"time\":\"2026-06-02T05:00:00Z\",\"program\":\"dashboard\",\"message\":\"state=Normal summary=Lost access to volume gold due to connectivity issues\"}\n",
];

#[test]
fn what_nobody_saw_is_no_incident_and_is_counted() {
    for document in NOBODY_SAW {
        let report = judge(&document.replace("LATE", LATE).replace("FALSE", FALSE));
        assert!(report.incidents.is_empty(), "{document}\n{:?}", report.incidents);
        assert!(report.strange > 0, "{document}");
    }
}

/// A damaged record, as a host says it; nothing in it is a time.
const DAMAGED: &str =
    "VMFS volume gold on naa.60b1aa00000000000000000000000001:1 has been detected corrupted";

/// Each was a certain fault of the machine once: a message without a time, and the marks of whoever wrote about it.
#[test]
fn a_message_without_a_time_that_bears_a_label_a_mark_or_a_remark_is_possible_at_most() {
    let marked = [
        "Subject: Re: @",
        "Betreff: @",
        "Scenario 7: @",
        "Bug 812233: @\nStatus: closed",
        "Alarm name: @",
        "Inject: @",
        "Symptom: @",
        "description: @",
        "Searching for: @\nNothing to show.",
        "- @",
        "* @ (fixed in 9.1)",
        "3. @",
        "**@**",
        "<title>@</title>",
        "[SOLVED] @",
        "[Bug 12] @",
        "@ [RESOLVED]",
        "@?",
        "What is @",
        "fixes @",
        "Search results for @",
        "gold-rule,@,0",
        "7;@;critical;call",
        "@ - was fixed by P7",
        "TODO: @",
        // What grep, `cat -n` and people put before a line.
        "NEWS.md:12:Bug 812233: @",
        "NEWS.md:Bug 812233: @",
        "src/book.rs:12:    description: \"@\"",
        "Mail/in:12:Subject: @",
        "    12\tScenario 7: @",
        "12: [SOLVED] @",
        "[12] Bug 812233: @",
        "TASK0077 @",
        "P2 @",
        "3.4 @",
    ];
    for around in marked {
        let report = judge(&format!("{}\n", around.replace('@', DAMAGED)));
        assert!(report.incidents.iter().all(|finding| finding.confidence == "possible"), "{around}");
    }
    for around in [
        "@",
        "WARNING: FS3: 633: @",
        "cpu4:2097)WARNING: FS3: 633: @",
        "FS3: 633: @",
        "vmkernel: @",
        "esx1: @",
        "Error: @",
        "vmkernel.log:12:@",
        "    12\tcpu4:2097)WARNING: FS3: 633: @",
        "12: WARNING: FS3: 633: @",
        "ESX01 @",
    ] {
        let report = judge(&format!("{}\n", around.replace('@', DAMAGED)));
        assert!(report.incidents.iter().any(|finding| finding.confidence == "certain"), "{around}");
    }
    // A subject guesses, and the lines below it show.
    let report = judge(&format!(
        "Subject: Valid sense data: 0x7 0x27 0x7 - full again?\n\nof tonight:\n\n{LATE}\n{FALSE}\n"
    ));
    let found: Vec<_> = report.incidents.iter().map(|finding| &*finding.cause).collect();
    assert_eq!(found, ["delayed-own-write"]);
}

/// Another program's line was a certain fault of the machine once: a tag without a number, an application's own log, a chat with times.
#[test]
fn a_time_before_a_message_does_not_make_it_the_kernels() {
    let full = "Valid sense data: 0x7 0x27 0x7";
    let pool = "switching pool to out-of-data-space (error IO) mode";
    for line in [
        format!("Feb  2 02:02:02 web4 ticketd: Subject: Re: {DAMAGED}"),
        format!("Feb  2 02:02:02 web4 postfix/smtp: subject {DAMAGED}"),
        format!("Feb  2 02:02:02 web4 gitea: Fixed: {pool}"),
        format!("Feb  2 02:02:02 web4 alertd: summary=\"LUN full: {full}\" state=inactive"),
        format!("{{\"__REALTIME_TIMESTAMP\":\"1770000000000000\",\"_HOSTNAME\":\"web4\",\"SYSLOG_IDENTIFIER\":\"dashd\",\"MESSAGE\":\"state=OK {full}\"}}"),
        format!("time=\"2026-02-02T02:02:02Z\" level=info msg=\"rule loaded\" rule=\"{pool}\""),
        format!("I0202 02:02:02.000000       1 watch.go:77] watching for {pool}"),
        format!("2026-02-02 02:02:02,001 INFO  [org.example.Book] (main) read rule '{pool}'"),
        format!("2026/02/02 02:02:02 watch.go:77: watching {pool}"),
        "2026-02-02T02:02:02.000Z INFO  example.filters.one - pattern \"Corrupt heartbeat detected at offset %{INT}\" read".to_owned(),
        format!("2026-02-02T02:02:02.000Z [INFO] task done: {DAMAGED} (copy)"),
        format!("[2026-02-02 02:02:02] live.INFO: Mail queued {{\"title\":\"{DAMAGED}\"}}"),
        format!("2026-02-02T02:02:02.000Z In(166) Hostd[2098]: [Originator@6876 sub=Vimsvc] Task: note \"{DAMAGED}\" was read"),
        format!("02-Feb-2026 02:02:02 ann@example.org: Did you get \"{DAMAGED}\"? Not me."),
        format!("[02.02.26, 02:02:02] Ann: {DAMAGED} - ist das schlimm?"),
        format!("[2026-02-02 02:02:02] <ann> well {pool} is never seen here"),
        format!("2026-02-02 02:02:02 ann what does {DAMAGED} mean"),
    ] {
        let report = judge(&format!("{line}\n"));
        assert!(report.incidents.iter().all(|finding| finding.confidence == "possible"), "{line}");
    }
    for line in [
        format!("Feb  2 02:02:02 web4 kernel: device-mapper: thin: 253:4: {pool}"),
        format!("Feb  2 02:02:02 web4 device-mapper: thin: 253:4: {pool}"),
        format!("2026-02-02T02:02:02.000Z esx1 WARNING: FS3: 633: {DAMAGED}"),
        format!("2026-02-02 02:02:02 {DAMAGED}"),
        format!("2026-02-02 02:02:02 - ERROR - {DAMAGED}"),
        format!("2026-02-02 02:02:02,esx1,error,{DAMAGED}"),
    ] {
        let report = judge(&format!("{line}\n"));
        assert!(report.incidents.iter().any(|finding| finding.confidence == "certain"), "{line}");
    }
}

/// In a healthy log of many lines, too.
#[test]
fn what_an_application_quotes_in_its_log_is_no_incident() {
    let quiet = "2026-02-02 02:02:02,001 INFO  [org.example.Web] (main) GET / 200\n".repeat(90);
    let rule = "2026-02-02 02:02:03,001 INFO  [org.example.Book] (main) read rule 'switching pool to out-of-data-space'\n";
    assert!(judge(&(quiet + rule)).incidents.is_empty());
}

/// Files that wait for messages, lists of what was mended, and links to searches; `@` is a message, `%` one with quotes of its own.
#[test]
fn a_message_that_is_waited_for_or_was_mended_is_no_incident() {
    let waiting = [
        "<item><name>VMFS corrupt heartbeat</name><key>log[/var/log/vmkernel.log,\"@\"]</key></item>",
        "Fixed: @ after an upgrade (PR 7)",
        "rules:\n  - id: hb\n    description: \"@\"\n",
        "id;pattern;severity\n1;@;call\n2;detected to be a snapshot: Device;mail\n",
        "https://search.example/?q=@",
        "        assert_eq!(parse(\"%\"), Event::Full);",
        "{\"rules\":[{\"name\":\"full\",\"pattern\":\"%\",\"severity\":\"high\"}]}",
        "[root@esx1:~] grep -c \"ATS Miscompare\" /var/log/vmkernel.log\n0",
        "  - alert: AtsMiscompare",
        "* PR 12: A host might lose the volume with the message: @ In vmkernel.log you might see: H:0x5 D:0x0 P:0x0. This issue is resolved in this release.",
        "Die Meldung \"@\" trat noch nie auf.",
        "Nous n'avons jamais vu \"@\".",
    ];
    let quoted = "Cmd(0x45b9) 0x89, CmdSN 0x1 from world 2 to dev \\\"naa.60b1aa00000000000000000000000001\\\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x7 0x27 0x7.";
    for document in waiting {
        let report = judge(&format!(
            "{}\n",
            document
                .replace(" @", &format!(" {DAMAGED}"))
                .replace("\"@", &format!("\"{DAMAGED}"))
                .replace("=@", &format!("={DAMAGED}"))
                .replace(";@", &format!(";{DAMAGED}"))
                .replace('%', quoted)
        ));
        assert!(report.incidents.is_empty(), "{document}\n{:?}", report.incidents);
    }
}

/// A table of what happened may have a column of that name; it has one of times, too.
#[test]
fn an_export_with_an_alert_in_each_row_is_read() {
    let rows = format!("host,time,alert,message\nesx1,2026-02-02 02:02:02,none,{DAMAGED}\n");
    assert_eq!(judge(&rows).incidents.len(), 1);
    assert!(judge(&rows.replace("time", "name")).incidents.is_empty());
}

/// The same lines, where the words around them say that they were seen, or say nothing.
#[test]
fn a_log_within_a_document_is_read() {
    let documents = [
        "Hello support,\nsince last night we see this on esx-11, please help:\n\nLATE\nFALSE\n\nWe do NOT see any \"Lost access to volume\".\n",
        "### Problem\nOur datastore goes offline. From vmkernel.log:\n```\nLATE\n\nFALSE\n```\nWhat could it be?\n",
        "We rebooted it. What we got:\nLATE\nFALSE\n",
        "We checked the switch and found no errors there. We did not find anything in the array's log. The host says:\n\nLATE\nFALSE\n",
        "If you need more logs, tell me. vmkernel:\nLATE\nFALSE\n",
        "From: x@example.com\nSubject: outage\n\nHi, this night the datastore was lost. Excerpt:\n\nLATE\nFALSE\n\nAny ideas?\n",
        "LATE\nFALSE\n\nWe do not understand why. It should not happen. We never had this.\n",
        "LATE\nFALSE\nIs this \"Lost access to volume\"?\n",
    ];
    for document in documents {
        let report = judge(&document.replace("LATE", LATE).replace("FALSE", FALSE));
        let found: Vec<_> =
            report.incidents.iter().map(|finding| (&*finding.cause, &*finding.confidence)).collect();
        assert_eq!(found, [("delayed-own-write", "likely")], "{document}");
    }
}

#[test]
fn what_a_sentence_or_an_article_quotes_is_possible_at_most() {
    let article = format!(
        "Symptoms\n\nHosts lose a volume.\n\n{LATE}\n{FALSE}\n\nCause\n\nLate answers.\n\nResolution\n\nUpdate.\n"
    );
    let sentence = "Hi, we get \"Peer db-b was terminated (reboot) by db-a for crmd: OK\" every night. What could that be?\n";
    let example = format!("Example:\n{LATE}\n{FALSE}\n");
    let lesson =
        format!("## Exercise 3: read this log\n\nWhat is wrong here?\n\n```\n{LATE}\n{FALSE}\n```\n");
    let table =
        "| Message | Meaning |\n|---|---|\n| client watchdog expired watchdog-mux | Proxmox node resets |\n";
    let glossary = "reservation conflict\n    The SCSI status 18h. On Linux it is: sd 2:0:0:1: [sdc] reservation conflict\n";
    let titled = format!(".What a late answer looks like\n----\n{LATE}\n{FALSE}\n----\n");
    let foreign = "ログに \"reservation conflict sdc\" があります。\n";
    for document in [&article, sentence, &example, &lesson, table, glossary, foreign, &titled] {
        let report = judge(document);
        assert!(!report.incidents.is_empty(), "{document}");
        assert!(report.incidents.iter().all(|finding| finding.confidence == "possible"), "{document}");
    }
}

/// A program writes over several lines, and says `not found` and `never` in them.
#[test]
fn a_trace_within_a_log_hides_nothing_behind_it() {
    let trace = "java.lang.IllegalStateException: host not found, this should never be expected:\n\tat org.example.Host.find(Host.java:12)\nCaused by: example, none of the hosts was found, expected:\n";
    let quiet = "2026-02-02T01:00:00.000Z cpu4:2097)nothing of note\n".repeat(400);
    let report = judge(&format!("{quiet}{trace}{LATE}\n{FALSE}\n"));
    assert_eq!(report.incidents[0].confidence, "likely", "{:?}", report.incidents);
    let undated = "EXT4-fs: this should never happen on our disks\nsd 2:0:0:1: [sdc] reservation conflict\n";
    assert_eq!(judge(undated).incidents[0].confidence, "likely");
}

/// A log of short lines, or of programs with strange words, is not taken for a document.
#[test]
fn what_a_program_says_is_not_taken_for_prose() {
    let klog = "E1111 17:31:06.529205       1 grpclogger.go:33] gRPC[109]: call /LvmCtrld/Vgs({}) returned error rc=5 stderr=\"  Global lock failed: error -210\\n\"\n";
    assert_eq!(judge(klog).incidents.len(), 1);
    let event = "{\"time\":\"2026-11-22T07:16:57.191Z\",\"kind\":\"unknown\",\"cause\":\"delayed-own-write\",\"record\":\"slot\",\"path\":\"pool\",\"by\":{\"host\":\"a\"},\"action\":\"adopted\",\"detail\":\"the block holds the image of this host's own attempt 728c, which had no answer\"}\n";
    assert_eq!(judge(event).incidents[0].confidence, "certain", "an event of our own");
    let before = event.replace("which had no answer", "which may land later, or never");
    let causes: Vec<_> = judge(&(before + event)).incidents.iter().map(|finding| finding.events).collect();
    assert_eq!(causes, [2], "what one event says is no word about the next");
    let named = format!("{LATE}\n{FALSE}\n").replace(
        "naa.60b1aa00000000000000000000000001",
        "naa.60b1aa00000000000000000000000001\" on vol \"we would never expect this",
    );
    assert_eq!(judge(&named).incidents[0].cause, "delayed-own-write");
}

/// Lines that somebody made, or caused on purpose, are no fault of the machine, however the sentence ends that says so.
#[test]
fn what_was_made_up_or_caused_on_purpose_is_not_told_as_a_fault() {
    for sentence in [
        "What would the following look like in your monitoring? (made up, to test the parser)",
        "In the lab we injected a fault on purpose to train the night shift:",
        "Fictitious, for the new dashboard:",
    ] {
        let report = judge(&format!("{sentence}\n{LATE}\n{FALSE}\n"));
        assert!(report.incidents.iter().all(|finding| finding.confidence == "possible"), "{sentence}");
    }
    assert!(
        judge(&format!("{LATE}\n{FALSE}\n")).incidents.iter().any(|finding| finding.confidence == "likely")
    );
}

/// What a disk says of itself; nothing in it is a time.
const BROKEN: &str = "kernel: sd 3:0:5:0: [sdn] tag#9 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE\nkernel: sd 3:0:5:0: [sdn] tag#9 Sense Key : Medium Error [current]\nkernel: sd 3:0:5:0: [sdn] tag#9 Add. Sense: Unrecovered read error\nkernel: sd 3:0:5:0: [sdn] tag#9 CDB: Read(10) 28 00 11 40 5b c8 00 00 08 00\n";

/// A sentence that says what may be logged, or what messages look like, announces an example, whatever its verb is.
#[test]
fn a_sentence_about_messages_in_general_announces_an_example() {
    let sure = |sentence: &str| {
        let report = judge(&format!("{sentence}\n```\n{BROKEN}```\n"));
        report.incidents.iter().any(|finding| finding.confidence != "possible")
    };
    let general = [
        "The kernel log might contain errors like this:",
        "The journal can also include such lines:",
        "A worn disk could then report something like:",
        "Here is what such a failure looks like:",
        "An error may appear like this:",
        "Look out for errors like these:",
        "Any messages of this kind are worth a look:",
        "The following errors indicate a bad disk:",
        "Test input:",
        "The fixture is:",
        "Our parser recognises these lines:",
    ];
    for sentence in general {
        assert!(!sure(sentence), "{sentence}");
    }
    let seen = [
        "We are getting errors like this on one of the hosts:",
        "The log is full of errors like these:",
        "Since Monday dmesg shows errors like this every hour:",
        "Here is what the log looks like on our host:",
        "The disk went away last night, the kernel says:",
    ];
    for sentence in seen {
        assert!(sure(sentence), "{sentence}");
    }
}

/// A name that was taken out of a line, or is to be filled in, leaves open whether anybody logged it.
#[test]
fn a_place_for_a_name_proves_nothing() {
    let damaged = |name: &str| {
        let line = format!(
            "2026-02-02T02:02:02.000Z cpu4:2097)WARNING: HBX: 599: Volume 5f000001-aaaa0001-0001-0050560a0b0c (\"{name}\") may be damaged on disk. Corrupt heartbeat detected at offset 3444736: [HB state 0 offset 0 gen 0 stampUS 0 uuid 00000000-00000000-0000-000000000000 jrnl <FB 0> drv 0.0 lockImpl 0]\n"
        );
        judge(&line)
            .incidents
            .iter()
            .map(|finding| (finding.cause.clone(), finding.confidence != "possible"))
            .collect::<Vec<_>>()
    };
    assert_eq!(damaged("gold"), [("corrupt-block".to_owned(), true)]);
    for place in ["<Datastore name>", "<volume-label>", "<DATASTORE_NAME>"] {
        assert!(damaged(place).iter().all(|(_, sure)| !sure), "{place}: {:?}", damaged(place));
    }
}

/// The same words stood as a sentence before the fence, and were heard; as its title they were not.
#[test]
fn what_a_fence_is_called_speaks_of_what_stands_in_it() {
    let judged =
        |opens: &str, closes: &str| judge(&format!("{opens}\n{LATE}\n{FALSE}\n{closes}\n")).incidents.len();
    let sample = [
        ("```text title=\"Expected output\"", "```"),
        ("~~~ {.text caption='Expected output'}", "~~~"),
        ("{code:title=Expected output|borderStyle=solid}", "{code}"),
        ("<pre title=\"Expected output\">", "</pre>"),
    ];
    for (opens, closes) in sample {
        assert_eq!(judged(opens, closes), 0, "{opens}");
        assert_eq!(judged(&opens.replace("Expected output", "vmkernel.log"), closes), 1, "{opens}");
    }
    let again = format!(
        "```text title=\"Expected output\"\n{LATE}\n{FALSE}\n```\nWe see on esx1:\n```text\n{LATE}\n{FALSE}\n```\n"
    );
    assert_eq!(judge(&again).incidents.len(), 1, "its end ends it");
}
