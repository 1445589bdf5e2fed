//! The estate: all layers by a naive model, which follows what descriptors show on the device, and is asked at each read.
//!
//! A descriptor's swap is the instant at which a verb happens, whoever was told of it: a layer in the making that its disk
//! names is that disk as it was then; a disk whose root is its new parent's shows what that one does; nothing else changes what
//! any layer shows. So what a host that died in the middle of a verb had done is known without asking anybody.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use oarlock_block::Lba;
use oarlock_engine::path::{PathError, Request, RequestKind};
use oarlock_format::{
    DescriptorNumber, DescriptorRecord, HostId, HostName, Layer, LayerId, LayerName, LockMode, Owner, Place,
    Standing, decode, stamp_of,
};

use super::image::{Image, Purpose, Session, Turn, Writer};
use super::{Naive, SECRET};
use crate::datastore::Template;
use crate::member::Run;
use crate::scenario::{Power, Theme};
use crate::{Effect, Execution, FaultEvent, FaultKind, Image as Block, Observer};

/// A guest's request under way.
pub struct Asked {
    session: Session,
    request: Request,
    number: u64,
    /// Where it was answered it may have done nothing.
    may_be_nothing: bool,
}

/// How layers stood before a swap that a loss of power may take back.
struct Undo {
    lba: Lba,
    after: Block,
    before: Vec<(LayerId, Before)>,
}

/// How a layer stood.
enum Before {
    /// It was not there.
    None,
    /// Its descriptor said so. What it shows did not change.
    Facts(Layer),
    /// All of it.
    Whole(Box<Image>),
}

/// All layers.
#[derive(Default)]
pub struct Estate {
    images: RefCell<BTreeMap<LayerId, Image>>,
    undo: RefCell<Vec<Undo>>,
    /// Which layer a mark was written to.
    marks: RefCell<Vec<LayerId>>,
    sessions: Cell<u64>,
    /// Hosts that are asked to receive a disk.
    invitations: RefCell<Vec<(LayerName, HostName)>>,
    /// What was done, and how often.
    deeds: RefCell<BTreeMap<&'static str, u64>>,
}

impl Estate {
    /// Something was done.
    pub fn did(&self, deed: &'static str) {
        *self.deeds.borrow_mut().entry(deed).or_default() += 1;
    }

