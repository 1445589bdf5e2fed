//! What the server answers to each option (document, *Option types*).

use std::ops::ControlFlow;

use super::negotiation::{Negotiation, Session, TlsPolicy};
use crate::bytes::text;
use crate::codes::{BASE_ALLOCATION, BASE_ALLOCATION_ID, InfoCode, OptionCode, ReplyCode};
use crate::error::NbdError;
use crate::export::{Export, Exports, Refusal};
use crate::flags::{ClientFlags, TransmissionFlags};
use crate::limits::{LIST_LENGTH_MAX, STRING_LENGTH_MAX};
use crate::option::{ContextFault, ContextRequest, InfoRequest};
use crate::option_reply::OptionReply;

/// Zeros behind the answer to `NBD_OPT_EXPORT_NAME`, unless both ends left them out.
const EXPORT_NAME_ZEROES: usize = 124;

/// What became of an option.
pub(super) enum Outcome {
    /// Its answer stands in the output.
    Answered,
    /// TLS comes next.
    StartTls,
    /// Transmission comes next.
    Enter(Box<Session>),
    /// Nothing comes next.
    Close,
}

/// A final error reply: its type, and a sentence for people.
struct Denied(ReplyCode, String);

impl Denied {
    fn new(code: ReplyCode, sentence: &str) -> Denied {
        Denied(code, sentence.to_owned())
    }

    fn malformed() -> Denied {
        Denied::new(ReplyCode::ERR_INVALID, "the option's data do not follow its layout")
    }
}

impl Negotiation {
    /// Ends the connection for an option that can neither be carried out nor answered.
    pub(super) fn admit(&self, option: OptionCode) -> Result<(), NbdError> {
        let fixed = self.client.has(ClientFlags::FIXED_NEWSTYLE);
        if !fixed && option != OptionCode::EXPORT_NAME {
            return Err(NbdError::NotFixed { option });
        }
        if option == OptionCode::EXPORT_NAME && self.lacks_tls() {
            return Err(NbdError::TlsRequired);
        }
        Ok(())
    }

    /// Whether nothing may be done before STARTTLS.
    fn lacks_tls(&self) -> bool {
        self.tls == TlsPolicy::Required && !self.secured
    }

    /// Whether this client may not see the export: it is TLS-only, and there is no TLS, be it for now or at all.
    fn hides(&self, export: &Export) -> bool {
        export.is_tls_only() && !self.secured
    }

    /// Carries an option out. `data` is `None` where they were too long to be kept.
    pub(super) fn answer<E: Exports + ?Sized>(
        &mut self,
        exports: &E,
        option: OptionCode,
        data: Option<&[u8]>,
    ) -> Result<Outcome, NbdError> {
        match option {
            OptionCode::ABORT => {
                self.reply(option, &OptionReply::Ack);
                return Ok(Outcome::Close);
            }
            OptionCode::EXPORT_NAME => return self.export_name(exports, data),
            _ => {}
        }
        let done = match self.barred(option) {
            Some(denied) => Err(denied),
            None => self.haggle(exports, option, data),
        };
        Ok(done.unwrap_or_else(|Denied(code, message)| {
            self.reply(option, &OptionReply::Error { code, message });
            Outcome::Answered
        }))
    }

    /// Why no option but ABORT is looked at, whatever its data are.
    fn barred(&self, option: OptionCode) -> Option<Denied> {
        if self.shutting_down {
            return Some(Denied::new(ReplyCode::ERR_SHUTDOWN, "the server is going down"));
        }
        let barred = self.lacks_tls() && option != OptionCode::STARTTLS;
        barred.then(|| Denied::new(ReplyCode::ERR_TLS_REQD, "this server speaks under TLS only"))
    }

    fn haggle<E: Exports + ?Sized>(
        &mut self,
        exports: &E,
        option: OptionCode,
        data: Option<&[u8]>,
    ) -> Result<Outcome, Denied> {
        let known = option.name().is_some() && option != OptionCode::EXTENDED_HEADERS;
        if !known {
            return Err(Denied::new(ReplyCode::ERR_UNSUP, "this server does not know the option"));
        }
        // Failing or not, this option takes back what an earlier one selected.
        if option == OptionCode::SET_META_CONTEXT {
            self.allocation_of = None;
        }
        let data = data.ok_or_else(|| {
            Denied::new(ReplyCode::ERR_TOO_BIG, "the option has more data than this server keeps")
        })?;
        match option {
            OptionCode::STARTTLS => self.start_tls(data),
            OptionCode::LIST => self.list(exports, data),
            OptionCode::STRUCTURED_REPLY => self.structured_reply(data),
            OptionCode::LIST_META_CONTEXT => self.list_contexts(exports, data),
            OptionCode::SET_META_CONTEXT => self.set_contexts(exports, data),
            go_or_info => self.info(exports, go_or_info, data),
        }
    }

