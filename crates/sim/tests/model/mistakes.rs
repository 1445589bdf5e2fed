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
    /// 0056: a death is written down in the instant in which it is proved.
    FenceInTheInstant,
    /// 0056: a host that comes back buries its former life in the instant in which it has the slot's lock.
    BuryInTheInstant,
    /// 0056: what a person's word and a kill cut off a moment ago is written down at once.
    TakeOverInTheInstant,
    /// 0059: a host that stops lets its slot's lock go before its users' connections end.
    ByteBeforeConnections,
    /// R6: the fence is sent however long ago the slot was looked at, from whatever stands there.
    FenceUnwatched,
}
