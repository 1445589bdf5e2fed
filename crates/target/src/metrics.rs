//! What the array counts: plain numbers of its one thread, given out as a copy to whoever asks.

use std::cell::RefCell;
use std::time::Duration;

use oarlock_scsi::iscsi::TaskFunction;
use oarlock_scsi::{Opcode, Status};

/// Latencies are counted in buckets whose upper edges double, from this one on.
const FIRST_EDGE_MICROSECONDS: u64 = 8;

/// So many buckets have an edge: the last one at 8.4 s. Beyond that there is one more.
const EDGES: usize = 21;

/// The statuses of SAM-5, and how each is called in metrics; a last place is for commands that were never answered.
const STATUSES: [(Status, &str); 8] = [
    (Status::GOOD, "good"),
    (Status::CHECK_CONDITION, "check_condition"),
    (Status::CONDITION_MET, "condition_met"),
    (Status::BUSY, "busy"),
    (Status::RESERVATION_CONFLICT, "reservation_conflict"),
    (Status::TASK_SET_FULL, "task_set_full"),
    (Status::ACA_ACTIVE, "aca_active"),
    (Status::TASK_ABORTED, "task_aborted"),
];
const UNANSWERED: usize = STATUSES.len();

/// The functions that are told apart; a last place is for all others.
const FUNCTIONS: [(TaskFunction, &str); 7] = [
    (TaskFunction::AbortTask, "abort_task"),
    (TaskFunction::AbortTaskSet, "abort_task_set"),
    (TaskFunction::ClearTaskSet, "clear_task_set"),
    (TaskFunction::LogicalUnitReset, "lun_reset"),
    (TaskFunction::TargetWarmReset, "target_warm_reset"),
    (TaskFunction::TargetColdReset, "target_cold_reset"),
    (TaskFunction::TaskReassign, "task_reassign"),
];

/// What a latency is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandClass {
    /// The READs.
    Read,
    /// The WRITEs, ORWRITE and WRITE AND VERIFY.
    Write,
    /// COMPARE AND WRITE.
    CompareAndWrite,
    /// Everything else.
    Other,
}

impl CommandClass {
    const ALL: [CommandClass; 4] =
        [CommandClass::Read, CommandClass::Write, CommandClass::CompareAndWrite, CommandClass::Other];

    /// How it is called in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CommandClass::Read => "read",
            CommandClass::Write => "write",
            CommandClass::CompareAndWrite => "compare_and_write",
            CommandClass::Other => "other",
        }
    }

    const fn of(opcode: u8) -> CommandClass {
        match Opcode(opcode) {
            Opcode::READ_6 | Opcode::READ_10 | Opcode::READ_12 | Opcode::READ_16 => CommandClass::Read,
            Opcode::WRITE_6
            | Opcode::WRITE_10
            | Opcode::WRITE_12
            | Opcode::WRITE_16
            | Opcode::WRITE_ATOMIC_16
            | Opcode::ORWRITE_16
            | Opcode::WRITE_AND_VERIFY_10
            | Opcode::WRITE_AND_VERIFY_12
            | Opcode::WRITE_AND_VERIFY_16 => CommandClass::Write,
            Opcode::COMPARE_AND_WRITE => CommandClass::CompareAndWrite,
            _ => CommandClass::Other,
        }
    }
}

/// The counters of an array. A command costs a few additions; only the array's thread has them.
pub(crate) struct Metrics {
    counters: RefCell<Box<Counters>>,
}

struct Counters {
    /// By operation code, then by the status' place.
    commands: [[u64; UNANSWERED + 1]; 256],
    read_bytes: u64,
    written_bytes: u64,
    latencies: [Latency; CommandClass::ALL.len()],
    miscompares: u64,
    logins: u64,
    logins_refused: u64,
    functions: [u64; FUNCTIONS.len() + 1],
}

#[derive(Clone, Copy)]
struct Latency {
    buckets: [u64; EDGES + 1],
    nanoseconds: u64,
}

/// A command that was answered.
pub(crate) struct Answered {
    pub(crate) opcode: u8,
    pub(crate) status: Status,
    pub(crate) is_miscompare: bool,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
    pub(crate) took: Duration,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let counters = Counters {
            commands: [[0; UNANSWERED + 1]; 256],
            read_bytes: 0,
            written_bytes: 0,
            latencies: [Latency { buckets: [0; EDGES + 1], nanoseconds: 0 }; CommandClass::ALL.len()],
            miscompares: 0,
            logins: 0,
            logins_refused: 0,
            functions: [0; FUNCTIONS.len() + 1],
        };
        Metrics { counters: RefCell::new(Box::new(counters)) }
    }
}

