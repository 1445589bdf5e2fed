//! Many hosts that want one lock all the time: how often it changes hands, and how long a waiter waits.
//!
//! `cargo run --release -p oarlock --example waiters -- FILE [HOSTS] [SECONDS]`; FILE is a datastore with enough slots.
//! The hosts live in this one process, each with a device, a clock and threads of its own, as hosts of one machine do.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use oarlock::{Datastore, Error};

/// Nobody is given longer: a waiter that starves for so long is a finding, and the program says which.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| {
        arguments.get(index).and_then(|text: &String| text.parse().ok()).unwrap_or(default)
    };
    let Some(file) = arguments.first() else {
        eprintln!("usage: waiters FILE [HOSTS] [SECONDS]");
        std::process::exit(2);
    };
    let (hosts, length) = (number(1, 64), Duration::from_secs(number(2, 20)));
    let stores: Vec<Datastore> =
        (0..hosts).map(|host| Datastore::open(file, &format!("waiter-{host}"))).collect::<Result<_, _>>()?;
    let start = Barrier::new(stores.len());
    let fought: Vec<Result<Vec<Duration>, Error>> = thread::scope(|scope| {
        let fighters: Vec<_> =
            stores.iter().map(|store| scope.spawn(|| fight(store, &start, length))).collect();
        // A panic of a fighter goes on here.
        fighters
            .into_iter()
            .map(|fighter| fighter.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    let waits = fought.into_iter().collect::<Result<Vec<_>, Error>>()?;
    print(&waits, length);
    Ok(())
}

/// Takes and releases the lock until the time is over; returns how long each wait took.
fn fight(store: &Datastore, start: &Barrier, length: Duration) -> Result<Vec<Duration>, Error> {
    let mut waits = Vec::new();
    start.wait();
    let end = Instant::now() + length;
    while Instant::now() < end {
        let asked = Instant::now();
        let guard = store.lock("oarlock-bench/waiters").exclusive().wait(PATIENCE)?;
        waits.push(asked.elapsed());
        guard.release();
    }
    Ok(waits)
}

fn print(waits: &[Vec<Duration>], length: Duration) {
    let mut counts: Vec<usize> = waits.iter().map(Vec::len).collect();
    counts.sort_unstable();
    let mut all: Vec<Duration> = waits.concat();
    all.sort_unstable();
    let grants = all.len();
    let at = |permille: usize| all.get((grants * permille / 1000).min(grants.saturating_sub(1)));
    let milliseconds = |wait: Option<&Duration>| wait.map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    println!(
        "{} hosts: {:.0} grants a second; waits p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms; grants of one host {} to {}",
        waits.len(),
        grants as f64 / length.as_secs_f64(),
        milliseconds(at(500)),
        milliseconds(at(990)),
        milliseconds(all.last()),
        counts.first().unwrap_or(&0),
        counts.last().unwrap_or(&0),
    );
}
