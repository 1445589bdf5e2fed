//! A command descriptor block as bytes: operation code, address, blocks, and the bits that matter (SBC-4, clause 5; SPC-5, clause 6).

use super::Field;
use super::words::field;
use crate::fact::Opcode;
use crate::text::holds;

/// The shortest block.
const BYTES_MIN: usize = 6;
/// The longest that has an address where this file looks.
const BYTES_MAX: usize = 16;

/// The bytes behind `CDB`, however they are marked: `CDB: Write(10) 2a 00 ...`, `CDB: opcode=0x89 89 00 ...`, `cdb[0]=0x89`.
pub(super) fn find(line: &str) -> Option<Vec<u8>> {
    let at = ["CDB", "cdb", "Cdb"].iter().filter_map(|mark| line.find(mark)).min()?;
    let mut bytes: Vec<u8> = Vec::new();
    for part in line[at..].split([' ', ',', ':', '[', ']', '=', '|']).filter(|part| !part.is_empty()) {
        let digits = part.strip_prefix("0x").unwrap_or(part);
        let byte = if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None };
        match byte {
            // One more, for the code may stand there twice.
            Some(byte) if bytes.len() <= BYTES_MAX => bytes.push(byte),
            Some(_) => break,
            None if bytes.len() >= BYTES_MIN => break,
            None => bytes.clear(),
        }
    }
    // `opcode=0x89 89 00`: the code stands there twice, and no command has it as its second byte.
    if bytes.len() > BYTES_MIN && bytes.first() == bytes.get(1) && holds(line, "opcode=") {
        bytes.remove(0);
    }
    let group = bytes.first()? >> 5;
    let length = match group {
        0 => 6,
        1 | 2 => 10,
        4 => 16,
        5 => 12,
        _ => BYTES_MIN,
    };
    (bytes.len() >= length).then_some(bytes)
}

/// The fields of a block, the operation code apart.
pub(super) fn fields(bytes: &[u8], fields: &mut Vec<Field>) {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let number = |from: usize, count: usize| {
        (from..from + count).fold(0, |sum: u64, index| sum << 8 | u64::from(at(index)))
    };
    let code = at(0);
    match code {
        0x08 | 0x0a => {
            let blocks = if at(4) == 0 { 256 } else { u64::from(at(4)) };
            address(number(1, 3) & 0x1f_ffff, blocks, fields);
        }
        0x28 | 0x2a | 0x2e | 0x2f | 0x35 | 0x41 => address(number(2, 4), number(7, 2), fields),
        0xa8 | 0xaa | 0xae | 0xaf => address(number(2, 4), number(6, 4), fields),
        // COMPARE AND WRITE has room for one byte alone.
        0x89 => address(number(2, 8), u64::from(at(13)), fields),
        0x88 | 0x8a | 0x8e | 0x8f | 0x91 | 0x93 => address(number(2, 8), number(10, 4), fields),
        0x9c => address(number(2, 8), number(12, 2), fields),
        0x42 => fields.push(field(
            "parameters",
            &number(7, 2).to_string(),
            "bytes of the list that says which blocks are unmapped",
        )),
        0x12 if at(1) & 1 != 0 => {
            fields.push(field(
                "VPD page",
                &format!("{:#04x}", at(2)),
                "which page of vital product data was asked for",
            ));
        }
        0x5e | 0x5f | 0x9e | 0xa3 | 0xa4 => {
            let action = at(1) & 0x1f;
            fields.push(field("service action", &format!("{action:#04x}"), service(code, action)));
        }
        _ => {}
    }
    if moves_blocks(code) {
        bits(at(1), code, fields);
    }
    // SBC-4, WRITE SAME: byte 1, bit 3.
    if matches!(code, 0x41 | 0x93) && at(1) & 0x08 != 0 {
        fields.push(field(
            "bits",
            "UNMAP",
            "the blocks are unmapped where the device can, and written where not",
        ));
    }
}

fn moves_blocks(code: u8) -> bool {
    matches!(code, 0x28 | 0x2a | 0x2e | 0x88 | 0x89 | 0x8a | 0x8e | 0xa8 | 0xaa | 0xae)
}

fn address(lba: u64, blocks: u64, fields: &mut Vec<Field>) {
    fields.push(field("LBA", &lba.to_string(), "the first block, counted from the beginning of the device; with blocks of 512 bytes it is Linux's sector"));
    let says = match blocks {
        0 => "blocks: none. For COMPARE AND WRITE that is no error and does nothing",
        _ => "how many blocks, from the first one on",
    };
    fields.push(field("blocks", &blocks.to_string(), says));
}

