//! `path-fault`: a path failed with commands in flight.

use super::case::{self, Case, JUST_BEFORE_US, command, total};
use super::local::is_behind_usb;
use super::way::{is_of_a_software_adapter, is_of_this_device};
use super::{Confidence, Judgement, Proof, words};
use crate::fact::{
    Command, FabricEvent, Fact, HostStatus, Kind, Notice, PathEvent, Sense, TargetStep, TaskKind, TaskOutcome,
};
use crate::scene::{before, near, same_host};
use crate::text::{after, has, holds, word};

/// A reset takes the link down within seconds.
const RESET_WITHIN_US: i64 = 10_000_000;
/// So many losses are no hiccup.
const MANY: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let events = losses(case);
    let gone = case.commands(is_of_a_lost_path);
    let weak = case.all(|fact| {
        matches!(
            fact.kind,
            Kind::Path(
                PathEvent::InDoubt | PathEvent::FabricChange | PathEvent::Failover | PathEvent::NetworkLink
            )
        ) || command(fact).is_some_and(|command| command.host == Some(HostStatus::BUS_BUSY))
    });
    let strong: Vec<_> = events.iter().chain(&gone).copied().collect();
    let device_gone = case.all(case::says_device_gone);
    let strong = if device_gone.is_empty() { strong } else { of_the_way(strong) };
    if strong.is_empty() && !device_gone.is_empty() {
        return Judgement::Aside(
            "No line tells of a link, a port or a session that was lost. The device itself is gone, by what its array or its host says; paths without \
             a device behind them are called dead for that reason."
                .to_owned(),
        );
    }
    if strong.is_empty() {
        return if weak.is_empty() {
            Judgement::Silent
        } else {
            Judgement::Aside(
                "A path was in doubt, the fabric changed, or a network card's link did, but no path to storage, port or session was lost by these lines.".to_owned(),
            )
        };
    }
    if let Some(why) = behind_a_hung_target(case, &strong) {
        return Judgement::Aside(why);
    }
    let stakes = case.stakes();
    let hit = case.followed_by(&strong, &stakes, JUST_BEFORE_US);
    if !hit.is_empty() && case.has_local_disks_alone() && !is_of_this_device(case, &hit) {
        return Judgement::Aside(
            "A path or a link of an adapter was lost, and the disk is a local one: no way to it leads over that.".to_owned(),
        );
    }
    if !hit.is_empty() {
        return with_a_victim(case, hit, &strong, device_gone.is_empty());
    }
    let many = total(&strong) >= MANY;
    let all_gone = events.iter().any(|fact| fact.kind == Kind::Path(PathEvent::AllDown));
    if stakes.is_empty()
        && let Some(proof) = behind_a_card(case, &events, &gone)
    {
        return Judgement::Met(proof);
    }
    if stakes.is_empty() && (all_gone || many || !gone.is_empty()) {
        // That no path works says nothing of why: an array that stopped looks the same as a fabric that did.
        let why = all_gone && device_gone.is_empty() && !of_the_way(strong.clone()).is_empty();
        let confidence = if why { Confidence::Likely } else { Confidence::Possible };
        let of_frames = strong.iter().all(|fact| matches!(fact.kind, Kind::Fabric(_)));
        let because = if of_frames {
            "Frames were lost or damaged on the way, by the adapter's or the fabric's own account; each takes a command with it, which is sent again after its time-out. No \
             atomic test and set is among these lines."
        } else if gone.is_empty() {
            "Paths, ports or sessions were lost. No command that was lost with them is among these lines."
        } else {
            "Paths were lost, and commands with them. No atomic test and set is among these lines."
        };
        let told = strong.clone();
        return Judgement::Met(by_its_way(case, Proof::new(confidence, because, strong), &told));
    }
    let aside = "A path was lost, but only after the first trouble, or long before it.";
    let taken_out = if stakes.is_empty() { taken_out_behind(case, &strong, &device_gone) } else { None };
    taken_out.unwrap_or_else(|| Judgement::Aside(aside.to_owned()))
}

