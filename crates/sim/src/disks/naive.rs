//! The naive disk: for each sector, every write that it may show, now and after a crash or a loss of power.
//!
//! A write is known by its tag, which its sectors show all over. It is *over* once a later one, begun after it was
//! answered, is answered itself: then no reader sees it any more. After a loss of power only later ones that are durable count.
//! A write that failed, or whose host died over it, may be there or not, and makes nothing else be over.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_engine::path::{Request, RequestKind};

/// A sector in bytes: what one write tears into at most.
pub const SECTOR: usize = 512;

/// What stands in every sector that belongs to nobody.
pub const SECRET: u64 = 0x5EC2_E75E_C2E7_5EC2;

/// The tag of zeros.
pub const ZEROS: u64 = 0;

/// What memory shows that nothing was read into.
const UNREAD: u64 = !SECRET;

/// A sector that shows one tag all over.
#[must_use]
pub fn tagged(tag: u64) -> Vec<u8> {
    tag.to_le_bytes().repeat(SECTOR / 8)
}

/// The tag that a sector shows all over.
///
/// # Errors
/// That it shows more than one.
pub fn tag_of(sector: &[u8]) -> Result<u64, String> {
    let mut words =
        sector.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    let first = words.next().unwrap_or_default();
    match words.find(|word| *word != first) {
        None => Ok(first),
        Some(other) => Err(format!("a sector shows {first:x} and {other:x}")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Write {
    tag: u64,
    /// When it was asked for and answered, by the guests' clock. What failed and may still land is never answered.
    begun: u64,
    ended: Option<u64>,
    /// It was answered as done.
    is_done: bool,
    /// How many commands there were when it was asked for, and when it was known to be durable.
    asked_at: usize,
    durable_at: Option<usize>,
}

impl Write {
    /// What a sector shows that nobody has written to.
    const NONE: Write = Write::old(ZEROS, 0);

    /// What is there since then, for good.
    const fn old(tag: u64, since: u64) -> Write {
        Write { tag, begun: since, ended: Some(since), is_done: true, asked_at: 0, durable_at: Some(0) }
    }
}

/// One disk.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    /// Sectors that were ever written to.
    sectors: BTreeMap<u64, Vec<Write>>,
    /// The guests' clock: each request's beginning and end is a tick.
    now: u64,
    /// Requests under way, by their numbers.
    under_way: BTreeSet<u64>,
}

impl Naive {
    /// A disk that shows these tags, durably.
    #[must_use]
    pub fn of(tags: impl IntoIterator<Item = u64>) -> Naive {
        let written = (0..).zip(tags).filter(|(_, tag)| *tag != ZEROS);
        let sectors = written.map(|(sector, tag)| (sector, vec![Write::old(tag, 0)])).collect();
        Naive { sectors, ..Naive::default() }
    }

    /// The past is forgotten: what was answered is durable, and no command was sent yet.
    pub fn all_is_durable(&mut self) {
        for write in self.sectors.values_mut().flatten() {
            (write.asked_at, write.durable_at) = (0, Some(0));
        }
    }

    /// The sectors of a request.
    #[must_use]
    pub fn range(request: &Request) -> std::ops::Range<u64> {
        request.offset / SECTOR as u64..(request.offset + request.length) / SECTOR as u64
    }

    /// A request begins: its number, and its data.
    pub fn begin(&mut self, request: &Request, commands: usize) -> (u64, Vec<u8>) {
        self.begin_as(request, commands, self.now + 1)
    }

    /// As [`begin`](Self::begin), with tags that have this mark: that of no other write to any disk.
    pub fn begin_as(&mut self, request: &Request, commands: usize, mark: u64) -> (u64, Vec<u8>) {
        self.now += 1;
        let number = self.now;
        self.under_way.insert(number);
        let tag = |sector: u64| match request.kind {
            RequestKind::Write { .. } => Some(mark << 32 | sector | 1 << 31),
            RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. } => Some(ZEROS),
            _ => None,
        };
        for sector in Naive::range(request) {
            let Some(tag) = tag(sector) else { break };
            let write = Write {
                tag,
                begun: number,
                ended: None,
                is_done: false,
                asked_at: commands,
                durable_at: None,
            };
            self.sectors.entry(sector).or_insert_with(|| vec![Write::NONE]).push(write);
        }
        let data = match request.kind {
            RequestKind::Write { .. } => Naive::range(request).filter_map(tag).flat_map(tagged).collect(),
            RequestKind::Read => Naive::range(request).flat_map(|_| tagged(UNREAD)).collect(),
            _ => Vec::new(),
        };
        (number, data)
    }

    /// A request was answered. What it made durable is so from this command on.
    ///
    /// # Errors
    /// What it read that it may not.
    pub fn end(
        &mut self,
        request: &Request,
        number: u64,
        data: &[u8],
        commands: usize,
    ) -> Result<(), String> {
        self.now += 1;
        let now = self.now;
        self.under_way.remove(&number);
        for write in self.own_writes(request, number) {
            (write.ended, write.is_done) = (Some(now), true);
        }
        if request.kind == RequestKind::Read {
            for (sector, bytes) in Naive::range(request).zip(data.chunks(SECTOR)) {
                let tag = tag_of(bytes).map_err(|error| format!("sector {sector}: {error}"))?;
                self.shown(sector, tag, number)?;
            }
        }
        let is_durable = match request.kind {
            RequestKind::Flush => true,
            RequestKind::Write { durable }
            | RequestKind::Trim { durable }
            | RequestKind::WriteZeroes { durable, .. } => durable,
            _ => false,
        };
        if is_durable {
            let answered =
                |write: &Write| write.begun == number || write.ended.is_some_and(|end| end < number);
            let all = self.sectors.values_mut().flatten();
            all.filter(|write| write.durable_at.is_none() && write.is_done && answered(write))
                .for_each(|write| write.durable_at = Some(commands));
        }
        Ok(())
    }

    /// A request failed. What it wrote may be there in part, and where it `may_land` still, come at any later time.
    pub fn fail(&mut self, request: &Request, number: u64, may_land: bool) {
        self.now += 1;
        let now = self.now;
        self.under_way.remove(&number);
        for write in self.own_writes(request, number) {
            write.ended = (!may_land).then_some(now);
        }
    }

    /// A request that was asked for never began, and never will: nothing of it may ever be seen.
    pub fn void(&mut self, number: u64) {
        self.under_way.remove(&number);
        for writes in self.sectors.values_mut() {
            writes.retain(|write| write.begun != number);
        }
        self.sectors.retain(|_, writes| writes.iter().any(|write| *write != Write::NONE));
    }

    fn own_writes(&mut self, request: &Request, number: u64) -> impl Iterator<Item = &mut Write> {
        let sectors = self.sectors.range_mut(Naive::range(request));
        sectors.flat_map(|(_, writes)| writes).filter(move |write| write.begun == number)
    }

    /// A read that began then shows that tag.
    fn shown(&mut self, sector: u64, tag: u64, number: u64) -> Result<(), String> {
        let Some(writes) = self.sectors.get_mut(&sector) else {
            return if tag == ZEROS {
                Ok(())
            } else {
                Err(format!("sector {sector} shows {tag:x}, of nothing"))
            };
        };
        let answered = |later: &Write| later.is_done && later.ended.is_some_and(|end| end < number);
        if !writes.iter().any(|write| write.tag == tag && !is_over(writes, write, answered)) {
            return Err(format!("sector {sector} shows {tag:x}, of {writes:x?}"));
        }
        // What a crash left is one of these, and stays what it was found to be.
        let since = writes.first().map(|write| write.begun);
        if writes.len() > 1 && writes.iter().all(|write| Some(write.begun) == since && write.ended == since) {
            writes.retain(|write| write.tag == tag);
        }
        Ok(())
    }

    /// Whether a sector may show that tag after the power went before command `cut`.
    ///
    /// # Errors
    /// What it may show instead.
    pub fn check_after(&self, sector: u64, tag: u64, cut: usize) -> Result<(), String> {
        let none = [Write::NONE];
        let writes = self.sectors.get(&sector).map_or(&none[..], Vec::as_slice);
        let durable = |write: &Write| write.is_done && write.durable_at.is_some_and(|durable| durable <= cut);
        let may = writes
            .iter()
            .any(|write| write.tag == tag && write.asked_at <= cut && !is_over(writes, write, durable));
        if may { Ok(()) } else { Err(format!("sector {sector} shows {tag:x}, of {writes:x?}")) }
    }

    /// The power went: each sector shows what was flushed or something later, one of these, for good.
    pub fn lose_power(&mut self) {
        self.keep(|write| write.is_done && write.durable_at.is_some());
        self.under_way.clear();
    }

    /// Whoever wrote is gone, and nothing of him can land any more: each sector shows what was answered or something later, one of
    /// these, for good.
    pub fn crash(&mut self) {
        self.keep(|write| write.is_done && write.ended.is_some());
        self.under_way.clear();
    }

    /// A disk that shows, for good, what this one shows now, with nothing under way.
    #[must_use]
    pub fn copy(&self) -> Naive {
        let mut copy = self.clone();
        copy.crash();
        copy
    }

    /// Everything that was answered is durable.
    pub fn make_durable(&mut self) {
        let done = self.sectors.values_mut().flatten().filter(|write| write.is_done);
        done.for_each(|write| write.durable_at = write.durable_at.or(Some(0)));
    }

    /// Keeps what is not over by writes that count: one of these is there, for good.
    fn keep(&mut self, counts: impl Fn(&Write) -> bool) {
        self.now += 1;
        let now = self.now;
        for writes in self.sectors.values_mut() {
            let kept: BTreeSet<u64> = writes
                .iter()
                .filter(|write| !is_over(writes, write, &counts))
                .map(|write| write.tag)
                .collect();
            *writes = kept.into_iter().map(|tag| Write::old(tag, now)).collect();
        }
        self.sectors.retain(|_, writes| writes.iter().any(|write| write.tag != ZEROS));
    }

    /// Forgets what can never be shown again, whatever happens; where nothing is under way.
    pub fn settle(&mut self) {
        if !self.under_way.is_empty() {
            return;
        }
        let durable = |write: &Write| write.is_done && write.durable_at.is_some();
        for writes in self.sectors.values_mut().filter(|writes| writes.len() > 1) {
            let all = writes.clone();
            writes.retain(|write| !is_over(&all, write, durable));
        }
    }

    /// The sectors that may show something else than zeros.
    pub fn written(&self) -> impl Iterator<Item = u64> + '_ {
        self.sectors.keys().copied()
    }
}

