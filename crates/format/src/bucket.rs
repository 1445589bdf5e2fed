//! The directory bucket: which descriptors have, take or give up the names whose hashes fall here (R36).
//!
//! An entry is a reservation and never the truth, which is the descriptor's own name. There is no lock in a bucket: each
//! change of it is one ATS.

use crate::error::DecodeError;
use crate::layout::Layout;
use crate::numbers::{DescriptorNumber, DiskUid, LayerId, NameHash};
use crate::record::Record;
use crate::stamp::{Kind, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

/// Entries that a bucket holds. A full one is an error, never a chain.
pub const BUCKET_ENTRIES_MAX: usize = 20;

/// Bytes of an entry: the hash, the descriptor, its uid.
pub(crate) const BUCKET_ENTRY_LENGTH: usize = 20;

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    COUNT: 88, 2, "count", Shape::Number;
    RESERVED_COUNT: 90, 6, "reserved", Shape::Reserved;
    ENTRIES: 96, 400, "entries", Shape::BucketEntries("count");
    RESERVED_END: 496, 16, "reserved", Shape::Reserved;
}

const _: () = assert!(at::ENTRIES.length == BUCKET_ENTRIES_MAX * BUCKET_ENTRY_LENGTH);

/// One reservation of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketEntry {
    /// The name's hash.
    pub hash: NameHash,
    /// Whose it is.
    pub layer: LayerId,
}

impl BucketEntry {
    /// The entry in these bytes.
    pub(crate) fn of_bytes(bytes: &[u8; BUCKET_ENTRY_LENGTH]) -> BucketEntry {
        let number = |from: usize, length: usize| {
            bytes[from..from + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let descriptor = DescriptorNumber(u32::try_from(number(8, 4)).unwrap_or(u32::MAX));
        let layer = LayerId { descriptor, uid: DiskUid(number(12, 8)) };
        BucketEntry { hash: NameHash(number(0, 8)), layer }
    }

    fn bytes(&self) -> [u8; BUCKET_ENTRY_LENGTH] {
        let mut bytes = [0; BUCKET_ENTRY_LENGTH];
        bytes[..8].copy_from_slice(&self.hash.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.layer.descriptor.0.to_le_bytes());
        bytes[12..].copy_from_slice(&self.layer.uid.0.to_le_bytes());
        bytes
    }

    const fn order(&self) -> (u64, u32) {
        (self.hash.0, self.layer.descriptor.0)
    }
}

/// A bucket of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketRecord {
    /// Sorted by hash and descriptor, each pair once; at most [`BUCKET_ENTRIES_MAX`].
    pub entries: Vec<BucketEntry>,
}

impl BucketRecord {
    /// The entries of that hash: whoever looks for a name asks each of these descriptors.
    pub fn of_hash(&self, hash: NameHash) -> impl Iterator<Item = &BucketEntry> {
        self.entries.iter().filter(move |entry| entry.hash == hash)
    }

    /// This bucket with an entry more, or with the uid of the entry of that hash and descriptor replaced; `None` where it is
    /// full.
    #[must_use]
    pub fn with(&self, entry: BucketEntry) -> Option<BucketRecord> {
        let mut entries = self.entries.clone();
        match entries.binary_search_by_key(&entry.order(), BucketEntry::order) {
            Ok(index) => entries[index] = entry,
            Err(_) if entries.len() >= BUCKET_ENTRIES_MAX => return None,
            Err(index) => entries.insert(index, entry),
        }
        Some(BucketRecord { entries })
    }

    /// This bucket without an entry.
    #[must_use]
    pub fn without(&self, entry: BucketEntry) -> BucketRecord {
        BucketRecord { entries: self.entries.iter().copied().filter(|kept| *kept != entry).collect() }
    }
}

impl Record for BucketRecord {
    const KIND: Kind = Kind::DirectoryBucket;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if self.entries.len() > BUCKET_ENTRIES_MAX {
            return Err(at::COUNT.error("more entries than there is room for"));
        }
        if !self.entries.windows(2).all(|pair| pair[0].order() < pair[1].order()) {
            return Err(at::ENTRIES.error("entries that are not in order"));
        }
        let in_use = |entry: &BucketEntry| {
            entry.hash.0 != 0 && entry.layer.uid != DiskUid(0) && entry.layer.uid <= DiskUid::LARGEST
        };
        if !self.entries.iter().all(in_use) {
            return Err(at::ENTRIES.error("an entry of nobody"));
        }
        Ok(())
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        let descriptors = layout.descriptor_count();
        if self.entries.iter().any(|entry| entry.layer.descriptor.0 >= descriptors) {
            return Err(at::ENTRIES.error("a descriptor that the datastore does not have"));
        }
        Ok(())
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_u16(at::COUNT, u16::try_from(self.entries.len()).unwrap_or(u16::MAX));
        let bytes: Vec<u8> = self.entries.iter().flat_map(BucketEntry::bytes).collect();
        draft.put(at::ENTRIES, &bytes);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(view.u16(at::COUNT));
        let (entries, _) = view.bytes(at::ENTRIES).as_chunks::<BUCKET_ENTRY_LENGTH>();
        let Some((used, rest)) = entries.split_at_checked(count) else {
            return Err(at::COUNT.error("more entries than there is room for"));
        };
        if rest.iter().flatten().any(|byte| *byte != 0) {
            return Err(at::ENTRIES.error("bytes beyond the entries"));
        }
        Ok(BucketRecord { entries: used.iter().map(BucketEntry::of_bytes).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(hash: u64, descriptor: u32, uid: u64) -> BucketEntry {
        let layer = LayerId { descriptor: DescriptorNumber(descriptor), uid: DiskUid(uid) };
        BucketEntry { hash: NameHash(hash), layer }
    }

    #[test]
    fn a_bucket_stays_in_order_whatever_comes_and_goes() {
        let mut bucket = BucketRecord::default();
        for (index, hash) in [9, 3, 7, 3, 1].into_iter().enumerate() {
            bucket = bucket.with(entry(hash, u32::try_from(index).unwrap(), 1)).unwrap();
            assert_eq!(bucket.check(), Ok(()));
        }
        let twins: Vec<u32> = bucket.of_hash(NameHash(3)).map(|entry| entry.layer.descriptor.0).collect();
        assert_eq!(twins, [1, 3]);
        let adopted = bucket.with(entry(3, 1, 2)).unwrap();
        assert_eq!((adopted.entries.len(), adopted.entries[1]), (5, entry(3, 1, 2)));
        assert_eq!(adopted.without(entry(3, 1, 1)), adopted, "an entry of an earlier use is another entry");
        assert_eq!(adopted.without(entry(3, 1, 2)).entries.len(), 4);
    }

    #[test]
    fn a_full_bucket_takes_nothing_more_but_what_it_has() {
        let full = (0..20).fold(BucketRecord::default(), |bucket, index| {
            bucket.with(entry(1 + u64::from(index), index, 1)).unwrap()
        });
        assert_eq!(full.with(entry(99, 1, 1)), None);
        assert!(full.with(entry(1, 0, 5)).is_some());
    }
}
