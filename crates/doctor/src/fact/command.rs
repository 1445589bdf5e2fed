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
    /// Whether the target does not know RESERVE, or not in this form.
    #[must_use]
    pub fn refuses_reserve(&self) -> bool {
        self.opcode == Some(Opcode::RESERVE) && self.sense.is_some_and(|sense| sense.key == 5)
    }

    /// Whether the device answered a command that moves data, or one that no line names, with LOGICAL UNIT NOT SUPPORTED (SPC-5, annex F):
    /// the array has no such logical unit for this host. Inquiries about empty numbers get the same answer on healthy systems.
    #[must_use]
    pub fn says_no_such_unit(&self) -> bool {
        let of_data = self.opcode.is_none_or(Opcode::moves_data);
        of_data && self.sense.is_some_and(|sense| (sense.key, sense.code, sense.qualifier) == (5, 0x25, 0))
    }

    /// Whether the device said that another initiator took this one's registration away (SPC-5, 5.14: PREEMPT).
    #[must_use]
    pub fn was_preempted(&self) -> bool {
        self.sense.is_some_and(|sense| (sense.key, sense.code, sense.qualifier) == (6, 0x2a, 5))
    }

    /// A command of NVMe. A reservation conflict is one, whatever the protocol, and so are a medium that broke and space that ran out.
    #[must_use]
    pub fn of_nvme(status: NvmeStatus) -> Command {
        let conflict = (status.kind, status.code) == (0, 0x83);
        let device = conflict.then_some(DeviceStatus::RESERVATION_CONFLICT);
        Command { device, sense: status.as_sense(), nvme: Some(status), ..Command::default() }
    }

    /// Whether this is an ATS: COMPARE AND WRITE, a vendor's opcode for it, or NVMe's compare.
    #[must_use]
    pub fn is_ats(&self) -> bool {
        self.opcode.is_some_and(Opcode::is_ats) || self.miscompared()
    }

    /// Whether the device said of an ATS that the block was not equal. VERIFY has the same sense data (SBC-4, 5.35), and is none.
    #[must_use]
    pub fn miscompared(&self) -> bool {
        self.sense.is_some_and(Sense::is_miscompare) && self.opcode.is_none_or(Opcode::may_be_ats)
            || self.plugin == Some(PluginStatus::ATS_MISCOMPARE)
            || self.nvme.is_some_and(NvmeStatus::is_compare_failure)
    }

    /// Whether another command than an ATS found a block that was not equal, as VERIFY does.
    #[must_use]
    pub fn verified_unequal(&self) -> bool {
        self.sense.is_some_and(Sense::is_miscompare) && !self.miscompared()
    }

    /// Whether nobody answered, so that the command may have been executed all the same.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        self.host.is_some_and(|status| status.leaves_the_command_open())
            || self.device == Some(DeviceStatus::TASK_ABORTED)
            || self.sense.is_some_and(Sense::is_nexus_loss)
            || self.nvme.is_some_and(NvmeStatus::leaves_the_command_open)
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
            || self
                .device
                .is_some_and(|status| !matches!(status, DeviceStatus::GOOD | DeviceStatus::CONDITION_MET))
        {
            Outcome::Refused
        } else {
            Outcome::Unsaid
        }
    }
}
