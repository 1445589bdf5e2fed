//! `cannot-tell`: the evidence does not decide.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::CannotTell,
    layer: Layer::FileSystem,
    title: "The evidence does not decide",
    what: "There is a false or an unknown answer and nothing near it that proves a cause: a lone line, \
           or neighbours that fit two stories equally well. It is said so rather than guessed. The \
           layer is only where the answer was seen.",
    seen_as: "A single line with sense 0xe 0x1d 0x0 and no neighbours. Oarlock: an event whose re-read \
              failed, so that the image which beat the attempt was never seen.",
    proof: Evidence {
        live: Some(
            "The block could not be read back after the answer, or an attempt is unknown and still \
             open: its cause is known only once it is closed.",
        ),
        logs: "None: no rule of the other causes is met, or two that exclude each other are.",
    },
    consequence: "None by itself. Whoever acts on a guess here treats the wrong patient.",
    remedy: &[
        Remedy {
            text: "Collect the same minutes from every host that shares the device, and from the array \
                   and the switches; then ask again.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
        Remedy {
            text: "Collect what was logged before: the decisive line is usually a time-out or an abort \
                   earlier on the same host.",
            risk: Risk::Looks,
            source: Source::CommonPractice,
        },
    ],
    sources: &[Source::Page("https://www.abtis.de/scsi-sense-codes-erklart/"), Source::Broadcom(326437)],
};
