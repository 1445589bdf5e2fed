//! A client that loads any iSCSI target, for docs/BENCHMARKS.md: reads, writes or ATS of one size at one depth, over some sessions.
//!
//! ```text
//! load ADDRESS:PORT IQN LUN read|write|ats|ats-one|read-run|write-run|idle BYTES DEPTH SESSIONS SECONDS
//! ```
//!
//! One thread for each session, blocking reads of a big buffer, one write for all that is sent at once. `ats` increments no counter: each
//! session swaps blocks of its own between two images, or all sessions one block where `ats-one` is asked for; a false answer is
//! followed by a read of what is there. `idle` sessions log in, wait, and read once at the end. Prints one line of JSON.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use oarlock_scsi::iscsi::{
    CmdSn, ConnectionId, DataIn, DataOut, DataSn, Header, LoginRequest, LoginResponse, Opcode,
    ReadyToTransfer, ScsiCommand, ScsiResponse, SessionHandle, SessionId, Stage, StatSn, TaskAttribute,
    TaskTag, padded, text,
};

const BLOCK: u64 = 512;

/// The data of one PDU, and what goes unasked; the rest of a write is sent when it is asked for.
const SEGMENT: usize = 256 << 10;

type Trouble = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct Plan {
    address: String,
    target: String,
    lun: u8,
    kind: String,
    bytes: usize,
    depth: usize,
    seconds: u64,
}

