//! The paths of the API that concern disks. A name is one part of a path: its `/` and `@` are percent-encoded.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use oarlock_block::ByteCount;
use oarlock_format::{DiskTarget, HostName, LayerName, NameError};
use utoipa::OpenApi;

use super::request::Change;
use crate::api::{
    AttachDiskRequest, AttachedDisk, AttachedEntry, CreateDiskRequest, DiskDetails, DiskDone, DiskEntry,
    DiskProgress, ErrorBody, HandedOffDisk, HandoffRequest, NewNameRequest, ResizeDiskRequest,
};
use crate::error::HostError;
use crate::routes::{Desk, Outcome, bad, json, parse, wait};

/// A host that is to get a disk is waited for so long, where nobody says how long.
const HANDOFF_WAIT: Duration = Duration::from_secs(30);

/// What the document says of disks.
#[derive(OpenApi)]
#[openapi(paths(
    list, create, show, progress, delete, rename, resize, attach, detach, handoff, snapshot, revert, clone,
    flatten
))]
struct Document;

/// The part of the API's document that is about disks.
pub(crate) fn documented() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// What the API answers about disks.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/v1/disks", get(list).post(create))
        .route("/v1/disks/{name}", get(show).delete(delete))
        .route("/v1/disks/{name}/progress", get(progress))
        .route("/v1/disks/{name}/rename", post(rename))
        .route("/v1/disks/{name}/resize", post(resize))
        .route("/v1/disks/{name}/attach", post(attach))
        .route("/v1/disks/{name}/detach", post(detach))
        .route("/v1/disks/{name}/handoff", post(handoff))
        .route("/v1/disks/{name}/snapshot", post(snapshot))
        .route("/v1/disks/{name}/revert", post(revert))
        .route("/v1/disks/{name}/clone", post(clone))
        .route("/v1/disks/{name}/flatten", post(flatten))
}

type Named = Result<Path<String>, PathRejection>;
type Body = Result<Bytes, BytesRejection>;

/// All disks, by name. Reads every descriptor.
#[utoipa::path(get, path = "/v1/disks", responses((status = 200, body = [DiskEntry]), (status = "default", body = ErrorBody)))]
async fn list(State(desk): State<Desk>) -> Outcome {
    let uris = desk.exports.uris();
    let mut disks = desk.engine.disks().await?;
    for disk in &mut disks {
        disk.attached = served(&desk, &disk.name, std::mem::take(&mut disk.attached), &uris);
    }
    Ok(json(&disks))
}

/// Makes an empty disk: all of it reads as zeros. A thick one is answered once all of it is allocated and zeroed; whoever closes the
/// connection before has it undone.
#[utoipa::path(post, path = "/v1/disks", request_body = CreateDiskRequest, responses(
    (status = 200, body = DiskDone),
    (status = 409, description = "There is a disk of that name.", body = ErrorBody),
    (status = "default", body = ErrorBody)
))]
async fn create(State(desk): State<Desk>, body: Body) -> Outcome {
    let CreateDiskRequest { name, size, thick } = parse(body)?;
    let new = layer(&name)?;
    change(&desk, Change::Create { name: new, size: ByteCount(size), thick }, name).await
}

/// One disk, with its snapshots. Walks the disk's map.
#[utoipa::path(get, path = "/v1/disks/{name}",
    params(("name" = String, Path, description = "The disk.")),
    responses((status = 200, body = DiskDetails), (status = 404, body = ErrorBody), (status = "default", body = ErrorBody))
)]
async fn show(State(desk): State<Desk>, name: Named) -> Outcome {
    let uris = desk.exports.uris();
    let disk = desk.engine.disk(layer(&text(name)?)?).await?;
    let attached = served(&desk, &disk.name, disk.attached, &uris);
    Ok(json(&DiskDetails { attached, ..disk }))
}

