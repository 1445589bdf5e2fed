//! A logical unit: its medium, its task set, what its nexuses must be told, who has it reserved (SAM-5, 4.6).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use oarlock_block::{BlockCount, BlockSize, Geometry};
use oarlock_device::{Durability, Medium};
use oarlock_scsi::iscsi::NodeName;
use oarlock_scsi::vpd::{Designation, Designator};
use oarlock_scsi::{AccessState, AdditionalSense, GeneralStatistics, Lun, ModeSettings};

use crate::atomic::AtomicWrites;
use crate::course::Abort;
use crate::execute::{Erasing, Erasure};
use crate::flushes::Flushes;
use crate::limits::GONE_MAX;
use crate::media::{Disk, Media};
use crate::ranges::Ranges;
use crate::reservations::Reservations;
use crate::saved::{Saved, SavedFile};
use crate::session::{Nexus, PortalIndex};
use crate::shares::UnitShares;
use crate::task_set::TaskSet;
use crate::turns::{Turn, Turns};

/// The vendor of every unit.
pub(crate) const VENDOR: &str = "OARLOCK";

/// What a unit is, as its owner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Its medium as its operator named it, for whom it is meant: put back by another name it would be another unit.
    pub(crate) path: PathBuf,
    /// Blocks can be unmapped.
    pub(crate) is_thin: bool,
    pub(crate) is_read_only: bool,
    pub(crate) is_removable: bool,
    pub(crate) serial: String,
    /// Commands that it has open; the next finds no room.
    pub(crate) queue: u16,
    /// Initiators for which it is there; empty: all.
    pub(crate) allowed: Vec<NodeName>,
}

/// A logical unit.
pub(crate) struct Unit {
    pub(crate) number: u16,
    pub(crate) lun: Lun,
    /// Other threads have it while they ask its file system.
    pub(crate) medium: Arc<Medium>,
    pub(crate) traits: Traits,
    /// The 16 bytes of its NAA name.
    pub(crate) naa: [u8; 16],
    pub(crate) ranges: Rc<Ranges>,
    pub(crate) flushes: Flushes,
    pub(crate) atomic: AtomicWrites,
    /// It is served no more: commands that have not begun find nothing.
    pub(crate) is_gone: Cell<bool>,
    pub(crate) task_set: TaskSet,
    /// Those of all units on its device.
    pub(crate) shares: Rc<UnitShares>,
    /// The sanitize that is under way.
    pub(crate) erasing: RefCell<Option<Rc<Erasing>>>,
    /// None begins any more, here: it does where the unit is served again.
    pub(crate) is_erasing_paused: Cell<bool>,
    /// How many began.
    pub(crate) erasures: Cell<u64>,
    attentions: RefCell<BTreeMap<Nexus, VecDeque<AdditionalSense>>>,
    /// All attentions of all nexuses, so that a command looks for its own only where there is one.
    attention_count: Cell<usize>,
    met: RefCell<BTreeSet<Nexus>>,
    /// Those of them that are gone, the one that went first in front.
    gone: RefCell<VecDeque<Nexus>>,
    pub(crate) state: RefCell<State>,
    saving: Turns,
    pub(crate) reservations: RefCell<Reservations>,
    pub(crate) statistics: Cell<GeneralStatistics>,
    /// The states of groups of ports that were changed; all others are active and optimized.
    access: RefCell<BTreeMap<PortalIndex, AccessState>>,
}

/// What commands change of a unit.
pub(crate) struct State {
    pub(crate) settings: ModeSettings,
    /// What the unit's owner asked for.
    pub(crate) defaults: ModeSettings,
    /// What an initiator saved (MODE SELECT with SP).
    pub(crate) saved: Option<ModeSettings>,
    pub(crate) sanitizing: Sanitizing,
    pub(crate) is_loaded: bool,
    /// Nexuses that forbid that the medium is taken out.
    pub(crate) prevented_by: BTreeSet<Nexus>,
    /// RESERVE(6) and (10) of SPC-2.
    pub(crate) reserved_by: Option<Nexus>,
}

