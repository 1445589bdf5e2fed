//! A unix socket that is moved without ever blocking on it: what is to be sent, what was received, and how long nothing moved.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::ImageError;
use crate::limits::{GLANCE, SOCKET_READ_LENGTH};
use crate::onlooker::Onlooker;

/// A connected socket.
pub struct Wire {
    socket: UnixStream,
    /// What was received and not used yet.
    pub input: Vec<u8>,
    output: Vec<u8>,
    /// How much of the output's front is sent.
    sent: usize,
}

impl Wire {
    /// Connects; the inner error is the system's. A server whose queue is full is asked again and again.
    pub fn connect(path: &Path, onlooker: &dyn Onlooker) -> Result<io::Result<Wire>, ImageError> {
        let began = Instant::now();
        loop {
            if onlooker.wants_out() {
                return Err(ImageError::Interrupted);
            }
            match connect(path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                connected => {
                    let new = |socket| Wire { socket, input: Vec::new(), output: Vec::new(), sent: 0 };
                    return Ok(connected.map(new));
                }
            }
            if began.elapsed() > onlooker.patience() {
                return Err(ImageError::Stalled { patience: onlooker.patience() });
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Queues bytes to be sent.
    pub fn push(&mut self, bytes: &[u8]) {
        // What is sent goes once it is the larger part: the rest is moved seldom, and the queue does not grow by what is gone.
        if self.sent * 2 > self.output.len() {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
        self.output.extend_from_slice(bytes);
    }

    /// Waits until bytes came; sends what is queued meanwhile, as far as the socket takes it.
    pub fn wait(&mut self, onlooker: &dyn Onlooker) -> Result<(), ImageError> {
        let mut moved = Instant::now();
        loop {
            if onlooker.wants_out() {
                return Err(ImageError::Interrupted);
            }
            if moved.elapsed() > onlooker.patience() {
                return Err(ImageError::Stalled { patience: onlooker.patience() });
            }
            let ready = self.glance().map_err(broken)?;
            if ready.contains(PollFlags::OUT) && self.write().map_err(broken)? > 0 {
                moved = Instant::now();
            }
            // Also where it hung up: what it said before is still there, and the end is seen behind it.
            if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
                && self.read().map_err(broken)?
            {
                return Ok(());
            }
        }
    }

    fn glance(&self) -> io::Result<PollFlags> {
        let wanted = if self.output.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        let mut asked = [PollFd::new(&self.socket, wanted)];
        let glance = Timespec::try_from(GLANCE).map_err(io::Error::other)?;
        match poll(&mut asked, Some(&glance)) {
            Ok(_) => Ok(asked[0].revents()),
            // A signal: the onlooker is asked again.
            Err(rustix::io::Errno::INTR) => Ok(PollFlags::empty()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes as much as the socket takes; how many bytes that is.
    fn write(&mut self) -> io::Result<usize> {
        let began = self.sent;
        while self.sent < self.output.len() {
            match self.socket.write(&self.output[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.sent - began),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let written = self.sent - began;
        self.output.clear();
        self.sent = 0;
        Ok(written)
    }

    /// Reads once; whether anything came.
    fn read(&mut self) -> io::Result<bool> {
        let start = self.input.len();
        self.input.resize(start + SOCKET_READ_LENGTH, 0);
        let read = self.socket.read(&mut self.input[start..]);
        self.input.truncate(start + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends of what is queued what the socket takes at once.
    pub fn send_some(&mut self) -> Result<(), ImageError> {
        self.write().map(|_| ()).map_err(broken)
    }
}

/// Connects without waiting for a place in the server's queue, which std's own would do for as long as it takes.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

fn broken(source: io::Error) -> ImageError {
    ImageError::Broken { source }
}
