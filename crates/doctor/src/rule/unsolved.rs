//! `cannot-tell`: nothing is proved. What to collect depends on what was seen.

use super::case::{self, Case, Record};
use super::{Confidence, Proof, fenced, local, path_fault, words};
use crate::fact::{ClusterStep, Command, Fact, Kind, LockStep, PathEvent, Sense, TargetStep, TaskOutcome};
use crate::gravity::{Harm, harm};
use crate::image_words;
use crate::incident::{Weight, is_hard, weight};
use crate::rate::are_many;

/// What the lines prove although the catalogue has no cause for it: it goes before any cause that is only possible.
#[must_use]
pub fn told<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let gone = case.all(|fact| {
        fact.kind == Kind::Path(PathEvent::PermanentLoss)
            || case::command(fact).is_some_and(Command::says_no_such_unit)
    });
    if !gone.is_empty() {
        let because = "The array itself answered that this LUN is not there (LOGICAL UNIT NOT SUPPORTED, permanent device loss). The way to it works, for the \
                       answer came over it: no optic, cable or port is to be replaced for this. Why the LUN is gone stands in the array's log, not here.";
        let proof = Proof::new(Confidence::Possible, because, gone).in_words(&words::NO_SUCH_UNIT);
        return Some(proof.and_collect(ARRAY_NEXT).and_collect(
            "Whether every host and every path got this answer (then the LUN was deleted or taken offline) or only some (then its mapping was changed).",
        ));
    }
    let alive = fenced::not_fenced(case);
    if !alive.is_empty() {
        let because = "The cluster tried to fence a host and did not succeed, and no line here says that it did later. Until that host is known to be off, it may still \
                       write; a cluster that is set up well starts nothing of it elsewhere meanwhile.";
        let proof = Proof::new(Confidence::Possible, because, alive).in_words(&words::NOT_FENCED);
        return Some(proof.and_collect(
            "The fence device's own answer: its log, and a try by hand (`fence_... -o status`); and whether that host is off.",
        ));
    }
    if let Some(proof) = short_of_space(case).or_else(|| ordered_reset(case)) {
        return Some(proof);
    }
    // Where a link, a port or a session was lost, the disk went after it, and a controller takes over from one that is not reached.
    let way_lost = path_fault::lost_the_way(case);
    let is_transition = |command: &Command| command.sense.is_some_and(Sense::is_transition);
    // A status without its command and its device is a piece that somebody pasted.
    let moving = case.all(|fact| fact.device.is_some() && case::command(fact).is_some_and(is_transition));
    if !moving.is_empty() && !way_lost && case.false_answers().is_empty() {
        return Some(
            Proof::new(Confidence::Possible, TRANSITION, moving)
                .in_words(&words::TRANSITION)
                .and_collect(ARRAY_MOVES),
        );
    }
    let unready = case.commands(|command| command.sense.is_some_and(Sense::waits_for_a_person));
    if !unready.is_empty() && !way_lost && case.false_answers().is_empty() {
        return Some(
            Proof::new(Confidence::Possible, UNREADY, unready)
                .in_words(&words::UNREADY)
                .and_collect(ARRAY_NEXT),
        );
    }
    offline_disk(case, way_lost).or_else(|| pasted_record(case))
}

/// Commands that are lost to a reset end within this.
const RESET_US: i64 = 15_000_000;

/// Of several records, so many are told; all are quoted.
const RECORDS_TOLD_MAX: usize = 4;

/// Nothing but a record of VMFS that somebody pasted: what it says.
fn pasted_record<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let says = |fact: &Fact| match &fact.kind {
        Kind::Slot(image) => Some(image_words::slot(image)),
        Kind::LockDump(lock) => Some(image_words::lock(lock)),
        _ => None,
    };
    let records = case.all(|fact| says(fact).is_some() && weight(fact) == Weight::Context);
    if records.is_empty() || records.len() != case.facts().count() {
        return None;
    }
    let said: Vec<String> = records.iter().filter_map(|fact| says(fact)).take(RECORDS_TOLD_MAX).collect();
    let because = format!(
        "A record of VMFS was pasted, and nothing of what happened. It says: {}. It is whole, as far as it alone can tell, and no fault by itself.",
        said.join("; ")
    );
    let proof = Proof::new(Confidence::Possible, because, records).in_words(&words::PASTED_RECORD);
    Some(proof.and_collect(
        "The log of the host that complained (vmkernel.log, from a minute before), and a second dump of the same place some seconds later: the stamp of a living \
         host's heartbeat slot moves.",
    ))
}

