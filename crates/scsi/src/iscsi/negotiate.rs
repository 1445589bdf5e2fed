//! Operational keys: what is offered, what is answered, and what comes of it (RFC 7143, 6.2 and 13).
//!
//! | key | rule | the target's own |
//! | --- | --- | --- |
//! | HeaderDigest, DataDigest | the first of the list that is known | CRC32C, None |
//! | MaxRecvDataSegmentLength | each side declares its own | [`SEGMENT_MAX`] |
//! | InitialR2T | or | No |
//! | ImmediateData | and | Yes |
//! | MaxBurstLength | the smaller | [`BURST_MAX`] |
//! | FirstBurstLength | the smaller | [`FIRST_BURST_MAX`], and no more than MaxBurstLength |
//! | MaxOutstandingR2T | the smaller | [`OUTSTANDING_R2T_MAX`] |
//! | MaxConnections | the smaller | 1 |
//! | ErrorRecoveryLevel | the smaller | 0 |
//! | DefaultTime2Wait | the larger | 2 |
//! | DefaultTime2Retain | the smaller | 0 |
//! | DataPDUInOrder, DataSequenceInOrder | or | Yes |

use super::text;

/// What the target takes in one data segment: as much as one read of a socket is likely to hold.
pub const SEGMENT_MAX: u32 = 256 << 10;

/// The longest sequence of data that one R2T asks for.
pub const BURST_MAX: u32 = 1 << 20;

/// The most data that may come unasked.
pub const FIRST_BURST_MAX: u32 = 256 << 10;

/// How many R2Ts of one command may be open.
pub const OUTSTANDING_R2T_MAX: u32 = 8;

/// Seconds that an initiator waits before it comes back.
pub const TIME_TO_WAIT_S: u32 = 2;

/// The numbers that a length may have (RFC 7143, 13.12 to 13.14).
const LENGTHS: (u32, u32) = (512, (1 << 24) - 1);

/// What a negotiation agrees on for a session and its connection. The defaults are the standard's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Headers carry a CRC32C.
    pub header_digest: bool,
    /// Data segments carry one.
    pub data_digest: bool,
    /// Bytes that the initiator takes in one data segment.
    pub initiator_segment_max: u32,
    /// Bytes that the target takes in one.
    pub target_segment_max: u32,
    /// Bytes of one solicited sequence, either way.
    pub burst_max: u32,
    /// Bytes that come unasked, immediate ones included.
    pub first_burst_max: u32,
    /// Data may not come unasked behind its command.
    pub initial_r2t: bool,
    /// Data may come with its command.
    pub immediate_data: bool,
    /// R2Ts of one command that may be open.
    pub outstanding_r2t_max: u32,
    /// Seconds before the initiator may come back.
    pub time_to_wait_s: u32,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            header_digest: false,
            data_digest: false,
            initiator_segment_max: 8192,
            target_segment_max: 8192,
            burst_max: 262_144,
            first_burst_max: 65_536,
            initial_r2t: true,
            immediate_data: true,
            outstanding_r2t_max: 1,
            time_to_wait_s: TIME_TO_WAIT_S,
        }
    }
}

/// A negotiation of operational keys, at the target's end.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    parameters: Parameters,
    /// Keys that the initiator has offered; none may stand twice (RFC 7143, 6.2).
    offered: Vec<&'static str>,
    has_declared: bool,
}

/// The initiator broke a rule of negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key was negotiated twice")]
pub struct NegotiatedTwice;

