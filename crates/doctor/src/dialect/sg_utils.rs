//! sg3_utils in a terminal: commands that a person typed, and what they answered.
//!
//! What follows a command belongs to it, until a line that does not: a prompt, a line of a log, prose. Only a device that answers tells
//! something; that a command swapped is told by its silence.

use super::{Dialect, Reading, sense_words};
use crate::fact::{Command, Component, DeviceStatus, Kind, Opcode, Place, Sense, Support};
use crate::ledger::{Draft, Ledger};
use crate::record::{Ahead, Record};
use crate::text::{after, cut, decimal, has, hex, holds, number, position, word};

/// Commands of one session.
const COMMANDS_MAX: usize = 1_000;
/// Lines behind a sense key among which its additional code stands.
const SENSE_LINES: usize = 2;

/// Lines of answers that say nothing of their own here; those of tools whose whole answer is everyday, too.
const QUIET: [&str; 25] = [
    "Additional sense",
    "Info fld",
    "SCSI COMPARE AND WRITE failed",
    "SCSI Status: ",
    "Sense Information:",
    "Raw sense data",
    "cdb: ",
    "No data received",
    "no data received",
    "Illegal request",
    "test unit ready:",
    "device not ready",
    "Block limits VPD page",
    "WSNZ",
    "ptimal transfer length",
    "aximum transfer length",
    "nmap granularity",
    "standard INQUIRY",
    "PQual=",
    "Peripheral device type",
    "Unit serial number",
    "PR generation=",
    "scope: ",
    "    Key=0x",
    "medium or hardware error",
];

/// A session in a terminal.
#[derive(Debug, Default)]
pub struct SgUtils {
    /// The command whose answer is being read.
    asked: Option<Asked>,
    /// The device of the last atomic test and set.
    device: Option<String>,
    /// The last atomic test and set, and those before it that were answered without a word: they had swapped.
    command: Option<String>,
    swapped: Vec<String>,
    /// Whether the last test was false; and whether the block was read directly since.
    was_false: bool,
    read_directly: bool,
    /// The last command, where it followed a false one and a direct read: if nothing is said of it, it swapped.
    retried: Option<(Place, String)>,
    /// Whether the last answer was told already: some versions say it twice.
    told: bool,
}

/// A command that was typed.
#[derive(Debug, Default)]
struct Asked {
    device: Option<String>,
    /// What it sends, where that is known: to ask whether a unit is ready says something of the unit, and nothing of the command.
    opcode: Option<Opcode>,
    /// Vendor and product of an inquiry, until its revision.
    inquiry: String,
}

impl Dialect for SgUtils {
    fn name(&self) -> &'static str {
        "sg3_utils"
    }

    fn words(&self) -> Vec<&'static str> {
        vec![
            "sg_compare_and_write",
            "sg_raw ",
            "sg_vpd ",
            "sg_opcodes ",
            "sg_turs ",
            "sg_verify ",
            "sg_persist ",
            "sg_inq ",
            "sg_logs ",
            "COMPARE AND WRITE",
            "Compare and write",
            "ompare and write length",
            "Miscompare at byte offset",
            "iscompare during verify operation",
            "Sense key: ",
            "Info fld=",
            "iflag=direct",
            ": Invalid exchange",
        ]
    }

    fn reads_prompts(&self) -> bool {
        true
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let body = record.body();
        if has(body, "iflag=direct") {
            self.settle(ledger);
            self.read_directly = self.was_false;
            return Reading::UNDERSTOOD;
        }
        if let Some((tool, rest)) = typed(body).filter(|_| !record.prefix.begins) {
            self.begin(tool, rest, record, ledger);
            return Reading::More;
        }
        let of_log = record.prefix.begins || is_prompt(body);
        if self.asked.is_some() && (of_log || !self.goes_on(record.line)) {
            self.asked = None;
            return Reading::Stranger;
        }
        let known = self.answer(record, body, ledger);
        match (self.asked.is_some(), known) {
            (true, true) => Reading::More,
            (true, false) => Reading::Skipped,
            (false, true) => Reading::UNDERSTOOD,
            (false, false) => Reading::Stranger,
        }
    }

    fn end(&mut self, ledger: &mut Ledger) {
        self.settle(ledger);
        *self = SgUtils::default();
    }
}

