//! What a host did about a false or an unknown answer.

use crate::named::named_enum;

named_enum! {
    /// What a host did once the cause of an answer had its name.
    Action {
        /// The image on the disk is one of this host's own attempts: it goes on from there. Of a takeover: it is done, and the
        /// locks of the host that it names can be taken.
        Adopted = "adopted",
        /// Another host won: back off and come again, or report it to the caller.
        Lost = "lost",
        /// A new attempt was sent, against an image that was read since.
        Retried = "retried",
        /// Guest I/O is kept back until a beat is confirmed or the hold time is over.
        Held = "held",
        /// A host was stopped for good, and only a new incarnation may come back: this one, which was fenced, or, in the event
        /// of a fence, the one that it names.
        Stopped = "stopped",
        /// What stands there cannot be true (older than known, damaged, or equal to what was expected): the host
        /// builds nothing on it, and puts the path aside where a path is at fault. Of a takeover: it does not get on, for the reason given.
        Refused = "refused",
    }
}
