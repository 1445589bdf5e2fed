//! A cell: one shared record as this host knows it, and the ATS on it with all three answers.
//!
//! ```text
//!                      +-- swapped ------------------------------> Swapped
//!   known --- ATS -----+-- miscompared --+
//!                      |                 +-- read back, judge --+-> Adopted   (an attempt of mine landed)
//!                      +-- unknown ------+                      +-> Lost      (another won)
//!                      |                                        +-> Open      (nothing is known: R1)
//!                      +-- refused (surely not executed) -------+-> Refused
//! ```
//! After each step the cell knows the newest image that it could learn, and the caller decides again from there.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Answer, Instant, Lba, Refusal, UnknownCause};
use oarlock_causes::EventKind;
use oarlock_format::{Generation, Image, Nonce, Record, Stamp, Stamped, Writer};

use crate::attempt::{OpenAttempt, OpenAttempts};
use crate::hindrance::Hindrance;
use crate::planted::{PlantedBug, planted};
use crate::report::{Found, Told};
use crate::store::{Lane, ReadFault, Seen, Store};
use crate::verdict::{Finding, Pace, Version, find};

/// After a false answer the block is read this often while it shows just what was expected, before the device is
/// blamed: one stale read must not put an array under suspicion.
const LOOKS_AT_EQUAL: u32 = 3;

/// A record as this host knows it.
#[derive(Clone, Debug)]
pub(crate) struct Cell<R> {
    pub(crate) lba: Lba,
    image: Image,
    stamp: Stamp,
    pub(crate) record: R,
    learnt: Instant,
    open: OpenAttempts,
    /// The newest attempt of this cell, to be sent again where no further one may be open.
    newest: Option<Rc<Newest<R>>>,
    /// The next image's generation lies above this one, too.
    floor: Generation,
}

/// An attempt with all that it takes to send it again.
#[derive(Clone, Debug)]
struct Newest<R> {
    image: Image,
    written: Stamped<R>,
    expected: Nonce,
    sent: Instant,
}

/// What became of one ATS.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// The block holds the new image; the ATS was sent at this time.
    Swapped { sent: Instant },
    /// The block holds the image of an attempt of this host, this one or an earlier one, sent at this time.
    Adopted { sent: Instant },
    /// The block holds a newer image of somebody else; the cell knows it now.
    Lost,
    /// Nothing is known, for this reason where there was a new one. The attempt is open.
    Open(Option<Hindrance>),
    /// The device surely did not execute it.
    Refused(Refusal),
    /// The lease ran out before it could be sent: nothing was.
    Lapsed,
    /// The block cannot be trusted: damaged, foreign, older than known, or false although equal.
    Distrusted(Distrust),
}

/// Why a block is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// The read-back found no sound record, or an older one.
    Fault(ReadFault),
    /// The device answered false, and direct reads show exactly what was expected.
    FalseThoughEqual,
}

/// Who sends, and by which place in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) writer: Writer,
    pub(crate) lane: Lane,
    pub(crate) purpose: Purpose,
}

/// What a lost race on the block means to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The host's own slot: nobody else writes there but a fencer.
    OwnSlot,
    /// A lock or a step of a takeover that another may win.
    Race,
    /// Something that is tried again from the new image.
    Upkeep,
}

/// One attempt as it was sent and answered: what the events tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) nonce: Nonce,
    pub(crate) expected: Version,
    pub(crate) expected_age: Duration,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) queue: Duration,
}

impl Sent {
    pub(crate) fn pace(&self, normal: Duration) -> Pace {
        let total = self.answered.since(self.sent);
        Pace { queue: self.queue, device: total.saturating_sub(self.queue), normal }
    }
}

impl<R: Record + Clone> Cell<R> {
    /// The cell of a record that was just read.
    pub(crate) fn new(lba: Lba, seen: Seen<R>) -> Cell<R> {
        Cell {
            lba,
            image: seen.image,
            stamp: seen.stamped.stamp,
            record: seen.stamped.record,
            learnt: seen.replied,
            open: OpenAttempts::default(),
            newest: None,
            floor: Generation(0),
        }
    }

    pub(crate) fn version(&self) -> Version {
        Version::of(&self.stamp)
    }

    pub(crate) fn generation(&self) -> Generation {
        self.stamp.generation
    }

    pub(crate) fn writer(&self) -> Writer {
        self.stamp.writer
    }

    /// The next image's generation will lie above this one as well.
    pub(crate) fn raise_generation(&mut self, above: Generation) {
        self.floor = self.floor.max(above);
    }

    /// Whether an attempt on this block is not closed yet (R1).
    pub(crate) fn has_open_attempts(&self) -> bool {
        !self.open.is_empty()
    }

