//! What a faulty array is told: the [language of faulty devices](crate::fault_spec), with the words that only an array understands.
//!
//! ```text
//! late-execution:op=ats,initiator=iqn.1998-01.com.vmware:esx1,delay=3s,count=1
//! stale-read:portal=2,lba=0..8
//! ```
//!
//! | key | which commands | without it |
//! | --- | --- | --- |
//! | `initiator` | those of the initiator of that name | any |
//! | `portal` | those that came by that portal, counted from 1 in the order of `--listen` | any |
//! | `lun` | those to that unit | any |
//! | `opcode` | those whose CDB begins with that byte, as `89h`; not for kinds that strike one operation alone | those that some `op` names |
//! | `status` | of `refuse`: it answers `busy` or `task-set-full` | `busy` |
//!
//! `record` is not among them: an array knows nothing of what its blocks hold. A range of blocks in a parameter list (UNMAP) is
//! not looked at by `lba`. An answer *unknown* is CHECK CONDITION with ABORTED COMMAND.

use std::fmt;
use std::str::FromStr;

use crate::fault_spec::wrong;
use crate::{Fault, FaultSpec, FaultSpecError};

/// The keys of this file.
const KEYS: [&str; 5] = ["initiator", "portal", "lun", "opcode", "status"];

/// The key of a device's faults that an array does not have.
const RECORD: &str = "record";

/// One kind of misbehaviour of an array, and the commands that it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayFaultSpec {
    /// What happens, and what of it any device understands.
    pub spec: FaultSpec,
    /// Commands of the initiator of that name.
    pub initiator: Option<String>,
    /// Commands that came by that portal; the first is 1.
    pub portal: Option<u16>,
    /// Commands to that unit.
    pub lun: Option<u16>,
    /// Commands with that operation code.
    pub opcode: Option<u8>,
    /// How commands are refused.
    pub refusal: RefusalStatus,
}

/// How an array refuses a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusalStatus {
    /// It cannot take it now.
    #[default]
    Busy,
    /// It has no room for it.
    TaskSetFull,
}

impl FromStr for ArrayFaultSpec {
    type Err = FaultSpecError;

    fn from_str(text: &str) -> Result<ArrayFaultSpec, FaultSpecError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let parts: Vec<&str> = rest.split(',').filter(|_| !rest.is_empty()).collect();
        if let Some(part) = parts.iter().find(|part| !part.contains('=')) {
            return Err(FaultSpecError::Form { part: (*part).to_owned() });
        }
        let key = |part: &str| part.split_once('=').map_or(String::new(), |(key, _)| key.to_owned());
        let (own, others): (Vec<&str>, Vec<&str>) =
            parts.into_iter().partition(|part| KEYS.contains(&&*key(part)));
        let colon = if others.is_empty() { "" } else { ":" };
        let spec: FaultSpec = format!("{kind}{colon}{}", others.join(",")).parse()?;
        let unknown = |key: &str| FaultSpecError::Key { kind: spec.fault.name(), key: key.to_owned() };
        if spec.selector.record.is_some() {
            return Err(unknown(RECORD));
        }
        let mut found = ArrayFaultSpec {
            initiator: None,
            portal: None,
            lun: None,
            opcode: None,
            refusal: RefusalStatus::Busy,
            spec: spec.clone(),
        };
        let mut seen = Vec::new();
        for (key, value) in own.iter().filter_map(|part| part.split_once('=')) {
            if seen.contains(&key) {
                return Err(FaultSpecError::Twice { key: key.to_owned() });
            }
            seen.push(key);
            match key {
                "initiator" => found.initiator = Some(initiator(value)?),
                "portal" => found.portal = Some(number("portal", value, 1, "it is a number from 1 on")?),
                "lun" => found.lun = Some(number("lun", value, 0, "it is a unit's number")?),
                "opcode" if spec.fault.only().is_none() => found.opcode = Some(opcode(value)?),
                "status" if spec.fault == Fault::Refuse => found.refusal = refusal(value)?,
                _ => return Err(unknown(key)),
            }
        }
        Ok(found)
    }
}

/// Names of nodes are the same in large letters (RFC 7143, 4.2.7.2).
fn initiator(text: &str) -> Result<String, FaultSpecError> {
    let name = text.to_lowercase();
    let is_name = ["iqn.", "eui.", "naa."].iter().any(|begin| name.starts_with(begin));
    if is_name { Ok(name) } else { Err(wrong("initiator", text, "it is an iSCSI name")) }
}

fn number(key: &'static str, text: &str, least: u16, wanted: &'static str) -> Result<u16, FaultSpecError> {
    let number = text.parse::<u16>().ok().filter(|number| *number >= least && !text.starts_with('+'));
    number.ok_or_else(|| wrong(key, text, wanted))
}

