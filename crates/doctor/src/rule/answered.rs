//! Answers that a target gave at once and that no host has: they were lost on the way.

use super::case::{Case, FIRST, JUST_BEFORE_US, command};
use crate::fact::{Command, Fact, Kind, TargetStep};
use crate::scene::{before, near};

/// A target and a host write of one answer within this.
const AT_ONCE_US: i64 = 2_000_000;

/// Whether a target had answered a test with MISCOMPARE before it was told to abort what was complete by then, and no host tells of that answer, although hosts
/// tell of others: what was complete may be that test. It was false, so that it left no image, and its answer was not late but lost.
pub fn was_lost_on_the_way(case: &Case<'_>, complete: &[&Fact]) -> bool {
    let told = case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare));
    let heard = case.all(|fact| command(fact).is_some_and(Command::miscompared));
    let is_heard = |answer: &Fact| heard.iter().take(FIRST).any(|fact| near(answer, fact, AT_ONCE_US));
    let is_before_an_abort = |answer: &Fact| {
        complete.iter().take(FIRST).any(|abort| before(answer, abort) && near(answer, abort, JUST_BEFORE_US))
    };
    told.iter().take(FIRST).any(|answer| is_heard(answer))
        && told.iter().take(FIRST).any(|answer| !is_heard(answer) && is_before_an_abort(answer))
}