/// How far a thick disk in the making has come.
#[utoipa::path(get, path = "/v1/disks/{name}/progress",
    params(("name" = String, Path, description = "The disk.")),
    responses((status = 200, body = DiskProgress), (status = "default", body = ErrorBody))
)]
async fn progress(State(desk): State<Desk>, name: Named) -> Outcome {
    let name = text(name)?;
    let progress = desk.engine.disk_progress(layer(&name)?).await?;
    let (done, total) = progress.map_or((0, 0), |progress| (progress.done.0, progress.total.0));
    Ok(json(&DiskProgress { name, under_way: progress.is_some(), done, total }))
}

/// Deletes a disk that nobody uses and that has no snapshots, or a snapshot. What it held comes free in the background.
#[utoipa::path(delete, path = "/v1/disks/{name}",
    params(("name" = String, Path, description = "`NAME`, or `NAME@SNAP`.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn delete(State(desk): State<Desk>, name: Named) -> Outcome {
    let target = target(&text(name)?)?;
    let name = target.to_string();
    change(&desk, Change::Delete(target), name).await
}

/// Gives a disk that nobody uses another name.
#[utoipa::path(post, path = "/v1/disks/{name}/rename", request_body = NewNameRequest,
    params(("name" = String, Path, description = "The disk.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn rename(State(desk): State<Desk>, name: Named, body: Body) -> Outcome {
    let (name, NewNameRequest { to }) = (layer(&text(name)?)?, parse(body)?);
    change(&desk, Change::Rename { name, to: layer(&to)? }, to).await
}

/// Lets a disk grow; its clients see the new size when they connect next.
#[utoipa::path(post, path = "/v1/disks/{name}/resize", request_body = ResizeDiskRequest,
    params(("name" = String, Path, description = "The disk.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn resize(State(desk): State<Desk>, name: Named, body: Body) -> Outcome {
    let (name, ResizeDiskRequest { size }) = (layer(&text(name)?)?, parse(body)?);
    let text = name.as_str().to_owned();
    change(&desk, Change::Resize { name, size: ByteCount(size) }, text).await
}

/// Attaches a disk, or a snapshot to be read, to the host that is asked, and serves it over NBD. The host serves it until it is detached,
/// and again after each of its starts.
#[utoipa::path(post, path = "/v1/disks/{name}/attach", request_body = AttachDiskRequest,
    params(("name" = String, Path, description = "`NAME`, or `NAME@SNAP`.")),
    responses(
        (status = 200, body = AttachedDisk),
        (status = 409, description = "A host has it; the message says which.", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
async fn attach(State(desk): State<Desk>, name: Named, body: Body) -> Outcome {
    Ok(json(&desk.exports.attach(target(&text(name)?)?, parse(body)?).await?))
}

/// Ends an export: answers what is under way, cuts its clients off, brings the disk home and releases it.
#[utoipa::path(post, path = "/v1/disks/{name}/detach",
    params(("name" = String, Path, description = "`NAME`, or `NAME@SNAP`.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn detach(State(desk): State<Desk>, name: Named) -> Outcome {
    let target = target(&text(name)?)?;
    let name = target.to_string();
    desk.exports.detach(target).await?;
    done(name)
}

/// Hands a disk that the host exports over to another living host, which stands by for it (`incoming`), while clients use it. What they
/// had begun is answered first; what they had not is refused with ESHUTDOWN, and nothing of it was done: it is asked of the other host.
#[utoipa::path(post, path = "/v1/disks/{name}/handoff", request_body = HandoffRequest,
    params(("name" = String, Path, description = "The disk.")),
    responses(
        (status = 200, body = HandedOffDisk),
        (status = 409, description = "It is this host's still; the message says why.", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
async fn handoff(State(desk): State<Desk>, name: Named, body: Body) -> Outcome {
    let (name, HandoffRequest { to, wait_ms }) = (layer(&text(name)?)?, parse(body)?);
    let wait = wait_ms.map(wait).transpose()?.unwrap_or(HANDOFF_WAIT);
    let host = HostName::new(&to).map_err(|reason| HostError::Name { text: to.clone(), reason })?;
    Ok(json(&desk.exports.hand_off(name, host, wait).await?))
}

/// Makes a snapshot of a disk, which the host that is asked may have attached: of what its clients were answered by now.
#[utoipa::path(post, path = "/v1/disks/{name}/snapshot",
    params(("name" = String, Path, description = "`NAME@SNAP`.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn snapshot(State(desk): State<Desk>, name: Named) -> Outcome {
    let (disk, snapshot, text) = of_snapshot(name)?;
    change(&desk, Change::Snapshot { disk, snapshot }, text).await
}

/// Lets a disk that nobody has attached show again what its snapshot shows; what it showed since is lost.
#[utoipa::path(post, path = "/v1/disks/{name}/revert",
    params(("name" = String, Path, description = "`NAME@SNAP`.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn revert(State(desk): State<Desk>, name: Named) -> Outcome {
    let (disk, snapshot, text) = of_snapshot(name)?;
    change(&desk, Change::Revert { disk, snapshot }, text).await
}

/// Makes a new disk that shows what a snapshot, or a disk as it is now, shows. Nothing is copied.
#[utoipa::path(post, path = "/v1/disks/{name}/clone", request_body = NewNameRequest,
    params(("name" = String, Path, description = "`NAME`, or `NAME@SNAP`.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn clone(State(desk): State<Desk>, name: Named, body: Body) -> Outcome {
    let (from, NewNameRequest { to }) = (target(&text(name)?)?, parse(body)?);
    change(&desk, Change::Clone { from, to: layer(&to)? }, to).await
}

/// Copies everything that a disk reads of the layers below it, so that it needs none. It goes on although its client goes away.
#[utoipa::path(post, path = "/v1/disks/{name}/flatten",
    params(("name" = String, Path, description = "The disk.")),
    responses((status = 200, body = DiskDone), (status = "default", body = ErrorBody))
)]
async fn flatten(State(desk): State<Desk>, name: Named) -> Outcome {
    let name = layer(&text(name)?)?;
    let text = name.as_str().to_owned();
    change(&desk, Change::Flatten { name }, text).await
}

async fn change(desk: &Desk, change: Change, name: String) -> Outcome {
    desk.engine.change_disk(change).await?;
    done(name)
}

fn done(name: String) -> Result<Response, HostError> {
    Ok(json(&DiskDone { name }))
}

/// Who has a disk, with what this host serves of it.
fn served(
    desk: &Desk,
    disk: &str,
    attached: Vec<AttachedEntry>,
    uris: &[(String, String)],
) -> Vec<AttachedEntry> {
    let is_of = |name: &str| name.split_once('@').map_or(name, |(of, _)| of) == disk;
    let own = uris.iter().filter(|(name, _)| is_of(name));
    let own = own.map(|(_, uri)| AttachedEntry { host: desk.host.to_string(), uri: Some(uri.clone()) });
    let is_told =
        |entry: &AttachedEntry| entry.host == *desk.host && uris.iter().any(|(name, _)| name == disk);
    let others = attached.into_iter().filter(|entry| !is_told(entry));
    own.chain(others).collect()
}

fn text(name: Named) -> Result<String, HostError> {
    name.map(|Path(name)| name).map_err(|error| bad(&error))
}

fn no_name(text: &str) -> impl FnOnce(NameError) -> HostError {
    move |reason| HostError::Name { text: text.to_owned(), reason }
}

fn layer(text: &str) -> Result<LayerName, HostError> {
    LayerName::new(text).map_err(no_name(text))
}

fn target(text: &str) -> Result<DiskTarget, HostError> {
    DiskTarget::new(text).map_err(no_name(text))
}

fn of_snapshot(name: Named) -> Result<(LayerName, LayerName, String), HostError> {
    let text = text(name)?;
    match target(&text)? {
        DiskTarget { disk, snapshot: Some(snapshot) } => Ok((disk, snapshot, text)),
        DiskTarget { snapshot: None, .. } => {
            let reason = format!("{text} names no snapshot: it is asked for as NAME@SNAP");
            Err(HostError::BadRequest { reason })
        }
    }
}
