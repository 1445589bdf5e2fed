//! Guests: who works with disks on each host: attaches them, reads and writes, branches and deletes them.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join, join_all, select};
use oarlock_block::{ByteCount, Clock, Instant, Random};
use oarlock_engine::allocate::SpaceError;
use oarlock_engine::path::{DataPath, Passage, PathError, Request, RequestKind};
use oarlock_engine::{Attachment, DiskError, Incoming, JournalError};
use oarlock_format::{DiskTarget, LayerName};

use super::driver::Ended;
use super::estate::Asked;
use super::image::{Purpose, Session};
use super::reading::read_all;
use super::{Driver, SECTOR};
use crate::member::{Run, name_of};
use crate::user::User;
use crate::{Lane, TrueTime};

/// Names of disks, and of the snapshots of one: so few that most of them are somebody's.
const DISKS: u64 = 5;
const SNAPSHOTS: u64 = 3;
/// Names of disks that are thick, as a rule.
const THICK_DISKS: u64 = 2;
/// Clusters at the beginning of each disk that guests write to; at its end, too, there are some.
const BUSY_CLUSTERS: u64 = 6;

/// Clusters that a slow reader reads, and times that others give them up, and those behind them, meanwhile.
const READ_CLUSTERS: u64 = 4;
const TURNS: u64 = 12;

/// How often a guest looks whether its disk is whole.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// When guests stop: hosts that died last are taken over by then.
fn rest(run: &Run) -> TrueTime {
    run.scenario.faults_end().plus(run.scenario.timing.watch * 2)
}

/// Whether a guest may go on, or its process ends for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Again,
    Stop,
}

/// Works with disks until the process ends, or the run comes to rest.
pub async fn use_disks(user: User) {
    let clock = user.life.clock();
    let guest = Guest { user };
    while !guest.is_to_end() {
        clock.sleep_until(clock.now().plus(guest.user.run.between(0, 150))).await;
        let next = match guest.act().await {
            Ok(next) => next,
            Err(error) => guest.not_done(&error),
        };
        if next == Next::Stop {
            return;
        }
    }
}

struct Guest {
    user: User,
}

/// How long the commands of a request wait before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As the queue has it.
    Any,
    /// Each of them long.
    Slow,
    /// Not at all.
    Quick,
}

fn named(name: &str) -> LayerName {
    match LayerName::new(name) {
        Ok(name) => name,
        Err(error) => panic!("a disk has no proper name: {error}"),
    }
}

impl Guest {
    fn run(&self) -> &Run {
        &self.user.run
    }

    fn below(&self, bound: u64) -> u64 {
        self.user.random.below(bound)
    }

    fn note(&self, text: &str) {
        self.run().world.note(Some(self.user.life.host()), text);
    }

    fn did(&self, deed: &'static str) {
        self.run().estate.did(deed);
    }

    /// How long a command of a guest's waits before it is sent.
    fn pause(&self, pace: Pace) -> Option<Duration> {
        let run = self.run();
        match pace {
            Pace::Any => {
                (run.scenario.has_deep_queues() && self.below(5) == 0).then(|| run.between(100, 3_000))
            }
            Pace::Slow => Some(run.between(500, 3_000)),
            Pace::Quick => None,
        }
    }

    /// Whether it is about to stop: nothing is begun any more.
    fn is_to_end(&self) -> bool {
        let key = (self.user.life.host(), self.user.life.life());
        self.run().world.now() >= rest(self.run()) || self.run().leaving.borrow().contains(&key)
    }

    /// How long anything may be waited for that no takeover must wait for at the run's end: a lease, where that is near.
    fn until_rest(&self) -> Duration {
        let run = self.run();
        rest(run).since(run.world.now()).max(run.scenario.timing.lease)
    }

    fn soon(&self) -> Instant {
        self.user.life.clock().now().plus(self.run().between(200, 6_000))
    }

    fn any_disk(&self) -> LayerName {
        if self.below(8) == 0 { self.any_thick_disk() } else { named(&format!("d{}", self.below(DISKS))) }
    }

    fn any_thick_disk(&self) -> LayerName {
        named(&format!("t{}", self.below(THICK_DISKS)))
    }

    fn any_snapshot(&self) -> LayerName {
        named(&format!("s{}", self.below(SNAPSHOTS)))
    }

    fn cluster(&self) -> u64 {
        self.run().scenario.ground.cluster_size
    }

