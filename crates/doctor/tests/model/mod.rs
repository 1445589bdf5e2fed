//! A small model of hosts, a fabric and an array that writes logs with a known cause: in each dialect, with noise, clocks that
//! differ, pieces that are missing, and lines as the wild mangles them. One seed is one log.

pub mod scenario;
pub mod write;

/// The generator's own random numbers (splitmix64): one seed, one log, on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// From `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.next() % from.len() as u64).unwrap_or(0)]
    }
}

/// How a host writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// ESXi 5 to 7: time and processor.
    Plain,
    /// ESXi 8: severity and program before the processor; NMP failures in two records.
    Eight,
    /// Wrapped by a log server with a time in ISO form.
    Wrapped,
    /// Wrapped by an old log server, without a year.
    Yearless,
}

pub const STYLES: [Style; 4] = [Style::Plain, Style::Eight, Style::Wrapped, Style::Yearless];

/// One line of one host, at a time of the true clock.
pub struct Line {
    pub host: usize,
    pub at_ms: u64,
    pub text: String,
    /// Whether it may be lost or cut without taking the cause away with it.
    pub spare: bool,
}

/// One device and what is on it.
#[derive(Clone)]
pub struct Lun {
    pub device: String,
    pub volume: String,
    pub slot: u64,
    pub adapter: u64,
    pub number: u64,
}

/// A world that is being written about.
pub struct World {
    pub dice: Dice,
    pub hosts: usize,
    pub style: Style,
    pub lines: Vec<Line>,
    pub now_ms: u64,
    /// Texts that are no lines of a host's log: dumps, tables, sessions; they stand in inputs of their own.
    pub papers: Vec<String>,
}

impl World {
    pub fn of(seed: u64) -> World {
        let mut dice = Dice::of(seed);
        let hosts = usize::try_from(dice.between(1, 3)).unwrap_or(1);
        let style = dice.pick(&STYLES);
        let now_ms = 1_780_000_000_000 + dice.between(0, 20_000_000) * 1_000;
        World { dice, hosts, style, lines: Vec::new(), now_ms, papers: Vec::new() }
    }

    pub fn lun(&mut self) -> Lun {
        const MAKERS: [&str; 5] = ["600a0b80", "60002ac0", "60060480", "624a9370", "6001438a"];
        let device = format!("naa.{}{:024x}", self.dice.pick(&MAKERS), self.dice.next());
        let names = ["osprey", "gold", "shelf", "basalt", "vm-store", "tier1"];
        let volume = format!("{}-{}", self.dice.pick(&names), self.dice.between(1, 99));
        let slot = 3_145_728 + 512 * self.dice.between(0, 2_000);
        Lun { device, volume, slot, adapter: self.dice.between(1, 4), number: self.dice.between(0, 40) }
    }

    /// Lets time pass.
    pub fn pass(&mut self, from_ms: u64, to_ms: u64) {
        self.now_ms += self.dice.between(from_ms, to_ms);
    }

    /// A host says something now.
    pub fn say(&mut self, host: usize, text: String) {
        self.lines.push(Line { host, at_ms: self.now_ms, text, spare: false });
    }

    /// A host says something that proves nothing by itself.
    pub fn murmur(&mut self, host: usize, text: String) {
        self.lines.push(Line { host, at_ms: self.now_ms, text, spare: true });
    }

    /// A command failed.
    pub fn failed(&mut self, host: usize, lun: &Lun, opcode: u8, status: (u16, u16, u8), sense: &str) {
        let path = format!("vmhba{}:C0:T0:L{}", lun.adapter, lun.number);
        self.failed_on((host, &path), lun, opcode, status, sense);
    }

    /// The same, by the path that the command took.
    pub fn failed_on(
        &mut self,
        (host, path): (usize, &str),
        lun: &Lun,
        opcode: u8,
        (h, d, p): (u16, u16, u8),
        sense: &str,
    ) {
        let pointer = self.dice.next() >> 24;
        let number = self.dice.between(0x10, 0xffff);
        let world = self.dice.between(32_768, 2_100_000);
        let words = if sense.is_empty() {
            "Invalid sense data: 0x0 0x0 0x0".to_owned()
        } else {
            format!("Valid sense data: {sense}")
        };
        let status = format!("H:{h:#x} D:{d:#x} P:{p:#x}");
        let device = &lun.device;
        let of_path = path != format!("vmhba{}:C0:T0:L{}", lun.adapter, lun.number) || self.dice.chance(40);
        if !of_path {
            let text = format!(
                "ScsiDeviceIO: 2651: Cmd(0x{pointer:x}) {opcode:#x}, CmdSN {number:#x} from world {world} to dev \"{device}\" failed {status} {words}."
            );
            self.say(host, text);
            return;
        }
        let head = format!(
            "NMP: nmp_ThrottleLogForDevice:3867: Cmd {opcode:#x} (0x{pointer:x}, {world}) to dev \"{device}\" on path \"{path}\" Failed:"
        );
        let tail = format!("{status} {words}. Act:EVAL");
        if self.style == Style::Eight {
            self.say(host, head);
            self.say(host, format!("NMP: nmp_ThrottleLogForDevice:3875: {tail}. CmdSN {number:#x}"));
        } else {
            self.say(host, format!("{head} {tail}"));
        }
    }

    /// Everyday lines of healthy hosts, around all that happened.
    pub fn noise(&mut self) {
        let from = self.lines.iter().map(|line| line.at_ms).min().unwrap_or(self.now_ms);
        let until = self.now_ms;
        for _ in 0..self.dice.between(10, 60) {
            let host = usize::try_from(self.dice.next() % self.hosts as u64).unwrap_or(0);
            let before = from.saturating_sub(600_000);
            let at_ms = self.dice.between(before, until + 600_000);
            let lun = self.lun();
            let device = &lun.device;
            let text = match self.dice.between(0, 7) {
                0 => format!("ScsiDeviceIO: 2651: Cmd(0x43) 0x1a, CmdSN 0x5b from world 0 to dev \"{device}\" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0."),
                1 => format!("NMP: nmp_ThrottleLogForDevice:3861: Cmd 0x85 (0x45a0, 2098) to dev \"{device}\" on path \"vmhba1:C0:T0:L9\" Failed: H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x20 0x0. Act:NONE"),
                2 => format!("ScsiDeviceIO: 1500: Device {device} performance has improved. I/O latency reduced from 9100 microseconds to 1800 microseconds."),
                3 => format!("ScsiDeviceIO: 1513: Device {device} performance has deteriorated. I/O latency increased from average value of 600 microseconds to 12000 microseconds."),
                4 => "World: 14296: VC opID hostd-9454 maps to vmkernel opID ffe20380".to_owned(),
                5 => "NetPort: 1879: disabled port 0x2000004".to_owned(),
                6 => "ScsiCore: 1690: Power-on Reset occurred on vmhba2:C0:T0:L1".to_owned(),
                _ => "Vol3: 4050: Failed to get object 28 type 2 uuid 5a000000-4b000000-0000-000000000000 : No such file".to_owned(),
            };
            self.lines.push(Line { host, at_ms, text, spare: true });
        }
    }
}
