//! Work in the background gives way to whoever waits for a disk.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{Clock, Device, Faulty, Surroundings};
use oarlock_engine::path::{Request, RequestKind};

use crate::estate::{Image, Worker, apply, named, zeros};
use crate::machine::{BLOCK, Machine};
use crate::pair::beside_two_by;

const CLUSTER: u64 = 4 << 10;
const SECTORS: u64 = 48 << 11;

async fn write_all(worker: &Worker, image: &mut Image, tag: u64) {
    let disk = worker.attach("d").await.unwrap();
    for first in (0..SECTORS).step_by(2_048) {
        let (offset, length) = (first * BLOCK as u64, 1_500 * BLOCK as u64);
        let request = Request { kind: RequestKind::Write { durable: false }, offset, length };
        let data = apply(&mut image.now, &request, tag);
        worker.run(&disk, request, data).await;
    }
    disk.detach().await.unwrap();
}

/// A fresh reader found it: a disk could not be attached for minutes after one of its snapshots was deleted on another host, which was
/// bringing the snapshot's clusters to the disk, and waited for the groups that they stand in.
#[test]
fn a_disk_whose_snapshot_was_just_deleted_is_attached_at_once() {
    let machine = Machine::new(160 << 20);
    machine.format_clusters(CLUSTER);
    let surroundings = Surroundings {
        clock: Rc::clone(&machine.time) as Rc<dyn Clock>,
        spawn: Rc::new(|_| ()),
        record_at: Rc::new(|_| None),
    };
    // Slow enough for the work to take a while.
    let slow = "late-reply:op=read,delay=50ms".parse().unwrap();
    let slow = Faulty::new(Rc::clone(&machine.disk) as Rc<dyn Device>, vec![slow], surroundings);
    let survey = beside_two_by(&machine, Rc::new(slow), async |first, second| {
        let mut image = Image { now: zeros(SECTORS), ..Image::default() };
        first.create("d", SECTORS).await.unwrap();
        for tag in 1..3 {
            write_all(first, &mut image, tag).await;
            first.host.snapshot_disk(&named("d"), &named("s"), first.soon()).await.unwrap();
            write_all(first, &mut image, 10 + tag).await;
            second.host.delete_snapshot(&named("d"), &named("s"), second.soon()).await.unwrap();
            // It is on its way by then.
            first.pause(Duration::from_secs(1)).await;
            let began = first.machine.time.now();
            let disk = first.attach("d").await.unwrap();
            let took = first.machine.time.now().since(began);
            assert!(took < Duration::from_secs(6), "{took:?}");
            assert_eq!(first.contents(&disk).await, image.now);
            disk.detach().await.unwrap();
        }
    });
    assert_eq!((survey.layers.len(), survey.leaked()), (1, 0), "the rest is done afterwards");
}
