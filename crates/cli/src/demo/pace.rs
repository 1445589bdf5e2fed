//! The pace: how long a beat of the demonstration's datastore is, by how busy this machine is.
//!
//! A lease is a promise to be heard of in time, and on a machine that lets a process wait for seconds nobody keeps one of five.
//! So the machine is looked at before the datastore is made, and every fault and every word about time counts in beats.

use std::time::{Duration, Instant};

use super::cast::Actor;
use super::stage::{HOSTS, LIMIT, Stage, Trouble};

/// The beats to choose from, in seconds. The first lets the whole be done in a minute; with the last, steps take minutes, as all else does
/// on a machine where a beat is answered after eight seconds: two cores with forty processes that want them.
const BEATS: [u64; 4] = [1, 2, 4, 8];
/// A lease has so many beats, as by default.
const BEATS_A_LEASE: u32 = 5;
/// A beat is long enough where a process for each host begins and ends within this part of it: a confirmed beat waits
/// for its turn on a processor several times, too.
const ROUNDS_A_BEAT: u32 = 8;
/// So often one process for each host is started, all at once.
const ROUNDS: usize = 3;

/// How long a beat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// One beat.
    pub beat: Duration,
}

impl Pace {
    /// Before the machine was looked at.
    pub const QUICK: Pace = Pace { beat: Duration::from_secs(BEATS[0]) };

    /// The shortest beat that is long enough for a machine on which the slowest round takes so long.
    fn fit_for(longest: Duration) -> Pace {
        let beats = BEATS.map(Duration::from_secs);
        let fits = |beat: &Duration| longest <= *beat / ROUNDS_A_BEAT;
        Pace { beat: beats.into_iter().find(fits).unwrap_or(beats[beats.len() - 1]) }
    }

    /// Starts this program a few times, as often at once as there will be hosts, and sees how long the slowest round takes.
    ///
    /// # Errors
    /// Where it cannot be started, or does not end.
    pub fn measured(stage: &mut Stage) -> Result<Pace, Trouble> {
        let mut longest = Duration::ZERO;
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let started: Result<Vec<Actor>, _> =
                HOSTS.iter().map(|_| stage.cast.start(&["--version"])).collect();
            for actor in started? {
                stage.succeed(actor, LIMIT)?;
            }
            longest = longest.max(begin.elapsed());
        }
        Ok(Pace::fit_for(longest))
    }

    /// The lease.
    pub fn lease(self) -> Duration {
        self.beat * BEATS_A_LEASE
    }

    /// Why it is what it is, for a reader.
    pub fn words(self) -> &'static str {
        match self.beat.as_secs() {
            1 => "half of the defaults, to be done in a minute",
            2 => "the defaults, for this machine is busy",
            _ => "more than the defaults, for this machine is very busy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_a_process_takes_to_begin_the_longer_is_a_beat() {
        let beat = |ms| Pace::fit_for(Duration::from_millis(ms)).beat.as_secs();
        assert_eq!([5, 125, 126, 250, 251, 501, 20_000].map(beat), [1, 1, 2, 2, 4, 8, 8]);
    }
}