/// A network card's link went down, and within a minute a session that went over a network was lost, did not come back in its time, and its commands with it.
fn behind_a_card<'a>(case: &Case<'a>, events: &[&'a Fact], gone: &[&'a Fact]) -> Option<Proof<'a>> {
    let mut lost = events
        .iter()
        .copied()
        .filter(|fact| fact.kind == Kind::Path(PathEvent::SessionLost) && is_of_a_network(fact));
    let first = lost.next()?;
    let given_up = lost.find(|fact| has(&fact.text, "session recovery timed out"))?;
    let command = gone.first()?;
    // A session is waited for longer than an incident pauses: the card's line may stand before it.
    let is_link = |fact: &&Fact| {
        fact.kind == Kind::Path(PathEvent::NetworkLink)
            && same_host(fact, first)
            && before(fact, first)
            && near(fact, first, JUST_BEFORE_US)
    };
    let link = case.scene.facts.iter().rfind(is_link)?;
    // A card that was up again before the session had no answer is no reason for it; of several nobody knows which is the session's way.
    if has(&link.text, "Link is Up") || has(&link.text, "Link is up") || has(&link.text, "linkstate.up") {
        return None;
    }
    let because = "The link of a network card went down, within a minute a session to the storage had no answer any more, it did not come back in its time, and the commands that \
                   waited for it were given up. That the session goes over that card, and over no other, no line says.";
    let proof = Proof::new(Confidence::Possible, because, vec![link, first, given_up, command]);
    Some(proof.in_words(&words::NETWORK).and_collect(super::unsolved::NETWORK_NEXT))
}

/// What a target itself tells of its initiators, while its own worker stands still, is no word about the way between them.
fn behind_a_hung_target(case: &Case<'_>, strong: &[&Fact]) -> Option<String> {
    let own_words = |fact: &&Fact| fact.kind == Kind::Target(TargetStep::SessionLost);
    let hung = case.all(|fact| fact.kind == Kind::Notice(Notice::TargetHung));
    let same = |fact: &&Fact| hung.first().is_some_and(|hung| same_host(hung, fact));
    strong.iter().all(|fact| own_words(fact) && same(fact)).then(|| {
        "Only the target tells of sessions and logins that came to nothing, and its own worker stood still in those minutes: whoever asks it waits, whatever the way is like.".to_owned()
    })
}

/// Something on the way was lost, and right behind that a test or a heartbeat went wrong.
fn with_a_victim<'a>(
    case: &Case<'a>,
    hit: Vec<&'a Fact>,
    strong: &[&'a Fact],
    device_stands: bool,
) -> Judgement<'a> {
    let because = "A path, link or session was lost, and within a minute an atomic test and set or a heartbeat on the same host went \
                   wrong. Commands that were on that path have no answer: they may have been executed.";
    // A fabric's notice about a link names ports; whether the device is reached over them, no line says.
    let a_notice_alone = hit.iter().all(|fact| matches!(fact.kind, Kind::Fabric(_)));
    let by_own_hand = began_by_own_hand(case, strong);
    let told = device_stands
        && !a_notice_alone
        && !by_own_hand
        && !units_changed(case)
        && !case.is_a_plain_race()
        && !is_of_a_lease_elsewhere(case, &hit)
        && is_of_this_device(case, &hit);
    let stakes = case.stakes();
    let lines = hit.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
    let confidence = if told { Confidence::Likely } else { Confidence::Possible };
    let proof = Proof::new(confidence, because, lines);
    let proof = if by_own_hand { proof.but(OWN_HAND) } else { proof };
    Judgement::Met(by_its_way(case, proof, strong))
}

/// Whether all that went wrong is a lease that lies on another map than the lost paths, or in a file of a file server.
fn is_of_a_lease_elsewhere(case: &Case<'_>, hit: &[&Fact]) -> bool {
    let maps: Vec<&str> = hit.iter().take(case::FIRST).filter_map(|fact| case.text(fact.device)).collect();
    let of_maps = !maps.is_empty() && maps.iter().all(|name| is_a_map(name));
    // A volume of LVM stands there too, by its group, `-` and its name: on which map it lies, the line does not say.
    let of_another_map = |text: &str| {
        let place = after(text, "/dev/mapper/").map(word);
        let of_none = |place: &str| !maps.iter().any(|map| is_of_the_map(place, map));
        of_maps && place.is_some_and(|place| of_none(place) && !place.contains('-'))
    };
    let stakes = case.stakes();
    let leases = || stakes.iter().take(case::FIRST);
    let mut places = leases().filter(|fact| has(&fact.text, " /")).peekable();
    leases().all(|fact| matches!(fact.kind, Kind::Cluster(_)))
        && places.peek().is_some()
        && places.all(|fact| of_another_map(&fact.text) || has(&fact.text, ":_"))
}

/// Whether a name is that of a map of multipathing, `mpathk`, its WWID or an alias, and not of one of its paths.
fn is_a_map(name: &str) -> bool {
    let disk =
        name.strip_prefix("sd").is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_lowercase()));
    !disk
        && !name.contains(':')
        && !["nvme", "dm-", "naa.", "eui."].iter().any(|start| name.starts_with(start))
}

