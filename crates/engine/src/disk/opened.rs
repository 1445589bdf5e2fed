//! A layer whose descriptor this host holds, opened: its map can be read, and changed where it is held alone.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use oarlock_block::{Instant, LocalFuture};
use oarlock_format::{DescriptorNumber, DescriptorRecord, JournalObject, Layer as LayerFacts, LayerFlags};

use super::DiskError;
use super::conclude::{end, with_layer};
use super::here::DisksHere;
use crate::allocate::SpaceError;
use crate::descriptor::read;
use crate::hold::Hold;
use crate::layer::{Layer, Root, RootKeeper};
use crate::pages::Pages;

/// How often a layer is closed again that was changed meanwhile.
const ROUNDS_MAX: usize = 4;

/// Whoever looks at a record while it is released is waited for, in so many parts of a beat.
const LOOKS_MAX: u32 = 64;

/// Who works on a layer that others may wait for looks so often in a beat whether they do.
const LOOKS_A_BEAT: u32 = 8;

/// An open layer. Where it is dropped without having been closed, the host brings home what it owes, and releases it.
pub(super) struct Opened {
    number: DescriptorNumber,
    hold: RefCell<Option<Rc<Hold<DescriptorNumber>>>>,
    layer: Rc<Layer>,
    pages: Arc<Pages>,
    here: Weak<DisksHere>,
    is_closed: Cell<bool>,
    /// When it was last read whether another host waits.
    looked_at: Cell<Instant>,
}

/// The layer's root, as it stands in the descriptor.
pub(super) fn root_of(layer: &LayerFacts) -> Root {
    Root { cluster: layer.root, owned: layer.flags.root_owned, levels: layer.levels }
}

/// The layer with another root.
pub(super) fn with_root(layer: LayerFacts, root: Root) -> LayerFacts {
    let flags = LayerFlags { root_owned: root.owned, ..layer.flags };
    LayerFacts { root: root.cluster, levels: root.levels, flags, ..layer }
}

/// Keeps the root of a layer in its descriptor. The hold is the open layer's: it may be given up.
struct Keeper(Weak<Hold<DescriptorNumber>>);

impl RootKeeper for Keeper {
    fn set_root(&self, root: Root) -> LocalFuture<'_, Result<(), SpaceError>> {
        async move {
            let given_up = || SpaceError::Root { detail: "it was given up".to_owned() };
            let hold = self.0.upgrade().ok_or_else(given_up)?;
            let stepped = hold.step(&|record| with_layer(record, |layer| with_root(layer, root))).await;
            stepped.map_err(|error| SpaceError::Root { detail: error.to_string() })
        }
        .boxed_local()
    }
}

impl Opened {
    /// Opens the layer of a descriptor that this host holds, alone where it is to be changed.
    pub(super) async fn open(
        here: &Rc<DisksHere>,
        hold: Hold<DescriptorNumber>,
    ) -> Result<Rc<Opened>, DiskError> {
        let number = hold.number();
        let record = hold.record().await?;
        let Some(facts) = &record.layer else { return Err(DiskError::TakenAway { descriptor: number }) };
        if !here.note_open(number) {
            return Err(DiskError::OpenHere { descriptor: number });
        }
        let hold = Rc::new(hold);
        let keeper = Rc::new(Keeper(Rc::downgrade(&hold)));
        let layer = Layer::open(&here.source, keeper, (number, record.lock.epoch), root_of(facts));
        Ok(Rc::new(Opened {
            number,
            hold: RefCell::new(Some(hold)),
            layer,
            pages: Arc::clone(here.source.journal().pages()),
            here: Rc::downgrade(here),
            is_closed: Cell::new(false),
            looked_at: Cell::new(here.core.store.now()),
        }))
    }

    pub(super) fn number(&self) -> DescriptorNumber {
        self.number
    }

    pub(super) fn layer(&self) -> &Rc<Layer> {
        &self.layer
    }

    /// The lease of this host.
    pub(super) fn lease(&self) -> Duration {
        self.layer.source().journal().core().store.timing.lease
    }

