//! `oarlock target lun`: the units of a running array.

use clap::{Args, Subcommand};
use oarlock_block::ByteCount;
use oarlock_target::UnitOptions;

use crate::array::choice::ArrayChoice;
use crate::array::documents::{AddLunRequest, LunEntry, RemovedLun, ResizeLunRequest};
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::terminal::{Look, table};
use crate::{lun_values, report, values};

/// What `oarlock target lun` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every unit
    List(List),
    /// Serve one more file or block device; initiators are told that the list of units has changed
    Add(Box<Add>),
    /// Serve a unit no more; returns when nothing of it is under way
    Remove(Remove),
    /// Take what a unit's medium gained into use; initiators are told that its capacity has changed
    Resize(Resize),
}

/// What every verb here takes.
#[derive(Args, Debug)]
struct Common {
    #[command(flatten)]
    choice: ArrayChoice,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Add {
    /// The unit: N=FILE[,size=S][,block=512][,physical=4K][,thin][,ro][,removable][,wce=0][,serial=X][,queue=N][,allow=IQN]
    #[arg(value_name = "N=FILE,...", value_parser = lun_values::unit)]
    unit: UnitOptions,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Remove {
    /// The unit's number
    #[arg(value_name = "N", value_parser = lun_values::number)]
    lun: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Resize {
    /// The unit's number
    #[arg(value_name = "N", value_parser = lun_values::number)]
    lun: u16,
    /// Make its plain file so long first; a unit never shrinks
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    size: Option<ByteCount>,
    #[command(flatten)]
    common: Common,
}

/// Does what the words behind `target lun` say.
///
/// # Errors
/// Why it failed.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.verb {
        Verb::List(list) => {
            let luns: Vec<LunEntry> = list.common.choice.find()?.get("/v1/luns")?;
            if list.common.json {
                report::print_json(&luns)?;
            } else {
                report::print(&text(&luns, Look::of_output()))?;
            }
        }
        Verb::Add(add) => {
            let request = AddLunRequest::new(&add.unit).ok_or_else(|| {
                Failure::new(Code::BadValue, format!("{}: the path is no UTF-8", add.unit.path.display()))
            })?;
            tell(&add.common, &add.common.choice.find()?.post("/v1/luns", &request)?)?;
        }
        Verb::Remove(Remove { lun, common }) => {
            let removed: RemovedLun = common.choice.find()?.delete(&format!("/v1/luns/{lun}"))?;
            if common.json {
                report::print_json(&removed)?;
            }
        }
        Verb::Resize(Resize { lun, size, common }) => {
            let request = ResizeLunRequest { size: size.map(|size| size.0) };
            tell(&common, &common.choice.find()?.post(&format!("/v1/luns/{lun}/resize"), &request)?)?;
        }
    }
    Ok(0)
}

fn tell(common: &Common, unit: &LunEntry) -> Result<(), Failure> {
    if common.json { report::print_json(unit) } else { report::print(&format!("{}\n", unit.line())) }
}

fn text(luns: &[LunEntry], look: Look) -> String {
    let heading = ["LUN", "SIZE", "BLOCK", "SERIAL", "TRAITS", "FILE"].map(str::to_owned).to_vec();
    let rows = luns.iter().map(|lun| {
        let traits = [
            (lun.thin, "thin"),
            (lun.read_only, "ro"),
            (lun.removable, "removable"),
            (!lun.write_cache, "wce=0"),
            (!lun.direct, "cached"),
            (lun.lost_writes, "LOST-WRITES"),
        ];
        let traits: Vec<&str> = traits.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect();
        vec![
            lun.lun.to_string(),
            ByteCount(lun.size).to_string(),
            lun.block_size.to_string(),
            lun.serial.clone(),
            if traits.is_empty() { "-".to_owned() } else { traits.join(",") },
            lun.file.clone(),
        ]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_has_lost_writes_says_so_wherever_it_is_shown() {
        let whole = LunEntry {
            lun: 3,
            file: "/srv/a.img".to_owned(),
            size: 1 << 30,
            block_size: 512,
            thin: true,
            read_only: false,
            removable: false,
            write_cache: true,
            direct: true,
            serial: "A7".to_owned(),
            queue: 256,
            allow: Vec::new(),
            lost_writes: false,
        };
        let torn = LunEntry { lost_writes: true, ..whole.clone() };
        let shown = |lun: &LunEntry| [text(std::slice::from_ref(lun), Look::of_output()), lun.line()];
        assert!(shown(&whole).iter().all(|shown| !shown.contains("LOST")));
        assert!(shown(&torn).iter().all(|shown| shown.contains("LOST")), "{:?}", shown(&torn));
    }
}
