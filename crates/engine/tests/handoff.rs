//! A disk goes from one living host to another while guests use it (R28): what they see, what it costs, and what becomes of one that fails.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{self, Either, join, select};
use oarlock_block::{ByteCount, Clock, CommandKind, Device, Recorded};
use oarlock_engine::path::{PathError, Request, RequestKind};
use oarlock_engine::{Attachment, DiskError, Ended, Incoming};
use oarlock_format::HostName;
use oarlock_sim::disks::Driver;

use crate::company;
use crate::estate::{Image, Worker, apply, named, target, zeros};
use crate::machine::BLOCK;
use crate::pair::beside_two;

const CLUSTER: u64 = 64 << 10;
const SECTORS: u64 = 2 << 11;

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn write_request(at: (u64, u64)) -> Request {
    let (offset, length) = (at.0 * BLOCK as u64, at.1 * BLOCK as u64);
    Request { kind: RequestKind::Write { durable: false }, offset, length }
}

async fn write(worker: &Worker, attachment: &Attachment, image: &mut Image, at: (u64, u64), tag: u64) {
    let request = write_request(at);
    let data = apply(&mut image.now, &request, tag);
    worker.run(attachment, request, data).await;
}

impl Worker {
    async fn receive(&self, name: &str) -> Result<Incoming, DiskError> {
        self.host.receive_disk(&named(name), self.soon()).await
    }

    async fn hand_off(&self, name: &str, to: &str) -> Result<Duration, DiskError> {
        let handed = self.host.hand_off_disk(&named(name), &host(to), self.soon()).await;
        handed.map(|handed| handed.pause)
    }
}

/// Hands the disk over, and gives what the receiver has.
async fn move_disk(from: &Worker, to: (&Worker, &str), name: &str) -> Attachment {
    let incoming = to.0.receive(name).await.unwrap();
    let (handed, taken) = join(from.hand_off(name, to.1), incoming.take_up()).await;
    handed.unwrap();
    taken.unwrap()
}

#[test]
fn a_disk_goes_to_and_fro_and_shows_every_write() {
    let survey = beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("d", SECTORS).await.unwrap();
        let mut here = first.attach("d").await.unwrap();
        for round in 0..3 {
            write(first, &here, &mut image, (round * 300, 400), 10 + round).await;
            let there = move_disk(first, (second, "b"), "d").await;
            assert_eq!(second.contents(&there).await, image.now);
            write(second, &there, &mut image, (round * 200 + 50, 300), 20 + round).await;
            second
                .host
                .snapshot_disk(&named("d"), &named(&format!("s{round}")), second.soon())
                .await
                .unwrap();
            here.detach().await.unwrap();
            here = move_disk(second, (first, "a"), "d").await;
            assert_eq!(first.contents(&here).await, image.now);
        }
        here.detach().await.unwrap();
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (4, 0));
}

#[test]
fn what_has_not_begun_at_the_source_is_turned_away_and_what_was_asked_of_the_receiver_is_done_then() {
    beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        write(first, &here, &mut image, (0, 900), 1).await;
        let incoming = second.receive("d").await.unwrap();
        let early = write_request((100, 8));
        let mut after = image.now.clone();
        let data = apply(&mut after, &early, 2);
        let asked = Driver {
            clock: &*second.machine.time,
            device: &*second.device,
            path: incoming.path(),
            pause: &|| None,
            patience: None,
        };
        let (asked, handed, taken) =
            future::join3(asked.run(early, data), first.hand_off("d", "b"), incoming.take_up()).await;
        handed.unwrap();
        let there = taken.unwrap();
        assert_eq!(asked.0, Ok(()), "it waited for the disk");
        assert_eq!(second.contents(&there).await, after);
        let late = write_request((0, 8));
        let (late, _) = first.try_run(&here, late, vec![0x77; 8 * BLOCK]).await;
        assert_eq!(late, Err(PathError::Moved));
        assert_eq!(second.contents(&there).await, after);
        there.detach().await.unwrap();
    });
}

