//! Sense data in words, as Linux's kernel and sg3_utils print them (SPC-5, annex F).

use crate::fact::Sense;
use crate::text::{hex, holds};

/// The sense data of a key that a text begins with: `Miscompare [current]`, and `0xe` in kernels that were built without words for it
/// (`CONFIG_SCSI_CONSTANTS`). Of a miscompare the code is known, for it has only one.
#[must_use]
pub fn of_key(text: &str) -> Option<Sense> {
    const KEYS: [(&str, u8); 12] = [
        ("No Sense", 0),
        ("Recovered Error", 1),
        ("Not Ready", 2),
        ("Medium Error", 3),
        ("Hardware Error", 4),
        ("Illegal Request", 5),
        ("Unit Attention", 6),
        ("Data Protect", 7),
        ("Copy Aborted", 0xa),
        ("Aborted Command", 0xb),
        ("Volume Overflow", 0xd),
        ("Miscompare", 0xe),
    ];
    let is_key = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let named = KEYS.iter().find(|(name, _)| is_key(name)).map(|(_, key)| *key);
    let numbered = || text.strip_prefix("0x").and_then(hex).and_then(|key| u8::try_from(key).ok());
    let key = named.or_else(numbered).filter(|key| *key <= 0xf)?;
    Some(Sense { key, code: if key == 0xe { 0x1d } else { 0 }, qualifier: 0 })
}

/// The same with the additional code that a text names.
#[must_use]
pub fn with_code(sense: Sense, text: &str) -> Sense {
    const CODES: [(&str, u8, u8); 26] = [
        ("miscompare during verify", 0x1d, 0),
        ("i_t nexus loss", 0x29, 7),
        ("power on", 0x29, 0),
        ("logical unit not supported", 0x25, 0),
        ("logical unit communication failure", 0x08, 0),
        ("registrations preempted", 0x2a, 5),
        ("reservations preempted", 0x2a, 3),
        ("bus device reset", 0x29, 3),
        ("invalid command operation code", 0x20, 0),
        ("invalid field in cdb", 0x24, 0),
        ("space allocation failed", 0x27, 7),
        ("write protected", 0x27, 0),
        ("thin provisioning soft threshold", 0x38, 7),
        ("asymmetric access state transition", 0x04, 0x0a),
        ("asymmetric access state changed", 0x2a, 6),
        ("unrecovered read error", 0x11, 0),
        ("write error", 0x0c, 0),
        ("internal target failure", 0x44, 0),
        ("invalid field in parameter list", 0x26, 0),
        ("block address out of range", 0x21, 0),
        ("unaligned write command", 0x21, 4),
        ("manual intervention required", 0x04, 3),
        ("target port in standby state", 0x04, 0x0b),
        ("target port in unavailable state", 0x04, 0x0c),
        ("becoming ready", 0x04, 1),
        ("medium not present", 0x3a, 0),
    ];
    let known = CODES.iter().find(|(name, _, _)| holds(text, name));
    known.map_or(sense, |&(_, code, qualifier)| Sense { code, qualifier, ..sense })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_code_are_read_in_either_spelling() {
        let unsupported = with_code(of_key("Illegal Request").unwrap(), "Invalid command operation code");
        assert_eq!(unsupported, Sense { key: 5, code: 0x20, qualifier: 0 });
        assert_eq!(of_key("miscompare [current]"), Some(Sense::MISCOMPARE));
        assert_eq!(of_key("0x3 [current] "), Some(Sense { key: 3, code: 0, qualifier: 0 }));
        assert_eq!(of_key("Mis"), None);
        assert_eq!(of_key("0x1d"), None);
        assert_eq!(of_key(""), None);
    }
}