impl SgUtils {
    fn begin(&mut self, tool: &str, rest: &str, record: &Record<'_>, ledger: &mut Ledger) {
        let device = after(rest, "/dev/").map(word).map(|name| name.rsplit('/').next().unwrap_or(name));
        let opcode = match tool {
            "compare_and_write" => Some(Opcode::COMPARE_AND_WRITE),
            "verify" => Some(Opcode::VERIFY),
            // `sg_raw ... /dev/sdc 89 00 00 ...`
            "raw" => after(rest, "/dev/").and_then(|rest| rest.split(' ').nth(1)).and_then(byte),
            _ => None,
        };
        let is_test = opcode.is_some_and(Opcode::is_ats);
        if is_test {
            if let Some(done) = self.command.take().filter(|_| !self.told)
                && self.swapped.len() < COMMANDS_MAX
            {
                self.swapped.push(done);
            }
            self.settle(ledger);
            if std::mem::take(&mut self.was_false) && std::mem::take(&mut self.read_directly) {
                self.retried = Some((record.place, record.line.to_owned()));
            }
            // With its prompt: the same command on another host is another writer's.
            self.command = Some(record.line.trim().to_owned());
            self.device = device.map(str::to_owned);
        }
        self.told = false;
        self.asked = Some(Asked { device: device.map(str::to_owned), opcode, inquiry: String::new() });
    }

    /// Whether a line may belong to the answer: what sg3_utils print is indented, or is known.
    fn goes_on(&self, line: &str) -> bool {
        line.is_empty() || line.starts_with(' ') || is_known(line)
    }

    /// Reads a line of an answer; the answer is whether it is known.
    fn answer(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
        let of_linux = has(body, "Add. Sense") || has(body, "TARGET") || has(body, "CAM status");
        if of_linux {
            return false;
        }
        if holds(body, "sense key: miscompare") || has(body, "Miscompare at byte offset") {
            self.miscompared(record, body, ledger);
            return true;
        }
        let device = self.asked.as_ref().and_then(|asked| asked.device.clone());
        let device = device.as_deref();
        if let Some(sense) = after(body, "Sense key: ").and_then(sense_words::of_key) {
            let mut following = record.following().take(SENSE_LINES);
            let code = following.find(|line| has(line, "Additional sense"));
            let sense = code.map_or(sense, |line| sense_words::with_code(sense, &line));
            let command = Command { opcode: self.opcode(body), ..failed(sense) };
            ledger.note(record, Draft { device, ..Draft::of(Kind::Command(command)) });
            return true;
        }
        if let Some(length) = after(body, "ompare and write length:") {
            // Zero is how a device says that it has no such command (SBC-4, 6.6.4).
            let support = match decimal(length.trim_start()) {
                Some(0) => Some(Support::No),
                length => length.map(|_| Support::Yes),
            };
            if let Some(support) = support {
                ledger.note(record, Draft { device, ..Draft::of(Kind::Support(support)) });
            }
            return true;
        }
        if holds(body, "scsi status: reservation conflict") {
            let status = Some(DeviceStatus::RESERVATION_CONFLICT);
            let command = Command { opcode: self.opcode(body), device: status, ..Command::default() };
            ledger.note(record, Draft { device, ..Draft::of(Kind::Command(command)) });
            return true;
        }
        // Linux's name for a reservation conflict (EBADE).
        if has(body, "dd: ") && has(body, ": Invalid exchange") {
            let command = Command { device: Some(DeviceStatus::RESERVATION_CONFLICT), ..Command::default() };
            let device = after(body, "/dev/").map(word);
            ledger.note(record, Draft { device, ..Draft::of(Kind::Command(command)) });
            return true;
        }
        body.is_empty()
            || self.asked.is_some() && self.of_a_tool(record, body, ledger)
            || is_known(record.line)
    }

    /// What only means something behind the command that asked.
    fn of_a_tool(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let sent = after(body, "Opcode=").and_then(number).and_then(|number| u8::try_from(number).ok());
        if let Some(opcode) = sent.map(Opcode).or_else(|| after(body, "cdb to send: ").and_then(byte)) {
            asked.opcode = Some(opcode);
            return true;
        }
        let device = asked.device.as_deref();
        let denied = has(body, "Command is not supported");
        if denied || has(body, "Command supported") {
            let support = if denied { Support::No } else { Support::Yes };
            if asked.opcode.is_some_and(Opcode::is_ats) {
                ledger.note(record, Draft { device, ..Draft::of(Kind::Support(support)) });
            }
            return true;
        }
        if let Some(name) =
            ["Vendor identification:", "Product identification:"].iter().find_map(|mark| after(body, mark))
        {
            asked.inquiry = cut(format!("{} {}", asked.inquiry, name.trim()).trim(), 40).to_lowercase();
            return true;
        }
        if let Some(version) = after(body, "Product revision level:").map(|version| cut(version.trim(), 40)) {
            let component =
                Component { name: std::mem::take(&mut asked.inquiry).into(), version: version.into() };
            ledger.note(record, Draft { device, ..Draft::of(Kind::Version(component)) });
            return true;
        }
        // Keys, and bytes of raw sense data: rows of numbers and nothing else.
        !body.is_empty()
            && body
                .split(' ')
                .filter(|part| !part.is_empty())
                .all(|part| hex(part.trim_start_matches("0x")).is_some_and(|_| is_hex(part)))
    }

