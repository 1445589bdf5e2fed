//! `slow-storage`: the device was far slower than its normal.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::SlowStorage,
    layer: Layer::Array,
    title: "The storage answered far too slowly",
    what: "The command was answered, but long after its usual time. The longer the way from reading \
           the expected image to executing the swap, the more likely is it that another host changed \
           the record meanwhile, or that the host's patience ended first.",
    seen_as: "`performance has deteriorated`, DAVG high, `Waiting for timed out HB` followed by \
              `Reclaimed heartbeat`, H:0x5 on 0x89. Oarlock: an event whose `device_us` is many times \
              the device's usual; a beat over a quarter of the lease.",
    proof: Evidence {
        live: Some(
            "The facts of contention (another host's newer image), and the command's time in the \
             device far above what this device usually needs for an atomic test and set.",
        ),
        logs: "The atomic test and set itself, or other I/O to the same LUN in the seconds before it, \
               took far longer than that LUN's normal: latency warnings, time-outs, aborts.",
    },
    consequence: "Heartbeats come late; at 16 seconds without one VMFS says `Lost access to volume`. A \
                  command that is given up becomes an unknown answer, and may come back as a false \
                  miscompare.",
    remedy: &[
        Remedy {
            text: "Look at the array's own logs, at jobs that run at that time (backup, replication, \
                   scrub), and at the fabric.",
            risk: Risk::Looks,
            source: Source::Broadcom(318927),
        },
        Remedy {
            text: "Measure against what is normal: spinning storage about 10 ms, flash rarely over 1 \
                   to 2 ms.",
            risk: Risk::Looks,
            source: Source::Broadcom(318927),
        },
        Remedy {
            text: "Look at the maximum and the percentiles: an average hides the one heartbeat that \
                   was slow.",
            risk: Risk::Looks,
            source: Source::Broadcom(309140),
        },
        Remedy {
            text: "Find and replace the slow disk, or spread the load.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::Broadcom(318927), Source::Broadcom(320840), Source::Broadcom(309140)],
};
