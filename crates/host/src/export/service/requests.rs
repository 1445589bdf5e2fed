//! Requests in the export's thread: begun, driven, answered.

use oarlock_block::{Clock, IoError};
use oarlock_device::DataRingError;
use oarlock_engine::path::{PathError, SegmentIndex};
use oarlock_nbd::Command;

use super::Service;
use crate::export::bell::Woken;
use crate::export::task::{Progress, State, Task};
use crate::export::translate;

impl Service {
    /// Begins what a connection asked for.
    pub(super) fn begin(&mut self, connection: usize, structured: bool) -> Result<(), DataRingError> {
        let mut begun = std::mem::take(&mut self.begun);
        for begun in begun.drain(..) {
            let place = self.place();
            self.last_sequence += 1;
            self.active += 1;
            self.tasks[place].begin(begun, (connection, self.last_sequence), structured);
            self.drive(place)?;
        }
        self.begun = begun;
        Ok(())
    }

    /// A free place for a request. There are as many as were ever used at once, which the budget bounds.
    fn place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.tasks.push(Task::new(Woken::new(self.tasks.len(), &self.bell)));
            self.tasks.len() - 1
        })
    }

    /// Drives a request as far as it goes.
    pub(super) fn drive(&mut self, place: usize) -> Result<(), DataRingError> {
        if self.tasks[place].state != State::Active {
            return Ok(());
        }
        let clock = &self.clock;
        let progress = self.tasks[place].drive(place, &self.path, &|| clock.now(), &mut self.carrier)?;
        match progress {
            Progress::Waits => {}
            Progress::Wants => self.wanting.push(place),
            Progress::Ended(result) => self.end(place, result),
        }
        Ok(())
    }

    /// Drives all that may go on, once each.
    pub(super) fn drive_due(&mut self) -> Result<(), DataRingError> {
        let mut due = std::mem::take(&mut self.due);
        due.append(&mut self.wanting);
        due.sort_unstable();
        due.dedup();
        for place in due.drain(..) {
            self.drive(place)?;
        }
        self.due = due;
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        place: usize,
        segment: SegmentIndex,
        outcome: Result<(), IoError>,
    ) -> Result<(), DataRingError> {
        let task = &mut self.tasks[place];
        let was_leaving = task.state == State::Leaving;
        if task.answered(segment, outcome, &mut self.carrier) {
            return self.drive(place);
        }
        if was_leaving && self.tasks[place].state == State::Free {
            self.tasks[place].close(&self.path);
            self.free_place(place);
        }
        Ok(())
    }

    /// A request ended: its client is answered, if it is still there.
    fn end(&mut self, place: usize, result: Result<(), PathError>) {
        self.active -= 1;
        self.served += 1;
        let task = &mut self.tasks[place];
        self.orphans.remove(&task.sequence);
        let client = task.connection.and_then(|place| self.connections.get_mut(place)?.as_mut());
        if let Some(connection) = client {
            let (replies, request) = (connection.replies, &task.request);
            let data = task.room.data.take();
            match (result, request.command, data) {
                (Err(error), ..) => {
                    let sentence = error.to_string();
                    let put =
                        |out: &mut Vec<u8>| replies.failed(request, translate::errno(error), &sentence, out);
                    connection.output.small(put);
                    connection.under_way -= 1;
                }
                (Ok(()), Command::READ, Some(data)) if !task.is_hole => {
                    let header = replies.data(request, request.offset, request.length, true);
                    connection.output.data(&header, data, std::mem::take(&mut task.held_bytes));
                }
                (Ok(()), command, _) => {
                    connection.under_way -= 1;
                    connection.output.small(|out| match command {
                        Command::READ => replies.hole(request, request.offset, request.length, true, out),
                        Command::BLOCK_STATUS => {
                            replies.status(
                                request,
                                task.operation.extents().iter().map(translate::extent),
                                out,
                            );
                        }
                        _ => replies.done(request, out),
                    });
                }
            }
        }
        task.room.data = None;
        if task.state == State::Free {
            self.free_place(place);
        }
    }

    /// The place is free for others, and so is what its request held.
    fn free_place(&mut self, place: usize) {
        self.budget.request_ended();
        self.budget.free(std::mem::take(&mut self.tasks[place].held_bytes));
        self.free.push(place);
    }

    /// The requests of a client that broke off belong to nobody: who connects next waits for their end. Where `is_gone`,
    /// nobody hears of them either.
    pub(super) fn orphan(&mut self, connection: usize, is_gone: bool) {
        let tasks = self.tasks.iter_mut();
        for task in tasks.filter(|task| task.state == State::Active && task.connection == Some(connection)) {
            self.orphans.insert(task.sequence);
            if is_gone {
                task.connection = None;
            }
        }
    }
}
