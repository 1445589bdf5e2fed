//! What is sent to a lane's thread: commands, and ranges that became free.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use crate::job::Command;
use crate::locked;
use crate::permits::Permits;
use crate::range_table::CommandId;
use crate::wake::Wake;

/// A message to a lane. Bounded without a count of its own: each command has a permit, and is granted once.
pub(crate) enum Message {
    Command(Command),
    Granted(CommandId),
}

/// The entrance to one lane.
pub(crate) struct Inbox {
    /// What ends the wait of the lane's ring.
    pub(crate) wake: Arc<Wake>,
    pub(crate) permits: Arc<Permits>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    closed: bool,
    ended: bool,
}

impl Inbox {
    pub(crate) fn new() -> io::Result<Inbox> {
        Ok(Inbox { wake: Arc::new(Wake::new()?), permits: Permits::new(), state: Mutex::default() })
    }

    /// Sends a message; `false` where the lane's thread is gone.
    pub(crate) fn send(&self, message: Message) -> bool {
        {
            let mut state = locked(&self.state);
            if state.ended {
                return false;
            }
            state.messages.push_back(message);
        }
        self.wake.ring();
        true
    }

    /// Says that nobody will send commands any more: the thread ends when the last one did.
    pub(crate) fn close(&self) {
        locked(&self.state).closed = true;
        self.wake.ring();
    }

    /// Moves all messages into `messages`; `true` once the box is closed.
    pub(crate) fn empty_into(&self, messages: &mut Vec<Message>) -> bool {
        let mut state = locked(&self.state);
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
