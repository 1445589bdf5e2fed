//! One seed, one run: the datastore, the members, the users, the checkers; and what came of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Lba;
use oarlock_engine::HostState;
use oarlock_format::{GroupRecord, SlotRecord, Stamped};

use crate::census::Census;
use crate::checkers::Names;
use crate::datastore::Template;
use crate::disks::{estate::Estate, judge};
use crate::growth::{grow_now_and_then, lengthen_now_and_then};
use crate::member::{Run, keep_alive};
use crate::mender::mend_now_and_then;
use crate::scenario::{Power, Scenario, Theme};
use crate::{Ended, FaultKind, HostSetup, World, checkers, quiet};

/// What is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// Which invariant is broken.
    pub invariant: String,
    /// How.
    pub message: String,
}

/// What one seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// Simulated time of all hosts together.
    pub host_time: Duration,
    /// Commands to the device.
    pub commands: u64,
    /// Locks taken.
    pub acquired: u64,
    /// Faults that happened.
    pub faults: u64,
    /// What guests of disks did, and how often.
    pub deeds: BTreeMap<&'static str, u64>,
    /// Number that another run of the seed must give, too.
    pub fingerprint: u64,
    /// What is wrong, if anything is.
    pub found: Option<Found>,
    /// The last things that happened, where they were asked for.
    pub trace: String,
}

/// Runs a seed; a panic in it is a finding like any other.
#[must_use]
pub fn run_seed(seed: u64, hosts: Option<u16>, trace_entries: usize) -> SeedReport {
    let scenario = Scenario::of(seed, hosts);
    let caught = catch_unwind(AssertUnwindSafe(|| run_scenario(&scenario, trace_entries)));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let message = text.unwrap_or_else(|| "a panic without words".to_owned());
        let found = Found { seed, invariant: "I12".to_owned(), message: format!("panicked: {message}") };
        SeedReport {
            seed,
            host_time: Duration::ZERO,
            commands: 0,
            acquired: 0,
            faults: 0,
            deeds: BTreeMap::new(),
            fingerprint: 0,
            found: Some(found),
            trace: String::new(),
        }
    })
}

/// Runs a scenario in a world of its own.
#[must_use]
pub fn run_scenario(scenario: &Scenario, trace_entries: usize) -> SeedReport {
    let world = World::seeded(scenario.options(trace_entries));
    let template = Template::on(scenario.ground, scenario.hosts, scenario.timing);
    template.put(&world);
    if scenario.has_no_place_for_clusters() {
        template.take_places(&world);
    }
    let run = Rc::new(Run {
        world: world.handle(),
        scenario: scenario.clone(),
        census: Rc::new(Census::default()),
        layout: template.layout(),
        superblock: template.superblock.record.clone(),
        names: Names::default(),
        estate: Estate::default(),
        leaving: RefCell::default(),
        crashes: Cell::default(),
    });
    for checker in checkers::all(&run) {
        world.observe(checker);
    }
    let overseer = world.start_life(world.add_host(HostSetup::OVERSEER));
    for number in 0..scenario.hosts {
        let host = world.add_host(HostSetup::MEMBER);
        overseer.spawn(keep_alive(Rc::clone(&run), host, number));
    }
    if scenario.theme == Theme::Rot {
        let machine = world.add_host(HostSetup::MEMBER);
        overseer.spawn(mend_now_and_then(Rc::clone(&run), machine));
    }
    if scenario.theme == Theme::Growing {
        overseer.spawn(lengthen_now_and_then(Rc::clone(&run)));
        for _ in 0..2 {
            let machine = world.add_host(HostSetup::MEMBER);
            overseer.spawn(grow_now_and_then(Rc::clone(&run), machine));
        }
    }
    let ended = world.run_until(scenario.end());
    let found = world.violation().map(|violation| found_of(scenario.seed, &violation.what));
    let found = found.or_else(|| afterwards(&run, ended));
    let sound =
        matches!(scenario.theme, Theme::Power | Theme::Growing) && scenario.power != Power::OfTheDevice;
    let found = found.or_else(|| {
        let wrong = if sound { quiet::look(&world, &run).err() } else { None };
        wrong.map(|message| Found { seed: scenario.seed, invariant: "quiet".to_owned(), message })
    });
    let found = found.or_else(|| {
        let wrong = (scenario.theme == Theme::Disks).then(|| judge::look(&world, &run).err())?;
        wrong.map(|message| Found { seed: scenario.seed, invariant: "estate".to_owned(), message })
    });
    let report = report(&run, found);
    run.census.close();
    report
}

