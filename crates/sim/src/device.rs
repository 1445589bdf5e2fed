//! The device as a host has it: a handle whose commands outlive the futures that wait for them.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use oarlock_block::{
    Attempted, BlockCount, Device, DeviceIdentity, Fencing, Geometry, IoError, Lba, LocalFuture, Refusal,
};

use crate::command::{Body, Request};
use crate::observer::Outcome;
use crate::slab::Key;
use crate::state::Core;
use crate::{HostIndex, Image, Life};

/// Which of a host's two ways to the device a command takes (R8): they differ in the queue before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// For beats: nothing queues before them.
    Beat,
    /// For everything else.
    Work,
}

/// One life's handle on the shared device. A command is sent when its future is first polled; from then on, dropping
/// the future, or the host's death, changes nothing about it. When the life has ended, its futures stay pending.
#[derive(Clone)]
pub struct SimDevice {
    pub(crate) core: Rc<Core>,
    pub(crate) host: HostIndex,
    pub(crate) life: Life,
    pub(crate) lane: Lane,
}

impl SimDevice {
    fn command(&self, lba: Lba, blocks: usize, body: Body) -> Command {
        // A length beyond 2^32 blocks lies beyond any device's end too.
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        let request = Request { host: self.host, life: self.life, lane: self.lane, lba, blocks, body };
        Command { core: Rc::clone(&self.core), stage: Stage::Unsent(Some(request)) }
    }

    fn block_length(&self) -> usize {
        self.geometry().block_size.length()
    }
}

impl Device for SimDevice {
    fn geometry(&self) -> Geometry {
        self.core.read(|state| state.options.geometry)
    }

    fn identity(&self) -> DeviceIdentity {
        self.core.read(|state| state.options.identity.clone())
    }

    fn fencing(&self) -> Fencing {
        self.core.read(|state| state.options.cut_off.fencing())
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        let length = self.block_length();
        assert!(buffer.len().is_multiple_of(length), "a read of {} bytes is not in blocks", buffer.len());
        let command = self.command(lba, buffer.len() / length, Body::Read);
        Box::pin(async move {
            match command.await {
                Outcome::Data(blocks) => {
                    for (part, block) in buffer.chunks_exact_mut(length).zip(blocks.iter()) {
                        part.copy_from_slice(block);
                    }
                    Ok(())
                }
                other => done(other),
            }
        })
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        let length = self.block_length();
        assert!(data.len().is_multiple_of(length), "a write of {} bytes is not in blocks", data.len());
        Box::pin(async move {
            let images: Vec<Image> = data.chunks_exact(length).map(Image::from).collect();
            done(self.command(lba, images.len(), Body::Write(images.into())).await)
        })
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        let length = self.block_length();
        assert!(expected.len() == length && new.len() == length, "an ATS compares and writes one block");
        Box::pin(async move {
            let body = Body::CompareAndWrite { expected: expected.into(), new: new.into() };
            match self.command(lba, 1, body).await {
                Outcome::Attempted(attempted) => attempted,
                // The disk answers an ATS with nothing else.
                Outcome::Data(_) | Outcome::Done | Outcome::Failed(_) => {
                    Attempted::at_once(Err(Refusal::Unsupported))
                }
            }
        })
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move { done(self.command(Lba(0), 0, Body::Flush).await) })
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        let blocks = usize::try_from(blocks.0).unwrap_or(usize::MAX);
        Box::pin(async move { done(self.command(lba, blocks, Body::Discard).await) })
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        let blocks = usize::try_from(blocks.0).unwrap_or(usize::MAX);
        Box::pin(async move { done(self.command(lba, blocks, Body::WriteZeroes).await) })
    }
}

fn done(outcome: Outcome) -> Result<(), IoError> {
    match outcome {
        Outcome::Data(_) | Outcome::Done => Ok(()),
        Outcome::Failed(error) => Err(error),
        Outcome::Attempted(_) => Err(IoError::Refused(Refusal::Unsupported)),
    }
}

enum Stage {
    Unsent(Option<Request>),
    Sent(Key),
    /// The life had ended when the command was to be sent.
    Nowhere,
}

/// Waits for the reply to one command.
struct Command {
    core: Rc<Core>,
    stage: Stage,
}

impl Future for Command {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let command = &mut *self;
        match &mut command.stage {
            Stage::Unsent(request) => {
                let request = request.take();
                let sent = request.and_then(|request| {
                    command.core.change(|state| state.submit(request, context.waker().clone()))
                });
                command.stage = sent.map_or(Stage::Nowhere, Stage::Sent);
                Poll::Pending
            }
            Stage::Sent(key) => {
                let outcome = command.core.change(|state| state.take_outcome(*key, context.waker()));
                outcome.map_or(Poll::Pending, Poll::Ready)
            }
            Stage::Nowhere => Poll::Pending,
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        if let Stage::Sent(key) = self.stage {
            self.core.change(|state| state.detach(key));
        }
    }
}