    pub(super) fn hold(&self) -> Result<Rc<Hold<DescriptorNumber>>, DiskError> {
        self.hold.borrow().clone().ok_or(DiskError::TakenAway { descriptor: self.number })
    }

    /// The descriptor as it stands.
    pub(super) async fn record(&self) -> Result<DescriptorRecord, DiskError> {
        self.hold()?.record().await
    }

    /// What uses the descriptor.
    pub(super) async fn facts(&self) -> Result<LayerFacts, DiskError> {
        self.record().await?.layer.ok_or(DiskError::TakenAway { descriptor: self.number })
    }

    /// Whether another host rang for the descriptor since the last time.
    pub(super) fn take_rung(&self) -> bool {
        self.hold().is_ok_and(|hold| hold.place.wanted.take())
    }

    /// Whether a verb of this host's, or another host, waits for the descriptor. The device is asked once in a part of a beat.
    pub(super) async fn is_waited_for(&self) -> Result<bool, DiskError> {
        let hold = self.hold()?;
        if hold.place.waiting.get() > 0 {
            return Ok(true);
        }
        let store = &hold.core.store;
        let now = store.now();
        if now.since(self.looked_at.get()) < store.timing.beat / LOOKS_A_BEAT {
            return Ok(false);
        }
        self.looked_at.set(now);
        // Whoever waits says so in the record, of which this host's copy knows all but that.
        let seen = read::<DescriptorRecord>(&hold.core, store.layout.descriptor(self.number)).await?;
        Ok(seen.stamped.record.lock.interest)
    }

    /// One step of the descriptor's, durable before the next.
    pub(super) async fn step(&self, change: impl Fn(LayerFacts) -> LayerFacts) -> Result<(), DiskError> {
        self.hold()?.step(&|record| with_layer(record, &change)).await
    }

    /// Everything is home, nothing of the layer is in memory, and its map begins at `root` from now on.
    pub(super) async fn forget_pages(&self) -> Result<(), DiskError> {
        for _ in 0..ROUNDS_MAX {
            if self.layer.close().await? {
                return Ok(());
            }
        }
        Err(DiskError::Changed { descriptor: self.number })
    }

    /// Brings everything home and releases the descriptor, by an ATS that makes one more change.
    pub(super) async fn close(
        &self,
        last: &dyn Fn(&DescriptorRecord) -> DescriptorRecord,
    ) -> Result<(), DiskError> {
        end(self.keep_hold_alone().await?, last).await
    }

    /// Brings everything home and closes the layer; its descriptor stays this host's.
    pub(super) async fn keep_hold_alone(&self) -> Result<Hold<DescriptorNumber>, DiskError> {
        self.forget_pages().await?;
        self.shut();
        self.last_hold().await
    }

    /// It is another host's, who was handed it over: everything was brought home before, and nothing is released.
    pub(super) fn give_away(&self) {
        drop(self.hold.take());
        self.shut();
    }

    /// The hold, once nobody else looks at the record by it.
    async fn last_hold(&self) -> Result<Hold<DescriptorNumber>, DiskError> {
        let gone = DiskError::TakenAway { descriptor: self.number };
        let mut hold = self.hold.take().ok_or(gone)?;
        for _ in 0..LOOKS_MAX {
            hold = match Rc::try_unwrap(hold) {
                Ok(hold) => return Ok(hold),
                Err(hold) => hold,
            };
            let store = &hold.core.store;
            store.world.pause(store.timing.beat / LOOKS_MAX).await;
        }
        Err(DiskError::Changed { descriptor: self.number })
    }

    fn shut(&self) {
        if !self.is_closed.replace(true)
            && let Some(here) = self.here.upgrade()
        {
            here.note_closed(self.number);
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.is_closed.get() {
            // Where something is not home the release brings it there first; of what is only read nothing is owed.
            let _ = self.pages.close(JournalObject::Descriptor(self.number));
            self.shut();
        }
    }
}
