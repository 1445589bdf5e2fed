//! Drives requests of a guest to their end, as an export's thread does on its ring.

#![allow(dead_code)] // Each test file uses its own part.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::future::join_all;
use oarlock_block::{Clock, Device, IoError, Lba};
use oarlock_engine::path::{
    Action, DataPath, Memory, Next, Operation, PathError, Request, Segment, SegmentIndex,
};

use crate::machine::{BLOCK, Machine};

/// What a request is driven against.
pub struct Driver<'a> {
    pub machine: &'a Machine,
    pub device: &'a dyn Device,
    pub path: &'a DataPath,
    /// How long a command waits before it is sent.
    pub pause: &'a dyn Fn() -> Option<Duration>,
}

impl Driver<'_> {
    /// Runs a request to its end: what it came to, and the bytes that it read.
    pub async fn run(&self, request: Request, mut data: Vec<u8>) -> (Result<(), PathError>, Vec<u8>) {
        let mut operation = Operation::new(request);
        let mut scratch = Vec::new();
        loop {
            let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
            let next = operation.next(self.path, self.machine.time.now(), &waker);
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
            let sent = segments.iter().enumerate().filter(|(_, segment)| segment.is_on_device());
            let sent = sent.map(|(index, segment)| {
                let bytes = bytes_of(segment, &data, &scratch);
                async move { (index, self.send(segment, bytes).await) }
            });
            for (index, answer) in join_all(sent).await {
                if let (Ok(bytes), Action::Read { into, .. }) = (&answer, segments[index].action) {
                    memory(into, bytes.len(), &mut data, &mut scratch).copy_from_slice(bytes);
                }
                operation.answered(SegmentIndex(index), answer.map(drop));
            }
        }
    }

    async fn send(&self, segment: &Segment, mut bytes: Vec<u8>) -> Result<Vec<u8>, IoError> {
        if let Some(pause) = (self.pause)() {
            self.machine.time.sleep_until(self.machine.time.now().plus(pause)).await;
        }
        let lba = |byte: u64| Lba(byte / BLOCK as u64);
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

fn memory<'a>(at: Memory, length: usize, data: &'a mut [u8], scratch: &'a mut [u8]) -> &'a mut [u8] {
    match at {
        Memory::Request(at) => &mut data[usize::try_from(at).unwrap()..][..length],
        Memory::Scratch(at) => &mut scratch[at as usize..][..length],
    }
}

fn in_memory(segment: &Segment, data: &mut [u8], scratch: &mut [u8]) {
    let length = usize::try_from(segment.length).unwrap();
    match segment.action {
        Action::ClearMemory { into } => memory(into, length, data, scratch).fill(0),
        Action::CopyMemory { request_byte, scratch_byte } => {
            let from = usize::try_from(request_byte).unwrap();
            scratch[scratch_byte as usize..][..length].copy_from_slice(&data[from..from + length]);
        }
        _ => {}
    }
}

fn bytes_of(segment: &Segment, data: &[u8], scratch: &[u8]) -> Vec<u8> {
    let length = usize::try_from(segment.length).unwrap();
    match segment.action {
        Action::Write { from: Memory::Request(at), .. } => {
            data[usize::try_from(at).unwrap()..][..length].to_vec()
        }
        Action::Write { from: Memory::Scratch(at), .. } => scratch[at as usize..][..length].to_vec(),
        _ => vec![0; length],
    }
}
