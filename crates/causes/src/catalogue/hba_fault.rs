//! `hba-fault`: adapter, firmware or driver misbehaves.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::HbaFault,
    layer: Layer::Hba,
    title: "The adapter, its firmware or its driver misbehaves",
    what: "The adapter takes commands and does not bring them to an end: its driver requeues without \
           reporting the path as failed, loses completions, or its firmware hangs.",
    seen_as: "A storm of H:0xb on one path without failover; a driver that tells of a hang, a \
              lost mailbox command or exhausted exchanges; heartbeats that time out on this host \
              only, through this adapter only.",
    proof: Evidence {
        live: None,
        logs: "A published fault of this driver or firmware matches the versions and the pattern of \
               lines: one adapter, many devices, other hosts unharmed.",
    },
    consequence: "The host is silent though its storage is well; failover does not happen because \
                  nobody says that the path is bad.",
    remedy: &[
        Remedy {
            text: "Bring firmware and driver, as one pair, to the versions of the vendor's matrix and \
                   of the VMware (Broadcom) Compatibility Guide, along the whole data path.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "For the Emulex NC553i: firmware 4.1.402.20 or newer.",
            risk: Risk::Interrupts,
            source: Source::Page(
                "https://elatov.github.io/2012/11/host-with-emulex-nc553i-cna-disconnects-from-strorage/",
            ),
        },
    ],
    sources: &[Source::Page(
        "https://elatov.github.io/2012/11/host-with-emulex-nc553i-cna-disconnects-from-strorage/",
    )],
};
