//! One layer of the model: what its descriptor says, what it shows, and who has it attached.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_engine::path::Request;
use oarlock_format::{HostId, Layer, LayerId, LayerKind, LockMode, LockState, Owner};

use super::Naive;

/// A host's use of an attached disk or snapshot, from its attaching to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Its number in the run.
    pub number: u64,
    /// Which layer.
    pub id: LayerId,
    /// What for.
    pub purpose: Purpose,
}

/// What a layer is attached for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To be written by one host alone.
    Alone,
    /// To be read.
    ToRead,
    /// To be written by several hosts (R34).
    Together,
}

/// Who has a layer for writing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    pub(super) number: u64,
    pub(super) owner: Owner,
    /// It asked for its end itself: the lock may be given up.
    pub(super) is_closing: bool,
}

/// One layer.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) layer: Layer,
    /// What it shows; none where it is in the making below a disk.
    pub(super) content: Option<Naive>,
    pub(super) writer: Option<Writer>,
    /// Which host had it last for writing alone.
    pub(super) server: Option<HostId>,
    /// Who waits to be handed it over, with guests who ask already.
    pub(super) incoming: Option<Writer>,
    pub(super) readers: BTreeSet<u64>,
    /// Who writes it together, by the numbers of their sessions.
    pub(super) sharers: BTreeMap<u64, Writer>,
    /// What was asked for and not answered yet: by the request's number, whose it is.
    pub(super) asked: BTreeMap<u64, (u64, Request)>,
}

/// What a swap of a descriptor means for what layers show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// The layer in the making shows what the disk does, from now on and for good.
    Below(LayerId),
    /// The disk shows what its new parent does.
    Revert,
}

impl Image {
    /// A layer that begins: a disk shows what its parent does, or nothing.
    pub(super) fn begun(layer: Layer, parent: Option<&Image>) -> Image {
        let content = match layer.kind {
            LayerKind::Disk => {
                Some(parent.and_then(|parent| parent.content.as_ref()).map(Naive::copy).unwrap_or_default())
            }
            LayerKind::Snapshot | LayerKind::Hidden => None,
        };
        Image {
            layer,
            content,
            writer: None,
            server: None,
            incoming: None,
            readers: BTreeSet::new(),
            sharers: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// What a swap that gives it this next version does; `parent`: the layer that stands below it then.
    pub(super) fn turn(&self, next: &Layer, parent: Option<&Image>) -> Turn {
        let Some((id, parent)) = next.parent.filter(|id| Some(*id) != self.layer.parent).zip(parent) else {
            return Turn::None;
        };
        let roots = (next.root, next.flags.root_owned);
        let is_new_root = roots != (self.layer.root, self.layer.flags.root_owned);
        if parent.content.is_none() {
            Turn::Below(id)
        } else if is_new_root && roots == (parent.layer.root, false) {
            Turn::Revert
        } else {
            Turn::None
        }
    }

    /// The lock of its descriptor was swapped by `author`; what is wrong with that, if anything is.
    pub(super) fn lock_changed(
        &mut self,
        before: &LockState,
        after: &LockState,
        author: Option<Owner>,
    ) -> Option<String> {
        if after.owner.is_some() && after.owner == before.next && author == before.owner {
            self.handed_over(after.owner);
            return None;
        }
        if after.next != before.next && after.next.is_some() && after.next != author {
            return Some(format!("{author:?} made {:?} its next owner", after.next));
        }
        if after.mode == LockMode::Exclusive {
            self.readers.clear();
        }
        let wrong = self.sharers_left(after, author);
        if wrong.is_some() {
            return wrong;
        }
        let writer = self.writer.filter(|writer| after.owner != Some(writer.owner))?;
        self.writer = None;
        if author != Some(writer.owner) {
            // He died or was fenced, and nothing of him can land any more; what was answered is there.
            self.end_with(Naive::crash);
            return None;
        }
        (!writer.is_closing).then(|| "its lock was given up while a guest had it attached".to_owned())
    }

    /// Its owner gave it to whom it was promised. What had not begun by then never does, and who waited has it.
    fn handed_over(&mut self, to: Option<Owner>) {
        if let Some(writer) = self.writer.take() {
            self.void(writer.number);
        }
        self.writer = self.incoming.take().filter(|incoming| Some(incoming.owner) == to);
        self.server = to.map(|owner| owner.host);
    }

    /// Who waited to be handed it over waits no longer.
    pub(super) fn forget_incoming(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.void(incoming.number);
        }
    }

    /// What that session has asked for, and was not answered, never began.
    fn void(&mut self, session: u64) {
        for (number, _) in self.take_asked(session) {
            if let Some(content) = &mut self.content {
                content.void(number);
            }
        }
    }

    /// What that session has asked for, and was not answered; it is asked no more.
    fn take_asked(&mut self, session: u64) -> Vec<(u64, Request)> {
        let of_session = self.asked.extract_if(.., |_, (asker, _)| *asker == session);
        of_session.map(|(number, (_, request))| (number, request)).collect()
    }

    /// Sharers whose bit is gone have it no more. Of whom others cleared it nothing can land any more, and what was answered to
    /// him stays: the map does not change while it is shared, so nothing of it waits for a commit.
    fn sharers_left(&mut self, after: &LockState, author: Option<Owner>) -> Option<String> {
        let has_bit =
            |owner: Owner| after.mode == LockMode::MultiWriter && after.holders.contains(owner.slot);
        let gone: Vec<(u64, Writer)> = self
            .sharers
            .iter()
            .filter(|(_, sharer)| !has_bit(sharer.owner))
            .map(|(number, sharer)| (*number, *sharer))
            .collect();
        let mut wrong = None;
        for (session, sharer) in gone {
            self.sharers.remove(&session);
            if author == Some(sharer.owner) && !sharer.is_closing {
                wrong = Some("its bit was cleared while a guest had it attached".to_owned());
            }
            for (number, request) in self.take_asked(session) {
                if let Some(content) = &mut self.content {
                    content.fail(&request, number, false);
                }
            }
        }
        wrong
    }

    /// The power of whoever had it went.
    pub(super) fn lose_power(&mut self) {
        self.end_with(Naive::lose_power);
    }

    /// Whoever had it is gone, and nothing of him can land any more.
    fn end_with(&mut self, end: fn(&mut Naive)) {
        self.forget_incoming();
        (self.writer, self.readers) = (None, BTreeSet::new());
        self.sharers.clear();
        self.asked.clear();
        if let Some(content) = &mut self.content {
            end(content);
        }
    }

    /// Whether that session may ask for something: it has it, or waits for it.
    pub(super) fn may_ask(&self, session: &Session) -> bool {
        self.has(session) || self.incoming.is_some_and(|incoming| incoming.number == session.number)
    }

    /// Whether that session still has it.
    pub(super) fn has(&self, session: &Session) -> bool {
        match session.purpose {
            Purpose::Alone => self.writer.is_some_and(|writer| writer.number == session.number),
            Purpose::ToRead => self.readers.contains(&session.number),
            Purpose::Together => self.sharers.contains_key(&session.number),
        }
    }
}
