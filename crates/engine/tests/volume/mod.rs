//! A datastore with disks, snapshots and a clone that nobody works on, and the means to damage it.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;

use futures::future::{Either, select};
use oarlock_block::{Device, Lba};
use oarlock_engine::check::CheckReport;
use oarlock_engine::path::{Request, RequestKind};
use oarlock_engine::{Attachment, Ended};
use oarlock_format::{
    BitmapPage, BucketRecord, ClusterIndex, ClusterNumber, ClusterRun, DescriptorName, DescriptorNumber,
    DescriptorRecord, ENTRIES_PER_PAGE, GroupNumber, Layer, LayerId, LeafEntry, MapPage, Place, Writer,
};

use crate::company::{format_id, put_by, read};
use crate::estate::{Estate, Image, Worker, apply, named, target, zeros};
use crate::ledger::{page_bytes, superblock};
use crate::machine::{BLOCK, Machine};
use crate::{company, ledger, machine};

pub const SECTORS: u64 = 2 << 11;
pub const GROUP: GroupNumber = GroupNumber(0);

/// A datastore of a disk `a` with a snapshot `s`, its clone `b`, and a disk `c`, that nobody works on.
pub struct Volume {
    pub machine: Machine,
}

pub async fn write(worker: &Worker, attachment: &Attachment, (first, sectors): (u64, u64), tag: u64) {
    let mut image = Image { now: zeros(SECTORS), ..Image::default() };
    let (offset, length) = (first * BLOCK as u64, sectors * BLOCK as u64);
    let request = Request { kind: RequestKind::Write { durable: true }, offset, length };
    let data = apply(&mut image.now, &request, tag);
    worker.run(attachment, request, data).await;
}

pub fn worker(machine: &Machine, name: &str) -> (Worker, u32) {
    let (world, process) = machine.process();
    let host = company::join(machine, world, name);
    (Worker { machine: machine.clone(), device: Rc::clone(&machine.disk) as Rc<dyn Device>, host }, process)
}

async fn fill(worker: &Worker) {
    for name in ["a", "c"] {
        worker.create(name, SECTORS).await.unwrap();
        let disk = worker.attach(name).await.unwrap();
        write(worker, &disk, (0, 700), 1).await;
        disk.detach().await.unwrap();
    }
    worker.host.snapshot_disk(&named("a"), &named("s"), worker.soon()).await.unwrap();
    worker.host.clone_disk(&target("a", Some("s")), &named("b"), worker.soon()).await.unwrap();
    for name in ["a", "b"] {
        let disk = worker.attach(name).await.unwrap();
        write(worker, &disk, (10, 1), 2).await;
        write(worker, &disk, (1_000, 300), 3).await;
        disk.detach().await.unwrap();
    }
}

pub fn volume() -> Volume {
    let machine = Machine::new(machine::SMALL);
    machine.format();
    let (worker, _) = worker(&machine, "a");
    machine.time.run(async {
        let story = async {
            fill(&worker).await;
            worker.host.leave(worker.soon()).await
        };
        let run = worker.host.run();
        futures::pin_mut!(run, story);
        match select(story, run).await {
            Either::Left((ended, _)) => assert_eq!(ended, Ended::Left),
            Either::Right((_, story)) => assert_eq!(story.await, Ended::Left),
        }
    });
    Volume { machine }
}

impl Volume {
    pub fn found(&self) -> CheckReport {
        self.machine.check()
    }

    pub fn put<R: oarlock_format::Record>(&self, lba: Lba, record: &R) {
        put_by(&self.machine, lba, record, Writer::Tool, 1 << 20);
    }

    pub fn put_page(&self, lba: Lba, bytes: &[u8]) {
        for (block, bytes) in (lba.0..).zip(bytes.chunks(BLOCK)) {
            self.machine.disk.put(Lba(block), bytes);
        }
    }

    /// The layer of that name, or the one that stands on it.
    pub fn number(&self, name: &str) -> DescriptorNumber {
        let layout = self.machine.layout();
        let has = |number: &DescriptorNumber| {
            let lba = layout.descriptor_name(*number);
            read::<DescriptorName>(&self.machine, lba).name == Some(named(name))
        };
        (0..layout.descriptor_count()).map(DescriptorNumber).find(has).unwrap()
    }

