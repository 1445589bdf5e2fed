//! EXTENDED COPY and RECEIVE COPY RESULTS: blocks go from unit to unit without passing an initiator (SPC-4).

use std::rc::Rc;

use oarlock_block::{BlockCount, Lba};
use oarlock_device::DataBuffer;
use oarlock_scsi::{
    AccessRule, AdditionalSense, CopyFailure, CopyLimits, CopyList, CopyManagerStatus, CopyResults,
    CopyStatus, ListIdUsage, Peripheral, ReceiveCopyResults, ReservationRule, Segment, SegmentPointer, Sense,
    SenseForm, SenseKey, Status,
};

use super::sanitize::check_erasures;
use super::{Reply, Wanted, Work, failed};
use crate::copies::CopyResult;
use crate::course::{Outcome, Stop};
use crate::ranges::{Held, Hold};
use crate::task_set;
use crate::unit::Unit;

/// What the copy manager can do.
pub(super) const LIMITS: CopyLimits = CopyLimits {
    targets_max: 16,
    segments_max: 256,
    descriptor_list_length_max: 16 << 10,
    segment_length_max: 256 << 20,
    held_data_max: 0,
    concurrent_max: 64,
    granularity_exponent: 9,
};

/// What a copy wants of the units that it reads and writes.
const SOURCE: Wanted = Wanted {
    access: AccessRule::Active,
    reservation: ReservationRule::Read,
    needs_medium: true,
    modifies_medium: false,
};
const DESTINATION: Wanted = Wanted { reservation: ReservationRule::Write, modifies_medium: true, ..SOURCE };

/// Where a segment descriptor has the two addresses.
const SOURCE_LBA_BYTE: u16 = 12;
const DESTINATION_LBA_BYTE: u16 = 20;

/// What the ends of a step take besides, where they are within blocks.
const ENDS: usize = 2 * 4096;

/// What is copied at once.
const STEP: usize = (2 << 20) - ENDS;

/// Bytes of one unit.
#[derive(Clone)]
struct Place {
    unit: Rc<Unit>,
    from_byte: u64,
    length: u64,
    /// Where it ends within a block, zeros go behind it; otherwise what the block has stays.
    is_padded: bool,
}

impl Place {
    /// Whether it begins and ends where blocks do.
    fn is_whole(&self) -> bool {
        let block = u64::from(self.unit.block_size().bytes());
        self.from_byte.is_multiple_of(block) && self.length.is_multiple_of(block)
    }

    fn blocks(&self) -> std::ops::Range<u64> {
        let block = u64::from(self.unit.block_size().bytes());
        self.from_byte / block..(self.from_byte + self.length).div_ceil(block)
    }
}

impl Work {
    pub(super) async fn extended_copy(&self, parameter_list_length: u32) -> Outcome<Reply> {
        let length = usize::try_from(parameter_list_length).unwrap_or(usize::MAX);
        if length > LIMITS.descriptor_list_length_max as usize + 16 {
            return Err(Sense::parameter_list_length().into());
        }
        let list = self.receive_list(length).await?;
        if list.len() < length {
            return Err(Sense::parameter_list_length().into());
        }
        let Some(list) = CopyList::decode(&list, &LIMITS)? else { return Ok(Reply::good()) };
        let nexus = &self.task.session.nexus;
        let keeps = list.usage == ListIdUsage::Hold || list.usage == ListIdUsage::Discard;
        if keeps && !self.array.copies.borrow_mut().begin(nexus, list.list_identifier) {
            // Another copy of the same name is under way (SPC-4, LIST IDENTIFIER field).
            return Err(Sense::illegal(AdditionalSense::OPERATION_IN_PROGRESS).into());
        }
        let mut result = CopyResult::default();
        let outcome = self.copy_all(&list, &mut result).await;
        result.failure = outcome.as_ref().err().map(failure);
        if keeps {
            self.array.copies.borrow_mut().end(nexus, list.list_identifier, result);
        }
        outcome.map(|()| Reply::good())
    }

    async fn copy_all(&self, list: &CopyList, result: &mut CopyResult) -> Outcome<()> {
        for number in 0..list.segments.len() {
            result.bytes += self.copy_segment(list, number).await.map_err(|stop| of_segment(stop, number))?;
            result.segments += 1;
        }
        Ok(())
    }

