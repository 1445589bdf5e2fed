//! `fabric-congestion`: frames wait for credits.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::FabricCongestion,
    layer: Layer::Fabric,
    title: "The fabric is congested",
    what: "Frames wait in the fabric because one device does not take its own fast enough (a slow \
           drain) or because more is sent over a link than it carries. Ports that have nothing to do \
           with it suffer too.",
    seen_as: "FPIN congestion and credit stall messages; aborts over many LUNs at once, of more than \
              one array. Linux: fpin counters of fc_host, of the host and of its remote ports.",
    proof: Evidence {
        live: None,
        logs: "FPIN notifications or growing fc_host fpin counters in the same minutes as the slow or \
               aborted commands, over more than one LUN.",
    },
    consequence: "Heartbeats are late on volumes that share nothing but the fabric, and many hosts \
                  lapse together.",
    remedy: &[
        Remedy {
            text: "Find the slow-draining device and take it off the fabric or slow its senders.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(390100),
        },
        Remedy {
            text: "Look for over-subscribed links between switches.",
            risk: Risk::Looks,
            source: Source::Broadcom(390100),
        },
        Remedy {
            text: "Look at the adapter's own congestion messages and driver advice.",
            risk: Risk::Looks,
            source: Source::Broadcom(436399),
        },
    ],
    sources: &[Source::Broadcom(390100), Source::Broadcom(436399)],
};
