//! Mode pages: what MODE SENSE returns and MODE SELECT changes (SPC-5, SBC-4).
//!
//! All that can be set is a [`ModeSettings`]; the pages are made of it, and read back into it. Which bytes of a page may change is one table
//! ([`table`]), which the mask of PC 01b and the check of MODE SELECT share.

mod select;
mod sense;
mod table;
#[cfg(test)]
mod tests;

use oarlock_block::{BlockCount, BlockSize};

pub use select::ModeList;

/// What a unit's mode pages say that can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModeSettings {
    /// WCE: GOOD may be returned for a write before it is on the medium.
    pub write_cache: bool,
    /// DRA: nothing is read that was not asked for.
    pub read_ahead_disabled: bool,
    /// D_SENSE: sense data have the descriptor form.
    pub descriptor_sense: bool,
    /// SWP: the unit refuses writes.
    pub write_protected: bool,
    /// TAS: a command that another nexus aborts ends with TASK ABORTED.
    pub task_aborted_status: bool,
}

/// The mode pages of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModePages {
    /// Those in effect.
    pub current: ModeSettings,
    /// Those of a new unit.
    pub default: ModeSettings,
    /// Those that outlive a reset, where the unit saves any.
    pub saved: Option<ModeSettings>,
    /// Which of them MODE SELECT may change: `true` stands for "may".
    pub changeable: ModeSettings,
    /// What the header and the block descriptor say.
    pub medium: ModeMedium,
}

/// What the header and the block descriptor say of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeMedium {
    /// Its blocks; 0 where there is no medium.
    pub blocks: BlockCount,
    /// The size of each.
    pub block_size: BlockSize,
    /// It cannot be written, whatever SWP says. WP of the header is set by either.
    pub read_only: bool,
}

/// PAGE CODE of all pages.
const ALL_PAGES: u8 = 0x3f;
/// SUBPAGE CODE of all subpages.
const ALL_SUBPAGES: u8 = 0xff;
/// WP of the device-specific parameter (SBC-4, "Mode parameter header").
const WRITE_PROTECTED: u8 = 0x80;
/// DPOFUA of it: DPO and FUA are taken, as the usage maps say.
const DPO_AND_FUA: u8 = 0x10;
