//! The record of events: the last ones in memory, more of them on disk within a bound, and never a wait for whoever
//! reports one.
//!
//! ```text
//!   engine's thread --try_send--> thread `oarlock-events` --> memory (followers) and file; HOST.events, HOST.events.1
//! ```

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use oarlock_causes::{Action, Cause};

use crate::api::{EventEntry, EventsStatus};
use crate::error::HostError;
use crate::event_file::EventFile;
use crate::text::now_text;

/// Events that are kept in memory.
pub const EVENTS_KEPT_MAX: usize = 1000;

/// While the file takes nothing, it is tried again this often: what waits in its buffer is for the time after a crash.
const RETRY: Duration = Duration::from_secs(1);

/// Events that wait for the recording thread; further ones are counted and dropped.
const QUEUE_MAX: usize = 4096;

/// Who reports events. Dropping it ends the recording, once all that was reported is written.
pub struct Recorder {
    sender: Option<SyncSender<EventEntry>>,
    log: EventLog,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Who reads events. Clones read the same ones.
#[derive(Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
}

struct Shared {
    file: Option<PathBuf>,
    kept: Mutex<Kept>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<EventEntry>>,
    /// How many there were before the first that is kept.
    before: u64,
    ended: bool,
    error: Option<String>,
    wakers: Vec<Waker>,
}

impl Recorder {
    /// Starts recording: into memory, and into `file` if there is one, whose last events are read back.
    ///
    /// # Errors
    /// Where the thread cannot be started. A file that cannot be used is no reason not to start: `status` tells it.
    pub fn start(file: Option<PathBuf>) -> Result<Recorder, HostError> {
        let mut kept = Kept::default();
        let opened = file.as_ref().and_then(|path| match EventFile::open(path, EVENTS_KEPT_MAX) {
            Ok((file, events)) => {
                kept.events = events.into_iter().map(Arc::new).collect();
                Some(file)
            }
            Err(error) => {
                kept.error = Some(error.to_string());
                None
            }
        });
        let shared = Arc::new(Shared {
            file,
            kept: Mutex::new(kept),
            changed: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let (sender, receiver) = sync_channel(QUEUE_MAX);
        let writer =
            Writer { shared: Arc::clone(&shared), file: opened, told: 0, fails: false, unwritten: 0 };
        let thread = std::thread::Builder::new()
            .name("oarlock-events".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| HostError::Resources { what: "thread", reason: error.to_string() })?;
        Ok(Recorder { sender: Some(sender), log: EventLog { shared }, thread: Some(thread) })
    }

    /// Records an event. Never waits: where there is no room it is counted, and the record says later how many were
    /// dropped.
    pub fn record(&self, event: EventEntry) {
        let recorded = self.sender.as_ref().is_some_and(|sender| sender.try_send(event).is_ok());
        if !recorded {
            self.dropped(1);
        }
    }

    /// Counts events that could not even be reported.
    pub fn dropped(&self, events: u64) {
        self.log.shared.dropped.fetch_add(events, Ordering::Relaxed);
    }

    /// What reads them.
    #[must_use]
    pub fn log(&self) -> EventLog {
        self.log.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    shared: Arc<Shared>,
    file: Option<EventFile>,
    /// Dropped events that the record tells of.
    told: u64,
    /// Whether the file took nothing when it was last tried.
    fails: bool,
    /// Events that were not even taken into the file's buffer.
    unwritten: u64,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<EventEntry>) {
        loop {
            let event = match receiver.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let Some(event) = self.wait(receiver) else { break };
                    event
                }
            };
            self.tell_of_dropped();
            self.keep(event);
        }
        self.tell_of_dropped();
        self.flush();
        self.shared.change(|kept| kept.ended = true);
    }

    /// The next event; `None` at the end. The file is tried again meanwhile, if it has to be.
    fn wait(&mut self, receiver: &Receiver<EventEntry>) -> Option<EventEntry> {
        while self.fails {
            match receiver.recv_timeout(RETRY) {
                Ok(event) => return Some(event),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.flush(),
            }
        }
        receiver.recv().ok()
    }

