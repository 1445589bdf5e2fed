//! What a faulty device is told: `KIND:KEY=VALUE,...`, read from the command line and shown in status.
//!
//! ```text
//! late-reply:op=ats,record=slot,delay=3s,every=1,after=5,count=1
//! ```
//!
//! | kind | what happens | its own keys |
//! | --- | --- | --- |
//! | `delay` | the command waits on this host before it is sent, and says so; dropped meanwhile, it is never sent | `delay` |
//! | `late-reply` | executed at once, answered late | `delay` |
//! | `lose-reply` | executed, never answered: the future is pending until it is dropped | |
//! | `late-execution` | executed after the delay, even if the caller has given up by then | `delay` |
//! | `repeat` | executed twice; the first or the second answer is given (the second, unless told) | `answer` |
//! | `refuse` | not executed, refused as busy | |
//! | `false-although-equal` | not executed, answered *miscompared*; for `ats` only | |
//! | `stale-read` | gives what an earlier read of the block gave; for `read` only | |
//! | `torn-read` | gives the first half of that and the second half of the truth; for `read` only | |
//! | `flip` | one bit of each selected block is flipped in what is read; for `read` only | `bit` |
//! | `unknown` | executed, answered *unknown* | |
//!
//! | key | which commands | without it |
//! | --- | --- | --- |
//! | `op` | `read`, `write`, `ats`, `flush`, `discard` or `write-zeroes` | any that the kind can strike |
//! | `lba` | a block, or `A..B` without B, that the command touches | any |
//! | `record` | a record of that name (`slot`, `mailbox`, `lock`, `superblock`) that the command touches | any |
//! | `after` | not the first so many of those | 0 |
//! | `every` | of the rest, each n-th: `every=3` strikes the third, the sixth | 1 |
//! | `count` | no more than so many times | no end |
//! | `delay` | how long: `us`, `ms`, `s`, `m` or `h`, at most 24 h | must be given |
//! | `bit` | which bit of the block, from the first byte's lowest on, counted round | 0 |
//! | `answer` | `first` or `second` | `second` |
//!
//! The array speaks the same language with more words (an initiator, a portal: [`ArrayFaultSpec`](crate::ArrayFaultSpec)); what is not
//! known is an error here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{CommandKind, Lba};

/// No fault waits longer: a fault that outlasts every test and demo is a device that is gone.
pub const FAULT_DELAY_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A record's name has at most so many letters.
const RECORD_NAME_MAX: usize = 32;

/// One kind of misbehaviour, and the commands that it strikes. See the [grammar](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpec {
    /// What happens.
    pub fault: Fault,
    /// To which commands.
    pub selector: Selector,
    /// So many selected commands pass unharmed first.
    pub after: u64,
    /// Of those that follow, each n-th is struck; at least 1.
    pub every: u64,
    /// At most so many are struck; `None`: no end.
    pub count: Option<u64>,
}

/// A misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Sent late.
    Delay(Duration),
    /// Executed at once, answered late.
    LateReply(Duration),
    /// Executed, never answered.
    LoseReply,
    /// Executed late, whether or not the caller still waits.
    LateExecution(Duration),
    /// Executed twice.
    Repeat(GivenAnswer),
    /// Not executed, refused as busy.
    Refuse,
    /// Not executed, answered false.
    FalseAlthoughEqual,
    /// An earlier image is read.
    StaleRead,
    /// Half an earlier image, half the present one is read.
    TornRead,
    /// A bit is read wrong: this one of the block, counted round.
    Flip {
        /// 0 is the lowest bit of the first byte.
        bit: u32,
    },
    /// Executed, answered unknown.
    Unknown,
}

/// Which of the two answers to a repeated command the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenAnswer {
    /// That of the first execution.
    First,
    /// That of the second: for an ATS that swapped, a miscompare against itself.
    Second,
}

/// Which commands a fault looks at. Parts that are `None` do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Commands of this kind.
    pub op: Option<CommandKind>,
    /// Commands that touch a block from the first on and before the second.
    pub lba: Option<(Lba, Lba)>,
    /// Commands that touch a record of this name, as the one who knows the format calls it.
    pub record: Option<String>,
}

