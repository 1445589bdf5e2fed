//! Serving: what the engine's thread does from the join on. Each request is a task of its own beside the host's.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak as RcWeak};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, FutureExt, LocalBoxFuture, select};
use futures::stream::{FuturesUnordered, StreamExt};
use oarlock_block::{Clock, Faulty, WallTime};
use oarlock_causes::{Action, EventKind};
use oarlock_device::{BootClock, FileDevice};
use oarlock_engine::{Ended, Event, EventSink, Guard, Host, HostState, HostStatus, StopReason, Want};
use oarlock_format::{LockName, Superblock};

use crate::api::{
    DatastoreStatus, EventEntry, EventsStatus, FaultStatus, HostEntry, LockEntry, OwnStatus, OwnerEntry,
    Status,
};
use crate::disks::{Counted, Tending, TendingSoon};
use crate::error::HostError;
use crate::loss::{Loss, LossKind};
use crate::lost::{Lost, UNRENEWED};
use crate::names::Names;
use crate::record::{Recorder, own_event};
use crate::request::{HeldLock, Request, Shared, Ticket, Ticketed, Times};
use crate::surroundings::{EngineOptions, Opened};
use crate::text::time_text;
use crate::users::Users;

/// Events that wait for the names of their authors.
const REPORTS_MAX: usize = 4096;

/// An eviction without a time of its own is tried for a watch and so long.
const EVICT_EXTRA: Duration = Duration::from_secs(30);

/// A status is answered from memory where the slots cannot be counted in this time. It is less than the two seconds after
/// which whoever may ask any host asks the next one: where the device hangs, that is no host's fault.
const COUNT_LIMIT: Duration = Duration::from_secs(1);

/// A lock is tried for this part of a beat at least, however short the wait is to be.
const TRIES_PER_BEAT: u32 = 4;

type Tasks = FuturesUnordered<LocalBoxFuture<'static, ()>>;

/// Events on their way from the engine to the record.
pub(crate) struct Reports {
    receiver: mpsc::Receiver<Event>,
}

impl Reports {
    /// The queue, and what the engine fills it by. The sink holds the recorder weakly: the record ends with the
    /// thread, not with the last clone of a sink.
    pub(crate) fn new(recorder: &Rc<Recorder>) -> (Reports, EventSink) {
        let (sender, receiver) = mpsc::channel(REPORTS_MAX);
        let recorder: RcWeak<Recorder> = Rc::downgrade(recorder);
        let sender = RefCell::new(sender);
        let sink: EventSink = Rc::new(move |event| {
            if sender.borrow_mut().try_send(event).is_err()
                && let Some(recorder) = recorder.upgrade()
            {
                recorder.dropped(1);
            }
        });
        (Reports { receiver }, sink)
    }
}

/// What the tasks of the thread share.
///
/// `users` stands before everything that holds the device: they hear of the end before the slot's byte is free.
pub(crate) struct Keeper {
    users: Users,
    pub(crate) host: Host,
    shared: Arc<Shared>,
    names: Names,
    pub(crate) clock: Rc<dyn Clock>,
    faulty: Option<Rc<Faulty>>,
    pub(crate) read_only: bool,
    device: String,
    hosts_at_last: Cell<usize>,
    pub(crate) counted: Counted,
    pub(crate) leaving: Cell<bool>,
    /// What exports work on.
    pub(crate) file: FileDevice,
    pub(crate) boot_clock: BootClock,
    tending: Tending,
    /// Weak, as the engine's sink has it: the record ends with the thread.
    recorder: RcWeak<Recorder>,
}

impl Keeper {
    pub(crate) fn new(
        options: &EngineOptions,
        there: Opened,
        host: Host,
        (shared, recorder): (&Arc<Shared>, &Rc<Recorder>),
        tending: Tending,
    ) -> Rc<Keeper> {
        let device = options.device.display().to_string();
        let clock = Rc::clone(&there.world.clock);
        let beat = host.timing().beat;
        let _ = shared.times.set(Times { beat, lease: host.timing().lease });
        let names = Names {
            format_id: there.chosen.superblock.stamp.format_id,
            layout: there.chosen.superblock.record.layout,
            device: Rc::clone(&there.world.device),
            clock: Rc::clone(&clock),
            limit: beat,
            path: device.clone(),
            own: (host.status().owner, options.host.as_str().to_owned()),
            known: RefCell::new(BTreeMap::new()),
        };
        let keeper = Keeper {
            users: Users::new(shared),
            host,
            shared: Arc::clone(shared),
            names,
            clock,
            faulty: there.faulty,
            read_only: options.read_only,
            device,
            hosts_at_last: Cell::new(1),
            counted: Counted::default(),
            leaving: Cell::new(false),
            file: there.file,
            boot_clock: there.boot_clock,
            tending,
            recorder: Rc::downgrade(recorder),
        };
        keeper.publish_lease();
        Rc::new(keeper)
    }

