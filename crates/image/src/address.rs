//! Where a disk is served: a unix socket and the name of an export behind it, as an NBD URI has them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A URI that names no export on a unix socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no URI of the kind nbd+unix:///NAME?socket=PATH", .uri.escape_debug())]
pub struct AddressError {
    /// The URI.
    pub uri: String,
}

/// Where a disk is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The path of the socket.
    pub socket: PathBuf,
    /// The export's name; may be empty.
    pub export: String,
}

impl Address {
    /// An export behind a socket.
    #[must_use]
    pub fn new(socket: &Path, export: &str) -> Address {
        Address { socket: socket.to_owned(), export: export.to_owned() }
    }

    /// Reads a URI of the NBD URI specification's `nbd+unix` scheme, as hosts print it.
    ///
    /// # Errors
    /// Any other URI, one with TLS included.
    pub fn of_uri(uri: &str) -> Result<Address, AddressError> {
        let wrong = || AddressError { uri: uri.to_owned() };
        let rest = uri.strip_prefix("nbd+unix:///").ok_or_else(wrong)?;
        let (name, query) = rest.split_once('?').ok_or_else(wrong)?;
        let socket = query.split('&').find_map(|part| part.strip_prefix("socket=")).ok_or_else(wrong)?;
        let socket = unescaped(socket).filter(|path| !path.is_empty()).ok_or_else(wrong)?;
        let export = unescaped(name).and_then(|name| String::from_utf8(name).ok()).ok_or_else(wrong)?;
        Ok(Address { socket: OsString::from_vec(socket).into(), export })
    }
}

/// Takes percent signs and two digits for the byte that they stand for.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (high, low) = (digit(behind.first()?)?, digit(behind.get(1)?)?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
        rest = &behind[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_socket_and_export() {
        let address = Address::of_uri("nbd+unix:///vms/web%201%2F?socket=/run/a%20b.sock").unwrap();
        assert_eq!(address, Address::new(Path::new("/run/a b.sock"), "vms/web 1/"));
        let empty = Address::of_uri("nbd+unix:///?x=y&socket=/s").unwrap();
        assert_eq!(empty, Address::new(Path::new("/s"), ""));
    }

    #[test]
    fn other_uris_are_refused() {
        for uri in [
            "",
            "nbd://host/name",
            "nbds+unix:///disk?socket=/s",
            "nbd+unix:///disk",
            "nbd+unix:///disk?socket=",
            "nbd+unix:///di%zz?socket=/s",
            "nbd+unix:///di%f?socket=/s",
            "nbd+unix:///%ff?socket=/s",
        ] {
            assert!(Address::of_uri(uri).is_err(), "{uri}");
        }
    }
}