/// Somebody reset the device, and commands were lost to that.
fn ordered_reset<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let ordered = case.all(|fact| matches!(fact.kind, Kind::Task { outcome: TaskOutcome::Ordered, .. }));
    let victims = case.commands(case::was_reset);
    let followed = case.followed_by(&ordered, &victims, RESET_US);
    if followed.is_empty() {
        return None;
    }
    let because = format!(
        "A person or a script ordered a reset of the device, and {} command(s) ended with H:0x8 right behind it: they were lost to that reset, on whatever host. \
         Whether each of them had been executed cannot be known from here.",
        case::total(&victims)
    );
    let lines = followed.into_iter().take(3).chain(victims.into_iter().take(4)).collect();
    let proof = Proof::new(Confidence::Possible, because, lines).in_words(&words::ORDERED_RESET);
    Some(proof.and_collect("Who ordered the reset and why (shell.log, .bash_history, the job's log), and what the device suffered before it."))
}

/// Nothing but a warning that space below the device runs short.
fn short_of_space<'a>(case: &Case<'a>) -> Option<Proof<'a>> {
    let warned = case.all(|fact| fact.warns_of_space());
    let rest = case.all(|fact| weight(fact) > Weight::Context && !fact.warns_of_space());
    let because = "The array says that a threshold of its space was crossed (unit attention 6/38/07), once for each host and path: a notice, no fault. The command beside \
                   it was not executed and is sent again.";
    let of_linux = warned.iter().all(|fact| fact.text.contains("low water mark"));
    let because = if of_linux { OF_A_THIN_POOL } else { because };
    let proof = Proof::new(Confidence::Possible, because, warned.clone()).in_words(&words::SPACE_RUNS_SHORT);
    (!warned.is_empty() && rest.is_empty()).then(|| proof.and_collect(
        "The physical space of the pool behind the LUN, and how fast it shrinks; which volumes on it are thin, and whether UNMAP reclaims.",
    ))
}

const OF_A_THIN_POOL: &str = "A thin pool of this host (dm-thin) says that it has less free space than its low water mark: a notice for whoever extends it, a person or a program (dmeventd, \
                              stratisd), and no fault.";

/// The host took a disk out of use.
fn offline_disk<'a>(case: &Case<'a>, way_lost: bool) -> Option<Proof<'a>> {
    let given_up = !case.all(|fact| fact.kind == Kind::Path(PathEvent::GivenUp)).is_empty();
    let offline = case.all(|fact| fact.kind == Kind::Path(PathEvent::Offline));
    let adapter_failed = !case.all(|fact| fact.kind == Kind::AdapterFault).is_empty();
    if offline.is_empty() || given_up || way_lost || adapter_failed {
        return None;
    }
    let unplugged = case.all(|fact| fact.kind == Kind::Path(PathEvent::Unplugged));
    let because = if unplugged.is_empty() {
        "The host itself refuses commands to a disk that it took out of use. What became of the disk, or of the way to it, no line here tells."
    } else {
        "The host refuses commands to a disk that it took out of use, and a device was taken off its USB at that time: most likely the disk was \
         unplugged, or lost its power."
    };
    let lines = unplugged.into_iter().take(2).chain(offline).collect();
    let proof = Proof::new(Confidence::Possible, because, lines).in_words(&words::OFFLINE);
    Some(proof.and_collect(
        "The kernel log of this host from two minutes before the first line quoted here: resets of a link or of the device, sessions or remote ports that \
         timed out, a USB disconnect.",
    ))
}

const TRANSITION: &str = "The array answered that it was moving the LUN from one controller to another (NOT READY, asymmetric access state transition): until that \
                          is done it executes nothing for this LUN. Commands so refused were not executed. Why it moved, no line here tells.";
const UNREADY: &str = "The array answered NOT READY, manual intervention required (2/4/3): it has the LUN, does not serve it, and does not expect that to change by \
                       itself. The answer came over the path, so the path works. Why, no line here tells.";
const ARRAY_MOVES: &str = "The array's own log of that minute: an upgrade, a restart or a fault of a controller, a failover by hand, a rebalancing? And how long it took: \
                           a heartbeat has 8 seconds, access is lost after 16.";
const ARRAY_NEXT: &str = "The array's own log and audit trail of that minute: a LUN deleted, unmapped, masked or renumbered, a pool or volume taken offline?";

