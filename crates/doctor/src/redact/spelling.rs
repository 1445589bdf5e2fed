//! What is the same although it is written differently: letters of either case, an id with and without the marks that different systems
//! put before it, a port's name with signs between its bytes, an address of IPv6 with and without its zeros.

use std::net::Ipv6Addr;

/// Digits of an id.
const DIGITS_MIN: usize = 16;
/// What VMware puts before the id of a device in its `vml.` names: type and LUN.
const VML_FRONT: usize = 10;
/// Digits of an id that begins with 6; all others have 16 (SPC-5, 7.7.6).
const LONG_DIGITS: usize = 32;

/// One spelling for all.
pub(super) fn key(original: &str) -> String {
    let lower = original.to_ascii_lowercase();
    // Eight pairs are a port's name, though IPv6 has eight groups too.
    let pairs = ports_name(&lower);
    if let Some(address) = of_ipv6(&lower).filter(|_| pairs.is_none()) {
        return address;
    }
    if let Some(device) = lower.strip_prefix("vml.").and_then(of_vml) {
        return device;
    }
    let bare = ["naa.", "eui.", "wwn-0x", "scsi-", "0x"].iter().find_map(|mark| lower.strip_prefix(mark));
    let digits = bare.unwrap_or(&lower);
    let digits = pairs.as_deref().unwrap_or(digits);
    if digits.len() < DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return lower;
    }
    // Multipath's WWID of an NAA id is that id behind a 3.
    let digits =
        if matches!(digits.len(), 17 | 33) { digits.strip_prefix('3').unwrap_or(digits) } else { digits };
    digits.to_owned()
}

fn of_ipv6(lower: &str) -> Option<String> {
    let bare = lower.trim_matches(['[', ']']);
    let bare = bare.split(['%', '/']).next().unwrap_or(bare);
    (bare.matches(':').count() > 1)
        .then(|| bare.parse::<Ipv6Addr>().ok().map(|address| address.to_string()))?
}

/// The device's id in a name that begins with `vml.`.
fn of_vml(digits: &str) -> Option<String> {
    let id = digits.get(VML_FRONT..)?;
    let length = if id.starts_with('6') { LONG_DIGITS } else { DIGITS_MIN };
    let known = digits.starts_with("02") && id.starts_with(['2', '3', '5', '6']);
    let id = id.get(..length).filter(|id| known && id.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(id.to_owned())
}

/// `50:06:01:60:3b:20:11:22`: eight pairs.
fn ports_name(text: &str) -> Option<String> {
    let sign = [':', '-'].into_iter().find(|&sign| text.contains(sign))?;
    let pairs: Vec<&str> = text.split(sign).collect();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    (pairs.len() == 8 && pairs.iter().all(is_pair)).then(|| pairs.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_other_letters_has_the_same_key() {
        let same: [&[&str]; 4] = [
            &["50:06:01:60:3b:20:11:22", "0x500601603B201122", "500601603b201122", "50-06-01-60-3b-20-11-22"],
            &[
                "naa.600a0b80005ad1d7000002a1deadbeef",
                "vml.0200070000600a0b80005ad1d7000002a1deadbeef565241494420",
                "wwn-0x600a0b80005ad1d7000002a1deadbeef",
                "3600a0b80005ad1d7000002a1deadbeef",
                "NAA.600A0B80005AD1D7000002A1DEADBEEF",
            ],
            &["2001:db8::1", "2001:0db8:0:0::1", "[2001:DB8::1]"],
            &["naa.5000c500aabbccdd", "vml.02000000005000c500aabbccdd535433303030"],
        ];
        for spellings in same {
            for spelling in spellings {
                assert_eq!(key(spelling), key(spellings[0]), "{spelling}");
            }
        }
        let others = ["vml.01000000", "50:06:01:60:3b:20", "beef", "host.lab"];
        for other in others {
            assert_eq!(key(other), other);
        }
    }
}
