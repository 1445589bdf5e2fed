//! Drives requests of a guest to their end, as an export's thread does on its ring.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use oarlock_block::{Clock, Device, IoError, Lba, LocalFuture, Refusal};
use oarlock_engine::path::{
    Action, DataPath, Memory, Next, Operation, Passage, PathError, Quarantine, Request, Segment, SegmentIndex,
};

/// What a request is driven against.
pub struct Driver<'a> {
    /// The host's clock.
    pub clock: &'a dyn Clock,
    /// The device, as the host has it.
    pub device: &'a dyn Device,
    /// The attached disk.
    pub path: &'a DataPath,
    /// How long a command waits before it is sent.
    pub pause: &'a dyn Fn() -> Option<Duration>,
    /// How long a command is waited for before its request is given up; for ever, where there is none.
    pub patience: Option<Duration>,
}

/// A command on its way: the number of its segment, and what becomes of it.
type Sent<'a> = LocalFuture<'a, (usize, Result<Vec<u8>, IoError>)>;

/// A request that has ended.
pub struct Ended<'a> {
    /// What it came to.
    pub result: Result<(), PathError>,
    /// The bytes that it read.
    pub data: Vec<u8>,
    /// Where its writes are kept that may still land.
    quarantine: Option<Quarantine>,
    /// Some command of it was answered, and may land in spite of that.
    is_unclear: bool,
    /// What was given up and is still out.
    out: FuturesUnordered<Sent<'a>>,
}

impl Ended<'_> {
    /// Whether writes of it may still land.
    #[must_use]
    pub fn may_land(&self) -> bool {
        self.quarantine.is_some()
    }

    /// Waits until what was given up has ended, and closes its quarantine, as an export's thread does; `false` where one of its
    /// commands may land in spite of its answer: then only the end of this life closes it.
    pub async fn close(mut self, path: &DataPath) -> bool {
        while let Some((_, answer)) = self.out.next().await {
            self.is_unclear |= answer.is_err_and(|error| error.may_still_land());
        }
        if let Some(quarantine) = self.quarantine.filter(|_| !self.is_unclear) {
            path.close(quarantine);
        }
        !self.is_unclear
    }
}

impl Driver<'_> {
    /// Runs a request to its end: what it came to, and the bytes that it read.
    pub async fn run(&self, request: Request, data: Vec<u8>) -> (Result<(), PathError>, Vec<u8>) {
        let Ended { result, data, .. } = self.drive(request, data).await;
        (result, data)
    }

    /// As [`run`](Self::run), with what of it is still out then.
    pub async fn drive(&self, request: Request, mut data: Vec<u8>) -> Ended<'_> {
        let mut operation = Operation::new(request);
        let (mut scratch, mut out, mut is_unclear) = (Vec::new(), FuturesUnordered::new(), false);
        loop {
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let next = operation.next(self.path, self.clock.now(), &waker);
            let segments = match next {
                Next::Done(result) => {
                    let quarantine = operation.quarantine();
                    return Ended { result, data, quarantine, is_unclear, out };
                }
                Next::Wait(_) | Next::Hold => {
                    wait_once().await;
                    continue;
                }
                Next::Submit(segments) => segments.to_vec(),
            };
            scratch.resize(operation.scratch_length() as usize, 0xEE);
            for segment in &segments {
                in_memory(segment, &mut data, &mut scratch);
            }
            let on_device = segments.iter().enumerate().filter(|(_, segment)| segment.is_on_device());
            out.extend(
                on_device
                    .map(|(index, segment)| self.begin(index, *segment, bytes_of(segment, &data, &scratch))),
            );
            for (index, answer) in self.answers(&mut out).await {
                is_unclear |= answer.as_ref().is_err_and(IoError::may_still_land);
                if let (Ok(bytes), Action::Read { into, .. }) = (&answer, segments[index].action) {
                    memory(into, bytes.len(), &mut data, &mut scratch).copy_from_slice(bytes);
                }
                operation.answered(SegmentIndex(index), answer.map(drop));
            }
            if !out.is_empty() {
                operation.give_up(self.path);
            }
        }
    }

    fn begin(&self, index: usize, segment: Segment, bytes: Vec<u8>) -> Sent<'_> {
        Box::pin(async move { (index, self.send(&segment, bytes).await) })
    }

    /// What became of commands, as long as they are waited for.
    async fn answers(&self, out: &mut FuturesUnordered<Sent<'_>>) -> Vec<(usize, Result<Vec<u8>, IoError>)> {
        let Some(patience) = self.patience else { return out.collect().await };
        let mut answers = Vec::new();
        let mut late = self.clock.sleep_until(self.clock.now().plus(patience));
        while let Either::Left((Some(answer), _)) = select(out.next(), &mut late).await {
            answers.push(answer);
        }
        answers
    }

    async fn send(&self, segment: &Segment, mut bytes: Vec<u8>) -> Result<Vec<u8>, IoError> {
        if let Some(pause) = (self.pause)() {
            self.clock.sleep_until(self.clock.now().plus(pause)).await;
            // Whoever submits later than he was told to asks the gate again; what is surely not executed is sent again.
            if self.path.passage(self.clock.now()) != Passage::Open {
                return Err(IoError::Refused(Refusal::Busy));
            }
        }
        let block = u64::from(self.device.geometry().block_size.bytes());
        let lba = |byte: u64| Lba(byte / block);
        match segment.action {
            Action::Read { from_byte, .. } => self.device.read(lba(from_byte), &mut bytes).await?,
            Action::Write { to_byte, .. } | Action::WriteZeroes { to_byte } => {
                self.device.write(lba(to_byte), &bytes).await?;
            }
            Action::Flush => self.device.flush().await?,
            Action::ClearMemory { .. } | Action::CopyMemory { .. } => {}
        }
        Ok(bytes)
    }
}

async fn wait_once() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

fn at(byte: u64) -> usize {
    usize::try_from(byte).unwrap_or(usize::MAX)
}

fn memory<'a>(place: Memory, length: usize, data: &'a mut [u8], scratch: &'a mut [u8]) -> &'a mut [u8] {
    match place {
        Memory::Request(byte) => &mut data[at(byte)..][..length],
        Memory::Scratch(byte) => &mut scratch[byte as usize..][..length],
    }
}

fn in_memory(segment: &Segment, data: &mut [u8], scratch: &mut [u8]) {
    let length = at(segment.length);
    match segment.action {
        Action::ClearMemory { into } => memory(into, length, data, scratch).fill(0),
        Action::CopyMemory { request_byte, scratch_byte } => {
            let from = at(request_byte);
            scratch[scratch_byte as usize..][..length].copy_from_slice(&data[from..from + length]);
        }
        _ => {}
    }
}

fn bytes_of(segment: &Segment, data: &[u8], scratch: &[u8]) -> Vec<u8> {
    let length = at(segment.length);
    match segment.action {
        Action::Write { from: Memory::Request(byte), .. } => data[at(byte)..][..length].to_vec(),
        Action::Write { from: Memory::Scratch(byte), .. } => scratch[byte as usize..][..length].to_vec(),
        _ => vec![0; length],
    }
}