/// What is said of an incident that no rule explains.
#[must_use]
pub fn proof<'a>(case: &Case<'a>) -> Proof<'a> {
    let pieces = pieces(case);
    // Whatever made this an incident is quoted: what weighs, or, of lines about one thing, what is hard.
    let rest = case.all(|fact| {
        weight(fact) > Weight::Context
            || is_hard(fact)
            || pieces.iter().any(|piece| std::ptr::eq(*piece, fact))
    });
    let only_pieces = if pieces.len() == rest.len() { pieces.clone() } else { Vec::new() };
    let known = told_by_name(case).into_iter().chain([(PIECES, only_pieces)]);
    let (because, lines) = known
        .into_iter()
        .find(|(_, lines)| !lines.is_empty())
        .unwrap_or(("Commands failed, and nothing near them says why.", rest));
    let mut proof = Proof::new(Confidence::Possible, because, lines);
    proof.collect = next_steps(case);
    if !pieces.is_empty() {
        proof.collect.insert(0, WHOLE_LINE.to_owned());
    }
    proof
}

/// Kinds of lines that say something although they prove no cause, the most telling first: what they say, and the lines, if any.
fn told_by_name<'a>(case: &Case<'a>) -> [(&'static str, Vec<&'a Fact>); 15] {
    let unequal = if case.shares_its_id() { SHARED_ID } else { of_a_false_answer(case.record()) };
    let raced = !case.locks(|lock| lock.step == LockStep::NotFree).is_empty();
    [
        (LOST_BESIDE_A_RACE, if raced { case.lost_heartbeats() } else { Vec::new() }),
        (unequal, case.false_answers()),
        (AT_TARGET, case.all(|fact| fact.kind == Kind::Target(TargetStep::Miscompare))),
        ("An atomic test and set had no answer. Nothing near it says why.", case.unanswered_ats()),
        (VERIFIED, case.commands(Command::verified_unequal)),
        (REFUSED, case.commands(Command::refuses_reserve)),
        (OWN_KEY, case.commands(|command| command.sense.is_some_and(|sense| sense.key == 9))),
        (OTHER_RECORD, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::OtherRecord))),
        (RENEWAL_FAILED, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::RenewalFailed))),
        (LEASE_LOST, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::LeaseLost))),
        (MEMBER_LOST, if of_members_alone(case) { case.all(is_a_lost_member) } else { Vec::new() }),
        (HELD_ELSEWHERE, case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::HeldElsewhere))),
        (INITIATOR_SILENT, case.all(|fact| fact.kind == Kind::Target(TargetStep::InitiatorSilent))),
        (
            NOT_KNOWN,
            case.commands(|command| {
                command.opcode.is_some() && command.sense.is_some_and(Sense::is_unsupported)
            }),
        ),
        (PATHS_ALONE, if of_paths_alone(case) { case.all(is_hard) } else { Vec::new() }),
    ]
}

const LOST_BESIDE_A_RACE: &str = "A heartbeat ran out of time, or the volume was lost, and no line near it says why. What stands beside it is a race for a lock, which another host that lives \
                                  had won: it explains a false answer, and no volume is lost to it.";

/// Whether nothing but members of a cluster that were lost is told.
fn of_members_alone(case: &Case<'_>) -> bool {
    case.facts().all(|fact| is_a_lost_member(fact) || weight(fact) == Weight::Context && !is_hard(fact))
}

/// Whether others miss a member. A servant that sbd misses is on the same host, and may wait for a disk.
fn is_a_lost_member(fact: &Fact) -> bool {
    fact.kind == Kind::Cluster(ClusterStep::MemberLost) && !fact.text.contains("sbd")
}

/// Whether nothing but paths that failed is told.
fn of_paths_alone(case: &Case<'_>) -> bool {
    case.facts().all(|fact| !is_hard(fact) || matches!(fact.kind, Kind::Path(_)))
}

const PATHS_ALONE: &str = "A path failed, and no command is told that did with it. Nothing near it says why, or whether others to the same device work (`multipath -ll`, \
                           `esxcli storage core path list`).";

const fn of_a_false_answer(record: Record) -> &'static str {
    match record {
        Record::Slot => {
            "The device compared, and the block was not equal. The lines around are about the host's own heartbeat slot, which nobody \
             else writes: this is no contention. Most often the host met its own delayed write; no line shows that write."
        }
        Record::Lock => {
            "The device compared, and the block was not equal. The lines around are about a lock record, which every host may write: \
             most often another was first; no line names one that lives."
        }
        Record::Both | Record::Unknown => LONE,
    }
}

/// What is said of a false answer with nothing around it.
const LONE: &str =
    "The device compared, and the block was not equal. Nothing near it says who wrote what stands there.";

