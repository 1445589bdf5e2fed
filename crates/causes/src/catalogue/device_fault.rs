//! `device-fault`: a disk that one host uses alone is failing.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::DeviceFault,
    layer: Layer::Medium,
    title: "A disk is failing",
    what: "The trouble is a single disk, often local to one host: it reports medium or hardware \
           errors, or stops answering under load. Nobody shares it, so contention is impossible.",
    seen_as: "H:0x2 and device resets on one local disk; sense keys 3 (medium error) or 4 (hardware \
              error); a heartbeat that times out on storage which no other host sees. Oarlock: reads \
              that end in a medium error.",
    proof: Evidence {
        live: None,
        logs: "Errors come from one disk and one host only, and the disk is not shared; or the sense \
               data name the medium or the hardware.",
    },
    consequence: "Data on that disk is at risk. Locks are not.",
    remedy: &[
        Remedy {
            text: "Save the data, and replace the disk.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Update the firmware of the disk and the driver of its controller where the disk \
                   itself reports no defect.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::CommonPractice],
};