    /// A size: one level of a map, or a little more.
    fn any_size(&self) -> ByteCount {
        let one_level = self.run().superblock.map_shape().entries_per_node();
        let clusters = if self.below(4) == 0 { one_level + 4 } else { 12 };
        ByteCount(clusters * self.cluster() + self.below(8) * SECTOR as u64)
    }

    /// Something, with whichever disk.
    async fn act(&self) -> Result<Next, DiskError> {
        let (host, name) = (&self.user.host, self.any_disk());
        if let Some(invited) = self.run().estate.invitation(&host.status().name) {
            return self.receive(&invited).await;
        }
        match self.below(24) {
            20.. => return self.share().await,
            0..3 => {
                host.create_disk(&name, self.any_size(), self.soon()).await?;
                self.did("create");
            }
            3 => {
                host.delete_disk(&name, self.soon()).await?;
                self.did("delete");
            }
            4..6 => {
                host.revert_disk(&name, &self.any_snapshot(), self.soon()).await?;
                self.did("revert");
            }
            6..9 => self.verb(&name).await?,
            9 => {
                host.tend_layers().await?;
                self.did("tend");
            }
            10..12 => {
                let target = DiskTarget { disk: name, snapshot: Some(self.any_snapshot()) };
                return self.session(&target, Purpose::ToRead).await;
            }
            12 => return self.session(&DiskTarget { disk: name, snapshot: None }, Purpose::ToRead).await,
            _ => return self.session(&DiskTarget { disk: name, snapshot: None }, Purpose::Alone).await,
        }
        Ok(Next::Again)
    }

    /// A while with a disk that others may write at the same time; it is made, or made full again, where that is needed.
    async fn share(&self) -> Result<Next, DiskError> {
        let (host, name) = (&self.user.host, self.any_thick_disk());
        match self.session(&DiskTarget { disk: name.clone(), snapshot: None }, Purpose::Together).await {
            Err(DiskError::Unknown { .. }) => {
                let size = ByteCount(12 * self.cluster() + self.below(8) * SECTOR as u64);
                host.create_thick_disk(&name, size, self.soon()).await?;
                self.did("create thick");
            }
            Err(DiskError::NotForMany { .. }) => {
                host.flatten_disk(&name, self.soon()).await?;
                self.did("make full again");
            }
            other => return other,
        }
        Ok(Next::Again)
    }

    /// A verb that asks nothing of who has the disk attached.
    async fn verb(&self, name: &LayerName) -> Result<(), DiskError> {
        let (host, snapshot) = (&self.user.host, self.any_snapshot());
        match self.below(14) {
            0..4 => {
                host.snapshot_disk(name, &snapshot, self.soon()).await?;
                self.did("snapshot");
            }
            4..8 => {
                host.delete_snapshot(name, &snapshot, self.soon()).await?;
                self.did("delete a snapshot");
            }
            8..12 => {
                let snapshot = (self.below(3) > 0).then_some(snapshot);
                let from = DiskTarget { disk: name.clone(), snapshot };
                host.clone_disk(&from, &self.any_disk(), self.soon()).await?;
                self.did("clone");
            }
            12 => {
                host.resize_disk(name, self.any_size(), self.soon()).await?;
                self.did("resize");
            }
            _ => {
                host.flatten_disk(name, self.soon()).await?;
                self.did("flatten");
            }
        }
        Ok(())
    }

    /// A while with an attached disk or snapshot.
    async fn session(&self, target: &DiskTarget, purpose: Purpose) -> Result<Next, DiskError> {
        let host = &self.user.host;
        let attachment = match purpose {
            Purpose::Together => host.share_disk(&target.disk, self.soon()).await?,
            Purpose::Alone if self.below(4) == 0 => {
                let before = self.run().estate.servers();
                let back = host.attach_disk_again(&target.disk, self.soon()).await?;
                self.run().estate.came_back(self.run(), back.id(), host.status().owner.host, &before);
                self.did("attach again");
                back
            }
            Purpose::Alone => host.attach_disk(target, false, self.soon()).await?,
            Purpose::ToRead => host.attach_disk(target, true, self.soon()).await?,
        };
        let (estate, size) = (&self.run().estate, attachment.path().size());
        let owner = self.user.host.status().owner;
        let session = estate.open(self.run(), (attachment.id(), owner), size, purpose);
        self.note(&format!("{target} attached as {}, session {}", attachment.id(), session.number));
        self.did(match purpose {
            Purpose::Alone => "attach",
            Purpose::ToRead => "attach to read",
            Purpose::Together => "share",
        });
        self.work(target, &attachment, &session).await
    }

