//! The server's end: negotiation, the rules of a request, the stream of requests, and replies.

mod haggle;
mod negotiation;
mod replies;
mod requests;
mod rules;

pub use negotiation::{Negotiation, Next, Session, Step, TlsPolicy};
pub use replies::{READ_HEADROOM, Replies, ReplyHeader};
pub use requests::{Incoming, Parsed, Requests};
pub use rules::Rules;