/// How the values of a key are made one.
enum Rule {
    Digest(fn(&mut Parameters) -> &mut bool),
    /// The initiator's own declaration, which is not answered.
    Declared((u32, u32), fn(&mut Parameters) -> &mut u32),
    Smaller((u32, u32), u32, fn(&mut Parameters) -> &mut u32),
    Larger((u32, u32), u32, fn(&mut Parameters) -> &mut u32),
    Or(bool, fn(&mut Parameters) -> &mut bool),
    And(bool, fn(&mut Parameters) -> &mut bool),
    /// A number of which the target takes one value only, the smaller one.
    Only((u32, u32), u32),
    /// A boolean that the target answers with Yes whatever is offered.
    Yes,
    /// The target's list has the one word.
    Word(&'static str),
    /// A key of an earlier standard (RFC 7143, 13.25).
    Obsolete,
    /// A declaration that changes nothing here.
    Told,
}

/// `agreed`: what was agreed on so far.
fn rule(key: &str, agreed: &Parameters) -> Option<(&'static str, Rule)> {
    Some(match key {
        "HeaderDigest" => ("HeaderDigest", Rule::Digest(|all| &mut all.header_digest)),
        "DataDigest" => ("DataDigest", Rule::Digest(|all| &mut all.data_digest)),
        "MaxRecvDataSegmentLength" => {
            ("MaxRecvDataSegmentLength", Rule::Declared(LENGTHS, |all| &mut all.initiator_segment_max))
        }
        "MaxBurstLength" => ("MaxBurstLength", Rule::Smaller(LENGTHS, BURST_MAX, |all| &mut all.burst_max)),
        // It is no more than MaxBurstLength (RFC 7143, 13.14), as far as that is known.
        "FirstBurstLength" => {
            let own = FIRST_BURST_MAX.min(agreed.burst_max);
            ("FirstBurstLength", Rule::Smaller(LENGTHS, own, |all| &mut all.first_burst_max))
        }
        "InitialR2T" => ("InitialR2T", Rule::Or(false, |all| &mut all.initial_r2t)),
        "ImmediateData" => ("ImmediateData", Rule::And(true, |all| &mut all.immediate_data)),
        "MaxOutstandingR2T" => (
            "MaxOutstandingR2T",
            Rule::Smaller((1, 65_535), OUTSTANDING_R2T_MAX, |all| &mut all.outstanding_r2t_max),
        ),
        "DefaultTime2Wait" => {
            ("DefaultTime2Wait", Rule::Larger((0, 3600), TIME_TO_WAIT_S, |all| &mut all.time_to_wait_s))
        }
        "DefaultTime2Retain" => ("DefaultTime2Retain", Rule::Only((0, 3600), 0)),
        "MaxConnections" => ("MaxConnections", Rule::Only((1, 65_535), 1)),
        "ErrorRecoveryLevel" => ("ErrorRecoveryLevel", Rule::Only((0, 2), 0)),
        "iSCSIProtocolLevel" => ("iSCSIProtocolLevel", Rule::Only((0, 31), 1)),
        "DataPDUInOrder" => ("DataPDUInOrder", Rule::Yes),
        "DataSequenceInOrder" => ("DataSequenceInOrder", Rule::Yes),
        "TaskReporting" => ("TaskReporting", Rule::Word("RFC3720")),
        "IFMarker" => ("IFMarker", Rule::Obsolete),
        "OFMarker" => ("OFMarker", Rule::Obsolete),
        "IFMarkInt" => ("IFMarkInt", Rule::Obsolete),
        "OFMarkInt" => ("OFMarkInt", Rule::Obsolete),
        "InitiatorAlias" => ("InitiatorAlias", Rule::Told),
        _ => return None,
    })
}

impl Negotiation {
    /// Takes one pair of the initiator's and puts what is to be answered, if anything, behind `answer`.
    ///
    /// # Errors
    /// Where the key was offered before.
    pub fn offer(&mut self, key: &str, value: &str, answer: &mut Vec<u8>) -> Result<(), NegotiatedTwice> {
        let Some((key, rule)) = rule(key, &self.parameters) else {
            text::put(answer, key, "NotUnderstood");
            return Ok(());
        };
        if self.offered.contains(&key) {
            return Err(NegotiatedTwice);
        }
        self.offered.push(key);
        if let Some(agreed) = rule.agree(value, &mut self.parameters) {
            // A key stands once in an answer, also this one, which is declared by both: the target's own stays what it is without.
            self.has_declared |= matches!(rule, Rule::Declared(..));
            text::put(answer, key, &agreed);
        }
        Ok(())
    }

