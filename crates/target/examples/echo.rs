//! A bare TCP request and its reply, for docs/BENCHMARKS.md: what no target's latency at queue 1 can be below; and with a file, what goes through a
//! socket to it or from it at all.
//!
//! ```text
//! echo serve ADDRESS:PORT [FILE]
//! echo ask ADDRESS:PORT REQUEST_BYTES REPLY_BYTES SECONDS [DEPTH]
//! ```
//!
//! A request begins with its length and its reply's, four bytes each. With a FILE, what stands behind the first 48 bytes (a header of iSCSI's) is written to it,
//! or read from it, one piece behind the other. The client prints one line of JSON, as `load` does; with a DEPTH it has so many requests under way.

use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Trouble = Box<dyn Error>;

/// Both lengths, in front of a request.
const HEAD: usize = 8;

/// What stands in front of data.
const HEADER: usize = 48;

/// What is read before it is known how much more there is of a request.
const FIRST_READ: usize = 8 << 10;

/// The longest request or reply.
const LENGTH_MAX: usize = 2 << 20;

fn main() -> Result<(), Trouble> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let time = |seconds: &str| Ok::<_, Trouble>(Duration::from_secs(seconds.parse()?));
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => serve(&TcpListener::bind(*address)?, None),
        ["serve", address, file] => {
            let file = File::options().read(true).write(true).open(file)?;
            serve(&TcpListener::bind(*address)?, Some(&file))
        }
        ["ask", address, request, reply, seconds] => {
            ask(address, (request.parse()?, reply.parse()?), time(seconds)?)
        }
        ["ask", address, request, reply, seconds, depth] => {
            ask_ahead(address, (request.parse()?, reply.parse()?), time(seconds)?, depth.parse()?)
        }
        _ => Err("usage: echo serve ADDRESS:PORT [FILE] | echo ask ADDRESS:PORT REQUEST_BYTES REPLY_BYTES SECONDS [DEPTH]".into()),
    }
}

fn serve(listener: &TcpListener, file: Option<&File>) -> Result<(), Trouble> {
    loop {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        // A client that goes away ends its own turn alone.
        let _ = answer(socket, file);
    }
}

fn answer(mut socket: TcpStream, file: Option<&File>) -> Result<(), Trouble> {
    let mut buffer = vec![0; LENGTH_MAX + FIRST_READ];
    let (mut filled, mut place) = (0, 0);
    loop {
        let known = buffer[..filled].first_chunk::<HEAD>().map(|head| lengths(*head));
        let Some((request, reply)) = known.filter(|(request, _)| *request <= filled) else {
            let end = known.map_or(FIRST_READ, |(request, _)| request);
            let room = buffer.get_mut(filled..end.max(filled + 1)).ok_or("a request that is too long")?;
            let got = socket.read(room)?;
            if got == 0 {
                return Ok(());
            }
            filled += got;
            continue;
        };
        if !(HEAD..=LENGTH_MAX).contains(&request) || reply > LENGTH_MAX {
            return Err("a request that is none".into());
        }
        if let Some(file) = file {
            place = pass(file, place, (&buffer[HEADER.min(request)..request], reply.saturating_sub(HEADER)))?;
        }
        let behind = buffer[request..filled].to_vec();
        if let (Some(file), true) = (file, reply > HEADER) {
            file.read_exact_at(&mut buffer[HEADER..reply], place)?;
        }
        socket.write_all(&buffer[..reply])?;
        buffer[..behind.len()].copy_from_slice(&behind);
        filled = behind.len();
    }
}

/// Writes the data of a request, and tells where those of the next request or of this one's reply are: it begins anew at the file's end.
fn pass(file: &File, place: u64, (data, read): (&[u8], usize)) -> Result<u64, Trouble> {
    let step = data.len().max(read) as u64;
    let end = file.metadata()?.len();
    let place = if place + 2 * step > end { 0 } else { place + step };
    file.write_all_at(data, place)?;
    Ok(place)
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

/// The same with so many requests under way: one thread sends, another counts the replies.
fn ask_ahead(
    address: &str,
    (request, reply): (usize, usize),
    time: Duration,
    depth: usize,
) -> Result<(), Trouble> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut sender = socket.try_clone()?;
    let mut sent = vec![0; request.max(HEAD)];
    sent[..4].copy_from_slice(&u32::try_from(request)?.to_be_bytes());
    sent[4..HEAD].copy_from_slice(&u32::try_from(reply)?.to_be_bytes());
    let (turns, next) = mpsc::channel::<()>();
    (0..depth).try_for_each(|_| turns.send(()))?;
    // It ends when nobody gives it a turn, or nobody takes what it sends.
    std::thread::spawn(move || while next.recv().is_ok() && sender.write_all(&sent).is_ok() {});
    let (mut received, mut count, began) = (vec![0; reply], 0_u64, Instant::now());
    while began.elapsed() < time {
        socket.read_exact(&mut received)?;
        count += 1;
        turns.send(())?;
    }
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    println!("{{\"kind\":\"bare\",\"per_second\":{per_second:.0},\"false\":0,\"p50_us\":0}}");
    Ok(())
}
