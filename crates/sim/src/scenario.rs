//! The scenario: what one seed stands for: how many hosts, which faults, how long, which promises are checked.

use std::time::Duration;

use oarlock_block::{BlockCount, Lba};
use oarlock_format::{LockName, Timing, home};

use crate::datastore::{Ground, Template};
use crate::{Fault, FaultKind, FaultPlan, Latency, PerMillion, Span, Steps, TrueTime, WorldOptions};

/// What a seed's run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Theme {
    /// A few kinds of ordinary faults, drawn from the seed.
    Ordinary,
    /// Only stalls of the fabric and of the device: nobody may be fenced (R6).
    Stalls,
    /// Machines whose clocks stand still, besides the ordinary (R10).
    Frozen,
    /// Reads that show an earlier content, besides the ordinary (R2).
    StaleReads,
    /// The device goes back in time once (R2).
    Rollback,
    /// Bits of locks, slots and mailboxes rot, and are repaired beside the live hosts (R39).
    Rot,
    /// Two hosts have one name (R30).
    Twins,
    /// Many names that share one window of the table.
    Crowded,
    /// Locks that are kept beyond their use (R26).
    Sticky,
    /// Many restarts and clean leaves.
    Restless,
    /// The shortest watch that the lease allows, clocks that drift by the most, and paths whose replies are held back
    /// before they stall, the last beat's among them: the arithmetic of R5 without any room.
    Tight,
    /// Devices with a write cache, whose power fails: with that of all hosts, or alone (R12).
    Power,
    /// The device gets longer, and is grown into by two tools at once that crash, beside live hosts (R38).
    Growing,
    /// The same timing as [`Theme::Tight`], and commands that wait long in their host's queue before they are sent, a watch's first look
    /// among them.
    Queued,
    /// Persons say that hosts are dead, whether they are or not.
    Evicted,
    /// Disks are created, renamed and deleted under the same few names, by hosts that crash in the middle of it (R36).
    Names,
    /// Guests read and write attached disks, which are branched, absorbed and deleted under them, while space is short (R31 to
    /// R37).
    Disks,
}

impl Theme {
    /// The theme of a seed: a quarter of all seeds are ordinary.
    #[must_use]
    pub fn of(seed: u64) -> Theme {
        match seed % 20 {
            6 => Theme::Growing,
            7 => Theme::Power,
            10 => Theme::Stalls,
            11 => Theme::Frozen,
            12 => Theme::StaleReads,
            13 => Theme::Rollback,
            14 => Theme::Rot,
            15 => Theme::Twins,
            16 => Theme::Crowded,
            17 => Theme::Sticky,
            18 => Theme::Restless,
            19 => Theme::Tight,
            9 => Theme::Queued,
            8 => Theme::Evicted,
            5 => Theme::Names,
            4 => Theme::Disks,
            _ => Theme::Ordinary,
        }
    }

    /// Whether the datastore has the shortest watch there may be, and every lock is fought for all the time.
    #[must_use]
    pub fn is_tight(self) -> bool {
        matches!(self, Theme::Tight | Theme::Queued)
    }
}

/// Whether the power fails in a run, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Nobody's.
    Steady,
    /// That of the device and of all hosts: one machine.
    OfTheMachine,
    /// That of the device alone. Hosts that live on may find it older than they knew it, and stop (R2).
    OfTheDevice,
}

/// One seed's run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed.
    pub seed: u64,
    /// What it is about.
    pub theme: Theme,
    /// How many hosts.
    pub hosts: u16,
    /// Users on each host.
    pub users_per_host: u16,
    /// The locks that they fight for.
    pub locks: Vec<LockName>,
    /// Beat, lease, watch, hold.
    pub timing: Timing,
    /// Whose power fails.
    pub power: Power,
    /// The device, and how much of it is free.
    pub ground: Ground,
    /// How long faults happen.
    pub faults_for: Duration,
    /// How long it goes on without faults, for what must become good again.
    pub calm_for: Duration,
}

/// Locks of a seed, unless it is about many names.
const LOCKS_MAX: u64 = 3;

/// Hosts of a seed, where the caller asks for no number.
const HOSTS: [u16; 8] = [2, 2, 3, 3, 3, 4, 4, 5];

