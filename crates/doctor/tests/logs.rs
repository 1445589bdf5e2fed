//! Our own lines in the shapes of real ones (testdata/logs), each with the first finding that it must give.

use std::path::{Path, PathBuf};

use oarlock_doctor::{Doctor, Report};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/logs")
}

fn text(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn judge(name: &str, log: &[u8]) -> Report {
    let mut doctor = Doctor::new();
    doctor.read(name, &mut &log[..], &mut |_| {});
    doctor.judge()
}

/// The names and expected causes of the cases.
fn cases() -> Vec<(String, String)> {
    let list = text("EXPECTED.tsv");
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.filter_map(|line| line.split_once('\t'));
    fields.map(|(name, cause)| (name.to_owned(), cause.to_owned())).collect()
}

fn first_cause(report: &Report) -> String {
    report.incidents.first().map_or_else(|| "none".to_owned(), |finding| finding.cause.clone())
}

#[test]
fn every_case_of_our_own_gives_its_cause_first_and_no_other_surely() {
    let mut faults = Vec::new();
    for (name, expected) in cases() {
        let report = judge(&name, text(&format!("{name}.log")).as_bytes());
        let others = report.incidents.iter().skip(1).filter(|finding| finding.confidence != "possible");
        if first_cause(&report) != expected || others.clone().any(|finding| finding.cause != expected) {
            let found: Vec<_> =
                report.incidents.iter().map(|finding| (&finding.cause, &finding.confidence)).collect();
            faults.push(format!("{name}: {expected} was expected, found {found:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_case_has_its_file_and_every_file_its_case() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".log").map(str::to_owned))
        .collect();
    files.sort();
    let cases: Vec<String> = cases().into_iter().map(|(name, _)| name).collect();
    assert_eq!(files, cases);
}

/// A confident wrong answer is the worst of all: the near miss of a cause is never given as it.
#[test]
fn a_near_miss_is_not_diagnosed_as_what_it_resembles() {
    let causes: Vec<&str> = oarlock_causes::Cause::ALL.iter().map(|cause| cause.name()).collect();
    let near: Vec<(String, String)> =
        cases().into_iter().filter(|(name, _)| name.starts_with("near-")).collect();
    for (name, _) in &near {
        let rest = &name["near-".len()..];
        let resembled =
            causes.iter().filter(|cause| rest.starts_with(**cause)).max_by_key(|cause| cause.len());
        // `snapshot` and `slow-storage` are named by the beginning of their cause.
        let resembled = resembled.copied().unwrap_or_else(|| rest.split('-').next().unwrap_or(""));
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let said: Vec<&String> = report.incidents.iter().map(|finding| &finding.cause).collect();
        assert!(
            !resembled.is_empty() && said.iter().all(|cause| !cause.starts_with(resembled)),
            "{name}: {said:?}"
        );
    }
    assert!(near.len() >= 24, "only {} near misses", near.len());
}

/// What fits other stories too is said so: neither likely nor certain.
#[test]
fn what_may_have_another_reason_is_only_possible() {
    let careful = [
        "fenced-confirmed-by-hand",
        "paused-by-memory-errors",
        "near-path-fault-sata-disk-gone",
        "near-path-fault-unmapped-lun",
        "device-fault-nvme-off-the-bus",
        "excerpt-path-gone-linux",
        "delayed-own-write-untied",
        "path-fault-then-offline",
        "gateway-fault-connection-lost",
        "path-fault-all-down-handler",
        "path-fault-nvme-keep-alive",
        "path-fault-units-changed",
        "path-fault-dropped-frames",
        "path-fault-loop-down-then-offline",
        "hba-fault-retries-on-one-path",
    ];
    for name in careful {
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let sure = report.incidents.iter().find(|finding| finding.confidence != "possible");
        assert!(sure.is_none(), "{name}: {sure:?}");
    }
    let strange = judge("s", text("corrupt-block-sanlock-strange.log").as_bytes());
    assert_eq!(strange.incidents[0].confidence, "likely", "an unknown number may be a wrong offset");
    let under = judge("u", text("corrupt-block-sanlock-under-a-host.log").as_bytes());
    assert_eq!(under.incidents[0].confidence, "certain", "nobody may write there between two renewals");
}

/// What no cause of the catalogue speaks of is told in words of its own, with a next step: it is never passed over.
#[test]
fn what_has_no_cause_is_named_in_plain_words() {
    let noticed: Vec<String> =
        cases().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("noticed-")).collect();
    assert!(noticed.len() >= 13, "{noticed:?}");
    for name in noticed {
        let report = judge(&name, text(&format!("{name}.log")).as_bytes());
        let finding = &report.incidents[0];
        assert!(!finding.because.contains("nothing near them says why"), "{name}: {}", finding.because);
        assert!(!finding.collect_next.is_empty() && !finding.remedy.is_empty(), "{name}");
    }
    let late = "2026-07-20T04:36:10.000Z cpu5:8496)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x17 from world 2097 to dev \"naa.60aa01\" failed H:0x5 D:0x0 P:0x0\n";
    let beside = text("noticed-vmfs-heap.log") + late;
    let report = judge("beside", beside.as_bytes());
    assert!(
        report.incidents.iter().any(|finding| finding.because.contains("Noticed in the same minutes")),
        "{:?}",
        report.incidents
    );
}

/// On Linux a conflict is often the own cluster's reservation, and the path one that was not registered: the headline accuses nobody.
#[test]
fn a_conflict_on_linux_is_not_surely_another_hosts_and_nothing_is_cleared_first() {
    for name in ["reservation-linux", "reservation-linux-one-path"] {
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let finding = &report.incidents[0];
        assert_eq!(
            (finding.cause.as_str(), finding.confidence.as_str()),
            ("reservation", "likely"),
            "{name}"
        );
        assert!(!finding.explanation.starts_with("Another host"), "{name}: {}", finding.explanation);
        assert_eq!(finding.remedy[0].risk, "looks", "{name}: {:?}", finding.remedy[0]);
    }
    let esxi = judge("e", text("near-lock-mode-mixed-one-host.log").as_bytes());
    assert_eq!(esxi.incidents[0].confidence, "certain", "where hosts reserve, it is another's");
}

/// Two tickets in one folder: a line without a year is of the year that its own file tells.
#[test]
fn a_year_comes_from_the_own_file_first() {
    let late = |when: &str| {
        format!(
            "{when} h7 kernel: sd 2:0:0:1: [sdc] tag#1 Result: hostbyte=DID_TIME_OUT driverbyte=DRIVER_OK\n"
        )
    };
    let old = format!("{}{}", late("2018-05-25T15:55:10Z").repeat(2), late("May 25 15:55:11"));
    let new = late("2021-03-02T10:00:00Z").repeat(2);
    let mut doctor = Doctor::new();
    doctor.read("old", &mut old.as_bytes(), &mut |_| {});
    doctor.read("new", &mut new.as_bytes(), &mut |_| {});
    let mut last: Vec<String> =
        doctor.judge().incidents.into_iter().filter_map(|finding| finding.last).collect();
    last.sort();
    assert!(last.iter().any(|when| when.starts_with("2018-05-25T15:55:11")), "{last:?}");
    assert!(!last.iter().any(|when| when.starts_with("2021-05") || when.starts_with("2020-05")), "{last:?}");
}

/// Where no test and set, heartbeat or lock is in the lines, nobody is asked about one.
#[test]
fn what_to_collect_fits_what_was_seen() {
    let log = "Mar  3 04:05:06 h9 kernel: qla2xxx [0000:49:00.0]-801c:4: Abort command issued nexus=4:3:33 -- 1 2002.\n";
    let report = judge("aborts", log.as_bytes());
    let steps = report.incidents[0].collect_next.join(" ");
    assert!(!steps.contains("0x89") && !steps.contains("lock record"), "{steps}");
    assert!(steps.contains("fc_host"), "{steps}");
}

/// The handler is silent for 140 seconds between an outage's start and its time-out, and as long as it lasts before its end.
#[test]
fn an_outage_of_all_paths_is_one_finding_from_its_start_to_its_end() {
    let log = text("path-fault-all-down-handler.log");
    let report = judge("apd", log.as_bytes());
    assert_eq!(report.incidents.len(), 1, "{:?}", report.incidents);
    assert_eq!(report.incidents[0].events, 3, "the end is no trouble of its own");
    // One that begins half an hour later is another.
    let later = log.lines().next().unwrap_or_default().replace("T14:22:05", "T15:05:00");
    let report = judge("apd", format!("{log}{later}\n").as_bytes());
    assert_eq!(report.incidents.len(), 2, "{:?}", report.incidents);
}

/// The commands are those of a cluster of guests: nobody is told to clear its reservation.
#[test]
fn a_reservation_of_guests_is_not_to_be_cleared() {
    let report = judge("g", text("reservation-of-guests.log").as_bytes());
    let finding = &report.incidents[0];
    assert_eq!(finding.confidence, "likely");
    assert!(finding.remedy.iter().all(|remedy| remedy.risk != "final"), "{:?}", finding.remedy);
}

/// A fence is told of the host that it hit, not of the one that wrote of it; its conflicts are its own work.
#[test]
fn a_fence_names_its_target_and_explains_the_conflicts_that_follow() {
    for (name, target) in [("fenced-by-registration", "ha-8"), ("near-reservation-after-a-fence", "ha-6")] {
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let finding = &report.incidents[0];
        assert!(finding.hosts.contains(&target.to_owned()), "{name}: {:?}", finding.hosts);
        assert!(finding.because.starts_with(&format!("{target} was fenced")), "{name}: {}", finding.because);
        assert_eq!(report.incidents.len(), 1, "{name}: the conflict is no incident of its own");
        assert!(finding.considered.iter().any(|other| other.cause == "reservation"), "{name}");
    }
}

/// The array said that the LUN is gone: whoever reads the page replaces no optic.
#[test]
fn a_lun_that_is_gone_has_words_and_remedies_of_its_own() {
    for name in ["near-path-fault-unmapped-lun", "near-path-fault-unmapped-lun-linux"] {
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let finding = &report.incidents[0];
        assert_eq!((finding.cause.as_str(), finding.layer.as_str()), ("cannot-tell", "array"), "{name}");
        let advice: String = finding.remedy.iter().map(|remedy| remedy.text.as_str()).collect();
        assert!(advice.contains("unmapped") && !advice.contains("optic"), "{name}: {advice}");
        let page = oarlock_doctor::report::terminal::Page { width: 100, colours: false }.report(&report);
        assert!(page.contains("The array says that the LUN is not there any more"), "{name}: {page}");
    }
}

/// Two cases of its own for each cause, and one that resembles it.
#[test]
fn every_cause_has_two_cases_of_its_own() {
    for cause in oarlock_causes::Cause::ALL {
        let own =
            cases().iter().filter(|(name, said)| said == cause.name() && !name.starts_with("near-")).count();
        assert!(own >= 2, "{}: {own} case(s)", cause.name());
    }
}

/// Lines that are cut at any place, joined without newlines, or have Windows' line ends never make it fall.
#[test]
fn mangled_lines_never_make_it_fall() {
    for (name, _) in cases() {
        let log = text(&format!("{name}.log"));
        for cut in (0..log.len()).step_by(37) {
            judge(&name, &log.as_bytes()[cut..]);
        }
        judge(&name, log.replace('\n', "").as_bytes());
        let curly = log.replace('"', "”").replace("0x", "0×");
        judge(&name, curly.as_bytes());
    }
}

#[test]
fn what_the_wild_does_to_a_line_does_not_change_the_cause() {
    for (name, expected) in cases() {
        let log = text(&format!("{name}.log"));
        let windows = log.replace('\n', "\r\n");
        assert_eq!(first_cause(&judge(&name, windows.as_bytes())), expected, "{name} with CRLF");
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(log.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(first_cause(&judge(&name, &wide)), expected, "{name} in UTF-16");
        let curly = log.replace("\" ", "” ").replace(" \"", " “").replace("0x", "0×");
        assert_eq!(first_cause(&judge(&name, curly.as_bytes())), expected, "{name} from a web page");
    }
}

/// Whoever owns an array of a family with a published fault is not told by that alone what happened, and least of all that all is well.
#[test]
fn a_family_with_a_published_fault_is_something_to_check_and_no_cause() {
    for name in ["near-known-advisory-family", "near-known-advisory-family-miscompare"] {
        let report = judge(name, text(&format!("{name}.log")).as_bytes());
        let finding = &report.incidents[0];
        assert_eq!(finding.cause, "cannot-tell", "{name}");
        assert!(finding.considered.iter().any(|other| other.cause == "known-advisory"), "{name}");
        assert!(finding.collect_next.iter().any(|step| step.contains("published fault")), "{name}");
        let page = oarlock_doctor::report::terminal::Page { width: 100, colours: false }.report(&report);
        assert!(!page.contains("Data is not at risk"), "{name}: {page}");
    }
}

/// The remedies and the headline of a case's first finding, as one text.
fn told(name: &str) -> (oarlock_doctor::Finding, String) {
    let report = judge(name, text(&format!("{name}.log")).as_bytes());
    let page = oarlock_doctor::report::terminal::Page { width: 400, colours: false }.report(&report);
    (report.incidents[0].clone(), page)
}

/// The medium fails first; that its volume is damaged follows, and is one finding however often it is said.
#[test]
fn a_damaged_volume_on_a_failing_boot_medium_is_the_mediums_fault() {
    let (finding, page) = told("device-fault-boot-medium");
    let report = judge("b", text("device-fault-boot-medium.log").as_bytes());
    assert_eq!(report.incidents.len(), 1, "{:?}", report.incidents);
    assert_eq!(finding.also, ["corrupt-block"]);
    assert!(finding.devices.contains(&"mpx.vmhba33:C0:T0:L0".to_owned()), "{:?}", finding.devices);
    assert!(page.contains("Data is at risk") && page.contains("boot medium"), "{page}");
    assert!(!page.contains("heartbeat region"), "{page}");
}

/// What is damaged is called by its name: no heartbeat region is repaired for a lock or for records of space.
#[test]
fn a_damaged_record_has_the_remedy_of_its_kind() {
    for (name, words) in
        [("corrupt-block-lock", "lock record"), ("corrupt-block-resource-cluster", "resource cluster")]
    {
        let (finding, page) = told(name);
        assert!(page.contains(words) && page.contains("voma"), "{name}: {page}");
        let remedies: String = finding.remedy.iter().map(|remedy| remedy.text.as_str()).collect();
        assert!(!remedies.contains("heartbeat"), "{name}: {remedies}");
        assert_eq!(judge(name, text(&format!("{name}.log")).as_bytes()).incidents.len(), 1, "{name}");
    }
}

/// A fence that failed is the one that leaves two writers; one that a person ordered had no late lease before it.
#[test]
fn a_fence_is_told_by_its_result_and_by_who_ordered_it() {
    let (finding, page) = told("excerpt-fence-failed");
    assert!(page.contains("could not be fenced"), "{page}");
    assert_eq!(finding.hosts, ["dune-2"]);
    let (finding, _) = told("fenced-after-a-failed-try");
    assert!(finding.because.starts_with("dune-3 was fenced by the cluster"), "{}", finding.because);
    let (finding, _) = told("fenced-by-order");
    assert!(finding.because.contains("ordered it"), "{}", finding.because);
    let (_, page) = told("fenced-other-owner");
    assert!(page.contains("Another host stands in this host's record"), "{page}");
}

/// Nobody replaces an optic for a connection over a network, and a queue that was full is named although the device was slow too.
#[test]
fn remedies_fit_the_transport_and_what_refused_the_test() {
    let (finding, _) = told("path-fault-iscsi-session");
    let remedies: String = finding.remedy.iter().map(|remedy| remedy.text.as_str()).collect();
    assert!(remedies.contains("target's log") && !remedies.contains("optic"), "{remedies}");
    let (finding, _) = told("queue-depth-test-refused");
    assert_eq!(finding.also, ["slow-storage"]);
    // One that was refused is sent again: the answers that come late stand for themselves.
    let once = text("queue-depth-test-refused.log").lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(first_cause(&judge("once", once.as_bytes())), "slow-storage");
}

/// A file is held by whoever has it open: the report names the card of that host.
#[test]
fn a_lock_of_a_file_tells_its_owners_card_and_how_to_close_it() {
    let (finding, _) = told("contention-file-lock");
    assert!(finding.because.contains("MAC address"), "{}", finding.because);
    assert!(finding.remedy[0].text.contains("vmkfstools -D"), "{:?}", finding.remedy);
}

/// The first line is wrapped as all others are.
#[test]
fn no_word_of_the_first_line_goes_beyond_a_narrow_terminal() {
    let report = judge("b", text("fenced-by-order.log").as_bytes());
    let page = oarlock_doctor::report::terminal::Page { width: 40, colours: false }.report(&report);
    let first: Vec<&str> = page.lines().take(2).collect();
    assert!(first.iter().all(|line| line.chars().count() <= 40), "{first:?}");
}

/// The form of Linux before 2.6.25 or so is decoded byte by byte.
#[test]
fn a_return_code_of_four_bytes_is_explained() {
    for (line, word) in [
        ("sd 3:0:1:42: SCSI error: return code = 0x060d0000", "TIME-OUT"),
        ("SCSI error : <3 0 1 42> return code = 0x10000", "host 0x01"),
    ] {
        let explanation = oarlock_doctor::explain(line);
        let field = explanation.fields.iter().find(|field| field.name == "return code");
        assert!(field.is_some_and(|field| field.meaning.contains(word)), "{line}: {explanation:?}");
    }
}

/// The first steps are those of the case: not a host's queue for a device's, no silent host for an order, no 0x89 for a lease.
#[test]
fn what_to_do_first_fits_the_case() {
    let (finding, page) = told("queue-depth-test-refused");
    assert!(page.contains("The device's own queue was full"), "{page}");
    assert!(!finding.remedy[0].text.contains("Raise"), "{:?}", finding.remedy);
    let (finding, _) = told("fenced-by-order");
    assert!(finding.remedy[0].text.starts_with("Ask who"), "{:?}", finding.remedy);
    let (finding, _) = told("excerpt-lvm-deactivate");
    assert!(!finding.collect_next.join(" ").contains("0x89"), "{:?}", finding.collect_next);
    let (finding, page) = told("excerpt-fence-failed");
    let now = page.split("What to do now").nth(1).unwrap_or_default();
    let first = now.lines().nth(1).unwrap_or_default();
    assert!(first.contains(&finding.remedy[0].text), "the remedy comes first: {first}");
}
