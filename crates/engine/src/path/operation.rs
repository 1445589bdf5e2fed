//! One request on its way: a state machine that says what to do next and is told what became of it.
//!
//! ```text
//!     Start -> Round --> Fill --> Write --> Publish --+--> Finish -> Ended
//!                ^   reads fill    data      entries  |    a commit or a flush
//!                |   scratch                          |    where it must be durable, or else a note
//!                +------------------------------------+ rest of a long request
//! ```
//!
//! A round is a run of clusters. Reads have no other stages than Round and Read. An operation is driven to its end even where nobody
//! waits for its answer any more; one that is dropped before keeps its claims for ever.

mod changing;
mod reading;
mod writing;

use std::sync::atomic::Ordering;
use std::task::Waker;

use oarlock_block::{Instant, IoError, Refusal};

use super::claims::Claim;
use super::gate::Passage;
use super::grace::Pin;
use super::limits::{BUSY_TRIES_MAX, OPERATIONS_MAX};
use super::plan::{Content, Plan, Status};
use super::request::{PathError, Request, RequestKind};
use super::segment::{Segment, SegmentIndex};
use super::supply::{Demand, Quarantine, Ticket};
use super::{DataPath, Entrance};
use crate::planted::{PlantedBug, planted};
use writing::Part;

/// What an operation needs next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Execute these, now; a driver that cannot asks the [gate](DataPath::passage) again before it does.
    Submit(&'a [Segment]),
    /// Nothing, until a segment is answered or the waker is woken.
    Wait(Waiting),
    /// Nothing may be sent or given out. The waker is woken when it may.
    Hold,
    /// It is over. The driver keeps the memory of segments that are still [out](Operation::segments_out).
    Done(Result<(), PathError>),
}

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Segments that were submitted.
    Segments,
    /// Other operations on the same pieces.
    Others,
    /// The engine.
    Engine(Ticket),
    /// Its next turn, so that its thread gets to others in between: the waker was woken already.
    Turn,
}

/// A run of the disk of one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many bytes, from the end of the extent before.
    pub length: u64,
    /// What they are.
    pub status: Status,
}

/// Where an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Round,
    Reading,
    Fill,
    Write,
    Publish,
    Finish,
    Flushing,
    Committing,
    Ended(Result<(), PathError>),
}

/// What is done over a range of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Read,
    Write(Content),
    /// Whole pieces, by entry; clusters stay in hand where that says so.
    Clear {
        keep: bool,
    },
    Status,
    Cache,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass {
    work: Work,
    start: u64,
    end: u64,
}

/// What became of a segment that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Out,
    Done,
    Again,
}

/// One request on its way. It can be used again for another: its memory is kept.
#[derive(Debug)]
pub struct Operation {
    request: Request,
    stage: Stage,
    pin: Option<Pin>,
    entered: bool,
    /// The passes that are left, the next one last, each from where it is still to be done.
    passes: Vec<Pass>,
    /// The claim of the round's first cluster, while it waits for its turn or for the engine.
    claim: Option<Claim>,
    ticket: Option<Ticket>,
    parts: Vec<Part>,
    /// How many of them are published.
    published: usize,
    plan: Plan,
    segments: Vec<Segment>,
    sent: Vec<Sent>,
    out: usize,
    scratch: u32,
    /// The segments are planned and wait for space on the device below.
    is_ready: bool,
    busy_tries: u8,
    /// Publications in a row that could not be made, or rounds read in a row that did not count.
    tries: u8,
    /// How many clearings there had been when the round of reads was planned, and the range that it reads.
    clearings_seen: u64,
    round_start: u64,
    round_end: u64,
    met_full: bool,
    is_cut_off: bool,
    failed: Option<PathError>,
    unknown: bool,
    /// Where its writes are that may still land.
    quarantine: Option<Quarantine>,
    extents: Vec<Extent>,
}

/// What a step of the machine comes to.
enum Step {
    /// Look at the stage again.
    On,
    Submit,
    Wait(Waiting),
    Hold,
}

impl Operation {
    /// An operation for a request.
    #[must_use]
    pub fn new(request: Request) -> Operation {
        Operation {
            request,
            stage: Stage::Start,
            pin: None,
            entered: false,
            passes: Vec::new(),
            claim: None,
            ticket: None,
            parts: Vec::new(),
            published: 0,
            plan: Plan::default(),
            segments: Vec::new(),
            sent: Vec::new(),
            out: 0,
            scratch: 0,
            is_ready: false,
            busy_tries: 0,
            tries: 0,
            clearings_seen: 0,
            round_start: 0,
            round_end: 0,
            met_full: false,
            is_cut_off: false,
            failed: None,
            unknown: false,
            quarantine: None,
            extents: Vec::new(),
        }
    }

