//! One layer of the model: what its descriptor says, what it shows, and who has it attached.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_format::{Layer, LayerId, LayerKind, LockMode, LockState, Owner};

use super::Naive;

/// A host's use of an attached disk or snapshot, from its attaching to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Its number in the run.
    pub number: u64,
    /// Which layer.
    pub id: LayerId,
    /// It writes.
    pub writes: bool,
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
    /// Who waits to be handed it over, with guests who ask already.
    pub(super) incoming: Option<Writer>,
    pub(super) readers: BTreeSet<u64>,
    /// Requests under way, with the session of each.
    pub(super) asked: BTreeMap<u64, u64>,
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
            incoming: None,
            readers: BTreeSet::new(),
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
        let writer = self.writer.filter(|writer| after.owner != Some(writer.owner))?;
        self.writer = None;
        if author != Some(writer.owner) {
            // He died or was fenced, and nothing of him can land any more.
            self.crash();
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
    }

    /// Who waited to be handed it over waits no longer.
    pub(super) fn forget_incoming(&mut self) {
        if let Some(incoming) = self.incoming.take() {
            self.void(incoming.number);
        }
    }

    /// What that session has asked for, and was not answered, never began.
    fn void(&mut self, session: u64) {
        let of_session = self.asked.extract_if(.., |_, asker| *asker == session);
        for (number, _) in of_session {
            if let Some(content) = &mut self.content {
                content.void(number);
            }
        }
    }

    /// Whoever had it is gone, and nothing of him can land any more.
    pub(super) fn crash(&mut self) {
        self.forget_incoming();
        (self.writer, self.readers) = (None, BTreeSet::new());
        self.asked.clear();
        if let Some(content) = &mut self.content {
            content.crash();
        }
    }

    /// Whether that session may ask for something: it has it, or waits for it.
    pub(super) fn may_ask(&self, session: &Session) -> bool {
        self.has(session) || self.incoming.is_some_and(|incoming| incoming.number == session.number)
    }

    /// Whether that session still has it.
    pub(super) fn has(&self, session: &Session) -> bool {
        match session.writes {
            true => self.writer.is_some_and(|writer| writer.number == session.number),
            false => self.readers.contains(&session.number),
        }
    }
}
