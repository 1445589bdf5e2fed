//! Incidents: facts that belong together, because they are about one thing and near in time.
//!
//! ```text
//!  facts --- weight: trigger, trouble, context
//!        \-- about a device or a volume: clusters by that and by quiet gaps
//!         \- about a host, an adapter, the fabric: ambient, joins every cluster that it is near
//! ```

use oarlock_causes::Cause;

use crate::bounds::{CLUSTERS_MAX, EXCERPT_LINES_MAX};
use crate::dialect::ata;
use crate::fact::{
    ClusterStep, Command, DeviceStatus, FabricEvent, Fact, GatewayStep, HeartbeatStep, HostStatus, Kind,
    LockStep, Opcode, Outcome, PathEvent, PluginStatus, Sense, SpaceEvent, Support, TargetStep, TaskOutcome,
};
use crate::gravity::{breaks_a_flush, harm};
use crate::names::Name;
use crate::rate::are_many;
use crate::rule::{Case, gateway_fault, is_an_everyday_time};
use crate::scene::{Scene, near, same_host};

/// Silence after which an incident is over.
pub const QUIET_US: i64 = 120_000_000;
/// So many troubles make an incident without a trigger.
const TROUBLES_MIN: u64 = 12;
/// So many writes without an answer within two minutes do.
const OPEN_WRITES_MIN: u64 = 6;
/// So many commands of data that a device refuses for good within two minutes do.
const REFUSALS_MIN: u64 = 6;
/// So many writes under which the medium or a part broke do.
const BROKEN_WRITES_MIN: u64 = 2;
/// Going over to another path takes no longer: a path that failed one command is tested at once.
const FAILOVER_US: i64 = 4_000_000;
/// Lines of one outage come within it.
const MINUTE_US: i64 = 60_000_000;
/// Lines that say that all I/O waits are many alike: so many are looked at.
const LOOKS_MAX: usize = 16;
/// So many samples of strained queues are no moment.
const STRAINED_MIN: usize = 6;
/// A latency that is worth an incident by itself, and in which a heartbeat is in danger: a fortieth of its eight seconds is far beyond any normal.
pub const SLOW_US: u64 = 200_000;

/// What a fact does to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It only informs.
    Context,
    /// It makes an incident with many others.
    Trouble,
    /// It makes one alone.
    Trigger,
}

