//! A machine for tests: a sparse device in memory, slot locks, a clock that jumps to the next sleeper, and processes.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use oarlock_block::{
    Answer, Attempted, BlockCount, BlockSize, ByteCount, Clock, CutOff, Device, DeviceIdentity, EnterError,
    Fencing, Geometry, Instant, IoError, Lba, LocalFuture, NotCutOff, ProcessIdentity, Proof, Random,
    Recorded, Refusal, SlotIndex, Victim, WallTime,
};
use oarlock_engine::check::{CheckOptions, CheckReport, check};
use oarlock_engine::{CreateRequest, World, create};
use oarlock_format::{Label, Layout, Stamped, Superblock, Timing, decode_superblock};

pub const BLOCK: usize = 512;
pub const SMALL: u64 = 24 << 20;

/// One machine: everything that its processes share.
#[derive(Clone)]
pub struct Machine {
    pub disk: Rc<Disk>,
    pub time: Rc<Time>,
    locks: Rc<RefCell<BTreeMap<SlotIndex, u32>>>,
    processes: Rc<Cell<u32>>,
    boot: u128,
}

impl Machine {
    pub fn new(bytes: u64) -> Machine {
        Machine::with_disk(Disk::new(bytes))
    }

    pub fn with_disk(disk: Disk) -> Machine {
        // What a loss of power left is found by a machine of another boot.
        static BOOTS: AtomicU64 = AtomicU64::new(1);
        Machine {
            disk: Rc::new(disk),
            time: Rc::new(Time::default()),
            locks: Rc::default(),
            processes: Rc::new(Cell::new(1)),
            boot: BOOTS.fetch_add(1, Ordering::Relaxed).into(),
        }
    }

    /// The same machine in the same boot, with such a disk, and without any process.
    pub fn without_processes(&self, disk: Disk) -> Machine {
        Machine { boot: self.boot, ..Machine::with_disk(disk) }
    }

    /// The world of another process, on the bare disk.
    pub fn process(&self) -> (World, u32) {
        self.process_on(Rc::clone(&self.disk) as Rc<dyn Device>)
    }

    pub fn process_on(&self, device: Rc<dyn Device>) -> (World, u32) {
        let process = self.processes.get();
        self.processes.set(process + 1);
        let world = World {
            beat_device: Rc::clone(&device),
            device,
            cut_off: Rc::new(Locks { shared: Rc::clone(&self.locks), process, boot: self.boot }),
            clock: Rc::clone(&self.time) as Rc<dyn Clock>,
            random: Rc::new(Dice(Cell::new(u64::from(process) << 32))),
        };
        (world, process)
    }

    /// A process whose commands are recorded.
    pub fn recorded(&self) -> (World, Rc<Recorded>) {
        let disk = Rc::clone(&self.disk) as Rc<dyn Device>;
        let recorded = Rc::new(Recorded::new(disk, Rc::clone(&self.time) as Rc<dyn Clock>));
        (self.process_on(Rc::clone(&recorded) as Rc<dyn Device>).0, recorded)
    }

    /// A process dies: its locks are free.
    pub fn kill(&self, process: u32) {
        self.locks.borrow_mut().retain(|_, holder| *holder != process);
    }

    /// Formats the disk with four slots.
    pub fn format(&self) -> Stamped<Superblock> {
        self.format_slots(4)
    }

    pub fn format_slots(&self, slots: u16) -> Stamped<Superblock> {
        self.format_as(slots, Timing::DEFAULT)
    }

    /// Formats the disk for hosts that beat otherwise than by default.
    pub fn format_with(&self, timing: Timing) -> Stamped<Superblock> {
        self.format_as(4, timing)
    }

    /// Formats the disk with clusters of another size.
    pub fn format_clusters(&self, cluster_size: u64) -> Stamped<Superblock> {
        self.format_all(4, Timing::DEFAULT, cluster_size)
    }

    fn format_as(&self, slots: u16, timing: Timing) -> Stamped<Superblock> {
        self.format_all(slots, timing, 65_536)
    }

    fn format_all(&self, slots: u16, timing: Timing, cluster_size: u64) -> Stamped<Superblock> {
        let request = CreateRequest {
            label: Label::new("store").unwrap(),
            slots,
            cluster_size: ByteCount(cluster_size),
            timing,
            force: false,
        };
        let world = self.process().0;
        self.time.run(create(&world, &request, &|_, _| {})).unwrap()
    }

