//! No original survives, the same becomes the same, and the proof stays.

use super::*;
use crate::doctor::Doctor;
use crate::report::html;
use crate::report::terminal::Page;

const LOG: &str = "\
2026-05-03T01:10:02.120Z In(182) vmkernel: cpu3:2097152)NMP: nmp_ThrottleLogForDevice:3867: Cmd 0x89 (0x45b8c1d2e3f0, 2097170) to dev \"naa.600a0b80005ad1d7000002a1deadbeef\" on path \"vmhba7:C0:T3:L9\" Failed: H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0. Act:EVAL
2026-05-03T01:10:03.410Z In(182) vmkernel: cpu3:2097152)ScsiDeviceIO: 4124: Cmd(0x45b8c1d2e3f0) 0x89, CmdSN 0x2f1c from world 2097170 to dev \"naa.600a0b80005ad1d7000002a1deadbeef\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0
2026-05-03T01:10:04.000Z In(182) vmkernel: cpu3:2097152)HBX: 258: Reclaimed heartbeat for volume 63f1c0aa-5d2e8a10-77b1-0025b5aa00f1 (Finance-Gold): [Timeout] Offset 3407872
";

fn report() -> Report {
    let mut doctor = Doctor::new().redacting(true).showing_strangers(true);
    doctor.read("tickets/kestrel04-vmkernel.log", &mut LOG.as_bytes(), &mut |_| {});
    doctor.judge()
}

const ORIGINALS: [&str; 8] = [
    "600a0b80005ad1d7",
    "vmhba7",
    "63f1c0aa",
    "0025b5aa00f1",
    "finance-gold",
    "kestrel04",
    "tickets",
    "naa.",
];

#[test]
fn no_original_survives_in_any_form_of_the_report() {
    let report = report();
    assert!(!report.incidents.is_empty());
    let terminal = Page { width: 4_000, colours: false }.report(&report);
    let json = serde_json::to_string(&report).unwrap();
    for form in [terminal, json, html::page(&report)] {
        let form = form.to_lowercase();
        for original in ORIGINALS {
            assert!(!form.contains(original), "{original} is still there: {form}");
        }
        assert!(form.contains("0x89") && form.contains("d:0x2") && form.contains("0xe 0x1d 0x0"), "{form}");
    }
}

#[test]
fn the_same_becomes_the_same_in_lines_and_in_lists() {
    let report = report();
    let finding = &report.incidents[0];
    let device = finding.device.clone().unwrap();
    assert!(device.starts_with("device-"), "{device}");
    assert!(finding.evidence.iter().any(|line| line.text.contains(&device)), "{:?}", finding.evidence);
    assert!(report.chronicle.tracks().iter().any(|track| track.subject.as_ref() == Some(&device)));
    assert!(finding.evidence.iter().all(|line| line.file == "vmkernel-1"));
}

fn redactor(names: &[(&str, Sort)]) -> Redactor {
    let known: Vec<(String, Sort)> = names.iter().map(|(name, sort)| ((*name).to_owned(), *sort)).collect();
    Redactor {
        finder: AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(known.iter().map(|(name, _)| name))
            .ok(),
        sorts: known.iter().cloned().collect(),
        known,
        versions: HashSet::from(["10.0.10.1".to_owned()]),
        given: HashMap::new(),
        counts: HashMap::new(),
    }
}

