//! Where a door stands: `unix:PATH` or `tcp:ADDRESS`, and the URI by which clients find an export there.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::HostError;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port. Port 0 asks for any that is free.
    Tcp(SocketAddr),
}

impl FromStr for Place {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Place, HostError> {
        let bad = |reason| HostError::BadPlace { text: text.to_owned(), reason };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(bad("a path follows `unix:`")),
                path => Ok(Place::Unix(PathBuf::from(path))),
            };
        }
        let address =
            text.strip_prefix("tcp:").ok_or_else(|| bad("it starts with neither `unix:` nor `tcp:`"))?;
        address
            .parse()
            .map(Place::Tcp)
            .map_err(|_| bad("`tcp:` wants an address and a port, as 127.0.0.1:10809"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Place::Tcp(address) => write!(formatter, "tcp:{address}"),
        }
    }
}

impl Place {
    /// The NBD URI of an export of that name here, as QEMU, libnbd and fio take it.
    #[must_use]
    pub fn uri(&self, name: &str, is_secured: bool) -> String {
        let scheme = if is_secured { "nbds" } else { "nbd" };
        match self {
            Place::Unix(path) => {
                format!("{scheme}+unix:///{}?socket={}", escaped(name.as_bytes()), escaped(bytes_of(path)))
            }
            Place::Tcp(address) => format!("{scheme}://{address}/{}", escaped(name.as_bytes())),
        }
    }
}

fn bytes_of(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

/// Everything escaped but what a path of a URI may hold as it is (RFC 3986, *unreserved* and the slash).
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(char::from(*byte))
            }
            // Writing to a string cannot fail.
            byte => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_it_is_written() {
        for text in ["unix:/run/oarlock/a.nbd", "tcp:127.0.0.1:10809", "tcp:[::1]:0"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_a_reason() {
        for text in ["", "unix:", "/tmp/x", "tcp:localhost", "tcp:1.2.3.4", "udp:1.2.3.4:5"] {
            assert!(matches!(text.parse::<Place>(), Err(HostError::BadPlace { .. })), "{text}");
        }
    }

    #[test]
    fn a_uri_escapes_what_would_end_its_parts() {
        let unix = Place::Unix(PathBuf::from("/run/a b&c.sock"));
        assert_eq!(unix.uri("vm/a?b#é", false), "nbd+unix:///vm/a%3Fb%23%C3%A9?socket=/run/a%20b%26c.sock");
        let tcp = Place::Tcp("[::1]:10809".parse().unwrap());
        assert_eq!(tcp.uri("a@b", true), "nbds://[::1]:10809/a%40b");
    }
}
