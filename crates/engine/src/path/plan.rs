//! Plans: from a part of a request and the entry of its cluster to segments, and to what the entry becomes. All of it pure.

use oarlock_format::{ClusterNumber, LeafEntry, Mapped, PieceMask, Touched};

use super::ground::Ground;
use super::segment::{Action, Memory, Segment, push};
use crate::planted::{PlantedBug, planted};

/// What a write puts into its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The request's data; the range of the pass begins at that byte of the request.
    Data,
    /// Zeros.
    Zeros,
}

/// Segments in the making: first those that fill scratch memory, then those that write.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Reads and fills of scratch memory.
    pub(crate) first: Vec<Segment>,
    /// Writes, and copies into scratch memory before them.
    pub(crate) second: Vec<Segment>,
    /// Bytes of scratch memory used so far.
    pub(crate) scratch: u32,
}

/// How far a plan had come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    scratch: u32,
}

impl Plan {
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
        self.scratch = 0;
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        self.first.len() + self.second.len()
    }

    fn take_scratch(&mut self, length: u32) -> u32 {
        let at = self.scratch;
        self.scratch += length;
        at
    }
}

impl Mark {
    /// What a write of that part needs in scratch memory.
    pub(crate) fn scratch_of(ground: &Ground, part: &Touched, entry: &LeafEntry) -> Mark {
        let ragged = part.pieces.without(part.whole).without(own_pieces(entry));
        Mark { scratch: (ragged.len() + copies(entry, part.pieces).len()) * ground.piece() }
    }

    pub(crate) const fn scratch(self) -> u32 {
        self.scratch
    }
}

/// The pieces that the layer's own cluster has: they are written in place.
fn own_pieces(entry: &LeafEntry) -> PieceMask {
    match entry.own {
        Some(own) if entry.owned => own.mask,
        _ => PieceMask::NONE,
    }
}

/// Whether all those pieces are written in place.
pub(crate) fn in_place(entry: &LeafEntry, pieces: PieceMask) -> Option<ClusterNumber> {
    let own = entry.own.filter(|_| pieces.without(own_pieces(entry)).is_empty())?;
    entry.owned.then_some(own.cluster)
}

/// Whether any of those pieces reads something else than zeros by the map's word alone.
pub(crate) fn reads_something(entry: &LeafEntry, pieces: PieceMask) -> bool {
    let mask = |mapped: Option<Mapped>| mapped.map_or(0, |mapped| mapped.mask.0);
    pieces.0 & (mask(entry.own) | mask(entry.below)) != 0
}

/// What an entry that is not owned reads from each of its two clusters, those pieces left out.
fn ancestors(entry: &LeafEntry, without: PieceMask) -> (Option<Mapped>, Option<Mapped>) {
    let rest = |mapped: Option<Mapped>, hidden: PieceMask| {
        let mapped = mapped?;
        let mask = mapped.mask.without(hidden);
        (!mask.is_empty()).then_some(Mapped { mask, ..mapped })
    };
    let own = rest(entry.own, without);
    let hidden = entry.own.map_or(PieceMask::NONE, |own| own.mask);
    (own, rest(entry.below, without.with(hidden)))
}

/// The pieces that have to be copied when those are written to a new own cluster: an entry has room for two clusters, and
/// this one would need three.
pub(crate) fn copies(entry: &LeafEntry, written: PieceMask) -> PieceMask {
    if entry.owned {
        return PieceMask::NONE;
    }
    match ancestors(entry, written) {
        (Some(_), Some(below)) => below.mask,
        _ => PieceMask::NONE,
    }
}

/// The entry after those pieces, the copied ones among them, were written to `target`. `None` where that would need a third
/// cluster, or where another cluster is owned already: the plan was made for another entry.
pub(crate) fn made(entry: &LeafEntry, target: ClusterNumber, written: PieceMask) -> Option<LeafEntry> {
    if let Some(own) = entry.own.filter(|_| entry.owned) {
        let mask = own.mask.with(written);
        let below = entry.below.map(|below| Mapped { mask: below.mask.without(mask), ..below });
        let below = below.filter(|below| !below.mask.is_empty());
        let own = Some(Mapped { cluster: target, mask });
        let below_owned = entry.below_owned && below.is_some();
        return (entry.own.map(|own| own.cluster) == Some(target)).then_some(LeafEntry {
            own,
            owned: true,
            below,
            below_owned,
        });
    }
    let below = match ancestors(entry, written) {
        (Some(_), Some(_)) => return None,
        (own, below) => own.or(below),
    };
    // Below an ancestor's cluster nothing is owned.
    let below_owned = entry.below_owned && below.is_some();
    Some(LeafEntry { own: Some(Mapped { cluster: target, mask: written }), owned: true, below, below_owned })
}

