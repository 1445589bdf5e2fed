//! What each sector of a disk may read as: of all writes that began, those that no later one has surely overwritten.

/// The tag of zeros.
pub(super) const ZEROS: u64 = 0;

#[derive(Clone, Debug)]
struct Write {
    tag: u64,
    start: u64,
    /// When it was answered; none while it may still take effect.
    end: Option<u64>,
    /// It failed: it took effect or not.
    is_optional: bool,
}

#[derive(Clone, Debug, Default)]
struct Sector {
    writes: Vec<Write>,
    /// Of the reads that ended: when, and the start of the latest write that one saw.
    seen: Option<(u64, u64)>,
}

pub(super) struct History {
    sectors: Vec<Sector>,
}

impl History {
    pub(super) fn new(sectors: usize) -> History {
        let first = Write { tag: ZEROS, start: 0, end: Some(0), is_optional: false };
        History { sectors: vec![Sector { writes: vec![first], seen: None }; sectors] }
    }

    pub(super) fn begin(&mut self, sector: usize, tag: u64, now: u64) {
        self.sectors[sector].writes.push(Write { tag, start: now, end: None, is_optional: false });
    }

    /// The write of that tag and start ended; `oldest` is when the oldest operation under way began.
    pub(super) fn end(
        &mut self,
        sector: usize,
        (tag, start): (u64, u64),
        (failed, now, oldest): (bool, u64, u64),
    ) {
        let writes = &mut self.sectors[sector].writes;
        for write in writes.iter_mut().filter(|write| write.tag == tag && write.start == start) {
            write.is_optional = failed;
            write.end = (!failed).then_some(now);
        }
        let last =
            writes.iter().filter(|write| !write.is_optional && write.end.is_some_and(|end| end < oldest));
        let Some(last) = last.map(|write| write.start).max() else { return };
        writes.retain(|write| write.end.is_none_or(|end| end >= last));
    }

    /// No failed write takes effect any more.
    pub(super) fn settle(&mut self, now: u64) {
        for write in self.sectors.iter_mut().flat_map(|sector| &mut sector.writes) {
            if write.is_optional && write.end.is_none() {
                write.end = Some(now);
            }
        }
    }

    /// Whether a read from `start` to `end` may have found that tag.
    pub(super) fn may_read(&self, sector: usize, tag: u64, (start, end): (u64, u64)) -> bool {
        let Sector { writes, seen } = &self.sectors[sector];
        let is_overwritten = |write: &Write| {
            let by = |later: &Write| {
                !later.is_optional
                    && write.end.is_some_and(|end| end < later.start)
                    && later.end.is_some_and(|end| end < start)
            };
            let was_seen = |(read_end, seen_start): (u64, u64)| {
                read_end < start && write.end.is_some_and(|end| end < seen_start)
            };
            writes.iter().any(by) || seen.is_some_and(was_seen)
        };
        writes.iter().any(|write| write.tag == tag && write.start <= end && !is_overwritten(write))
    }

    /// A read found that tag, and ended.
    pub(super) fn saw(&mut self, sector: usize, tag: u64, now: u64) {
        let Sector { writes, seen } = &mut self.sectors[sector];
        // Zeros have many writers, and a failed write may be seen and vanish where its piece was never mapped.
        let mut by_tag = writes.iter().filter(|write| write.tag == tag && tag != ZEROS && !write.is_optional);
        if let Some(write) = by_tag.next()
            && seen.is_none_or(|(_, start)| write.start > start)
        {
            *seen = Some((now, write.start));
        }
    }

    pub(super) fn explain(&self, sector: usize) -> String {
        format!("{:x?}", self.sectors[sector])
    }
}
