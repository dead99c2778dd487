//! Properties of the fold over random histories that are legal, because a small model of a registry makes them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, EncodedRecord, Event, Head, Id, Origin, Record, RepositoryName, Tag, Timestamp};

use super::{Fingerprint, Illegality, Moment, State};
use crate::content::Layout;
use crate::log::{EmbeddedLog, Log, Options};

/// What the model knows of a registry: just enough to tell which events are legal, immutability apart.
#[derive(Clone, Default)]
struct Model {
    repositories: BTreeMap<u8, Contents>,
    policies: BTreeMap<u8, &'static str>,
    live_tokens: Vec<Id>,
    /// Makes values that were never used before.
    fresh: u16,
}

#[derive(Clone, Default)]
struct Contents {
    blobs: BTreeSet<u8>,
    manifests: BTreeMap<u8, Vec<u8>>,
    tags: BTreeMap<u8, u8>,
    locked: BTreeSet<u8>,
}

impl Contents {
    fn is_named(&self, digest: u8) -> bool {
        self.manifests.values().any(|references| references.contains(&digest))
    }

    fn end_tags(&mut self, ends: impl Fn(u8, u8) -> bool) {
        self.tags.retain(|tag, to| !ends(*tag, *to));
        let tags = &self.tags;
        self.locked.retain(|tag| tags.contains_key(tag));
    }
}

fn digest(n: u8) -> Digest {
    if n.is_multiple_of(5) { Digest::sha512([n; 64]) } else { Digest::sha256([n; 32]) }
}

fn tag(n: u8) -> Tag {
    format!("t{n}").parse().unwrap()
}

fn rule(n: u16) -> Rule {
    Rule::Immutability { pattern: Pattern { regex: format!("v{n}"), matches: true }, include_referrer_tags: true }
}

impl Model {
    /// The event that a random choice stands for, if it is legal now.
    fn event(&mut self, [what, name, first, second]: [u8; 4]) -> Option<Event> {
        self.fresh = self.fresh.wrapping_add(1);
        let (name, fresh) = (name % 3, self.fresh);
        let repository: RepositoryName = format!("team/r{name}").parse().unwrap();
        match what % 16 {
            11 | 12 => return self.policy_event(what % 2 == 0, first % 4),
            13 => return Some(self.token_event(first % 2 == 0)),
            14 => return Some(Event::ServerStarted { version: fresh.to_string() }),
            15 => {
                let at = Timestamp(i64::from(fresh));
                return Some(Event::AttemptsRefused { since: at, until: at, entries: Vec::new(), others: 1 });
            }
            0..=2 => {
                self.repositories.entry(name).or_default();
            }
            _ => {}
        }
        let contents = self.repositories.get_mut(&name)?;
        let (blob, manifest, t) = (first % 6, 10 + first % 6, second % 4);
        match what % 16 {
            0 => {
                let (digest, size) = (digest(blob), u64::from(blob));
                contents.blobs.insert(blob).then_some(Event::BlobLinked {
                    repository,
                    digest,
                    size,
                    mounted_from: None,
                })
            }
            1 | 2 if !contents.manifests.contains_key(&manifest) => {
                let named = [second % 6, 10 + second % 6, 20].into_iter().filter(|n| *n != manifest);
                let named: Vec<u8> = named.take(usize::from(second % 4)).collect();
                contents.manifests.insert(manifest, named.clone());
                Some(Event::ManifestPushed {
                    repository,
                    digest: digest(manifest),
                    size: 3,
                    media_type: tagstone_schema::media_type::OCI_INDEX.parse().unwrap(),
                    artifact_type: (second % 2 == 0).then(|| "text/plain".parse().unwrap()),
                    subject: (second % 3 == 0).then(|| digest(10 + second % 6)),
                    references: named.into_iter().map(digest).collect(),
                })
            }
            3 if contents.blobs.contains(&blob) && !contents.is_named(blob) => {
                contents.blobs.remove(&blob);
                Some(Event::BlobUnlinked { repository, digest: digest(blob) })
            }
            4 if contents.manifests.contains_key(&manifest) && !contents.is_named(manifest) => {
                contents.manifests.remove(&manifest);
                contents.end_tags(|_, to| to == manifest);
                Some(Event::ManifestDeleted { repository, digest: digest(manifest) })
            }
            5 | 6 if contents.manifests.contains_key(&manifest) && contents.tags.get(&t) != Some(&manifest) => {
                let from = contents.tags.insert(t, manifest).map(digest);
                Some(Event::TagMoved { repository, tag: tag(t), from, to: digest(manifest) })
            }
            7 if contents.tags.len() > 1 => {
                let ended = contents.tags.iter().map(|(t, was)| EndedTag { tag: tag(*t), was: digest(*was) }).collect();
                contents.end_tags(|_, _| true);
                Some(Event::TagsDeleted { repository, tags: ended, cause: DeletionCause::Request })
            }
            8 => {
                let was = digest(*contents.tags.get(&t)?);
                contents.end_tags(|other, _| other == t);
                Some(Event::TagErased { repository, tag: tag(t), was, reason: "a test".to_owned() })
            }
            9 if contents.tags.contains_key(&t) => Some(if first % 2 == 0 {
                Event::TagExpirySet { repository, tag: tag(t), at: Some(Timestamp(i64::from(fresh))) }
            } else if contents.locked.remove(&t) {
                Event::TagUnlocked { repository, tag: tag(t) }
            } else {
                contents.locked.insert(t);
                Event::TagLocked { repository, tag: tag(t) }
            }),
            10 if first > 200 => {
                self.repositories.remove(&name);
                Some(Event::RepositoryDeleted { repository })
            }
            _ => None,
        }
    }