/// Whether a false answer or a few are all that matters here: a latency or a full queue beside them is of every day.
pub fn is_lone(case: &Case<'_>, proof: &Proof<'_>) -> bool {
    /// More false answers for each host within minutes are a storm, and no chance.
    const CHANCE_MAX: u64 = 3;
    let storm = CHANCE_MAX * case.incident.hosts.len().max(1) as u64 + 1;
    let is_harmless = |fact: &Fact| harm(fact) <= Harm::False;
    proof.because == LONE
        && proof.words.is_none()
        && case.facts().all(is_harmless)
        && !are_many(case.false_answers(), storm)
}

const SHARED_ID: &str = "The device compared, and the block was not equal. Two hosts of these logs wait for heartbeats with one and the same host id, as hosts do that were \
                         installed by copying a boot disk: each may take the other's slot for its own. No line shows which of them wrote.";
const AT_TARGET: &str = "The target answered an atomic test and set with miscompare. Its log does not say which host wrote what stands there.";
const VERIFIED: &str = "Another command, such as VERIFY, found a block that differs from what its sender expected. It is no atomic test and set, and locks nothing: \
                        two copies differ, or somebody wrote in between.";
const REFUSED: &str = "The target refuses RESERVE (5/20/00 or 5/24/00), which a host needs to format a volume, and to lock one where it has no atomic test \
                       and set. No atomic test and set is among these lines: the target's software must learn it, or the array allow it.";
const OWN_KEY: &str = "The device refused the command with a sense key to which its vendor gives a meaning of its own (9h): it was not executed. Ask the vendor what its codes say; \
                       LeftHand's 9/4/2 says that another host, as a Windows host with its module for multipathing, has the LUN (VMware KB 1030129): look to which hosts the array \
                       presents it.";
const OTHER_RECORD: &str = "A lock manager met a record that is not the one it asked for: of another name, kind or geometry, or never initialised. The record is \
                            whole: compare the lockspace, the device and the offset that are configured with what stands there, and initialise nothing blindly.";
const RENEWAL_FAILED: &str = "A lock manager's read or write of its own lease ended in an error: it was not late, it failed. The kernel log of the same host says why.";
const NOT_KNOWN: &str = "The device refused a command that it does not know, or not in this form (Illegal Request): it was not executed, and the path works. Multipathing of \
                         older kernels takes such a refusal of a discard (UNMAP, WRITE SAME) for a failed path: update the kernel, or mount without discard.";
const LEASE_LOST: &str = "A lock manager lost its lease: it ran out, or another host stands in this host's record, as after two hosts were given one host id. Why, no \
                          line here tells: compare the host ids that are configured, and read who owns the record now (`sanlock client read -s`).";
const MEMBER_LOST: &str = "A cluster lost a member: it was not heard any more over the cluster's own network. Of disks, leases and commands no line here speaks.";
const MEMBER_NEXT: &str = "The cluster's log of all its members in that minute (`journalctl -u corosync -u pacemaker`, or o2cb's and dlm's lines of the kernel), and the network that they \
                           talk over: links, switches, a host that stood still.";
const FENCE_NEXT: &str =
    "Whether the lost member was fenced since: until then it may still write to what the members share.";
const HELD_ELSEWHERE: &str = "A lock manager refused a lock because another host holds it: that is what locks are for, and no fault of the storage. Whether that host \
                              still needs it, no line here tells: deactivate the volume there (`lvs -o+lv_active`), or, where the host is dead, wait until its \
                              lease has run out.";
const INITIATOR_SILENT: &str = "The target waited for data that an initiator had announced and did not send, and closed the connection. The fault is the initiator's or \
                                the network's between them; of the target's own storage these lines say nothing.";
const SILENT_NEXT: &str = "The initiator's own log of the same seconds: why did it send no data? Did it stand still, start anew, or lose its link, and what did it make of that write afterwards?";
const PIECES: &str = "The statuses of a command stand here without the command: which it was, on which device and when is not said, and from its end \
                      alone no cause follows. `oarlock doctor --explain` says what each of them means.";

const WHOLE_LINE: &str = "The whole line that this was cut from, with its time, host, device and opcode (0x89 is the atomic test and set), and the lines \
                          around it: `grep -n -B20 -A20 'H:0x' vmkernel.log`.";

/// Statuses without their command and their device.
fn pieces<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    case.all(|fact| {
        fact.device.is_none()
            && matches!(&fact.kind, Kind::Command(command) if command.opcode.is_none() && command.device.is_some())
    })
}

