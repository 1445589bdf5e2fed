//! The judge: when a run is over, and all its hosts are gone, one more host comes, takes them over, and looks at everything.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Clock, Lba};
use oarlock_engine::check::{CheckOptions, Code, Finding, Severity, check};
use oarlock_engine::path::Request;
use oarlock_engine::{Attachment, DiskError, EvictError, Host};
use oarlock_format::{ClusterIndex, DiskTarget, HostName, LayerId};

use super::image::{Purpose, Session};
use super::reading::read_all;
use super::{Driver, Medium, Survey};
use crate::datastore::{Template, parts};
use crate::member::{Run, name_of};
use crate::{HostIndex, HostLife, HostSetup, Lane, World};

/// How long a run's end waits for a disk at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(600);
/// Former lives of one host that the judge buries at most.
const LIVES_MAX: u32 = 16;

/// Ends all hosts, lets another one come, and says what it finds wrong.
pub fn look(world: &World, run: &Rc<Run>) -> Result<(), String> {
    if let Some(id) = run.estate.in_use(run) {
        return Err(format!("{id} is in use long after the faults"));
    }
    // Beside hosts that live, and then beside hosts that are dead and not taken over, a check finds no damage.
    checked(world, run, false, &|finding| finding.severity() != Severity::Damage)?;
    let crashes = run.crashes.get();
    let lives = (0..=run.scenario.hosts).filter(|number| world.present_life(HostIndex(*number)).is_some());
    let crashed = crashes > lives.filter(|number| *number > 0).count() as u64;
    (0..=run.scenario.hosts).for_each(|number| world.stop_life(HostIndex(number)));
    checked(world, run, false, &|finding| finding.severity() != Severity::Damage)?;
    let life = world.start_life(world.add_host(HostSetup::OVERSEER));
    let judge = Judge { run: Rc::clone(run), life: life.clone() };
    let (judged, ended) =
        world.run_to_end(&life, world.now().plus(LIMIT), async move { judge.judge().await });
    if let Some(violation) = world.violation() {
        return Err(violation.what);
    }
    judged.ok_or(format!("the judge came to no end: {ended:?}"))??;
    survey(run, crashed)?;
    // What hosts died over is freed, and what was taken beforehand so that space runs out; behind that nothing is wrong.
    let is_filled = run.scenario.ground.room.is_some();
    let is_leak = |finding: &Finding| (crashed || is_filled) && finding.code == Code::BitmapLeaks;
    if checked(world, run, false, &is_leak)? > 0 {
        checked(world, run, true, &|finding| is_leak(finding) && finding.repaired.is_some())?;
    }
    checked(world, run, false, &|_| false).map(drop)
}

/// A check of the whole datastore; how much it finds about disks, all of which must be as `may_be` says.
fn checked(
    world: &World,
    run: &Rc<Run>,
    repair: bool,
    may_be: &dyn Fn(&Finding) -> bool,
) -> Result<usize, String> {
    let life = world.start_life(world.add_host(HostSetup::OVERSEER));
    let tool = parts(&life);
    let options = CheckOptions { repair, host: None };
    let checking = async move { check(&tool, &options, &|_, _| {}).await };
    let (report, ended) = world.run_to_end(&life, world.now().plus(LIMIT), checking);
    if let Some(violation) = world.violation() {
        return Err(violation.what);
    }
    let report =
        report.ok_or(format!("a check came to no end: {ended:?}"))?.map_err(|error| error.to_string())?;
    let layout = &run.layout;
    let is_of_disks = |finding: &&Finding| {
        let others = [layout.slots, layout.scratch, layout.locks, layout.shadow];
        !others.iter().any(|region| region.contains(finding.place.lba))
    };
    let found: Vec<&Finding> = report.findings.iter().filter(is_of_disks).collect();
    match found.iter().find(|finding| !may_be(finding)) {
        Some(wrong) => Err(format!("a check finds {wrong:?}")),
        None => Ok(found.len()),
    }
}

/// Each cluster is owned once, and what is owned is taken; what is taken and nobody's was left by a host that died.
fn survey(run: &Run, crashed: bool) -> Result<(), String> {
    let block = |lba: Lba| run.world.content(lba).to_vec();
    let medium = Medium { superblock: &run.superblock, format_id: Template::FORMAT_ID, block: &block };
    let survey = Survey::of(&medium)?;
    let left = survey.left_over();
    if !left.is_empty() {
        return Err(format!("layers are left over: {left:?}"));
    }
    let space = run.superblock.space();
    let last = space.head() + u32::from(run.scenario.ground.room.unwrap_or_default());
    let is_used = |index: ClusterIndex| u32::from(index.0) < last;
    let leaked: Vec<_> = survey.unowned().filter(|cluster| is_used(cluster.place().1)).collect();
    match leaked.first() {
        Some(first) if !crashed => Err(format!("{} clusters are nobody's, {first} first", leaked.len())),
        _ => Ok(()),
    }
}