    /// Serves until the host has left or had to stop.
    pub(crate) async fn serve(
        self: Rc<Self>,
        mut requests: mpsc::UnboundedReceiver<Ticketed>,
        mut reports: Reports,
        (recorder, tending): (Rc<Recorder>, TendingSoon),
    ) {
        let mut tasks: Tasks = FuturesUnordered::new();
        tasks.push(Rc::clone(&self).keep_publishing().boxed_local());
        tasks.push(Rc::clone(&self).tend(tending).boxed_local());
        let host = self.host.clone();
        let ended = {
            let run = host.run().fuse();
            let report = self.report(&mut reports, &recorder).fuse();
            futures::pin_mut!(run, report);
            loop {
                futures::select_biased! {
                    ended = run => break ended,
                    request = requests.next() => match request {
                        Some(request) => tasks.push(Rc::clone(&self).attend(request).boxed_local()),
                        // Every handle is gone: nobody is left to wait for anything.
                        None => tasks.push(Rc::clone(&self).leave(Duration::ZERO).boxed_local()),
                    },
                    () = tasks.select_next_some() => {}
                    () = report => {}
                }
            }
        };
        self.end(&ended, &mut tasks);
        self.users.say_farewell();
        while let Ok(event) = reports.receiver.try_recv() {
            recorder.record(self.names.entry_at_once(event));
        }
    }

    /// Tells everybody that the host has ended. Guards are let go of here, while the engine is still whole.
    fn end(&self, ended: &Ended, tasks: &mut Tasks) {
        let _ = self.shared.ended.set(ended.clone());
        self.users.end(&loss_of(ended));
        while let Some(Some(())) = tasks.next().now_or_never() {}
    }

    /// Publishes until when locks may be relied upon: the beginning of the lease's last quarter (R29).
    fn publish_lease(&self) {
        let until = self.host.lease_end().minus(self.host.timing().lease / 4);
        let until = u64::try_from(until.since_zero().as_nanos()).unwrap_or(u64::MAX);
        self.users.rely_until(until);
    }

    async fn keep_publishing(self: Rc<Self>) {
        loop {
            self.publish_lease();
            let pause = self.host.timing().beat / 4;
            self.clock.sleep_until(self.clock.now().plus(pause)).await;
        }
    }

    async fn attend(self: Rc<Self>, Ticketed { request, _ticket }: Ticketed) {
        match request {
            Request::Status(reply) => answer(reply, self.status()).await,
            Request::Hosts(reply) => answer(reply, self.hosts()).await,
            Request::Locks(reply) => answer(reply, self.locks()).await,
            Request::Disk(request) => self.attend_disk(request).await,
            Request::Note { action, detail } => self.note(action, detail),
            Request::Evict { name, certain, wait, reply } => {
                answer(reply, self.evict(&name, certain, wait)).await;
            }
            Request::Leave { limit, reply } => {
                Rc::clone(&self).leave(limit).await;
                let _ = reply.send(Ok(()));
            }
            Request::Lock { name, want, wait, ticket, reply } => {
                // The request is done once it is answered; the lock itself has a ticket of its own.
                let under_way = Some(_ticket);
                self.lock(&name, (want, wait), ticket, reply, under_way).await;
            }
        }
    }

    /// Moves events from the engine to the record, with the names of their authors; ends with the engine. Who was taken over may
    /// have left layers of disks half done.
    async fn report(&self, reports: &mut Reports, recorder: &Recorder) {
        while let Some(event) = reports.receiver.next().await {
            if event.kind == EventKind::Takeover && event.action != Action::Refused {
                self.tending.is_due();
            }
            recorder.record(self.names.entry(event).await);
        }
    }

    /// Records an event about disks that no command to the device brought about.
    pub(crate) fn note(&self, action: Action, detail: String) {
        self.tell(own_event("disk", action, detail));
    }

