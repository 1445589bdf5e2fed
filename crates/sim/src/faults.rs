//! The fault plan: which faults a world has, how often, how long, and until when.

use std::time::Duration;

use oarlock_block::Lba;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use crate::choices::{mix, scale};
use crate::{PerMillion, Span, Steps, TrueTime};

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The kinds of faults. Each says at which opportunities its `per_million` is tried, and what its `length` is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind {
            $($(#[$doc])* $kind,)*
        }

        impl FaultKind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$kind,)*];

            /// The name in traces.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name,)* }
            }
        }
    };
}

fault_kinds! {
    /// Each execution: the command was executed, its reply never comes, and its future stays pending until dropped.
    LostReply = "lost reply",
    /// Each command sent: it is never executed, and no reply comes.
    LostCommand = "lost command",
    /// Each execution of an ATS: it is executed once more, `length` later, without a reply of its own. Not of a write:
    /// a device that writes again what it has answered breaks every promise there is (R21 is about hosts that send again).
    RepeatedCommand = "repeated command",
    /// Each command sent: it is executed `length` later than it would have been, whatever became of its host.
    LateCommand = "late command",
    /// Each execution: the reply comes `length` later.
    LateReply = "late reply",
    /// Each ATS: refused as busy, and not executed.
    Busy = "busy",
    /// Each execution: answered with a device error that says nothing; half of them were executed.
    DeviceError = "device error",
    /// Each block read while a swap or write of it ran: part of it is old, part new (R3).
    TornRead = "torn read",
    /// Each block read: it shows an earlier content that was replaced at most `length` ago (R2).
    StaleRead = "stale read",
    /// Each command of several blocks: part of them is read or written `length` later than the others.
    SplitCommand = "split command",
    /// Each task woken: it is polled only `length` later.
    SlowWake = "slow wake",
    /// Each submission, execution and reply of a mortal host, and each `gap` per host: the host's process ends.
    Crash = "crash",
    /// Like a crash, but the process is stopped for `length`. Stopped at a submission, the command leaves only when the
    /// process goes on.
    Pause = "pause",
    /// Like a pause, but the machine's clock stands still too (R10).
    FrozenMachine = "frozen machine",
    /// Each `gap` per host: neither its commands nor their replies pass for `length`; see [`FaultPlan::replies_first`].
    PathStall = "path stall",
    /// Each `gap`: the same for all hosts at once; see [`FaultPlan::ragged`].
    FabricStall = "fabric stall",
    /// Each `gap`: the device executes nothing for `length`.
    DeviceStall = "device stall",
    /// Each `gap`: some bits of one block in one of the plan's `rot_ranges` flip.
    BitRot = "bit rot",
    /// Each `gap`: the whole device is as it was at most `length` ago. Costs a copy of the device's index beforehand.
    Rollback = "rollback",
    /// Each `gap`: of the writes since the last flush the device forgets some. Needs `volatile_cache`; see
    /// [`FaultPlan::power_takes_hosts`].
    PowerLoss = "power loss",
    /// Each `gap`: for `length` there is no room below for a block that has no place of its own yet (R24). What fits of such a command is written.
    NoSpace = "no space",
}

impl FaultKind {
    /// How many kinds there are.
    pub const COUNT: usize = FaultKind::ALL.len();

    /// What the protocol must live through without losing anything, on a device that keeps its promises. The others
    /// break the device's or the clock's promises, or test durability, and are added where a run is about them.
    pub const ORDINARY: &[FaultKind] = &[
        FaultKind::LostReply,
        FaultKind::LostCommand,
        FaultKind::RepeatedCommand,
        FaultKind::LateCommand,
        FaultKind::LateReply,
        FaultKind::Busy,
        FaultKind::DeviceError,
        FaultKind::TornRead,
        FaultKind::SplitCommand,
        FaultKind::SlowWake,
        FaultKind::Crash,
        FaultKind::Pause,
        FaultKind::PathStall,
        FaultKind::FabricStall,
        FaultKind::DeviceStall,
    ];

