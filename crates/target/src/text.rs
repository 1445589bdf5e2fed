//! Text requests of a session: which targets there are, and what may still be negotiated (RFC 7143, 11.10, 4.3 and appendix C).

use std::rc::Rc;

use oarlock_scsi::iscsi::text::{self as pairs, TEXT_LENGTH_MAX};
use oarlock_scsi::iscsi::{RejectReason, TaskTag, TextRequest, TextResponse};

use crate::array::Array;
use crate::deliver::reject;
use crate::limits::UNREAD_TEXT_MAX;
use crate::session::{PortalIndex, Session};

/// What a session's texts have come to: of a request that goes on, and of an answer that does.
#[derive(Default)]
pub(crate) struct Texts {
    question: Vec<u8>,
    answer: Vec<u8>,
    /// The initiator was told to go on.
    goes_on: bool,
}

/// The tag that the rest of an answer is asked for with, or the rest of a question is sent with.
const GO_ON: TaskTag = TaskTag(1);

/// Answers a text request.
pub(crate) fn answer(array: &Rc<Array>, session: &Rc<Session>, request: &TextRequest, text: &[u8]) {
    let header = request.encode();
    let mut texts = session.texts.borrow_mut();
    if request.transfer_tag == TaskTag::NONE {
        *texts = Texts::default();
    } else if request.transfer_tag != GO_ON || !texts.goes_on {
        reject(session, &header, RejectReason::InvalidField);
        return;
    }
    // Whoever still gets an answer has nothing to ask.
    let is_too_much = !texts.answer.is_empty() && !text.is_empty();
    if is_too_much || texts.question.len() + text.len() > TEXT_LENGTH_MAX {
        *texts = Texts::default();
        reject(session, &header, RejectReason::OutOfResources);
        return;
    }
    texts.question.extend_from_slice(text);
    texts.goes_on = request.is_continued;
    if request.is_continued {
        let response = TextResponse {
            is_final: false,
            is_continued: false,
            task_tag: request.task_tag,
            transfer_tag: GO_ON,
        };
        session.send(response.encode(), true, &[]);
        return;
    }
    if session.output.borrow().small_bytes() > UNREAD_TEXT_MAX {
        // One read of a socket can have thousands of short questions, each of which is answered at length.
        array.leave(session, "it asks and does not read what it is answered");
        return;
    }
    let question = std::mem::take(&mut texts.question);
    let Ok(asked) = pairs::pairs(&question) else {
        *texts = Texts::default();
        reject(session, &header, RejectReason::Protocol);
        return;
    };
    for (key, value) in asked {
        answer_pair(array, session, key, value, &mut texts.answer);
    }
    send(session, request, &mut texts);
}

fn answer_pair(array: &Array, session: &Session, key: &str, value: &str, answer: &mut Vec<u8>) {
    match key {
        "SendTargets" => send_targets(array, session, value, answer),
        // Declared by the initiator, and not answered (RFC 7143, 13.12).
        "MaxRecvDataSegmentLength" => {
            match pairs::number(value).filter(|length| (512..1 << 24).contains(length)) {
                Some(length) => session.set_initiator_segment_max(length),
                None => pairs::put(answer, key, "Reject"),
            }
        }
        "InitiatorAlias" => {}
        "MaxBurstLength"
        | "FirstBurstLength"
        | "HeaderDigest"
        | "DataDigest"
        | "InitialR2T"
        | "ImmediateData"
        | "MaxOutstandingR2T"
        | "MaxConnections"
        | "ErrorRecoveryLevel"
        | "DefaultTime2Wait"
        | "DefaultTime2Retain"
        | "DataPDUInOrder"
        | "DataSequenceInOrder"
        | "TaskReporting"
        | "iSCSIProtocolLevel"
        | "AuthMethod"
        | "InitiatorName"
        | "TargetName"
        | "SessionType"
        // Obsolete ones are not to be called unknown (RFC 7143, 13.25).
        | "IFMarker"
        | "OFMarker"
        | "IFMarkInt"
        | "OFMarkInt" => pairs::put(answer, key, "Reject"),
        _ => pairs::put(answer, key, "NotUnderstood"),
    }
}

/// RFC 7143, appendix C: each target with each of its portals. In a session with the target, `All` is not for the asking.
fn send_targets(array: &Array, session: &Session, value: &str, answer: &mut Vec<u8>) {
    let name = array.config.name.to_string();
    let is_asked_for = match value {
        "All" => session.is_discovery,
        "" => !session.is_discovery,
        asked => asked.to_lowercase() == name,
    };
    if value == "All" && !session.is_discovery {
        pairs::put(answer, "SendTargets", "Reject");
        return;
    }
    if !is_asked_for {
        return;
    }
    pairs::put(answer, "TargetName", &name);
    for place in 0..array.config.portals.len() {
        let portal = PortalIndex(u16::try_from(place).unwrap_or(u16::MAX));
        if let Some(address) = array.address_for(session, portal) {
            pairs::put(answer, "TargetAddress", &format!("{address},{}", portal.port()));
        }
    }
}

/// Sends as much of the answer as one PDU may hold.
fn send(session: &Session, request: &TextRequest, texts: &mut Texts) {
    let length_max = session.parameters().initiator_segment_max as usize;
    let rest = texts.answer.split_off(texts.answer.len().min(length_max));
    let part = std::mem::replace(&mut texts.answer, rest);
    let goes_on = !texts.answer.is_empty();
    texts.goes_on = goes_on || !request.is_final;
    let response = TextResponse {
        is_final: !goes_on && request.is_final,
        is_continued: goes_on,
        task_tag: request.task_tag,
        transfer_tag: if texts.goes_on { GO_ON } else { TaskTag::NONE },
    };
    session.send(response.encode(), true, &part);
}
