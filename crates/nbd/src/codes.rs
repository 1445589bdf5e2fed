//! The named numbers: magics, options, reply types, commands and errors (document, *Values*).

use std::fmt;

/// The first eight bytes from a server, `NBDMAGIC` (*Newstyle negotiation*).
pub const GREETING_MAGIC: u64 = 0x4e42_444d_4147_4943;
/// In front of each option, and in the greeting: `IHAVEOPT`.
pub const OPTION_MAGIC: u64 = 0x4948_4156_454F_5054;
/// What stands there in the greeting of a server of the old style (*Oldstyle negotiation*).
pub const OLDSTYLE_MAGIC: u64 = 0x0000_4202_8186_1253;
/// In front of each reply to an option (*Fixed newstyle negotiation*).
pub const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// `NBD_REQUEST_MAGIC`.
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// `NBD_SIMPLE_REPLY_MAGIC`.
pub const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
/// `NBD_STRUCTURED_REPLY_MAGIC`.
pub const STRUCTURED_REPLY_MAGIC: u32 = 0x668e_33ef;

/// The one metadata context of the document.
pub const BASE_ALLOCATION: &str = "base:allocation";
/// The number by which our server calls it; clients take it as opaque (`NBD_OPT_SET_META_CONTEXT`).
pub const BASE_ALLOCATION_ID: u32 = 1;

/// Declares a code of the wire: a newtype whose known values have names, so that any number can stand in it.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $bits:ty { $($(#[$code_doc:meta])* $code:ident = $value:expr, $spelt:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $bits);

        impl $name {
            $($(#[$code_doc])* pub const $code: $name = $name($value);)+

            /// The document's name of it, if the document has one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$code => Some($spelt),)+
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => formatter.write_str(name),
                    None => write!(formatter, "{:#x}", self.0),
                }
            }
        }
    };
}

codes! {
    /// What a client asks in the handshake (*Option types*).
    OptionCode: u32 {
        /// Choose an export, without a way to hear of an error.
        EXPORT_NAME = 1, "NBD_OPT_EXPORT_NAME";
        /// End the session.
        ABORT = 2, "NBD_OPT_ABORT";
        /// Name the exports.
        LIST = 3, "NBD_OPT_LIST";
        /// Go on under TLS.
        STARTTLS = 5, "NBD_OPT_STARTTLS";
        /// Tell about an export.
        INFO = 6, "NBD_OPT_INFO";
        /// Tell about an export, and serve it.
        GO = 7, "NBD_OPT_GO";
        /// Use structured replies.
        STRUCTURED_REPLY = 8, "NBD_OPT_STRUCTURED_REPLY";
        /// Name the metadata contexts.
        LIST_META_CONTEXT = 9, "NBD_OPT_LIST_META_CONTEXT";
        /// Select metadata contexts.
        SET_META_CONTEXT = 10, "NBD_OPT_SET_META_CONTEXT";
        /// Of an experimental extension; answered as unsupported.
        EXTENDED_HEADERS = 11, "NBD_OPT_EXTENDED_HEADERS";
    }
}

codes! {
    /// How a server answers an option (*Option reply types*).
    ReplyCode: u32 {
        /// Accepted, and all is said.
        ACK = 1, "NBD_REP_ACK";
        /// An export of the list.
        SERVER = 2, "NBD_REP_SERVER";
        /// Something about an export.
        INFO = 3, "NBD_REP_INFO";
        /// A metadata context.
        META_CONTEXT = 4, "NBD_REP_META_CONTEXT";
        /// Unknown to this server.
        ERR_UNSUP = (1 << 31) + 1, "NBD_REP_ERR_UNSUP";
        /// Known and forbidden.
        ERR_POLICY = (1 << 31) + 2, "NBD_REP_ERR_POLICY";
        /// Malformed, or out of place.
        ERR_INVALID = (1 << 31) + 3, "NBD_REP_ERR_INVALID";
        /// Not on this platform.
        ERR_PLATFORM = (1 << 31) + 4, "NBD_REP_ERR_PLATFORM";
        /// Not without TLS.
        ERR_TLS_REQD = (1 << 31) + 5, "NBD_REP_ERR_TLS_REQD";
        /// No such export.
        ERR_UNKNOWN = (1 << 31) + 6, "NBD_REP_ERR_UNKNOWN";
        /// The server is going down.
        ERR_SHUTDOWN = (1 << 31) + 7, "NBD_REP_ERR_SHUTDOWN";
        /// Not without agreed block sizes.
        ERR_BLOCK_SIZE_REQD = (1 << 31) + 8, "NBD_REP_ERR_BLOCK_SIZE_REQD";
        /// The request or its answer is too large.
        ERR_TOO_BIG = (1 << 31) + 9, "NBD_REP_ERR_TOO_BIG";
        /// Of the experimental extension of extended headers.
        ERR_EXT_HEADER_REQD = (1 << 31) + 10, "NBD_REP_ERR_EXT_HEADER_REQD";
    }
}

