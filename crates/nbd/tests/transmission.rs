//! Both ends in transmission: random requests, answered out of order and in pieces, over buffers that are cut anywhere, against a model.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests fail as tests do.

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use common::{Chance, Server, contexts, cookie, export};
use oarlock_nbd::client::{self, Reply};
use oarlock_nbd::server::{self, Incoming, Requests, Rules, TlsPolicy};
use oarlock_nbd::{Allocation, Command, CommandFlags, Cookie, Errno, Extent, OptionCode, Request};

const SIZE: usize = 64 << 10;
const BLOCK: u32 = 512;

/// A server of memory that answers reads in pieces and requests out of order, as chance has it.
struct Disk {
    requests: Requests,
    replies: server::Replies,
    bytes: Vec<u8>,
    /// A write whose payload comes, and where its next byte belongs.
    writing: Option<(Request, usize)>,
    /// Requests that were taken and not answered.
    open: Vec<Request>,
}

impl Disk {
    fn take(&mut self, input: &mut Vec<u8>, output: &mut VecDeque<u8>) {
        loop {
            if let Some((request, at)) = self.writing.take() {
                let payload = self.requests.take_payload(input);
                let (length, end) = (payload.len(), at + payload.len());
                self.bytes[at..end].copy_from_slice(payload);
                input.drain(..length);
                if self.requests.payload_left() > 0 {
                    self.writing = Some((request, end));
                    return;
                }
                self.open.push(request);
            }
            let parsed = self.requests.next(input).unwrap();
            input.drain(..parsed.used);
            match parsed.incoming {
                Incoming::Request(request) if request.command == Command::WRITE => {
                    self.writing = Some((request, range(&request).start));
                }
                Incoming::Request(request) => self.open.push(request),
                Incoming::Refused { request, error } => {
                    let mut refusal = Vec::new();
                    self.replies.failed(&request, error, "beyond", &mut refusal);
                    output.extend(refusal);
                }
                Incoming::More { .. } => return,
                Incoming::Disconnect => panic!("nobody said goodbye"),
            }
        }
    }

    fn answer_one(&mut self, chance: &mut Chance) -> Vec<u8> {
        let mut output = Vec::new();
        if self.open.is_empty() {
            return output;
        }
        let request = self.open.swap_remove(chance.index(self.open.len()));
        match request.command {
            Command::READ if chance.below(10) == 0 => {
                self.replies.failed_at(&request, Errno::EIO, request.offset, "a bad place", &mut output);
            }
            Command::READ => self.answer_read(&request, chance, &mut output),
            Command::BLOCK_STATUS => {
                let extents = self.bytes[range(&request)].chunks(512).map(|block| {
                    let zero = block.iter().all(|&byte| byte == 0);
                    Extent { length: BLOCK, status: if zero { Allocation::ZERO } else { Allocation::NONE } }
                });
                self.replies.status(&request, extents, &mut output);
            }
            command => {
                if command == Command::WRITE_ZEROES {
                    self.bytes[range(&request)].fill(0);
                }
                self.replies.done(&request, &mut output);
            }
        }
        output
    }

    fn answer_read(&self, request: &Request, chance: &mut Chance, output: &mut Vec<u8>) {
        let whole = !self.replies.is_structured() || request.flags.has(CommandFlags::DF);
        if whole || chance.below(2) == 0 {
            output.extend(self.replies.data(request, request.offset, request.length, true).as_bytes());
            output.extend(&self.bytes[range(request)]);
            return;
        }
        let mut blocks: Vec<u32> = (0..request.length / BLOCK).collect();
        while !blocks.is_empty() {
            let block = blocks.swap_remove(chance.index(blocks.len()));
            let offset = request.offset + u64::from(block * BLOCK);
            let data = &self.bytes[range(&Request::new(Command::READ, request.cookie, offset, BLOCK))];
            if data.iter().all(|&byte| byte == 0) {
                self.replies.hole(request, offset, BLOCK, false, output);
            } else {
                output.extend(self.replies.data(request, offset, BLOCK, false).as_bytes());
                output.extend(data);
            }
        }
        self.replies.done(request, output);
    }
}