/// Whether a name below `/dev/mapper` is a map's own, or one of its partitions': `mpathk`, `mpathk1`, `mpathkp1`, `mpathk-part1`, `mpathk_part1`. `data2` may be
/// another map beside `data`.
fn is_of_the_map(place: &str, map: &str) -> bool {
    let bare = if map.starts_with("mpath") { &[""][..] } else { &[] };
    place.strip_prefix(map).is_some_and(|rest| {
        let mut marks = ["-part", "_part", "p"].iter().chain(bare);
        let number = marks.find_map(|mark| rest.strip_prefix(mark));
        rest.is_empty() || number.is_some_and(|number| number.chars().all(|letter| letter.is_ascii_digit()))
    })
}

/// A link went down, and the host took the device out of use right behind it: whether it lay on that link, no line says.
fn taken_out_behind<'a>(
    case: &Case<'a>,
    lost: &[&'a Fact],
    device_gone: &[&'a Fact],
) -> Option<Judgement<'a>> {
    let taken_out = case.followed_by(lost, device_gone, JUST_BEFORE_US);
    if taken_out.is_empty() {
        return None;
    }
    let because = "A link, a port or a session was lost, and within a minute the host took a device out of use. If the device is reached over that, this is why; no \
                   line names its way.";
    let lines = taken_out.into_iter().take(4).chain(device_gone.iter().copied().take(4)).collect();
    Some(Judgement::Met(by_its_way(case, Proof::new(Confidence::Possible, because, lines), lost)))
}

/// The proof with the words and next steps of its transport: a network has no optics of Fibre Channel, and its other end may have hung up.
fn by_its_way<'a>(case: &Case<'a>, proof: Proof<'a>, lost: &[&Fact]) -> Proof<'a> {
    if proof.confidence == Confidence::Possible && has_boot_media_alone(case) {
        return proof.in_words(&words::BOOT_MEDIUM);
    }
    let any = |is: fn(&Fact) -> bool| lost.iter().take(case::FIRST).any(|fact| is(fact));
    if any(|fact| fact.text.contains("login rejected")) {
        return proof.in_words(&words::NOT_LET_IN);
    }
    if any(is_of_a_network) && !any(is_of_fibre_channel) {
        let proof = if is_hung_up_in_turns(lost) { proof.and_collect(ONE_NAME_NEXT) } else { proof };
        return proof.in_words(&words::NETWORK).and_collect(super::unsolved::NETWORK_NEXT);
    }
    if super::local::is_within_the_host(case) {
        return proof.and_collect(super::unsolved::LOCAL_NEXT);
    }
    proof.and_collect(NEXT)
}

/// Whether the other end closed one connection again and again (ISCSI_ERR_TCP_CONN_CLOSE, include/scsi/iscsi_if.h): a target ends the session of an initiator whose name
/// logs in anew (RFC 7143, 6.3.5), and two hosts of one name end each other's by turns.
fn is_hung_up_in_turns(lost: &[&Fact]) -> bool {
    const TURNS_MIN: u64 = 3;
    let closed = lost.iter().copied().filter(|fact| has(&fact.text, "(1020"));
    total(&closed.collect::<Vec<_>>()) >= TURNS_MIN
}

const ONE_NAME_NEXT: &str = "Whether two hosts have the same name: `cat /etc/iscsi/initiatorname.iscsi` on every host of this target (clones of one machine have), and the target's list of its \
                             sessions. Whoever logs in with a name ends the other's session, and so they do by turns.";

/// Whether all that is lost are sticks and cards behind USB: no optic, cable or session is on the way to one.
fn has_boot_media_alone(case: &Case<'_>) -> bool {
    let devices = &case.incident.devices;
    !devices.is_empty() && devices.iter().all(|&device| is_behind_usb(case.scene.names.text(device)))
}

/// Whether a line is of iSCSI, or of NVMe over Fabrics without a word of Fibre Channel.
pub fn is_of_a_network(fact: &Fact) -> bool {
    let of_nvme =
        ["starting error recovery", "failed to connect socket", "keep_alive", "keep-alive", "Keep Alive"];
    is_of_a_software_adapter(&fact.text)
        || holds(&fact.text, "iscsi")
        || holds(&fact.text, "iqn.")
        || has(&fact.text, "connection")
            && (has(&fact.text, "conn error") || has(&fact.text, "ping timeout of"))
        || has(&fact.text, "session recovery timed out")
        || has(&fact.text, "nvme") && of_nvme.iter().any(|word| fact.text.contains(word))
}

