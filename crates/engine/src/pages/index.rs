//! Which pages are in the cache: found by object and address, put out by second chance when there are too many.
//!
//! A page that is being read from the device has an entry before it has a content. Two things come of that: the entry is
//! not put out, so that a page which was changed and went home meanwhile is still there when an old reading of it
//! arrives; and where the object is forgotten meanwhile, the entry is gone, and what was read is not believed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use oarlock_block::Lba;
use oarlock_format::JournalObject;

use super::page::{Page, PageKey};

/// The pages of one host.
pub(super) struct Index {
    entries: BTreeMap<PageKey, Entry>,
    /// The pages in the order in which the hand passes them. What is not in the cache any more is dropped on the way.
    round: VecDeque<(PageKey, u64)>,
    /// How many entries have a page.
    cached: usize,
    cached_max: usize,
    next_id: u64,
}

struct Entry {
    /// Which entry of that key this is: what is read for one is not put into a later one.
    id: u64,
    page: Option<Arc<Page>>,
    /// How many readings are under way.
    readings: u32,
}

/// Every page is held by somebody: none can be put out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AllHeld;

impl Index {
    pub(super) fn new(cached_max: usize) -> Index {
        assert!(cached_max > 0, "a cache of no pages");
        Index { entries: BTreeMap::new(), round: VecDeque::new(), cached: 0, cached_max, next_id: 0 }
    }

    pub(super) fn get(&self, key: &PageKey) -> Option<Arc<Page>> {
        let page = self.entries.get(key)?.page.as_ref()?;
        page.note_use();
        Some(Arc::clone(page))
    }

    /// A reading begins; the number of the entry that it is for.
    pub(super) fn begin_reading(&mut self, key: PageKey) -> u64 {
        let next_id = &mut self.next_id;
        let entry = self.entries.entry(key).or_insert_with(|| {
            *next_id += 1;
            Entry { id: *next_id, page: None, readings: 0 }
        });
        entry.readings += 1;
        entry.id
    }

    pub(super) fn end_reading(&mut self, key: &PageKey, id: u64) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.id == id) else { return };
        entry.readings -= 1;
        if entry.readings == 0 && entry.page.is_none() {
            self.entries.remove(key);
        }
    }

    /// Puts in what was read for the entry `id`: the page that is in the cache now, which may be a newer one that came
    /// meanwhile; nothing where the entry was forgotten.
    pub(super) fn fill(&mut self, page: Arc<Page>, id: u64) -> Result<Option<Arc<Page>>, AllHeld> {
        let key = page.key();
        let Some(entry) = self.entries.get(&key).filter(|entry| entry.id == id) else { return Ok(None) };
        if let Some(page) = &entry.page {
            return Ok(Some(Arc::clone(page)));
        }
        self.make_room()?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.page = Some(Arc::clone(&page));
            self.round.push_back((key, id));
            self.cached += 1;
        }
        Ok(Some(page))
    }

    /// Puts in a page that stands on the device as it is, whatever was known of that address before.
    pub(super) fn put(&mut self, page: &Arc<Page>) -> Result<(), AllHeld> {
        self.remove(&page.key());
        self.make_room()?;
        self.next_id += 1;
        let entry = Entry { id: self.next_id, page: Some(Arc::clone(page)), readings: 0 };
        self.round.push_back((page.key(), entry.id));
        self.entries.insert(page.key(), entry);
        self.cached += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &PageKey) {
        if self.entries.remove(key).is_some_and(|entry| entry.page.is_some()) {
            self.cached -= 1;
        }
    }

    /// Forgets every page of an object.
    pub(super) fn forget(&mut self, object: JournalObject) {
        let range = PageKey { object, lba: Lba(0) }..=PageKey { object, lba: Lba(u64::MAX) };
        let keys: Vec<PageKey> = self.entries.range(range).map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.remove(key));
    }

    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Puts pages out until there is room for one: each that was used since the hand last passed has a second chance, and
    /// one that anybody holds stays. Two rounds find whatever can be found.
    fn make_room(&mut self) -> Result<(), AllHeld> {
        let mut steps = self.round.len() * 2;
        while self.cached >= self.cached_max {
            steps = steps.checked_sub(1).ok_or(AllHeld)?;
            let Some((key, id)) = self.round.pop_front() else { return Err(AllHeld) };
            let Some(entry) = self.entries.get(&key).filter(|entry| entry.id == id) else { continue };
            let Some(page) = &entry.page else { continue };
            // A changed page is held by the list of changed ones; a new holder comes only through this index.
            let held = entry.readings > 0 || Arc::strong_count(page) > 1;
            if page.take_chance() || held {
                self.round.push_back((key, id));
            } else {
                self.remove(&key);
            }
        }
        // Forgotten pages leave their places in the round behind; they must not pile up.
        if self.round.len() > self.cached_max * 2 {
            let entries = &self.entries;
            self.round.retain(|(key, id)| entries.get(key).is_some_and(|entry| entry.id == *id));
        }
        Ok(())
    }
}
