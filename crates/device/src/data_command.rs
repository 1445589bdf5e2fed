//! A command of a data ring: what it asks of the kernel, and what each answer means for it. Pure.

use oarlock_block::{IoError, Refusal};
use rustix::io::Errno;
use std::ops::Range;

use crate::clear::Clear;
use crate::failure;
use crate::progress::{Progress, progress};

/// How often a command that the kernel had no time or memory for is asked for again.
const RETRIES_MAX: u32 = 8;

/// A command on the device's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataCommand {
    pub(crate) work: Work,
    retries: u32,
}

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Read(Transfer),
    Write(Transfer),
    /// A write that is durable when it is answered.
    WriteThrough(Transfer),
    Flush,
    Clear {
        clear: Clear,
        start: u64,
        length: u64,
    },
}

/// A part of a buffer, and the byte of the file that it comes from or goes to. `done`: bytes moved so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) part: Range<usize>,
    pub(crate) start: u64,
    pub(crate) done: usize,
}

impl Transfer {
    /// What is left to move: of the buffer, and from which byte of the file on.
    pub(crate) fn rest(&self) -> (Range<usize>, u64) {
        (self.part.start + self.done..self.part.end, self.start + self.done as u64)
    }
}

/// What comes after an answer of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The command, or the rest of it, is to be asked for again.
    Again(DataCommand),
    Ended(Result<(), IoError>),
}

impl DataCommand {
    pub(crate) fn new(work: Work) -> DataCommand {
        DataCommand { work, retries: 0 }
    }

    /// What the answer `result` means, on a device of blocks of `block` bytes.
    pub(crate) fn after(mut self, result: Result<usize, Errno>, block: usize) -> Next {
        if matches!(result, Err(Errno::AGAIN | Errno::INTR)) && self.retries < RETRIES_MAX {
            self.retries += 1;
            return Next::Again(self);
        }
        let (transfer, failed, at_end): (_, fn(Errno) -> IoError, _) = match &mut self.work {
            Work::Read(transfer) => (transfer, failure::of_read, IoError::Refused(Refusal::OutOfRange)),
            Work::Write(transfer) | Work::WriteThrough(transfer) => {
                (transfer, failure::of_write, failure::of_write(Errno::IO))
            }
            Work::Flush => return Next::Ended(result.map(drop).map_err(failure::of_flush)),
            Work::Clear { .. } => return Next::Ended(result.map(drop).map_err(failure::of_write)),
        };
        match progress((transfer.done, result), transfer.part.len(), block) {
            Progress::Complete => Next::Ended(Ok(())),
            Progress::Partial(done) => {
                transfer.done = done;
                Next::Again(self)
            }
            Progress::End => Next::Ended(Err(at_end)),
            Progress::Failed(errno) => Next::Ended(Err(failed(errno))),
        }
    }
}

#[cfg(test)]
mod tests {
    use oarlock_block::UnknownCause;

    use super::*;

    const BLOCK: usize = 512;

    fn transfer() -> Transfer {
        Transfer { part: 1024..4096, start: 8192, done: 0 }
    }

    fn again(next: Next) -> DataCommand {
        match next {
            Next::Again(command) => command,
            Next::Ended(outcome) => panic!("it ended: {outcome:?}"),
        }
    }

    #[test]
    fn a_transfer_that_was_cut_short_goes_on_with_its_rest_until_all_is_moved() {
        for work in [Work::Read(transfer()), Work::Write(transfer())] {
            let command = again(DataCommand::new(work).after(Ok(512), BLOCK));
            let (Work::Read(rest) | Work::Write(rest)) = &command.work else { panic!("{command:?}") };
            assert_eq!(rest.rest(), (1536..4096, 8704));
            let command = again(command.after(Ok(1024), BLOCK));
            assert_eq!(command.after(Ok(1536), BLOCK), Next::Ended(Ok(())));
        }
    }

    #[test]
    fn a_read_that_meets_the_end_is_out_of_range_and_a_write_that_does_is_unknown() {
        let end = |work| DataCommand::new(work).after(Ok(0), BLOCK);
        assert_eq!(end(Work::Read(transfer())), Next::Ended(Err(IoError::Refused(Refusal::OutOfRange))));
        let unknown = IoError::Unknown(UnknownCause::DeviceError);
        assert_eq!(end(Work::Write(transfer())), Next::Ended(Err(unknown)));
    }

    #[test]
    fn what_the_kernel_had_no_time_for_is_asked_for_again_but_not_for_ever() {
        for errno in [Errno::AGAIN, Errno::INTR] {
            let mut command = DataCommand::new(Work::Read(transfer()));
            for _ in 0..RETRIES_MAX {
                command = again(command.after(Err(errno), BLOCK));
            }
            assert_eq!(
                command.after(Err(errno), BLOCK),
                Next::Ended(Err(IoError::Refused(Refusal::Busy))),
                "nothing was read"
            );
        }
    }

    #[test]
    fn each_error_comes_out_as_the_answer_of_its_kind_of_command() {
        let unknown = || Err(IoError::Unknown(UnknownCause::DeviceError));
        let full = || Err(IoError::Refused(Refusal::Full));
        let clear = Work::Clear { clear: Clear::Zero, start: 0, length: 512 };
        let table = [
            (Work::Read(transfer()), Errno::IO, Err(IoError::Medium)),
            (Work::Write(transfer()), Errno::IO, unknown()),
            (Work::Write(transfer()), Errno::NOSPC, full()),
            (Work::Flush, Errno::IO, unknown()),
            (Work::Flush, Errno::NOSPC, full()),
            (clear.clone(), Errno::IO, unknown()),
            (clear.clone(), Errno::NOSPC, full()),
            (clear, Errno::OPNOTSUPP, Err(IoError::Refused(Refusal::Unsupported))),
        ];
        for (work, errno, outcome) in table {
            assert_eq!(DataCommand::new(work).after(Err(errno), BLOCK), Next::Ended(outcome), "{errno}");
        }
    }
}
