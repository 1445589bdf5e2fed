//! Data on their way from an initiator to one command: unasked first, then what R2Ts ask for (RFC 7143, 4.2.5.2 and 11.8).

use std::collections::VecDeque;
use std::rc::Rc;

use oarlock_device::DataBuffer;
use oarlock_scsi::iscsi::{DataOut, DataSn, ReadyToTransfer, TaskTag};
use oarlock_scsi::{AdditionalSense, Sense, SenseKey};

use crate::course::{Outcome, Stop};
use crate::early::EarlyPermit;
use crate::limits::PROGRESS_MIN;
use crate::media::Media;
use crate::memory::Permit;
use crate::task::{Received, Task};

/// Where the data of one command go, and how far they are.
#[derive(Default)]
pub(crate) struct Inbound {
    buffer: Option<DataBuffer>,
    early: Option<EarlyPermit>,
    /// Bytes that came, all from the first on: DataPDUInOrder and DataSequenceInOrder are agreed on.
    received: usize,
    /// Unsolicited data may still come.
    is_unasked_open: bool,
    unasked_sn: DataSn,
    /// Bytes that may come unasked.
    unasked_max: usize,
    /// Bytes that the command wants in all; 0 until it asks.
    wanted: usize,
    /// Bytes that came or were asked for.
    asked: usize,
    open: VecDeque<Asked>,
    /// Looks at it since data came or were asked for last.
    quiet: u64,
    /// Bytes that came since it was last found to go on.
    fresh: usize,
    r2t_sn: DataSn,
    is_refused: bool,
    /// What the initiator did wrong.
    fault: Option<Sense>,
}

/// An R2T that is open.
struct Asked {
    tag: TaskTag,
    /// Where its data end.
    end: usize,
    data_sn: DataSn,
}

/// The initiator named data that nobody asked for.
pub(crate) struct NotAsked;

impl Inbound {
    /// For a command with so much immediate data, and unsolicited data behind it where `is_open`. `unasked_max`: what may come unasked.
    pub(crate) fn new(
        buffer: Option<(DataBuffer, EarlyPermit)>,
        is_open: bool,
        unasked_max: usize,
    ) -> Inbound {
        let (buffer, early) = buffer.unzip();
        Inbound { buffer, early, is_unasked_open: is_open, unasked_max, ..Inbound::default() }
    }

    /// For a command all of whose data are there: the first `length` bytes of the buffer.
    pub(crate) fn whole(buffer: DataBuffer, length: usize) -> Inbound {
        Inbound { buffer: Some(buffer), received: length, ..Inbound::default() }
    }

    /// How many R2Ts it had: what its response tells.
    pub(crate) fn r2ts(&self) -> DataSn {
        self.r2t_sn
    }

    pub(crate) fn is_unasked_open(&self) -> bool {
        self.is_unasked_open
    }

    /// Notes what the initiator did wrong; the first mistake counts.
    pub(crate) fn fail(&mut self, code: AdditionalSense) {
        self.fault.get_or_insert_with(|| Sense::new(SenseKey::AbortedCommand, code));
    }