    fn policy_event(&mut self, forward: bool, n: u8) -> Option<Event> {
        let (policy, scope) = (Id([n; 16]), Scope::Registry);
        let (next, event) = match (self.policies.get(&n).copied(), forward) {
            (None, true) => ("active", Event::PolicyActivated { policy, scope, rule: rule(n.into()) }),
            (None, false) => ("draft", Event::PolicyDrafted { policy, scope, rule: rule(n.into()) }),
            (Some("draft"), true) => ("active", Event::PolicyActivated { policy, scope, rule: rule(n.into()) }),
            (Some("draft"), false) => {
                self.policies.remove(&n);
                return Some(Event::DraftRemoved { policy });
            }
            (Some("active"), true) => ("active", Event::PolicyChanged { policy, rule: rule(self.fresh) }),
            (Some("active"), false) => ("retired", Event::PolicyRetired { policy }),
            _ => return None,
        };
        self.policies.insert(n, next);
        Some(event)
    }

    fn token_event(&mut self, is_end: bool) -> Event {
        if let (true, Some(token)) = (is_end, self.live_tokens.pop()) {
            return Event::TokenRevoked { token };
        }
        let [high, low] = self.fresh.to_be_bytes();
        let mut token = Id([high; 16]);
        token.0[0] = low;
        self.live_tokens.push(token);
        let (subject, label) = ("ci".into(), self.fresh.to_string().into());
        Event::TokenIssued { token, subject, scopes: Vec::new(), secret_hash: [low; 32], expires: None, label }
    }
}

/// Legal records: the log's start, then the events that the choices stand for, up to three in one record.
pub(crate) fn history(choices: &[[u8; 4]]) -> Vec<EncodedRecord> {
    let mut model = Model::default();
    let mut waiting = vec![Event::LogStarted { log: Id([1; 16]) }];
    let mut state = State::default();
    state.evolve(Moment { seq: 1, time: Timestamp(0) }, &waiting[0]).unwrap();
    let mut head = Head::default();
    let mut records = Vec::new();
    for (at, choice) in choices.iter().enumerate() {
        let (standing, before) = (state.clone(), model.clone());
        if let Some(event) = model.event(*choice) {
            match state.evolve(Moment { seq: head.seq + 1, time: head.time.next() }, &event) {
                Ok(()) => waiting.push(event),
                // The model knows nothing of immutability, which has a model of its own.
                Err(Illegality::TagProtected { .. } | Illegality::NameSpent { .. }) => {
                    (state, model) = (standing, before)
                }
                Err(why) => panic!("{event:?}: {why}"),
            }
        }
        let is_full = waiting.len() > usize::from(choice[3] % 3) || at + 1 == choices.len();
        if is_full && !waiting.is_empty() {
            let (seq, time, events) = (head.seq + 1, head.time.next(), std::mem::take(&mut waiting));
            let (actor, origin) = (Actor::system("test"), Origin::default());
            let record = Record { format: FORMAT_VERSION, seq, time, prev: head.hash, actor, origin, events };
            let encoded = record.encode().unwrap();
            head = encoded.head();
            records.push(encoded);
        }
    }
    records
}

pub(crate) fn choices() -> impl Strategy<Value = Vec<[u8; 4]>> {
    proptest::collection::vec(proptest::array::uniform4(proptest::num::u8::ANY), 1..250)
}

