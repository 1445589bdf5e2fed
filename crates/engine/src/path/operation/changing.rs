//! Rounds that change entries without any data: trim and write zeroes of whole pieces.

use std::task::Waker;

use oarlock_format::{LeafEntry, PieceMask, Touched};

use super::{Operation, Pass, Step, Waiting};
use crate::path::DataPath;
use crate::path::claims::ClaimKind;
use crate::path::limits::{TURN_CLUSTERS_MAX, UNMAPPED_MAX};
use crate::path::plan;
use crate::path::supply::{Demand, Looked, Publication, Published};

/// What came of clearing one cluster's pieces.
enum Cleared {
    Done,
    /// The engine has to do something first.
    Ask(Demand),
    /// It had done it, and it is undone.
    AskAgain(Demand),
}

impl Operation {
    pub(super) fn clear_round(&mut self, path: &DataPath, pass: Pass, keep: bool, waker: &Waker) -> Step {
        let mut at = pass.start;
        let parts = path.ground().shape().touched(pass.start, pass.end - pass.start);
        for touched in parts.take(TURN_CLUSTERS_MAX) {
            self.advance(at);
            if !self.claim_clearing(path, &touched, waker) {
                return Step::Wait(Waiting::Others);
            }
            match clear(path, &touched, keep) {
                Cleared::Done => {}
                Cleared::Ask(demand) => return self.ask(path, demand, waker),
                Cleared::AskAgain(demand) => return self.ask_again(path, demand, waker),
            }
            self.tries = 0;
            if let Some(claim) = self.claim.take() {
                path.claims.release(&claim);
            }
            at += u64::from(touched.length);
        }
        self.advance(at);
        self.after_clearing(path, waker)
    }

    /// Whether the pieces are claimed; if not, it is queued for them.
    fn claim_clearing(&mut self, path: &DataPath, touched: &Touched, waker: &Waker) -> bool {
        let claim = self.claim.get_or_insert_with(|| {
            path.claims.queue(touched.index, touched.whole, ClaimKind::Clearing, waker)
        });
        path.claims.is_granted(claim, waker)
    }

    /// A turn is over: what it gave up must become free some day, so it counts as begun only now, and waits for a commit where
    /// much is given up that is not durable yet.
    fn after_clearing(&mut self, path: &DataPath, waker: &Waker) -> Step {
        if self.passes.is_empty() {
            return Step::On;
        }
        if let Some(pin) = self.pin.take() {
            path.grace.end(pin);
            self.pin = Some(path.grace.begin());
        }
        if path.waiting_to_be_free() >= UNMAPPED_MAX {
            return self.ask(path, Demand::Commit, waker);
        }
        self.next_turn(waker)
    }
}

/// Takes the whole pieces of a part out of their entry.
fn clear(path: &DataPath, touched: &Touched, keep: bool) -> Cleared {
    let index = touched.index;
    // No maker publishes in between: the cluster that is given up here might be his.
    let _shard = path.claims.of(index);
    let (entry, leaf_is_own) = match path.map.look_up(index) {
        Looked::Entry { entry, leaf_is_own } => (entry, leaf_is_own),
        Looked::NoLeaf { .. } => (LeafEntry::default(), false),
        Looked::Away => return Cleared::Ask(Demand::Leaf { index }),
    };
    let too_many = path.waiting_to_be_free() >= 2 * UNMAPPED_MAX;
    let mut after = plan::cleared(&entry, touched.whole, keep || too_many);
    // Where two ancestors' clusters are still read there is no room for one in hand.
    let wants_cluster = keep && !after.owned && plan::copies(&after, PieceMask::NONE).is_empty();
    if after == entry && !wants_cluster {
        return Cleared::Done;
    }
    if !leaf_is_own {
        return Cleared::Ask(Demand::OwnLeaf { index });
    }
    let mut taken = None;
    if wants_cluster {
        taken = path.take_cluster();
        let Some(with_cluster) = taken.and_then(|taken| plan::made(&after, taken, PieceMask::NONE)) else {
            return Cleared::Ask(Demand::Clusters { wanted: path.wanted() });
        };
        after = with_cluster;
    }
    match path.publish(&Publication { index, before: entry, after, taken }) {
        Published::At(change) => {
            plan::given_up(&entry, &after).for_each(|cluster| path.grace.unmap(cluster, change));
            if after.owned || !entry.owned {
                // Its pieces may be written anew as soon as the claim is released, which readers must know by then.
                path.note_clearing();
            }
            Cleared::Done
        }
        refused @ (Published::NotNow | Published::NoRoom) => {
            taken.into_iter().for_each(|cluster| path.reservoir.give_back(cluster));
            match refused {
                Published::NoRoom => Cleared::Ask(Demand::Room),
                _ => Cleared::AskAgain(Demand::OwnLeaf { index }),
            }
        }
    }
}
