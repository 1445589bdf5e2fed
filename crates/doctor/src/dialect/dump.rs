//! Hex dumps of VMFS: slots of the heartbeat region, and lock records.
//!
//! A slot is judged by its neighbours: they tell where the volume begins in the dump, and so at which offset each slot stands. Where only one
//! record was pasted, there is nothing to compare: it is decoded, and what it says is told.

use std::collections::BTreeMap;

use super::dump_row::{self, Row};
use super::{Dialect, Reading};
use crate::fact::{Kind, LockKind, LockRecord, Place, SlotImage, SlotState, Uuid};
use crate::image_words;
use crate::ledger::{Draft, Ledger};
use crate::record::{Ahead, Record};
use crate::text::has;

/// A slot, in bytes.
const SLOT_BYTES: u64 = image_words::SLOT_BYTES;
/// Slots of one dump.
const SLOTS_MAX: usize = 4_096;
/// Bytes of a slot that are kept: all that has a meaning lies here.
const KEPT: usize = 64;
/// Rows that wait until the base of their addresses is known: the second or, behind a `*`, the fourth tells it.
const WAITING_MAX: usize = 8;
/// What dd says of what it could not read.
const UNREAD: &str = "Input/output error";
/// The base of nearly all dumps, where too few rows were pasted to tell.
const USUAL_BASE: u32 = 16;

/// A dump that is being read.
#[derive(Debug, Default)]
pub struct Dump {
    /// Rows before the base of the addresses is known.
    waiting: Vec<Line>,
    base: Option<u32>,
    /// The last row at its address, and whether `*` stands behind it.
    last: Option<(u64, Line)>,
    repeats: bool,
    slots: Vec<RawSlot>,
    /// Whether whoever made the dump could not read all of it: then dd wrote zeros for what it could not (`conv=noerror,sync`).
    padded: bool,
    /// Bytes that `xxd -p` printed so far: it prints no addresses.
    plain: u64,
}

/// A row with its place.
#[derive(Clone, Debug)]
struct Line {
    row: Row,
    text: String,
    place: Place,
    /// Whether `*` stands before it.
    after_repeats: bool,
}

#[derive(Debug)]
struct RawSlot {
    address: u64,
    bytes: [u8; KEPT],
    /// Whether no byte at all is set.
    zero: bool,
    /// Whether its first row is not printed, but stands behind a `*`.
    hidden: bool,
    line: String,
    place: Place,
}

impl Dialect for Dump {
    fn name(&self) -> &'static str {
        "hex dumps of VMFS"
    }

    fn words(&self) -> Vec<&'static str> {
        dump_row::WORDS.iter().copied().chain([UNREAD]).collect()
    }

    /// Bytes without addresses: the first line need not hold any of the words.
    fn begins(&self, first: &str) -> bool {
        dump_row::plain(dump_row::unquoted(first), true).is_some()
    }

    /// In a few lines that somebody pasted, a row may hold none of the words.
    fn is_last_resort(&self) -> bool {
        true
    }

    fn reads_prompts(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = dump_row::unquoted(record.line);
        if has(line, UNREAD) && line.trim_start().starts_with("dd: ") {
            self.finish(ledger);
            self.padded = true;
            return Reading::UNDERSTOOD;
        }
        let open = self.last.is_some() || !self.waiting.is_empty();
        if open && dump_row::stands_for_repeats(line) {
            self.repeats = true;
            return Reading::More;
        }
        if let Some(row) = dump_row::row(line) {
            let after_repeats = std::mem::take(&mut self.repeats);
            self.wait(Line { row, text: line.to_owned(), place: record.place, after_repeats });
            return Reading::More;
        }
        if let Some(bytes) = dump_row::plain(line, self.plain == 0).filter(|_| !open) {
            let row = Row { address: String::new(), bytes };
            let taken = Line { row, text: line.to_owned(), place: record.place, after_repeats: false };
            self.take(self.plain, &taken, false);
            self.plain += taken.row.bytes.len() as u64;
            return Reading::More;
        }
        let ends = open && dump_row::is_address(line);
        if ends {
            self.settle();
            let address = self.base.and_then(|base| dump_row::address(line, base));
            if let Some(address) = address.filter(|_| std::mem::take(&mut self.repeats)) {
                self.fill(address);
            }
        }
        self.finish(ledger);
        if ends { Reading::UNDERSTOOD } else { Reading::Stranger }
    }

    fn end(&mut self, ledger: &mut Ledger) {
        self.finish(ledger);
        self.padded = false;
    }
}