/// The weight of a fact.
#[must_use]
pub fn weight(fact: &Fact) -> Weight {
    match &fact.kind {
        Kind::Command(command) => command_weight(command),
        Kind::Latency { now_us, .. } if *now_us >= SLOW_US => Weight::Trigger,
        Kind::Latency { now_us, .. } if *now_us >= SLOW_US / 10 => Weight::Trouble,
        Kind::Task {
            outcome: TaskOutcome::Pending | TaskOutcome::AlreadyComplete | TaskOutcome::Failed,
            ..
        } => Weight::Trigger,
        Kind::Task { .. } => Weight::Trouble,
        Kind::Path(event) if *event == PathEvent::AllDown || event.is_of_the_device() => Weight::Trigger,
        Kind::Path(event) if event.is_loss() => Weight::Trouble,
        Kind::Fabric(FabricEvent::Clear) => Weight::Context,
        Kind::Fabric(_) => Weight::Trigger,
        Kind::Heartbeat(heartbeat) => match heartbeat.step {
            HeartbeatStep::Reclaimed | HeartbeatStep::Restored | HeartbeatStep::CleanedUp => Weight::Trouble,
            _ => Weight::Trigger,
        },
        // A host of ours that lost a race for a lock knows it: that is what the test is for. A storm of them is worth a word.
        Kind::Oarlock(Cause::Contention) => Weight::Trouble,
        // To ask whether an owner lives is everyday; the answer may be an incident.
        Kind::Lock(lock) if lock.step == LockStep::CheckingLiveness => Weight::Trouble,
        Kind::Lock(_) => Weight::Trigger,
        Kind::Slot(image) if !image.is_sound() => Weight::Trigger,
        // A target that gave a command up by its own clock left hosts without an answer, whether or not their logs are here.
        Kind::Target(
            TargetStep::Miscompare | TargetStep::FusedSplit | TargetStep::CacheLost | TargetStep::SlowBackend,
        ) => Weight::Trigger,
        Kind::Target(TargetStep::Noise) => Weight::Context,
        Kind::Target(_) => Weight::Trouble,
        Kind::Gateway(GatewayStep::LockAcquired) => Weight::Context,
        Kind::Gateway(GatewayStep::LockLost) => Weight::Trouble,
        Kind::Gateway(_) => Weight::Trigger,
        Kind::Space(SpaceEvent::Full) | Kind::Support(Support::NeededByVolume | Support::MixedModes) => {
            Weight::Trigger
        }
        Kind::Space(SpaceEvent::Warning) => Weight::Trouble,
        Kind::ReservationConflicts
        | Kind::Snapshot
        | Kind::OwnImage
        | Kind::StaleImage
        | Kind::AdapterFault
        | Kind::Oarlock(_) => Weight::Trigger,
        Kind::Notice(notice) => {
            if notice.is_grave() {
                Weight::Trigger
            } else {
                Weight::Context
            }
        }
        Kind::Medium => Weight::Trouble,
        Kind::Cluster(
            ClusterStep::Healthy | ClusterStep::Busy | ClusterStep::Paused | ClusterStep::HeldElsewhere,
        ) => Weight::Context,
        Kind::Cluster(_) => Weight::Trigger,
        Kind::Queue(_) => Weight::Trouble,
        Kind::Slot(_) | Kind::LockDump(_) | Kind::Support(Support::No | Support::Yes) => Weight::Context,
        Kind::Path(_)
        | Kind::Version(_)
        | Kind::Latency { .. }
        | Kind::Restart
        | Kind::Setting(_)
        | Kind::Volume(_)
        | Kind::Listed
        | Kind::HostId(_) => Weight::Context,
    }
}

fn command_weight(command: &Command) -> Weight {
    let conflict = command.device == Some(DeviceStatus::RESERVATION_CONFLICT);
    let silent = command.outcome() == Outcome::Unknown;
    let reserves = command.opcode == Some(Opcode::RESERVE) && silent;
    // A notice that waits for whoever sends the next command, whichever that is: the command was not executed, and is sent again.
    let noticed = command.sense.is_some_and(|sense| sense.key == 6 && !sense.is_nexus_loss());
    // `last error status repeated 20 times`: of which status, the line before it says.
    if *command == Command::default() {
        return Weight::Context;
    }
    if command.is_ats() && !noticed
        || conflict
        || reserves
        || command.sense.is_some_and(Sense::is_out_of_space)
    {
        return Weight::Trigger;
    }
    let of_data = command.opcode.is_none_or(|opcode| {
        opcode.moves_data() || opcode.flushes() && (silent || breaks_a_flush(command)) || opcode.0 >= 0xc0
    });
    let gone = command.sense.is_some_and(Sense::is_gone);
    if command.verified_unequal() {
        return Weight::Trouble;
    }
    // A copy that an array does not make (COPY ABORTED) is made by the host.
    let harmless = command.sense.is_some_and(|sense| matches!(sense.key, 5 | 0xa) || sense.is_reset())
        && !breaks_a_flush(command);
    if gone {
        return Weight::Trouble;
    }
    if of_data && !harmless { Weight::Trouble } else { Weight::Context }
}

/// Whether a medium or a part broke under a command that moves data (SPC-5, keys 3h and 4h).
pub fn is_broken(fact: &Fact) -> bool {
    let of_a_named_disk = fact.kind == Kind::Medium && fact.device.is_some();
    of_a_named_disk
        || matches!(&fact.kind, Kind::Command(command)
            if command.sense.is_some_and(Sense::is_broken)
                && command.opcode.is_some_and(|opcode| opcode.moves_data() || opcode.flushes()))
}