    fn reply(&mut self, option: OptionCode, reply: &OptionReply) {
        reply.encode(option, &mut self.output);
    }

    fn acknowledge(&mut self, option: OptionCode) -> Outcome {
        self.reply(option, &OptionReply::Ack);
        Outcome::Answered
    }

    fn start_tls(&mut self, data: &[u8]) -> Result<Outcome, Denied> {
        no_data(data)?;
        if self.secured {
            return Err(Denied::new(ReplyCode::ERR_INVALID, "the connection is under TLS already"));
        }
        if self.tls == TlsPolicy::None {
            return Err(Denied::new(ReplyCode::ERR_POLICY, "this server has no TLS"));
        }
        self.reply(OptionCode::STARTTLS, &OptionReply::Ack);
        Ok(Outcome::StartTls)
    }

    fn structured_reply(&mut self, data: &[u8]) -> Result<Outcome, Denied> {
        no_data(data)?;
        self.structured = true;
        Ok(self.acknowledge(OptionCode::STRUCTURED_REPLY))
    }

    fn list<E: Exports + ?Sized>(&mut self, exports: &E, data: &[u8]) -> Result<Outcome, Denied> {
        no_data(data)?;
        let (mut answer, mut cut) = (Vec::new(), false);
        let listed = exports.list(&mut |export| {
            if self.hides(export) {
                return ControlFlow::Continue(());
            }
            let entry = OptionReply::Server {
                name: export.name().to_owned(),
                description: export.description().to_owned(),
            };
            let before = answer.len();
            entry.encode(OptionCode::LIST, &mut answer);
            cut = answer.len() > LIST_LENGTH_MAX;
            if cut {
                answer.truncate(before);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        listed.map_err(refused)?;
        self.output.append(&mut answer);
        if cut {
            return Err(Denied::new(ReplyCode::ERR_TOO_BIG, "there are more exports than one list holds"));
        }
        Ok(self.acknowledge(OptionCode::LIST))
    }

    /// `NBD_OPT_EXPORT_NAME`, which either enters transmission or ends the connection.
    fn export_name<E: Exports + ?Sized>(
        &mut self,
        exports: &E,
        data: Option<&[u8]>,
    ) -> Result<Outcome, NbdError> {
        let name = data.filter(|data| data.len() <= STRING_LENGTH_MAX).and_then(text);
        let refuse = |why| NbdError::ExportRefused { name: name.unwrap_or_default().to_owned(), why };
        if self.shutting_down {
            return Err(refuse(ReplyCode::ERR_SHUTDOWN));
        }
        let found = exports.find(name.ok_or_else(|| refuse(ReplyCode::ERR_INVALID))?);
        let export = found.map_err(|refusal| refuse(refusal.code()))?;
        if self.hides(&export) {
            return Err(refuse(ReplyCode::ERR_TLS_REQD));
        }
        if export.needs_block_sizes() {
            return Err(refuse(ReplyCode::ERR_BLOCK_SIZE_REQD));
        }
        self.output.extend(export.size_bytes().to_be_bytes());
        self.output.extend(self.flags_of(&export).0.to_be_bytes());
        if !self.client.has(ClientFlags::NO_ZEROES) {
            self.output.extend([0; EXPORT_NAME_ZEROES]);
        }
        Ok(self.enter(export, false))
    }

    fn info<E: Exports + ?Sized>(
        &mut self,
        exports: &E,
        option: OptionCode,
        data: &[u8],
    ) -> Result<Outcome, Denied> {
        let request = InfoRequest::decode(data).ok_or_else(Denied::malformed)?;
        let export = self.find_openly(exports, &request.name)?;
        let asked = |code| request.infos.contains(&code);
        // The sizes go to everybody: an error for the lack of the question then needs no second round.
        self.reply(option, &OptionReply::BlockSizes(export.block_sizes()));
        if export.needs_block_sizes() && !asked(InfoCode::BLOCK_SIZE) {
            let sentence = "this export is for clients that ask for its block sizes";
            return Err(Denied::new(ReplyCode::ERR_BLOCK_SIZE_REQD, sentence));
        }
        let flags = self.flags_of(&export);
        self.reply(option, &OptionReply::Export { size_bytes: export.size_bytes(), flags });
        if asked(InfoCode::NAME) {
            self.reply(option, &OptionReply::Name(export.name().to_owned()));
        }
        if asked(InfoCode::DESCRIPTION) && !export.description().is_empty() {
            self.reply(option, &OptionReply::Description(export.description().to_owned()));
        }
        let answered = self.acknowledge(option);
        let agreed = asked(InfoCode::BLOCK_SIZE);
        Ok(if option == OptionCode::GO { self.enter(export, agreed) } else { answered })
    }

    /// The export for INFO and GO. Where TLS is offered and not taken, an export that is TLS-only and one that does not exist are
    /// answered alike, so that nobody learns names (*SELECTIVETLS mode*).
    fn find_openly<E: Exports + ?Sized>(&self, exports: &E, name: &str) -> Result<Export, Denied> {
        let found = self.find(exports, name);
        let selective = self.tls == TlsPolicy::Offered && !self.secured;
        if selective && found == Err(Refusal::Unknown) {
            return Err(Denied::new(
                ReplyCode::ERR_TLS_REQD,
                "the export does not exist or is served under TLS only",
            ));
        }
        found.map_err(refused)
    }

    /// The export, where this client may see it.
    fn find<E: Exports + ?Sized>(&self, exports: &E, name: &str) -> Result<Export, Refusal> {
        let export = exports.find(name)?;
        if self.hides(&export) { Err(Refusal::Unknown) } else { Ok(export) }
    }

    fn contexts_asked<E: Exports + ?Sized>(
        &self,
        exports: &E,
        data: &[u8],
    ) -> Result<(Export, Vec<String>), Denied> {
        if !self.structured {
            let sentence = "structured replies must be agreed before metadata contexts";
            return Err(Denied::new(ReplyCode::ERR_INVALID, sentence));
        }
        let request = ContextRequest::decode(data).map_err(|fault| match fault {
            ContextFault::Malformed => Denied::malformed(),
            ContextFault::TooMany => Denied::new(ReplyCode::ERR_TOO_BIG, "there are too many queries"),
        })?;
        // `NBD_REP_ERR_TLS_REQD` is not for these options (*SELECTIVETLS mode*): a hidden export is an unknown one.
        let export = self.find(exports, &request.name).map_err(refused)?;
        Ok((export, request.queries))
    }

    fn list_contexts<E: Exports + ?Sized>(&mut self, exports: &E, data: &[u8]) -> Result<Outcome, Denied> {
        let option = OptionCode::LIST_META_CONTEXT;
        let (_, queries) = self.contexts_asked(exports, data)?;
        // `base:` is the wildcard of its namespace; no query at all asks for everything.
        let wanted = |query: &String| query == "base:" || query == BASE_ALLOCATION;
        if queries.is_empty() || queries.iter().any(wanted) {
            // The number has no meaning here and "SHOULD be set to zero".
            self.reply(option, &OptionReply::Context { id: 0, name: BASE_ALLOCATION.to_owned() });
        }
        Ok(self.acknowledge(option))
    }

    fn set_contexts<E: Exports + ?Sized>(&mut self, exports: &E, data: &[u8]) -> Result<Outcome, Denied> {
        let option = OptionCode::SET_META_CONTEXT;
        let (export, queries) = self.contexts_asked(exports, data)?;
        // Here a wildcard "MUST be ignored", and so must what is not known.
        if queries.iter().any(|query| query == BASE_ALLOCATION) {
            self.allocation_of = Some(export.name().to_owned());
            let id = BASE_ALLOCATION_ID;
            self.reply(option, &OptionReply::Context { id, name: BASE_ALLOCATION.to_owned() });
        }
        Ok(self.acknowledge(option))
    }

    fn flags_of(&self, export: &Export) -> TransmissionFlags {
        let fragments = if self.structured { TransmissionFlags::SEND_DF } else { TransmissionFlags::NONE };
        export.flags() | fragments
    }

    fn enter(&self, export: Export, block_sizes_agreed: bool) -> Outcome {
        Outcome::Enter(Box::new(Session {
            flags: self.flags_of(&export),
            structured: self.structured,
            allocation: self.allocation_of.as_deref() == Some(export.name()),
            block_sizes_agreed,
            secured: self.secured,
            export,
        }))
    }
}

fn no_data(data: &[u8]) -> Result<(), Denied> {
    let denied = || Denied::new(ReplyCode::ERR_INVALID, "the option takes no data");
    if data.is_empty() { Ok(()) } else { Err(denied()) }
}

fn refused(refusal: Refusal) -> Denied {
    let code = refusal.code();
    match refusal {
        Refusal::Unknown => Denied::new(code, "there is no such export"),
        Refusal::Policy(sentence) => Denied(code, sentence),
        Refusal::ShuttingDown => Denied::new(code, "the server is going down"),
    }
}