/// Whether a later write surely took this one's place: one that began after it was answered, and counts.
fn is_over(writes: &[Write], write: &Write, counts: impl Fn(&Write) -> bool) -> bool {
    let end = write.ended.unwrap_or(u64::MAX);
    writes.iter().any(|later| later.begun > end && counts(later))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: RequestKind, first: u64, count: u64) -> Request {
        Request { kind, offset: first * SECTOR as u64, length: count * SECTOR as u64 }
    }

    const WRITE: RequestKind = RequestKind::Write { durable: false };

    fn write(naive: &mut Naive, mark: u64) -> u64 {
        let request = request(WRITE, 0, 1);
        let (number, data) = naive.begin_as(&request, 0, mark);
        naive.end(&request, number, &[], 0).unwrap();
        tag_of(&data).unwrap()
    }

    fn read(naive: &mut Naive, tag: u64) -> Result<(), String> {
        let request = request(RequestKind::Read, 0, 1);
        let (number, _) = naive.begin(&request, 0);
        naive.end(&request, number, &tagged(tag), 0)
    }

    #[test]
    fn a_reader_sees_the_last_answered_write_and_what_overlaps_him() {
        let mut naive = Naive::default();
        let first = write(&mut naive, 100);
        assert_eq!(read(&mut naive, first), Ok(()));
        assert!(read(&mut naive, ZEROS).is_err());
        let (number, data) = naive.begin_as(&request(WRITE, 0, 1), 0, 101);
        let second = tag_of(&data).unwrap();
        assert_eq!((read(&mut naive, first), read(&mut naive, second)), (Ok(()), Ok(())));
        naive.end(&request(WRITE, 0, 1), number, &[], 0).unwrap();
        assert!(read(&mut naive, first).is_err());
        assert!(read(&mut naive, SECRET).is_err());
    }

    #[test]
    fn a_loss_of_power_leaves_what_was_flushed_or_something_later_and_that_for_good() {
        let mut naive = Naive::default();
        let old = write(&mut naive, 100);
        let (number, _) = naive.begin(&Request::FLUSH, 0);
        naive.end(&Request::FLUSH, number, &[], 0).unwrap();
        let (second, third) = (write(&mut naive, 101), write(&mut naive, 102));
        for tag in [old, second, third] {
            let mut crashed = naive.clone();
            crashed.lose_power();
            assert_eq!(read(&mut crashed, tag), Ok(()));
            for other in [old, second, third] {
                assert_eq!(read(&mut crashed, other).is_ok(), other == tag);
            }
        }
        naive.lose_power();
        assert!(read(&mut naive, ZEROS).is_err(), "the first write was flushed");
    }

    #[test]
    fn a_crash_leaves_what_was_answered_or_something_later() {
        let mut naive = Naive::default();
        let (first, second) = (write(&mut naive, 100), write(&mut naive, 101));
        let (_, data) = naive.begin_as(&request(WRITE, 0, 1), 0, 102);
        let asked = tag_of(&data).unwrap();
        for (tag, may) in [(first, false), (second, true), (asked, true), (ZEROS, false)] {
            let mut crashed = naive.clone();
            crashed.crash();
            assert_eq!(read(&mut crashed, tag).is_ok(), may);
        }
    }

    #[test]
    fn a_write_that_failed_may_be_there_and_hides_nothing() {
        let mut naive = Naive::default();
        let old = write(&mut naive, 100);
        let (number, data) = naive.begin_as(&request(WRITE, 0, 1), 0, 101);
        naive.fail(&request(WRITE, 0, 1), number, false);
        let failed = tag_of(&data).unwrap();
        assert_eq!((read(&mut naive, failed), read(&mut naive, old)), (Ok(()), Ok(())));
        let new = write(&mut naive, 102);
        assert!(read(&mut naive, failed).is_err());
        assert_eq!(read(&mut naive, new), Ok(()));
    }

    #[test]
    fn a_write_that_never_began_is_never_seen() {
        let mut naive = Naive::default();
        let old = write(&mut naive, 100);
        let (number, data) = naive.begin_as(&request(WRITE, 0, 2), 0, 101);
        naive.void(number);
        assert_eq!(read(&mut naive, old), Ok(()));
        assert!(read(&mut naive, tag_of(&data[..SECTOR]).unwrap()).is_err());
        assert_eq!(naive.written().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_copy_shows_what_was_answered_and_a_trim_is_zeros() {
        let mut naive = Naive::default();
        let first = write(&mut naive, 100);
        let copy = naive.copy();
        let trim = request(RequestKind::Trim { durable: true }, 0, 1);
        let (number, _) = naive.begin(&trim, 0);
        naive.end(&trim, number, &[], 0).unwrap();
        assert_eq!((read(&mut naive, ZEROS), read(&mut copy.clone(), first)), (Ok(()), Ok(())));
        naive.settle();
        naive.crash();
        assert_eq!(naive.written().count(), 0);
    }
}
