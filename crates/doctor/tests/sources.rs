//! What people have: bundles, compressed logs, hostile archives; read as streams, and bounded.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use oarlock_doctor::report::terminal::Page;
use oarlock_doctor::{Coverage, Doctor, PassedKind, Report};

const CONFLICT: &str = "2026-07-07T07:00:00.000Z cpu7:2055)ScsiDeviceIO: 1672: Command 0x2a to device \"naa.6000000000000000000000000000b001\" \
                        failed H:0x0 D:0x18 P:0x3 Possible sense data: 0x0 0x0 0x0.\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A member of a tar archive.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[156] = b'0';
    block[257..263].copy_from_slice(b"ustar\0");
    block[263..265].copy_from_slice(b"00");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = block.to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn judge(name: &str, input: &mut dyn Read) -> Report {
    let mut doctor = Doctor::new();
    doctor.read(name, input, &mut |_| {});
    doctor.judge()
}

#[test]
fn a_bundle_of_two_hosts_is_read_in_place_with_its_compressed_logs() {
    let mut tar = Vec::new();
    for host in ["one", "two"] {
        let folder = format!("esx-{host}.lab-2026-07-07--07.30-4711/var/run/log");
        tar.extend(member(&format!("{folder}/vmkernel.0.gz"), &gzip(CONFLICT.as_bytes())));
    }
    tar.extend([0; 1024]);
    let report = judge("bundle.tgz", &mut gzip(&tar).as_slice());
    assert_eq!((report.files, report.lines, report.problems.len()), (2, 2, 0));
    let finding = &report.incidents[0];
    assert_eq!((finding.cause.as_str(), finding.hosts.len()), ("reservation", 2));
    assert!(finding.evidence[0].file.starts_with("bundle.tgz!esx-one.lab-"), "{}", finding.evidence[0].file);
    assert_eq!(finding.evidence[0].line, 1);
}

#[test]
fn a_member_whose_name_leads_out_of_its_archive_is_refused_and_costs_no_other() {
    for name in ["../../../../etc/cron.d/x", "/etc/abs.log", "a/../../x"] {
        let mut tar = member(name, CONFLICT.as_bytes());
        tar.extend(member("a/sound.log", b"quiet\n"));
        let report = judge("b.tar", &mut tar.as_slice());
        assert_eq!((report.files, report.incidents.len()), (1, 0), "{name} was read");
        assert_eq!(report.coverage, Coverage::Part);
        assert!(
            report.problems[0].contains(name) && report.problems[0].contains("refused"),
            "{:?}",
            report.problems
        );
    }
}

#[test]
fn links_and_devices_of_an_archive_are_counted_and_a_name_steers_no_terminal() {
    let mut link = member("var/log/vmkernel.log", b"");
    link[156] = b'2';
    let mut device = member("dev/\x1b[2Jsda", b"");
    device[156] = b'4';
    for block in [&mut link, &mut device] {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    let tar = [link, device, member("a.log", CONFLICT.as_bytes())].concat();
    let report = judge("b.tar", &mut tar.as_slice());
    let told: Vec<String> = report.passed_over.iter().map(PassedKind::sentence).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("a link") && told[0].contains("b.tar!var/log/vmkernel.log"), "{told:?}");
    assert!(told[1].contains("a device") && !told[1].contains('\x1b'), "{told:?}");
    assert_eq!((report.coverage, report.incidents.len()), (Coverage::Whole, 1));
}

