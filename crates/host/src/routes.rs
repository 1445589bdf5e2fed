//! The paths of the API, and the document that describes them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use oarlock_engine::Want;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi};

use crate::api::{
    ErrorBody, EventEntry, EvictRequest, Evicted, HostEntry, LockEntry, LockLine, LockMode, LockRequest,
    Released, Status, WAIT_MS_MAX,
};
use crate::disks::{self, Exports};
use crate::error::HostError;
use crate::grants::Grants;
use crate::lines::Line;
use crate::record::{EVENTS_KEPT_MAX, EventLog};
use crate::request::Engine;
use crate::stream;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Whoever waits for a release is answered after this time at the latest.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// What every handler may ask.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) log: EventLog,
    pub(crate) grants: Arc<Grants>,
    pub(crate) exports: Exports,
    /// The host's name.
    pub(crate) host: Arc<str>,
}

/// The API's document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Oarlock host",
        description = "What a running host answers on its unix socket: JSON over HTTP/1.1. Names of fields stay; \
                       fields are added, so a reader ignores what it does not know."
    ),
    paths(status, hosts, locks, events, lock, released, evict),
    components(schemas(EventEntry, LockLine, ErrorBody))
)]
struct Document;

/// The OpenAPI document of the API, as text.
///
/// # Errors
/// Where it cannot be serialised.
pub fn openapi_document() -> Result<String, serde_json::Error> {
    let document = Document::openapi().merge_from(disks::documented());
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

/// Everything that the API answers.
pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/hosts", get(hosts))
        .route("/v1/locks", get(locks))
        .route("/v1/events", get(events))
        .route("/v1/locks/{*name}", post(lock))
        .route("/v1/grants/{grant}", get(released))
        .route("/v1/evict", post(evict))
        .merge(disks::routes())
        .fallback(not_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(desk)
}

impl IntoResponse for HostError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, json(&self.body())).into_response()
    }
}

pub(crate) fn json(document: &impl Serialize) -> Response {
    // Every document of the API is plain data, for which serialising cannot fail.
    let mut response = Response::new(serde_json::to_vec(document).unwrap_or_default().into());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

pub(crate) type Outcome = Result<Response, HostError>;

/// The datastore, and the host that answers.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status), (status = "default", body = ErrorBody)))]
async fn status(State(desk): State<Desk>) -> Outcome {
    let status = desk.engine.status().await?;
    Ok(json(&Status { events: desk.log.status(), ..status }))
}

/// Every host that has a slot. The host looks on for up to two beats before it answers.
#[utoipa::path(get, path = "/v1/hosts", responses((status = 200, body = [HostEntry]), (status = "default", body = ErrorBody)))]
async fn hosts(State(desk): State<Desk>) -> Outcome {
    Ok(json(&desk.engine.hosts().await?))
}

/// Every lock that is held.
#[utoipa::path(get, path = "/v1/locks", responses((status = 200, body = [LockEntry]), (status = "default", body = ErrorBody)))]
async fn locks(State(desk): State<Desk>) -> Outcome {
    Ok(json(&desk.engine.locks().await?))
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsWanted {
    /// Go on with each further event as it happens, until the client closes the connection. Empty lines in between
    /// say that the host is still there.
    #[serde(default)]
    follow: bool,
    /// How many of the last events to begin with; 1000 are kept.
    tail: Option<usize>,
}

/// The last events, oldest first: one JSON document per line.
#[utoipa::path(get, path = "/v1/events", params(EventsWanted), responses(
    (status = 200, content_type = "application/x-ndjson", body = EventEntry),
    (status = "default", body = ErrorBody)
))]
async fn events(State(desk): State<Desk>, wanted: Result<Query<EventsWanted>, QueryRejection>) -> Outcome {
    let Query(wanted) = wanted.map_err(|error| bad(&error))?;
    let tail = wanted.tail.unwrap_or(EVENTS_KEPT_MAX);
    Ok(if wanted.follow { stream::followed(desk.log.follow(tail)) } else { stream::kept(&desk.log, tail) })
}

/// Takes a lock, and holds it for as long as the client keeps the connection open. One JSON document per line: the
/// first says that the lock is granted, further ones until when it may be relied upon, the last that it is lost. Where the
/// host itself ends, so does the connection: before that no other host judges it by its slot.
#[utoipa::path(post, path = "/v1/locks/{name}", request_body = LockRequest,
    params(("name" = String, Path, description = "The lock's name; a `/` in it may be percent-encoded or not.")),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = LockLine),
        (status = 409, description = "Not got in time.", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
async fn lock(
    State(desk): State<Desk>,
    Extension(line): Extension<Arc<Line>>,
    name: Result<Path<String>, PathRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Outcome {
    let Path(name) = name.map_err(|error| bad(&error))?;
    let request: LockRequest = parse(body)?;
    let wait = wait(request.wait_ms)?;
    let want = match request.mode {
        LockMode::Exclusive => Want::Exclusive,
        LockMode::Shared => Want::Shared,
    };
    let lock = desk.engine.lock(&name, want, wait).await?;
    if !line.holds_a_lock() {
        return Err(desk.engine.gone());
    }
    Ok(stream::granted(lock, desk.grants.begin(), &desk.engine))
}

/// Waits until the lock of a grant is released on the device, for five seconds at most. To release it, close the
/// connection that it was granted on.
#[utoipa::path(get, path = "/v1/grants/{grant}",
    params(("grant" = u64, Path, description = "The number in the first line of the lock's answer.")),
    responses((status = 200, body = Released), (status = "default", body = ErrorBody))
)]
async fn released(State(desk): State<Desk>, grant: Result<Path<u64>, PathRejection>) -> Outcome {
    let Path(grant) = grant.map_err(|error| bad(&error))?;
    let ended = tokio::time::timeout(RELEASE_LIMIT, desk.grants.ended(grant)).await;
    Ok(json(&Released { released: ended.is_ok() }))
}

/// Takes over a dead host: watched and fenced if it is silent, at once if it is proved dead; always cut off first.
#[utoipa::path(post, path = "/v1/evict", request_body = EvictRequest, responses(
    (status = 200, body = Evicted),
    (status = 404, description = "No slot holds a host of that name.", body = ErrorBody),
    (status = 409, description = "The host lives.", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn evict(State(desk): State<Desk>, body: Result<Bytes, BytesRejection>) -> Outcome {
    let request: EvictRequest = parse(body)?;
    let wait = request.wait_ms.map(wait).transpose()?;
    desk.engine.evict(&request.host, request.certain, wait).await?;
    Ok(json(&Evicted { host: request.host }))
}

async fn not_there(uri: Uri) -> HostError {
    HostError::NotThere { path: uri.path().to_owned() }
}

async fn wrong_method(uri: Uri) -> HostError {
    HostError::BadRequest { reason: format!("{} is not asked by that method", uri.path()) }
}

pub(crate) fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, HostError> {
    let body = body.map_err(|error| bad(&error))?;
    // No body means: everything as it is without saying.
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(body).map_err(|error| bad(&error))
}

pub(crate) fn wait(wait_ms: u64) -> Result<Duration, HostError> {
    if wait_ms > WAIT_MS_MAX {
        return Err(HostError::BadRequest { reason: format!("wait_ms is {WAIT_MS_MAX} (a week) at most") });
    }
    Ok(Duration::from_millis(wait_ms))
}

pub(crate) fn bad(error: &dyn std::fmt::Display) -> HostError {
    HostError::BadRequest { reason: error.to_string() }
}