/// Why a text is no fault specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultSpecError {
    /// The kind is unknown.
    #[error("`{kind}` is no kind of fault; there are {}", KINDS.join(", "))]
    Kind {
        /// What stands before the colon.
        kind: String,
    },
    /// A part is not `KEY=VALUE`.
    #[error("`{part}` is not of the form KEY=VALUE")]
    Form {
        /// The part.
        part: String,
    },
    /// The key is unknown, or does not belong to this kind.
    #[error("a fault of kind `{kind}` has no key `{key}`")]
    Key {
        /// The kind.
        kind: &'static str,
        /// The key.
        key: String,
    },
    /// A key stands twice.
    #[error("`{key}` is given twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// The value does not fit its key.
    #[error("`{key}={value}`: {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// A key that the kind cannot do without is missing.
    #[error("a fault of kind `{kind}` needs `{key}`")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// The kind cannot strike the selected operation.
    #[error("a fault of kind `{kind}` strikes only `{only}`, not `{op}`")]
    Op {
        /// The kind.
        kind: &'static str,
        /// What it can strike.
        only: CommandKind,
        /// What was asked for.
        op: CommandKind,
    },
}

const KINDS: [&str; 11] = [
    "delay",
    "late-reply",
    "lose-reply",
    "late-execution",
    "repeat",
    "refuse",
    "false-although-equal",
    "stale-read",
    "torn-read",
    "flip",
    "unknown",
];

impl Fault {
    /// The kind's name in a specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Delay(_) => "delay",
            Fault::LateReply(_) => "late-reply",
            Fault::LoseReply => "lose-reply",
            Fault::LateExecution(_) => "late-execution",
            Fault::Repeat(_) => "repeat",
            Fault::Refuse => "refuse",
            Fault::FalseAlthoughEqual => "false-although-equal",
            Fault::StaleRead => "stale-read",
            Fault::TornRead => "torn-read",
            Fault::Flip { .. } => "flip",
            Fault::Unknown => "unknown",
        }
    }

    /// The only kind of command that it can strike, if there is but one.
    #[must_use]
    pub const fn only(self) -> Option<CommandKind> {
        match self {
            Fault::FalseAlthoughEqual => Some(CommandKind::Ats),
            Fault::StaleRead | Fault::TornRead | Fault::Flip { .. } => Some(CommandKind::Read),
            _ => None,
        }
    }

    /// Changes a block that was read, of which an earlier read gave `earlier`; says whether anything changed.
    pub fn alter(self, earlier: Option<&[u8]>, block: &mut [u8]) -> bool {
        // A block of another size is another block.
        let earlier = earlier.filter(|earlier| earlier.len() == block.len());
        match (self, earlier) {
            (Fault::StaleRead, Some(earlier)) => block.copy_from_slice(earlier),
            (Fault::TornRead, Some(earlier)) => {
                let half = block.len() / 2;
                block[..half].copy_from_slice(&earlier[..half]);
            }
            (Fault::Flip { bit }, _) => {
                let bit = bit as usize % (block.len() * 8);
                block[bit / 8] ^= 1 << (bit % 8);
            }
            _ => return false,
        }
        true
    }

    /// Whether it gives out earlier images, so that somebody must remember them.
    #[must_use]
    pub const fn needs_memory(self) -> bool {
        matches!(self, Fault::StaleRead | Fault::TornRead)
    }
}

impl FaultSpec {
    /// Whether it strikes the selected command of that number, the first being 1, when it has struck so many before.
    #[must_use]
    pub fn is_turn(&self, number: u64, struck: u64) -> bool {
        let late_enough = number.checked_sub(self.after).filter(|number| *number > 0);
        late_enough.is_some_and(|number| number.is_multiple_of(self.every))
            && self.count.is_none_or(|count| struck < count)
    }
}

impl FromStr for FaultSpec {
    type Err = FaultSpecError;

    fn from_str(text: &str) -> Result<FaultSpec, FaultSpecError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
            return Err(FaultSpecError::Kind { kind: kind.to_owned() });
        };
        let mut keys = Keys::split(kind, rest)?;
        let fault = keys.fault()?;
        let selector = keys.selector(fault)?;
        let spec = FaultSpec {
            fault,
            selector,
            after: keys.number("after")?.unwrap_or(0),
            every: keys.positive("every")?.unwrap_or(1),
            count: keys.positive("count")?,
        };
        keys.all_known()?;
        Ok(spec)
    }
}

