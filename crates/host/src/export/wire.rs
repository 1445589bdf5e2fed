//! A client's socket, unix or TCP, in the clear or under TLS: read and written without ever waiting.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::net::sockopt;
use rustls::{ServerConfig, ServerConnection};

use super::limits::{PEER_IDLE, PEER_LIMIT, TLS_BUFFER_MAX};

/// How often a silent peer is asked before it is given up.
const PROBES: u32 = 6;

/// A socket of a client.
#[derive(Debug)]
pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    /// Makes the socket one that never waits, sends at once, and notices a peer that is gone.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        match self {
            Socket::Unix(stream) => stream.set_nonblocking(true),
            Socket::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                sockopt::set_socket_keepalive(stream, true)?;
                sockopt::set_tcp_keepidle(stream, PEER_IDLE)?;
                sockopt::set_tcp_keepintvl(stream, PEER_LIMIT / PROBES)?;
                sockopt::set_tcp_keepcnt(stream, PROBES)?;
                let limit = u32::try_from(PEER_LIMIT.as_millis()).unwrap_or(u32::MAX);
                Ok(sockopt::set_tcp_user_timeout(stream, limit)?)
            }
        }
    }

    /// Nothing comes and goes any more; whoever looks at it is told.
    pub(crate) fn shut(&self) {
        // One that is broken already is as shut as it can be.
        let _ = match self {
            Socket::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
            Socket::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
        };
    }

    fn read(&self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).read_vectored(into),
            Socket::Tcp(stream) => (&*stream).read_vectored(into),
        }
    }

    fn write(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => (&*stream).write_vectored(from),
            Socket::Tcp(stream) => (&*stream).write_vectored(from),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Unix(stream) => stream.as_fd(),
            Socket::Tcp(stream) => stream.as_fd(),
        }
    }
}

/// A socket as rustls wants it.
struct Raw<'a>(&'a Socket);

impl Read for Raw<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut [IoSliceMut::new(into)])
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.0.write(&[IoSlice::new(from)])
    }

    fn write_vectored(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client's bytes, whatever they travel in.
pub(crate) struct Wire {
    socket: Arc<Socket>,
    tls: Option<Box<ServerConnection>>,
}

impl Wire {
    pub(crate) fn new(socket: Arc<Socket>) -> Wire {
        Wire { socket, tls: None }
    }

    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Begins TLS; the client's first bytes of it are still in the socket, or are `early`.
    pub(crate) fn secure(&mut self, config: Arc<ServerConfig>, early: &[u8]) -> io::Result<()> {
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(TLS_BUFFER_MAX));
        let mut early = early;
        while !early.is_empty() {
            tls.read_tls(&mut early)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// Goes on with the handshake of TLS; `true` where it is complete. What it wants to send must be
    /// [sent](Self::send_pending) in between.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.is_handshaking() && !tls.wants_write() {
            if tls.read_tls(&mut Raw(&self.socket))? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
        Ok(!tls.is_handshaking())
    }

    /// Reads into `first`, and what does not fit into `then`; 0 at the end. May read less than there is.
    pub(crate) fn read(&mut self, first: &mut [u8], then: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return match first {
                [] => self.socket.read(&mut [IoSliceMut::new(then)]),
                first => self.socket.read(&mut [IoSliceMut::new(first), IoSliceMut::new(then)]),
            };
        };
        let into = if first.is_empty() { then } else { first };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut Raw(&self.socket))? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Whether a read that got `got` of `asked` bytes left nothing behind.
    pub(crate) fn is_emptied_by(&self, got: usize, asked: usize) -> bool {
        self.tls.is_none() && got < asked
    }

    /// Writes what fits.
    pub(crate) fn write(&mut self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.socket.write(from);
        }
        self.send_pending()?;
        let taken = match &mut self.tls {
            Some(tls) => tls.writer().write_vectored(from)?,
            None => 0,
        };
        match self.send_pending() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Whether bytes that were written wait for room in the socket.
    pub(crate) fn is_pending(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Sends them.
    pub(crate) fn send_pending(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut Raw(&self.socket))?;
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes, as far as the socket takes it.
    pub(crate) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        // A peer that takes nothing is not told; it sees the end anyway.
        let _ = self.send_pending();
    }
}