#[test]
fn a_handoff_that_nobody_waits_for_leaves_the_disk_where_it_is() {
    beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        let nobody = second.receive("d").await.map(drop);
        assert_eq!(nobody, Err(DiskError::Unknown { name: named("d") }));
        first.create("d", SECTORS).await.unwrap();
        assert_eq!(second.receive("d").await.map(drop), Err(DiskError::NoOwner { name: named("d") }));
        let here = first.attach("d").await.unwrap();
        let not_there = second.hand_off("d", "a").await;
        assert_eq!(not_there, Err(DiskError::NotAttached { name: named("d") }));
        let nobody = DiskError::NoReceiver { name: named("d"), host: "b".to_owned() };
        assert_eq!(first.hand_off("d", "b").await, Err(nobody.clone()));
        write(first, &here, &mut image, (5, 20), 1).await;
        // One that gives up leaves nothing behind.
        second.receive("d").await.unwrap().withdraw().await;
        assert_eq!(first.hand_off("d", "b").await, Err(nobody));
        drop(second.receive("d").await.unwrap());
        second.pause(Duration::from_secs(5)).await;
        write(first, &here, &mut image, (700, 20), 2).await;
        assert_eq!(first.contents(&here).await, image.now);
        here.detach().await.unwrap();
        let there = second.attach("d").await.unwrap();
        assert_eq!(second.contents(&there).await, image.now);
        there.detach().await.unwrap();
    });
}

#[test]
fn a_receiver_that_does_not_answer_gets_nothing_and_guests_go_on() {
    beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        // It stands in the record, and nobody looks at it.
        let incoming = second.receive("d").await.unwrap();
        let silent = DiskError::ReceiverSilent { name: named("d"), host: "b".to_owned() };
        assert_eq!(first.hand_off("d", "b").await, Err(silent));
        write(first, &here, &mut image, (5, 20), 1).await;
        assert_eq!(first.contents(&here).await, image.now);
        // The same receiver gets it once it does.
        let (handed, taken) = join(first.hand_off("d", "b"), incoming.take_up()).await;
        handed.unwrap();
        let there = taken.unwrap();
        assert_eq!(second.contents(&there).await, image.now);
        there.detach().await.unwrap();
    });
}

#[test]
fn a_verb_waits_for_another_of_the_same_disk_no_longer_than_it_may() {
    beside_two(CLUSTER, async |first, second| {
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        // A handoff has the disk's turn for as long as its receiver may be silent: four beats.
        let _incoming = second.receive("d").await.unwrap();
        let impatient = async {
            first.pause(Duration::from_secs(1)).await;
            let soon = first.machine.time.now().plus(Duration::from_secs(1));
            let (disk, snapshot) = (named("d"), named("s"));
            let snapshot = first.host.snapshot_disk(&disk, &snapshot, soon).await;
            (snapshot, first.machine.time.now().since(soon))
        };
        let (handed, (snapshot, late)) = join(first.hand_off("d", "b"), impatient).await;
        assert_eq!(snapshot, Err(DiskError::TurnTaken { name: named("d") }));
        assert_eq!(late, Duration::ZERO);
        assert!(matches!(handed, Err(DiskError::ReceiverSilent { .. })));
        first.host.snapshot_disk(&named("d"), &named("s"), first.soon()).await.unwrap();
        here.detach().await.unwrap();
    });
}

#[test]
fn a_disk_that_is_detached_instead_is_not_waited_for_any_longer() {
    beside_two(CLUSTER, async |first, second| {
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        let incoming = second.receive("d").await.unwrap();
        let (detached, taken) = join(here.detach(), incoming.take_up()).await;
        detached.unwrap();
        assert_eq!(taken.map(drop), Err(DiskError::NotHandedOver { name: named("d") }));
        drop(incoming);
        let there = second.attach("d").await.unwrap();
        there.detach().await.unwrap();
    });
}

