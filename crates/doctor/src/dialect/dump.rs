//! Hex dumps (`hexdump -C`, `xxd`) of VMFS: slots of the heartbeat region, and lock records.

use std::collections::BTreeMap;

use super::{Dialect, Reading};
use crate::fact::{Kind, LockKind, LockRecord, SlotImage, SlotState, Uuid};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::text::hex;

/// A slot, in bytes.
const SLOT_BYTES: u64 = 512;
/// Slots of one dump.
const SLOTS_MAX: usize = 4_096;
/// Bytes of a slot that are kept: all that has a meaning lies here.
const KEPT: usize = 64;

/// A dump that is being read.
#[derive(Debug, Default)]
pub struct Dump {
    /// The address of the last row, and whether `*` stands behind it.
    last: Option<(u64, [u8; 16])>,
    repeats: bool,
    slots: Vec<RawSlot>,
}

#[derive(Debug)]
struct RawSlot {
    address: u64,
    bytes: [u8; KEPT],
    /// Whether any byte at all is set.
    zero: bool,
    line: String,
    place: crate::fact::Place,
}

impl Dialect for Dump {
    fn name(&self) -> &'static str {
        "hex dumps of VMFS"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "  00 00 00 00",
            "ef cd ab ",
            "efcd ab",
            ": 01ef cdab",
            ": 02ef cdab",
            ": 0000 0000 0000",
            " c0 10 ",
        ]
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line.trim();
        if line == "*" && self.last.is_some() {
            self.repeats = true;
            return Reading::More;
        }
        match row(line) {
            Some((address, bytes)) => {
                self.fill_repeats(address, record);
                self.take(address, &bytes, record);
                self.last = Some((address, bytes));
                Reading::More
            }
            None => {
                let ends = address_alone(line).filter(|_| self.last.is_some());
                if let Some(address) = ends {
                    self.fill_repeats(address, record);
                }
                self.finish(ledger);
                if ends.is_some() { Reading::UNDERSTOOD } else { Reading::Stranger }
            }
        }
    }

    fn end(&mut self, ledger: &mut Ledger) {
        self.finish(ledger);
    }
}

impl Dump {
    /// Rows that `*` stands for.
    fn fill_repeats(&mut self, until: u64, record: &Record<'_>) {
        let Some((address, bytes)) = self.last.filter(|_| std::mem::take(&mut self.repeats)) else { return };
        let mut at = address.saturating_add(16);
        while at < until && self.slots.len() < SLOTS_MAX {
            self.take(at, &bytes, record);
            at += 16;
        }
    }

    fn take(&mut self, address: u64, bytes: &[u8; 16], record: &Record<'_>) {
        let start = address / SLOT_BYTES * SLOT_BYTES;
        if self.slots.last().is_none_or(|slot| slot.address != start) {
            if self.slots.len() >= SLOTS_MAX || address != start {
                return;
            }
            self.slots.push(RawSlot {
                address: start,
                bytes: [0; KEPT],
                zero: true,
                line: record.line.to_owned(),
                place: record.place,
            });
        }
        if let Some(slot) = self.slots.last_mut() {
            let at = usize::try_from(address - start).unwrap_or(KEPT);
            if let Some(room) = slot.bytes.get_mut(at..at + 16) {
                room.copy_from_slice(bytes);
            }
            slot.zero &= bytes.iter().all(|byte| *byte == 0);
        }
    }

    /// Notes the slots, if there was a sound one among them: only then is this a heartbeat region at all.
    fn finish(&mut self, ledger: &mut Ledger) {
        let slots = std::mem::take(&mut self.slots);
        self.last = None;
        self.repeats = false;
        let volume_start = start_of_volume(&slots);
        for slot in &slots {
            let record = Record::new(slot.place, &slot.line, &[]);
            if let Some(start) = volume_start {
                let image = SlotImage { found_at: Some(slot.address.wrapping_sub(start)), ..decode(slot) };
                ledger.note(&record, Draft::of(Kind::Slot(image)));
            } else if let Some(lock) = lock_of(&slot.bytes) {
                ledger.note(&record, Draft::of(Kind::LockDump(Box::new(lock))));
            }
        }
    }
}

