//! Whether the bytes are there that a state promises.

use std::collections::{BTreeMap, HashMap};

use tagstone_schema::{Digest, Event, Record, Seq};

use super::replay::{Concerns, Problem};
use crate::fold::State;

/// In which record each blob was linked first: the fold does not keep it, and a report names it.
#[derive(Debug, Default)]
pub struct Linked(HashMap<Digest, Seq>);

impl Linked {
    /// Looks at a record. All are to be shown, in order.
    pub fn look(&mut self, record: &Record) {
        for event in &record.events {
            if let Event::BlobLinked { digest, .. } = event {
                self.0.entry(digest.clone()).or_insert(record.seq);
            }
        }
    }
}

/// Checks every blob and every manifest that is live in `state`, each once, in order of digests.
///
/// Only what was linked or pushed is checked: a manifest may name what the registry never held, where its settings allow
/// that. `check` is given a digest and a size, and says what is wrong with the bytes, naming the digest.
pub fn check_contents(
    state: &State,
    linked: &Linked,
    mut check: impl FnMut(&Digest, u64) -> Result<(), String>,
) -> Vec<Problem> {
    let mut promised: BTreeMap<(&Digest, u64), (&'static str, Seq)> = BTreeMap::new();
    for (_, repository) in state.repositories() {
        for (digest, size) in repository.blobs() {
            promised.insert((digest, size), ("blob", linked.0.get(digest).copied().unwrap_or_default()));
        }
        for manifest in repository.manifests() {
            let since = ("manifest", manifest.pushed.seq);
            let earliest = promised.entry((&manifest.digest, manifest.size)).or_insert(since);
            *earliest = since.min(*earliest);
        }
    }
    let mut problems = Vec::new();
    for ((digest, size), (kind, seq)) in promised {
        if let Err(why) = check(digest, size) {
            problems.push(Problem { seq, what: format!("{kind} {why}"), concerns: Concerns::Content });
        }
    }
    problems
}