fn found_of(seed: u64, what: &str) -> Found {
    let (invariant, message) = what.split_once(": ").unwrap_or(("?", what));
    Found { seed, invariant: invariant.to_owned(), message: message.to_owned() }
}

/// What must be so once faults have stopped for long: every host lives, every lock was got again.
fn afterwards(run: &Run, ended: Ended) -> Option<Found> {
    let seed = run.scenario.seed;
    let found =
        |invariant: &str, message: String| Some(Found { seed, invariant: invariant.to_owned(), message });
    if ended != Ended::Limit {
        return found("liveness", format!("the run ended by itself: {ended:?}"));
    }
    if let Some(wrong) = run.census.not_linearizable() {
        return found("linearizable", wrong);
    }
    for number in 0..run.scenario.hosts {
        let host = crate::HostIndex(number + 1);
        let member = run.world.present_life(host).and_then(|life| run.census.member((host, life.life())));
        let twin = run.scenario.theme == Theme::Twins;
        match member {
            Some(member) if member.host.status().state == HostState::Live => {}
            Some(member) => {
                return found(
                    "liveness",
                    format!("{host} is {} long after the faults", member.host.status().state.name()),
                );
            }
            None if twin => {}
            None => return found("liveness", format!("{host} has not joined long after the faults")),
        }
    }
    if let Some(wrong) = two_of_one_name(run) {
        return found("R30", wrong);
    }
    if let Some(wrong) = run.names.at_rest(run).filter(|_| run.scenario.theme == Theme::Names) {
        return found("R36", wrong);
    }
    if run.scenario.theme == Theme::Rollback || run.scenario.power == Power::OfTheDevice {
        // A lock may name an owner of the time that was lost; only a person can say that he is gone.
        return None;
    }
    let settled = run.scenario.faults_end().plus(run.scenario.timing.watch * 3 + Duration::from_secs(10));
    if run.scenario.locks.len() <= 3 {
        for lock in 0..run.scenario.locks.len() {
            if run.census.last_grant_of(lock).is_none_or(|last| last < settled) {
                let last = run.census.last_grant_of(lock);
                return found(
                    "liveness",
                    format!("lock {lock} was last got at {last:?}, and never after the faults"),
                );
            }
        }
    }
    None
}

/// Two hosts of one name that both live. A slot of one that died without anybody's interest may stand for long.
fn two_of_one_name(run: &Run) -> Option<String> {
    let members = run.census.members();
    let live = |member: &crate::census::Member| member.host.status().state == HostState::Live;
    let (first, second) = members.iter().enumerate().find_map(|(index, (life, member))| {
        let twin = members[index + 1..].iter().find(|(_, other)| {
            live(member) && live(other) && member.host.status().name == other.host.status().name
        })?;
        Some((life, &twin.0))
    })?;
    Some(format!("{}.{} and {}.{} live under one name", first.0, first.1, second.0, second.1))
}

fn report(run: &Run, found: Option<Found>) -> SeedReport {
    let statistics = run.world.statistics();
    let lasted = run.world.now().since_start();
    SeedReport {
        seed: run.scenario.seed,
        host_time: lasted * u32::from(run.scenario.hosts),
        commands: statistics.commands,
        acquired: run.census.acquired.get(),
        faults: FaultKind::ALL.iter().map(|kind| statistics.faults_of(*kind)).sum(),
        deeds: run.estate.deeds(),
        fingerprint: run.world.fingerprint(),
        found,
        trace: run.world.trace(&|lba: Lba, bytes: &[u8]| describe(run, lba, bytes)),
    }
}

