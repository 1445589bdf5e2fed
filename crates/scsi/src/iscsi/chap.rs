//! CHAP: who knows the secret? (RFC 1994; RFC 7143, 12.1.3; algorithms: IANA's "PPP Authentication Algorithms")

use md5::Digest;
use subtle::ConstantTimeEq;

use super::name::NodeName;

/// The shortest secret that a target takes: 96 bits, as RFC 7143, 12.1.3 asks for where the wire is not encrypted.
pub const SECRET_LENGTH_MIN: usize = 12;

/// The longest secret and the longest name here.
pub const SECRET_LENGTH_MAX: usize = 255;

/// The bytes of a challenge that the target gives.
pub const CHALLENGE_LENGTH: usize = 32;

/// The longest challenge that an initiator may give (RFC 7143, 12.1.3).
pub const CHALLENGE_LENGTH_MAX: usize = 1024;

/// How the response is made of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// MD5, which every initiator has.
    Md5 = 5,
    /// SHA-1.
    Sha1 = 6,
    /// SHA-256.
    Sha256 = 7,
    /// SHA3-256.
    Sha3 = 8,
}

impl Algorithm {
    /// The algorithm of that number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Algorithm> {
        match number {
            5 => Some(Algorithm::Md5),
            6 => Some(Algorithm::Sha1),
            7 => Some(Algorithm::Sha256),
            8 => Some(Algorithm::Sha3),
            _ => None,
        }
    }

    /// The response to a challenge (RFC 1994, 4.1).
    #[must_use]
    pub fn response(self, identifier: u8, secret: &[u8], challenge: &[u8]) -> Vec<u8> {
        fn hash<Hash: Digest>(parts: [&[u8]; 3]) -> Vec<u8> {
            parts.iter().fold(Hash::new(), |hash, part| hash.chain_update(part)).finalize().to_vec()
        }
        let parts = [&[identifier], secret, challenge];
        match self {
            Algorithm::Md5 => hash::<md5::Md5>(parts),
            Algorithm::Sha1 => hash::<sha1::Sha1>(parts),
            Algorithm::Sha256 => hash::<sha2::Sha256>(parts),
            Algorithm::Sha3 => hash::<sha3::Sha3_256>(parts),
        }
    }
}

/// A name and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// The secret.
    pub secret: Vec<u8>,
    /// The initiators that it is of; empty: whoever knows the secret.
    pub allowed: Vec<NodeName>,
}

impl Account {
    /// Whether it is an initiator's.
    #[must_use]
    pub fn is_of(&self, initiator: &NodeName) -> bool {
        self.allowed.is_empty() || self.allowed.contains(initiator)
    }
}

impl std::fmt::Debug for Account {
    /// Without the secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whom a target believes, and how it proves itself to those that ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The initiators'.
    pub initiators: Vec<Account>,
    /// The target's own, for mutual CHAP.
    pub target: Option<Account>,
}

/// A challenge that was given and waits for its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// How the response is to be made.
    pub algorithm: Algorithm,
    /// The challenge's number.
    pub identifier: u8,
    /// The challenge.
    pub challenge: Vec<u8>,
}

impl Challenge {
    /// The account that the response proves. Every account is looked at, whatever its name, for an equal time.
    #[must_use]
    pub fn proves<'a>(&self, accounts: &'a Accounts, name: &str, response: &[u8]) -> Option<&'a Account> {
        let mut proved = None;
        for account in &accounts.initiators {
            let wanted = self.algorithm.response(self.identifier, &account.secret, &self.challenge);
            let is_proved = bool::from(wanted.ct_eq(response))
                & bool::from(account.name.as_bytes().ct_eq(name.as_bytes()));
            if is_proved {
                proved = Some(account);
            }
        }
        proved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_the_published_hashes() {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        // The three parts together are "abc", whose hashes stand in RFC 1321, FIPS 180-4 and FIPS 202's examples.
        let of = |algorithm: Algorithm| hex(algorithm.response(b'a', b"b", b"c"));
        assert_eq!(of(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of(Algorithm::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(of(Algorithm::Sha256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(of(Algorithm::Sha3), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    }

    #[test]
    fn only_the_name_that_belongs_to_the_secret_is_proved() {
        let account = |name: &str, secret: &str| Account {
            name: name.to_owned(),
            secret: secret.as_bytes().to_vec(),
            allowed: Vec::new(),
        };
        let accounts = Accounts {
            initiators: vec![account("a", "secret of a..."), account("b", "secret of b...")],
            target: None,
        };
        let challenge = Challenge { algorithm: Algorithm::Sha256, identifier: 7, challenge: vec![1; 32] };
        let response = Algorithm::Sha256.response(7, b"secret of a...", &[1; 32]);
        assert_eq!(challenge.proves(&accounts, "a", &response), Some(&accounts.initiators[0]));
        assert_eq!(challenge.proves(&accounts, "b", &response), None);
        assert_eq!(challenge.proves(&accounts, "a", &response[1..]), None);
        assert_eq!(challenge.proves(&accounts, "a", b""), None);
        assert_eq!(format!("{:?}", accounts.initiators[0]), "Account { name: \"a\", .. }");
    }
}
