//! `reset-cascade`: one late command, then a LUN reset.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::ResetCascade,
    layer: Layer::HostQueue,
    title: "One late command, then a reset killed everything in flight",
    what: "One command was late. The host aborted it, and when that did not help, reset the LUN. The \
           reset ended every other command in flight, from every host, healthy or not. Each of them is \
           now unknown; all hosts retry at the same moment, and the array is slower than before.",
    seen_as: "One 0x89 with H:0x5, then within about a second dozens of commands with H:0x8 on the \
              same LUN, on this host and on others; sense 6/29/00.",
    proof: Evidence {
        live: None,
        logs: "The first abort precedes the storm of H:0x8 on the same device. The storm's lines are \
               victims, not causes.",
    },
    consequence: "A small delay becomes a pause of all hosts, and every swap in flight becomes a \
                  candidate for the false miscompare.",
    remedy: &[
        Remedy {
            text: "Mend what made the first command late; see `slow-storage`, `path-fault` and \
                   `queue-depth`.",
            risk: Risk::Looks,
            source: Source::Broadcom(326437),
        },
        Remedy {
            text: "Use long command time-outs, and give up by bookkeeping in the program instead of \
                   aborting in the kernel.",
            risk: Risk::Changes,
            source: Source::Document("docs/ATS.md"),
        },
        Remedy {
            text: "On EMC VPLEX see the vendor's article on device resets after a miscompare.",
            risk: Risk::Looks,
            source: Source::Article("VPLEX KB 207382"),
        },
    ],
    sources: &[
        Source::Page("https://ryanjan.uk/2018/07/11/vmfs-datastore-connectivity-issue/"),
        Source::Article("VPLEX KB 207382"),
        Source::Broadcom(326437),
    ],
};
