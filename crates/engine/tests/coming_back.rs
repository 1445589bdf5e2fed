//! A host that comes back to the disk of its former life: not behind another host that had it since.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

use futures::future::join;
use oarlock_engine::{Attachment, DiskError};
use oarlock_format::HostName;

use crate::estate::{Worker, named, target};
use crate::pair::beside_two;

const CLUSTER: u64 = 64 << 10;
const SECTORS: u64 = 2 << 11;

impl Worker {
    async fn attach_again(&self, name: &str) -> Result<Attachment, DiskError> {
        self.host.attach_disk_again(&named(name), self.soon()).await
    }

    async fn come_and_go(&self, name: &str) {
        self.attach_again(name).await.unwrap().detach().await.unwrap();
    }
}

fn moved_to(host: &str) -> Option<DiskError> {
    Some(DiskError::MovedOn { name: named("d"), host: Some(host.to_owned()) })
}

/// A host was killed, its disk was attached to another, and it came back. For a minute it tried to take the disk again, and did so in the
/// moment in which the other host was restarted.
#[test]
fn a_host_takes_its_former_disk_until_another_had_it_and_not_behind_that_one() {
    beside_two(CLUSTER, async |first, second| {
        first.create("d", SECTORS).await.unwrap();
        // Whoever never had it comes where nobody did.
        first.come_and_go("d").await;
        first.come_and_go("d").await;
        let there = second.attach("d").await.unwrap();
        assert_eq!(first.attach_again("d").await.err(), moved_to("b"), "while it is there");
        there.detach().await.unwrap();
        assert_eq!(first.attach_again("d").await.err(), moved_to("b"), "and after that");
        second.come_and_go("d").await;
        first.attach("d").await.unwrap().detach().await.unwrap();
        assert_eq!(second.attach_again("d").await.err(), moved_to("a"), "somebody asked for it at the first");
        first.come_and_go("d").await;
    });
}

#[test]
fn what_another_host_did_to_a_disk_without_serving_it_keeps_nobody_away() {
    beside_two(CLUSTER, async |first, second| {
        first.create("d", SECTORS).await.unwrap();
        first.come_and_go("d").await;
        second.host.snapshot_disk(&named("d"), &named("s"), second.soon()).await.unwrap();
        second
            .host
            .resize_disk(&named("d"), oarlock_block::ByteCount(64 << 20), second.soon())
            .await
            .unwrap();
        second.host.rename_disk(&named("d"), &named("e"), second.soon()).await.unwrap();
        let read = second.host.attach_disk(&target("e", None), true, second.soon()).await.unwrap();
        read.detach().await.unwrap();
        first.come_and_go("e").await;
    });
}

#[test]
fn a_disk_that_was_handed_over_is_the_receivers_to_come_back_to() {
    beside_two(CLUSTER, async |first, second| {
        first.create("d", SECTORS).await.unwrap();
        let here = first.attach("d").await.unwrap();
        let incoming = second.host.receive_disk(&named("d"), second.soon()).await.unwrap();
        let (disk, to) = (named("d"), HostName::new("b").unwrap());
        let handed = first.host.hand_off_disk(&disk, &to, first.soon());
        let (handed, taken) = join(handed, incoming.take_up()).await;
        handed.unwrap();
        here.detach().await.unwrap();
        taken.unwrap().detach().await.unwrap();
        assert_eq!(first.attach_again("d").await.err(), moved_to("b"));
        second.come_and_go("d").await;
    });
}
