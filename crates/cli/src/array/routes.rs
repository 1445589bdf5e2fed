//! The paths of an array's API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use oarlock::api::FaultStatus;
use oarlock_block::ByteCount;
use oarlock_host::HostError;
use oarlock_target::{TargetError, TargetHandle};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::documents::{
    AddLunRequest, ArrayStatus, LunEntry, PortalEntry, RemovedLun, ResizeLunRequest, SessionEntry,
};
use super::metrics;
use crate::catalogue::Code;
use crate::failure::Failure;

/// Bytes of a request's body: a path of 4 KiB, however its bytes are spelt, and the rest.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What every handler may ask.
#[derive(Clone)]
pub struct Desk {
    pub handle: TargetHandle,
    /// The array's name.
    pub name: Arc<str>,
    pub portals: Arc<[PortalEntry]>,
}

/// Everything that the API answers.
pub fn router(desk: Desk) -> Router {
    Router::new()
        .route("/v1/target", get(target))
        .route("/v1/luns", get(luns).post(add_lun))
        .route("/v1/luns/{lun}", delete(remove_lun))
        .route("/v1/luns/{lun}/resize", post(resize_lun))
        .route("/v1/sessions", get(sessions))
        .route("/metrics", get(metrics))
        .fallback(not_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

/// What `--metrics` answers: nothing that changes anything, for there is no login.
pub fn metrics_router(desk: Desk) -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(not_there).with_state(desk)
}

/// An answer that is none: the failure, as the verb that asked tells it.
struct Refused(StatusCode, Failure);

type Outcome = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, json(&self.1.body())).into_response()
    }
}

impl From<TargetError> for Refused {
    fn from(error: TargetError) -> Refused {
        let status = match error {
            TargetError::Gone => StatusCode::SERVICE_UNAVAILABLE,
            TargetError::NoUnit { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        let code = if error == TargetError::Gone { Code::ArrayUnreachable } else { Code::UnitRefused };
        Refused(status, Failure::new(code, error.to_string()))
    }
}

fn bad(reason: &dyn std::fmt::Display) -> Refused {
    let error = HostError::BadRequest { reason: reason.to_string() };
    Refused(StatusCode::BAD_REQUEST, error.into())
}

fn json(document: &impl Serialize) -> Response {
    // Every document of the API is plain data, for which serialising cannot fail.
    let mut response = Response::new(serde_json::to_vec(document).unwrap_or_default().into());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refused> {
    let body = body.map_err(|error| bad(&error))?;
    // No body means: everything as it is without saying.
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(body).map_err(|error| bad(&error))
}

/// Asks the array from a thread that may wait: the array answers between two turns of its ring, and opens media here.
async fn ask<T: Send + 'static>(
    desk: &Desk,
    question: impl FnOnce(&TargetHandle) -> Result<T, TargetError> + Send + 'static,
) -> Result<T, Refused> {
    let handle = desk.handle.clone();
    let answer = tokio::task::spawn_blocking(move || question(&handle)).await;
    Ok(answer.unwrap_or(Err(TargetError::Gone))?)
}

async fn target(State(desk): State<Desk>) -> Outcome {
    let report = ask(&desk, TargetHandle::metrics).await?;
    let faults = report.faults.into_iter().map(|(spec, struck)| FaultStatus { spec, struck });
    Ok(json(&ArrayStatus {
        name: desk.name.to_string(),
        portals: desk.portals.to_vec(),
        luns: report.units,
        sessions: report.sessions,
        faults: faults.collect(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

async fn luns(State(desk): State<Desk>) -> Outcome {
    let units = ask(&desk, TargetHandle::units).await?;
    Ok(json(&units.into_iter().map(LunEntry::from).collect::<Vec<_>>()))
}

async fn add_lun(State(desk): State<Desk>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let unit = parse::<AddLunRequest>(body)?.unit().map_err(|reason| bad(&reason))?;
    let number = unit.number;
    let units = ask(&desk, move |array| array.add_unit(&unit).and_then(|()| array.units())).await?;
    let added = units.into_iter().find(|unit| unit.number == number);
    // Whoever removed it in between has told that it is gone.
    Ok(json(&LunEntry::from(added.ok_or(TargetError::NoUnit { number })?)))
}

async fn remove_lun(State(desk): State<Desk>, lun: Result<Path<u16>, PathRejection>) -> Outcome {
    let Path(lun) = lun.map_err(|error| bad(&error))?;
    ask(&desk, move |array| array.remove_unit(lun)).await?;
    Ok(json(&RemovedLun { lun }))
}

async fn resize_lun(
    State(desk): State<Desk>,
    lun: Result<Path<u16>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Outcome {
    let Path(lun) = lun.map_err(|error| bad(&error))?;
    let request: ResizeLunRequest = parse(body)?;
    let unit = ask(&desk, move |array| array.resize_unit(lun, request.size.map(ByteCount))).await?;
    Ok(json(&LunEntry::from(unit)))
}

async fn sessions(State(desk): State<Desk>) -> Outcome {
    let sessions = ask(&desk, TargetHandle::sessions).await?;
    Ok(json(&sessions.into_iter().map(SessionEntry::from).collect::<Vec<_>>()))
}

async fn metrics(State(desk): State<Desk>) -> Outcome {
    let report = ask(&desk, TargetHandle::metrics).await?;
    let mut response = Response::new(metrics::text(&desk.name, &report).into());
    response.headers_mut().insert("content-type", HeaderValue::from_static(metrics::CONTENT_TYPE));
    Ok(response)
}

async fn not_there(uri: Uri) -> Refused {
    let error = HostError::NotThere { path: uri.path().to_owned() };
    Refused(StatusCode::NOT_FOUND, error.into())
}

async fn wrong_method(uri: Uri) -> Refused {
    bad(&format_args!("{} is not asked by that method", uri.path()))
}
