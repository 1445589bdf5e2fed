//! Who is who: the names of the hosts that wrote images, read from their slots when an event first asks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{Clock, Device};
use oarlock_engine::Event;
use oarlock_format::{FormatId, HostId, HostName, Layout, Owner, Place, SlotRecord, Writer, decode};

use crate::api::{Author, EventEntry};
use crate::text::time_text;

/// Names that are remembered; beyond it all are forgotten and read again.
const NAMES_MAX: usize = 4096;

/// Turns engine events into entries of the record.
pub(crate) struct Names {
    pub(crate) format_id: FormatId,
    pub(crate) layout: Layout,
    pub(crate) device: Rc<dyn Device>,
    pub(crate) clock: Rc<dyn Clock>,
    /// A slot is read for so long at most.
    pub(crate) limit: Duration,
    /// The device, as events name it.
    pub(crate) path: String,
    /// The host itself, and its name.
    pub(crate) own: (Owner, String),
    pub(crate) known: RefCell<BTreeMap<HostId, String>>,
}

impl Names {
    /// The event with its names; reads the slot of a host that is not known yet.
    pub(crate) async fn entry(&self, event: Event) -> EventEntry {
        if let Some(Writer::Host(owner)) = event.by
            && self.known(owner).is_none()
        {
            self.learn(owner).await;
        }
        self.entry_at_once(event)
    }

    /// The event with the names that are known.
    pub(crate) fn entry_at_once(&self, event: Event) -> EventEntry {
        let window = event.window;
        let us =
            |part: Option<Duration>| part.map(|part| u64::try_from(part.as_micros()).unwrap_or(u64::MAX));
        EventEntry {
            time: time_text(event.time),
            kind: event.kind.name().to_owned(),
            cause: event.cause.name().to_owned(),
            layer: event.layer.name().to_owned(),
            lba: event.lba.map(|lba| lba.0),
            record: event.record.map(|kind| kind.name().to_owned()),
            path: Some(self.path.clone()),
            expected_age_us: us(window.map(|window| window.expected_age)),
            queue_us: us(window.map(|window| window.queue)),
            device_us: us(window.map(|window| window.device)),
            expected_generation: window.map(|window| window.expected_generation.0),
            found_generation: window.and_then(|window| window.found_generation).map(|found| found.0),
            by: self.author(&event),
            action: event.action.name().to_owned(),
            detail: event.detail,
        }
    }

    /// Who wrote what stands there; of an attempt without an answer, this host.
    fn author(&self, event: &Event) -> Option<Author> {
        let attempt = event.by_attempt.map(|nonce| nonce.to_string());
        let owner = match event.by {
            Some(Writer::Tool) => {
                return Some(Author { host: "tool".to_owned(), incarnation: None, attempt });
            }
            Some(Writer::Host(owner)) => owner,
            None if attempt.is_some() => self.own.0,
            None => return None,
        };
        let host = self.known(owner).unwrap_or_else(|| format!("slot {}", owner.slot));
        Some(Author { host, incarnation: Some(owner.incarnation.0), attempt })
    }

    fn known(&self, owner: Owner) -> Option<String> {
        if owner.host == self.own.0.host {
            return Some(self.own.1.clone());
        }
        self.known.borrow().get(&owner.host).cloned()
    }

    /// Reads the owner's slot. A host's id is the hash of its name: another host in the slot by now is not taken for it.
    async fn learn(&self, owner: Owner) {
        if owner.slot.0 >= self.layout.slot_count() {
            return;
        }
        let lba = self.layout.slot(owner.slot);
        let mut block = vec![0; self.device.geometry().block_size.length()];
        {
            let read = self.device.read(lba, &mut block);
            let limit = self.clock.sleep_until(self.clock.now().plus(self.limit));
            if !matches!(select(read, limit).await, Either::Left((Ok(()), _))) {
                return;
            }
        }
        let place = Place { format_id: self.format_id, lba };
        let Ok(slot) = decode::<SlotRecord>(&block, &place) else { return };
        if let Some(name) = slot.record.name
            && self.id_of(&name) == owner.host
        {
            let mut known = self.known.borrow_mut();
            if known.len() >= NAMES_MAX {
                known.clear();
            }
            known.insert(owner.host, name.as_str().to_owned());
        }
    }

    fn id_of(&self, name: &HostName) -> HostId {
        HostId::of(&self.format_id, name)
    }
}
