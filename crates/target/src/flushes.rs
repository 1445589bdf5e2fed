//! Flushes of a unit, and what follows from one that fails: the kernel tells a failure to one asker alone, and forgets what it could
//! not write. So a medium's first failure is its last word here: no flush and no durable write of the unit is answered well after it.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use oarlock_block::{IoError, Refusal, UnknownCause};
use oarlock_device::{DataBuffer, Durability};

use crate::array::Array;
use crate::turns::Turns;
use crate::unit::Unit;

/// The flushes of one unit.
#[derive(Default)]
pub(crate) struct Flushes {
    /// One is under way at a time: of two at once the one that is told of a failure might end behind the other.
    turns: Turns,
    begun: Cell<u64>,
    /// One that nobody waits for has not begun.
    is_due: Cell<bool>,
    has_failed: Cell<bool>,
    is_told: Cell<bool>,
}

const FAILED: IoError = IoError::Unknown(UnknownCause::DeviceError);

impl Flushes {
    /// Whether something that was answered may be lost.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    /// Waits until all that was answered before is durable, by `flush` or by one that began since. A failure is every later one's, too.
    async fn run(&self, flush: impl Future<Output = Result<(), IoError>>) -> Result<bool, IoError> {
        let begun_before = self.begun.get();
        let _turn = self.turns.next().await;
        if self.has_failed() {
            self.is_due.set(false);
            return Err(FAILED);
        }
        if self.begun.get() > begun_before {
            return Ok(false);
        }
        self.begun.set(begun_before + 1);
        self.is_due.set(false);
        let flushed = flush.await;
        if flushed.as_ref().is_err_and(is_of_medium) {
            self.has_failed.set(true);
        }
        flushed.map(|()| true)
    }
}

/// A command that did not get as far as the medium says nothing of it.
fn is_of_medium(error: &IoError) -> bool {
    !matches!(error, IoError::Refused(Refusal::Busy))
}

impl Unit {
    /// The same as [`flush`](Unit::flush), and nobody waits for it. One that has not begun stands for all that were asked for meanwhile.
    pub(crate) fn flush_soon(self: &Rc<Unit>, array: &Rc<Array>) {
        if self.flushes.is_due.replace(true) {
            return;
        }
        let (unit, holder) = (Rc::clone(self), Rc::clone(array));
        array.spawn(async move { drop(unit.flush(&holder).await) });
    }

    /// Makes every write that was answered durable.
    pub(crate) async fn flush(&self, array: &Array) -> Result<(), IoError> {
        let flushed = self.flushes.run(array.media.flush(self.disk())).await;
        self.tell_failure(array);
        flushed.map(|_| ())
    }

    /// Writes `part` of the buffer to byte `to_byte` and on.
    pub(crate) async fn write(
        &self,
        array: &Array,
        (buffer, part): (&mut DataBuffer, Range<usize>),
        to_byte: u64,
        durability: Durability,
    ) -> Result<(), IoError> {
        let is_durable = durability == Durability::Durable;
        if is_durable && self.flushes.has_failed() {
            return Err(FAILED);
        }
        let written = array.media.write(self.disk(), buffer, part, to_byte, durability).await;
        // It may have been told of what others wrote into the page cache, and nobody will be again.
        let may_be_of_others =
            |error: &IoError| is_durable && !self.medium.is_direct() && matches!(error, IoError::Unknown(_));
        if written.as_ref().is_err_and(may_be_of_others) {
            self.flushes.has_failed.set(true);
            self.tell_failure(array);
        }
        written
    }

