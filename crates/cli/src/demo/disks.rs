//! A disk and its guest: an image goes in, the disk's host is killed in mid-write, and another serves every flushed byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use oarlock_image::Address;
use rustix::process::Signal;

use super::guest::Guest;
use super::plot::Plot;
use super::stage::{LIMIT, Stage, Trouble, ensure, milliseconds};

/// The guest writes one block at each of so many places of the disk.
const PLACES: usize = 64;
/// From one place to the next: the whole disk has 8 MiB.
const STRIDE: u64 = 128 << 10;
const BLOCK: usize = 4096;
/// The places whose surroundings have data in the image; the rest of it is a hole.
const IMAGE_PLACES: usize = 16;
/// The guest flushes after so many writes.
const WRITES_A_FLUSH: usize = 16;
/// The host is killed once so many flushes were answered.
const FLUSHES_MIN: usize = 40;
/// A guest whose host is never killed ends after so many rounds.
const ROUNDS_MAX: u32 = 100_000;

/// The bytes of a place in one of the guest's rounds; round 0 is the image's.
fn content(round: u32, place: usize) -> Vec<u8> {
    if round == 0 && place >= IMAGE_PLACES {
        return vec![0; BLOCK];
    }
    let words = (0..BLOCK / 8).map(|word| {
        let seed = (u64::from(round) << 32) | ((place as u64) << 16) | word as u64;
        // An odd factor: different words stay different.
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
    });
    words.flatten().collect()
}

fn offset(place: usize) -> u64 {
    place as u64 * STRIDE
}

/// What the guest did until its host was killed.
struct Written {
    /// The last round that was sent to each place.
    sent: [u32; PLACES],
    /// The last round of each place that a flush had covered when it was answered.
    flushed: [u32; PLACES],
    flushes: usize,
    writes: usize,
}

type Shared = Arc<Mutex<Written>>;

fn look(written: &Shared) -> MutexGuard<'_, Written> {
    written.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes round after round, until the host is gone.
fn write_on(guest: &mut Guest, written: &Shared) -> io::Result<()> {
    for round in 1..=ROUNDS_MAX {
        for place in 0..PLACES {
            look(written).sent[place] = round;
            guest.write(offset(place), &content(round, place))?;
            look(written).writes += 1;
            if (place + 1) % WRITES_A_FLUSH == 0 {
                guest.flush()?;
                let mut written = look(written);
                // One request at a time: all that was sent is answered.
                written.flushed = written.sent;
                written.flushes += 1;
            }
        }
    }
    Ok(())
}

/// Has `host` serve the disk.
fn served(stage: &mut Stage, host: &str) -> Result<Address, Trouble> {
    let attached = stage.ask_json(&["disk", "attach", "vm", "--host", host, "--json"])?;
    let uri = attached["uri"].as_str().unwrap_or_default();
    stage.tell(&format!("{host}: serves `vm` at {}", uri.replace(&stage.folder_text(), "...")));
    Address::of_uri(uri).map_err(|error| Trouble::Broken(error.to_string()))
}

/// An image becomes a disk; gives its bytes.
fn import(stage: &mut Stage) -> Result<Vec<u8>, Trouble> {
    let image = File::create_new(stage.path("image.raw"))?;
    image.set_len(PLACES as u64 * STRIDE)?;
    for place in 0..IMAGE_PLACES {
        image.write_all_at(&content(0, place), offset(place))?;
    }
    let made = stage.ask_json(&["disk", "import", "image.raw", "vm", "--host", "c", "--json"])?;
    stage.tell("c: oarlock disk import image.raw vm; oarlock disk snapshot vm@image");
    ensure(made["size"] == PLACES as u64 * STRIDE, || format!("another disk was made: {made}"))?;
    stage.ask(&["disk", "snapshot", "vm@image", "--host", "c"])?;
    Ok(std::fs::read(stage.path("image.raw"))?)
}

/// Each place shows what was flushed, or what was sent after.
fn compare(guest: &mut Guest, written: &Written) -> Result<(), Trouble> {
    for place in 0..PLACES {
        let found = guest.read(offset(place), BLOCK)?;
        let (flushed, sent) = (written.flushed[place], written.sent[place]);
        let is_right = (flushed..=sent).any(|round| found == content(round, place));
        ensure(is_right, || {
            format!(
                "place {place} has none of the rounds {flushed}, which was flushed, to {sent}, which was sent"
            )
        })?;
    }
    Ok(())
}

/// Starts the guest on a thread of its own.
fn start(address: &Address, written: &Shared) -> Result<JoinHandle<io::Result<()>>, Trouble> {
    let (mut guest, writes) = (Guest::at(address)?, Arc::clone(written));
    let thread = std::thread::Builder::new().name("oarlock-guest".to_owned());
    Ok(thread.spawn(move || write_on(&mut guest, &writes))?)
}

/// The image goes in, c is killed under its guest, and a goes on.
pub fn killed(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    let image = import(stage)?;
    let address = served(stage, "c")?;
    let written = Written { sent: [0; PLACES], flushed: [0; PLACES], flushes: 0, writes: 0 };
    let written = Arc::new(Mutex::new(written));
    let guest = start(&address, &written)?;
    stage.tell(&format!(
        "a guest writes at {PLACES} places, again and again, and flushes each {WRITES_A_FLUSH} writes"
    ));
    stage.wait("some flushes", LIMIT, |_| {
        Ok((guest.is_finished() || look(&written).flushes >= FLUSHES_MIN).then_some(()))
    })?;
    let begin = Instant::now();
    stage.cast.signal(plot.host("c")?, Signal::KILL);
    plot.gone("c");
    stage.wait("the guest's connection ends", LIMIT, |_| Ok(guest.is_finished().then_some(())))?;
    let ended = guest.join().map_err(|_| Trouble::Broken("the guest's thread died".to_owned()))?;
    // Its thread is gone, and all that it knew is here.
    let written = Arc::into_inner(written).map(Mutex::into_inner);
    let Some(Ok(written)) = written else {
        return Err(Trouble::Broken("the guest's thread died".to_owned()));
    };
    let Written { writes, flushes, .. } = written;
    ensure(ended.is_err() && flushes >= FLUSHES_MIN, || format!("the guest ended by itself: {ended:?}"))?;
    stage.tell(&format!("c: SIGKILL, in mid-write; {writes} writes and {flushes} flushes were answered"));
    let mut guest = Guest::at(&served(stage, "a")?)?;
    compare(&mut guest, &written)?;
    let ms = milliseconds(begin.elapsed());
    stage.tell("a: every place has what was flushed, or what was sent after");
    guest.write(0, &content(ROUNDS_MAX, 0))?;
    guest.flush()?;
    stage.ask(&["disk", "export", "vm@image", "back.raw", "--host", "a"])?;
    stage.tell("a: oarlock disk export vm@image back.raw");
    ensure(std::fs::read(stage.path("back.raw"))? == image, || {
        "the snapshot of the image shows something else".to_owned()
    })?;
    stage.ask(&["disk", "detach", "vm", "--host", "a"])?;
    Ok(format!(
        "a served every flushed byte {ms} ms after the kill; the snapshot still shows the image as it went in"
    ))
}
