//! Rounds that only look: reads, block status, and reading ahead.

use std::task::Waker;

use oarlock_format::{LeafEntry, PieceMask, Touched};

use super::{Extent, Operation, Pass, Stage, Step, Waiting};
use crate::path::limits::{
    CLUSTER_SEGMENTS_MAX, EXTENTS_MAX, SEGMENTS_MAX, STATUS_CLUSTERS_MAX, TURN_CLUSTERS_MAX,
};
use crate::path::plan;
use crate::path::supply::{Demand, Looked};
use crate::path::{DataPath, Ground};

/// The entry by which a cluster is read; `None` where a page is not in memory.
fn entry_of(path: &DataPath, index: u64) -> Option<LeafEntry> {
    match path.map.look_up(index) {
        Looked::Entry { entry, .. } => Some(entry),
        Looked::NoLeaf => Some(LeafEntry::default()),
        Looked::Away => None,
    }
}

impl Operation {
    pub(super) fn read_round(&mut self, path: &DataPath, pass: Pass, waker: &Waker) -> Step {
        let ground = path.ground();
        let mut at = pass.start;
        for part in ground.shape().touched(pass.start, pass.end - pass.start) {
            if self.segments.len() + CLUSTER_SEGMENTS_MAX > SEGMENTS_MAX {
                break;
            }
            let Some(entry) = entry_of(path, part.index) else {
                if self.segments.is_empty() {
                    return self.ask(path, Demand::Leaf { index: part.index }, waker);
                }
                break;
            };
            plan::read(ground, &part, &entry, at - self.request.offset, &mut self.segments);
            at += u64::from(part.length);
        }
        self.advance(at);
        self.stage = Stage::Reading;
        self.submit(path)
    }

    pub(super) fn status_round(&mut self, path: &DataPath, pass: Pass, waker: &Waker) -> Step {
        let parts = path.ground().shape().touched(pass.start, pass.end - pass.start);
        for part in parts.take(STATUS_CLUSTERS_MAX) {
            let Some(entry) = entry_of(path, part.index) else {
                if self.extents.is_empty() {
                    return self.ask(path, Demand::Leaf { index: part.index }, waker);
                }
                break;
            };
            if !self.describe(path.ground(), &part, &entry) {
                break;
            }
        }
        self.advance(pass.end);
        Step::On
    }

    /// Adds what is to be said about a part; `false` where there is no room for more.
    fn describe(&mut self, ground: &Ground, part: &Touched, entry: &LeafEntry) -> bool {
        let (piece, end) = (ground.piece(), part.start + part.length);
        let mut start = part.start;
        while start < end {
            let stop = ((start / piece + 1) * piece).min(end);
            let (status, length) = (plan::status(entry, start / piece), u64::from(stop - start));
            let is_crowded = self.extents.len() == EXTENTS_MAX;
            match self.extents.last_mut() {
                Some(last) if last.status == status => last.length += length,
                _ if is_crowded => return false,
                _ => self.extents.push(Extent { length, status }),
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
