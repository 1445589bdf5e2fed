//! A whole datastore with damage in it: the check with repair reads every record, and what damaged bytes may still prove.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{ByteCount, Clock, Lba};
use oarlock_engine::check::{CheckOptions, check};
use oarlock_engine::path::{Request, RequestKind};
use oarlock_engine::{DiskError, Host};
use oarlock_format::{DiskTarget, HostName, LayerName, PAGE_LENGTH, Timing, home};
use oarlock_sim::disks::{Driver, SECTOR, tagged};
use oarlock_sim::{Ground, HostLife, HostSetup, Image, Lane, Template, TrueTime, World, WorldOptions, parts};

/// Small clusters, of which disks soon have many.
const GROUND: Ground = Ground { megabytes: 96, cluster_size: 4 << 10, room: None };
const BLOCKS_PER_PAGE: usize = PAGE_LENGTH / SECTOR;

/// Bytes of the fuzzer's that say where one change goes.
const HEADER: usize = 5;
/// Changes in one datastore.
const CHANGES_MAX: usize = 8;
/// Bytes that one change lays over, at most.
const LENGTH_MAX: usize = 0x7f;
/// What else a change does: clears the rest of the block, makes it check out.
const CLEARED: u8 = 0x40;
const SEALED: u8 = 0x80;

thread_local! {
    static FURNISHED: RefCell<Option<Rc<[(Lba, Image)]>>> = const { RefCell::new(None) };
}

/// However the records are changed, a check and a repair end, and a second repair finds nothing more to do: what a repair
/// makes is sound.
pub fn check_damaged(data: &[u8]) {
    let world = world();
    let blocks = FURNISHED.with_borrow_mut(|made| Rc::clone(made.get_or_insert_with(furnished)));
    for (lba, image) in blocks.iter() {
        world.put_content(*lba, image);
    }
    change(&world, &blocks, data);
    for round in 0..2 {
        let life = world.start_life(world.add_host(HostSetup::OVERSEER));
        let parts = parts(&life);
        let limit = world.now().since_start() + Duration::from_secs(3_600);
        let checking =
            async move { check(&parts, &CheckOptions { repair: true, host: None }, &|_, _| {}).await };
        let (report, _) = world.run_to_end(&life, TrueTime::from_start(limit), checking);
        let report = report.expect("a check ends");
        if let (1, Ok(report)) = (round, report) {
            let again = report.findings.iter().find(|finding| finding.repaired.is_some());
            assert!(again.is_none(), "repaired once more: {again:?}");
        }
        world.stop_life(life.host());
    }
}

fn world() -> World {
    let mut options = WorldOptions::calm(1);
    options.geometry = GROUND.geometry();
    options.trace_entries = 0;
    World::seeded(options)
}

/// Every block that is not zero of a datastore with disks, snapshots and a clone, which nobody uses.
fn furnished() -> Rc<[(Lba, Image)]> {
    let world = world();
    Template::on(GROUND, 1, Timing::DEFAULT).put(&world);
    let life = world.start_life(world.add_host(HostSetup::OVERSEER));
    let work = furnish(life.clone());
    let limit = TrueTime::from_start(Duration::from_secs(3_600));
    let (done, _) = world.run_to_end(&life, limit, work);
    done.expect("the work ends").expect("it is done");
    let blocks = (0..GROUND.geometry().blocks.0).map(|lba| (Lba(lba), world.content(Lba(lba))));
    blocks.filter(|(_, image)| image.iter().any(|byte| *byte != 0)).collect()
}

/// A host joins, makes disks and writes to them, and leaves.
async fn furnish(life: HostLife) -> Result<(), DiskError> {
    let name = HostName::new("furnisher").expect("a host's name");
    let host = Host::join(parts(&life), &name, Rc::new(|_| {})).await.expect("it joins");
    let work = async {
        let worked = make_disks(&life, &host).await;
        host.leave(soon(&life)).await;
        worked
    };
    let run = host.run();
    futures::pin_mut!(work, run);
    match select(work, run).await {
        Either::Left((worked, _)) => worked,
        Either::Right((_, work)) => work.await,
    }
}

