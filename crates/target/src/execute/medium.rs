//! The medium as a whole: SYNCHRONIZE CACHE, START STOP UNIT, PREVENT ALLOW, RESERVE, defects (SBC-4, SPC-2).

use std::sync::Arc;

use oarlock_block::BlockCount;
use oarlock_scsi::{
    AdditionalSense, CacheRange, ReadDefectData, Sense, StartStopUnit, Status, empty_defect_list,
};

use super::{Reply, Work, failed};
use crate::course::Outcome;

impl Work {
    /// All of the medium, whatever the range: a file is flushed as a whole. With IMMED the status does not wait for it, and its failure
    /// is that of every later one.
    pub(super) async fn synchronize_cache(&self, range: CacheRange) -> Outcome<Reply> {
        if range.immediate && !self.unit.flushes.has_failed() {
            self.unit.flush_soon(&self.array);
            return Ok(Reply::good());
        }
        let flushed = self.unit.flush(&self.array).await;
        self.task.check()?;
        flushed.map_err(|error| failed(&error, true))?;
        Ok(Reply::good())
    }

    /// Blocks of a file in memory are where a cache would have them; those of another are read into the page cache where commands go by it,
    /// but nobody promises that all of them are there (SBC-4, PRE-FETCH (10) command).
    pub(super) async fn pre_fetch(&self, range: CacheRange) -> Outcome<Reply> {
        let medium = Arc::clone(&self.unit.medium);
        if medium.is_in_memory() {
            return Ok(Reply::status(Status::CONDITION_MET));
        }
        if medium.is_direct() {
            return Ok(Reply::good());
        }
        let block = self.unit.block_size();
        let count = range.count.unwrap_or(BlockCount(self.unit.blocks().0.saturating_sub(range.lba.0)));
        let bytes = (range.lba.byte_offset(block), count.bytes(block).0);
        let ask = move || {
            medium.will_need(bytes);
            Ok(())
        };
        // It is a wish, also where no thread is to be had for it.
        let _ = self.ask_file_system(ask).await?;
        Ok(Reply::good())
    }

    /// SBC-4, START STOP UNIT command. A medium is taken out and put back; but nothing here turns, and a unit that one of its hosts stopped
    /// would be stopped for all: a stop is a flush.
    pub(super) async fn start_stop(&self, asked: StartStopUnit) -> Outcome<Reply> {
        if asked.power_condition != 0 {
            return Ok(Reply::good());
        }
        if asked.load_eject && !self.unit.traits.is_removable {
            return Err(Sense::invalid_cdb(4, Some(1)).into());
        }
        self.check_removal(asked)?;
        if !asked.start && !asked.no_flush && !self.unit.traits.is_read_only {
            let flushed = self.unit.flush(&self.array).await;
            self.task.check()?;
            flushed.map_err(|error| failed(&error, true))?;
            self.check_removal(asked)?;
        }
        let was_loaded = {
            let mut state = self.unit.state.borrow_mut();
            let was_loaded = state.is_loaded;
            if asked.load_eject {
                state.is_loaded = asked.start;
            }
            was_loaded
        };
        if asked.load_eject && asked.start && !was_loaded {
            self.unit
                .attend_others(Some(&self.task.session.nexus), AdditionalSense::NOT_READY_TO_READY_CHANGE);
        }
        Ok(Reply::good())
    }

    /// What is prevented may have become so while a flush was waited for.
    fn check_removal(&self, asked: StartStopUnit) -> Outcome<()> {
        let is_prevented = !self.unit.state.borrow().prevented_by.is_empty();
        if asked.load_eject && is_prevented {
            return Err(Sense::illegal(AdditionalSense::MEDIUM_REMOVAL_PREVENTED).into());
        }
        Ok(())
    }

    /// SPC-5, PREVENT ALLOW MEDIUM REMOVAL command: each nexus for itself.
    pub(super) fn prevent_removal(&self, prevent: bool) -> Outcome<Reply> {
        let nexus = &self.task.session.nexus;
        let prevented_by = &mut self.unit.state.borrow_mut().prevented_by;
        if prevent {
            prevented_by.insert(nexus.clone());
        } else {
            prevented_by.remove(nexus);
        }
        Ok(Reply::good())
    }

    /// Lists of defects that are empty: a file has none, and a device below keeps its own.
    pub(super) fn read_defect_data(&self, read: ReadDefectData) -> Reply {
        Reply::bytes(empty_defect_list(&read), read.allocation_length)
    }
}
