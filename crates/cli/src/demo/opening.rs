//! The opening: a datastore is made, and three hosts join it at once.

use super::pace::Pace;
use super::plot::Plot;
use super::stage::{LIMIT, STORE, Stage, Trouble, ensure};

/// Eight slots: the record of each is a block of its own.
const SIZE: [&str; 4] = ["--size", "64M", "--slots", "8"];
/// The hosts of the beginning.
const FIRST: [&str; 3] = ["a", "b", "c"];

/// `oarlock format`.
pub fn format(stage: &mut Stage, _: &mut Plot) -> Result<String, Trouble> {
    stage.pace = Pace::measured(stage)?;
    let (beat, lease) = (stage.pace.beat.as_secs(), stage.pace.lease().as_secs());
    let times = [format!("{beat}s"), format!("{lease}s")];
    let times = ["--beat", &times[0], "--lease", &times[1]];
    let arguments = [&["format", "pool", "--name", STORE, "--json"], &SIZE[..], &times[..]].concat();
    let made = stage.ask_json(&arguments)?;
    stage.tell(&format!("oarlock {}", arguments.join(" ").replace(" --json", "")));
    ensure(made["name"] == STORE && made["slots"] == 8, || format!("it made another: {made}"))?;
    ensure(stage.has("pool"), || "there is no file".to_owned())?;
    let watch = (stage.pace.lease() * 11 / 10).as_secs_f64();
    Ok(format!("a beat of {beat} s, a lease of {lease} s, a watch of {watch} s: {}", stage.pace.words()))
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
