//! What an input is wrapped in, by its first bytes: its name tells nothing.

use super::archive;
use super::utf16::Order;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// gzip.
    Gzip,
    /// A tar archive.
    Tar,
    /// UTF-16, with a byte order mark or, as tools of Windows write it too, without.
    Wide(Order),
    /// A container that is not opened here: what it is, and what a person can do.
    Closed(&'static str, &'static str),
    /// Nothing but zero bytes: a file whose content a crash took, or the beginning of one that was written on after it.
    Zeros,
    /// A core dump, an image, a program: nothing that a person wrote.
    Binary,
    /// Text.
    Text,
}

const UNPACK: &str = "unpack it, and give the folder that comes out";

/// Containers by their first bytes.
const CLOSED: [(&[u8], &str, &str); 12] = [
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", UNPACK),
    (b"\xfd7zXZ\0", "compressed with xz", "pipe it: `xz -dc FILE | oarlock doctor -`"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "pipe it: `zstd -dc FILE | oarlock doctor -`"),
    (b"BZh", "compressed with bzip2", "pipe it: `bzip2 -dc FILE | oarlock doctor -`"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "pipe it: `lz4 -dc FILE | oarlock doctor -`"),
    (b"\x1f\x9d", "compressed with compress", "pipe it: `gzip -dc FILE | oarlock doctor -`"),
    (
        b"LPKSHHRH",
        "a journal of systemd",
        "pipe it: `journalctl --file FILE -o short-iso-precise | oarlock doctor -`",
    ),
    (b"ElfFile\0", "an event log of Windows", "export it as text"),
    (b"%PDF-", "a PDF", "copy the lines out of it as text"),
    (b"\x89PNG\r\n\x1a\n", "a picture", "give the lines as text: no picture is read"),
];

/// What an input is, by its first bytes: a block of tar's, or all that there is.
pub(super) fn of(head: &[u8]) -> Wrapping {
    match head {
        [0x1f, 0x8b, 8, ..] => return Wrapping::Gzip,
        _ if archive::is_header(head) => return Wrapping::Tar,
        [0xff, 0xfe, ..] => return Wrapping::Wide(Order::Little),
        [0xfe, 0xff, ..] => return Wrapping::Wide(Order::Big),
        [0xff, 0xd8, 0xff, ..] => {
            return Wrapping::Closed("a picture", "give the lines as text: no picture is read");
        }
        _ => {}
    }
    if let Some((_, what, cure)) = CLOSED.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Wrapping::Closed(what, cure);
    }
    if !head.is_empty() && head.iter().all(|&byte| byte == 0) {
        return Wrapping::Zeros;
    }
    if let Some(order) = order_of(head) {
        return Wrapping::Wide(order);
    }
    if is_binary(head) { Wrapping::Binary } else { Wrapping::Text }
}

/// Text has no zero bytes; but a crash, or a log that was cut under its writer, leaves a hole of them in one.
fn is_binary(head: &[u8]) -> bool {
    head.iter().filter(|&&byte| byte == 0).count() > head.len() / 16 && !is_text_with_a_hole(head)
}

/// Whether zero bytes stand together, between lines of text.
fn is_text_with_a_hole(head: &[u8]) -> bool {
    /// A few letters may stand in anything.
    const LETTERS_MIN: usize = 32;
    let holes = head.split(|&byte| byte != 0).filter(|hole| !hole.is_empty()).count();
    let mut letters = head.iter().filter(|&&byte| byte != 0);
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    holes <= 2 && letters.clone().count() >= LETTERS_MIN && letters.all(is_text)
}

/// The order of UTF-16 without a mark: logs are mostly ASCII, of which each letter has a zero byte, always on the same side.
fn order_of(head: &[u8]) -> Option<Order> {
    /// Fewer letters prove nothing.
    const LETTERS_MIN: usize = 4;
    let pairs = head.chunks_exact(2);
    let count = pairs.len();
    let letter = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let of = |order: Order| {
        let plain = pairs.clone().filter(|pair| match order {
            Order::Little => letter(pair[0]) && pair[1] == 0,
            Order::Big => pair[0] == 0 && letter(pair[1]),
        });
        plain.count() * 8 >= count * 7
    };
    let enough = count >= LETTERS_MIN;
    [Order::Little, Order::Big].into_iter().find(|&order| enough && of(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_first_bytes() {
        let cases: [(&[u8], Wrapping); 9] = [
            (b"", Wrapping::Text),
            (b"a", Wrapping::Text),
            (b"\0\0\0", Wrapping::Zeros),
            (b"l\0o\0g\0\n\0", Wrapping::Wide(Order::Little)),
            (b"\0l\0o\0g\0\n", Wrapping::Wide(Order::Big)),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0", Wrapping::Binary),
            (b"\x1f\x8b\x08\0", Wrapping::Gzip),
            (b"PK\x03\x04\x14\0", Wrapping::Closed("a zip archive", UNPACK)),
            ("zeile „eins“".as_bytes(), Wrapping::Text),
        ];
        for (head, wrapping) in cases {
            assert_eq!(of(head), wrapping, "{head:?}");
        }
    }
}
