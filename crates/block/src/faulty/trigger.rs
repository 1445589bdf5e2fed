//! When a fault strikes: which commands it looks at, and whose turn it is.

use std::cell::Cell;

use crate::{BlockCount, CommandKind, FaultSpec, Lba};

/// One specification, with its counts.
pub(super) struct Trigger {
    spec: FaultSpec,
    /// Selected commands so far.
    seen: Cell<u64>,
    /// Those of them that were struck.
    struck: Cell<u64>,
}

impl Trigger {
    pub(super) fn new(spec: FaultSpec) -> Trigger {
        Trigger { spec, seen: Cell::new(0), struck: Cell::new(0) }
    }

    pub(super) fn spec(&self) -> &FaultSpec {
        &self.spec
    }

    pub(super) fn struck(&self) -> u64 {
        self.struck.get()
    }

    /// Whether the fault looks at this command at all. A flush touches no block.
    pub(super) fn selects(
        &self,
        kind: CommandKind,
        lba: Lba,
        blocks: BlockCount,
        record_at: &dyn Fn(Lba) -> Option<&'static str>,
    ) -> bool {
        let selector = &self.spec.selector;
        let possible =
            [self.spec.fault.only(), selector.op].into_iter().flatten().all(|wanted| wanted == kind);
        let touched = lba.0..lba.plus(blocks).0;
        possible
            && selector.lba.is_none_or(|(first, end)| touched.start < end.0 && first.0 < touched.end)
            && selector.record.as_deref().is_none_or(|wanted| {
                touched.clone().any(|block| record_at(Lba(block)).is_some_and(|found| found == wanted))
            })
    }

    /// Counts a selected command; says whether it is one to be struck.
    pub(super) fn turn(&self) -> bool {
        self.seen.set(self.seen.get() + 1);
        self.spec.is_turn(self.seen.get(), self.struck.get())
    }

    /// The command is struck.
    pub(super) fn strike(&self) {
        self.struck.set(self.struck.get() + 1);
    }

    /// It was not, after all.
    pub(super) fn take_back(&self) {
        self.struck.set(self.struck.get() - 1);
    }
}
