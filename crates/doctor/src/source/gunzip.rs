//! gzip, as its own tools read it: several streams one behind another are one, and zero bytes behind the last are padding.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The message of the error where something else stands behind the last stream.
const TRAILING: &str = "bytes that are not compressed stand behind its content, and are not read";

/// A reader of what is compressed.
#[derive(Debug)]
pub(super) struct Gunzip<R> {
    /// `None` once the last stream has ended.
    stream: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(inner: R) -> Gunzip<R> {
        Gunzip { stream: Some(GzDecoder::new(inner)) }
    }

    /// Goes on to the next stream, where there is one.
    fn next(&mut self, mut inner: R) -> io::Result<()> {
        loop {
            let (read, other) = {
                let ahead = inner.fill_buf()?;
                if ahead.is_empty() {
                    return Ok(());
                }
                let zeros = ahead.iter().position(|&byte| byte != 0);
                (zeros.unwrap_or(ahead.len()), zeros.map(|at| ahead[at]))
            };
            inner.consume(read);
            match other {
                None => {}
                // The first byte of another stream (RFC 1952, 2.3.1).
                Some(0x1f) => {
                    self.stream = Some(GzDecoder::new(inner));
                    return Ok(());
                }
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, TRAILING)),
            }
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.stream {
            let read = stream.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Some(ended) = self.stream.take() {
                self.next(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (String, Option<String>) {
        let mut text = String::new();
        // A small buffer, so that streams end within it and at its end.
        let reader = io::BufReader::with_capacity(7, bytes);
        let error = Gunzip::new(reader).read_to_string(&mut text).err();
        (text, error.map(|error| error.to_string()))
    }

    #[test]
    fn streams_and_padding_are_read_as_gzip_reads_them() {
        let two = [packed("one "), packed("two")].concat();
        assert_eq!(unpacked(&two), ("one two".to_owned(), None));
        let padded = [packed("one "), vec![0; 1000], packed("two"), vec![0; 4096]].concat();
        assert_eq!(unpacked(&padded), ("one two".to_owned(), None));
        assert_eq!(unpacked(&[packed(""), packed("x")].concat()), ("x".to_owned(), None));
    }

    #[test]
    fn what_stands_behind_is_told_and_costs_nothing_before_it() {
        let mut text = Vec::new();
        let bytes = [packed("one"), b"garbage".to_vec()].concat();
        let mut reader = Gunzip::new(bytes.as_slice());
        let mut buffer = [0; 2];
        let error = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break None,
                Ok(read) => text.extend_from_slice(&buffer[..read]),
                Err(error) => break Some(error.to_string()),
            }
        };
        assert_eq!((text.as_slice(), error.as_deref()), (&b"one"[..], Some(TRAILING)));
    }
}
