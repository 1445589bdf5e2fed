//! As much of HTTP/1.1 as a client of the API needs: one request per connection on a unix socket, with an answer of a
//! known length, in chunks, or until the end. Blocking; how long a read may take is `patience`'s.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::Error;
use crate::patience::{Patience, Silence};

/// A host accepts a connection within this time, or it is not reachable: its process is stopped, or floods of others
/// wait.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Bytes of the head of an answer.
const HEAD_MAX: u64 = 16 << 10;

/// Bytes of one line of an answer, or of an answer that is read as a whole: a listing of every lock of a full table.
const ANSWER_MAX: usize = 64 << 20;

/// An answer whose body is being read.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    reader: BufReader<Patience>,
    rest: Rest,
    path: PathBuf,
}

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// So many bytes.
    Length(u64),
    /// So many bytes of this chunk; `first`: no chunk was begun yet.
    Chunk { left: u64, first: bool },
    /// All that comes.
    ToTheEnd,
    /// Nothing.
    Nothing,
}

/// Connects to a socket. [`Error::Unreachable`] where nobody listens there, or this user may not ask;
/// [`Error::NoReply`] where somebody does who lets nobody in.
pub(crate) fn connect(path: &Path) -> Result<UnixStream, Error> {
    connect_within(path, CONNECT_LIMIT)
}

fn connect_within(path: &Path, limit: Duration) -> Result<UnixStream, Error> {
    connected(path, limit).map_err(|error| match error.kind() {
        // The backlog is full. Whose it is, only a connection would tell.
        io::ErrorKind::WouldBlock => Error::NoReply { path: path.to_owned(), limit, process: None },
        _ => Error::Unreachable { path: path.to_owned(), reason: error.to_string() },
    })
}

fn connected(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // A listener whose backlog is full makes connect(2) wait for as long as a send may.
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    rustix::net::connect(&socket, &address)?;
    Ok(UnixStream::from(socket))
}