    /// Makes this one, which is done, an operation for another request.
    ///
    /// # Panics
    /// When it is not done, or segments of it are still out: their answers would be taken for another's.
    pub fn reuse(&mut self, request: Request) {
        assert!(
            matches!(self.stage, Stage::Ended(_)) && self.out == 0,
            "an operation is used again too early"
        );
        self.request = request;
        self.stage = Stage::Start;
        self.extents.clear();
        (self.busy_tries, self.tries) = (0, 0);
        (self.is_ready, self.met_full) = (false, false);
        (self.failed, self.unknown, self.quarantine) = (None, false, None);
        self.begin_round();
    }

    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// How much scratch memory the submitted segments use. It is kept from one `Submit` to the next of the operation.
    #[must_use]
    pub const fn scratch_length(&self) -> u32 {
        self.scratch
    }

    /// Segments that were submitted and not answered.
    #[must_use]
    pub const fn segments_out(&self) -> usize {
        self.out
    }

    /// What a block status found, from the request's first byte on. It may cover less than was asked for, and covers something.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// A segment of the last `Submit` that goes to the device was answered. Call [`next`](Self::next) afterwards; after several, once
    /// is enough.
    ///
    /// # Panics
    /// When no answer to that segment is due.
    pub fn answered(&mut self, segment: SegmentIndex, outcome: Result<(), IoError>) {
        assert_eq!(self.sent[segment.0], Sent::Out, "a segment is answered twice");
        self.out -= 1;
        self.sent[segment.0] = Sent::Done;
        let is_read = !self.segments[segment.0].is_write();
        match outcome {
            Ok(()) => {}
            Err(IoError::Refused(Refusal::Busy)) if self.busy_tries < BUSY_TRIES_MAX => {
                self.busy_tries += 1;
                self.sent[segment.0] = Sent::Again;
            }
            Err(IoError::Refused(Refusal::Full)) if !is_read => {
                self.met_full = true;
                self.sent[segment.0] = Sent::Again;
            }
            Err(IoError::Refused(Refusal::CutOff)) => self.is_cut_off = true,
            Err(error) => {
                self.failed = Some(PathError::Io);
                // A read that lands late lands in memory that its driver keeps for it; a write lands on the device.
                self.unknown |= !is_read && error.may_still_land();
            }
        }
    }

