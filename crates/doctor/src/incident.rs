//! Incidents: facts that belong together, because they are about one thing and near in time.
//!
//! ```text
//!  facts --- weight: trigger, trouble, context
//!        \-- about a device or a volume: clusters by that and by quiet gaps
//!         \- about a host, an adapter, the fabric: ambient, joins every cluster that it is near
//! ```

use crate::fact::{
    ClusterStep, Command, DeviceStatus, FabricEvent, Fact, GatewayStep, HeartbeatStep, Kind, LockStep,
    Opcode, Outcome, PathEvent, SpaceEvent, Support, TargetStep, TaskOutcome,
};
use crate::names::Name;
use crate::scene::{Scene, near};

/// Silence after which an incident is over.
const QUIET_US: i64 = 120_000_000;
/// So many troubles make an incident without a trigger.
const TROUBLES_MIN: u64 = 12;
/// A latency that is worth an incident by itself.
const SLOW_US: u64 = 200_000;

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
        Kind::Path(PathEvent::AllDown | PathEvent::PermanentLoss) => Weight::Trigger,
        Kind::Path(event) if event.is_loss() => Weight::Trouble,
        Kind::Fabric(FabricEvent::Clear) => Weight::Context,
        Kind::Fabric(_) => Weight::Trigger,
        Kind::Heartbeat(heartbeat) => match heartbeat.step {
            HeartbeatStep::Reclaimed | HeartbeatStep::Restored => Weight::Trouble,
            _ => Weight::Trigger,
        },
        // To ask whether an owner lives is everyday; the answer may be an incident.
        Kind::Lock(lock) if lock.step == LockStep::CheckingLiveness => Weight::Trouble,
        Kind::Lock(_) => Weight::Trigger,
        Kind::Slot(image) if !image.is_sound() => Weight::Trigger,
        Kind::Target(TargetStep::Miscompare | TargetStep::FusedSplit) => Weight::Trigger,
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
        | Kind::AdapterFault
        | Kind::Oarlock(_) => Weight::Trigger,
        Kind::Medium => Weight::Trouble,
        Kind::Cluster(ClusterStep::Healthy | ClusterStep::Busy) => Weight::Context,
        Kind::Cluster(_) => Weight::Trigger,
        Kind::Queue(_) => Weight::Trouble,
        Kind::Slot(_) | Kind::LockDump(_) | Kind::Support(Support::No) => Weight::Context,
        Kind::Path(_) | Kind::Version(_) | Kind::Latency { .. } | Kind::Restart | Kind::Setting(_) => {
            Weight::Context
        }
    }
}

fn command_weight(command: &Command) -> Weight {
    let conflict = command.device == Some(DeviceStatus::RESERVATION_CONFLICT);
    let silent = command.outcome() == Outcome::Unknown;
    let reserves = command.opcode == Some(Opcode::RESERVE) && silent;
    if command.is_ats()
        || conflict
        || reserves
        || command.sense.is_some_and(crate::fact::Sense::is_out_of_space)
    {
        return Weight::Trigger;
    }
    let of_data = command.opcode.is_none_or(|opcode| opcode.moves_data() || opcode.0 >= 0xc0);
    let gone = command.sense.is_some_and(crate::fact::Sense::is_gone);
    let harmless = command.sense.is_some_and(|sense| sense.key == 5 || sense.is_reset());
    if gone {
        return Weight::Trouble;
    }
    if of_data && !harmless { Weight::Trouble } else { Weight::Context }
}

/// Facts that belong together, in the order of time.
#[derive(Clone, Debug)]
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

/// Finds the incidents of a scene.
#[must_use]
pub fn find<'a>(scene: &Scene<'a>) -> Vec<Incident<'a>> {
    let mut clusters: Vec<Incident<'a>> = Vec::new();
    let mut ambient: Vec<&'a Fact> = Vec::new();
    // Only the clusters that are not over yet can still grow.
    let mut open: Vec<usize> = Vec::new();
    for fact in scene.facts {
        if fact.device.is_none() && fact.volume.is_none() {
            ambient.push(fact);
            continue;
        }
        if weight(fact) == Weight::Context {
            ambient.push(fact);
            continue;
        }
        open.retain(|&index| clusters[index].facts.last().is_some_and(|last| still_open(last, fact)));
        let home = open.iter().copied().find(|&index| clusters[index].takes(fact));
        match home {
            Some(index) => clusters[index].take(fact),
            None => {
                open.push(clusters.len());
                clusters.push(Incident::of(fact));
            }
        }
    }
    attach(&mut clusters, ambient);
    clusters.retain(Incident::matters);
    clusters
}

fn still_open(last: &Fact, now: &Fact) -> bool {
    near(last, now, QUIET_US) || last.when.is_none() || now.when.is_none()
}

