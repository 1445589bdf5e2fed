//! The state of the model: disk, commands on their way, hosts, and what is left of each bound.

use oarlock_engine::Want;
use oarlock_engine::lease::Lease;
use oarlock_engine::watch::{Look, Watch};
use oarlock_format::Nonce;

use crate::record::{Cell, HOSTS, Image, LEASE, Lock, Process, Slot, age_of, ago, ticks};

/// A slot must stand still for so many ticks: the lease, and one tick by which clocks may differ.
const WATCH: u8 = 3;
/// Two looks may lie so many ticks apart.
const GAP: u8 = 1;

/// What a command carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// ATS on a slot.
    Slot { slot: u8, expected: u32, new: Image<Slot> },
    /// ATS on the lock.
    Lock { expected: u32, new: Image<Lock> },
    /// A plain write of what the lock guards, under its epoch.
    Data { epoch: u8 },
}

/// Who waits for a command's reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// The beat, or a step of joining.
    Beat,
    /// The lock.
    Lock,
    /// The takeover.
    Pursuit,
    /// The touch of a free slot.
    Proof,
    /// The user of the lock.
    Data,
}

/// A command on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    pub by: Process,
    pub lane: Lane,
    /// Whether its sender still waits for the reply.
    pub awaited: bool,
    /// The reply that is on its way back: whether it swapped. Until then the command has not been executed.
    pub done: Option<bool>,
    pub payload: Payload,
}

impl Command {
    /// What orders the commands on their way, so that their list is the same however they came.
    pub fn key(&self) -> (Process, Lane, u32) {
        let nonce = match self.payload {
            Payload::Slot { new, .. } => new.nonce,
            Payload::Lock { new, .. } => new.nonce,
            Payload::Data { epoch } => u32::from(epoch),
        };
        (self.by, self.lane, nonce)
    }
}

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// No process.
    Dead,
    /// A process that holds its slot's lock, and has not claimed the slot yet.
    Joining,
    /// It lives, within its lease or lapsed.
    Live,
    /// It met its own death on the disk. The process is still there.
    Stopped,
}

/// A takeover in work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pursuit {
    pub slot: u8,
    /// The life that it is about: it ends where another follows.
    pub life: u8,
    pub cell: Cell<Slot>,
    /// The watched image, the age of its first and of its last look.
    pub run: Option<(u32, u8, u8)>,
    /// A person says that it is dead.
    pub evicted: bool,
}

impl Pursuit {
    fn watch(&self) -> Watch {
        let mut watch = Watch::new(ticks(WATCH), ticks(GAP));
        let Some((image, first, last)) = self.run else { return watch };
        let mut age = first;
        loop {
            let (issued, replied) = (ago(age), ago(age));
            watch.look(Look { image: Nonce(u128::from(image)), issued, replied, disturbances: 0 });
            if age <= last {
                return watch;
            }
            age = age.saturating_sub(GAP).max(last);
        }
    }

    /// The slot was looked at.
    pub fn look(&mut self, image: u32) {
        let mut goes_on = self.watch();
        let look = Look { image: Nonce(u128::from(image)), issued: ago(0), replied: ago(0), disturbances: 0 };
        goes_on.look(look);
        let mut fresh = Watch::new(ticks(WATCH), ticks(GAP));
        fresh.look(look);
        self.run = match self.run {
            Some((_, first, _)) if goes_on != fresh => Some((image, first, 0)),
            _ => Some((image, 0, 0)),
        };
    }

    /// Whether the slot stood still for the whole watch, as the image that is known.
    pub fn watched(&self) -> bool {
        self.watch().complete(ago(0), 0) == Some(Nonce(u128::from(self.cell.image.nonce)))
    }

    fn grow_older(&mut self, by: u8) {
        self.cell.grow_older(by);
        self.run = self.run.and_then(|(image, first, last)| {
            // A run whose last look is too old is broken; a complete one does not become more so.
            (last + by <= GAP).then_some((image, (first + by).min(WATCH), last + by))
        });
    }
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    pub phase: Phase,
    pub process: Process,
    /// The age of the newest confirmed beat.
    pub confirmed: Option<u8>,
    pub own: Option<Cell<Slot>>,
    pub lock: Option<Cell<Lock>>,
    /// Slots of sharers that an ATS proved free since the lock was read.
    pub proved: u8,
    /// Its user has the lock.
    pub holds: Option<Want>,
    pub pursuit: Option<Pursuit>,
}

impl Host {
    pub fn dead(process: Process) -> Host {
        Host {
            phase: Phase::Dead,
            process,
            confirmed: None,
            own: None,
            lock: None,
            proved: 0,
            holds: None,
            pursuit: None,
        }
    }

    fn lease(&self) -> Lease {
        let lease = Lease::new(ticks(LEASE));
        if let Some(age) = self.confirmed {
            lease.confirm(ago(age));
        }
        lease
    }

    /// Whether the host may act.
    pub fn may_act(&self) -> bool {
        self.phase == Phase::Live && self.lease().holds(ago(0))
    }

    /// A beat that was sent so long ago is confirmed.
    pub fn confirm(&mut self, age: u8) {
        let lease = self.lease();
        lease.confirm(ago(age));
        let age = age_of(lease.end().minus(ticks(LEASE)));
        self.confirmed = (age < LEASE).then_some(age);
    }

