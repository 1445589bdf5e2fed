//! Rounds that write data: claims, a cluster for what is not mapped yet, segments, and at last the entries.

use std::task::Waker;

use oarlock_format::{ClusterNumber, LeafEntry, PieceMask, Touched};

use super::reading::all_pieces;
use super::{Operation, Pass, Stage, Step, Waiting};
use crate::path::claims::{Claim, ClaimKind};
use crate::path::limits::{
    CLAIM_TRIES_MAX, CLUSTER_SEGMENTS_MAX, PUBLISH_TRIES_MAX, ROUND_CLUSTERS_MAX, SCRATCH_MAX, SEGMENTS_MAX,
};
use crate::path::plan::{self, Content, Mark};
use crate::path::request::PathError;
use crate::path::segment::Segment;
use crate::path::supply::{Demand, Looked, Publication, Published};
use crate::path::{DataPath, Hand};

/// A cluster of the disk in a round that writes.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) hand: Hand,
    /// The cluster that is written to.
    target: ClusterNumber,
    /// The pieces that are mapped afterwards; none where the write is in place.
    made: PieceMask,
}

/// What came of asking for a part.
enum Took {
    Part(Part, LeafEntry),
    /// Zeros are to be written where zeros are read.
    Nothing,
    /// Not in this round: it would have to wait while it holds others up.
    Later,
    Wait(Waiting),
    Ask(Demand),
    Failed(PathError),
}

/// What has to be done about a part, seen under its claim.
enum Seen {
    Part(Part, LeafEntry),
    Nothing,
    /// Another claim is needed: one for making these pieces.
    Claim(PieceMask),
    Ask(Demand),
    NotFull,
}

impl Operation {
    pub(super) fn write_round(
        &mut self,
        path: &DataPath,
        pass: Pass,
        content: Content,
        waker: &Waker,
    ) -> Step {
        let ground = path.ground();
        let mut at = pass.start;
        for touched in ground.shape().touched(pass.start, pass.end - pass.start) {
            let crowded = self.plan.segments() + CLUSTER_SEGMENTS_MAX > SEGMENTS_MAX;
            if crowded || self.parts.len() == ROUND_CLUSTERS_MAX {
                break;
            }
            match self.take_part(path, &touched, content, waker) {
                Took::Part(part, entry) => {
                    if !self.add(path, &touched, (part, &entry), (content, at)) {
                        break;
                    }
                }
                Took::Nothing => {}
                Took::Later => break,
                Took::Wait(waiting) => {
                    self.advance(at);
                    return Step::Wait(waiting);
                }
                Took::Ask(demand) => {
                    self.advance(at);
                    return self.ask(path, demand, waker);
                }
                Took::Failed(error) => return self.fail(path, error),
            }
            at += u64::from(touched.length);
        }
        self.advance(at);
        if self.parts.is_empty() {
            return Step::On;
        }
        self.begin_writing(path)
    }

    /// Adds a part to the round; `false` where there is no scratch memory left for it.
    fn add(
        &mut self,
        path: &DataPath,
        touched: &Touched,
        (part, entry): (Part, &LeafEntry),
        (content, at): (Content, u64),
    ) -> bool {
        let needed = Mark::scratch_of(path.ground(), touched, entry).scratch();
        if self.plan.scratch + needed > SCRATCH_MAX && !self.parts.is_empty() {
            path.put_down(&part.hand);
            return false;
        }
        let request_byte = at - self.request.offset;
        plan::write(path.ground(), touched, entry, (part.target, content, request_byte), &mut self.plan);
        self.parts.push(part);
        true
    }

    fn begin_writing(&mut self, path: &DataPath) -> Step {
        self.scratch = self.plan.scratch;
        self.segments.append(&mut self.plan.first);
        self.stage = Stage::Fill;
        if !self.segments.iter().any(Segment::is_on_device) {
            self.segments.append(&mut self.plan.second);
            self.stage = Stage::Write;
        }
        self.submit(path)
    }

    /// Claims a part and finds out where its data goes.
    fn take_part(&mut self, path: &DataPath, touched: &Touched, content: Content, waker: &Waker) -> Took {
        let mut claim = match self.claim.take() {
            Some(claim) if path.claims.is_granted(&claim, waker) => claim,
            Some(claim) => {
                self.claim = Some(claim);
                return Took::Wait(Waiting::Others);
            }
            None => match self.claim(path, (touched.index, touched.pieces), ClaimKind::InPlace, waker) {
                Ok(claim) => claim,
                Err(took) => return took,
            },
        };
        for _ in 0..CLAIM_TRIES_MAX {
            match see(path, touched, content, &claim) {
                Seen::Part(part, entry) => return Took::Part(part, entry),
                Seen::Claim(pieces) => {
                    path.claims.release(&claim);
                    claim = match self.claim(path, (touched.index, pieces), ClaimKind::Making, waker) {
                        Ok(claim) => claim,
                        Err(took) => return took,
                    };
                }
                Seen::Ask(demand) if self.parts.is_empty() => {
                    self.claim = Some(claim);
                    return Took::Ask(demand);
                }
                Seen::Ask(_) => {
                    path.claims.release(&claim);
                    return Took::Later;
                }
                Seen::Nothing => {
                    path.claims.release(&claim);
                    return Took::Nothing;
                }
                Seen::NotFull => {
                    path.claims.release(&claim);
                    let offset = touched.index * path.ground().shape().cluster_size().0;
                    return Took::Failed(PathError::NotFull { offset });
                }
            }
        }
        path.claims.release(&claim);
        waker.wake_by_ref();
        if self.parts.is_empty() { Took::Wait(Waiting::Turn) } else { Took::Later }
    }