    /// What to do next. `now` is taken directly before the call.
    pub fn next(&mut self, path: &DataPath, now: Instant, waker: &Waker) -> Next<'_> {
        match path.gate.passage(now) {
            Passage::Open => {}
            Passage::Held => return self.held(path, now, waker),
            Passage::Dead => self.die(path),
            Passage::Moved => self.turn_away(path),
        }
        loop {
            if let Stage::Ended(result) = self.stage {
                return match path.gate.passage(now) {
                    Passage::Open | Passage::Moved => Next::Done(result),
                    Passage::Held => self.held(path, now, waker),
                    Passage::Dead => Next::Done(Err(PathError::Io)),
                };
            }
            match self.step(path, waker) {
                Step::On => {}
                Step::Submit => return Next::Submit(&self.segments),
                Step::Wait(waiting) => return Next::Wait(waiting),
                Step::Hold => {
                    path.waiters.hold(waker);
                    // Whoever opened the gate before the waker was there woke nobody.
                    if !self.may_go_on(path) {
                        return Next::Hold;
                    }
                }
            }
        }
    }

    fn held(&mut self, path: &DataPath, now: Instant, waker: &Waker) -> Next<'_> {
        path.waiters.hold(waker);
        // Whoever opened the gate before the waker was there woke nobody.
        if path.gate.passage(now) != Passage::Held {
            waker.wake_by_ref();
        }
        Next::Hold
    }

    /// Whether what makes it hold, other than the lease, is over.
    fn may_go_on(&self, path: &DataPath) -> bool {
        match self.stage {
            Stage::Start => !path.paused.load(Ordering::SeqCst),
            _ => !path.gate.is_full(),
        }
    }

    fn step(&mut self, path: &DataPath, waker: &Waker) -> Step {
        if let Some(ticket) = self.ticket {
            let Some(answer) = path.waiters.take(ticket, waker) else {
                return Step::Wait(Waiting::Engine(ticket));
            };
            self.ticket = None;
            if let Err(error) = answer {
                return self.fail(path, error);
            }
        }
        match self.stage {
            Stage::Start => self.start(path),
            Stage::Round => self.round(path, waker),
            Stage::Reading | Stage::Fill | Stage::Write | Stage::Flushing => self.landed(path),
            Stage::Publish => self.publish(path, waker),
            Stage::Finish => self.finish(path, waker),
            Stage::Committing => self.end(path, Ok(())),
            Stage::Ended(_) => Step::On,
        }
    }

    fn start(&mut self, path: &DataPath) -> Step {
        if let Err(error) = self.request.check(path.size(), path.mode.read_only, path.ground.block()) {
            self.stage = Stage::Ended(Err(error));
            return Step::On;
        }
        match path.enter() {
            Entrance::Open => {}
            Entrance::Paused => return Step::Hold,
            Entrance::Crowded => {
                self.stage = Stage::Ended(Err(PathError::Busy { max: OPERATIONS_MAX }));
                return Step::On;
            }
        }
        self.pin = Some(path.grace.begin());
        self.entered = true;
        match passes_of(&self.request, path, &mut self.passes) {
            Ok(()) => self.stage = Stage::Round,
            Err(error) => return self.fail(path, error),
        }
        Step::On
    }

    fn round(&mut self, path: &DataPath, waker: &Waker) -> Step {
        let Some(pass) = self.passes.last().copied() else {
            self.stage = Stage::Finish;
            return Step::On;
        };
        self.begin_round();
        match pass.work {
            Work::Read => self.read_round(path, pass, waker),
            Work::Write(content) => self.write_round(path, pass, content, waker),
            Work::Clear { keep } => self.clear_round(path, pass, keep, waker),
            Work::Status => self.status_round(path, pass, waker),
            Work::Cache => self.cache_round(path, pass, waker),
        }
    }

    fn begin_round(&mut self) {
        self.parts.clear();
        self.published = 0;
        self.plan.clear();
        self.segments.clear();
        self.sent.clear();
        self.scratch = 0;
    }

    /// The present pass is done up to there.
    fn advance(&mut self, to: u64) {
        if let Some(pass) = self.passes.last_mut() {
            pass.start = to;
            if to >= pass.end {
                self.passes.pop();
            }
        }
    }

    /// Waits for the engine.
    fn ask(&mut self, path: &DataPath, demand: Demand, waker: &Waker) -> Step {
        self.ticket = Some(path.ask(demand, waker));
        Step::On
    }

    /// Hands the segments out, unless they write and the device below has no space (R24).
    fn submit(&mut self, path: &DataPath) -> Step {
        self.is_ready = self.segments.iter().any(Segment::is_write) && path.gate.is_full();
        if self.is_ready {
            return Step::Hold;
        }
        let sent = |segment: &Segment| if segment.is_on_device() { Sent::Out } else { Sent::Done };
        self.sent.clear();
        self.sent.extend(self.segments.iter().map(sent));
        self.out = self.sent.iter().filter(|sent| **sent == Sent::Out).count();
        Step::Submit
    }

    /// Segments were submitted: waits for all of them, and goes on.
    fn landed(&mut self, path: &DataPath) -> Step {
        if self.is_ready {
            return self.submit(path);
        }
        if self.is_cut_off {
            path.die();
            self.die(path);
            return Step::On;
        }
        if self.out > 0 {
            return Step::Wait(Waiting::Segments);
        }
        if let Some(error) = self.failed {
            return self.fail(path, error);
        }
        if self.sent.contains(&Sent::Again) {
            return self.send_again(path);
        }
        match self.stage {
            Stage::Fill => {
                self.segments.clear();
                self.segments.append(&mut self.plan.second);
                self.stage = Stage::Write;
                return self.submit(path);
            }
            Stage::Write => self.stage = Stage::Publish,
            Stage::Flushing => return self.end(path, Ok(())),
            Stage::Reading => return self.after_reading(path),
            _ => self.stage = Stage::Round,
        }
        Step::On
    }

    /// Sends what the device was too busy or too full for once more: the same bytes, to the same places.
    fn send_again(&mut self, path: &DataPath) -> Step {
        if std::mem::take(&mut self.met_full) {
            path.gate.set_full(true);
        }
        let mut sent = self.sent.iter();
        self.segments.retain(|_| sent.next() == Some(&Sent::Again));
        self.submit(path)
    }

    fn finish(&mut self, path: &DataPath, waker: &Waker) -> Step {
        if !self.request.kind.is_durable() {
            // What it wrote may stand where another's entry exposes it, so it waits for all of them.
            if !self.request.kind.is_writing() || path.is_noted() || planted(PlantedBug::AnswerBeforeNote) {
                return self.end(path, Ok(()));
            }
            self.stage = Stage::Committing;
            return self.ask(path, Demand::Note, waker);
        }
        if path.is_committed() || planted(PlantedBug::FlushWithoutCommit) {
            self.begin_round();
            self.segments.push(Segment::FLUSH);
            self.stage = Stage::Flushing;
            return self.submit(path);
        }
        self.stage = Stage::Committing;
        self.ask(path, Demand::Commit, waker)
    }

    fn fail(&mut self, path: &DataPath, error: PathError) -> Step {
        self.end(path, Err(error))
    }

    /// Ends it although it still waits, for a device that does not answer or for others who do: it fails, which acknowledges
    /// nothing (R7). What it wrote and has no answer may still land: that goes into [quarantine](Self::quarantine). One that
    /// has ended is left as it is.
    pub fn give_up(&mut self, path: &DataPath) {
        if !matches!(self.stage, Stage::Ended(_)) {
            self.unknown |= self.out > 0 && self.segments.iter().any(Segment::is_write);
            self.end(path, Err(PathError::Io));
        }
    }

    /// Where its writes of unknown outcome are kept. Whoever sees that all of them have ended [closes](DataPath::close) it.
    #[must_use]
    pub const fn quarantine(&self) -> Option<Quarantine> {
        self.quarantine
    }

    /// The disk is lost to this host. What is still out may land: nobody may have its place.
    fn die(&mut self, path: &DataPath) {
        self.give_up(path);
        self.stage = Stage::Ended(Err(PathError::Io));
    }

    /// The disk was handed over: what has not begun never does; what ended before is as it was answered.
    fn turn_away(&mut self, path: &DataPath) {
        match self.stage {
            Stage::Start => self.stage = Stage::Ended(Err(PathError::Moved)),
            Stage::Ended(_) => {}
            _ => self.die(path),
        }
    }

    /// Gives everything back, or into quarantine.
    fn end(&mut self, path: &DataPath, result: Result<(), PathError>) -> Step {
        self.stage = Stage::Ended(result);
        self.passes.clear();
        if let Some(ticket) = self.ticket.take() {
            path.waiters.forget(ticket);
        }
        if let Some(claim) = self.claim.take() {
            path.claims.release(&claim);
        }
        let hands = self.parts.drain(..).skip(std::mem::take(&mut self.published)).map(|part| part.hand);
        match self.pin.take() {
            Some(pin) if self.unknown => self.quarantine = Some(path.quarantine(hands.collect(), pin)),
            pin => {
                hands.for_each(|hand| path.put_down(&hand));
                pin.into_iter().for_each(|pin| path.grace.end(pin));
            }
        }
        if std::mem::take(&mut self.entered) {
            path.leave();
        }
        Step::On
    }
}