    pub fn layout(&self) -> Layout {
        decode_superblock(&self.disk.block(Lba(0)), Lba(0)).unwrap().record.layout
    }

    pub fn check(&self) -> CheckReport {
        self.check_with(&CheckOptions::default())
    }

    pub fn repair(&self) -> CheckReport {
        self.check_with(&CheckOptions { repair: true, host: None })
    }

    pub fn check_with(&self, options: &CheckOptions) -> CheckReport {
        let world = self.process().0;
        self.time.run(check(&world, options, &|_, _| {})).unwrap()
    }

    /// The same machine with another disk of the same content: what a cell of a matrix starts from.
    pub fn copy(&self) -> Machine {
        Machine { disk: Rc::new(self.disk.copy()), boot: self.boot, ..Machine::with_disk(Disk::new(0)) }
    }
}

/// The codes of a report, each once, ascending.
pub fn codes(report: &CheckReport) -> Vec<&'static str> {
    let mut codes: Vec<_> = report.findings.iter().map(|finding| finding.code.text()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// A sparse disk of blocks of 512 bytes.
pub struct Disk {
    blocks: RefCell<BTreeMap<u64, Vec<u8>>>,
    length: Cell<u64>,
    stride: u64,
    identity: RefCell<String>,
    /// The next so many reads of a block show another second half.
    torn: RefCell<BTreeMap<u64, u32>>,
    /// Blocks that the medium lost.
    lost: RefCell<Vec<u64>>,
}

impl Disk {
    pub fn new(bytes: u64) -> Disk {
        Disk::with_stride(bytes, 1)
    }

    pub fn with_stride(bytes: u64, stride: u64) -> Disk {
        Disk {
            blocks: RefCell::default(),
            length: Cell::new(bytes / 512),
            stride,
            identity: RefCell::new("file:test".to_owned()),
            torn: RefCell::default(),
            lost: RefCell::default(),
        }
    }

    pub fn copy(&self) -> Disk {
        let copy = Disk::with_stride(self.length.get() * 512, self.stride);
        copy.blocks.replace(self.blocks.borrow().clone());
        copy.identity.replace(self.identity.borrow().clone());
        copy
    }

    pub fn block(&self, lba: Lba) -> Vec<u8> {
        self.blocks.borrow().get(&lba.0).cloned().unwrap_or_else(|| vec![0; BLOCK])
    }

    pub fn put(&self, lba: Lba, bytes: &[u8]) {
        assert_eq!(bytes.len(), BLOCK);
        self.blocks.borrow_mut().insert(lba.0, bytes.to_vec());
    }

    pub fn tear(&self, lba: Lba, reads: u32) {
        self.torn.borrow_mut().insert(lba.0, reads);
    }

    pub fn lose(&self, lba: Lba) {
        self.lost.borrow_mut().push(lba.0);
    }

    pub fn set_identity(&self, identity: &str) {
        identity.clone_into(&mut self.identity.borrow_mut());
    }

    pub fn set_length(&self, blocks: u64) {
        self.length.set(blocks);
    }

    fn read_block(&self, lba: u64) -> Result<Vec<u8>, IoError> {
        if lba >= self.length.get() {
            return Err(Refusal::OutOfRange.into());
        }
        if self.lost.borrow().contains(&lba) {
            return Err(IoError::Medium);
        }
        let mut block = self.block(Lba(lba));
        if let Some(left) = self.torn.borrow_mut().get_mut(&lba).filter(|left| **left > 0) {
            *left -= 1;
            block[BLOCK / 2..].fill(0xaa);
        }
        Ok(block)
    }

    fn swap(&self, lba: Lba, expected: &[u8], new: &[u8]) -> Result<Answer, Refusal> {
        if lba.0 >= self.length.get() {
            return Err(Refusal::OutOfRange);
        }
        let found = self.block(lba);
        if let Some(offset) = found.iter().zip(expected).position(|(left, right)| left != right) {
            return Ok(Answer::Miscompared { first_difference: u32::try_from(offset).ok() });
        }
        self.put(lba, new);
        Ok(Answer::Swapped)
    }
}

impl Device for Disk {
    fn geometry(&self) -> Geometry {
        Geometry {
            block_size: BlockSize::B512,
            physical_block: ByteCount(512 * self.stride),
            blocks: BlockCount(self.length.get()),
        }
    }

    fn identity(&self) -> DeviceIdentity {
        DeviceIdentity::new(&self.identity.borrow()).unwrap()
    }

    fn fencing(&self) -> Fencing {
        Fencing::FileLock
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        async move {
            for (lba, bytes) in (lba.0..).zip(buffer.chunks_exact_mut(BLOCK)) {
                bytes.copy_from_slice(&self.read_block(lba)?);
            }
            Ok(())
        }
        .boxed_local()
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        async move {
            for (lba, bytes) in (lba.0..).zip(data.chunks_exact(BLOCK)) {
                self.put(Lba(lba), bytes);
            }
            Ok(())
        }
        .boxed_local()
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        async move { Attempted::at_once(self.swap(lba, expected, new)) }.boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        async { Ok(()) }.boxed_local()
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        self.write_zeroes(lba, blocks)
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        async move {
            (lba.0..lba.0 + blocks.0).for_each(|lba| self.put(Lba(lba), &[0; BLOCK]));
            Ok(())
        }
        .boxed_local()
    }
}

/// What one process knows of the slots' locks.
struct Locks {
    shared: Rc<RefCell<BTreeMap<SlotIndex, u32>>>,
    process: u32,
    boot: u128,
}

impl CutOff for Locks {
    fn process(&self) -> ProcessIdentity {
        ProcessIdentity { boot_id: self.boot, pid_namespace: 1, pid: self.process, start_ticks: 1 }
    }

    fn enter(&self, slot: SlotIndex) -> LocalFuture<'_, Result<(), EnterError>> {
        async move {
            match *self.shared.borrow_mut().entry(slot).or_insert(self.process) {
                holder if holder == self.process => Ok(()),
                _ => Err(EnterError::Held { slot }),
            }
        }
        .boxed_local()
    }

    fn exit(&self, slot: SlotIndex) -> LocalFuture<'_, ()> {
        async move {
            self.shared.borrow_mut().retain(|held, holder| *held != slot || *holder != self.process);
        }
        .boxed_local()
    }

    fn death_proved(&self, victim: Victim) -> LocalFuture<'_, Option<Proof>> {
        async move { (!self.shared.borrow().contains_key(&victim.slot)).then_some(Proof::FileLock) }
            .boxed_local()
    }

    fn cut_off(&self, victim: Victim) -> LocalFuture<'_, Result<Proof, NotCutOff>> {
        async move { self.death_proved(victim).await.ok_or(NotCutOff::StillHeld { slot: victim.slot }) }
            .boxed_local()
    }
}

