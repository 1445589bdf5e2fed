//! The server's handshake as a state machine: bytes in, bytes and the next step out (document, *Handshake*).
//!
//! ```text
//!             greeting is in `output` from the start
//!                 |
//!              [Flags]  4 bytes of client flags; unknown ones end it
//!                 |
//!   +-------->[Option]  16 bytes: magic, code, length <---------------------+
//!   |             |                                                         |
//!   |             +-- length <= OPTION_LENGTH_MAX --> [Data] --+            |
//!   |             +-- length <= OPTION_SKIP_MAX ----> [Skip] --+-- answered +
//!   |             +-- longer: an error                         |
//!   |                                                          |
//!   | `tls_established`                                        |
//!   +------------[Tls] <-- STARTTLS accepted ------------------+
//!                [Over] <- GO or EXPORT_NAME accepted, ABORT --+
//! ```
//!
//! What a client may cost is bounded: at most [`OPTION_LENGTH_MAX`] bytes of it are kept, one answer of at most
//! [`LIST_LENGTH_MAX`](crate::limits::LIST_LENGTH_MAX) bytes and a little, and no option is looked at while an earlier answer has
//! not been taken: a client that asks without reading stands still.

use super::haggle::Outcome;
use crate::bytes::Inlet;
use crate::codes::{GREETING_MAGIC, OPTION_MAGIC};
use crate::error::NbdError;
use crate::export::{Export, Exports};
use crate::flags::{ClientFlags, HandshakeFlags, TransmissionFlags};
use crate::limits::{OPTION_LENGTH_MAX, OPTION_SKIP_MAX, OPTIONS_MAX};
use crate::option::OptionHeader;

/// Whether the server speaks TLS (document, *Server-side requirements*). One connection keeps to one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// NOTLS: `NBD_OPT_STARTTLS` is refused.
    None,
    /// SELECTIVETLS: a client may take it, and must for exports that are [TLS-only](Export::only_with_tls).
    Offered,
    /// FORCEDTLS: nothing is answered before it.
    Required,
}

/// What was agreed when transmission starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The export, as [`Exports::find`] answered it last.
    pub export: Export,
    /// The flags as they were told to the client: the export's own, and `SEND_DF` with structured replies.
    pub flags: TransmissionFlags,
    /// Whether structured replies were agreed.
    pub structured: bool,
    /// Whether `base:allocation` was selected for this export, so that `NBD_CMD_BLOCK_STATUS` is allowed.
    pub allocation: bool,
    /// Whether the client asked for the block sizes, and so must keep them.
    pub block_sizes_agreed: bool,
    /// Whether the connection is under TLS.
    pub secured: bool,
}

/// What the caller does next, in each case after it has sent all of [`Negotiation::output`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Give more bytes: those that were not used, or, where all were, new ones.
    Bytes,
    /// Run the TLS handshake as its server, starting with the bytes that were not used; then [`Negotiation::tls_established`].
    /// Where it fails, the connection must be ended (*FORCEDTLS mode*).
    Tls,
    /// The handshake is over: what was not used are requests, for [`Requests`](super::Requests).
    Transmission(Box<Session>),
    /// The client said goodbye (`NBD_OPT_ABORT`): close.
    Close,
}

/// The answer to bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the bytes were used, from the front.
    pub used: usize,
    /// What to do now.
    pub next: Next,
}

#[derive(Clone, Copy)]
enum Phase {
    Flags,
    Option,
    Data(OptionHeader),
    Skip { header: OptionHeader, left: u32 },
    Tls,
    Over,
}

/// One client's handshake.
///
/// Inputs: [`handle`](Negotiation::handle), [`tls_established`](Negotiation::tls_established), [`shut_down`](Negotiation::shut_down),
/// [`output_sent`](Negotiation::output_sent). Output: [`output`](Negotiation::output). There is no clock here: how long a client may
/// take is the caller's to say.
pub struct Negotiation {
    phase: Phase,
    pub(super) tls: TlsPolicy,
    pub(super) secured: bool,
    pub(super) client: ClientFlags,
    pub(super) structured: bool,
    /// The canonical name of the export for which `base:allocation` was selected last.
    pub(super) allocation_of: Option<String>,
    pub(super) shutting_down: bool,
    options: u32,
    input: Inlet,
    pub(super) output: Vec<u8>,
    sent: usize,
}