impl Scenario {
    /// The scenario of a seed; `hosts` overrides the number of hosts.
    #[must_use]
    pub fn of(seed: u64, hosts: Option<u16>) -> Scenario {
        let theme = Theme::of(seed);
        let mixed = crate::choices::mix(seed, &[0x5c]);
        let fast = mixed.is_multiple_of(2);
        let timing = match theme {
            _ if theme.is_tight() => tight_timing(),
            Theme::Names | Theme::Disks => fast_timing(),
            _ if fast => fast_timing(),
            _ => Timing::DEFAULT,
        };
        // A host whose own slot rotted gives up after the hold time, and its slot is repaired only then.
        // And a write of the engine's own that got no answer is waited for as long.
        let timing = match theme {
            Theme::Rot | Theme::Disks => Timing { hold: timing.watch * 2, ..timing },
            _ => timing,
        };
        let fast = timing.lease < Timing::DEFAULT.lease;
        // The seeds of one theme, counted.
        let round = seed / 20;
        let index = usize::try_from(mixed >> 8 & 7).unwrap_or(0);
        let locks = match theme {
            Theme::Crowded => crowded_names(20),
            Theme::Power if round.is_multiple_of(4) => crowded_names(20),
            _ if theme.is_tight() => numbered_names(LOCKS_MAX),
            _ => numbered_names(1 + (mixed >> 16) % LOCKS_MAX),
        };
        let hosts = hosts.unwrap_or_else(|| hosts_of(theme, index)).max(1);
        Scenario {
            seed,
            theme,
            hosts,
            users_per_host: if theme.is_tight() || theme == Theme::Names {
                2
            } else {
                1 + u16::try_from((mixed >> 24) % 2).unwrap_or(0)
            },
            locks,
            timing,
            power: match theme {
                Theme::Power if round % 3 == 2 => Power::OfTheDevice,
                Theme::Power => Power::OfTheMachine,
                Theme::Growing if round.is_multiple_of(2) => Power::OfTheMachine,
                Theme::Disks if round.is_multiple_of(2) => Power::OfTheMachine,
                _ => Power::Steady,
            },
            ground: if theme == Theme::Disks { ground_of(round) } else { Ground::of(hosts) },
            faults_for: Duration::from_secs(match theme {
                // Their users rest least: a second is dear, and tells more.
                Theme::Disks => 15,
                Theme::Names => 20,
                _ if fast => 34,
                _ => 120,
            }),
            // Long enough for the slowest path: a watch, a cut-off that waits, a user that gave up, and once again.
            calm_for: timing.watch * 5
                + Duration::from_secs(match theme {
                    Theme::Disks => 15,
                    // A tool waits for a command without an answer for a minute, and keeps the next one out meanwhile.
                    Theme::Growing => 75,
                    _ if fast => 20,
                    _ => 30,
                }),
        }
    }

    /// Whether what users write under a lock is checked: not where reads of it may be old, or all of it is.
    #[must_use]
    pub fn guards_data(&self) -> bool {
        !matches!(self.theme, Theme::StaleReads | Theme::Rollback) && self.power != Power::OfTheDevice
    }

    /// Whether guests' first writes need room below, and not journals alone: where there is none they wait as well, and journals have
    /// less to write.
    #[must_use]
    pub fn has_no_place_for_clusters(&self) -> bool {
        self.theme == Theme::Disks && self.seed / 20 % 8 == 6
    }

    /// Whether guests' commands wait long before they are sent, some of them.
    #[must_use]
    pub fn has_deep_queues(&self) -> bool {
        self.theme == Theme::Disks && self.seed / 20 % 2 == 1
    }

    /// When faults end.
    #[must_use]
    pub fn faults_end(&self) -> TrueTime {
        TrueTime::from_start(self.faults_for)
    }

    /// From when on what faults left half done has had time to come to its end.
    #[must_use]
    pub fn settled(&self) -> TrueTime {
        self.faults_end().plus(self.timing.watch * 2)
    }

    /// When the run ends.
    #[must_use]
    pub fn end(&self) -> TrueTime {
        self.faults_end().plus(self.calm_for)
    }

