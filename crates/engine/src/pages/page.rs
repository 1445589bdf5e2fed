//! One page in the cache: its content behind a lock of its own, which is all that a reader takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use oarlock_block::Lba;
use oarlock_format::{
    BitmapPage, DecodeError, Epoch, JournalObject, JournalSequence, MapPage, MapShape, PageBytes, Place,
};

/// Which page: under whose lock this host reads it, and where it stands. A page of an ancestor that two disks of this
/// host read is cached once for each: whoever gives up one lock forgets what it knew by that lock, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageKey {
    /// The lock by which this host may believe its copy.
    pub object: JournalObject,
    /// The page's address.
    pub lba: Lba,
}

/// What is on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageContent {
    /// A page of a map's node: of a descriptor.
    Map(MapPage),
    /// A bitmap: of a group.
    Bitmap(BitmapPage),
}

impl PageContent {
    /// The page of that object in bytes that were read at `place`. A layer has pages that another wrote before it: as soon as it
    /// changes one, the page says whose lock it was changed under.
    ///
    /// # Errors
    /// The first doubt that the page does not stand.
    pub fn decode(
        object: JournalObject,
        bytes: &[u8],
        place: &Place,
        shape: &MapShape,
    ) -> Result<PageContent, DecodeError> {
        match object {
            JournalObject::Descriptor(number) => {
                let page = MapPage::decode(bytes, place, shape)?;
                Ok(PageContent::Map(page.taken_over_by(number)))
            }
            JournalObject::Group(_) => BitmapPage::decode(bytes, place).map(PageContent::Bitmap),
        }
    }

    /// The bytes to write: under this epoch, after this commit.
    pub(crate) fn seal(&mut self, epoch: Epoch, sequence: JournalSequence) -> &PageBytes {
        match self {
            PageContent::Map(page) => page.seal(epoch, sequence),
            PageContent::Bitmap(page) => page.seal(epoch, sequence),
        }
    }

    /// The map's page that this is.
    ///
    /// # Panics
    /// When it is a bitmap.
    #[must_use]
    pub fn map(&self) -> &MapPage {
        match self {
            PageContent::Map(page) => page,
            PageContent::Bitmap(_) => panic!("a bitmap is read as a page of a map"),
        }
    }

    /// The bitmap that this is.
    ///
    /// # Panics
    /// When it is a map's page.
    #[must_use]
    pub fn bitmap(&self) -> &BitmapPage {
        match self {
            PageContent::Bitmap(page) => page,
            PageContent::Map(_) => panic!("a page of a map is read as a bitmap"),
        }
    }
}

/// A page in the cache. Whoever keeps the `Arc` keeps the page from being put out of it, so keep few.
#[derive(Debug)]
pub struct Page {
    key: PageKey,
    content: RwLock<PageContent>,
    /// It was looked up since the hand last passed: its second chance.
    used: AtomicBool,
}

impl Page {
    pub(crate) fn new(key: PageKey, content: PageContent) -> Arc<Page> {
        let fits = matches!(
            (key.object, &content),
            (JournalObject::Descriptor(_), PageContent::Map(_))
                | (JournalObject::Group(_), PageContent::Bitmap(_))
        );
        assert!(fits, "a page of another kind than its object's is cached");
        Arc::new(Page { key, content: RwLock::new(content), used: AtomicBool::new(true) })
    }

    /// Which page this is.
    #[must_use]
    pub const fn key(&self) -> PageKey {
        self.key
    }

    /// Reads the page; no change of it happens meanwhile, so be brief.
    pub fn read<T>(&self, look: impl FnOnce(&PageContent) -> T) -> T {
        look(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the page. Only who holds the mutex of all changes does.
    pub(super) fn write<T>(&self, change: impl FnOnce(&mut PageContent) -> T) -> T {
        change(&mut self.content.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note_use(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Takes away the second chance; whether there was one.
    pub(super) fn take_chance(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}
