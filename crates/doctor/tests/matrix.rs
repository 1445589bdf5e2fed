//! The confusion matrix: 5,000 incidents that the model made, each with its known cause, against what the doctor says.
//!
//! `cargo test -p oarlock-doctor --test matrix -- --nocapture` prints it; `OARLOCK_MATRIX_SEED=N` shows one seed's log.
#![allow(clippy::unwrap_used)] // Its functions are called by tests alone.

mod model;

use std::collections::BTreeMap;

use model::scenario::SCENARIOS;
use model::{World, write};
use oarlock_doctor::{Doctor, Report};

/// Logs for each cause.
const SEEDS: u64 = 200;
/// A second cause hits another device, an hour later, in every so-many-th log.
const DOUBLE_EVERY: u64 = 5;

/// What was written, and what the doctor said.
struct Tried {
    truth: Vec<&'static str>,
    report: Report,
    files: Vec<(String, Vec<u8>)>,
}

fn tried(index: usize, seed: u64) -> Tried {
    let number = index as u64 * 10_000 + seed;
    let mut world = World::of(number);
    let (name, scenario) = SCENARIOS[index];
    scenario(&mut world);
    let mut truth = vec![name];
    if seed.is_multiple_of(DOUBLE_EVERY) {
        let (other, second) = SCENARIOS[usize::try_from(world.dice.next() % 24).unwrap_or(0)];
        world.pass(3_600_000, 7_200_000);
        second(&mut world);
        truth.push(other);
    }
    world.noise();
    let files = write::files(&mut world);
    let mut doctor = Doctor::new();
    for (name, bytes) in &files {
        doctor.read(name, &mut bytes.as_slice(), &mut |_| {});
    }
    Tried { truth, report: doctor.judge(), files }
}

impl Tried {
    /// What the doctor said: of one cause, its first finding; of two, the first cause where it was found at all, else a
    /// finding that is neither.
    fn said(&self) -> String {
        let mut causes = self.report.incidents.iter().map(|finding| finding.cause.as_str());
        let said = match self.truth[..] {
            [_] => causes.next(),
            _ if causes.clone().any(|cause| cause == self.truth[0]) => Some(self.truth[0]),
            _ => causes.find(|cause| !self.truth.contains(cause)),
        };
        said.unwrap_or("nothing").to_owned()
    }

    /// Findings of a cause that is not there, of that confidence.
    fn wrong(&self, confidence: &str) -> Vec<&str> {
        let wrong = self.report.incidents.iter().filter(|finding| {
            finding.confidence == confidence && !self.truth.contains(&finding.cause.as_str())
        });
        wrong.map(|finding| finding.cause.as_str()).collect()
    }
}

/// Rows of the matrix, and what was confident and wrong.
#[derive(Default)]
struct Matrix {
    cells: BTreeMap<(usize, String), u64>,
    certain: Vec<String>,
    likely: Vec<String>,
}

fn matrix() -> Matrix {
    let mut matrix = Matrix::default();
    for index in 0..SCENARIOS.len() {
        for seed in 0..SEEDS {
            let tried = tried(index, seed);
            *matrix.cells.entry((index, tried.said())).or_default() += 1;
            let told = |cause: &&str| {
                format!("{} (seed {}): {cause}", tried.truth.join(" and "), index as u64 * 10_000 + seed)
            };
            matrix.certain.extend(tried.wrong("certain").iter().map(told));
            matrix.likely.extend(tried.wrong("likely").iter().map(told));
        }
    }
    matrix
}

impl Matrix {
    fn recall(&self, index: usize) -> u64 {
        self.cells.get(&(index, SCENARIOS[index].0.to_owned())).copied().unwrap_or(0) * 100 / SEEDS
    }

    fn precision(&self, index: usize) -> u64 {
        let name = SCENARIOS[index].0;
        let said: u64 = self.cells.iter().filter(|((_, said), _)| said == name).map(|(_, count)| count).sum();
        self.cells.get(&(index, name.to_owned())).copied().unwrap_or(0) * 100 / said.max(1)
    }

    /// As a table of Markdown.
    fn page(&self) -> String {
        let mut page =
            "| cause | recall | precision | otherwise said |\n| --- | --- | --- | --- |\n".to_owned();
        for (index, (name, _)) in SCENARIOS.iter().enumerate() {
            let others: Vec<String> = self
                .cells
                .iter()
                .filter(|((row, said), _)| *row == index && said != name)
                .map(|((_, said), count)| format!("{said} {count}"))
                .collect();
            let others = if others.is_empty() { "-".to_owned() } else { others.join(", ") };
            page.push_str(&format!(
                "| `{name}` | {} % | {} % | {others} |\n",
                self.recall(index),
                self.precision(index)
            ));
        }
        page
    }
}

#[test]
fn the_diagonal_is_strong_and_nothing_beside_it_is_certain() {
    if let Some(seed) = std::env::var("OARLOCK_MATRIX_SEED").ok().and_then(|seed| seed.parse::<u64>().ok()) {
        show(seed);
        return;
    }
    let matrix = matrix();
    println!("{}", matrix.page());
    println!("wrong and certain: {}; wrong and likely: {}", matrix.certain.len(), matrix.likely.len());
    for line in matrix.certain.iter().chain(&matrix.likely).take(40) {
        println!("  {line}");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/DOCTOR.md")).unwrap();
    assert!(page.contains(&matrix.page()), "docs/DOCTOR.md shows another matrix than the one above");
    assert!(matrix.certain.is_empty(), "{} certain and wrong", matrix.certain.len());
    assert!(matrix.likely.is_empty(), "{} likely and wrong", matrix.likely.len());
    for (index, (name, _)) in SCENARIOS.iter().enumerate() {
        assert!(matrix.recall(index) >= 90, "{name}: recall {} %", matrix.recall(index));
        // A torn log of any cause may rightly end in cannot-tell.
        let honest = *name == "cannot-tell";
        assert!(honest || matrix.precision(index) >= 90, "{name}: precision {} %", matrix.precision(index));
    }
}

/// The log of one seed, and what is said of it.
fn show(seed: u64) {
    let tried = tried(usize::try_from(seed / 10_000).unwrap(), seed % 10_000);
    for (name, bytes) in &tried.files {
        println!("== {name}\n{}", String::from_utf8_lossy(bytes));
    }
    for finding in &tried.report.incidents {
        println!("{} ({}): {}", finding.cause, finding.confidence, finding.because);
        finding.considered.iter().for_each(|other| println!("   {}: {}", other.cause, other.why));
    }
}
