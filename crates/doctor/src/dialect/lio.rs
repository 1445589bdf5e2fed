//! Linux's own target (LIO): what it says in the kernel log of an array or a gateway.

use super::phrase::{Means, Phrase, PhraseBook, beside, phrase};
use crate::fact::TargetStep::{BackendError, Miscompare, Noise, SessionLost, SlowBackend};
use crate::fact::TaskKind::{Abort, DeviceReset};
use crate::fact::TaskOutcome::{AlreadyComplete, Done, Issued, Pending};

pub const BOOK: PhraseBook = PhraseBook { name: "target: LIO", phrases: PHRASES };

const PHRASES: &[Phrase] = &[
    phrase("Detected MISCOMPARE for addr", Means::Target(Miscompare)),
    phrase("Detected MISCOMPARE at offset", Means::Target(Miscompare)),
    phrase("Send MISCOMPARE check condition", Means::Target(Miscompare)),
    beside("ABORT_TASK:", &["already complete"], Means::Task(Abort, AlreadyComplete)),
    beside("ABORT_TASK:", &["TMR_TASK_DOES_NOT_EXIST"], Means::Task(Abort, Issued)),
    beside("ABORT_TASK:", &["TMR_FUNCTION_COMPLETE"], Means::Task(Abort, Done)),
    phrase("ABORT_TASK:", Means::Task(Abort, Issued)),
    beside("LUN_RESET:", &["complete"], Means::Task(DeviceReset, Done)),
    phrase("LUN_RESET:", Means::Task(DeviceReset, Issued)),
    beside("TARGET_CORE", &["NON_EXISTENT_LUN"], Means::Target(Noise)),
    phrase("Unable to locate ITT", Means::Target(Noise)),
    phrase("DataOut timeout", Means::Target(SlowBackend)),
    phrase("Unable to recover from DataOut", Means::Target(SlowBackend)),
    phrase("did not respond to a NOPIN", Means::Target(SessionLost)),
    phrase("iSCSI Login timeout", Means::Target(SessionLost)),
    phrase("Initiator is requesting CSG", Means::Nothing),
    beside("fileio", &["returned", "vfs_"], Means::Target(BackendError)),
    beside("iblock", &["returned"], Means::Target(BackendError)),
    beside("qla2xxx", &["qlt_", "abort"], Means::Task(Abort, Pending)),
    phrase("is_send_status=", Means::Nothing),
    phrase("qlt_free_cmd", Means::Nothing),
];
