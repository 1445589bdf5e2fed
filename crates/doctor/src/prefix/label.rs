//! What stands before the first time of a line: the name of a file, of a container, of whoever sent it.

use std::net::{IpAddr, SocketAddr};

use super::{Prefix, is_host, time};
use crate::source::{host_of, names_a_host};

/// What gathers lines from many hosts puts its name for the source before each: `gw1: `, `gw1-1  | `, `[pod/tgt-0/target] `, and grep its file,
/// or the number of the line.
pub(super) fn labelled(prefix: &mut Prefix<'_>) -> bool {
    if set_apart(prefix) {
        return true;
    }
    const LABEL_BYTES_MAX: usize = 160;
    /// Signs that may end a label and are looked at.
    const ENDS_MAX: usize = 12;
    let body = prefix.body;
    let ends = body.bytes().take(LABEL_BYTES_MAX).enumerate().filter(|(_, byte)| b":|]-".contains(byte));
    for (at, _) in ends.take(ENDS_MAX) {
        let (label, rest) = (body[..at].trim_matches(['[', ' ']), body[at + 1..].trim_start());
        if label.contains(' ') || label.is_empty() {
            return false;
        }
        let dated = rest.starts_with(|letter: char| letter.is_ascii_digit() || letter.is_ascii_uppercase());
        if !dated || !time(&mut Prefix { body: rest, ..Prefix::default() }) {
            continue;
        }
        let lettered = label.starts_with(|letter: char| letter.is_ascii_alphabetic());
        let numbered = label.bytes().all(|byte| byte.is_ascii_digit());
        let pod = label.strip_prefix("pod/").and_then(|pod| pod.split('/').next());
        let file = label.contains('/') || label.ends_with(".log");
        let named =
            lettered && is_host(label) && label.bytes().any(|b| b.is_ascii_digit() || b"-.".contains(&b));
        if !(numbered || pod.is_some() || file || named) {
            return false;
        }
        prefix.host = match (pod, file) {
            (Some(pod), _) => Some(pod),
            (None, true) => host_of(without_number(label)),
            (None, false) => Some(label).filter(|_| named),
        };
        prefix.label = prefix.host.is_none().then_some(label).filter(|_| !numbered);
        prefix.body = rest;
        return true;
    }
    false
}

/// `10.0.0.7 `, `[10.0.0.7] `, `from 10.0.0.7: `, `10.0.0.7:514 `, `esx1 `, `71 `: one word, and a time behind it.
fn set_apart(prefix: &mut Prefix<'_>) -> bool {
    const WORD_BYTES_MAX: usize = 80;
    let body = prefix.body.strip_prefix("from ").unwrap_or(prefix.body).trim_start();
    let Some((word, rest)) = body.split_once(' ').filter(|(word, _)| word.len() <= WORD_BYTES_MAX) else {
        return false;
    };
    let rest = rest.trim_start();
    // `12. `: a page that shows a text by its lines counts them so.
    let counted = word.strip_suffix('.').filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let word = counted.or_else(|| word.strip_suffix([':', ','])).unwrap_or(word);
    let bare = word.trim_matches(['[', ']', '(', ')']);
    // A number is nobody's name, and may stand for one.
    let numbered = bare.bytes().all(|byte| byte.is_ascii_digit());
    let host = address(bare).or_else(|| Some(bare).filter(|name| names_a_host(name) || is_uuid(name)));
    if bare.is_empty()
        || !(numbered || host.is_some())
        || !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '[')
    {
        return false;
    }
    if !time(&mut Prefix { body: rest, ..Prefix::default() }) {
        return false;
    }
    prefix.host = host.filter(|host| is_host(host));
    prefix.label = prefix.host.is_none().then_some(bare).filter(|_| counted.is_none());
    prefix.body = rest;
    true
}

/// An address, without the port that it may have.
fn address(word: &str) -> Option<&str> {
    if word.parse::<IpAddr>().is_ok() {
        return Some(word);
    }
    let (address, _) = word.rsplit_once(':').filter(|_| word.parse::<SocketAddr>().is_ok())?;
    Some(address.trim_matches(['[', ']']))
}

/// `4c4c4544-0044-3510-8052-b4c04f4d3771`: what a machine's firmware calls it.
fn is_uuid(word: &str) -> bool {
    let parts = word.split('-').map(str::len);
    parts.eq([8, 4, 4, 4, 12]) && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// A file's name without the number of the line, as `grep -n` has it.
fn without_number(label: &str) -> &str {
    let numbered = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    label.rsplit_once(':').filter(|(_, end)| numbered(end)).map_or(label, |(file, _)| file)
}
