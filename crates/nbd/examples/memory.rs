//! A server of one disk in memory, on `std` alone: how the state machines are driven. `memory tcp:127.0.0.1:10809` or
//! `memory unix:/tmp/nbd.sock`, and then `qemu-io -f raw nbd+unix:///disk?socket=/tmp/nbd.sock`.
//!
//! One connection after the other, each by one loop: read what the socket has, answer all requests found, write once.

use std::io::{Error, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use oarlock_nbd::server::{Incoming, Negotiation, Next, Replies, Requests, Rules, Session, TlsPolicy};
use oarlock_nbd::{Allocation, BlockSizes, Command, Errno, Export, Extent, Request, TransmissionFlags};

const SIZE: u32 = 64 << 20;
const READ_AT_ONCE: usize = 256 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = std::env::args().nth(1).unwrap_or_default();
    let mut disk = vec![0; SIZE as usize];
    if let Some(address) = place.strip_prefix("tcp:") {
        for client in TcpListener::bind(address)?.incoming() {
            report(serve(&mut client?, &mut disk));
        }
    } else if let Some(path) = place.strip_prefix("unix:") {
        for client in UnixListener::bind(path)?.incoming() {
            report(serve(&mut client?, &mut disk));
        }
    } else {
        eprintln!("memory tcp:HOST:PORT or unix:PATH");
    }
    Ok(())
}

fn report(served: Result<(), Box<dyn std::error::Error>>) {
    if let Err(error) = served {
        eprintln!("a connection ended: {error}");
    }
}

fn serve<S: Read + Write>(client: &mut S, disk: &mut [u8]) -> Result<(), Box<dyn std::error::Error>> {
    let offered = Export::FEATURES
        .without(TransmissionFlags::READ_ONLY)
        .without(TransmissionFlags::ROTATIONAL)
        .without(TransmissionFlags::CAN_MULTI_CONN);
    let export = Export::new("disk", u64::from(SIZE), BlockSizes::new(512, 4096, 32 << 20)?, offered)?;
    let exports = [export.described("64 MiB of memory")?];
    let mut input = Vec::new();
    let Some(session) = negotiate(client, &exports, &mut input)? else { return Ok(()) };
    transmit(client, &session, disk, input)
}

fn negotiate<S: Read + Write>(
    client: &mut S,
    exports: &[Export],
    input: &mut Vec<u8>,
) -> Result<Option<Session>, Box<dyn std::error::Error>> {
    let mut negotiation = Negotiation::new(TlsPolicy::None);
    loop {
        let step = negotiation.handle(exports, input)?;
        input.drain(..step.used);
        let answered = negotiation.output().len();
        client.write_all(negotiation.output())?;
        negotiation.output_sent(answered);
        match step.next {
            Next::Transmission(session) => return Ok(Some(*session)),
            Next::Close | Next::Tls => return Ok(None),
            Next::Bytes if answered > 0 => {}
            Next::Bytes if read_more(client, input)? == 0 => return Ok(None),
            Next::Bytes => {}
        }
    }
}

fn read_more<S: Read>(client: &mut S, input: &mut Vec<u8>) -> Result<usize, Error> {
    let start = input.len();
    input.resize(start + READ_AT_ONCE, 0);
    let read = client.read(&mut input[start..])?;
    input.truncate(start + read);
    Ok(read)
}

fn transmit<S: Read + Write>(
    client: &mut S,
    session: &Session,
    disk: &mut [u8],
    mut input: Vec<u8>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (mut requests, replies) = (Requests::new(Rules::new(session)), Replies::new(session.structured));
    let mut output = Vec::new();
    loop {
        let mut used = 0;
        loop {
            let parsed = requests.next(&input[used..])?;
            used += parsed.used;
            match parsed.incoming {
                Incoming::Request(request) if request.command == Command::WRITE => {
                    // What is here already, and the rest straight from the socket to its place.
                    let place = range(&request);
                    let here = requests.take_payload(&input[used..]);
                    used += here.len();
                    let (front, rest) = disk[place].split_at_mut(here.len());
                    front.copy_from_slice(here);
                    client.read_exact(rest)?;
                    requests.payload_received(rest.len());
                    replies.done(&request, &mut output);
                }
                Incoming::Request(request) => carry_out(&request, replies, disk, &mut output),
                Incoming::Refused { request, error } => {
                    replies.failed(&request, error, "refused by the rules of the export", &mut output);
                }
                Incoming::Disconnect => return Ok(client.write_all(&output)?),
                Incoming::More { .. } => break,
            }
        }
        client.write_all(&output)?;
        output.clear();
        input.drain(..used);
        if read_more(client, &mut input)? == 0 {
            return Ok(());
        }
    }
}

fn carry_out(request: &Request, replies: Replies, disk: &mut [u8], output: &mut Vec<u8>) {
    match request.command {
        Command::READ => {
            let header = replies.data(request, request.offset, request.length, true);
            output.extend(header.as_bytes());
            output.extend(&disk[range(request)]);
        }
        Command::WRITE_ZEROES | Command::TRIM => {
            disk[range(request)].fill(0);
            replies.done(request, output);
        }
        Command::BLOCK_STATUS => {
            let blocks = disk[range(request)].chunks(512).map(|block| {
                let zero = block.iter().all(|&byte| byte == 0);
                let status = if zero { Allocation::ZERO } else { Allocation::NONE };
                Extent { length: 512, status }
            });
            replies.status(request, blocks, output);
        }
        Command::FLUSH | Command::CACHE => replies.done(request, output),
        _ => replies.failed(request, Errno::EINVAL, "not known here", output),
    }
}

fn range(request: &Request) -> std::ops::Range<usize> {
    let start = usize::try_from(request.offset).unwrap_or(usize::MAX);
    start..start + request.length as usize
}
