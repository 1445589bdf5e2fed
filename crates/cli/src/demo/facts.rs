//! The facts of a run: what scripts get, and what the text for people is made of.

use serde::Serialize;

use super::news::News;

/// What one step came to.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Its name, which stays.
    pub name: &'static str,
    /// Whether all that it checks holds.
    pub ok: bool,
    /// How long it took.
    pub ms: u64,
    /// What was seen, in a sentence.
    pub detail: String,
}

/// The facts of one run.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// Whether every step holds.
    pub ok: bool,
    /// How long it all took.
    pub seconds: f64,
    /// The steps that were done; after one that does not hold only `leave`.
    pub steps: Vec<Step>,
    /// Each false and each unknown answer.
    pub answers: Vec<News>,
    /// All other events: fences, takeovers, lapses.
    pub events: Vec<News>,
    /// What `oarlock hosts` and `oarlock locks` printed at the end.
    #[serde(skip)]
    pub listings: Vec<String>,
}