    /// Puts what the target declares by itself, once, behind `answer`.
    pub fn declare(&mut self, answer: &mut Vec<u8>) {
        if !self.has_declared {
            self.has_declared = true;
            self.parameters.target_segment_max = SEGMENT_MAX;
            text::put(answer, "MaxRecvDataSegmentLength", &SEGMENT_MAX.to_string());
        }
    }

    /// What was agreed on.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.parameters.clone()
    }
}

impl Rule {
    /// The answer to a value, after it took effect; `None` where none is due.
    fn agree(&self, value: &str, parameters: &mut Parameters) -> Option<String> {
        let within =
            |(from, to): (u32, u32)| text::number(value).filter(|number| (from..=to).contains(number));
        let boolean = || match value {
            "Yes" => Some(true),
            "No" => Some(false),
            _ => None,
        };
        let told = |yes: bool| if yes { "Yes" } else { "No" }.to_owned();
        let agreed = match self {
            Rule::Digest(place) => digest(value)
                .inspect(|is_used| *place(parameters) = *is_used)
                .map(|is_used| if is_used { "CRC32C" } else { "None" }.to_owned()),
            // A declaration has no answer, unless it cannot be meant.
            Rule::Declared(range, place) => match within(*range) {
                Some(number) => {
                    *place(parameters) = number;
                    return None;
                }
                None => None,
            },
            Rule::Smaller(range, own, place) => within(*range).map(|number| {
                *place(parameters) = number.min(*own);
                number.min(*own).to_string()
            }),
            Rule::Larger(range, own, place) => within(*range).map(|number| {
                *place(parameters) = number.max(*own);
                number.max(*own).to_string()
            }),
            Rule::Or(own, place) => boolean().map(|offered| {
                *place(parameters) = offered || *own;
                told(offered || *own)
            }),
            Rule::And(own, place) => boolean().map(|offered| {
                *place(parameters) = offered && *own;
                told(offered && *own)
            }),
            Rule::Only(range, own) => within(*range).map(|number| number.min(*own).to_string()),
            Rule::Yes => boolean().map(|_| told(true)),
            Rule::Word(word) => value.split(',').any(|offered| offered == *word).then(|| (*word).to_owned()),
            Rule::Obsolete => None,
            Rule::Told => return None,
        };
        Some(agreed.unwrap_or_else(|| "Reject".to_owned()))
    }
}