impl Negotiation {
    /// A handshake that has its greeting to send.
    pub fn new(tls: TlsPolicy) -> Negotiation {
        let mut output = Vec::new();
        output.extend(GREETING_MAGIC.to_be_bytes());
        output.extend(OPTION_MAGIC.to_be_bytes());
        output.extend((HandshakeFlags::FIXED_NEWSTYLE | HandshakeFlags::NO_ZEROES).0.to_be_bytes());
        Negotiation {
            phase: Phase::Flags,
            tls,
            secured: false,
            client: ClientFlags::NONE,
            structured: false,
            allocation_of: None,
            shutting_down: false,
            options: 0,
            input: Inlet::default(),
            output,
            sent: 0,
        }
    }

    /// What is to be sent, and was not yet.
    pub fn output(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// Says that so many bytes of [`output`](Negotiation::output) were sent, from its front.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn output_sent(&mut self, bytes: usize) {
        assert!(bytes <= self.output().len(), "more was sent than there was");
        self.sent += bytes;
        if self.sent == self.output.len() {
            self.output = Vec::new();
            self.sent = 0;
        }
    }

    /// Whether TLS is established.
    pub fn is_secured(&self) -> bool {
        self.secured
    }

    /// From now on, each option but `NBD_OPT_ABORT` is answered with `NBD_REP_ERR_SHUTDOWN` (*Termination of the session during
    /// option haggling*).
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// The TLS handshake that [`Next::Tls`] asked for succeeded; from now on all bytes are those inside it. What was agreed before
    /// is forgotten (`NBD_OPT_STARTTLS`: "the server MUST NOT preserve any negotiation state").
    ///
    /// # Panics
    /// Where it was not asked for, or the answer that accepts it was not sent.
    pub fn tls_established(&mut self) {
        assert!(matches!(self.phase, Phase::Tls), "nobody asked for TLS");
        assert!(self.output().is_empty(), "TLS started before the client was told");
        self.phase = Phase::Option;
        self.secured = true;
        self.structured = false;
        self.allocation_of = None;
    }

    /// Takes bytes of the client's, in pieces of any length.
    ///
    /// Bytes are left unused while an answer stands in [`output`](Negotiation::output), after STARTTLS was accepted, and when the
    /// handshake is over. So nothing that came in the clear is ever taken for something that came under TLS.
    ///
    /// # Errors
    /// Why the connection must be ended. Nothing is to be sent then, and no more bytes are taken.
    pub fn handle<E: Exports + ?Sized>(&mut self, exports: &E, bytes: &[u8]) -> Result<Step, NbdError> {
        let mut rest = bytes;
        let next = self.advance(exports, &mut rest);
        if next.is_err() {
            self.phase = Phase::Over;
            self.output = Vec::new();
            self.sent = 0;
        }
        next.map(|next| Step { used: bytes.len() - rest.len(), next })
    }

