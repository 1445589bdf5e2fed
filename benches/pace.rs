//! The pace of the beats of every live host, as the disk shows it: slots are read from outside, by no host.
//!
//! `cargo run --release -p oarlock-format --example pace -- FILE [SECONDS]`
//!
//! A beat's record carries the time at which its host made it, on the machine's boot-time clock. So the distance from one
//! beat to the next is known exactly, whenever this program saw them; that it saw every one it knows by the generation,
//! which grows by one with each. How long after it was made a beat stood on the disk is known less well: by the
//! distance of two looks, a sixteenth of an interval, and the hundredth of a second of /proc/uptime. The plain file is read as any program reads it, without a lock, so that no beat is
//! kept waiting; a record that was read half written fails its checksum and is read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use oarlock_block::SlotIndex;
use oarlock_format::{Place, SlotRecord, SlotState, Stamped, Superblock, decode, decode_superblock};

/// Reads of a slot whose record does not check out.
const READS_MAX: u32 = 8;

/// What was seen of all hosts.
#[derive(Default)]
struct Pace {
    hosts: BTreeMap<u16, Seen>,
    /// From one beat's making to the next one's, in nanoseconds.
    distances: Vec<u64>,
    /// Beats between two looks of which nothing is known.
    missed: u64,
    /// From a beat's making to its first sight, in nanoseconds: the longest.
    age_max_ns: u64,
}

/// What was seen of one host.
struct Seen {
    incarnation: u64,
    generation: u64,
    clock_ns: u64,
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("usage: pace FILE [SECONDS]");
        std::process::exit(2);
    };
    let length = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let file = File::open(path)?;
    let superblock = superblock(&file)?;
    let beat = superblock.record.timing.beat;
    let end = Instant::now() + Duration::from_secs(length);
    let mut pace = Pace::default();
    while Instant::now() < end {
        look(&file, &superblock, &mut pace)?;
        std::thread::sleep(beat / 16);
    }
    pace.distances.sort_unstable();
    print(beat, &pace);
    Ok(())
}

fn superblock(file: &File) -> io::Result<Stamped<Superblock>> {
    let mut block = vec![0; 512];
    file.read_exact_at(&mut block, 0)?;
    decode_superblock(&block, oarlock_block::Lba(0)).map_err(io::Error::other)
}

fn look(file: &File, superblock: &Stamped<Superblock>, pace: &mut Pace) -> io::Result<()> {
    for slot in 0..superblock.record.slots {
        let record = read(file, superblock, slot)?;
        if record.record.state != SlotState::Live {
            continue;
        }
        let now = Seen {
            incarnation: record.record.incarnation.0,
            generation: record.stamp.generation.0,
            clock_ns: record.record.clock_ns,
        };
        match pace.hosts.get(&slot) {
            Some(before) if before.incarnation == now.incarnation => {
                match now.generation - before.generation {
                    0 => continue,
                    1 => pace.distances.push(now.clock_ns - before.clock_ns),
                    more => pace.missed += more - 1,
                }
                pace.age_max_ns = pace.age_max_ns.max(uptime_ns()?.saturating_sub(now.clock_ns));
            }
            _ => {}
        }
        pace.hosts.insert(slot, now);
    }
    Ok(())
}

/// The boot-time clock, to the hundredth of a second.
fn uptime_ns() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/uptime")?;
    let seconds = text.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    let uptime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let nanoseconds = uptime.and_then(|uptime| u64::try_from(uptime.as_nanos()).ok());
    nanoseconds.ok_or_else(|| io::Error::other("/proc/uptime does not tell the time since boot"))
}

fn read(file: &File, superblock: &Stamped<Superblock>, slot: u16) -> io::Result<Stamped<SlotRecord>> {
    let lba = superblock.record.layout.slot(SlotIndex(slot));
    let place = Place { format_id: superblock.stamp.format_id, lba };
    let mut block = vec![0; 512];
    for _ in 1..READS_MAX {
        file.read_exact_at(&mut block, lba.0 * 512)?;
        if let Ok(record) = decode(&block, &place) {
            return Ok(record);
        }
    }
    Err(io::Error::other(format!("the record of slot {slot} does not check out")))
}

fn print(beat: Duration, pace: &Pace) {
    let count = pace.distances.len();
    let late = |permille: usize| {
        let distance = pace.distances.get((count * permille / 1000).min(count.saturating_sub(1)));
        Duration::from_nanos(distance.copied().unwrap_or(0)).saturating_sub(beat).as_secs_f64() * 1e3
    };
    let half = u64::try_from((beat * 3 / 2).as_nanos()).unwrap_or(u64::MAX);
    println!(
        "{} hosts, {count} beats, {} seen too late to be measured; late against an interval of {} ms: \
         p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms; later than half an interval: {}; \
         on the disk, and seen there by looks {} ms apart, {} ms after it was made at the latest",
        pace.hosts.len(),
        pace.missed,
        beat.as_millis(),
        late(500),
        late(990),
        late(1000),
        pace.distances.iter().filter(|distance| **distance > half).count(),
        (beat / 16).as_millis(),
        Duration::from_nanos(pace.age_max_ns).as_millis(),
    );
}
