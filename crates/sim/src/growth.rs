//! Growth: the device gets longer in mid-run, and two tools at once grow the datastore into it beside live hosts (R38).

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{BlockCount, Clock};
use oarlock_engine::grow;

use crate::datastore::parts;
use crate::member::Run;
use crate::{HostIndex, HostLife};

/// Times that the device gets longer.
const TIMES: u32 = 3;
/// Blocks that it gains at once, at most: 20 MiB; sometimes less than a stride.
const BLOCKS_MAX: usize = 40_000;

/// The device gets longer now and then, while faults last.
pub async fn lengthen_now_and_then(run: Rc<Run>) {
    let gap = run.scenario.faults_for / (TIMES + 1);
    for _ in 0..TIMES {
        let pause = run.between(1, u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
        run.world.sleep_until(run.world.now().plus(pause)).await;
        let blocks = 1 + run.world.choices().choose(crate::ChoiceKind::Workload, BLOCKS_MAX);
        run.world.lengthen_device(BlockCount(u64::try_from(blocks).unwrap_or(1)));
        run.world.note(None, &format!("the device got {blocks} blocks longer"));
    }
}

/// Somebody runs `grow` now and then, each time as a new process, until the world ends. Runs on the overseer's machine.
pub async fn grow_now_and_then(run: Rc<Run>, machine: HostIndex) {
    loop {
        run.world.sleep_until(run.world.now().plus(run.between(500, 6_000))).await;
        let life = run.world.start_life(machine);
        life.spawn(grow_once(Rc::clone(&run), life.clone()));
        life.ended().await;
    }
}

async fn grow_once(run: Rc<Run>, life: HostLife) {
    match grow(&parts(&life)).await {
        Ok(grown) => {
            run.world.note(Some(life.host()), &format!("grown; unseen by {:?}", grown.unseen_by));
            if grown.unseen_by.is_empty() {
                everybody_knows(&run, grown.now.device_blocks);
            }
        }
        Err(error) => run.world.note(Some(life.host()), &format!("could not grow: {error}")),
    }
    // A growth that is refused at once must not be asked for again in the same instant.
    let clock = life.clock();
    clock.sleep_until(clock.now().plus(Duration::from_millis(1))).await;
    run.world.stop_life(life.host());
}

/// Once a growth says that everybody knows, its old shadow may be given out: no host may take it for one any more (R38).
fn everybody_knows(run: &Run, blocks: BlockCount) {
    for (life, member) in run.census.members() {
        let known = member.host.superblock().record.device_blocks;
        let acts = matches!(
            member.host.status().state,
            oarlock_engine::HostState::Live | oarlock_engine::HostState::Held
        );
        if acts && known < blocks {
            let message = format!(
                "a growth to {} blocks said that everybody knows, and {}.{} knows of {}",
                blocks.0, life.0, life.1, known.0
            );
            run.violation("R38", &message);
        }
    }
}
