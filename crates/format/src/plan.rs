//! How a new datastore is laid out: what each region gets of a device, and whether a layout that was read can stand.

use oarlock_block::{BlockCount, BlockSize, ByteCount, Lba, SlotIndex};

use crate::SLOTS_MAX;
use crate::layout::{DESCRIPTOR_STRIDES, Layout, Region, RegionName, SCRATCH_STRIDES, SLOT_STRIDES};
use crate::space::{Space, page_blocks};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

/// Regions start at multiples of this, so that no two share a page, a stripe unit or a thin pool's extent by accident.
const ALIGNMENT: u64 = 64 * KIB;
/// The largest device.
const DEVICE_MAX: u64 = 64 * TIB;
/// The size of the largest device that a datastore can use.
pub const DEVICE_SIZE_MAX: ByteCount = ByteCount(DEVICE_MAX);
/// Positions for named locks, at least and at most.
const LOCK_POSITIONS_MIN: u64 = 1_024;
const LOCK_POSITIONS_MAX: u64 = 16_384;
/// One position for each of these bytes of the device.
const BYTES_PER_LOCK_POSITION: u64 = 64 * KIB;
/// Locks never fill more than this part of the device.
const LOCKS_DIVISOR: u64 = 16;
/// Descriptors (one per disk or snapshot's layer), at least and at most.
const DESCRIPTORS_MIN: u64 = 256;
const DESCRIPTORS_MAX: u64 = 65_536;
const BYTES_PER_DESCRIPTOR: u64 = 4 * MIB;
/// Four descriptors for one directory bucket, which has room for five times as many: it will hardly ever be full.
const DESCRIPTORS_PER_BUCKET: u64 = 4;
/// A journal's size, at least and at most; all journals together fill no more than this part of the device.
const JOURNAL_MIN: u64 = 128 * KIB;
const JOURNAL_MAX: u64 = 16 * MIB;
const JOURNALS_DIVISOR: u64 = 8;
/// Blocks of a journal's ring, at least: a commit of a page's image, and another one.
const RING_BLOCKS_MIN: u32 = 4;
/// Space for groups without which a datastore is of no use.
const GROUPS_MIN: u64 = 16 * MIB;
/// What the alignment of growing regions may cost at most: each region one unit, and the largest cluster.
const ALIGNMENT_SLACK: u64 = 8 * ALIGNMENT + CLUSTER_MAX;

pub(crate) const CLUSTER_MIN: u64 = 4 * KIB;
pub(crate) const CLUSTER_MAX: u64 = MIB;

/// What a layout is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutRequest {
    /// The device's logical block.
    pub block_size: BlockSize,
    /// Blocks from one record to the next: a physical block (R40), 1 where both are the same.
    pub stride_blocks: BlockCount,
    /// How many hosts.
    pub slots: u16,
    /// The unit of allocation.
    pub cluster_size: ByteCount,
    /// The device's length.
    pub device_blocks: BlockCount,
}

/// Whether a cluster may have this size: a power of two from 4 KiB to 1 MiB.
#[must_use]
pub const fn is_cluster_size(size: ByteCount) -> bool {
    size.0.is_power_of_two() && size.0 >= CLUSTER_MIN && size.0 <= CLUSTER_MAX
}

/// Why a device cannot be laid out so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The device is too small.
    #[error("the device is too small for this datastore: {have} of the {needed} that are needed")]
    TooSmall {
        /// The smallest size that suffices.
        needed: ByteCount,
        /// What there is.
        have: ByteCount,
    },
    /// The device is too large.
    #[error("the device of {have} is larger than the largest datastore, {largest}")]
    TooLarge {
        /// What there is.
        have: ByteCount,
        /// The most that can be used.
        largest: ByteCount,
    },
    /// No slots, or too many.
    #[error("a datastore has 1 to {SLOTS_MAX} slots, not {found}")]
    Slots {
        /// The number asked for.
        found: u16,
    },
    /// A cluster size that is no power of two within bounds.
    #[error("a cluster is a power of two from 4 KiB to 1 MiB, not {found}")]
    ClusterSize {
        /// The size asked for.
        found: ByteCount,
    },
    /// Records too far apart.
    #[error("records stand a power of two of blocks apart, at most 64 KiB; not {} blocks", .found.0)]
    Stride {
        /// The stride asked for.
        found: BlockCount,
    },
    /// The regions that a superblock names do not fit one another or the device.
    #[error("the region of {} does not fit the datastore", .region.name())]
    Region {
        /// The first that does not fit.
        region: RegionName,
    },
}

