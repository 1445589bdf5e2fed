//! Task Management Function Request and Response (RFC 7143, 11.5 and 11.6).

use super::header::{Header, Opcode, TaskTag};
use super::serial::{CmdSn, StatSn};

/// What is to be done with tasks (RFC 7143, 11.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskFunction {
    /// One task ends.
    AbortTask,
    /// Every task of this nexus on the unit ends.
    AbortTaskSet,
    /// An auto contingent allegiance ends; none exists here.
    ClearAca,
    /// Every task on the unit ends, whoever sent it.
    ClearTaskSet,
    /// The unit begins anew.
    LogicalUnitReset,
    /// Every unit begins anew.
    TargetWarmReset,
    /// Every unit begins anew, and every connection ends.
    TargetColdReset,
    /// A task goes on over another connection; for error recovery levels above 0.
    TaskReassign,
    /// Is the task known? (RFC 7144)
    QueryTask,
    /// Does the unit have a task of this nexus? (RFC 7144)
    QueryTaskSet,
    /// Every task and state of this nexus ends. (RFC 7144)
    NexusReset,
    /// Is a unit attention pending? (RFC 7144)
    QueryAsynchronousEvent,
    /// A number that no standard gives a meaning.
    Unknown(u8),
}

impl TaskFunction {
    /// Whether it ends whatever tasks there are, and not one that it names (RFC 7143, 4.2.3).
    #[must_use]
    pub const fn ends_several(self) -> bool {
        matches!(
            self,
            TaskFunction::AbortTaskSet
                | TaskFunction::ClearTaskSet
                | TaskFunction::LogicalUnitReset
                | TaskFunction::TargetWarmReset
                | TaskFunction::TargetColdReset
                | TaskFunction::NexusReset
        )
    }

    /// The function of that number.
    #[must_use]
    pub const fn from_number(number: u8) -> TaskFunction {
        match number {
            1 => TaskFunction::AbortTask,
            2 => TaskFunction::AbortTaskSet,
            3 => TaskFunction::ClearAca,
            4 => TaskFunction::ClearTaskSet,
            5 => TaskFunction::LogicalUnitReset,
            6 => TaskFunction::TargetWarmReset,
            7 => TaskFunction::TargetColdReset,
            8 => TaskFunction::TaskReassign,
            9 => TaskFunction::QueryTask,
            10 => TaskFunction::QueryTaskSet,
            11 => TaskFunction::NexusReset,
            12 => TaskFunction::QueryAsynchronousEvent,
            number => TaskFunction::Unknown(number),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            TaskFunction::AbortTask => 1,
            TaskFunction::AbortTaskSet => 2,
            TaskFunction::ClearAca => 3,
            TaskFunction::ClearTaskSet => 4,
            TaskFunction::LogicalUnitReset => 5,
            TaskFunction::TargetWarmReset => 6,
            TaskFunction::TargetColdReset => 7,
            TaskFunction::TaskReassign => 8,
            TaskFunction::QueryTask => 9,
            TaskFunction::QueryTaskSet => 10,
            TaskFunction::NexusReset => 11,
            TaskFunction::QueryAsynchronousEvent => 12,
            TaskFunction::Unknown(number) => number,
        }
    }
}

/// Task Management Function Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRequest {
    /// Delivered at once, whatever its number.
    pub is_immediate: bool,
    /// What is to be done.
    pub function: TaskFunction,
    /// The unit.
    pub lun: [u8; 8],
    /// The initiator's name for the request itself.
    pub task_tag: TaskTag,
    /// The task that is meant, of functions for one task.
    pub referenced_tag: TaskTag,
    /// The request's place in the session's order.
    pub cmd_sn: CmdSn,
    /// What the initiator has seen.
    pub exp_stat_sn: StatSn,
    /// The CmdSN of the task that is meant.
    pub referenced_cmd_sn: CmdSn,
}

impl TaskRequest {
    /// The request in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> TaskRequest {
        TaskRequest {
            is_immediate: header.is_immediate(),
            function: TaskFunction::from_number(header.0[1] & 0x7f),
            lun: header.lun(),
            task_tag: header.task_tag(),
            referenced_tag: TaskTag(header.u32_at(20)),
            cmd_sn: header.cmd_sn(),
            exp_stat_sn: header.exp_stat_sn(),
            referenced_cmd_sn: CmdSn(header.u32_at(32)),
        }
    }

    /// The header of the request.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::TaskRequest).with_immediate(self.is_immediate);
        header.0[1] = 0x80 | self.function.number() & 0x7f;
        header.set(8, self.lun);
        header.set_u32(16, self.task_tag.0);
        header.set_u32(20, self.referenced_tag.0);
        header.set_u32(24, self.cmd_sn.0);
        header.set_u32(28, self.exp_stat_sn.0);
        header.set_u32(32, self.referenced_cmd_sn.0);
        header
    }
}

/// What became of a task management function (RFC 7143, 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TaskAnswer {
    /// It was done.
    Complete = 0,
    /// There is no such task.
    NoTask = 1,
    /// There is no such unit.
    NoUnit = 2,
    /// The task is still allegiant to a connection.
    StillAllegiant = 3,
    /// Tasks cannot go over to other connections.
    NoReassignment = 4,
    /// The function is not supported.
    NotSupported = 5,
    /// The initiator may not do that.
    NotAuthorized = 6,
    /// It was done, and what was asked for is so (RFC 7144).
    Succeeded = 7,
    /// It was rejected.
    Rejected = 255,
}

/// Task Management Function Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskResponse {
    /// What became of it.
    pub answer: u8,
    /// The request.
    pub task_tag: TaskTag,
}

impl TaskResponse {
    /// The response in a header of that opcode.
    #[must_use]
    pub const fn decode(header: &Header) -> TaskResponse {
        TaskResponse { answer: header.0[2], task_tag: header.task_tag() }
    }

    /// The header of the response, without its numbering.
    #[must_use]
    pub fn encode(&self) -> Header {
        let mut header = Header::new(Opcode::TaskResponse);
        header.0[1] = 0x80;
        header.0[2] = self.answer;
        header.set_u32(16, self.task_tag.0);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_responses_are_read_as_they_were_written() {
        for number in 1..=13 {
            let request = TaskRequest {
                is_immediate: true,
                function: TaskFunction::from_number(number),
                lun: [0, 2, 0, 0, 0, 0, 0, 0],
                task_tag: TaskTag(1),
                referenced_tag: TaskTag(2),
                cmd_sn: CmdSn(3),
                exp_stat_sn: StatSn(4),
                referenced_cmd_sn: CmdSn(5),
            };
            assert_eq!(TaskRequest::decode(&request.encode()), request);
            assert_eq!(request.function.number(), number);
        }
        let response = TaskResponse { answer: TaskAnswer::Rejected as u8, task_tag: TaskTag(1) };
        assert_eq!(TaskResponse::decode(&response.encode()), response);
    }
}