    /// A test that was false, by whatever tool.
    fn miscompared(&mut self, record: &Record<'_>, body: &str, ledger: &mut Ledger) {
        let opcode = self.opcode(body).unwrap_or(Opcode::COMPARE_AND_WRITE);
        let asked = self.asked.as_ref().and_then(|asked| asked.device.clone());
        let is_test = opcode.is_ats();
        if is_test {
            self.retried = None;
            self.was_false = true;
        }
        let device = asked.or_else(|| self.device.clone());
        if std::mem::replace(&mut self.told, true) && device.is_some() {
            return;
        }
        let device = device.as_deref();
        // The same command had swapped before: what stands there is what it wrote.
        if is_test && self.command.as_ref().is_some_and(|command| self.swapped.contains(command)) {
            ledger.note(record, Draft { device, ..Draft::of(Kind::OwnImage) });
        }
        let command = Command { opcode: Some(opcode), ..failed(Sense::MISCOMPARE) };
        ledger.note(record, Draft { device, ..Draft::of(Kind::Command(command)) });
    }

    /// The command that a line is the answer to: the one that was typed, else the one that it names.
    fn opcode(&self, body: &str) -> Option<Opcode> {
        let named = || {
            let of = [
                ("compare and write", Opcode::COMPARE_AND_WRITE),
                ("verify (", Opcode::VERIFY),
                ("verify(", Opcode::VERIFY),
            ];
            of.into_iter().find(|(name, _)| holds(body, name)).map(|(_, opcode)| opcode)
        };
        self.asked.as_ref().and_then(|asked| asked.opcode).or_else(named)
    }

    /// A command of which nothing was said has swapped.
    fn settle(&mut self, ledger: &mut Ledger) {
        if let Some((place, line)) = self.retried.take() {
            let record = Record::new(place, &line, Ahead::NOTHING);
            let device = self.device.as_deref();
            ledger.note(&record, Draft { device, ..Draft::of(Kind::StaleImage) });
        }
    }
}

fn failed(sense: Sense) -> Command {
    Command { device: Some(DeviceStatus::CHECK_CONDITION), sense: Some(sense), ..Command::default() }
}

