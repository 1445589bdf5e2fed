//! `reservation`: a reservation stands in the way.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::Reservation,
    layer: Layer::Array,
    title: "A reservation of another host stands in the way",
    what: "Another host holds a SCSI reservation on the device. It may be dead and have left the \
           reservation behind, or an adapter or multipathing layer may hold it unknown to its owner.",
    seen_as: "D:0x18 or P:0x3 on every write of the other hosts, while the reserving host is silent or \
              its adapter in error. Oarlock, where reservations fence: RESERVATION CONFLICT means that \
              this host itself was cut off.",
    proof: Evidence {
        live: Some(
            "The device answers RESERVATION CONFLICT, and this host's own slot does not say that it \
             was fenced.",
        ),
        logs: "Status 18h from the device over many commands, and an owner of the reservation that is \
               dead or does not know of it.",
    },
    consequence: "No host but the reserving one can write, the heartbeat included.",
    remedy: &[
        Remedy {
            text: "Prove the owner dead first. Then clear the reservation.",
            risk: Risk::Final,
            source: Source::Article("VMware KB 1005009"),
        },
        Remedy {
            text: "After a host's crash with all paths lost, release what it could not release itself.",
            risk: Risk::Final,
            source: Source::Article("VMware KB 2030787"),
        },
        Remedy {
            text: "Update the adapter firmware on all hosts where a living adapter holds it without \
                   need.",
            risk: Risk::Interrupts,
            source: Source::Page("https://elatov.github.io/2012/05/seeing-scsi-command-aborts-esx-3-5-host/"),
        },
    ],
    sources: &[
        Source::Article("VMware KB 1005009"),
        Source::Article("VMware KB 2030787"),
        Source::Page("https://elatov.github.io/2012/05/seeing-scsi-command-aborts-esx-3-5-host/"),
    ],
};
