//! `rollback`: the block went back in time.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::Rollback,
    layer: Layer::Array,
    title: "The block went back in time",
    what: "The record is older than one that this or another host had seen there and the array had \
           acknowledged. A write cache was lost, a LUN was restored beneath its hosts, a failover \
           brought up the older half of a mirror, or a split brain healed the wrong way.",
    seen_as: "After a power loss, a failover or a restore: an owner or a generation older than one \
              seen before. Oarlock: `found_generation` is below the newest known, action `refused`.",
    proof: Evidence {
        live: Some(
            "The image checks out and is older than one that this host has read or had acknowledged \
             there; it stays so when read past every cache and through another path.",
        ),
        logs: "An owner, a generation or a time stamp older than one that the logs show acknowledged \
               on the same record, after an event that can lose writes.",
    },
    consequence: "All that was written since is in doubt, on every record and in every disk. A host \
                  that goes on builds on sand, so an Oarlock host stops as if it were fenced.",
    remedy: &[
        Remedy {
            text: "Stop all hosts first; then find out what was lost.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Look at the array's write cache, its battery, its mirroring and its failover log, \
                   with its vendor.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "When the loss is understood and accepted, let a host join once with \
                   `--accept-rollback`.",
            risk: Risk::Final,
            source: Source::Document("docs/PROTOCOL.md"),
        },
    ],
    sources: &[Source::CommonPractice, Source::Document("docs/PROTOCOL.md")],
};