    /// The world's options.
    #[must_use]
    pub fn options(&self, trace_entries: usize) -> WorldOptions {
        let mut options = WorldOptions::calm(self.seed).with_faults(self.faults());
        options.geometry = self.ground.geometry();
        options.trace_entries = trace_entries;
        options
    }

    fn faults(&self) -> FaultPlan {
        let seed = self.seed;
        let mut plan = match self.theme {
            Theme::Ordinary | Theme::Twins | Theme::Crowded | Theme::Sticky | Theme::Evicted => {
                FaultPlan::draw(seed, FaultKind::ORDINARY)
            }
            Theme::Stalls => self.stalls(),
            Theme::Frozen => {
                FaultPlan::draw(seed, FaultKind::ORDINARY).with_usual(&[FaultKind::FrozenMachine])
            }
            Theme::StaleReads => {
                FaultPlan::draw(seed, FaultKind::ORDINARY).with_usual(&[FaultKind::StaleRead])
            }
            Theme::Rollback => {
                let mut plan = FaultPlan::draw(seed, &[]);
                let fault = Fault::NONE.every(Span::milliseconds(5_000, 30_000)).times(1);
                plan.set(FaultKind::Rollback, fault.lasting(Span::milliseconds(3_000, 20_000)));
                plan
            }
            Theme::Rot => {
                let kinds = if seed.is_multiple_of(3) { &[FaultKind::Crash] } else { FaultKind::ORDINARY };
                let mut plan = FaultPlan::draw(seed, kinds);
                let gap = Span { from: self.timing.lease, to: self.timing.lease * 8 };
                plan.set(FaultKind::BitRot, Fault::NONE.every(gap));
                plan
            }
            // A command that is late or repeated across the device's own loss of power could be executed twice: what it expects
            // comes back. No host can do anything about that (docs/SEMANTICS.md).
            Theme::Power if self.power == Power::OfTheDevice => FaultPlan::draw(seed, &[]),
            Theme::Power => FaultPlan::draw(seed, FaultKind::ORDINARY),
            Theme::Growing => FaultPlan::draw(seed, FaultKind::ORDINARY).with_usual(&[FaultKind::Crash]),
            Theme::Tight => {
                let mut plan = stalling_paths(seed);
                plan.latency = if seed.is_multiple_of(3) { UNEVEN } else { QUICK };
                plan.replies_first = Span::milliseconds(200, 245);
                plan
            }
            Theme::Names => broken_off(seed, &Template::of(self.hosts, self.timing)),
            Theme::Disks => under_guests(seed, &Template::on(self.ground, self.hosts, self.timing)),
            Theme::Queued => {
                let mut plan = stalling_paths(seed);
                plan.work_queue = DEEP_QUEUE;
                plan
            }
            Theme::Restless => {
                let mut plan = FaultPlan::draw(seed, FaultKind::ORDINARY).with_usual(&[FaultKind::Crash]);
                if !seed.is_multiple_of(3) {
                    // The last steps of a leave take their time.
                    plan.latency = staggered(self.timing.beat);
                }
                plan
            }
        };
        if self.power != Power::Steady {
            plan.volatile_cache = true;
            plan.power_takes_hosts = self.power == Power::OfTheMachine;
            // Not every lease: some power loss shall meet hosts that have had the time to do something.
            let gap = Span { from: self.timing.lease, to: self.timing.lease * 6 };
            plan.set(FaultKind::PowerLoss, Fault::NONE.every(gap));
        }
        plan.rot_ranges = Template::ranges_in_use(&self.locks);
        plan.stop_at = self.faults_end();
        plan
    }

    /// Stalls of the fabric and the device that outlast a lease and a watch, or end just when the lease does.
    fn stalls(&self) -> FaultPlan {
        let (beat, lease) = (self.timing.beat, self.timing.lease);
        let mut plan = FaultPlan::draw(self.seed, &[]);
        plan.latency = staggered(beat);
        // Hosts come out of a stall at different times, but the last one long before the first could have watched it.
        plan.ragged = Span { from: Duration::from_millis(1), to: lease / 2 };
        for kind in [FaultKind::DeviceStall, FaultKind::FabricStall] {
            let gap = Span { from: lease / 2, to: lease * 4 };
            plan.set(kind, Fault::NONE.every(gap).lasting(Span { from: beat / 4, to: lease * 5 / 2 }));
        }
        plan
    }
}

