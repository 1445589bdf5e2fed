//! `slow-storage`: the device, or what is behind it, was far slower than usual.

use super::case::{Case, JUST_BEFORE_US, Record, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{ClusterStep, Fact, Kind, LockStep, TargetStep, TaskKind, TaskOutcome};

/// A latency in which a heartbeat is in danger: a tenth of its eight seconds is far beyond any normal.
const SLOW_US: u64 = 200_000;
/// So many times the usual is far slower.
const TIMES: u64 = 4;
/// DAVG over this is slow [common practice: 20 to 25 ms].
const DEVICE_MS: f64 = 25.0;
/// One sample is a moment.
const SAMPLES_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let stakes = case.stakes();
    let spikes = case.all(is_spike);
    if !spikes.is_empty() {
        let worst = spikes.iter().map(|fact| latency(fact)).max().unwrap_or(0) / 1_000;
        let hit = !case.followed_by(&spikes, &stakes, JUST_BEFORE_US).is_empty();
        let because = if hit {
            let why = match case.record() {
                Record::Slot => {
                    " It is about the host's own heartbeat slot: the slowness alone does it, no other host is needed."
                }
                Record::Lock => {
                    " It is about a lock record: the longer the way to the disk, the sooner another host is first."
                }
                Record::Both | Record::Unknown => "",
            };
            format!(
                "The device took up to {worst} ms for a command, many times its usual, and a heartbeat or an atomic test and set went wrong \
                 within a minute.{why}"
            )
        } else {
            format!(
                "The device took up to {worst} ms for a command, many times its usual. No false answer is among these lines: one may follow."
            )
        };
        let lines = spikes.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
        // Where a living owner is named and nothing stayed without an answer, the slowness is beside the point.
        let raced = !case
            .locks(|lock| {
                lock.step == LockStep::NotFree && lock.record.is_some_and(|lock| lock.owner.is_some())
            })
            .is_empty();
        let plain_race = raced && case.record() == Record::Lock && case.unanswered_ats().is_empty();
        let confidence = if plain_race { Confidence::Possible } else { Confidence::Likely };
        return Judgement::Met(Proof::new(confidence, because, lines).and_collect(NEXT));
    }
    let slow = case.all(
        |fact| matches!(&fact.kind, Kind::Queue(queue) if queue.device_ms.is_some_and(|ms| ms > DEVICE_MS)),
    );
    if total(&slow) >= SAMPLES_MIN {
        let because = "The host's samples show a time in the device (DAVG) far over normal, again and again.";
        return Judgement::Met(Proof::new(Confidence::Likely, because, slow).and_collect(NEXT));
    }
    at_the_target(case).unwrap_or_else(|| renewals(case))
}

const NEXT: &str = "The array's latency for this LUN in that minute, its jobs (backup, replication, scrub, rebuild), and the maximum, not the average, of \
                    the host's figures.";

/// The target still had the commands in hand that its initiators gave up: they were not lost on the way.
fn at_the_target<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let own = case.all(|fact| fact.kind == Kind::Target(TargetStep::SlowBackend));
    let complete = case
        .all(|fact| fact.kind == Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::AlreadyComplete });
    let found = case.all(|fact| {
        matches!(fact.kind, Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Done })
            && is_target(fact)
    });
    if own.is_empty() && complete.is_empty() {
        return None;
    }
    let because = if complete.is_empty() {
        "The target itself says that its backend is slow or timed out.".to_owned()
    } else {
        format!(
            "Initiators gave up {} command(s) that the target still had, or had just completed: they were not lost on the way, the target \
             was too slow. What was complete when it was aborted has had its effect; an atomic test and set among them will meet its own \
             image when it is tried again.",
            total(&complete) + total(&found)
        )
    };
    let lines = own.into_iter().chain(complete).chain(found).take(8).collect();
    Some(Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT)))
}

/// Lock managers on plain reads and writes renew their leases on time, unless the device is slow.
fn renewals<'a>(case: &Case<'a>) -> Judgement<'a> {
    let late = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::RenewalLate));
    let of_path = case.all(|fact| matches!(fact.kind, Kind::Path(event) if event.is_loss()));
    match (late.is_empty(), of_path.is_empty()) {
        (true, _) => Judgement::Silent,
        (false, false) => {
            Judgement::Aside("Leases were renewed late, but a path was lost at that time.".to_owned())
        }
        (false, true) => {
            let because = "A lock manager could not renew its lease in its time, and no path was lost: its reads or writes took too long.";
            Judgement::Met(Proof::new(Confidence::Possible, because, late).and_collect(NEXT))
        }
    }
}

fn is_target(fact: &Fact) -> bool {
    fact.text.contains("ABORT_TASK")
}

fn latency(fact: &Fact) -> u64 {
    match fact.kind {
        Kind::Latency { now_us, .. } => now_us,
        _ => 0,
    }
}

fn is_spike(fact: &Fact) -> bool {
    let Kind::Latency { usual_us, now_us } = fact.kind else { return false };
    now_us >= SLOW_US && usual_us.is_none_or(|usual| now_us >= usual.saturating_mul(TIMES))
}
