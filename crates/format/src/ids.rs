//! Numbers that name things on the disk: datastores, attempts, images, lives, hosts, changes of owner.

use std::fmt;

use siphasher::sip::SipHasher24;

use crate::names::HostName;

/// What a repair adds to a generation (R39): so far beyond any that was seen that no late command can meet its image.
const REPAIR_STEP: u64 = 1 << 32;

/// The datastore: drawn at format, carried by each of its images, and kept by a resignature (R22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatId(pub u128);

impl FormatId {
    /// SipHash-2-4 of `bytes`, keyed by this id (its little-endian bytes): each datastore hashes its own way, so that
    /// names that collide in one do not collide in the next.
    #[must_use]
    pub fn keyed_hash(&self, bytes: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0.to_le_bytes()).hash(bytes)
    }
}

impl fmt::Display for FormatId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// One attempt: 128 random bits, drawn for each image anew (R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u128);

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// A number that only grows, and that the disk carries.
macro_rules! growing {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The largest value that is accepted from a disk. Beyond it lies only damage, and room for
            /// [`next`](Self::next) never to overflow.
            pub const LARGEST: Self = Self(1 << 63);

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}", self.0)
            }
        }
    };
}

pub(crate) use growing;

growing! {
    /// Which image of a record this is: one more than that of the image it replaced.
    Generation
}

growing! {
    /// One life of a host in a slot. It grows with each join, and is kept while the slot is free.
    Incarnation
}

growing! {
    /// How often a lock has changed its owner. What a dead owner wrote is judged by it (R12).
    Epoch
}

impl Generation {
    /// The generation that a repair gives to an image that replaces this one (R39).
    #[must_use]
    pub const fn repaired(self) -> Generation {
        Generation(self.0.saturating_add(REPAIR_STEP))
    }
}

/// A host: the keyed hash of its name, the same in each of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u64);

impl HostId {
    /// The id of the host of this name in this datastore.
    #[must_use]
    pub fn of(format_id: &FormatId, name: &HostName) -> HostId {
        HostId(format_id.keyed_hash(name.as_str().as_bytes()))
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_siphash_2_4_as_published() {
        // The first vectors of the SipHash paper: key 00 01 .. 0f, input of 0 and of 1 byte.
        let key = FormatId(u128::from_le_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap())));
        assert_eq!(key.keyed_hash(&[]), u64::from_le_bytes([0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72]));
        assert_eq!(
            key.keyed_hash(&[0]),
            u64::from_le_bytes([0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74])
        );
    }

    #[test]
    fn a_number_that_only_grows_never_wraps() {
        assert_eq!(Generation(7).next(), Generation(8));
        assert_eq!(Generation(u64::MAX).next(), Generation(u64::MAX));
        assert!(Generation::LARGEST.repaired() > Generation::LARGEST);
    }

    #[test]
    fn one_name_is_another_host_in_another_datastore() {
        let name = HostName::new("a").unwrap();
        assert_ne!(HostId::of(&FormatId(1), &name), HostId::of(&FormatId(2), &name));
    }
}
