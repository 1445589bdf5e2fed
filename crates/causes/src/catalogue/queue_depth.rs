//! `queue-depth`: the command waited in the host's own queue.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::QueueDepth,
    layer: Layer::HostQueue,
    title: "The command waited in the host's own queue",
    what: "The device was quick, but the command did not reach it for a long time: the host's queue \
           for that LUN or that adapter was full of other I/O, or the array answered TASK SET FULL and \
           the host throttled itself.",
    seen_as: "KAVG or QAVG high while DAVG is normal; QUED above 0 with ACTV at LQLEN; throttle \
              messages; D:0x28. Linux: inflight at queue_depth, aqu-sz high. Oarlock: `queue_us` \
              dwarfs `device_us`.",
    proof: Evidence {
        live: Some(
            "The attempt itself tells how long it waited in this host's queue, and that is many times \
             what it needed in the device.",
        ),
        logs: "Time in the host's queue far above the time in the device for the same command; queue \
               counters at their limit; TASK SET FULL from the device.",
    },
    consequence: "Heartbeats wait behind bulk I/O, leases lapse, and the device is blamed though it \
                  was idle.",
    remedy: &[
        Remedy {
            text: "Raise the queue depth of adapter and device, and the number of outstanding I/Os, \
                   only to what the array's vendor recommends.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Put fewer busy disks on one LUN.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Let heartbeats pass first: their own thread and their own place in the queue.",
            risk: Risk::Changes,
            source: Source::Document("docs/PROTOCOL.md"),
        },
    ],
    sources: &[Source::CommonPractice],
};
