//! What the fuzz targets reach of this crate; no other build has it.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::http;

/// Bytes of an answer at most: what a socket takes before anybody reads.
pub const ANSWER_MAX: usize = 64 << 10;

/// Nothing is waited for: all that comes is there.
const LIMIT: Duration = Duration::from_secs(5);

/// The bytes as an answer: its status and its body.
///
/// # Errors
/// Why they are none.
pub fn whole(bytes: &[u8]) -> Result<(u16, Vec<u8>), Error> {
    let answer = http::read(arrived(bytes)?, Path::new("fuzz"), LIMIT)?;
    Ok((answer.status, answer.whole()?))
}

/// The same, read line by line.
///
/// # Errors
/// Why they are none.
pub fn lines(bytes: &[u8]) -> Result<(u16, Vec<Vec<u8>>), Error> {
    let mut answer = http::read(arrived(bytes)?, Path::new("fuzz"), LIMIT)?;
    let mut lines = Vec::new();
    while let Some(line) = answer.line()? {
        lines.push(line);
    }
    Ok((answer.status, lines))
}

/// A connection on which the bytes, or as many as it takes, have arrived, and nothing more will.
fn arrived(bytes: &[u8]) -> Result<UnixStream, Error> {
    let broken =
        |error: std::io::Error| Error::Unreachable { path: "fuzz".into(), reason: error.to_string() };
    let (mut theirs, ours) = UnixStream::pair().map_err(broken)?;
    theirs.write_all(&bytes[..bytes.len().min(ANSWER_MAX)]).map_err(broken)?;
    theirs.shutdown(Shutdown::Both).map_err(broken)?;
    Ok(ours)
}

/// A name as it stands in a path of the API.
#[must_use]
pub fn encoded(name: &str) -> String {
    http::encoded(name)
}
