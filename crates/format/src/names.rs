//! Names that people give: hosts, datastores, locks, disks, snapshots; and what makes a name a bad one.

use std::fmt;
use std::sync::Arc;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No text at all.
    #[error("a name has at least one byte")]
    Empty,
    /// Too many bytes.
    #[error("a name of {length} bytes is too long: {length_max} bytes are the most")]
    TooLong {
        /// Bytes in the text.
        length: usize,
        /// Bytes that this kind of name may have.
        length_max: usize,
    },
    /// A control character.
    #[error("a name holds no control character (there is one at byte {offset})")]
    Control {
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// An `@`, which separates a disk from its snapshot.
    #[error("a name holds no `@` (there is one at byte {offset})")]
    At {
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// A part between slashes that is empty, `.` or `..`.
    #[error("a part of a name is not empty, `.` or `..` (found `{part}`)")]
    Part {
        /// The part.
        part: String,
    },
    /// A folder where names have none.
    #[error("this kind of name holds no `/` (there is one at byte {offset})")]
    Slash {
        /// Where it stands, in bytes.
        offset: usize,
    },
    /// White space at an end, which nobody sees.
    #[error("a name neither starts nor ends with white space")]
    EdgeSpace,
}

/// What all names have in common.
fn check(text: &str, length_max: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > length_max {
        return Err(NameError::TooLong { length: text.len(), length_max });
    }
    for (offset, character) in text.char_indices() {
        if character.is_control() {
            return Err(NameError::Control { offset });
        }
        if character == '@' {
            return Err(NameError::At { offset });
        }
    }
    match text.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some(part) => Err(NameError::Part { part: part.to_owned() }),
        None => Ok(()),
    }
}

/// What names without folders have in common.
fn check_flat(text: &str, length_max: usize) -> Result<(), NameError> {
    if let Some(offset) = text.find('/') {
        return Err(NameError::Slash { offset });
    }
    check(text, length_max)?;
    if text.trim() == text { Ok(()) } else { Err(NameError::EdgeSpace) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $length_max:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Bytes that the name has at most.
            pub const LENGTH_MAX: usize = $length_max;

            /// The name, if `text` is one.
            ///
            /// # Errors
            /// What is wrong with the text.
            pub fn new(text: &str) -> Result<Self, NameError> {
                $check(text, Self::LENGTH_MAX)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", &*self.0)
            }
        }
    };
}

name! {
    /// The name of a host: 1 to 64 bytes of UTF-8, no folders.
    HostName, 64, check_flat
}

name! {
    /// The name of a datastore: 1 to 64 bytes of UTF-8, no folders.
    Label, 64, check_flat
}

name! {
    /// The name of a lock: 1 to 255 bytes of UTF-8, with `/` between folders.
    LockName, 255, check
}

name! {
    /// The name of a disk, or of a snapshot without its disk's: 1 to 255 bytes of UTF-8, with `/` between folders.
    LayerName, 255, check
}

/// What the verbs of disks are given: `NAME` for a disk, `NAME@SNAP` for one of its snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiskTarget {
    /// The disk.
    pub disk: LayerName,
    /// Its snapshot.
    pub snapshot: Option<LayerName>,
}

impl DiskTarget {
    /// The disk or snapshot that `text` names.
    ///
    /// # Errors
    /// What is wrong with the text; offsets count within the part that is wrong.
    pub fn new(text: &str) -> Result<DiskTarget, NameError> {
        let (disk, snapshot) = match text.split_once('@') {
            Some((disk, snapshot)) => (disk, Some(snapshot)),
            None => (text, None),
        };
        let snapshot = snapshot.map(LayerName::new).transpose()?;
        Ok(DiskTarget { disk: LayerName::new(disk)?, snapshot })
    }
}

impl fmt::Display for DiskTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.snapshot {
            Some(snapshot) => write!(formatter, "{}@{snapshot}", self.disk),
            None => write!(formatter, "{}", self.disk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_name_may_have_folders_and_any_script() {
        for good in ["nightly", "backup/nightly", "ночь/夜", ".hidden", "...", " a ", &"x".repeat(255)] {
            assert_eq!(LockName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_bad_lock_name_is_refused_with_what_is_wrong() {
        let part = |part: &str| NameError::Part { part: part.to_owned() };
        let cases = [
            ("", NameError::Empty),
            ("a@b", NameError::At { offset: 1 }),
            ("a\n", NameError::Control { offset: 1 }),
            ("a\u{85}", NameError::Control { offset: 1 }),
            ("/a", part("")),
            ("a/", part("")),
            ("a//b", part("")),
            ("a/./b", part(".")),
            ("..", part("..")),
        ];
        for (text, error) in cases {
            assert_eq!(LockName::new(text), Err(error), "{text:?}");
        }
        let long = "x".repeat(256);
        assert_eq!(LockName::new(&long), Err(NameError::TooLong { length: 256, length_max: 255 }));
    }

    #[test]
    fn a_disk_and_its_snapshot_are_told_apart_by_one_at() {
        for text in ["vm/web", "vm/web@before the upgrade", "a@b/c"] {
            assert_eq!(DiskTarget::new(text).unwrap().to_string(), text);
        }
        assert_eq!(DiskTarget::new("a@b").unwrap().snapshot, LayerName::new("b").ok());
        for (text, error) in
            [("@a", NameError::Empty), ("a@", NameError::Empty), ("a@b@c", NameError::At { offset: 1 })]
        {
            assert_eq!(DiskTarget::new(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_host_name_is_flat_and_has_no_hidden_ends() {
        assert_eq!(HostName::new("rack 7").unwrap().as_str(), "rack 7");
        assert_eq!(HostName::new("a/b"), Err(NameError::Slash { offset: 1 }));
        assert_eq!(HostName::new(" a"), Err(NameError::EdgeSpace));
        assert_eq!(Label::new("a\u{a0}"), Err(NameError::EdgeSpace));
        assert_eq!(Label::new(&"x".repeat(65)), Err(NameError::TooLong { length: 65, length_max: 64 }));
    }
}