/// The entry after those pieces were taken out: they read as zeros. `keep` says that a cluster of the layer's own stays in
/// hand though nothing is left in it.
pub(crate) fn cleared(entry: &LeafEntry, pieces: PieceMask, keep: bool) -> LeafEntry {
    let out = |mapped: Mapped| Mapped { mask: mapped.mask.without(pieces), ..mapped };
    if planted(PlantedBug::TrimKeepsAncestors) && !entry.owned {
        return *entry;
    }
    let below = entry.below.map(out).filter(|below| !below.mask.is_empty());
    let own = entry.own.map(out);
    let kept = own.filter(|own| !own.mask.is_empty() || (keep && entry.owned));
    let below_owned = entry.below_owned && below.is_some();
    LeafEntry { own: kept, owned: entry.owned && kept.is_some(), below, below_owned }
}

/// The clusters that an entry owned and that its next version does not name.
pub(crate) fn given_up(before: &LeafEntry, after: &LeafEntry) -> impl Iterator<Item = ClusterNumber> + use<> {
    let after = *after;
    before.owned_clusters().filter(move |cluster| after.owned_clusters().all(|kept| kept != *cluster))
}

/// The byte behind a cluster's byte where the piece that it lies in ends.
fn piece_end(ground: &Ground, at: u32) -> u32 {
    let piece = ground.piece();
    (at / piece + 1) * piece
}

/// Reads a part into the request's data, from byte `at` of it on.
pub(crate) fn read(ground: &Ground, part: &Touched, entry: &LeafEntry, at: u64, segments: &mut Vec<Segment>) {
    let into = |start: u32| Memory::Request(at + u64::from(start - part.start));
    let segment = |source: Option<ClusterNumber>, start: u32, length: u32| {
        let action = match source {
            Some(cluster) => {
                Action::Read { from_byte: ground.byte_of(cluster) + u64::from(start), into: into(start) }
            }
            None => Action::ClearMemory { into: into(start) },
        };
        Segment { action, length: u64::from(length) }
    };
    // Most reads are of a cluster that was written as a whole.
    if let Some(own) = entry.own.filter(|own| part.pieces.without(own.mask).is_empty()) {
        return push(segments, segment(Some(own.cluster), part.start, part.length));
    }
    let (piece, end) = (ground.piece(), part.start + part.length);
    let mut start = part.start;
    while start < end {
        let stop = piece_end(ground, start).min(end);
        push(segments, segment(entry.source(start / piece), start, stop - start));
        start = stop;
    }
}

/// Writes a part to `target`, its content from byte `at` of the request on: pieces that are whole, or that the own cluster has,
/// straight from the request; of the others the rest is read from where it reads now, and the whole piece written.
pub(crate) fn write(
    ground: &Ground,
    part: &Touched,
    entry: &LeafEntry,
    (target, content, at): (ClusterNumber, Content, u64),
    plan: &mut Plan,
) {
    let target_byte = ground.byte_of(target);
    let straight = own_pieces(entry).with(part.whole);
    let (piece, end) = (ground.piece(), part.start + part.length);
    let mut start = part.start;
    while start < end {
        let number = start / piece;
        let stop = piece_end(ground, start).min(end);
        let (length, request_byte) = (stop - start, at + u64::from(start - part.start));
        if straight.has(number) {
            let to_byte = target_byte + u64::from(start);
            let action = match content {
                Content::Data => Action::Write { to_byte, from: Memory::Request(request_byte) },
                Content::Zeros => Action::WriteZeroes { to_byte },
            };
            push(&mut plan.second, Segment { action, length: u64::from(length) });
        } else {
            let scratch = fill(ground, entry, number, plan);
            let scratch_byte = scratch + start % piece;
            let action = match content {
                Content::Data => Action::CopyMemory { request_byte, scratch_byte },
                Content::Zeros => Action::ClearMemory { into: Memory::Scratch(scratch_byte) },
            };
            plan.second.push(Segment { action, length: u64::from(length) });
            put(ground, target_byte, number, scratch, plan);
        }
        start = stop;
    }
    for number in copies(entry, part.pieces).iter() {
        let scratch = fill(ground, entry, number, plan);
        put(ground, target_byte, number, scratch, plan);
    }
}

