//! In which order layers are walked: each behind those below it, so that all that it may name of theirs is known by then.

use std::collections::{BTreeMap, BTreeSet};

use oarlock_format::LayerId;

use super::estate::Estate;

/// One step of the walk over a family: layers that stand on one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// What this layer owns comes into the line of those above it.
    Enter(LayerId),
    /// It goes out of the line: another branch comes next.
    Leave(LayerId),
}

/// The families, and the layers that stand on themselves, which are in none.
pub(crate) struct Families {
    pub(crate) families: Vec<Vec<Step>>,
    pub(crate) in_a_ring: BTreeSet<LayerId>,
}

impl Families {
    pub(crate) fn of(estate: &Estate) -> Families {
        let mut above: BTreeMap<LayerId, Vec<LayerId>> = BTreeMap::new();
        let mut lowest = Vec::new();
        for (id, described) in &estate.layers {
            match described.layer.parent.filter(|parent| estate.layers.contains_key(parent)) {
                Some(parent) => above.entry(parent).or_default().push(*id),
                None => lowest.push(*id),
            }
        }
        let mut in_a_ring: BTreeSet<LayerId> = estate.layers.keys().copied().collect();
        let families: Vec<Vec<Step>> = lowest.into_iter().map(|first| family(first, &above)).collect();
        for step in families.iter().flatten() {
            if let Step::Enter(id) = step {
                in_a_ring.remove(id);
            }
        }
        Families { families, in_a_ring }
    }
}

fn family(first: LayerId, above: &BTreeMap<LayerId, Vec<LayerId>>) -> Vec<Step> {
    let (mut steps, mut open) = (Vec::new(), vec![Step::Enter(first)]);
    while let Some(step) = open.pop() {
        steps.push(step);
        if let Step::Enter(id) = step {
            open.push(Step::Leave(id));
            open.extend(above.get(&id).into_iter().flatten().map(|child| Step::Enter(*child)));
        }
    }
    // Behind the last layer nobody looks at the line any more.
    let last = steps.iter().rposition(|step| matches!(step, Step::Enter(_)));
    steps.truncate(last.map_or(0, |last| last + 1));
    steps
}
