//! Heartbeats of VMFS: what a host says about one, and the slot on the disk.

use std::fmt;

/// A step in the life of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeartbeatStep {
    /// It is late, and the host waits.
    TimedOut,
    /// An attempt to reclaim it failed.
    ReclaimFailed,
    /// It was reclaimed.
    Reclaimed,
    /// The host lost access to the volume.
    LostAccess,
    /// The host has access again.
    Restored,
    /// The image on the disk is not the one that was to be tested.
    Miscompare,
    /// The slot on the disk is damaged.
    Corrupt,
    /// Another host's slot is cleared, or this one's was taken over.
    TakenOver,
    /// The slot is in another state than the host left it in.
    Changed,
    /// This host cleans up behind another that counts as dead: it marks its slot, replays its journal and frees its locks.
    CleanedUp,
}

impl HeartbeatStep {
    /// Whether a heartbeat ran out of time, or the volume was lost with it.
    #[must_use]
    pub fn is_a_loss(self) -> bool {
        matches!(self, HeartbeatStep::TimedOut | HeartbeatStep::LostAccess | HeartbeatStep::ReclaimFailed)
    }
}

/// What a host says about a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// What happened.
    pub step: HeartbeatStep,
    /// The slot, where it is printed.
    pub slot: Option<SlotImage>,
    /// What the host tried to write, where both images are printed.
    pub wanted: Option<SlotImage>,
}

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// abcdef01
    Free,
    /// abcdef02
    InUse,
    /// All zero.
    Zero,
    /// Anything else.
    Damaged(u32),
}

impl SlotState {
    /// From the number on the disk.
    #[must_use]
    pub fn of(number: u32) -> SlotState {
        match number {
            0xabcd_ef01 => SlotState::Free,
            0xabcd_ef02 => SlotState::InUse,
            0 => SlotState::Zero,
            other => SlotState::Damaged(other),
        }
    }

    /// Whether a slot may be in this state.
    #[must_use]
    pub fn is_sound(self) -> bool {
        matches!(self, SlotState::Free | SlotState::InUse)
    }
}

/// The id of a host in a slot or a lock: its last six bytes are a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u32; 4]);

impl Uuid {
    /// Nobody.
    pub const NOBODY: Uuid = Uuid([0; 4]);

    /// Reads the first id of the shape 8-8-4-12 in a text.
    #[must_use]
    pub fn find(text: &str) -> Option<Uuid> {
        let bytes = text.as_bytes();
        let last = bytes.len().checked_sub(35)?;
        (0..=last).find_map(|start| Uuid::at(bytes.get(start..start + 35)?))
    }

    /// The MAC address in its last six bytes: of a card of the host that made the id.
    #[must_use]
    pub fn mac(self) -> String {
        let [_, _, c, d] = self.0;
        let bytes = [c >> 8 & 0xff, c & 0xff, d >> 24, d >> 16 & 0xff, d >> 8 & 0xff, d & 0xff];
        bytes.map(|byte| format!("{byte:02x}")).join(":")
    }

    fn at(bytes: &[u8]) -> Option<Uuid> {
        let shape = |(at, byte): (usize, &u8)| match at {
            8 | 17 | 22 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        if !bytes.iter().enumerate().all(shape) {
            return None;
        }
        let digits: String =
            bytes.iter().filter(|byte| **byte != b'-').map(|&byte| char::from(byte)).collect();
        let word = |at: usize| u32::from_str_radix(digits.get(at..at + 8)?, 16).ok();
        Some(Uuid([word(0)?, word(8)?, word(16)?, word(24)?]))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(formatter, "{a:08x}-{b:08x}-{:04x}-{:04x}{d:08x}", c >> 16, c & 0xffff)
    }
}

/// One slot of the heartbeat region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotImage {
    /// Its state.
    pub state: SlotState,
    /// The offset that it says it has, in bytes in the volume.
    pub offset: u64,
    /// The offset at which it was found, where that is known: from its neighbours in a dump.
    pub found_at: Option<u64>,
    /// Counts the times that a host took the slot.
    pub generation: u64,
    /// The time of the last beat on its host's own clock, in microseconds.
    pub stamp_us: u64,
    /// The host.
    pub owner: Option<Uuid>,
}

impl SlotImage {
    /// Whether the slot is in a state that a slot may be in, at the offset that it names as its own.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.state.is_sound() && self.found_at.is_none_or(|at| at == self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_id_is_found_in_any_text() {
        let uuid = Uuid::find("owner 50a3da5a-a3b687f2-9b6a-842b2b0c3b60 mtime 9").unwrap();
        assert_eq!(uuid.to_string(), "50a3da5a-a3b687f2-9b6a-842b2b0c3b60");
        assert_eq!(Uuid::find("owner 50a3da5a-a3b687f2-9b6a-842b2b0c3b6"), None);
        assert_eq!(uuid.mac(), "84:2b:2b:0c:3b:60");
        assert_eq!(Uuid::find(""), None);
    }
}