impl State {
    /// What the settings are after a reset.
    pub(crate) fn settings_after_reset(&self) -> ModeSettings {
        self.saved.unwrap_or(self.defaults)
    }
}

/// Whether everything of a unit is being made unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sanitizing {
    #[default]
    No,
    /// It is, and so far of 65,536 parts.
    Under { erasure: Erasure, progress: u16 },
    /// It was, and failed.
    Failed {
        /// The unit may be used again without another.
        may_exit: bool,
    },
}

/// Attentions that one nexus has not been told; the oldest go where there are more.
const ATTENTIONS_MAX: usize = 32;

/// The beginning of every NAA name here: type 6 (IEEE Registered Extended). Behind it stand 124 bits of a hash of the unit's serial number, and so what looks like
/// a company's is none's: nobody here has a number of IEEE's to begin with.
const NAA_TYPE: u8 = 0x60;

impl Unit {
    pub(crate) fn new(number: u16, lun: Lun, medium: Medium, traits: Traits, write_cache: bool) -> Unit {
        let naa = naa_of(&traits.serial);
        let defaults = ModeSettings { write_cache, ..ModeSettings::default() };
        let task_set = TaskSet::new(traits.queue);
        Unit {
            number,
            lun,
            medium: Arc::new(medium),
            traits,
            naa,
            ranges: Rc::default(),
            flushes: Flushes::default(),
            atomic: AtomicWrites::default(),
            is_gone: Cell::new(false),
            task_set,
            shares: Rc::default(),
            erasing: RefCell::default(),
            is_erasing_paused: Cell::default(),
            erasures: Cell::new(0),
            attentions: RefCell::default(),
            attention_count: Cell::new(0),
            met: RefCell::default(),
            gone: RefCell::default(),
            state: RefCell::new(State {
                settings: defaults,
                defaults,
                saved: None,
                sanitizing: Sanitizing::No,
                is_loaded: true,
                prevented_by: BTreeSet::new(),
                reserved_by: None,
            }),
            saving: Turns::default(),
            reservations: RefCell::default(),
            statistics: Cell::default(),
            access: RefCell::default(),
        }
    }

