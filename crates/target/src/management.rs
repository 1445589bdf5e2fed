//! Task management: what is to end is told so, and the answer comes when the fate of each command is known (RFC 7143, 11.5 and 11.6).

use std::rc::Rc;

use futures::future::join_all;
use oarlock_scsi::AdditionalSense;
use oarlock_scsi::iscsi::{TaskAnswer, TaskFunction, TaskRequest, TaskResponse};

use crate::array::Array;
use crate::course::Abort;
use crate::deliver::pass_over;
use crate::limits::FUNCTIONS_MAX;
use crate::session::Session;
use crate::task::Task;
use crate::unit::Unit;

/// A function begins; its answer is sent when it is done.
pub(crate) fn begin(array: &Rc<Array>, session: &Rc<Session>, request: TaskRequest) {
    array.metrics.managed(request.function);
    let (array, session) = (Rc::clone(array), Rc::clone(session));
    if session.functions.get() >= FUNCTIONS_MAX {
        answer(&session, &request, TaskAnswer::Rejected);
        return;
    }
    session.functions.set(session.functions.get() + 1);
    // What is to end is told now: commands that come behind the function are not meant.
    let started = start(&array, &session, &request);
    let holder = Rc::clone(&array);
    array.spawn(async move {
        let result = match started {
            Ok(tasks) => {
                for task in &tasks {
                    task.ended().await;
                }
                finish(&holder, &session, &request).await
            }
            Err(answer) => answer,
        };
        session.functions.set(session.functions.get() - 1);
        answer(&session, &request, result);
        if request.function == TaskFunction::TargetColdReset && result == TaskAnswer::Complete {
            holder
                .sessions()
                .iter()
                .for_each(|session| holder.leave_when_sent(session, "the target was reset"));
        }
    });
}

pub(crate) fn answer(session: &Session, request: &TaskRequest, answer: TaskAnswer) {
    let response = TaskResponse { answer: answer as u8, task_tag: request.task_tag };
    session.send(response.encode(), true, &[]);
}

/// Tells the tasks that are meant to end, and names them.
fn start(
    array: &Rc<Array>,
    session: &Rc<Session>,
    request: &TaskRequest,
) -> Result<Vec<Rc<Task>>, TaskAnswer> {
    let unit = array.unit_at(request.lun, &session.nexus.initiator);
    let needed = || unit.as_ref().ok_or(TaskAnswer::NoUnit);
    match request.function {
        TaskFunction::AbortTask => {
            let task = session.tasks.borrow().get(&request.referenced_tag).cloned();
            let (missing, own) = (request.referenced_cmd_sn, request.cmd_sn);
            if task.is_none() && pass_over(array, session, missing, own) {
                // It was lost on its way, and what came behind it waits for its number (RFC 7143, 11.5.1).
                return Ok(Vec::new());
            }
            let task = task.filter(|task| task.command.lun == request.lun).ok_or(TaskAnswer::NoTask)?;
            end(&task, Abort::Silent);
            Ok(vec![task])
        }
        TaskFunction::AbortTaskSet => {
            let mut tasks = needed()?.task_set.tasks();
            tasks.retain(|task| task.session.nexus == session.nexus);
            tasks.iter().for_each(|task| end(task, Abort::Silent));
            Ok(tasks)
        }
        TaskFunction::ClearTaskSet => Ok(clear(needed()?, session)),
        TaskFunction::LogicalUnitReset => Ok(end_all(needed()?)),
        TaskFunction::TargetWarmReset | TaskFunction::TargetColdReset => {
            let units = array.units_for(&session.nexus.initiator);
            Ok(units.iter().flat_map(|unit| end_all(unit)).collect())
        }
        TaskFunction::TaskReassign => Err(TaskAnswer::NoReassignment),
        _ => Err(TaskAnswer::NotSupported),
    }
}

fn end(task: &Rc<Task>, abort: Abort) {
    task.abort(abort);
    if !task.has_begun() {
        // It waits for a number before its own, and nobody else would end it.
        task.session.tasks.borrow_mut().remove(&task.command.task_tag);
        task.over();
    }
}

fn end_all(unit: &Unit) -> Vec<Rc<Task>> {
    let tasks = unit.task_set.tasks();
    tasks.iter().for_each(|task| end(task, Abort::Silent));
    tasks
}

/// Those of others are told as the control mode page's TAS bit says: by a status, or by an attention (SAM-5, 5.8.5).
fn clear(unit: &Unit, session: &Session) -> Vec<Rc<Task>> {
    let is_told = unit.state.borrow().settings.task_aborted_status;
    let tasks = unit.task_set.tasks();
    for task in &tasks {
        let is_own = task.session.nexus == session.nexus;
        let abort = if !is_own && is_told { Abort::Told } else { Abort::Silent };
        end(task, abort);
        if !is_own && !is_told {
            unit.attend(&task.session.nexus, AdditionalSense::COMMANDS_CLEARED_BY_ANOTHER_INITIATOR);
        }
    }
    tasks
}

/// What is left to do when all that was to end has ended.
async fn finish(array: &Array, session: &Session, request: &TaskRequest) -> TaskAnswer {
    match request.function {
        TaskFunction::LogicalUnitReset => {
            if let Some(unit) = array.unit_at(request.lun, &session.nexus.initiator) {
                array.log(&format!("{} resets unit {}", session.nexus.initiator, unit.number));
                reset(array, &unit, AdditionalSense::BUS_DEVICE_RESET_FUNCTION_OCCURRED).await;
            }
        }
        TaskFunction::TargetWarmReset | TaskFunction::TargetColdReset => {
            array.log(&format!("{} resets the target", session.nexus.initiator));
            let units = array.units_for(&session.nexus.initiator);
            let code = AdditionalSense::SCSI_BUS_RESET_OCCURRED;
            join_all(units.iter().map(|unit| reset(array, unit, code))).await;
        }
        _ => {}
    }
    TaskAnswer::Complete
}

async fn reset(array: &Array, unit: &Unit, code: AdditionalSense) {
    let has_cache = || unit.state.borrow().settings.write_cache;
    let had_cache = has_cache();
    unit.reset_durably(code, unit.flush(array)).await;
    if has_cache() != had_cache {
        let word = if has_cache() { "on" } else { "off" };
        array.log(&format!("unit {}: the reset turned the write cache {word}", unit.number));
        array.warn_all_of_caches();
    }
}
