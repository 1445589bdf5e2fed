//! A bare TCP request and its reply, for docs/BENCHMARKS.md: what no target's latency at queue 1 can be below.
//!
//! ```text
//! echo serve ADDRESS:PORT
//! echo ask ADDRESS:PORT REQUEST_BYTES REPLY_BYTES SECONDS
//! ```
//!
//! A request begins with its length and its reply's, four bytes each. The client prints one line of JSON, as `load` does.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

type Trouble = Box<dyn Error>;

/// Both lengths, in front of a request.
const HEAD: usize = 8;

fn main() -> Result<(), Trouble> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => serve(&TcpListener::bind(*address)?),
        ["ask", address, request, reply, seconds] => {
            ask(address, (request.parse()?, reply.parse()?), Duration::from_secs(seconds.parse()?))
        }
        _ => {
            Err("usage: echo serve ADDRESS:PORT | echo ask ADDRESS:PORT REQUEST_BYTES REPLY_BYTES SECONDS"
                .into())
        }
    }
}

fn serve(listener: &TcpListener) -> Result<(), Trouble> {
    loop {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        // A client that goes away ends its own turn alone.
        let _ = answer(socket);
    }
}

fn answer(mut socket: TcpStream) -> Result<(), Trouble> {
    let mut buffer = vec![0; 2 << 20];
    loop {
        let mut filled = 0;
        let (request, reply) = loop {
            let got = socket.read(&mut buffer[filled..])?;
            if got == 0 {
                return Ok(());
            }
            filled += got;
            let lengths = buffer[..filled].first_chunk::<HEAD>().map(|head| lengths(*head));
            if let Some((request, reply)) = lengths.filter(|(request, _)| *request <= filled) {
                break (request, reply);
            }
        };
        if request != filled || reply > buffer.len() {
            return Err("a request that is none".into());
        }
        socket.write_all(&buffer[..reply])?;
    }
}

fn lengths(head: [u8; HEAD]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = head.map(usize::from);
    (a << 24 | b << 16 | c << 8 | d, e << 24 | f << 16 | g << 8 | h)
}

fn ask(address: &str, (request, reply): (usize, usize), time: Duration) -> Result<(), Trouble> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut sent = vec![0; request.max(HEAD)];
    sent[..4].copy_from_slice(&u32::try_from(request)?.to_be_bytes());
    sent[4..HEAD].copy_from_slice(&u32::try_from(reply)?.to_be_bytes());
    let (mut received, mut latencies) = (vec![0; reply], Vec::with_capacity(1 << 20));
    let began = Instant::now();
    while began.elapsed() < time {
        let asked = Instant::now();
        socket.write_all(&sent)?;
        socket.read_exact(&mut received)?;
        latencies.push(asked.elapsed().as_nanos());
    }
    let per_second = latencies.len() as f64 / began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let p50_us = latencies[latencies.len() / 2] as f64 / 1000.0;
    println!("{{\"kind\":\"bare\",\"per_second\":{per_second:.0},\"false\":0,\"p50_us\":{p50_us:.1}}}");
    Ok(())
}