    pub(crate) fn tell(&self, event: EventEntry) {
        if let Some(recorder) = self.recorder.upgrade() {
            recorder.record(event);
        }
    }

    async fn status(&self) -> Result<Status, HostError> {
        let own = self.host.status();
        let limit = self.clock.sleep_until(self.clock.now().plus(self.host.timing().beat.min(COUNT_LIMIT)));
        let count = async {
            if let Ok(hosts) = self.host.host_count().await {
                self.hosts_at_last.set(hosts);
            }
            self.counted.count(&self.host, &*self.clock).await;
        };
        futures::pin_mut!(count);
        select(count, limit).await;
        let stopped = match &own.state {
            HostState::Stopped(reason) => Some(reason.to_string()),
            _ => None,
        };
        Ok(Status {
            datastore: self.datastore(),
            host: OwnStatus {
                name: own.name.as_str().to_owned(),
                slot: own.owner.slot.0,
                incarnation: own.owner.incarnation.0,
                state: own.state.name().to_owned(),
                lease_ms_left: milliseconds(own.lease_left),
                stopped,
                held_ms: own.held_for.map(milliseconds),
                hindrance: own.hindrance.map(|hindrance| hindrance.to_string()),
                read_only: self.read_only,
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            hosts: self.hosts_at_last.get(),
            disks: self.counted.disks(),
            faults: self.faults(),
            events: EventsStatus::default(),
        })
    }

    fn datastore(&self) -> DatastoreStatus {
        let known = self.host.superblock();
        let superblock: &Superblock = &known.record;
        let timing = self.host.timing();
        DatastoreStatus {
            id: self.names.format_id.to_string(),
            name: superblock.label.as_str().to_owned(),
            size: superblock.device_blocks.bytes(superblock.block_size).0,
            // Where nothing was counted, or there are no disks, nobody has any of it.
            free: self.counted.free().unwrap_or_else(|| all_clusters(superblock)),
            fencing: superblock.fencing.name().to_owned(),
            device: self.device.clone(),
            beat_ms: milliseconds(timing.beat),
            lease_ms: milliseconds(timing.lease),
            watch_ms: milliseconds(timing.watch),
            hold_ms: milliseconds(timing.hold),
        }
    }

    fn faults(&self) -> Vec<FaultStatus> {
        let struck = self.faulty.as_ref().map_or_else(Vec::new, |faulty| faulty.struck());
        struck.into_iter().map(|(spec, struck)| FaultStatus { spec: spec.to_string(), struck }).collect()
    }

    async fn hosts(&self) -> Result<Vec<HostEntry>, HostError> {
        let rows = self.host.hosts().await?;
        Ok(rows
            .into_iter()
            .map(|row| HostEntry {
                name: row.name,
                slot: row.slot.0,
                incarnation: row.incarnation,
                state: row.state.to_owned(),
                last_beat_ms_ago: milliseconds(row.last_beat_ago),
            })
            .collect())
    }

    async fn locks(&self) -> Result<Vec<LockEntry>, HostError> {
        let rows = self.host.locks().await?;
        let own = self.host.status().name;
        Ok(rows
            .into_iter()
            .map(|row| LockEntry {
                name: row.name,
                kind: "named".to_owned(),
                mode: row.mode.to_owned(),
                owners: row
                    .owners
                    .into_iter()
                    .map(|owner| OwnerEntry {
                        host: owner.host,
                        state: owner.state.to_owned(),
                        slot: owner.slot.0,
                    })
                    .collect(),
                waiters: (row.waiting_here > 0).then(|| own.as_str().to_owned()).into_iter().collect(),
                since: time_text(WallTime { milliseconds: row.since_wall_ms }),
                interest: row.interest,
                waiting_here: row.waiting_here,
            })
            .collect())
    }

    async fn evict(
        &self,
        name: &oarlock_format::HostName,
        certain: bool,
        wait: Option<Duration>,
    ) -> Result<(), HostError> {
        if self.read_only {
            return Err(HostError::ReadOnlyHost);
        }
        let wait = wait.unwrap_or(self.host.timing().watch + EVICT_EXTRA);
        Ok(self.host.evict(name, certain, self.clock.now().plus(wait)).await?)
    }

    async fn leave(self: Rc<Self>, limit: Duration) {
        self.leaving.set(true);
        self.users.lose_all(&leaving());
        self.host.leave(self.clock.now().plus(limit)).await;
    }

    async fn lock(
        &self,
        name: &LockName,
        (want, wait): (Want, Duration),
        ticket: Ticket,
        mut reply: oneshot::Sender<Result<HeldLock, HostError>>,
        under_way: Option<Ticket>,
    ) {
        if self.read_only || self.leaving.get() {
            let refusal = if self.read_only { HostError::ReadOnlyHost } else { Ended::Left.into() };
            let _ = reply.send(Err(refusal));
            return;
        }
        // A wait of no time is one try, and a try takes a few commands to the device.
        let wait = wait.max(self.host.timing().beat / TRIES_PER_BEAT);
        let acquire = Box::pin(self.host.lock(name, want, self.clock.now().plus(wait)));
        let guard = match select(acquire, reply.cancellation()).await {
            Either::Left((Ok(guard), _)) => guard,
            Either::Left((Err(error), _)) => return drop(reply.send(Err(error.into()))),
            Either::Right(((), _)) => return,
        };
        self.publish_lease();
        let lost = self.users.begin();
        if self.leaving.get() {
            lost.lose(leaving());
        }
        let (release, released) = oneshot::channel();
        // A requester that has gone drops the lock with its answer, and `hold` hears of that at once.
        let _ = reply.send(Ok(HeldLock {
            token: guard.token(),
            lost: Arc::clone(&lost),
            release,
            _ticket: ticket,
        }));
        drop(under_way);
        self.hold(guard, &lost, released).await;
    }

    /// Holds the guard until its user lets go or the host ends. A lock that is lost stays held until then: its user may
    /// still be at work, and while the host lives nobody else may have it.
    async fn hold(&self, guard: Guard, lost: &Lost, mut released: oneshot::Receiver<oneshot::Sender<()>>) {
        let ended = self.host.ended();
        futures::pin_mut!(ended);
        let mut end = select(&mut released, ended);
        let done = {
            let loss = guard.lost();
            futures::pin_mut!(loss);
            match select(loss, &mut end).await {
                Either::Right((done, _)) => done,
                Either::Left(((), end)) => {
                    lost.lose(self.why_lost());
                    end.await
                }
            }
        };
        match done {
            Either::Left((done, _)) => {
                guard.release().await;
                if let Ok(done) = done {
                    let _ = done.send(());
                }
            }
            // Released as far as this host is concerned: others break the lock once they have taken it over. The
            // engine gets no job that nobody would drive.
            Either::Right((ended, _)) => {
                lost.lose(loss_of(&ended));
                let _ = guard.release().now_or_never();
            }
        }
    }

    fn why_lost(&self) -> Loss {
        let HostStatus { state, hindrance, .. } = self.host.status();
        match state {
            HostState::Stopped(reason) => loss_of(&Ended::Stopped(reason)),
            HostState::Left => loss_of(&Ended::Left),
            HostState::LeftBehind(leftover) => loss_of(&Ended::LeftBehind(leftover)),
            HostState::Live | HostState::Held => {
                let why =
                    hindrance.map_or(String::new(), |hindrance| format!(": of its last beat, {hindrance}"));
                Loss::new(LossKind::NotRenewed, format!("{UNRENEWED}{why}"))
            }
        }
    }
}

fn all_clusters(superblock: &Superblock) -> u64 {
    superblock.clusters().saturating_mul(superblock.cluster_size.0)
}

fn leaving() -> Loss {
    Loss::new(LossKind::Leaving, "the host is leaving the datastore")
}

/// What the end of a host is to the users of its locks.
fn loss_of(ended: &Ended) -> Loss {
    let kind = match ended {
        Ended::Left | Ended::LeftBehind(_) => LossKind::Leaving,
        Ended::Stopped(StopReason::Fenced { .. } | StopReason::Superseded) => LossKind::Fenced,
        Ended::Stopped(_) => LossKind::Stopped,
    };
    Loss::new(kind, ended.to_string())
}

/// Answers a request, unless its requester goes away first.
pub(crate) async fn answer<T>(
    mut reply: oneshot::Sender<Result<T, HostError>>,
    work: impl Future<Output = Result<T, HostError>>,
) {
    let work = Box::pin(work);
    if let Either::Left((result, _)) = select(work, reply.cancellation()).await {
        let _ = reply.send(result);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
