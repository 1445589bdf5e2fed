//! Pieces: the sixteenths of a cluster that a map tells apart, and which of them a range of bytes touches.

use oarlock_block::ByteCount;

use crate::map_shape::MapShape;

/// Pieces of a cluster, at most: the bits of a mask.
pub const PIECES_MAX: u32 = 16;

/// Some of a cluster's pieces: bit k is piece k.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceMask(pub u16);

impl PieceMask {
    /// No pieces.
    pub const NONE: PieceMask = PieceMask(0);

    /// The first `count` pieces; all of them from 16 on.
    #[must_use]
    pub const fn first(count: u32) -> PieceMask {
        if count >= PIECES_MAX { PieceMask(u16::MAX) } else { PieceMask((1 << count) - 1) }
    }

    /// Whether a piece is among them.
    #[must_use]
    pub const fn has(self, piece: u32) -> bool {
        piece < PIECES_MAX && self.0 >> piece & 1 == 1
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: PieceMask) -> PieceMask {
        PieceMask(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: PieceMask) -> PieceMask {
        PieceMask(self.0 & !other.0)
    }

    /// The pieces, ascending.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..PIECES_MAX).filter(move |piece| self.has(*piece))
    }
}

impl std::fmt::Debug for PieceMask {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:#018b}", self.0)
    }
}

/// The part of a range of a disk's bytes that lies in one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which cluster of the disk: its first byte divided by the cluster size.
    pub index: u64,
    /// Where in the cluster the part begins, in bytes.
    pub start: u32,
    /// Its length in bytes; never 0.
    pub length: u32,
    /// The pieces that it touches.
    pub pieces: PieceMask,
    /// The pieces that it covers from end to end.
    pub whole: PieceMask,
}

impl MapShape {
    /// The range of `length` bytes from `offset` on, cluster by cluster, ascending.
    pub fn touched(&self, offset: u64, length: u64) -> impl Iterator<Item = Touched> + use<> {
        let shape = *self;
        let end = offset.saturating_add(length);
        let mut next = offset;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let cluster = shape.cluster_size().0;
            let start = next % cluster;
            let taken = (cluster - start).min(end - next);
            let touched = shape.part(next / cluster, start, taken);
            next = next.saturating_add(taken);
            Some(touched)
        })
    }

    fn part(&self, index: u64, start: u64, length: u64) -> Touched {
        let ByteCount(piece) = self.piece_size();
        let below = |piece: u64| PieceMask::first(u32::try_from(piece).unwrap_or(PIECES_MAX));
        let end = start + length;
        let (first_whole, end_whole) = (start.div_ceil(piece), end / piece);
        Touched {
            index,
            start: low_half(start),
            length: low_half(length),
            pieces: below(end.div_ceil(piece)).without(below(start / piece)),
            whole: below(end_whole).without(below(first_whole)),
        }
    }
}

/// A number within a cluster, which has 2^20 bytes at most.
fn low_half(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