/// Whether the first known word of a list is CRC32C; `None` where it knows neither.
fn digest(list: &str) -> Option<bool> {
    list.split(',').find_map(|word| match word {
        "CRC32C" => Some(true),
        "None" => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(offers: &[(&str, &str)]) -> (String, Parameters) {
        let (mut negotiation, mut answer) = (Negotiation::default(), Vec::new());
        for (key, value) in offers {
            negotiation.offer(key, value, &mut answer).unwrap();
        }
        (String::from_utf8(answer).unwrap().replace('\0', " "), negotiation.parameters())
    }

    #[test]
    fn what_linux_offers_comes_to_what_suits_both() {
        let (answer, parameters) = answered(&[
            ("HeaderDigest", "CRC32C,None"),
            ("DataDigest", "None"),
            ("DefaultTime2Wait", "2"),
            ("DefaultTime2Retain", "0"),
            ("IFMarker", "No"),
            ("OFMarker", "No"),
            ("ErrorRecoveryLevel", "0"),
            ("InitialR2T", "No"),
            ("ImmediateData", "Yes"),
            ("MaxBurstLength", "16776192"),
            ("FirstBurstLength", "262144"),
            ("MaxOutstandingR2T", "1"),
            ("MaxConnections", "1"),
            ("DataPDUInOrder", "Yes"),
            ("DataSequenceInOrder", "Yes"),
            ("MaxRecvDataSegmentLength", "262144"),
        ]);
        assert_eq!(
            answer,
            "HeaderDigest=CRC32C DataDigest=None DefaultTime2Wait=2 DefaultTime2Retain=0 IFMarker=Reject \
             OFMarker=Reject ErrorRecoveryLevel=0 InitialR2T=No ImmediateData=Yes MaxBurstLength=1048576 \
             FirstBurstLength=262144 MaxOutstandingR2T=1 MaxConnections=1 DataPDUInOrder=Yes \
             DataSequenceInOrder=Yes "
        );
        assert!(parameters.header_digest && !parameters.data_digest && !parameters.initial_r2t);
        assert_eq!(parameters.initiator_segment_max, 262_144);
    }

    #[test]
    fn values_that_a_key_does_not_have_are_rejected_and_change_nothing() {
        for (key, value) in [
            ("HeaderDigest", "MD5"),
            ("InitialR2T", "yes"),
            ("MaxBurstLength", "511"),
            ("MaxBurstLength", "16777216"),
            ("MaxOutstandingR2T", "0"),
            ("DefaultTime2Wait", "3601"),
            ("ErrorRecoveryLevel", "3"),
            ("TaskReporting", "FastAbort"),
            ("MaxRecvDataSegmentLength", "10"),
        ] {
            let (answer, parameters) = answered(&[(key, value)]);
            assert_eq!(answer, format!("{key}=Reject "), "{value}");
            assert_eq!(parameters, Parameters::default());
        }
    }

    #[test]
    fn a_key_that_nobody_knows_is_not_understood_and_one_is_not_negotiated_twice() {
        assert_eq!(answered(&[("X-com.example.a", "1")]).0, "X-com.example.a=NotUnderstood ");
        let (mut negotiation, mut answer) = (Negotiation::default(), Vec::new());
        negotiation.offer("MaxBurstLength", "512", &mut answer).unwrap();
        assert_eq!(negotiation.offer("MaxBurstLength", "512", &mut answer), Err(NegotiatedTwice));
    }

    #[test]
    fn a_first_burst_is_no_longer_than_the_burst_and_as_long_as_the_initiator_was_told() {
        let (answer, parameters) = answered(&[("MaxBurstLength", "1024"), ("FirstBurstLength", "65536")]);
        assert!(answer.contains("FirstBurstLength=1024"), "{answer}");
        assert_eq!(parameters.first_burst_max, 1024);
        // What was answered before the burst was known holds all the same, for it will send so much.
        let (answer, parameters) = answered(&[("FirstBurstLength", "65536"), ("MaxBurstLength", "1024")]);
        assert!(answer.contains("FirstBurstLength=65536"), "{answer}");
        assert_eq!(parameters.first_burst_max, 65_536);
    }

    #[test]
    fn a_declaration_that_cannot_be_meant_is_rejected_and_the_key_stands_once_in_the_answer() {
        let (mut negotiation, mut answer) = (Negotiation::default(), Vec::new());
        negotiation.offer("MaxRecvDataSegmentLength", "0", &mut answer).unwrap();
        negotiation.declare(&mut answer);
        assert_eq!(answer, b"MaxRecvDataSegmentLength=Reject\0");
        assert_eq!(negotiation.parameters(), Parameters::default());
    }

    #[test]
    fn the_target_declares_its_segment_once() {
        let (mut negotiation, mut answer) = (Negotiation::default(), Vec::new());
        negotiation.declare(&mut answer);
        negotiation.declare(&mut answer);
        assert_eq!(answer, b"MaxRecvDataSegmentLength=262144\0");
        assert_eq!(negotiation.parameters().target_segment_max, SEGMENT_MAX);
    }
}