async fn make_disks(life: &HostLife, host: &Host) -> Result<(), DiskError> {
    let named = |name| LayerName::new(name).expect("a disk's name");
    let (a, b, s) = (named("a"), named("folder/b"), named("s"));
    let target = |disk: &LayerName| DiskTarget { disk: disk.clone(), snapshot: None };
    host.create_disk(&a, ByteCount(1 << 20), soon(life)).await?;
    write(life, host, &target(&a), (0, 64)).await?;
    host.snapshot_disk(&a, &s, soon(life)).await?;
    let snapshot = DiskTarget { disk: a.clone(), snapshot: Some(s) };
    host.clone_disk(&snapshot, &b, soon(life)).await?;
    write(life, host, &target(&a), (32, 8)).await?;
    write(life, host, &target(&b), (1_000, 16)).await
}

async fn write(
    life: &HostLife,
    host: &Host,
    target: &DiskTarget,
    (first, sectors): (usize, usize),
) -> Result<(), DiskError> {
    let attachment = host.attach_disk(target, false, soon(life)).await?;
    let (clock, device) = (life.clock(), life.device(Lane::Work));
    let path = attachment.path();
    let driver = Driver { clock: &clock, device: &device, path, pause: &|| None, patience: None };
    let (offset, length) = ((first * SECTOR) as u64, (sectors * SECTOR) as u64);
    let request = Request { kind: RequestKind::Write { durable: true }, offset, length };
    let (written, _) = driver.run(request, tagged(7).repeat(sectors)).await;
    written.expect("it is written");
    attachment.detach().await
}

fn soon(life: &HostLife) -> oarlock_block::Instant {
    life.clock().now().plus(Duration::from_secs(60))
}

/// Each change: which block, where in it, how many bytes are laid over, and whether the rest is cleared, and all made to check out.
fn change(world: &World, blocks: &[(Lba, Image)], mut data: &[u8]) {
    for _ in 0..CHANGES_MAX {
        let Some((header, rest)) = data.split_first_chunk::<HEADER>() else { return };
        let [low, high, at, count, what] = *header;
        let (lba, _) = blocks[usize::from(u16::from_le_bytes([low, high])) % blocks.len()];
        let length = usize::from(count).min(LENGTH_MAX).min(rest.len());
        let mut block = world.content(lba).to_vec();
        let start = (usize::from(at) * 2).min(block.len() - length);
        if what & CLEARED != 0 {
            block[start..].fill(0);
        }
        block[start..start + length].copy_from_slice(&rest[..length]);
        world.put_content(lba, &block);
        if what & SEALED != 0 {
            seal(world, lba);
        }
        data = &rest[length..];
    }
}

/// Makes the record check out that this block is, or the page that it is a part of.
fn seal(world: &World, lba: Lba) {
    let is_page = |first: &Lba| {
        let block = world.content(*first);
        [b"OARLMAPP", b"OARLBITM"].iter().any(|magic| block.starts_with(*magic))
    };
    let back = 0..BLOCKS_PER_PAGE as u64;
    let page = back.filter_map(|back| lba.0.checked_sub(back).map(Lba)).find(is_page);
    let (first, count) = page.map_or((lba, 1), |first| (first, BLOCKS_PER_PAGE));
    let blocks = (first.0..).take(count).map(|lba| world.content(Lba(lba)).to_vec());
    let mut bytes: Vec<u8> = blocks.flatten().collect();
    bytes[12..16].fill(0);
    let checksum = oarlock_block::crc32c(&[&bytes]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    world.put_content(first, &bytes);
}

/// The home of any name lies within the table, with its whole window.
pub fn check_home(name: &oarlock_format::LockName, positions: u32) {
    let at = home(&Template::FORMAT_ID, name, positions);
    assert!(at.0 + oarlock_format::LOCK_WINDOW <= positions.max(oarlock_format::LOCK_WINDOW));
}
