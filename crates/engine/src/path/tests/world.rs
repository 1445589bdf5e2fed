//! The world of a test: a device of bytes, flights of segments, clients, and an engine that answers when it likes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use oarlock_block::{BlockSize, ByteCount, Instant, IoError, Refusal, UnknownCause};
use oarlock_format::{ClusterNumber, LeafEntry, MapShape};

use super::history::{History, ZEROS};
use super::supplier::{LEAF, Leaf, TestMap, TestSupplier};
use crate::path::*;

pub(super) const SECTOR: usize = 512;
/// What stands in every cluster that belongs to nobody.
pub(super) const SECRET: u64 = 0x5EC2_E75E_C2E7_5EC2;
const POOL: u64 = 400;

/// A small generator: one seed is one run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, odds: usize) -> bool {
        odds > 0 && self.below(odds) == 0
    }
}

/// A waker that says whether it was woken.
#[derive(Default)]
pub(super) struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(super) struct Client {
    pub(super) operation: Operation,
    pub(super) buffer: Vec<u8>,
    scratch: Vec<u8>,
    flag: Arc<Flag>,
    pub(super) start: u64,
    pub(super) number: u64,
    pub(super) result: Option<Result<(), PathError>>,
}

struct Flight {
    client: usize,
    number: u64,
    index: SegmentIndex,
    segment: Segment,
    data: Vec<u8>,
    left: Vec<usize>,
    fate: Result<(), IoError>,
}

/// How often what goes wrong: one in so many; 0 for never.
#[derive(Clone, Copy, Default)]
pub(super) struct Odds {
    pub(super) full: usize,
    pub(super) unknown: usize,
    pub(super) medium: usize,
    pub(super) busy: usize,
    pub(super) lapse: usize,
    pub(super) snapshot: usize,
    pub(super) evict: usize,
    pub(super) no_space: usize,
    pub(super) give_up: usize,
}

pub(super) struct World {
    pub(super) path: Arc<DataPath>,
    pub(super) map: Arc<TestMap>,
    pub(super) supplier: Arc<TestSupplier>,
    pub(super) device: Vec<u8>,
    stable: Vec<u8>,
    flights: Vec<Flight>,
    late: Vec<Flight>,
    pub(super) clients: Vec<Client>,
    pub(super) random: Random,
    pub(super) odds: Odds,
    pub(super) pool: Vec<ClusterNumber>,
    snapshots: Vec<(Vec<LeafEntry>, Vec<u8>)>,
    history: History,
    pub(super) time: u64,
    pub(super) cluster: usize,
    pub(super) clusters: usize,
    /// The device commands that were submitted, of all kinds.
    pub(super) submitted: Vec<Segment>,
    /// The write with that number, of all there are, meets this.
    pub(super) strike: Option<(usize, IoError)>,
    writes: usize,
    is_pausing: bool,
    /// How often an operation was told to hold.
    pub(super) held: usize,
    pub(super) verbose: bool,
}

impl World {
    /// A world whose host has its lease for good.
    pub(super) fn new(seed: u64, cluster: usize, clusters: usize, clients: usize, mode: PathMode) -> World {
        let world = World::without_lease(seed, (cluster, clusters), clients, mode);
        world.path.extend(Instant::from_zero(Duration::from_secs(1 << 30)));
        world
    }

