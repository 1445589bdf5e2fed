//! Why a lock can no longer be relied upon: a kind for programs, and a sentence for people.

use std::fmt;

/// Defines the kinds and their names at once.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $name:literal; )+) => {
        /// What kind of loss it was. More kinds may come.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum LossKind {
            $( $(#[$doc])* $kind, )+
        }

        impl LossKind {
            /// Every kind.
            pub const ALL: &'static [LossKind] = &[$( LossKind::$kind, )+];

            /// Its name, as the API says it: it stays.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $( LossKind::$kind => $name, )+
                }
            }
        }
    };
}

kinds! {
    /// The host's lease was not renewed in time: it, its device or this machine stood still.
    NotRenewed = "not-renewed";
    /// The host is leaving the datastore, or has left it.
    Leaving = "leaving";
    /// Another host wrote this one's death on the disk, and has the lock, or will have it soon.
    Fenced = "fenced";
    /// The host stopped for another reason, which the words say.
    Stopped = "stopped";
    /// The connection to the host was closed: it died, or was killed.
    Disconnected = "disconnected";
    /// The host said it in words alone.
    Unnamed = "unnamed";
}

impl LossKind {
    /// The kind of that name; [`Unnamed`](LossKind::Unnamed) where this version has none.
    #[must_use]
    pub fn from_name(name: Option<&str>) -> LossKind {
        let known = LossKind::ALL.iter().find(|kind| Some(kind.name()) == name);
        known.copied().unwrap_or(LossKind::Unnamed)
    }
}

/// Why a lock was lost. It is shown as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    kind: LossKind,
    words: String,
}

impl Loss {
    /// A loss of that kind, in those words.
    #[must_use]
    pub fn new(kind: LossKind, words: impl Into<String>) -> Loss {
        Loss { kind, words: words.into() }
    }

    /// What kind of loss it was.
    #[must_use]
    pub fn kind(&self) -> LossKind {
        self.kind
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_s_name_leads_back_to_it_and_an_unknown_one_is_no_error() {
        for kind in LossKind::ALL {
            assert_eq!(LossKind::from_name(Some(kind.name())), *kind);
        }
        assert_eq!(LossKind::from_name(Some("of a later version")), LossKind::Unnamed);
        assert_eq!(LossKind::from_name(None), LossKind::Unnamed);
        assert_eq!(Loss::new(LossKind::Leaving, "it leaves").to_string(), "it leaves");
    }
}
