//! A device that answers late: the host meets its own image, says so, and goes on.

use std::fs;
use std::time::{Duration, Instant};

use super::news::News;
use super::plot::Plot;
use super::stage::{LIMIT, Stage, Trouble, ensure};

/// The fifth beat is written at once and answered after three times its interval, when its host has long given it up: the
/// answer is *unknown*. Two beats later one is written a moment after it was given up: by then the host has read its old
/// image back, sends its beat again, and is told *false*.
fn faults(beat: Duration) -> [String; 2] {
    let beat_ms = beat.as_millis();
    [
        format!("late-reply:op=ats,record=slot,delay={}ms,after=4,count=1", 3 * beat_ms),
        format!("late-execution:op=ats,record=slot,delay={}ms,after=7,count=1", beat_ms * 106 / 100),
    ]
}

/// The second strikes so many beats after the first at most. On a machine that stands still in the wrong instant it
/// is answered after all, or comes after the next beat and fails: then d meets itself but once.
const SECOND_BEATS: u32 = 10;

/// Stays until it is told to go.
const WORK: &str = ": > working; until [ -e done ]; do sleep 0.05; done";

/// Host d joins with a faulty device, and works under a lock through all of it.
pub fn delayed(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    let before = stage.news.len();
    let faults = faults(stage.pace.beat);
    let host = stage.up("d", &["--fault", &faults[0], "--fault", &faults[1]])?;
    stage.ready("d", host)?;
    plot.hosts.push(("d", host));
    stage.tell("d: joins; its device will misbehave on two of its beats:");
    faults.iter().for_each(|fault| stage.tell(&format!("--fault {fault}")));
    let work = stage.run_under("d", "report", WORK)?;
    stage.await_file("working", work, LIMIT)?;
    stage.tell("d: works under the lock `report` meanwhile");
    let mut first = None;
    let met = stage.wait("d meets its own image", LIMIT, |stage| {
        if let Some(status) = stage.cast.status(host) {
            return Err(stage.gone_wrong(host, status));
        }
        let met = stage.since(before).iter().filter(|news| met_itself(news)).count();
        if met == 0 {
            return Ok(None);
        }
        let since = first.get_or_insert_with(Instant::now).elapsed();
        Ok((met >= faults.len() || since > stage.pace.beat * SECOND_BEATS).then_some(met))
    })?;
    let status = stage.ask_json(&["status", "--host", "d", "--json"])?;
    let live = status["host"]["state"] == "live" && status["host"]["lease_ms_left"].as_u64() > Some(0);
    ensure(live, || format!("d does not go on: {}", status["host"]))?;
    let struck = status["faults"].as_array().into_iter().flatten().all(|fault| fault["struck"] == 1);
    ensure(struck, || format!("not each fault struck: {}", status["faults"]))?;
    fs::write(stage.path("done"), "")?;
    stage.succeed(work, LIMIT)?;
    let lapsed = stage.since(before).iter().any(|news| news.host == "d" && news.event.kind == "lapse");
    ensure(!lapsed, || "d's lease ran out".to_owned())?;
    stage.tell("d: its work is done; its lock was never lost");
    let times = if met == 1 { "once" } else { "twice" };
    Ok(format!(
        "d met its own image {times}, named it delayed-own-write, adopted it, and kept lease and lock"
    ))
}

/// d's own image, found in its slot.
fn met_itself(news: &News) -> bool {
    let event = &news.event;
    news.host == "d" && event.cause == "delayed-own-write" && event.action == "adopted"
}
