//! A device that answers late: the host meets its own image, says so, and goes on.

use std::fs;
use std::time::Duration;

use super::news::News;
use super::stage::{LIMIT, Stage, Trouble, ensure};
use super::story::Plot;

/// The fifth beat is written at once and answered after three seconds, when its host has long given it up: the answer
/// is *unknown*. Two beats later one is written 60 ms after it was given up: by then the host has read its old image
/// back, sends its beat again, and is told *false*.
const FAULTS: [&str; 2] = [
    "late-reply:op=ats,record=slot,delay=3s,after=4,count=1",
    "late-execution:op=ats,record=slot,delay=1060ms,after=7,count=1",
];
/// Both have struck within this time.
const STRIKE_LIMIT: Duration = Duration::from_secs(40);

/// Stays until it is told to go.
const WORK: &str = ": > working; until [ -e done ]; do sleep 0.05; done";

/// Host d joins with a faulty device, and works under a lock through all of it.
pub fn delayed(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    let before = stage.news.len();
    let host = stage.up("d", &["--fault", FAULTS[0], "--fault", FAULTS[1]])?;
    stage.ready("d", host)?;
    plot.hosts.push(("d", host));
    stage.tell("d: joins; its device will misbehave on two of its beats:");
    FAULTS.iter().for_each(|fault| stage.tell(&format!("   --fault {fault}")));
    let work = stage.run_under("d", "report", &[], WORK)?;
    stage.await_file("working", work, LIMIT)?;
    stage.tell("d: works under the lock `report` meanwhile");
    stage.wait("d meets its own image twice", STRIKE_LIMIT, |stage| {
        if let Some(status) = stage.cast.status(host) {
            return Err(stage.gone_wrong(host, status));
        }
        Ok((stage.since(before).iter().filter(|news| met_itself(news)).count() >= FAULTS.len()).then_some(()))
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
    Ok("d met its own image, named it delayed-own-write, adopted it, and kept lease and lock".to_owned())
}

/// d's own image, found in its slot.
fn met_itself(news: &News) -> bool {
    let event = &news.event;
    news.host == "d" && event.cause == "delayed-own-write" && event.action == "adopted"
}