fn main() -> Result<(), Trouble> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, target, lun, kind, bytes, depth, sessions, seconds] = &arguments[..] else {
        return Err("usage: load ADDRESS:PORT IQN LUN read|write|ats|ats-one|read-run|write-run|idle BYTES DEPTH SESSIONS SECONDS".into());
    };
    let plan = Plan {
        address: address.clone(),
        target: target.clone(),
        lun: lun.parse()?,
        kind: kind.clone(),
        bytes: bytes.parse()?,
        depth: depth.parse()?,
        seconds: seconds.parse()?,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let sessions: u8 = sessions.parse()?;
    let began = Instant::now();
    let threads: Vec<_> = (0..sessions)
        .map(|number| {
            let (plan, stop) = (plan.clone(), Arc::clone(&stop));
            std::thread::spawn(move || Session::open(&plan, number)?.run(&stop))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(plan.seconds));
    stop.store(true, Ordering::Relaxed);
    let (mut count, mut wrong, mut latencies) = (0, 0, Vec::new());
    for thread in threads {
        let (done, false_answers, mut took) = thread.join().map_err(|_| "a session panicked")??;
        count += done;
        wrong += false_answers;
        latencies.append(&mut took);
    }
    latencies.sort_unstable();
    let percentile = |part: usize| latencies.get(latencies.len() * part / 1000).copied().unwrap_or(0);
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{{\"kind\":\"{}\",\"per_second\":{:.0},\"false\":{wrong},\"p50_us\":{},\"p99_us\":{},\"mb_per_second\":{:.0}}}",
        plan.kind,
        count as f64 / seconds,
        percentile(500),
        percentile(990),
        count as f64 * plan.bytes as f64 / seconds / 1e6
    );
    Ok(())
}

struct Session {
    plan: Plan,
    number: u8,
    socket: TcpStream,
    cmd_sn: CmdSn,
    stat_sn: StatSn,
    blocks: u64,
    random: u64,
    input: Vec<u8>,
    output: Vec<u8>,
    begun: Vec<Instant>,
    images: Vec<u8>,
    /// ATS: the image that each slot's block holds, as far as this session knows.
    held: Vec<u8>,
    is_looking: Vec<bool>,
    done: u64,
    wrong: u64,
    latencies: Vec<u32>,
}

impl Session {
    fn open(plan: &Plan, number: u8) -> Result<Session, Trouble> {
        let socket = TcpStream::connect(&plan.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut session = Session {
            plan: plan.clone(),
            number,
            socket,
            cmd_sn: CmdSn(1),
            stat_sn: StatSn(0),
            blocks: 0,
            random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(number) << 32,
            input: Vec::new(),
            output: Vec::new(),
            begun: vec![Instant::now(); plan.depth],
            images: vec![0; plan.bytes.max(512)],
            held: vec![0; plan.depth],
            is_looking: vec![false; plan.depth],
            done: 0,
            wrong: 0,
            latencies: Vec::with_capacity(1 << 20),
        };
        session.login()?;
        // Attentions that wait for a new nexus are told to whatever comes first.
        for _ in 0..4 {
            session.simple(&[0; 6], 0)?;
        }
        let capacity = session.simple(&[0x25], 8)?;
        let last = capacity.first_chunk::<4>().ok_or("READ CAPACITY gave too little")?;
        session.blocks = u64::from(u32::from_be_bytes(*last)) + 1;
        if plan.kind.starts_with("ats") {
            session.zero()?;
        }
        Ok(session)
    }

    fn login(&mut self) -> Result<(), Trouble> {
        let mut keys = Vec::new();
        text::put(&mut keys, "InitiatorName", &format!("iqn.2026-11.example:load{}", self.number));
        text::put(&mut keys, "TargetName", &self.plan.target);
        text::put(&mut keys, "SessionType", "Normal");
        text::put(&mut keys, "AuthMethod", "None");
        self.send_login(Stage::Security, Stage::Operational, &keys)?;
        let mut keys = Vec::new();
        for (key, value) in [
            ("HeaderDigest", "None"),
            ("DataDigest", "None"),
            ("InitialR2T", "No"),
            ("ImmediateData", "Yes"),
            ("MaxBurstLength", "1048576"),
            ("FirstBurstLength", "262144"),
            ("MaxRecvDataSegmentLength", "262144"),
            ("MaxOutstandingR2T", "1"),
            ("MaxConnections", "1"),
            ("ErrorRecoveryLevel", "0"),
        ] {
            text::put(&mut keys, key, value);
        }
        self.send_login(Stage::Operational, Stage::FullFeature, &keys)
    }

    fn send_login(&mut self, current: Stage, next: Stage, keys: &[u8]) -> Result<(), Trouble> {
        let request = LoginRequest {
            is_transit: true,
            is_continued: false,
            current: Some(current),
            next: Some(next),
            version_max: 0,
            version_min: 0,
            session_id: SessionId([0x80, 0, 0, 0, 0, self.number]),
            session_handle: SessionHandle::NEW,
            task_tag: TaskTag(0),
            connection_id: ConnectionId(0),
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.stat_sn,
        };
        let mut header = request.encode();
        header.set_data_length(keys.len());
        self.put(&header, keys);
        self.flush()?;
        let (header, _) = self.receive()?;
        let response = LoginResponse::decode(&header);
        if header.opcode() != Some(Opcode::LoginResponse) || response.status != 0 {
            return Err(format!("the login was refused: {:04x}h", response.status).into());
        }
        Ok(())
    }

    fn put(&mut self, header: &Header, data: &[u8]) {
        self.output.extend_from_slice(&header.0);
        self.output.extend_from_slice(data);
        self.output.resize(self.output.len() + padded(data.len()) - data.len(), 0);
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        self.socket.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// The next PDU, and its data.
    fn receive(&mut self) -> Result<(Header, Vec<u8>), Trouble> {
        loop {
            if let Some(first) = self.input.first_chunk::<48>() {
                let header = Header(*first);
                let whole = 48 + padded(header.data_length());
                if self.input.len() >= whole {
                    let data = self.input[48..48 + header.data_length()].to_vec();
                    self.input.drain(..whole);
                    self.stat_sn = header.numbering().stat_sn.next();
                    return Ok((header, data));
                }
            }
            let mut buffer = [0; 64 << 10];
            match self.socket.read(&mut buffer)? {
                0 => return Err("the target hung up".into()),
                got => self.input.extend_from_slice(&buffer[..got]),
            }
        }
    }

    fn command(&mut self, tag: u32, cdb: &[u8], expected: usize, data: &[u8]) {
        let mut whole = [0; 16];
        whole[..cdb.len()].copy_from_slice(cdb);
        let command = ScsiCommand {
            is_immediate: false,
            is_final: true,
            reads: expected > 0 && data.is_empty(),
            writes: !data.is_empty(),
            attribute: TaskAttribute::Simple,
            lun: [0, self.plan.lun, 0, 0, 0, 0, 0, 0],
            task_tag: TaskTag(tag),
            expected_length: u32::try_from(expected).unwrap_or(u32::MAX),
            cmd_sn: self.cmd_sn,
            exp_stat_sn: self.stat_sn,
            cdb: whole,
        };
        self.cmd_sn = self.cmd_sn.next();
        let mut header = command.encode();
        header.set_data_length(data.len());
        self.put(&header, data);
    }

    /// A command by itself; what it gave.
    fn simple(&mut self, cdb: &[u8], expected: usize) -> Result<Vec<u8>, Trouble> {
        self.command(0xffff, cdb, expected, &[]);
        self.flush()?;
        let mut all = Vec::new();
        loop {
            let (header, data) = self.receive()?;
            match header.opcode() {
                Some(Opcode::DataIn) => {
                    all.extend_from_slice(&data);
                    if DataIn::decode(&header).status.is_some() {
                        return Ok(all);
                    }
                }
                Some(Opcode::ScsiResponse) => return Ok(all),
                _ => {}
            }
        }
    }

    /// The blocks of ATS begin as zeros.
    fn zero(&mut self) -> Result<(), Trouble> {
        for slot in 0..self.plan.depth {
            let lba = self.ats_block(slot);
            let cdb = cdb_10(0x2a, lba, 1);
            self.command(0xfffe, &cdb, 512, &[0; 512]);
            self.flush()?;
            while self.receive()?.0.opcode() != Some(Opcode::ScsiResponse) {}
        }
        Ok(())
    }

    fn ats_block(&self, slot: usize) -> u64 {
        if self.plan.kind == "ats-one" { 0 } else { (u64::from(self.number) * 256 + slot as u64) * 8 }
    }

    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn begin(&mut self, slot: usize) {
        let count = (self.plan.bytes as u64 / BLOCK).max(1);
        let tag = u32::try_from(slot).unwrap_or(0);
        self.begun[slot] = Instant::now();
        let lba = match self.plan.kind.as_str() {
            "ats" | "ats-one" => self.ats_block(slot),
            "read-run" | "write-run" => (self.done + slot as u64) * count % (self.blocks / count * count),
            _ => self.next_random() % (self.blocks / count) * count,
        };
        let blocks = u16::try_from(count).unwrap_or(u16::MAX);
        match self.plan.kind.as_str() {
            "ats" | "ats-one" if self.is_looking[slot] => self.command(tag, &cdb_10(0x28, lba, 1), 512, &[]),
            "ats" | "ats-one" => {
                let held = self.held[slot];
                let data = [[held; 512], [held.wrapping_add(1); 512]].concat();
                let mut cdb = [0; 16];
                cdb[0] = 0x89;
                cdb[2..10].copy_from_slice(&lba.to_be_bytes());
                cdb[13] = 1;
                self.command(tag, &cdb, 1024, &data);
            }
            "write" | "write-run" => {
                let data = std::mem::take(&mut self.images);
                let unasked = self.plan.bytes.min(SEGMENT);
                self.command(tag, &cdb_10(0x2a, lba, blocks), self.plan.bytes, &data[..unasked]);
                self.images = data;
            }
            _ => self.command(tag, &cdb_10(0x28, lba, blocks), self.plan.bytes, &[]),
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Result<(u64, u64, Vec<u32>), Trouble> {
        while self.plan.kind == "idle" && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        (0..self.plan.depth).for_each(|slot| self.begin(slot));
        self.flush()?;
        let mut buffer = vec![0; 1 << 20];
        let (mut filled, mut open) = (0, self.plan.depth);
        while open > 0 {
            let got = self.socket.read(&mut buffer[filled..])?;
            if got == 0 {
                return Err("the target hung up".into());
            }
            filled += got;
            let mut used = 0;
            while let Some(first) = buffer[used..filled].first_chunk::<48>() {
                let header = Header(*first);
                let whole = 48 + padded(header.data_length());
                if filled - used < whole {
                    break;
                }
                let data = used + 48..used + 48 + header.data_length();
                self.stat_sn = header.numbering().stat_sn;
                if let Some((slot, status)) = ended(&header) {
                    self.ended(slot, status, &buffer[data]);
                    if stop.load(Ordering::Relaxed) { open -= 1 } else { self.begin(slot) }
                } else if header.opcode() == Some(Opcode::ReadyToTransfer) {
                    self.send_asked(&ReadyToTransfer::decode(&header));
                } else if header.opcode() == Some(Opcode::DataIn)
                    && self.is_looking.get(header.task_tag().0 as usize) == Some(&true)
                {
                    self.held[header.task_tag().0 as usize] = buffer[data.start];
                }
                used += whole;
            }
            buffer.copy_within(used..filled, 0);
            filled -= used;
            self.flush()?;
        }
        Ok((self.done, self.wrong, self.latencies))
    }

    /// The data that the target asked for.
    fn send_asked(&mut self, asked: &ReadyToTransfer) {
        let data = std::mem::take(&mut self.images);
        let (start, length) = (asked.offset as usize, asked.length as usize);
        let mut data_sn = DataSn::FIRST;
        for offset in (0..length).step_by(SEGMENT) {
            let part = SEGMENT.min(length - offset);
            let out = DataOut {
                is_final: offset + part == length,
                lun: asked.lun,
                task_tag: asked.task_tag,
                transfer_tag: asked.transfer_tag,
                exp_stat_sn: self.stat_sn,
                data_sn,
                offset: u32::try_from(start + offset).unwrap_or(u32::MAX),
                length: 0,
            };
            data_sn = data_sn.next();
            let mut header = out.encode();
            header.set_data_length(part);
            self.put(&header, &data[start + offset..start + offset + part]);
        }
        self.images = data;
    }

    fn ended(&mut self, slot: usize, status: u8, data: &[u8]) {
        let took = u32::try_from(self.begun[slot].elapsed().as_micros()).unwrap_or(u32::MAX);
        if self.is_looking[slot] {
            if let Some(first) = data.first().filter(|_| status == 0) {
                self.held[slot] = *first;
            }
            self.is_looking[slot] = false;
            return;
        }
        self.latencies.push(took);
        self.done += 1;
        if self.plan.kind.starts_with("ats") {
            if status == 0 {
                self.held[slot] = self.held[slot].wrapping_add(1);
            } else {
                self.wrong += 1;
                self.is_looking[slot] = true;
            }
        } else if status != 0 {
            self.wrong += 1;
        }
    }
}

/// The slot and the status of a command that ended with this PDU.
fn ended(header: &Header) -> Option<(usize, u8)> {
    match header.opcode()? {
        Opcode::ScsiResponse => Some((header.task_tag().0 as usize, ScsiResponse::decode(header).status)),
        Opcode::DataIn => {
            DataIn::decode(header).status.map(|(status, _)| (header.task_tag().0 as usize, status))
        }
        _ => None,
    }
}

fn cdb_10(opcode: u8, lba: u64, blocks: u16) -> [u8; 10] {
    let [_, _, _, _, a, b, c, d] = lba.to_be_bytes();
    let [high, low] = blocks.to_be_bytes();
    [opcode, 0, a, b, c, d, 0, high, low, 0]
}
