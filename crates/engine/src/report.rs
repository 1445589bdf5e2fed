//! Reports: turns what an ATS came to into an event with its cause, its proof and the window it was lost in.

use oarlock_block::{Lba, UnknownCause};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{Generation, Kind, Record, Stamp, Writer};

use crate::cell::{Purpose, Sent};
use crate::event::{Event, Window};
use crate::hindrance::{cause_of_fault, cause_of_silence};
use crate::store::{ReadFault, Store};
use crate::verdict::{Finding, Pace, cause_of_loss};

/// What a read-back found.
pub(crate) struct Found<'a> {
    pub(crate) finding: &'a Finding,
    pub(crate) stamp: &'a Stamp,
    pub(crate) purpose: Purpose,
    pub(crate) answer: Told,
}

/// What the device had said of the ATS, before its block was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// That the block was not equal.
    False,
    /// Nothing, for this reason.
    Nothing(UnknownCause),
}

impl Told {
    pub(crate) fn kind(self) -> EventKind {
        match self {
            Told::False => EventKind::Miscompare,
            Told::Nothing(_) => EventKind::Unknown,
        }
    }
}

impl Store {
    /// No answer came: the write may have landed, may land later, or never.
    pub(crate) fn report_unknown(&self, lba: Lba, kind: Kind, sent: &Sent, why: UnknownCause) {
        let cause = cause_of_silence(why);
        self.report(Event {
            window: Some(self.window(sent, None)),
            by_attempt: Some(sent.nonce),
            ..self.event(EventKind::Unknown, cause, lba, kind, Action::Retried).about(format!(
                "{why}: the swap may have landed, may land later, or never; it is closed by a swap of this host's own"
            ))
        });
    }

    /// An answer was false, or a missing one was found out: each is an event of its own kind, for who counts false
    /// answers must not count those that the device never gave.
    pub(crate) fn report_finding(&self, kind: Kind, sent: &Sent, found: &Found<'_>, pace: Pace) {
        let stamp = found.stamp;
        let (cause, action, detail) = match found.finding {
            Finding::Own(attempt) => (
                Cause::DelayedOwnWrite,
                Action::Adopted,
                format!(
                    "the block holds the image of this host's own attempt {}, which had no answer",
                    attempt.nonce
                ),
            ),
            Finding::Newer => lost(found, pace),
            Finding::Expected => (
                Cause::ArrayFault,
                Action::Refused,
                "the device answered false, and direct reads show exactly what was expected".to_owned(),
            ),
            Finding::Older | Finding::Damaged | Finding::Foreign => (
                Cause::Rollback,
                Action::Refused,
                format!(
                    "the block shows generation {}, older than this host has seen there",
                    stamp.generation.0
                ),
            ),
        };
        let event = Event {
            window: Some(self.window(sent, Some(stamp.generation))),
            by: Some(stamp.writer),
            by_attempt: Some(stamp.nonce),
            ..self.event(found.answer.kind(), cause, stamp.lba, kind, action).about(detail)
        };
        self.report_as(found.purpose, event);
    }

    /// A block could not be believed.
    pub(crate) fn report_distrust<R: Record>(
        &self,
        lba: Lba,
        purpose: Purpose,
        about: EventKind,
        sent: Option<&Sent>,
        fault: &ReadFault,
    ) {
        let cause = cause_of_fault(fault);
        let event = Event {
            window: sent.map(|sent| self.window(sent, None)),
            ..self.event(about, cause, lba, R::KIND, Action::Refused).about(fault.to_string())
        };
        self.report_as(purpose, event);
    }

    /// Each beat meets the same refusal of the host's own slot, until the slot is mended or the host ends.
    fn report_as(&self, purpose: Purpose, event: Event) {
        if purpose == Purpose::OwnSlot && event.action == Action::Refused {
            self.repeats
                .take(event, self.now(), self.timing.lease)
                .into_iter()
                .for_each(|event| self.report(event));
        } else {
            self.report(event);
        }
    }

    /// The host's own slot is refused no more, or the host ends: what was counted is told.
    pub(crate) fn end_repeats(&self) {
        self.repeats.end(self.now()).into_iter().for_each(|event| self.report(event));
    }

    fn window(&self, sent: &Sent, found: Option<Generation>) -> Window {
        let pace = sent.pace(self.normal.get().time());
        Window {
            expected_age: sent.expected_age,
            queue: pace.queue,
            device: pace.device,
            expected_generation: sent.expected.generation,
            found_generation: found,
        }
    }

    /// An event about a block, without its proof.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        cause: Cause,
        lba: Lba,
        record: Kind,
        action: Action,
    ) -> Event {
        Event {
            time: self.world.clock.wall(),
            kind,
            cause,
            layer: cause.entry().layer,
            lba: Some(lba),
            record: Some(record),
            window: None,
            by: None,
            by_attempt: None,
            action,
            detail: String::new(),
        }
    }
}

impl Event {
    /// The event with its proof in words.
    pub(crate) fn about(self, detail: String) -> Event {
        Event { detail, ..self }
    }
}

fn lost(found: &Found<'_>, pace: Pace) -> (Cause, Action, String) {
    let by = match found.stamp.writer {
        Writer::Tool => "a tool".to_owned(),
        Writer::Host(owner) => format!("slot {} incarnation {}", owner.slot, owner.incarnation.0),
    };
    if found.purpose == Purpose::OwnSlot && matches!(found.stamp.writer, Writer::Host(_)) {
        return (Cause::Fenced, Action::Stopped, format!("this host's slot was taken over by {by}"));
    }
    let cause = cause_of_loss(pace);
    let action = if found.purpose == Purpose::Race { Action::Lost } else { Action::Retried };
    (cause, action, format!("{by} swapped the block first"))
}
