//! Multipath devices: what multipathd knows of their paths, and what sysfs shows without it.

use std::collections::BTreeMap;
use std::time::Duration;

use oarlock_doctor::{MachineLine, Part};

use super::disks::is_multipath;
use super::{Gathered, View, command};

/// multipathd answers from memory; a stuck one does not answer at all.
const LIMIT: Duration = Duration::from_secs(5);
/// What is asked of each path: device, map, its state in the map, the device's state, the checker's, its address.
const PATHS: &str = "%d|%m|%t|%o|%T|%i";

/// Every map and every path.
pub fn gather(view: View) -> Gathered {
    let mut gathered = Gathered::default();
    let maps = maps(&view);
    if maps.is_empty() {
        return gathered;
    }
    let paths = if view.is_here() {
        command::ask("multipathd", &["show", "paths", "raw", "format", PATHS], LIMIT)
    } else {
        Err("only the machine itself can ask its multipathd".to_owned())
    };
    let (text, refused) = match paths {
        Ok(text) => (text, None),
        Err(why) => (String::new(), Some(why)),
    };
    let paths = parse(&text);
    // It tells a refusal on its standard output, and ends as if all were well.
    let silent = || paths.is_empty().then(|| format!("multipathd said: {}", text.trim()));
    if let Some(why) = refused.or_else(silent) {
        gathered.unread("states of the paths", why);
    }
    told(&view, &maps, &paths, &mut gathered);
    gathered
}

/// The maps that sysfs shows, with how many paths each has.
fn maps(view: &View) -> BTreeMap<String, usize> {
    let devices = view.names("sys/block").into_iter().filter(|name| name.starts_with("dm-"));
    let maps = devices.filter(|device| is_multipath(view, device));
    maps.filter_map(|device| {
        let name = view.value(&format!("sys/block/{device}/dm/name"))?;
        Some((name, view.names(&format!("sys/block/{device}/slaves")).len()))
    })
    .collect()
}

/// A path, as multipathd prints it.
#[derive(Debug, PartialEq, Eq)]
struct Path<'a> {
    device: &'a str,
    map: &'a str,
    dm: &'a str,
    state: &'a str,
    checker: &'a str,
    hctl: &'a str,
}

/// Rows of six fields; anything else is no row.
fn parse(text: &str) -> Vec<Path<'_>> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [device, map, dm, state, checker, hctl] = fields[..] else { return None };
            Some(Path { device, map, dm, state, checker, hctl })
        })
        .collect()
}

fn told(view: &View, maps: &BTreeMap<String, usize>, paths: &[Path<'_>], gathered: &mut Gathered) {
    let (host, now) = (view.host(), View::now_us());
    for path in paths.iter().filter(|path| maps.contains_key(path.map)) {
        let line = MachineLine::new(now, &host, Part::Path, path.device)
            .with("map", path.map)
            .with("dm", path.dm)
            .with("state", path.state)
            .with("checker", path.checker)
            .with("hctl", path.hctl);
        gathered.line(&line);
    }
    for (name, count) in maps {
        let own = || paths.iter().filter(|path| path.map == name);
        let active = own().next().map(|_| own().filter(|path| path.dm == "active").count());
        let line =
            MachineLine::new(now, &host, Part::Map, name).with("paths", count).with_known("active", active);
        gathered.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_refusals_are_not() {
        let paths =
            parse("sdc|mpatha|active|running|ready|2:0:0:1\nsdd|mpatha|failed|offline|faulty|3:0:0:1\n");
        assert_eq!(paths.len(), 2);
        assert_eq!((paths[1].device, paths[1].dm, paths[1].hctl), ("sdd", "failed", "3:0:0:1"));
        assert_eq!(parse("permission deny: need to be root\nok\n"), []);
    }
}
