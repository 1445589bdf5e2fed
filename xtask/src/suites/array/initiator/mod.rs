//! The Linux kernel's initiator on our array: open-iscsi, sg3_utils, multipath-tools and ext4 in a small virtual machine, which has a network
//! card for each portal, so that a path can be cut without a word.

mod commands;
mod files;
mod login;
mod tools;
mod trouble;

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::serving::{Array, TARGET, free_address};
use crate::built;
use crate::suites::machine::{Machines, Qemu, Shell};

/// Far more than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);
/// The portals as the machine sees them: this machine behind each of its two cards.
const HOSTS: [&str; 2] = ["10.0.2.2", "10.0.3.2"];
/// The cards, by QEMU's names.
const CARDS: [&str; 2] = ["first", "second"];
/// CHAP: how the initiator proves itself, and how the array does in turn.
const PROOFS: [(&str, &str); 2] = [("guest", "the guest's secret"), ("array", "the array's secret")];

pub fn run() -> Result<String, String> {
    let machines = Machines::unpacked()?;
    let mut place = Place::start(&machines, built::folder("initiator")?)?;
    let steps: [(&str, Step); 8] = [
        ("it logs in by both portals", login::log_in),
        ("sg3_utils and the kernel read the units as they are", tools::read),
        ("COMPARE AND WRITE, reservations, copies, unmaps and resets do as they say", commands::run),
        ("what it gives up is known to be over before it is told so", trouble::late),
        ("it logs in again", login::log_in_watchful),
        ("ext4 on two paths outlives the loss of each, and of the array", files::run),
        ("units come, grow and go", login::change),
        ("it logs out", login::log_out),
    ];
    for (what, step) in steps {
        step(&mut place)?;
        println!("initiator: {what}");
    }
    let folder = place.folder.clone();
    drop(place);
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(format!("the Linux kernel's initiator: {} steps", steps.len()))
}

type Step = fn(&mut Place) -> Result<(), String>;

/// The array, and the machine with the initiator.
struct Place {
    folder: PathBuf,
    array: Array,
    shell: Shell,
    qemu: Qemu,
    /// `ADDRESS:PORT` of each portal, as the machine sees it.
    portals: [String; 2],
}

impl Place {
    fn start(machines: &Machines, folder: PathBuf) -> Result<Place, String> {
        let local = [free_address()?, free_address()?];
        let seen = |card: usize| {
            let port = local[card].rsplit(':').next().unwrap_or_default();
            format!("{}:{port}", HOSTS[card])
        };
        let portals = [seen(0), seen(1)];
        let array = start_array(&folder, &local, &portals)?;
        let (kernel, memory) = machines.initiator()?;
        let line = folder.join("line");
        let mut arguments: Vec<String> =
            ["-m", "512", "-append", "console=ttyS0 quiet panic=-1"].map(str::to_owned).into();
        arguments.extend(["-kernel".to_owned(), kernel.display().to_string()]);
        arguments.extend(["-initrd".to_owned(), memory.display().to_string()]);
        arguments.extend([
            "-chardev".to_owned(),
            format!("socket,id=line,path={},server=on,wait=off", line.display()),
        ]);
        arguments.extend(["-device".to_owned(), "isa-serial,chardev=line".to_owned()]);
        for (card, host) in CARDS.iter().zip(HOSTS) {
            let network = host.replace(".2.2", ".2.0/24").replace(".3.2", ".3.0/24");
            arguments.extend(["-netdev".to_owned(), format!("user,id={card},net={network},host={host}")]);
            // Without its program for booting, which is another package.
            arguments.extend(["-device".to_owned(), format!("virtio-net-pci,netdev={card},romfile=")]);
        }
        let qemu = Qemu::start(machines, &folder, &arguments)?;
        let shell = Shell::connect(&line)
            .map_err(|trouble| format!("{trouble}; its console says:\n{}", qemu.said()))?;
        Ok(Place { folder, array, shell, qemu, portals })
    }

    /// Cuts a card's cable, or mends it: nobody is told.
    fn cable(&self, card: usize, is_there: bool) -> Result<(), String> {
        let state = if is_there { "on" } else { "off" };
        self.qemu.ask(&format!("set_link {} {state}", CARDS[card])).map(drop)
    }

    /// A command's words must have each of these.
    fn says(&mut self, command: &str, wanted: &[&str]) -> Result<String, String> {
        let said = self.shell.must(command)?;
        match wanted.iter().find(|wanted| !said.contains(*wanted)) {
            Some(missing) => Err(format!("{command}: it does not say \"{missing}\", but:\n{said}")),
            None => Ok(said),
        }
    }
}

/// Three units: a thin one, a thick one, and one of blocks of 4,096 bytes.
fn start_array(folder: &Path, local: &[String; 2], portals: &[String; 2]) -> Result<Array, String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let units = [
        format!("0={},size=256M,thin", file("thin.img")),
        format!("1={},size=256M", file("thick.img")),
        format!("2={},size=128M,thin,block=4096", file("blocks.img")),
    ];
    let proofs = PROOFS.map(|(name, _)| format!("{name}:{}", file(name)));
    for (name, secret) in PROOFS {
        let path = folder.join(name);
        let made = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let written = made.and_then(|mut made| std::io::Write::write_all(&mut made, secret.as_bytes()));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let faults = trouble::faults();
    let mut arguments = vec!["--chap", &proofs[0], "--chap-mutual", &proofs[1], "--allow", login::INITIATOR];
    faults.iter().for_each(|fault| arguments.extend(["--fault", fault]));
    units.iter().for_each(|unit| arguments.extend(["--lun", unit]));
    portals.iter().for_each(|portal| arguments.extend(["--advertise", portal]));
    Array::start_at(&built::program()?, &folder.join("api"), local, &arguments)
}