/// The blocks of each region before they are placed.
struct Sizes {
    slots: u64,
    scratch: u64,
    locks: u64,
    directory: u64,
    descriptors: u64,
    journals: u64,
}

impl LayoutRequest {
    fn check(&self) -> Result<(), LayoutError> {
        if self.slots == 0 || self.slots > SLOTS_MAX {
            return Err(LayoutError::Slots { found: self.slots });
        }
        if !is_cluster_size(self.cluster_size) {
            return Err(LayoutError::ClusterSize { found: self.cluster_size });
        }
        let stride = self.stride_blocks.0;
        if !stride.is_power_of_two() || stride > self.blocks(ALIGNMENT) {
            return Err(LayoutError::Stride { found: self.stride_blocks });
        }
        if self.device_blocks.0 > self.blocks(DEVICE_MAX) {
            let bytes = self.device_blocks.0.saturating_mul(self.block());
            return Err(LayoutError::TooLarge { have: ByteCount(bytes), largest: ByteCount(DEVICE_MAX) });
        }
        Ok(())
    }

    fn block(&self) -> u64 {
        u64::from(self.block_size.bytes())
    }

    fn blocks(&self, bytes: u64) -> u64 {
        bytes / self.block()
    }

    fn align(&self, block: u64) -> u64 {
        block.next_multiple_of(self.blocks(ALIGNMENT))
    }

    /// The regions' sizes where the device has `spare` bytes beyond the smallest that suffices. Together they grow by
    /// less than a quarter of the spare bytes, so that they always fit; groups get the rest.
    fn sizes(&self, spare: u64) -> Sizes {
        let stride = self.stride_blocks.0;
        let stride_bytes = stride * self.block();
        let device_bytes = self.device_blocks.0 * self.block();
        let positions = (device_bytes / BYTES_PER_LOCK_POSITION)
            .clamp(LOCK_POSITIONS_MIN, LOCK_POSITIONS_MAX)
            .min(LOCK_POSITIONS_MIN + spare / LOCKS_DIVISOR / stride_bytes);
        let descriptors = (DESCRIPTORS_MIN + spare / BYTES_PER_DESCRIPTOR).min(DESCRIPTORS_MAX);
        let slots = u64::from(self.slots);
        let journal = (JOURNAL_MIN + spare / JOURNALS_DIVISOR / slots).min(JOURNAL_MAX);
        let journal = journal - journal % ALIGNMENT;
        Sizes {
            slots: slots * SLOT_STRIDES * stride,
            scratch: SCRATCH_STRIDES * stride,
            locks: positions * stride,
            directory: descriptors / DESCRIPTORS_PER_BUCKET * stride,
            descriptors: descriptors * DESCRIPTOR_STRIDES * stride,
            journals: slots * self.blocks(journal),
        }
    }

    /// The smallest device in blocks: a multiple of the alignment, and one stride for the shadow.
    fn needed(&self) -> u64 {
        let groups = self.place(&self.sizes(0)).groups.start.0;
        let by_sum = groups + self.blocks(GROUPS_MIN);
        let by_locks = LOCK_POSITIONS_MIN * LOCKS_DIVISOR * self.stride_blocks.0;
        by_sum.max(by_locks) + self.stride_blocks.0
    }

