//! Random histories, in which much is tried that is forbidden: the fold and the naive model never differ.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::policy::{Pattern, PruneMethod, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag, Timestamp};

use super::naive::{History, Told};
use crate::fold::{Illegality, Moment, PolicyStatus, State};

const REPOSITORIES: [&str; 3] = ["team/a", "team/b", "other/a"];
const PATTERNS: [&str; 6] = ["v.*", ".*-rc", "[a-m].*|v2", "sha256-.*", "v1", "(?i)V1|LATEST"];

fn tags() -> Vec<Tag> {
    let signature = format!("sha256-{}.sig", "0a".repeat(32));
    ["v1", "v2-rc", "latest", signature.as_str()].map(|tag| tag.parse().unwrap()).to_vec()
}

fn repository(n: u8) -> RepositoryName {
    REPOSITORIES[usize::from(n) % REPOSITORIES.len()].parse().unwrap()
}

fn digest(n: u8) -> Digest {
    Digest::sha256([n % 3; 32])
}

fn pushed(repository: &RepositoryName, digest: Digest) -> Event {
    Event::ManifestPushed {
        repository: repository.clone(),
        digest,
        size: 3,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: [].into_iter().collect(),
    }
}

fn scope(n: u8) -> Scope {
    match n % 4 {
        0 => Scope::Registry,
        1 => Scope::Namespace("team".parse().unwrap()),
        _ => Scope::Repository(repository(n)),
    }
}

fn rule(n: u8) -> Rule {
    let pattern = Pattern { regex: PATTERNS[usize::from(n) % PATTERNS.len()].to_owned(), matches: n & 64 == 0 };
    if n > 240 {
        return Rule::Prune { method: PruneMethod::NumberOfTags(1), pattern: Some(pattern) };
    }
    Rule::Immutability { pattern, include_referrer_tags: n & 128 == 0 }
}

/// What a random choice stands for, well-formed in every respect but the rules of immutability.
fn event(state: &State, [what, where_, first, second]: [u8; 4]) -> Option<Event> {
    let repository = repository(where_);
    let tag = tags()[usize::from(first) % 4].clone();
    let found = state.repository(repository.as_str());
    let standing = found.and_then(|found| found.tag(tag.as_str()));
    let was = standing.map(|standing| standing.digest().clone());
    let policy = Id([first % 4; 16]);
    let status = state.policy(&policy).map(|policy| policy.status);
    match what % 16 {
        0..=5 => {
            let to = digest(second);
            if found.is_none_or(|found| found.manifest(&to).is_none()) {
                return Some(pushed(&repository, to));
            }
            (was.as_ref() != Some(&to)).then_some(Event::TagMoved { repository, tag, from: was, to })
        }
        6 => {
            let live = found?.tags_after(None).take(usize::from(second) % 3 + 1);
            let tags: Vec<_> =
                live.map(|(tag, state)| EndedTag { tag: tag.clone(), was: state.digest().clone() }).collect();
            (!tags.is_empty()).then_some(Event::TagsDeleted { repository, tags, cause: DeletionCause::Expiry })
        }
        7 => Some(Event::TagErased { repository, tag, was: was?, reason: "a leak".to_owned() }),
        8 => found?
            .manifest(&digest(second))
            .map(|manifest| Event::ManifestDeleted { repository, digest: manifest.digest.clone() }),
        9 if second > 150 => found.map(|_| Event::RepositoryDeleted { repository }),
        10 | 11 => Some(match standing?.locked() {
            None => Event::TagLocked { repository, tag },
            Some(_) => Event::TagUnlocked { repository, tag },
        }),
        12 => was.map(|_| Event::TagExpirySet { repository, tag, at: Some(Timestamp(i64::from(second))) }),
        13 | 14 => Some(match status {
            None if second > 200 => Event::PolicyDrafted { policy, scope: scope(where_), rule: rule(second) },
            None => Event::PolicyActivated { policy, scope: scope(where_), rule: rule(second) },
            Some(PolicyStatus::Draft) => {
                let draft = state.policy(&policy)?;
                Event::PolicyActivated { policy, scope: draft.scope.clone(), rule: draft.rule.clone() }
            }
            Some(PolicyStatus::Active) if second > 128 => Event::PolicyChanged { policy, rule: rule(second) },
            Some(PolicyStatus::Active) => Event::PolicyRetired { policy },
            // The ids are few, so that they meet; a retired one makes room as another.
            Some(PolicyStatus::Retired) => {
                let policy = Id([second | 4; 16]);
                if state.policy(&policy).is_some() {
                    return None;
                }
                Event::PolicyActivated { policy, scope: scope(where_), rule: rule(second) }
            }
        }),
        _ => None,
    }
}

