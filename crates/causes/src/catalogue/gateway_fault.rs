//! `gateway-fault`: the gateway fights with itself.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::GatewayFault,
    layer: Layer::Array,
    title: "The gateway in front of the storage fights with itself",
    what: "Several gateways export one backing image and pass its exclusive lock back and forth, \
           because hosts use them active/active; or a gateway shuts down with commands in flight.",
    seen_as: "tcmu-runner: `Acquired exclusive lock` and `Async lock drop` in turns, about every \
              second; ESHUTDOWN. The hosts see slow and aborted commands without any pattern of their \
              own.",
    proof: Evidence {
        live: None,
        logs: "The gateway's own log: lock acquired and dropped again and again, or the backend's \
               ESHUTDOWN, at the times of the failures.",
    },
    consequence: "Latency of seconds, aborts, and in the worst case a write executed by a gateway that \
                  had lost the lock.",
    remedy: &[
        Remedy {
            text: "Configure the hosts for active/passive (failover) paths only.",
            risk: Risk::Changes,
            source: Source::Page("https://github.com/open-iscsi/tcmu-runner/issues/356"),
        },
        Remedy {
            text: "Use a version of the gateway that leaves the compare and write to the storage \
                   behind it.",
            risk: Risk::Interrupts,
            source: Source::Page("https://github.com/open-iscsi/tcmu-runner/pull/330"),
        },
    ],
    sources: &[
        Source::Page("https://github.com/open-iscsi/tcmu-runner/issues/341"),
        Source::Page("https://github.com/open-iscsi/tcmu-runner/issues/356"),
        Source::Page("https://github.com/open-iscsi/tcmu-runner/issues/668"),
    ],
};
