//! The rate of bare 4 KiB commands on a data ring: what an export can have at most. `benches/data_ring.sh` holds it
//! against fio on the same file.
//!
//! `data_ring FILE read|write DEPTH SECONDS`: random blocks, DEPTH always in flight. Writes destroy what is in FILE.
//! Prints a line of JSON: commands a second, and the microseconds of processor time that this thread took for each.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use oarlock_block::{ByteCount, Random};
use oarlock_device::{Completed, Completion, DataBuffer, DataRing, FileDevice, OpenOptions, OsRandom, Token};
use rustix::time::{ClockId, clock_gettime};

/// What each command moves.
const PIECE: usize = 4096;

/// No turn waits for longer; a disk that answers nothing for so long ends the measurement.
const TURN_MAX: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, verb, depth, seconds] = arguments.as_slice() else {
        return Err("usage: data_ring FILE read|write DEPTH SECONDS".into());
    };
    let writes = match verb.as_str() {
        "read" => false,
        "write" => true,
        other => return Err(format!("{other:?} is neither read nor write").into()),
    };
    let options = OpenOptions { read_only: !writes, ..OpenOptions::default() };
    let device = FileDevice::open(Path::new(file), options)?;
    let mut load = Load::new(&device, depth.parse()?, writes)?;
    let (rate, processor_us) = load.run(Duration::from_secs_f64(seconds.parse()?))?;
    println!(r#"{{"iops": {rate:.0}, "cpu_us": {processor_us:.3}}}"#);
    Ok(())
}

struct Load {
    ring: DataRing,
    buffers: Vec<DataBuffer>,
    pieces: u64,
    writes: bool,
    random: u64,
}

impl Load {
    fn new(device: &FileDevice, depth: usize, writes: bool) -> Result<Load, Box<dyn Error>> {
        let ring = DataRing::new(device, depth)?;
        let mut buffers = (0..depth).map(|_| ring.buffer(PIECE)).collect::<Result<Vec<_>, _>>()?;
        // What is below may treat zeros differently from data.
        for words in buffers.iter_mut().flat_map(|buffer| buffer.bytes().chunks_exact_mut(8)) {
            words.copy_from_slice(&OsRandom.bits().to_le_bytes());
        }
        let ByteCount(size) = ring.geometry().size();
        let pieces = size / PIECE as u64;
        if pieces == 0 {
            return Err("the file is shorter than one command".into());
        }
        Ok(Load { ring, buffers, pieces, writes, random: 0x9e37_79b9_7f4a_7c15 })
    }

    fn run(&mut self, length: Duration) -> Result<(f64, f64), Box<dyn Error>> {
        for place in 0..self.buffers.len() {
            self.ask(place)?;
        }
        let (start, processor) = (Instant::now(), processor_time());
        let (mut done, mut completions) = (0_u64, Vec::<Completion>::new());
        while start.elapsed() < length {
            self.ring.turn(Some(TURN_MAX), &mut completions)?;
            for Completion { token, outcome } in completions.drain(..) {
                let Completed::Device(outcome) = outcome else { continue };
                outcome?;
                done += 1;
                self.ask(usize::try_from(token.0)?)?;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate to be printed")]
        let commands = done as f64;
        let processor_us = (processor_time() - processor).as_secs_f64() * 1e6 / commands;
        Ok((commands / start.elapsed().as_secs_f64(), processor_us))
    }

    fn ask(&mut self, place: usize) -> Result<(), Box<dyn Error>> {
        // xorshift64: any sequence that meets all of the file will do.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let at_byte = self.random % self.pieces * PIECE as u64;
        let (token, buffer) = (Token(place as u64), &self.buffers[place]);
        if self.writes {
            self.ring.write(token, buffer, 0..PIECE, at_byte)?;
        } else {
            self.ring.read(token, buffer, 0..PIECE, at_byte)?;
        }
        Ok(())
    }
}

/// The processor time of this thread so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