impl Dump {
    /// Takes a row, at once if it is known where it stands.
    fn wait(&mut self, line: Line) {
        if self.base.is_none() {
            let before = self.waiting.last().filter(|_| !line.after_repeats);
            self.base = before.and_then(|before| dump_row::base(&before.row, &line.row.address));
        }
        self.waiting.push(line);
        if self.base.is_some() || self.waiting.len() >= WAITING_MAX {
            self.settle();
        }
    }

    /// Puts the rows that wait to where they stand.
    fn settle(&mut self) {
        let base = *self.base.get_or_insert(USUAL_BASE);
        for line in std::mem::take(&mut self.waiting) {
            let Some(address) = dump_row::address(&line.row.address, base) else { continue };
            if line.after_repeats {
                self.fill(address);
            }
            self.take(address, &line, false);
            self.last = Some((address, line));
        }
    }

    /// Rows that `*` stands for.
    fn fill(&mut self, until: u64) {
        let Some((address, line)) = self.last.take() else { return };
        let width = (line.row.bytes.len() as u64).max(1);
        let mut at = address.saturating_add(width);
        while at < until && self.slots.len() < SLOTS_MAX {
            self.take(at, &line, true);
            at += width;
        }
        self.last = Some((address, line));
    }

    /// Takes the bytes of a row; one that `xxd -p` printed may end one slot and begin the next.
    fn take(&mut self, address: u64, line: &Line, hidden: bool) {
        let (mut address, mut bytes) = (address, line.row.bytes.as_slice());
        while !bytes.is_empty() {
            let start = address / SLOT_BYTES * SLOT_BYTES;
            let room = usize::try_from(start + SLOT_BYTES - address).unwrap_or(bytes.len());
            let (own, rest) = bytes.split_at(room.min(bytes.len()));
            self.put(start, address, own, line, hidden);
            address = address.saturating_add(own.len() as u64);
            bytes = rest;
        }
    }

    /// Puts bytes into the slot that begins at `start`.
    fn put(&mut self, start: u64, address: u64, bytes: &[u8], line: &Line, hidden: bool) {
        if self.slots.last().is_none_or(|slot| slot.address != start) {
            if self.slots.len() >= SLOTS_MAX || address != start {
                return;
            }
            self.slots.push(RawSlot {
                address: start,
                bytes: [0; KEPT],
                zero: true,
                hidden,
                line: line.text.clone(),
                place: line.place,
            });
        }
        if let Some(slot) = self.slots.last_mut() {
            let at = usize::try_from(address - start).unwrap_or(KEPT);
            let kept = slot.bytes.iter_mut().skip(at).zip(bytes);
            kept.for_each(|(room, byte)| *room = *byte);
            slot.zero &= bytes.iter().all(|byte| *byte == 0);
        }
    }