#[test]
fn what_looks_like_a_name_goes_and_what_is_proof_stays() {
    let cases = [
        (
            "login to 10.3.7.19:3260 from iqn.2019-04.org.example:db1 lost",
            "login to address-1:3260 from device-1 lost",
        ),
        ("lpfc 10.0.10.1 firmware version: 4.1.402.20", "lpfc 10.0.10.1 firmware version: 4.1.402.20"),
        ("WWPN 50:06:01:60:3c:e0:11:22 at fe80::1:2", "WWPN address-1 at address-2"),
        ("rport 0x500601603ce01122 mac 00:25:b5:aa:00:01", "rport id-1 mac address-1"),
        ("open /vmfs/volumes/gold/web7/web7.vmdk: busy", "open file-1: busy"),
        ("sense 6/29/07, H/D/P, read/write", "sense 6/29/07, H/D/P, read/write"),
        ("mail root@db.example.org on nas3.lab.example.org", "mail name-1 on host-1"),
        ("[esx.problem.vmfs.heartbeat.timedout] 20:49:12", "[esx.problem.vmfs.heartbeat.timedout] 20:49:12"),
        ("lock on 'web7.vmdk' (reboot) 'reboot'", "lock on 'name-1' (reboot) 'reboot'"),
        ("volume Gold_7 is full, volume is full", "volume name-1 is full, volume is full"),
        ("4f72aa10-1b2c3d4e-99aa-0025b5aa00f1 (Gold Two) x", "id-1 (volume-1) x"),
        ("uuid 4f72aa10-1b2c3d4e-99", "uuid id-1"),
        ("99aa-0025b5aa00f1 jrnl", "id-1 jrnl"),
    ];
    for (line, wanted) in cases {
        assert_eq!(redactor(&[]).text(line, Author::Log), wanted);
    }
}

#[test]
fn a_known_name_goes_in_either_case_and_glued_to_signs_but_not_inside_of_words() {
    let mut redactor = redactor(&[("esx04", Sort::Host), ("sdc", Sort::Device), ("vol", Sort::Volume)]);
    let text = redactor.text("ESX04_a sdc1 [sdc] esx045 volumes vol", Author::Log);
    assert_eq!(text, "host-1_a device-11 [device-1] esx045 volumes volume-1");
}

#[test]
fn one_id_in_several_spellings_is_one() {
    let mut redactor = redactor(&[]);
    let text = "naa.600a0b80005ad1d7000002a1deadbeef 3600a0b80005ad1d7000002a1deadbeef 600A0B80005AD1D7000002A1DEADBEEF";
    let replaced = redactor.text(text, Author::Log);
    let mut words = replaced.split(' ');
    let first = words.next().unwrap();
    assert!(words.all(|word| word == first), "{replaced}");
}

#[test]
fn sentences_of_the_doctor_keep_their_words_and_lose_the_names() {
    let mut redactor = redactor(&[("esx04", Sort::Host)]);
    let text =
        redactor.text("On esx04: `vmkfstools -L readkeys /vmfs/devices/disks/DEVICE`, vol X", Author::Doctor);
    assert_eq!(text, "On host-1: `vmkfstools -L readkeys /vmfs/devices/disks/DEVICE`, vol X");
}

#[test]
fn a_replacement_is_never_somebodys_real_name() {
    let mut redactor = redactor(&[("host-1", Sort::Host), ("zeta", Sort::Host)]);
    assert_eq!(redactor.text("zeta and host-1", Author::Log), "host-2 and host-3");
}

#[test]
fn a_name_that_the_end_of_the_quote_cuts_goes_too() {
    let line = format!("{} /vmfs/vol kestr", "x ".repeat(193));
    let replaced = redactor(&[]).text(&line, Author::Log);
    assert!(!replaced.contains("kestr"), "{replaced}");
}

#[test]
fn no_line_makes_it_fall_wherever_it_is_cut() {
    let mut redactor = redactor(&[("é", Sort::Host), ("naa.6", Sort::Device)]);
    let line =
        "é\"naa.6é\" 'ü/7' 4f72aa10-1b2c3d4e-99aa-0025b5aa00f1 (ö) 10.1.2.3. ::1 a@b 0x0123456789abcdef0é";
    for (end, _) in line.char_indices() {
        for (start, _) in line.char_indices().take_while(|(start, _)| *start <= end) {
            let _ = redactor.text(&line[start..end], Author::Log);
        }
    }
}

#[test]
fn what_could_not_be_read_is_told_without_its_name() {
    let mut doctor = Doctor::new().redacting(true);
    doctor.read("kestrel/merlin-logs.zip", &mut &b"PK\x03\x04"[..], &mut |_| {});
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    doctor.problem(&crate::DoctorError::Read { input: "kestrel: x/a: b".to_owned(), source });
    let (archive, member) = ("kestrel.tgz".to_owned(), "../merlin".to_owned());
    doctor.problem(&crate::DoctorError::Refused { archive, member, why: "a path" });
    doctor.read("kestrel.core", &mut &[1_u8, 0, 0, 0].repeat(9)[..], &mut |_| {});
    doctor.pass_link("kestrel/merlin");
    let report = doctor.judge();
    let told = serde_json::to_string(&(&report.problems, &report.passed_over)).unwrap();
    assert!(!told.contains("kestrel") && !told.contains("merlin"), "{told}");
    assert!(told.contains("is a zip archive") && told.contains("permission denied"), "{told}");
}