    async fn copy_segment(&self, list: &CopyList, number: usize) -> Outcome<u64> {
        let source = self.copy_unit(list, number, false)?;
        let destination = self.copy_unit(list, number, true)?;
        let (from, mut to) = places(&list.segments[number], &source, &destination);
        to.is_padded = is_padded(list, number, (&from, &to))?;
        if from.length == 0 {
            return Ok(0);
        }
        if from.length > u64::from(LIMITS.segment_length_max) {
            return Err(Sense::invalid_parameter(0, None).into());
        }
        check_place(&from, SOURCE_LBA_BYTE)?;
        check_place(&to, DESTINATION_LBA_BYTE)?;
        self.check_both(&from, &to)?;
        // Whoever ends the tasks of a unit means those that copy from or to it, too.
        let _visits = [self.visit(&from.unit)?, self.visit(&to.unit)?];
        let had_begun = to.unit.erasures.get();
        let _held = self.task.or_aborted(hold_both(&from, &to)).await?;
        check_erasures(&to.unit, had_begun)?;
        self.mend(&from.unit, &from.blocks(), Hold::Shared).await?;
        self.mend(&to.unit, &to.blocks(), Hold::Alone).await?;
        // They may have changed while it waited.
        self.check_both(&from, &to)?;
        self.move_bytes(&from, &to).await?;
        Ok(from.length)
    }

    /// The copy manager acts for the nexus that asked: what that one may not do on a unit, the copy may not. It is asked before the blocks are taken, too, for
    /// who waits for those of a unit that is being sanitized keeps the other's.
    fn check_both(&self, from: &Place, to: &Place) -> Outcome<()> {
        self.check_end(&from.unit, SOURCE)?;
        self.check_end(&to.unit, DESTINATION)
    }

    /// What is wrong with another unit than the one that was asked is not told as that one's (SPC-4, "Errors detected during processing of segment descriptors").
    fn check_end(&self, unit: &Rc<Unit>, wanted: Wanted) -> Outcome<()> {
        self.check_unit(unit, wanted).map_err(|stop| match stop {
            Stop::Check(_) | Stop::Status(_) if !Rc::ptr_eq(unit, &self.unit) => {
                Sense::new(SenseKey::CopyAborted, AdditionalSense::THIRD_PARTY_DEVICE_FAILURE).into()
            }
            stop => stop,
        })
    }

    /// The unit that a segment names, of all that there are for its initiator.
    fn copy_unit(&self, list: &CopyList, number: usize, is_destination: bool) -> Outcome<Rc<Unit>> {
        let target = list.target(number, is_destination)?;
        let units = self.array.units_for(&self.task.session.nexus.initiator);
        let found = units.into_iter().find(|unit| target.names(&unit.names()));
        let unit = found.ok_or_else(|| {
            let byte = if is_destination { 6 } else { 4 };
            Sense::new(SenseKey::CopyAborted, AdditionalSense::UNREACHABLE_COPY_TARGET)
                .at_segment(SegmentPointer { in_segment: true, byte, bit: None })
        })?;
        if target.device_type != Peripheral::DISK.0 {
            let code = AdditionalSense::INCORRECT_COPY_TARGET_DEVICE_TYPE;
            return Err(Sense::new(SenseKey::CopyAborted, code).into());
        }
        if target.block_bytes != unit.block_size().bytes() && target.block_bytes != 0 {
            return Err(
                Sense::new(SenseKey::CopyAborted, AdditionalSense::COPY_TARGET_DEVICE_DATA_UNDERRUN).into()
            );
        }
        Ok(unit)
    }

    fn visit(&self, unit: &Rc<Unit>) -> Outcome<Option<task_set::Place>> {
        if Rc::ptr_eq(unit, &self.unit) {
            return Ok(None);
        }
        task_set::Place::visit(Rc::clone(unit), &self.task).map(Some).map_err(Stop::Status)
    }

    async fn move_bytes(&self, from: &Place, to: &Place) -> Outcome<()> {
        let step = STEP.min(usize::try_from(from.length).unwrap_or(STEP));
        let _grant = self
            .task
            .or_aborted(self.array.media.step_of_two(
                &self.task.session.shares(Some(&self.unit)),
                [&from.unit.shares, &to.unit.shares],
                step + ENDS,
            ))
            .await?;
        let mut done = 0;
        // Backwards where the places overlap and the destination lies behind, so that nothing is read after it was written.
        let is_backward = Rc::ptr_eq(&from.unit, &to.unit)
            && from.from_byte < to.from_byte
            && to.from_byte < from.from_byte + from.length;
        let mut buffer = if from.is_whole() && to.is_whole() { Some(self.buffer(step)?) } else { None };
        while done < from.length {
            let length = (from.length - done).min(step as u64);
            let offset = if is_backward { from.length - done - length } else { done };
            match &mut buffer {
                Some(buffer) => self.move_blocks(buffer, from, to, (offset, length)).await?,
                None => {
                    let data = self.read_bytes(from, offset, length).await?;
                    self.write_bytes(to, offset, data).await?;
                }
            }
            done += length;
        }
        Ok(())
    }

