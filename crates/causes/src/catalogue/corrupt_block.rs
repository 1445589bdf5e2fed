//! `corrupt-block`: the record is torn or rotten.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::CorruptBlock,
    layer: Layer::Medium,
    title: "The record is damaged",
    what: "What stands in the block is no valid record: its magic, its own address or its checksum is \
           wrong. It was torn by a power cut, rotted on the medium, or half overwritten.",
    seen_as: "VMFS: `may be damaged on disk. Corrupt heartbeat detected at offset N: [HB state 0 ...`; \
              every atomic test and set on that slot fails for ever. Oarlock: a `miscompare` event \
              with action `refused`, `oarlock check` names the record.",
    proof: Evidence {
        live: Some(
            "Magic, own address or CRC is wrong in eight direct reads within one beat, and through \
             another path where there is one (a live record may be read torn, so one bad read proves \
             nothing).",
        ),
        logs: "A dump of the block shows zeros, a wrong magic or an offset that is not its own; or the \
               file system says that it is corrupt.",
    },
    consequence: "Nobody can take or give up what the record guards. Overwriting it blindly may make \
                  two owners.",
    remedy: &[
        Remedy {
            text: "Repair the record from its copy, with the tool that knows the format; for Oarlock \
                   `oarlock check --repair`.",
            risk: Risk::Final,
            source: Source::Document("docs/PROTOCOL.md"),
        },
        Remedy {
            text: "On VMFS let the vendor's support repair the heartbeat region; never overwrite it by \
                   hand.",
            risk: Risk::Final,
            source: Source::Broadcom(341659),
        },
        Remedy {
            text: "Read the array's and the disk's error logs: find what damaged it.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
    ],
    sources: &[
        Source::Broadcom(341659),
        Source::Page("http://virtualpatel.blogspot.co.uk/2013/01/how-to-verify-vmfs-heartbeat-region.html"),
    ],
};
