//! The stage: the folder, the cast, the news and the teller; every wait of the demonstration is done here.

use std::fs;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::cast::{Actor, Cast, TICK};
use super::folder::Folder;
use super::news::{News, Tail};
use super::pace::Pace;
use super::teller::Teller;
use crate::failure::Failure;

/// The datastore's name.
pub const STORE: &str = "demo";
/// Every host that ever joins.
pub const HOSTS: [&str; 4] = ["a", "b", "c", "d"];
/// What is waited for comes within this time, or something is wrong: also on a machine that is so busy with other things that
/// a process takes seconds to begin. A step that lasts for a watch needs less than a minute of it, at the slowest pace.
pub const LIMIT: Duration = Duration::from_mins(5);
/// The same, as `lock run` is told.
pub const LIMIT_TEXT: &str = "5m";
/// So many events of one kind are told in one step; a summary stands for the others.
const TOLD_MAX: usize = 3;

/// Why a step does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What was not as it must be.
    Broken(String),
    /// A signal asked the demonstration to end.
    Interrupted,
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Broken(error.to_string())
    }
}

/// A step holds where `condition` does; else `what` says what is wrong.
pub fn ensure(condition: bool, what: impl FnOnce() -> String) -> Result<(), Trouble> {
    if condition { Ok(()) } else { Err(Trouble::Broken(what())) }
}

