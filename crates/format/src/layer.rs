//! What uses a descriptor: a disk, a snapshot or a hidden layer; where it is in its life, and where its map begins.

use oarlock_block::ByteCount;

use crate::ids::{Generation, HostId};
use crate::numbers::{ClusterNumber, LayerId, LayerLevels, NameHash};

pub(crate) const STATES: &[(u8, &str)] =
    &[(0, "free"), (1, "creating"), (2, "ready"), (3, "renaming"), (4, "doomed"), (5, "importing")];

pub(crate) const KINDS: &[(u8, &str)] = &[(0, "none"), (1, "disk"), (2, "snapshot"), (3, "hidden layer")];

pub(crate) const LAYER_FLAGS: &[&str] = &["thick", "root owned", "nameless", "full", "branched"];

/// Where a layer is in its life. A descriptor that is free has no layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerState {
    /// Its name is being put into the directory; if its maker dies it is undone, or finished where its disk names it as
    /// parent.
    Creating,
    /// It can be used.
    Ready,
    /// It takes another name.
    Renaming,
    /// It is deleted: reclaimed, absorbed by its one child, or kept for its children.
    Doomed,
    /// As creating, and contents are being copied in.
    Importing,
}

impl LayerState {
    pub(crate) const fn code(self) -> u8 {
        match self {
            LayerState::Creating => 1,
            LayerState::Ready => 2,
            LayerState::Renaming => 3,
            LayerState::Doomed => 4,
            LayerState::Importing => 5,
        }
    }

    pub(crate) const fn of_code(code: u8) -> Option<LayerState> {
        match code {
            1 => Some(LayerState::Creating),
            2 => Some(LayerState::Ready),
            3 => Some(LayerState::Renaming),
            4 => Some(LayerState::Doomed),
            5 => Some(LayerState::Importing),
            _ => None,
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LayerState::Creating => "creating",
            LayerState::Ready => "ready",
            LayerState::Renaming => "renaming",
            LayerState::Doomed => "doomed",
            LayerState::Importing => "importing",
        }
    }
}

/// What a layer is to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerKind {
    /// A disk: the present map, which is written.
    Disk,
    /// A snapshot: a map that does not change any more.
    Snapshot,
    /// As a snapshot, but nobody named it: made by a clone of a disk, or left by a revert.
    Hidden,
}

impl LayerKind {
    pub(crate) const fn code(self) -> u8 {
        match self {
            LayerKind::Disk => 1,
            LayerKind::Snapshot => 2,
            LayerKind::Hidden => 3,
        }
    }

    pub(crate) const fn of_code(code: u8) -> Option<LayerKind> {
        match code {
            1 => Some(LayerKind::Disk),
            2 => Some(LayerKind::Snapshot),
            3 => Some(LayerKind::Hidden),
            _ => None,
        }
    }
}

/// What is to be known of a layer besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayerFlags {
    /// It was asked for thick.
    pub thick: bool,
    /// The root is its own, and not an ancestor's.
    pub root_owned: bool,
    /// Its entry in the directory is gone; only once it is doomed.
    pub nameless: bool,
    /// Every piece of every cluster is written: several hosts may write (R34).
    pub full: bool,
    /// A layer was put below it once: it may have snapshots. Where it is not set nobody needs to look for any.
    pub branched: bool,
}

impl LayerFlags {
    pub(crate) fn bits(self) -> u8 {
        let flags = [self.thick, self.root_owned, self.nameless, self.full, self.branched];
        flags.into_iter().enumerate().fold(0, |bits, (bit, set)| bits | u8::from(set) << bit)
    }

    pub(crate) const fn of_bits(bits: u8) -> LayerFlags {
        LayerFlags {
            thick: bits & 1 != 0,
            root_owned: bits & 2 != 0,
            nameless: bits & 4 != 0,
            full: bits & 8 != 0,
            branched: bits & 16 != 0,
        }
    }
}

/// A disk, a snapshot or a hidden layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where it is in its life.
    pub state: LayerState,
    /// What it is.
    pub kind: LayerKind,
    /// What is to be known besides.
    pub flags: LayerFlags,
    /// Levels of the map: at least those that the size needs; 1 to [`LayerLevels::LARGEST`].
    pub levels: LayerLevels,
    /// The layer below, whose clusters it may refer to. It is the truth about who is whose child; nothing is counted (R35).
    pub parent: Option<LayerId>,
    /// What a guest sees: a multiple of 512 bytes and of the block.
    pub size: ByteCount,
    /// The map's root node; none where nothing was ever written.
    pub root: Option<ClusterNumber>,
    /// The disk that it belongs to: itself for a disk.
    pub disk: LayerId,
    /// The hash of its own name; none for a hidden layer.
    pub hash: Option<NameHash>,
    /// The hash of the name that it takes (renaming), or still has to give up.
    pub other_hash: Option<NameHash>,
    /// The generation that its name's record had when this was written.
    pub name_generation: Generation,
    /// Milliseconds since 1970 when it was made: information.
    pub created_wall_ms: u64,
    /// Clusters that it owned when it was last released: information.
    pub allocated: u64,
    /// The host that attached it last to write it alone, or was handed it: whoever had it before serves it no more, also where it is
    /// free again. None where nobody ever did.
    pub server: Option<HostId>,
}

impl Layer {
    /// What sizes are multiples of, whatever the block.
    pub const SIZE_UNIT: ByteCount = ByteCount(512);

    /// The largest size: that of the largest device.
    pub const SIZE_MAX: ByteCount = ByteCount(64 << 40);
}

impl LayerLevels {
    /// The most levels that any map has: the largest disk, in clusters of 4 KiB.
    pub const LARGEST: LayerLevels = LayerLevels(5);
}