/// Lines as bundles hold them: each names somebody or something that must not survive, however it is written.
#[test]
fn nothing_that_a_bundle_names_survives() {
    let cases: [(&str, &[&str], &str); 40] = [
        ("serial number: CZ3456789A of the disk", &["CZ3456789A"], "serial number"),
        ("Serial No. CZ3456789A, S/N: CZ3456789A", &["S/N: CZ34"], "Serial"),
        ("sn=CZ3456789A", &["CZ3456789A"], "sn="),
        ("auth: no secret for client.kimball, mon.kestrel", &["kimball", "kestrel"], "no secret for"),
        ("GET https://merlin/x?user=alexander&k=1 failed", &["merlin", "alexander"], "failed"),
        ("mac 00-25-b5-aa-00-01 and 0025.b5aa.0001 and 0025b5aa0001", &["00-25", "b5aa"], "mac "),
        ("rport fc.20000025b5aa0001:20000025b5bb0001 lost", &["25b5aa", "25b5bb"], "lost"),
        ("wwpn 50-06-01-60-3c-e0-11-22, x500601603ce01122", &["50-06", "3ce01122"], "wwpn"),
        ("portal [2001:db8::7]:3260 and 2001:db8:0:0:1:2:3:4%vmk1", &["2001:", "db8"], "portal"),
        ("node ip-10-3-7-19 is gone", &["10-3-7"], "is gone"),
        (
            "/dev/disk/by-path/ip-10.3.7.19:3260-iscsi-iqn.2019-04.org.example:merlin-lun-1",
            &["10.3.7", "merlin"],
            "",
        ),
        ("from iqn.1998-01.com.vmware:merlin-4f2a lost", &["merlin"], "lost"),
        ("login of EXAMPLE\\alexander denied", &["alexander", "EXAMPLE"], "denied"),
        ("opened C:\\Users\\alexander\\x", &["alexander"], "opened"),
        ("user=alexander opID=3f", &["alexander"], "opID"),
        ("session for user alexander closed", &["alexander"], "closed"),
        ("in user space", &[], "in user space"),
        ("username: alexander", &["alexander"], "username"),
        ("password=hunter2 secret: swordfish", &["hunter2", "swordfish"], "secret"),
        ("key = AQDz3kNdV2hyLBAAxM1Qw7b4Zk9pT5uYc8eRfg==", &["AQDz3kNd", "Zk9pT5"], "key"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6 given", &["eyJhbGci"], "given"),
        ("licence M0123-4N567-08900-0123A-45678 expired", &["4N567", "0123A"], "expired"),
        (
            "open '/vmfs/volumes/gold/Web Server 01/Web Server 01.vmdk' failed",
            &["Web", "Server", "gold"],
            "failed",
        ),
        (
            "open /vmfs/volumes/gold/Web Server 01/Web Server 01-flat.vmdk: busy",
            &["Web", "Server", "gold"],
            "busy",
        ),
        ("file [My Gold] Web Server 01/Web Server 01.vmx locked", &["My Gold", "Web", "Server"], "locked"),
        ("VM 'Web Server 01' on datastore 'My Gold' hangs", &["Web", "Server", "Gold"], "hangs"),
        ("displayName = \"Web Server 01\"", &["Web", "Server"], "displayName"),
        (
            "vim.VirtualMachine:vm-1234 on host-28, domain-c7, datastore-11",
            &["vm-1234", "host-28", "c7", "re-11"],
            " on ",
        ),
        ("lock of /home/alexander/x and ~alexander/y", &["alexander"], "lock of"),
        (
            "Operation 'off' targeting merlin on kestrel for pacemaker-controld.17@kestrel: OK",
            &["merlin", "kestrel"],
            "OK",
        ),
        ("Host merlin07 is not responding", &["merlin07"], "not responding"),
        ("lost esx07.lab and merlin.corp:443", &["esx07", "merlin"], "lost"),
        ("mail alexander@example.org", &["alexander", "example"], "mail"),
        ("image rbd/merlin-7 in pool Kestrel_1", &["merlin", "Kestrel"], "in pool"),
        ("uuid 4c4c4544-0043-3510-8052-b9c04f564e31", &["4c4c4544", "b9c04f"], "uuid"),
        ("uuid 52e1d1b4aa0143c08d0211bc23f4a1d2", &["52e1d1b4"], "uuid"),
        ("host=merlin", &["merlin"], "host="),
        ("hostname: merlin", &["merlin"], "hostname"),
        ("is being marked \"OFFLINE\"", &[], "OFFLINE"),
        ("Host status H:0x5 D:0x2 host H:0x5", &[], "Host status H:0x5 D:0x2 host H:0x5"),
    ];
    for (line, secrets, stays) in cases {
        let replaced = redactor(&[]).text(line, Author::Log);
        for secret in secrets {
            assert!(!replaced.contains(secret), "{secret} survives in {replaced:?} of {line:?}");
        }
        assert!(replaced.contains(stays), "{stays:?} is lost in {replaced:?}");
    }
}

/// Who fenced, an image with a group before it, and volumes of LVM, which may be words of a dictionary.
#[test]
fn names_that_only_their_place_gives_away_go() {
    let cases: [(&str, &[&str], &str); 7] = [
        ("Reservation conflict (dev W1_clu_merlin, initiator x)", &["merlin"], "Reservation conflict"),
        (
            "Operation 'off' targeting merlin by kestrel for pacemaker-controld.1@kestrel: OK",
            &["merlin", "kestrel"],
            "OK",
        ),
        (
            "handle_timedout_cmd:669 rbd/merlin.kestrel_img: Timing out cmd.",
            &["merlin", "kestrel"],
            "Timing out",
        ),
        ("a reply of rbd/merlin and of merlin/kestrel.img", &["merlin", "kestrel"], "a reply of"),
        (
            "lockspace lvm_merlin LV kestrel sanlock error storage",
            &["merlin", "kestrel"],
            "sanlock error storage",
        ),
        ("  VG merlin lock skipped: storage errors", &["merlin"], "lock skipped"),
        ("LV locked by other host: merlin/kestrel_7", &["merlin", "kestrel"], "LV locked by other host"),
    ];
    for (line, secrets, stays) in cases {
        let replaced = redactor(&[]).text(line, Author::Log);
        for secret in secrets {
            assert!(!replaced.contains(secret), "{secret} survives in {replaced:?} of {line:?}");
        }
        assert!(replaced.contains(stays), "{stays:?} is lost in {replaced:?}");
    }
}

/// What the doctor proves things by is no name, whatever it looks like.
#[test]
fn the_proof_stays_readable() {
    let lines = [
        "ScsiDeviceIO: 2651: Cmd(0x43be1974bb80) 0x89, CmdSN 0x1b from world 34 failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.",
        "NMP: nmp_ThrottleLogForDevice:3867: Cmd 0x2a (0x45b8c1d2e3f0, 2097170) Failed: H:0xb D:0x0 P:0x0",
        "Result: hostbyte=DID_SOFT_ERROR driverbyte=DRIVER_OK cmd_age=2s",
        "Compare(0x5) @ LBA 2048, 1 blocks, Compare Failure (sct 0x2 / sc 0x85) DNR",
        "ABORT_TASK: Found referenced iSCSI task_tag: 17",
        "s3 renewal error -202 delta_length 10 last_success 4711",
        "Sense Key : Miscompare [current]",
        "[HB state abcdef02 offset 3407872 gen 29 stampUS 105063 jrnl <FB 5> drv 14.61]",
        "lpfc 10.0.10.1 firmware version: 4.1.402.20",
        "switching pool to out-of-data-space (queue IO) mode",
        "VMW_SATP_ALUA_CX, VMW_PSP_RR, HppThrottleLogForDevice:1107",
    ];
    for line in lines {
        assert_eq!(redactor(&[]).text(line, Author::Log), line);
    }
}
