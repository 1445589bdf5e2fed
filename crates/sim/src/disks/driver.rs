//! Drives requests of a guest to their end, as an export's thread does on its ring.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};
use oarlock_block::{Clock, Device, IoError, Lba, Refusal, UnknownCause};
use oarlock_engine::path::{
    Action, DataPath, Memory, Next, Operation, Passage, PathError, Request, Segment, SegmentIndex,
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
    /// How long a command is waited for; for ever, where there is none.
    pub patience: Option<Duration>,
}

impl Driver<'_> {
    /// Runs a request to its end: what it came to, and the bytes that it read.
    pub async fn run(&self, request: Request, mut data: Vec<u8>) -> (Result<(), PathError>, Vec<u8>) {
        let mut operation = Operation::new(request);
        let mut scratch = Vec::new();
        loop {
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let next = operation.next(self.path, self.clock.now(), &waker);
            let segments = match next {
                Next::Done(result) => return (result, data),
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
            for (index, answer) in self.send_all(&segments, &data, &scratch).await {
                if let (Ok(bytes), Action::Read { into, .. }) = (&answer, segments[index].action) {
                    memory(into, bytes.len(), &mut data, &mut scratch).copy_from_slice(bytes);
                }
                operation.answered(SegmentIndex(index), answer.map(drop));
            }
        }
    }

    /// Sends the segments at once; what became of each.
    async fn send_all(
        &self,
        segments: &[Segment],
        data: &[u8],
        scratch: &[u8],
    ) -> Vec<(usize, Result<Vec<u8>, IoError>)> {
        let on_device = segments.iter().enumerate().filter(|(_, segment)| segment.is_on_device());
        let mut sent: FuturesUnordered<_> = on_device
            .map(|(index, segment)| {
                let bytes = bytes_of(segment, data, scratch);
                async move { (index, self.send(segment, bytes).await) }
            })
            .collect();
        let mut answers = Vec::new();
        let Some(patience) = self.patience else { return sent.collect().await };
        let mut late = self.clock.sleep_until(self.clock.now().plus(patience));
        while let Either::Left((Some(answer), _)) = select(sent.next(), &mut late).await {
            answers.push(answer);
        }
        for (index, _) in segments.iter().enumerate().filter(|(_, segment)| segment.is_on_device()) {
            if answers.iter().all(|(answered, _)| *answered != index) {
                answers.push((index, Err(IoError::Unknown(UnknownCause::TimedOut))));
            }
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
