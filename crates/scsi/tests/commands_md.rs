//! docs/COMMANDS.md is the table of commands, for people.

use std::fmt::Write;

use oarlock_scsi::{AccessRule, COMMANDS, CommandDescription, ReservationRule};

const DOCUMENT: &str = include_str!("../../../docs/COMMANDS.md");

/// The line from which on the page is the table's.
const HEAD: &str = "| code | command | CDB usage map | reservations | states | | clause |\n";

fn row(row: &CommandDescription) -> String {
    let action = row.service_action.map_or(String::new(), |action| format!("/{action:02x}h"));
    let usage: Vec<String> = row.usage.iter().map(|byte| format!("{byte:02x}")).collect();
    let reservations = match row.reservation {
        ReservationRule::Allowed => "all",
        ReservationRule::AllowedButReserve => "persistent ones",
        ReservationRule::Read => "write exclusive",
        ReservationRule::Write => "none",
        ReservationRule::PersistentReserveOut | ReservationRule::Reserve => "its own rules",
    };
    let states = match row.access {
        AccessRule::Always => "all",
        AccessRule::Unavailable => "unavailable",
        AccessRule::Standby => "standby",
        AccessRule::Active => "active",
    };
    let marks = [(row.needs_medium, "M"), (row.modifies_medium, "W"), (row.passes_unit_attention, "U")];
    let marks: String = marks.into_iter().filter(|(set, _)| *set).map(|(_, mark)| mark).collect();
    let (code, name, clause) = (row.opcode, row.name, row.clause);
    format!(
        "| {code}{action} | {name} | `{}` | {reservations} | {states} | {marks} | {clause} |\n",
        usage.join(" ")
    )
}

#[test]
fn commands_md_is_the_table() {
    let (prose, _) = DOCUMENT.split_once(HEAD).unwrap();
    let mut text = format!("{prose}{HEAD}| --- | --- | --- | --- | --- | --- | --- |\n");
    COMMANDS.iter().for_each(|command| text.write_str(&row(command)).unwrap());
    if std::env::var_os("OARLOCK_WRITE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/COMMANDS.md"), &text).unwrap();
        return;
    }
    assert!(DOCUMENT == text, "OARLOCK_WRITE_DOCS=1 cargo test -p oarlock-scsi commands_md");
}
