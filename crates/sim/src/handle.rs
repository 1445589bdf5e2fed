//! Handles: what a workload, a checker and a host's own tasks may do with the world while it runs.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use oarlock_block::{BlockCount, Lba, LocalFuture, ProcessIdentity, SlotIndex};

use crate::cut_off::SimCutOff;
use crate::host::EndCause;
use crate::random::SimRandom;
use crate::state::{Core, State};
use crate::timer::{Deadline, SimClock, Sleep};
use crate::trace::Describe;
use crate::{
    Choices, Ended, HostIndex, HostSetup, Image, Lane, Life, LocalClock, Observer, SimDevice, Statistics,
    TrueTime, Violation, World,
};

/// The world, for those who live in it. A clone is another handle on the same world.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Rc<Core>,
}

impl Handle {
    /// True time: for workloads and checkers, never for a host.
    #[must_use]
    pub fn now(&self) -> TrueTime {
        self.core.read(|state| state.now)
    }

    /// Resolves at this true time, or at once if it is past.
    #[must_use]
    pub fn sleep_until(&self, time: TrueTime) -> LocalFuture<'static, ()> {
        Box::pin(Sleep::new(Rc::clone(&self.core), Deadline::True(time)))
    }

    /// The source of the world's chance, for decisions of the workload.
    #[must_use]
    pub fn choices(&self) -> Choices {
        self.core.read(|state| state.choices.clone())
    }

    /// Adds a machine; nothing runs on it yet.
    pub fn add_host(&self, setup: HostSetup) -> HostIndex {
        self.core.change(|state| state.add_host(setup))
    }

    /// Starts a process on a machine that has none: another life, with a process identity of its own.
    ///
    /// # Panics
    /// Where a process runs there already, or is stopped.
    pub fn start_life(&self, host: HostIndex) -> HostLife {
        let life = self.core.change(|state| state.begin_life(host));
        HostLife { core: Rc::clone(&self.core), host, life }
    }

    /// The life that runs or is stopped on a machine.
    #[must_use]
    pub fn present_life(&self, host: HostIndex) -> Option<HostLife> {
        let life = self.core.read(|state| state.present_life(host))?;
        Some(HostLife { core: Rc::clone(&self.core), host, life })
    }

    /// Ends the process on a machine, if there is one: its tasks are dropped, and its commands in flight stay out.
    pub fn stop_life(&self, host: HostIndex) {
        self.core.change(|state| state.end_life(host, EndCause::Stopped));
    }

    /// Stops the process on a machine (SIGSTOP), until [`resume`](Handle::resume) or for so long; `frozen`: its clock
    /// stands still too (R10). Nothing, where none runs.
    pub fn pause(&self, host: HostIndex, length: Option<Duration>, frozen: bool) {
        self.core.change(|state| state.pause(host, length, frozen));
    }

    /// Lets a stopped process go on (SIGCONT).
    pub fn resume(&self, host: HostIndex) {
        self.core.change(|state| state.resume(host, None));
    }

    /// The course of a machine's clock so far: what it shows at which true time, and the other way round.
    #[must_use]
    pub fn clock_of(&self, host: HostIndex) -> LocalClock {
        self.core.read(|state| state.host(host).clock.clone())
    }

    /// Writes and ATS of a life that were sent and may still land.
    #[must_use]
    pub fn writes_in_flight(&self, host: HostIndex, life: Life) -> u32 {
        self.core.read(|state| state.life(host, life).writes_in_flight)
    }

    /// How many contents of the block a power loss may still bring back: none without a write cache.
    #[must_use]
    pub fn unflushed(&self, lba: Lba) -> usize {
        self.core.read(|state| state.disk.unflushed(lba))
    }

    /// The device's length.
    #[must_use]
    pub fn device_blocks(&self) -> BlockCount {
        self.core.read(|state| state.options.geometry.blocks)
    }

    /// The device gets longer: by so many blocks.
    pub fn lengthen_device(&self, blocks: BlockCount) {
        self.core.change(|state| state.options.geometry.blocks.0 += blocks.0);
    }

    /// Who holds the lock of a slot.
    #[must_use]
    pub fn slot_holder(&self, slot: SlotIndex) -> Option<(HostIndex, Life)> {
        self.core.read(|state| state.slot_holder(slot))
    }

    /// How often a slot was entered: who is in it now came in by the last one.
    #[must_use]
    pub fn slot_entries(&self, slot: SlotIndex) -> u64 {
        self.core.read(|state| state.slot_entries.get(&slot).copied().unwrap_or_default())
    }

    /// What a block holds now, as no command would read it.
    #[must_use]
    pub fn content(&self, lba: Lba) -> Image {
        self.core.read(|state| state.disk.content(lba))
    }

    /// The next write to each of these blocks needs room, for the device keeps them in one place, with their like.
    pub fn take_places(&self, blocks: &[Lba]) {
        self.core.change(|state| blocks.iter().for_each(|lba| state.disk.take_place(*lba)));
    }

    /// Gives blocks a content without any command, and as durable as all that was written before: to format a device before
    /// the run, or to damage it.
    ///
    /// # Panics
    /// Where `bytes` are not whole blocks.
    pub fn put_content(&self, lba: Lba, bytes: &[u8]) {
        self.core.change(|state| {
            let length = state.options.geometry.block_size.length();
            assert!(bytes.len().is_multiple_of(length), "{} bytes are not whole blocks", bytes.len());
            for (place, block) in bytes.chunks_exact(length).enumerate() {
                let at = lba.plus(crate::command::blocks_as_count(place));
                state.disk.put(at, block.into(), state.now);
            }
            state.disk.flush();
        });
    }

    /// Gives one block a content without any command, which a loss of power may take back.
    pub(crate) fn overwrite(&self, lba: Lba, image: &Image) {
        self.core.change(|state| drop(state.disk.put(lba, Rc::clone(image), state.now)));
    }

    /// The power fails at this moment, as often as the plan lets it.
    pub(crate) fn fail_power(&self) {
        self.core.change(State::power_event);
    }

    /// Adds an observer. It sees what happens from now on.
    pub fn observe(&self, observer: Rc<dyn Observer>) {
        self.core.observers.borrow_mut().push(observer);
        self.core.change(|state| state.watched = true);
    }

    /// Says that something is wrong: the run ends after this step. The first violation is kept.
    pub fn report_violation(&self, what: String) {
        self.note(None, &what);
        self.core.change(|state| {
            let at = state.now;
            state.violation.get_or_insert(Violation { at, what });
        });
    }

    /// The first violation.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.core.read(|state| state.violation.clone())
    }

    /// Puts a line into the trace.
    pub fn note(&self, host: Option<HostIndex>, text: &str) {
        self.core.change(|state| state.trace.note(state.now, host, text));
    }

    /// The trace, a line for each of the last things that happened; `describe` says what a block's content means.
    #[must_use]
    pub fn trace(&self, describe: Describe<'_>) -> String {
        self.core.read(|state| state.trace.render(describe))
    }

    /// A number that two runs share if everything in them happened alike.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.core.read(|state| state.trace.fingerprint())
    }

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.core.read(|state| state.statistics)
    }
}