    /// A while with a disk that another host is asked to hand over, with guests who ask for something before it is there.
    async fn receive(&self, name: &LayerName) -> Result<Next, DiskError> {
        let incoming = self.user.host.receive_disk(name, self.soon()).await?;
        let (estate, owner) = (&self.run().estate, self.user.host.status().owner);
        let session = estate.open_incoming(self.run(), (incoming.id(), owner));
        self.note(&format!("{name} is awaited as {}, session {}", incoming.id(), session.number));
        self.did("receive");
        let path = Arc::clone(incoming.path());
        let used = Used::new(self, &path, &session);
        let early = join_all((0..self.below(3)).map(|_| used.requests()));
        let taken = async { join(self.take_up(incoming, &session), early).await.0 };
        let broken = select(Box::pin(self.until_broken(&used)), Box::pin(self.retry_where_full(&path)));
        let attachment = match select(Box::pin(taken), broken).await {
            Either::Left((taken, _)) => taken?,
            // What those who asked early wait for is a write that has no answer.
            Either::Right(_) => return Ok(self.end_process()),
        };
        estate.arrived(self.run(), &session, attachment.path().size());
        self.note(&format!("{name} has come, session {}", session.number));
        self.did("take up");
        if used.has_failed.get() {
            return Ok(self.end_process());
        }
        self.work(&DiskTarget { disk: name.clone(), snapshot: None }, &attachment, &session).await
    }

    /// Waits for a disk, with some patience.
    async fn take_up(&self, incoming: Incoming, session: &Session) -> Result<Attachment, DiskError> {
        let clock = self.user.life.clock();
        let patience = clock.sleep_until(clock.now().plus(self.run().between(100, 8_000)));
        let taken = match select(Box::pin(incoming.take_up()), patience).await {
            Either::Left((taken, _)) => Some(taken),
            Either::Right(_) => None,
        };
        if let Some(Ok(attachment)) = taken {
            return Ok(attachment);
        }
        self.run().estate.close(session);
        incoming.withdraw().await;
        taken.unwrap_or(Err(DiskError::NotHandedOver { name: self.any_disk() }))
    }

    /// Hands a disk over to some host, which is asked to receive it.
    async fn hand_off(&self, used: &Used<'_>, disk: &LayerName) -> Result<(), DiskError> {
        let run = self.run();
        let to = name_of(run, u16::try_from(self.below(u64::from(run.scenario.hosts))).unwrap_or(0));
        run.estate.invite(disk, &to);
        self.note(&format!("{disk} is to go to {to}"));
        used.is_leaving.set(true);
        let handed = self.user.host.hand_off_disk(disk, &to, self.soon()).await;
        run.estate.disinvite(disk);
        if handed.is_err() {
            // Guests go on here. What was sent may still land.
            let clock = self.user.life.clock();
            clock.sleep_until(clock.now().plus(run.between(0, 1_000))).await;
        }
        used.is_leaving.set(false);
        handed?;
        self.note(&format!("{disk} went to {to}"));
        self.did("hand off");
        used.is_over.set(true);
        Ok(())
    }

    /// A while with an attached disk or snapshot.
    async fn work(
        &self,
        target: &DiskTarget,
        attachment: &Attachment,
        session: &Session,
    ) -> Result<Next, DiskError> {
        let estate = &self.run().estate;
        let used = Used::new(self, attachment.path(), session);
        let writes = session.purpose != Purpose::ToRead;
        let (working, broken) = (self.rounds(&used, target, writes), self.until_broken(&used));
        let broken = select(Box::pin(broken), Box::pin(self.retry_where_full(attachment.path())));
        futures::pin_mut!(working, broken);
        let next = match select(working, broken).await {
            Either::Left((next, _)) => next,
            Either::Right(_) => Next::Again,
        };
        if next == Next::Stop {
            return Ok(Next::Stop);
        }
        if used.has_failed.get() {
            return Ok(self.end_process());
        }
        estate.close(session);
        if self.below(4) == 0 {
            // It is detached in the background.
            return Ok(Next::Again);
        }
        attachment.detach().await?;
        self.note(&format!("session {} over", session.number));
        Ok(Next::Again)
    }

