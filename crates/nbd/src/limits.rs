//! The limits: what a peer may make this end keep, skip or count. Lengths are in bytes.

/// A string (name, description, query, message) has at most so many bytes (document, *Conventions*: "MUST be no longer than 4096 bytes").
pub const STRING_LENGTH_MAX: usize = 4096;

/// Data of an option that the server keeps. The longest sound option is a name and its queries; a longer one is skipped and answered
/// with [`ReplyCode::ERR_TOO_BIG`](crate::ReplyCode::ERR_TOO_BIG).
pub const OPTION_LENGTH_MAX: u32 = 65_536;

/// Data of an option that the server skips without keeping it. An option that is longer ends the connection: it would only cost time.
pub const OPTION_SKIP_MAX: u32 = 32 << 20;

/// Options that one client may send. A lister asks two or three for each export; who needs more may connect again.
pub const OPTIONS_MAX: u32 = 4096;

/// Queries in one option about metadata contexts; there is but one context to be found.
pub const QUERIES_MAX: u32 = 256;

/// Bytes of one answer to `NBD_OPT_LIST`; where the exports need more, the list ends with
/// [`ReplyCode::ERR_TOO_BIG`](crate::ReplyCode::ERR_TOO_BIG).
pub const LIST_LENGTH_MAX: usize = 4 << 20;

/// The most payload that an export may offer, and the most of a refused write that is skipped to keep the connection. The document
/// (*Size constraints*) asks that 2^25 bytes are not held for an attack, even where an export takes less; beyond it, the connection ends.
pub const PAYLOAD_MAX: u32 = 32 << 20;

/// A minimum block size is at most so large (*Size constraints*).
pub const MINIMUM_BLOCK_MAX: u32 = 65_536;

/// A preferred block size is at least so large (*Size constraints*).
pub const PREFERRED_BLOCK_MIN: u32 = 512;

/// Extents in one chunk of block status (`NBD_REPLY_TYPE_BLOCK_STATUS`: "SHOULD NOT send more than 2^20").
pub const EXTENTS_MAX: usize = 1 << 20;

/// One reply to an option that a client keeps: two strings and their lengths, and room for what a later document adds.
pub const OPTION_REPLY_LENGTH_MAX: u32 = 65_536;

/// All replies to one option that a client keeps.
pub const ANSWER_LENGTH_MAX: usize = 16 << 20;

/// Requests that a client has under way on one connection.
pub const IN_FLIGHT_MAX: usize = 4096;

/// Separate ranges of one read that a client keeps account of: a server that answers in smaller crumbs is left.
pub const RANGES_MAX: usize = 65_536;