fn is_of_fibre_channel(fact: &Fact) -> bool {
    ["lpfc", "qla2xxx", "qlnativefc", "fnic", "rport", "NVME-FC", "RSCN", "PLOGI"]
        .iter()
        .any(|word| fact.text.contains(word))
}

/// Whether the array said that it presents other units than before: paths come and go with that, and a false answer may be another
/// volume's.
fn units_changed(case: &Case<'_>) -> bool {
    !case.commands(|command| command.sense.is_some_and(Sense::is_change_of_units)).is_empty()
}

const NEXT: &str = "The port's error counters on both ends (invalid CRC, loss of sync, link failures; /sys/class/fc_host/*/statistics on Linux), the \
                    optics' power levels, the switch's log of that minute.";

/// Whether a fact tells of a path, a link, a port or a session that was lost.
fn is_loss(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Path(event) => event.is_loss() && !matches!(event, PathEvent::InDoubt | PathEvent::Failover),
        Kind::Fabric(event) => matches!(event, FabricEvent::LinkIntegrity | FabricEvent::Dropped),
        // The other end refused to abort what was lost on the way.
        Kind::Target(TargetStep::SessionLost) => true,
        Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Failed } => true,
        _ => false,
    }
}

/// What was lost on the way. Whoever resets an adapter or its loop takes the link down himself.
fn losses<'a>(case: &Case<'a>) -> Vec<&'a Fact> {
    let resets = case.all(|fact| matches!(fact.kind, Kind::Task { task: TaskKind::WiderReset, .. }));
    let by_a_reset = |event: &Fact| {
        event.kind == Kind::Path(PathEvent::LinkDown)
            && case.just_before(event, &resets, RESET_WITHIN_US).is_some()
    };
    let mut losses = case.all(is_loss);
    losses.retain(|event| !by_a_reset(event));
    losses
}

const OWN_HAND: &str = "But the host dropped that session itself, after an abort or a reset of its own that nobody answered: whether the way was gone or the target stood \
                        still behind it, these lines do not tell.";

/// Whether what was lost began with a session that the host itself dropped, for its aborts and resets had no answer. What was lost behind that is of its making.
fn began_by_own_hand(case: &Case<'_>, strong: &[&Fact]) -> bool {
    /// An abort is waited for so long, and a reset behind it once more.
    const ABORT_WITHIN_US: i64 = 30_000_000;
    let earlier = |one: &&Fact, other: &&Fact| {
        if before(one, other) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater }
    };
    let Some(first) = strong.iter().copied().take(case::FIRST).min_by(|one, other| earlier(one, other))
    else {
        return false;
    };
    let resets = case.all(|fact| {
        matches!(fact.kind, Kind::Task { task: TaskKind::WiderReset, .. }) && is_of_a_network(fact)
    });
    let aborts = case.all(|fact| {
        fact.kind == Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Pending }
            && is_of_a_network(fact)
    });
    let of_a_session = first.kind != Kind::Path(PathEvent::SessionLost) || is_of_a_network(first);
    of_a_session
        && (case.just_before(first, &resets, RESET_WITHIN_US).is_some()
            || case.just_before(first, &aborts, ABORT_WITHIN_US).is_some())
}

/// Whether a link, a port or a session was lost.
pub fn lost_the_way(case: &Case<'_>) -> bool {
    !of_the_way(losses(case)).is_empty()
}

/// Those that tell of the way itself: a link, a port, a session. That a path does not work follows from a device that is gone, too.
fn of_the_way(losses: Vec<&Fact>) -> Vec<&Fact> {
    let is_of_the_way = |fact: &&Fact| match &fact.kind {
        Kind::Path(event) => matches!(event, PathEvent::LinkDown | PathEvent::SessionLost),
        Kind::Command(command) => {
            command.sense.is_some_and(Sense::is_nexus_loss)
                || command.host.is_some_and(|status| matches!(status.0, 0xe | 0xf))
        }
        Kind::Task { .. } => false,
        _ => true,
    };
    losses.into_iter().filter(is_of_the_way).collect()
}

/// The command came to nothing because its path was gone.
fn is_of_a_lost_path(command: &Command) -> bool {
    command.sense.is_some_and(Sense::is_nexus_loss)
        || command.host.is_some_and(|status| matches!(status.0, 0x1 | 0xd | 0xe | 0xf))
}