    /// What is done with it.
    async fn rounds(&self, used: &Used<'_>, target: &DiskTarget, writes: bool) -> Next {
        if !writes || self.below(2) == 0 {
            used.read_all().await;
        }
        let most = if self.run().scenario.has_deep_queues() { 2 } else { 5 };
        let rounds = if writes { 1 + self.below(most) } else { 0 };
        for _ in 0..rounds {
            if used.is_over.get() || self.is_to_end() || self.user.host.status().state.is_final() {
                break;
            }
            if self.run().scenario.has_deep_queues() && self.below(5) == 0 {
                used.change_under_a_reader().await;
                continue;
            }
            let guests = 1 + self.below(3);
            let guests = join_all((0..guests).map(|_| used.requests()));
            let verb = async {
                match self.below(10) {
                    0..2 => Ok(()),
                    2..6 => self.verb(&target.disk).await,
                    _ => self.hand_off(used, &target.disk).await,
                }
            };
            if let (_, Err(error)) = join(guests, verb).await
                && self.not_done(&error) == Next::Stop
            {
                return Next::Stop;
            }
        }
        Next::Again
    }

    /// A write without an answer may land at any time: nothing that overlaps it is sent, and whoever sent it must not give up the
    /// disk, or the group in which a node was to be made (R21). For a while all else goes on; then the process ends.
    async fn until_broken(&self, used: &Used<'_>) {
        let clock = self.user.life.clock();
        while !used.has_failed.get() {
            clock.sleep_until(clock.now().plus(LOOK_EVERY)).await;
        }
        clock.sleep_until(clock.now().plus(self.run().between(10, 2_000))).await;
    }

    /// As a host does where the device has no room for what guests write (R24); never ends.
    async fn retry_where_full(&self, path: &DataPath) {
        let clock = self.user.life.clock();
        loop {
            clock.sleep_until(clock.now().plus(LOOK_EVERY)).await;
            if path.is_full() {
                self.did("try again where there was no room");
                path.retry_full();
            }
        }
    }

    fn end_process(&self) -> Next {
        self.note("a write has no answer: the process ends");
        self.run().world.stop_life(self.user.life.host());
        Next::Stop
    }

    /// Refusals are part of the work; what can only come of a record that contradicts another is not.
    fn not_done(&self, error: &DiskError) -> Next {
        self.note(&format!("not done: {error}"));
        if self.user.host.status().state.is_final() {
            return Next::Stop;
        }
        match error {
            DiskError::Unanswered { quarantined: 1.., .. } => self.end_process(),
            DiskError::Map(SpaceError::Journal(JournalError::StillOut { .. })) => self.end_process(),
            DiskError::NoDisks
            | DiskError::Size { .. }
            | DiskError::DirectoryFull { .. }
            | DiskError::DescriptorsFull { .. }
            | DiskError::NoDescriptor { .. }
            | DiskError::NoGroup { .. }
            | DiskError::Contradiction { .. }
            | DiskError::TakenAway { .. } => {
                self.run().violation("disks", &format!("{} was told: {error}", self.user.life.host()));
                Next::Stop
            }
            _ => Next::Again,
        }
    }
}

/// A disk that a guest uses.
struct Used<'a> {
    guest: &'a Guest,
    path: &'a Arc<DataPath>,
    session: &'a Session,
    /// A write has no answer, or the disk is lost.
    has_failed: Cell<bool>,
    /// It is being handed over.
    is_leaving: Cell<bool>,
    /// It was handed over.
    is_over: Cell<bool>,
}