impl Metrics {
    pub(crate) fn answered(&self, answered: &Answered) {
        let counters = &mut **self.counters.borrow_mut();
        let place = STATUSES.iter().position(|(status, _)| *status == answered.status);
        counters.commands[usize::from(answered.opcode)][place.unwrap_or(UNANSWERED)] += 1;
        counters.read_bytes += answered.read_bytes;
        counters.written_bytes += answered.written_bytes;
        let is_compare = Opcode(answered.opcode) == Opcode::COMPARE_AND_WRITE;
        counters.miscompares += u64::from(is_compare && answered.is_miscompare);
        let latency = &mut counters.latencies[CommandClass::of(answered.opcode) as usize];
        latency.buckets[bucket(answered.took)] += 1;
        latency.nanoseconds += u64::try_from(answered.took.as_nanos()).unwrap_or(u64::MAX);
    }

    /// A command ended without an answer: it was aborted, or its session is gone.
    pub(crate) fn unanswered(&self, opcode: u8) {
        self.counters.borrow_mut().commands[usize::from(opcode)][UNANSWERED] += 1;
    }

    pub(crate) fn logged_in(&self) {
        self.counters.borrow_mut().logins += 1;
    }

    pub(crate) fn login_refused(&self) {
        self.counters.borrow_mut().logins_refused += 1;
    }

    pub(crate) fn managed(&self, function: TaskFunction) {
        let place = FUNCTIONS.iter().position(|(known, _)| *known == function);
        self.counters.borrow_mut().functions[place.unwrap_or(FUNCTIONS.len())] += 1;
    }

    /// A copy of all that was counted; what is there now is for the caller to fill in.
    pub(crate) fn report(&self) -> MetricsReport {
        let counters = self.counters.borrow();
        let compares: u64 = counters.commands[usize::from(Opcode::COMPARE_AND_WRITE.0)].iter().sum();
        MetricsReport {
            commands: counters.command_counts(),
            read_bytes: counters.read_bytes,
            written_bytes: counters.written_bytes,
            latencies: CommandClass::ALL
                .iter()
                .map(|class| counters.latencies[*class as usize].report(*class))
                .collect(),
            compares,
            miscompares: counters.miscompares,
            logins: counters.logins,
            logins_refused: counters.logins_refused,
            functions: FUNCTIONS
                .iter()
                .map(|(_, name)| *name)
                .chain(["other"])
                .zip(counters.functions.iter().copied())
                .collect(),
            media: Vec::new(),
            sessions: 0,
            connections: 0,
            units: 0,
            units_with_lost_writes: 0,
            faults: Vec::new(),
        }
    }
}

impl Counters {
    fn command_counts(&self) -> Vec<CommandCount> {
        let names = || STATUSES.iter().map(|(_, name)| *name).chain(["none"]);
        let of_opcode = |(opcode, counts): (u8, &[u64; UNANSWERED + 1])| {
            let counts = *counts;
            names().zip(counts).filter(|(_, count)| *count > 0).map(move |(status, count)| CommandCount {
                opcode,
                status,
                count,
            })
        };
        (0..=u8::MAX).zip(&self.commands).flat_map(of_opcode).collect()
    }
}

impl Latency {
    fn report(&self, class: CommandClass) -> LatencyReport {
        let mut below = 0;
        let edges = self.buckets[..EDGES].iter().enumerate().map(|(place, count)| {
            below += count;
            (Duration::from_micros(FIRST_EDGE_MICROSECONDS << place), below)
        });
        LatencyReport {
            class,
            edges: edges.collect(),
            count: self.buckets.iter().sum(),
            sum: Duration::from_nanos(self.nanoseconds),
        }
    }
}

/// The bucket of a duration: the first one whose edge it does not pass.
fn bucket(took: Duration) -> usize {
    let microseconds = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
    let parts = microseconds.div_ceil(FIRST_EDGE_MICROSECONDS).max(1);
    let place = u64::BITS - (parts - 1).leading_zeros();
    (place as usize).min(EDGES)
}

