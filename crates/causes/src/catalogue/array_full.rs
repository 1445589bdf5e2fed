//! `array-full`: no space below the device.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::ArrayFull,
    layer: Layer::Array,
    title: "There is no space left below the device",
    what: "The device is thin and what lies below it is full: a thin pool, an aggregate, a file \
           system. The LUN itself still shows free space. Writes fail, and an atomic test and set is a \
           write.",
    seen_as: "D:0x8 on writes with failing 0x89; sense 7/27/07 (space allocation failed, write \
              protect). Oarlock: the device refuses as full; guest writes are held.",
    proof: Evidence {
        live: Some(
            "The device refuses writes for want of space below it (07h/27h/07h, or ENOSPC from the \
             file system).",
        ),
        logs: "BUSY or 7/27/07 on writes and on 0x89 of one pool's LUNs, while the pool's usage is at \
               its limit.",
    },
    consequence: "Writes fail, or wait for space: a pool may hold them for a while, ESXi halts the machine, and Oarlock's host holds \
                  its guests' writes until space comes or the hold time ends. It is never a \
                  reason to fence anybody.",
    remedy: &[
        Remedy {
            text: "Free or add space on the array, below the LUN.",
            risk: Risk::Changes,
            source: Source::Broadcom(435349),
        },
        Remedy {
            text: "Return freed blocks to the pool (UNMAP), and watch the pool's threshold warnings \
                   (6/38/07).",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::Broadcom(435349)],
};
