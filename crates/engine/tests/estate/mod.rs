//! An estate: what disks and snapshots there are, and what each shows, by a naive model; and the hosts that work on it.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::{ByteCount, Clock, Device, Instant};
use oarlock_engine::path::{PathError, Request, RequestKind};
use oarlock_engine::{Attachment, DiskError, Holders, Host, InUseBy};
use oarlock_format::{DiskTarget, LayerName};
use oarlock_sim::disks::{Driver, tag_of, tagged};

use crate::machine::{BLOCK, Machine};

/// What each sector shows: a tag, 0 for zeros.
pub type Contents = Vec<u64>;

/// One disk of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub now: Contents,
    pub snapshots: BTreeMap<String, Contents>,
}

/// All disks, by name.
pub type Estate = BTreeMap<String, Image>;

/// A host at work, and the device as it sees it.
pub struct Worker {
    pub machine: Machine,
    pub device: Rc<dyn Device>,
    pub host: Host,
}

pub fn named(name: &str) -> LayerName {
    LayerName::new(name).unwrap()
}

pub fn target(disk: &str, snapshot: Option<&str>) -> DiskTarget {
    DiskTarget { disk: named(disk), snapshot: snapshot.map(named) }
}

/// What a disk of so many sectors shows when it is new.
pub fn zeros(sectors: u64) -> Contents {
    vec![0; usize::try_from(sectors).unwrap()]
}

/// What is told of the disk `a` where the host `a` has it.
pub fn in_use_by_a() -> DiskError {
    let holder = InUseBy { host: "a".to_owned(), state: "live" };
    DiskError::InUse { name: "a".to_owned(), holders: Holders(vec![holder]) }
}

fn sectors_of(request: &Request) -> std::ops::Range<usize> {
    let sector = |byte: u64| usize::try_from(byte).unwrap() / BLOCK;
    sector(request.offset)..sector(request.offset + request.length)
}

/// What a request makes of what a disk shows; its data, where it writes.
pub fn apply(contents: &mut Contents, request: &Request, tag: u64) -> Vec<u8> {
    let tag_at = |sector: usize| tag << 32 | sector as u64 | 1 << 31;
    match request.kind {
        RequestKind::Write { .. } => {
            sectors_of(request).for_each(|sector| contents[sector] = tag_at(sector));
            sectors_of(request).flat_map(|sector| tagged(tag_at(sector))).collect()
        }
        RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. } => {
            sectors_of(request).for_each(|sector| contents[sector] = 0);
            Vec::new()
        }
        _ => sectors_of(request).flat_map(|_| tagged(!0)).collect(),
    }
}

impl Worker {
    pub fn soon(&self) -> Instant {
        self.machine.time.now().plus(Duration::from_secs(60))
    }

    pub async fn pause(&self, pause: Duration) {
        self.machine.time.sleep_until(self.machine.time.now().plus(pause)).await;
    }

    pub async fn create(&self, name: &str, sectors: u64) -> Result<(), DiskError> {
        let size = ByteCount(sectors * BLOCK as u64);
        self.host.create_disk(&named(name), size, self.soon()).await.map(drop)
    }

    pub async fn attach(&self, name: &str) -> Result<Attachment, DiskError> {
        self.host.attach_disk(&target(name, None), false, self.soon()).await
    }

    /// Runs a request, which must succeed; what it read.
    pub async fn run(&self, attachment: &Attachment, request: Request, data: Vec<u8>) -> Vec<u8> {
        let (result, data) = self.try_run(attachment, request, data).await;
        assert_eq!(result, Ok(()), "{request:?}");
        data
    }

    /// Runs a request; what it came to, and what it read.
    pub async fn try_run(
        &self,
        attachment: &Attachment,
        request: Request,
        data: Vec<u8>,
    ) -> (Result<(), PathError>, Vec<u8>) {
        let driver = Driver {
            clock: &*self.machine.time,
            device: &*self.device,
            path: attachment.path(),
            pause: &|| None,
            patience: None,
        };
        driver.run(request, data).await
    }

    /// What an attached disk shows.
    pub async fn contents(&self, attachment: &Attachment) -> Contents {
        let size = attachment.path().size();
        let (mut contents, step) = (Vec::new(), 256 * BLOCK as u64);
        let mut offset = 0;
        while offset < size {
            let length = step.min(size - offset);
            let request = Request { kind: RequestKind::Read, offset, length };
            let data = self.run(attachment, request, vec![0xEE; usize::try_from(length).unwrap()]).await;
            contents.extend(data.chunks(BLOCK).map(|sector| tag_of(sector).unwrap()));
            offset += length;
        }
        contents
    }

    /// What a disk or snapshot shows that nobody has attached for writing.
    pub async fn look(&self, disk: &str, snapshot: Option<&str>) -> Result<Contents, DiskError> {
        let attachment = self.host.attach_disk(&target(disk, snapshot), true, self.soon()).await?;
        let contents = self.contents(&attachment).await;
        attachment.detach().await?;
        Ok(contents)
    }

    /// All disks and snapshots, and what they show.
    pub async fn estate(&self) -> Result<Estate, DiskError> {
        let mut estate = Estate::new();
        for row in self.host.disks().await? {
            let name = row.name.as_str();
            let mut image = Image { now: self.look(name, None).await?, ..Image::default() };
            for snapshot in self.host.snapshots(&row.name).await? {
                let snapshot = snapshot.name.as_str().to_owned();
                let contents = self.look(name, Some(&snapshot)).await?;
                image.snapshots.insert(snapshot, contents);
            }
            estate.insert(name.to_owned(), image);
        }
        Ok(estate)
    }
}
