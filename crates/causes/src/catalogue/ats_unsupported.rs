//! `ats-unsupported`: the device does not execute the command.

use crate::entry::{Entry, Evidence, Remedy, Source};
use crate::{Cause, Layer, Risk};

pub(super) const ENTRY: Entry = Entry {
    cause: Cause::AtsUnsupported,
    layer: Layer::Array,
    title: "The device does not execute COMPARE AND WRITE",
    what: "The device has no COMPARE AND WRITE, has it switched off, or cannot do it just now, for \
           example while its data is imported from another array. A volume that was told to lock only \
           in this way cannot be used.",
    seen_as: "Sense 5/20/00 or 5/24/00 on 0x89; a volume marked ATS-only does not mount. A migration \
              appliance stands in the data path. Oarlock: `format` and `up` refuse the device.",
    proof: Evidence {
        live: Some(
            "The device refuses the command as unsupported; on SCSI, the maximum compare and write \
             length in VPD page B0h, byte 5, is zero.",
        ),
        logs: "5/20/00 or 5/24/00 on 0x89 from a device that answers other commands; VPD page B0h byte \
               5 is zero; `esxcli storage core device vaai status get` says unsupported.",
    },
    consequence: "No shared locking by this means. Falling back on reservations on some hosts only \
                  makes it worse: see `lock-mode-mixed`.",
    remedy: &[
        Remedy {
            text: "Switch the array's ATS support on, or claim the device with the rule that its \
                   vendor publishes.",
            risk: Risk::Changes,
            source: Source::Broadcom(313040),
        },
        Remedy {
            text: "Take the mark from a volume that must mount without it, with all hosts off it: \
                   `vmkfstools --configATSOnly 0`.",
            risk: Risk::Final,
            source: Source::Broadcom(313040),
        },
        Remedy {
            text: "During a NetApp foreign LUN import, ATS stays off for the volume.",
            risk: Risk::Changes,
            source: Source::Page("https://docs.netapp.com/us-en/ontap-fli/"),
        },
    ],
    sources: &[Source::Broadcom(313040), Source::Standard("SBC-4, Block Limits VPD page (B0h)")],
};