#[test]
fn what_cannot_be_read_is_never_called_healthy() {
    let zeros = vec![0; 4 << 20];
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("zeros.log", zeros.clone(), "zero bytes"),
        ("zeros.gz", gzip(&zeros), "zero bytes"),
        ("logs.zip", [b"PK\x03\x04".as_slice(), &[20, 0, 8, 8, 9]].concat(), "a zip archive"),
        ("old.log.xz", b"\xfd7zXZ\0\0\x04".to_vec(), "xz -dc"),
        ("old.log.zst", b"\x28\xb5\x2f\xfd\x04".to_vec(), "zstd -dc"),
        ("system.journal", b"LPKSHHRH\0\0\0\0".to_vec(), "journalctl --file"),
        ("cut.gz", gzip(CONFLICT.as_bytes())[..12].to_vec(), "cut.gz"),
        ("shot.png", b"\x89PNG\r\n\x1a\n".to_vec(), "as text"),
    ];
    for (name, bytes, said) in cases {
        let report = judge(name, &mut bytes.as_slice());
        assert_eq!(report.coverage, Coverage::Nothing, "{name}");
        assert!(report.problems[0].contains(said), "{:?}", report.problems);
        let page = Page { width: 100, colours: false }.report(&report);
        assert!(page.contains("Nothing could be read") && !page.contains("No incident"), "{page}");
        let with_a_log = [member(name, &bytes), member("quiet.log", b"quiet\n")].concat();
        let report = judge("b.tar", &mut with_a_log.as_slice());
        assert_eq!((report.coverage, report.lines), (Coverage::Part, 1), "{name}");
        let page = Page { width: 100, colours: false }.report(&report);
        assert!(page.contains("No incident was found in what could be read"), "{page}");
    }
    let core = judge("core", &mut [0x7f, b'E', b'L', b'F', 0, 0, 0, 0].repeat(99).as_slice());
    assert_eq!((core.coverage, core.passed_over[0].count), (Coverage::Nothing, 1));
    assert_eq!(Doctor::new().judge().coverage, Coverage::Nothing, "a folder without a file");
    assert_eq!(judge("empty.log", &mut io::empty()).coverage, Coverage::Whole, "an empty log was read");
}

#[test]
fn a_log_behind_zero_bytes_in_utf_16_or_before_padding_is_read() {
    let wide = |order: fn(u16) -> [u8; 2]| CONFLICT.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let cases = [
        ("a crash left room before it", [vec![0; 3 << 20], CONFLICT.as_bytes().to_vec()].concat()),
        ("UTF-16 of Windows without a mark", wide(u16::to_le_bytes)),
        ("the other order", wide(u16::to_be_bytes)),
        ("padding of a tape or a block device", [gzip(CONFLICT.as_bytes()), vec![0; 10_240]].concat()),
        ("two streams", [gzip(b"quiet\n"), gzip(CONFLICT.as_bytes())].concat()),
    ];
    for (what, bytes) in cases {
        let report = judge("x", &mut bytes.as_slice());
        assert_eq!(report.problems, Vec::<String>::new(), "{what}");
        assert_eq!((report.coverage, report.incidents.len()), (Coverage::Whole, 1), "{what}");
    }
    let trailing = [gzip(CONFLICT.as_bytes()), b"more".to_vec()].concat();
    let report = judge("x.gz", &mut trailing.as_slice());
    assert_eq!((report.coverage, report.incidents.len()), (Coverage::Part, 1));
}

#[test]
fn a_bomb_is_refused_and_said_so() {
    let bomb = gzip(&vec![b'\n'; 200 << 20]);
    let report = judge("b.gz", &mut bomb.as_slice());
    assert!(report.problems[0].contains("this is no log"), "{:?}", report.problems);
    assert!(report.lines < 100 << 20, "it was read to its end: {} lines", report.lines);
}

#[test]
fn archives_within_archives_end() {
    let mut bytes = CONFLICT.as_bytes().to_vec();
    for _ in 0..12 {
        bytes = gzip(&bytes);
    }
    let report = judge("b.gz", &mut bytes.as_slice());
    assert!(report.problems[0].contains("too many archives"), "{:?}", report.problems);
}

#[test]
fn a_stream_that_is_cut_short_gives_what_was_read() {
    let log = CONFLICT.repeat(2_000);
    let packed = gzip(log.as_bytes());
    let report = judge("b.gz", &mut &packed[..packed.len() - 20]);
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.incidents[0].cause, "reservation");
}

#[test]
fn a_collection_of_bundles_is_read_to_its_innermost_logs() {
    let mut collection = Vec::new();
    for host in ["one", "two"] {
        let mut bundle = member("var/log/vmkernel.0.gz", &gzip(CONFLICT.as_bytes()));
        bundle.extend(member("var/log/vmkernel.log", CONFLICT.as_bytes()));
        collection.extend(member(&format!("vc/{host}.tgz"), &gzip(&bundle)));
    }
    collection.extend(member("vc/plain.log", CONFLICT.as_bytes()));
    let report = judge("all.tgz", &mut gzip(&collection).as_slice());
    assert_eq!((report.files, report.problems.len()), (5, 0), "{:?}", report.problems);
}

