//! The usual way into transmission, as one state machine: greeting, TLS, structured replies, contexts, GO, and EXPORT_NAME for old servers.

use super::negotiation::{Answer, Denial, Event, Negotiation, Session};
use crate::codes::{BASE_ALLOCATION, InfoCode, OptionCode, ReplyCode};
use crate::error::NbdError;
use crate::flags::HandshakeFlags;
use crate::option::{ContextRequest, InfoRequest};

/// Whether a client goes on under TLS (document, *Client-side requirements*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWish {
    /// It does not ask.
    Never,
    /// It asks, and goes on in the clear where it is refused. Open to a downgrade, as the document warns.
    IfOffered,
    /// It asks, and gives up where it is refused.
    Always,
}

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The export's name; empty asks for the default one.
    pub export: String,
    /// TLS.
    pub tls: TlsWish,
    /// Structured replies; without them where the server has none.
    pub structured: bool,
    /// `base:allocation`; without it where the server has none. Needs structured replies.
    pub allocation: bool,
}

/// What the caller does next, in each case after it has sent [`Dial::take_output`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialNext {
    /// Give more bytes: those that were not used, or, where all were, new ones.
    Bytes,
    /// Run the TLS handshake as its client; then [`Dial::tls_established`]. Where it fails, close.
    Tls,
    /// Transmission starts; what was not used are replies.
    Transmission(Box<Session>),
    /// The server refused what cannot be done without: close.
    Denied {
        /// The option that was refused.
        option: OptionCode,
        /// Why.
        denial: Denial,
    },
}

/// The answer to bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialStep {
    /// How many of the bytes were used, from the front.
    pub used: usize,
    /// What to do now.
    pub next: DialNext,
}

/// One client's way into transmission.
pub struct Dial {
    wish: Wish,
    negotiation: Negotiation,
}

impl Dial {
    /// A client that waits for the greeting.
    pub fn new(wish: Wish) -> Dial {
        Dial { wish, negotiation: Negotiation::new() }
    }

    /// What is to be sent, which is forgotten here.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.negotiation.take_output()
    }

    /// Takes bytes of the server's, in pieces of any length.
    ///
    /// # Errors
    /// Why the connection must be ended.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<DialStep, NbdError> {
        let step = self.negotiation.handle(bytes)?;
        let next = match step.event {
            None => DialNext::Bytes,
            Some(Event::Transmission(session)) => DialNext::Transmission(session),
            Some(Event::Greeted(flags)) => self.greeted(flags)?,
            Some(Event::Answered(answer)) => self.answered(answer)?,
        };
        Ok(DialStep { used: step.used, next })
    }

    /// The TLS handshake that [`DialNext::Tls`] asked for succeeded.
    ///
    /// # Errors
    /// As [`Negotiation::ask`].
    ///
    /// # Panics
    /// Where it was not asked for.
    pub fn tls_established(&mut self) -> Result<(), NbdError> {
        self.negotiation.tls_established();
        self.ask_replies()
    }

    fn greeted(&mut self, flags: HandshakeFlags) -> Result<DialNext, NbdError> {
        if self.wish.tls == TlsWish::Always
            || (self.wish.tls == TlsWish::IfOffered && flags.has(HandshakeFlags::FIXED_NEWSTYLE))
        {
            self.negotiation.ask(OptionCode::STARTTLS, &[])?;
        } else if flags.has(HandshakeFlags::FIXED_NEWSTYLE) {
            self.ask_replies()?;
        } else {
            self.ask_by_name()?;
        }
        Ok(DialNext::Bytes)
    }

    fn answered(&mut self, answer: Answer) -> Result<DialNext, NbdError> {
        let Answer { option, result, .. } = answer;
        match (option, result) {
            (OptionCode::STARTTLS, Ok(())) => return Ok(DialNext::Tls),
            (OptionCode::STARTTLS, Err(_)) if self.wish.tls == TlsWish::IfOffered => self.ask_replies()?,
            (OptionCode::STRUCTURED_REPLY, Ok(())) if self.wish.allocation => {
                let queries = vec![BASE_ALLOCATION.to_owned()];
                let request = ContextRequest { name: self.wish.export.clone(), queries };
                self.negotiation.ask(OptionCode::SET_META_CONTEXT, &request.encode())?;
            }
            // "If the client receives NBD_REP_ERR_SHUTDOWN it MUST initiate a soft disconnect", and TLS will not come by itself.
            (OptionCode::STRUCTURED_REPLY | OptionCode::SET_META_CONTEXT, result)
                if result.as_ref().err().is_none_or(|denial| !ends(denial.code)) =>
            {
                self.ask_go()?;
            }
            (OptionCode::GO, Err(denial)) if denial.code == ReplyCode::ERR_UNSUP => self.ask_by_name()?,
            (option, Err(denial)) => {
                self.negotiation.ask(OptionCode::ABORT, &[])?;
                return Ok(DialNext::Denied { option, denial });
            }
            (_, Ok(())) => {}
        }
        Ok(DialNext::Bytes)
    }

    fn ask_replies(&mut self) -> Result<(), NbdError> {
        if self.wish.structured || self.wish.allocation {
            return self.negotiation.ask(OptionCode::STRUCTURED_REPLY, &[]);
        }
        self.ask_go()
    }

    fn ask_go(&mut self) -> Result<(), NbdError> {
        let infos = vec![InfoCode::NAME, InfoCode::DESCRIPTION, InfoCode::BLOCK_SIZE];
        let request = InfoRequest { name: self.wish.export.clone(), infos };
        self.negotiation.ask(OptionCode::GO, &request.encode())
    }

    fn ask_by_name(&mut self) -> Result<(), NbdError> {
        self.negotiation.ask(OptionCode::EXPORT_NAME, self.wish.export.as_bytes())
    }
}

/// Whether no other option would be answered better.
fn ends(code: ReplyCode) -> bool {
    [ReplyCode::ERR_SHUTDOWN, ReplyCode::ERR_TLS_REQD].contains(&code)
}
