//! The soak: real hosts on a real file are killed, stopped and told to leave at random, while users on each of them
//! fight for one lock and count under it. Nothing may be counted twice, and no token may be given out again.
//!
//! Only safety is judged while it lasts, so that a busy machine fails nothing; at the end, with every host up, each must get
//! the lock once more, and the check must find a sound datastore.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::ground::{self, Ground};

const HOSTS: usize = 5;
const USERS_PER_HOST: usize = 2;
/// What a user does under the lock: read, wait a moment, replace, and note the number with the lock's token.
const COUNT: &str = "read -r n < counter; sleep 0.0$((RANDOM % 4)); echo $((n + 1)) > next.$$; mv next.$$ counter; \
                     echo $((n + 1)) $OARLOCK_LOCK_TOKEN >> log";
/// How long each host has in the end to take the lock once more.
const LAST_WAIT: &str = "60s";

/// Runs it for so many seconds (60), with the random choices of a seed (1).
pub fn run(arguments: &[String]) -> ExitCode {
    match soak(arguments) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("cargo xtask soak: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn soak(arguments: &[String]) -> Result<String, String> {
    let number = |index: usize, default: u64| match arguments.get(index) {
        None => Ok(default),
        Some(text) => {
            text.parse::<u64>().map_err(|error| format!("{text}: {error}; give SECONDS and a SEED"))
        }
    };
    let (seconds, seed) = (number(0, 60)?, number(1, 1)?);
    let mut stage = Stage::set(seed)?;
    let done = AtomicBool::new(false);
    let stage_of_users = stage.ground.clone();
    let (deeds, runs) = thread::scope(|scope| {
        let users: Vec<_> = (0..HOSTS * USERS_PER_HOST)
            .map(|user| {
                let (ground, done) = (&stage_of_users, &done);
                scope.spawn(move || use_the_lock(ground, user % HOSTS, done))
            })
            .collect();
        let deeds = stage.disturb(Duration::from_secs(seconds));
        done.store(true, Ordering::Relaxed);
        let runs: u64 = users.into_iter().map(|user| user.join().unwrap_or(0)).sum();
        (deeds, runs)
    });
    let deeds = deeds?;
    stage.calm()?;
    let counted = judge(&stage.ground)?;
    stage.close()?;
    Ok(format!(
        "soak: {counted} counts in {runs} runs of `lock run`, {deeds}; none twice, tokens grow, datastore clean"
    ))
}

fn name(host: usize) -> String {
    format!("host-{host}")
}

/// Counts under the lock until told to stop; how often the command was started or refused.
fn use_the_lock(ground: &Ground, host: usize, done: &AtomicBool) -> u64 {
    let host = name(host);
    let mut runs = 0;
    while !done.load(Ordering::Relaxed) {
        let wanted = ["lock", "run", "count", "--host", &host, "--wait", "10s", "--", "bash", "-c", COUNT];
        let status = ground.oarlock(&wanted).stdout(Stdio::null()).stderr(Stdio::null()).status();
        // A host that is down refuses at once.
        if !status.is_ok_and(|status| status.success()) {
            thread::sleep(Duration::from_millis(100));
        }
        runs += 1;
    }
    runs
}

/// The hosts, and who of them is stopped until when.
struct Stage {
    ground: Ground,
    hosts: BTreeMap<usize, Child>,
    stopped: BTreeMap<usize, Instant>,
    dice: u64,
}

impl Stage {
    fn set(seed: u64) -> Result<Stage, String> {
        let ground = Ground::new("soak")?;
        let format = ["format", "pool", "--name", "soak", "--size", "64M", "--slots", "16"];
        ground.must(&[&format[..], &["--beat", "200ms", "--lease", "1s", "--hold", "20s"]].concat())?;
        write(&ground.folder.join("counter"), "0\n")?;
        write(&ground.folder.join("log"), "")?;
        let mut stage = Stage { ground, hosts: BTreeMap::new(), stopped: BTreeMap::new(), dice: seed };
        (0..HOSTS).try_for_each(|host| stage.start(host))?;
        Ok(stage)
    }

    fn start(&mut self, host: usize) -> Result<(), String> {
        let mut command = self.ground.oarlock(&["up", "pool", "--host", &name(host)]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.hosts.insert(host, child.map_err(|error| format!("oarlock up: {error}"))?);
        Ok(())
    }

    /// A number below `bound`. SplitMix64 (Steele, Lea, Flood, 2014).
    fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.dice;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }

    /// Does one thing to one host after another.
    fn disturb(&mut self, time: Duration) -> Result<String, String> {
        let end = Instant::now() + time;
        let (mut kills, mut stops, mut leaves, mut starts) = (0, 0, 0, 0);
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(200 + self.below(1_000)));
            self.wake(Instant::now());
            let host = usize::try_from(self.below(HOSTS as u64)).unwrap_or(0);
            if self.is_down(host) {
                self.start(host)?;
                starts += 1;
            } else if !self.stopped.contains_key(&host) {
                match self.below(4) {
                    0 => {
                        self.signal(host, "KILL");
                        kills += 1;
                    }
                    1 => {
                        // From much shorter than the lease to much longer.
                        let pause = Duration::from_millis(50 + self.below(5_000));
                        self.signal(host, "STOP");
                        self.stopped.insert(host, Instant::now() + pause);
                        stops += 1;
                    }
                    2 => {
                        self.signal(host, "TERM");
                        leaves += 1;
                    }
                    _ => {}
                }
            }
        }
        Ok(format!("{kills} kills, {stops} stops, {leaves} leaves, {starts} starts"))
    }

    fn is_down(&mut self, host: usize) -> bool {
        let down = self.hosts.get_mut(&host).is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
        if down {
            self.stopped.remove(&host);
        }
        down
    }

    fn signal(&self, host: usize, signal: &str) {
        if let Some(child) = self.hosts.get(&host) {
            ground::signal(child, signal);
        }
    }

    fn wake(&mut self, now: Instant) {
        let due: Vec<usize> =
            self.stopped.iter().filter(|(_, until)| **until <= now).map(|(host, _)| *host).collect();
        for host in due {
            self.signal(host, "CONT");
            self.stopped.remove(&host);
        }
    }

    /// Everybody is up, and each host gets the lock once more.
    fn calm(&mut self) -> Result<(), String> {
        let far = Instant::now() + Duration::from_secs(3_600);
        self.wake(far);
        let until = Instant::now() + Duration::from_secs(60);
        for host in 0..HOSTS {
            let name = name(host);
            let last =
                ["lock", "run", "count", "--host", &name, "--wait", LAST_WAIT, "--", "bash", "-c", COUNT];
            loop {
                if self.is_down(host) {
                    self.start(host)?;
                }
                match self.ground.must(&last) {
                    Ok(_) => break,
                    Err(trouble) if Instant::now() > until => return Err(trouble),
                    Err(_) => thread::sleep(Duration::from_millis(500)),
                }
            }
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), String> {
        for host in 0..HOSTS {
            self.signal(host, "TERM");
        }
        for child in self.hosts.values_mut() {
            child.wait().map_err(|error| format!("a host: {error}"))?;
        }
        self.ground.must(&["check", "pool"])?;
        self.ground.remove()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.hosts.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Numbers and tokens in the order in which they were noted: each above the one before. A command that was killed after
/// it counted and before it noted leaves a gap, and no more than that.
fn judge(ground: &Ground) -> Result<u64, String> {
    let read =
        |name: &str| fs::read_to_string(ground.folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let (log, counter) = (read("log")?, read("counter")?);
    let mut last = (0, 0);
    for line in log.lines() {
        let mut words = line.split(' ').map(|word| word.parse::<u64>().unwrap_or(0));
        let noted = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        if noted.0 <= last.0 || noted.1 <= last.1 {
            return Err(format!(
                "the count {} under token {} came after the count {} under token {}; see {}",
                noted.0,
                noted.1,
                last.0,
                last.1,
                ground.folder.display()
            ));
        }
        last = noted;
    }
    let counter = counter.trim().parse::<u64>().map_err(|error| format!("the counter: {error}"))?;
    if counter < last.0 || counter == 0 {
        return Err(format!(
            "the counter is {counter}, and {} was noted; see {}",
            last.0,
            ground.folder.display()
        ));
    }
    Ok(counter)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
