//! CRC32C, the checksum of every record.

/// The CRC32C (Castagnoli; RFC 7143, 13.1 gives the polynomial) of the concatenation of `parts`.
#[must_use]
pub fn crc32c(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_standard_check_string_is_the_published_one() {
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
    }

    #[test]
    fn parts_count_as_one_string() {
        assert_eq!(crc32c(&[b"1234", b"", b"56789"]), 0xe306_9283);
    }
}
