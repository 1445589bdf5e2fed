//! `queue-depth`: the command waited in the host, not in the device.

use super::case::{Case, command, total};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{Command, DeviceStatus, Fact, Kind, Queue};
use crate::rate::are_many;

/// KAVG over this is too long [common practice: 1 to 2 ms].
const KERNEL_MS: f64 = 2.0;
/// DAVG up to this is normal [common practice: 20 to 25 ms].
const DEVICE_MS: f64 = 20.0;
/// The time in the host dwarfs that in the device.
const DWARFS: f64 = 2.0;
/// One sample is a moment.
const SAMPLES_MIN: u64 = 3;
/// TASK SET FULL a few times is what it is for.
const FULL_MIN: u64 = 10;
/// An atomic test and set that met it once is sent again.
const TESTS_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let samples = case.all(|fact| matches!(fact.kind, Kind::Queue(_)));
    let waiting: Vec<_> = samples.iter().copied().filter(|fact| waits_in_the_host(fact)).collect();
    let full = case.commands(|command| command.device == Some(DeviceStatus::TASK_SET_FULL));
    if total(&waiting) >= SAMPLES_MIN {
        let because = "Commands waited far longer in the host's queue than the device needed for them, and the queue was full: the device \
                       was quick, and did not get them.";
        let lines = waiting.into_iter().take(6).collect();
        return Judgement::Met(Proof::new(Confidence::Likely, because, lines).and_collect(NEXT));
    }
    let tests: Vec<_> =
        full.iter().copied().filter(|fact| command(fact).is_some_and(Command::is_ats)).collect();
    if !tests.is_empty() {
        let because = format!(
            "The device answered TASK SET FULL (D:0x28) to {} atomic test(s) and set(s): its queue was full, and it did not execute them. The hosts together send more \
             than its queue takes; how slow the storage itself is, is another question.",
            total(&tests)
        );
        let often = are_many(tests.iter().copied(), TESTS_MIN) || are_many(full.iter().copied(), FULL_MIN);
        // A queue that overflows again while the device's answers come later and later is no passing peak: it is why they come late.
        let grows =
            total(&full) > 1 && !case.all(|fact| matches!(fact.kind, Kind::Latency { .. })).is_empty();
        let harmed = grows || !case.heartbeats(|_| true).is_empty();
        let confidence = if often || harmed { Confidence::Likely } else { Confidence::Possible };
        let lines = tests.into_iter().take(6).chain(full.into_iter().take(4)).collect();
        return Judgement::Met(
            Proof::new(confidence, because, lines).and_collect(NEXT).in_words(&words::QUEUE_FULL),
        );
    }
    if are_many(full.iter().copied(), FULL_MIN) {
        let because = format!(
            "The device answered TASK SET FULL {} times: hosts together send more than its queue takes, and each then throttles itself.",
            total(&full)
        );
        return Judgement::Met(
            Proof::new(Confidence::Likely, because, full).and_collect(NEXT).in_words(&words::QUEUE_FULL),
        );
    }
    if samples.is_empty() && full.is_empty() {
        return Judgement::Silent;
    }
    Judgement::Aside("The queues of the host do not stand out against the device's own time.".to_owned())
}

const NEXT: &str = "The queue depths of adapter and device on every host, and the array vendor's figures for them; esxtop in batch mode over the \
                    minutes of the trouble.";

fn waits_in_the_host(fact: &Fact) -> bool {
    let Kind::Queue(queue) = &fact.kind else { return false };
    let Queue { device_ms, kernel_ms, queue_ms, queued, active, length, .. } = **queue;
    let host_ms = kernel_ms.or(queue_ms).unwrap_or(0.0).max(queue_ms.unwrap_or(0.0));
    let device_ms = device_ms.unwrap_or(0.0);
    let is_full = queued.is_some_and(|queued| queued >= 1.0)
        || active.zip(length).is_some_and(|(active, length)| length > 0.0 && active >= length);
    host_ms > KERNEL_MS && host_ms > DWARFS * device_ms && device_ms < DEVICE_MS && is_full
}
