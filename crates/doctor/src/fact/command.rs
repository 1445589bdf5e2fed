//! A command and how it ended, as a host saw it.

use super::{DeviceStatus, HostStatus, NvmeStatus, Opcode, PluginStatus, Sense};

/// A command that failed, as far as its line says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Command {
    /// What was asked; `None` where the line does not say.
    pub opcode: Option<Opcode>,
    /// The host's status: what became of the command on its way.
    pub host: Option<HostStatus>,
    /// The device's status.
    pub device: Option<DeviceStatus>,
    /// The status of the multipathing plug-in.
    pub plugin: Option<PluginStatus>,
    /// The sense data, where they are valid and say something.
    pub sense: Option<Sense>,
    /// The status of an NVMe command.
    pub nvme: Option<NvmeStatus>,
}

/// What an answer means for an ATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device compared, and the block was not equal.
    Miscompared,
    /// Nobody answered: the command may have been executed.
    Unknown,
    /// The device answered, and did not execute the command.
    Refused,
    /// The line does not say.
    Unsaid,
}

impl Command {
    /// Whether this is an ATS: COMPARE AND WRITE, a vendor's opcode for it, or NVMe's compare.
    #[must_use]
    pub fn is_ats(&self) -> bool {
        self.opcode.is_some_and(Opcode::is_ats) || self.miscompared()
    }

    /// Whether the device said that the block was not equal.
    #[must_use]
    pub fn miscompared(&self) -> bool {
        self.sense.is_some_and(Sense::is_miscompare)
            || self.plugin == Some(PluginStatus::ATS_MISCOMPARE)
            || self.nvme.is_some_and(NvmeStatus::is_compare_failure)
    }

    /// Whether nobody answered, so that the command may have been executed all the same.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        self.host.is_some_and(|status| status.leaves_the_command_open())
            || self.sense.is_some_and(Sense::is_nexus_loss)
    }

    /// What the answer means.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if self.miscompared() {
            Outcome::Miscompared
        } else if self.unanswered() {
            Outcome::Unknown
        } else if self.sense.is_some()
            || self.nvme.is_some()
            || self.device.is_some_and(|status| status != DeviceStatus::GOOD)
        {
            Outcome::Refused
        } else {
            Outcome::Unsaid
        }
    }
}