    fn advance<E: Exports + ?Sized>(&mut self, exports: &E, rest: &mut &[u8]) -> Result<Next, NbdError> {
        loop {
            let outcome = match self.phase {
                Phase::Flags => {
                    let Some(flags) = self.input.array::<4>(rest) else { return Ok(Next::Bytes) };
                    self.take_flags(ClientFlags(u32::from_be_bytes(flags)))?;
                    continue;
                }
                Phase::Option => {
                    if !self.output().is_empty() {
                        return Ok(Next::Bytes);
                    }
                    let Some(header) = self.input.array(rest) else { return Ok(Next::Bytes) };
                    self.phase = self.take_header(&header)?;
                    continue;
                }
                Phase::Data(header) => {
                    let Some(data) = self.input.bytes(rest, header.length as usize) else {
                        return Ok(Next::Bytes);
                    };
                    self.answer(exports, header.code, Some(&data))?
                }
                Phase::Skip { header, left } => {
                    let skipped = rest.len().min(left as usize);
                    *rest = &rest[skipped..];
                    let left = left - crate::bytes::length_u32(skipped);
                    if left > 0 {
                        self.phase = Phase::Skip { header, left };
                        return Ok(Next::Bytes);
                    }
                    self.answer(exports, header.code, None)?
                }
                Phase::Tls => return Ok(Next::Tls),
                Phase::Over => return Ok(Next::Close),
            };
            let (phase, next) = match outcome {
                Outcome::Answered => (Phase::Option, None),
                Outcome::StartTls => (Phase::Tls, Some(Next::Tls)),
                Outcome::Enter(session) => (Phase::Over, Some(Next::Transmission(session))),
                Outcome::Close => (Phase::Over, Some(Next::Close)),
            };
            self.phase = phase;
            if let Some(next) = next {
                return Ok(next);
            }
        }
    }

    fn take_flags(&mut self, flags: ClientFlags) -> Result<(), NbdError> {
        if !ClientFlags::KNOWN.has(flags) {
            return Err(NbdError::ClientFlags { found: flags.0 });
        }
        self.client = flags;
        self.phase = Phase::Option;
        Ok(())
    }

    fn take_header(&mut self, bytes: &[u8; OptionHeader::LENGTH]) -> Result<Phase, NbdError> {
        let header = OptionHeader::decode(bytes).map_err(|found| NbdError::OptionMagic { found })?;
        self.options += 1;
        if self.options > OPTIONS_MAX {
            return Err(NbdError::TooManyOptions { count_max: OPTIONS_MAX });
        }
        let OptionHeader { code: option, length } = header;
        self.admit(option)?;
        if length > OPTION_SKIP_MAX {
            return Err(NbdError::OptionTooLong { option, length, length_max: OPTION_SKIP_MAX });
        }
        let kept = length <= OPTION_LENGTH_MAX;
        Ok(if kept { Phase::Data(header) } else { Phase::Skip { header, left: length } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::OptionCode;
    use crate::option::encode_option;

    #[test]
    fn an_option_that_is_skipped_is_not_kept() {
        let mut negotiation = Negotiation::new(TlsPolicy::None);
        negotiation.output_sent(negotiation.output().len());
        let mut bytes = vec![0, 0, 0, 3];
        encode_option(OptionCode::GO, &vec![7; OPTION_SKIP_MAX as usize], &mut bytes);
        let mut at = 0;
        for piece in bytes.chunks(30_000) {
            let step = negotiation.handle::<[Export]>(&[], piece).unwrap();
            at += step.used;
            assert!(negotiation.input.room() <= 64, "{} bytes are kept", negotiation.input.room());
        }
        assert_eq!(at, bytes.len());
        assert!(!negotiation.output().is_empty(), "it was not answered");
    }

    #[test]
    fn what_is_kept_of_an_option_is_what_came_of_it() {
        let mut negotiation = Negotiation::new(TlsPolicy::None);
        negotiation.output_sent(negotiation.output().len());
        let mut bytes = vec![0, 0, 0, 3];
        encode_option(OptionCode::GO, &vec![7; OPTION_LENGTH_MAX as usize], &mut bytes);
        // An option that is announced and does not come takes no room.
        negotiation.handle::<[Export]>(&[], &bytes[..20]).unwrap();
        assert!(
            negotiation.input.room() <= 64,
            "{} bytes wait for what may never come",
            negotiation.input.room()
        );
        for piece in bytes[20..bytes.len() - 1].chunks(3000) {
            negotiation.handle::<[Export]>(&[], piece).unwrap();
            assert!(negotiation.input.room() <= 2 * OPTION_LENGTH_MAX as usize);
        }
        negotiation.handle::<[Export]>(&[], &bytes[bytes.len() - 1..]).unwrap();
        assert_eq!(negotiation.input.room(), 0);
    }
}
