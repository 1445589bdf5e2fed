//! VMware: what the fabric says by FPIN, and adapters and drivers that fail by their own account.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::FabricEvent::{Clear, Congestion, CreditStall, Dropped, LinkIntegrity};
use crate::fact::Notice::WritesHeld;

pub const BOOK: PhraseBook = PhraseBook { name: "fabric and adapters", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    beside("FPIN", &["Credit Stall"], Means::Fabric(CreditStall)),
    beside("FPIN", &["Clear"], Means::Fabric(Clear)),
    beside("FPIN", &["ongestion"], Means::Fabric(Congestion)),
    beside("FPIN", &["Oversubscription"], Means::Fabric(Congestion)),
    beside("FPIN", &["Link Integrity"], Means::Fabric(LinkIntegrity)),
    beside("FPIN", &["Link integrity"], Means::Fabric(LinkIntegrity)),
    beside("FPIN", &["elivery"], Means::Fabric(Dropped)),
    beside("FPIN", &["LINK_INTEGRITY"], Means::Fabric(LinkIntegrity)),
    beside("FPIN", &["CONGN"], Means::Fabric(Congestion)),
    beside("FPIN", &["CONGESTION"], Means::Fabric(Congestion)),
    beside("FPIN", &["CREDIT"], Means::Fabric(CreditStall)),
    phrase("FCPIO_DATA_CNT_MISMATCH", Means::Fabric(Dropped)),
    // ESXi counts them for each adapter (KB434602); the driver tells each.
    phrase("FRAME DROP event", Means::Fabric(Dropped)),
    phrase("Dropped frame(s) detected", Means::Fabric(Dropped)),
    beside("FCP command status: ", &["qlnativefcStatusEntry"], Means::Nothing),
    phrase("fnic_fw_reset_handler", Means::Nothing),
    // A network card's module: no fabric of storage.
    beside("mlx5", &["redit stall"], Means::Nothing),
    phrase("redit stall", Means::Fabric(CreditStall)),
    // VMkernel holds a partition's writes back behind trouble that it has with it: what follows from a cause, and no word of a driver's.
    phrase("write-quiesced", Means::Notice(WritesHeld)),
    beside("Adapter failed to", &["lpfc"], Means::Adapter),
    beside("Adapter failed to", &["vmhba"], Means::Adapter),
    phrase("Adapter Hardware Error", Means::Adapter),
    // `0310 Mailbox command x5 timeout Data: ...` (lpfc_sli.c); how long it waits is told at every start.
    beside("lpfc", &["ailbox command x", "timeout"], Means::Adapter),
    beside("lpfc", &["no XRI"], Means::Adapter),
    beside("lpfc", &["XRI", "exhausted"], Means::Adapter),
    beside("qlnativefc", &["ISP System Error"], Means::Adapter),
    beside("qla2xxx", &["ISP System Error"], Means::Adapter),
    beside("qlnativefc", &["irmware dump saved"], Means::Adapter),
    // A dump is taken after a fault; the room for it at every start.
    beside("qla2xxx", &["irmware dump saved"], Means::Adapter),
    beside("qla2xxx", &["irmware dump"], Means::Nothing),
    beside("qla2xxx", &["Mailbox cmd timeout"], Means::Adapter),
    beside("qlnativefc", &["Mailbox", "imeout"], Means::Adapter),
    beside("mpt", &["IOC is in FAULT state"], Means::Adapter),
    beside("mpt", &["fault_state("], Means::Adapter),
    // The driver gives the adapter up, with all commands that it has (drivers/scsi/mpt3sas/mpt3sas_base.c); and one that does not start.
    beside("mpt", &["SAS host is non-operational"], Means::Adapter),
    beside("mpt", &["_base_event_notification: timeout"], Means::Adapter),
    beside("mpt", &["failure at ", "_scsih_probe"], Means::Adapter),
    beside("mpt", &["_config_request: command timeout"], Means::Adapter),
    beside("megaraid", &["FW in FAULT"], Means::Adapter),
    // illumos' driver of the same controllers (uts/common/io/mr_sas/mr_sas.c).
    beside("mr_sas", &["FW Fault"], Means::Adapter),
    // drivers/scsi/megaraid/megaraid_sas_base.c, and what it called itself before.
    beside("megaraid", &["killing adapter"], Means::Adapter),
    beside("megaraid", &["adapter never cleared"], Means::Adapter),
    beside("lsi_mr3", &["killing adapter"], Means::Adapter),
    beside("megasas", &["FW in FAULT"], Means::Adapter),
    beside("megasas", &["killing adapter"], Means::Adapter),
    // drivers/scsi/hpsa.c, drivers/scsi/smartpqi
    beside("hpsa", &["ontroller lockup detected"], Means::Adapter),
    beside("smartpqi", &["controller is offline"], Means::Adapter),
    beside("smartpqi", &["controller offline"], Means::Adapter),
    beside("firmware hang", &["vmhba"], Means::Adapter),
    beside("firmware hang", &["scsi"], Means::Adapter),
];