    /// The place in tables by kind.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What [`FaultPlan::draw`] scales: often enough to matter within a minute of a handful of hosts, rare enough that
    /// work gets done.
    fn usual(self) -> Fault {
        let fault = Fault::NONE;
        match self {
            FaultKind::LostReply | FaultKind::LostCommand => fault.at(2_000),
            FaultKind::RepeatedCommand => fault.at(5_000).lasting(Span::milliseconds(0, 30_000)),
            FaultKind::LateCommand => fault.at(2_000).lasting(Span::milliseconds(10, 60_000)),
            FaultKind::LateReply => fault.at(2_000).lasting(Span::milliseconds(10, 30_000)),
            FaultKind::Busy => fault.at(10_000),
            FaultKind::DeviceError => fault.at(2_000),
            FaultKind::TornRead => fault.at(50_000),
            FaultKind::StaleRead => fault.at(2_000).lasting(Span::milliseconds(1, 60_000)),
            FaultKind::SplitCommand => fault.at(50_000).lasting(Span::milliseconds(0, 1_000)),
            FaultKind::SlowWake => fault.at(10_000).lasting(Span::milliseconds(0, 500)),
            FaultKind::Crash => fault.at(200).every(Span::milliseconds(20_000, 300_000)),
            FaultKind::Pause | FaultKind::FrozenMachine => fault
                .at(500)
                .every(Span::milliseconds(20_000, 300_000))
                .lasting(Span::milliseconds(1, 180_000)),
            FaultKind::PathStall | FaultKind::FabricStall | FaultKind::DeviceStall | FaultKind::NoSpace => {
                fault.every(Span::milliseconds(20_000, 300_000)).lasting(Span::milliseconds(10, 60_000))
            }
            FaultKind::BitRot => fault.every(Span::milliseconds(10_000, 120_000)).times(4),
            FaultKind::Rollback => fault
                .every(Span::milliseconds(30_000, 120_000))
                .lasting(Span::milliseconds(100, 60_000))
                .times(1),
            FaultKind::PowerLoss => fault.every(Span::milliseconds(30_000, 300_000)).times(2),
        }
    }
}

/// How often one kind of fault comes, and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The chance at each opportunity; see [`FaultKind`].
    pub per_million: PerMillion,
    /// For faults that come by themselves: the time from one to the next.
    pub gap: Option<Span>,
    /// How long it lasts, or by how much something is late.
    pub length: Length,
    /// Times in the whole run.
    pub times_max: u32,
}

/// How long a fault lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Length {
    /// Drawn from a span. In an exhaustive run its shortest.
    Drawn(Span),
    /// One of these; an exhaustive run tries each.
    OneOf(Vec<Duration>),
}

impl Fault {
    /// A fault that never comes.
    pub const NONE: Fault = Fault {
        per_million: PerMillion::NEVER,
        gap: None,
        length: Length::Drawn(Span { from: Duration::ZERO, to: Duration::ZERO }),
        times_max: u32::MAX,
    };

    /// With this chance, in millionths, at each opportunity.
    #[must_use]
    pub fn at(mut self, per_million: u32) -> Fault {
        self.per_million = PerMillion(per_million);
        self
    }

    /// By itself, with these gaps.
    #[must_use]
    pub fn every(mut self, gap: Span) -> Fault {
        self.gap = Some(gap);
        self
    }

    /// For so long.
    #[must_use]
    pub fn lasting(mut self, length: Span) -> Fault {
        self.length = Length::Drawn(length);
        self
    }

    /// At most so many times in a run.
    #[must_use]
    pub fn times(mut self, times_max: u32) -> Fault {
        self.times_max = times_max;
        self
    }
}

/// How long a command takes on one leg of its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// What most take.
    pub usual: Span,
    /// What some take.
    pub slow: Span,
    /// How many are slow.
    pub slow_per_million: PerMillion,
    /// What a few take: the heavy tail.
    pub tail: Span,
    /// How many are in the tail.
    pub tail_per_million: PerMillion,
}