/// Whether a link, a session or all paths were lost, and not one path of several.
fn is_a_lost_way(fact: &Fact) -> bool {
    matches!(
        fact.kind,
        Kind::Path(PathEvent::LinkDown | PathEvent::SessionLost | PathEvent::AllDown | PathEvent::GivenUp)
    )
}

/// Whether a command hands data over for good: a write, or the flush behind writes.
fn hands_over(opcode: Opcode) -> bool {
    opcode.writes() || opcode.flushes()
}

/// Whether it was a write; a sector that cannot be read is what patrols look for.
fn is_a_broken_write(fact: &Fact) -> bool {
    matches!(&fact.kind, Kind::Command(command)
        if command.sense.is_some_and(Sense::is_broken) && command.opcode.is_some_and(hands_over))
}

/// Whether a write failed because there was no way to its device.
fn is_a_write_without_a_way(fact: &Fact) -> bool {
    matches!(&fact.kind, Kind::Command(command)
        if command.host.is_some_and(HostStatus::is_of_a_lost_way) && command.opcode.is_some_and(Opcode::writes))
}

/// Whether a write has no answer: one is everyday, and several within two minutes are not.
fn is_an_open_write(fact: &Fact) -> bool {
    matches!(&fact.kind, Kind::Command(command)
        if command.outcome() == Outcome::Unknown && command.opcode.is_some_and(hands_over))
}

/// Facts that belong together, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Incident<'a> {
    /// The facts.
    pub facts: Vec<&'a Fact>,
    /// The devices that they are about.
    pub devices: Vec<Name>,
    /// The volumes.
    pub volumes: Vec<Name>,
    /// The hosts.
    pub hosts: Vec<Name>,
}

/// The incidents of a scene.
#[derive(Debug)]
pub struct Incidents<'a> {
    /// Those that matter, in the order of time.
    pub found: Vec<Incident<'a>>,
    /// How many clusters were left out because there were too many: the least grave ones.
    pub left_out: u64,
}

/// Finds the incidents of a scene.
#[must_use]
pub fn find<'a>(scene: &Scene<'a>) -> Incidents<'a> {
    let (mut clusters, ambient) = crate::cluster::grow(scene.facts, scene.names, scene.knowledge);
    let left_out = keep_the_gravest(&mut clusters);
    let (mut found, _) = crate::attach::attach(clusters, ambient);
    let excerpt = scene.lines <= EXCERPT_LINES_MAX;
    let supported = scene.knowledge.one_supports();
    let hard = |incident: &Incident<'_>| {
        incident.facts.iter().any(|fact| is_hard(fact) && !(supported && is_denied(fact)))
    };
    // Whoever pastes a few lines about one thing asks about that; of several, none is known to be the one.
    let asked = excerpt && !found.iter().any(Incident::matters) && asks_about_one_thing(&found, scene.lines);
    // What a disk says of its own medium is no word about what else stands there, and nobody who pastes it takes it for nothing.
    let apart = |incident: &Incident<'_>| excerpt && incident.facts.iter().any(|fact| is_broken(fact));
    // In a log, that a stick or a disc was slow is no incident; whoever pastes a few lines of it asks.
    let everyday =
        |incident: &Incident<'_>| !excerpt && is_an_everyday_time(&Case { incident, scene: *scene });
    let told = found.iter().any(Incident::matters);
    // What one host lost is no part of another's incident, and not silent because that one is told.
    let told_hosts: std::collections::HashSet<Name> = found
        .iter()
        .filter(|incident| excerpt && incident.matters())
        .flat_map(|incident| incident.hosts.iter().copied())
        .collect();
    let elsewhere = |incident: &Incident<'_>| {
        let of_others = |host: &Name| !told_hosts.contains(host);
        !told_hosts.is_empty()
            && !incident.hosts.is_empty()
            && incident.hosts.iter().all(of_others)
            && incident.facts.iter().any(|fact| is_a_lost_way(fact))
    };
    found.retain(|incident| {
        if asked {
            hard(incident)
        } else {
            incident.matters() && !everyday(incident) || told && (apart(incident) || elsewhere(incident))
        }
    });
    Incidents { found, left_out }
}

