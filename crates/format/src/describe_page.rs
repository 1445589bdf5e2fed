//! What stands behind the header of a page or of a journal's block, for people.

use crate::bitmap_page::BITS_LENGTH;
use crate::commit::Commit;
use crate::describe::{Field, joined, raw};
use crate::journal_block::{self, JOURNAL_HEADER_LENGTH};
use crate::map_entry::{ENTRY_LENGTH, LeafEntry, Mapped, RawEntry};
use crate::page::{self, PAGE_HEADER_LENGTH, PAGE_LENGTH};
use crate::page_change::{Change, JournalObject, PageChange};
use crate::stamp::Kind;
use crate::table::{FieldSpec, View};

/// The table of the header of what is no record, and how what follows it is shown.
pub(crate) const fn header_of(kind: Kind) -> Option<&'static [FieldSpec]> {
    match kind {
        Kind::MapPage | Kind::BitmapPage => Some(page::at::TABLE),
        Kind::JournalBlock => Some(journal_block::at::TABLE),
        _ => None,
    }
}

/// What follows the header, from its end to the end of the bytes.
pub(crate) fn body(kind: Kind, view: &View<'_>, bytes: &[u8]) -> Vec<Field> {
    let header = if kind == Kind::JournalBlock { JOURNAL_HEADER_LENGTH } else { PAGE_HEADER_LENGTH };
    let Some(rest) = bytes.get(header..) else { return Vec::new() };
    if bytes.len() != PAGE_LENGTH {
        // One block of several: what stands in the others is not known.
        return vec![raw(header, rest, "body")];
    }
    let shown = |name, length, value| Field { offset: header, length, name, value };
    match kind {
        Kind::MapPage => vec![shown("entries", rest.len(), entries(rest, view.u8(page::at::LEVEL)))],
        Kind::BitmapPage => {
            let (bits, reserved) = rest.split_at(BITS_LENGTH);
            vec![shown("taken", bits.len(), runs(bits)), raw(header + BITS_LENGTH, reserved, "reserved")]
        }
        _ => {
            let used = usize::try_from(view.u32(journal_block::at::USED)).unwrap_or(usize::MAX);
            let (payload, reserved) = rest.split_at_checked(used).unwrap_or((rest, &[]));
            let alone = view.u16(journal_block::at::BLOCKS) == 1;
            let mut fields = vec![shown("payload", payload.len(), changes(payload, alone))];
            if !reserved.is_empty() {
                fields.push(raw(header + payload.len(), reserved, "reserved"));
            }
            fields.retain(|field| field.length > 0);
            fields
        }
    }
}

/// The entries that map something.
fn entries(bytes: &[u8], level: u8) -> String {
    let (entries, _) = bytes.as_chunks::<ENTRY_LENGTH>();
    let used = entries.iter().map(RawEntry::of_bytes).enumerate().filter(|(_, raw)| *raw != RawEntry::EMPTY);
    joined(used.map(|(index, raw)| match raw.node() {
        Some(node) if level > 0 => format!("{index}: node {}{}", node.cluster, owned(node.owned)),
        _ => format!("{index}: {}", leaf(raw.leaf())),
    }))
}

fn leaf(entry: LeafEntry) -> String {
    let mapped = |mapped: Mapped| format!("{} pieces {:04x}", mapped.cluster, mapped.mask.0);
    let own = entry.own.map(|own| format!("{}{}", mapped(own), owned(entry.owned)));
    let below = entry.below.map(|below| format!("below {}{}", mapped(below), owned(entry.below_owned)));
    own.into_iter().chain(below).collect::<Vec<_>>().join(", ")
}

const fn owned(owned: bool) -> &'static str {
    if owned { " (owned)" } else { "" }
}

/// The clusters that are taken, as runs.
fn runs(bits: &[u8]) -> String {
    let is_taken = |cluster: usize| bits.get(cluster / 8).is_some_and(|byte| byte >> (cluster % 8) & 1 == 1);
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for cluster in (0..bits.len() * 8).filter(|cluster| is_taken(*cluster)) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cluster => *last = cluster,
            _ => runs.push((cluster, cluster)),
        }
    }
    joined(runs.into_iter().map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first} to {last}") }
        },
    ))
}

/// The changes in a payload; only in a commit of one block does one know where each begins.
fn changes(payload: &[u8], alone: bool) -> String {
    if !alone {
        return format!("{} bytes of a commit of several blocks", payload.len());
    }
    match Commit::of_payload(payload).changes() {
        Ok(changes) => joined(changes.iter().map(change)),
        Err(error) => format!("no changes: {error}"),
    }
}

fn change(change: &PageChange<'_>) -> String {
    let object = match change.object {
        JournalObject::Descriptor(number) => format!("descriptor {number}"),
        JournalObject::Group(number) => format!("group {number}"),
    };
    let what = match change.change {
        Change::Image(_) => "image".to_owned(),
        Change::Entries { first, entries } => format!("{} entries from {first} on", entries.len()),
        Change::Bits { run, taken } => {
            let word = if taken { "taken" } else { "free" };
            format!("{} clusters from {} on {word}", run.count, run.first)
        }
    };
    format!("page {} ({object}, epoch {}): {what}", change.page, change.epoch)
}
