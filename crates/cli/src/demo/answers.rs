//! The answers: every false and every unknown ATS of the run, with cause, proof, and the window it was lost in.

use super::facts::Facts;
use super::news::News;
use super::plot::Plot;
use super::stage::{LIMIT, Stage, Trouble, ensure};
use crate::terminal::{Look, short, table};

/// Asks the hosts what they know, and checks that no answer is without its explanation.
pub fn step(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    stage.tell("asks `oarlock hosts`, `oarlock locks` and each host's `oarlock events`");
    survivors(stage)?;
    locks(stage)?;
    for verb in ["hosts", "locks"] {
        let listing = stage.ask(&[verb, "--host", "a"])?;
        plot.listings.push(listing);
    }
    told(stage, plot)?;
    let answers: Vec<&News> = stage.news.iter().filter(|news| news.is_answer()).collect();
    let unexplained = answers.iter().find(|news| !is_explained(news));
    ensure(unexplained.is_none(), || format!("without cause, proof or window: {unexplained:?}"))?;
    let words: Vec<&str> = answers.iter().map(|news| word(news)).collect();
    let of = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    Ok(format!(
        "{} answers were false and {} ATS had none; each has its cause, its proof and its window: see the list below",
        of(FALSE),
        of(UNKNOWN)
    ))
}

/// Those who live are live, and the dead have no slot.
fn survivors(stage: &mut Stage) -> Result<(), Trouble> {
    let wanted = [("a", "live"), ("d", "live")];
    stage.wait("a and d live, and nobody else has a slot", LIMIT, |stage| {
        let hosts = stage.ask_json(&["hosts", "--host", "a", "--json"])?;
        let rows = hosts.as_array().into_iter().flatten();
        let mut seen: Vec<(&str, &str)> =
            rows.filter_map(|host| Some((host["name"].as_str()?, host["state"].as_str()?))).collect();
        seen.sort_unstable();
        Ok((seen == wanted).then_some(()))
    })
}

/// All that the dead held is a's.
fn locks(stage: &mut Stage) -> Result<(), Trouble> {
    let locks = stage.ask_json(&["locks", "--host", "a", "--json"])?;
    let rows = locks.as_array().into_iter().flatten();
    let mut held: Vec<(&str, &str)> =
        rows.filter_map(|lock| Some((lock["name"].as_str()?, lock["owners"][0]["host"].as_str()?))).collect();
    held.sort_unstable();
    let wanted = [("disk-1", "a"), ("disk-2", "a"), ("vm-1", "a")];
    ensure(held == wanted, || format!("the locks are {held:?} instead of {wanted:?}"))
}

/// What a host's API tells is what its file has: no event came to the one alone.
fn told(stage: &mut Stage, plot: &Plot) -> Result<(), Trouble> {
    for (host, _) in &plot.hosts {
        let told = stage.ask(&["events", "--host", host, "--json"])?;
        stage.look();
        for line in told.lines() {
            let known = stage.news.iter().any(|news| {
                news.host == *host && serde_json::to_string(&news.event).is_ok_and(|text| text == line)
            });
            ensure(known, || format!("host {host} tells of an event that is not in its file: {line}"))?;
        }
    }
    Ok(())
}

const FALSE: &str = "false";
const UNKNOWN: &str = "no answer";
const FOUND_OUT: &str = "found out";

/// What the device answered, in a word.
fn word(news: &News) -> &'static str {
    match news.event.kind.as_str() {
        "unknown" if news.is_found_out() => FOUND_OUT,
        "unknown" => UNKNOWN,
        _ => FALSE,
    }
}

/// Whether an answer has all that a reader needs to believe it.
fn is_explained(news: &News) -> bool {
    let event = &news.event;
    let window = [event.expected_age_us, event.queue_us, event.device_us];
    event.cause != "cannot-tell" && !event.detail.is_empty() && window.iter().all(Option::is_some)
}

/// What the run came to, for a person.
pub fn text(facts: &Facts, look: Look) -> String {
    let mut text = String::new();
    for listing in &facts.listings {
        text += &format!("\n{listing}");
    }
    if !facts.answers.is_empty() {
        text += &format!("\n{}\n\n{}", look.wrapped(LEGEND, ""), listed(&facts.answers, look));
    }
    let held = facts.steps.iter().filter(|step| step.ok).count();
    let verdict = if facts.ok { "every step holds" } else { "a step does not hold" };
    let verdict = look.bold(&format!("{verdict}: {held} of {}, {:.1} s", facts.steps.len(), facts.seconds));
    text + &format!("\n{verdict}\n")
}

/// How the list is to be read.
const LEGEND: &str = "Each false and each unknown answer to an ATS. AGE: of the expected image when the ATS was sent; \
    QUEUE, DEVICE: how long it waited on its host, and took at the device. Below each stand the answer (an ATS without one is found out by \
    a read) and the proof.";

/// A row for each answer, its proof below it.
fn listed(answers: &[News], look: Look) -> String {
    let heading = ["TIME", "HOST", "BLOCK", "CAUSE", "ACTION", "AGE", "QUEUE", "DEVICE"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(answers.iter().map(row));
    let whole = table(look, &rows);
    let mut lines = whole.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, news) in lines.zip(answers) {
        let winner = news.winner().map(|host| format!(", {host} was first")).unwrap_or_default();
        let proof = format!("{}{winner}: {}", word(news), news.event.detail);
        let proof = look.wrapped(&proof, "    ");
        text += &format!("{line}\n{}\n", look.dim(&proof));
    }
    text
}

fn row(news: &News) -> Vec<String> {
    let event = &news.event;
    // Of `2026-11-21T04:33:41.973Z` the time of the day.
    let time = event.time.get(11..23).unwrap_or(&event.time);
    vec![
        time.to_owned(),
        news.host.clone(),
        news.place(),
        event.cause.clone(),
        event.action.clone(),
        short(event.expected_age_us),
        short(event.queue_us),
        short(event.device_us),
    ]
}
