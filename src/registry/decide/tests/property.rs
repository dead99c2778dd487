//! Random commands on the states that they lead to: decisions and the fold agree on what is allowed.

use proptest::prelude::*;
use tagstone_replay::fold::Illegality;
use tagstone_schema::Seq;
use tagstone_schema::policy::{Pattern, Rule, Scope};

use super::super::super::command::{Because, CreatePolicy, Expiry, FoundTags, Lock, Prunable, PruneTags, SetTag};
use super::*;

const REPOSITORIES: [&str; 2] = ["a", "team/b"];
const TAGS: [&str; 4] = ["v1", "v2", "latest", "edge"];
const PATTERNS: [&str; 4] = ["v.*", "v1|edge", "[a-m].*", "latest"];
/// The digest of the index; those of the images, which are its children, and of their only layer follow.
const INDEX: u8 = 0;
const LAYER: u8 = 3;

/// What a random choice asks for.
fn command(state: &State, [what, where_, first, second]: [u8; 4]) -> Command {
    let repository = name(REPOSITORIES[usize::from(where_ % 2)]);
    let named = |n: u8| tag(TAGS[usize::from(n % 4)]);
    let digest = digest(second % 3);
    let standing = state.repository(repository.as_str());
    let policy = Id([first % 3; 16]);
    match what % 20 {
        0..=5 => {
            let (put, tags) = match second % 3 {
                INDEX => (put_index(repository.as_str(), INDEX, &[1, 2], &[]), [named(first), named(where_ / 2)]),
                image => (put(repository.as_str(), image, &[LAYER], &[]), [named(first), named(first / 4)]),
            };
            let condition = if what > 200 { Condition::Exists } else { Condition::Always };
            let sparse = Sparse { index: false, layers: false };
            push(PutManifest { tags: tags.to_vec(), condition, sparse, ..put })
        }
        6 | 7 => Command::LinkBlob { repository, digest: super::digest(LAYER), size: 3 },
        8 => Command::DeleteBlob { repository, digest: super::digest(LAYER) },
        9 => Command::DeleteManifest { repository, digest, condition: Condition::Always },
        10 => Command::DeleteTag { repository, tag: named(first), condition: Condition::Always },
        11 => Command::DeleteTags { repository, tags: vec![named(first), named(second)] },
        12 => Command::EraseTag { repository, tag: named(first), because: "a leak".parse::<Because>().unwrap() },
        13 | 14 => Command::SetTag(Box::new(SetTag {
            repository,
            tag: named(first),
            manifest: (second & 4 == 0).then_some(digest),
            expiry: [Expiry::Keep, Expiry::Never, Expiry::At(Timestamp(9))][usize::from(second / 8 % 3)],
            lock: [Lock::Keep, Lock::Lock, Lock::Unlock][usize::from(second / 32 % 3)],
        })),
        15 if second > 128 => Command::DeleteRepository { repository },
        15 => Command::PruneTags(Box::new(PruneTags {
            policy,
            in_force: state.policy(&policy).and_then(|policy| policy.in_force).map_or(0, |at| at.seq),
            run: Id([7; 16]),
            found: vec![FoundTags {
                tags: standing
                    .into_iter()
                    .flat_map(|found| found.tags_after(None))
                    .map(|(tag, at)| {
                        let (tag, digest, since) = (tag.clone(), at.digest().clone(), at.since().seq);
                        Prunable { tag, digest, since, subject: None }
                    })
                    .collect(),
                repository,
            }],
        })),
        16 => Command::RemovePolicy { policy },
        17 => Command::ActivatePolicy { policy },
        _ => {
            let pattern = Pattern { regex: PATTERNS[usize::from(second % 4)].to_owned(), matches: second < 200 };
            let rule = Rule::Immutability { pattern, include_referrer_tags: false };
            let scope = [Scope::Registry, Scope::Namespace("team".parse().unwrap()), Scope::Repository(repository)];
            let scope = scope[usize::from(where_ / 2 % 3)].clone();
            match state.policy(&policy) {
                Some(_) if what % 2 == 0 => Command::ChangePolicy { policy, rule },
                // A retired policy is never again, so another takes its place.
                Some(_) => create(fresh(state), scope, rule, first > 200),
                None => create(policy, scope, rule, first > 200),
            }
        }
    }
}

fn create(policy: Id, scope: Scope, rule: Rule, draft: bool) -> Command {
    Command::CreatePolicy(Box::new(CreatePolicy { policy, scope, rule, draft }))
}

/// An id that no policy has.
fn fresh(state: &State) -> Id {
    let highest = state.policies().map(|(id, _)| u128::from_be_bytes(id.0)).max().unwrap_or_default();
    Id((highest + 1).to_be_bytes())
}

