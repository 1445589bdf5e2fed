//! The handshake of one client, on the door's thread: options, TLS, and at its end the export that it chose.

use std::io::{self, IoSlice};
use std::sync::Arc;

use oarlock_nbd::NbdError;
use oarlock_nbd::server::{Negotiation, Next, TlsPolicy};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use super::connection::Handover;
use super::limits::NEGOTIATION_READ_MAX;
use super::offer::Offers;
use super::tls::Tls;
use super::wire::{Socket, Wire};

/// Why a client was not handed over. Nobody is told: what a stranger sends is no event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] NbdError),
}

/// A second descriptor of a client's socket, to wait by.
enum Waited {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A client's wire, and a way to wait for it.
struct Line {
    wire: Wire,
    waited: Waited,
}

impl Line {
    fn new(socket: Socket) -> io::Result<Line> {
        socket.prepare()?;
        let waited = match &socket {
            Socket::Unix(stream) => Waited::Unix(UnixStream::from_std(stream.try_clone()?)?),
            Socket::Tcp(stream) => Waited::Tcp(TcpStream::from_std(stream.try_clone()?)?),
        };
        Ok(Line { wire: Wire::new(Arc::new(socket)), waited })
    }

    async fn wait_and<T>(
        &mut self,
        interest: Interest,
        mut what: impl FnMut(&mut Wire) -> io::Result<T>,
    ) -> io::Result<T> {
        let wire = &mut self.wire;
        match &self.waited {
            Waited::Unix(stream) => stream.async_io(interest, || what(wire)).await,
            Waited::Tcp(stream) => stream.async_io(interest, || what(wire)).await,
        }
    }

    async fn send_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.wait_and(Interest::WRITABLE, |wire| wire.write(&[IoSlice::new(bytes)])).await?;
            bytes = &bytes[sent..];
        }
        self.wait_and(Interest::WRITABLE, Wire::send_pending).await
    }

    async fn shake_hands(&mut self) -> io::Result<()> {
        while !self.wait_and(Interest::READABLE, Wire::shake_hands).await? {
            self.wait_and(Interest::WRITABLE, Wire::send_pending).await?;
        }
        self.wait_and(Interest::WRITABLE, Wire::send_pending).await
    }
}

/// Negotiates with a client until it chose an export: where it goes, and what was agreed. `None` where it said goodbye.
pub(crate) async fn negotiate(
    socket: Socket,
    offers: &Offers,
    tls: Option<&Tls>,
) -> Result<Option<Handover>, Failed> {
    let mut line = Line::new(socket)?;
    // Who gives a certificate wants nothing in the clear.
    let mut negotiation = Negotiation::new(if tls.is_some() { TlsPolicy::Required } else { TlsPolicy::None });
    let mut input: Vec<u8> = Vec::new();
    loop {
        let step = negotiation.handle(offers, &input)?;
        input.drain(..step.used);
        let answered = negotiation.output().len();
        line.send_all(negotiation.output()).await?;
        negotiation.output_sent(answered);
        match (step.next, tls) {
            (Next::Transmission(session), _) => {
                return Ok(Some(Handover { wire: line.wire, session: *session, early: input }));
            }
            (Next::Tls, Some(tls)) => {
                line.wire.secure(Arc::clone(&tls.config), &std::mem::take(&mut input))?;
                line.shake_hands().await?;
                negotiation.tls_established();
            }
            (Next::Close | Next::Tls, _) => {
                line.wire.say_goodbye();
                return Ok(None);
            }
            (Next::Bytes, _) if answered > 0 => {}
            (Next::Bytes, _) => {
                let mut buffer = [0; NEGOTIATION_READ_MAX];
                let read = line.wait_and(Interest::READABLE, |wire| wire.read(&mut [], &mut buffer)).await?;
                if read == 0 {
                    return Ok(None);
                }
                input.extend_from_slice(&buffer[..read]);
            }
        }
    }
}
