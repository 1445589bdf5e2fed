//! The answers: every false and every unknown ATS of the run, with cause, proof, and the window it was lost in.

use super::news::News;
use super::stage::{Stage, Trouble, ensure};
use super::story::{Facts, Plot};
use crate::terminal::{Look, table};

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
    let of = |wanted: &str| answers.iter().filter(|news| news.event.kind == wanted).count();
    Ok(format!(
        "{} false and {} unknown answers, each with cause, proof and window: they are listed below",
        of("miscompare"),
        of("unknown")
    ))
}

/// Those who live are live, and the dead have no slot.
fn survivors(stage: &mut Stage) -> Result<(), Trouble> {
    let hosts = stage.ask_json(&["hosts", "--host", "a", "--json"])?;
    let rows = hosts.as_array().into_iter().flatten();
    let mut seen: Vec<(&str, &str)> =
        rows.filter_map(|host| Some((host["name"].as_str()?, host["state"].as_str()?))).collect();
    seen.sort_unstable();
    let wanted = [("a", "live"), ("c", "live"), ("d", "live")];
    ensure(seen == wanted, || format!("the hosts are {seen:?} instead of {wanted:?}"))
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
    QUEUE, DEVICE: how long it waited on this host, and took at the device. Below each its proof.";

/// A row for each answer, its proof below it.
fn listed(answers: &[News], look: Look) -> String {
    let heading = ["TIME", "HOST", "BLOCK", "CAUSE", "ACTION", "AGE", "QUEUE", "DEVICE"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(answers.iter().map(row));
    let whole = table(look, &rows);
    let mut lines = whole.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, news) in lines.zip(answers) {
        let answer = if news.event.kind == "unknown" { "no answer" } else { "false" };
        let proof = look.wrapped(&format!("{answer}: {}", news.event.detail), "    ");
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

/// A time in five letters or so: `0`, `85us`, `1.2ms`, `500ms`, `2.1s`.
fn short(microseconds: Option<u64>) -> String {
    let Some(us) = microseconds else { return "-".to_owned() };
    match us {
        0 => "0".to_owned(),
        1..1_000 => format!("{us}us"),
        1_000..10_000 => format!("{}.{}ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        _ => format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_short_in_its_own_unit() {
        let cases = [(0, "0"), (999, "999us"), (1_250, "1.2ms"), (12_500, "12ms"), (2_150_000, "2.1s")];
        for (us, text) in cases {
            assert_eq!(short(Some(us)), text);
        }
        assert_eq!(short(None), "-");
    }
}
