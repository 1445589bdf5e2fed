//! Writes what a world said into the files that a person would have, and mangles them as the wild does.

use super::{Dice, Line, Style, World};

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// The logs of a world: names and bytes.
pub fn files(world: &mut World) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut lines = std::mem::take(&mut world.lines);
    lines.sort_by_key(|line| line.at_ms);
    let skewed = world.dice.chance(30);
    let lossy = world.dice.chance(40);
    // Some excerpts lack lines that matter: then the cause may be lost, but no other may be found in its place.
    let torn = world.dice.chance(15);
    for host in 0..world.hosts {
        let skew_ms = if skewed && host > 0 { world.dice.between(60_000, 5_400_000) } else { 0 };
        let mut text = String::new();
        let own: Vec<&Line> = lines.iter().filter(|line| line.host == host).collect();
        let mut writer = String::new();
        for line in own {
            if lossy && line.spare && world.dice.chance(30) || torn && world.dice.chance(20) {
                continue;
            }
            text.push_str(&dressed(line, host, skew_ms, world.style, (&mut world.dice, &mut writer)));
            text.push('\n');
        }
        let name = format!("esx{host:02}/vmkernel.log");
        files.push((name, mangled(text, &mut world.dice)));
        if world.dice.chance(20) {
            // The warnings stand in a second file too.
            let copy = files.last().map(|file| file.1.clone()).unwrap_or_default();
            files.push((format!("esx{host:02}/vmkwarning.log"), copy));
        }
    }
    for (number, paper) in world.papers.iter().enumerate() {
        files.push((format!("ticket-{number}.txt"), paper.clone().into_bytes()));
    }
    files
}

/// A line with what its host's style puts before the message. Lines of other programs come with their own process.
///
/// One world writes both halves of a record that ESXi 8 splits: whoever wrote the first is kept for the second.
fn dressed(
    line: &Line,
    host: usize,
    skew_ms: u64,
    style: Style,
    (dice, writer): (&mut Dice, &mut String),
) -> String {
    let at = line.at_ms + skew_ms;
    let iso = iso(at);
    let mut processor = format!("cpu{}:{}", dice.between(0, 63), dice.between(32_768, 2_199_999));
    if line.text.ends_with("Failed:") {
        writer.clone_from(&processor);
    } else if line.text.starts_with("NMP: nmp_ThrottleLogForDevice:3875") {
        processor.clone_from(writer);
    }
    if let Some(own) = line.text.strip_prefix('!') {
        return match style {
            Style::Plain | Style::Eight => format!("{iso} {own}"),
            Style::Wrapped | Style::Yearless => format!("{} esx{host:02} {own}", syslog(at)),
        };
    }
    match style {
        Style::Plain => format!("{iso} {processor}){}", line.text),
        Style::Eight => format!("{iso} In(182) vmkernel: {processor}){}", line.text),
        Style::Wrapped => format!("<181>{iso} esx{host:02} vmkernel: {processor}){}", line.text),
        Style::Yearless => format!("{} esx{host:02} vmkernel: {processor}){}", syslog(at), line.text),
    }
}

/// What the wild does to a file.
fn mangled(text: String, dice: &mut Dice) -> Vec<u8> {
    match dice.between(0, 9) {
        0 => text.replace('\n', "\r\n").into_bytes(),
        1 => text.replace("\" ", "” ").replace(" \"", " “").into_bytes(),
        2 => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        // The end of the last line is missing.
        3 => text.as_bytes()[..text.len().saturating_sub(20)].to_vec(),
        4 => text.lines().map(|line| format!("> {line}\n")).collect::<String>().into_bytes(),
        _ => text.into_bytes(),
    }
}

/// Year, month, day, hour, minute, second, millisecond.
fn parts(at_ms: u64) -> [u64; 7] {
    let days = i64::try_from(at_ms / DAY_MS).unwrap_or(0);
    // Howard Hinnant's days-to-civil, for days after 1970.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let of = |value: i64| u64::try_from(value).unwrap_or(0);
    let rest = at_ms % DAY_MS;
    [of(year), of(month), of(day), rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000]
}

fn iso(at_ms: u64) -> String {
    let [year, month, day, hour, minute, second, milli] = parts(at_ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

fn syslog(at_ms: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let [_, month, day, hour, minute, second, _] = parts(at_ms);
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    format!("{name} {day:>2} {hour:02}:{minute:02}:{second:02}")
}
