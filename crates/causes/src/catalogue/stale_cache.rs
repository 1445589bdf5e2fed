//! `stale-cache`: the expected image came from a cache.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::StaleCache,
    layer: Layer::FileSystem,
    title: "The expected image came out of a cache",
    what: "The host compared with what it believed to be on the disk, but its belief came from a \
           cache: the page cache, a hypervisor's, a gateway's, or its own memory of an earlier read. \
           Another host had long since changed the block.",
    seen_as: "The miscompare repeats with the same expected image however often it is tried; a read \
              past the caches shows another image, and the next attempt succeeds. Oarlock: \
              `expected_generation` is below a generation that this host itself had read before.",
    proof: Evidence {
        live: Some(
            "A direct read differs from the cached one, or the expected image is older than one that \
             this host had already read from that block.",
        ),
        logs: "Repeated miscompares with one unchanged expected image, on a device that is opened \
               through a cache or lies behind a caching hypervisor or gateway; a direct read of the \
               block differs.",
    },
    consequence: "Endless retries that can never succeed, and load that other hosts feel.",
    remedy: &[
        Remedy {
            text: "Read shared blocks with O_DIRECT (O_SYNC only where there is nothing better) or \
                   through SG_IO.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Switch off every cache of host, hypervisor and gateway for blocks that several \
                   hosts share.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Read the block again before every retry.",
            risk: Risk::Changes,
            source: Source::Document("docs/ATS.md"),
        },
    ],
    sources: &[Source::CommonPractice, Source::Document("docs/ATS.md")],
};