    /// Whole blocks go by one buffer.
    async fn move_blocks(
        &self,
        buffer: &mut DataBuffer,
        from: &Place,
        to: &Place,
        (offset, length): (u64, u64),
    ) -> Outcome<()> {
        let whole = usize::try_from(length).unwrap_or(usize::MAX);
        let (source, destination) = (from.from_byte + offset, to.from_byte + offset);
        let read = self.array.media.read(from.unit.disk(), buffer, 0..whole, source).await;
        self.task.check()?;
        read.map_err(|error| failed(&error, false))?;
        let durability = to.unit.durability(false);
        let written = to.unit.write(&self.array, (buffer, 0..whole), destination, durability).await;
        self.task.check()?;
        written.map_err(|error| failed(&error, true))
    }

    /// Bytes of a place, which need not be whole blocks of it.
    async fn read_bytes(&self, place: &Place, offset: u64, length: u64) -> Outcome<Vec<u8>> {
        let block = u64::from(place.unit.block_size().bytes());
        let start = place.from_byte + offset;
        let first = start / block * block;
        let end = (start + length).next_multiple_of(block);
        let whole = usize::try_from(end - first).unwrap_or(usize::MAX);
        let mut buffer = self.buffer(whole)?;
        let read = self.array.media.read(place.unit.disk(), &mut buffer, 0..whole, first).await;
        self.task.check()?;
        read.map_err(|error| failed(&error, false))?;
        let from = usize::try_from(start - first).unwrap_or(0);
        Ok(buffer.bytes()[from..from + usize::try_from(length).unwrap_or(0)].to_vec())
    }

    async fn write_bytes(&self, place: &Place, offset: u64, data: Vec<u8>) -> Outcome<()> {
        let block = u64::from(place.unit.block_size().bytes());
        let start = place.from_byte + offset;
        let first = start / block * block;
        let end = (start + data.len() as u64).next_multiple_of(block);
        let whole = usize::try_from(end - first).unwrap_or(usize::MAX);
        let mut buffer: DataBuffer = self.buffer(whole)?;
        if place.is_padded {
            buffer.bytes()[data.len()..whole].fill(0);
        } else if whole != data.len() {
            let read = self.array.media.read(place.unit.disk(), &mut buffer, 0..whole, first).await;
            self.task.check()?;
            read.map_err(|error| failed(&error, false))?;
        }
        let from = usize::try_from(start - first).unwrap_or(0);
        buffer.bytes()[from..from + data.len()].copy_from_slice(&data);
        let durability = place.unit.durability(false);
        let written = place.unit.write(&self.array, (&mut buffer, 0..whole), first, durability).await;
        self.task.check()?;
        written.map_err(|error| failed(&error, true))
    }

    pub(super) fn receive_copy_results(&self, request: ReceiveCopyResults) -> Outcome<Reply> {
        let nexus = &self.task.session.nexus;
        let unknown = || Stop::from(Sense::invalid_cdb(2, None));
        let mut copies = self.array.copies.borrow_mut();
        let data = match request.results {
            CopyResults::OperatingParameters => LIMITS.encode(),
            CopyResults::Status { list_identifier } => {
                let result = copies.status(nexus, list_identifier).ok_or_else(unknown)?;
                result
                    .map_or(
                        CopyStatus {
                            held_data_discarded: false,
                            status: CopyManagerStatus::InProgress,
                            segments_processed: 0,
                            bytes_transferred: 0,
                        },
                        |result| CopyStatus {
                            held_data_discarded: false,
                            status: match result.failure {
                                None => CopyManagerStatus::Done,
                                Some(_) => CopyManagerStatus::Failed,
                            },
                            segments_processed: result.segments,
                            bytes_transferred: result.bytes,
                        },
                    )
                    .encode()
            }
            CopyResults::FailedSegmentDetails { list_identifier } => {
                let result = copies.take(nexus, list_identifier).ok_or_else(unknown)?;
                CopyFailure { failure: result.failure }.encode(SenseForm::Fixed)
            }
        };
        Ok(Reply::bytes(data, request.allocation_length))
    }
}