/// Whole milliseconds.
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Where it plays.
pub struct Stage {
    // The cast ends before its folder goes: fields are dropped in this order.
    /// The processes.
    pub cast: Cast,
    folder: Folder,
    /// Tells what happens.
    pub teller: Teller,
    /// How long the datastore's beat is.
    pub pace: Pace,
    /// Every event so far.
    pub news: Vec<News>,
    tails: Vec<Tail>,
    /// Of the present step: how often each host's event of each cause came.
    told: Vec<(String, usize)>,
    interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// Sets it up; from now on SIGINT, SIGTERM and SIGHUP end the demonstration with everything cleared away.
    ///
    /// # Errors
    /// Where there is no folder for it, or the system refuses.
    pub fn set_up() -> Result<Stage, Failure> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(|error| Failure::system("signals cannot be caught", &error))?;
        }
        let folder = Folder::make()?;
        let cast = Cast::new(folder.path())
            .map_err(|error| Failure::system("processes cannot be started", &error))?;
        let events = folder.path().join("state").join(STORE);
        let tails = HOSTS.iter().map(|host| Tail::of(&events, host)).collect();
        let (teller, news, told) = (Teller::begin(), Vec::new(), Vec::new());
        let pace = Pace::QUICK;
        Ok(Stage { cast, folder, teller, pace, news, tails, told, interrupted })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder's path, as URIs and messages have it.
    pub fn folder_text(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// A file's text without the space around it; empty where it is not there.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default().trim().to_owned()
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Tells something.
    pub fn tell(&self, text: &str) {
        self.teller.tell(text);
    }

    /// Reads what the hosts have reported since, and tells it.
    pub fn look(&mut self) {
        let fresh: Vec<News> = self.tails.iter_mut().flat_map(Tail::look).collect();
        for news in fresh {
            let key = format!("{} {}", news.event.kind, news.event.cause);
            let place = self.told.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                self.told.push((key, 0));
                self.told.len() - 1
            });
            self.told[place].1 += 1;
            if self.told[place].1 <= TOLD_MAX || !news.is_answer() {
                self.teller.tell(&sentence(&news));
            }
            self.news.push(news);
        }
    }

    /// Ends a step's telling: of events that came in numbers it says how many more there were.
    pub fn sum_up(&mut self) {
        self.look();
        for (key, count) in std::mem::take(&mut self.told) {
            if count > TOLD_MAX && (key.starts_with("miscompare") || key.starts_with("unknown")) {
                let cause = key.split(' ').next_back().unwrap_or_default();
                self.teller.tell(&format!("... and {} more of cause {cause}", count - TOLD_MAX));
            }
        }
    }

    /// The events that came since there were `before` of them.
    pub fn since(&self, before: usize) -> &[News] {
        self.news.get(before..).unwrap_or_default()
    }

    /// Waits until `ready` gives something.
    ///
    /// # Errors
    /// What `ready` finds broken; that it was not within `limit`; that a signal came.
    pub fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut(&mut Stage) -> Result<Option<T>, Trouble>,
    ) -> Result<T, Trouble> {
        let deadline = Instant::now() + limit;
        loop {
            self.look();
            if let Some(found) = ready(self)? {
                return Ok(found);
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Trouble::Interrupted);
            }
            ensure(Instant::now() < deadline, || format!("not within {} s: {what}", limit.as_secs()))?;
            std::thread::sleep(TICK);
        }
    }

    /// Waits until a file is there.
    ///
    /// # Errors
    /// As [`Stage::wait`]; and at once where `by`, who is to make it, has ended without it.
    pub fn await_file(&mut self, name: &str, by: Actor, limit: Duration) -> Result<(), Trouble> {
        self.wait(name, limit, |stage| {
            let ended = stage.cast.status(by);
            match (stage.has(name), ended) {
                (true, _) => Ok(Some(())),
                (false, None) => Ok(None),
                (false, Some(status)) => Err(stage.gone_wrong(by, status)),
            }
        })
    }

    /// Waits for an end, and gives the exit status.
    ///
    /// # Errors
    /// As [`Stage::wait`].
    pub fn finish(&mut self, actor: Actor, limit: Duration) -> Result<ExitStatus, Trouble> {
        self.wait("a command ends", limit, |stage| Ok(stage.cast.status(actor)))
    }

    /// Waits for an end, which must be a good one; gives what was printed.
    ///
    /// # Errors
    /// As [`Stage::wait`]; what the command complained of.
    pub fn succeed(&mut self, actor: Actor, limit: Duration) -> Result<String, Trouble> {
        let status = self.finish(actor, limit)?;
        if status.success() { Ok(self.cast.said(actor)) } else { Err(self.gone_wrong(actor, status)) }
    }

    /// What is to be said of a command that ended as it must not.
    pub fn gone_wrong(&self, actor: Actor, status: ExitStatus) -> Trouble {
        let complaints = self.cast.complained(actor);
        let words: Vec<&str> = complaints.split_whitespace().collect();
        if words.is_empty() {
            let folder = self.cast.folder().display();
            return Trouble::Broken(format!(
                "a command ended with {status} and left no word of why in {folder}: is its file system full? TMPDIR names another"
            ));
        }
        Trouble::Broken(format!("a command ended with {status}: {}", words.join(" ")))
    }

    /// Runs this program to its end; gives what it printed.
    ///
    /// # Errors
    /// As [`Stage::succeed`].
    pub fn ask(&mut self, arguments: &[&str]) -> Result<String, Trouble> {
        let actor = self.cast.start(arguments)?;
        self.succeed(actor, LIMIT)
    }

    /// The same, where what it prints is one JSON document.
    ///
    /// # Errors
    /// As [`Stage::succeed`]; that it is none.
    pub fn ask_json(&mut self, arguments: &[&str]) -> Result<serde_json::Value, Trouble> {
        let said = self.ask(arguments)?;
        serde_json::from_str(&said)
            .map_err(|error| Trouble::Broken(format!("`oarlock {}`: {error}", arguments.join(" "))))
    }

    /// Starts a host.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn up(&mut self, host: &str, more: &[&str]) -> Result<Actor, Trouble> {
        Ok(self.cast.start(&[&["up", "pool", "--host", host], more].concat())?)
    }

    /// Waits until a host says `ready`.
    ///
    /// # Errors
    /// As [`Stage::wait`]; and at once where it did not join.
    pub fn ready(&mut self, host: &str, actor: Actor) -> Result<(), Trouble> {
        self.wait(&format!("host {host} joins"), LIMIT, |stage| match stage.cast.status(actor) {
            Some(status) => Err(stage.gone_wrong(actor, status)),
            None => Ok((stage.cast.said(actor) == "ready\n").then_some(())),
        })
    }

    /// Starts a shell's script on `host` under a lock.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run_under(&mut self, host: &str, lock: &str, script: &str) -> Result<Actor, Trouble> {
        let head = ["lock", "run", lock, "--host", host, "--wait", LIMIT_TEXT];
        Ok(self.cast.start(&[&head[..], &["--", "sh", "-c", script]].concat())?)
    }

    /// Clears everything away, and says what stayed.
    ///
    /// # Errors
    /// What is left behind.
    pub fn clear(&mut self) -> Result<(), String> {
        self.cast.end_all()?;
        self.folder.remove()
    }
}

/// An event as one sentence for a reader.
fn sentence(news: &News) -> String {
    let event = &news.event;
    let head = match event.kind.as_str() {
        "miscompare" | "unknown" => {
            let answer = match event.kind.as_str() {
                "unknown" if news.is_found_out() => "found out",
                "unknown" => "no answer",
                _ => "not swapped",
            };
            let winner = news.winner().map(|host| format!(" (by {host})")).unwrap_or_default();
            format!("{}: {answer} at {}: {}{winner}, {}", news.host, news.place(), event.cause, event.action)
        }
        kind => format!("{}: {kind}", news.host),
    };
    format!("{head}: {}", event.detail)
}
