//! The client's handshake as a state machine, one option at a time (document, *Handshake*).
//!
//! ```text
//!   [Greeting] -- 18 bytes --> Greeted --> [Idle] <--------------------------------+
//!                                            | ask                                 |
//!                        EXPORT_NAME +-------+-------+ any other                   |
//!                                    v               v                             |
//!                              [ExportName]      [Header] <--> [Data]              |
//!                                    |               |  final reply --> Answered --+
//!                                    v               |  ACK of STARTTLS --> Answered, [Tls], `tls_established` --> [Idle]
//!                              Transmission <--------+  ACK of GO
//! ```

use crate::bytes::{Inlet, Reader};
use crate::codes::{GREETING_MAGIC, OLDSTYLE_MAGIC, OPTION_MAGIC, OptionCode, ReplyCode};
use crate::error::NbdError;
use crate::export::BlockSizes;
use crate::flags::{ClientFlags, HandshakeFlags, TransmissionFlags};
use crate::limits::{ANSWER_LENGTH_MAX, OPTION_REPLY_LENGTH_MAX};
use crate::option::encode_option;
use crate::option_reply::{OptionReply, OptionReplyHeader};

/// Bytes of the greeting: two magics and 16 bits of flags.
const GREETING_LENGTH: usize = 18;
/// Bytes of the answer to `NBD_OPT_EXPORT_NAME`: size and flags.
const EXPORT_NAME_LENGTH: usize = 10;
/// Zeros behind it, unless both ends left them out.
const EXPORT_NAME_ZEROES: usize = 124;

/// A final error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Its type, perhaps one that has no name here.
    pub code: ReplyCode,
    /// The server's sentence for people; may be empty.
    pub message: String,
}

/// All replies to one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The option that was asked.
    pub option: OptionCode,
    /// The replies before the final one, in the server's order.
    pub replies: Vec<OptionReply>,
    /// The final one: accepted, or why not.
    pub result: Result<(), Denial>,
}

/// What is known when transmission starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The export's size in bytes.
    pub size_bytes: u64,
    /// What it can do.
    pub flags: TransmissionFlags,
    /// Its size constraints, where the server told them.
    pub block_sizes: Option<BlockSizes>,
    /// Its canonical name, where the server told it.
    pub name: Option<String>,
    /// Its description, where the server told it.
    pub description: Option<String>,
    /// Whether structured replies were agreed.
    pub structured: bool,
    /// The selected metadata contexts: the server's number for each, and its name.
    pub contexts: Vec<(u32, String)>,
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The greeting; options may be asked now.
    Greeted(HandshakeFlags),
    /// An option is answered; the next may be asked now. After a STARTTLS that was accepted: first TLS, then
    /// [`Negotiation::tls_established`]. After `NBD_OPT_ABORT`: close.
    Answered(Answer),
    /// Transmission starts: the bytes that were not used are replies, for [`Replies`](super::Replies).
    Transmission(Box<Session>),
}

/// The answer to bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the bytes were used, from the front.
    pub used: usize,
    /// What they said; `None`: more bytes are needed.
    pub event: Option<Event>,
}

#[derive(Clone, Copy)]
enum Phase {
    Greeting,
    Idle,
    ExportName,
    Header(OptionCode),
    Data(OptionReplyHeader),
    Tls,
    Over,
}

/// One handshake, seen from the client.
pub struct Negotiation {
    phase: Phase,
    server: HandshakeFlags,
    structured: bool,
    contexts: Vec<(u32, String)>,
    replies: Vec<OptionReply>,
    /// Bytes of all replies to the option under way.
    answer_length: usize,
    input: Inlet,
    output: Vec<u8>,
}

impl Default for Negotiation {
    fn default() -> Negotiation {
        Negotiation::new()
    }
}

impl Negotiation {
    /// A handshake that waits for the greeting.
    pub fn new() -> Negotiation {
        Negotiation {
            phase: Phase::Greeting,
            server: HandshakeFlags::NONE,
            structured: false,
            contexts: Vec::new(),
            replies: Vec::new(),
            answer_length: 0,
            input: Inlet::default(),
            output: Vec::new(),
        }
    }

