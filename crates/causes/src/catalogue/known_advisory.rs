//! `known-advisory`: a published fault matches.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::KnownAdvisory,
    layer: Layer::Hba,
    title: "A published fault of this hardware or software matches",
    what: "Vendor, product, firmware or driver version in the evidence match a fault that its vendor \
           has published. Which one, and what range of versions, the report quotes.",
    seen_as: "The versions that the logs print at start or in inventories, beside any of the other \
              causes' patterns.",
    proof: Evidence {
        live: None,
        logs: "The match itself: the version found and the range of the advisory, both quoted.",
    },
    consequence: "What the advisory says. A match alone does not prove that the fault struck here.",
    remedy: &[Remedy {
        text: "Bring adapter firmware and driver, switch and array to the versions of the vendor's \
                   matrix and of the VMware (Broadcom) Compatibility Guide.",
        risk: Risk::Interrupts,
        source: Source::CommonPractice,
    }],
    sources: &[Source::CommonPractice],
};
