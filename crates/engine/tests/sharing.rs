//! Disks that several hosts write at once (R34): who may have them so, what stays as it is meanwhile, and what is left.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{ByteCount, Clock};
use oarlock_engine::path::{PathError, Request, RequestKind};
use oarlock_engine::{Attachment, DiskError};
use oarlock_format::{DescriptorNumber, DescriptorRecord, LockMode};

use crate::estate::{Worker, apply, named, target, zeros};
use crate::machine::{BLOCK, Machine};
use crate::pair::beside_two;
use crate::{company, estate};

const CLUSTER: u64 = 64 << 10;
const SECTORS: u64 = 1_500;
const SIZE: ByteCount = ByteCount(SECTORS * BLOCK as u64);
const WRITE: RequestKind = RequestKind::Write { durable: false };

fn request(kind: RequestKind, first: u64, count: u64) -> Request {
    Request { kind, offset: first * BLOCK as u64, length: count * BLOCK as u64 }
}

async fn share(worker: &Worker) -> Result<Attachment, DiskError> {
    worker.host.share_disk(&named("a"), worker.soon()).await
}

async fn write(worker: &Worker, attachment: &Attachment, now: &mut Vec<u64>, at: (u64, u64), tag: u64) {
    let request = request(WRITE, at.0, at.1);
    let data = apply(now, &request, tag);
    worker.run(attachment, request, data).await;
}

fn descriptor(machine: &Machine, attachment: &Attachment) -> DescriptorRecord {
    company::read(machine, machine.layout().descriptor(DescriptorNumber(attachment.id().descriptor.0)))
}

/// The disk `a`, thick.
async fn thick(worker: &Worker) {
    worker.host.create_thick_disk(&named("a"), SIZE, worker.soon()).await.unwrap();
}

#[test]
fn two_hosts_write_one_disk_and_each_reads_what_the_other_wrote_at_once() {
    let survey = beside_two(CLUSTER, async |first, second| {
        thick(first).await;
        let mut now = zeros(SECTORS);
        let (here, there) = (share(first).await.unwrap(), share(second).await.unwrap());
        let before = descriptor(&first.machine, &here);
        assert_eq!((before.lock.mode, before.lock.holders.len()), (LockMode::MultiWriter, 2));
        for round in 0..20 {
            write(first, &here, &mut now, (round * 70, 90), round * 2 + 1).await;
            write(second, &there, &mut now, (round * 70 + 40, 11), round * 2 + 2).await;
        }
        // What a guest trims stays; zeroes are written.
        first.run(&here, request(RequestKind::Trim { durable: true }, 0, 512), Vec::new()).await;
        let fill = request(RequestKind::WriteZeroes { durable: false, keep: false, fast: false }, 100, 300);
        let data = apply(&mut now, &fill, 0);
        second.run(&there, fill, data).await;
        let fast = request(RequestKind::WriteZeroes { durable: false, keep: false, fast: true }, 0, 128);
        assert_eq!(second.try_run(&there, fast, Vec::new()).await.0, Err(PathError::NotFast));
        assert_eq!(first.contents(&here).await, now);
        assert_eq!(second.contents(&there).await, now);
        assert_eq!(descriptor(&first.machine, &here), before, "nothing of its descriptor changed");
        here.detach().await.unwrap();
        write(second, &there, &mut now, (3, 3), 77).await;
        drop(there);
        assert_eq!(first.look("a", None).await.unwrap(), now);
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (1, 0));
}

#[test]
fn only_a_disk_that_is_full_is_shared_and_only_with_those_who_write_as_well() {
    beside_two(CLUSTER, async |first, second| {
        first.create("a", SECTORS).await.unwrap();
        let refused = share(first).await.map(|_| ());
        assert!(matches!(refused, Err(DiskError::NotForMany { .. })), "{refused:?}");
        first.host.delete_disk(&named("a"), first.soon()).await.unwrap();
        thick(first).await;
        first.host.snapshot_disk(&named("a"), &named("s"), first.soon()).await.unwrap();
        let refused = share(second).await.map(|_| ());
        assert!(matches!(refused, Err(DiskError::NotForMany { .. })), "{refused:?}");
        first.host.flatten_disk(&named("a"), first.soon()).await.unwrap();
        let alone = first.attach("a").await.unwrap();
        let at_once = || second.machine.time.now();
        assert_eq!(
            second.host.share_disk(&named("a"), at_once()).await.map(|_| ()),
            Err(estate::in_use_by_a())
        );
        alone.detach().await.unwrap();
        let reader = first.host.attach_disk(&target("a", None), true, first.soon()).await.unwrap();
        assert_eq!(
            second.host.share_disk(&named("a"), at_once()).await.map(|_| ()),
            Err(estate::in_use_by_a())
        );
        reader.detach().await.unwrap();
        let (_here, _there) = (share(first).await.unwrap(), share(second).await.unwrap());
        assert_eq!(share(first).await.map(|_| ()), Err(DiskError::AttachedHere { name: "a".to_owned() }));
    });
}

#[test]
fn whatever_would_change_a_shared_disk_is_refused_on_every_host() {
    beside_two(CLUSTER, async |first, second| {
        thick(first).await;
        let here = share(first).await.unwrap();
        let before = descriptor(&first.machine, &here);
        let shared = DiskError::SharedHere { name: named("a") };
        for worker in [first, second] {
            let host = &worker.host;
            let soon = || worker.machine.time.now().plus(Duration::from_secs(1));
            let larger = ByteCount(SIZE.0 * 2);
            let refused = [
                host.snapshot_disk(&named("a"), &named("s"), soon()).await.map(drop),
                host.clone_disk(&target("a", None), &named("b"), soon()).await.map(drop),
                host.resize_disk(&named("a"), larger, soon()).await,
                host.flatten_disk(&named("a"), soon()).await,
                host.rename_disk(&named("a"), &named("b"), soon()).await,
                host.delete_disk(&named("a"), soon()).await,
                host.attach_disk(&target("a", None), false, soon()).await.map(drop),
                host.attach_disk(&target("a", None), true, soon()).await.map(drop),
            ];
            assert!(refused.iter().all(Result::is_err), "{refused:?}");
            if std::ptr::eq(worker, first) {
                assert_eq!(refused[..4], [(); 4].map(|()| Err(shared.clone())));
            }
        }
        let after = descriptor(&first.machine, &here);
        assert_eq!(after.layer, before.layer);
        assert_eq!((after.lock.mode, after.lock.holders), (before.lock.mode, before.lock.holders));
    });
}
