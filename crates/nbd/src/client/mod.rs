//! The client's end: negotiation, option by option or as one plan, and the replies to requests.

mod coverage;
mod dial;
mod negotiation;
mod replies;
mod waiting;

pub use dial::{Dial, DialNext, DialStep, TlsWish, Wish};
pub use negotiation::{Answer, Denial, Event, Negotiation, Session, Step};
pub use replies::{Parsed, Replies, Reply};