    /// There is no memory for what comes unasked: the command is told TASK SET FULL.
    pub(crate) fn refuse(&mut self) {
        self.is_refused = true;
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// The data of a Data-Out are not what was sent: the command fails. Where they end.
    pub(crate) fn fail_at(&mut self, data: &DataOut) -> usize {
        self.fail(AdditionalSense::PROTOCOL_SERVICE_CRC_ERROR);
        (data.offset as usize).saturating_add(data.length)
    }

    /// Where the next `length` bytes of the data segment go; `None`: they are not wanted.
    pub(crate) fn place(&mut self, offset: usize, length: usize) -> Option<&mut [u8]> {
        let buffer = self.buffer.as_mut()?;
        let end = offset.checked_add(length)?;
        if end > buffer.length() || buffer.is_in_flight() {
            return None;
        }
        buffer.bytes().get_mut(offset..end)
    }

    /// Whether a Data-Out belongs here, and where its data begin. What breaks the order is noted as a fault of the command.
    ///
    /// # Errors
    /// [`NotAsked`]: a transfer tag that was never given out.
    pub(crate) fn expect(&mut self, data: &DataOut) -> Result<usize, NotAsked> {
        let offset = usize::try_from(data.offset).unwrap_or(usize::MAX);
        let end = offset.saturating_add(data.length);
        let (data_sn, limit) = if data.transfer_tag == TaskTag::NONE {
            if !self.is_unasked_open {
                return Err(NotAsked);
            }
            (self.unasked_sn, self.unasked_max)
        } else {
            let first = self.open.front().filter(|asked| asked.tag == data.transfer_tag).ok_or(NotAsked)?;
            (first.data_sn, first.end)
        };
        if data_sn != data.data_sn {
            self.fail(AdditionalSense::PROTOCOL_SERVICE_CRC_ERROR);
        } else if offset != self.received || end > limit {
            self.fail(AdditionalSense::NOT_ENOUGH_UNSOLICITED_DATA);
        }
        Ok(offset)
    }

    /// A Data-Out, or the command's immediate data, came in full.
    pub(crate) fn came(&mut self, transfer_tag: Option<TaskTag>, end: usize, is_final: bool) {
        // What came where it should not was not kept, and there may be no memory as far as it says.
        if self.fault.is_none() {
            self.fresh += end.saturating_sub(self.received);
            self.received = self.received.max(end);
        }
        if is_final || self.fresh >= PROGRESS_MIN {
            (self.quiet, self.fresh) = (0, 0);
        }
        match transfer_tag {
            None => {}
            Some(TaskTag::NONE) => {
                self.unasked_sn = self.unasked_sn.next();
                self.is_unasked_open &= !is_final;
            }
            Some(_) => {
                let Some(first) = self.open.front_mut() else { return };
                first.data_sn = first.data_sn.next();
                let is_short = self.received < first.end;
                if is_final {
                    self.open.pop_front();
                    if is_short {
                        self.fail(AdditionalSense::NOT_ENOUGH_UNSOLICITED_DATA);
                    }
                }
            }
        }
    }

    /// One more look at it: for how many its data have failed to come. `None`: it waits for none.
    pub(crate) fn silence(&mut self) -> Option<u64> {
        let is_waiting = self.is_waiting();
        self.quiet += u64::from(is_waiting);
        is_waiting.then_some(self.quiet)
    }

    /// Whether its initiator has to send data.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_unasked_open || !self.open.is_empty()
    }

    /// Where something was wrong, too, all that was asked for comes first: until then the response waits (RFC 7143, 7.8).
    fn is_complete(&self) -> bool {
        let has_come = if self.fault.is_some() { self.open.is_empty() } else { self.received >= self.wanted };
        !self.is_unasked_open && has_come
    }
}

impl Task {
    /// Waits for the first `wanted` bytes of the command's data, or for all that the initiator means to send, where that is
    /// less. `None`: there are none.
    pub(crate) async fn receive(
        self: &Rc<Task>,
        media: &Rc<Media>,
        wanted: usize,
    ) -> Outcome<Option<Received>> {
        let wanted = wanted.min(self.command.data_out_length());
        if wanted == 0 {
            return Ok(None);
        }
        self.until(|| !self.inbound.borrow().is_unasked_open).await?;
        let fault = self.inbound.borrow().fault;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        let permit = self.make_room(media, wanted).await?;
        {
            let mut inbound = self.inbound.borrow_mut();
            inbound.wanted = wanted;
            inbound.asked = inbound.received;
        }
        self.ask_for_data();
        self.until(|| self.inbound.borrow().is_complete()).await?;
        let mut inbound = self.inbound.borrow_mut();
        if let Some(fault) = inbound.fault {
            return Err(fault.into());
        }
        let Some(buffer) = inbound.buffer.take() else {
            return Err(Stop::from(Sense::new(
                SenseKey::AbortedCommand,
                AdditionalSense::NOT_ENOUGH_UNSOLICITED_DATA,
            )));
        };
        Ok(Some(Received { buffer, length: wanted, _permit: permit }))
    }

