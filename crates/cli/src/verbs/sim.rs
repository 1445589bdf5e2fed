//! `oarlock sim`: runs the protocol in the seeded world, and says which seeds broke a promise.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use futures::channel::mpsc::{Sender, channel};
use futures::future::{Either, select};
use futures::{SinkExt, StreamExt};
use oarlock_format::SLOTS_MAX;
use oarlock_sim::{SeedReport, TRACE_ENTRIES, TRACE_WHOLE, Theme, run_seed};
use serde::Serialize;

use crate::catalogue::EXIT_FAILED;
use crate::failure::Failure;
use crate::stop::{Stop, interrupted};
use crate::terminal::progress_bar;
use crate::values::ValueError;
use crate::{report, values};

/// Threads at most: each runs whole seeds by itself.
const THREADS_MAX: usize = 64;

/// What `oarlock sim` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "One seed is one run: disk, clocks, faults, crashes and the order of everything come from it. \
    Exit code 1 means that a seed broke a promise; the command that replays it, with a trace, is printed."
)]
pub struct Arguments {
    /// The seeds A to B, without B
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Range<u64>,
    /// Only those of them that are about this, as `disks` or `stale-reads`: docs/TESTING.md has them all
    #[arg(long, value_name = "THEME", value_parser = theme)]
    theme: Option<Theme>,
    /// How many hosts; without it, what each seed says
    #[arg(long, value_name = "N", value_parser = hosts)]
    hosts: Option<u16>,
    /// Print what happened to standard error: all of a single seed, the last 20,000 lines of each of several
    #[arg(long)]
    trace: bool,
    /// Print JSON: `{seeds, host_seconds, operations, faults, seconds, host_seconds_per_second, violations:[{seed, invariant,
    /// message, replay}]}`
    #[arg(long)]
    json: bool,
}

fn hosts(text: &str) -> Result<u16, ValueError> {
    values::count(text, 1, SLOTS_MAX)
}

fn seeds(text: &str) -> Result<Range<u64>, ValueError> {
    let number = |text: &str| text.parse::<u64>().ok();
    let range = text.split_once("..").and_then(|(first, end)| Some(number(first)?..number(end)?));
    range.filter(|range| !range.is_empty()).ok_or_else(|| ValueError::Seeds { text: text.to_owned() })
}

fn theme(text: &str) -> Result<Theme, ValueError> {
    let themes = || Theme::ALL.map(Theme::name).join(", ");
    Theme::named(text).ok_or_else(|| ValueError::Theme { text: text.to_owned(), themes: themes() })
}

impl Arguments {
    /// How many seeds are to be run.
    ///
    /// # Errors
    /// That there are none.
    fn count(&self) -> Result<u64, ValueError> {
        let Range { start, end } = self.seeds;
        let Some(theme) = self.theme else { return Ok(end - start) };
        match theme.seeds_in(start..end) {
            0 => Err(ValueError::NoSeedOfTheme { text: format!("{start}..{end}"), theme: theme.name() }),
            count => Ok(count),
        }
    }
}

/// What all seeds came to.
#[derive(Serialize)]
struct Summary {
    seeds: u64,
    host_seconds: u64,
    operations: u64,
    faults: u64,
    /// How long it took.
    seconds: f64,
    /// Simulated seconds of all hosts together in each of these.
    host_seconds_per_second: u64,
    violations: Vec<Violation>,
}

#[derive(Serialize)]
struct Violation {
    seed: u64,
    invariant: String,
    message: String,
    replay: String,
}

/// Runs the seeds on all processors, and prints what they came to.
///
/// # Errors
/// Where a thread cannot be had, standard output cannot be written, or a signal came: what the seeds until then found is
/// told.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let count = arguments.count()?;
    let mut stop = Stop::catch()?;
    let began = Instant::now();
    let bar = progress_bar("simulating");
    bar.set_length(count);
    let mut reports = Vec::new();
    let ended = futures::executor::block_on(collect(&arguments, count, &mut stop, |report| {
        bar.inc(1);
        reports.push(report);
    }));
    bar.finish_and_clear();
    let signal = ended?;
    reports.sort_by_key(|report: &SeedReport| report.seed);
    for report in reports.iter().filter(|_| arguments.trace) {
        report::say(&report.trace);
    }
    let summary = Summary::of(&reports, arguments.hosts, began.elapsed());
    if let Some(signal) = signal {
        return Err(interrupted(&format!("{signal}; until then: {}", summary.text().trim_end())));
    }
    if arguments.json {
        report::print_json(&summary)?
    } else {
        report::print(&summary.text())?
    }
    Ok(if summary.violations.is_empty() { 0 } else { EXIT_FAILED })
}

