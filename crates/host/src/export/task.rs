//! One request of a client on its way: its operation, its memory, and the segments that are still to be sent.

use std::collections::VecDeque;
use std::time;

use oarlock_block::{Instant, IoError};
use oarlock_device::{DataBuffer, DataRingError};
use oarlock_engine::path::{
    Action, DataPath, Next, Operation, Passage, PathError, Segment, SegmentIndex, Waiting,
};
use oarlock_nbd::{Command, CommandFlags, Request};

use super::bell::Woken;
use super::carrier::{Carried, Carrier, Rest, Room};
use super::translate;

/// A request that was let in, with a write's data.
pub(crate) struct Begun {
    pub(crate) request: Request,
    pub(crate) data: Option<DataBuffer>,
    pub(crate) held_bytes: usize,
}

/// A place for a request. It is used again and again.
pub(crate) struct Task {
    pub(crate) request: Request,
    /// Whose it is; `None` once its client is gone.
    pub(crate) connection: Option<usize>,
    pub(crate) sequence: u64,
    pub(crate) held_bytes: usize,
    pub(crate) state: State,
    /// Whether a read found nothing but zeros.
    pub(crate) is_hole: bool,
    pub(crate) room: Room,
    pub(crate) operation: Operation,
    woken: Woken,
    unsent: VecDeque<(SegmentIndex, Segment)>,
    parts: Vec<Rest>,
    in_flight: usize,
    may_have_holes: bool,
    /// It waits for the device, or for requests that do; not for the engine, nor for the gate to open.
    waits_for_device: bool,
    /// Something of it was sent or answered since it was last looked at, and when that was.
    has_moved: bool,
    still_since: Option<time::Instant>,
    /// Some command of it was answered, and may land in spite of that.
    is_unclear: bool,
}

/// What a place is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    Free,
    /// A request.
    Active,
    /// Commands of a request that ended before they did: it was given up, or the disk is lost.
    Leaving,
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for answers, or to be woken.
    Waits,
    /// It wants memory or places of the ring, which others have, or a gate that is open.
    Wants,
    /// It ended.
    Ended(Result<(), PathError>),
}

impl Task {
    pub(crate) fn new(woken: Woken) -> Task {
        let request = Request {
            command: Command::FLUSH,
            flags: CommandFlags::NONE,
            cookie: oarlock_nbd::Cookie(0),
            offset: 0,
            length: 0,
        };
        Task {
            request,
            connection: None,
            sequence: 0,
            held_bytes: 0,
            state: State::Free,
            is_hole: false,
            room: Room::default(),
            operation: Operation::new(oarlock_engine::path::Request::FLUSH),
            woken,
            unsent: VecDeque::new(),
            parts: Vec::new(),
            in_flight: 0,
            may_have_holes: false,
            waits_for_device: false,
            has_moved: false,
            still_since: None,
            is_unclear: false,
        }
    }

    /// A request begins here. `structured`: its client understands holes.
    pub(crate) fn begin(&mut self, begun: Begun, (connection, sequence): (usize, u64), structured: bool) {
        let Begun { request, data, held_bytes } = begun;
        let asked = translate::request(&request);
        // One that was never begun, or that ended with segments out, cannot be used again.
        if self.state == State::Free && self.sequence > 0 && self.operation.segments_out() == 0 {
            self.operation.reuse(asked);
        } else {
            self.operation = Operation::new(asked);
        }
        self.may_have_holes =
            structured && request.command == Command::READ && !request.flags.has(CommandFlags::DF);
        self.request = request;
        self.connection = Some(connection);
        self.sequence = sequence;
        self.held_bytes = held_bytes;
        self.state = State::Active;
        self.is_hole = false;
        self.room = Room { data, scratch: None };
        (self.waits_for_device, self.has_moved) = (false, true);
        (self.still_since, self.is_unclear) = (None, false);
    }

    /// For how long it has waited for a device that answers nothing of it, as of now; asked once a tick. Where `is_open` is false the
    /// device is not what it waits for.
    pub(crate) fn stands_still(&mut self, now: time::Instant, is_open: bool) -> time::Duration {
        let waits = self.state == State::Active && self.waits_for_device && is_open;
        if std::mem::take(&mut self.has_moved) || !waits {
            self.still_since = None;
        }
        let since = *self.still_since.get_or_insert(now);
        now.duration_since(since)
    }

    /// The device, or who waits for it, kept it waiting for too long: it fails, and what is out is nobody's but the kernel's (R7, R21).
    pub(crate) fn give_up(&mut self, path: &DataPath) {
        self.unsent.clear();
        self.operation.give_up(path);
    }

