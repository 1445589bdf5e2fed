//! Living hosts and their locks: a counter under an exclusive lock, and a lock that two share.

use std::fs;

use super::cast::Actor;
use super::news::News;
use super::plot::Plot;
use super::stage::{LIMIT, LIMIT_TEXT, Stage, Trouble, ensure};

/// Increments by each host in one round.
const ROUND: u32 = 8;
/// Rounds: each goes on until one host was seen to lose an ATS to another, which the first round all but always shows.
const ROUNDS_MAX: u32 = 20;

/// Reads a number, adds one, writes it back, and notes number, token and host: nothing of it is atomic by itself.
const COUNT: &str = "n=$(cat count); n=$((n + 1)); echo $n > count; echo $n $OARLOCK_LOCK_TOKEN $0 >> tally";

/// Counts on all hosts at once under one lock.
pub fn counter(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    fs::write(stage.path("count"), "0\n")?;
    let hosts: Vec<&str> = plot.hosts.iter().map(|(host, _)| *host).collect();
    stage.tell(&format!(
        "on {} at once, {ROUND} times each: oarlock lock run counter -- sh -c 'n=$(cat count); echo $((n + 1)) > count'",
        hosts.join(", ")
    ));
    let mut rounds = 0;
    while rounds < ROUNDS_MAX && (rounds == 0 || !stage.news.iter().any(News::is_contention)) {
        round(stage, &hosts)?;
        rounds += 1;
    }
    let wanted = rounds * ROUND * u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let count = stage.text("count");
    ensure(count == wanted.to_string(), || format!("the counter says {count} instead of {wanted}"))?;
    let last = in_order(&stage.text("tally"), wanted)?;
    let lost = stage.news.iter().filter(|news| news.is_contention()).count();
    ensure(lost > 0, || "no host ever lost an ATS to another".to_owned())?;
    Ok(format!(
        "{wanted} increments, the counter says {count}; tokens grew with each, up to {last}; {lost} ATS were lost to \
         another host and tried again"
    ))
}

/// Each host counts so many times, one after the other.
fn round(stage: &mut Stage, hosts: &[&str]) -> Result<(), Trouble> {
    let mut lanes: Vec<(&str, u32, Option<Actor>)> = hosts.iter().map(|host| (*host, ROUND, None)).collect();
    stage.wait("every host has counted", LIMIT, |stage| {
        for (host, left, running) in &mut lanes {
            if let Some(actor) = *running {
                match stage.cast.status(actor) {
                    None => continue,
                    Some(status) if !status.success() => return Err(stage.gone_wrong(actor, status)),
                    Some(_) => *running = None,
                }
            }
            if *left > 0 {
                *left -= 1;
                let arguments = [
                    "lock", "run", "counter", "--host", host, "--wait", LIMIT_TEXT, "--", "sh", "-c", COUNT,
                    host,
                ];
                *running = Some(stage.cast.start(&arguments)?);
            }
        }
        Ok(lanes.iter().all(|(_, left, running)| *left == 0 && running.is_none()).then_some(()))
    })
}

/// Whether the tally has each number once and in order, under tokens that only grow; gives the last token.
fn in_order(tally: &str, wanted: u32) -> Result<u64, Trouble> {
    let mut last = 0;
    let mut expected = 0;
    for line in tally.lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (count, token) = (number(), number());
        expected += 1;
        ensure(count == Some(expected), || format!("increment {expected} is `{line}`"))?;
        let token = token.unwrap_or(0);
        ensure(token > last, || format!("the token of `{line}` is not above {last}"))?;
        last = token;
    }
    ensure(expected == u64::from(wanted), || {
        format!("{expected} increments were noted instead of {wanted}")
    })?;
    Ok(last)
}

/// Stays until it is told to go.
const STAY: &str = ": > $OARLOCK_LOCK-$0; until [ -e go ]; do sleep 0.02; done";

/// Two hosts share a lock; a third that wants it alone gets it only after them.
pub fn shared(stage: &mut Stage, _: &mut Plot) -> Result<String, Trouble> {
    let mut sharing = Vec::new();
    for host in ["a", "b"] {
        let run = ["lock", "run", "report", "--shared", "--host", host, "--wait", LIMIT_TEXT];
        let arguments = [&run[..], &["--", "sh", "-c", STAY, host]].concat();
        sharing.push((host, stage.cast.start(&arguments)?));
    }
    for (host, actor) in &sharing {
        // Neither goes before it is told to: once both have come, both hold it.
        stage.await_file(&format!("report-{host}"), *actor, LIMIT)?;
        stage.tell(&format!("{host}: holds `report` shared"));
    }
    let early = ["lock", "run", "report", "--host", "c", "--wait", "300ms", "--", "true"];
    let early = stage.cast.start(&early)?;
    let status = stage.finish(early, LIMIT)?;
    ensure(status.code() == Some(75), || format!("c got it alone meanwhile, or failed: {status}"))?;
    stage.tell("c: wants it alone, waits 300 ms, exit code 75: try again");
    let late = stage.run_under("c", "report", "true")?;
    fs::write(stage.path("go"), "")?;
    for (_, actor) in sharing {
        stage.succeed(actor, LIMIT)?;
    }
    stage.succeed(late, LIMIT)?;
    stage.tell("a, b: released it; c: had it alone");
    Ok("a and b held it at one time; c had it after both".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_increment_a_repeated_token_and_a_missing_line_are_each_found() {
        assert_eq!(in_order("1 4 a\n2 6 b\n3 9 a", 3), Ok(9));
        for broken in ["1 4 a\n1 6 b\n2 9 a", "1 4 a\n2 4 b\n3 9 a", "1 4 a\n2 6 b", "1 4 a\n2\n3 9 a"] {
            assert!(in_order(broken, 3).is_err(), "{broken}");
        }
    }
}