/// The events that a registry would write that has forgotten to look at immutability.
fn blunt(state: &State, command: &Command) -> Vec<Event> {
    let at = |repository: &RepositoryName, tag: &Tag| {
        state.repository(repository.as_str()).and_then(|found| found.tag(tag.as_str()))
    };
    let end = |repository: &RepositoryName, tags: &[Tag]| {
        let mut tags = tags.to_vec();
        tags.sort();
        tags.dedup();
        let ended = |tag: &Tag| Some(EndedTag { tag: tag.clone(), was: at(repository, tag)?.digest().clone() });
        let tags = tags.iter().filter_map(ended).collect();
        vec![Event::TagsDeleted { repository: repository.clone(), tags, cause: DeletionCause::Request }]
    };
    let moves = |repository: &RepositoryName, tags: &[Tag], to: &Digest| {
        let mut events = Vec::new();
        for (place, tag) in tags.iter().enumerate().filter(|(place, tag)| !tags[..*place].contains(tag)) {
            let from = at(repository, tag).map(|standing| standing.digest().clone());
            if from.as_ref() != Some(to) {
                let (repository, tag) = (repository.clone(), tags[place].clone());
                events.push(Event::TagMoved { repository, tag, from, to: to.clone() });
            }
        }
        events
    };
    match command {
        Command::PutManifest(put) => {
            let known = state.repository(put.repository.as_str()).and_then(|found| found.manifest(&put.digest));
            let push = known.is_none().then(|| Event::ManifestPushed {
                repository: put.repository.clone(),
                digest: put.digest.clone(),
                size: put.size,
                media_type: put.media_type.clone(),
                artifact_type: None,
                subject: None,
                references: put.references.clone(),
            });
            push.into_iter().chain(moves(&put.repository, &put.tags, &put.digest)).collect()
        }
        Command::DeleteTag { repository, tag, .. } => end(repository, std::slice::from_ref(tag)),
        Command::DeleteTags { repository, tags } => end(repository, tags),
        Command::DeleteManifest { repository, digest, .. } => {
            vec![Event::ManifestDeleted { repository: repository.clone(), digest: digest.clone() }]
        }
        Command::DeleteBlob { repository, digest } => {
            vec![Event::BlobUnlinked { repository: repository.clone(), digest: digest.clone() }]
        }
        Command::DeleteRepository { repository } => vec![Event::RepositoryDeleted { repository: repository.clone() }],
        Command::SetTag(set) => {
            let SetTag { repository, tag, manifest, expiry, lock } = &**set;
            let locked = at(repository, tag).is_some_and(|standing| standing.locked().is_some());
            let mut events = Vec::new();
            if locked && *lock == Lock::Unlock {
                events.push(Event::TagUnlocked { repository: repository.clone(), tag: tag.clone() });
            }
            events.extend(manifest.iter().flat_map(|to| moves(repository, std::slice::from_ref(tag), to)));
            if !locked && *lock == Lock::Lock {
                events.push(Event::TagLocked { repository: repository.clone(), tag: tag.clone() });
            }
            if let Expiry::At(when) = expiry {
                let (repository, tag) = (repository.clone(), tag.clone());
                events.push(Event::TagExpirySet { repository, tag, at: Some(*when) });
            }
            events
        }
        other => panic!("{other:?} is never refused for the sake of immutability"),
    }
}

fn evolved(mut state: State, seq: Seq, events: &[Event]) -> Result<State, Illegality> {
    let at = Moment { seq, time: Timestamp(seq.cast_signed()) };
    events.iter().try_for_each(|event| state.evolve(at, event))?;
    Ok(state)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn decisions_and_the_fold_agree(
        choices in proptest::collection::vec(proptest::array::uniform4(proptest::num::u8::ANY), 1..120),
    ) {
        let mut state = given(&[]);
        for (seq, choice) in (2..).zip(choices) {
            let command = command(&state, choice);
            match decide(&state, &command) {
                Ok(events) => {
                    let next = evolved(state, seq, &events);
                    prop_assert!(next.is_ok(), "{:?} became {:?}: {}", command, events, next.unwrap_err());
                    state = next.unwrap();
                }
                Err(Rejection::Immutable(_) | Rejection::Spent { .. }) => {
                    let refused = evolved(state.clone(), seq, &blunt(&state, &command)).map(drop);
                    let by_rule = matches!(
                        refused,
                        Err(Illegality::TagProtected { .. } | Illegality::NameSpent { .. } | Illegality::StillReferenced { .. })
                    );
                    prop_assert!(by_rule, "{:?}: {:?}", command, refused);
                }
                Err(_) => {}
            }
        }
    }
}
