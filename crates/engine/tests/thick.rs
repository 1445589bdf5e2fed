//! Thick disks: all of one is allocated and zeroed before anybody may use it, or there is none; and what is full stays full.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};

use crate::estate::{Worker, apply, named, target, zeros};
use crate::machine::{BLOCK, Machine};
use crate::{company, ledger, machine};

use crate::pair::{beside_two, beside_two_at, beside_two_on};
use oarlock_block::{ByteCount, Lba};
use oarlock_engine::allocate::SpaceError;
use oarlock_engine::path::{Request, RequestKind};
use oarlock_engine::{Attachment, DiskError};
use oarlock_format::{DescriptorNumber, DescriptorRecord, GroupNumber, Layer, LayerState};
use oarlock_sim::disks::{SECRET, tagged};

const CLUSTER: u64 = 64 << 10;
const SECTORS: u64 = CLUSTER / BLOCK as u64;

/// Every layer that a descriptor has.
fn layers(machine: &Machine) -> Vec<Layer> {
    let all = (0..machine.layout().descriptor_count()).map(DescriptorNumber);
    all.filter_map(|number| {
        company::read::<DescriptorRecord>(machine, machine.layout().descriptor(number)).layer
    })
    .collect()
}

async fn create(worker: &Worker, name: &str, sectors: u64) -> Result<(), DiskError> {
    let size = ByteCount(sectors * BLOCK as u64);
    worker.host.create_thick_disk(&named(name), size, worker.soon()).await.map(drop)
}

async fn ask(worker: &Worker, attachment: &Attachment, contents: &mut Vec<u64>, request: Request, tag: u64) {
    let data = apply(contents, &request, tag);
    worker.run(attachment, request, data).await;
}

fn request(kind: RequestKind, first: u64, count: u64) -> Request {
    Request { kind, offset: first * BLOCK as u64, length: count * BLOCK as u64 }
}

const WRITE: RequestKind = RequestKind::Write { durable: false };

#[test]
fn a_thick_disk_shows_nothing_of_what_stood_there_and_gives_nothing_up() {
    let machine = Machine::new(machine::SMALL);
    machine.format_clusters(CLUSTER);
    let space = ledger::superblock(&machine).space();
    let first = space.record(GroupNumber(0)).0 + u64::from(space.head()) * space.cluster_blocks().0;
    (0..200 * SECTORS).for_each(|block| machine.disk.put(Lba(first + block), &tagged(SECRET)));
    let clusters = 150;
    let survey = beside_two_at(&machine, async |first, second| {
        create(first, "a", clusters * SECTORS - 3).await.unwrap();
        let made = layers(&machine);
        assert!(made[0].flags.thick && made[0].flags.full && made[0].state == LayerState::Ready);
        let attachment = second.attach("a").await.unwrap();
        let mut now = second.contents(&attachment).await;
        assert_eq!(now, zeros(clusters * SECTORS - 3));
        ask(second, &attachment, &mut now, request(WRITE, 5, 4 * SECTORS), 1).await;
        let fill = RequestKind::WriteZeroes { durable: false, keep: false, fast: false };
        ask(second, &attachment, &mut now, request(fill, 7, SECTORS + 9), 1).await;
        // What a guest trims stays as it is.
        let trim = request(RequestKind::Trim { durable: false }, 0, 3 * SECTORS);
        second.run(&attachment, trim, Vec::new()).await;
        assert_eq!(second.contents(&attachment).await, now);
        attachment.detach().await.unwrap();
        let server = Some(second.host.status().owner.host);
        let served: Vec<_> = made.into_iter().map(|layer| Layer { server, ..layer }).collect();
        assert_eq!(layers(&machine), served, "nothing of its descriptor changed but who served it");
    });
    assert_eq!((survey.owners.len() as u64, survey.leaked()), (clusters + 1, 0));
}