impl ReplyCode {
    /// Whether the reply says that the option failed: "denoted by having bit 31 set".
    pub const fn is_error(self) -> bool {
        self.0 >> 31 == 1
    }
}

codes! {
    /// What is told about an export (`NBD_REP_INFO`).
    InfoCode: u16 {
        /// Size and transmission flags; always told.
        EXPORT = 0, "NBD_INFO_EXPORT";
        /// The canonical name.
        NAME = 1, "NBD_INFO_NAME";
        /// A sentence for people.
        DESCRIPTION = 2, "NBD_INFO_DESCRIPTION";
        /// Minimum and preferred block size, maximum payload.
        BLOCK_SIZE = 3, "NBD_INFO_BLOCK_SIZE";
    }
}

codes! {
    /// What a client requests (*Request types*).
    Command: u16 {
        /// Read.
        READ = 0, "NBD_CMD_READ";
        /// Write; the payload follows the request.
        WRITE = 1, "NBD_CMD_WRITE";
        /// Goodbye; there is no reply.
        DISC = 2, "NBD_CMD_DISC";
        /// What was answered is on stable storage.
        FLUSH = 3, "NBD_CMD_FLUSH";
        /// The range is no longer needed.
        TRIM = 4, "NBD_CMD_TRIM";
        /// The range will be needed.
        CACHE = 5, "NBD_CMD_CACHE";
        /// Zero the range.
        WRITE_ZEROES = 6, "NBD_CMD_WRITE_ZEROES";
        /// Tell what stands in the range.
        BLOCK_STATUS = 7, "NBD_CMD_BLOCK_STATUS";
        /// Of an experimental extension; refused.
        RESIZE = 8, "NBD_CMD_RESIZE";
    }
}

codes! {
    /// The kind of a chunk of a structured reply (*Structured reply types*).
    ChunkCode: u16 {
        /// Nothing more than the end.
        NONE = 0, "NBD_REPLY_TYPE_NONE";
        /// An offset and the data that stand there.
        OFFSET_DATA = 1, "NBD_REPLY_TYPE_OFFSET_DATA";
        /// An offset and how many zeros stand there.
        OFFSET_HOLE = 2, "NBD_REPLY_TYPE_OFFSET_HOLE";
        /// Extents of one metadata context.
        BLOCK_STATUS = 5, "NBD_REPLY_TYPE_BLOCK_STATUS";
        /// An error.
        ERROR = (1 << 15) + 1, "NBD_REPLY_TYPE_ERROR";
        /// An error, and where.
        ERROR_OFFSET = (1 << 15) + 2, "NBD_REPLY_TYPE_ERROR_OFFSET";
    }
}

impl ChunkCode {
    /// Whether it is an error chunk, known or not: "all error chunk types have bit 15 set".
    pub const fn is_error(self) -> bool {
        self.0 >> 15 == 1
    }
}

codes! {
    /// Why a request failed (*Error values*); 0 stands for success on the wire and never in here.
    Errno: u32 {
        /// Operation not permitted: a write to a read-only export.
        EPERM = 1, "NBD_EPERM";
        /// Input/output error.
        EIO = 5, "NBD_EIO";
        /// Cannot allocate memory.
        ENOMEM = 12, "NBD_ENOMEM";
        /// Invalid argument.
        EINVAL = 22, "NBD_EINVAL";
        /// No space left, or a write beyond the end.
        ENOSPC = 28, "NBD_ENOSPC";
        /// The value is too large.
        EOVERFLOW = 75, "NBD_EOVERFLOW";
        /// Not supported: zeros that would not be fast.
        ENOTSUP = 95, "NBD_ENOTSUP";
        /// The server is going down.
        ESHUTDOWN = 108, "NBD_ESHUTDOWN";
    }
}
