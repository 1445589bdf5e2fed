//! A device with a volatile cache, and every disk that a loss of power can leave behind: what was flushed, and any subset
//! of what was not, in sectors of 512 bytes.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::FutureExt;
use oarlock_block::{
    Answer, Attempted, Clock, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba, LocalFuture, Refusal,
    UnknownCause,
};

use crate::machine::{BLOCK, Disk, Time};

/// A command that changed something, or made it durable.
#[derive(Clone, Debug)]
pub enum Logged {
    Write {
        lba: Lba,
        bytes: Vec<u8>,
    },
    Swap {
        lba: Lba,
        bytes: Vec<u8>,
    },
    /// What was executed before that many commands is durable: a flush says nothing of what came while it was on its way.
    Flush {
        covers: usize,
    },
}

/// What becomes of the next write or flush.
#[derive(Clone, Debug)]
pub enum Mishap {
    /// It is refused.
    Refuse(Refusal),
    /// It is executed, and its answer says nothing.
    Unknown(UnknownCause),
    /// Its answer never comes.
    Silence,
}

/// Passes everything on, and remembers it in the order of execution.
pub struct Power {
    pub disk: Rc<Disk>,
    /// What was there when the past began.
    before: RefCell<Disk>,
    log: RefCell<Vec<Logged>>,
    mishaps: RefCell<Vec<(MishapOf, Mishap)>>,
    /// Every ATS is refused as busy: no beat is confirmed.
    pub swaps_are_busy: Cell<bool>,
    /// Each write and each flush takes so long before it is executed.
    slow: Cell<Duration>,
    time: RefCell<Option<Rc<Time>>>,
}

/// Which command a mishap waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MishapOf {
    Write,
    Flush,
}

impl Power {
    pub fn new(disk: Rc<Disk>) -> Rc<Power> {
        let before = disk.copy();
        Rc::new(Power {
            disk,
            before: RefCell::new(before),
            log: RefCell::default(),
            mishaps: RefCell::default(),
            swaps_are_busy: Cell::new(false),
            slow: Cell::default(),
            time: RefCell::default(),
        })
    }

    /// From now on writes and flushes take their time.
    pub fn slow_down(&self, time: &Rc<Time>, slow: Duration) {
        self.time.replace(Some(Rc::clone(time)));
        self.slow.set(slow);
    }

    async fn take_time(&self) {
        let time = self.time.borrow().clone();
        if let Some(time) = time {
            time.sleep_until(time.now().plus(self.slow.get())).await;
        }
    }

    /// Forgets the past: all that is there is durable.
    pub fn begin(&self) {
        self.before.replace(self.disk.copy());
        self.log.borrow_mut().clear();
    }

    /// A block that a test has put there counts as swapped.
    pub fn note_swapped(&self, lba: Lba) {
        self.log.borrow_mut().push(Logged::Swap { lba, bytes: self.disk.block(lba) });
    }

    /// The same, and it is durable at once: a lock that a test takes by hand is before it is used.
    pub fn note_durable_swap(&self, lba: Lba) {
        self.note_swapped(lba);
        let covers = self.commands();
        self.log.borrow_mut().push(Logged::Flush { covers });
    }

    /// How many commands there were so far.
    pub fn commands(&self) -> usize {
        self.log.borrow().len()
    }

    pub fn logged(&self, from: usize) -> Vec<Logged> {
        self.log.borrow()[from..].to_vec()
    }

    /// So many times the next command of that kind meets a mishap.
    pub fn strike(&self, of: MishapOf, mishap: &Mishap, times: usize) {
        self.mishaps.borrow_mut().extend((0..times).map(|_| (of, mishap.clone())));
    }

    fn mishap(&self, of: MishapOf) -> Option<Mishap> {
        let mut mishaps = self.mishaps.borrow_mut();
        let place = mishaps.iter().position(|(waits, _)| *waits == of)?;
        Some(mishaps.remove(place).1)
    }

