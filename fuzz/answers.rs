//! Answers of the daemon as its client reads them: HTTP from a socket that anybody may have made.

use oarlock::fuzzing::{ANSWER_MAX, encoded, lines, whole};

/// Any bytes as an answer: no panic, nothing that was not there, and the same body as a whole and in lines.
pub fn check(data: &[u8]) {
    let data = &data[..data.len().min(ANSWER_MAX)];
    let by_lines = lines(data);
    if let Ok((status, body)) = whole(data) {
        assert!(body.len() <= data.len(), "a body of more bytes than there were");
        let (line_status, lines) = by_lines.expect("what is read as a whole is read by lines");
        let mut joined = lines.join(&b'\n');
        if body.ends_with(b"\n") {
            joined.push(b'\n');
        }
        assert_eq!((line_status, joined), (status, body));
    }
    framed(data);
}

/// The bytes as a body, in each of the three framings: it is read back as it was.
fn framed(data: &[u8]) {
    let (Some(status), Some(cut)) = (data.first(), data.get(1)) else { return };
    let body = &data[2..data.len().min(ANSWER_MAX / 8)];
    let status = 100 + u16::from(*status);
    let head = |framing: &str| format!("HTTP/1.1 {status} x\r\n{framing}\r\n").into_bytes();
    let mut by_length = head(&format!("Content-Length: {}\r\n", body.len()));
    by_length.extend_from_slice(body);
    // Whatever follows belongs to nobody.
    by_length.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
    let mut by_chunks = head("transfer-encoding: chunked\r\n");
    for chunk in body.chunks(usize::from(*cut) + 1) {
        by_chunks.extend_from_slice(format!("{:x};name=value\r\n", chunk.len()).as_bytes());
        by_chunks.extend_from_slice(chunk);
        by_chunks.extend_from_slice(b"\r\n");
    }
    by_chunks.extend_from_slice(b"0\r\n\r\n");
    let mut to_the_end = head("");
    to_the_end.extend_from_slice(body);
    for bytes in [by_length, by_chunks, to_the_end] {
        assert_eq!(whole(&bytes).ok(), Some((status, body.to_vec())));
    }
}

/// A name in a path: nothing in it that ends the path or the line, and decoded it is the name.
pub fn check_encoded(name: &str) {
    let path = encoded(name);
    assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{path}");
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(&after[..2]).expect("two digits");
            decoded.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    assert_eq!(decoded, name.as_bytes());
}
