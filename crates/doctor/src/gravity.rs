//! Gravity: which of several findings a person must see first.
//!
//! The order is that of what is at stake, never that of how often a line was written: a host that logs a harmless answer a
//! thousand times does not push a lost volume off the first screen.
//!
//! 1. Is data at risk by this cause, and is that shown ([`risk_of`])? A cause that is only possible counts as no more than unknown.
//! 2. Is it shown at all, as likely or certain? What the evidence does not decide never stands above what is certain; a volume
//!    that was lost stands above what is harmless and only likely, or harmed nobody.
//! 3. Of two alike: the risk, and whether there is a remedy.
//! 4. What was harmed ([`Harm`]): access was lost, an answer is missing, a test was false, commands were refused, or nothing yet.
//! 5. How surely it is explained, how many hosts it hit, and last how many lines it has.

use std::cmp::Reverse;

use oarlock_causes::Cause;

use crate::fact::{
    ClusterStep, Command, Fact, Heartbeat, HeartbeatStep, HostStatus, Kind, Lock, LockStep, Notice, Opcode,
    Outcome, PathEvent, Sense, SpaceEvent, TargetStep, TaskKind, TaskOutcome,
};
use crate::finding::Finding;
use crate::report::advice::{Risk, risk};
use crate::rule::Confidence;
use crate::text::has;

/// What an incident did to hosts and volumes. The order is that of gravity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// Something is slow, or gives notice.
    #[default]
    Notice,
    /// Commands were refused: they were not executed, and their senders know it.
    Refused,
    /// A test was false, or a lock was not got: whoever asked knows that nothing was written.
    False,
    /// An answer is missing: what stands on the disk is in doubt, or a heartbeat is late.
    Doubt,
    /// A write failed for good: what was handed over is not on the disk.
    Broken,
    /// A volume, all paths or a host was lost, or a record is damaged.
    Lost,
}

/// What a fact says was harmed.
#[must_use]
pub fn harm(fact: &Fact) -> Harm {
    match &fact.kind {
        Kind::Command(command) if lost_a_write_of_linux(fact, command) => Harm::Doubt,
        Kind::Command(command) => of_command(command),
        Kind::Heartbeat(heartbeat) => of_heartbeat(heartbeat),
        Kind::Lock(lock) => of_lock(lock),
        Kind::Path(event) if *event == PathEvent::AllDown || event.is_of_the_device() => Harm::Lost,
        Kind::Notice(Notice::ServerLost) => Harm::Lost,
        Kind::Slot(image) if !image.is_sound() => Harm::Lost,
        Kind::Cluster(
            ClusterStep::Fenced
            | ClusterStep::Watchdog
            | ClusterStep::LeaseLost
            | ClusterStep::OtherOwner
            | ClusterStep::BadRecord
            | ClusterStep::StrangeRecord,
        ) => Harm::Lost,
        Kind::Cluster(ClusterStep::RenewalLate | ClusterStep::RenewalFailed | ClusterStep::FenceFailed) => {
            Harm::Doubt
        }
        // The data that an initiator announced are those of a write: what of them came, nobody answered.
        Kind::Target(TargetStep::InitiatorSilent) => Harm::Doubt,
        // A command that was complete when it was aborted had its effect, and its sender does not know it.
        Kind::Task {
            task: TaskKind::Abort,
            outcome: TaskOutcome::AlreadyComplete | TaskOutcome::Pending,
        } => Harm::Doubt,
        // Which command was given up, the line behind an abort may say.
        Kind::Task { task: TaskKind::Abort, .. } if fact.of_a_write => Harm::Doubt,
        Kind::Notice(Notice::BlockError | Notice::DiskError) | Kind::Medium if fact.of_a_write => {
            Harm::Broken
        }
        Kind::Notice(Notice::LockLost | Notice::JournalUnwritten) => Harm::Doubt,
        Kind::Oarlock(_) | Kind::OwnImage | Kind::Target(TargetStep::Miscompare) => Harm::False,
        Kind::Notice(Notice::WritesLost | Notice::WriteGivenUp | Notice::RaidLost) => Harm::Broken,
        Kind::Notice(
            Notice::VolumeFull
            | Notice::DeviceLocked
            | Notice::NoGoodCopy
            | Notice::QuorumLost
            | Notice::Diverged
            | Notice::JournalUnread
            | Notice::DamagedData
            | Notice::FileChecksum
            | Notice::MirrorLost
            | Notice::WritesHeld,
        ) => Harm::Refused,
        Kind::Space(SpaceEvent::Full) | Kind::ReservationConflicts | Kind::Medium => Harm::Refused,
        _ => Harm::Notice,
    }
}

fn of_command(command: &Command) -> Harm {
    match command.outcome() {
        Outcome::Miscompared => Harm::False,
        Outcome::Unknown if command.opcode.is_none_or(|opcode| opcode.writes() || opcode.flushes()) => {
            Harm::Doubt
        }
        Outcome::Refused if breaks_a_write(command) => Harm::Broken,
        Outcome::Refused if breaks_a_flush(command) => Harm::Doubt,
        Outcome::Refused => Harm::Refused,
        Outcome::Unknown | Outcome::Unsaid => Harm::Notice,
    }
}