    /// The disk after the power went before command `cut`: `survives` is asked of each sector of each command that no
    /// flush followed, by the command's number and the sector's within it.
    pub fn lost(&self, cut: usize, mut survives: impl FnMut(usize, usize) -> bool) -> Disk {
        let log = self.log.borrow();
        let flushed = covered(&log[..cut]);
        let disk = self.before.borrow().copy();
        for (number, logged) in log[..cut].iter().enumerate() {
            let (Logged::Write { lba, bytes } | Logged::Swap { lba, bytes }) = logged else { continue };
            for (sector, block) in bytes.chunks(BLOCK).enumerate() {
                if number < flushed || survives(number, sector) {
                    disk.put(Lba(lba.0 + sector as u64), block);
                }
            }
        }
        disk
    }

    /// The commands before `cut` that no flush followed.
    pub fn loose(&self, cut: usize) -> Vec<usize> {
        let log = self.log.borrow();
        let loose = covered(&log[..cut])..cut;
        loose.filter(|number| !matches!(log[*number], Logged::Flush { .. })).collect()
    }

    /// Every disk that is looked at for a loss of power before command `cut`: each subset of whole commands where they are
    /// few, and then `random` further ones, torn anywhere.
    pub fn disks_lost(&self, cut: usize, random: u64) -> Vec<Disk> {
        let loose = self.loose(cut);
        let mut disks = Vec::new();
        if loose.len() <= 4 {
            for subset in 0..1_usize << loose.len() {
                let has = |number| {
                    loose.iter().position(|at| *at == number).is_some_and(|at| subset >> at & 1 == 1)
                };
                disks.push(self.lost(cut, |number, _| has(number)));
            }
        } else {
            disks.push(self.lost(cut, |_, _| false));
            disks.push(self.lost(cut, |_, _| true));
        }
        if !loose.is_empty() {
            for seed in 0..random {
                let part = mixed(seed) % 4;
                disks.push(self.lost(cut, |number, sector| {
                    let bits = mixed(seed << 40 | (cut as u64) << 20 | (number as u64) << 10 | sector as u64);
                    bits % 4 <= part
                }));
            }
        }
        disks
    }
}

/// How many commands of such a past are durable.
fn covered(past: &[Logged]) -> usize {
    let covers = past.iter().filter_map(|logged| match logged {
        Logged::Flush { covers } => Some(*covers),
        Logged::Write { .. } | Logged::Swap { .. } => None,
    });
    covers.max().unwrap_or(0)
}

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Device for Power {
    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }

    fn identity(&self) -> DeviceIdentity {
        self.disk.identity()
    }

    fn fencing(&self) -> Fencing {
        self.disk.fencing()
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        self.disk.read(lba, buffer)
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        async move {
            self.take_time().await;
            let mishap = self.mishap(MishapOf::Write);
            if let Some(Mishap::Refuse(refusal)) = mishap {
                return Err(refusal.into());
            }
            self.disk.write(lba, data).await?;
            self.log.borrow_mut().push(Logged::Write { lba, bytes: data.to_vec() });
            match mishap {
                Some(Mishap::Unknown(cause)) => Err(IoError::Unknown(cause)),
                Some(Mishap::Silence) => futures::future::pending().await,
                _ => Ok(()),
            }
        }
        .boxed_local()
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        async move {
            if self.swaps_are_busy.get() {
                return Attempted::at_once(Err(Refusal::Busy));
            }
            let attempted = self.disk.compare_and_write(lba, expected, new).await;
            if attempted.outcome == Ok(Answer::Swapped) {
                self.log.borrow_mut().push(Logged::Swap { lba, bytes: new.to_vec() });
            }
            attempted
        }
        .boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        async move {
            let covers = self.commands();
            self.take_time().await;
            match self.mishap(MishapOf::Flush) {
                Some(Mishap::Refuse(refusal)) => Err(refusal.into()),
                Some(Mishap::Unknown(cause)) => Err(IoError::Unknown(cause)),
                Some(Mishap::Silence) => futures::future::pending().await,
                None => {
                    self.log.borrow_mut().push(Logged::Flush { covers });
                    Ok(())
                }
            }
        }
        .boxed_local()
    }
}