    /// Reads the block again and learns what stands there.
    pub(crate) async fn refresh(&mut self, store: &Store, lane: Lane) -> Result<Seen<R>, ReadFault> {
        let seen = store.read::<R>(lane, self.lba).await?;
        self.learn(seen.clone());
        Ok(seen)
    }

    /// The block showed this image. An image older than the known one teaches nothing.
    pub(crate) fn learn(&mut self, seen: Seen<R>) {
        self.open.shown(seen.version().nonce);
        if seen.version() != self.version() && !seen.version().contradicts(&self.version()) {
            self.learnt = seen.replied;
            self.image = seen.image;
            self.stamp = seen.stamped.stamp;
            self.record = seen.stamped.record;
        }
    }

    /// One ATS from the known image to `record`, given up after one beat, with its answer resolved as far as it can
    /// be. Never waits longer than three beats in all.
    ///
    /// Outside of the lease nothing is sent but beats (I7).
    pub(crate) async fn swap(&mut self, store: &Store, sender: Sender, record: R) -> Swap {
        if !store.may_send(sender.lane) {
            return Swap::Lapsed;
        }
        if self.open.is_full() {
            return self.swap_again(store, sender).await;
        }
        let (image, stamp) = self.next_image(store, sender, &record);
        let sent = store.now();
        self.open.add(OpenAttempt { nonce: stamp.nonce, expected: self.stamp.nonce, sent });
        let written = Stamped { stamp, record };
        let newest = Rc::new(Newest { image, written, expected: self.stamp.nonce, sent });
        self.newest = Some(Rc::clone(&newest));
        let (outcome, facts) = self.send(store, sender.lane, &newest, sent).await;
        match outcome {
            Some(Ok(Answer::Swapped)) => {
                self.swapped(store, &newest, facts);
                Swap::Swapped { sent }
            }
            Some(Err(refusal)) => {
                self.open.refused(stamp.nonce);
                Swap::Refused(refusal)
            }
            other => self.not_swapped(store, sender, other, facts).await,
        }
    }

    /// As many attempts are open as may be, and only a swap closes them: the newest is sent again. Executed twice it does
    /// no harm, for it expects an image that its first execution took away (R1).
    async fn swap_again(&mut self, store: &Store, sender: Sender) -> Swap {
        let known = self.stamp.nonce;
        let mine = |newest: &Rc<Newest<R>>| {
            newest.expected == known && self.open.by_nonce(newest.written.stamp.nonce).is_some()
        };
        let Some(newest) = self.newest.clone().filter(mine) else {
            return self.read_back(store, sender, None).await;
        };
        let (outcome, facts) = self.send(store, sender.lane, &newest, store.now()).await;
        match outcome {
            Some(Ok(Answer::Swapped)) => {
                self.swapped(store, &newest, facts);
                // What it says is as old as its first sending, and a lease counts from there.
                Swap::Adopted { sent: newest.sent }
            }
            // The first sending stays open.
            Some(Err(refusal)) => Swap::Refused(refusal),
            other => self.not_swapped(store, sender, other, facts).await,
        }
    }

    async fn send(
        &self,
        store: &Store,
        lane: Lane,
        newest: &Newest<R>,
        sent: Instant,
    ) -> (Option<Result<Answer, Refusal>>, Sent) {
        let command =
            store.device(lane).compare_and_write(self.lba, self.image.bytes(), newest.image.bytes());
        let attempted = store.world.within(store.timing.beat, command).await;
        let facts = Sent {
            nonce: newest.written.stamp.nonce,
            expected: self.version(),
            expected_age: sent.since(self.learnt),
            sent,
            answered: store.now(),
            queue: attempted.as_ref().map_or(Duration::ZERO, |attempted| attempted.queued_for),
        };
        (attempted.map(|attempted| attempted.outcome), facts)
    }

    /// The attempt was swapped in.
    fn swapped(&mut self, store: &Store, newest: &Newest<R>, facts: Sent) {
        note_normal(store, facts);
        self.written(store, newest.written.clone(), newest.image.clone(), facts.answered);
    }

    /// An answer that says no, or none: the block tells more.
    async fn not_swapped(
        &mut self,
        store: &Store,
        sender: Sender,
        outcome: Option<Result<Answer, Refusal>>,
        facts: Sent,
    ) -> Swap {
        let told = match outcome {
            Some(Ok(Answer::Miscompared { .. })) => Told::False,
            Some(Ok(Answer::Unknown { cause })) => Told::Nothing(cause),
            _ => Told::Nothing(UnknownCause::TimedOut),
        };
        match told {
            Told::False => note_normal(store, facts),
            Told::Nothing(cause) => store.report_unknown(self.lba, R::KIND, &facts, cause),
        }
        self.read_back(store, sender, Some((facts, told))).await
    }

