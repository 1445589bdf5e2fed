//! A lane: one thread with one ring, which carries commands from their range lock to their answer.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use oarlock_block::{Answer, IoError, Refusal};
use rustix::io::Errno;

use crate::buffer::Buffer;
use crate::description::Description;
use crate::failure;
use crate::file::Lane;
use crate::inbox::Message;
use crate::job::{
    Command, DoneReply, Job, PAUSE_FIRST, PAUSE_MAX, ReadReply, Stage, SwapReply, Work, first_difference,
};
use crate::permits::IN_FLIGHT_MAX;
use crate::progress::{Moved, Progress, progress};
use crate::range_lock::ByteRange;
use crate::range_table::{CommandId, LockKind};
use crate::ring::{Completion, Ring};

/// Starts the thread of a lane, and returns once its ring stands.
pub(crate) fn start(lane: Lane, description: &Arc<Description>) -> io::Result<()> {
    let (sender, ring_made) = mpsc::sync_channel(1);
    let description = Arc::clone(description);
    std::thread::Builder::new().name(format!("oarlock-{}", lane.name())).spawn(move || {
        let wake = Arc::clone(&description.inbox(lane).wake);
        let ended = EndOnDrop { lane, description: Arc::clone(&description) };
        match Ring::new(IN_FLIGHT_MAX, wake) {
            Ok(ring) => {
                let _ = sender.send(Ok(()));
                LaneThread::new(lane, description, ring).run();
            }
            Err(error) => drop(sender.send(Err(error))),
        }
        drop(ended);
    })?;
    ring_made.recv().unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::BrokenPipe)))
}

/// However the thread ends, its inbox says so, and no caller waits for it.
struct EndOnDrop {
    lane: Lane,
    description: Arc<Description>,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.description.inbox(self.lane).end();
    }
}

struct LaneThread {
    lane: Lane,
    description: Arc<Description>,
    ring: Ring<Buffer>,
    /// A place per permit: as many commands as there are permits find one.
    jobs: Vec<Option<Job>>,
    jitter: u64,
}

/// What a step came to: where the command stands now, or nothing, for it ended.
type Next = Option<Stage>;

impl LaneThread {
    fn new(lane: Lane, description: Arc<Description>, ring: Ring<Buffer>) -> LaneThread {
        let jobs = (0..IN_FLIGHT_MAX).map(|_| None).collect();
        // Only processes that pause in step would harm each other, and their ids differ.
        let jitter = u64::from(std::process::id()) << 8 | lane as u64 | 1;
        LaneThread { lane, description, ring, jobs, jitter }
    }