/// A log and its fold. Threads of sled may hold the lock of a log for a moment after it was dropped.
fn opened(layout: &Layout) -> (EmbeddedLog, State) {
    loop {
        let mut folded = State::default();
        match EmbeddedLog::open(layout, Options::default(), &mut |record| folded.apply(record)) {
            Ok(opened) => return (opened.log, folded),
            Err(error) if error.to_string().contains("could not acquire lock") => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn decoded(records: &[EncodedRecord]) -> Vec<Record> {
    records.iter().map(|record| Record::decode(record.bytes()).unwrap()).collect()
}

/// What a state tells beyond its fingerprint, of everything that it mentions.
pub(crate) fn derived(state: &State) -> Vec<String> {
    let expiring = state.expiring(Timestamp(i64::MIN), Timestamp(i64::MAX)).map(|place| format!("{place:?}"));
    let mut digests: BTreeSet<_> = state.all_loose().map(|(digest, _)| digest).collect();
    for (_, repository) in state.repositories() {
        digests.extend(repository.blobs().map(|(digest, _)| digest));
        for manifest in repository.manifests() {
            digests.extend(repository.references(manifest).chain(manifest.subject()).chain([&manifest.digest]));
        }
    }
    let held = digests.iter().map(|digest| {
        let (holders, linked) = (state.holders(digest), state.blob_holders(digest).collect::<BTreeSet<_>>());
        format!("{:?} {linked:?} {:?} {}", holders.collect::<Vec<_>>(), state.loose(digest), state.knows(digest))
    });
    let contents = state.repositories().flat_map(|(name, repository)| {
        digests.iter().map(move |digest| {
            let by: BTreeSet<_> = repository.referenced_by(digest).collect();
            assert_eq!(by.len(), repository.reference_count(digest));
            let referrers: Vec<_> = repository.referrers(digest, None).collect();
            let tags: Vec<_> = repository.tags_on(digest).into_iter().flat_map(|tags| tags.iter()).collect();
            let since = (repository.unreferenced_since(digest), repository.idle_since(digest));
            format!("{name} {} {by:?} {referrers:?} {tags:?} {since:?}", repository.manifest_count())
        })
    });
    let unused = state.repositories().flat_map(|(_, repository)| {
        let unused = repository.unreferenced_blobs().chain(repository.idle_manifests());
        unused.map(|(digest, since)| format!("{digest} {since:?}")).collect::<BTreeSet<_>>()
    });
    let loose = state.all_loose().map(|(digest, loose)| format!("{digest} {loose:?}")).collect::<BTreeSet<_>>();
    expiring.chain(held).chain(contents).chain(unused).chain(loose).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_event_that_changes_something_changes_the_fingerprint_and_no_older_state(choices in choices()) {
        let mut state = State::default();
        let mut taken = vec![(state.clone(), state.fingerprint())];
        for record in decoded(&history(&choices)) {
            for event in &record.events {
                let before = state.fingerprint();
                state.evolve(Moment { seq: record.seq, time: record.time }, event).unwrap();
                prop_assert_eq!(state.fingerprint() == before, Fingerprint::stays_with(event), "{:?}", event);
            }
            taken.push((state.clone(), state.fingerprint()));
        }
        for (clone, fingerprint) in taken {
            prop_assert_eq!(clone.fingerprint(), fingerprint);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_state_that_was_alone_is_as_any_other(choices in choices(), shared_at in 0usize..150) {
        let (mut state, mut alone) = (State::default(), State::alone());
        let mut taken = Vec::new();
        let records = decoded(&history(&choices));
        for (at, record) in records.iter().enumerate() {
            if at == shared_at {
                alone.share();
            }
            state.apply(record).unwrap();
            // What is foreseen comes in this order, or in another, or never.
            let next = &records[at..records.len().min(at + 6)];
            match at % 10 {
                0 => alone.foresee(next.iter()),
                6 => alone.foresee(next.iter().rev()),
                _ => {}
            }
            alone.apply(record).unwrap();
            if at % 7 == 0 {
                taken.push((alone.clone(), state.clone()));
            }
        }
        taken.push((alone, state));
        for (alone, state) in taken {
            prop_assert_eq!(alone.fingerprint(), state.fingerprint());
            prop_assert_eq!(derived(&alone), derived(&state));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn live_restarted_and_replayed_states_are_one(choices in choices(), restart in 0usize..100) {
        let records = history(&choices);
        let mut live = State::default();
        decoded(&records).iter().try_for_each(|record| live.apply(record)).unwrap();

        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let split = records.len() * restart / 100;
        for batch in [&records[..split], &records[split..]] {
            let (mut log, _) = opened(&layout);
            let head = log.head();
            log.append(&head, batch).unwrap();
        }
        let (log, replayed) = opened(&layout);
        prop_assert_eq!(log.head(), records.last().unwrap().head());
        prop_assert_eq!(replayed.fingerprint(), live.fingerprint());
    }
}
