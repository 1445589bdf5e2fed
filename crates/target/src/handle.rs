//! What other threads ask a running array: a handle that can be copied, beside the one that ends it.

use std::sync::mpsc::{self, SyncSender};

use oarlock_block::ByteCount;
use oarlock_device::{RingWaker, make_longer};

use crate::control::Message;
use crate::metrics::MetricsReport;
use crate::opening::{check, open};
use crate::options::{SessionReport, TargetError, UnitOptions, UnitReport};

/// Asks a running array; each question waits for its answer. It keeps nothing alive: when the array has ended, every answer is
/// [`TargetError::Gone`].
#[derive(Clone)]
pub struct TargetHandle {
    messages: SyncSender<Message>,
    waker: RingWaker,
}

impl TargetHandle {
    pub(crate) fn new(messages: SyncSender<Message>, waker: RingWaker) -> TargetHandle {
        TargetHandle { messages, waker }
    }

    /// Serves one more unit.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn add_unit(&self, options: &UnitOptions) -> Result<(), TargetError> {
        let units = self.units()?;
        let serial = check(options, units.iter().map(|unit| (unit.number, unit.serial.as_str())))?;
        let unit = Box::new(open(options, serial)?);
        self.ask(|told| Message::Add(unit, told))?
    }

    /// Serves a unit no more; returns when nothing of it is under way.
    ///
    /// # Errors
    /// [`TargetError::NoUnit`], [`TargetError::Gone`].
    pub fn remove_unit(&self, number: u16) -> Result<(), TargetError> {
        self.ask(|told| Message::Remove(number, told))?
    }

    /// Takes what a unit's medium has gained into use; a plain file is made `size` long first, where that is more.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn resize_unit(&self, number: u16, size: Option<ByteCount>) -> Result<UnitReport, TargetError> {
        let unit = self.units()?.into_iter().find(|unit| unit.number == number);
        // Here and not on the array's thread, where everybody would wait for the file system.
        if let (Some(unit), Some(size)) = (unit.filter(|unit| !unit.is_read_only), size) {
            make_longer(&unit.medium, (unit.size, size), !unit.is_thin)
                .map_err(|error| TargetError::Grow { number, reason: error.to_string() })?;
        }
        self.ask(|told| Message::Resize(number, size, told))?
    }

    /// Its units.
    ///
    /// # Errors
    /// [`TargetError::Gone`].
    pub fn units(&self) -> Result<Vec<UnitReport>, TargetError> {
        self.ask(Message::Units)
    }

    /// Its sessions.
    ///
    /// # Errors
    /// [`TargetError::Gone`].
    pub fn sessions(&self) -> Result<Vec<SessionReport>, TargetError> {
        self.ask(Message::Sessions)
    }

    /// What it has counted since it began.
    ///
    /// # Errors
    /// [`TargetError::Gone`].
    pub fn metrics(&self) -> Result<MetricsReport, TargetError> {
        Ok(*self.ask(Message::Metrics)?)
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), TargetError> {
        self.messages.send(message).map_err(|_| TargetError::Gone)?;
        self.waker.wake();
        Ok(())
    }

    fn ask<T>(&self, message: impl FnOnce(SyncSender<T>) -> Message) -> Result<T, TargetError> {
        let (told, answer) = mpsc::sync_channel(1);
        self.send(message(told))?;
        answer.recv().map_err(|_| TargetError::Gone)
    }
}
