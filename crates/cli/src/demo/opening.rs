//! The opening: a datastore is made, and three hosts join it at once.

use super::plot::Plot;
use super::stage::{LIMIT, STORE, Stage, Trouble, ensure};

/// Half of the default times: a host that is stopped is taken over within 7 s instead of 14, so that the whole fits into
/// a minute; and still long enough that a busy machine makes no lease run out.
const TIMES: [&str; 4] = ["--beat", "1s", "--lease", "5s"];
/// Eight slots: the record of each is a block of its own.
const SIZE: [&str; 4] = ["--size", "64M", "--slots", "8"];
/// The hosts of the beginning.
const FIRST: [&str; 3] = ["a", "b", "c"];

/// `oarlock format`.
pub fn format(stage: &mut Stage, _: &mut Plot) -> Result<String, Trouble> {
    let arguments = [&["format", "pool", "--name", STORE, "--json"], &SIZE[..], &TIMES[..]].concat();
    let made = stage.ask_json(&arguments)?;
    stage.tell(&format!("oarlock {}", arguments.join(" ").replace(" --json", "")));
    ensure(made["name"] == STORE && made["slots"] == 8, || format!("it made another: {made}"))?;
    ensure(stage.has("pool"), || "there is no file".to_owned())?;
    Ok("a beat each second, a lease of 5 s, a watch of 5.5 s: half of the defaults, to be done in a minute"
        .to_owned())
}

/// Three times `oarlock up`, all at once.
pub fn join(stage: &mut Stage, plot: &mut Plot) -> Result<String, Trouble> {
    for host in FIRST {
        plot.hosts.push((host, stage.up(host, &[])?));
    }
    for (host, actor) in plot.hosts.clone() {
        stage.ready(host, actor)?;
        stage.tell(&format!("{host}: `oarlock up pool --host {host}` says ready"));
    }
    stage.tell("a: looks at the slots for two beats, as `oarlock hosts` does");
    let slots = stage.wait("all three are seen alive", LIMIT, |stage| {
        let hosts = stage.ask_json(&["hosts", "--host", "a", "--json"])?;
        let live: Vec<String> = FIRST
            .iter()
            .filter_map(|name| {
                let hosts = hosts.as_array()?;
                let host = hosts.iter().find(|host| host["name"] == **name && host["state"] == "live")?;
                Some(format!("{name} in slot {}", host["slot"]))
            })
            .collect();
        Ok((live.len() == FIRST.len()).then_some(live))
    })?;
    Ok(format!("all live: {}", slots.join(", ")))
}
