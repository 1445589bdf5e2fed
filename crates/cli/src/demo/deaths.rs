//! Two deaths: a host that is killed, whose death is proved, and one that is stopped, which must be watched and cut off.

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use rustix::process::Signal;

use super::cast::Actor;
use super::plot::Plot;
use super::stage::{LIMIT, Stage, Trouble, ensure, milliseconds};

/// `lock run` ends so where the lock was lost.
const EXIT_LOST: i32 = 76;

/// Says that it runs, and stays; the file comes whole, for it is renamed.
const HOLD: &str =
    "echo $$ > held.$OARLOCK_LOCK.new; mv held.$OARLOCK_LOCK.new held.$OARLOCK_LOCK; exec sleep 1000";
/// The same, by the next one. It notes whether the command of the one before still ran.
const TAKE: &str = "kill -0 $(cat held.$OARLOCK_LOCK) 2> /dev/null && : > late.$OARLOCK_LOCK; \
    : > taken.$OARLOCK_LOCK; exec sleep 1000";

/// `host` takes a lock and keeps it.
fn hold(stage: &mut Stage, host: &str, lock: &str) -> Result<Actor, Trouble> {
    let actor = stage.run_under(host, lock, HOLD)?;
    stage.await_file(&format!("held.{lock}"), actor, LIMIT)?;
    stage.tell(&format!("{host}: holds `{lock}`, and works under it"));
    Ok(actor)
}

/// `host` waits for locks that another holds; returns once its host says that somebody waits for each.
fn want(stage: &mut Stage, host: &str, locks: &[&str]) -> Result<Vec<Actor>, Trouble> {
    let waiting = locks.iter().map(|lock| stage.run_under(host, lock, TAKE));
    let waiting = waiting.collect::<Result<Vec<Actor>, Trouble>>()?;
    stage.wait(&format!("{host} waits for {}", locks.join(", ")), LIMIT, |stage| {
        let held = stage.ask_json(&["locks", "--host", host, "--json"])?;
        let waited = held
            .as_array()
            .into_iter()
            .flatten()
            .filter(|lock| locks.iter().any(|name| lock["name"] == **name) && lock["waiting_here"] == 1);
        Ok((waited.count() == locks.len()).then_some(()))
    })?;
    stage.tell(&format!("{host}: waits for {}", locks.join(" and ")));
    Ok(waiting)
}

/// Waits until each of `locks` was taken; gives the time since `begin`.
fn taken(
    stage: &mut Stage,
    host: &str,
    locks: &[&str],
    by: &[Actor],
    begin: Instant,
) -> Result<u64, Trouble> {
    for (lock, actor) in locks.iter().zip(by) {
        stage.await_file(&format!("taken.{lock}"), *actor, LIMIT)?;
    }
    let ms = milliseconds(begin.elapsed());
    stage.tell(&format!("{host}: has {} ({ms} ms)", locks.join(" and ")));
    Ok(ms)
}

/// The fence and the takeover that were reported since, as a check; the fence's reason must contain `reason`.
fn reported(stage: &mut Stage, before: usize, reason: &str) -> Result<(), Trouble> {
    stage.wait(&format!("a fence because {reason}, and a takeover"), LIMIT, |stage| {
        let kind = |kind: &str, detail: &str| {
            stage
                .since(before)
                .iter()
                .any(|news| news.event.kind == kind && news.event.detail.contains(detail))
        };
        Ok((kind("fence", reason) && kind("takeover", "taken over")).then_some(()))
    })
}

/// The command of a dead host's lock ended, because its lock was lost.
fn lost(stage: &mut Stage, commands: &[Actor]) -> Result<(), Trouble> {
    for command in commands {
        let status = stage.finish(*command, LIMIT)?;
        let right = status.code() == Some(EXIT_LOST);
        ensure(right, || format!("the `lock run` of a host that is gone ended with {status}"))?;
    }
    Ok(())
}

/// SIGKILL: the file's own lock proves the death, and nobody waits for a lease.
pub fn killed(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    let locks = ["disk-1", "disk-2"];
    let victims = [hold(stage, "c", "disk-1")?, hold(stage, "c", "disk-2")?];
    let takers = want(stage, "a", &locks)?;
    let before = stage.news.len();
    let host = plot.host("c")?;
    let life = incarnation(stage)?;
    let begin = Instant::now();
    stage.cast.signal(host, Signal::KILL);
    stage.tell("c: SIGKILL");
    let ms = taken(stage, "a", &locks, &takers, begin)?;
    reported(stage, before, "its death was proved")?;
    lost(stage, &victims)?;
    stage.tell("c: its two commands were killed at once, exit code 76");
    plot.gone("c");
    let back = Instant::now();
    let again = stage.up("c", &[])?;
    stage.ready("c", again)?;
    let back_ms = milliseconds(back.elapsed());
    plot.hosts.push(("c", again));
    let next = incarnation(stage)?;
    stage.tell(&format!("c: is back under its name after {back_ms} ms, in another life"));
    ensure(next > life, || format!("c came back as incarnation {next} after {life}"))?;
    Ok(format!(
        "death proved, a had both locks {ms} ms after the kill (the goal: 1,000); c is back after {back_ms} ms"
    ))
}

/// Which life of host c this is.
fn incarnation(stage: &mut Stage) -> Result<u64, Trouble> {
    let status = stage.ask_json(&["status", "--host", "c", "--json"])?;
    let life = status["host"]["incarnation"].as_u64();
    life.ok_or_else(|| Trouble::Broken("host c has no incarnation".to_owned()))
}

/// SIGSTOP: nothing proves a death, so its slot is watched; then it is fenced, and cut off by being killed.
pub fn stopped(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    let victim = hold(stage, "b", "vm-1")?;
    let takers = want(stage, "a", &["vm-1"])?;
    let before = stage.news.len();
    let host = plot.host("b")?;
    let begin = Instant::now();
    stage.cast.signal(host, Signal::STOP);
    stage.tell("b: SIGSTOP; it is silent, and might wake at any time. a: watches its slot");
    let status = stage.finish(victim, LIMIT)?;
    ensure(status.code() == Some(EXIT_LOST), || format!("b's `lock run` ended with {status}"))?;
    stage.tell("b: its command was killed by the clock before its lease ends, exit code 76");
    let ms = taken(stage, "a", &["vm-1"], &takers, begin)?;
    ensure(!stage.has("late.vm-1"), || "b's command still ran when a had its lock".to_owned())?;
    reported(stage, before, "its slot stood still for a whole watch")?;
    let status = stage.finish(host, LIMIT)?;
    let killed = status.signal() == Some(Signal::KILL.as_raw());
    ensure(killed, || format!("the stopped process ended with {status} instead of being killed"))?;
    plot.gone("b");
    stage.tell("b: its stopped process was killed by the cut-off: nothing of it lands any more");
    Ok(format!("watched, fenced, cut off, taken over: the lock was a's {ms} ms after the stop"))
}
