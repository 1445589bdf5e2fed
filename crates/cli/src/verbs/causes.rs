//! `oarlock causes`: the catalogue of causes, as a list or a page, for people and for scripts.

use clap::Args;
use oarlock_causes::{Cause, Entry};
use serde::Serialize;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::report;
use crate::terminal::{Look, table};

/// What `oarlock causes` takes.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The cause whose page is wanted, as in `delayed-own-write`; without it, the list
    cause: Option<String>,
    /// Print JSON: one page, or all of them
    #[arg(long)]
    json: bool,
}

/// Prints the list or a page.
///
/// # Errors
/// Where there is no such cause.
pub fn run(arguments: Arguments) -> Result<u8, Failure> {
    let chosen = match &arguments.cause {
        None => None,
        Some(name) => Some(Cause::from_name(name).ok_or_else(|| unknown(name))?),
    };
    let look = Look::of_output();
    match (chosen, arguments.json) {
        (Some(cause), true) => report::print_json(&Page::of(cause.entry()))?,
        (Some(cause), false) => report::print(&page(cause.entry(), look))?,
        (None, true) => {
            let pages: Vec<Page> = Cause::ALL.iter().map(|cause| Page::of(cause.entry())).collect();
            report::print_json(&pages)?;
        }
        (None, false) => report::print(&list(look))?,
    }
    Ok(0)
}

/// The error names the nearest names, because they are long and have hyphens.
fn unknown(name: &str) -> Failure {
    let near: Vec<&str> = Cause::ALL
        .iter()
        .map(|cause| cause.name())
        .filter(|known| {
            name.split(['-', '_', ' ']).any(|word| word.len() > 2 && known.contains(&word.to_lowercase()))
        })
        .collect();
    let failure = Failure::new(Code::UnknownCause, format!("`{name}` is not in the catalogue of causes"));
    if near.is_empty() { failure } else { failure.with_cure(format!("Did you mean {}?", near.join(" or "))) }
}

fn list(look: Look) -> String {
    let heading = ["CAUSE", "LAYER", "WHAT"].map(str::to_owned).to_vec();
    let rows = Cause::ALL.iter().map(|cause| {
        let entry = cause.entry();
        vec![cause.name().to_owned(), entry.layer.name().to_owned(), entry.title.to_owned()]
    });
    table(look, &std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

fn page(entry: &Entry, look: Look) -> String {
    const INDENT: &str = "    ";
    let mut text = format!("{}  {}\n", look.bold(entry.cause.name()), look.dim(entry.layer.name()));
    text.push_str(&look.wrapped(entry.title, ""));
    text.push('\n');
    let live = entry.proof.live.map(|proof| ("Proof on a running datastore", proof));
    let sections = [("What happens", entry.what), ("How it shows", entry.seen_as)]
        .into_iter()
        .chain(live)
        .chain([("Proof in logs", entry.proof.logs), ("What follows", entry.consequence)]);
    for (heading, body) in sections {
        text.push_str(&format!("\n{}\n{}\n", look.bold(heading), look.wrapped(body, INDENT)));
    }
    text.push_str(&format!("\n{}\n", look.bold("What helps, the best first")));
    for (number, remedy) in entry.remedy.iter().enumerate() {
        text.push_str(&look.item(&format!("{}. ", number + 1), remedy.text, INDENT));
        text.push('\n');
        text.push_str(&look.dim(&look.wrapped(&remedy.source.to_string(), "       ")));
        text.push('\n');
    }
    text.push_str(&format!("\n{}\n", look.bold("Sources")));
    for source in entry.sources {
        text.push_str(&look.wrapped(&source.to_string(), INDENT));
        text.push('\n');
    }
    text
}

/// A page of the catalogue in JSON.
#[derive(Serialize)]
struct Page {
    cause: &'static str,
    layer: &'static str,
    title: &'static str,
    what: &'static str,
    seen_as: &'static str,
    proof: Proof,
    consequence: &'static str,
    remedy: Vec<RemedyLine>,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct Proof {
    live: Option<&'static str>,
    logs: &'static str,
}

#[derive(Serialize)]
struct RemedyLine {
    text: &'static str,
    risk: &'static str,
    source: String,
}

impl Page {
    fn of(entry: &Entry) -> Page {
        let remedy = entry.remedy.iter().map(|remedy| RemedyLine {
            text: remedy.text,
            risk: remedy.risk.name(),
            source: remedy.source.to_string(),
        });
        Page {
            cause: entry.cause.name(),
            layer: entry.layer.name(),
            title: entry.title,
            what: entry.what,
            seen_as: entry.seen_as,
            proof: Proof { live: entry.proof.live, logs: entry.proof.logs },
            consequence: entry.consequence,
            remedy: remedy.collect(),
            sources: entry.sources.iter().map(ToString::to_string).collect(),
        }
    }
}