fn byte(text: &str) -> Option<Opcode> {
    let pair = word(text);
    (pair.len() == 2 && is_hex(pair))
        .then(|| hex(pair))?
        .and_then(|value| u8::try_from(value).ok())
        .map(Opcode)
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A command line: the tool's name behind `sg_`, and all that stands from there. A message of the tool has a colon there, prose has no option.
fn typed(body: &str) -> Option<(&str, &str)> {
    let at = position(body, "sg_")?;
    let before = body[..at].trim_end();
    let starts = before.is_empty()
        || before.ends_with(['#', '$', '%', '>', ';', '/', '|', '&'])
        || before.ends_with("sudo");
    let rest = &body[at..];
    let (tool, options) = rest.strip_prefix("sg_")?.split_once(' ')?;
    let is_tool = tool.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let has_options = options.trim_start().starts_with('-') || has(options, "/dev/");
    (starts && is_tool && has_options).then_some((tool, rest))
}

/// `root@host:~# ls`, `[root@host ~]$ ls`, `# ls`.
fn is_prompt(body: &str) -> bool {
    body.starts_with(['#', '$'])
        || ["# ", "$ "].iter().any(|sign| position(body, sign).is_some_and(|at| body[..at].contains('@')))
}

fn is_known(line: &str) -> bool {
    QUIET.iter().any(|part| has(line, part))
        || holds(line, "sense key: ")
        || holds(line, "SCSI status: ")
        || has(line, "Miscompare at byte offset")
        || has(line, "Error 14 occurred")
}

#[cfg(test)]
mod tests {
    use crate::{Doctor, Finding, Report};

    fn judge(session: &str) -> Report {
        let mut doctor = Doctor::new();
        doctor.read("ticket", &mut session.as_bytes(), &mut |_| {});
        doctor.judge()
    }

    fn only(session: &str) -> Finding {
        let report = judge(session);
        assert_eq!((report.incidents.len(), report.strange), (1, 0), "{session}: {:?}", report.incidents);
        report.incidents.into_iter().next().unwrap_or_else(|| panic!("{session}"))
    }

    #[test]
    fn a_test_that_was_sent_by_hand_is_false_and_one_event() {
        let session = "# sg_raw -s 1024 -i pair.bin /dev/sdq 89 00 00 00 00 00 00 00 20 00 00 00 00 01 00 00\n\
                       SCSI Status: Check Condition\n\nSense Information:\nFixed format, current; Sense key: Miscompare\n\
                       Additional sense: Miscompare during verify operation\n  Info fld=0x10 [16]\n\n Raw sense data (in hex), sb_len=18:\n\
                       \u{20}       f0 00 0e 00 00 00 10 0a 00 00 00 00 1d 00 00 00\n";
        let finding = only(session);
        assert_eq!(
            (finding.cause.as_str(), finding.events, finding.device.as_deref()),
            ("cannot-tell", 1, Some("sdq"))
        );
        assert!(finding.because.contains("not equal"), "{}", finding.because);
    }

    #[test]
    fn a_device_that_has_no_such_command_says_so_in_four_ways() {
        let refused = "$ sudo sg_compare_and_write -i pair -l 64 /dev/sdq\nDescriptor format, current; Sense key: Illegal Request\n Additional sense: \
                       Invalid command operation code\nsg_compare_and_write: Illegal request\n";
        let page = "# sg_vpd -p bl /dev/sdq\nBlock limits VPD page (SBC):\n  Maximum compare and write length: 0 blocks [command not supported]\n";
        let older = page.replace(" blocks [command not supported]", "");
        let listed = "# sg_opcodes -o 0x89 /dev/sdq\n  Opcode=0x89\n  Command is not supported\n";
        for (session, confidence) in
            [(refused, "certain"), (page, "likely"), (older.as_str(), "likely"), (listed, "likely")]
        {
            let finding = only(session);
            assert_eq!(
                (finding.cause.as_str(), finding.confidence.as_str()),
                ("ats-unsupported", confidence),
                "{session}"
            );
            assert_eq!((finding.device.as_deref(), finding.events), (Some("sdq"), 1), "{session}");
        }
        assert!(
            judge(&page.replace(": 0 blocks", ": 1 blocks")).incidents.is_empty(),
            "one block is all that a lock needs"
        );
        assert!(judge(&listed.replace("0x89", "0x93")).incidents.is_empty(), "another command");
        let lun = page.replace("sdq", "sdr").replace(": 0 blocks [command not supported]", ": 1 blocks");
        assert!(judge(&format!("{page}{lun}")).incidents.is_empty(), "of two that were asked the LUN has it");
        // A support bundle lists every local disk so: no excerpt, no incident.
        assert!(judge(&page.repeat(30)).incidents.is_empty());
    }

    #[test]
    fn other_tools_are_read_as_what_they_are() {
        let verify = only(
            "# sg_verify --lba=99 /dev/sdq\nverify (10): Fixed format, current; Sense key: Miscompare\n Additional sense: Miscompare during verify operation\n",
        );
        assert!(verify.because.contains("no atomic test and set"), "{}", verify.because);
        let medium = only(
            "# sg_verify --lba=99 /dev/sdq\nverify (10): Fixed format, current; Sense key: Medium Error\n Additional sense: Unrecovered read error\n",
        );
        assert_eq!(medium.cause, "device-fault");
        let moving = only(
            "# sg_turs -v /dev/sdq\n    test unit ready cdb: 00 00 00 00 00 00\ntest unit ready:\nFixed format, current; Sense key: Not Ready\n\
             Additional sense: Logical unit not accessible, asymmetric access state transition\ndevice not ready\n",
        );
        assert!(moving.because.contains("asymmetric access state transition"), "{}", moving.because);
        let refused = only(
            "# sg_persist -k /dev/sdq\n  PR generation=0x7, 1 registered reservation key follows:\n    0xabc123\n# dd if=/dev/zero of=/dev/sdq count=1\ndd: error writing '/dev/sdq': Invalid exchange\n",
        );
        assert_eq!((refused.cause.as_str(), refused.confidence.as_str()), ("reservation", "likely"));
        let conflict = only(
            "# sg_compare_and_write --in=a.bin --lba=4711 --num=1 -v /dev/sdq\nCompare and write: SCSI status: Reservation Conflict\nsg_compare_and_write: SCSI COMPARE AND WRITE failed\n",
        );
        assert_eq!((conflict.cause.as_str(), conflict.confidence.as_str()), ("reservation", "likely"));
        let inquiry = judge(
            "# sg_inq /dev/sdq\nstandard INQUIRY:\n  PQual=0  Device_type=0\n Vendor identification: ACME\n Product identification: BOX\n Product revision level: 0001\n",
        );
        assert_eq!((inquiry.understood, inquiry.strange, inquiry.incidents.len()), (6, 0, 0));
    }

    #[test]
    fn a_line_of_a_log_behind_a_command_is_a_line_of_a_log() {
        let log = "2026-04-05T06:07:08.009Z cpu1:2)ScsiDeviceIO: 1: Cmd(0x43) 0x89, CmdSN 0x1b from world 34 to dev \"naa.60c1\" failed H:0x5 D:0x0 P:0x0\n";
        let report = judge(&format!("# sg_turs -v /dev/sdq\n{log}"));
        assert_eq!(report.incidents[0].device.as_deref(), Some("naa.60c1"));
    }
}