/// Gives what is about no device to the clusters that it is near; what is near none makes clusters of its own.
fn attach<'a>(clusters: &mut Vec<Incident<'a>>, ambient: Vec<&'a Fact>) {
    let grown = clusters.len();
    // What is attached later must not move the ends of a cluster.
    let ends: Vec<_> = clusters
        .iter()
        .map(|cluster| (cluster.facts.first().copied(), cluster.facts.last().copied()))
        .collect();
    let mut lonely: Vec<Incident<'a>> = Vec::new();
    for fact in ambient {
        let context = weight(fact) == Weight::Context;
        let mut homes = 0;
        for (cluster, ends) in clusters[..grown].iter_mut().zip(&ends) {
            if cluster.is_near(fact, context, *ends) {
                cluster.facts.push(fact);
                homes += 1;
            }
        }
        if homes > 0 {
            continue;
        }
        match lonely
            .last_mut()
            .filter(|cluster| cluster.facts.last().is_some_and(|last| near(last, fact, QUIET_US)))
        {
            Some(cluster) => cluster.take(fact),
            None => lonely.push(Incident::of(fact)),
        }
    }
    for cluster in clusters.iter_mut() {
        let key = |fact: &&Fact| (fact.when.map(|when| (when.axis, when.micros)), fact.place);
        cluster.facts.sort_by_key(key);
    }
    clusters.extend(lonely);
}

/// Whether a fact lies between two others, or is near one of them. A cluster has no long silence within.
fn within(first: &Fact, last: &Fact, fact: &Fact) -> bool {
    let (Some(start), Some(end), Some(when)) = (first.when, last.last, fact.when) else {
        return near(first, fact, QUIET_US) || near(last, fact, QUIET_US);
    };
    let axis = start.axis == when.axis && end.axis == when.axis;
    axis && when.micros >= start.micros.saturating_sub(QUIET_US)
        && when.micros <= end.micros.saturating_add(QUIET_US)
}

impl<'a> Incident<'a> {
    fn of(fact: &'a Fact) -> Incident<'a> {
        let mut incident =
            Incident { facts: Vec::new(), devices: Vec::new(), volumes: Vec::new(), hosts: Vec::new() };
        incident.take(fact);
        incident
    }

    fn take(&mut self, fact: &'a Fact) {
        let add = |names: &mut Vec<Name>, name: Option<Name>| {
            if let Some(name) = name.filter(|name| !names.contains(name)) {
                names.push(name);
            }
        };
        add(&mut self.devices, fact.device);
        add(&mut self.volumes, fact.volume);
        add(&mut self.hosts, fact.host);
        self.facts.push(fact);
    }

    /// Whether a fact about a device or a volume belongs here.
    fn takes(&self, fact: &Fact) -> bool {
        let near_last = self.facts.last().is_some_and(|last| near(last, fact, QUIET_US));
        let device = fact.device.is_some_and(|device| self.devices.contains(&device));
        let volume = fact.volume.is_some_and(|volume| self.volumes.contains(&volume));
        // A volume and a device whose tie no line tells: one host, one time, and only one of each.
        let untold = fact.device.is_none() && self.volumes.is_empty()
            || fact.volume.is_none() && self.devices.is_empty();
        let host = fact.host.is_none_or(|host| self.hosts.contains(&host) || self.hosts.is_empty());
        near_last && (device || volume || untold && host)
    }

    /// Whether a fact about no device, or one that only informs, belongs here too.
    fn is_near(&self, fact: &Fact, context: bool, ends: (Option<&Fact>, Option<&Fact>)) -> bool {
        let own = fact.device.is_none_or(|device| self.devices.contains(&device));
        let host = fact.host.is_none_or(|host| self.hosts.contains(&host) || self.hosts.is_empty());
        // The fabric and the array are everybody's.
        let shared =
            matches!(fact.kind, Kind::Fabric(_) | Kind::Target(_) | Kind::Gateway(_) | Kind::Task { .. });
        // A version holds for as long as the log goes on.
        let lasting = context
            && matches!(fact.kind, Kind::Version(_) | Kind::Support(_) | Kind::Slot(_) | Kind::LockDump(_));
        let (Some(first), Some(last)) = ends else { return false };
        own && (host || shared) && (lasting || within(first, last, fact))
    }

    /// Whether this is worth a report.
    fn matters(&self) -> bool {
        let weigh = |wanted: Weight| {
            let of_weight = self.facts.iter().filter(move |fact| weight(fact) == wanted);
            of_weight.map(|fact| fact.count).fold(0, u64::saturating_add)
        };
        // A gateway that loses its lock once had a reason; one that loses it again and again fights.
        let lost = self.facts.iter().filter(|fact| fact.kind == Kind::Gateway(GatewayStep::LockLost)).count();
        weigh(Weight::Trigger) > 0 || lost >= 2 || weigh(Weight::Trouble) >= TROUBLES_MIN
    }
}
