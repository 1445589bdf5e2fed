//! Rounds that only look: reads, block status, and reading ahead.

use std::sync::atomic::Ordering;
use std::task::Waker;

use oarlock_format::{LeafEntry, PieceMask, Touched};

use super::{Extent, Operation, Pass, Stage, Step, Waiting, Work};
use crate::path::limits::{
    CLUSTER_SEGMENTS_MAX, EXTENTS_MAX, READ_TRIES_MAX, SEGMENTS_MAX, STATUS_CLUSTERS_MAX, TURN_CLUSTERS_MAX,
};
use crate::path::plan::{self, Status};
use crate::path::segment::Segment;
use crate::path::supply::{Demand, Looked};
use crate::path::{DataPath, Ground};

/// The entry by which a cluster is read; `None` where a page is not in memory.
fn entry_of(path: &DataPath, index: u64) -> Option<LeafEntry> {
    match path.map.look_up(index) {
        Looked::Entry { entry, .. } => Some(entry),
        Looked::NoLeaf { .. } => Some(LeafEntry::default()),
        Looked::Away => None,
    }
}

impl Operation {
    pub(super) fn read_round(&mut self, path: &DataPath, pass: Pass, waker: &Waker) -> Step {
        self.clearings_seen = path.clearings.load(Ordering::SeqCst);
        self.round_start = pass.start;
        let mut segments = std::mem::take(&mut self.segments);
        let (at, away) = self.plan_reads(path, (pass.start, pass.end), &mut segments);
        self.segments = segments;
        if let (Some(index), true) = (away, self.segments.is_empty()) {
            return self.ask(path, Demand::Leaf { index }, waker);
        }
        self.advance(at);
        self.round_end = at;
        self.stage = Stage::Reading;
        self.submit(path)
    }

    /// Plans reads from `start` on, as far as there is room, `end` is not reached and all pages are in memory: up to where, and
    /// which cluster's page is not.
    fn plan_reads(
        &self,
        path: &DataPath,
        (start, end): (u64, u64),
        segments: &mut Vec<Segment>,
    ) -> (u64, Option<u64>) {
        let ground = path.ground();
        let mut at = start;
        for part in ground.shape().touched(start, end - start) {
            if segments.len() + CLUSTER_SEGMENTS_MAX > SEGMENTS_MAX {
                break;
            }
            let Some(entry) = entry_of(path, part.index) else { return (at, Some(part.index)) };
            plan::read(ground, &part, &entry, at - self.request.offset, segments);
            at += u64::from(part.length);
        }
        (at, None)
    }

    /// A round of reads has landed. Pieces that were cleared meanwhile and are written anew, in the same place, may have shown
    /// what no entry exposes yet; a later read would show the old again. So such a round is read once more, unless its
    /// entries are what they were: then all that it saw is published by now.
    pub(super) fn after_reading(&mut self, path: &DataPath) -> Step {
        self.stage = Stage::Round;
        if path.clearings.load(Ordering::SeqCst) == self.clearings_seen || self.tries == READ_TRIES_MAX {
            self.tries = 0;
            return Step::On;
        }
        let mut now = std::mem::take(&mut self.plan.first);
        let (at, _) = self.plan_reads(path, (self.round_start, self.round_end), &mut now);
        let is_same = at == self.round_end && now == self.segments;
        now.clear();
        self.plan.first = now;
        self.tries = if is_same { 0 } else { self.tries + 1 };
        if !is_same {
            self.passes.clear();
            self.passes.push(Pass { work: Work::Read, start: self.round_start, end: self.request.end() });
        }
        Step::On
    }

    pub(super) fn status_round(&mut self, path: &DataPath, pass: Pass, waker: &Waker) -> Step {
        let shape = path.ground().shape();
        let (mut at, mut looks) = (pass.start, STATUS_CLUSTERS_MAX);
        while let Some(part) = shape.touched(at, pass.end - at).next().filter(|_| looks > 0) {
            looks -= 1;
            let is_said = match path.map.look_up(part.index) {
                Looked::Away if self.extents.is_empty() => {
                    return self.ask(path, Demand::Leaf { index: part.index }, waker);
                }
                Looked::Away => false,
                Looked::Entry { entry, .. } => {
                    at += u64::from(part.length);
                    self.describe(path.ground(), &part, &entry)
                }
                // A large disk is mostly nothing, of which one look tells much.
                Looked::NoLeaf { until } => {
                    let stop = until.saturating_mul(shape.cluster_size().0).min(pass.end);
                    self.say(plan::status(&LeafEntry::default(), 0), stop - std::mem::replace(&mut at, stop))
                }
            };
            if !is_said {
                break;
            }
        }
        self.advance(pass.end);
        Step::On
    }

    /// Adds that so many bytes more have that status; `false` where there is no room for more.
    fn say(&mut self, status: Status, length: u64) -> bool {
        let is_crowded = self.extents.len() == EXTENTS_MAX;
        match self.extents.last_mut() {
            Some(last) if last.status == status => last.length += length,
            _ if is_crowded => return false,
            _ => self.extents.push(Extent { length, status }),
        }
        true
    }

    /// Adds what is to be said about a part; `false` where there is no room for more.
    fn describe(&mut self, ground: &Ground, part: &Touched, entry: &LeafEntry) -> bool {
        let (piece, end) = (ground.piece(), part.start + part.length);
        let mut start = part.start;
        while start < end {
            let stop = ((start / piece + 1) * piece).min(end);
            if !self.say(plan::status(entry, start / piece), u64::from(stop - start)) {
                return false;
            }
            start = stop;
        }
        true
    }

    /// Brings the map's pages into memory. The data stays where it is: a guest has a cache of its own.
    pub(super) fn cache_round(&mut self, path: &DataPath, pass: Pass, waker: &Waker) -> Step {
        let mut at = pass.start;
        let parts = path.ground().shape().touched(pass.start, pass.end - pass.start);
        for part in parts.take(TURN_CLUSTERS_MAX) {
            if path.map.look_up(part.index) == Looked::Away {
                self.advance(at);
                return self.ask(path, Demand::Leaf { index: part.index }, waker);
            }
            at += u64::from(part.length);
        }
        self.advance(at);
        self.next_turn(waker)
    }

    /// Lets others have the thread, where anything is left to do.
    pub(super) fn next_turn(&mut self, waker: &Waker) -> Step {
        if self.passes.is_empty() {
            return Step::On;
        }
        waker.wake_by_ref();
        Step::Wait(Waiting::Turn)
    }
}

/// All pieces of a cluster.
pub(super) fn all_pieces(ground: &Ground) -> PieceMask {
    PieceMask::first(ground.shape().pieces())
}

const _: () = assert!(SEGMENTS_MAX >= 2 * CLUSTER_SEGMENTS_MAX, "a round has room for a cluster");