    fn tell_of_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.told {
            let events = dropped - self.told;
            self.told = dropped;
            self.keep(overflow(&format!(
                "{events} events came faster than they could be recorded, and are not here"
            )));
        }
    }

    fn keep(&mut self, event: EventEntry) {
        if let Err(error) = self.append(&event) {
            self.unwritten += 1;
            self.fares(Some(error.to_string()));
        }
        self.shared.change(|kept| {
            kept.events.push_back(Arc::new(event));
            if kept.events.len() > EVENTS_KEPT_MAX {
                kept.events.pop_front();
                kept.before += 1;
            }
        });
    }

    /// Appends to the file; where events are missing there, it is said before the next one.
    fn append(&mut self, event: &EventEntry) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.unwritten > 0 {
            let events = self.unwritten;
            file.append(&overflow(&format!(
                "{events} events could not be written, and are not in this file"
            )))?;
            self.unwritten = 0;
        }
        file.append(event)
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let error = file.flush().err().map(|error| error.to_string());
        if self.fails || error.is_some() {
            self.fares(error);
        }
    }

    /// What `status` says of the file: it is not kept for as long as the file takes nothing, and no longer.
    fn fares(&mut self, error: Option<String>) {
        self.fails = error.is_some();
        self.shared.change(|kept| kept.error = error);
    }
}

/// The event that stands for events that are not there.
fn overflow(detail: &str) -> EventEntry {
    own_event("overflow", Action::Lost, detail.to_owned())
}

