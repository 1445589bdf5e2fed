//! The cache alone: what is put out and what stays, late readings, and how many bytes a commit takes.

use oarlock_format::{
    ClusterNumber, DescriptorNumber, JournalSequence, LeafEntry, MapPage, Mapped, PAGE_LENGTH, PageHeader,
    PieceMask,
};

use super::*;

const FORMAT_ID: FormatId = FormatId(7);
const OBJECT: JournalObject = JournalObject::Descriptor(DescriptorNumber(3));
const OTHER: JournalObject = JournalObject::Descriptor(DescriptorNumber(4));

fn cache(cached_max: usize) -> Arc<Pages> {
    Pages::new(PagesLimits {
        format_id: FORMAT_ID,
        shape: MapShape::new(oarlock_block::ByteCount(65_536)),
        cached_max,
        changed_max: 24,
        commit_bytes_max: TRANSACTION_PAGES_MAX * (24 + PAGE_LENGTH),
    })
}

fn key(object: JournalObject, lba: u64) -> PageKey {
    PageKey { object, lba: Lba(lba) }
}

/// The bytes of a page at that address that maps `entry` first.
fn bytes(lba: u64, entry: LeafEntry) -> PageBytes {
    let header = PageHeader {
        format_id: FORMAT_ID,
        lba: Lba(lba),
        object: 3,
        level: 0,
        epoch: Epoch(1),
        sequence: JournalSequence(0),
    };
    let mut page = MapPage::empty(header);
    page.set(0, entry);
    *page.seal(Epoch(1), JournalSequence(0))
}

fn entry(cluster: u64) -> LeafEntry {
    let own = Mapped { cluster: ClusterNumber(cluster), mask: PieceMask::first(16) };
    LeafEntry { own: Some(own), owned: true, ..LeafEntry::default() }
}

fn reading(pages: &Arc<Pages>, key: PageKey) -> Reading {
    match pages.look(key) {
        Look::Missing(reading) => reading,
        Look::Cached(_) => panic!("the page is cached"),
    }
}

fn read(pages: &Arc<Pages>, lba: u64) -> Arc<Page> {
    reading(pages, key(OBJECT, lba)).fill(&bytes(lba, entry(1))).unwrap()
}

fn first_entry(page: &Page) -> LeafEntry {
    page.read(|content| content.map().leaf(0))
}

fn change(pages: &Pages, page: &Arc<Page>, cluster: u64) {
    pages.begin(1).unwrap().set(page, 0, entry(cluster));
}

#[test]
fn a_page_that_was_used_has_a_second_chance_and_one_that_is_held_or_changed_stays() {
    let pages = cache(30);
    pages.open(OBJECT, Epoch(1));
    let held = read(&pages, 0);
    change(&pages, &read(&pages, 8), 5);
    for lba in 2..30 {
        read(&pages, lba * 8);
    }
    // The first round takes every chance away; then the oldest page goes that nobody holds.
    read(&pages, 800);
    assert!(pages.get(key(OBJECT, 16)).is_none());
    assert!(pages.get(key(OBJECT, 24)).is_some());
    read(&pages, 808);
    assert!(pages.get(key(OBJECT, 24)).is_some(), "it was used since");
    for lba in 200..400 {
        read(&pages, lba * 8);
    }
    assert_eq!(pages.cached(), 30);
    assert!(Arc::ptr_eq(&pages.get(key(OBJECT, 0)).unwrap(), &held));
    assert_eq!(first_entry(&pages.get(key(OBJECT, 8)).unwrap()), entry(5));
}

#[test]
fn a_cache_whose_pages_are_all_held_says_so() {
    let pages = cache(30);
    let held: Vec<_> = (0..30).map(|lba| read(&pages, lba * 8)).collect();
    let refused = reading(&pages, key(OBJECT, 800)).fill(&bytes(800, entry(1)));
    assert_eq!(refused.err(), Some(PageFault::AllHeld));
    drop(held);
    read(&pages, 800);
}

#[test]
fn a_late_reading_never_replaces_what_was_changed_and_came_home_meanwhile() {
    let pages = cache(30);
    pages.open(OBJECT, Epoch(1));
    let late = reading(&pages, key(OBJECT, 0));
    change(&pages, &read(&pages, 0), 9);
    let taken = pages.take(JournalSequence(1), BatchFor::Checkpoint(&Scope::Whole));
    pages.copies(&taken.home);
    pages.came_home(&taken.home);
    for lba in 1..200 {
        read(&pages, lba * 8);
    }
    assert_eq!(first_entry(&late.fill(&bytes(0, entry(1))).unwrap()), entry(9));
}

#[test]
fn what_was_read_before_a_lock_was_given_up_is_not_believed_after_it() {
    let pages = cache(30);
    pages.open(OBJECT, Epoch(1));
    let late = reading(&pages, key(OBJECT, 0));
    assert!(pages.close(OBJECT));
    pages.open(OBJECT, Epoch(3));
    let refused = late.fill(&bytes(0, entry(1)));
    assert_eq!(refused.err(), Some(PageFault::GivenUp { lba: Lba(0) }));
}

#[test]
fn closing_one_object_forgets_its_pages_and_no_other_s() {
    let pages = cache(30);
    let mine = read(&pages, 0);
    let other = reading(&pages, key(OTHER, 0)).fill(&bytes(0, entry(1))).unwrap();
    assert!(!Arc::ptr_eq(&mine, &other));
    assert!(pages.close(OBJECT));
    assert!(pages.get(key(OBJECT, 0)).is_none());
    assert!(pages.get(key(OTHER, 0)).is_some());
}

#[test]
fn a_page_of_another_place_or_another_datastore_does_not_get_in() {
    let pages = cache(30);
    let astray = reading(&pages, key(OBJECT, 8)).fill(&bytes(0, entry(1)));
    assert!(matches!(astray, Err(PageFault::Unsound { lba: Lba(8), .. })));
    assert_eq!(pages.cached(), 0);
}

#[test]
fn clusters_of_a_retired_page_wait_for_a_checkpoint_that_began_later() {
    let pages = cache(30);
    pages.open(OBJECT, Epoch(1));
    change(&pages, &read(&pages, 0), 9);
    let begun = pages.take(JournalSequence(1), BatchFor::Checkpoint(&Scope::Whole));
    let retired = pages.retire(&[key(OBJECT, 0)]);
    // Nothing of it goes home any more; and yet a copy of it may be on its way, and its image in the journal.
    assert!(pages.copies(&begun.home).is_empty());
    pages.came_home(&begun.home);
    pages.tail_moved();
    assert!(!pages.may_be_reused(retired));
    pages.take(JournalSequence(9), BatchFor::Checkpoint(&Scope::Whole));
    pages.tail_moved();
    assert!(pages.may_be_reused(retired));
}