/// What to collect where no atomic test and set, heartbeat or lock is in question.
fn next_steps_of_the_way(case: &Case<'_>) -> Vec<String> {
    let network = case
        .facts()
        .take(case::FIRST)
        .any(|fact| fact.text.contains("connection") || path_fault::is_of_a_network(fact));
    let way = if network {
        NETWORK_NEXT
    } else {
        "The error counters of the adapter and of the switch's port (/sys/class/fc_host/*/statistics; `esxcli storage san fc stats get`), the switch's log, and which \
         paths of the device failed and which stayed."
    };
    if local::is_within_the_host(case) {
        return vec![KERNEL_NEXT.to_owned(), LOCAL_NEXT.to_owned()];
    }
    vec![
        KERNEL_NEXT.to_owned(),
        way.to_owned(),
        "The array's or target's log and its latency for this device in the same minutes, and whether other hosts saw the same.".to_owned(),
        VERSIONS.to_owned(),
    ]
}

const KERNEL_NEXT: &str = "The kernel log (or vmkernel.log) of this host, from two minutes before the first line quoted here: what failed first?";

/// What to collect of a disk in the host's own case, or behind its USB.
pub const LOCAL_NEXT: &str = "What the disk says of itself (`smartctl -x /dev/sdX`, `nvme smart-log /dev/nvmeX`), its firmware's version, its cable, slot or bridge and its power; and \
                              whether another disk in that place, or this one in another, does the same.";

/// What to collect where the way to the storage is a network.
pub const NETWORK_NEXT: &str = "The network between host and target: a ping of full length without fragmentation (`vmkping -d -s 8972`, or 1472 without jumbo frames), the \
                                error counters of the switch ports and cards, the binding of ports and their subnets; and the target's log: did it close the connection, or was \
                                it busy?";
const VERSIONS: &str = "Versions of the HBA's firmware and driver, of the hosts and of the array, to compare with the advisories.";

fn next_steps(case: &Case<'_>) -> Vec<String> {
    let of_target = case.all(|fact| matches!(fact.kind, Kind::Target(_)));
    if case.stakes().is_empty() && of_target.is_empty() && pieces(case).is_empty() {
        return next_steps_of_the_way(case);
    }
    let stakes = case.stakes();
    if stakes.is_empty()
        && of_target.iter().any(|fact| fact.kind == Kind::Target(TargetStep::InitiatorSilent))
    {
        return vec![SILENT_NEXT.to_owned(), NETWORK_NEXT.to_owned()];
    }
    if !stakes.is_empty() && stakes.iter().all(|fact| is_a_lost_member(fact)) {
        return vec![MEMBER_NEXT.to_owned(), FENCE_NEXT.to_owned()];
    }
    if !stakes.is_empty() && stakes.iter().all(|fact| matches!(fact.kind, Kind::Cluster(_))) {
        return vec![
            "The kernel log of the same host, from two minutes before the first line quoted here: errors, aborts and lost paths of the device that the lease lies on."
                .to_owned(),
            "The lock manager's own log of all hosts (`sanlock client log_dump`, `journalctl -u lvmlockd -u sanlock -u corosync -u pacemaker`): who held what, and who was late."
                .to_owned(),
            "The array's or target's log and its latency for that device in the same minutes.".to_owned(),
        ];
    }
    let mut steps = vec![
        "The vmkernel.log (or kernel log) of this host, from 60 seconds before the first line quoted here: was an earlier 0x89 \
         timed out or aborted (H:0x5, H:0x3, H:0x8)? Then this is the host's own delayed write."
            .to_owned(),
    ];
    let others = "The same minutes of every other host that shares the device";
    steps.push(match case.record() {
        Record::Slot => format!(
            "{others}: did one of them fence this host or clear its slot? And a dump of the slot (`hexdump -C` of the heartbeat region): does it \
             hold the image that this host tried to write?"
        ),
        Record::Lock => format!(
            "{others}: which of them took the lock? `vmkfstools -D FILE` names the owner by its MAC address, and whether the lock is held."
        ),
        Record::Both | Record::Unknown => format!(
            "{others}: who wrote the record, and is it a lock record (then it may be contention) or this host's own heartbeat slot \
             (then it is not)?"
        ),
    });
    steps.push(if !of_target.is_empty() {
        "The initiators' logs of the same seconds: which command it was, and what came before it.".to_owned()
    } else {
        "The array's or target's own log of the same seconds: did it execute a command that the host had given up?".to_owned()
    });
    steps.push(VERSIONS.to_owned());
    steps
}