struct Dice(Cell<u64>);

impl Random for Dice {
    fn nonce(&self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    fn bits(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// Time that passes only while everybody sleeps.
#[derive(Default)]
pub struct Time {
    now: Rc<Cell<Duration>>,
    sleepers: Rc<RefCell<Vec<(Duration, Waker)>>>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Time {
    /// Runs a future to its end; whenever it waits, the time jumps to the next sleeper's.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        loop {
            while flag.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            let mut sleepers = self.sleepers.borrow_mut();
            let next =
                sleepers.iter().map(|(until, _)| *until).min().unwrap_or_else(|| panic!("nobody sleeps"));
            self.now.set(next.max(self.now.get()));
            sleepers.retain(|(until, waker)| {
                if *until <= next {
                    waker.wake_by_ref();
                }
                *until > next
            });
        }
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant::from_zero(self.now.get())
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()> {
        let until = deadline.since_zero();
        let (sleepers, now) = (Rc::clone(&self.sleepers), Rc::clone(&self.now));
        futures::future::poll_fn(move |context| {
            if now.get() >= until {
                return Poll::Ready(());
            }
            sleepers.borrow_mut().push((until, context.waker().clone()));
            Poll::Pending
        })
        .boxed_local()
    }

    fn wall(&self) -> WallTime {
        WallTime { milliseconds: 1_795_228_800_000 + u64::try_from(self.now.get().as_millis()).unwrap() }
    }
}