    fn tell_failure(&self, array: &Array) {
        if self.flushes.has_failed() && !self.flushes.is_told.replace(true) {
            array.log(&format!(
                "UNIT {} HAS LOST WRITES: a flush of {} failed, and what was answered since the last good one may not be there. Until the unit is \
                 removed and added anew, every flush and every write that is to be durable fails (MEDIUM ERROR)",
                self.number,
                self.traits.path.display()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::FutureExt;
    use futures::channel::oneshot;
    use oarlock_block::ByteCount;
    use oarlock_device::{MediaRing, Medium, MediumOptions};
    use oarlock_scsi::Lun;
    use oarlock_scsi::iscsi::Accounts;

    use super::*;
    use crate::array::Config;
    use crate::execute::Faults;
    use crate::media::Media;
    use crate::unit::Traits;

    const UNASKED: fn() -> std::future::Ready<Result<(), IoError>> = || panic!("the medium was asked again");

    #[test]
    fn a_flush_that_failed_is_every_later_ones_failure_and_the_medium_is_not_asked_again() {
        let flushes = Flushes::default();
        assert_eq!(flushes.run(async { Ok(()) }).now_or_never(), Some(Ok(true)));
        assert_eq!(flushes.run(async { Err(FAILED) }).now_or_never(), Some(Err(FAILED)));
        for _ in 0..2 {
            let asks = async { UNASKED().await };
            assert_eq!(flushes.run(asks).now_or_never(), Some(Err(FAILED)));
        }
    }

    #[test]
    fn a_flush_that_never_reached_the_medium_says_nothing_of_it() {
        let flushes = Flushes::default();
        let busy = Err(IoError::Refused(Refusal::Busy));
        assert_eq!(
            flushes.run(async { busy.clone() }).now_or_never(),
            Some(Err(IoError::Refused(Refusal::Busy)))
        );
        assert_eq!(flushes.run(async { Ok(()) }).now_or_never(), Some(Ok(true)));
    }

    #[test]
    fn a_flush_that_waits_for_another_fails_with_it() {
        let flushes = Flushes::default();
        let (end, ended) = oneshot::channel();
        let mut first = Box::pin(flushes.run(async { ended.await.unwrap() }));
        let mut second = Box::pin(flushes.run(async { UNASKED().await }));
        assert_eq!((&mut first).now_or_never(), None);
        assert_eq!((&mut second).now_or_never(), None);
        end.send(Err(FAILED)).unwrap();
        assert_eq!((&mut first).now_or_never(), Some(Err(FAILED)));
        assert_eq!((&mut second).now_or_never(), Some(Err(FAILED)));
    }

    #[test]
    fn who_asked_before_a_flush_began_is_served_by_it() {
        let flushes = Flushes::default();
        let (end, ended) = oneshot::channel();
        let mut first = Box::pin(flushes.run(async { ended.await.unwrap() }));
        assert_eq!((&mut first).now_or_never(), None);
        let mut second = Box::pin(flushes.run(async { Ok(()) }));
        let mut third = Box::pin(flushes.run(async { UNASKED().await }));
        assert_eq!(
            (&mut second).now_or_never(),
            None,
            "what began before it was asked for may not have seen all"
        );
        assert_eq!((&mut third).now_or_never(), None);
        end.send(Ok(())).unwrap();
        assert_eq!((&mut first).now_or_never(), Some(Ok(true)));
        assert_eq!((&mut second).now_or_never(), Some(Ok(true)));
        assert_eq!((&mut third).now_or_never(), Some(Ok(false)));
    }

    /// A unit and its array, and what that tells its operator.
    fn served(folder: &tempfile::TempDir) -> (Rc<Unit>, Rc<Array>, Rc<RefCell<Vec<String>>>) {
        let options = MediumOptions { create: Some(ByteCount(1 << 20)), ..MediumOptions::default() };
        let medium = Medium::open(&folder.path().join("disk"), options).unwrap();
        let traits = Traits {
            path: medium.path().to_owned(),
            is_thin: true,
            is_read_only: false,
            is_removable: false,
            serial: "1".to_owned(),
            queue: 8,
            allowed: Vec::new(),
        };
        let unit = Rc::new(Unit::new(7, Lun::unit(7).unwrap(), medium, traits, true));
        let lines = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&lines);
        let config = Config {
            name: "iqn.2026-11.example:array".parse().unwrap(),
            accounts: Accounts::default(),
            allowed: Vec::new(),
            portals: Vec::new(),
            advertised: Vec::new(),
        };
        let ring = MediaRing::new(8, 1 << 20).unwrap();
        let log = move |line: &str| heard.borrow_mut().push(line.to_owned());
        let array = Array::new(config, Media::new(ring), Faults::default(), Box::new(log));
        (unit, Rc::new(array), lines)
    }

    /// A host that sent two hundred thousand of them to a disk that hung had a hundred mebibytes.
    #[test]
    fn flushes_that_nobody_waits_for_are_one_until_it_begins() {
        let folder = tempfile::tempdir().unwrap();
        let (unit, array, _) = served(&folder);
        let (end, ended) = oneshot::channel::<()>();
        let mut under_way = Box::pin(unit.flushes.run(async {
            ended.await.unwrap();
            Ok(())
        }));
        assert_eq!((&mut under_way).now_or_never(), None);
        for _ in 0..3 {
            unit.flush_soon(&array);
        }
        assert_eq!(array.take_starting().len(), 1);
        end.send(()).unwrap();
        assert_eq!(under_way.now_or_never(), Some(Ok(true)));
        assert_eq!(unit.flushes.run(async { Ok(()) }).now_or_never(), Some(Ok(true)));
        unit.flush_soon(&array);
        assert_eq!(array.take_starting().len(), 1, "what was written since is to be flushed, too");
    }

    #[test]
    fn after_a_failed_flush_no_durable_write_is_answered_well_and_the_operator_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (unit, array, lines) = served(&folder);
        assert_eq!(unit.flushes.run(async { Err(FAILED) }).now_or_never(), Some(Err(FAILED)));
        for _ in 0..2 {
            assert_eq!(unit.flush(&array).now_or_never(), Some(Err(FAILED)));
            let mut buffer = array.media.buffer(512).unwrap();
            let written = unit.write(&array, (&mut buffer, 0..512), 0, Durability::Durable);
            assert_eq!(written.now_or_never(), Some(Err(FAILED)));
        }
        let lines = lines.borrow();
        assert!(lines.len() == 1 && lines[0].starts_with("UNIT 7 HAS LOST WRITES"), "{lines:?}");
        array.units.borrow_mut().insert(unit.number, unit);
        assert_eq!(array.metrics_report().units_with_lost_writes, 1);
    }
}