/// Whether what is hard in an excerpt is one incident, or is all about one device or path, or is of two and most of what was pasted, or of two on
/// one host in one moment.
/// More of them are a collection of examples, as documents have them.
fn asks_about_one_thing(found: &[Incident<'_>], lines: u64) -> bool {
    let of_each = found.iter().map(|incident| incident.facts.iter().filter(|fact| is_hard(fact)));
    let hard: Vec<&Fact> = of_each.clone().flatten().copied().collect();
    let incidents = of_each.filter(|facts| facts.clone().next().is_some()).count();
    // Whoever pastes one lost race asks about it; several are a log.
    let raced = |fact: &Fact| fact.kind == Kind::Oarlock(Cause::Contention);
    if hard.len() > 1 && hard.iter().all(|fact| raced(fact)) {
        return false;
    }
    // A port of ATA is reset after whatever had no answer, also after a question that says nothing of data.
    let is_a_links_reset = |fact: &Fact| fact.text.contains("hard resetting link");
    let told: Vec<&Fact> = hard.iter().copied().filter(|fact| !is_a_links_reset(fact)).collect();
    let of_one = !told.is_empty() && are_of_one(&told);
    // Paths of several maps that are lost in one minute are one outage.
    let is_lost_path = |fact: &&&Fact| matches!(&fact.kind, Kind::Path(event) if event.is_loss());
    let one_outage = hard.first().is_some_and(|first| {
        hard.iter().all(|fact| is_lost_path(&fact) && near(first, fact, MINUTE_US) && same_host(first, fact))
    });
    let count = hard.iter().map(|fact| fact.count).fold(0, u64::saturating_add);
    // Lines of one host within a minute or two are a piece of its log, whatever else stands in it; examples are of any time.
    let of_one_moment = incidents >= 2
        && hard.first().is_some_and(|first| {
            hard.iter()
                .all(|fact| first.when.is_some() && near(first, fact, QUIET_US) && same_host(first, fact))
        });
    incidents == 1
        || of_one
        || one_outage
        || of_one_moment
        || incidents == 2 && count.saturating_mul(2) >= lines
}

/// What a fact is about: a name, or a disk that its line calls by its place on a host's bus alone.
#[derive(PartialEq, Eq)]
enum Subject<'a> {
    Named(Name),
    Disk(Option<Name>, &'a str),
}

fn subject(fact: &Fact) -> Option<Subject<'_>> {
    let named = fact.device.or(fact.path).map(Subject::Named);
    named.or_else(|| ata::disk(&fact.text).map(|disk| Subject::Disk(fact.host, disk)))
}

/// Whether all of these are about one thing; or about one disk that libata calls by its place, and SCSI, within its retries each time, by its name.
fn are_of_one(facts: &[&Fact]) -> bool {
    let by_place = |fact: &&Fact| matches!(subject(fact), Some(Subject::Disk(..)));
    let (places, names): (Vec<&Fact>, Vec<&Fact>) = facts.iter().partition(|fact| by_place(fact));
    let is_one = |facts: &[&Fact]| {
        let first = facts.first().and_then(|fact| subject(fact));
        facts.is_empty() || first.is_some() && facts.iter().all(|fact| subject(fact) == first)
    };
    let told_twice =
        |name: &&Fact| places.iter().any(|place| same_host(place, name) && near(place, name, QUIET_US));
    is_one(&places) && is_one(&names) && (places.is_empty() || names.iter().all(told_twice))
}

