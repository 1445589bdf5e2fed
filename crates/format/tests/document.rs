//! docs/FORMAT.md and the program's own tables are the same: any difference fails.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod common;

use common::request;
use oarlock_block::BlockSize;
use oarlock_format::{FieldSpec, Kind, Layout, Shape, TABLES};

const DOCUMENT: &str = include_str!("../../../docs/FORMAT.md");

/// One row of a table of the document, its cells trimmed.
type Row = Vec<String>;

/// The rows of the first table with these columns that stands in the section of that heading.
fn table(heading: &str, columns: &[&str]) -> Vec<Row> {
    let section = DOCUMENT.lines().skip_while(|line| *line != format!("## {heading}")).skip(1);
    let cells = |line: &str| -> Row {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows: Vec<Row> = section
        .take_while(|line| !line.starts_with("## "))
        .skip_while(|line| !line.starts_with('|') || cells(line) != columns)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect();
    assert!(rows.len() > 2, "there is no table {columns:?} under `## {heading}`");
    rows[2..].to_vec()
}

fn check_meaning(heading: &str, field: &FieldSpec, meaning: &str) {
    let named = |words: String| {
        assert!(meaning.contains(&words), "{heading}, {}: the meaning lacks {words}", field.name);
    };
    match field.shape {
        Shape::Code(codes) => {
            codes.iter().for_each(|(code, name)| named(format!("{code} `{name}`")));
            let beyond = format!("{} `", codes.len());
            assert!(!meaning.contains(&beyond), "{heading}, {}: a code too many", field.name);
        }
        Shape::Flags(names) => {
            names.iter().enumerate().for_each(|(bit, name)| named(format!("bit {bit} `{name}`")));
            assert_eq!(meaning.matches("bit ").count(), names.len(), "{heading}, {}", field.name);
        }
        Shape::Reserved => named("zero".to_owned()),
        _ => assert!(!meaning.is_empty(), "{heading}, {}: no meaning", field.name),
    }
}

#[test]
fn each_field_stands_in_the_document_where_it_stands_in_the_program() {
    for (heading, fields) in TABLES {
        let rows = table(heading, &["offset", "length", "field", "meaning"]);
        let documented: Vec<(usize, usize, &str)> = rows
            .iter()
            .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap(), row[2].as_str()))
            .collect();
        let programmed: Vec<(usize, usize, &str)> =
            fields.iter().map(|field| (field.offset, field.length, field.name)).collect();
        assert_eq!(documented, programmed, "under `## {heading}`");
        for (row, field) in rows.iter().zip(fields) {
            check_meaning(heading, field, &row[3]);
        }
    }
}

#[test]
fn each_kind_stands_in_the_document_with_its_letters() {
    let rows = table("Stamp", &["letters", "record"]);
    let documented: Vec<&str> =
        rows.iter().flat_map(|row| row[0].split(", ")).map(|letters| letters.trim_matches('`')).collect();
    let programmed: Vec<String> =
        Kind::ALL.iter().map(|kind| kind.letters().escape_ascii().to_string()).collect();
    assert_eq!(documented, programmed);
}

#[test]
fn each_region_stands_in_the_document_in_its_order() {
    let rows = table("Layout", &["region", "what is in it", "size"]);
    let documented: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let layout = Layout::plan(&request(BlockSize::B512)).unwrap();
    let programmed: Vec<&str> = layout.regions().iter().map(|(name, _)| name.name()).collect();
    assert_eq!(documented, programmed);
}