    /// A world whose host has a lease only by its weather: see [`Odds::lapse`].
    pub(super) fn without_lease(
        seed: u64,
        (cluster, clusters): (usize, usize),
        clients: usize,
        mode: PathMode,
    ) -> World {
        let shape = MapShape::new(ByteCount(cluster as u64));
        let ground = Ground::at(0, BlockSize::B512, shape);
        let (map, supplier) = (Arc::new(TestMap::new(clusters)), Arc::new(TestSupplier::default()));
        let size = (cluster * clusters) as u64;
        let path = Arc::new(DataPath::new(ground, mode, size, map.clone(), supplier.clone()));
        let mut device = vec![0; cluster * (1 + usize::try_from(POOL).unwrap())];
        fill(&mut device, |_| SECRET);
        let client = |_| Client {
            operation: Operation::new(Request::FLUSH),
            buffer: Vec::new(),
            scratch: Vec::new(),
            flag: Arc::default(),
            start: 0,
            number: 0,
            result: Some(Ok(())),
        };
        World {
            path,
            map,
            supplier,
            stable: device.clone(),
            device,
            flights: Vec::new(),
            late: Vec::new(),
            clients: (0..clients).map(client).collect(),
            random: Random(seed),
            odds: Odds::default(),
            pool: (1..=POOL).rev().map(ClusterNumber).collect(),
            snapshots: Vec::new(),
            history: History::new(cluster * clusters / SECTOR),
            time: 1,
            cluster,
            clusters,
            submitted: Vec::new(),
            strike: None,
            writes: 0,
            is_pausing: false,
            held: 0,
            verbose: false,
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_zero(Duration::from_nanos(self.time))
    }

    /// Hands these clusters to the disk.
    pub(super) fn hand(&mut self, clusters: impl IntoIterator<Item = u64>) {
        let clusters: Vec<_> = clusters.into_iter().map(ClusterNumber).collect();
        self.pool.retain(|cluster| !clusters.contains(cluster));
        assert_eq!(self.path.refill(&clusters), clusters.len());
    }

    pub(super) fn begin(&mut self, client: usize, request: Request) {
        self.time += 1;
        let (time, number) = (self.time, self.clients.iter().map(|client| client.number).max().unwrap() + 1);
        let of = &mut self.clients[client];
        assert!(of.result.take().is_some(), "the client is busy");
        (of.start, of.number) = (time, number);
        of.operation = Operation::new(request);
        of.buffer = match request.kind {
            RequestKind::Read | RequestKind::Write { .. } => {
                vec![0; usize::try_from(request.length).unwrap()]
            }
            _ => Vec::new(),
        };
        let first = usize::try_from(request.offset).unwrap() / SECTOR;
        fill(&mut of.buffer, |sector| tag(number, first + sector));
        if request.kind == RequestKind::Read {
            fill(&mut of.buffer, |_| !SECRET);
        }
        for (sector, tag) in self.written(client) {
            self.history.begin(sector, tag, time);
        }
        if self.verbose {
            println!("{time}: client {client} begins {number:x} {request:?}");
        }
        self.drive(client);
    }

    /// The sectors that a client's request writes, with their tags.
    fn written(&self, client: usize) -> Vec<(usize, u64)> {
        let Client { operation, number, .. } = &self.clients[client];
        let Request { kind, offset, length } = *operation.request();
        if operation.request().end() > (self.cluster * self.clusters) as u64 {
            return Vec::new();
        }
        let sectors =
            usize::try_from(offset).unwrap() / SECTOR..usize::try_from(offset + length).unwrap() / SECTOR;
        match kind {
            RequestKind::Write { .. } => sectors.map(|sector| (sector, tag(*number, sector))).collect(),
            RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. } => {
                sectors.map(|sector| (sector, ZEROS)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Calls `next` until the operation has to wait.
    pub(super) fn drive(&mut self, client: usize) {
        for _ in 0..100_000 {
            let now = self.now();
            let of = &mut self.clients[client];
            if of.result.is_some() {
                return;
            }
            of.flag.0.store(false, Ordering::SeqCst);
            let waker = Waker::from(of.flag.clone());
            let next = of.operation.next(&self.path, now, &waker);
            let passage = self.path.passage(now);
            match next {
                Next::Submit(segments) => {
                    assert_eq!(passage, Passage::Open, "a lapsed host submits");
                    let segments = segments.to_vec();
                    self.submit(client, &segments);
                }
                Next::Done(result) => {
                    assert!(passage != Passage::Held, "a lapsed host gives out a result");
                    self.done(client, result);
                    return;
                }
                next @ (Next::Hold | Next::Wait(_)) => {
                    self.held += usize::from(next == Next::Hold);
                    if !of.flag.0.load(Ordering::SeqCst) {
                        return;
                    }
                }
            }
        }
        panic!("the operation of client {client} runs in a ring: {:?}", self.clients[client].operation);
    }

    fn submit(&mut self, client: usize, segments: &[Segment]) {
        let scratch = self.clients[client].operation.scratch_length() as usize;
        self.clients[client].scratch.resize(scratch, 0xEE);
        for (index, segment) in segments.iter().enumerate() {
            let length = usize::try_from(segment.length).unwrap();
            let of = &mut self.clients[client];
            match segment.action {
                Action::ClearMemory { into } => of.memory(into, length).fill(0),
                Action::CopyMemory { request_byte, scratch_byte } => {
                    let data = of.memory(Memory::Request(request_byte), length).to_vec();
                    of.memory(Memory::Scratch(scratch_byte), length).copy_from_slice(&data);
                }
                action => {
                    let data = match action {
                        Action::Write { from, .. } => of.memory(from, length).to_vec(),
                        _ => vec![0; length],
                    };
                    let left = (0..length / SECTOR).collect();
                    let (number, index) = (of.number, SegmentIndex(index));
                    let fate = self.fate(segment);
                    self.submitted.push(*segment);
                    self.flights.push(Flight { client, number, index, segment: *segment, data, left, fate });
                }
            }
        }
    }

    fn fate(&mut self, segment: &Segment) -> Result<(), IoError> {
        let Odds { full, unknown, medium, busy, .. } = self.odds;
        if segment.is_write() {
            self.writes += 1;
            if let Some((at, error)) = &self.strike
                && *at + 1 == self.writes
            {
                return Err(error.clone());
            }
        }
        match segment.is_write() {
            true if self.random.one_in(full) => Err(IoError::Refused(Refusal::Full)),
            true if self.random.one_in(unknown) => Err(IoError::Unknown(UnknownCause::TimedOut)),
            true if self.random.one_in(unknown) => Err(IoError::Unknown(UnknownCause::DeviceError)),
            false if segment.action != Action::Flush && self.random.one_in(medium) => Err(IoError::Medium),
            _ if self.random.one_in(busy) => Err(IoError::Refused(Refusal::Busy)),
            _ => Ok(()),
        }
    }

    /// Executes some of a flight, and answers it where it is through.
    pub(super) fn fly(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.random.below(self.flights.len());
        let stops = self.flights[at].fate.is_err() && self.random.one_in(3);
        for _ in 0..=self.random.below(24) {
            self.execute(at, false);
        }
        if !self.flights[at].left.is_empty() && !stops {
            return;
        }
        let flight = self.flights.swap_remove(at);
        self.answer(flight);
    }

    fn answer(&mut self, flight: Flight) {
        let Flight { client, index, segment, fate, .. } = &flight;
        let of = &mut self.clients[*client];
        assert_eq!(of.number, flight.number, "a segment outlives its operation");
        match (segment.action, fate) {
            (Action::Read { into, .. }, Ok(())) => {
                of.memory(into, flight.data.len()).copy_from_slice(&flight.data)
            }
            (Action::Flush, Ok(())) => self.stable.clone_from(&self.device),
            _ => {}
        }
        let (client, index, fate) = (*client, *index, fate.clone());
        self.clients[client].operation.answered(index, fate.clone());
        if fate.is_err_and(|error| error.may_still_land()) {
            self.late.push(flight);
        }
        self.drive(client);
    }

    /// One sector of a flight, in any order.
    fn execute(&mut self, at: usize, is_late: bool) {
        let flights = if is_late { &mut self.late } else { &mut self.flights };
        let flight = &mut flights[at];
        if flight.left.is_empty() {
            return;
        }
        let sector = flight.left.swap_remove(self.random.below(flight.left.len()));
        let part = sector * SECTOR..(sector + 1) * SECTOR;
        match flight.segment.action {
            Action::Read { from_byte, .. } => {
                let from = usize::try_from(from_byte).unwrap() + part.start;
                flight.data[part].copy_from_slice(&self.device[from..from + SECTOR]);
            }
            Action::Write { to_byte, .. } | Action::WriteZeroes { to_byte } => {
                let to = usize::try_from(to_byte).unwrap() + part.start;
                let cluster = ClusterNumber((to / self.cluster) as u64);
                assert!(!self.pool.contains(&cluster), "a write lands in cluster {cluster}, which is free");
                self.device[to..to + SECTOR].copy_from_slice(&flight.data[part]);
            }
            _ => {}
        }
    }

    fn done(&mut self, client: usize, result: Result<(), PathError>) {
        self.time += 1;
        let (time, written) = (self.time, self.written(client));
        let of = &mut self.clients[client];
        of.result = Some(result);
        let (start, request) = (of.start, *of.operation.request());
        if self.verbose {
            println!("{time}: client {client} ends {:x} {result:?}", of.number);
        }
        let under_way = self.clients.iter().filter(|client| client.result.is_none());
        let oldest = under_way.map(|client| client.start).min().unwrap_or(time).min(start);
        for (sector, tag) in written {
            self.history.end(sector, (tag, start), (result.is_err(), time, oldest));
        }
        if result.is_ok() && request.kind == RequestKind::Read {
            let tags = tags_of(&self.clients[client].buffer);
            self.check(&tags, usize::try_from(request.offset).unwrap() / SECTOR, (start, time), true);
        }
        if result.is_ok() && request.kind.is_durable() {
            self.check_durable(start);
        }
    }

    fn check(&mut self, tags: &[u64], first: usize, span: (u64, u64), is_read: bool) {
        for (sector, tag) in (first..).zip(tags) {
            assert!(*tag != SECRET, "sector {sector} shows what another left there");
            let may = self.history.may_read(sector, *tag, span);
            assert!(may, "sector {sector} reads {tag:x} in {span:?}, of {}", self.history.explain(sector));
            if is_read {
                self.history.saw(sector, *tag, span.1);
            }
        }
    }

    /// After a crash now, the disk has everything that was answered before `start`.
    fn check_durable(&mut self, start: u64) {
        let entries = self.map.state().durable_entries.clone();
        let tags = tags_of(&self.content(&entries, &self.stable));
        self.check(&tags, 0, (start, self.time), false);
    }

    fn content(&self, entries: &[LeafEntry], device: &[u8]) -> Vec<u8> {
        let shape = *self.path.ground().shape();
        let piece = usize::try_from(shape.piece_size().0).unwrap();
        let mut content = Vec::new();
        for entry in entries {
            for number in 0..shape.pieces() {
                match entry.source(number) {
                    None => content.resize(content.len() + piece, 0),
                    Some(cluster) => {
                        let at = usize::try_from(self.path.ground().byte_of(cluster)).unwrap();
                        let at = at + usize::try_from(number).unwrap() * piece;
                        content.extend_from_slice(&device[at..at + piece]);
                    }
                }
            }
        }
        content
    }

    /// Whatever happens in a world beside the clients' requests: once.
    pub(super) fn turn(&mut self) {
        self.time += 1;
        match self.random.below(16) {
            0..10 => self.fly(),
            10 | 11 => self.serve(),
            12 => self.free(),
            13 => self.weather(),
            14 if self.random.one_in(4) => self.commit(),
            _ => {
                self.land_late();
                self.close();
            }
        }
        self.drive_woken();
    }

    /// Whoever was woken goes on.
    pub(super) fn wake(&mut self) {
        self.drive_woken();
    }

    fn drive_woken(&mut self) {
        for client in 0..self.clients.len() {
            if self.clients[client].flag.0.load(Ordering::SeqCst) {
                self.drive(client);
            }
        }
        if self.is_pausing && self.path.operations() == 0 {
            self.snapshot();
        }
    }

    fn commit(&mut self) {
        self.stable.clone_from(&self.device);
        self.map.state().commit();
    }

    /// Answers one ticket of the engine.
    pub(super) fn serve(&mut self) {
        let asked = {
            let mut asked = self.supplier.asked.lock().unwrap();
            let count = asked.len();
            if count == 0 {
                return;
            }
            asked.swap_remove(self.random.below(count))
        };
        let (ticket, demand) = asked;
        let mut answer = Ok(());
        match demand {
            Demand::Leaf { index } | Demand::OwnLeaf { index } => {
                let leaf = usize::try_from(index).unwrap() / LEAF;
                let mut state = self.map.state();
                state.away.remove(&leaf);
                if matches!(demand, Demand::OwnLeaf { .. }) {
                    state.leaves[leaf] = Leaf::Own;
                }
            }
            Demand::Clusters { wanted } => {
                let count = self.random.below(wanted.min(12)) + 1;
                let from = self.pool.len().saturating_sub(count);
                let clusters: Vec<_> = self.pool.drain(from..).rev().collect();
                if clusters.is_empty() || self.random.one_in(self.odds.no_space) {
                    self.pool.extend(clusters.iter().rev());
                    answer = Err(PathError::NoSpace);
                } else {
                    assert_eq!(self.path.refill(&clusters), clusters.len());
                }
            }
            Demand::Commit => self.commit(),
            Demand::Note => self.map.state().note(),
            Demand::Room => self.map.state().no_room = false,
        }
        self.path.answer(ticket, answer);
    }

    /// Takes what the path gave up, and lets another write into it at once.
    pub(super) fn free(&mut self) {
        let mut free = Vec::new();
        self.path.take_free(&mut free);
        let mut named = self.map.state().named();
        let of_snapshots = self.snapshots.iter().flat_map(|(entries, _)| entries);
        named
            .extend(of_snapshots.flat_map(|entry| [entry.own, entry.below]).flatten().map(|one| one.cluster));
        for cluster in free {
            assert!(!named.contains(&cluster), "cluster {cluster} is free and still mapped");
            assert!(self.map.state().bits.remove(&cluster), "cluster {cluster} was never taken");
            self.pool.insert(0, cluster);
            let at = usize::try_from(self.path.ground().byte_of(cluster)).unwrap();
            for device in [&mut self.device, &mut self.stable] {
                fill(&mut device[at..at + self.cluster], |_| SECRET);
            }
        }
    }

    /// The device has not answered a client's request for too long: it is given up, and its writes land when they like.
    pub(super) fn give_up(&mut self, client: usize) {
        if self.clients[client].result.is_some() {
            return;
        }
        let (out, others): (Vec<_>, Vec<_>) =
            self.flights.drain(..).partition(|flight| flight.client == client);
        self.flights = others;
        self.late.extend(out.into_iter().filter(|flight| flight.segment.is_write()));
        self.clients[client].operation.give_up(&self.path);
        self.drive(client);
    }

    fn weather(&mut self) {
        let Odds { lapse, snapshot, evict, give_up, .. } = self.odds;
        if self.random.one_in(give_up) {
            let client = self.random.below(self.clients.len());
            self.give_up(client);
        }
        self.path.retry_full();
        if lapse > 0 && self.random.one_in(2) {
            let ahead = self.random.below(lapse) as u64;
            self.path.extend(Instant::from_zero(Duration::from_nanos(self.time + ahead)));
        }
        if self.random.one_in(snapshot) && self.snapshots.len() < 4 {
            self.path.pause();
            self.is_pausing = true;
        }
        if self.random.one_in(evict) {
            let leaf = self.random.below(self.clusters.div_ceil(LEAF));
            self.map.state().away.insert(leaf);
        }
    }

    /// Nothing is under way. Where what failed may still land nothing is frozen: it would change afterwards.
    fn snapshot(&mut self) {
        self.is_pausing = false;
        if self.path.quarantines().is_empty() {
            let frozen = self.map.state().disown();
            self.stable.clone_from(&self.device);
            self.snapshots.push((frozen.clone(), self.content(&frozen, &self.device)));
        }
        self.path.unpause();
        self.drive_woken();
    }

    fn land_late(&mut self) {
        if self.late.is_empty() {
            return;
        }
        let at = self.random.below(self.late.len());
        for _ in 0..8 {
            self.execute(at, true);
        }
        if self.late[at].left.is_empty() {
            self.late.swap_remove(at);
        }
    }

    /// Closes quarantines once nothing can land any more.
    fn close(&mut self) {
        if !self.late.is_empty() {
            return;
        }
        let quarantines = std::mem::take(&mut *self.supplier.quarantines.lock().unwrap());
        quarantines.into_iter().for_each(|quarantine| self.path.close(quarantine));
        let under_way = self.clients.iter().any(|client| client.result.is_none());
        if !under_way && self.path.quarantines().is_empty() {
            self.history.settle(self.time);
        }
    }

    /// Turns until all clients are through.
    pub(super) fn drain(&mut self) {
        self.path.extend(Instant::from_zero(Duration::from_secs(1 << 40)));
        for _ in 0..1_000_000 {
            if self.clients.iter().all(|client| client.result.is_some())
                && self.late.is_empty()
                && self.path.quarantines().is_empty()
            {
                return;
            }
            self.turn();
        }
        let stuck = self.clients.iter().filter(|client| client.result.is_none());
        panic!("stuck for ever: {:?}", stuck.map(|client| &client.operation).collect::<Vec<_>>());
    }

    pub(super) fn run(&mut self, request: Request) -> Result<(), PathError> {
        self.begin(0, request);
        self.drain();
        self.clients[0].result.unwrap()
    }

    /// Every sector reads as it must.
    pub(super) fn check_at_rest_contents(&mut self) {
        self.history.settle(self.time);
        self.time += 1;
        let mut offset = 0;
        while offset < self.path.size() {
            let length = (self.path.size() - offset).min(DATA_LENGTH_MAX);
            self.run(Request { kind: RequestKind::Read, offset, length }).unwrap();
            offset += length;
        }
    }

    /// All is as it must be once nobody works any more: contents, snapshots, and each cluster in one place.
    pub(super) fn check_at_rest(&mut self) {
        self.odds = Odds::default();
        self.drain();
        self.close();
        self.check_at_rest_contents();
        for (entries, content) in std::mem::take(&mut self.snapshots) {
            let now = self.content(&entries, &self.device);
            assert!(content == now, "a snapshot changed");
            self.snapshots.push((entries, content));
        }
        self.commit();
        for _ in 0..8 {
            self.free();
        }
        let mut in_hand = Vec::new();
        assert_eq!(self.path.recall(None, &mut in_hand), 0, "nothing is in the making");
        assert_eq!(self.path.waiting_to_be_free(), 0, "all that was given up came free");
        let free: BTreeSet<_> = self.pool.iter().chain(&in_hand).copied().collect();
        assert_eq!(free.len(), self.pool.len() + in_hand.len(), "no cluster is free twice");
        let state = self.map.state();
        assert!(free.is_disjoint(&state.bits), "no cluster is free and taken");
        assert_eq!((free.len() + state.bits.len()) as u64, POOL, "no cluster is lost");
        let owned = state.entries.iter().filter(|entry| entry.owned).filter_map(|entry| entry.own);
        let owned: Vec<_> = owned.map(|own| own.cluster).collect();
        assert_eq!(owned.iter().collect::<BTreeSet<_>>().len(), owned.len(), "each is owned once");
        assert!(owned.iter().all(|cluster| state.bits.contains(cluster)));
    }
}

impl Client {
    fn memory(&mut self, memory: Memory, length: usize) -> &mut [u8] {
        match memory {
            Memory::Request(at) => &mut self.buffer[usize::try_from(at).unwrap()..][..length],
            Memory::Scratch(at) => &mut self.scratch[at as usize..][..length],
        }
    }
}

fn tag(number: u64, sector: usize) -> u64 {
    number << 32 | sector as u64 | 1 << 31
}

fn fill(bytes: &mut [u8], tag: impl Fn(usize) -> u64) {
    for (sector, bytes) in bytes.chunks_mut(SECTOR).enumerate() {
        bytes.chunks_mut(8).for_each(|word| word.copy_from_slice(&tag(sector).to_le_bytes()));
    }
}

/// The tag of each sector.
fn tags_of(bytes: &[u8]) -> Vec<u64> {
    let word = |word: &[u8]| u64::from_le_bytes(word.try_into().unwrap());
    let of_sector = |sector: &[u8]| {
        let tag = word(&sector[..8]);
        assert!(sector.chunks(8).all(|other| word(other) == tag), "a sector is torn");
        tag
    };
    bytes.chunks(SECTOR).map(of_sector).collect()
}
