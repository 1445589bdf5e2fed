//! The naive disk: for each sector, every write that it may show, now and after a loss of power.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use oarlock_engine::path::{Request, RequestKind};

use crate::machine::BLOCK;

/// What stands in every sector that belongs to nobody.
pub const SECRET: u64 = 0x5EC2_E75E_C2E7_5EC2;

/// The tag of zeros.
const ZEROS: u64 = 0;

/// A sector that shows one tag all over.
pub fn tagged(tag: u64) -> Vec<u8> {
    tag.to_le_bytes().repeat(BLOCK / 8)
}

/// The tag that a sector shows all over.
pub fn tag_of(sector: &[u8]) -> u64 {
    let word = |word: &[u8]| u64::from_le_bytes(word.try_into().unwrap());
    let tag = word(&sector[..8]);
    assert!(sector.chunks(8).all(|other| word(other) == tag), "a sector is torn");
    tag
}

#[derive(Clone, Copy, Debug)]
struct Write {
    tag: u64,
    /// When it was asked for and answered, by the guests' clock.
    begun: u64,
    ended: Option<u64>,
    /// How many commands there were when it was asked for, and when it was known to be durable.
    asked_at: usize,
    durable_at: Option<usize>,
}

pub struct Naive {
    sectors: Vec<Vec<Write>>,
    /// The guests' clock: each request's beginning and end is a tick.
    now: u64,
    /// When each request that is under way began.
    begun: Vec<(u64, u64)>,
}

impl Naive {
    pub fn new(sectors: u64) -> Naive {
        Naive::of(vec![ZEROS; usize::try_from(sectors).unwrap()])
    }

    /// A disk that shows these tags, durably.
    pub fn of(tags: Vec<u64>) -> Naive {
        let first = |tag| vec![Write { tag, begun: 0, ended: Some(0), asked_at: 0, durable_at: Some(0) }];
        Naive { sectors: tags.into_iter().map(first).collect(), now: 0, begun: Vec::new() }
    }

    /// The past is forgotten: what was answered is durable, and no command was sent yet.
    pub fn all_is_durable(&mut self) {
        for write in self.sectors.iter_mut().flatten() {
            (write.asked_at, write.durable_at) = (0, Some(0));
        }
    }

    fn range(request: &Request) -> std::ops::Range<usize> {
        let sector = |byte: u64| usize::try_from(byte).unwrap() / BLOCK;
        sector(request.offset)..sector(request.offset + request.length)
    }

    /// A request begins: its number, and its data.
    pub fn begin(&mut self, request: &Request, commands: usize) -> (u64, Vec<u8>) {
        self.now += 1;
        let number = self.now;
        self.begun.push((number, self.now));
        let tag = |sector: usize| number << 32 | sector as u64 | 1 << 31;
        let written = match request.kind {
            RequestKind::Write { .. } => Some(true),
            RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. } => Some(false),
            _ => None,
        };
        for sector in Naive::range(request) {
            let Some(data) = written else { break };
            let tag = if data { tag(sector) } else { ZEROS };
            let write = Write { tag, begun: number, ended: None, asked_at: commands, durable_at: None };
            self.sectors[sector].push(write);
        }
        let data = match request.kind {
            RequestKind::Write { .. } => {
                Naive::range(request).flat_map(|sector| tagged(tag(sector))).collect()
            }
            RequestKind::Read => Naive::range(request).flat_map(|_| tagged(!SECRET)).collect(),
            _ => Vec::new(),
        };
        (number, data)
    }

    /// A request was answered. What it read must be what it may read; what it made durable is so from this command on.
    pub fn end(&mut self, request: &Request, number: u64, data: &[u8], commands: usize) {
        self.now += 1;
        let now = self.now;
        self.begun.retain(|(of, _)| *of != number);
        for write in Naive::range(request).flat_map(|sector| sector..=sector) {
            let own = self.sectors[write].iter_mut().filter(|write| write.begun == number);
            own.for_each(|write| write.ended = Some(now));
        }
        if request.kind == RequestKind::Read {
            for (sector, bytes) in Naive::range(request).zip(data.chunks(BLOCK)) {
                let tag = tag_of(bytes);
                let shown = self.sectors[sector].iter().any(|write| {
                    write.tag == tag
                        && !self.is_over(sector, write, |later| later.ended.is_some_and(|end| end < number))
                });
                assert!(shown, "sector {sector} shows {tag:x}, of {:x?}", self.sectors[sector]);
            }
        }
        let durable = match request.kind {
            RequestKind::Flush => true,
            RequestKind::Write { durable }
            | RequestKind::Trim { durable }
            | RequestKind::WriteZeroes { durable, .. } => durable,
            _ => false,
        };
        if durable {
            let answered =
                |write: &Write| write.begun == number || write.ended.is_some_and(|end| end < number);
            let all = self.sectors.iter_mut().flatten();
            all.filter(|write| write.durable_at.is_none() && answered(write))
                .for_each(|write| write.durable_at = Some(commands));
        }
    }

    /// Whether a later write surely took this one's place: one that began after it was answered, and meets the condition.
    fn is_over(&self, sector: usize, write: &Write, counts: impl Fn(&Write) -> bool) -> bool {
        let end = write.ended.unwrap_or(u64::MAX);
        self.sectors[sector].iter().any(|later| later.begun > end && counts(later))
    }

    /// Whether a sector may show that tag after the power went before command `cut`.
    pub fn check_after(&self, sector: u64, tag: u64, cut: usize) -> Result<(), String> {
        let at = usize::try_from(sector).unwrap();
        let durable = |write: &Write| write.durable_at.is_some_and(|durable| durable <= cut);
        let may = self.sectors[at]
            .iter()
            .any(|write| write.tag == tag && write.asked_at <= cut && !self.is_over(at, write, durable));
        if may { Ok(()) } else { Err(format!("sector {sector} shows {tag:x}, of {:x?}", self.sectors[at])) }
    }
}
