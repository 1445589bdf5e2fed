//! A run: neighbouring records that one command reads.

use oarlock_block::{Instant, Lba};
use oarlock_format::{Image, Record};

use crate::store::{Lane, ReadFault, Seen, Store, check_age};
use crate::verdict::Version;

/// The blocks from one record to another as one command read them.
pub(crate) struct Run {
    start: Lba,
    bytes: Vec<u8>,
    issued: Instant,
    replied: Instant,
}

impl Run {
    /// Reads from the record at `first` to the one at `last`, both included.
    pub(crate) async fn read(store: &Store, first: Lba, last: Lba) -> Result<Run, ReadFault> {
        let blocks = usize::try_from(last.0 - first.0 + 1).unwrap_or(usize::MAX);
        let mut bytes = vec![0; blocks * store.block_size.length()];
        let issued = store.now();
        store.read_bytes(Lane::Work, first, &mut bytes).await?;
        Ok(Run { start: first, bytes, issued, replied: store.now() })
    }

    /// One of its records; `None` where it does not check out: it may have been read torn (R3).
    pub(crate) fn seen<R: Record>(&self, store: &Store, lba: Lba) -> Option<Seen<R>> {
        let length = store.block_size.length();
        let offset = usize::try_from(lba.0.checked_sub(self.start.0)?).ok()? * length;
        let block = self.bytes.get(offset..offset + length)?;
        let stamped = store.decode::<R>(lba, block).ok()?;
        check_age(&stamped.stamp, store.newest(lba)).ok()?;
        store.note_version(lba, Version::of(&stamped.stamp));
        Some(Seen { image: Image::new(block), stamped, issued: self.issued, replied: self.replied })
    }

    /// One of its records, read again by itself where it does not check out.
    pub(crate) async fn seen_surely<R: Record>(&self, store: &Store, lba: Lba) -> Result<Seen<R>, ReadFault> {
        match self.seen(store, lba) {
            Some(seen) => Ok(seen),
            None => store.read(Lane::Work, lba).await,
        }
    }
}