#[test]
fn one_that_has_no_room_is_refused_before_anything_is_made() {
    let survey = beside_two_on(machine::SMALL, CLUSTER, async |first, second| {
        create(first, "b", SECTORS * 20).await.unwrap();
        let free = first.host.free_space().await.unwrap().0;
        let before = layers(&first.machine);
        let refused = create(first, "a", free / BLOCK as u64).await;
        let needed = free + free.div_ceil(CLUSTER).div_ceil(4_032) * CLUSTER;
        let expected = DiskError::NoRoom { needed: ByteCount(needed), free: ByteCount(free) };
        assert_eq!((refused, layers(&first.machine)), (Err(expected), before));
        // The other host knows less: of a group that is not its own, what was free when its owner took it.
        assert_eq!(create(second, "c", free / BLOCK as u64).await, Err(DiskError::Map(SpaceError::NoSpace)));
        second.pause(Duration::from_secs(30)).await;
        assert_eq!(layers(&first.machine).len(), 1, "what it made of it is undone");
        create(first, "a", (free - CLUSTER) / BLOCK as u64).await.unwrap();
        let refused = create(first, "c", 1).await;
        assert!(matches!(refused, Err(DiskError::NoRoom { .. })), "{refused:?}");
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (2, 0));
}

#[test]
fn one_that_nobody_waits_for_any_more_is_undone_and_tells_how_far_it_is_until_then() {
    let survey = beside_two(4 << 10, async |first, second| {
        let (name, size) = (named("a"), ByteCount(100 << 20));
        assert_eq!(first.host.disk_progress(&name), None);
        let making = Box::pin(first.host.create_thick_disk(&name, size, first.soon()));
        let half_way = poll_fn(|_| match first.host.disk_progress(&name) {
            Some(progress) if progress.done.0 * 4 > size.0 => {
                assert_eq!(progress.total, size);
                Poll::Ready(())
            }
            _ => Poll::Pending,
        });
        match select(making, half_way).await {
            Either::Left((made, _)) => panic!("it was made: {made:?}"),
            Either::Right(((), making)) => {
                let again = create(first, "a", 8).now_or_never();
                assert_eq!(again, Some(Err(DiskError::Busy { name: name.clone() })));
                drop(making);
            }
        }
        second.pause(Duration::from_secs(60)).await;
        assert_eq!((layers(&first.machine), first.host.disk_progress(&name)), (vec![], None));
        create(second, "a", 8).await.unwrap();
    });
    assert_eq!((survey.layers.len(), survey.leaked(), survey.owners.len()), (1, 0, 2));
}

#[test]
fn what_is_full_stays_full_when_it_grows_and_a_snapshot_ends_that_until_it_is_flattened() {
    beside_two(4 << 10, async |first, _| {
        let machine = &first.machine;
        let is_full = || layers(machine)[0].flags.full;
        create(first, "a", 83).await.unwrap();
        let attachment = first.attach("a").await.unwrap();
        let mut now = zeros(83);
        ask(first, &attachment, &mut now, request(WRITE, 0, 83), 1).await;
        // More than a level of the map reaches to.
        first.host.resize_disk(&named("a"), ByteCount(2_100 * BLOCK as u64), first.soon()).await.unwrap();
        now.resize(2_100, 0);
        assert!(is_full());
        ask(first, &attachment, &mut now, request(WRITE, 2_000, 100), 2).await;
        first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await.unwrap();
        assert!(!is_full());
        // From now on a trim gives up what it covers, and what is written anew stands elsewhere.
        ask(first, &attachment, &mut now, request(RequestKind::Trim { durable: false }, 0, 64), 3).await;
        ask(first, &attachment, &mut now, request(WRITE, 1_000, 20), 4).await;
        assert_eq!(first.contents(&attachment).await, now);
        first.host.flatten_disk(&named("a"), first.soon()).await.unwrap();
        assert!(!is_full(), "its guests may trim it");
        attachment.detach().await.unwrap();
        first.host.flatten_disk(&named("a"), first.soon()).await.unwrap();
        assert!(is_full() && layers(machine)[0].parent.is_none());
        assert_eq!(first.look("a", None).await.unwrap(), now);
        assert!(first.host.attach_disk(&target("a", Some("s")), true, first.soon()).await.is_ok());
    });
}