/// How many hosts there are, where the caller asks for no number.
fn hosts_of(theme: Theme, index: usize) -> u16 {
    match theme {
        _ if theme.is_tight() => 8,
        Theme::Names => 5,
        Theme::Disks => 3,
        _ => HOSTS[index],
    }
}

/// Paths that stall for about a watch or longer, often, and clocks that are wrong by as much as they may be.
fn stalling_paths(seed: u64) -> FaultPlan {
    let mut plan = FaultPlan::draw(seed, &[]);
    plan.latency = QUICK;
    plan.work_queue = Latency::ZERO;
    plan.drift_ppm_max = 10_000;
    plan.ragged = Span::exactly(Duration::ZERO);
    let stall = Fault::NONE.every(Span::milliseconds(1_000, 15_000)).lasting(Span::milliseconds(900, 4_000));
    plan.set(FaultKind::PathStall, stall);
    plan
}

/// Hosts that crash every few seconds, often between the last steps of a rename; that stop for a little less than a lease, most
/// often with an entry in hand that is to take another's place; and commands that land long after. Elsewhere they are left in
/// peace: only what gets done can be undone by another.
fn broken_off(seed: u64, datastore: &Template) -> FaultPlan {
    let (directory, lease) = (datastore.layout().directory, datastore.superblock.record.timing.lease);
    let mut plan = FaultPlan::draw(seed, FaultKind::ORDINARY);
    plan.latency = QUICK;
    plan.work_queue = Latency::ZERO;
    plan.set(FaultKind::Crash, Fault::NONE.at(500).every(Span::milliseconds(2_000, 30_000)));
    plan.set(FaultKind::Pause, Fault::NONE.at(1_000).lasting(Span { from: lease / 2, to: lease }));
    plan.set(FaultKind::LateCommand, Fault::NONE.at(5_000).lasting(Span::milliseconds(100, 4_000)));
    plan.steps = Some(Steps {
        format_id: Template::FORMAT_ID,
        directory: range(directory.start, directory.blocks),
        crash_giving_up: PerMillion(300_000),
        pause_displacing: PerMillion(600_000),
        descriptors: (Lba(0), Lba(0)),
        crash_handing_over: PerMillion::NEVER,
        late_handing_over: PerMillion::NEVER,
    });
    plan
}

/// What befalls hosts with disks: what befalls those with names, a third of it at a time, and stalls that outlast a lease. No read
/// shows half a sector: no guest's disk is promised that where its own writes are under way.
fn under_guests(seed: u64, datastore: &Template) -> FaultPlan {
    let (descriptors, hold) = (datastore.layout().descriptors, datastore.superblock.record.timing.hold);
    let mut plan = FaultPlan::draw(seed, FaultKind::ORDINARY);
    plan.latency = QUICK;
    plan.work_queue = Latency::ZERO;
    plan.set(FaultKind::TornRead, Fault::NONE);
    // A handoff is over in a moment: some of the commands that make it are still on their way when their sender waits no more.
    let late = plan.fault(FaultKind::LateCommand).clone().lasting(Span::milliseconds(150, 1_200));
    plan.set(FaultKind::LateCommand, late);
    plan.steps = Some(Steps {
        format_id: Template::FORMAT_ID,
        directory: (Lba(0), Lba(0)),
        crash_giving_up: PerMillion::NEVER,
        pause_displacing: PerMillion::NEVER,
        descriptors: range(descriptors.start, descriptors.blocks),
        crash_handing_over: PerMillion(10_000),
        late_handing_over: PerMillion(300_000),
    });
    let round = seed / 20;
    if round % 4 != 3 {
        plan.set(FaultKind::Crash, Fault::NONE.at(400).every(Span::milliseconds(2_000, 20_000)));
    }
    if round % 2 == 1 {
        plan.latency = BUSY;
    }
    if round % 4 == 2 {
        // Now and then for longer than the hold.
        let spell = Span { from: Duration::from_millis(100), to: hold * 4 };
        plan.set(FaultKind::NoSpace, Fault::NONE.every(Span::milliseconds(500, 4_000)).lasting(spell));
    }
    if round % 3 == 1 {
        plan.set(FaultKind::Pause, Fault::NONE.at(1_000).lasting(Span::milliseconds(300, 3_000)));
    }
    plan
}