impl<'a> Used<'a> {
    fn new(guest: &'a Guest, path: &'a Arc<DataPath>, session: &'a Session) -> Used<'a> {
        let cell = || Cell::new(false);
        Used { guest, path, session, has_failed: cell(), is_leaving: cell(), is_over: cell() }
    }

    /// Some requests, one after the other.
    async fn requests(&self) {
        // Where some commands wait for long, much else is done meanwhile.
        let most = if self.guest.run().scenario.has_deep_queues() { 18 } else { 6 };
        let mut left = 1 + self.guest.below(most);
        // A handoff is tried under load, to its end.
        while left > 0 || self.is_leaving.get() {
            left = left.saturating_sub(1);
            let request = self.any_request();
            let result = self.request(request, Pace::Any).await;
            // Each write that finds no space costs a look at all other hosts' groups.
            let ends = matches!(result, Err(PathError::Io | PathError::NoSpace | PathError::Moved));
            if ends || self.guest.is_to_end() {
                return;
            }
        }
    }

    /// A request of any kind, anywhere.
    fn any_request(&self) -> Request {
        let guest = self.guest;
        let durable = guest.below(6) == 0;
        let kind = match guest.below(16) {
            0..4 => RequestKind::Read,
            4 | 5 => RequestKind::Trim { durable },
            6 | 7 => RequestKind::WriteZeroes { durable, keep: guest.below(2) == 0, fast: false },
            8 => return Request::FLUSH,
            _ => RequestKind::Write { durable },
        };
        let (sectors, cluster) = (self.path.size() / SECTOR as u64, guest.cluster() / SECTOR as u64);
        let (unit, most) = match guest.below(4) {
            0 => (cluster, 3),
            1 => (8, 8),
            2 => (1, 4),
            _ => (1, cluster * 3 / 2),
        };
        let busy = (BUSY_CLUSTERS * cluster).min(sectors);
        let spot = if guest.below(4) == 0 { sectors - busy } else { 0 };
        let first = (spot + guest.below(busy)) / unit * unit;
        let count = ((1 + guest.below(most)) * unit).min(sectors - first);
        Request { kind, offset: first * SECTOR as u64, length: count * SECTOR as u64 }
    }

    /// Clusters go from hand to hand as fast as they can, while somebody who knows the first of them reads slowly: whatever is
    /// given up is nobody's before he is done (R33).
    async fn change_under_a_reader(&self) {
        let cluster = self.guest.cluster();
        let clusters = (self.path.size() / cluster).min(BUSY_CLUSTERS * 2);
        let read = READ_CLUSTERS.min(clusters);
        let of =
            |kind, first: u64, count: u64| Request { kind, offset: first * cluster, length: count * cluster };
        let write = |first, count| of(RequestKind::Write { durable: false }, first, count);
        if self.request(write(0, read), Pace::Quick).await.is_err() {
            return;
        }
        let is_read = Cell::new(false);
        let reader = async {
            let _ = self.request(of(RequestKind::Read, 0, read), Pace::Slow).await;
            is_read.set(true);
        };
        let changers = async {
            for turn in 0..TURNS {
                let trim = if turn == 0 { (0, clusters) } else { (read, clusters - read) };
                let trim = of(RequestKind::Trim { durable: true }, trim.0, trim.1);
                let mut result = self.request(trim, Pace::Quick).await;
                if result.is_ok() {
                    result = self.request(write(read, clusters - read), Pace::Quick).await;
                }
                if result.is_err() || is_read.get() || self.guest.is_to_end() {
                    return;
                }
            }
        };
        join(reader, changers).await;
    }

    async fn request(&self, request: Request, pace: Pace) -> Result<(), PathError> {
        let (run, life) = (self.guest.run(), &self.guest.user.life);
        let (device, clock) = (life.device(Lane::Work), life.clock());
        let (asked, data) = run.estate.ask(self.session, request);
        let driver = Driver {
            clock: &clock,
            device: &device,
            path: self.path,
            pause: &|| self.guest.pause(pace),
            patience: Some(run.between(500, 16_000).min(self.guest.until_rest())),
        };
        let ended = driver.drive(request, data).await;
        let result = ended.result;
        run.estate.answer(run, &asked, result, ended.may_land(), &ended.data);
        self.guest.did(match (result, request.kind) {
            (Err(PathError::NoSpace), _) => "no space",
            (Err(PathError::Moved), _) => "turned away",
            (Err(_), _) => "failed",
            (Ok(()), RequestKind::Read) => "read",
            (Ok(()), RequestKind::Write { .. }) => "write",
            (Ok(()), RequestKind::Flush) => "flush",
            (Ok(()), _) => "trim",
        });
        let is_dead = self.path.passage(clock.now()) == Passage::Dead;
        if result == Err(PathError::Io) && (is_dead || !self.is_closed(ended, &asked).await) {
            self.has_failed.set(true);
        }
        result
    }

    /// Whether nothing of a request that failed can land any more, or for so long that the disk can be used again.
    async fn is_closed(&self, ended: Ended<'_>, asked: &Asked) -> bool {
        if !ended.may_land() {
            return true;
        }
        let (run, clock) = (self.guest.run(), self.guest.user.life.clock());
        let wait = run.between(0, 20_000).min(self.guest.until_rest());
        let patience = clock.sleep_until(clock.now().plus(wait));
        let closed = match select(Box::pin(ended.close(self.path)), patience).await {
            Either::Left((is_closed, _)) => is_closed,
            Either::Right(_) => false,
        };
        if closed {
            run.estate.landed(asked);
            self.guest.did("close a quarantine");
        }
        closed
    }

    /// Reads whatever may show something, and what lies beside it.
    async fn read_all(&self) {
        read_all(self.guest.run(), self.session, self.path, async |request| {
            self.request(request, Pace::Any).await
        })
        .await;
    }
}
