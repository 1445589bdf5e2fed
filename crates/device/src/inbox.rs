//! What is sent to a lane's thread: commands, and ranges that became free.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use rustix::event::EventfdFlags;

use crate::job::Command;
use crate::locked;
use crate::permits::Permits;
use crate::range_table::CommandId;

/// A message to a lane. Bounded without a count of its own: each command has a permit, and is granted once.
pub(crate) enum Message {
    Command(Command),
    Granted(CommandId),
}

/// The entrance to one lane.
pub(crate) struct Inbox {
    /// The eventfd that the lane's ring looks at.
    pub(crate) wake: Arc<OwnedFd>,
    pub(crate) permits: Arc<Permits>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    signalled: bool,
    closed: bool,
    ended: bool,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Inbox> {
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Inbox { wake: Arc::new(wake), permits: Permits::new(), state: Mutex::default() })
    }

    /// Sends a message; `false` where the lane's thread is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        let mut state = locked(&self.state);
        if state.ended {
            return false;
        }
        state.messages.push_back(message);
        self.signal(&mut state);
        true
    }

    /// Says that nobody will send commands any more: the thread ends when the last one did.
    pub(crate) fn close(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        self.signal(&mut state);
    }

    /// Wakes the lane, once per look of its into the box.
    fn signal(&self, state: &mut State) {
        if !state.signalled {
            state.signalled = true;
            // The one error of an eventfd is a full counter, and a full counter wakes as well.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    /// Moves all messages into `messages`; `true` once the box is closed.
    pub(crate) fn empty_into(&self, messages: &mut Vec<Message>) -> bool {
        let mut state = locked(&self.state);
        state.signalled = false;
        messages.extend(state.messages.drain(..));
        state.closed
    }

    /// Says that the thread is gone. What was still in the box is dropped, and with it the callers' replies.
    pub(crate) fn end(&self) {
        let left = {
            let mut state = locked(&self.state);
            state.ended = true;
            std::mem::take(&mut state.messages)
        };
        drop(left);
    }
}