    /// Notes the slots, if there was a sound one among them: only then is this a heartbeat region at all.
    fn finish(&mut self, ledger: &mut Ledger) {
        self.settle();
        let slots = std::mem::take(&mut self.slots);
        let padded = self.padded;
        *self = Dump { padded, ..Dump::default() };
        let lone = slots.len() == 1;
        let start = start_of_volume(&slots).filter(|_| !lone);
        let of_region = |slot: &RawSlot| start.map(|start| slot.address.wrapping_sub(start));
        let stride = stride(&slots);
        let between_slots = |at: u64| {
            let phase =
                slots.iter().map(decode).find(|image| image.state.is_sound()).map(|image| image.offset);
            phase.is_some_and(|phase| at.abs_diff(phase) % stride != 0)
        };
        let first = slots.iter().position(|slot| decode(slot).state.is_sound());
        let last = slots.iter().rposition(|slot| decode(slot).state.is_sound());
        for (index, slot) in slots.iter().enumerate() {
            let image = SlotImage { found_at: of_region(slot), ..decode(slot) };
            let amid = first.is_some_and(|first| first < index) && last.is_some_and(|last| index < last);
            let beyond = slot.zero && !amid && image.found_at.and_then(image_words::slot_number).is_none();
            if image.found_at.is_some_and(between_slots) || slot.zero && padded {
                continue;
            }
            let is_slot = start.is_some() && !beyond || lone && is_like_a_slot(&image);
            let (kind, words) = if is_slot {
                (Kind::Slot(image), image_words::slot(&image))
            } else if let Some(lock) = lock_of(&slot.bytes).filter(|_| start.is_none()) {
                (Kind::LockDump(Box::new(lock)), image_words::lock(&lock))
            } else {
                continue;
            };
            let record = Record::new(slot.place, &slot.line, Ahead::NOTHING);
            let whence = if slot.hidden { "its rows are hidden by the * below: " } else { "" };
            let text = format!("{words}; at {:#x} of the dump: {whence}{}", slot.address, slot.line);
            ledger.note_text(&record, &text, Draft::of(kind));
        }
    }
}

/// Whether a record that stands alone was a heartbeat slot: a state of one, or none, at the offset of one.
fn is_like_a_slot(image: &SlotImage) -> bool {
    let torn = image.state == SlotState::Damaged(0) && image.offset.is_multiple_of(SLOT_BYTES);
    image.state.is_sound() || torn && image_words::slot_number(image.offset).is_some()
}