/// What the threads work on.
struct Work {
    /// The next seed.
    next: AtomicU64,
    end: u64,
    theme: Option<Theme>,
    hosts: Option<u16>,
    entries: usize,
}

/// Runs the seeds on threads of their own, and hands each report on as it comes; says which signal came before the last one,
/// if any. The threads end with the program then: a seed with many hosts takes its time.
async fn collect(
    arguments: &Arguments,
    count: u64,
    stop: &mut Stop,
    mut each: impl FnMut(SeedReport),
) -> Result<Option<&'static str>, Failure> {
    let (sender, mut results) = channel(THREADS_MAX);
    let work = Arc::new(Work {
        next: AtomicU64::new(arguments.seeds.start),
        end: arguments.seeds.end,
        theme: arguments.theme,
        hosts: arguments.hosts,
        entries: match (arguments.trace, count) {
            (false, _) => 0,
            (true, 1) => TRACE_WHOLE,
            (true, _) => TRACE_ENTRIES,
        },
    });
    let mut threads = Vec::new();
    for _ in 0..threads_for(count) {
        let (work, sender) = (Arc::clone(&work), sender.clone());
        let thread = std::thread::Builder::new().spawn(move || work.run(sender));
        threads.push(thread.map_err(|error| Failure::system("a thread cannot be had", &error))?);
    }
    drop(sender);
    loop {
        match select(results.next(), stop.signal()).await {
            Either::Left((Some(report), _)) => each(report),
            Either::Left((None, _)) => break,
            Either::Right((signal, _)) => return Ok(Some(signal)),
        }
    }
    for thread in threads {
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
    Ok(None)
}

fn threads_for(seeds: u64) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    usize::try_from(seeds).map_or(processors, |count| count.min(processors))
}

impl Work {
    /// Runs one seed after another until none is left, or nobody wants to know.
    fn run(&self, mut results: Sender<SeedReport>) {
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end {
                return;
            }
            if self.theme.is_some_and(|theme| Theme::of(seed) != theme) {
                continue;
            }
            let report = run_seed(seed, self.hosts, self.entries);
            if futures::executor::block_on(results.send(report)).is_err() {
                return;
            }
        }
    }
}

impl Summary {
    fn of(reports: &[SeedReport], hosts: Option<u16>, took: Duration) -> Summary {
        let host_time: Duration = reports.iter().map(|report| report.host_time).sum();
        let violation = |report: &SeedReport| {
            let found = report.found.as_ref()?;
            Some(Violation {
                seed: found.seed,
                invariant: found.invariant.clone(),
                message: found.message.clone(),
                replay: replay(found.seed, hosts),
            })
        };
        Summary {
            seeds: reports.len() as u64,
            host_seconds: host_time.as_secs(),
            operations: reports.iter().map(|report| report.commands).sum(),
            faults: reports.iter().map(|report| report.faults).sum(),
            seconds: (took.as_secs_f64() * 10.0).round() / 10.0,
            host_seconds_per_second: rate(host_time, took),
            violations: reports.iter().filter_map(violation).collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} seeds, {} host-seconds, {} commands, {} faults, {} violations\n\
             {:.1} s, {} host-seconds in each\n",
            self.seeds,
            self.host_seconds,
            self.operations,
            self.faults,
            self.violations.len(),
            self.seconds,
            self.host_seconds_per_second
        );
        for violation in &self.violations {
            text += &format!(
                "seed {}: {}: {}\n  {}\n",
                violation.seed, violation.invariant, violation.message, violation.replay
            );
        }
        text
    }
}

/// Simulated seconds in each real one.
fn rate(simulated: Duration, took: Duration) -> u64 {
    let rate = simulated.as_millis() / took.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// The one command that runs the seed again.
fn replay(seed: u64, hosts: Option<u16>) -> String {
    let hosts = hosts.map_or_else(String::new, |hosts| format!(" --hosts {hosts}"));
    format!("oarlock sim --seeds {seed}..{}{hosts} --trace", seed.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_seeds_excludes_its_end_and_is_never_empty() {
        assert_eq!(seeds("3..5"), Ok(3..5));
        for text in ["", "3", "5..5", "6..5", "..5", "3..", "a..b", "-1..2", "0..18446744073709551616"] {
            assert!(seeds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_rate_is_simulated_time_by_real_time_even_where_none_passed() {
        assert_eq!(rate(Duration::from_secs(3_000), Duration::from_millis(1_500)), 2_000);
        assert_eq!(rate(Duration::from_secs(1), Duration::ZERO), 1_000);
    }

    #[test]
    fn a_violation_names_the_command_that_replays_it() {
        assert_eq!(replay(7, Some(3)), "oarlock sim --seeds 7..8 --hosts 3 --trace");
    }
}