    /// Its medium, as the ring's commands know it.
    pub(crate) fn disk(&self) -> Disk<'_> {
        Disk { medium: &self.medium, shares: &self.shares }
    }

    pub(crate) fn geometry(&self) -> Geometry {
        self.medium.geometry()
    }

    pub(crate) fn block_size(&self) -> BlockSize {
        self.geometry().block_size
    }

    pub(crate) fn blocks(&self) -> BlockCount {
        self.geometry().blocks
    }

    /// The blocks that the device below writes whole or not at all whatever becomes of the power, from each multiple on; `None` where that
    /// is not even one.
    pub(crate) fn atomic_blocks(&self) -> Option<u32> {
        let block = u64::from(self.block_size().bytes());
        let blocks = self.medium.atomic_block()?.0 / block;
        u32::try_from(blocks).ok().filter(|blocks| *blocks > 0)
    }

    /// Whether it is there for an initiator.
    pub(crate) fn is_for(&self, initiator: &NodeName) -> bool {
        self.traits.allowed.is_empty() || self.traits.allowed.contains(initiator)
    }

    /// Whether blocks can be anchored: given back but for their place (SBC-4, "Anchored").
    pub(crate) fn has_anchors(&self) -> bool {
        self.traits.is_thin && self.medium.tells_reserved()
    }

    pub(crate) fn is_write_protected(&self) -> bool {
        self.traits.is_read_only || self.state.borrow().settings.write_protected
    }

    /// How durable a write is to be when it is answered (SBC-4, caching mode page).
    pub(crate) fn durability(&self, force_unit_access: bool) -> Durability {
        if force_unit_access || !self.state.borrow().settings.write_cache {
            Durability::Durable
        } else {
            Durability::Volatile
        }
    }

    /// Its names, as VPD page 83h has them.
    pub(crate) fn names(&self) -> Vec<Designation> {
        vec![
            Designation::of_unit(Designator::Naa(self.naa.to_vec())),
            Designation::of_unit(Designator::T10Vendor {
                vendor: VENDOR.to_owned(),
                identifier: self.traits.serial.clone(),
            }),
        ]
    }

    /// The asymmetric access state of a portal's group.
    pub(crate) fn access(&self, portal: PortalIndex) -> AccessState {
        self.access.borrow().get(&portal).copied().unwrap_or(AccessState::ActiveOptimized)
    }

    /// Sets it; `true` where that is a change.
    pub(crate) fn set_access(&self, portal: PortalIndex, state: AccessState) -> bool {
        let is_changed = self.access(portal) != state;
        if is_changed {
            self.access.borrow_mut().insert(portal, state);
        }
        is_changed
    }

    /// Whether somebody changed the state of a portal's group.
    pub(crate) fn is_access_set(&self, portal: PortalIndex) -> bool {
        self.access.borrow().contains_key(&portal)
    }

    /// Waits for the turn to change what is saved, in the order of asking.
    pub(crate) async fn turn_to_save(&self) -> Turn {
        self.saving.next().await
    }

    /// Saves what is to outlive the array, or that there is nothing. Whoever calls has [the turn](Unit::turn_to_save), from before it changed anything on.
    pub(crate) async fn save(&self, media: &Media) -> io::Result<()> {
        let saved = Saved {
            reservations: Some(self.reservations.borrow().clone()).filter(|all| all.persist),
            settings: self.state.borrow().saved,
            sanitizing: self.state.borrow().sanitizing.clone(),
        };
        let file = self.saved_file();
        media.outside(move || file.save(&saved)).await
    }

    /// Takes what outlived the array.
    pub(crate) fn restore(&self, saved: Saved) {
        // Who lasts does; how often that changed is counted anew from each power on (SPC-4, READ KEYS parameter data).
        let reservations = saved.reservations.unwrap_or_default();
        *self.reservations.borrow_mut() = Reservations { generation: 0, ..reservations };
        let mut state = self.state.borrow_mut();
        state.sanitizing = saved.sanitizing;
        let defaults = state.defaults;
        // An owner who wants no write cache has the last word.
        state.saved = saved.settings.map(|settings| ModeSettings {
            write_cache: settings.write_cache && defaults.write_cache,
            ..settings
        });
        state.settings = state.settings_after_reset();
    }

    /// Where it has what outlives the array.
    pub(crate) fn saved_path(&self) -> PathBuf {
        self.saved_file().path().to_owned()
    }

    fn saved_file(&self) -> SavedFile {
        SavedFile::of(&self.medium, &self.traits.serial)
    }

    /// Ends the sanitize that is under way, which goes on where the unit is served again.
    pub(crate) fn pause_erasing(&self) -> Option<Rc<Erasing>> {
        // One whose beginning is being saved does not go on either.
        self.is_erasing_paused.set(true);
        let erasing = self.erasing.borrow().clone();
        erasing.inspect(|erasing| erasing.course.abort(Abort::Silent))
    }

    /// Whether nothing happens to the medium.
    pub(crate) fn is_idle(&self) -> bool {
        self.task_set.is_empty() && self.erasing.borrow().is_none()
    }

    // Unit attentions.

    /// A nexus begins, or begins anew.
    pub(crate) fn meet(&self, nexus: &Nexus) {
        let is_new = self.met.borrow_mut().insert(nexus.clone());
        self.gone.borrow_mut().retain(|gone| gone != nexus);
        let code = if is_new {
            AdditionalSense::POWER_ON_RESET_OR_BUS_DEVICE_RESET_OCCURRED
        } else {
            AdditionalSense::I_T_NEXUS_LOSS_OCCURRED
        };
        self.attend(nexus, code);
    }

    /// A nexus is lost: what it holds besides persistent reservations is given back (SAM-5, 6.3.4).
    pub(crate) fn lose(&self, nexus: &Nexus) {
        let mut state = self.state.borrow_mut();
        state.prevented_by.remove(nexus);
        if state.reserved_by.as_ref() == Some(nexus) {
            state.reserved_by = None;
        }
        drop(state);
        let mut gone = self.gone.borrow_mut();
        if self.met.borrow().contains(nexus) && !gone.contains(nexus) {
            gone.push_back(nexus.clone());
        }
        // Some initiators take a new name for each session: those that went first are strangers again.
        if gone.len() > GONE_MAX
            && let Some(first) = gone.pop_front()
        {
            self.met.borrow_mut().remove(&first);
            let left = self.attentions.borrow_mut().remove(&first).map_or(0, |queue| queue.len());
            self.attention_count.set(self.attention_count.get() - left);
        }
    }

    /// A nexus is to be told, before its next command.
    pub(crate) fn attend(&self, nexus: &Nexus, code: AdditionalSense) {
        if !self.met.borrow().contains(nexus) {
            return;
        }
        let mut attentions = self.attentions.borrow_mut();
        let queue = attentions.entry(nexus.clone()).or_default();
        if queue.contains(&code) {
            return;
        }
        if queue.len() >= ATTENTIONS_MAX {
            queue.pop_front();
            self.attention_count.set(self.attention_count.get() - 1);
        }
        queue.push_back(code);
        self.attention_count.set(self.attention_count.get() + 1);
    }

    /// Every nexus but `except` is to be told.
    pub(crate) fn attend_others(&self, except: Option<&Nexus>, code: AdditionalSense) {
        let met: Vec<_> = self.met.borrow().iter().filter(|nexus| Some(*nexus) != except).cloned().collect();
        met.iter().for_each(|nexus| self.attend(nexus, code));
    }

    /// What a nexus is to be told next; it counts as told.
    pub(crate) fn take_attention(&self, nexus: &Nexus) -> Option<AdditionalSense> {
        if self.attention_count.get() == 0 {
            return None;
        }
        let mut attentions = self.attentions.borrow_mut();
        let queue = attentions.get_mut(nexus)?;
        let code = queue.pop_front()?;
        if queue.is_empty() {
            attentions.remove(nexus);
        }
        self.attention_count.set(self.attention_count.get() - 1);
        Some(code)
    }

    /// Takes one attention of a nexus back, where it is pending.
    pub(crate) fn clear_attention(&self, nexus: &Nexus, code: AdditionalSense) {
        let mut attentions = self.attentions.borrow_mut();
        let Some(queue) = attentions.get_mut(nexus) else { return };
        let before = queue.len();
        queue.retain(|pending| *pending != code);
        self.attention_count.set(self.attention_count.get() - (before - queue.len()));
        if queue.is_empty() {
            attentions.remove(nexus);
        }
    }

    /// The unit begins anew (SAM-5, 6.3.3): settings that are not saved are as at the start, and everybody is told.
    pub(crate) fn reset(&self, code: AdditionalSense) {
        {
            let mut state = self.state.borrow_mut();
            state.settings = state.settings_after_reset();
            state.prevented_by.clear();
            state.reserved_by = None;
        }
        self.attend_others(None, code);
    }
}

/// An NAA name of a serial number: the same for the same number, on whatever machine.
fn naa_of(serial: &str) -> [u8; 16] {
    // Two hashes of 64 bits by FNV-1a, from two starts: names need no secrecy, only to differ.
    let hash = |start: u64| {
        serial.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142));
    let mut naa = [0; 16];
    naa[..8].copy_from_slice(&high.to_be_bytes());
    naa[8..].copy_from_slice(&low.to_be_bytes());
    naa[0] = NAA_TYPE | naa[0] & 0x0f;
    naa
}