    /// The image that follows the known one.
    fn next_image(&self, store: &Store, sender: Sender, record: &R) -> (Image, Stamp) {
        let reused =
            planted(PlantedBug::ReuseImage).then_some(Nonce(u128::from(self.stamp.generation.0 % 2)));
        let generation = match reused {
            Some(_) => Generation(self.stamp.generation.0 % 2 + 1),
            None => self.stamp.generation.max(self.floor).next(),
        };
        let stamp = Stamp {
            format_id: store.format_id,
            lba: self.lba,
            generation,
            writer: sender.writer,
            nonce: reused.unwrap_or_else(|| Nonce(store.world.random.nonce())),
        };
        let image = oarlock_format::encode(&stamp, record, store.block_size);
        assert_ne!(image.bytes(), self.image.bytes(), "an ATS that changes nothing proves nothing");
        (image, stamp)
    }

    fn written(&mut self, store: &Store, written: Stamped<R>, image: Image, when: Instant) {
        self.stamp = written.stamp;
        self.record = written.record;
        self.image = image;
        self.learnt = when;
        self.open.shown(self.stamp.nonce);
        store.note_version(self.lba, self.version());
    }

    /// Reads the block after a false or missing answer, and judges.
    async fn read_back(&mut self, store: &Store, sender: Sender, facts: Option<(Sent, Told)>) -> Swap {
        let newest = store.newest(self.lba).unwrap_or(self.version());
        let answered_false = facts.is_some_and(|(_, told)| told == Told::False);
        let silence = match facts {
            Some((_, Told::Nothing(why))) => Some(Hindrance::Unanswered(why)),
            Some((_, Told::False)) | None => None,
        };
        let seen = match self.read_past_stale(store, sender.lane, answered_false).await {
            Ok(seen) => seen,
            // Nothing could be read: whatever was answered, the block's content is not known.
            Err(fault @ (ReadFault::Unreadable { .. } | ReadFault::TimedOut { .. })) => {
                return Swap::Open(Some(silence.unwrap_or(Hindrance::Slot(fault))));
            }
            Err(fault) => {
                // A read without an ATS before it looks for what became of the open ones.
                let about = facts.map_or(EventKind::Unknown, |(_, told)| told.kind());
                let sent = facts.as_ref().map(|(sent, _)| sent);
                store.report_distrust::<R>(self.lba, sender.purpose, about, sent, &fault);
                return Swap::Distrusted(Distrust::Fault(fault));
            }
        };
        let finding = find(&Ok(seen.stamped.stamp), self.version(), &self.open, newest);
        if let Some((sent, answer)) = facts
            && (answered_false || finding != Finding::Expected)
        {
            let pace = sent.pace(store.normal.get().time());
            let found =
                Found { finding: &finding, stamp: &seen.stamped.stamp, purpose: sender.purpose, answer };
            store.report_finding(R::KIND, &sent, &found, pace);
        }
        match finding {
            Finding::Own(attempt) => {
                self.learn(seen);
                Swap::Adopted { sent: attempt.sent }
            }
            Finding::Newer => {
                self.learn(seen);
                Swap::Lost
            }
            // R1: the expected image read back resolves nothing; and a device that answers false although equal is
            // not believed when it says that it wrote nothing.
            Finding::Expected if answered_false => Swap::Distrusted(Distrust::FalseThoughEqual),
            Finding::Expected | Finding::Older | Finding::Damaged | Finding::Foreign => Swap::Open(silence),
        }
    }

    /// Reads the block; where the expected image shows after a false answer, looks again: the read may have been stale.
    async fn read_past_stale(
        &self,
        store: &Store,
        lane: Lane,
        answered_false: bool,
    ) -> Result<Seen<R>, ReadFault> {
        let mut seen = store.read::<R>(lane, self.lba).await?;
        let mut looks = 1;
        while answered_false && seen.version() == self.version() && looks < LOOKS_AT_EQUAL {
            store.world.pause(store.world.jitter(store.timing.beat / 64)).await;
            seen = store.read::<R>(lane, self.lba).await?;
            looks += 1;
        }
        Ok(seen)
    }

    /// A mistake of the simulator's: nothing else may forget an attempt that is open.
    pub(crate) fn forget_open_attempts(&mut self) {
        if planted(PlantedBug::CloseUnknownByReading) {
            self.open = OpenAttempts::default();
        }
    }
}

fn note_normal(store: &Store, facts: Sent) {
    let mut normal = store.normal.get();
    normal.note(facts.sent, facts.answered);
    store.normal.set(normal);
}
