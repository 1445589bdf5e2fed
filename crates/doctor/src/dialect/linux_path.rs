//! Linux: paths, ports and sessions (multipathd, iscsid, qla2xxx, lpfc, nvme), aborts and resets.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::PathEvent::{AllDown, Failed, LinkDown, LinkUp, Restored, SessionLost};
use crate::fact::TaskKind::{Abort, DeviceReset, WiderReset};
use crate::fact::TaskOutcome::{self, Done, Issued};

pub const BOOK: PhraseBook = PhraseBook { name: "Linux: paths, aborts, resets", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    phrase("remaining active paths: 0", Means::Path(AllDown)),
    phrase("Fail all paths", Means::Path(AllDown)),
    phrase("mark as failed", Means::Path(Failed)),
    phrase("Failing path", Means::Path(Failed)),
    phrase("fail path", Means::Path(Failed)),
    phrase("Reinstating path", Means::Path(Restored)),
    phrase("reinstated", Means::Path(Restored)),
    phrase("remaining active paths", Means::Nothing),
    phrase(" - path offline", Means::Path(Failed)),
    phrase("path checker timed out", Means::Path(Failed)),
    phrase("checker reports path is down", Means::Path(Failed)),
    phrase("checker reports path is up", Means::Path(Restored)),
    phrase("tur checker", Means::Nothing),
    phrase("detected conn error", Means::Path(SessionLost)),
    phrase("reported iSCSI connection", Means::Path(SessionLost)),
    phrase("is operational after recovery", Means::Path(Restored)),
    phrase("session recovery timed out", Means::Path(SessionLost)),
    beside("ping timeout of", &["connection"], Means::Path(SessionLost)),
    phrase("blocked FC remote port time out", Means::Path(SessionLost)),
    phrase("LOOP DOWN detected", Means::Path(LinkDown)),
    phrase("LOOP UP detected", Means::Path(LinkUp)),
    beside("lpfc", &["Link Down Event"], Means::Path(LinkDown)),
    phrase("rejecting I/O to offline device", Means::Path(AllDown)),
    phrase("rejecting I/O to dead device", Means::Path(AllDown)),
    phrase("Device offlined", Means::Path(AllDown)),
    beside("nvme", &["timeout, aborting"], Means::Task(Abort, Issued)),
    beside("nvme", &["timeout, reset controller"], Means::Task(WiderReset, Issued)),
    beside("nvme", &["Abort status"], Means::Task(Abort, Done)),
    beside("nvme", &["keep-alive", "failed"], Means::Path(SessionLost)),
    beside("nvme", &["starting error recovery"], Means::Path(SessionLost)),
    beside("nvme", &["onnection lost"], Means::Path(SessionLost)),
    beside("nvme", &["Successfully reconnected"], Means::Path(Restored)),
    beside("qla2xxx", &["Abort command issued"], Means::Task(Abort, Issued)),
    beside("qla2xxx", &["DEVICE RESET ISSUED"], Means::Task(DeviceReset, Issued)),
    beside("qla2xxx", &["DEVICE RESET SUCCEEDED"], Means::Task(DeviceReset, Done)),
    beside("qla2xxx", &["TARGET RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("qla2xxx", &["ADAPTER RESET ISSUED"], Means::Task(WiderReset, Issued)),
    beside("lpfc", &["SCSI Layer I/O Abort Request Status"], Means::Task(Abort, Issued)),
    beside("lpfc", &["SCSI layer issued Device Reset"], Means::Task(DeviceReset, Issued)),
    phrase("attempting task abort", Means::Task(Abort, Issued)),
    phrase("task abort: SUCCESS", Means::Task(Abort, Done)),
    phrase("task abort: FAILED", Means::Task(Abort, TaskOutcome::Failed)),
    phrase("Power-on or device reset occurred", Means::Nothing),
];
