//! Where a named lock is looked for: a window of contiguous positions that one read takes in.

use crate::ids::FormatId;
use crate::layout::LockPosition;
use crate::names::LockName;

/// Positions at which a name may stand. A lock that is not within them does not exist, so that no search goes further
/// and no deletion leaves a chain broken.
pub const LOCK_WINDOW: u32 = 16;

/// The first position of a name's window. A window never wraps: the last one ends with the last position.
///
/// # Panics
/// When there are fewer positions than a window has; no layout has so few.
#[must_use]
pub fn home(format_id: &FormatId, name: &LockName, positions: u32) -> LockPosition {
    assert!(positions >= LOCK_WINDOW, "{positions} lock positions are fewer than a window has");
    let homes = u64::from(positions - (LOCK_WINDOW - 1));
    let hash = format_id.keyed_hash(name.as_str().as_bytes());
    LockPosition(u32::try_from(hash % homes).unwrap_or_default())
}

/// The positions of the window that starts at `home`.
pub fn window(home: LockPosition) -> impl Iterator<Item = LockPosition> {
    (home.0..home.0 + LOCK_WINDOW).map(LockPosition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_ends_within_the_positions() {
        let format_id = FormatId(7);
        for positions in [16, 17, 1_024, 16_384] {
            for index in 0..1_000 {
                let name = LockName::new(&format!("lock-{index}")).unwrap();
                let last = window(home(&format_id, &name, positions)).last().unwrap();
                assert!(last.0 < positions);
            }
        }
    }

    #[test]
    fn windows_of_half_as_many_names_as_positions_do_not_overflow() {
        // The claim behind the window's width: at half load a name practically always finds a place.
        let (format_id, positions) = (FormatId(11), 16_384_u32);
        let mut taken = vec![false; 16_384];
        for index in 0..positions / 2 {
            let name = LockName::new(&format!("vm/{index}")).unwrap();
            let free = window(home(&format_id, &name, positions))
                .find(|position| !taken[usize::try_from(position.0).unwrap()]);
            taken[usize::try_from(free.unwrap().0).unwrap()] = true;
        }
    }
}