impl Latency {
    /// No time at all.
    pub const ZERO: Latency = Latency::only(Span { from: Duration::ZERO, to: Duration::ZERO });
    /// A healthy device: 30 to 120 microseconds.
    pub const FAST: Latency = Latency::only(Span::microseconds(30, 120));
    /// A busy one: one command in 50 takes up to 50 ms, one in 5,000 up to 5 s.
    pub const HEAVY_TAIL: Latency = Latency {
        usual: Span::microseconds(50, 2_000),
        slow: Span::milliseconds(2, 50),
        slow_per_million: PerMillion(20_000),
        tail: Span::milliseconds(50, 5_000),
        tail_per_million: PerMillion(200),
    };
    /// A slow one: 1 to 100 milliseconds for everything.
    pub const SLOW: Latency = Latency::only(Span::milliseconds(1, 100));

    /// One span for all.
    #[must_use]
    pub const fn only(usual: Span) -> Latency {
        Latency {
            usual,
            slow: usual,
            slow_per_million: PerMillion::NEVER,
            tail: usual,
            tail_per_million: PerMillion::NEVER,
        }
    }
}

/// All faults of one run. It is a value: what it leaves to chance is drawn from the world's choices while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    faults: Vec<Fault>,
    /// From the host to the device, and the same back.
    pub latency: Latency,
    /// What a command of the work lane spends in the host's queue before that; beats have a queue of their own (R8).
    pub work_queue: Latency,
    /// What asking for a slot's lock takes.
    pub lock_latency: Span,
    /// A path that stalls first holds back the replies alone for so long, lets them through in one burst, and stalls then:
    /// a port whose credits run out before its link goes down.
    pub replies_first: Span,
    /// After a stall of the fabric each host's path comes back so much later than the fabric: the hosts notice at
    /// different times that a controller has taken over from another.
    pub ragged: Span,
    /// The largest drift of a host's clock, in parts per million; hosts draw theirs from both sides.
    pub drift_ppm_max: u32,
    /// Whether the device has a write cache that a power loss empties.
    pub volatile_cache: bool,
    /// Whether the power that the device loses is its hosts' too, as on one machine: every process ends with it, and nothing
    /// that was on its way arrives any more.
    pub power_takes_hosts: bool,
    /// Steps of the directory and of handoffs at whose submission a host is struck more often than elsewhere.
    pub steps: Option<Steps>,
    /// Where bits rot, each range as likely as another: its first block, and the first beyond.
    pub rot_ranges: Vec<(Lba, Lba)>,
    /// No fault begins at or after this, and none lasts beyond it, but for replies and commands that are lost already.
    pub stop_at: TrueTime,
}

impl FaultPlan {
    /// No fault at all, a fast device, exact clocks.
    #[must_use]
    pub fn calm() -> FaultPlan {
        FaultPlan {
            faults: vec![Fault::NONE; FaultKind::COUNT],
            latency: Latency::FAST,
            work_queue: Latency::ZERO,
            lock_latency: Span::exactly(Duration::ZERO),
            replies_first: Span::exactly(Duration::ZERO),
            ragged: Span::exactly(Duration::ZERO),
            drift_ppm_max: 0,
            volatile_cache: false,
            power_takes_hosts: false,
            steps: None,
            rot_ranges: vec![(Lba(0), Lba(u64::MAX))],
            stop_at: TrueTime::NEVER,
        }
    }

    /// For exhaustive runs: every command takes 100 microseconds each way; so many crashes, tried at each submission,
    /// execution and reply of a mortal host; so many commands that are late by one of `delays`.
    #[must_use]
    pub fn exhaustive(crashes_max: u32, late_max: u32, delays: Vec<Duration>) -> FaultPlan {
        let mut plan = FaultPlan::calm();
        plan.latency = Latency::only(Span::exactly(Duration::from_micros(100)));
        if crashes_max > 0 {
            plan.set(FaultKind::Crash, Fault::NONE.at(1_000_000).times(crashes_max));
        }
        if late_max > 0 {
            let late = Fault::NONE.at(1_000_000).times(late_max);
            plan.set(FaultKind::LateCommand, Fault { length: Length::OneOf(delays), ..late });
        }
        plan
    }

