//! What the kernel's count of moved bytes means for a transfer: pure.

use rustix::io::Errno;

/// Bytes moved before, and how the last submission ended.
pub(crate) type Moved = (usize, Result<usize, Errno>);

/// How far a transfer got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Complete,
    /// Stopped short at a whole block: the rest is submitted again. Each time at least a block is moved, so this ends.
    Partial(usize),
    /// The file ends here.
    End,
    Failed(Errno),
}

/// How far a transfer of `length` bytes in blocks of `block` got.
pub(crate) fn progress((before, result): Moved, length: usize, block: usize) -> Progress {
    match result {
        Err(errno) => Progress::Failed(errno),
        Ok(0) => Progress::End,
        Ok(more) if before + more >= length => Progress::Complete,
        Ok(more) if (before + more).is_multiple_of(block) => Progress::Partial(before + more),
        Ok(_) => Progress::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_that_stops_short_goes_on_where_it_stopped() {
        assert_eq!(progress((0, Ok(512)), 1024, 512), Progress::Partial(512));
        assert_eq!(progress((512, Ok(512)), 1024, 512), Progress::Complete);
    }

    #[test]
    fn a_transfer_that_stops_within_a_block_met_the_end_of_the_file() {
        assert_eq!(progress((0, Ok(100)), 512, 512), Progress::End);
        assert_eq!(progress((512, Ok(0)), 1024, 512), Progress::End);
    }
}