#[test]
fn a_bad_member_costs_no_other_member() {
    let mut corrupt = gzip(CONFLICT.repeat(50).as_bytes());
    let middle = corrupt.len() / 2;
    corrupt[middle..].fill(0x5a);
    let mut deep = CONFLICT.as_bytes().to_vec();
    for _ in 0..12 {
        deep = gzip(&deep);
    }
    let bomb = gzip(&vec![b'\n'; 200 << 20]);
    for (bad, said) in [(corrupt, "a/bad.gz"), (deep, "too many archives"), (bomb, "this is no log")] {
        let mut tar = member("a/bad.gz", &bad);
        tar.extend(member("a/vmkernel.log", CONFLICT.as_bytes()));
        tar.extend([0; 1024]);
        for (name, bytes) in [("b.tar", tar.clone()), ("b.tgz", gzip(&tar))] {
            let report = judge(name, &mut bytes.as_slice());
            assert!(report.problems.iter().any(|problem| problem.contains(said)), "{:?}", report.problems);
            assert_eq!(report.incidents.len(), 1, "{name} with {said}: the sound member was lost");
        }
    }
}

#[test]
fn a_damaged_header_costs_one_member() {
    let mut tar = member("a/first.log", b"quiet\n");
    let mut second = member("a/second.log", b"quiet\n");
    second[0] ^= 1;
    tar.extend(second);
    tar.extend(member("a/third.log", CONFLICT.as_bytes()));
    let report = judge("b.tar", &mut tar.as_slice());
    assert_eq!((report.files, report.problems.len(), report.incidents.len()), (2, 1, 1));
}

/// A reader that gives a few bytes at a time, as pipes do.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.0.len()).min(977);
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn lines_are_numbered_and_counted_whatever_the_size_of_the_pieces() {
    let filler = "2026-07-07T06:00:00.000Z cpu1:2)Net: 1: a quiet line\n".repeat(60_000);
    let log = format!("{filler}{CONFLICT}{filler}{CONFLICT}");
    let report = judge("x.log", &mut Trickle(log.as_bytes()));
    assert_eq!((report.lines, report.understood), (120_002, 2));
    assert_eq!(report.incidents[0].evidence[0].line, 60_001);
    let whole = log.trim_end().to_owned();
    assert_eq!(judge("x.log", &mut whole.as_bytes()).lines, 120_002, "the last line needs no newline");
}

#[test]
fn a_line_without_end_and_a_binary_file_are_passed_over() {
    let endless = vec![b'a'; 40 << 20];
    assert!(judge("x", &mut endless.as_slice()).incidents.is_empty());
    let binary: Vec<u8> = (0..1 << 20).map(|at: u32| at.to_le_bytes()[0] & 1).collect();
    assert_eq!(judge("core", &mut binary.as_slice()).lines, 0);
}

#[test]
fn more_incidents_than_are_judged_are_counted() {
    let log: String = (0..700)
        .map(|device| {
            format!(
                "2026-07-07T07:00:00.000Z cpu1:2)ScsiDeviceIO: 1: Cmd(0x4) 0x89, CmdSN 0x1 from world 2 to dev \"naa.60{device:030}\" failed H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0.\n"
            )
        })
        .collect();
    let report = judge("x.log", &mut log.as_bytes());
    assert_eq!((report.incidents.len(), report.incidents_unjudged), (500, 200));
}

/// A saved page puts its first line right behind the element that begins the block: that line keeps its time.
#[test]
fn a_first_line_behind_the_element_that_begins_a_block_has_its_time() {
    let line = |second: u32, end: &str| {
        format!(
            "2026-08-09T10:00:{second:02}.000Z cpu7:2097900)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x89, CmdSN 0x1f from world 2097 to dev \"naa.600a0980b1aa00000000000000000001\" failed {end}"
        )
    };
    let page = format!(
        "<html><body><p>Tonight:</p><pre>{}\n{}\n</pre></body></html>\n",
        line(1, "H:0x5 D:0x0 P:0x0 Possible sense data: 0x0 0x0 0x0"),
        line(2, "H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0")
    );
    let mut doctor = Doctor::new();
    doctor.read("page.html", &mut page.as_bytes(), &mut |_| {});
    let report = doctor.judge();
    let found: Vec<_> = report.incidents.iter().map(|found| (&*found.cause, &*found.confidence)).collect();
    assert_eq!(found, [("delayed-own-write", "likely")]);
}