    /// Puts the regions one after another.
    fn place(&self, sizes: &Sizes) -> Layout {
        let stride = self.stride_blocks.0;
        let mut next = self.blocks(ALIGNMENT);
        let mut region = |blocks: u64| {
            let start = next;
            next = self.align(start + blocks);
            Region { start: Lba(start), blocks: BlockCount(blocks) }
        };
        let slots = region(sizes.slots);
        let scratch = region(sizes.scratch);
        let locks = region(sizes.locks);
        let directory = region(sizes.directory);
        let descriptors = region(sizes.descriptors);
        let journals = region(sizes.journals);
        let groups = next.next_multiple_of(self.blocks(self.cluster_size.0.max(ALIGNMENT)));
        let shadow = shadow_start(self.device_blocks.0, stride);
        Layout {
            stride_blocks: self.stride_blocks,
            slots,
            scratch,
            locks,
            directory,
            descriptors,
            journals,
            groups: Region { start: Lba(groups), blocks: BlockCount(shadow.saturating_sub(groups)) },
            shadow: Region { start: Lba(shadow), blocks: BlockCount(stride) },
        }
    }
}

/// Former ends of a device at which a shadow is looked for: two reads each, a matter of seconds.
const FORMER_ENDS_MAX: usize = 1024;

/// The first block of the last whole stride of a device.
const fn shadow_start(device_blocks: u64, stride: u64) -> u64 {
    (device_blocks / stride).saturating_sub(1).saturating_mul(stride)
}

/// Where a shadow may stand on a device whose first superblock cannot be read and whose stride is therefore unknown:
/// once for each stride that the format allows, at most eight addresses.
pub fn shadow_candidates(
    block_size: BlockSize,
    device_blocks: BlockCount,
) -> impl Iterator<Item = Lba> + use<> {
    let stride_max = ALIGNMENT / u64::from(block_size.bytes());
    let strides = std::iter::successors(Some(1_u64), |stride| Some(stride * 2));
    let mut previous = None;
    strides
        .take_while(move |stride| *stride <= stride_max)
        .map(move |stride| Lba(shadow_start(device_blocks.0, stride)))
        .filter(move |lba| lba.0 != 0 && previous.replace(*lba) != Some(*lba))
}

