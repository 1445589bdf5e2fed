//! `path-fault`: a path failed with commands in flight.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::PathFault,
    layer: Layer::Fabric,
    title: "A path failed with the command in flight",
    what: "A cable, an optic, a port or a session failed while the command was on its way. Whether the \
           array executed it cannot be known from here. The host went on through another path, and met \
           what the first path had left.",
    seen_as: "RSCN, link down, sense 6/29/07 (I_T nexus loss), H:0x1, H:0x2, H:0xc or H:0xd, aborts \
              rejected; then a miscompare through another vmhba. Linux: multipath says `failed path`, \
              fc_host counts link failures. Oarlock: `unknown` because the path was lost, and a `path` \
              event.",
    proof: Evidence {
        live: Some(
            "An attempt ended unknown because its path or session was lost, and the path's own state \
             changed within the window between sending and giving up.",
        ),
        logs: "A path event (link, RSCN, nexus loss, no connect) lies between the sending of the \
               command and the false answer to its successor.",
    },
    consequence: "Every command in flight on that path has an unknown outcome. Sent again blindly, a \
                  plain write may land twice and an atomic test and set meets itself.",
    remedy: &[
        Remedy {
            text: "Replace the failing optic or cable; look at the port's error counters on both ends.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(436435),
        },
        Remedy {
            text: "Update the adapter's driver where aborts are rejected or links drop without a fault \
                   of the fabric.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(404949),
        },
        Remedy {
            text: "Look for target identity storms after a link event, and for the driver version that \
                   ends them.",
            risk: Risk::Looks,
            source: Source::Broadcom(432676),
        },
    ],
    sources: &[Source::Broadcom(436435), Source::Broadcom(404949), Source::Broadcom(432676)],
};