#[test]
fn only_a_disk_that_one_host_writes_alone_is_handed_over() {
    beside_two(CLUSTER, async |first, second| {
        let size = ByteCount(SECTORS * BLOCK as u64);
        first.host.create_thick_disk(&named("d"), size, first.soon()).await.unwrap();
        let not_alone = |how| DiskError::NotAlone { name: named("d"), how };
        let shared = first.host.share_disk(&named("d"), first.soon()).await.unwrap();
        let refused = not_alone("to be written by several hosts");
        assert_eq!(second.receive("d").await.map(drop), Err(refused.clone()));
        assert_eq!(first.hand_off("d", "b").await, Err(refused));
        shared.detach().await.unwrap();
        let read = first.host.attach_disk(&target("d", None), true, first.soon()).await.unwrap();
        assert_eq!(second.receive("d").await.map(drop), Err(not_alone("to be read")));
        assert_eq!(first.hand_off("d", "b").await, Err(not_alone("to be read")));
        read.detach().await.unwrap();
    });
}

/// ```text
///   B stands by: the disk is full         A: a snapshot: it is full no more         handed over: what B's guests trim is zeros
/// ```
/// Whether a trim may unmap is said by the record that comes with the disk, and not by the one that its receiver first saw.
#[test]
fn a_thick_disk_comes_as_full_as_it_is_by_then() {
    beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        let size = ByteCount(SECTORS * BLOCK as u64);
        first.host.create_thick_disk(&named("d"), size, first.soon()).await.unwrap();
        let here = first.attach("d").await.unwrap();
        write(first, &here, &mut image, (0, 900), 1).await;
        let there = move_disk(first, (second, "b"), "d").await;
        let trim = Request { kind: RequestKind::Trim { durable: false }, offset: 0, length: CLUSTER };
        second.run(&there, trim, Vec::new()).await;
        assert_eq!(second.contents(&there).await, image.now, "a full disk keeps what it has");
        let incoming = first.receive("d").await.unwrap();
        second.host.snapshot_disk(&named("d"), &named("s"), second.soon()).await.unwrap();
        let (handed, taken) = join(second.hand_off("d", "a"), incoming.take_up()).await;
        handed.unwrap();
        let here = taken.unwrap();
        let trimmed = apply(&mut image.now, &trim, 2);
        first.run(&here, trim, trimmed).await;
        assert_eq!(first.contents(&here).await, image.now);
        here.detach().await.unwrap();
    });
}

#[test]
fn guests_wait_for_one_commit_the_way_home_and_one_swap() {
    beside_two(CLUSTER, async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        write(first, &here, &mut image, (0, 900), 1).await;
        let recorded = Rc::new(Recorded::new(
            Rc::clone(&first.machine.disk) as Rc<dyn Device>,
            Rc::clone(&first.machine.time) as Rc<dyn Clock>,
        ));
        let third = Worker {
            machine: first.machine.clone(),
            device: Rc::clone(&recorded) as Rc<dyn Device>,
            host: company::try_join(first.machine.process_on(Rc::clone(&recorded) as _).0, "c")
                .await
                .0
                .unwrap(),
        };
        let story = async {
            here.detach().await.unwrap();
            let there = third.attach("d").await.unwrap();
            write(&third, &there, &mut image, (1_000, 300), 2).await;
            let incoming = second.receive("d").await.unwrap();
            drop(recorded.take());
            let (handed, taken) = join(third.hand_off("d", "b"), incoming.take_up()).await;
            handed.unwrap();
            let slots = first.machine.layout().slots;
            let commands: Vec<_> =
                recorded.take().into_iter().filter(|command| !slots.contains(command.lba)).collect();
            let called = commands.iter().position(|command| command.kind == CommandKind::Ats).unwrap();
            let kinds: Vec<_> = commands[called + 1..].iter().map(|command| command.kind).collect();
            let answered = kinds.iter().rposition(|kind| *kind == CommandKind::Read).unwrap();
            // Everything was brought home before guests had to wait, so that only the swap is left, and the flush behind it.
            assert_eq!(kinds[answered + 1..], [CommandKind::Ats, CommandKind::Flush]);
            let there = taken.unwrap();
            assert_eq!(second.contents(&there).await, image.now);
            there.detach().await.unwrap();
            third.host.leave(third.soon()).await
        };
        let run = third.host.run();
        futures::pin_mut!(story, run);
        match select(story, run).await {
            Either::Left((ended, _)) => assert_eq!(ended, Ended::Left),
            Either::Right((ended, story)) => assert_eq!((ended, story.await), (Ended::Left, Ended::Left)),
        }
    });
}
