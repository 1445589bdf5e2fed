//! The cut-off of a file: the slot's byte on the one description that carries all writes (R13).
//!
//! A killed process proves nothing: its writes go on landing in the kernel after it was reaped. But each of them holds
//! the open file description, and the description holds the byte. So whoever finds the byte free knows that nothing
//! more can land; and whoever does not may kill the process, and must still wait for the byte.
//!
//! "Free" is asked with `F_OFD_GETLK` and not tried with `F_OFD_SETLK`: the kernel's answer is the same, but who asks
//! stands in nobody's way. A byte that is taken for a moment would make another prover, or the slot's next host, see
//! it held.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use oarlock_block::{CutOff, EnterError, LocalFuture, NotCutOff, ProcessIdentity, Proof, SlotIndex, Victim};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::description::Description;
use crate::file::Opened;
use crate::process::{process_identity, this_process};
use crate::range_lock;

/// How long a held byte is looked at before its process is killed: the last writes of one that died just now land
/// within this.
pub(crate) const LOCK_WAIT_FIRST: Duration = Duration::from_millis(200);

/// How long the byte is waited for after the kill, or where the process is gone already: a write that was slowed
/// below takes seconds. Whoever asked may ask again.
pub(crate) const LOCK_WAIT_AFTER: Duration = Duration::from_secs(5);

/// How long an exit waits for commands that are still out. The slot stays locked until they ended, whoever waits.
const EXIT_WAIT_MAX: Duration = Duration::from_secs(5);

/// The pauses between two looks at a byte: the first, and the longest.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// The cut-off on one open file.
pub(crate) struct FileCutOff {
    opened: Arc<Opened>,
    process: ProcessIdentity,
}

impl FileCutOff {
    pub(crate) fn new(opened: Arc<Opened>) -> io::Result<FileCutOff> {
        Ok(FileCutOff { opened, process: this_process()? })
    }

    fn enter_now(&self, slot: SlotIndex) -> Result<(), EnterError> {
        let description = &self.opened.description;
        if !description.slots.reserve(slot) {
            return Err(EnterError::Held { slot });
        }
        let taken = description.try_lock(description.slots.byte(slot));
        match taken {
            Ok(true) => {
                description.slots.locked(slot);
                return Ok(());
            }
            Ok(false) => description.slots.forget(slot),
            Err(error) => {
                description.slots.forget(slot);
                return Err(EnterError::Failed { slot, reason: error.to_string() });
            }
        }
        Err(EnterError::Held { slot })
    }
}

impl CutOff for FileCutOff {
    fn process(&self) -> ProcessIdentity {
        self.process
    }

    fn enter(&self, slot: SlotIndex) -> LocalFuture<'_, Result<(), EnterError>> {
        Box::pin(async move { self.enter_now(slot) })
    }

    fn exit(&self, slot: SlotIndex) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            let description = &self.opened.description;
            if !description.slots.begin_leaving(slot) {
                return;
            }
            let Some(left) = description.leave_slot(slot) else { return };
            let waited = aside("oarlock-exit", move |_| left.recv_timeout(EXIT_WAIT_MAX));
            if let Ok(waited) = waited {
                let _ = waited.await;
            }
        })
    }

    fn death_proved(&self, victim: Victim) -> LocalFuture<'_, Option<Proof>> {
        Box::pin(async move { proved_now(&self.opened.description, self.process, victim).ok().flatten() })
    }

    fn cut_off(&self, victim: Victim) -> LocalFuture<'_, Result<Proof, NotCutOff>> {
        Box::pin(async move {
            let failed = |reason| NotCutOff::Failed { slot: victim.slot, reason };
            let (description, own) = (Arc::clone(&self.opened.description), self.process);
            let outcome = aside("oarlock-cut-off", move |wanted| {
                Execution { description: &description, own, victim, wanted }.run()
            });
            let outcome = outcome.map_err(|error| failed(error.to_string()))?;
            outcome.await.unwrap_or_else(|_| Err(failed("the thread that asked went away".to_owned())))
        })
    }
}

/// Does on a thread of its own what waits; `work` is given a look at whether anybody still wants its outcome.
fn aside<Outcome: Send + 'static>(
    name: &str,
    work: impl FnOnce(&dyn Fn() -> bool) -> Outcome + Send + 'static,
) -> io::Result<oneshot::Receiver<Outcome>> {
    let (sender, outcome) = oneshot::channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let done = work(&|| !sender.is_canceled());
        let _ = sender.send(done);
    })?;
    Ok(outcome)
}