    /// What is to be sent, which is forgotten here.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether an option may be asked: "the client MUST NOT send any option until it has received a final reply".
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Asks an option, whose data are those that [`InfoRequest::encode`](crate::InfoRequest::encode) and its kin give; of
    /// `NBD_OPT_EXPORT_NAME`, the name itself.
    ///
    /// # Errors
    /// [`NbdError::NotFixedServer`] where the server takes only `NBD_OPT_EXPORT_NAME`.
    ///
    /// # Panics
    /// Where the last option was not answered yet.
    pub fn ask(&mut self, option: OptionCode, data: &[u8]) -> Result<(), NbdError> {
        assert!(self.is_idle(), "an option was asked before the last one was answered");
        let export_name = option == OptionCode::EXPORT_NAME;
        if !export_name && !self.server.has(HandshakeFlags::FIXED_NEWSTYLE) {
            return Err(NbdError::NotFixedServer { option });
        }
        encode_option(option, data, &mut self.output);
        self.answer_length = 0;
        self.phase = if export_name { Phase::ExportName } else { Phase::Header(option) };
        Ok(())
    }

    /// The TLS handshake after an accepted STARTTLS succeeded. What was agreed before is forgotten.
    ///
    /// # Panics
    /// Where none was accepted.
    pub fn tls_established(&mut self) {
        assert!(matches!(self.phase, Phase::Tls), "no TLS was agreed");
        self.phase = Phase::Idle;
        self.structured = false;
        self.contexts.clear();
    }