    /// What was done, and how often.
    #[must_use]
    pub fn deeds(&self) -> BTreeMap<&'static str, u64> {
        self.deeds.borrow().clone()
    }

    /// Somebody asks a host to receive a disk.
    pub fn invite(&self, disk: &LayerName, host: &HostName) {
        self.invitations.borrow_mut().push((disk.clone(), host.clone()));
    }

    /// A disk that this host is asked to receive.
    #[must_use]
    pub fn invitation(&self, host: &HostName) -> Option<LayerName> {
        let mut invitations = self.invitations.borrow_mut();
        let index = invitations.iter().position(|(_, invited)| invited == host)?;
        Some(invitations.swap_remove(index).0)
    }

    /// Whoever was asked to receive the disk, and has not begun, is asked no longer.
    pub fn disinvite(&self, disk: &LayerName) {
        self.invitations.borrow_mut().retain(|(invited, _)| invited != disk);
    }

    fn wrong(run: &Run, id: LayerId, message: &str) {
        run.violation("disks", &format!("{id}: {message}"));
    }

    /// Which host each record says to have served its disk last.
    pub fn servers(&self) -> BTreeMap<LayerId, HostId> {
        let images = self.images.borrow();
        images.iter().filter_map(|(id, image)| Some((*id, image.layer.server?))).collect()
    }

    /// A host has attached a disk for its former life's sake: nobody may have had it since. `before`: what records said when it began.
    pub fn came_back(&self, run: &Run, id: LayerId, host: HostId, before: &BTreeMap<LayerId, HostId>) {
        let server = self.images.borrow().get(&id).and_then(|image| image.server);
        // Whoever was about to serve it, and died over that, may come back, too.
        let said = before.get(&id).copied();
        if let Some(other) = server.filter(|server| *server != host && said != Some(host)) {
            Estate::wrong(run, id, &format!("{host:?} came back to it, and {other:?} had it since"));
        }
    }

    /// A host has attached a layer, and shows it with that size.
    pub fn open(&self, run: &Run, (id, owner): (LayerId, Owner), size: u64, purpose: Purpose) -> Session {
        self.sessions.set(self.sessions.get() + 1);
        let session = Session { number: self.sessions.get(), id, purpose };
        let mut images = self.images.borrow_mut();
        let Some(image) = images.get_mut(&id) else {
            Estate::wrong(run, id, "it was attached, and does not exist");
            return session;
        };
        if image.layer.size.0 != size {
            Estate::wrong(run, id, &format!("it has {} bytes, and shows {size}", image.layer.size.0));
        }
        if let Some(writer) = &image.writer {
            Estate::wrong(run, id, &format!("it was attached, and {} writes it", writer.owner.slot));
        }
        if let Some(sharer) = image.sharers.values().next().filter(|_| purpose != Purpose::Together) {
            Estate::wrong(run, id, &format!("it was attached, and {} shares it", sharer.owner.slot));
        }
        let writer = Writer { number: session.number, owner, is_closing: false };
        match purpose {
            Purpose::Alone => {
                if image.layer.server != Some(owner.host) {
                    Estate::wrong(
                        run,
                        id,
                        &format!("{} serves it, and its record does not say so", owner.slot),
                    );
                }
                (image.writer, image.server) = (Some(writer), Some(owner.host));
            }
            Purpose::ToRead => drop(image.readers.insert(session.number)),
            Purpose::Together => {
                if image.sharers.values().any(|sharer| sharer.owner != owner && !sharer.is_closing) {
                    self.did("share with another");
                }
                image.sharers.insert(session.number, writer);
            }
        }
        session
    }

    /// A host waits to be handed a layer over, and its guests ask already.
    pub fn open_incoming(&self, run: &Run, (id, owner): (LayerId, Owner)) -> Session {
        self.sessions.set(self.sessions.get() + 1);
        let session = Session { number: self.sessions.get(), id, purpose: Purpose::Alone };
        let mut images = self.images.borrow_mut();
        let Some(image) = images.get_mut(&id) else {
            Estate::wrong(run, id, "it was to be received, and does not exist");
            return session;
        };
        image.forget_incoming();
        let incoming = Writer { number: session.number, owner, is_closing: false };
        // It may have been handed over before its host got this far.
        match image.writer {
            None if run.owner_of(id) == Some(owner) => image.writer = Some(incoming),
            _ => image.incoming = Some(incoming),
        }
        session
    }

    /// A host has a layer that it waited for, and shows it with that size.
    pub fn arrived(&self, run: &Run, session: &Session, size: u64) {
        let images = self.images.borrow();
        let Some(image) = images.get(&session.id).filter(|image| image.has(session)) else {
            Estate::wrong(run, session.id, "it was taken up by who does not own it");
            return;
        };
        if image.layer.server != image.server {
            Estate::wrong(run, session.id, "it was taken up, and its record does not say by whom");
        }
        if image.layer.size.0 != size {
            Estate::wrong(run, session.id, &format!("it has {} bytes, and shows {size}", image.layer.size.0));
        }
    }

    /// A session is about to end.
    pub fn close(&self, session: &Session) {
        let mut images = self.images.borrow_mut();
        let Some(image) = images.get_mut(&session.id) else { return };
        image.readers.remove(&session.number);
        if image.incoming.is_some_and(|incoming| incoming.number == session.number) {
            image.forget_incoming();
        }
        if let Some(writer) = image.writer.as_mut().filter(|writer| writer.number == session.number) {
            writer.is_closing = true;
        }
        if let Some(sharer) = image.sharers.get_mut(&session.number) {
            sharer.is_closing = true;
        }
    }

    /// A guest asks; the data of what it writes, or the memory for what it reads.
    pub fn ask(&self, session: &Session, request: Request) -> (Asked, Vec<u8>) {
        let mark = {
            let mut marks = self.marks.borrow_mut();
            marks.push(session.id);
            marks.len() as u64
        };
        let mut images = self.images.borrow_mut();
        let mut image = images.get_mut(&session.id).filter(|image| image.may_ask(session));
        let is_full = image.as_ref().is_some_and(|image| image.layer.flags.full);
        let is_trim = matches!(request.kind, RequestKind::Trim { .. });
        let (asked_for, may_be_nothing) = match (is_trim && is_full, session.purpose) {
            // Whoever shares trims nothing.
            (true, Purpose::Together) => (Request { kind: RequestKind::Cache, ..request }, false),
            // Nor does who has a disk alone that is full, but a snapshot may make it be so no more before the trim is done.
            (true, _) => (request, true),
            (false, _) => (request, false),
        };
        let content = image.as_mut().and_then(|image| image.content.as_mut());
        // Of a session that is over nothing can come any more; it will hear so.
        let mut none = Naive::default();
        let (number, data) = content.unwrap_or(&mut none).begin_as(&asked_for, 0, mark);
        if let Some(image) = image.filter(|image| image.content.is_some()) {
            image.asked.insert(number, (session.number, asked_for));
        }
        (Asked { session: *session, request: asked_for, number, may_be_nothing }, data)
    }

    /// A guest was answered.
    pub fn answer(
        &self,
        run: &Run,
        asked: &Asked,
        result: Result<(), PathError>,
        may_land: bool,
        data: &[u8],
    ) {
        let Asked { session, request, number, may_be_nothing } = asked;
        let mut images = self.images.borrow_mut();
        let mut image = images.get_mut(&session.id).filter(|image| image.has(session));
        if let Some(image) = &mut image {
            image.asked.remove(number);
        }
        let Some(content) = image.and_then(|image| image.content.as_mut()) else {
            if result.is_ok() {
                Estate::wrong(run, session.id, &format!("{request:?} was answered by who does not have it"));
            }
            return;
        };
        match result {
            Ok(()) if *may_be_nothing => content.fail(request, *number, false),
            Ok(()) => {
                if let Err(wrong) = content.end(request, *number, data, 0) {
                    let whose = self.whose(data);
                    Estate::wrong(run, session.id, &format!("{request:?}: {wrong}{whose}"));
                }
            }
            Err(_) => content.fail(request, *number, may_land),
        }
        content.settle();
    }

    /// Nothing of a request that failed can land any more.
    pub fn landed(&self, asked: &Asked) {
        let Asked { session, request, number, .. } = asked;
        let mut images = self.images.borrow_mut();
        let image = images.get_mut(&session.id).filter(|image| image.has(session));
        if let Some(content) = image.and_then(|image| image.content.as_mut()) {
            content.fail(request, *number, false);
        }
    }

    /// Whose bytes a reader was shown, as far as they tell.
    fn whose(&self, data: &[u8]) -> String {
        let marks = self.marks.borrow();
        let mut found: Vec<String> = data
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
            .filter(|tag| *tag != SECRET)
            .filter_map(|tag| usize::try_from(tag >> 32).ok()?.checked_sub(1))
            .filter_map(|mark| Some(format!("{}'s", marks.get(mark)?)))
            .collect();
        found.sort_unstable();
        found.dedup();
        format!("; it read {}", found.join(", "))
    }

    /// Whether the layer exists, and the sectors of it that may show something.
    #[must_use]
    pub fn written(&self, id: LayerId) -> Vec<u64> {
        let images = self.images.borrow();
        let content = images.get(&id).and_then(|image| image.content.as_ref());
        content.map(|content| content.written().collect()).unwrap_or_default()
    }

    /// A layer that a living host has attached.
    #[must_use]
    pub fn in_use(&self, run: &Run) -> Option<LayerId> {
        let lives = |owner: Owner| run.census.in_slot(owner.slot, owner.incarnation.0).is_some();
        let images = self.images.borrow();
        images
            .iter()
            .find(|(_, image)| {
                image.writer.iter().chain(image.sharers.values()).any(|writer| lives(writer.owner))
            })
            .map(|(id, _)| *id)
    }

    /// Every layer that has a name, as the descriptors say.
    #[must_use]
    pub fn ids(&self) -> Vec<LayerId> {
        let images = self.images.borrow();
        let named = images.iter().filter(|(_, image)| image.layer.state == oarlock_format::LayerState::Ready);
        named
            .filter(|(_, image)| image.layer.kind != oarlock_format::LayerKind::Hidden)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Remembers how layers stood, where a loss of power may take back what comes now.
    fn remember(&self, run: &Run, execution: &Execution, before: Vec<(LayerId, Before)>) {
        if let Some(after) = execution.after.as_ref().filter(|_| run.scenario.power != Power::Steady) {
            self.undo.borrow_mut().push(Undo { lba: execution.lba, after: Rc::clone(after), before });
        }
    }

    fn swapped(&self, run: &Run, number: DescriptorNumber, execution: &Execution) {
        let record = |block: &Option<Block>| {
            let place = Place { format_id: Template::FORMAT_ID, lba: execution.lba };
            let stamped = decode::<DescriptorRecord>(block.as_ref()?, &place);
            stamped.ok().map(|stamped| stamped.record)
        };
        let (Some(before), Some(after)) = (record(&execution.before), record(&execution.after)) else {
            return;
        };
        let id_of = |record: &DescriptorRecord| record.layer.as_ref().and_then(|_| record.id(number));
        let (old, new) = (id_of(&before), id_of(&after));
        let parent = after.layer.as_ref().and_then(|layer| layer.parent);
        let author = execution.after.as_ref().and_then(|image| stamp_of(image));
        let author = author.and_then(|stamp| stamp.writer.owner());
        let mut images = self.images.borrow_mut();
        if let Some(id) = old.filter(|id| Some(*id) != new)
            && let Some(image) = images.remove(&id)
        {
            self.remember(run, execution, vec![(id, Before::Whole(Box::new(image)))]);
        }
        let (Some(id), Some(layer)) = (new, after.layer) else { return };
        let below = parent.and_then(|parent| images.get(&parent).cloned());
        let Some(image) = images.get_mut(&id) else {
            self.remember(run, execution, vec![(id, Before::None)]);
            images.insert(id, Image::begun(layer, below.as_ref()));
            return;
        };
        if let Some(wrong) = image.lock_changed(&before.lock, &after.lock, author) {
            Estate::wrong(run, id, &wrong);
        }
        if image.layer == layer {
            return;
        }
        if before.lock.mode == LockMode::MultiWriter && after.lock.mode == LockMode::MultiWriter {
            Estate::wrong(run, id, "it changed while it was shared");
        }
        let turn = image.turn(&layer, below.as_ref());
        let whole = Box::new(image.clone());
        let facts = Before::Facts(std::mem::replace(&mut image.layer, layer));
        match turn {
            Turn::None => self.remember(run, execution, vec![(id, facts)]),
            Turn::Revert => {
                self.remember(run, execution, vec![(id, Before::Whole(whole))]);
                image.content = below.and_then(|below| below.content.as_ref().map(Naive::copy));
            }
            Turn::Below(number) => {
                // Before the swap everything of it was brought home.
                let shown = image.content.as_mut().map(|content| {
                    content.make_durable();
                    content.copy()
                });
                let below = below.map_or(Before::None, |below| Before::Whole(Box::new(below)));
                self.remember(run, execution, vec![(id, facts), (number, below)]);
                if let Some(below) = images.get_mut(&number) {
                    below.content = shown;
                }
            }
        }
    }

    /// The machine lost its power: what was swapped and not flushed may never have happened.
    fn lost_power(&self, run: &Run) {
        let mut images = self.images.borrow_mut();
        for undo in self.undo.borrow_mut().drain(..).rev() {
            if run.world.content(undo.lba) == undo.after {
                continue;
            }
            for (id, before) in undo.before {
                match before {
                    Before::None => drop(images.remove(&id)),
                    Before::Whole(image) => drop(images.insert(id, *image)),
                    Before::Facts(facts) => {
                        if let Some(image) = images.get_mut(&id) {
                            image.layer = facts;
                        }
                    }
                }
            }
        }
        images.values_mut().for_each(Image::lose_power);
    }
}

/// Keeps the estate.
pub struct Follower(Rc<Run>);

impl Follower {
    pub fn new(run: Rc<Run>) -> Follower {
        Follower(run)
    }
}

impl Observer for Follower {
    fn on_execute(&self, execution: &Execution) {
        let run = &self.0;
        if run.scenario.theme != Theme::Disks {
            return;
        }
        match execution.effect {
            Effect::Flushed => run.estate.undo.borrow_mut().clear(),
            Effect::Swapped => {
                if let Standing::Descriptor(number) = run.layout.kind_at(execution.lba)
                    && let Ok(number) = u32::try_from(number).map(DescriptorNumber)
                    && execution.lba == run.layout.descriptor(number)
                {
                    run.estate.swapped(run, number, execution);
                }
            }
            _ => {}
        }
    }

    fn on_fault(&self, fault: &FaultEvent) {
        if fault.kind == FaultKind::PowerLoss && self.0.scenario.theme == Theme::Disks {
            self.0.estate.lost_power(&self.0);
        }
    }
}
