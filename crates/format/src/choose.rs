//! Two copies of the superblock, each whole, spoiled, foreign or newer: which is true, and what is to be repaired.

use crate::error::DecodeError;
use crate::ids::FormatId;
use crate::record::Stamped;
use crate::superblock::Superblock;

/// What was read at one of the two places.
type Copy = Result<Stamped<Superblock>, DecodeError>;

/// Which copy is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// The first: always, while it can be read (R38).
    First,
    /// The shadow: the first is spoiled.
    Shadow,
}

/// What is wrong with the copy that is not taken for true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherCopy {
    /// Nothing.
    Same,
    /// It is older: the step that refreshes it was not reached, or is on its way.
    Behind,
    /// It is newer: a growth writes the new shadow before the first copy and was broken off, or the first copy was
    /// rolled back.
    Ahead,
    /// It is of the same generation and says something else: two writers, or a copy laid over one of them.
    Differs,
    /// It was spoiled: to be written again.
    Damaged(DecodeError),
    /// Something else stands there, or nothing: to be written again.
    Missing(DecodeError),
    /// It belongs to another datastore that stood on this device: to be written again.
    OtherDatastore(FormatId),
    /// A newer program wrote it: not to be touched.
    Newer(DecodeError),
}

impl OtherCopy {
    /// Whether a repair should write that copy again.
    #[must_use]
    pub const fn wants_repair(&self) -> bool {
        match self {
            OtherCopy::Same | OtherCopy::Ahead | OtherCopy::Newer(_) => false,
            OtherCopy::Behind
            | OtherCopy::Differs
            | OtherCopy::Damaged(_)
            | OtherCopy::Missing(_)
            | OtherCopy::OtherDatastore(_) => true,
        }
    }
}

/// The superblock to go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// It.
    pub superblock: Stamped<Superblock>,
    /// Where it was read.
    pub truth: Truth,
    /// What is to be said about the other copy.
    pub other: OtherCopy,
}

/// Why there is no superblock to go by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSuperblock {
    /// No datastore: neither place holds anything of ours.
    #[error("this device holds no datastore: {first}")]
    NotOurs {
        /// What the first block is.
        first: DecodeError,
    },
    /// A datastore was here. Something else was written over its first block, and its shadow still stands. Whether the
    /// device has a new owner only a person can say: `check --repair`.
    #[error("the superblock was overwritten ({first}); its shadow still stands")]
    Overwritten {
        /// What the first block is.
        first: DecodeError,
        /// The shadow, to restore it from.
        shadow: Box<Stamped<Superblock>>,
    },
    /// Something of ours is here, and neither copy can be read.
    #[error("both copies of the superblock are unreadable: first, {first}; shadow, {shadow}")]
    Damaged {
        /// What is wrong with the first.
        first: DecodeError,
        /// What is wrong with the shadow.
        shadow: DecodeError,
    },
    /// A newer program made this datastore.
    #[error("this datastore needs a newer program: {found}")]
    Newer {
        /// What is unknown.
        found: DecodeError,
    },
}

/// What one copy is worth.
enum Worth {
    Whole(Box<Stamped<Superblock>>),
    Damaged(DecodeError),
    Foreign(DecodeError),
    Newer(DecodeError),
}

fn worth(copy: Copy) -> Worth {
    match copy {
        Ok(whole) => Worth::Whole(Box::new(whole)),
        Err(error) if error.is_damage() => Worth::Damaged(error),
        Err(error) if error.is_newer() => Worth::Newer(error),
        Err(error) => Worth::Foreign(error),
    }
}

/// Which of the two copies is true.
///
/// The first decides while it can be read. A spoiled first is stood in for by the shadow; an overwritten one is not,
/// because the device may have become somebody else's.
///
/// # Errors
/// Why there is none.
pub fn choose(first: Copy, shadow: Copy) -> Result<Chosen, NoSuperblock> {
    use Worth::{Damaged, Foreign, Newer, Whole};
    let by_first = |first: Box<Stamped<Superblock>>, other| {
        Ok(Chosen { superblock: *first, truth: Truth::First, other })
    };
    match (worth(first), worth(shadow)) {
        (Whole(first), Whole(shadow)) => {
            let other = compare(&first, &shadow);
            by_first(first, other)
        }
        (Whole(first), Damaged(error)) => by_first(first, OtherCopy::Damaged(error)),
        (Whole(first), Foreign(error)) => by_first(first, OtherCopy::Missing(error)),
        (Whole(first), Newer(error)) => by_first(first, OtherCopy::Newer(error)),
        (Damaged(error), Whole(shadow)) => {
            Ok(Chosen { superblock: *shadow, truth: Truth::Shadow, other: OtherCopy::Damaged(error) })
        }
        (Damaged(first), Damaged(shadow) | Foreign(shadow)) | (Foreign(first), Damaged(shadow)) => {
            Err(NoSuperblock::Damaged { first, shadow })
        }
        (Foreign(first), Whole(shadow)) => Err(NoSuperblock::Overwritten { first, shadow }),
        (Foreign(first), Foreign(_)) => Err(NoSuperblock::NotOurs { first }),
        (Newer(found), _) | (Damaged(_) | Foreign(_), Newer(found)) => Err(NoSuperblock::Newer { found }),
    }
}

/// What a whole shadow is beside a whole first copy.
fn compare(first: &Stamped<Superblock>, shadow: &Stamped<Superblock>) -> OtherCopy {
    if shadow.stamp.format_id != first.stamp.format_id {
        return OtherCopy::OtherDatastore(shadow.stamp.format_id);
    }
    match shadow.stamp.generation.cmp(&first.stamp.generation) {
        std::cmp::Ordering::Less => OtherCopy::Behind,
        std::cmp::Ordering::Greater => OtherCopy::Ahead,
        std::cmp::Ordering::Equal if shadow.record == first.record => OtherCopy::Same,
        std::cmp::Ordering::Equal => OtherCopy::Differs,
    }
}