/// Brings a piece as it reads now into scratch memory.
fn fill(ground: &Ground, entry: &LeafEntry, number: u32, plan: &mut Plan) -> u32 {
    let piece = ground.piece();
    let scratch = plan.take_scratch(piece);
    let into = Memory::Scratch(scratch);
    let action = match entry.source(number) {
        Some(source) => Action::Read { from_byte: ground.byte_of(source) + u64::from(number * piece), into },
        None => Action::ClearMemory { into },
    };
    push(&mut plan.first, Segment { action, length: u64::from(piece) });
    scratch
}

/// Writes a piece from scratch memory.
fn put(ground: &Ground, target_byte: u64, number: u32, scratch: u32, plan: &mut Plan) {
    let piece = ground.piece();
    let action =
        Action::Write { to_byte: target_byte + u64::from(number * piece), from: Memory::Scratch(scratch) };
    push(&mut plan.second, Segment { action, length: u64::from(piece) });
}

/// What a guest is told about a part of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was written here.
    Here,
    /// It was written in an ancestor.
    Ancestor,
    /// It reads as zeros, and has a place on the device.
    ZeroKept,
    /// It reads as zeros, and has no place.
    Zero,
}

/// What is to be said about a piece.
pub(crate) fn status(entry: &LeafEntry, piece: u32) -> Status {
    let is_below = |piece| entry.below_owned && entry.below.is_some_and(|below| below.mask.has(piece));
    if own_pieces(entry).has(piece) || is_below(piece) {
        Status::Here
    } else if entry.source(piece).is_some() {
        Status::Ancestor
    } else if entry.owned {
        Status::ZeroKept
    } else {
        Status::Zero
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(cluster: u64, mask: u16) -> Option<Mapped> {
        Some(Mapped { cluster: ClusterNumber(cluster), mask: PieceMask(mask) })
    }

    /// An entry of a layer that wrote four pieces, and absorbed the parent that has the rest.
    const ABSORBED: fn() -> LeafEntry =
        || LeafEntry { own: mapped(1, 0x000F), owned: true, below: mapped(2, 0xFFF0), below_owned: true };

    fn freed(before: &LeafEntry, after: &LeafEntry) -> Vec<u64> {
        given_up(before, after).map(|cluster| cluster.0).collect()
    }

    #[test]
    fn what_was_absorbed_is_given_up_once_nothing_of_it_is_read() {
        let before = ABSORBED();
        let part = made(&before, ClusterNumber(1), PieceMask(0x0FF0)).unwrap();
        assert_eq!((part.below, part.below_owned), (mapped(2, 0xF000), true));
        assert_eq!(freed(&before, &part), []);
        let all = made(&part, ClusterNumber(1), PieceMask(0xF000)).unwrap();
        assert_eq!(all, LeafEntry { own: mapped(1, 0xFFFF), owned: true, ..LeafEntry::default() });
        assert_eq!(freed(&part, &all), [2]);
    }

    #[test]
    fn a_trim_gives_up_each_cluster_that_it_empties() {
        let before = ABSORBED();
        let own_gone = cleared(&before, PieceMask(0x000F), false);
        assert_eq!(
            own_gone,
            LeafEntry { below: mapped(2, 0xFFF0), below_owned: true, ..LeafEntry::default() }
        );
        assert_eq!(freed(&before, &own_gone), [1]);
        let below_gone = cleared(&before, PieceMask(0xFFF0), false);
        assert_eq!((below_gone.below_owned, freed(&before, &below_gone)), (false, vec![2]));
        assert_eq!(freed(&before, &cleared(&before, PieceMask(0xFFFF), false)), [1, 2]);
    }

    #[test]
    fn a_first_own_cluster_above_one_that_was_absorbed_leaves_it_owned() {
        let before = LeafEntry { below: mapped(2, 0xFFF0), below_owned: true, ..LeafEntry::default() };
        let after = made(&before, ClusterNumber(3), PieceMask(0x00F0)).unwrap();
        assert_eq!(
            after,
            LeafEntry { own: mapped(3, 0x00F0), owned: true, below: mapped(2, 0xFF00), below_owned: true }
        );
        assert_eq!(freed(&before, &after), []);
        assert_eq!(copies(&before, PieceMask(0x00F0)), PieceMask::NONE);
    }
}
