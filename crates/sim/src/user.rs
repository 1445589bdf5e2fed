//! Users: what fights for the locks on each host, and writes under them what no two owners may write.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{Clock, Device, Lba, Random};
use oarlock_engine::{Guard, Host, LockError, LockPolicy, Want};

use crate::census::Grant;
use crate::member::{Run, name_of};
use crate::mender::mend;
use crate::scenario::Theme;
use crate::{HostLife, Lane, SimRandom};

/// One user on one host.
pub struct User {
    /// The run.
    pub run: Rc<Run>,
    /// The process that it lives in.
    pub life: HostLife,
    /// The process's engine.
    pub host: Host,
    /// Its own randomness.
    pub random: SimRandom,
}

/// Takes one lock after the other until the process ends.
pub async fn use_locks(user: User) {
    let clock = user.life.clock();
    let locks = user.run.scenario.locks.len();
    let mut turn = 0;
    loop {
        let pause = user.run.between(0, 2_000);
        clock.sleep_until(clock.now().plus(pause)).await;
        if user.run.scenario.theme == Theme::Evicted && user.random.below(6) == 0 {
            evict_somebody(&user).await;
        }
        turn += 1;
        // Once all is settled each is wanted in turn: chance could leave one out for long.
        let lock = if is_at_ease(&user.run) {
            turn % locks
        } else {
            usize::try_from(user.random.below(locks as u64)).unwrap_or(0)
        };
        let want = if user.random.below(4) == 0 { Want::Shared } else { Want::Exclusive };
        if use_once(&user, lock, want).await == Next::Stop {
            return;
        }
    }
}

/// Whether what faults left half done has come to its end. Where there are many locks, those of the dead are still being found.
fn is_at_ease(run: &Run) -> bool {
    run.scenario.locks.len() <= 3 && run.world.now() >= run.scenario.settled()
}

/// A person says of some host that it is dead, whether it is or not.
async fn evict_somebody(user: &User) {
    let run = &user.run;
    if run.world.now() >= run.scenario.faults_end() {
        return;
    }
    let number = user.random.below(u64::from(run.scenario.hosts));
    let name = name_of(run, u16::try_from(number).unwrap_or(0));
    let deadline = user.life.clock().now().plus(run.scenario.timing.watch);
    let evicted = user.host.evict(&name, true, deadline).await;
    run.world.note(Some(user.life.host()), &format!("a person evicts {name}: {evicted:?}"));
}

#[derive(PartialEq, Eq)]
enum Next {
    Again,
    Stop,
}

async fn use_once(user: &User, lock: usize, want: Want) -> Next {
    let run = &user.run;
    let clock = user.life.clock();
    let deadline = clock.now().plus(run.between(500, 40_000));
    let policy = LockPolicy { sticky: run.scenario.theme == Theme::Sticky && lock == 0 };
    let name = &run.scenario.locks[lock];
    let asked = run.world.now();
    let guard = match user.host.lock_with(name, want, policy, deadline).await {
        Ok(guard) => guard,
        Err(error) => {
            run.world.note(Some(user.life.host()), &format!("{name} not got: {error}"));
            let rot = run.scenario.theme == Theme::Rot && matches!(error, LockError::Record(_));
            if rot && user.random.below(2) == 0 {
                mend(run, &user.life, Some(user.host.clone())).await;
            }
            return if user.host.status().state.is_final() { Next::Stop } else { Next::Again };
        }
    };
    let life = (user.life.host(), user.life.life());
    let grant = Grant { lock, want, sticky: policy.sticky, life, asked, token: guard.token() };
    let (number, wrong) = run.census.granted(&run.world, grant);
    run.world.note(Some(life.0), &format!("{name} granted, {want:?}, token {}", guard.token()));
    if let Some(wrong) = wrong {
        run.world.report_violation(wrong);
        return Next::Stop;
    }
    let mut stuck = false;
    if want == Want::Exclusive && run.scenario.guards_data() {
        stuck = !count_under_lock(user, &guard, lock).await;
    }
    // Where the arithmetic of leases is tried, most stalls shall meet a host that holds a lock.
    // Once all is calm, it is enough that everybody still gets what he asks for: seeds are dear.
    let slow = run.scenario.theme.is_tight() || is_at_ease(run);
    let (least, most) = if slow { (1_000, 3_000) } else { (0, 1_500) };
    clock.sleep_until(clock.now().plus(run.between(least, most))).await;
    if stuck {
        // A write without an answer may land at any time: whoever sent it must not give up the lock (R21). The
        // process ends, and the cut-off waits for the write.
        run.world.note(Some(life.0), "a write has no answer: the process ends");
        run.census.ended(life, run.world.now());
        run.world.stop_life(life.0);
        return Next::Stop;
    }
    run.census.released(&run.world, number);
    run.world.note(Some(life.0), &format!("{name} released"));
    if user.random.below(3) == 0 {
        drop(guard);
    } else {
        guard.release().await;
    }
    Next::Again
}

/// The block that a lock's owner counts in.
#[must_use]
pub fn counter_of(run: &Run, lock: usize) -> Lba {
    run.layout.scratch(lock as u64)
}

/// Reads a counter and writes it back one higher, a few times, as long as the lock holds. False where a write got no
/// answer.
async fn count_under_lock(user: &User, guard: &Guard, lock: usize) -> bool {
    let lba = counter_of(&user.run, lock);
    let device = user.life.device(Lane::Work);
    for _ in 0..=user.random.below(2) {
        let mut block = [0; 512];
        let read = in_time(user, device.read(lba, &mut block)).await;
        if !matches!(read, Some(Ok(()))) {
            return true;
        }
        let value = counter(&block);
        let next = counter_block(value + 1, value);
        if !guard.holds() {
            return true;
        }
        if in_time(user, device.write(lba, &next)).await.is_none() {
            return false;
        }
    }
    true
}

/// Reads the counter of lock 0 and writes it back one higher, without a time-out; whether the write was answered.
pub(crate) async fn count_once(run: &Run, life: &HostLife, guard: &Guard) -> bool {
    let lba = counter_of(run, 0);
    let device = life.device(Lane::Work);
    let mut block = [0; 512];
    if device.read(lba, &mut block).await.is_err() || !guard.holds() {
        return false;
    }
    let value = counter(&block);
    device.write(lba, &counter_block(value + 1, value)).await.is_ok()
}

async fn in_time<T>(user: &User, future: impl Future<Output = T>) -> Option<T> {
    let clock = user.life.clock();
    let patience = (user.run.scenario.timing.lease * 2).max(Duration::from_secs(10));
    let sleep = clock.sleep_until(clock.now().plus(patience));
    futures::pin_mut!(future);
    match select(future, sleep).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// The value in a counter block.
#[must_use]
pub fn counter(block: &[u8]) -> u64 {
    field(block, 0)
}

/// The value that a counter block was made from.
#[must_use]
pub fn counter_base(block: &[u8]) -> u64 {
    field(block, 8)
}

fn field(block: &[u8], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&block[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}

fn counter_block(value: u64, base: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..8].copy_from_slice(&value.to_le_bytes());
    block[8..16].copy_from_slice(&base.to_le_bytes());
    block
}