/// Small clusters in three groups, larger ones of several pieces in one: room for a few disks.
fn ground_of(round: u64) -> Ground {
    match round % 4 {
        3 => Ground { megabytes: 96, cluster_size: 16 << 10, room: Some(90) },
        2 => Ground { megabytes: 96, cluster_size: 4 << 10, room: Some(90) },
        _ => Ground { megabytes: 96, cluster_size: 4 << 10, room: Some(24) },
    }
}

/// A device that answers most commands at once, and some only after a good part of a beat.
fn staggered(beat: Duration) -> Latency {
    let slow = Span { from: beat / 40, to: beat * 9 / 20 };
    Latency {
        usual: Span::milliseconds(1, 10),
        slow,
        slow_per_million: PerMillion(300_000),
        tail: slow,
        tail_per_million: PerMillion::NEVER,
    }
}

const QUICK: Latency = Latency::only(Span::milliseconds(1, 10));

/// A host's queue in which some commands wait for nearly a short beat. Most do not: see [`UNEVEN`].
const DEEP_QUEUE: Latency = Latency {
    usual: Span::milliseconds(0, 5),
    slow: Span::milliseconds(120, 235),
    slow_per_million: PerMillion(100_000),
    tail: Span::milliseconds(120, 235),
    tail_per_million: PerMillion::NEVER,
};

/// Commands of which some take most of a short beat on their way, or on their way back. Most do not: a watch in which every
/// other read is slow is never complete.
const UNEVEN: Latency = Latency {
    usual: Span::milliseconds(1, 15),
    slow: Span::milliseconds(100, 225),
    slow_per_million: PerMillion(60_000),
    tail: Span::milliseconds(100, 225),
    tail_per_million: PerMillion::NEVER,
};

/// A device that answers some commands only when much else has happened.
const BUSY: Latency = Latency {
    usual: Span::milliseconds(1, 10),
    slow: Span::milliseconds(30, 95),
    slow_per_million: PerMillion(60_000),
    tail: Span::milliseconds(30, 95),
    tail_per_million: PerMillion::NEVER,
};

/// A lease of a second, a beat of a quarter of it, and the shortest watch that goes with it.
fn tight_timing() -> Timing {
    let lease = Duration::from_secs(1);
    let watch = oarlock_format::watch_min(lease);
    // A timing is written down in whole milliseconds.
    let watch = Duration::from_millis(u64::try_from(watch.as_millis()).unwrap_or(u64::MAX) + 1);
    Timing { beat: lease / 4, lease, watch, ..Timing::DEFAULT }
}

/// Beats of 200 ms and a lease of a second: ten times as much happens in the same simulated time.
#[must_use]
pub fn fast_timing() -> Timing {
    let lease = Duration::from_secs(1);
    Timing { beat: Duration::from_millis(200), lease, watch: Timing::watch_for(lease), ..Timing::DEFAULT }
}

pub(crate) fn lock_name(text: &str) -> LockName {
    match LockName::new(text) {
        Ok(name) => name,
        Err(error) => panic!("a workload's lock has no proper name: {error}"),
    }
}

fn numbered_names(count: u64) -> Vec<LockName> {
    (0..count).map(|number| lock_name(&format!("lock/{number}"))).collect()
}

/// So many names with one home, found by trying.
fn crowded_names(count: usize) -> Vec<LockName> {
    let (format_id, positions) = (Template::FORMAT_ID, Template::lock_positions());
    let wanted = home(&format_id, &lock_name("crowd/0"), positions);
    let names = (0_u32..).map(|number| lock_name(&format!("crowd/{number}")));
    names.filter(|name| home(&format_id, name, positions) == wanted).take(count).collect()
}

/// The range of blocks from `start`, as a pair of addresses.
pub(crate) fn range(start: Lba, blocks: BlockCount) -> (Lba, Lba) {
    (start, start.plus(blocks))
}