/// What is kept of a copy that was not done, whatever ended it: its initiator may ask later whether it has a whole clone.
fn failure(stop: &Stop) -> (Status, Sense) {
    match stop {
        Stop::Check(sense) => (Status::CHECK_CONDITION, **sense),
        Stop::Status(status) => (*status, Sense::NONE),
        Stop::Aborted => (Status::TASK_ABORTED, Sense::NONE),
    }
}

/// Where the bytes of a segment come from and go to.
fn places(segment: &Segment, source: &Rc<Unit>, destination: &Rc<Unit>) -> (Place, Place) {
    let (from_byte, to_byte, length) = match *segment {
        Segment::Blocks { of_destination, count, source_lba, destination_lba, .. } => {
            let counted = if of_destination { destination } else { source };
            let length = BlockCount(u64::from(count)).bytes(counted.block_size()).0;
            (byte_of(source, source_lba), byte_of(destination, destination_lba), length)
        }
        Segment::Bytes { bytes, source_lba, destination_lba, source_offset, destination_offset, .. } => (
            byte_of(source, source_lba).saturating_add(u64::from(source_offset)),
            byte_of(destination, destination_lba).saturating_add(u64::from(destination_offset)),
            u64::from(bytes),
        ),
    };
    let place =
        |unit: &Rc<Unit>, from_byte| Place { unit: Rc::clone(unit), from_byte, length, is_padded: false };
    (place(source, from_byte), place(destination, to_byte))
}

/// Whether blocks of one size end within a block of the other, which gets zeros then. Each unit's PAD bit allows that for its own blocks: what is left of the
/// last one of the source goes nowhere (SPC-4, "CSCD descriptors", PAD and CAT bits).
///
/// # Errors
/// UNEXPECTED INEXACT SEGMENT where nobody allowed it, and where what is left was to be for the next segment, which nothing here keeps.
fn is_padded(list: &CopyList, number: usize, (from, to): (&Place, &Place)) -> Outcome<bool> {
    let Segment::Blocks { concatenates, .. } = list.segments[number] else { return Ok(false) };
    let pads = |is_destination| Ok::<_, Sense>(!concatenates && list.target(number, is_destination)?.pad);
    if (from.is_whole() || pads(false)?) && (to.is_whole() || pads(true)?) {
        return Ok(!to.is_whole());
    }
    Err(Sense::new(SenseKey::CopyAborted, AdditionalSense::UNEXPECTED_INEXACT_SEGMENT).into())
}

/// Which segment it was stands in the last two bytes of the COMMAND-SPECIFIC INFORMATION (SPC-4, "Errors detected during processing of segment descriptors").
fn of_segment(stop: Stop, number: usize) -> Stop {
    match stop {
        Stop::Check(sense) if sense.key == SenseKey::CopyAborted => {
            sense.with_command_specific(number as u64).into()
        }
        stop => stop,
    }
}

fn byte_of(unit: &Unit, lba: Lba) -> u64 {
    // An address whose byte passes 2^64 is beyond the end of every unit, and is found to be.
    let beyond = unit.geometry().size().0.saturating_add(1);
    lba.0.checked_mul(u64::from(unit.block_size().bytes())).unwrap_or(beyond)
}

/// A place beyond the end of its unit: the copy is given up, and the sense data point to where its address stands in the segment.
fn check_place(place: &Place, byte: u16) -> Outcome<()> {
    let end = place.from_byte.checked_add(place.length);
    if end.is_some_and(|end| end <= place.unit.geometry().size().0) {
        Ok(())
    } else {
        Err(Sense::new(SenseKey::CopyAborted, AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION)
            .at_segment(SegmentPointer { in_segment: true, byte, bit: None })
            .into())
    }
}

/// Both places: of one unit together, of two in an order that is the same for every copy, so that no two wait for each other.
async fn hold_both(from: &Place, to: &Place) -> (Held, Option<Held>) {
    let (source, destination) = (from.blocks(), to.blocks());
    if Rc::ptr_eq(&from.unit, &to.unit) {
        let (source, destination) = ((source, Hold::Shared), (destination, Hold::Alone));
        return (from.unit.ranges.hold_both(source, destination).await, None);
    }
    if from.unit.number < to.unit.number {
        let first = from.unit.ranges.hold(source, Hold::Shared).await;
        (first, Some(to.unit.ranges.hold(destination, Hold::Alone).await))
    } else {
        let first = to.unit.ranges.hold(destination, Hold::Alone).await;
        (first, Some(from.unit.ranges.hold(source, Hold::Shared).await))
    }
}
