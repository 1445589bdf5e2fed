//! `foreign-block`: no record of ours stands there.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::ForeignBlock,
    layer: Layer::FileSystem,
    title: "The block is not ours",
    what: "Where a record should be there are zeros, another volume's record, or another program's \
           data. The block was never initialised, or somebody else believes that the device is theirs: \
           a second file system, a partition tool, a wrong LUN mapping.",
    seen_as: "Zeros, another datastore's identity, or a foreign file system's magic at a record's \
              address. Oarlock: action `refused`, and no `by` in the event.",
    proof: Evidence {
        live: Some(
            "Two direct reads agree that the block has no magic of ours, or a valid record with \
             another datastore's format id.",
        ),
        logs: "A dump shows zeros or another volume's identity where this volume's record belongs; or \
               another system logs that it formatted or partitioned this device.",
    },
    consequence: "The foreigner may write on. Restoring the record before finding the foreigner lasts \
                  until its next write.",
    remedy: &[
        Remedy {
            text: "Find who else has the LUN mapped and writes to it; take the mapping away.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Then restore the record from its copy with `oarlock check --repair`.",
            risk: Risk::Final,
            source: Source::Document("docs/PROTOCOL.md"),
        },
    ],
    sources: &[Source::CommonPractice],
};
