//! The bitmap of a group: which of its clusters are taken. Bit n is bit n % 8 of byte n / 8; 1 is taken.

use oarlock_block::first_not_zero;

use crate::error::DecodeError;
use crate::ids::Epoch;
use crate::numbers::{ClusterIndex, JournalSequence};
use crate::page::{self, PAGE_HEADER_LENGTH, PageBytes, PageHeader};
use crate::record::Place;
use crate::space::GROUP_CLUSTERS;
use crate::stamp::Kind;

/// Bytes of the bits.
pub(crate) const BITS_LENGTH: usize = GROUP_CLUSTERS as usize / 8;

const BITS: std::ops::Range<usize> = PAGE_HEADER_LENGTH..PAGE_HEADER_LENGTH + BITS_LENGTH;

const WORD: u32 = u64::BITS;

/// A run of clusters of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterRun {
    /// Its first.
    pub first: ClusterIndex,
    /// How many; never 0.
    pub count: u16,
}

/// The page of a group's bitmap. How many of its bits count says the group's record; those beyond are 0.
#[derive(Clone, PartialEq, Eq)]
pub struct BitmapPage {
    header: PageHeader,
    /// The bits at their place; the header's bytes are put right by [`seal`](Self::seal).
    bytes: Box<PageBytes>,
}

impl BitmapPage {
    /// The bitmap of a group of which nothing is taken but the head.
    #[must_use]
    pub fn fresh(header: PageHeader, head: u32) -> BitmapPage {
        let mut page = BitmapPage { header, bytes: header.blank(Kind::BitmapPage) };
        page.mark(
            ClusterRun { first: ClusterIndex(0), count: u16::try_from(head).unwrap_or(u16::MAX) },
            true,
        );
        page
    }

    /// The page in bytes that were read at `place`.
    ///
    /// # Errors
    /// The first doubt that the page does not stand.
    pub fn decode(bytes: &[u8], place: &Place) -> Result<BitmapPage, DecodeError> {
        let (header, bytes) = page::decode_page(bytes, Kind::BitmapPage, place)?;
        if header.level != 0 {
            return Err(page::at::LEVEL.error("a level, of a bitmap"));
        }
        if let Some(offset) = first_not_zero(&bytes[BITS.end..]) {
            return Err(DecodeError::ReservedNotZero { offset: BITS.end + offset });
        }
        Ok(BitmapPage { header, bytes })
    }

    /// What the page says about itself; its object is the group's number.
    #[must_use]
    pub const fn header(&self) -> &PageHeader {
        &self.header
    }

    /// Whether a cluster is taken; every cluster beyond the largest group is.
    #[must_use]
    pub fn is_taken(&self, cluster: ClusterIndex) -> bool {
        let byte = self.bytes[BITS].get(usize::from(cluster.0 / 8));
        byte.is_none_or(|byte| byte >> (cluster.0 % 8) & 1 == 1)
    }

    /// Marks clusters as taken or free.
    ///
    /// # Panics
    /// When the run reaches beyond the largest group.
    pub fn mark(&mut self, run: ClusterRun, taken: bool) {
        let end = u32::from(run.first.0) + u32::from(run.count);
        assert!(end <= GROUP_CLUSTERS, "clusters beyond the largest group are marked");
        let bits = &mut self.bytes[BITS];
        for cluster in u32::from(run.first.0)..end {
            let byte = &mut bits[cluster as usize / 8];
            let bit = 1 << (cluster % 8);
            *byte = if taken { *byte | bit } else { *byte & !bit };
        }
    }

    /// How many of the first `clusters` clusters are free.
    #[must_use]
    pub fn free(&self, clusters: u32) -> u32 {
        let clusters = clusters.min(GROUP_CLUSTERS);
        let words = 0..clusters.div_ceil(WORD);
        let taken: u32 = words
            .map(|index| {
                let counted = (clusters - index * WORD).min(WORD);
                let mask = u64::MAX.checked_shr(WORD - counted).unwrap_or(0);
                (self.word(index) & mask).count_ones()
            })
            .sum();
        clusters - taken
    }

    /// Free clusters among the first `clusters`: from `from` on, and then from the front, the first run of `wanted` of them,
    /// or the longest run where none has so many. `None` where all are taken.
    #[must_use]
    pub fn free_run(&self, from: ClusterIndex, clusters: u32, wanted: u16) -> Option<ClusterRun> {
        let clusters = clusters.min(GROUP_CLUSTERS);
        let from = u32::from(from.0).min(clusters);
        let mut longest: Option<ClusterRun> = None;
        for (start, end) in [(from, clusters), (0, from)] {
            let mut next = start;
            while next < end {
                let first = self.next(next, end, false);
                next = self.next(first, end, true);
                let Some(run) = run_of(first, next, wanted) else { break };
                if run.count >= wanted {
                    return Some(run);
                }
                if longest.is_none_or(|longest| longest.count < run.count) {
                    longest = Some(run);
                }
            }
        }
        longest
    }

    /// Whether no cluster from `clusters` on is taken.
    #[must_use]
    pub fn is_free_beyond(&self, clusters: u32) -> bool {
        self.next(clusters.min(GROUP_CLUSTERS), GROUP_CLUSTERS, true) == GROUP_CLUSTERS
    }

    /// The first cluster from `from` on that is taken, or free; `end` where there is none before it.
    fn next(&self, from: u32, end: u32, taken: bool) -> u32 {
        let mut at = from;
        while at < end {
            let word = if taken { self.word(at / WORD) } else { !self.word(at / WORD) };
            let rest = word >> (at % WORD);
            if rest != 0 {
                return (at + rest.trailing_zeros()).min(end);
            }
            at = (at / WORD + 1) * WORD;
        }
        end
    }

    /// The bits of clusters 64 × index on.
    fn word(&self, index: u32) -> u64 {
        let (words, _) = self.bytes[BITS].as_chunks::<8>();
        words.get(index as usize).map_or(u64::MAX, |word| u64::from_le_bytes(*word))
    }

    /// The bytes to write: under this epoch, after this commit.
    pub fn seal(&mut self, epoch: Epoch, sequence: JournalSequence) -> &PageBytes {
        self.header = PageHeader { epoch, sequence, ..self.header };
        self.header.put(Kind::BitmapPage, &mut self.bytes);
        page::seal(&mut self.bytes);
        &self.bytes
    }
}

/// The clusters from `first` to `end`, at most `wanted` of them.
fn run_of(first: u32, end: u32, wanted: u16) -> Option<ClusterRun> {
    let count = (end - first).min(u32::from(wanted));
    let (first, count) = (u16::try_from(first).ok()?, u16::try_from(count).ok()?);
    (count > 0).then_some(ClusterRun { first: ClusterIndex(first), count })
}

impl std::fmt::Debug for BitmapPage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let free = self.free(GROUP_CLUSTERS);
        formatter.debug_struct("BitmapPage").field("header", &self.header).field("free", &free).finish()
    }
}