/// Whether nothing of the victim can land any more, as the slot's byte says now.
fn proved_now(description: &Description, own: ProcessIdentity, victim: Victim) -> io::Result<Option<Proof>> {
    if description.slots.is_entered(victim.slot) {
        // We hold the byte ourselves, so every other process that ever had it is gone. Of a former life in this very
        // process it says nothing: that one's commands may be out on this description.
        return Ok((victim.process != own).then_some(Proof::FileLock));
    }
    let held = range_lock::held_elsewhere(description.as_fd(), description.slots.byte(victim.slot))?;
    Ok((!held).then_some(Proof::FileLock))
}

/// What is known of the process that a victim's slot names.
enum Holder {
    /// It is there, and it is the one; this descriptor names it for ever.
    Proved(std::os::fd::OwnedFd),
    /// It ended; its pid is free, or is another's now.
    Gone,
}

struct Execution<'a> {
    description: &'a Description,
    own: ProcessIdentity,
    victim: Victim,
    wanted: &'a dyn Fn() -> bool,
}

impl Execution<'_> {
    fn run(&self) -> Result<Proof, NotCutOff> {
        let slot = self.victim.slot;
        if let Some(proof) = self.wait_for_byte(LOCK_WAIT_FIRST)? {
            return Ok(proof);
        }
        if !(self.wanted)() {
            return Err(NotCutOff::Failed {
                slot,
                reason: "nobody waits for the outcome any more".to_owned(),
            });
        }
        match self.holder()? {
            Holder::Gone => match self.wait_for_byte(LOCK_WAIT_AFTER)? {
                Some(proof) => Ok(proof),
                None => Err(self.unproved(
                    "that process is gone; its last writes, a child that it forked, or another process hold the lock",
                )),
            },
            Holder::Proved(process) => {
                match rustix::process::pidfd_send_signal(process, Signal::KILL) {
                    // It ended by itself meanwhile.
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(errno) => return Err(self.unproved(&format!("it cannot be killed: {errno}"))),
                }
                match self.wait_for_byte(LOCK_WAIT_AFTER)? {
                    Some(_) => Ok(Proof::Killed),
                    None => Err(NotCutOff::StillHeld { slot }),
                }
            }
        }
    }

    /// Looks at the byte until it is free or the time is over, or nobody wants to know any more.
    fn wait_for_byte(&self, wait_max: Duration) -> Result<Option<Proof>, NotCutOff> {
        let deadline = Instant::now() + wait_max;
        let mut pause = LOOK_PAUSE.0;
        loop {
            let proof = proved_now(self.description, self.own, self.victim)
                .map_err(|error| NotCutOff::Failed { slot: self.victim.slot, reason: error.to_string() })?;
            if proof.is_some() || Instant::now() >= deadline || !(self.wanted)() {
                return Ok(proof);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOOK_PAUSE.1);
        }
    }

    /// Finds the process that the slot names, and makes sure that it is that one and no later holder of its pid.
    fn holder(&self) -> Result<Holder, NotCutOff> {
        let named = self.victim.process;
        if named == self.own {
            return Err(self.unproved("the slot names this very process, which does not kill itself"));
        }
        if named.boot_id != self.own.boot_id {
            return Err(
                self.unproved("the slot was written on another machine, or before this one's last boot")
            );
        }
        if named.pid_namespace != self.own.pid_namespace {
            return Err(self.unproved("the slot was written in another pid namespace"));
        }
        let Some(pid) = i32::try_from(named.pid).ok().and_then(Pid::from_raw) else {
            return Err(self.unproved("the slot names no process"));
        };
        let process = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Ok(Holder::Gone),
            Err(errno) => {
                return Err(self.unproved(&format!("process {} cannot be opened: {errno}", named.pid)));
            }
        };
        // Asked after the descriptor is there: from here on the pid cannot become another's unseen.
        match process_identity(named.pid) {
            Ok(Some(found)) if found == named => Ok(Holder::Proved(process)),
            Ok(_) => Ok(Holder::Gone),
            Err(error) => Err(self.unproved(&format!("process {} cannot be identified: {error}", named.pid))),
        }
    }

    fn unproved(&self, reason: &str) -> NotCutOff {
        let reason = format!("the slot names process {}: {reason}", self.victim.process.pid);
        NotCutOff::HolderUnproved { slot: self.victim.slot, reason }
    }
}
