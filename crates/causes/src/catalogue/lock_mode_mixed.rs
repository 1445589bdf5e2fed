//! `lock-mode-mixed`: hosts lock one volume in different ways.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::LockModeMixed,
    layer: Layer::FileSystem,
    title: "Hosts lock one volume in different ways",
    what: "Some hosts lock by atomic test and set only, others fall back on reservations. Each sees \
           locks in a state that its own way would never produce.",
    seen_as: "Failures to acquire and to break locks on a volume of more than 8 hosts; different \
              answers of `esxcli storage vmfs lockmode list` on different hosts.",
    proof: Evidence {
        live: None,
        logs: "`esxcli storage vmfs lockmode list` differs between hosts for the same volume.",
    },
    consequence: "Locks are slow or cannot be had. The volume's promise to be shared is weaker than it \
                  looks.",
    remedy: &[Remedy {
        text: "Bring the volume to the same locking mode on every host.",
        risk: Risk::Interrupts,
        source: Source::Broadcom(340212),
    }],
    sources: &[Source::Broadcom(340212)],
};