/// A record in a few words, for the trace.
fn describe(run: &Run, lba: Lba, bytes: &[u8]) -> String {
    use oarlock_format::{LockRecord, Place, Standing, decode};
    let place = Place { format_id: Template::FORMAT_ID, lba };
    match run.layout.kind_at(lba) {
        Standing::Slot(_) => match decode::<SlotRecord>(bytes, &place) {
            Ok(slot) => format!(
                "{} i{} g{} by {}",
                slot.record.state.name(),
                slot.record.incarnation,
                slot.stamp.generation,
                writer(&slot.stamp)
            ),
            Err(error) => error.to_string(),
        },
        Standing::Lock(_) => match decode::<LockRecord>(bytes, &place) {
            Ok(lock) => format!(
                "{} {} owner {} holders {:?}{} g{} by {}",
                lock.record.name.map_or_else(|| "-".to_owned(), |name| name.to_string()),
                lock.record.lock.mode.name(),
                lock.record
                    .lock
                    .owner
                    .map_or_else(|| "-".to_owned(), |owner| format!("s{}i{}", owner.slot, owner.incarnation)),
                lock.record.lock.holders.iter().map(|slot| slot.0).collect::<Vec<_>>(),
                if lock.record.lock.interest { " interest" } else { "" },
                lock.stamp.generation,
                writer(&lock.stamp)
            ),
            Err(error) => error.to_string(),
        },
        Standing::Directory(_) | Standing::Descriptor(_) => describe_name(&place, bytes),
        Standing::Scratch(_) => format!("counter {}", crate::user::counter(bytes)),
        Standing::Group => decode::<GroupRecord>(bytes, &place)
            .map_or_else(|_| String::new(), |group| describe_group(&group)),
        _ => String::new(),
    }
}

/// A group's record in a few words.
fn describe_group(group: &Stamped<GroupRecord>) -> String {
    let lock = &group.record.lock;
    let owner =
        lock.owner.map_or_else(|| "-".to_owned(), |owner| format!("s{}i{}", owner.slot, owner.incarnation));
    format!(
        "group {} of {} owner {owner}{} g{} by {}",
        group.record.free,
        group.record.clusters,
        if lock.interest { " interest" } else { "" },
        group.stamp.generation,
        writer(&group.stamp)
    )
}

/// A record of directory or descriptors in a few words.
fn describe_name(place: &oarlock_format::Place, bytes: &[u8]) -> String {
    use oarlock_format::{BucketRecord, DescriptorName, DescriptorRecord, decode};
    if let Ok(descriptor) = decode::<DescriptorRecord>(bytes, place) {
        let record = &descriptor.record;
        let layer = record.layer.as_ref();
        let owner = record.lock.owner.map(|owner| format!("s{}i{}", owner.slot, owner.incarnation));
        return format!(
            "use {} {}{} other {:?} owner {} g{} by {}",
            record.uid,
            layer.map_or("free", |layer| layer.state.name()),
            layer.map(in_words).unwrap_or_default(),
            layer.and_then(|layer| layer.other_hash),
            owner.unwrap_or_else(|| "-".to_owned()),
            descriptor.stamp.generation,
            writer(&descriptor.stamp)
        );
    }
    if let Ok(name) = decode::<DescriptorName>(bytes, place) {
        let (uid, text) = (name.record.uid, name.record.name.map(|name| name.to_string()));
        return format!("name {text:?} of use {uid} by {}", writer(&name.stamp));
    }
    match decode::<BucketRecord>(bytes, place) {
        Ok(bucket) => {
            let entries = bucket.record.entries.iter().map(|entry| entry.layer.to_string());
            format!("entries [{}] by {}", entries.collect::<Vec<_>>().join(", "), writer(&bucket.stamp))
        }
        Err(error) => error.to_string(),
    }
}

/// Where a layer stands among others.
fn in_words(layer: &oarlock_format::Layer) -> String {
    let parent = layer.parent.map(|parent| format!(" above {parent}")).unwrap_or_default();
    let owned = if layer.flags.root_owned { "own" } else { "no" };
    let root = layer.root.map(|root| format!(" {owned} root {root}")).unwrap_or_default();
    format!(" {:?}{parent}{root}", layer.kind)
}

fn writer(stamp: &oarlock_format::Stamp) -> String {
    match stamp.writer {
        oarlock_format::Writer::Tool => "tool".to_owned(),
        oarlock_format::Writer::Host(owner) => format!("s{}i{}", owner.slot, owner.incarnation),
    }
}
