//! What a token of an outside issuer grants.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tagstone_schema::Timestamp;
use tagstone_schema::event::Action;

/// What an outside issuer has granted to whoever holds a token of it.
#[derive(Clone, Debug)]
pub struct Granted {
    repositories: BTreeMap<String, BTreeSet<Action>>,
    sees_catalog: bool,
    /// Whether the holder is one of those who may be administrators.
    is_named: bool,
    /// When it ends.
    pub(super) expires: Timestamp,
    /// The key that has signed it.
    pub(super) key: [u8; 32],
}

/// One entry of the claim `access`. Fields that the specification does not have are none of our business.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AccessEntry {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    actions: Vec<String>,
}

impl Granted {
    /// What the entries grant: those about repositories, and the one about the catalog. Others mean nothing here.
    pub(super) fn new(access: &[AccessEntry], expires: Timestamp, key: [u8; 32]) -> Self {
        let mut repositories: BTreeMap<String, BTreeSet<Action>> = BTreeMap::new();
        for entry in access.iter().filter(|entry| entry.kind == "repository") {
            let granted = entry.actions.iter().flat_map(|action| actions(action));
            repositories.entry(entry.name.clone()).or_default().extend(granted);
        }
        let sees_catalog = access.iter().any(AccessEntry::is_catalog);
        Self { repositories, sees_catalog, is_named: false, expires, key }
    }

    /// The same, granted to one of those who may be administrators.
    pub(super) fn for_an_administrator(self) -> Self {
        Self { is_named: true, ..self }
    }

    pub(super) fn allow(&self, action: Action, repository: &str) -> bool {
        self.is_administrator() || self.repositories.get(repository).is_some_and(|actions| actions.contains(&action))
    }

    /// Whether the names of all repositories may be seen.
    pub(super) fn sees_catalog(&self) -> bool {
        self.sees_catalog
    }

    /// Whether the holder would be an administrator with a token for the catalog.
    pub(super) fn may_become_administrator(&self) -> bool {
        self.is_named
    }

    /// A token that was asked for to pull an image is no administrator's, whosever it is: build machines hold such.
    pub(super) fn is_administrator(&self) -> bool {
        self.is_named && self.sees_catalog
    }
}

impl AccessEntry {
    fn is_catalog(&self) -> bool {
        self.kind == "registry" && self.name == "catalog" && self.actions.iter().any(|action| action == "*")
    }
}

/// What a word of an issuer allows. `*` is what some write for everything.
fn actions(word: &str) -> &'static [Action] {
    match word {
        "pull" => &[Action::Pull],
        "push" => &[Action::Push],
        "delete" => &[Action::Delete],
        "*" => &[Action::Pull, Action::Push, Action::Delete],
        _ => &[],
    }
}
