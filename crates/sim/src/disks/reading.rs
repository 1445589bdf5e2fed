//! Reading a whole disk: what guests do now and then, and the judge at the end.

use oarlock_engine::path::{DataPath, PathError, Request, RequestKind};

use super::SECTOR;
use super::image::Session;
use crate::member::Run;

/// Reads whatever a layer may show, and what lies beside it; whether all of it was answered.
pub(super) async fn read_all(
    run: &Run,
    session: &Session,
    path: &DataPath,
    request: impl AsyncFn(Request) -> Result<(), PathError>,
) -> bool {
    let (sectors, step) = (path.size() / SECTOR as u64, 64);
    let mut runs: Vec<u64> = run.estate.written(session.id).iter().map(|sector| sector / step).collect();
    runs.extend([0, (sectors - 1) / step]);
    runs.sort_unstable();
    runs.dedup();
    for first in runs.into_iter().map(|index| index * step).filter(|first| *first < sectors) {
        let (offset, length) = (first * SECTOR as u64, step.min(sectors - first) * SECTOR as u64);
        if request(Request { kind: RequestKind::Read, offset, length }).await.is_err() {
            return false;
        }
    }
    true
}