/// The distance of two slots: a sector, or a block of 4 KiB where all sound slots of a dump lie on such.
fn stride(slots: &[RawSlot]) -> u64 {
    const BLOCK_BYTES: u64 = 4_096;
    let mut offsets =
        slots.iter().map(decode).filter(|image| image.state.is_sound()).map(|image| image.offset);
    let Some(first) = offsets.next() else { return SLOT_BYTES };
    let mut others = offsets.filter(|offset| *offset != first).peekable();
    let on_blocks = others.peek().is_some() && others.all(|offset| offset.abs_diff(first) % BLOCK_BYTES == 0);
    if on_blocks { BLOCK_BYTES } else { SLOT_BYTES }
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

/// A slot: state, own offset, generation, stamp, owner.
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

#[cfg(test)]
mod tests {
    use crate::{Doctor, Report};

    const OWNER: [u8; 16] =
        [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0x00, 0x50, 0x56, 0x0a, 0x0b, 0x0c];

    fn slot(state: u32, offset: u64, generation: u64) -> Vec<u8> {
        let mut slot = state.to_le_bytes().to_vec();
        slot.extend([offset, generation, 77_000_000].into_iter().flat_map(u64::to_le_bytes));
        slot.extend(OWNER);
        slot.resize(512, 0);
        slot
    }

    /// Four slots of a region, from the second on.
    fn region(second: &[u8]) -> Vec<u8> {
        let sound = |number: u64| slot(0xabcd_ef02, 0x30_0000 + number * 512, 9);
        [sound(1), second.to_vec(), sound(3), sound(4)].concat()
    }

    fn lock() -> Vec<u8> {
        let mut lock = 0x10c0_0001_u32.to_le_bytes().to_vec();
        lock.extend([0x1c3_f000_u64, 0x30_0200, 7, 8].into_iter().flat_map(u64::to_le_bytes));
        lock.extend(1_u32.to_le_bytes());
        lock.extend(OWNER);
        lock.resize(512, 0);
        lock
    }

    /// A form of dump: the address of a row, and its bytes.
    type Form = fn(u64, &[u8]) -> String;

    fn words<const BYTES: usize>(row: &[u8]) -> String {
        let number = |word: &[u8]| word.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
        row.chunks_exact(BYTES).map(|word| format!(" {}", number(word))).collect()
    }

    fn octal(row: &[u8]) -> String {
        row.chunks_exact(2)
            .map(|word| format!(" {:06o}", u16::from(word[1]) << 8 | u16::from(word[0])))
            .collect()
    }

    const FORMS: [(&str, Form); 8] = [
        ("hexdump -C", |at, row| format!("{at:08x} {} |x|", words::<1>(row))),
        ("quoted in a mail", |at, row| format!("> {at:08x} {} |x|", words::<1>(row))),
        ("hexdump", |at, row| format!("{at:07x}{}", words::<2>(row))),
        ("od -x", |at, row| format!("{at:07o}{}", words::<2>(row))),
        ("od", |at, row| format!("{at:07o}{}", octal(row))),
        ("od -A d -t x4", |at, row| format!("{at:07}{}", words::<4>(row))),
        ("od -t x8", |at, row| format!("{at:07o}{}", words::<8>(row))),
        ("xxd -u -g1", |at, row| format!("{at:08x}:{}  x", words::<1>(row).to_uppercase())),
    ];

    #[test]
    fn a_state_that_nobody_published_is_no_sure_damage() {
        let confidence = |state: u32| {
            let bytes = region(&slot(state, 0x30_0400, 9));
            let report = judge(&dump(&bytes, 0x30_0200, FORMS[0].1));
            report.incidents.first().map(|finding| finding.confidence.clone())
        };
        assert_eq!(confidence(0xabcd_ef05).as_deref(), Some("possible"));
        assert_eq!(confidence(0x12cd_ef05).as_deref(), Some("likely"));
        assert_eq!(confidence(0xabcd_ef01), None);
    }

    #[test]
    fn bytes_without_addresses_and_narrow_rows_are_read() {
        let zero = region(&[0; 512]);
        let plain: String = zero
            .chunks(30)
            .map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
            .collect();
        let narrow: String = zero
            .chunks_exact(8)
            .enumerate()
            .map(|(number, row)| {
                let words: Vec<String> = row
                    .chunks_exact(4)
                    .map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect())
                    .collect();
                format!("{:08x}: {}  ........\n", number * 8, words.join(" "))
            })
            .collect();
        for (name, text) in [("xxd -p", plain), ("xxd -c 8 -g 4", narrow)] {
            let report = judge(&text);
            let finding = report.incidents.first().unwrap_or_else(|| panic!("{name}: nothing was found"));
            assert_eq!((finding.cause.as_str(), finding.events), ("corrupt-block", 1), "{name}");
            assert!(finding.because.contains("0x300400"), "{name}: {}", finding.because);
            assert_eq!(report.strange, 0, "{name}");
        }
    }

    /// A dump as those programs print it: rows like the one before are hidden by one `*`.
    fn dump(bytes: &[u8], start: u64, form: Form) -> String {
        let mut text = String::from("# dump of a device\n");
        let mut before: &[u8] = &[];
        let mut hides = false;
        for (number, row) in bytes.chunks_exact(16).enumerate() {
            let at = start + number as u64 * 16;
            let printed = form(at, row);
            let quote = if printed.starts_with('>') { "> " } else { "" };
            if row == before {
                text += &if hides { String::new() } else { format!("{quote}*\n") };
                hides = true;
                continue;
            }
            (before, hides) = (row, false);
            text += &format!("{printed}\n");
        }
        text
    }

    fn judge(log: &str) -> Report {
        let mut doctor = Doctor::new();
        doctor.read("dump", &mut log.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    #[test]
    fn the_damaged_slot_is_quoted_in_every_form_and_no_sound_one() {
        let torn = region(&slot(0x1234_5678, 0x30_0400, 9));
        let zero = region(&[0; 512]);
        for (name, form) in FORMS {
            for (bytes, state) in [(&zero, "zero"), (&torn, "12345678")] {
                let report = judge(&dump(bytes, 0x140_0200, form));
                let finding =
                    report.incidents.first().unwrap_or_else(|| panic!("{name}, {state}: nothing was found"));
                assert_eq!(finding.cause, "corrupt-block", "{name}, {state}");
                let quoted: Vec<&str> =
                    finding.evidence.iter().map(|evidence| evidence.text.as_str()).collect();
                assert_eq!(quoted.len(), 1, "{name}: {quoted:?}");
                let says = quoted[0].contains("slot 2, at offset 0x300400")
                    && quoted[0].contains(state)
                    && quoted[0].contains("0x1400400");
                assert!(says, "{name}, {state}: {quoted:?}");
                assert!(finding.because.contains("0x300400"), "{}", finding.because);
                assert_eq!(report.strange, 0, "{name}");
            }
            assert!(
                judge(&dump(&region(&slot(0xabcd_ef01, 0x30_0400, 0)), 0x140_0200, form))
                    .incidents
                    .is_empty(),
                "{name}: all are sound"
            );
        }
    }

    #[test]
    fn zeros_behind_the_region_are_no_slots() {
        let mut bytes = [slot(0xabcd_ef02, 0x3f_fc00, 1), slot(0xabcd_ef01, 0x3f_fe00, 0)].concat();
        bytes.resize(4_096, 0);
        let text = dump(&bytes, 0x3f_fc00, FORMS[0].1) + &format!("{:08x}\n", 0x3f_fc00 + 4_096);
        assert!(judge(&text).incidents.is_empty(), "{:?}", judge(&text).incidents);
    }

    #[test]
    fn what_lies_between_slots_of_four_kibibytes_is_no_slot() {
        let spread = |slots: &[Vec<u8>]| -> Vec<u8> {
            slots.iter().flat_map(|slot| [slot.clone(), vec![0; 4_096 - 512]].concat()).collect()
        };
        let sound = |number: u64| slot(0xabcd_ef02, 0x30_0000 + number * 4_096, 9);
        let whole = spread(&[sound(0), sound(1), sound(2), sound(3)]);
        assert!(judge(&dump(&whole, 0x140_0000, FORMS[0].1)).incidents.is_empty());
        let holed = spread(&[sound(0), sound(1), vec![0; 512], sound(3)]);
        let report = judge(&dump(&holed, 0x140_0000, FORMS[0].1));
        assert_eq!(report.incidents[0].cause, "corrupt-block");
        assert!(report.incidents[0].because.contains("0x302000"), "{}", report.incidents[0].because);
        assert_eq!(report.incidents[0].events, 1);
    }

    #[test]
    fn a_record_that_was_pasted_alone_is_decoded() {
        for (name, form) in FORMS {
            let report = judge(&dump(&lock(), 0x140_0000, form));
            let finding = report.incidents.first().unwrap_or_else(|| panic!("{name}: nothing was found"));
            assert_eq!(finding.cause, "cannot-tell", "{name}");
            for says in ["10c00001", "0x1c3f000", "exclusive", "00:50:56:0a:0b:0c", "slot 1"] {
                assert!(finding.because.contains(says), "{name}, {says}: {}", finding.because);
            }
            let sound = judge(&dump(&slot(0xabcd_ef02, 0x30_0000, 9), 0x140_0000, form));
            assert!(
                sound.incidents[0].because.contains("in use") && sound.incidents[0].cause == "cannot-tell",
                "{name}"
            );
            let mut torn = slot(0, 0x30_0200, 0);
            torn[28..44].fill(0);
            let torn = judge(&dump(&torn, 0x140_0000, form));
            assert_eq!(
                (torn.incidents[0].cause.as_str(), torn.incidents[0].confidence.as_str()),
                ("corrupt-block", "possible"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_dump_of_something_else_is_no_record_of_vmfs() {
        let mut bytes = vec![0; 1_024];
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes[512..520].copy_from_slice(b"EFI PART");
        assert!(judge(&dump(&bytes, 0, FORMS[0].1)).incidents.is_empty());
        assert!(judge(&dump(&vec![0; 512], 0, FORMS[0].1)).incidents.is_empty());
    }
}
