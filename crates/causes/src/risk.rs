//! What it costs to follow a remedy, so that nobody does at night what needs a maintenance window or cannot be undone.

use crate::named::named_enum;

named_enum! {
    /// What following a remedy may cost. `ALL` goes from harmless to final.
    Risk {
        /// It only looks.
        Looks = "looks",
        /// It changes how things are set.
        Changes = "changes",
        /// Something goes away for a while.
        Interrupts = "interrupts",
        /// It overwrites or lets go of what may be needed.
        Final = "final",
    }
}

impl Risk {
    /// In a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Risk::Looks => "Changes nothing.",
            Risk::Changes => "Changes a setting: note the old value, and do the same on every host.",
            Risk::Interrupts => {
                "Needs a maintenance window: a path, a host or a part of the array goes away for a while."
            }
            Risk::Final => "Cannot be undone: dump what is there first, and be sure that no host uses it.",
        }
    }
}
