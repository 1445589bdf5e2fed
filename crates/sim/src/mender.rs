//! The mender: `check --repair` beside live hosts (R39): by a program on a machine of its own, and by a host that met damage.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Clock;
use oarlock_engine::Host;
use oarlock_engine::check::{CheckOptions, check};

use crate::datastore::parts;
use crate::member::Run;
use crate::{HostIndex, HostLife};

/// Somebody runs the program now and then, each time as a new process, until the world ends. Runs on the overseer's
/// machine.
pub async fn mend_now_and_then(run: Rc<Run>, machine: HostIndex) {
    loop {
        // Often enough that what rotted last is whole again long before the run ends.
        run.world.sleep_until(run.world.now().plus(run.between(500, 8_000))).await;
        let life = run.world.start_life(machine);
        life.spawn(mend_once(Rc::clone(&run), life.clone()));
        life.ended().await;
    }
}

async fn mend_once(run: Rc<Run>, life: HostLife) {
    mend(&run, &life, None).await;
    run.world.stop_life(life.host());
}

/// One check with repair: by this host, or, without one, by a host that joins for it.
pub async fn mend(run: &Run, life: &HostLife, host: Option<Host>) {
    let options = CheckOptions { repair: true, host };
    match check(&parts(life), &options, &|_, _| {}).await {
        Ok(report) => {
            for finding in &report.findings {
                let outcome = finding.repaired.as_ref().map(|repaired| repaired.words());
                let outcome = outcome.or(finding.refused.clone()).unwrap_or_default();
                let (code, lba) = (finding.code.text(), finding.place.lba);
                let words = format!("found {code} at block {lba}: {} ({outcome})", finding.message);
                run.world.note(Some(life.host()), &words);
            }
        }
        Err(error) => run.world.note(Some(life.host()), &format!("could not check: {error}")),
    }
    // A check that is refused at once must not be asked for again in the same instant.
    let clock = life.clock();
    clock.sleep_until(clock.now().plus(Duration::from_millis(1))).await;
}