/// The `KEY=VALUE` parts of one specification; each is taken out as it is understood.
struct Keys<'a> {
    kind: &'static str,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    fn split(kind: &'static str, rest: &'a str) -> Result<Keys<'a>, FaultSpecError> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for part in rest.split(',').filter(|_| !rest.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                return Err(FaultSpecError::Form { part: part.to_owned() });
            };
            if pairs.iter().any(|(earlier, _)| *earlier == key) {
                return Err(FaultSpecError::Twice { key: key.to_owned() });
            }
            pairs.push((key, value));
        }
        Ok(Keys { kind, pairs })
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        let place = self.pairs.iter().position(|(known, _)| *known == key)?;
        Some(self.pairs.remove(place).1)
    }

    fn all_known(self) -> Result<(), FaultSpecError> {
        match self.pairs.first() {
            Some((key, _)) => Err(FaultSpecError::Key { kind: self.kind, key: (*key).to_owned() }),
            None => Ok(()),
        }
    }

    fn fault(&mut self) -> Result<Fault, FaultSpecError> {
        Ok(match self.kind {
            "delay" => Fault::Delay(self.delay()?),
            "late-reply" => Fault::LateReply(self.delay()?),
            "lose-reply" => Fault::LoseReply,
            "late-execution" => Fault::LateExecution(self.delay()?),
            "repeat" => Fault::Repeat(self.given_answer()?),
            "refuse" => Fault::Refuse,
            "false-although-equal" => Fault::FalseAlthoughEqual,
            "stale-read" => Fault::StaleRead,
            "torn-read" => Fault::TornRead,
            "flip" => Fault::Flip { bit: self.bit()? },
            _ => Fault::Unknown,
        })
    }

    fn selector(&mut self, fault: Fault) -> Result<Selector, FaultSpecError> {
        let op = match self.take("op") {
            None => fault.only(),
            Some(value) => Some(CommandKind::from_name(value).ok_or_else(|| {
                wrong("op", value, "it is read, write, ats, flush, discard or write-zeroes")
            })?),
        };
        if let (Some(only), Some(op)) = (fault.only(), op)
            && only != op
        {
            return Err(FaultSpecError::Op { kind: self.kind, only, op });
        }
        let lba = self.take("lba").map(blocks).transpose()?;
        let record = self.take("record").map(record).transpose()?;
        Ok(Selector { op, lba, record })
    }

    fn number(&mut self, key: &'static str) -> Result<Option<u64>, FaultSpecError> {
        let parse = |value: &str| value.parse().map_err(|_| wrong(key, value, "it is a number"));
        self.take(key).map(parse).transpose()
    }

    fn positive(&mut self, key: &'static str) -> Result<Option<u64>, FaultSpecError> {
        match self.number(key)? {
            Some(0) => Err(wrong(key, "0", "it is at least 1")),
            number => Ok(number),
        }
    }

    fn bit(&mut self) -> Result<u32, FaultSpecError> {
        match self.number("bit")? {
            None => Ok(0),
            Some(bit) => u32::try_from(bit).map_err(|_| wrong("bit", &bit.to_string(), "it is below 2^32")),
        }
    }

    fn given_answer(&mut self) -> Result<GivenAnswer, FaultSpecError> {
        match self.take("answer") {
            Some("first") => Ok(GivenAnswer::First),
            None | Some("second") => Ok(GivenAnswer::Second),
            Some(value) => Err(wrong("answer", value, "it is first or second")),
        }
    }

    fn delay(&mut self) -> Result<Duration, FaultSpecError> {
        let missing = FaultSpecError::Missing { kind: self.kind, key: "delay" };
        let value = self.take("delay").ok_or(missing)?;
        duration(value)
            .ok_or_else(|| wrong("delay", value, "it is a whole number with us, ms, s, m or h, 24h at most"))
    }
}

/// The units of a delay in microseconds, largest first: the order in which one is looked for to show a delay in.
const UNITS: [(&str, u64); 5] =
    [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, microseconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let delay = Duration::from_micros(number.parse::<u64>().ok()?.checked_mul(microseconds)?);
    (delay <= FAULT_DELAY_MAX).then_some(delay)
}

fn blocks(text: &str) -> Result<(Lba, Lba), FaultSpecError> {
    let number = |text: &str| text.parse::<u64>().ok();
    let range = match text.split_once("..") {
        Some((first, end)) => number(first).zip(number(end)),
        None => number(text).and_then(|first| Some((first, first.checked_add(1)?))),
    };
    range
        .filter(|(first, end)| first < end)
        .map(|(first, end)| (Lba(first), Lba(end)))
        .ok_or_else(|| wrong("lba", text, "it is a block N, or A..B with A below B"))
}

fn record(text: &str) -> Result<String, FaultSpecError> {
    let letters = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    if text.is_empty() || text.len() > RECORD_NAME_MAX || !letters {
        return Err(wrong("record", text, "it is a record's name in small letters"));
    }
    Ok(text.to_owned())
}

pub(crate) fn wrong(key: &'static str, value: &str, wanted: &'static str) -> FaultSpecError {
    FaultSpecError::Value { key, value: value.to_owned(), wanted }
}

