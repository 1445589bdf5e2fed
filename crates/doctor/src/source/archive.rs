//! Tar archives as a stream: each member is read where it stands and never written anywhere.
//!
//! A member's name is only a name: it is shown, and tells the host. No path is ever opened by it, so that `../` and
//! absolute names are harmless. Links, devices and folders have no content and are passed over.

use std::io::{self, Read};

use crate::bounds::MEMBERS_MAX;
use crate::error::DoctorError;

/// A block of a tar archive, in bytes (POSIX.1-2017, pax, "ustar Interchange Format").
pub(super) const BLOCK_BYTES: usize = 512;
/// Bytes of a name in an extended header.
const NAME_BYTES_MAX: u64 = 4_096;
/// Bytes of an extended header that is read; a longer one is passed over.
const EXTENDED_BYTES_MAX: u64 = 64 << 10;

/// Whether a block is the header of a member: the magic of POSIX and GNU, or an old header whose checksum fits.
pub(super) fn is_header(block: &[u8]) -> bool {
    block.len() >= BLOCK_BYTES && checksum_fits(&block[..BLOCK_BYTES])
}

fn checksum_fits(block: &[u8]) -> bool {
    let Some(written) = octal(&block[148..156]) else { return false };
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(byte) })
        .sum();
    written == sum && block[0] != 0
}

/// A number in octal, or in base 256 where the first bit is set (GNU).
fn octal(field: &[u8]) -> Option<u64> {
    if let Some(&first) = field.first().filter(|&&first| first & 0x80 != 0) {
        // More than 48 bits of size is no log.
        let mut size = u64::from(first & 0x7f);
        for &byte in &field[1..] {
            size = if size < 1 << 48 { size << 8 | u64::from(byte) } else { return None };
        }
        return Some(size);
    }
    let digits: Vec<u8> = field.iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    let text = std::str::from_utf8(&digits).ok()?;
    u64::from_str_radix(text, 8).ok()
}

fn name_of(block: &[u8]) -> String {
    let until_zero = |field: &[u8]| {
        let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let name = until_zero(&block[..100]);
    let prefix = if &block[257..262] == b"ustar" && block[263] == b'0' {
        until_zero(&block[345..500])
    } else {
        String::new()
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// Goes through an archive; `each` gets the name and the bytes of every plain file.
pub(super) fn walk(
    archive: &str,
    input: &mut dyn Read,
    each: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), DoctorError>,
) -> Result<(), DoctorError> {
    let read_error = |source| DoctorError::Read { input: archive.to_owned(), source };
    let damaged = |what| DoctorError::Archive { input: archive.to_owned(), what };
    let mut longer: Option<String> = None;
    for _ in 0..MEMBERS_MAX {
        let mut block = [0; BLOCK_BYTES];
        let read = fill(input, &mut block).map_err(read_error)?;
        if read == 0 || block.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        if read < BLOCK_BYTES {
            return Err(damaged("it ends within a header"));
        }
        if !is_header(&block) {
            return Err(damaged("a header's checksum does not fit"));
        }
        let size = octal(&block[124..136]).ok_or_else(|| damaged("a size is no number"))?;
        let padding = size.next_multiple_of(BLOCK_BYTES as u64).saturating_sub(size);
        let mut body = input.take(size);
        match block[156] {
            b'L' => longer = Some(gnu_name(&mut body).map_err(read_error)?),
            b'x' => longer = pax_name(&mut body).map_err(read_error)?.or(longer),
            0 | b'0' | b'7' => {
                let name = longer.take().unwrap_or_else(|| name_of(&block));
                each(&name, &mut body)?;
            }
            _ => longer = None,
        }
        let left = body.limit();
        let passed = io::copy(&mut input.take(left + padding), &mut io::sink()).map_err(read_error)?;
        if passed < left {
            return Err(damaged("it ends within a member"));
        }
    }
    Err(DoctorError::Members { input: archive.to_owned(), members_max: MEMBERS_MAX })
}

/// Reads until the buffer is full or the input ends.
pub(super) fn fill(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    match fill_until_error(input, buffer) {
        (filled, None) => Ok(filled),
        (_, Some(error)) => Err(error),
    }
}

/// Reads until the buffer is full, the input ends or fails: what came before the failure counts.
pub(super) fn fill_until_error(input: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

fn gnu_name(body: &mut dyn Read) -> io::Result<String> {
    let mut name = Vec::new();
    body.take(NAME_BYTES_MAX).read_to_end(&mut name)?;
    Ok(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
}

/// The `path` of a pax header: lines of `LENGTH path=NAME`.
fn pax_name(body: &mut dyn Read) -> io::Result<Option<String>> {
    let mut header = Vec::new();
    body.take(EXTENDED_BYTES_MAX).read_to_end(&mut header)?;
    let text = String::from_utf8_lossy(&header);
    Ok(text.lines().find_map(|line| line.split_once(" path=").map(|(_, name)| name.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member as tar writes it.
    fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut block = [0_u8; BLOCK_BYTES];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        block[156] = kind;
        block[257..263].copy_from_slice(b"ustar\0");
        block[263..265].copy_from_slice(b"00");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum::<u32>() + 8 * 32;
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block[155] = b' ';
        let mut bytes = block.to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        bytes
    }

    fn members(archive: &[u8]) -> Result<Vec<(String, String)>, DoctorError> {
        let mut found = Vec::new();
        walk("a.tar", &mut &archive[..], &mut |name, body| {
            let mut text = String::new();
            body.read_to_string(&mut text).unwrap();
            found.push((name.to_owned(), text));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn members_are_read_in_place_and_links_have_no_content() {
        let mut archive = member("a/vmkernel.log", b'0', b"one\n");
        archive.extend(member("../../etc/passwd", b'2', b""));
        archive.extend(member("b", b'L', b"a/very/long/name\0"));
        archive.extend(member("short", b'0', b"two\n"));
        archive.extend([0; 1024]);
        let expected = [("a/vmkernel.log", "one\n"), ("a/very/long/name", "two\n")];
        assert_eq!(
            members(&archive).unwrap(),
            expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
        );
    }

    #[test]
    fn a_damaged_archive_is_said_to_be_damaged() {
        let mut archive = member("a", b'0', b"one\n");
        archive.truncate(700);
        assert!(members(&archive).is_ok(), "padding may be missing at the end");
        let mut archive = member("a", b'0', &[b'x'; 2000]);
        archive.truncate(1000);
        assert!(matches!(members(&archive), Err(DoctorError::Archive { .. })));
        let mut archive = member("a", b'0', b"");
        archive.extend([7; 512]);
        assert!(matches!(members(&archive), Err(DoctorError::Archive { .. })));
    }
}
