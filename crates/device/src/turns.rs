//! Which turn's commands are still out: those of one turn count as one among the description's.
//!
//! Counting each by itself costs a tenth of what a command at queue 32 costs altogether, and tells nobody more: a slot
//! that is given back waits for all commands that began before, and those of one turn begin at once.

use crate::range_table::CommandId;

/// Names the turn that a command belongs to, until the last of them ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnIndex(usize);

/// The turns with commands out: at most as many as there are commands, and one more.
#[derive(Default)]
pub(crate) struct Turns {
    turns: Vec<Turn>,
    free: Vec<usize>,
    /// The turn that commands join now.
    open: Option<usize>,
}

struct Turn {
    id: CommandId,
    commands: usize,
}

impl Turns {
    /// A command joins the open turn; where there is none, `begin` counts a new one.
    pub(crate) fn join(&mut self, begin: impl FnOnce() -> CommandId) -> TurnIndex {
        let place = match self.open {
            Some(place) => place,
            None => self.start(begin()),
        };
        self.turns[place].commands += 1;
        TurnIndex(place)
    }

    fn start(&mut self, id: CommandId) -> usize {
        let turn = Turn { id, commands: 0 };
        let place = match self.free.pop() {
            Some(place) => {
                self.turns[place] = turn;
                place
            }
            None => {
                self.turns.push(turn);
                self.turns.len() - 1
            }
        };
        self.open = Some(place);
        place
    }

    /// The commands that join from now on began later. What the turn was counted as is over where it has none out.
    pub(crate) fn close(&mut self) -> Option<CommandId> {
        let place = self.open.take()?;
        self.over(place)
    }

    /// A command ended; with the last one of a closed turn, what the turn was counted as.
    pub(crate) fn leave(&mut self, TurnIndex(place): TurnIndex) -> Option<CommandId> {
        self.turns[place].commands -= 1;
        if self.open == Some(place) { None } else { self.over(place) }
    }

    fn over(&mut self, place: usize) -> Option<CommandId> {
        let Turn { id, commands } = self.turns[place];
        (commands == 0).then(|| {
            self.free.push(place);
            id
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_turn_count_once_and_until_the_last_of_them_ended() {
        let mut turns = Turns::default();
        let one = turns.join(|| CommandId(1));
        assert_eq!(turns.join(|| unreachable!("the turn is open")), one);
        assert_eq!(turns.close(), None);
        let two = turns.join(|| CommandId(2));
        assert_eq!(turns.leave(one), None);
        assert_eq!(turns.leave(one), Some(CommandId(1)));
        assert_eq!(turns.leave(two), None, "others may still join it");
        assert_eq!(turns.close(), Some(CommandId(2)));
        assert_eq!(turns.close(), None);
    }

    #[test]
    fn no_more_turns_are_kept_than_have_commands_out() {
        let mut turns = Turns::default();
        let mut out = std::collections::VecDeque::new();
        for number in 0..100 {
            out.push_back(turns.join(|| CommandId(number)));
            turns.close();
            if out.len() > 4 {
                assert!(turns.leave(out.pop_front().unwrap()).is_some());
            }
        }
        assert_eq!(turns.turns.len(), 5);
    }
}
