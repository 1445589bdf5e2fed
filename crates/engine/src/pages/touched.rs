//! What the next commit says of a page: all of it, or which entries or bits changed.

use std::collections::BTreeSet;

use oarlock_format::{
    Change, ClusterRun, CommitWriter, ENTRY_LENGTH, Epoch, JournalSequence, MapPage, PAGE_LENGTH, PageChange,
    RawEntry,
};

use super::page::{Page, PageContent, PageKey};

/// What each record of the journal says before its change, and what each run of entries or bits says besides.
const RECORD: usize = 24;
const RUN: usize = 8;

/// Bytes of a commit's payload that a page takes at most.
pub(super) const IMAGE_BYTES: usize = RECORD + PAGE_LENGTH;

/// What the next commit says of a page.
pub(super) enum Touched {
    /// All of it: the journal has no image of it to start from, or single changes would take more bytes.
    Image,
    /// These entries, as they are when the commit is taken.
    Entries(BTreeSet<u16>),
    /// These runs of bits, in the order of their changes.
    Bits(Vec<(ClusterRun, bool)>),
}

/// One change.
#[derive(Clone, Copy)]
pub(super) enum Touch {
    Entry { index: u16, entry: RawEntry },
    Bits { run: ClusterRun, taken: bool },
}

impl Touched {
    /// Bytes of payload that it takes at most.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Touched::Image => IMAGE_BYTES,
            Touched::Entries(indices) => indices.len() * (RECORD + RUN + ENTRY_LENGTH),
            Touched::Bits(runs) => runs.len() * (RECORD + RUN),
        }
    }

    /// Adds a change; what would take more bytes than the page's image becomes the image.
    pub(super) fn add(&mut self, touch: Touch) {
        match (&mut *self, touch) {
            (Touched::Image, _) => {}
            (Touched::Entries(indices), Touch::Entry { index, .. }) => {
                indices.insert(index);
            }
            (Touched::Bits(runs), Touch::Bits { run, taken }) => runs.push((run, taken)),
            (Touched::Entries(_) | Touched::Bits(_), _) => *self = Touched::Image,
        }
        if self.bytes() >= IMAGE_BYTES {
            *self = Touched::Image;
        }
    }

    /// The first change of a page that the journal has an image of.
    pub(super) fn first(touch: Touch) -> Touched {
        let mut touched = match touch {
            Touch::Entry { .. } => Touched::Entries(BTreeSet::new()),
            Touch::Bits { .. } => Touched::Bits(Vec::new()),
        };
        touched.add(touch);
        touched
    }

    /// Writes it into a commit that will begin at `sequence`; the page as it is now.
    ///
    /// # Panics
    /// When the commit has no room: whoever changes pages asks for it before.
    pub(super) fn put(
        &self,
        page: &Page,
        epoch: Epoch,
        sequence: JournalSequence,
        commit: &mut CommitWriter,
    ) {
        let PageKey { object, lba } = page.key();
        let mut push = |change: Change<'_>| {
            let pushed = commit.push(&PageChange { object, epoch, page: lba, change });
            assert!(pushed, "more was changed than one commit has room for");
        };
        match self {
            Touched::Image => page.write(|content| push(Change::Image(content.seal(epoch, sequence)))),
            Touched::Bits(runs) => {
                runs.iter().for_each(|(run, taken)| push(Change::Bits { run: *run, taken: *taken }));
            }
            Touched::Entries(indices) => page.read(|content| put_entries(content.map(), indices, &mut push)),
        }
    }
}

/// Neighbours go into one record.
fn put_entries(page: &MapPage, indices: &BTreeSet<u16>, push: &mut impl FnMut(Change<'_>)) {
    let mut run: Option<(u16, Vec<[u8; ENTRY_LENGTH]>)> = None;
    for index in indices {
        let bytes = page.raw(*index).bytes();
        match &mut run {
            Some((first, entries)) if usize::from(*first) + entries.len() == usize::from(*index) => {
                entries.push(bytes);
            }
            _ => {
                if let Some((first, entries)) = run.replace((*index, vec![bytes])) {
                    push(Change::Entries { first, entries: &entries });
                }
            }
        }
    }
    if let Some((first, entries)) = run {
        push(Change::Entries { first, entries: &entries });
    }
}

impl Touch {
    /// Makes the change.
    ///
    /// # Panics
    /// When the page is of the other kind.
    pub(super) fn apply(self, content: &mut PageContent) {
        match (self, content) {
            (Touch::Entry { index, entry }, PageContent::Map(page)) => page.set(index, entry),
            (Touch::Bits { run, taken }, PageContent::Bitmap(page)) => page.mark(run, taken),
            _ => panic!("a map's entry and a bitmap, or bits and a map"),
        }
    }
}