    /// Ends when the inbox is closed and the last command ended, or when the ring itself broke: then the callers'
    /// replies are dropped, which they read as a lost path.
    fn run(mut self) {
        let mut messages = Vec::new();
        let mut completions = Vec::new();
        loop {
            let closed = self.description.inbox(self.lane).empty_into(&mut messages);
            for message in messages.drain(..) {
                match message {
                    Message::Command(command) => self.accept(command),
                    Message::Granted(id) => self.on_granted(id),
                }
            }
            self.on_time();
            if closed && self.jobs.iter().all(Option::is_none) {
                return;
            }
            let timeout = self.next_wake().map(|at| at.saturating_duration_since(Instant::now()));
            if self.ring.wait(timeout, &mut completions).is_err() {
                return;
            }
            for completion in completions.drain(..) {
                self.on_completion(completion);
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let wakes = self.jobs.iter().flatten().filter_map(|job| match job.stage {
            Stage::Waiting { wake_at, .. } => Some(wake_at),
            _ => None,
        });
        wakes.min()
    }

    fn accept(&mut self, command: Command) {
        let Command { id, range, work, permit } = command;
        let Some(token) = self.jobs.iter().position(Option::is_none) else {
            // Cannot be while every command holds a permit; if it were, the answer would still be true.
            self.description.ended(id);
            return work.refuse(Refusal::Busy);
        };
        let (stage, ready) = if let Work::Flush { reply } = work {
            (Stage::Syncing { reply }, true)
        } else {
            let granted = self.description.ask_range(id, self.lane, range, work.lock_kind());
            let deadline = Instant::now() + work.wait_max();
            (Stage::Waiting { work, granted, deadline, pause: PAUSE_FIRST, wake_at: deadline }, granted)
        };
        self.jobs[token] = Some(Job { id, range, stage, _permit: permit });
        if ready {
            self.step(token, |lane, job, stage| match stage {
                Stage::Syncing { reply } => lane.start_sync(job, reply),
                waiting => lane.try_range(job, waiting),
            });
        }
    }

    fn on_granted(&mut self, id: CommandId) {
        let Some(token) = self.jobs.iter().position(|job| job.as_ref().is_some_and(|job| job.id == id))
        else {
            return;
        };
        self.step(token, |lane, job, stage| lane.try_range(job, stage));
    }

    /// Looks after every command whose pause or patience ended.
    fn on_time(&mut self) {
        let now = Instant::now();
        for token in 0..self.jobs.len() {
            let due = self.jobs[token]
                .as_ref()
                .is_some_and(|job| matches!(job.stage, Stage::Waiting { wake_at, .. } if wake_at <= now));
            if due {
                self.step(token, |lane, job, stage| match stage {
                    Stage::Waiting { granted: true, .. } => lane.try_range(job, stage),
                    Stage::Waiting { work, .. } => lane.give_up(job, work),
                    other => Some(other),
                });
            }
        }
    }

    /// Moves a command on by one step, and clears up after it where that was its last.
    fn step(&mut self, token: usize, advance: impl FnOnce(&mut LaneThread, &Head, Stage) -> Next) {
        let Some(Job { id, range, stage, _permit: permit }) = self.jobs[token].take() else { return };
        let head = Head { token, id, range };
        match advance(self, &head, stage) {
            Some(stage) => self.jobs[token] = Some(Job { id, range, stage, _permit: permit }),
            None => {
                self.description.leave_range(id);
                self.description.ended(id);
            }
        }
    }

    /// The range is ours within this process: takes the kernel's lock on it, or pauses. A read takes none: a process that
    /// is stopped while it reads would keep the lock, and all hosts from beating if it reads the slots.
    fn try_range(&mut self, head: &Head, stage: Stage) -> Next {
        let Stage::Waiting { work, deadline, pause, .. } = stage else { return Some(stage) };
        if work.lock_kind() == LockKind::Shared {
            return self.start(head, work);
        }
        match self.description.try_lock(head.range) {
            Ok(true) => self.start(head, work),
            Ok(false) if Instant::now() < deadline => {
                let wake_at = (Instant::now() + self.jittered(pause)).min(deadline);
                let pause = (pause * 2).min(PAUSE_MAX);
                Some(Stage::Waiting { work, granted: true, deadline, pause, wake_at })
            }
            // No lock, or no memory for one: either way the command was not executed.
            Ok(false) | Err(_) => self.give_up(head, work),
        }
    }

    /// Between half and one and a half times `pause`.
    fn jittered(&mut self, pause: Duration) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        pause / 2 + pause * u32::from(self.jitter.to_le_bytes()[0]) / 256
    }

    fn give_up(&mut self, head: &Head, work: Work) -> Next {
        match work {
            Work::Read { .. } => {
                // Lets go of its place first: a read that locks nothing shall not keep a beat waiting.
                self.description.leave_range(head.id);
                self.start(head, work)
            }
            other => {
                other.refuse(Refusal::Busy);
                None
            }
        }
    }

    fn start(&mut self, head: &Head, work: Work) -> Next {
        match work {
            Work::Read { buffer, reply } => {
                self.submit_read(head, buffer, 0).then_some(Stage::Reading { done: 0, reply })
            }
            Work::Swap { expected, new, found, reply } => {
                let reply = reply.leaves_queue();
                self.submit_read(head, found, 0).then_some(Stage::Comparing { done: 0, expected, new, reply })
            }
            Work::Write { data, reply } => {
                // (An ATS reads first, and meets the end.)
                if head.range.end() > self.description.end() {
                    let _ = reply.send(Err(IoError::Refused(Refusal::OutOfRange)));
                    return None;
                }
                self.submit_write(head, data, 0).then_some(Stage::Writing { done: 0, reply })
            }
            Work::Flush { reply } => self.start_sync(head, reply),
            Work::Clear { clear, reply } => {
                if head.range.end() > self.description.end() {
                    let _ = reply.send(Err(IoError::Refused(Refusal::OutOfRange)));
                    return None;
                }
                let ByteRange { start, length } = head.range;
                let file = &self.description.file;
                let sent = self.ring.allocate(head.token, file, clear.mode(), (start, length));
                sent.is_ok().then_some(Stage::Clearing { reply })
            }
        }
    }

    // The ring has a place for each token, so a submission fails only where the ring is broken; then the reply is
    // dropped here, and the caller reads it as a lost path.

    fn submit_read(&mut self, head: &Head, buffer: Buffer, done: usize) -> bool {
        let part = done..buffer.len();
        let file = &self.description.file;
        self.ring.read(head.token, file, buffer, part, head.range.start + done as u64).is_ok()
    }

    fn submit_write(&mut self, head: &Head, buffer: Buffer, done: usize) -> bool {
        let part = done..buffer.len();
        let file = &self.description.file;
        self.ring.write(head.token, file, buffer, (part, head.range.start + done as u64), false).is_ok()
    }

    fn start_sync(&mut self, head: &Head, reply: DoneReply) -> Next {
        self.ring.sync(head.token, &self.description.file).is_ok().then_some(Stage::Syncing { reply })
    }

    fn on_completion(&mut self, completion: Completion<Buffer>) {
        let Completion { place, result, held } = completion;
        self.step(place, |lane, head, stage| match (stage, held) {
            (Stage::Syncing { reply }, _) => {
                let _ = reply.send(result.map(|_| ()).map_err(failure::of_flush));
                None
            }
            (Stage::Clearing { reply }, _) => {
                let _ = reply.send(result.map(|_| ()).map_err(failure::of_write));
                None
            }
            (Stage::Reading { done, reply }, Some(buffer)) => {
                lane.on_read(head, (done, result), buffer, reply)
            }
            (Stage::Comparing { done, expected, new, reply }, Some(found)) => {
                lane.on_compared(head, (done, result), found, (expected, new), reply)
            }
            (Stage::Swapping { done, reply }, Some(buffer)) => {
                lane.on_swapped(head, (done, result), buffer, reply)
            }
            (Stage::Writing { done, reply }, Some(buffer)) => {
                lane.on_written(head, (done, result), buffer, reply)
            }
            // A completion for a command that has none out: the stage stands.
            (stage, _) => Some(stage),
        });
    }

    fn on_read(&mut self, head: &Head, moved: Moved, buffer: Buffer, reply: ReadReply) -> Next {
        match self.progress(moved, buffer.len()) {
            Progress::Complete => drop(reply.send(Ok(buffer))),
            Progress::Partial(done) => {
                return self.submit_read(head, buffer, done).then_some(Stage::Reading { done, reply });
            }
            Progress::End => drop(reply.send(Err(IoError::Refused(Refusal::OutOfRange)))),
            Progress::Failed(errno) => drop(reply.send(Err(failure::of_read(errno)))),
        }
        None
    }

    fn on_compared(
        &mut self,
        head: &Head,
        moved: Moved,
        found: Buffer,
        (expected, new): (Buffer, Buffer),
        reply: SwapReply,
    ) -> Next {
        let answer = match self.progress(moved, found.len()) {
            Progress::Partial(done) => {
                let stage = Stage::Comparing { done, expected, new, reply };
                return self.submit_read(head, found, done).then_some(stage);
            }
            Progress::Complete => match first_difference(&found, &expected) {
                None => {
                    let stage = Stage::Swapping { done: 0, reply };
                    return self.submit_write(head, new, 0).then_some(stage);
                }
                Some(first) => Ok(Answer::Miscompared { first_difference: Some(first) }),
            },
            Progress::End => Err(Refusal::OutOfRange),
            Progress::Failed(errno) => failure::of_compare(errno),
        };
        reply.send(answer);
        None
    }

    fn on_swapped(&mut self, head: &Head, moved: Moved, buffer: Buffer, reply: SwapReply) -> Next {
        let torn = moved.0 > 0;
        let answer = match self.progress(moved, buffer.len()) {
            Progress::Complete => Ok(Answer::Swapped),
            Progress::Partial(done) => {
                return self.submit_write(head, buffer, done).then_some(Stage::Swapping { done, reply });
            }
            // Part of the image stands already: no refusal is true any more.
            Progress::Failed(_) if torn => failure::of_swap(Errno::IO),
            Progress::Failed(errno) => failure::of_swap(errno),
            Progress::End => failure::of_swap(Errno::IO),
        };
        reply.send(answer);
        None
    }

    fn on_written(&mut self, head: &Head, moved: Moved, buffer: Buffer, reply: DoneReply) -> Next {
        let outcome = match self.progress(moved, buffer.len()) {
            Progress::Complete => Ok(()),
            Progress::Partial(done) => {
                return self.submit_write(head, buffer, done).then_some(Stage::Writing { done, reply });
            }
            Progress::Failed(errno) => Err(failure::of_write(errno)),
            Progress::End => Err(failure::of_write(Errno::IO)),
        };
        let _ = reply.send(outcome);
        None
    }

    fn progress(&self, moved: Moved, length: usize) -> Progress {
        progress(moved, length, self.description.geometry.block_size.length())
    }
}

/// What a step needs to know of its command.
struct Head {
    token: usize,
    id: CommandId,
    range: ByteRange,
}