/// An event of the daemon's own, which no command to the device brought about.
pub(crate) fn own_event(kind: &str, action: Action, detail: String) -> EventEntry {
    EventEntry {
        time: now_text(),
        kind: kind.to_owned(),
        cause: Cause::CannotTell.name().to_owned(),
        layer: Cause::CannotTell.entry().layer.name().to_owned(),
        lba: None,
        record: None,
        path: None,
        expected_age_us: None,
        queue_us: None,
        device_us: None,
        expected_generation: None,
        found_generation: None,
        by: None,
        action: action.name().to_owned(),
        detail,
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        let wakers = {
            let mut kept = self.locked();
            change(&mut kept);
            std::mem::take(&mut kept.wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl EventLog {
    /// The events that are kept, oldest first.
    #[must_use]
    pub fn kept(&self) -> Vec<Arc<EventEntry>> {
        self.shared.locked().events.iter().cloned().collect()
    }

    /// How the record fares.
    #[must_use]
    pub fn status(&self) -> EventsStatus {
        EventsStatus {
            file: self.shared.file.as_ref().map(|path| path.display().to_string()),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
            error: self.shared.locked().error.clone(),
        }
    }

    /// A reader that begins with the last `tail` of the kept events, and goes on with those to come.
    #[must_use]
    pub fn follow(&self, tail: usize) -> Follower {
        let kept = self.shared.locked();
        let behind = kept.events.len() - tail.min(kept.events.len());
        let next = kept.before + behind as u64;
        drop(kept);
        Follower { log: self.clone(), next }
    }
}

/// A reader of events. One that is slower than events come is told how many it missed.
pub struct Follower {
    log: EventLog,
    next: u64,
}

/// What a follower finds.
enum Next {
    Event(Arc<EventEntry>),
    NotYet,
    Ended,
}

impl Follower {
    /// The next event; `None` once the recording ended and all was read.
    pub async fn next(&mut self) -> Option<Arc<EventEntry>> {
        let shared = Arc::clone(&self.log.shared);
        poll_fn(|context| {
            let mut kept = shared.locked();
            match self.look(&kept) {
                Next::Event(event) => Poll::Ready(Some(event)),
                Next::Ended => Poll::Ready(None),
                Next::NotYet => {
                    if !kept.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                        kept.wakers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// The next event, if one comes within `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Option<Arc<EventEntry>> {
        let shared = Arc::clone(&self.log.shared);
        let deadline = Instant::now() + timeout;
        let mut kept = shared.locked();
        loop {
            match self.look(&kept) {
                Next::Event(event) => return Some(event),
                Next::Ended => return None,
                Next::NotYet => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            kept = shared.changed.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn look(&mut self, kept: &Kept) -> Next {
        if self.next < kept.before {
            let missed = kept.before - self.next;
            self.next = kept.before;
            let detail = format!("{missed} events were passed over: they came faster than they were read");
            return Next::Event(Arc::new(overflow(&detail)));
        }
        let place = usize::try_from(self.next - kept.before).unwrap_or(usize::MAX);
        match kept.events.get(place) {
            Some(event) => {
                self.next += 1;
                Next::Event(Arc::clone(event))
            }
            None if kept.ended => Next::Ended,
            None => Next::NotYet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> EventEntry {
        EventEntry { kind: "path".to_owned(), detail: number.to_string(), ..overflow("") }
    }

    fn numbers(log: &EventLog) -> Vec<String> {
        log.kept().iter().map(|event| event.detail.clone()).collect()
    }

    #[test]
    fn the_last_thousand_are_kept_and_a_slow_reader_hears_how_many_it_missed() {
        let recorder = Recorder::start(None).unwrap();
        let log = recorder.log();
        let mut slow = log.follow(0);
        for number in 0..EVENTS_KEPT_MAX + 7 {
            recorder.record(event(number));
        }
        drop(recorder);
        assert_eq!(log.kept().len(), EVENTS_KEPT_MAX);
        assert_eq!(log.status().dropped, 0);
        let first = slow.wait(Duration::from_secs(10)).unwrap();
        assert_eq!((&*first.kind, &first.detail[..8]), ("overflow", "7 events"));
        assert_eq!(slow.wait(Duration::from_secs(10)).unwrap().detail, "7");
    }

    #[test]
    fn what_was_dropped_is_told_before_the_next_event() {
        let recorder = Recorder::start(None).unwrap();
        recorder.dropped(3);
        recorder.record(event(1));
        let log = recorder.log();
        drop(recorder);
        let kept = log.kept();
        assert_eq!(kept[0].kind, "overflow");
        assert!(kept[0].detail.starts_with("3 events"));
        assert_eq!(kept[1].detail, "1");
        assert_eq!(log.status().dropped, 3);
    }

    #[test]
    fn a_follower_gets_the_tail_then_what_comes_then_the_end() {
        let recorder = Recorder::start(None).unwrap();
        let log = recorder.log();
        let mut all = log.follow(usize::MAX);
        (0..3).for_each(|number| recorder.record(event(number)));
        for number in 0..3 {
            assert_eq!(all.wait(Duration::from_secs(10)).unwrap().detail, number.to_string());
        }
        let mut tail = log.follow(1);
        let reader = std::thread::spawn(move || {
            let mut read = Vec::new();
            while let Some(event) = futures::executor::block_on(tail.next()) {
                read.push(event.detail.clone());
            }
            read
        });
        recorder.record(event(3));
        drop(recorder);
        assert_eq!(reader.join().unwrap(), ["2", "3"]);
    }

    #[test]
    fn events_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store/a.events");
        for life in 0..2 {
            let recorder = Recorder::start(Some(path.clone())).unwrap();
            recorder.record(event(life));
        }
        let recorder = Recorder::start(Some(path)).unwrap();
        assert_eq!(numbers(&recorder.log()), ["0", "1"]);
        assert_eq!(recorder.log().status().error, None);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_and_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.events");
        std::fs::create_dir(&path).unwrap();
        let recorder = Recorder::start(Some(path)).unwrap();
        recorder.record(event(1));
        let log = recorder.log();
        drop(recorder);
        assert!(log.status().error.is_some());
        assert_eq!(numbers(&log), ["1"]);
    }
}