/// What has to be done over which ranges for a request; the first one last.
fn passes_of(request: &Request, path: &DataPath, passes: &mut Vec<Pass>) -> Result<(), PathError> {
    let (start, end) = (request.offset, request.end());
    let whole = |work| Pass { work, start, end };
    let piece = path.ground.shape().piece_size().0;
    let (inner_start, inner_end) = (start.next_multiple_of(piece), end / piece * piece);
    let simple = match request.kind {
        RequestKind::Read => Some(Work::Read),
        RequestKind::Write { .. } => Some(Work::Write(Content::Data)),
        RequestKind::BlockStatus => Some(Work::Status),
        RequestKind::Cache => Some(Work::Cache),
        RequestKind::Flush | RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. } => None,
    };
    if let Some(work) = simple {
        passes.push(whole(work));
        return Ok(());
    }
    let keep = match request.kind {
        // A frozen map gives nothing up, and a trim is only an offer.
        RequestKind::Trim { .. } if path.is_frozen() => return Ok(()),
        RequestKind::Trim { .. } => false,
        RequestKind::WriteZeroes { fast: true, .. } if path.is_frozen() || inner_start >= inner_end => {
            return Err(PathError::NotFast);
        }
        RequestKind::WriteZeroes { keep, .. } => keep,
        _ => return Ok(()),
    };
    let zeros = Work::Write(Content::Zeros);
    if path.is_frozen() || inner_start >= inner_end {
        passes.push(whole(zeros));
        return Ok(());
    }
    let keep = keep || path.mode.thick;
    let all = [
        Pass { work: zeros, start: inner_end, end },
        Pass { work: zeros, start, end: inner_start },
        Pass { work: Work::Clear { keep }, start: inner_start, end: inner_end },
    ];
    passes.extend(all.into_iter().filter(|pass| pass.start < pass.end));
    Ok(())
}