impl fmt::Display for FaultSpec {
    /// The specification that reads back as this one, without what goes without saying.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(op) = self.selector.op.filter(|_| self.fault.only().is_none()) {
            parts.push(format!("op={op}"));
        }
        match self.selector.lba {
            Some((first, end)) if first.0 + 1 == end.0 => parts.push(format!("lba={first}")),
            Some((first, end)) => parts.push(format!("lba={first}..{end}")),
            None => {}
        }
        parts.extend(self.selector.record.as_ref().map(|record| format!("record={record}")));
        match self.fault {
            Fault::Delay(delay) | Fault::LateReply(delay) | Fault::LateExecution(delay) => {
                parts.push(format!("delay={}", shown(delay)));
            }
            Fault::Repeat(GivenAnswer::First) => parts.push("answer=first".to_owned()),
            Fault::Flip { bit } if bit != 0 => parts.push(format!("bit={bit}")),
            _ => {}
        }
        if self.after != 0 {
            parts.push(format!("after={}", self.after));
        }
        if self.every != 1 {
            parts.push(format!("every={}", self.every));
        }
        parts.extend(self.count.map(|count| format!("count={count}")));
        let colon = if parts.is_empty() { "" } else { ":" };
        write!(formatter, "{}{colon}{}", self.fault.name(), parts.join(","))
    }
}

/// A delay in the largest unit that divides it.
fn shown(delay: Duration) -> String {
    let microseconds = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
    let fits = |(_, size): &(&str, u64)| microseconds != 0 && microseconds.is_multiple_of(*size);
    match UNITS.into_iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", microseconds / size),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<FaultSpec>().unwrap_err().to_string()
    }

    #[test]
    fn every_part_of_a_specification_is_understood() {
        let spec: FaultSpec =
            "late-reply:op=ats,record=slot,lba=8..16,delay=3s,every=2,after=5,count=1".parse().unwrap();
        assert_eq!(
            spec,
            FaultSpec {
                fault: Fault::LateReply(Duration::from_secs(3)),
                selector: Selector {
                    op: Some(CommandKind::Ats),
                    lba: Some((Lba(8), Lba(16))),
                    record: Some("slot".to_owned()),
                },
                after: 5,
                every: 2,
                count: Some(1),
            }
        );
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        for text in [
            "delay:delay=250us",
            "late-reply:op=ats,record=slot,delay=3s,after=5,count=1",
            "lose-reply:op=write",
            "late-execution:op=ats,lba=4..9,delay=90s,every=3",
            "repeat",
            "repeat:answer=first",
            "refuse:lba=7",
            "false-although-equal:record=lock",
            "stale-read",
            "torn-read:count=2",
            "flip:bit=4095",
            "unknown:op=flush",
            "delay:delay=2h",
            "delay:delay=0s",
        ] {
            let spec: FaultSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn every_kind_can_be_asked_for_by_its_name() {
        for kind in KINDS {
            let spec = kind.parse().or_else(|_| format!("{kind}:delay=1s").parse::<FaultSpec>()).unwrap();
            assert_eq!(spec.fault.name(), kind);
        }
    }

    #[test]
    fn a_mistake_is_named_in_the_error() {
        assert!(error("late").contains("`late` is no kind of fault; there are delay, late-reply,"));
        assert_eq!(error("refuse:ats"), "`ats` is not of the form KEY=VALUE");
        assert_eq!(error("refuse:op=ats,"), "`` is not of the form KEY=VALUE");
        assert_eq!(error("refuse:delay=1s"), "a fault of kind `refuse` has no key `delay`");
        assert_eq!(error("refuse:initiator=x"), "a fault of kind `refuse` has no key `initiator`");
        assert_eq!(error("refuse:op=ats,op=read"), "`op` is given twice");
        assert_eq!(error("delay:op=ats"), "a fault of kind `delay` needs `delay`");
        assert_eq!(error("flip:op=ats"), "a fault of kind `flip` strikes only `read`, not `ats`");
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        for text in [
            "delay:delay=3",
            "delay:delay=s",
            "delay:delay=25h",
            "delay:delay=18446744073709551615h",
            "refuse:lba=5..5",
            "refuse:lba=18446744073709551615",
            "refuse:lba=..4",
            "refuse:every=0",
            "refuse:count=0",
            "refuse:after=-1",
            "refuse:record=",
            "refuse:record=Slot",
            "refuse:op=ATS",
            "repeat:answer=third",
            "flip:bit=4294967296",
        ] {
            let error = text.parse::<FaultSpec>().unwrap_err();
            assert!(matches!(error, FaultSpecError::Value { .. }), "{text}: {error}");
        }
    }
}
