//! `array-load`: the array is busy with its own work.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::ArrayLoad,
    layer: Layer::Array,
    title: "The array is busy with work of its own",
    what: "The array spends its time on a mass of UNMAP commands, on a scrub, a rebuild, a backup or a \
           replication, and answers heartbeats when it gets round to it.",
    seen_as: "Many 0x42 (UNMAP) with H:0x5 or H:0x8 around the late 0x89; slowness that follows a \
              schedule.",
    proof: Evidence {
        live: None,
        logs: "The late commands coincide with a mass of UNMAP or with a job of the array whose times \
               are known.",
    },
    consequence: "As with slow storage, but at set hours and on every LUN of the array.",
    remedy: &[Remedy {
        text: "Throttle space reclamation and the array's background jobs, or move them apart.",
        risk: Risk::Changes,
        source: Source::Broadcom(405254),
    }],
    sources: &[Source::Broadcom(405254)],
};