/// Sends a request and reads the head of its answer. Each read may take `limit`.
pub(crate) fn ask(
    path: &Path,
    (method, target): (&str, &str),
    body: Option<&[u8]>,
    limit: Duration,
) -> Result<Answer, Error> {
    let stream = connect(path)?;
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: oarlock\r\nconnection: close\r\n");
    if let Some(body) = body {
        request += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    request += "\r\n";
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    (&stream).write_all(&bytes).map_err(|error| broken(path, &error))?;
    read(stream, path, limit)
}

/// Reads the head of the answer that comes through `stream`.
pub(crate) fn read(stream: UnixStream, path: &Path, limit: Duration) -> Result<Answer, Error> {
    let mut reader = BufReader::new(Patience::new(stream, Some(limit)));
    let (status, rest) = read_head(&mut reader).map_err(|fault| fault.at(path))?;
    Ok(Answer { status, reader, rest, path: path.to_owned() })
}

/// What can be wrong with an answer.
#[derive(Debug)]
enum Fault {
    Io(io::Error),
    Malformed(&'static str),
    CutShort,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

impl Fault {
    fn at(self, path: &Path) -> Error {
        match self {
            Fault::Io(error) => broken(path, &error),
            Fault::Malformed(reason) => Error::BadReply { path: path.to_owned(), reason: reason.to_owned() },
            Fault::CutShort => Error::ConnectionLost { path: path.to_owned() },
        }
    }
}

fn broken(path: &Path, error: &io::Error) -> Error {
    let path = path.to_owned();
    if let Some(silence) = error.get_ref().and_then(|inner| inner.downcast_ref::<Silence>()) {
        return Error::NoReply { path, limit: silence.waited, process: silence.process };
    }
    match error.kind() {
        // The time that a connect may take is a send's, too.
        io::ErrorKind::WouldBlock => Error::NoReply { path, limit: CONNECT_LIMIT, process: None },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            Error::ConnectionLost { path }
        }
        _ => Error::Unreachable { path, reason: error.to_string() },
    }
}

/// The status, and how the body is framed.
fn read_head(reader: &mut impl BufRead) -> Result<(u16, Rest), Fault> {
    let mut reader = reader.take(HEAD_MAX);
    let first = head_line(&mut reader)?;
    let mut words = first.split(' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|word| word.parse().ok());
    let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
        return Err(Fault::Malformed("it is no HTTP/1.1"));
    };
    let mut rest = Rest::ToTheEnd;
    loop {
        let line = head_line(&mut reader)?;
        if line.is_empty() {
            return Ok((status, rest));
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(Fault::Malformed("a header has no colon"));
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.parse().map_err(|_| Fault::Malformed("its length is no number"))?;
            rest = Rest::Length(length);
        } else if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            rest = Rest::Chunk { left: 0, first: true };
        }
    }
}

fn head_line(reader: &mut impl BufRead) -> Result<String, Fault> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        // The end of the connection, or of what a head may take.
        return Err(if line.is_empty() {
            Fault::CutShort
        } else {
            Fault::Malformed("its head does not end")
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| Fault::Malformed("its head is no text"))
}

impl Answer {
    /// The whole body.
    pub(crate) fn whole(mut self) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let piece = self.piece()?;
            if piece.is_empty() {
                return Ok(body);
            }
            let length = piece.len();
            body.extend_from_slice(piece);
            if body.len() > ANSWER_MAX {
                return Err(self.malformed("it is longer than any answer of the API"));
            }
            self.consume(length);
        }
    }

    /// The next line without its end; `None` at the end of the body. A last line without an end is one.
    pub(crate) fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut line = Vec::new();
        loop {
            let piece = self.piece()?;
            if piece.is_empty() {
                return Ok((!line.is_empty()).then_some(line));
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(piece.len(), |end| end + 1);
            line.extend_from_slice(&piece[..length]);
            self.consume(length);
            if end.is_some() {
                line.pop();
                return Ok(Some(line));
            }
            if line.len() > ANSWER_MAX {
                return Err(self.malformed("a line is longer than any of the API"));
            }
        }
    }

    /// The time that each further read may take; `None`: as long as it takes.
    pub(crate) fn set_limit(&mut self, limit: Option<Duration>) {
        self.reader.get_mut().set_limit(limit);
    }

    /// A second handle on the connection, to close it by.
    pub(crate) fn closer(&self) -> Result<UnixStream, Error> {
        self.reader.get_ref().stream().map_err(|error| broken(&self.path, &error))
    }

    pub(crate) fn malformed(&self, reason: &str) -> Error {
        Error::BadReply { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// Bytes of the body that are there, at least one; none at its end.
    fn piece(&mut self) -> Result<&[u8], Error> {
        let path = &self.path;
        let left = match next_bytes(&mut self.reader, &mut self.rest) {
            Ok(left) => left,
            Err(fault) => return Err(fault.at(path)),
        };
        if left == 0 {
            return Ok(&[]);
        }
        let buffered = self.reader.fill_buf().map_err(|error| broken(path, &error))?;
        let length = buffered.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if length == 0 && self.rest != Rest::ToTheEnd {
            return Err(Error::ConnectionLost { path: path.clone() });
        }
        Ok(&buffered[..length])
    }

    fn consume(&mut self, length: usize) {
        self.reader.consume(length);
        match &mut self.rest {
            Rest::Length(left) | Rest::Chunk { left, .. } => *left -= length as u64,
            Rest::ToTheEnd | Rest::Nothing => {}
        }
    }
}

/// How many bytes of the body may be read now: 0 at its end. Between chunks it reads the next one's length.
fn next_bytes(reader: &mut impl BufRead, rest: &mut Rest) -> Result<u64, Fault> {
    match *rest {
        Rest::Length(left) => Ok(left),
        Rest::ToTheEnd => Ok(u64::MAX),
        Rest::Nothing => Ok(0),
        Rest::Chunk { left: 0, first } => {
            let mut reader = reader.take(HEAD_MAX);
            if !first && !head_line(&mut reader)?.is_empty() {
                return Err(Fault::Malformed("a chunk is longer than it says"));
            }
            let line = head_line(&mut reader)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let left =
                u64::from_str_radix(digits, 16).map_err(|_| Fault::Malformed("a chunk has no length"))?;
            *rest = if left == 0 { Rest::Nothing } else { Rest::Chunk { left, first: false } };
            Ok(left)
        }
        Rest::Chunk { left, .. } => Ok(left),
    }
}

/// A name as it stands in a path of the API: everything but letters, digits and `-._~` percent-encoded (RFC 3986, 2.3).
pub(crate) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer whose bytes are all there, and whose connection is closed behind them.
    fn answer(text: &str) -> Result<Answer, Error> {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(text.as_bytes()).unwrap();
        drop(ours);
        read(theirs, Path::new("socket"), Duration::from_secs(5))
    }

    #[test]
    fn a_body_is_read_however_it_is_framed() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab\ncdXXX",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n4;x=y\r\nb\ncd\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nab\ncd",
        ] {
            assert_eq!(answer(text).unwrap().whole().unwrap(), b"ab\ncd", "{text:?}");
            let mut lines = answer(text).unwrap();
            assert_eq!(lines.line().unwrap().unwrap(), b"ab", "{text:?}");
            assert_eq!(lines.line().unwrap().unwrap(), b"cd", "{text:?}");
            assert_eq!(lines.line().unwrap(), None, "{text:?}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_short_is_a_lost_connection() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        ] {
            let error = answer(text).unwrap().whole().unwrap_err();
            assert!(matches!(error, Error::ConnectionLost { .. }), "{text:?}: {error}");
        }
        assert!(matches!(answer("").err().unwrap(), Error::ConnectionLost { .. }));
    }

    #[test]
    fn what_is_no_http_is_named_so() {
        for text in ["SSH-2.0-x\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nx\r\n\r\n", "HTTP/1.1 200"]
        {
            let error = answer(text).err().unwrap();
            assert!(matches!(error, Error::BadReply { .. }), "{text:?}: {error}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(20 << 10));
        assert!(matches!(answer(&endless).err().unwrap(), Error::BadReply { .. }));
    }

    #[test]
    fn a_host_that_lets_nobody_in_is_there_and_does_not_reply() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let limit = Duration::from_millis(20);
        let _in_the_queue = connect_within(&path, limit).unwrap();
        let error = connect_within(&path, limit).unwrap_err();
        assert!(matches!(error, Error::NoReply { .. }), "{error}");
        drop(listener);
        let error = connect_within(&path, limit).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    }

    #[test]
    fn a_name_is_encoded_but_for_what_may_stand() {
        assert_eq!(encoded("nightly-1.x_~"), "nightly-1.x_~");
        assert_eq!(encoded("a/b ü%"), "a%2Fb%20%C3%BC%25");
    }
}
