//! NVMe commands that failed, as Linux's driver and ESXi's NVMe layer print them.
//!
//! ```text
//!  nvme2n1: Compare(0x5) @ LBA 2048, 1 blocks, Compare Failure (sct 0x2 / sc 0x85) DNR       Linux, drivers/nvme/host/core.c
//!  nvme nvme2: Identify(0x6), Invalid Field in Command (sct 0x0 / sc 0x2)                    the same, of a controller
//!  NVMEIO:2644 command 0x45bd4063c080 failed: ctlr 262, queue 3, psaCmd 0x45bd, status 0x371, opc 0x2, cid 180, nsid 261
//!  NVMe error status: 0x371 translating to SCSI error H:0x1                                  ESXi (KB390259)
//! ```

use super::{Dialect, Reading};
use crate::fact::{Command, HostStatus, Kind, NvmeStatus, Opcode};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{after, has, hex, number, position};

/// What NVMe's commands are as SCSI's: Write, Read, and Compare, which on ESXi is the first half of the fused pair that is NVMe's atomic test and set.
const OPCODES: [(u64, Opcode); 3] =
    [(0x1, Opcode::WRITE_16), (0x2, Opcode::READ_16), (0x5, Opcode::COMPARE_AND_WRITE)];
/// Write Zeroes and Dataset Management: many drives refuse them, and nobody minds.
const OFTEN_REFUSED: [u64; 2] = [0x8, 0x9];

/// The lines of both.
#[derive(Debug)]
pub struct Nvme;

impl Dialect for Nvme {
    fn name(&self) -> &'static str {
        "NVMe: failed commands"
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["(sct 0", "psaCmd ", "NVMe error status"]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if has(body, "(sct 0x") {
            return linux(record, ledger);
        }
        let of_esx = after(body, ", status ").filter(|_| has(body, "psaCmd "));
        let status = of_esx.or_else(|| after(body, "NVMe error status"));
        let Some(status) = status.and_then(|rest| number(rest.trim_start_matches([' ', ':', '=']))) else {
            return Reading::Stranger;
        };
        let host = after(body, "H:").and_then(number).and_then(|value| u16::try_from(value).ok());
        let code = after(body, " opc ").and_then(number);
        let known = OPCODES.iter().find(|(known, _)| Some(*known) == code);
        let command = Command {
            opcode: known.map(|(_, opcode)| *opcode),
            host: host.map(HostStatus),
            ..Command::of_nvme(NvmeStatus::of(status))
        };
        let about = subject::find(body);
        let path = about.path.or_else(|| controller(body));
        ledger.note(record, Draft { device: about.device, path, ..Draft::of(Kind::Command(command)) });
        Reading::UNDERSTOOD
    }
}

/// `ctlr 262`
fn controller(body: &str) -> Option<&str> {
    let at = position(body, "ctlr ")?;
    body[at..].split(',').next()
}

fn linux(record: &Record<'_>, ledger: &mut Ledger) -> Reading {
    let body = record.body();
    let byte = |mark: &str| after(body, mark).and_then(hex).and_then(|value| u8::try_from(value).ok());
    let (Some(kind), Some(code)) = (byte("(sct 0x"), byte("/ sc 0x")) else { return Reading::Stranger };
    let status = NvmeStatus { kind, code };
    let about = subject::find(body);
    // A controller's own commands: drives are asked at every start for what they do not have.
    let asks = !has(body, " @ LBA ") && !status.is_compare_failure();
    let opcode = after(body, "(0x").and_then(hex);
    let refused =
        opcode.is_some_and(|code| OFTEN_REFUSED.contains(&code)) && matches!((kind, code), (0, 0x1 | 0x2));
    if about.device.is_some() && !asks && !refused {
        let kind = Kind::Command(Command::of_nvme(status));
        ledger.note(record, Draft { device: about.device, path: about.path, ..Draft::of(kind) });
    }
    Reading::UNDERSTOOD
}
