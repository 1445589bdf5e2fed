//! Claims: which operation works on which pieces of which cluster of the disk, and clusters that are in the making.
//!
//! ```text
//!                  in place   making        clearing       in place: writes pieces that its own cluster has
//!     in place     never      same pieces   same pieces    making:   writes pieces that will be published
//!     making       ...        same pieces   always         clearing: takes pieces out of the entry
//!     clearing     ...        ...           always                   (conflicts, row against column)
//! ```
//!
//! A clearing meets makings of other pieces too: it may give up the cluster that they write to. Reads claim nothing: what an entry
//! names stays readable for as long as anybody may know the entry (see `grace`).
//!
//! Who waits for a claim holds no other, and claims are granted in the order in which they were asked for: so nobody
//! waits in a ring, and nobody is passed for ever.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use oarlock_format::{ClusterNumber, PieceMask};

const SHARDS: usize = 64;

/// What an operation does with the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimKind {
    /// Writes pieces that are mapped and owned.
    InPlace,
    /// Writes pieces that will be mapped.
    Making,
    /// Takes pieces out of the entry.
    Clearing,
}

/// A claim that was asked for. It is released exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) index: u64,
    pub(crate) pieces: PieceMask,
    pub(crate) kind: ClaimKind,
    /// Its place in the order.
    sequence: u64,
}

/// All claims of a disk.
#[derive(Debug)]
pub(crate) struct Claims {
    shards: Box<[Mutex<Shard>]>,
}

/// The claims of the clusters that share a mutex.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    next_sequence: u64,
    claims: Vec<Entry>,
    makings: Vec<Making>,
}

#[derive(Debug)]
struct Entry {
    claim: Claim,
    /// Whoever waits for it; none once it is granted.
    waiting: Option<Waker>,
}

/// A cluster from the reservoir to which operations write, and which no entry may name yet.
#[derive(Debug)]
struct Making {
    index: u64,
    cluster: ClusterNumber,
    makers: usize,
    published: bool,
}

impl Claim {
    fn conflicts(&self, other: &Claim) -> bool {
        use ClaimKind::{Clearing, InPlace, Making};
        let shared = !PieceMask(self.pieces.0 & other.pieces.0).is_empty();
        self.index == other.index
            && match (self.kind, other.kind) {
                (InPlace, InPlace) => false,
                (Clearing, Clearing | Making) | (Making, Clearing) => true,
                (InPlace, Making | Clearing) | (Making, InPlace | Making) | (Clearing, InPlace) => shared,
            }
    }
}

impl Claims {
    pub(crate) fn new() -> Claims {
        Claims { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    /// The claims of a cluster, locked: for a look at its entry, or a change of it, that no other operation may pass.
    pub(crate) fn of(&self, index: u64) -> MutexGuard<'_, Shard> {
        let shard = usize::try_from(index % SHARDS as u64).unwrap_or_default();
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims pieces at once; `None` where somebody else has, or waits for, one that conflicts.
    pub(crate) fn claim(&self, index: u64, pieces: PieceMask, kind: ClaimKind) -> Option<Claim> {
        let mut shard = self.of(index);
        let claim = shard.new_claim(index, pieces, kind);
        let granted = !shard.has_earlier_conflict(&claim);
        if granted {
            shard.claims.push(Entry { claim, waiting: None });
        }
        granted.then_some(claim)
    }

    /// Claims pieces, at once or when it is its turn: ask [`is_granted`](Self::is_granted).
    pub(crate) fn queue(&self, index: u64, pieces: PieceMask, kind: ClaimKind, waker: &Waker) -> Claim {
        let mut shard = self.of(index);
        let claim = shard.new_claim(index, pieces, kind);
        let waiting = shard.has_earlier_conflict(&claim).then(|| waker.clone());
        shard.claims.push(Entry { claim, waiting });
        claim
    }

    /// Whether it is its turn; if not, the waker is woken when it is.
    pub(crate) fn is_granted(&self, claim: &Claim, waker: &Waker) -> bool {
        let mut shard = self.of(claim.index);
        let entry = shard.claims.iter_mut().find(|entry| entry.claim == *claim);
        match entry.and_then(|entry| entry.waiting.as_mut()) {
            None => true,
            Some(waiting) => {
                waiting.clone_from(waker);
                false
            }
        }
    }

    /// The claim of a write that may still land: until it is released nothing is written to its pieces, in place or not
    /// (R21).
    pub(crate) fn harden(&self, claim: &mut Claim) {
        let mut shard = self.of(claim.index);
        let entry = shard.claims.iter_mut().find(|entry| entry.claim == *claim);
        claim.kind = ClaimKind::Making;
        if let Some(entry) = entry {
            entry.claim.kind = ClaimKind::Making;
        }
    }

    /// Ends a claim, granted or not, and wakes whose turn it is.
    pub(crate) fn release(&self, claim: &Claim) {
        let woken = self.of(claim.index).release(claim);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Shard {
    fn new_claim(&mut self, index: u64, pieces: PieceMask, kind: ClaimKind) -> Claim {
        self.next_sequence += 1;
        Claim { index, pieces, kind, sequence: self.next_sequence }
    }

    fn has_earlier_conflict(&self, claim: &Claim) -> bool {
        let earlier = |entry: &Entry| entry.claim.sequence < claim.sequence && entry.claim.conflicts(claim);
        self.claims.iter().any(earlier)
    }

    fn release(&mut self, claim: &Claim) -> Vec<Waker> {
        self.claims.retain(|entry| entry.claim != *claim);
        let mut woken = Vec::new();
        for at in 0..self.claims.len() {
            let waits = self.claims[at].waiting.is_some();
            if waits && !self.has_earlier_conflict(&self.claims[at].claim) {
                woken.extend(self.claims[at].waiting.take());
            }
        }
        woken
    }

    /// The cluster that pieces of a cluster of the disk are written to: that of other makers, or a fresh one. Each
    /// success is ended by [`leave`](Self::leave).
    pub(crate) fn join(
        &mut self,
        index: u64,
        fresh: impl FnOnce() -> Option<ClusterNumber>,
    ) -> Option<ClusterNumber> {
        if let Some(making) = self.makings.iter_mut().find(|making| making.index == index) {
            making.makers += 1;
            return Some(making.cluster);
        }
        let cluster = fresh()?;
        self.makings.push(Making { index, cluster, makers: 1, published: false });
        Some(cluster)
    }

    /// The cluster in the making is mapped now.
    pub(crate) fn published(&mut self, index: u64) {
        if let Some(making) = self.makings.iter_mut().find(|making| making.index == index) {
            making.published = true;
        }
    }

    /// A maker is through. The cluster comes back where he was the last and it was never mapped.
    pub(crate) fn leave(&mut self, index: u64) -> Option<ClusterNumber> {
        let at = self.makings.iter().position(|making| making.index == index)?;
        self.makings[at].makers -= 1;
        if self.makings[at].makers > 0 {
            return None;
        }
        let making = self.makings.swap_remove(at);
        (!making.published).then_some(making.cluster)
    }

    /// The clusters in the making here.
    pub(crate) fn makings(&self) -> impl Iterator<Item = ClusterNumber> + '_ {
        self.makings.iter().filter(|making| !making.published).map(|making| making.cluster)
    }
}

impl Claims {
    /// How many clusters in the making, not mapped yet, meet a condition.
    pub(crate) fn count_makings(&self, condition: impl Fn(ClusterNumber) -> bool) -> usize {
        let in_shard = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.makings().filter(|cluster| condition(*cluster)).count()
        };
        self.shards.iter().map(in_shard).sum()
    }
}