/// Whether the rules allow an event, by what history tells of every name that it touches.
fn allowed(told: &BTreeMap<(RepositoryName, Tag), Told>, event: &Event) -> bool {
    let of = |repository: &RepositoryName, tag: &Tag| told[&(repository.clone(), tag.clone())].clone();
    match event {
        Event::TagMoved { repository, tag, to, .. } => {
            let told = of(repository, tag);
            !told.protected && told.only.is_none_or(|only| only == *to)
        }
        Event::TagsDeleted { repository, tags, .. } => tags.iter().all(|ended| !of(repository, &ended.tag).protected),
        Event::TagExpirySet { repository, tag, .. } => !of(repository, tag).protected,
        Event::ManifestDeleted { repository, digest } => told
            .iter()
            .all(|((held, _), told)| held != repository || told.at.as_ref() != Some(digest) || !told.protected),
        Event::RepositoryDeleted { repository } => {
            told.iter().all(|((held, _), told)| held != repository || !told.protected)
        }
        _ => true,
    }
}

/// The events that random choices stand for and that the rules allow, for other tests: one is to be a record.
pub(crate) fn legal_events(choices: &[[u8; 4]]) -> Vec<Event> {
    let mut events = vec![Event::LogStarted { log: Id([9; 16]) }];
    let mut state = State::default();
    state.evolve(Moment { seq: 1, time: Timestamp(1) }, &events[0]).unwrap();
    for choice in choices {
        let Some(event) = event(&state, *choice) else { continue };
        let standing = state.clone();
        let seq = events.len() as u64 + 1;
        match state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, &event) {
            Ok(()) => events.push(event),
            Err(_) => state = standing,
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_fold_and_a_scan_of_history_never_differ(
        choices in proptest::collection::vec(proptest::array::uniform4(proptest::num::u8::ANY), 1..200),
    ) {
        let names: Vec<_> = REPOSITORIES
            .iter()
            .flat_map(|name| tags().into_iter().map(|tag| (name.parse::<RepositoryName>().unwrap(), tag)))
            .collect();
        let mut history = History(vec![Event::LogStarted { log: Id([9; 16]) }]);
        let mut state = State::default();
        state.evolve(Moment { seq: 1, time: Timestamp(1) }, &history.0[0]).unwrap();
        let mut told: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), Told::default())).collect();
        for (seq, choice) in (2..).zip(choices) {
            let Some(event) = event(&state, choice) else { continue };
            let standing = state.clone();
            let accepted = state.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, &event);
            prop_assert_eq!(accepted.is_ok(), allowed(&told, &event), "{:?}: {:?}", event, accepted);
            if let Err(why) = accepted {
                let by_rule = matches!(why, Illegality::TagProtected { .. } | Illegality::NameSpent { .. });
                prop_assert!(by_rule, "{:?}: {}", event, why);
                state = standing;
                continue;
            }
            history.0.push(event);
            for (repository, tag) in &names {
                let scanned = history.tell(repository, tag);
                let found = state.repository(repository.as_str()).and_then(|found| found.tag(tag.as_str()));
                let protection = state.protection(repository);
                let folded = Told {
                    at: found.map(|found| found.digest().clone()),
                    locked: found.is_some_and(|found| found.locked().is_some()),
                    protected: found.is_some_and(|found| protection.protects(tag, found)),
                    only: state.spent(repository.as_str(), tag.as_str()).map(|spent| spent.only.clone()),
                };
                let reasons = found.map_or(0, |found| protection.reasons(tag, Some(found)).len());
                prop_assert_eq!(reasons > 0, scanned.protected);
                // Before all time nothing has expired.
                if let Some(why) = state.why(repository, tag, Timestamp(i64::MIN)) {
                    let spent = usize::from(why.spent);
                    prop_assert_eq!((&why.digest, why.spent), (&scanned.at, scanned.only.is_some()));
                    prop_assert_eq!(&why.only_digest, &scanned.only);
                    prop_assert_eq!(why.protected, why.reasons.len() > spent);
                    prop_assert!(why.digest.is_none() || why.protected == scanned.protected);
                } else {
                    prop_assert!(state.repository(repository.as_str()).is_none() && scanned.only.is_none());
                }
                prop_assert_eq!(&folded, &scanned, "{}:{}", repository, tag);
                told.insert((repository.clone(), tag.clone()), scanned);
            }
        }
    }
}