    pub fn descriptor(&self, name: &str) -> DescriptorRecord {
        read(&self.machine, self.machine.layout().descriptor(self.number(name)))
    }

    pub fn id(&self, name: &str) -> LayerId {
        self.descriptor(name).id(self.number(name)).unwrap()
    }

    pub fn set_layer(&self, name: &str, change: impl FnOnce(Layer) -> Layer) {
        let record = self.descriptor(name);
        let layer = record.layer.clone().map(change);
        self.put(self.machine.layout().descriptor(self.number(name)), &DescriptorRecord { layer, ..record });
    }

    /// The only leaf's first page of a disk, which has one level.
    pub fn leaf(&self, name: &str) -> Lba {
        let layer = self.descriptor(name).layer.unwrap();
        assert_eq!(layer.levels.0, 1);
        superblock(&self.machine).space().cluster(layer.root.unwrap())
    }

    pub fn map(&self, name: &str) -> MapPage {
        let lba = self.leaf(name);
        let place = Place { format_id: format_id(&self.machine), lba };
        MapPage::decode(&page_bytes(&self.machine, lba), &place, &superblock(&self.machine).map_shape())
            .unwrap()
    }

    pub fn put_map(&self, name: &str, mut page: MapPage) {
        let (epoch, sequence) = (page.header().epoch, page.header().sequence);
        let bytes = *page.seal(epoch, sequence);
        self.put_page(self.leaf(name), &bytes);
    }

    pub fn set_entry(&self, name: &str, index: u16, entry: LeafEntry) {
        let mut page = self.map(name);
        page.set(index, entry);
        self.put_map(name, page);
    }

    /// A cluster of data that a disk owns.
    pub fn owned(&self, name: &str) -> ClusterNumber {
        let page = self.map(name);
        (0..ENTRIES_PER_PAGE).find_map(|index| page.leaf(index).owned_clusters().next()).unwrap()
    }

    pub fn bitmap(&self) -> BitmapPage {
        let lba = superblock(&self.machine).space().bitmap(GROUP);
        let place = Place { format_id: format_id(&self.machine), lba };
        BitmapPage::decode(&page_bytes(&self.machine, lba), &place).unwrap()
    }

    pub fn mark(&self, cluster: ClusterNumber, taken: bool) {
        let mut page = self.bitmap();
        page.mark(ClusterRun { first: cluster.place().1, count: 1 }, taken);
        let (epoch, sequence) = (page.header().epoch, page.header().sequence);
        let bytes = *page.seal(epoch, sequence);
        self.put_page(superblock(&self.machine).space().bitmap(GROUP), &bytes);
    }

    /// Some cluster that is free.
    pub fn free(&self) -> ClusterNumber {
        let page = self.bitmap();
        let free = (0..).map(ClusterIndex).find(|index| !page.is_taken(*index)).unwrap();
        ClusterNumber::of(GROUP, free)
    }

    pub fn bucket(&self, name: &str) -> (Lba, BucketRecord) {
        let layout = self.machine.layout();
        let lba = layout.bucket(layout.bucket_of(self.descriptor(name).layer.unwrap().hash.unwrap()));
        (lba, read(&self.machine, lba))
    }

    /// All that is on the device is one's, and every disk shows what it did.
    pub fn is_whole(&self) {
        let report = self.found();
        assert_eq!((&report.findings[..], &report.not_judged[..]), (&[][..], &[][..]));
        let survey = ledger::survey(&self.machine).unwrap();
        assert_eq!((survey.leaked(), survey.left_over()), (0, Vec::new()));
    }

    /// Every disk and snapshot, and what it shows.
    pub fn estate(&self) -> Estate {
        // A host changes locks: it looks at a copy.
        let copy = self.machine.copy();
        let (worker, _) = worker(&copy, "reader");
        let estate = company::beside(&copy, &worker.host, worker.estate());
        estate.unwrap()
    }
}