/// What an array has counted since it began, and what is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsReport {
    /// Commands that have ended; only what is not zero.
    pub commands: Vec<CommandCount>,
    /// Bytes that commands sent to initiators.
    pub read_bytes: u64,
    /// Bytes that commands had from initiators.
    pub written_bytes: u64,
    /// From a command's arrival to its status, by class.
    pub latencies: Vec<LatencyReport>,
    /// COMPARE AND WRITE commands that have ended.
    pub compares: u64,
    /// Those of them that were answered false.
    pub miscompares: u64,
    /// Logins that became sessions.
    pub logins: u64,
    /// Logins that were refused.
    pub logins_refused: u64,
    /// Task management functions, by name.
    pub functions: Vec<(&'static str, u64)>,
    /// Commands to files and devices below, by kind.
    pub media: Vec<(&'static str, u64)>,
    /// Sessions now.
    pub sessions: usize,
    /// Connections now, those that log in included.
    pub connections: usize,
    /// Units now.
    pub units: usize,
    /// Those of them of which a flush has failed.
    pub units_with_lost_writes: usize,
    /// The faults that the array was armed with, and how many commands each struck.
    pub faults: Vec<(String, u64)>,
}

/// Commands of one kind with one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandCount {
    /// The operation code.
    pub opcode: u8,
    /// How the status is called in metrics; `none`: never answered.
    pub status: &'static str,
    /// How many.
    pub count: u64,
}

/// The latencies of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyReport {
    /// Of what.
    pub class: CommandClass,
    /// For each edge, how many took no longer.
    pub edges: Vec<(Duration, u64)>,
    /// How many there were.
    pub count: u64,
    /// What they took together.
    pub sum: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(opcode: u8, status: Status, took_us: u64) -> Answered {
        let took = Duration::from_micros(took_us);
        Answered { opcode, status, is_miscompare: false, read_bytes: 0, written_bytes: 0, took }
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_whose_edge_it_does_not_pass() {
        let nanoseconds = Duration::from_nanos;
        for (took, wanted) in [(0, 0), (1, 0), (8_000, 0), (8_001, 1), (16_000, 1), (16_001, 2), (32_000, 2)]
        {
            assert_eq!(bucket(nanoseconds(took)), wanted, "{took} ns");
        }
        let last = Duration::from_micros(FIRST_EDGE_MICROSECONDS << (EDGES - 1));
        assert_eq!((bucket(last), bucket(last + nanoseconds(1))), (EDGES - 1, EDGES));
        assert_eq!(bucket(Duration::MAX), EDGES);
    }

    #[test]
    fn commands_are_counted_by_opcode_and_status_and_only_false_answers_of_ats_are_miscompares() {
        let metrics = Metrics::default();
        metrics.answered(&Answered { read_bytes: 512, ..answered(0x88, Status::GOOD, 20) });
        metrics.answered(&Answered { written_bytes: 1024, ..answered(0x89, Status::GOOD, 90) });
        for opcode in [0x89, 0x8f] {
            let failed = answered(opcode, Status::CHECK_CONDITION, 90);
            metrics.answered(&Answered { is_miscompare: true, ..failed });
        }
        metrics.unanswered(0x89);
        metrics.managed(TaskFunction::AbortTask);
        metrics.managed(TaskFunction::QueryTask);
        let report = metrics.report();
        let count = |opcode, status, count| CommandCount { opcode, status, count };
        assert_eq!(
            report.commands,
            [
                count(0x88, "good", 1),
                count(0x89, "good", 1),
                count(0x89, "check_condition", 1),
                count(0x89, "none", 1),
                count(0x8f, "check_condition", 1),
            ]
        );
        assert_eq!((report.compares, report.miscompares), (3, 1));
        assert_eq!((report.read_bytes, report.written_bytes), (512, 1024));
        assert_eq!((report.functions[0], report.functions[7]), (("abort_task", 1), ("other", 1)));
        let ats = &report.latencies[CommandClass::CompareAndWrite as usize];
        assert_eq!(
            (ats.class, ats.count, ats.sum),
            (CommandClass::CompareAndWrite, 2, Duration::from_micros(180))
        );
        assert_eq!(ats.edges[3], (Duration::from_micros(64), 0));
        assert_eq!(ats.edges[4], (Duration::from_micros(128), 2));
        assert_eq!(ats.edges[EDGES - 1].1, 2, "edges count all that is below them");
    }
}