struct Judge {
    run: Rc<Run>,
    life: HostLife,
}

impl Judge {
    async fn judge(self) -> Result<(), String> {
        let host = self.join().await?;
        let running = host.clone();
        self.life.spawn(async move { drop(running.run().await) });
        for number in 0..self.run.scenario.hosts {
            self.bury(&host, number).await?;
        }
        self.read_everything(&host).await?;
        self.tend(&host).await?;
        self.read_everything(&host).await?;
        // What was on its way stood back for whoever read.
        self.tend(&host).await?;
        let clock = self.life.clock();
        host.leave(clock.now().plus(PATIENCE)).await;
        let ended = host.ended().await;
        if ended == oarlock_engine::Ended::Left { Ok(()) } else { Err(format!("the judge {ended}")) }
    }

    async fn tend(&self, host: &Host) -> Result<(), String> {
        // What is below a layer that was tended to may be needed by nobody only then.
        for _ in 0..2 {
            host.tend_layers().await.map_err(|error| format!("layers could not be tended to: {error}"))?;
        }
        Ok(())
    }

    async fn join(&self) -> Result<Host, String> {
        let name = HostName::new("judge").map_err(|error| error.to_string())?;
        let (run, index) = (Rc::clone(&self.run), self.life.host());
        let events: oarlock_engine::EventSink = Rc::new(move |event| {
            run.world.note(Some(index), &format!("{} {}: {}", event.kind, event.action, event.detail));
        });
        Host::join(parts(&self.life), &name, events).await.map_err(|error| format!("the judge: {error}"))
    }

    /// No slot says any more that a host of that name lives.
    async fn bury(&self, host: &Host, number: u16) -> Result<(), String> {
        let (name, clock) = (name_of(&self.run, number), self.life.clock());
        for _ in 0..LIVES_MAX {
            match host.evict(&name, false, clock.now().plus(PATIENCE)).await {
                Ok(()) => {}
                Err(EvictError::Unknown { .. }) => return Ok(()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("{name} has more than {LIVES_MAX} slots"))
    }

    /// Every disk and every snapshot shows what it may.
    async fn read_everything(&self, host: &Host) -> Result<(), String> {
        let mut expected = self.run.estate.ids();
        let rows = host.disks().await.map_err(|error| error.to_string())?;
        for row in rows {
            self.read(host, &DiskTarget { disk: row.name.clone(), snapshot: None }, row.id, &mut expected)
                .await?;
            let snapshots = host.snapshots(&row.name).await.map_err(|error| error.to_string())?;
            for snapshot in snapshots {
                let target = DiskTarget { disk: row.name.clone(), snapshot: Some(snapshot.name) };
                self.read(host, &target, snapshot.id, &mut expected).await?;
            }
        }
        match expected.first() {
            Some(id) => Err(format!("{id} is nowhere to be found")),
            None => Ok(()),
        }
    }

    async fn read(
        &self,
        host: &Host,
        target: &DiskTarget,
        id: LayerId,
        expected: &mut Vec<LayerId>,
    ) -> Result<(), String> {
        expected.retain(|other| *other != id);
        let about = |error: DiskError| format!("{target}: {error}");
        let clock = self.life.clock();
        let attached = host.attach_disk(target, true, clock.now().plus(PATIENCE)).await.map_err(about)?;
        let (estate, size) = (&self.run.estate, attached.path().size());
        let session = estate.open(&self.run, (attached.id(), host.status().owner), size, Purpose::ToRead);
        let request = async |request| self.request(&attached, &session, request).await;
        if !read_all(&self.run, &session, attached.path(), request).await {
            return Err(format!("{target} could not be read"));
        }
        estate.close(&session);
        attached.detach().await.map_err(about)
    }

    async fn request(
        &self,
        attached: &Attachment,
        session: &Session,
        request: Request,
    ) -> Result<(), oarlock_engine::path::PathError> {
        let (device, clock) = (self.life.device(Lane::Work), self.life.clock());
        let (asked, data) = self.run.estate.ask(session, request);
        let driver =
            Driver { clock: &clock, device: &device, path: attached.path(), pause: &|| None, patience: None };
        let (result, data) = driver.run(request, data).await;
        self.run.estate.answer(&self.run, &asked, result, false, &data);
        result
    }
}