fn range(request: &Request) -> Range<usize> {
    let start = usize::try_from(request.offset).unwrap();
    start..start + request.length as usize
}

/// A client with a model of the disk. Requests that are under way together do not overlap, so each answer is known beforehand.
struct Client {
    replies: client::Replies,
    structured: bool,
    model: Vec<u8>,
    /// Each request under way, and what its read has brought.
    under_way: BTreeMap<Cookie, (Request, Vec<u8>)>,
    /// Data that come: whose, and where the next byte belongs.
    reading: Option<(Cookie, usize)>,
    succeeded: usize,
}

impl Client {
    fn draw(&self, chance: &mut Chance, number: u64) -> Option<Request> {
        let commands =
            [Command::READ, Command::WRITE, Command::WRITE_ZEROES, Command::FLUSH, Command::BLOCK_STATUS];
        let command = commands[chance.index(if self.structured { 5 } else { 4 })];
        let blocks = 1 + chance.below(8);
        let offset = u64::from(BLOCK) * chance.below(SIZE as u64 / u64::from(BLOCK));
        let length = u32::try_from(blocks).unwrap() * BLOCK;
        let fragile = self.structured && command == Command::READ && chance.below(2) == 0;
        let flags = if fragile { CommandFlags::DF } else { CommandFlags::NONE };
        let request = match command {
            Command::FLUSH => Request::new(command, cookie(number), 0, 0),
            _ => Request::new(command, cookie(number), offset, length).with(flags),
        };
        let (here, overlaps) = (range(&request), |there: Range<usize>, here: &Range<usize>| {
            there.start < here.end && here.start < there.end
        });
        let free = !self.under_way.values().any(|(other, _)| overlaps(range(other), &here));
        free.then_some(request)
    }

    fn send(&mut self, chance: &mut Chance, number: u64) -> Vec<u8> {
        let Some(request) = self.draw(chance, number) else { return Vec::new() };
        self.replies.expect(&request).unwrap();
        let mut bytes = request.encode().to_vec();
        let beyond = range(&request).end > SIZE;
        if request.command == Command::WRITE {
            let data = chance.bytes(request.length as usize);
            bytes.extend(&data);
            if !beyond {
                self.model[range(&request)].copy_from_slice(&data);
            }
        }
        if request.command == Command::WRITE_ZEROES && !beyond {
            self.model[range(&request)].fill(0);
        }
        self.under_way.insert(request.cookie, (request, vec![0xEE; request.length as usize]));
        bytes
    }

    fn take(&mut self, input: &mut Vec<u8>) {
        loop {
            if let Some((cookie, at)) = self.reading.take() {
                let data = self.replies.take_payload(input);
                let end = at + data.len();
                self.under_way.get_mut(&cookie).unwrap().1[at..end].copy_from_slice(data);
                let length = data.len();
                input.drain(..length);
                if self.replies.payload_left() > 0 {
                    self.reading = Some((cookie, end));
                    return;
                }
            }
            let parsed = self.replies.next(input).unwrap();
            input.drain(..parsed.used);
            match parsed.reply {
                Reply::More { .. } => return,
                Reply::Data { cookie, offset, .. } => {
                    self.reading = Some((cookie, self.place(cookie, offset)))
                }
                Reply::Hole { cookie, offset, length } => {
                    let at = self.place(cookie, offset);
                    self.under_way.get_mut(&cookie).unwrap().1[at..at + length as usize].fill(0);
                }
                Reply::Status { cookie, extents, .. } => self.check_status(cookie, &extents),
                Reply::Failed { message, .. } => {
                    assert!(["a bad place", "beyond"].contains(&message.as_str()))
                }
                Reply::Done { cookie, result } => self.finish(cookie, result),
            }
        }
    }

    fn place(&self, cookie: Cookie, offset: u64) -> usize {
        usize::try_from(offset - self.under_way[&cookie].0.offset).unwrap()
    }