/// Keeps [`CLUSTERS_MAX`] clusters, the gravest; those that stay keep their order. How many went is the answer.
fn keep_the_gravest(clusters: &mut Vec<Incident<'_>>) -> u64 {
    let surplus = clusters.len().saturating_sub(CLUSTERS_MAX);
    if surplus == 0 {
        return 0;
    }
    let gravity = |cluster: &Incident<'_>| {
        let worst = cluster.facts.iter().map(|fact| harm(fact)).max().unwrap_or_default();
        (cluster.weigh(Weight::Trigger) > 0, worst, cluster.facts.len())
    };
    let mut order: Vec<_> = clusters.iter().map(gravity).enumerate().collect();
    order.sort_by_key(|&(index, gravity)| (std::cmp::Reverse(gravity), index));
    let kept: std::collections::HashSet<usize> =
        order.into_iter().take(CLUSTERS_MAX).map(|(index, _)| index).collect();
    let mut index = 0;
    clusters.retain(|_| {
        index += 1;
        kept.contains(&(index - 1))
    });
    surplus as u64
}

impl Incident<'_> {
    /// How many occurrences of that weight it has.
    fn weigh(&self, wanted: Weight) -> u64 {
        let of_weight = self.facts.iter().filter(|fact| weight(fact) == wanted);
        of_weight.map(|fact| fact.count).fold(0, u64::saturating_add)
    }

    /// Whether this is worth a report.
    fn matters(&self) -> bool {
        // A gateway that loses its lock once had a reason; one that loses it again and again fights.
        let mut lost: Vec<&str> = self
            .facts
            .iter()
            .filter(|fact| fact.kind == Kind::Gateway(GatewayStep::LockLost))
            .map(|fact| crate::subject::image(&fact.text))
            .collect();
        lost.sort_unstable();
        let fights = lost.windows(2).any(|pair| pair[0] == pair[1])
            || gateway_fault::won_back(self.facts.iter().copied()).is_some();
        let strained = self.facts.iter().filter(|fact| is_strained(fact)).count();
        self.weigh(Weight::Trigger) > 0
            || fights
            || strained >= STRAINED_MIN
            || are_many(self.facts.iter().copied().filter(|fact| is_an_open_write(fact)), OPEN_WRITES_MIN)
            || are_many(self.facts.iter().copied().filter(|fact| is_a_broken_write(fact)), BROKEN_WRITES_MIN)
            || are_many(self.facts.iter().copied().filter(|fact| is_refused_for_good(fact)), REFUSALS_MIN)
            || self.is_cut_off()
            || are_many(
                self.facts.iter().copied().filter(|fact| weight(fact) == Weight::Trouble),
                TROUBLES_MIN,
            )
    }
}

impl Incident<'_> {
    /// Whether writes found no way to their device for longer than going over to another takes; or NVMe's multipathing has none left behind a session that was
    /// lost, and lets all I/O wait.
    fn is_cut_off(&self) -> bool {
        let writes = || self.facts.iter().copied().filter(|fact| is_a_write_without_a_way(fact));
        let lasts = || {
            let begin = writes().next().and_then(|first| first.when);
            let end = writes().next_back().and_then(|last| last.last);
            end.zip(begin).and_then(|(end, begin)| end.since(&begin)).is_some_and(|us| us > FAILOVER_US)
        };
        let waits = |fact: &&&Fact| {
            fact.kind == Kind::Path(PathEvent::InDoubt) && fact.text.contains("no usable path")
        };
        let lost = |waiting: &Fact| {
            self.facts.iter().any(|fact| {
                fact.kind == Kind::Path(PathEvent::SessionLost)
                    && same_host(fact, waiting)
                    && near(fact, waiting, MINUTE_US)
            })
        };
        lasts() && are_many(writes(), OPEN_WRITES_MIN)
            || self.facts.iter().filter(waits).take(LOOKS_MAX).any(|fact| lost(fact))
    }
}

/// Whether a device itself says, in its own pages, that it has no atomic test and set: somebody looked. A host's list of all its devices says
/// so of every local disk.
#[must_use]
pub fn is_denied(fact: &Fact) -> bool {
    let pages = ["ompare and write length", "Command is not supported"];
    fact.kind == Kind::Support(Support::No) && pages.iter().any(|page| fact.text.contains(page))
}

