//! What one may do at a time: in the order of asking, so that nobody who comes again and again keeps another from it.

use std::rc::Rc;

use crate::pool::{Claim, Grant, Pool};

/// Who waits for a turn.
pub(crate) struct Turns(Rc<Pool>);

/// The turn, until it is dropped.
pub(crate) type Turn = Grant;

impl Default for Turns {
    fn default() -> Turns {
        Turns(Pool::new(1))
    }
}

impl Turns {
    /// Waits for the turn.
    pub(crate) async fn next(&self) -> Turn {
        self.0.grant(Claim::default(), 1).await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_has_had_a_turn_asks_behind_those_that_wait() {
        let turns = Turns::default();
        let first = turns.next().now_or_never().unwrap();
        let mut waiting = Box::pin(turns.next());
        assert!((&mut waiting).now_or_never().is_none());
        drop(first);
        assert!(turns.next().now_or_never().is_none(), "it is given to who waited, whenever that one looks");
        assert!(waiting.now_or_never().is_some());
        assert!(turns.next().now_or_never().is_some());
    }
}