    fn check_status(&self, cookie: Cookie, extents: &[Extent]) {
        let mut at = range(&self.under_way[&cookie].0).start;
        for extent in extents {
            let end = at + extent.length as usize;
            for block in self.model[at..end].chunks(512) {
                assert_eq!(block.iter().all(|&byte| byte == 0), extent.status == Allocation::ZERO);
            }
            at = end;
        }
        assert_eq!(at, range(&self.under_way[&cookie].0).end);
    }

    fn finish(&mut self, cookie: Cookie, result: Result<(), Errno>) {
        let (request, data) = self.under_way.remove(&cookie).unwrap();
        let writes = [Command::WRITE, Command::WRITE_ZEROES].contains(&request.command);
        let beyond = range(&request).end > SIZE;
        match result {
            Ok(()) => {
                assert!(!beyond, "{request:?} was carried out");
                let is_read = request.command == Command::READ;
                assert!(!is_read || data == self.model[range(&request)], "{request:?} brought other data");
                self.succeeded += 1;
            }
            Err(Errno::ENOSPC) => assert!(beyond && writes, "{request:?}"),
            Err(Errno::EINVAL) => assert!(beyond && !writes, "{request:?}"),
            Err(error) => assert!(error == Errno::EIO && request.command == Command::READ, "{request:?}"),
        }
    }
}

fn pair(structured: bool) -> (Disk, Client) {
    let mut server = Server::new(TlsPolicy::None);
    server.exports = vec![export("disk", SIZE as u64)];
    if structured {
        server.last(OptionCode::STRUCTURED_REPLY, &[]);
        server.last(OptionCode::SET_META_CONTEXT, &contexts("disk", &["base:allocation"]));
    }
    let session = server.go("disk");
    let agreed = client::Session {
        size_bytes: SIZE as u64,
        flags: session.flags,
        block_sizes: None,
        name: None,
        description: None,
        structured,
        contexts: if structured { vec![(1, "base:allocation".to_owned())] } else { Vec::new() },
    };
    let disk = Disk {
        requests: Requests::new(Rules::new(&session)),
        replies: server::Replies::new(structured),
        bytes: vec![0; SIZE],
        writing: None,
        open: Vec::new(),
    };
    let replies = client::Replies::new(&agreed);
    let (model, under_way) = (vec![0; SIZE], BTreeMap::new());
    (disk, Client { replies, structured, model, under_way, reading: None, succeeded: 0 })
}

/// Runs one seed; `step` is the most bytes that are carried at once.
fn run(seed: u64, structured: bool, step: u64) {
    let mut chance = Chance(seed);
    let (mut disk, mut client) = pair(structured);
    let (mut up, mut down) = (VecDeque::new(), VecDeque::new());
    let (mut at_server, mut at_client) = (Vec::new(), Vec::new());
    let mut rounds = 0;
    while rounds < 300 || !client.under_way.is_empty() {
        if rounds < 300 {
            up.extend(client.send(&mut chance, rounds));
        }
        rounds += 1;
        assert!(rounds < 1_000_000, "seed {seed} does not end");
        for (from, to) in [(&mut up, &mut at_server), (&mut down, &mut at_client)] {
            let cut = chance.index(from.len() + 1).min(usize::try_from(step).unwrap());
            to.extend(from.drain(..cut));
        }
        disk.take(&mut at_server, &mut down);
        if chance.below(2) == 0 {
            down.extend(disk.answer_one(&mut chance));
        }
        client.take(&mut at_client);
    }
    assert!(up.is_empty() && down.is_empty() && at_server.is_empty() && at_client.is_empty());
    assert_eq!(client.replies.in_flight(), 0);
    assert!(disk.bytes == client.model, "seed {seed}: the disk is not what was written");
    assert!(client.succeeded > 50, "seed {seed} did next to nothing: {}", client.succeeded);
}

#[test]
fn with_structured_replies_every_read_brings_what_was_written() {
    (0..60).for_each(|seed| run(seed, true, 100_000));
}

#[test]
fn with_simple_replies_every_read_brings_what_was_written() {
    (0..60).for_each(|seed| run(seed, false, 100_000));
}

#[test]
fn bytes_that_trickle_make_no_difference() {
    for seed in 0..4 {
        run(seed, seed % 2 == 0, 7);
    }
}