/// Byte 1: WRPROTECT or RDPROTECT, DPO, FUA.
fn bits(byte: u8, code: u8, fields: &mut Vec<Field>) {
    let (protect, dpo, fua) = (byte >> 5, byte & 0x10 != 0, byte & 0x08 != 0);
    if protect != 0 {
        let name = if matches!(code, 0x28 | 0x88 | 0xa8) { "RDPROTECT" } else { "WRPROTECT" };
        fields.push(field(
            name,
            &protect.to_string(),
            "protection information is asked for; a device without it refuses with 5/24/0",
        ));
    }
    if dpo || fua {
        let value = match (dpo, fua) {
            (true, true) => "DPO, FUA",
            (true, false) => "DPO",
            _ => "FUA",
        };
        fields.push(field("bits", value, "hints for the cache: DPO, keep it not; FUA, past it. A device without DPOFUA refuses them with 5/24/0"));
    }
}

fn service(code: u8, action: u8) -> &'static str {
    match (code, action) {
        (0x5e, 0) => "PERSISTENT RESERVE IN, READ KEYS",
        (0x5e, 1) => "PERSISTENT RESERVE IN, READ RESERVATION",
        (0x5e, _) => "PERSISTENT RESERVE IN, capabilities or full status",
        (0x5f, 0) => "PERSISTENT RESERVE OUT, REGISTER",
        (0x5f, 1) => "PERSISTENT RESERVE OUT, RESERVE",
        (0x5f, 2) => "PERSISTENT RESERVE OUT, RELEASE",
        (0x5f, 3) => "PERSISTENT RESERVE OUT, CLEAR",
        (0x5f, 4) => {
            "PERSISTENT RESERVE OUT, PREEMPT: takes another host's registration away, as a fence does"
        }
        (0x5f, 5) => {
            "PERSISTENT RESERVE OUT, PREEMPT AND ABORT: takes another host's registration away, and its commands"
        }
        (0x5f, 6) => "PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY",
        (0x9e, 0x10) => "READ CAPACITY(16)",
        (0x9e, 0x12) => "GET LBA STATUS",
        (0xa3, 0x0a) => "REPORT TARGET PORT GROUPS: the states of the paths",
        (0xa3, 0x0c) => "REPORT SUPPORTED OPERATION CODES",
        (0xa4, 0x0a) => "SET TARGET PORT GROUPS: a path is to change its state",
        _ => "a service action without a name here",
    }
}

/// The operation code of a block.
pub(super) fn opcode(bytes: &[u8]) -> Option<Opcode> {
    bytes.first().copied().map(Opcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        fields(&find(line).unwrap(), &mut found);
        found.into_iter().map(|field| (field.name, field.value)).collect()
    }

    #[test]
    fn address_and_blocks_are_read_where_each_length_has_them() {
        let cases = [
            ("CDB: Compare and write 89 00 00 00 00 00 00 00 12 67 00 00 00 01 00 00", 4711, 1),
            ("CDB: opcode=0x89 89 18 00 00 00 00 00 00 12 67 00 00 00 02 00 00", 4711, 2),
            ("CDB: Write(10) 2a 00 00 00 12 67 00 00 08 00", 4711, 8),
            ("CDB: Read(6) 08 01 12 67 00 00", 70_247, 256),
            ("cdb[0]=0xa8 00 00 00 12 67 00 00 00 09 00 00", 4711, 9),
            ("CDB: 8a 00 00 00 00 01 00 00 00 00 00 00 00 10 00 00", 1_u64 << 32, 16),
        ];
        for (line, lba, blocks) in cases {
            let told = told(line);
            assert_eq!(told[0], ("LBA".to_owned(), lba.to_string()), "{line}");
            assert_eq!(told[1], ("blocks".to_owned(), blocks.to_string()), "{line}");
        }
        assert_eq!(told("CDB: 89 18 00 00 00 00 00 00 12 67 00 00 00 02 00 00")[2].1, "DPO, FUA");
        assert_eq!(told("CDB: 5f 05 05 00 00 00 00 00 18 00")[0].1, "0x05");
    }

    #[test]
    fn a_block_that_is_cut_or_none_is_not_decoded() {
        for line in [
            "CDB: Write(10) 2a 00 00",
            "the CDB was bad",
            "x 89 00 00 00 00 00",
            "CDB: 89 00 00 00 00 00 00 00 12",
        ] {
            assert_eq!(find(line), None, "{line}");
        }
    }
}
