//! VMware: aborts and resets, of the storage stack and of every adapter's driver.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::TaskKind::{Abort, DeviceReset, VirtualReset, WiderReset};
use crate::fact::TaskOutcome::{AlreadyComplete, Done, Failed, Issued, Ordered, Pending};

pub const BOOK: PhraseBook = PhraseBook { name: "VMware: aborts and resets", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    // Typed in a shell, or by a script: `vmkfstools -L lunreset /vmfs/devices/disks/naa...`, `sg_reset --device /dev/sdc`.
    beside("lunreset", &["vmkfstools", "-L"], Means::Task(DeviceReset, Ordered)),
    beside("targetreset", &["vmkfstools", "-L"], Means::Task(WiderReset, Ordered)),
    beside("busreset", &["vmkfstools", "-L"], Means::Task(WiderReset, Ordered)),
    beside("sg_reset ", &["/dev/"], Means::Task(DeviceReset, Ordered)),
    phrase("VMK Task: VIRT_RESET", Means::Task(VirtualReset, Issued)),
    phrase("VIRT_RESET", Means::Task(VirtualReset, Issued)),
    phrase("VMK Task: ABORT", Means::Task(Abort, Issued)),
    phrase("VMK Task: LUN_RESET", Means::Task(DeviceReset, Issued)),
    beside("nmp_DeviceTaskMgmt", &["issue lun reset"], Means::Task(DeviceReset, Issued)),
    beside("nmp_DeviceTaskMgmt", &["issue target reset"], Means::Task(WiderReset, Issued)),
    beside("nmp_DeviceTaskMgmt", &["issue bus reset"], Means::Task(WiderReset, Issued)),
    phrase("ahciAbortIO", Means::Task(Abort, Issued)),
    phrase("scsiUnmapCommand", Means::Nothing),
    // What follows from a path that is gone, once for each path.
    phrase("Set retry timeout for failed TaskMgmt abort", Means::Nothing),
    phrase("Abort Request still pending", Means::Task(Abort, Pending)),
    phrase("SCSI layer issued abort device", Means::Task(DeviceReset, Issued)),
    phrase("SCSI layer issued abort", Means::Task(Abort, Issued)),
    phrase("Completed Abort Task Set", Means::Task(DeviceReset, Done)),
    // A guest's driver resets its adapter when it starts, and when no command is out, none ends with it.
    beside("(0 outstanding commands)", &["eset"], Means::Nothing),
    phrase("processing reset for handle", Means::Task(VirtualReset, Issued)),
    beside("Reset [Retries: ", &["VSCSI: "], Means::Task(VirtualReset, Issued)),
    // The adapters that guests have: PVSCSI, LSI Logic, BusLogic.
    beside("PVSCSI: ", &["scsi", "ABORT ctx"], Means::Task(VirtualReset, Issued)),
    beside("PVSCSI: ", &["scsi", "RESET"], Means::Task(VirtualReset, Issued)),
    beside(" LSI: ", &["scsi", "reset"], Means::Task(VirtualReset, Issued)),
    beside("BusLogic: ", &["scsi", "eset"], Means::Task(VirtualReset, Issued)),
    // A guest's own driver before Linux 4: `sd 2:0:0:0: [sda] abort`.
    beside("] abort", &["sd ", ": [sd"], Means::Task(Abort, Issued)),
    phrase("Reset request on", Means::Task(VirtualReset, Issued)),
    phrase("Completing reset", Means::Task(VirtualReset, Done)),
    phrase("FCPIO_ITMF_REJECTED", Means::Task(Abort, Failed)),
    phrase("abort reject received", Means::Task(Abort, Failed)),
    // ESX 3.5: `AsyncIO timeout (5000); aborting cmd w/ sn 88, handle 1/0x2`.
    beside("AsyncIO timeout", &["abort"], Means::Task(Abort, Issued)),
    phrase("Abort cmd called", Means::Task(Abort, Issued)),
    phrase("Abort for cmd tag", Means::Nothing),
    beside("fnic", &["FCPIO_IO_NOT_FOUND"], Means::Task(Abort, AlreadyComplete)),
    beside("fnic", &["FCPIO_REQUEST_ABORTED"], Means::Task(Abort, Done)),
    beside("fnic", &["bort", "rejected"], Means::Task(Abort, Failed)),
    beside("fnic", &["bort", "imed out"], Means::Task(Abort, Pending)),
    beside("bort", &["rejected"], Means::Task(Abort, Failed)),
    beside("qlnativefc", &["Abort command issued"], Means::Task(Abort, Issued)),
    beside("qlnativefc", &["bort command"], Means::Task(Abort, Issued)),
    beside("qlnativefc", &["DEVICE RESET ISSUED"], Means::Task(DeviceReset, Issued)),
    beside("qlnativefc", &["TARGET RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qlnativefc", &["ADAPTER RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qlnativefc", &["LOOP RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qlnativefc", &["BUS RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qlnativefc", &["Performing ISP error recovery"], Means::Task(WiderReset, Issued)),
    beside("qla2xxx", &["Performing ISP error recovery"], Means::Task(WiderReset, Issued)),
    beside("lpfc", &["LUN reset"], Means::Task(DeviceReset, Issued)),
    beside("lpfc", &["Target reset"], Means::Task(WiderReset, Issued)),
    beside("iscsi_vmk", &["LUN Reset"], Means::Task(DeviceReset, Issued)),
    beside("iscsi_vmk", &["bort", "timed out"], Means::Task(Abort, Pending)),
    beside("iscsi_vmk", &["bort"], Means::Task(Abort, Issued)),
    beside("NVMEIO", &["bort"], Means::Task(Abort, Issued)),
    beside("nvme_", &["bort"], Means::Task(Abort, Issued)),
];