    /// The right to memory for so many bytes of data, at once where nobody waits: hardly anybody ever does.
    pub(crate) async fn permit(&self, media: &Media, bytes: usize) -> Outcome<Permit> {
        let unit = self.unit.as_deref();
        let (of_session, of_unit) = (self.session.shares(unit), unit.map(|unit| &*unit.shares));
        match media.try_permit(&of_session.memory, of_unit, bytes) {
            Some(permit) => Ok(permit),
            None => Box::pin(self.or_aborted(media.permit(&of_session.memory, of_unit, bytes))).await,
        }
    }

    /// A buffer for all of it; what came unasked moves there, unless it is all.
    async fn make_room(&self, media: &Rc<Media>, wanted: usize) -> Outcome<Option<Permit>> {
        let is_enough = |inbound: &Inbound| {
            inbound.received >= wanted
                || inbound.buffer.as_ref().is_some_and(|buffer| buffer.length() >= wanted)
        };
        if is_enough(&self.inbound.borrow()) {
            return Ok(None);
        }
        let permit = self.permit(media, wanted).await?;
        let mut buffer = media.buffer(wanted).map_err(|_| Stop::Status(oarlock_scsi::Status::BUSY))?;
        let mut inbound = self.inbound.borrow_mut();
        let received = inbound.received;
        if let Some(mut early) = inbound.buffer.take() {
            buffer.bytes()[..received].copy_from_slice(&early.bytes()[..received]);
        }
        inbound.early = None;
        inbound.buffer = Some(buffer);
        Ok(Some(permit))
    }

    /// Sends the R2Ts that may be open now.
    pub(crate) fn ask_for_data(&self) {
        let (burst_max, open_max) = {
            let parameters = self.session.parameters();
            (parameters.burst_max as usize, parameters.outstanding_r2t_max as usize)
        };
        loop {
            let wanted = {
                let mut inbound = self.inbound.borrow_mut();
                let left = inbound.wanted.saturating_sub(inbound.asked);
                if left == 0 || inbound.open.len() >= open_max || inbound.fault.is_some() {
                    return;
                }
                let (offset, length) = (inbound.asked, left.min(burst_max));
                let tag = self.session.transfer_tag();
                let r2t_sn = inbound.r2t_sn;
                inbound.r2t_sn = r2t_sn.next();
                inbound.asked += length;
                inbound.quiet = 0;
                inbound.open.push_back(Asked { tag, end: offset + length, data_sn: DataSn::FIRST });
                ReadyToTransfer {
                    lun: self.command.lun,
                    task_tag: self.command.task_tag,
                    transfer_tag: tag,
                    r2t_sn,
                    offset: u32::try_from(offset).unwrap_or(u32::MAX),
                    length: u32::try_from(length).unwrap_or(u32::MAX),
                }
            };
            self.session.send(wanted.encode(), false, &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_that_nobody_waits_for_are_never_late_and_a_few_bytes_now_and_then_are_no_progress() {
        let mut at_rest = Inbound::new(None, false, 0);
        let mut open = Inbound::new(None, true, 4096);
        for looks in 1..=30 {
            assert_eq!((at_rest.silence(), open.silence()), (None, Some(looks)));
        }
        open.came(Some(TaskTag::NONE), PROGRESS_MIN, false);
        for looks in 1..=30 {
            assert_eq!((at_rest.silence(), open.silence()), (None, Some(looks)));
            open.came(Some(TaskTag::NONE), PROGRESS_MIN + 4, false);
        }
    }
}