    /// A plan drawn from a seed: each of `kinds` is in it with a chance of one third, from a quarter to four times its
    /// usual frequency; latency and drift are drawn too. Plans with few faults find what plans with all of them hide.
    #[must_use]
    pub fn draw(seed: u64, kinds: &[FaultKind]) -> FaultPlan {
        let mut generator = Xoshiro256PlusPlus::seed_from_u64(mix(seed, &[0x66]));
        let mut below = |bound| scale(generator.next_u64(), bound);
        let mut plan = FaultPlan::calm();
        plan.latency = match below(4) {
            0 => Latency::FAST,
            1 => Latency::SLOW,
            _ => Latency::HEAVY_TAIL,
        };
        plan.work_queue = if below(3) == 0 { Latency::HEAVY_TAIL } else { Latency::ZERO };
        plan.lock_latency = Span::microseconds(0, [0, 20, 5_000][usize::try_from(below(3)).unwrap_or(0)]);
        plan.drift_ppm_max = [0, 100, 10_000][usize::try_from(below(3)).unwrap_or(0)];
        for kind in kinds {
            let (chosen, quarters) = (below(3) == 0, [1, 4, 16][usize::try_from(below(3)).unwrap_or(0)]);
            if chosen {
                let mut fault = kind.usual();
                fault.per_million = PerMillion(fault.per_million.0.saturating_mul(quarters) / 4);
                fault.gap =
                    fault.gap.map(|gap| Span { from: gap.from * 4 / quarters, to: gap.to * 4 / quarters });
                plan.set(*kind, fault);
                plan.volatile_cache |= *kind == FaultKind::PowerLoss;
            }
        }
        plan.replies_first = Span::milliseconds(0, [0, 250, 2_000][usize::try_from(below(3)).unwrap_or(0)]);
        plan.ragged = Span::milliseconds(0, [0, 500, 15_000][usize::try_from(below(3)).unwrap_or(0)]);
        plan
    }

    /// The fault of one kind.
    #[must_use]
    pub fn fault(&self, kind: FaultKind) -> &Fault {
        &self.faults[kind.index()]
    }

    /// Sets the fault of one kind.
    pub fn set(&mut self, kind: FaultKind, fault: Fault) {
        self.faults[kind.index()] = fault;
    }

    /// The same plan with the usual fault of each of `kinds`.
    #[must_use]
    pub fn with_usual(mut self, kinds: &[FaultKind]) -> FaultPlan {
        for kind in kinds {
            self.set(*kind, kind.usual());
        }
        self
    }

    /// The kinds that can happen.
    pub fn kinds(&self) -> impl Iterator<Item = FaultKind> + '_ {
        FaultKind::ALL.iter().copied().filter(|kind| {
            let fault = self.fault(*kind);
            fault.times_max > 0 && (fault.per_million != PerMillion::NEVER || fault.gap.is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_numbered_in_order() {
        for (number, kind) in FaultKind::ALL.iter().enumerate() {
            assert_eq!(kind.index(), number, "{}", kind.name());
        }
    }

    #[test]
    fn each_seed_has_its_own_plan_and_each_kind_is_in_about_a_third_of_them() {
        assert_eq!(FaultPlan::draw(7, FaultKind::ALL), FaultPlan::draw(7, FaultKind::ALL));
        for kind in FaultKind::ALL {
            let plans = (0..600).filter(|seed| {
                FaultPlan::draw(*seed, FaultKind::ALL).kinds().any(|planned| planned == *kind)
            });
            let count = plans.count();
            assert!((140..260).contains(&count), "{} is in {count} of 600", kind.name());
        }
        assert_eq!(FaultPlan::calm().kinds().count(), 0);
    }
}