fn opcode(text: &str) -> Result<u8, FaultSpecError> {
    let digits = text.strip_suffix('h').filter(|digits| digits.len() == 2 && !digits.starts_with('+'));
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.ok_or_else(|| wrong("opcode", text, "it is two hexadecimal digits and h, as 89h"))
}

fn refusal(text: &str) -> Result<RefusalStatus, FaultSpecError> {
    match text {
        "busy" => Ok(RefusalStatus::Busy),
        "task-set-full" => Ok(RefusalStatus::TaskSetFull),
        _ => Err(wrong("status", text, "it is busy or task-set-full")),
    }
}

impl fmt::Display for ArrayFaultSpec {
    /// The specification that reads back as this one, without what goes without saying.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = self.spec.to_string();
        let own = [
            self.initiator.as_ref().map(|name| format!("initiator={name}")),
            self.portal.map(|portal| format!("portal={portal}")),
            self.lun.map(|lun| format!("lun={lun}")),
            self.opcode.map(|opcode| format!("opcode={opcode:02x}h")),
            (self.refusal == RefusalStatus::TaskSetFull).then(|| "status=task-set-full".to_owned()),
        ];
        let mut separator = if spec.contains(':') { ',' } else { ':' };
        formatter.write_str(&spec)?;
        for part in own.into_iter().flatten() {
            write!(formatter, "{separator}{part}")?;
            separator = ',';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommandKind, Lba};

    fn error(text: &str) -> String {
        text.parse::<ArrayFaultSpec>().unwrap_err().to_string()
    }

    #[test]
    fn an_array_s_words_stand_among_those_of_any_device() {
        let text = "refuse:lun=3,op=ats,initiator=iqn.2026-11.org.example:esx,lba=8,portal=2,status=task-set-full,every=3";
        let found: ArrayFaultSpec = text.parse().unwrap();
        assert_eq!(found.spec.selector.op, Some(CommandKind::Ats));
        assert_eq!((found.spec.selector.lba, found.spec.every), (Some((Lba(8), Lba(9))), 3));
        assert_eq!(found.initiator.as_deref(), Some("iqn.2026-11.org.example:esx"));
        assert_eq!((found.portal, found.lun, found.opcode), (Some(2), Some(3), None));
        assert_eq!(found.refusal, RefusalStatus::TaskSetFull);
        assert_eq!("delay:opcode=9Eh,delay=1s".parse::<ArrayFaultSpec>().unwrap().opcode, Some(0x9e));
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for text in [
            "lose-reply",
            "stale-read:portal=2",
            "late-execution:op=ats,delay=3s,count=1,initiator=iqn.2026-11.org.example:esx",
            "refuse:lun=0,opcode=9eh,status=task-set-full",
            "repeat:answer=first,lun=7",
        ] {
            assert_eq!(text.parse::<ArrayFaultSpec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_mistake_is_named_in_the_error() {
        assert!(error("late").contains("`late` is no kind of fault"));
        assert_eq!(error("refuse:record=slot"), "a fault of kind `refuse` has no key `record`");
        assert_eq!(error("delay:lun=1"), "a fault of kind `delay` needs `delay`");
        assert_eq!(error("lose-reply:status=busy"), "a fault of kind `lose-reply` has no key `status`");
        assert_eq!(error("stale-read:opcode=88h"), "a fault of kind `stale-read` has no key `opcode`");
        assert_eq!(error("refuse:lun=1,lun=2"), "`lun` is given twice");
        assert_eq!(error("refuse:lun=1,"), "`` is not of the form KEY=VALUE");
        assert_eq!(error("refuse:lun=1,ats"), "`ats` is not of the form KEY=VALUE");
        assert_eq!(error("refuse:unit=1"), "a fault of kind `refuse` has no key `unit`");
        for text in [
            "refuse:initiator=esx",
            "refuse:portal=0",
            "refuse:portal=+1",
            "refuse:lun=65536",
            "refuse:opcode=89",
            "refuse:opcode=0x89h",
            "refuse:opcode=+9h",
            "refuse:status=full",
        ] {
            let error = text.parse::<ArrayFaultSpec>().unwrap_err();
            assert!(matches!(error, FaultSpecError::Value { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn a_device_understands_none_of_an_array_s_words() {
        for key in KEYS {
            let text = format!("refuse:{key}=1");
            let error = text.parse::<FaultSpec>().unwrap_err();
            assert_eq!(error, FaultSpecError::Key { kind: "refuse", key: key.to_owned() });
        }
    }
}
