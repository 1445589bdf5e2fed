//! What people have: bundles, compressed logs, hostile archives; read as streams, and bounded.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use oarlock_doctor::{Doctor, Report};

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
fn names_that_lead_elsewhere_are_only_names() {
    let tar = member("../../../../etc/cron.d/x", CONFLICT.as_bytes());
    let report = judge("b.tar", &mut tar.as_slice());
    assert_eq!(report.incidents[0].cause, "reservation");
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
    for _ in 0..8 {
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
                "2026-07-07T07:00:00.000Z cpu1:2)ScsiDeviceIO: 1: Cmd(0x4) 0x89, CmdSN 0x1 from world 2 to dev \"naa.60{device:030}\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0xe 0x1d 0x0.\n"
            )
        })
        .collect();
    let report = judge("x.log", &mut log.as_bytes());
    assert_eq!((report.incidents.len(), report.incidents_unjudged), (500, 200));
}