/// Whether something was lost, given up, refused or broken: worth a word where nothing else is told. A load, a latency and a lock
/// that changes hands are not.
#[must_use]
pub fn is_hard(fact: &Fact) -> bool {
    if fact.warns_of_space() {
        return true;
    }
    match &fact.kind {
        // A record of VMFS that was pasted without its neighbours: somebody asks what it says.
        Kind::LockDump(_) => true,
        Kind::Support(Support::No) => is_denied(fact),
        Kind::Slot(image) => image.found_at.is_none(),
        Kind::Path(event) => event.is_loss(),
        Kind::Oarlock(Cause::Contention)
        | Kind::Medium
        | Kind::Notice(_)
        | Kind::Cluster(ClusterStep::HeldElsewhere) => true,
        // A guest's first try, with which no command need be lost.
        Kind::Task { .. } => !fact.text.contains("Reset [Retries: 0/"),
        Kind::Target(step) => {
            matches!(step, TargetStep::SessionLost | TargetStep::InitiatorSilent | TargetStep::BackendError)
        }
        Kind::Command(command) => {
            let broken = command.sense.is_some_and(Sense::is_broken);
            // The way is gone, or the unit waits for a person (SPC-5, annex F: 2/4/3, 2/8).
            let way_lost = command.host.is_some_and(HostStatus::is_of_a_lost_way);
            let lost =
                way_lost || command.sense.is_some_and(|sense| sense.waits_for_a_person() || sense.is_gone());
            // A refusal without its command and its time is a piece that somebody pasted. Old releases name no command in whole lines.
            let cut = fact.when.is_none() && command.opcode.is_none();
            let piece = cut && command.device.is_some() && command.outcome() == Outcome::Refused;
            broken
                || piece
                || refuses_a_write(command)
                || command.plugin == Some(PluginStatus::SNAPSHOT)
                || breaks_a_flush(command)
                || command.refuses_reserve()
                || command.sense.is_some_and(|sense| matches!(sense.key, 0xa | 0xb))
                || command.verified_unequal()
                || (lost || command.outcome() == Outcome::Unknown) && weight(fact) > Weight::Context
        }
        _ => false,
    }
}

/// Whether a device refused a command of data for a reason that does not pass by itself: its medium, a unit that waits for a person or is gone, protection, data that
/// were damaged on the way.
fn is_refused_for_good(fact: &Fact) -> bool {
    let for_good = |sense: Sense| {
        sense.is_broken()
            || sense.is_gone()
            || sense.waits_for_a_person()
            || sense.key == 7
            || (sense.key, sense.code) == (0xb, 0x47)
    };
    matches!(&fact.kind, Kind::Command(command)
        if breaks_a_flush(command)
            || command.opcode.is_some_and(Opcode::moves_data) && command.sense.is_some_and(for_good))
}

/// Whether a device refuses a write for good: by a key that vendors give a meaning of their own, or because nobody may write there (SPC-5, keys 9h and 7h).
fn refuses_a_write(command: &Command) -> bool {
    command.opcode.is_some_and(Opcode::writes)
        && command.sense.is_some_and(|sense| matches!(sense.key, 7 | 9))
}

/// A sample in which commands waited: in the host, with a queue, or in the device.
fn is_strained(fact: &Fact) -> bool {
    const HOST_MS: f64 = 5.0;
    const DEVICE_MS: f64 = 25.0;
    let Kind::Queue(queue) = &fact.kind else { return false };
    let over = |value: Option<f64>, limit: f64| value.is_some_and(|value| value > limit);
    over(queue.device_ms, DEVICE_MS)
        || queue.device_ms.is_none() && over(queue.guest_ms, DEVICE_MS)
        || over(queue.kernel_ms, HOST_MS) && queue.queued.is_some_and(|queued| queued >= 1.0)
}