    /// Claims pieces. Only who holds nothing waits for it.
    fn claim(
        &mut self,
        path: &DataPath,
        (index, pieces): (u64, PieceMask),
        kind: ClaimKind,
        waker: &Waker,
    ) -> Result<Claim, Took> {
        if !self.parts.is_empty() {
            return path.claims.claim(index, pieces, kind).ok_or(Took::Later);
        }
        let claim = path.claims.queue(index, pieces, kind, waker);
        if path.claims.is_granted(&claim, waker) {
            return Ok(claim);
        }
        self.claim = Some(claim);
        Err(Took::Wait(Waiting::Others))
    }

    /// All data of the round was answered: the entries are changed, one after the other.
    pub(super) fn publish(&mut self, path: &DataPath, waker: &Waker) -> Step {
        while let Some(part) = self.parts.get(self.published) {
            let published = if part.made.is_empty() { None } else { Some(publish(path, part)) };
            match published {
                Some(Published::NotNow) => {
                    let index = part.hand.claim.index;
                    return self.ask_again(path, Demand::OwnLeaf { index }, waker);
                }
                // Each refusal is another's commit: whoever asks often enough gets in, so these are not counted.
                Some(Published::NoRoom) => return self.ask(path, Demand::Room, waker),
                Some(Published::At(_)) | None => {}
            }
            path.put_down(&part.hand);
            self.published += 1;
            self.tries = 0;
        }
        self.stage = Stage::Round;
        Step::On
    }

    /// Asks for what should be in place already; not for ever.
    pub(super) fn ask_again(&mut self, path: &DataPath, demand: Demand, waker: &Waker) -> Step {
        self.tries += 1;
        if self.tries > PUBLISH_TRIES_MAX {
            return self.fail(path, PathError::Io);
        }
        self.ask(path, demand, waker)
    }
}

/// Looks at the entry under the claim. Whoever makes pieces looks under the mutex of the cluster's claims, so that of two
/// makers who find nothing mapped the second joins the first.
fn see(path: &DataPath, touched: &Touched, content: Content, claim: &Claim) -> Seen {
    let index = touched.index;
    let is_making = claim.kind == ClaimKind::Making;
    let mut shard = is_making.then(|| path.claims.of(index));
    let (entry, leaf_is_own) = match path.map.look_up(index) {
        Looked::Entry { entry, leaf_is_own } => (entry, leaf_is_own),
        Looked::NoLeaf { .. } => (LeafEntry::default(), false),
        Looked::Away => return Seen::Ask(Demand::Leaf { index }),
    };
    if content == Content::Zeros && !plan::reads_something(&entry, touched.pieces) {
        return Seen::Nothing;
    }
    if let Some(target) = plan::in_place(&entry, touched.pieces) {
        let hand = Hand { claim: *claim, is_maker: false };
        return Seen::Part(Part { hand, target, made: PieceMask::NONE }, entry);
    }
    if path.mode.shared {
        return Seen::NotFull;
    }
    let copies = plan::copies(&entry, touched.pieces);
    // Who has to copy makes the whole cluster alone: nobody may publish it without the copies.
    let needed = if copies.is_empty() { touched.pieces } else { all_pieces(path.ground()) };
    let Some(shard) = shard.as_mut().filter(|_| needed.without(claim.pieces).is_empty()) else {
        return Seen::Claim(needed);
    };
    if !leaf_is_own {
        return Seen::Ask(Demand::OwnLeaf { index });
    }
    let own = entry.own.filter(|_| entry.owned).map(|own| own.cluster);
    let Some(target) = own.or_else(|| shard.join(index, || path.take_cluster())) else {
        return Seen::Ask(Demand::Clusters { wanted: path.wanted() });
    };
    let hand = Hand { claim: *claim, is_maker: own.is_none() };
    Seen::Part(Part { hand, target, made: touched.pieces.with(copies) }, entry)
}

/// Maps the pieces that were made, and takes their cluster where it is not mapped yet: both at once.
fn publish(path: &DataPath, part: &Part) -> Published {
    let index = part.hand.claim.index;
    let mut shard = path.claims.of(index);
    let Looked::Entry { entry, leaf_is_own: true } = path.map.look_up(index) else {
        return Published::NotNow;
    };
    let Some(after) = plan::made(&entry, part.target, part.made) else { return Published::NotNow };
    let taken = (!entry.owned).then_some(part.target);
    let published = path.publish(&Publication { index, before: entry, after, taken });
    if let Published::At(change) = published {
        shard.published(index);
        // What was absorbed and is written over as a whole.
        plan::given_up(&entry, &after).for_each(|cluster| path.grace.unmap(cluster, change));
    }
    published
}
