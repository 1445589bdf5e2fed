//! Mistakes of the model, each of which must yield a counterexample: a model that cannot fail proves nothing.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// R1: an unknown is closed by reading the expected image back.
    CloseUnknownByReading,
    /// R5: a lease counts from the reply.
    LeaseFromReply,
    /// R11: a lock is broken while its owner's slot only says Fenced.
    BreakOnFenced,
    /// I6: CutOff is written without cutting off.
    SkipCutOff,
    /// R13: a new process enters a slot while writes of the last one are in flight.
    EnterBesideOldWrites,
    /// R11: whoever joins into a slot that is being replayed takes the replay from the living.
    JoinerTakesReplay,
    /// R45: a burial that the slot's next life carries out names that life's process, and a cut-off kills it.
    KillTheNextLife,
    /// R6: the fence is sent however long ago the slot was looked at, from whatever stands there.
    FenceUnwatched,
}