/// Whether Linux gave a write up because there was no way to its disk any more. Drivers end so what they had handed to the adapter, too (mpt3sas and hpsa when it
/// died, the session of iSCSI that did not come back): it may have been executed. What ESXi calls so, it sends again over another path.
fn lost_a_write_of_linux(fact: &Fact, command: &Command) -> bool {
    let lost = command.host.is_some_and(HostStatus::is_of_a_lost_way);
    lost && command.opcode.is_some_and(|opcode| opcode.writes()) && has(&fact.text, "hostbyte=")
}

/// Whether a medium or a part broke under a write of data. Who sent a test and set waits for its answer, and knows that it failed.
fn breaks_a_write(command: &Command) -> bool {
    let broke = command.sense.is_some_and(Sense::is_broken);
    broke && !command.is_ats() && command.opcode.is_some_and(|opcode| opcode.writes())
}

/// Whether a disk did not write down what its cache held (SYNCHRONIZE CACHE). Some know no such command, and say so; after a reset it is sent again.
pub fn breaks_a_flush(command: &Command) -> bool {
    // No medium is there, or the unit starts, is formatted, or serves over another port: such a flush is sent again, or there is nothing to write down.
    let passes = |sense: Sense| {
        sense.key == 2 && (sense.code == 0x3a || sense.code == 4 && !matches!(sense.qualifier, 0 | 3))
    };
    let breaks = |sense: Sense| matches!(sense.key, 0x2..=0x4 | 0xb) && !passes(sense);
    command.opcode.is_some_and(Opcode::flushes)
        && command.sense.is_some_and(|sense| breaks(sense) || is_libatas_abort(sense))
}

/// What libata makes of a command that an ATA disk aborted (5/21/04, drivers/ata/libata-scsi.c).
fn is_libatas_abort(sense: Sense) -> bool {
    (sense.key, sense.code, sense.qualifier) == (5, 0x21, 4)
}

fn of_heartbeat(heartbeat: &Heartbeat) -> Harm {
    match heartbeat.step {
        HeartbeatStep::LostAccess | HeartbeatStep::Corrupt | HeartbeatStep::TakenOver => Harm::Lost,
        HeartbeatStep::Reclaimed | HeartbeatStep::Restored | HeartbeatStep::CleanedUp => Harm::Notice,
        HeartbeatStep::Miscompare => Harm::False,
        HeartbeatStep::TimedOut | HeartbeatStep::ReclaimFailed | HeartbeatStep::Changed => Harm::Doubt,
    }
}

fn of_lock(lock: &Lock) -> Harm {
    match lock.step {
        LockStep::Corrupt => Harm::Lost,
        LockStep::Miscompare | LockStep::Failed | LockStep::Breaking => Harm::False,
        LockStep::NotFree | LockStep::Stale | LockStep::CheckingLiveness => Harm::Refused,
    }
}

/// The risk for data. A cause that is only possible alarms nobody: the answer is that it is not known.
#[must_use]
pub fn risk_of(finding: &Finding) -> Risk {
    if finding.harm < Harm::Doubt && finding.own_title.is_some_and(crate::rule::is_harmless) {
        return Risk::Low;
    }
    if finding.own_title.is_some_and(crate::rule::is_wrong_on_the_disk) {
        return Risk::High;
    }
    let of = |name: &str| Cause::from_name(name).map_or(Risk::Unknown, risk);
    // Nor does it calm anybody, for another cause may be at work; but what was refused alone was not executed, and its senders know it.
    if finding.confidence == Confidence::Possible.name() {
        let refused = finding.harm == Harm::Refused && of(&finding.cause) == Risk::Low;
        return if refused { Risk::Low } else { Risk::Unknown };
    }
    // A record that was damaged by a failing disk is damaged all the same.
    let damaged = finding.also.iter().any(|also| also == Cause::CorruptBlock.name());
    let own = if damaged { Risk::High } else { of(&finding.cause) };
    // A harmless cause does not make a missing answer harmless.
    if finding.harm >= Harm::Doubt { own.max(Risk::Unknown) } else { own }
}

/// A key by which the gravest finding sorts first.
#[must_use]
pub fn key(finding: &Finding) -> impl Ord + use<> {
    let cause = Cause::from_name(&finding.cause);
    let solved = cause.is_some_and(|cause| cause != Cause::CannotTell);
    let sure = match finding.confidence.as_str() {
        "certain" => 2_u8,
        "likely" => 1,
        _ => 0,
    };
    let risk = risk_of(finding);
    let lost = finding.harm == Harm::Lost;
    let tier = match (risk, solved, sure) {
        (Risk::High, _, _) => 6_u8,
        (Risk::Unknown, true, 1..) => 5,
        (_, true, 0) if lost => 4,
        // What is certain and harmed nobody waits until a volume that was lost without an explanation was seen.
        (Risk::Low, true, 2..) if finding.harm <= Harm::Refused => 1,
        (_, true, 2..) => 3,
        _ if lost => 2,
        (_, true, 1) => 1,
        _ => 0,
    };
    let (risk, harm) = (Reverse(risk), Reverse(finding.harm));
    (
        Reverse(tier),
        risk,
        Reverse(solved),
        harm,
        Reverse(sure),
        Reverse(finding.hosts.len()),
        Reverse(finding.events),
    )
}