/// Where the volume begins in the dump, by what most of the slots say of their own offsets: one of them may be wrong.
fn start_of_volume(slots: &[RawSlot]) -> Option<u64> {
    let mut starts: BTreeMap<u64, usize> = BTreeMap::new();
    for slot in slots {
        let image = decode(slot);
        if image.state.is_sound() {
            *starts.entry(slot.address.wrapping_sub(image.offset)).or_default() += 1;
        }
    }
    starts.into_iter().max_by_key(|(_, count)| *count).map(|(start, _)| start)
}

fn word32(bytes: &[u8; KEPT], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn word64(bytes: &[u8; KEPT], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// A VMFS-5 slot: state, own offset, generation, stamp, owner.
fn decode(slot: &RawSlot) -> SlotImage {
    let bytes = &slot.bytes;
    let state = match SlotState::of(word32(bytes, 0)) {
        // A slot whose first word alone is zero is torn, not empty.
        SlotState::Zero if !slot.zero => SlotState::Damaged(0),
        state => state,
    };
    SlotImage {
        state,
        offset: word64(bytes, 4),
        found_at: None,
        generation: word64(bytes, 12),
        stamp_us: word64(bytes, 20),
        owner: Some(uuid(bytes, 28)).filter(|owner| *owner != Uuid::NOBODY),
    }
}

/// 16 bytes: two little-endian words, a half word, and six bytes as they stand.
fn uuid(bytes: &[u8; KEPT], at: usize) -> Uuid {
    let byte = |offset: usize| u32::from(bytes.get(at + offset).copied().unwrap_or(0));
    let third = byte(9) << 24 | byte(8) << 16 | byte(10) << 8 | byte(11);
    let fourth = byte(12) << 24 | byte(13) << 16 | byte(14) << 8 | byte(15);
    Uuid([word32(bytes, at), word32(bytes, at + 4), third, fourth])
}

/// A lock record: type, own offset, the owner's slot and its generation, the record's version, mode, owner, stamp.
fn lock_of(bytes: &[u8; KEPT]) -> Option<LockRecord> {
    let kind = LockKind::of(word32(bytes, 0));
    if matches!(kind, LockKind::Other(_)) {
        return None;
    }
    Some(LockRecord {
        kind,
        offset: Some(word64(bytes, 4)),
        slot_offset: Some(word64(bytes, 12)),
        slot_generation: Some(word64(bytes, 20)),
        version: Some(word64(bytes, 28)),
        mode: Some(u64::from(word32(bytes, 36))),
        owner: Some(uuid(bytes, 40)).filter(|owner| *owner != Uuid::NOBODY),
        stamp: Some(word64(bytes, 56)),
    })
}

/// A row: an address and sixteen bytes, as hexdump -C or xxd print them.
fn row(line: &str) -> Option<(u64, [u8; 16])> {
    let (address, rest) = line.split_once([' ', ':'])?;
    let digits = address.len() >= 6 && address.bytes().all(|byte| byte.is_ascii_hexdigit());
    let address = digits.then(|| hex(address))??;
    let mut bytes = [0; 16];
    let mut filled = 0;
    for part in rest.split(' ').filter(|part| !part.is_empty()) {
        if filled == 16 || part.starts_with('|') {
            break;
        }
        if !matches!(part.len(), 2 | 4) || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for pair in part.as_bytes().chunks_exact(2) {
            let pair = std::str::from_utf8(pair).ok()?;
            *bytes.get_mut(filled)? = u8::from_str_radix(pair, 16).ok()?;
            filled += 1;
        }
    }
    (filled == 16).then_some((address, bytes))
}

/// The last line of a dump is an address alone.
fn address_alone(line: &str) -> Option<u64> {
    let digits = line.len() >= 6 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| hex(line))?
}
