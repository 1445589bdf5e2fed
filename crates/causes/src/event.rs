//! The kinds of events that a host records.

use crate::named::named_enum;

named_enum! {
    /// What an event is about.
    EventKind {
        /// An ATS was answered false.
        Miscompare = "miscompare",
        /// An ATS had no answer, or such an attempt was closed.
        Unknown = "unknown",
        /// A host was marked dead on the disk.
        Fence = "fence",
        /// A dead host's lock was broken and taken.
        Takeover = "takeover",
        /// A path went away, came back or was put aside.
        Path = "path",
        /// A lease ran out, or a held host went on.
        Lapse = "lapse",
        /// A lock changed hands between two living hosts.
        Handoff = "handoff",
        /// A damaged record was restored from its copy.
        Repair = "repair",
    }
}
