//! Names of initiators and targets (RFC 7143, 4.2.7; prepared as RFC 3722 has it, for ASCII).

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes (RFC 7143, 4.2.7.1).
pub const NAME_LENGTH_MAX: usize = 223;

/// The name of an iSCSI node: `iqn.`, `eui.` or `naa.` and what belongs behind it, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(String);

/// Why a text is no name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no iSCSI name: it is iqn.YYYY-MM.domain[:more], eui. with 16 or naa. with 16 or 32 hexadecimal digits"
)]
pub struct NameError {
    /// What was given, cut to a readable length.
    pub text: String,
}

impl NodeName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<NodeName, NameError> {
        let name = text.to_lowercase();
        let is_name = match name.split_at_checked(4) {
            Some(("iqn.", rest)) => is_qualified(rest),
            Some(("eui.", digits)) => digits.len() == 16 && is_hexadecimal(digits),
            Some(("naa.", digits)) => [16, 32].contains(&digits.len()) && is_hexadecimal(digits),
            _ => false,
        };
        if is_name && name.len() <= NAME_LENGTH_MAX {
            Ok(NodeName(name))
        } else {
            Err(NameError { text: text.chars().take(80).collect() })
        }
    }
}

fn is_hexadecimal(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `YYYY-MM.domain[:more]`. Initiators of the field leave the domain's rules, so only characters and the date are looked at; and the
/// underscore, which RFC 3722 forbids, stands in the names of many hosts.
fn is_qualified(rest: &str) -> bool {
    let is_of_name = |letter: char| letter.is_alphanumeric() || "-.:_".contains(letter);
    let Some((date, domain)) = rest.split_once('.') else { return false };
    let date = date.as_bytes();
    let has_date = date.len() == 7
        && date[4] == b'-'
        && date.iter().enumerate().all(|(place, byte)| place == 4 || byte.is_ascii_digit());
    has_date && !domain.is_empty() && domain.chars().all(is_of_name)
}

impl fmt::Display for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_names_in_lower_case() {
        for name in [
            "iqn.2001-04.com.example:storage:disk1",
            "iqn.1998-01.com.vmware:esx-71-4f2a",
            "iqn.1993-08.org.debian:01:host_7",
            "eui.02004567A425678D",
            "naa.52004567BA64678D",
            "naa.62004567BA64678D0123456789ABCDEF",
        ] {
            assert_eq!(name.parse::<NodeName>().map(|name| name.to_string()), Ok(name.to_lowercase()));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("iqn.2001-04.com.{}", "x".repeat(NAME_LENGTH_MAX));
        for name in
            ["", "iqn", "iqn.", "iqn.2001-04", "iqn.2001-04.", "iqn.04-2001.com.example", "eui.12", &long]
        {
            assert!(name.parse::<NodeName>().is_err(), "{name}");
        }
        assert!("iqn.2001-04.com.example:a b".parse::<NodeName>().is_err());
        assert!("iqn.2001-04.com.example:a/b".parse::<NodeName>().is_err());
    }
}
