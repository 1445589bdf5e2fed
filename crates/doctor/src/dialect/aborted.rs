//! Which command an abort is about: drivers print it in the same line, or in the next.
//!
//! ```text
//!  sd 4:0:3:0: attempting task abort!scmd(0x...), outstanding for 41000 ms
//!  sd 4:0:3:0: [sdk] tag#90 CDB: Write(16) 8a 00 ...
//!  nvme nvme4: I/O tag 12 (200c) opcode 0x1 (Write) QID 6 timeout, aborting req_op:WRITE(1) size:4096
//!  nvme nvme4: NVME-FC{4.2}: io timeout: opcode 1 fctype 1 (I/O Cmd) w10/11: ...
//!  (da9:mps1:0:9:0): WRITE(10). CDB: 2a 00 ... SMID 77 terminated ioc 804b
//! ```
//! Whether a write that was given up stands on the disk, nobody knows then: the adapter's answer to the abort does not tell.

use std::borrow::Cow;

use super::linux_scsi::{names, opcode};
use crate::fact::Opcode;
use crate::record::Record;
use crate::text::{after, has, number};

/// Whether an abort gave a write up. What the line itself names goes before what stands behind it.
pub(super) fn gives_a_write_up(record: &Record<'_>) -> bool {
    /// Drivers name the command right behind; another command's abort may follow soon.
    const LINES_MAX: usize = 2;
    let body = record.body();
    if has(body, "nvme") {
        return has(body, "(Write)") || has(body, "WRITE(1)") || is_a_write_of_fibre_channel(body);
    }
    let own_host = |line: &Cow<'_, str>| record.prefix.host.is_none_or(|host| names(line, host));
    let behind = record.following().take(LINES_MAX).filter(own_host);
    let named = std::iter::once(Cow::from(body)).chain(behind);
    let opcode = named.filter_map(|line| after(&line, "CDB: ").and_then(opcode)).next();
    opcode.is_some_and(Opcode::writes)
}

/// `NVME-FC{4.2}: io timeout: opcode 1` (drivers/nvme/host/fc.c): the second number is the queue, and 0 is that of administration, where opcode 1 is
/// another command.
fn is_a_write_of_fibre_channel(body: &str) -> bool {
    let queue = after(body, "NVME-FC{").and_then(|rest| rest.split_once('}')?.0.split_once('.'));
    let is_of_data = queue.is_some_and(|(_, queue)| queue != "0");
    is_of_data && after(body, "io timeout: opcode ").and_then(number) == Some(1)
}