impl World {
    /// Spawns a future on a life, and runs the world until it is done, but no longer than to `limit`; `None` where it was
    /// not: why, says [`Ended`].
    pub fn run_to_end<T: 'static>(
        &self,
        life: &HostLife,
        limit: TrueTime,
        future: impl Future<Output = T> + 'static,
    ) -> (Option<T>, Ended) {
        let result = Rc::new(std::cell::RefCell::new(None));
        let cell = Rc::clone(&result);
        life.spawn(async move {
            let value = future.await;
            cell.replace(Some(value));
        });
        let ended = self.run_until_satisfied(limit, || result.borrow().is_some());
        (result.take(), ended)
    }
}

/// One life of one host: the parts that its engine is built from. All of them die with it: its tasks are dropped, and
/// commands that anybody gives in its name are not sent.
#[derive(Clone)]
pub struct HostLife {
    core: Rc<Core>,
    host: HostIndex,
    life: Life,
}

impl HostLife {
    /// Its machine.
    #[must_use]
    pub fn host(&self) -> HostIndex {
        self.host
    }

    /// Its number there.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> ProcessIdentity {
        self.core.read(|state| state.life(self.host, self.life).process)
    }

    /// Whether it has not ended; a stopped process has not.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.core.read(|state| state.is_present(self.host, self.life))
    }

    /// The machine's clock.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock { core: Rc::clone(&self.core), host: self.host }
    }

    /// A stream of randomness that nothing else draws from: each call gives another.
    #[must_use]
    pub fn random(&self) -> SimRandom {
        let (seed, stream) = self.core.change(|state| {
            state.random_streams += 1;
            (state.seed, state.random_streams)
        });
        SimRandom::new(seed, self.host, self.life, stream)
    }

    /// A handle on the device.
    #[must_use]
    pub fn device(&self, lane: Lane) -> SimDevice {
        SimDevice { core: Rc::clone(&self.core), host: self.host, life: self.life, lane }
    }

    /// What it knows of the slots' locks.
    #[must_use]
    pub fn cut_off(&self) -> SimCutOff {
        SimCutOff { core: Rc::clone(&self.core), host: self.host, life: self.life }
    }

    /// Spawns a task. It is polled when the world comes to it, and dropped when the life ends; at once where it has.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let task: LocalFuture<'static, ()> = Box::pin(task);
        let inbox = Arc::clone(&self.core.inbox);
        let orphan = self.core.change(|state| state.spawn(self.host, self.life, task, &inbox));
        drop(orphan);
    }

    /// Resolves when the life has ended: for a workload that starts the next one. Await it on another host.
    #[must_use]
    pub fn ended(&self) -> LocalFuture<'static, ()> {
        Box::pin(LifeEnd { core: Rc::clone(&self.core), host: self.host, life: self.life })
    }
}

struct LifeEnd {
    core: Rc<Core>,
    host: HostIndex,
    life: Life,
}

impl Future for LifeEnd {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.core.change(|state| {
            let state = state.life_mut(self.host, self.life);
            if state.ended {
                return Poll::Ready(());
            }
            if !state.end_waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
                state.end_waiters.push(context.waker().clone());
            }
            Poll::Pending
        })
    }
}
