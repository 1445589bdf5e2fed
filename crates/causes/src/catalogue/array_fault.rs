//! `array-fault`: false although equal.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::ArrayFault,
    layer: Layer::Array,
    title: "The array answered false although the block was equal",
    what: "The array broke its promise: it answered false for a block that held exactly what was \
           expected, let two contenders both win, let a plain write into the middle of a compare and \
           write, or failed the command for a reason of its own.",
    seen_as: "Miscompares though nobody wrote; both contenders believe that they won; errors only on \
              the last block of the device; on NVMe a fused compare and write split by another \
              command.",
    proof: Evidence {
        live: Some(
            "A direct read on the same path equals what was expected byte for byte, and no swap was \
             sent in between.",
        ),
        logs: "The block was equal and nobody wrote, or a target's own log shows the two halves \
               separated; on a bench, the test with two initiators that each add one to a counter in a \
               block loses updates.",
    },
    consequence: "Locks mean nothing on such an array. Retrying hides it until two hosts own one file.",
    remedy: &[
        Remedy {
            text: "Update the array's firmware or the target's software.",
            risk: Risk::Interrupts,
            source: Source::Page("https://github.com/spdk/spdk/issues/2428"),
        },
        Remedy {
            text: "Test the LUN with several initiators that count in one block: the successes must \
                   equal the counter.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Stop using the LUN for shared metadata until it passes.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
    ],
    sources: &[
        Source::Page("https://github.com/spdk/spdk/issues/2428"),
        Source::Page("https://github.com/open-iscsi/tcmu-runner/issues/641"),
        Source::Standard("SBC-4, 5.3 (COMPARE AND WRITE)"),
    ],
};
