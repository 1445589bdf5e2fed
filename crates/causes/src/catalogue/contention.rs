//! `contention`: another host won the race.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::Contention,
    layer: Layer::FileSystem,
    title: "Another host won the record",
    what: "Two hosts read the same image of a shared record and both tried to swap it. The disk let \
           one of them through; the other was answered false because the record really had changed. \
           Nothing is broken: this is what an atomic test and set is for.",
    seen_as: "A miscompare on a lock record, not on the host's own heartbeat slot. VMFS: `DLX: ... Not \
              free; Lock [type 10c0000x ...]` with an owner whose stamp moves, and no time-outs \
              nearby. Oarlock: a `miscompare` event with action `lost`, `by` naming the winner.",
    proof: Evidence {
        live: Some(
            "The image that was read back carries another host's identity, is newer than the expected \
             one, and bears none of this host's own nonces.",
        ),
        logs: "The lock's owner is another host that is alive (its time stamp moves), the record is a \
               lock and not the host's own slot, and no command to that device timed out or was \
               aborted shortly before.",
    },
    consequence: "A short wait. Only when many hosts fight over few records, or a volume is almost \
                  full so that all search the same allocation records, does it cost time that users \
                  notice.",
    remedy: &[
        Remedy {
            text: "Read the record again, then try again after a pause that grows and is jittered; \
                   give up at a deadline.",
            risk: Risk::Looks,
            source: Source::Document("docs/ATS.md"),
        },
        Remedy {
            text: "Let fewer hosts share one volume, and keep more than a tenth of it free.",
            risk: Risk::Changes,
            source: Source::Broadcom(301887),
        },
    ],
    sources: &[Source::Broadcom(301887), Source::Document("docs/ATS.md")],
};