    /// Ticks of this host's clock.
    pub fn grow_older(&mut self, by: u8) {
        let acted = self.may_act();
        self.confirmed = self.confirmed.map(|age| age + by).filter(|age| *age < LEASE);
        if let Some(own) = &mut self.own {
            own.grow_older(by);
        }
        if let Some(lock) = &mut self.lock {
            lock.grow_older(by);
        }
        if let Some(pursuit) = &mut self.pursuit {
            pursuit.grow_older(by);
        }
        // A lapse of its own disturbs its watch (R6).
        let lapsed = acted && !self.may_act();
        if let Some(pursuit) = self.pursuit.as_mut().filter(|_| lapsed) {
            pursuit.run = None;
        }
    }
}

/// Who still works under the lock though the host's process that got it has ended: a command under `lock run`, a program
/// with a connection to the daemon (R29, docs/decisions/0056). It hears of the end within a grace, or loses the lock by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    pub want: Want,
    /// The age of the beat that its lease counts from.
    pub confirmed: u8,
    /// Its connection has been closed: from then on it hears of it within a grace.
    pub told: bool,
}

/// What is left of each bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    pub ticks: u8,
    /// Ticks by which one clock may be wrong.
    pub drift: u8,
    /// Replies that get lost, the command executed or not.
    pub unknowns: u8,
    pub crashes: u8,
    /// Words of a person that a host is dead, true or not.
    pub evictions: u8,
    pub joins: u8,
    pub beats: u8,
    pub takes: u8,
    pub releases: u8,
    pub writes: u8,
}

/// Something rare that happened in the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    TakeoverCompleted,
    LateCommandAdopted,
    FenceLost,
    ReplayTakenOver,
    LockBroken,
    HostFenced,
    UserHeard,
}

/// A rule that the last step broke, where only a step can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    OwnerChangedUnlawfully,
    EffectAfterCutOff,
    StaleWriteLanded,
    LifeWentBack,
    ReplayTakenFromTheLiving,
    KilledUnfenced,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub slots: [Image<Slot>; HOSTS as usize],
    pub lock: Image<Lock>,
    /// In the order of their keys.
    pub commands: Vec<Command>,
    pub hosts: [Host; HOSTS as usize],
    /// The users that outlive the last process in each slot.
    pub users: [Option<User>; HOSTS as usize],
    pub left: Bounds,
    pub note: Option<Note>,
    /// One bit for each rule that the last step broke.
    pub flaws: u8,
}

impl State {
    pub fn host(&self, index: u8) -> &Host {
        &self.hosts[usize::from(index)]
    }

    pub fn host_mut(&mut self, index: u8) -> &mut Host {
        &mut self.hosts[usize::from(index)]
    }

    pub fn slot(&self, index: u8) -> Image<Slot> {
        self.slots[usize::from(index)]
    }

    /// The step breaks a rule, or does not.
    pub fn judge(&mut self, flaw: Option<Flaw>) {
        self.flaws |= flaw.map_or(0, |flaw| 1 << flaw as u8);
    }

    pub fn has_flaw(&self, flaw: Flaw) -> bool {
        self.flaws & (1 << flaw as u8) != 0
    }

    /// Whether any command of any life in this slot may still be executed.
    pub fn has_commands_of(&self, slot: u8) -> bool {
        self.commands.iter().any(|command| command.by.slot == slot && command.done.is_none())
    }

    /// Whether the byte lock of the slot can be obtained (R13).
    pub fn slot_lock_is_free(&self, slot: u8) -> bool {
        self.host(slot).phase == Phase::Dead && !self.has_commands_of(slot)
    }

    /// Whether a grace has gone by since the process in the slot ended: whoever was told of its end has stopped by then.
    pub fn a_grace_went_by(&self, slot: u8) -> bool {
        self.users[usize::from(slot)].is_none_or(|user| !user.told)
    }

    /// Whether the host waits for a reply.
    pub fn waits(&self, process: Process, lane: Lane) -> bool {
        self.commands.iter().any(|command| command.by == process && command.lane == lane && command.awaited)
    }

    pub fn send(&mut self, by: Process, lane: Lane, payload: Payload) {
        let command = Command { by, lane, awaited: true, done: None, payload };
        let at = self.commands.partition_point(|other| other.key() < command.key());
        self.commands.insert(at, command);
    }

    /// The process is gone. Its commands are not, nor is its user, whose connection has ended with it if `told`.
    pub fn end_process(&mut self, index: u8, told: bool) {
        let host = self.host(index);
        let process = host.process;
        let lease = host.confirmed.filter(|_| host.may_act());
        let user = host.holds.zip(lease).map(|(want, confirmed)| User { want, confirmed, told });
        // What a stopped process had not told its user, its end tells.
        let tells = told && host.phase == Phase::Stopped;
        let before = &mut self.users[usize::from(index)];
        *before = user.or(before.map(|user| User { told: user.told || tells, ..user }));
        *self.host_mut(index) = Host::dead(process);
        self.commands.retain(|command| command.by != process || command.done.is_none());
        for command in &mut self.commands {
            command.awaited &= command.by != process;
        }
    }

    /// The user of a process that has ended heard of it, and stops.
    pub fn hear(&mut self, slot: u8) -> Option<()> {
        let user = &mut self.users[usize::from(slot)];
        user.filter(|user| user.told)?;
        *user = None;
        self.note = Some(Note::UserHeard);
        Some(())
    }

    /// Ticks of the clock of a slot's machine.
    pub fn grow_older(&mut self, slot: u8, by: u8) {
        self.host_mut(slot).grow_older(by);
        let user = &mut self.users[usize::from(slot)];
        *user = user.map(|user| User { confirmed: user.confirmed + by, ..user });
        *user = user.filter(|user| user.confirmed < LEASE);
    }
}