    /// Takes bytes of the server's, in pieces of any length, up to the first event. What the server says unasked is left unused.
    ///
    /// # Errors
    /// Why the connection must be ended.
    pub fn handle(&mut self, bytes: &[u8]) -> Result<Step, NbdError> {
        let mut rest = bytes;
        let event = self.advance(&mut rest).inspect_err(|_| self.phase = Phase::Over)?;
        Ok(Step { used: bytes.len() - rest.len(), event })
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<Option<Event>, NbdError> {
        loop {
            match self.phase {
                Phase::Greeting => {
                    let Some(greeting) = self.input.array::<GREETING_LENGTH>(rest) else { return Ok(None) };
                    return self.greeted(&greeting).map(Some);
                }
                Phase::Header(option) => {
                    let Some(header) = self.input.array(rest) else { return Ok(None) };
                    self.phase = Phase::Data(self.take_header(option, &header)?);
                }
                Phase::Data(header) => {
                    let Some(data) = self.input.bytes(rest, header.length as usize) else { return Ok(None) };
                    if let Some(event) = self.take_reply(header, &data)? {
                        return Ok(Some(event));
                    }
                }
                Phase::ExportName => {
                    let zeroes =
                        if self.server.has(HandshakeFlags::NO_ZEROES) { 0 } else { EXPORT_NAME_ZEROES };
                    let length = EXPORT_NAME_LENGTH + zeroes;
                    let Some(answer) = self.input.bytes(rest, length) else { return Ok(None) };
                    return self.entered_by_name(&answer).map(Some);
                }
                Phase::Idle | Phase::Tls | Phase::Over => return Ok(None),
            }
        }
    }

    fn greeted(&mut self, greeting: &[u8; GREETING_LENGTH]) -> Result<Event, NbdError> {
        let mut reader = Reader::new(greeting);
        let magics = (reader.u64().unwrap_or_default(), reader.u64().unwrap_or_default());
        self.server = match magics {
            (GREETING_MAGIC, OPTION_MAGIC) => HandshakeFlags(reader.u16().unwrap_or_default()),
            (GREETING_MAGIC, OLDSTYLE_MAGIC) => return Err(NbdError::Oldstyle),
            (GREETING_MAGIC, found) | (found, _) => return Err(NbdError::NotNbd { found }),
        };
        // Each of the client's flags may be set only where the server offered its pair; both stand at the same bits.
        let offered = ClientFlags(u32::from(self.server.0 & HandshakeFlags::KNOWN.0));
        self.output.extend(offered.0.to_be_bytes());
        self.phase = Phase::Idle;
        Ok(Event::Greeted(self.server))
    }

    fn take_header(
        &mut self,
        asked: OptionCode,
        bytes: &[u8; OptionReplyHeader::LENGTH],
    ) -> Result<OptionReplyHeader, NbdError> {
        let header = OptionReplyHeader::decode(bytes)
            .map_err(|found| NbdError::OptionReplyMagic { option: asked, found })?;
        if header.option != asked {
            return Err(NbdError::OtherOption { asked, answered: header.option });
        }
        let length = header.length as usize;
        self.answer_length += OptionReplyHeader::LENGTH + length;
        let one = (length, OPTION_REPLY_LENGTH_MAX as usize);
        for (length, length_max) in [one, (self.answer_length, ANSWER_LENGTH_MAX)] {
            if length > length_max {
                return Err(NbdError::AnswerTooLong { option: asked, length, length_max });
            }
        }
        Ok(header)
    }

    fn take_reply(&mut self, header: OptionReplyHeader, data: &[u8]) -> Result<Option<Event>, NbdError> {
        let OptionReplyHeader { option, reply, .. } = header;
        let malformed = || NbdError::MalformedAnswer { option, reply };
        let result = match OptionReply::decode(reply, data).ok_or_else(malformed)? {
            OptionReply::Ack => Ok(()),
            OptionReply::Error { code, message } => Err(Denial { code, message }),
            other if fits(option, &other) => {
                self.replies.push(other);
                self.phase = Phase::Header(option);
                return Ok(None);
            }
            _ => return Err(malformed()),
        };
        let replies = std::mem::take(&mut self.replies);
        self.phase = Phase::Idle;
        match (option, &result) {
            (OptionCode::GO, Ok(())) => {
                self.phase = Phase::Over;
                let session = self.session(replies).ok_or_else(malformed)?;
                return Ok(Some(Event::Transmission(Box::new(session))));
            }
            (OptionCode::STARTTLS, Ok(())) => self.phase = Phase::Tls,
            (OptionCode::STRUCTURED_REPLY, Ok(())) => self.structured = true,
            // Failing or not, it replaces what was selected.
            (OptionCode::SET_META_CONTEXT, _) => {
                self.contexts =
                    if result.is_ok() { replies.iter().filter_map(context).collect() } else { Vec::new() };
            }
            _ => {}
        }
        Ok(Some(Event::Answered(Answer { option, replies, result })))
    }

    fn entered_by_name(&mut self, answer: &[u8]) -> Result<Event, NbdError> {
        let mut reader = Reader::new(answer);
        let export = reader.u64().zip(reader.u16());
        let export = export
            .map(|(size_bytes, flags)| OptionReply::Export { size_bytes, flags: TransmissionFlags(flags) });
        self.phase = Phase::Over;
        let (option, reply) = (OptionCode::EXPORT_NAME, ReplyCode::ACK);
        let session = self.session(export.into_iter().collect());
        session
            .map(|session| Event::Transmission(Box::new(session)))
            .ok_or(NbdError::MalformedAnswer { option, reply })
    }

    /// The session that replies to GO describe; `None` where the export itself is missing.
    fn session(&mut self, replies: Vec<OptionReply>) -> Option<Session> {
        let (mut export, mut block_sizes, mut name, mut description) = (None, None, None, None);
        for reply in replies {
            match reply {
                OptionReply::Export { size_bytes, flags } => export = Some((size_bytes, flags)),
                OptionReply::BlockSizes(sizes) => block_sizes = Some(sizes),
                OptionReply::Name(text) => name = Some(text),
                OptionReply::Description(text) => description = Some(text),
                _ => {}
            }
        }
        let (size_bytes, flags) = export?;
        let (structured, contexts) = (self.structured, std::mem::take(&mut self.contexts));
        Some(Session { size_bytes, flags, block_sizes, name, description, structured, contexts })
    }
}

/// Whether a reply that is not final may answer the option.
fn fits(option: OptionCode, reply: &OptionReply) -> bool {
    match reply {
        OptionReply::Server { .. } => option == OptionCode::LIST,
        OptionReply::Context { .. } => {
            [OptionCode::LIST_META_CONTEXT, OptionCode::SET_META_CONTEXT].contains(&option)
        }
        _ => [OptionCode::INFO, OptionCode::GO].contains(&option),
    }
}

fn context(reply: &OptionReply) -> Option<(u32, String)> {
    match reply {
        OptionReply::Context { id, name } => Some((*id, name.clone())),
        _ => None,
    }
}