    /// Whether commands of it are out that keep its place on the disk from everybody.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.state == State::Leaving && self.operation.quarantine().is_some()
    }

    /// Whether calling [`drive`](Self::drive) can be of use.
    pub(crate) fn is_due(&self) -> bool {
        self.state == State::Active && (self.in_flight == 0 || !self.unsent.is_empty())
    }

    /// Goes as far as it can. `now` is asked directly before it counts.
    pub(crate) fn drive(
        &mut self,
        place: usize,
        path: &DataPath,
        now: &impl Fn() -> Instant,
        carrier: &mut Carrier,
    ) -> Result<Progress, DataRingError> {
        self.woken.looked();
        loop {
            if !self.unsent.is_empty() {
                match path.passage(now()) {
                    Passage::Open if self.send(place, carrier)? => {
                        if self.in_flight > 0 {
                            return Ok(Progress::Waits);
                        }
                    }
                    Passage::Open | Passage::Held => {
                        self.waits_for_device = true;
                        return Ok(Progress::Wants);
                    }
                    // Of a disk that was handed over nothing is under way.
                    Passage::Dead | Passage::Moved => self.unsent.clear(),
                }
            }
            match self.operation.next(path, now(), self.woken.waker()) {
                Next::Submit(segments) => {
                    let numbered = segments.iter().enumerate();
                    self.unsent.extend(numbered.map(|(number, segment)| (SegmentIndex(number), *segment)));
                    self.is_hole = self.may_have_holes && is_hole(&self.request, segments);
                    if self.is_hole {
                        self.unsent.clear();
                        continue;
                    }
                    (self.waits_for_device, self.has_moved) = (true, true);
                    if !self.send(place, carrier)? {
                        return Ok(Progress::Wants);
                    }
                    if self.in_flight > 0 {
                        return Ok(Progress::Waits);
                    }
                }
                next @ (Next::Wait(_) | Next::Hold) => {
                    self.waits_for_device = matches!(next, Next::Wait(Waiting::Segments | Waiting::Others));
                    // Who waits for others must not have what they wait for.
                    if self.operation.scratch_length() == 0 {
                        carrier.take_scratch(&mut self.room);
                    }
                    return Ok(Progress::Waits);
                }
                Next::Done(result) => {
                    carrier.take_scratch(&mut self.room);
                    return Ok(self.end(result));
                }
            }
        }
    }

    fn end(&mut self, result: Result<(), PathError>) -> Progress {
        self.unsent.clear();
        self.state = if self.in_flight == 0 { State::Free } else { State::Leaving };
        Progress::Ended(result)
    }

    /// Sends what was not sent; `false` where memory or places are wanting.
    fn send(&mut self, place: usize, carrier: &mut Carrier) -> Result<bool, DataRingError> {
        if !self.make_room(carrier) {
            return Ok(false);
        }
        let Task { unsent, room, .. } = self;
        unsent.retain(|(_, segment)| {
            let stays = segment.is_on_device();
            if !stays {
                room.step(segment);
            }
            stays
        });
        while let Some((index, segment)) = self.unsent.front().copied() {
            if !carrier.has_place() {
                return Ok(false);
            }
            let carried = carrier.send(place, index, &segment, &mut self.room)?;
            self.unsent.pop_front();
            match carried {
                Carried::Out => self.in_flight += 1,
                Carried::Part(rest) => {
                    self.in_flight += 1;
                    self.parts.push(rest);
                }
                Carried::Refused(refusal) => self.operation.answered(index, Err(IoError::Refused(refusal))),
            }
        }
        Ok(true)
    }

    /// Takes the memory that its segments mean.
    fn make_room(&mut self, carrier: &mut Carrier) -> bool {
        if !carrier.lend_scratch(&mut self.room, self.operation.scratch_length() as usize) {
            return false;
        }
        if self.request.command == Command::READ && self.room.data.is_none() {
            self.room.data = carrier.ring.buffer(self.request.length as usize).ok();
            return self.room.data.is_some();
        }
        true
    }

    /// The place was left by the last command of a request that was given up: what its writes may have touched can be used again,
    /// unless one of them said that it may still land.
    pub(crate) fn close(&self, path: &DataPath) {
        if let Some(quarantine) = self.operation.quarantine().filter(|_| !self.is_unclear) {
            path.close(quarantine);
        }
    }

    /// A command of it was answered. `true` where it should be driven.
    pub(crate) fn answered(
        &mut self,
        segment: SegmentIndex,
        outcome: Result<(), IoError>,
        carrier: &mut Carrier,
    ) -> bool {
        self.in_flight -= 1;
        self.has_moved = true;
        let part = self.parts.iter().position(|part| part.segment() == segment);
        let rest = part.and_then(|part| carrier.rest(&self.parts.swap_remove(part), &outcome));
        self.is_unclear |= outcome.as_ref().is_err_and(IoError::may_still_land);
        if self.state == State::Leaving {
            if self.in_flight == 0 {
                self.state = State::Free;
            }
            return false;
        }
        match rest {
            Some(rest) => self.unsent.push_back((segment, rest)),
            None => self.operation.answered(segment, outcome),
        }
        self.is_due()
    }
}

/// Whether these segments give a read nothing but zeros.
fn is_hole(request: &Request, segments: &[Segment]) -> bool {
    matches!(segments, [Segment { action: Action::ClearMemory { .. }, length }] if *length == u64::from(request.length))
}
