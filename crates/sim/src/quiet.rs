//! What must be so of the datastore itself once all is quiet: nothing for a check to find, and one superblock in two places.

use std::time::Duration;

use oarlock_block::Lba;
use oarlock_engine::check::{CheckOptions, check};
use oarlock_engine::read_superblock;
use oarlock_format::Truth;

use crate::checkers::superblocks::copy_at;
use crate::datastore::parts;
use crate::member::Run;
use crate::{HostSetup, World};

/// A check of a small datastore takes a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// Looks at the datastore with the engine's own means, in a process of its own.
pub fn look(world: &World, run: &Run) -> Result<(), String> {
    one_superblock(world, run)?;
    let life = world.start_life(world.add_host(HostSetup::OVERSEER));
    let tool = parts(&life);
    let checking = async move { check(&tool, &CheckOptions { repair: false, host: None }, &|_, _| {}).await };
    let (report, _) = world.run_to_end(&life, world.now().plus(LIMIT), checking);
    match report {
        Some(Ok(report)) if report.findings.is_empty() => {}
        Some(Ok(report)) => return Err(format!("a check finds {:?}", report.findings)),
        other => return Err(format!("a check came to {other:?}")),
    }
    // The shadow alone tells the datastore, too.
    let first = copy_at(world, Lba(0));
    let mut rotten = world.content(Lba(0)).to_vec();
    rotten[300] ^= 1;
    world.put_content(Lba(0), &rotten);
    let tool = parts(&life);
    let reading = async move { read_superblock(&tool).await };
    let (read, _) = world.run_to_end(&life, world.now().plus(LIMIT), reading);
    let same = matches!(&read, Some(Ok(chosen)) if chosen.truth == Truth::Shadow && Some(&chosen.superblock.record) == first.as_ref().map(|first| &first.record));
    if same { Ok(()) } else { Err(format!("with a rotten first copy, the superblock is {read:?}")) }
}

/// Both copies are one, they are as long as the device, and every host knows them.
fn one_superblock(world: &World, run: &Run) -> Result<(), String> {
    let first = copy_at(world, Lba(0)).ok_or("there is no first superblock")?;
    let shadow = copy_at(world, first.record.layout.shadow.start).ok_or("there is no shadow")?;
    if (shadow.stamp.generation, &shadow.record) != (first.stamp.generation, &first.record) {
        return Err("the two superblocks differ".to_owned());
    }
    let (datastore, device) = (first.record.device_blocks, world.device_blocks());
    if datastore.0 + first.record.stride_blocks.0 <= device.0 {
        return Err(format!("the datastore has {} blocks, and the device {}", datastore.0, device.0));
    }
    for (life, member) in run.census.members() {
        let known = member.host.superblock().stamp.generation;
        if known != first.stamp.generation {
            return Err(format!("{}.{} knows the superblock's generation {known} only", life.0, life.1));
        }
    }
    Ok(())
}
