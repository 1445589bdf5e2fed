//! The story: the steps in their order, and what came of them.

use std::time::Instant;

use super::answers;
use super::facts::{Facts, Step};
use super::news::News;
use super::plot::Plot;
use super::stage::{Stage, Trouble, ensure, milliseconds};
use super::{deaths, delayed, disks, opening, sharing, wire};
use crate::catalogue::Code;
use crate::failure::Failure;

/// What a step does: it checks, and gives a sentence about what it saw.
type Act = fn(&mut Stage, &mut Plot) -> Result<String, Trouble>;

/// The steps: name, heading, and what is done.
const STEPS: [(&str, &str, Act); 10] = [
    ("format", "A datastore in a plain file", opening::format),
    ("join", "Three hosts join it", opening::join),
    ("counter", "They fight for one lock; a counter under it loses nothing", sharing::counter),
    ("shared", "Two share a lock; one who wants it alone waits", sharing::shared),
    ("killed", "Host c is killed with SIGKILL while it holds two locks", deaths::killed),
    ("stopped", "Host b is stopped with SIGSTOP while it holds a lock", deaths::stopped),
    (
        "disk",
        "An image becomes a disk; host c is killed in mid-write, and host a has what was flushed",
        disks::killed,
    ),
    ("delayed", "Host d's device delays two of its beats beyond their replies", delayed::delayed),
    ("wire", "An array takes a swap late, and calls it over before", wire::late_swap),
    ("answers", "Each false and each unknown answer has a cause", answers::step),
];

/// Plays it all, and clears the stage whatever came of it.
///
/// # Errors
/// Where the stage cannot be set up, or a signal came.
pub fn play() -> Result<Facts, Failure> {
    let mut stage = Stage::set_up()?;
    let mut plot = Plot::default();
    let mut steps = Vec::new();
    stage.teller.say(
        "Oarlock: several hosts share one device with no network among them; the device is the referee. Each change is \
         one ATS (atomic test and set, COMPARE AND WRITE) of one block, and one that is not swapped gets a cause. This \
         plays the main job on real processes and a real file, in a folder that is removed at the end.",
    );
    let mut interrupted = false;
    for (name, title, act) in STEPS {
        match perform(&mut stage, name, title, |stage| act(stage, &mut plot)) {
            Some(step) => steps.push(step),
            None => interrupted = true,
        }
        if interrupted || steps.last().is_some_and(|step| !step.ok) {
            break;
        }
    }
    let whole = !interrupted && steps.iter().all(|step| step.ok);
    let last = perform(&mut stage, "leave", "The hosts leave, and nothing is left behind", |stage| {
        leave(stage, &mut plot, whole)
    });
    interrupted |= last.is_none();
    steps.extend(last);
    if interrupted {
        return Err(Failure::new(Code::Interrupted, "interrupted by a signal; everything was cleared away"));
    }
    let ok = steps.iter().all(|step| step.ok);
    let seconds = (stage.teller.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    let mut news = std::mem::take(&mut stage.news);
    // Each host's events came in their order; all have one wall clock, whose text sorts as its time does.
    news.sort_by(|left, right| left.event.time.cmp(&right.event.time));
    let (answers, events) = news.into_iter().partition(News::is_answer);
    Ok(Facts { ok, seconds, steps, answers, events, listings: plot.listings })
}

/// One step, told as it goes; `None` where a signal cut it short.
fn perform(
    stage: &mut Stage,
    name: &'static str,
    title: &str,
    act: impl FnOnce(&mut Stage) -> Result<String, Trouble>,
) -> Option<Step> {
    stage.teller.step(title);
    let begin = Instant::now();
    let outcome = act(stage);
    let ms = milliseconds(begin.elapsed());
    stage.sum_up();
    let (ok, detail) = match outcome {
        Ok(detail) => (true, detail),
        Err(Trouble::Broken(detail)) => (false, detail),
        Err(Trouble::Interrupted) => return None,
    };
    stage.teller.ended(ok, &detail);
    Some(Step { name, ok, ms, detail })
}

/// Everybody leaves, and the folder goes. Of hosts that are only cleared away after a failure nothing more is asked.
fn leave(stage: &mut Stage, plot: &mut Plot, whole: bool) -> Result<String, Trouble> {
    stage.cast.end_commands();
    stage.look();
    let hosts = std::mem::take(&mut plot.hosts);
    for (_, host) in &hosts {
        stage.cast.signal(*host, rustix::process::Signal::TERM);
    }
    if whole {
        for (name, host) in &hosts {
            stage.succeed(*host, super::stage::LIMIT)?;
            stage.tell(&format!("{name}: left the datastore; its slot is free"));
        }
        let check = stage.ask_json(&["check", "pool", "--json"])?;
        ensure(check["clean"] == true, || format!("`oarlock check` found damage: {}", check["findings"]))?;
        stage.tell("`oarlock check pool` finds every record sound");
    }
    stage.look();
    stage.clear().map_err(Trouble::Broken)?;
    Ok("no process, no socket, no folder".to_owned())
}
