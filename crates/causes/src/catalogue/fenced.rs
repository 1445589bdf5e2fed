//! `fenced`: another host marked this one dead.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::Fenced,
    layer: Layer::FileSystem,
    title: "This host was marked dead on the disk",
    what: "This host did not beat for a whole watch. Another host, waiting for something that this one \
           owned, marked its slot Fenced, cut it off and took over. The disk is right; this host must \
           believe it.",
    seen_as: "A miscompare on the host's own slot that no attempt of its own explains. Oarlock: action \
              `stopped`, `by` names the fencer; later writes meet a reservation conflict where \
              reservations fence.",
    proof: Evidence {
        live: Some(
            "The image in this host's own slot says Fenced (or a later step of the takeover), and \
             names the host and the incarnation that fenced it.",
        ),
        logs: "The host's own heartbeat slot was taken by another host, or its registration key was \
               preempted, after a silence longer than the others' patience.",
    },
    consequence: "This incarnation is over: guest I/O fails with EIO. What was flushed before is \
                  there. A new incarnation may join at once.",
    remedy: &[
        Remedy {
            text: "Find why this host was silent: its beats, its lapses and its path events before the \
                   fence tell.",
            risk: Risk::Looks,
            source: Source::Document("docs/ATS.md"),
        },
        Remedy {
            text: "Start the host again; it joins as a new incarnation.",
            risk: Risk::Interrupts,
            source: Source::Document("docs/PROTOCOL.md"),
        },
    ],
    sources: &[Source::Document("docs/PROTOCOL.md"), Source::Document("docs/ATS.md")],
};
