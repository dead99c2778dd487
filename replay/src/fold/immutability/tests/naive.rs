//! The rules, answered by scanning the whole history for one name. Slow, and too simple to be wrong in the same way.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag};

/// What history says of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Where its tag points, if there is one.
    pub(super) at: Option<Digest>,
    pub(super) locked: bool,
    pub(super) protected: bool,
    /// The only digest it can return as.
    pub(super) only: Option<Digest>,
}

/// Everything that happened, one event a record.
#[derive(Default)]
pub(super) struct History(pub(super) Vec<Event>);

impl History {
    pub(super) fn tell(&self, repository: &RepositoryName, tag: &Tag) -> Told {
        let mut told = Told::default();
        // The last digest that the tag of today was protected at.
        let mut protected_at = None;
        for (place, event) in self.0.iter().enumerate() {
            let before = told.at.clone();
            let mut erased = false;
            match event {
                Event::TagMoved { repository: r, tag: t, to, .. } if (r, t) == (repository, tag) => {
                    told.at = Some(to.clone());
                }
                Event::TagsDeleted { repository: r, tags, .. } if r == repository => {
                    told.at.take_if(|_| tags.iter().any(|ended| ended.tag == *tag));
                }
                Event::TagErased { repository: r, tag: t, .. } if (r, t) == (repository, tag) => {
                    told.at = None;
                    erased = true;
                }
                Event::ManifestDeleted { repository: r, digest } if r == repository => {
                    told.at.take_if(|at| at == digest);
                }
                Event::RepositoryDeleted { repository: r } if r == repository => told.at = None,
                Event::TagLocked { repository: r, tag: t } if (r, t) == (repository, tag) => told.locked = true,
                Event::TagUnlocked { repository: r, tag: t } if (r, t) == (repository, tag) => told.locked = false,
                _ => {}
            }
            if let (Some(was), None) = (&before, &told.at) {
                if erased {
                    protected_at = protected_at.or_else(|| Some(was.clone()));
                }
                told.only = protected_at.take().or(told.only);
                told.locked = false;
            }
            told.protected = told.at.is_some() && (told.locked || self.ruled(place, repository, tag));
            if told.protected {
                protected_at.clone_from(&told.at);
            }
        }
        told
    }

    /// Whether, after the event at `place`, a policy in force selects the name.
    fn ruled(&self, place: usize, repository: &RepositoryName, tag: &Tag) -> bool {
        let mut in_force: Vec<(Id, &Scope, &Rule)> = Vec::new();
        for event in &self.0[..=place] {
            match event {
                Event::PolicyActivated { policy, scope, rule } => in_force.push((*policy, scope, rule)),
                Event::PolicyChanged { policy, rule } => {
                    in_force.iter_mut().filter(|(id, ..)| id == policy).for_each(|(.., standing)| *standing = rule);
                }
                Event::PolicyRetired { policy } => in_force.retain(|(id, ..)| id != policy),
                _ => {}
            }
        }
        in_force.iter().any(|(_, scope, rule)| {
            let Rule::Immutability { pattern, include_referrer_tags } = rule else { return false };
            scope.contains(repository)
                && is_full_match(&pattern.regex, tag) == pattern.matches
                && (*include_referrer_tags || !is_full_match(r"sha256-[0-9a-f]{64}(\.sig|\.att|\.sbom)?", tag))
        })
    }
}

thread_local! {
    /// Few patterns are asked for very often.
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn is_full_match(regex: &str, tag: &Tag) -> bool {
    let compile = || Regex::new(&format!(r"\A(?:{regex})\z")).unwrap();
    COMPILED.with_borrow_mut(|compiled| compiled.entry(regex.to_owned()).or_insert_with(compile).is_match(tag.as_str()))
}