/// Where the first superblock's own bytes say that the shadow stands, though they do not check out: by the region, and by the
/// device's length with the stride. What rots is a few bits, and hardly both; what is found there proves itself.
///
/// It leads to the shadow of a device that got longer and was not grown into yet: that one stands at its former end.
pub fn claimed_shadows(first: &[u8], device_blocks: BlockCount) -> impl Iterator<Item = Lba> + use<> {
    const STRIDE_AT: usize = 96;
    const DEVICE_BLOCKS_AT: usize = 104;
    const SHADOW_AT: usize = 480;
    let u64_at = |at: usize| Some(u64::from_le_bytes(first.get(at..at + 8)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(first.get(at..at + 4)?.try_into().ok()?));
    let stride = u32_at(STRIDE_AT).map(u64::from).filter(|stride| *stride > 0);
    let by_length = u64_at(DEVICE_BLOCKS_AT).zip(stride).map(|(blocks, stride)| shadow_start(blocks, stride));
    let claims = [u64_at(SHADOW_AT), by_length];
    claims.into_iter().flatten().filter(move |lba| *lba > 0 && *lba < device_blocks.0).map(Lba)
}

/// Where the shadow stands if the device had so many whole GiB before it got longer: the nearest former ends first, for records
/// of one block and of 4 KiB. For a person's check of a device whose first superblock says nothing at all.
pub fn former_shadows(block_size: BlockSize, device_blocks: BlockCount) -> impl Iterator<Item = Lba> + use<> {
    let per_gibibyte = (1 << 30) / u64::from(block_size.bytes());
    let whole = device_blocks.0 / per_gibibyte;
    let four_kibibytes = 4096 / u64::from(block_size.bytes());
    let ends = (1..=whole).rev().take(FORMER_ENDS_MAX).map(move |gibibytes| gibibytes * per_gibibyte);
    ends.flat_map(move |end| {
        let strides = if four_kibibytes > 1 { vec![1, four_kibibytes] } else { vec![1] };
        strides.into_iter().map(move |stride| Lba(shadow_start(end, stride)))
    })
}

impl Layout {
    /// The layout of a new datastore.
    ///
    /// # Errors
    /// What does not fit.
    pub fn plan(request: &LayoutRequest) -> Result<Layout, LayoutError> {
        request.check()?;
        let needed = request.needed();
        if request.device_blocks.0 < needed {
            return Err(LayoutError::TooSmall {
                needed: BlockCount(needed).bytes(request.block_size),
                have: request.device_blocks.bytes(request.block_size),
            });
        }
        let surplus = (request.device_blocks.0 - needed) * request.block();
        Ok(request.place(&request.sizes(surplus.saturating_sub(ALIGNMENT_SLACK))))
    }

    /// This layout on a device that is longer by now: more groups, and the shadow at the new end (R38). Everything else
    /// stays where it is; where nothing whole was gained it is the same layout.
    ///
    /// # Errors
    /// [`LayoutError::TooLarge`], or what does not fit a device that became shorter.
    pub fn grown(&self, request: &LayoutRequest) -> Result<Layout, LayoutError> {
        let shadow = shadow_start(request.device_blocks.0, self.stride_blocks.0);
        let groups = BlockCount(shadow.saturating_sub(self.groups.start.0));
        let grown = Layout {
            groups: Region { blocks: groups, ..self.groups },
            shadow: Region { start: Lba(shadow), ..self.shadow },
            ..*self
        };
        grown.check(request)?;
        Ok(grown)
    }

    /// Whether this layout, as a superblock has it, stands on what the superblock says besides.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, request: &LayoutRequest) -> Result<(), LayoutError> {
        request.check()?;
        let stride = self.stride_blocks.0;
        if self.stride_blocks != request.stride_blocks {
            return Err(LayoutError::Stride { found: self.stride_blocks });
        }
        let slots = u64::from(request.slots);
        let positions = self.locks.blocks.0 / stride;
        let whole = |blocks: u64, unit: u64| blocks > 0 && blocks.is_multiple_of(unit);
        let fits = [
            self.slots.blocks.0 == slots * SLOT_STRIDES * stride,
            self.scratch.blocks.0 == SCRATCH_STRIDES * stride,
            whole(self.locks.blocks.0, stride)
                && (LOCK_POSITIONS_MIN..=LOCK_POSITIONS_MAX).contains(&positions),
            whole(self.directory.blocks.0, stride),
            whole(self.descriptors.blocks.0, DESCRIPTOR_STRIDES * stride),
            whole(self.journals.blocks.0, slots * stride),
            whole(self.groups.blocks.0, stride),
            self.shadow.start.0 == shadow_start(request.device_blocks.0, stride)
                && self.shadow.blocks.0 == stride,
        ];
        let mut free_from = stride;
        for ((name, region), fits) in self.regions().into_iter().zip(fits) {
            let end = region.end().filter(|end| *end <= request.device_blocks.0);
            let Some(end) =
                end.filter(|_| fits && region.start.0 >= free_from && region.start.0.is_multiple_of(stride))
            else {
                return Err(LayoutError::Region { region: name });
            };
            free_from = end;
        }
        Ok(())
    }

    /// Whether disks can stand on this layout, which [`check`](Self::check) has taken: pages at multiples of 4 KiB of the
    /// device, a ring in each journal, a group.
    ///
    /// # Errors
    /// The region that does not do.
    pub(crate) fn check_for_disks(&self, request: &LayoutRequest) -> Result<(), LayoutError> {
        let page = page_blocks(request.block());
        let aligned = |region: &Region, unit: u64| region.start.0.is_multiple_of(unit);
        let journal = self.journal_blocks();
        let slot = SlotIndex(0);
        let fits = [
            (RegionName::Descriptors, u64::from(self.descriptor_count()) <= DESCRIPTORS_MAX),
            (RegionName::Journals, aligned(&self.journals, page) && journal.is_multiple_of(page)),
            (RegionName::Journals, self.journal(slot, request.block_size).blocks >= RING_BLOCKS_MIN),
            (RegionName::Groups, aligned(&self.groups, request.blocks(request.cluster_size.0))),
            (RegionName::Groups, Space::new(self, request.block_size, request.cluster_size).groups() > 0),
        ];
        let wrong = fits.into_iter().find(|(_, fits)| !fits);
        wrong.map_or(Ok(()), |(region, _)| Err(LayoutError::Region { region }))
    }
}
