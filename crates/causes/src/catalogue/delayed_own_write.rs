//! `delayed-own-write`: this host's own attempt had landed: the false miscompare.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::DelayedOwnWrite,
    layer: Layer::Array,
    title: "The false miscompare: my own write had landed",
    what: "A host sent an atomic test and set and had no answer in time: it timed out, was aborted, or \
           its path went away. The array had executed it all the same, or did so a little later. The \
           host took silence for failure, tried again with the old image as the expected one, and met \
           its own new image: false, although nobody else was there.",
    seen_as: "On the same host first 0x89 with H:0x5 (or H:0x3, H:0x8, a nexus loss, an abort \
              rejected), then 0x89 with sense 0xe 0x1d 0x0 or P:0x5. A Linux target says `ref_tag: N \
              already complete, skipping` to the abort. VMFS: `ATS Miscompare detected between test \
              and set HB images`.",
    proof: Evidence {
        live: Some(
            "The image that was read back carries the nonce of one of this host's own attempts whose \
             answer was unknown.",
        ),
        logs: "The image on the disk is the one that this same host tried to write; or a command 0x89 \
               of this host to this device was aborted or timed out before the false one, and the \
               target shows that the aborted command had completed.",
    },
    consequence: "Treated as a failure it drops a healthy datastore, resets the LUN or fences a living \
                  host. Treated as an answer it costs one read: adopt the image and go on.",
    remedy: &[
        Remedy {
            text: "Find why the first command was late, and mend that: the miscompare is only its \
                   echo.",
            risk: Risk::Looks,
            source: Source::Broadcom(326437),
        },
        Remedy {
            text: "ESXi 6.5 or newer with VMFS6, which reads the heartbeat back and knows its own \
                   write again.",
            risk: Risk::Interrupts,
            source: Source::Broadcom(326437),
        },
        Remedy {
            text: "Otherwise switch the ATS heartbeat off, on every host that shares the volume, and \
                   never with vSAN: `esxcli system settings advanced set -i 0 -o \
                   /VMFS3/UseATSForHBOnVMFS5`.",
            risk: Risk::Changes,
            source: Source::Broadcom(326437),
        },
        Remedy {
            text: "On IBM SVC and Storwize: code 7.6.1 or newer with ESXi 6.0 U3 or newer; with ESXi \
                   5.5 the ATS heartbeat stays off.",
            risk: Risk::Interrupts,
            source: Source::Page("https://www.ibm.com/support/pages/node/690413"),
        },
    ],
    sources: &[
        Source::Broadcom(326437),
        Source::Page("https://www.ibm.com/support/pages/node/690413"),
        Source::Page("https://github.com/openzfs/zfs/issues/3793"),
        Source::Page("https://github.com/open-iscsi/tcmu-runner/pull/330"),
        Source::Document("docs/ATS.md"),
    ],
};
