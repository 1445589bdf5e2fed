//! Which bytes of a read have come: content must neither overlap nor leave a gap (document, `NBD_CMD_READ`, *Structured replies*).

use crate::limits::RANGES_MAX;

/// Why content is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// It lies outside of the read, or overlaps what came.
    Stray,
    /// It would be one range too many to keep account of.
    TooMany,
}

/// The ranges of one read that have come, in order, neighbours joined.
#[derive(Clone, Debug)]
pub(super) struct Coverage {
    start: u64,
    end: u64,
    ranges: Vec<(u64, u64)>,
}

impl Coverage {
    pub(super) fn new(offset: u64, length: u32) -> Coverage {
        Coverage { start: offset, end: offset.saturating_add(u64::from(length)), ranges: Vec::new() }
    }

    /// Whether a byte belongs to the read.
    pub(super) fn contains(&self, offset: u64) -> bool {
        (self.start..self.end).contains(&offset)
    }

    pub(super) fn add(&mut self, offset: u64, length: u32) -> Result<(), NotTaken> {
        let end = offset.checked_add(u64::from(length)).ok_or(NotTaken::Stray)?;
        if length == 0 || offset < self.start || end > self.end {
            return Err(NotTaken::Stray);
        }
        let at = self.ranges.partition_point(|&(start, _)| start < offset);
        let before = at.checked_sub(1).map(|index| self.ranges[index]);
        let behind = self.ranges.get(at).copied();
        if before.is_some_and(|(_, before_end)| before_end > offset)
            || behind.is_some_and(|(start, _)| start < end)
        {
            return Err(NotTaken::Stray);
        }
        let joins_before = before.is_some_and(|(_, before_end)| before_end == offset);
        let joins_behind = behind.is_some_and(|(start, _)| start == end);
        match (joins_before, joins_behind) {
            (true, true) => self.ranges[at - 1].1 = self.ranges.remove(at).1,
            (true, false) => self.ranges[at - 1].1 = end,
            (false, true) => self.ranges[at].0 = offset,
            (false, false) if self.ranges.len() == RANGES_MAX => return Err(NotTaken::TooMany),
            (false, false) => self.ranges.insert(at, (offset, end)),
        }
        Ok(())
    }

    /// Bytes that have not come.
    pub(super) fn missing(&self) -> u64 {
        let come: u64 = self.ranges.iter().map(|(start, end)| end - start).sum();
        (self.end - self.start) - come
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_make_one_range() {
        let mut coverage = Coverage::new(100, 30);
        for offset in [110, 100, 120] {
            assert_eq!(coverage.add(offset, 10), Ok(()));
        }
        assert_eq!((coverage.missing(), coverage.ranges.len()), (0, 1));
    }

    #[test]
    fn what_overlaps_or_lies_outside_is_stray() {
        let mut coverage = Coverage::new(100, 30);
        assert_eq!(coverage.add(110, 10), Ok(()));
        for (offset, length) in
            [(119, 1), (100, 11), (105, 20), (110, 10), (99, 1), (130, 1), (129, 2), (100, 0)]
        {
            assert_eq!(coverage.add(offset, length), Err(NotTaken::Stray), "{length} at {offset}");
        }
        assert_eq!(coverage.missing(), 20);
    }

    #[test]
    fn the_account_of_crumbs_is_bounded() {
        let crumbs = u32::try_from(RANGES_MAX).unwrap() + 1;
        let mut coverage = Coverage::new(0, crumbs * 2);
        for crumb in 0..crumbs - 1 {
            assert_eq!(coverage.add(u64::from(crumb) * 2, 1), Ok(()));
        }
        assert_eq!(coverage.add(u64::from(crumbs - 1) * 2, 1), Err(NotTaken::TooMany));
    }
}
