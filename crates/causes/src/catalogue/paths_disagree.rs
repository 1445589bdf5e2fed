//! `paths-disagree`: one block, two answers.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::PathsDisagree,
    layer: Layer::Array,
    title: "Two paths give different answers for one block",
    what: "The same block, read by the same host through two ports, adapters or controllers, does not \
           have the same content. One of them serves an old copy, or they are not one LUN at all.",
    seen_as: "Miscompares that come and go with the path that is used; controllers with different \
              firmware. Oarlock: the event names the path, and a `path` event says that it was put \
              aside.",
    proof: Evidence {
        live: Some(
            "One block read directly through two paths differs, twice in a row, with no swap in \
             between.",
        ),
        logs: "The same logical block gives different results through two vmhba or two target ports of \
               one host, close together in time.",
    },
    consequence: "The array's promise of one truth is broken. Whoever trusts the odd path makes two \
                  owners.",
    remedy: &[
        Remedy {
            text: "Take the odd path out of use at once.",
            risk: Risk::Changes,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Bring all controllers to one firmware, and all adapters to one firmware and driver.",
            risk: Risk::Interrupts,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::CommonPractice],
};
