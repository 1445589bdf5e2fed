//! Why a connection cannot go on, or an export cannot be offered.

use crate::codes::{ChunkCode, Command, OptionCode, ReplyCode};
use crate::flags::TransmissionFlags;
use crate::request::Cookie;

/// Why a connection cannot go on, or an export cannot be offered.
///
/// What can be answered within the protocol (an unknown option, a read beyond the end) is no error of this kind: it is answered, and
/// the connection goes on. After one of these, either end "MAY initiate a hard disconnect" and the caller is expected to: the next
/// byte has no meaning. No state machine of this crate takes bytes after it returned one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NbdError {
    /// A name or description that no string of the protocol can carry.
    #[error("a string has at most 4096 bytes and no NUL; this one has {length} bytes")]
    NotAString {
        /// Its length in bytes.
        length: usize,
    },
    /// Block sizes that break *Size constraints*.
    #[error(
        "block sizes of {minimum} (minimum), {preferred} (preferred) and {payload_max} (payload) bytes break the protocol's rules"
    )]
    BlockSizes {
        /// The minimum block size in bytes.
        minimum: u32,
        /// The preferred block size in bytes.
        preferred: u32,
        /// The maximum payload in bytes.
        payload_max: u32,
    },
    /// A size whose end no request could reach.
    #[error("an export of {size_bytes} bytes is not a whole number of its minimum blocks of {minimum} bytes")]
    PartialBlock {
        /// The size in bytes.
        size_bytes: u64,
        /// The minimum block size in bytes.
        minimum: u32,
    },
    /// Flags that this server does not serve, or that do not go together.
    #[error("an export cannot be offered with {flags:?}")]
    ExportFlags {
        /// The flags.
        flags: TransmissionFlags,
    },

    /// The client set a flag that it was not offered (*Client flags*).
    #[error("the client set flags that it was not offered: {found:#x}")]
    ClientFlags {
        /// All its flags.
        found: u32,
    },
    /// The client declined fixed newstyle, and sent another option than the one that is valid without it.
    #[error("the client sent {option} without having taken fixed newstyle")]
    NotFixed {
        /// The option.
        option: OptionCode,
    },
    /// Another magic where an option starts.
    #[error("an option starts with {found:#018x} instead of its magic")]
    OptionMagic {
        /// What stood there.
        found: u64,
    },
    /// More data with an option than anybody would skip.
    #[error("{option} comes with {length} bytes of data, {length_max} are the most")]
    OptionTooLong {
        /// The option.
        option: OptionCode,
        /// Its length.
        length: u32,
        /// The limit that it broke.
        length_max: u32,
    },
    /// The client did not come to an end.
    #[error("the client sent more than {count_max} options")]
    TooManyOptions {
        /// The limit.
        count_max: u32,
    },
    /// `NBD_OPT_EXPORT_NAME` for an export that is not to be had, which cannot be answered.
    #[error("the client chose the export `{}`, which it cannot have: {why}", .name.escape_debug())]
    ExportRefused {
        /// The name, as far as it was a string.
        name: String,
        /// Why.
        why: ReplyCode,
    },
    /// The client neither took TLS nor can be told that it must.
    #[error("the client goes on without TLS, which is required, in a way that has no answer")]
    TlsRequired,

    /// Another magic where a request starts.
    #[error("a request starts with {found:#010x} instead of its magic")]
    RequestMagic {
        /// What stood there.
        found: u32,
    },
    /// A write too long to be skipped.
    #[error("a write carries {length} bytes, of which at most {length_max} would be skipped")]
    PayloadTooLong {
        /// Its length.
        length: u32,
        /// The limit that it broke.
        length_max: u32,
    },

    /// The server speaks another protocol.
    #[error("no NBD server: the greeting starts with {found:#018x}")]
    NotNbd {
        /// What stood there.
        found: u64,
    },
    /// The server speaks the old style, which has no options.
    #[error("the server speaks oldstyle, which has no options")]
    Oldstyle,
    /// The server does not speak fixed newstyle, and something else than an export's name was asked.
    #[error("the server does not speak fixed newstyle: {option} cannot be asked")]
    NotFixedServer {
        /// The option.
        option: OptionCode,
    },
    /// Another magic where a reply to an option starts.
    #[error("a reply to {option} starts with {found:#018x} instead of its magic")]
    OptionReplyMagic {
        /// The option that was asked.
        option: OptionCode,
        /// What stood there.
        found: u64,
    },
    /// A reply to something that was not asked.
    #[error("{asked} was asked, and {answered} answered")]
    OtherOption {
        /// The option that was asked.
        asked: OptionCode,
        /// The one that was answered.
        answered: OptionCode,
    },
    /// A reply to an option, or all of them, that is longer than anything sound.
    #[error("the answer to {option} has {length} bytes or more, {length_max} are the most")]
    AnswerTooLong {
        /// The option that was asked.
        option: OptionCode,
        /// The length.
        length: usize,
        /// The limit that it broke.
        length_max: usize,
    },
    /// A reply to an option that does not follow its layout, or out of place.
    #[error("the server's {reply} in answer to {option} is malformed")]
    MalformedAnswer {
        /// The option that was asked.
        option: OptionCode,
        /// The type of the reply.
        reply: ReplyCode,
    },

    /// More requests under way than this end keeps account of.
    #[error("{count_max} requests are under way already")]
    TooManyInFlight {
        /// The limit.
        count_max: usize,
    },
    /// A cookie that a request under way has.
    #[error("{cookie} belongs to a request that is under way")]
    CookieInUse {
        /// The cookie.
        cookie: Cookie,
    },
    /// Another magic where a reply starts.
    #[error("a reply starts with {found:#010x} instead of a magic that was agreed")]
    ReplyMagic {
        /// What stood there.
        found: u32,
    },
    /// A reply to no request.
    #[error("{cookie} belongs to no request that is under way")]
    UnknownCookie {
        /// The cookie.
        cookie: Cookie,
    },
    /// A simple reply where structured ones were agreed and the request has a payload to come.
    #[error("the server answered {command} ({cookie}) by a simple reply, against what was agreed")]
    SimpleReply {
        /// The request's cookie.
        cookie: Cookie,
        /// The request's command.
        command: Command,
    },
    /// A chunk that does not follow its layout, or does not belong to such a request.
    #[error("a chunk {chunk} of the reply to {command} ({cookie}) is malformed or out of place")]
    MalformedChunk {
        /// The request's cookie.
        cookie: Cookie,
        /// The request's command.
        command: Command,
        /// The type of the chunk.
        chunk: ChunkCode,
    },
    /// Content that was not asked for, or came before.
    #[error("the reply to {cookie} has {length} bytes at {offset}, which were not asked for or came before")]
    StrayContent {
        /// The request's cookie.
        cookie: Cookie,
        /// Where, in bytes from the start of the export.
        offset: u64,
        /// How much, in bytes.
        length: u32,
    },
    /// Content in more pieces than this end keeps account of.
    #[error("the reply to {cookie} comes in more than {count_max} pieces")]
    TooManyPieces {
        /// The request's cookie.
        cookie: Cookie,
        /// The limit.
        count_max: usize,
    },
    /// A reply that claims success and is not whole.
    #[error("the reply to {cookie} claims success, but {missing} of what was asked for never came")]
    Incomplete {
        /// The request's cookie.
        cookie: Cookie,
        /// Bytes of a read, or contexts of a block status, that never came.
        missing: u64,
    },
}
